/** `owt status`, of everything and of one task. What it tells of ended runs, worktrees and agents is tested with the other commands. */
import { expect, test, vi } from "vitest";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";

type TaskStatus = {
  task: {
    id: string;
    standing: string;
    why: string;
    command?: string;
    attempt: { number: number; agent: string; worktree: string | null } | null;
    events: { text: string }[];
    said: string[];
  };
};

test("of one task: where it stands and why, its worktree, what happened and what was said last, and the command that helps", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/a/epic-01-works.md": task(
      { title: "Works" },
      `say "looks around"\ntouch ${rig.path("begun")}\nwait ${rig.path("go")}\nwrite a.txt "a"`,
    ),
    "docs/plans/a/epic-02-waits.md": task({ title: "Waits" }, ""),
    "docs/plans/b/epic-01-asks.md": task({ title: "Asks" }, 'ask "Which colour?"'),
  });
  rig.commit("the plan");
  rig.ok("task", "create", "write the notes");
  const run = rig.start("run", "--yes", "docs/plans");
  await fileAppears(rig.path("begun"));
  await run.says("b/E01 asks");

  const { task: works } = await rig.json<TaskStatus>("status", "a/E01");
  expect(works).toMatchObject({ id: "a/E01", standing: "working", attempt: { number: 1, agent: "demo" } });
  expect(works.attempt!.worktree).toMatch(/a-e01-\d+$/);
  expect(works.events.map(({ text }) => text)).toEqual(["started"]);
  expect(works.said).toContain("looks around");
  const text = (await rig.owt("status", "a/E01")).stdout;
  expect(text).toMatch(/^◎ a\/E01 {2}Works {2}\(r1\)\n {2}running\n {2}work /);
  expect(text).toContain(works.attempt!.worktree);
  expect(text).toMatch(/what its agent said last \(all of it: owt logs a\/E01\)\n(.*\n)*? {2}looks around/);

  expect((await rig.json<TaskStatus>("status", "a/E02")).task).toMatchObject({ why: "waits for a/E01", attempt: null });
  const asks = await rig.owt("status", "b/E01");
  expect(asks.stdout).toContain('pending · asks: Which colour?\n  ↳ owt task answer b/E01 "…"');
  expect((await rig.owt("status", "write-the-notes")).stdout).toContain(
    "written down; start it: owt run write-the-notes",
  );
  expect((await rig.owt("status", "r1")).stdout).toMatch(/^r1 · open · /m);
  const wrong = await rig.owt("status", "a/E09");
  expect([wrong.code, wrong.stdout, wrong.stderr]).toEqual([2, "", expect.stringContaining("did you mean a/E01")]);
  rig.release("go");
  await run.ended;
  expect((await rig.owt("status", "a/E01")).stdout).toMatch(
    /integrated as [\s\S]*worktree {2}removed|worktree {2}removed[\s\S]*integrated as /,
  );
});

