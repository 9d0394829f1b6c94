/** The run's branch while somebody has it checked out: it moves with their files, and not under their hands. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { demoConfig, fileAppears, Rig, type Running, task } from "../rig/rig.ts";

/** Two tasks, of which the second waits at a gate; the run's branch, with the first, is checked out in `look`. */
async function checkedOut(): Promise<{ rig: Rig; run: Running; look: string }> {
  const rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"'),
    "docs/plans/b/epic-01-b.md": task({}, `touch ${rig.path("b-runs")}\nwait ${rig.path("gate")}\nwrite b.txt "b"`),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("b-runs"));
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
  expect((await run.ended).code).toBe(4);
  expect(rig.git("rev-parse", "owt/runs/r1")).toBe(before);
  expect([statusOf(rig, look), existsSync(join(look, "b.txt"))]).toEqual([" M a.txt\n", false]);
  const inbox = rig.ok("inbox").replaceAll(/\s+/g, " ");
  expect(inbox).toContain("owt/runs/r1 is checked out and cannot move on");
  expect(inbox).toContain("owt task retry b/E01");
  expect(inbox).toContain(`look: git -C ${look} status`);
  execFileSync("git", ["commit", "-q", "-am", "mine"], { cwd: look, env: rig.env });
  rig.ok("task", "retry", "b/E01");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1")).toEqual(["a/E01", "b/E01"]);
  expect([statusOf(rig, look), rig.show("owt/runs/r1", "a.txt")]).toEqual(["", "mine"]);
});
