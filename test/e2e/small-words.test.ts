/** What commands say in cases that come once in a while: empty answers, things that are over or open already, decisions that somebody takes up. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { demoConfig, fileAppears, Rig, startTwoBehindOne, task } from "../rig/rig.ts";

/** One task that goes on until the file `go` is there, and one behind it. */
function goingOn(): Rig {
  const rig = Rig.create({ ".worktreerc": `${demoConfig}[run]\nmax_parallel = 1\n` }, { approve: false });
  rig.write({
    "docs/plans/a/epic-01-a.md": task({}, `touch ${rig.path("begun")}\nwait ${rig.path("go")}\nwrite a.txt "a"`),
    "docs/plans/a/epic-02-b.md": task({}, 'ask "Which colour?"\non answer:\nwrite b.txt "{answer}"'),
  });
  rig.commit("the plan");
  return rig;
}

test("a plan whose run is open says so, and which run goes on", async () => {
  await using rig = goingOn();
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("begun"));
  const seen = await rig.owt("plan");
  expect(seen.stderr).toContain("r1 is open with this plan, 0 of its 2 tasks done: owt run goes on with it");
  expect((await rig.owt("status")).stdout).toMatch(/^ {2}◎ a\/E01 {2}running {2}\d.*s · → /m);
  expect((await rig.owt("task", "list")).stdout).not.toContain("running  running");
  rig.release("go");
  expect((await run.ended).code).toBe(4);
});

test("where all is done, a run that repeats it and is open is named with what goes on with it", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/a/epic-01-a.md": task({}, 'ask "Which colour?"\non answer:\nwrite b.txt "{answer}"'),
  });
  await rig.owt("run", "--yes");
  rig.ok("task", "answer", "a/E01", "red");
  expect((await rig.owt("resume")).code).toBe(0);
  expect((await rig.owt("run", "--yes")).stderr).not.toContain("is open");
  expect((await rig.owt("run", "--yes", "--again")).code).toBe(4);
  const ran = await rig.owt("run", "--yes");
  expect(ran.stdout).toMatch(/^nothing to do: the one task is done/);
  expect(ran.stderr).toContain("r2 is open with this plan, 0 of its 1 task done\n  ↳ owt resume r2\n");
});

test("work that waits for an approval is told with the command; an empty word is neither a plan nor a task", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/a/epic-01-a.md": task({ needs_review: true }, 'write a.txt "a"'),
  });
  const empty = await rig.owt("run", "", "--yes");
  expect([empty.code, empty.stderr]).toEqual([
    2,
    "✗ an empty word names nothing to run\n  ↳ what there is: owt plan\n",
  ]);
  const ran = await rig.owt("run", "--yes");
  expect(ran.stderr).toMatch(/a\/E01 waits for approval\n *↳ owt task approve a\/E01\n/);
});

test("a decision says who takes it up: the process that carries the run, or a command", async () => {
  await using rig = goingOn();
  rig.write({ "docs/plans/c/epic-01-c.md": task({}, 'ask "How many?"\non answer:\nwrite c.txt "{answer}"') });
  rig.write({ ".worktreerc": demoConfig });
  rig.commit("more");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("begun"));
  await run.says("c/E01 asks: How many?");
  expect((await rig.owt("task", "answer", "c/E01", "two")).stdout).toBe(
    "c/E01: answered; r1 goes on with it by itself; watch it: owt resume r1\n",
  );
  rig.release("go");
  expect((await run.ended).code).toBe(4);
  expect((await rig.owt("task", "answer", "a/E02", "blue")).stdout).toBe(
    "a/E02: answered; go on with: owt resume r1\n",
  );
});

test("a run that is stopped is not paused instead", async () => {
  await using rig = goingOn();
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("begun"));
  await rig.owt("stop");
  await run.ended;
  const paused = await rig.owt("pause");
  expect([paused.code, paused.stderr]).toEqual([2, expect.stringContaining("r1 is stopped already")]);
  expect((await rig.json<{ runs: { wish: string }[] }>("status")).runs[0]!.wish).toBe("stop");
});

test("logs without a line say that there is none, beside the empty answer", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"') });
  await rig.owt("run", "--yes");
  const none = await rig.owt("logs", "a/E01", "--grep", "nowhere");
  expect([none.code, none.stdout, none.stderr]).toEqual([0, "", "no line of a/E01 fits --grep nowhere\n"]);
  expect((await rig.owt("logs", "--all", "--level", "error")).stderr).toBe("no line of the run fits --level error\n");
});

test("dependencies of a task that was written down by hand are no line of a plan", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"') });
  const { task: id } = await rig.json<{ task: string }>("task", "create", "Paint the door");
  const ran = await rig.owt("plan", "deps", id, "--add", "a/E01");
  expect([ran.code, ran.stderr]).toEqual([
    2,
    expect.stringContaining(`${id} is written down, and in no file of the plan`),
  ]);
  expect(ran.stderr).toContain(`owt task cancel ${id}`);
});

