/** A small dose of `npm run owners`: whoever carries the run is stopped, continued and killed. */
import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test, vi } from "vitest";
import { demoConfig, Rig, task } from "../rig/rig.ts";
import { contend } from "../stress/owners.ts";

test.skipIf(!existsSync("/proc/locks"))("four rounds of stop, continue and kill: never two owners", async () => {
  const result = await contend({ rounds: 4, seed: 7 });
  expect(result).toMatchObject({ rounds: 4, defects: [] });
  expect(result.looks).toBeGreaterThan(20);
});

/** The processes that took the run up, by its log. */
function carriers(rig: Rig): number[] {
  const db = new DatabaseSync(join(rig.root, ".git/owt/state.db"), { readOnly: true });
  const rows = db.prepare("select data from event where kind = 'run-carried' order by seq").all();
  db.close();
  return rows.map(({ data }) => (JSON.parse(String(data)) as { pid: number }).pid);
}

function deleteLease(rig: Rig): void {
  for (const end of ["", "-journal"]) rmSync(join(rig.root, `.git/owt/lease.db${end}`), { force: true });
}

test("where the lease's file is deleted under a living owner nobody else comes to own, and the owner makes it anew; when it dies one takes over", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({ "docs/plans/a/epic-01-a.md": task({}, `wait ${rig.path("gate")}\nwrite a.txt "a"`) });
  rig.commit("a plan");
  const owner = rig.start("run", "--yes", "--plain");
  await owner.says("a/E01 started");
  // One that had the old file open, and one that comes when it is gone.
  const before = rig.start("resume", "--plain");
  await before.says("carries the runs of this repository");
  deleteLease(rig);
  const after = rig.start("resume", "--plain");
  await after.says("carries the runs of this repository");
  await vi.waitUntil(() => existsSync(join(rig.root, ".git/owt/lease.db")) && isLocked(rig), { timeout: 20_000 });
  deleteLease(rig);
  await vi.waitUntil(() => existsSync(join(rig.root, ".git/owt/lease.db")) && isLocked(rig), { timeout: 20_000 });
  expect(carriers(rig)).toEqual([owner.child.pid]);
  owner.child.kill("SIGKILL");
  await vi.waitUntil(() => carriers(rig).length === 2, { timeout: 20_000 });
  rig.release("gate");
  const codes = await Promise.all([before.ended, after.ended]);
  expect(codes.map(({ code }) => code)).toEqual([0, 0]);
  expect(carriers(rig)).toHaveLength(2);
  expect([before.child.pid, after.child.pid]).toContain(carriers(rig)[1]);
  expect(rig.show("owt/runs/r1", "a.txt")).toBe("a");
});

/** Whether somebody holds the lock of the file that is at its path, as the kernel tells. */
function isLocked(rig: Rig): boolean {
  const { ino } = statSync(join(rig.root, ".git/owt/lease.db"));
  return readFileSync("/proc/locks", "utf8").includes(`:${ino} `);
}
