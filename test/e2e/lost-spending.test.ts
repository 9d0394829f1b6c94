/** What was spent since the copy that a store was restored from: the attempts' folders tell of it, and budgets count it, each attempt once. */
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { backupFolder, backupName } from "../../src/store/backup-files.ts";
import { readWorkedTimes } from "../../src/store/attempts.ts";
import { openStore } from "../../src/store/database.ts";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";

type Status = { runs: { cost_usd: number; tasks: { id: string; standing: string }[] }[] };

const storeOf = (rig: Rig) => join(rig.root, ".git", "owt", "state.db");

/** Copies the store as it is now. */
function copyStore(rig: Rig): void {
  const db = new DatabaseSync(storeOf(rig));
  db.prepare("vacuum into ?").run(rig.path("older.db"));
  db.close();
}

/** Takes the store away with its copies, but for the one that was made before. */
function loseStore(rig: Rig): void {
  const copies = backupFolder(join(rig.root, ".git"));
  rmSync(copies, { recursive: true, force: true });
  for (const part of ["", "-wal", "-shm"]) rmSync(storeOf(rig) + part, { force: true });
  if (!existsSync(rig.path("older.db"))) return;
  mkdirSync(copies, { recursive: true });
  renameSync(rig.path("older.db"), join(copies, backupName(1, 1)));
}

test("what attempts spent since the copy counts for the run's budget, whether the copy knew them or not", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/a/epic-01-a.md": task(
      {},
      `touch ${rig.path("works")}\nwait ${rig.path("gate")}\ncost 0.6\nwrite a.txt "a"`,
    ),
    "docs/plans/a/epic-02-b.md": task({}, 'cost 0.6\nwrite b.txt "b"'),
    "docs/plans/a/epic-03-c.md": task({}, 'cost 0.6\nwrite c.txt "c"'),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes", "--budget", "1");
  await fileAppears(rig.path("works"));
  copyStore(rig);
  rig.release("gate");
  expect((await run.ended).code).toBe(5);
  loseStore(rig);
  const mended = await rig.owt("doctor", "--fix");
  expect([mended.code, mended.stdout]).toEqual([0, expect.stringContaining("booked $1.20 of 2 attempts")]);
  expect((await rig.json<Status>("status")).runs[0]).toMatchObject({ cost_usd: 1.2 });
  const again = await rig.owt("resume", "r1");
  expect([again.code, again.stderr]).toEqual([5, expect.not.stringContaining("◎")]);
  expect((await rig.json<Status>("status")).runs[0]!.cost_usd).toBe(1.2);
  expect((await rig.owt("doctor", "--fix")).stdout).not.toContain("booked");
  expect(rig.integrations("main..owt/runs/r1")).toEqual(["a/E01", "a/E02"]);
});

test("what a lost store's runs spent today counts for the day's budget, though nobody knows the runs any more", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({ "docs/plans/a/epic-01-a.md": task({}, 'cost 0.6\nwrite a.txt "a"') });
  rig.commit("plan");
  rig.ok("run", "--yes");
  loseStore(rig);
  rig.git("rm", "-rq", "docs/plans/a");
  rig.write({ "docs/plans/b/epic-01-b.md": task({}, 'cost 0.6\nwrite b.txt "b"') });
  rig.commit("another plan");
  rig.env["OWT_BUDGET_DAY_USD"] = "0.5";
  const run = rig.start("run", "--yes");
  await run.says(/the budget of \$0\.50 for the day is used up: goes on at \S* ?00:00 \(to raise it: owt inbox\)/);
  run.child.kill("SIGINT");
  expect((await run.ended).stderr).not.toContain("◎");
});

test("tasks that began since the copy, and the time of their agents, count too", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/a/epic-01-a.md": task({}, `touch ${rig.path("works")}\nwait ${rig.path("gate")}\nwrite a.txt "a"`),
    "docs/plans/a/epic-02-b.md": task({}, 'work 1s\nwrite b.txt "b"'),
    "docs/plans/a/epic-03-c.md": task({}, 'write c.txt "c"'),
  });
  rig.commit("plan");
  rig.env["OWT_BUDGET_DAY_TASKS"] = "2";
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("works"));
  copyStore(rig);
  rig.release("gate");
  await run.says(/the budget of 2 tasks for the day is used up/);
  await run.says("a/E02 integrated");
  run.child.kill("SIGINT");
  await run.ended;
  loseStore(rig);
  expect((await rig.owt("doctor", "--fix")).code).toBe(0);
  const store = openStore(join(rig.root, ".git"));
  const times = readWorkedTimes(store, "r1");
  store.close();
  // What was at work when the copy was taken, and what the copy does not know.
  expect([...times.keys()]).toEqual([1, 2]);
  expect(times.get(2)).toBeGreaterThanOrEqual(1_000);
  const again = rig.start("resume", "r1");
  await again.says(/the budget of 2 tasks for the day is used up/);
  again.child.kill("SIGINT");
  expect((await again.ended).stderr).not.toContain("a/E03 started");
});

test.each([
  ["DAY_TIME", "1s", /the budget of 1s of agents' time for the day is used up/],
  ["DAY_TASKS", "1", /the budget of 1 task for the day is used up/],
])("what a lost store's runs took today counts for %s", async (key, limit, told) => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({ "docs/plans/a/epic-01-a.md": task({}, 'work 1s\nwrite a.txt "a"') });
  rig.commit("plan");
  rig.ok("run", "--yes");
  loseStore(rig);
  rig.git("rm", "-rq", "docs/plans/a");
  rig.write({ "docs/plans/b/epic-01-b.md": task({}, 'write b.txt "b"') });
  rig.commit("another plan");
  rig.env[`OWT_BUDGET_${key}`] = limit;
  const run = rig.start("run", "--yes");
  await run.says(told);
  run.child.kill("SIGINT");
  expect((await run.ended).stderr).not.toContain("◎");
});
