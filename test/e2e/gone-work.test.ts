/** Work that was taken away again: it never counts as integrated, cannot be approved, and what an agent makes in its place is not approved with it. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { demoConfig, Rig, startTwoBehindOne, task } from "../rig/rig.ts";

type Shown = { task: { state: string; attempts: { worktree: string; branch: string; outcome: string }[] } };

/** A task that meets a conflict with what came in while it waited; `then` are its steps in the turn in which it is to resolve it. */
async function withConflict(
  then: string,
  front: Record<string, unknown> = {},
): Promise<{ rig: Rig; told: string } & AsyncDisposable> {
  const rig = Rig.create({ ".worktreerc": `${demoConfig}[run]\nretries = 0\n` });
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, 'write shared.txt "one"'),
    "docs/plans/two/epic-01-b.md": task(
      front,
      `touch ${rig.path("two-runs")}\nwait ${rig.path("gate")}\nappend shared.txt ", two"\non conflict:\n${then}`,
    ),
  });
  rig.commit("plan");
  const run = await startTwoBehindOne(rig);
  const { stdout, stderr } = await run.ended;
  return { rig, told: stdout + stderr, [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]() };
}

test.each([
  ["the run's", "owt/runs/r1"],
  ["where it began", "main"],
])(
  "an agent that resets its branch to %s instead of resolving the conflict has given it up: another attempt begins",
  async (_, to) => {
    await using run = await withConflict(`run "git" "reset" "-q" "--hard" "${to}"`);
    const { rig, told } = run;
    const { task: two } = await rig.json<Shown>("task", "show", "two/E01");
    expect([two.state, two.attempts.map((each) => each.outcome)]).toEqual([
      "done",
      ["conflicts in shared.txt", "conflicts in shared.txt", "done"],
    ]);
    expect(told).toContain("threw its work away instead of resolving the conflict; it is put back at");
    expect(rig.show("owt/runs/r1", "shared.txt")).toBe("one, two");
    const kept = rig.git("rev-list", "--all").split("\n");
    expect(kept.some((commit) => rig.show(commit, "shared.txt") === ", two")).toBe(true);
  },
);

test("where no other attempt may begin, a person finds the merge of that work started", async () => {
  await using run = await withConflict('run "git" "reset" "-q" "--hard" "main"', { branch: "feat/two" });
  const { rig } = run;
  const { task: two } = await rig.json<Shown>("task", "show", "two/E01");
  const { worktree } = two.attempts.at(-1)!;
  const git = (...args: string[]) => execFileSync("git", args, { cwd: worktree, env: rig.env, encoding: "utf8" });
  expect(git("ls-files", "--unmerged")).toContain("shared.txt");
  expect(git("show", "HEAD:shared.txt")).toBe(", two");
});

test("a worktree in which a person left nothing of the work is not approved", async () => {
  await using run = await withConflict('say "cannot decide"', { branch: "feat/two" });
  const { rig } = run;
  const before = await rig.json<Shown>("task", "show", "two/E01");
  const { worktree } = before.task.attempts.at(-1)!;
  const git = (...args: string[]) => execFileSync("git", args, { cwd: worktree, env: rig.env, stdio: "pipe" });
  git("merge", "--abort");
  git("reset", "-q", "--hard", "owt/runs/r1");
  const ran = await rig.owt("task", "approve", "two/E01");
  expect([ran.code, ran.stderr]).toEqual([
    4,
    expect.stringContaining(`nothing of its work is in ${worktree} any more`),
  ]);
  expect(ran.stderr).toMatch(/git -C \S+ reset --keep [0-9a-f]{40}; or .*owt task cancel two\/E01/);
  expect(rig.integrations("owt/runs/r1")).toEqual(["one/E01"]);
});

/** A task that waits for its review; each attempt writes another text. */
async function reviewed(): Promise<{ rig: Rig; worktree: string; branch: string }> {
  const rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/shop/epic-01-a.md": task({ needs_review: true }, 'write a.txt "work"'),
  });
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  const { task: shown } = await rig.json<Shown>("task", "show", "shop/E01");
  return { rig, ...shown.attempts.at(-1)! };
}

