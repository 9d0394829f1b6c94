/** What is red is told by what it is: a check that did not end, work that a person handed in. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { demoConfig, Rig, startTwoBehindOne, task } from "../rig/rig.ts";

type Shown = { task: { attempts: { folder: string; worktree: string; outcome: string }[] } };
type Inbox = { waiting: { task: string; why: string }[] };

test("a check that does not end is told as such, by name and time, wherever it is told", async () => {
  const check = "test ! -f a.txt || test ! -f b.txt || sleep 60";
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\ntimeout = "2s"\nverify = "${check}"\nverify_attempts = 1\n`,
  });
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, 'write a.txt "a"'),
    "docs/plans/two/epic-01-b.md": task(
      { branch: "feat/two" },
      `touch ${rig.path("two-runs")}\nwait ${rig.path("gate")}\nwrite b.txt "b"\non repair:\nappend b.txt "more"`,
    ),
  });
  rig.commit("plan");
  expect((await (await startTwoBehindOne(rig)).ended).code).toBe(4);
  const late = `${check} (it did not end: its time was up after 2s)`;
  const { attempts } = (await rig.json<Shown>("task", "show", "two/E01")).task;
  expect(attempts.map(({ outcome }) => outcome)).toEqual([`verify failed: ${late}`, `verify failed: ${late}`]);
  const told = "the check did not end: it was stopped when its time was up, after 2s";
  expect(readFileSync(`${attempts[1]!.folder}/prompt`, "utf8")).toContain(told);
  const { waiting } = await rig.json<Inbox>("inbox");
  expect(waiting[0]!.why).toContain(`red with the work of one/E01: ${late}; to be mended in`);
});

test("what a person handed in and is red is nobody else's fault", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = "! grep -q bad shared.txt"\nverify_attempts = 0\n`,
    "shared.txt": "start\n",
  });
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, 'write shared.txt "one"'),
    "docs/plans/two/epic-01-b.md": task(
      { branch: "feat/two" },
      `touch ${rig.path("two-runs")}\nwait ${rig.path("gate")}\nwrite shared.txt "two"\non conflict:\nsay "cannot decide"`,
    ),
  });
  rig.commit("plan");
  expect((await (await startTwoBehindOne(rig)).ended).code).toBe(4);
  const { worktree } = (await rig.json<Shown>("task", "show", "two/E01")).task.attempts.at(-1)!;
  writeFileSync(join(worktree, "shared.txt"), "bad\n");
  execFileSync("git", ["commit", "-qam", "resolved"], { cwd: worktree, env: rig.env });
  rig.ok("task", "approve", "two/E01");
  expect((await rig.owt("resume")).code).toBe(4);
  const { waiting } = await rig.json<Inbox>("inbox");
  expect(waiting[0]!.why).toBe(`its work is red: ! grep -q bad shared.txt; to be mended in ${worktree}`);
});

describe.each(["index.lock", "the branch's lock"])("an agent whose commit met %s, which nobody held", (which) => {
  test.each([
    ["comes in where its checks say that its work is done", "test -f a.txt", 0],
    ["has failed where its checks are red", "test -f b.txt", 1],
    ["has failed where nothing is checked", "", 1],
  ])("%s", async (_, check, code) => {
    const lock = which === "index.lock" ? "index.lock" : "$(git symbolic-ref HEAD).lock";
    const agent = `echo a > a.txt; touch "$(git rev-parse --git-path ${lock})"; git add -A && git commit -qm a`;
    await using rig = Rig.create({
      ".worktreerc": `[agent]\ndefault = "mine"\n[agent.mine]\ncommand = ["sh", "agent.sh"]\n[run]\nretries = 0\nverify_attempts = 0\n${check && `verify = "${check}"\n`}`,
      "agent.sh": agent,
      "docs/plans/one/epic-01-a.md": task({}, "do it"),
    });
    expect((await rig.owt("run", "--yes")).code !== 0).toBe(code !== 0);
    expect(rig.git("ls-tree", "--name-only", "owt/runs/r1").split("\n").includes("a.txt")).toBe(code === 0);
  });
});