test("the same run, detached several times at once, goes on once, and nobody is told a mistake", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"') });
  const all = await Promise.all([1, 2, 3].map(() => rig.owt("run", "--yes", "--detach")));
  expect(all.map(({ stderr }) => stderr).join("")).not.toContain("✗");
  expect(all.map(({ code }) => code)).toEqual([0, 0, 0]);
  await vi.waitFor(() => expect(rig.processes()).toEqual([]), { timeout: 30_000 });
  expect(rig.integrations("owt/runs/r1")).toEqual(["a/E01"]);
});

test("a folder with a demo is left as it is", async () => {
  await using rig = Rig.create({});
  const folder = rig.path("demo/words");
  rig.git("init", "-q", folder);
  const ran = await rig.owt("demo", "--path", rig.path("demo"));
  expect([ran.code, ran.stderr]).toEqual([3, expect.stringContaining(`${folder} is there already`)]);
  expect(ran.stderr).toContain("owt demo --path FOLDER");
  expect(existsSync(join(folder, "README.md"))).toBe(false);
});

/** A worktree `x` behind its base, with an index that a power cut has torn, and a sound one beside it. */
function withTornIndex(): Rig {
  const rig = Rig.create({});
  rig.ok("create", "x", "y", "--no-tmux");
  rig.write({ "new.txt": "new\n" });
  rig.commit("more");
  writeFileSync(join(rig.git("-C", rig.path("shop-x"), "rev-parse", "--absolute-git-dir").trim(), "index"), "torn");
  return rig;
}

test.each(["diff", "merge"])(
  "owt %s of a worktree with a torn index says which, and what mends it",
  async (command) => {
    await using rig = withTornIndex();
    const said = await rig.owt(command, "x");
    expect(said.stderr).toMatch(/^✗ git cannot read x \(.*\/shop-x\): its index is damaged: .*\/index: index file/);
    expect(said.stderr).toContain(`↳ mend it, with its files as they are: owt doctor --fix; then: owt ${command} x`);
    expect(said.stderr).not.toContain("git status");
  },
);

test("owt sync says it of the damaged worktree and brings up the others", async () => {
  await using rig = withTornIndex();
  const { code, stdout } = await rig.owt("sync", "--all");
  expect(code).toBe(1);
  expect(stdout).toMatch(
    /✗ x: .*\n +· git cannot read x .*its index is damaged.*\n +↳ mend it, .*owt doctor --fix; then: owt sync x/,
  );
  expect(stdout).toContain("✓ y: 1 commit from main");
  rig.ok("doctor", "--fix");
  expect((await rig.owt("sync", "x")).stdout).toContain("✓ x: 1 commit from main");
});

test("an empty note takes the note away, no text shows it", async () => {
  await using rig = Rig.create({});
  rig.ok("create", "x", "--no-tmux");
  rig.ok("note", "x", "the form");
  expect((await rig.owt("note", "x")).stdout).toBe("x: the form\n");
  expect((await rig.owt("note", "x", "")).stdout).toBe("x: no note\n");
  expect(await rig.json("note", "x")).toMatchObject({ note: "" });
});

test("a tag's name is no name for a new branch, and what is meant is a command", async () => {
  await using rig = Rig.create({});
  rig.git("tag", "rel/v1");
  const said = await rig.owt("create", "rel/v1", "--no-tmux");
  expect(said).toMatchObject({ code: 2, stderr: expect.stringContaining("rel/v1 is a tag") as string });
  const command = /owt (create .*)$/m.exec(said.stderr)![1]!;
  expect((await rig.owt(...command.split(" "), "--no-tmux")).stdout).toContain("from rel/v1");
});

test("a line end in a file's name is told in one line", async () => {
  await using rig = Rig.create({});
  rig.ok("create", "x", "--no-tmux");
  writeFileSync(join(rig.path("shop-x"), "a\nb\tc"), "");
  expect((await rig.owt("delete", "x", "--yes")).stderr).toContain("new files: a\\nb\\tc\n");
});

test("of a remote that cannot be reached everything is told that was said, and none of git's advice", async () => {
  await using rig = Rig.create({});
  rig.git("remote", "add", "origin", "ssh://127.0.0.1:1/x.git");
  rig.ok("create", "x", "--no-tmux");
  rig.git("config", "branch.x.remote", "origin");
  rig.git("config", "branch.x.merge", "refs/heads/x");
  const { stdout } = await rig.owt("sync", "x");
  expect(stdout).toMatch(/ origin cannot be reached: ssh: .*; Could not read from remote repository\.\n/);
  expect(stdout).not.toMatch(/Please make sure|and the repository exists/);
});

test("a placeholder that stands for nothing is named, with those that there are", async () => {
  await using rig = Rig.create(
    { ".worktreerc": '[worktree]\nnaming_pattern = "{projekt}-{branch}"\n' },
    { approve: false },
  );
  const said = await rig.owt("config", "validate");
  expect(said.code).toBe(3);
  expect(said.stdout + said.stderr).toContain("{projekt} stands for nothing (known: {project}, {branch})");
});