test("of a run: when it will probably end, who carries it in the background, and what a usage limit holds until when", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  for (let n = 1; n <= 6; n++)
    rig.write({ [`docs/plans/m/epic-0${n}-t.md`]: task({}, `work 20ms\nappend ${n}.txt "{task}"`) });
  rig.commit("the plan");
  await rig.owt("run", "--yes");
  rig.write({
    "docs/plans/later/epic-01-t.md": task({}, `touch ${rig.path("begun")}\nwait ${rig.path("go")}\nwrite l.txt "l"`),
    "docs/plans/other/epic-01-t.md": task({}, "limit 1h"),
  });
  rig.commit("more");
  const { pid } = await rig.json<{ pid: number }>("run", "--yes", "--detach");
  await fileAppears(rig.path("begun"));
  type Runs = {
    runs: {
      id: string;
      expected_end: string | null;
      background_pid: number;
      limits: { until: string; tasks: string[] }[];
    }[];
  };
  let open: Runs["runs"][number];
  do {
    const { runs } = await rig.json<Runs>("status", "r2");
    open = runs[0]!;
  } while (open.limits.length === 0);
  expect(open).toMatchObject({ id: "r2", background_pid: pid, limits: [{ tasks: ["other/E01"] }] });
  expect(Date.parse(open.limits[0]!.until)).toBeGreaterThan(Date.now());
  // The end is worked out anew at once where a limit comes in.
  const waitsForReset = async () => {
    const { runs } = await rig.json<Runs>("status", "r2");
    return Date.parse(runs[0]!.expected_end!) >= Date.parse(runs[0]!.limits[0]!.until);
  };
  await vi.waitUntil(waitsForReset, { timeout: 8_000 });
  const text = (await rig.owt("status")).stdout;
  expect(text).toContain(`  in the background (pid ${pid}); watch it: owt resume r2`);
  expect(text).toMatch(/^ {2}expected to end in .*, at [-\d ]*\d\d:\d\d(:\d\d)?$/m);
  expect(text).toMatch(/^ {2}usage limit until [-\d]*( )?\d\d:\d\d: other\/E01$/m);
  await rig.owt("stop");
  expect((await rig.json<Runs>("status", "r2")).runs[0]!.expected_end).toBeNull();
});

test("what takes longer than its bad case is told as late, of the run and of its task", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig }, { approve: false });
  // History of tasks that take no time at all.
  for (let n = 1; n <= 4; n++) rig.write({ [`docs/plans/a/epic-0${n}-a.md`]: task({}, `write ${n}.txt "a"`) });
  rig.commit("plan");
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  rig.ok("land");
  rig.write({
    "docs/plans/b/epic-01-b.md": task({}, `touch ${rig.path("begun")}\nwait ${rig.path("go")}\nwrite b.txt "b"`),
  });
  rig.commit("more");
  const run = rig.start("run", "--yes", "b/E01");
  await fileAppears(rig.path("begun"));
  const late = () => rig.ok("status", "b/E01");
  await vi.waitFor(() => expect(late()).toMatch(/ · later than expected, by [\d.]+s/), { timeout: 30_000 });
  // Nothing happens, and all the same it is worked out anew.
  const told = /^ {2}later than expected, by (?:\d+s|1m)$/m;
  await vi.waitFor(() => expect(rig.ok("status")).toMatch(told), { timeout: 90_000, interval: 500 });
  const { task: shown } = await rig.json<{ task: { left_ms: null; late_ms: number } }>("status", "b/E01");
  expect([shown.left_ms, shown.late_ms > 0]).toEqual([null, true]);
  rig.release("go");
  expect((await run.ended).code).toBe(0);
}, 180_000);

test("what is ready and does not start says why, and a first run has an end that is a guess", async () => {
  await using rig = Rig.create({ ".worktreerc": `${demoConfig}[run]\nmax_parallel = 1\n` }, { approve: false });
  rig.write({
    "docs/plans/a/epic-01-t.md": task({ priority: "high" }, `touch ${rig.path("begun")}\nwait ${rig.path("go")}`),
    "docs/plans/b/epic-01-t.md": task({}, 'write b.txt "b"'),
  });
  rig.commit("the plan");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("begun"));
  type Status = { runs: { expected_end: string; expected_is_rough: boolean; tasks: { id: string; why: string }[] }[] };
  const look = async () => (await rig.json<Status>("status")).runs[0]!;
  const whyB = async () => (await look()).tasks.find(({ id }) => id === "b/E01")!.why;
  expect(await whyB()).toBe("waits for a free place");
  expect(await look()).toMatchObject({ expected_end: expect.any(String) as string, expected_is_rough: true });
  expect((await rig.owt("status")).stdout).toMatch(/^ {2}expected to end .*, a first guess$/m);
  await rig.owt("pause");
  expect(await whyB()).toBe("the run is paused: owt resume r1");
  run.child.kill("SIGKILL");
  await run.ended;
  rig.env["OWT_RUN_MAX_PARALLEL"] = "1";
  expect(await whyB()).toBe("the run is paused: owt resume r1");
});
