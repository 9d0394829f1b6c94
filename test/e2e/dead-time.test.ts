/** What an attempt took, where the owt that carried it was killed: an hour in which nothing of it was alive is no work. */
import { lstatSync, readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test, vi } from "vitest";
import type { RunReport } from "../../src/core/report.ts";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";

const HOUR_MS = 3_600_000;

/** Everything that is on record happened an hour earlier. */
function letAnHourPass(rig: Rig): void {
  const folder = join(rig.root, ".git/owt");
  const store = new DatabaseSync(join(folder, "state.db"));
  store.exec(`update event set at = at - ${HOUR_MS}; update attempt set started_at = started_at - ${HOUR_MS};
    update task set started_at = started_at - ${HOUR_MS}; update run set created_at = created_at - ${HOUR_MS}`);
  store.close();
  const attempts = join(folder, "attempts");
  for (const name of readdirSync(attempts, { recursive: true, encoding: "utf8" })) {
    const path = join(attempts, name);
    const { mtimeMs } = lstatSync(path);
    utimesSync(path, (mtimeMs - HOUR_MS) / 1_000, (mtimeMs - HOUR_MS) / 1_000);
  }
}

async function killed(): Promise<Rig> {
  const rig = Rig.create({ ".worktreerc": demoConfig }, { approve: false });
  rig.write({
    "docs/plans/a/epic-01-a.md": task({}, `touch ${rig.path("works")}\nwait ${rig.path("go")}\nwrite a.txt "a"`),
  });
  rig.commit("the plan");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("works"));
  run.child.kill("SIGKILL");
  await run.ended;
  return rig;
}

async function reported(rig: Rig): Promise<RunReport> {
  expect((await rig.owt("resume")).code).toBe(0);
  return (await rig.json<{ report: RunReport }>("report")).report;
}

test("of an agent that died with its owt the time until its last sign of life is work", async () => {
  await using rig = await killed();
  for (const pid of rig.processes()) process.kill(pid, "SIGKILL");
  await vi.waitFor(() => expect(rig.processes()).toEqual([]));
  letAnHourPass(rig);
  rig.release("go");
  const report = await reported(rig);
  expect(report.tasks[0]!.attempts[0]!.outcome_kind).toBe("lost");
  for (const ms of [report.tasks[0]!.attempts[0]!.duration_ms!, report.tasks[0]!.work_ms, report.sequential_ms])
    expect(ms).toBeLessThan(HOUR_MS / 2);
  expect(report.duration_ms).toBeGreaterThan(HOUR_MS);
  const { history } = await rig.json<{ history: { all: { work_ms: number } } }>("report", "--history");
  expect(history.all.work_ms).toBeLessThan(HOUR_MS / 2);
});

test("of an agent that outlived its owt all is work", async () => {
  await using rig = await killed();
  letAnHourPass(rig);
  const resumed = rig.start("resume");
  await resumed.says("going on with r1");
  rig.release("go");
  expect((await resumed.ended).code).toBe(0);
  const { report } = await rig.json<{ report: RunReport }>("report");
  expect(report.tasks[0]!.attempts).toHaveLength(1);
  expect(report.tasks[0]!.work_ms).toBeGreaterThan(HOUR_MS);
});
