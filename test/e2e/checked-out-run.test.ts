/** The run's branch while somebody has it checked out: it moves with their files, and not under their hands. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { demoConfig, fileAppears, Rig, type Running, task } from "../rig/rig.ts";

/** Two tasks, of which the second waits at a gate; the run's branch, with the first, is checked out in `look`. */
async function checkedOut({ third = false } = {}): Promise<{ rig: Rig; run: Running; look: string }> {
  const rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"'),
    "docs/plans/b/epic-01-b.md": task({}, `touch ${rig.path("b-runs")}\nwait ${rig.path("gate")}\nwrite b.txt "b"`),
  });
  const late = `touch ${rig.path("c-runs")}\nwait ${rig.path("last")}\nwrite c.txt "c"`;
  if (third) rig.write({ "docs/plans/c/epic-01-c.md": task({}, late) });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("b-runs"));
  if (third) await fileAppears(rig.path("c-runs"));
  await run.says("a/E01 integrated");
  const look = rig.path("look");
  rig.git("worktree", "add", "-q", look, "owt/runs/r1");
  return { rig, run, look };
}

function statusOf(rig: Rig, folder: string): string {
  return execFileSync("git", ["status", "--porcelain"], { cwd: folder, env: rig.env, encoding: "utf8" });
}

test("a clean checkout of the run's branch goes along with it", async () => {
  const { rig, run, look } = await checkedOut();
  await using _ = rig;
  rig.release("gate");
  expect((await run.ended).code).toBe(0);
  expect([statusOf(rig, look), readFileSync(join(look, "b.txt"), "utf8")]).toEqual(["", "b"]);
  expect(rig.integrations("owt/runs/r1")).toEqual(["a/E01", "b/E01"]);
});

test("under a checkout with changes the branch stays; the work waits, says so, and comes in once that is over", async () => {
  const { rig, run, look } = await checkedOut();
  await using _ = rig;
  writeFileSync(join(look, "a.txt"), "mine");
  const before = rig.git("rev-parse", "owt/runs/r1");
  rig.release("gate");
  const ran = await run.ended;
  expect(ran.code).toBe(4);
  expect(ran.stderr.match(/cannot move on/g)).toHaveLength(1);
  expect(rig.git("rev-parse", "owt/runs/r1")).toBe(before);
  expect([statusOf(rig, look), existsSync(join(look, "b.txt"))]).toEqual([" M a.txt\n", false]);
  const inbox = rig.ok("inbox").replaceAll(/\s+/g, " ");
  expect(inbox).toContain("owt/runs/r1 is checked out and cannot move on");
  expect(inbox).toContain("owt resume r1");
  expect(inbox).toContain(`look: git -C ${look} status`);
  execFileSync("git", ["commit", "-q", "-am", "mine"], { cwd: look, env: rig.env });
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1")).toEqual(["a/E01", "b/E01"]);
  expect([statusOf(rig, look), rig.show("owt/runs/r1", "a.txt")]).toEqual(["", "mine"]);
});

test("several that wait for one checkout are one thing in the inbox, with one command", async () => {
  const { rig, run, look } = await checkedOut({ third: true });
  await using _ = rig;
  writeFileSync(join(look, "a.txt"), "mine");
  rig.release("gate");
  rig.release("last");
  const ran = await run.ended;
  expect(ran.code).toBe(4);
  expect(ran.stdout).toMatch(/^[bc]\/E01, [bc]\/E01: owt\/runs\/r1 is checked out and cannot move on/m);
  expect(ran.stdout.match(/^ {2}↳ owt resume r1 {2}\(once/gm)).toHaveLength(1);
  const { waiting } = await rig.json<{ waiting: { why: string; more: number; command: string }[] }>("inbox");
  const why = expect.stringContaining("cannot move on");
  expect(waiting).toMatchObject([{ why, more: 1, command: "owt resume r1" }]);
  execFileSync("git", ["checkout", "-q", "a.txt"], { cwd: look, env: rig.env });
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(["a/E01", "b/E01", "c/E01"]);
});

test("while the run goes on, work that waits for a checkout comes in by itself once that is free", async () => {
  const { rig, run, look } = await checkedOut({ third: true });
  await using _ = rig;
  writeFileSync(join(look, "a.txt"), "mine");
  rig.release("gate");
  await run.says("is checked out and cannot move on");
  execFileSync("git", ["checkout", "-q", "a.txt"], { cwd: look, env: rig.env });
  await run.says("b/E01 integrated");
  rig.release("last");
  expect((await run.ended).code).toBe(0);
  expect(rig.integrations("owt/runs/r1")).toEqual(["a/E01", "b/E01", "c/E01"]);
});

test("a branch that was moved back under a checkout comes forward with its files, and not under changes", async () => {
  const { rig, run, look } = await checkedOut();
  await using _ = rig;
  const inLook = (...args: string[]) => execFileSync("git", args, { cwd: look, env: rig.env, encoding: "utf8" });
  inLook("reset", "-q", "--hard", "HEAD~1");
  writeFileSync(join(look, "README.md"), "mine");
  rig.release("gate");
  const ran = await run.ended;
  expect([ran.code, ran.stderr]).toEqual([4, expect.stringContaining("cannot come forward")]);
  expect(ran.stderr).toContain(`git -C ${look} stash`);
  expect(statusOf(rig, look)).toBe(" M README.md\n");
  inLook("checkout", "-q", "README.md");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1")).toEqual(["a/E01", "b/E01"]);
  expect([statusOf(rig, look), existsSync(join(look, "a.txt")), existsSync(join(look, "b.txt"))]).toEqual([
    "",
    true,
    true,
  ]);
});