test("to approve where nothing waits says so, of a worktree as of what nobody knows", async () => {
  await using rig = Rig.create({});
  rig.ok("create", "x", "--no-tmux");
  const said = await rig.owt("task", "approve", "x");
  expect(said.stderr).toBe(
    "✗ nothing waits for your word in x: no agent asks for anything there\n  ↳ what waits: owt inbox\n",
  );
  expect((await rig.owt("task", "approve", "nope")).stderr).toContain("no run has a task named nope");
  expect((await rig.owt("cleanup", "--merged", "--days", "0")).stdout).toContain("x     no work of its has come home");
});

test("off a terminal the line that starts a run says all that was asked for", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"') });
  const refused = await rig.owt("run", "fix the typo", "--agent", "demo", "--budget", "1");
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain("then: owt run 'fix the typo' --agent demo --budget 1 --yes\n");
  const merged = await rig.owt("create", "billing");
  expect(merged.code).toBe(0);
  expect((await rig.owt("delete", "billing", "--save")).stderr).toContain("owt delete billing --save --yes\n");
});

test("hints are commands that work: a lost profile, a folder for --config, an answer to what asked nothing", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"') });
  expect((await rig.owt("--profile", "nope", "status")).stderr).toContain("↳ owt --profile nope config validate\n");
  const validated = await rig.owt("--profile", "nope", "config", "validate");
  expect([validated.code, validated.stdout]).toEqual([3, expect.stringContaining("there is no profile nope")]);
  expect((await rig.owt("run", "--config", "docs/plans")).stderr).toContain("owt plan docs/plans\n");
  await rig.owt("run", "--yes");
  const refused = await rig.owt("task", "answer", "a/E01");
  expect(refused.stderr).toContain("a/E01 asks nothing; what does: owt inbox\n");
  rig.write({ ".worktreerc": `${demoConfig}[run]\nverify = "true"\n` });
  const again = await rig.owt("run", "--again", "--yes");
  expect([again.code, again.stderr]).toEqual([4, expect.stringContaining("owt config approve --yes\n")]);
});

test("a tag that nothing has is refused with the nearest, as a module is", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({ "docs/plans/a/epic-01-a.md": "---\ntags: [interface]\n---\n# A\n\nA.\n" });
  const refused = await rig.owt("task", "list", "--tag", "interfase");
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("did you mean interface?")]);
  expect((await rig.owt("task", "list", "--tag", "interface")).code).toBe(0);
  expect((await rig.owt("task", "list", "--module", "b")).code).toBe(2);
});

test("one is told as one, several as several", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"'),
    "docs/plans/b/epic-01-b.md": task({}, 'fail "no"'),
    "docs/plans/c/epic-01-c.md": task({}, 'fail "no"'),
  });
  await rig.owt("run", "--yes");
  expect((await rig.owt("run", "a/E01", "--yes")).stdout).toMatch(/^nothing to do: the one task is done \(repeat with/);
  rig.ok("task", "cancel", "b/E01");
  rig.ok("task", "cancel", "c/E01");
  expect((await rig.owt("run", "--yes")).stderr).toContain("left out: b/E01, c/E01 were cancelled\n");
});

test("why something waits for a person is told once as it happens", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, "shared.txt": "start" });
  const steps = `touch ${rig.path("two-runs")}\nwait ${rig.path("gate")}\nwrite shared.txt "two"\non conflict:\nsay "?"`;
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, 'write shared.txt "one"'),
    "docs/plans/two/epic-01-b.md": task({ branch: "feat/two" }, steps),
  });
  rig.commit("plan");
  const ran = await (await startTwoBehindOne(rig)).ended;
  expect(ran.code).toBe(4);
  // In its own conversation, and once more: the line behind that says where a person finds it.
  const of = ran.stderr.split("\n").filter((line) => line.includes("two/E01"));
  expect(of.filter((line) => /conflicts? in shared\.txt/.test(line))).toHaveLength(2);
  expect(of.at(-2)).toContain("? two/E01 to be resolved by a person in ");
  expect(of.at(-1)).toBe("  ↳ owt task approve two/E01");
});

test("what cannot be retried says where it stands, and what to do instead", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/a/epic-01-a.md": task({ needs_review: true }, 'write a.txt "a"'),
  });
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  const inReview = await rig.owt("task", "retry", "a/E01");
  expect(inReview.stderr).toContain("a/E01 (r1): its work waits for your approval");
  const told = inReview.stderr.replaceAll(/\s+/g, " ");
  expect(told).toContain(
    "owt task approve a/E01; or have it done anew: owt task cancel a/E01, then owt task retry a/E01",
  );
  rig.ok("task", "approve", "a/E01");
  expect((await rig.owt("resume")).code).toBe(0);
  const done = await rig.owt("task", "retry", "a/E01");
  expect(done.stderr).toContain("it is done: its work is in the run's branch");
  expect(done.stderr).toContain("owt run --again a/E01");
  expect((await rig.owt("run", "--again", "a/E01", "--yes")).code).not.toBe(2);
});