test("reviewed work that is not there any more is not approved, with the command that brings it back", async () => {
  const { rig, worktree, branch } = await reviewed();
  await using _ = rig;
  const head = rig.git("rev-parse", branch);
  execFileSync("git", ["reset", "-q", "--hard", "main"], { cwd: worktree, env: rig.env });
  const refused = await rig.owt("task", "approve", "shop/E01");
  expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining(`reset --keep ${head}`)]);
  rig.git("worktree", "remove", "--force", worktree);
  rig.git("branch", "-D", branch);
  const gone = await rig.owt("task", "approve", "shop/E01");
  expect([gone.code, gone.stderr]).toEqual([4, expect.stringContaining(`git branch -f ${branch} ${head}`)]);
  rig.git("branch", "-f", branch, head);
  expect((await rig.owt("task", "approve", "shop/E01")).code).toBe(0);
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1")).toEqual(["shop/E01"]);
});

test("what is repeated and changes nothing has nothing that could be gone: it is approved like anything else", async () => {
  const { rig } = await reviewed();
  await using _ = rig;
  rig.ok("task", "approve", "shop/E01");
  expect((await rig.owt("resume")).code).toBe(0);
  expect((await rig.owt("land")).code).toBe(0);
  const again = await rig.owt("run", "--yes", "--again", "shop/E01");
  expect([again.code, again.stderr]).toEqual([4, expect.stringContaining("its work is there already")]);
  const approved = await rig.owt("task", "approve", "shop/E01");
  expect([approved.code, approved.stderr]).toEqual([0, expect.not.stringContaining("any more")]);
  expect((await rig.owt("resume")).code).toBe(0);
  expect((await rig.json<Shown>("task", "show", "shop/E01")).task.state).toBe("done");
});

test("an approval is for the work that was there: what another attempt makes in its place waits for one of its own", async () => {
  const { rig, worktree } = await reviewed();
  await using _ = rig;
  expect((await rig.owt("task", "approve", "shop/E01")).code).toBe(0);
  execFileSync("git", ["reset", "-q", "--hard", "main"], { cwd: worktree, env: rig.env });
  expect((await rig.owt("resume")).code).toBe(4);
  expect(rig.integrations("owt/runs/r1")).toEqual([]);
  expect((await rig.json<Shown>("task", "show", "shop/E01")).task.state).toBe("review");
  expect((await rig.owt("task", "approve", "shop/E01")).code).toBe(0);
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1")).toEqual(["shop/E01"]);
});

test.each([
  ["resolved a conflict", false],
  ["resolved a conflict, and deleted the branch", true],
])("who %s on no branch is told how it is taken along", async (_, isGone) => {
  await using run = await withConflict('say "cannot decide"', { branch: "feat/two" });
  const { rig } = run;
  const { worktree } = (await rig.json<Shown>("task", "show", "two/E01")).task.attempts.at(-1)!;
  const git = (...args: string[]) => execFileSync("git", args, { cwd: worktree, env: rig.env, encoding: "utf8" });
  writeFileSync(`${worktree}/shared.txt`, "one, two");
  git("commit", "-qam", "resolved");
  git("checkout", "-q", "--detach");
  git("commit", "-q", "--allow-empty", "-m", "more");
  const head = git("rev-parse", "HEAD").slice(0, 10);
  if (isGone) git("branch", "-D", "feat/two");
  const refused = await rig.owt("task", "approve", "two/E01");
  expect([refused.code, refused.stderr]).toEqual([
    4,
    expect.stringContaining(`${worktree} is not on feat/two any more, but on no branch, at ${head}`),
  ]);
  const hint = /take what is there along: (git .*), then: owt task approve two\/E01/.exec(refused.stderr)![1]!;
  execFileSync("sh", ["-c", hint], { env: rig.env, stdio: "pipe" });
  rig.ok("task", "approve", "two/E01");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1")).toEqual(["one/E01", "two/E01"]);
});
