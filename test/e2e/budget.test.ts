/** Budgets: dispatch ends before a limit is passed, what runs is stopped with at most one turn over, and nothing is lost by it. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { seededChance } from "../../src/lib/chance.ts";
import type { RunReport } from "../../src/core/report.ts";
import { CLAUDE_VERSIONS, claudeBinary } from "../rig/claude-binary.ts";
import { claudeRig } from "../rig/claude-rig.ts";
import { type Answer, type Booked, makeGate, type Script, startFakeApi } from "../rig/fake-api.ts";
import { fileAppears, Rig } from "../rig/rig.ts";

const task = (...steps: string[]) => `# A task\n\n\`\`\`demo\n${steps.join("\n")}\n\`\`\`\n`;
const DEMO = '[agent]\ndefault = "demo"\n';

type Status = {
  runs: {
    cost_usd: number;
    expected_end: string | null;
    budget: { scope: string; limit: number; used: number }[];
    tasks: { id: string; state: string; standing: string; why: string; command?: string }[];
  }[];
};
type Inbox = { waiting: { run: string; task: string; why: string; command: string; note: string | null }[] };

test("a run stops at its budget: what works is parked, what has not begun waits, and one command goes on", async () => {
  await using rig = Rig.create({ "README.md": "", ".worktreerc": DEMO });
  const go = rig.path("go");
  rig.write({
    "docs/plans/a/epic-01-one.md": task("cost 0.6", 'write a.txt "a"'),
    "docs/plans/a/epic-02-two.md": task('write b.txt "half"', "cost 0.6", `wait ${go}`, "cost 0.25", 'write b.txt "b"'),
    "docs/plans/a/epic-03-three.md": task('write c.txt "c"'),
    "docs/plans/b/epic-01-side.md": `---\npriority: low\n---\n${task('write d.txt "d"')}`,
  });
  rig.commit("plan");
  const run = await rig.owt("run", "--yes", "--sequential", "--budget", "$1");
  expect(run).toMatchObject({ code: 5 });
  expect(run.stderr.match(/used of the budget: \$1\.20 of \$1\.00 for the run/g)).toHaveLength(1);
  expect(run.stdout).toContain("owt resume r1 --budget 2");

  const [status] = (await rig.json<Status>("status")).runs;
  expect(status!.budget).toMatchObject([{ scope: "run", limit: 1, used: 1.2 }]);
  const waits = "waits for the budget: $1.20 of $1.00 for the run";
  expect(status!.tasks).toMatchObject([
    { id: "a/E01", state: "done" },
    { id: "a/E02", state: "pending", standing: "waits-for-budget", why: waits, command: "owt resume r1 --budget 2" },
    { id: "a/E03", state: "pending", standing: "blocked" },
    { id: "b/E01", state: "pending", standing: "waits-for-budget", why: waits },
  ]);
  expect(rig.ok("status")).toContain("budget: $1.20 of $1.00 for the run");
  expect((await rig.json<Inbox>("inbox")).waiting).toEqual([
    {
      run: "r1",
      task: "a/E02",
      more: 1,
      why: waits,
      since: expect.any(String),
      command: "owt resume r1 --budget 2",
      note: null,
    },
  ]);

  // Without more there is nothing to go on with.
  expect((await rig.owt("resume")).code).toBe(5);
  writeFileSync(go, "");
  const more = await rig.owt("resume", "r1", "--budget", "2");
  expect(more).toMatchObject({ code: 0 });
  const { report } = await rig.json<{ report: RunReport }>("report");
  expect(report).toMatchObject({ cost_usd: 1.45, cost_at_least: false, counts: { done: 4 } });
  expect(report.tasks[1]!.attempts).toMatchObject([
    { outcome: "budget: $1.20 of $1.00 for the run", cost_usd: 0.6 },
    { outcome: "done", cost_usd: 0.25 },
  ]);
  expect(rig.git("show", "owt/runs/r1:b.txt")).toBe("b");
});

test.each(["without a history", "with one"])(
  "a budget as large as what is to come, to the cent: all of it comes home, %s",
  async (history) => {
    await using rig = Rig.create({ "README.md": "", ".worktreerc": DEMO });
    if (history === "with one") {
      for (const n of [1, 2, 3, 4, 5])
        rig.write({ [`docs/plans/p${n}/epic-01-p.md`]: task("cost 0.1", `write p${n}.txt "x"`) });
      rig.commit("past");
      expect((await rig.owt("run", "--yes")).code).toBe(0);
    }
    // Behind what they cost they have something to do still: the last of it is booked while they are at it.
    const go = rig.path("go");
    for (const name of ["a", "b", "c"])
      rig.write({ [`docs/plans/${name}/epic-01-t.md`]: task("cost 0.1", `wait ${go}`, `write ${name}.txt "x"`) });
    rig.commit("plan");
    const run = rig.start("run", "--yes", "--budget", "0.3", ...(history === "with one" ? [] : ["--sequential"]));
    if (history === "with one") await run.says("used of the budget: $0.30 of $0.30 for the run");
    rig.release("go");
    expect((await run.ended).code).toBe(0);
    const { report } = await rig.json<{ report: RunReport }>("report");
    expect(report).toMatchObject({ cost_usd: 0.3, counts: { done: 3 } });
  },
);

test("a budget that holds what met a usage limit before is the thing to raise, for all that wait; one below what was used says so", async () => {
  // Its limit is its own: the others work with another login.
  await using rig = Rig.create({ "README.md": "", ".worktreerc": `${DEMO}[agent.limited]\nkind = "demo"\n` });
  rig.write({
    "docs/plans/lim/epic-01-l.md": `---\npriority: high\nagent: limited\n---\n${task('write l.txt "x"', "limit 6s")}`,
  });
  for (const n of [1, 2, 3, 4])
    rig.write({ [`docs/plans/m${n}/epic-01-m.md`]: task("cost 0.4", "work 1s", `write m${n}.txt "m"`) });
  rig.commit("plan");
  const run = await rig.owt("run", "--yes", "--sequential", "--budget", "1");
  expect(run).toMatchObject({ code: 5 });
  expect(run.stdout).toMatch(
    /^lim\/E01, (m\d\/E01, )*m\d\/E01: waits for the budget: \$1\.20 of \$1\.00 for the run$/m,
  );
  expect(run.stdout).toContain("↳ owt resume r1 --budget 2\n");
  expect(run.stdout).not.toContain("task retry");
  expect(run.stdout).not.toContain("then go on");
  const { waiting } = await rig.json<Inbox>("inbox");
  expect(waiting.map(({ command }) => command)).toEqual(["owt resume r1 --budget 2"]);
  expect((await rig.owt("status")).stdout).not.toContain("usage limit");
  const below = await rig.owt("resume", "r1", "--budget", "0.5");
  expect(below.stderr).toContain("the budget is used up, so that nothing starts: $1.20 of $0.50 for the run");
  const whys = (await rig.json<Status>("status")).runs[0]!.tasks.map(({ why }) => why);
  expect(whys.filter((why) => why.includes("$1.00"))).toEqual([]);
  expect((await rig.owt("resume", "r1", "--budget", "2")).code).toBe(0);
});

test("what an agent spends while nobody carries its run is counted by the next owt, which stops it", async () => {
  await using rig = Rig.create({ "README.md": "", ".worktreerc": DEMO });
  const [go, on] = [rig.path("go"), rig.path("on")];
  rig.write({ "docs/plans/a/epic-01-one.md": task("cost 0.6", `wait ${go}`, "cost 0.6", `touch ${on}`, "hang") });
  rig.commit("plan");
  const first = rig.start("run", "--yes", "--budget", "1");
  const costOf = async () => (await rig.json<Status>("status")).runs[0]?.cost_usd;
  await vi.waitUntil(async () => (await costOf()) === 0.6, { timeout: 60_000 });
  first.child.kill("SIGKILL");
  await first.ended;
  writeFileSync(go, "");
  await vi.waitUntil(() => existsSync(on), { timeout: 60_000 });
  const next = await rig.owt("run", "--yes");
  expect(next).toMatchObject({ code: 5 });
  expect(next.stdout).toContain("waits for the budget: $1.20 of $1.00 for the run");
  expect(await costOf()).toBe(1.2);
});

test("a task has a budget of its own, and the others go on", async () => {
  await using rig = Rig.create({
    "docs/plans/a/epic-01-dear.md": task("cost 0.6", "hang"),
    "docs/plans/b/epic-01-cheap.md": task("cost 0.4", 'write b.txt "b"'),
    ".worktreerc": `${DEMO}[budget]\ntask_usd = 0.5\n`,
  });
  expect(await rig.owt("run", "--yes")).toMatchObject({ code: 5 });
  const [status] = (await rig.json<Status>("status")).runs;
  expect(status!.tasks).toMatchObject([
    { standing: "waits-for-budget", why: "waits for the budget: $0.60 of $0.50 for the task" },
    { standing: "done" },
  ]);
  expect(status!.tasks[0]!.command).toBe("OWT_BUDGET_TASK_USD=1 owt resume r1");
  // What is said so holds for this run, also when it is gone on with later and nobody says it again.
  rig.env["OWT_BUDGET_TASK_USD"] = "1";
  const more = rig.start("resume", "r1");
  await more.says("a/E01");
  await vi.waitUntil(async () => (await rig.json<Status>("status")).runs[0]!.tasks[0]!.standing === "working", {
    timeout: 60_000,
  });
  more.child.kill("SIGINT");
  await more.ended;
  delete rig.env["OWT_BUDGET_TASK_USD"];
  const later = rig.start("resume", "r1");
  await vi.waitUntil(async () => (await rig.json<Status>("status")).runs[0]!.tasks[0]!.standing === "working", {
    timeout: 60_000,
  });
  later.child.kill("SIGINT");
  await later.ended;
});

test("tasks that have used up what each may use are one line with the command that raises it for all", async () => {
  await using rig = Rig.create({
    "docs/plans/a/epic-01-one.md": task("cost 0.6", "hang"),
    "docs/plans/b/epic-01-two.md": task("cost 0.6", "hang"),
    ".worktreerc": `${DEMO}[budget]\ntask_usd = 0.5\n`,
  });
  expect(await rig.owt("run", "--yes")).toMatchObject({ code: 5 });
  const { waiting } = await rig.json<{ waiting: { task: string; more: number; command: string }[] }>("inbox");
  expect(waiting).toMatchObject([{ task: "a/E01", more: 1, command: "OWT_BUDGET_TASK_USD=1 owt resume r1" }]);
  for (const command of ["inbox", "status"])
    expect(rig.ok(command).split("OWT_BUDGET_TASK_USD=1 owt resume r1")).toHaveLength(2);
});

test("a used-up budget of a task and one of its run are two things at the end, each with the command that helps, and one once one command does", async () => {
  await using rig = Rig.create({
    "docs/plans/a/epic-01-dear.md": `---\npriority: high\n---\n${task("cost 0.6", "hang")}`,
    "docs/plans/b/epic-01-cheap.md": task("cost 0.5", 'write b.txt "b"'),
    "docs/plans/c/epic-01-late.md": `---\npriority: low\n---\n${task('write c.txt "c"')}`,
    "docs/plans/d/epic-01-late.md": `---\npriority: low\n---\n${task('write d.txt "d"')}`,
    ".worktreerc": `${DEMO}[budget]\ntask_usd = 0.55\nrun_usd = 1\n`,
  });
  const { code, stdout } = await rig.owt("run", "--yes", "--sequential");
  expect(code).toBe(5);
  expect(stdout).toContain(
    "a/E01: waits for the budget: $0.60 of $0.55 for the task\n  ↳ OWT_BUDGET_TASK_USD=1.1 owt resume r1\n" +
      "c/E01, d/E01: waits for the budget: $1.10 of $1.00 for the run\n  ↳ owt resume r1 --budget 2\n",
  );
  // With more for the task the run's holds it too.
  rig.env["OWT_BUDGET_TASK_USD"] = "1.1";
  const more = await rig.owt("resume", "r1");
  expect(more.stdout).toContain(
    "a/E01, c/E01, d/E01: waits for the budget: $1.10 of $1.00 for the run\n  ↳ owt resume r1 --budget 2\n",
  );
  const { waiting } = await rig.json<Inbox>("inbox");
  expect(waiting).toMatchObject([{ task: "a/E01", more: 2, command: "owt resume r1 --budget 2" }]);
});

test("tokens have a budget too; what nobody can count is said once, aloud", async () => {
  await using rig = Rig.create({ "README.md": "" });
  // The two mute ones have begun before the first uses anything.
  const begun = ["b", "c"].map((name) => `wait ${rig.path(`home/${name}`)}`);
  rig.write({
    "docs/plans/a/epic-01-much.md": task(...begun, "tokens claude-opus-5-5 900 101", "hang"),
    "docs/plans/b/epic-01-mute.md": "---\nagent: mute\n---\n# Mute\n\nSay nothing.\n",
    "docs/plans/c/epic-01-mute.md": "---\nagent: mute\n---\n# Mute too\n\nSay nothing.\n",
    ".worktreerc": `${DEMO}[agent.mute]\ncommand = ["sh", "mute.sh"]\n[budget]\ntokens = 1000\nrun_usd = 50\n`,
    "mute.sh": 'cat >/dev/null; name=$(dirname "$OWT_TASK"); echo x >"$name.txt"; echo x >"$HOME/$name"\n',
  });
  rig.commit("plan");
  rig.ok("config", "approve", "--yes");
  const run = await rig.owt("run", "--yes");
  expect(run).toMatchObject({ code: 5 });
  expect(run.stdout).toContain("OWT_BUDGET_TOKENS=2000 owt resume r1");
  const said = (text: RegExp) => run.stderr.match(new RegExp(text, "g"))?.length ?? 0;
  expect(said(/the budget may not hold: mute tells what it costs only where it prints OWT-USAGE: lines/)).toBe(1);
  expect(said(/the budget does not count: mute does not say what it cost/)).toBe(1);
  expect(said(/the budget of tokens does not hold for mute/)).toBe(1);
});

test("the budget of a day holds for all runs of the repository, and its tasks go on by themselves", async () => {
  await using rig = Rig.create({
    "docs/plans/a/epic-01-one.md": task("cost 0.6", 'write a.txt "a"'),
    "docs/plans/a/epic-02-two.md": task('write b.txt "b"'),
    ".worktreerc": `${DEMO}[budget]\nday_usd = 0.5\n`,
  });
  const run = rig.start("run", "--yes", "--sequential");
  await run.says("integrated as");
  await run.says("used of the budget: $0.60 of $0.50 for the day");
  const [status] = (await rig.json<Status>("status")).runs;
  expect(status!.tasks[1]).toMatchObject({
    standing: "waits-for-time",
    why: "waits for the budget: $0.60 of $0.50 for the day",
  });
  // It can be answered, and need not be.
  const { budgets } = await rig.json<Near>("inbox");
  const why = "has used $0.60 of $0.50 for the day";
  const command = "OWT_BUDGET_DAY_USD=1 owt resume r1";
  expect(budgets).toEqual([{ run: "r1", why, since: expect.any(String), until: expect.any(String), command }]);
  expect(new Date(budgets[0]!.until!).getHours()).toBe(0);
  expect(rig.ok("inbox")).toMatch(/1 thing waits.*\n\nr1 has used \$0\.60 of \$0\.50 for the day; it goes on at \S/);
  expect(rig.ok("status")).toMatch(/▲ has used \$0\.60 of \$0\.50 for the day; nothing begins until \S+.*; raise it: /);
  run.child.kill("SIGINT");
  expect((await run.ended).code).toBe(130);
});

test("the end that is expected lies behind the day whose budget is used up, also of what builds on others", async () => {
  // By the table such tasks take minutes: an end that does not mind the day is not worked out anew before.
  const slow = "---\nagent: slow\n---\n# Slow\n\nTake your time.\n";
  await using rig = Rig.create({
    "docs/plans/a/epic-01-one.md": `---\npriority: high\n---\n${task("cost 0.6", "hang")}`,
    "docs/plans/a/epic-02-two.md": slow,
    "docs/plans/b/epic-01-beside.md": slow,
    ".worktreerc": `${DEMO}[agent.slow]\ncommand = ["false"]\n[budget]\nday_usd = 0.5\n`,
  });
  rig.ok("config", "approve", "--yes");
  const run = rig.start("run", "--yes", "--sequential");
  await run.says("used of the budget: $0.60 of $0.50 for the day");
  const until = async () => Date.parse((await rig.json<Near>("inbox")).budgets[0]!.until!);
  const end = async () => Date.parse((await rig.json<Status>("status")).runs[0]!.expected_end!);
  await vi.waitUntil(async () => (await end()) >= (await until()), { timeout: 60_000 });
  run.child.kill("SIGINT");
  expect((await run.ended).code).toBe(130);
});

test("what agents used while no owt lived counts before anything begins, and who is over a limit by then is stopped at once", async () => {
  await using rig = Rig.create({ "README.md": "", ".worktreerc": DEMO });
  const at = (name: string) => rig.path(name);
  const spends = [
    "cost 1000",
    `touch ${at("works")}`,
    `wait ${at("go")}`,
    "cost 60000",
    `touch ${at("spent")}`,
    "hang",
  ];
  rig.write({
    "docs/plans/a/epic-01-one.md": `---\npriority: high\n---\n${task(...spends)}`,
    "docs/plans/b/epic-01-side.md": task('write b.txt "b"'),
  });
  rig.commit("plan");
  const killed = rig.start("run", "--yes", "--sequential", "--budget", "50000");
  await fileAppears(at("works"));
  killed.child.kill("SIGKILL");
  await killed.ended;
  writeFileSync(at("go"), "");
  await fileAppears(at("spent"));
  const resumed = await rig.owt("resume", "--parallel", "2");
  expect([resumed.code, resumed.stderr]).toEqual([5, expect.not.stringContaining("b/E01 started")]);
  const { task: side } = await rig.json<{ task: { attempt: unknown } }>("status", "b/E01");
  expect(side.attempt).toBeNull();
  const [status] = (await rig.json<Status>("status")).runs;
  expect(status).toMatchObject({ cost_usd: 61_000, tasks: [{ standing: "waits-for-budget" }, { state: "pending" }] });
});

type Near = { budgets: { run: string; why: string; since: string; until: string | null; command: string }[] };

test("at a part of its budget a run is warned of, and the inbox has the command that raises it while work goes on", async () => {
  await using rig = Rig.create({ "README.md": "", ".worktreerc": DEMO });
  const go = rig.path("go");
  rig.write({ "docs/plans/a/epic-01-one.md": task("cost 0.85", `wait ${go}`, "cost 0.6", 'write a.txt "a"') });
  rig.commit("plan");
  const run = rig.start("run", "--yes", "--budget", "1");
  await run.says("used of the budget: $0.85 of $1.00 for the run");
  const { budgets } = await rig.json<Near>("inbox");
  const why = "has used $0.85 of $1.00 for the run";
  const near = { run: "r1", why, since: expect.any(String), until: null, command: "owt resume r1 --budget 2" };
  expect(budgets).toEqual([near]);
  expect(rig.ok("inbox")).toContain(`r1 ${why}; it goes on to that`);
  expect(rig.ok("status")).toContain(`▲ ${why}; raise it: owt resume r1 --budget 2`);
  // The command as it is printed, while another process carries the run.
  const raised = rig.start(...budgets[0]!.command.split(" ").slice(1));
  await raised.says("carries the runs of this repository");
  expect((await rig.json<Near>("inbox")).budgets).toEqual([]);
  writeFileSync(go, "");
  expect((await run.ended).code).toBe(0);
  expect((await raised.ended).code).toBe(0);
});

test("beside what runs only that begins for which enough is left, by what such tasks used here", async () => {
  await using rig = Rig.create({ "README.md": "", ".worktreerc": DEMO });
  const go = rig.path("go");
  // What the first run learns: such a task costs $0.40.
  for (const n of [1, 2, 3, 4, 5])
    rig.write({ [`docs/plans/a/epic-0${n}-past.md`]: task("cost 0.4", `write a${n}.txt "a"`) });
  rig.commit("past");
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  rig.write({
    "docs/plans/b/epic-01-first.md": task("cost 0.1", `wait ${go}`, "cost 0.1", 'write b.txt "b"'),
    "docs/plans/c/epic-01-second.md": task("cost 0.3", 'write c.txt "c"'),
  });
  rig.commit("more");
  const run = rig.start("run", "--yes", "--budget", "0.7");
  type Tasks = { runs: { id: string; tasks: { id: string; standing: string; why: string }[] }[] };
  const second = async () => {
    const { runs } = await rig.json<Tasks>("status");
    return runs.find(({ id }) => id === "r2")?.tasks.find(({ id }) => id === "c/E01");
  };
  await vi.waitUntil(async () => (await second())?.why.includes("$0.10 (and"), { timeout: 60_000 });
  expect(await second()).toMatchObject({
    standing: "waits-for-time",
    why: "waits for the budget: $0.10 (and $0.30 kept for what runs) of $0.70 for the run; it may need $0.40",
  });
  // It waits for no person: what is kept comes free.
  expect((await rig.json<Inbox>("inbox")).waiting).toEqual([]);
  writeFileSync(go, "");
  expect((await run.ended).code).toBe(0);
});

test("what a day has left is kept for the agents of all runs side by side, and stops those of all", async () => {
  await using rig = Rig.create({ "README.md": "", ".worktreerc": DEMO });
  const [go, spend] = [rig.path("go"), rig.path("spend")];
  for (const n of [1, 2, 3, 4, 5])
    rig.write({ [`docs/plans/a/epic-0${n}-past.md`]: task("cost 0.4", `write a${n}.txt "a"`) });
  rig.commit("past");
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  rig.write({
    "docs/plans/b/epic-01-first.md": task("cost 0.1", `wait ${go}`, 'write b.txt "b"', `wait ${spend}`, "cost 2"),
    "docs/beside/c/epic-01-second.md": task('write c.txt "c"', "hang"),
  });
  rig.commit("two plans");
  // Such a task costs $0.40: of what is left, one of them has enough.
  rig.env["OWT_BUDGET_DAY_USD"] = "2.7";
  const first = rig.start("run", "docs/plans", "--yes");
  await first.says("b/E01 started");
  const second = rig.start("run", "docs/beside", "--yes");
  type Tasks = { runs: { id: string; tasks: { id: string; standing: string; why: string }[] }[] };
  const standing = async () => (await rig.json<Tasks>("status")).runs.find(({ id }) => id === "r3")?.tasks[0];
  await vi.waitUntil(async () => (await standing())?.why.includes("$2.10 (and"), { timeout: 60_000 });
  expect(await standing()).toMatchObject({
    standing: "waits-for-time",
    why: "waits for the budget: $2.10 (and $0.30 kept for what runs) of $2.70 for the day; it may need $0.40",
  });
  // With more it begins, and what the other one uses stops it, too.
  rig.env["OWT_BUDGET_DAY_USD"] = "3.5";
  const more = rig.start("resume", "r3");
  await second.says("c/E01 started");
  writeFileSync(go, "");
  writeFileSync(spend, "");
  await second.says("waits for the budget: $4.10 of $3.50 for the day");
  for (const { child, ended } of [more, second, first]) {
    child.kill("SIGINT");
    await ended;
  }
  expect(rig.processes()).toEqual([]);
});

test("agents' time has a budget, and so has the number of tasks", async () => {
  await using rig = Rig.create({
    "README.md": "",
    ".worktreerc": `${DEMO}[budget]\ntask_time = "1500ms"\nrun_tasks = 2\n`,
    "docs/plans/a/epic-01-long.md": `---\npriority: high\n---\n${task("hang")}`,
    "docs/plans/b/epic-01-short.md": task('write b.txt "b"'),
    "docs/plans/c/epic-01-third.md": `---\npriority: low\n---\n${task('write c.txt "c"')}`,
  });
  const run = await rig.owt("run", "--yes");
  expect(run).toMatchObject({ code: 5 });
  const [status] = (await rig.json<Status>("status")).runs;
  const time = /^waits for the budget: [\d.]+s of 1\.5s of agents' time for the task$/;
  expect(status!.tasks).toMatchObject([
    { id: "a/E01", standing: "waits-for-budget", command: "OWT_BUDGET_TASK_TIME=3s owt resume r1" },
    { id: "b/E01", standing: "done" },
    {
      id: "c/E01",
      standing: "waits-for-budget",
      why: "waits for the budget: 2 of 2 tasks for the run",
      command: "OWT_BUDGET_RUN_TASKS=4 owt resume r1",
    },
  ]);
  expect(status!.tasks[0]!.why).toMatch(time);
  expect(rig.processes()).toEqual([]);
});

test.each([1, 2, 3, 4, 5])(
  "real agents with costs by chance stay within a turn of the cap, and lose nothing (%i)",
  async (seed) => {
    const chance = seededChance(seed);
    const plan: Record<string, string> = {};
    const turns = new Map<string, number[]>();
    for (const name of ["a", "b", "c", "d", "e", "f"]) {
      const costs = Array.from({ length: 1 + Math.floor(chance() * 4) }, () => Math.ceil(chance() * 40) / 100);
      turns.set(`${name}/E01`, costs);
      const steps = costs.flatMap((usd) => [`cost ${usd}`, `work ${(0.2 + chance() / 2).toFixed(2)}s`]);
      plan[`docs/plans/${name}/epic-01-${name}.md`] = task(...steps, `write ${name}.txt "${name}"`);
    }
    const all = [...turns.values()].flat();
    const cap = Math.ceil(all.reduce((sum, usd) => sum + usd, 0) * (30 + chance() * 40)) / 100;
    await using rig = Rig.create({ "README.md": "", ".worktreerc": DEMO, ...plan });
    const run = await rig.owt("run", "--yes", "--budget", String(cap));
    expect(run).toMatchObject({ code: 5 });
    const [status] = (await rig.json<Status>("status")).runs;
    expect(status!.cost_usd).toBeGreaterThanOrEqual(cap - 1e-9);
    // Three work side by side: each may be in the middle of a turn, and none begins another.
    expect(status!.cost_usd - cap).toBeLessThan(3 * Math.max(...all));
    for (const { state, standing, why } of status!.tasks) {
      expect(["done", "pending"]).toContain(state);
      if (state === "pending")
        expect([standing, why]).toEqual(["waits-for-budget", expect.stringMatching(/\$.* of \$/)]);
    }
    expect(rig.processes()).toEqual([]);
    expect((await rig.owt("resume", "r1", "--budget", "100")).code).toBe(0);
    for (const name of ["a", "b", "c", "d", "e", "f"]) expect(rig.git("show", `owt/runs/r1:${name}.txt`)).toBe(name);
  },
);

const sum = (ledger: readonly Booked[]) => ledger.reduce((usd, each) => usd + each.usd, 0);
const bash = (command: string) => ({ name: "Bash", input: { command, description: "Do it" } });

describe.each(CLAUDE_VERSIONS)("Claude Code %s", (version) => {
  const whyNot =
    existsSync("/proc/self/stat") && existsSync(claudeBinary(version)) ? null : `no Claude Code ${version}`;
  const rigOf = async (script: Script, files: Record<string, string>) =>
    claudeRig({ api: await startFakeApi(script), files, version });
  const PLAN = { "docs/plans/site/epic-01-first.md": "# The first page\n\nWrite first.txt.\n" };

  test("stops behind the answer with which it passes its budget, and goes on in the same conversation", async ({
    skip,
  }) => {
    if (whyNot !== null) skip(whyNot);
    const steps = (count: number): Answer[] =>
      Array.from({ length: count }, (_, n) => ({
        use: [bash(`git commit -q --allow-empty -m ${n}`)],
        tokens: { input: 5_000, output: 2_000 },
      }));
    const write: Answer = { use: [bash("echo one >first.txt")] };
    const script = { "site/E01": { task: steps(9), resume: [write, { say: "Done." }] } };
    await using rig = await rigOf(script, {
      ...PLAN,
      ".worktreerc": '[agent.claude]\nallowed_tools = ["Bash(echo:*)"]\n',
    });
    await rig.ask("config", "approve", "--yes");
    const run = rig.owt("run", "--yes", "--budget", "0.2");
    await run.exits(5);
    const { ledger } = rig.api;
    const before = sum(ledger);
    expect(before).toBeGreaterThanOrEqual(0.2);
    expect(before - ledger.at(-1)!.usd).toBeLessThan(0.2);
    expect(rig.starts()[0]).toContain("--max-budget-usd 0.2");
    const resumed = rig.owt("resume", "r1", "--budget", "2");
    await resumed.exits(0);
    const sessions = rig.starts().map((start) => /--(?:session-id|resume) (\S+)/.exec(start)?.[1]);
    expect(sessions).toHaveLength(2);
    expect(new Set(sessions).size).toBe(1);
    const { report } = await rig.ask<{ report: RunReport }>("report");
    expect(report.cost_usd).toBeCloseTo(sum(ledger), 6);
    expect(report).toMatchObject({ cost_at_least: false, counts: { done: 1 } });
  });

  test("two at a time are stopped when together they reach the budget, though neither has alone", async ({ skip }) => {
    if (whyNot !== null) skip(whyNot);
    // Both are answered at once: else the one that began last gives way when the other is.
    const gates = [makeGate(), makeGate()];
    const [site, look] = gates.map((gate): Answer => ({
      gate,
      use: [bash("sh linger.sh")],
      tokens: { input: 5_000, output: 4_000 },
    }));
    const second: Answer = { say: "Never said.", tokens: { output: 100_000 } };
    const script = { "site/E01": { task: [site!, second] }, "look/E01": { task: [look!, second] } };
    // Without an estimate so small each would be taken for one that needs the whole budget, and they would run one after the other.
    const small = (title: string) => `---\nestimated_tokens: 1000\n---\n# ${title}\n\nWrite it.\n`;
    const plan = {
      "docs/plans/site/epic-01-first.md": small("The first page"),
      "docs/plans/look/epic-01-look.md": small("The look"),
    };
    await using rig = await rigOf(script, {
      ...plan,
      ".worktreerc": '[agent.claude]\nallowed_tools = ["Bash(sh linger.sh)"]\n',
      "linger.sh": "tail -f /dev/null\n",
    });
    await rig.ask("config", "approve", "--yes");
    const run = rig.owt("run", "--yes", "--budget", "0.15");
    await Promise.all(gates.map((gate) => gate.reached));
    for (const gate of gates) gate.release();
    await run.exits(5);
    expect(rig.api.ledger).toHaveLength(2);
    // One that was ended can be there for a moment, without a command line.
    await expect.poll(() => rig.processes()).toEqual([]);
    const { report } = await rig.ask<{ report: RunReport }>("report");
    expect(report.cost_usd).toBeCloseTo(sum(rig.api.ledger), 6);
    expect(report).toMatchObject({ cost_at_least: false, cost_basis: "list" });
    const [status] = (await rig.ask<Status>("status")).runs;
    expect(status!.tasks.map((each) => each.standing)).toEqual(["waits-for-budget", "waits-for-budget"]);
    expect(existsSync(join(rig.root, ".git/owt/attempts/2/exit"))).toBe(true);
  });
});

test("what was about to start when others used up the budget does not: it waits, and goes on with more", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${DEMO}[environment]\ninstall_command = "sh setup.sh"\n`,
    "docs/plans/a/epic-01-one.md": task("cost 0.2", 'write a.txt "a"'),
    "docs/plans/b/epic-01-two.md": task('write b.txt "b"'),
  });
  const go = rig.path("go");
  rig.write({ "setup.sh": `case "$PWD" in *b-e01*) while [ ! -e '${go}' ]; do sleep 0.05; done;; esac\n` });
  rig.commit("a setup that takes its time");
  const run = rig.start("run", "--yes", "--parallel", "2", "--budget", "0.15");
  await run.says("used of the budget: $0.20 of $0.15");
  writeFileSync(go, "");
  const ended = await run.ended;
  expect(ended.code).toBe(5);
  expect(ended.stderr).not.toContain("b/E01 started");
  expect((await rig.json<Status>("status")).runs[0]!.tasks[1]).toMatchObject({
    id: "b/E01",
    standing: "waits-for-budget",
    why: "waits for the budget: $0.20 of $0.15 for the run",
  });
  expect(await rig.owt("resume", "r1", "--budget", "1")).toMatchObject({ code: 0 });
  expect(rig.git("show", "owt/runs/r1:b.txt")).toBe("b");
});
