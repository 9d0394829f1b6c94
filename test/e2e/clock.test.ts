/** The clock jumps under a run, and under whoever takes it up again: no agent is ended, and no budget used up, for time that did not pass. `npm run clock` does it more often. */
import { describe, expect, test, vi } from "vitest";
import { library, setClock, useClock } from "../rig/fake-clock.ts";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";

const rounds = Number(process.env["OWT_CLOCK_ROUNDS"] ?? "1");

async function oneRun(jumps: readonly [string, string, string], env: NodeJS.ProcessEnv = {}): Promise<void> {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}\n[run]\ntimeout = "10m"\n[budget]\nday_time = "30m"\nrun_time = "30m"\n`,
  });
  rig.write({
    "docs/plans/a/epic-01-a.md": task({}, `touch ${rig.path("a")}\nwait ${rig.path("gate")}\nwrite a.txt "a"`),
    "docs/plans/b/epic-01-b.md": task({ depends_on: ["a/E01"] }, 'write b.txt "b"'),
  });
  rig.commit("plan");
  useClock(rig);
  Object.assign(rig.env, env);
  const first = rig.start("run", "--yes");
  await fileAppears(rig.path("a"));
  setClock(rig, jumps[0]);
  await first.says("a/E01");
  first.child.kill("SIGKILL");
  await first.ended;
  setClock(rig, jumps[1]);
  const second = rig.start("run", "--yes");
  await vi.waitFor(
    async () => expect((await rig.json<{ carried_by: number }>("status")).carried_by).toBe(second.child.pid),
    { timeout: 30_000 },
  );
  setClock(rig, jumps[2]);
  rig.release("gate");
  const ran = await second.ended;
  expect([jumps, ran.code, ran.stderr]).toEqual([jumps, 0, expect.not.stringContaining("timed out")]);
  expect(rig.integrations("main..owt/runs/r1")).toEqual(["a/E01", "b/E01"]);
  const { task: shown } = await rig.json<{ task: { attempts: { outcome: string }[] } }>("task", "show", "a/E01");
  expect(shown.attempts).toHaveLength(1);
}

describe.skipIf(library === undefined)("the clock is set while a run goes on", () => {
  test.each<[string, string, string]>(
    Array.from({ length: rounds }).flatMap(() => [
      ["+1h", "+1h", "+0s"],
      ["-1h", "-1h", "+0s"],
      ["+3d", "+3d", "-3d"],
      ["-3d", "+3d", "-1h"],
    ]),
  )("by %s, by %s before it is taken up again, by %s at its end: nothing times out", async (...jumps) => {
    await oneRun(jumps);
  });

  // 2026-10-25 01:00 UTC: clocks in Berlin go from 03:00 back to 02:00; 2027-03-28: from 02:00 to 03:00.
  test.each(["@2026-10-25 02:59:58", "@2027-03-28 01:59:58"])("at %s in Berlin: nothing times out", async (start) => {
    await oneRun([start, start, start], { TZ: "Europe/Berlin" });
  });
});

type Worked = {
  report: {
    duration_ms: number;
    sequential_ms: number;
    waiting_ms: Record<string, number>;
    tasks: { work_ms: number; checks_ms: number }[];
  };
};

/** All that is told of how long the work of a run took, in milliseconds. */
async function workTimes(rig: Rig): Promise<number[]> {
  const { report } = await rig.json<Worked>("report");
  const { history } = await rig.json<{ history: { all: { work_ms: number } } }>("report", "--history");
  return [report.duration_ms, report.sequential_ms, ...report.tasks.map(({ work_ms }) => work_ms), history.all.work_ms];
}

/** All that is told of how long the tasks of a run waited and were checked, in milliseconds. */
async function waitTimes(rig: Rig): Promise<number[]> {
  const { report } = await rig.json<Worked>("report");
  return [...Object.values(report.waiting_ms), ...report.tasks.map(({ checks_ms }) => checks_ms)];
}

test.skipIf(library === undefined).each([
  ["forwards under who carries the run", "+3h", false],
  ["backwards under who carries the run", "-3h", false],
  ["forwards while nobody carries it", "+3h", true],
  ["backwards while nobody carries it", "-3h", true],
])("the clock is set by hours %s: work took what it took, and nobody waited for it", async (_, offset, isKilled) => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/a/epic-01-a.md": task({}, `touch ${rig.path("a")}\nwait ${rig.path("gate")}\nwrite a.txt "a"`),
    "docs/plans/b/epic-01-b.md": task({}, 'write b.txt "b"'),
    "docs/plans/c/epic-01-c.md": task({}, 'write c.txt "c"'),
  });
  rig.commit("plan");
  useClock(rig);
  const began = performance.now();
  let run = rig.start("run", "--yes", "--parallel", "1");
  await fileAppears(rig.path("a"));
  if (isKilled) {
    run.child.kill("SIGKILL");
    await run.ended;
  }
  setClock(rig, offset);
  if (isKilled) {
    run = rig.start("resume");
    await run.says("going on with r1");
  }
  rig.release("gate");
  expect((await run.ended).code).toBe(0);
  const most = performance.now() - began;
  expect((await workTimes(rig)).filter((ms) => ms <= 0 || ms > most)).toEqual([]);
  // Three of them wait at a time, at most.
  expect((await waitTimes(rig)).filter((ms) => ms < 0 || ms > 3 * most)).toEqual([]);
});

/** 02:59:58 on the night on which Berlin's clocks go from 03:00 back to 02:00, in epoch milliseconds. */
const BACK = Date.parse("2026-10-25T00:59:58Z");

test.skipIf(library === undefined)(
  "two who watch fire each slot of a batch once, wherever their clock is set, and though one of them is killed",
  async () => {
    const names = ["a", "b", "c", "d", "e", "f"];
    const plans = names.map((name) => [
      `docs/plans/${name}/epic-01-${name}.md`,
      task({}, `write ${name}.txt "${name}"`),
    ]);
    await using rig = Rig.create({
      ".worktreerc": demoConfig,
      ".owt/schedule.toml":
        '[[batch]]\nname = "night"\ncron = "0 * * * *"\ntimezone = "Europe/Berlin"\nmax_tasks = 1\n',
      ...Object.fromEntries(plans),
    });
    useClock(rig);
    const hour = 3_600;
    const setTo = (seconds: number) => setClock(rig, `${Math.round((BACK - Date.now()) / 1_000) + seconds}s`);
    setTo(0);
    const watchers = [rig.start("batch", "watch"), rig.start("batch", "watch")];
    type Row = { last: { slot: string; run: string | null; state: string } | null };
    const last = async () => (await rig.json<{ batches: Row[] }>("batch", "list")).batches[0]!.last;
    const fires = (slot: string) =>
      vi.waitFor(async () => expect(await last()).toMatchObject({ slot, state: "over" }), {
        timeout: 60_000,
        interval: 200,
      });
    await fires("2026-10-25T01:00:00.000Z");
    setTo(hour);
    await fires("2026-10-25T02:00:00.000Z");
    // Back behind both: they are not fired again, and the next one is.
    setTo(-2 * hour);
    watchers[0]!.child.kill("SIGKILL");
    await watchers[0]!.ended;
    watchers[0] = rig.start("batch", "watch");
    await watchers[0].says("watching night");
    setTo(2 * hour);
    await fires("2026-10-25T03:00:00.000Z");
    setTo(72 * hour);
    const skipped = /is passed over: the clock was set forward over it, or the machine slept/;
    await Promise.any(watchers.map((watcher) => watcher.says(skipped)));
    await fires("2026-10-28T01:00:00.000Z");
    setTo(73 * hour);
    await fires("2026-10-28T02:00:00.000Z");
    for (const { child } of watchers) child.kill("SIGTERM");
    for (const { ended } of watchers) expect((await ended).code).toBe(0);
    expect(rig.git("for-each-ref", "--format=%(refname:short)", "refs/heads/owt/runs").split("\n")).toEqual([
      "owt/runs/r1",
      "owt/runs/r2",
      "owt/runs/r3",
      "owt/runs/r4",
      "owt/runs/r5",
    ]);
  },
);
