/** Batches: runs that begin by the clock. Each slot is fired once, however often who watches is killed, and however many watch. */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { demoConfig, fileAppears, Rig, type Running, task } from "../rig/rig.ts";

/** Every second: a slot that a test waits for is never far. */
const EACH_SECOND = "* * * * * *";

type Batches = {
  batches: {
    name: string;
    standing: string;
    next: string | null;
    last: {
      slot: string;
      state: string;
      run: string | null;
      reason: string | null;
      hint: string | null;
      by_hand: boolean;
    } | null;
    problem: { message: string; hint: string | null } | null;
  }[];
};
type Row = { slot: number; state: string; run: string | null; by_hand: number; reason: string | null };

const seen = <T>(look: () => T | Promise<T>) => vi.waitFor(look, { interval: 100, timeout: 60_000 });

function batch(name: string, cron: string, more = ""): string {
  return `[[batch]]\nname = "${name}"\ncron = "${cron}"\n${more}\n`;
}

/** A repository with tasks a to c, of which each waits until it is released. */
function createWith(schedule: string, names: readonly string[] = ["a"], config = demoConfig): Rig {
  const rig = Rig.create({ ".worktreerc": config }, { approve: false });
  for (const name of names) {
    const steps = `touch ${rig.path(`begun-${name}`)}\nwait ${rig.path(name)}\nwrite ${name}.txt "${name}"`;
    rig.write({ [`docs/plans/${name}/epic-01-${name}.md`]: task({ title: name }, steps) });
  }
  rig.write({ ".owt/schedule.toml": schedule });
  rig.commit("the plan");
  return rig;
}

/** What is on record, oldest slot first. */
function rowsOf(rig: Rig): Row[] {
  const path = join(rig.root, ".git/owt/state.db");
  if (!existsSync(path)) return [];
  const db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  try {
    return db.prepare("select slot, state, run, by_hand, reason from firing order by slot").all() as unknown as Row[];
  } finally {
    db.close();
  }
}

async function end(watcher: Running): Promise<string> {
  watcher.child.kill("SIGTERM");
  const { code, stderr } = await watcher.ended;
  expect(code).toBe(0);
  return stderr;
}

const listed = async (rig: Rig) => (await rig.json<Batches>("batch", "list")).batches[0]!;

describe("a batch begins by the clock", () => {
  test("with its limits, in the background; later slots are passed over while its run is under way, and its end is on record", async () => {
    await using rig = createWith(
      batch(
        "night",
        EACH_SECOND,
        'max_tasks = 1\nmax_duration = "8h"\nnotify_on_complete = true\n[batch.budget]\nrun_usd = 3\ntokens = 5000\ntask_time = "2h"',
      ),
      ["a", "b"],
    );
    const watcher = rig.start("batch", "watch");
    await watcher.says("watching night");
    await watcher.says("night: r1 goes on in the background");
    await fileAppears(rig.path("begun-a"));
    await watcher.says("is passed over: the run of an earlier slot is still under way");
    expect(await listed(rig)).toMatchObject({ name: "night", standing: "running" });
    expect(rowsOf(rig)[0]).toMatchObject({ state: "running", run: "r1", by_hand: 0 });
    const { runs } = await rig.json<{ runs: { budget: object[]; tasks: { id: string }[] }[] }>("status");
    const limits = [
      { scope: "run", unit: "usd", limit: 3 },
      { scope: "run", unit: "tokens", limit: 5000 },
    ];
    expect(runs[0]).toMatchObject({ budget: limits, tasks: [{ id: "a/E01" }] });
    const db = new DatabaseSync(join(rig.root, ".git/owt/state.db"), { readOnly: true });
    const options = JSON.parse(String(db.prepare("select options from run").get()!["options"])) as object;
    expect(options).toMatchObject({ time: { limitMs: 8 * 3_600_000 }, budget: { taskTimeMs: 2 * 3_600_000 } });
    db.close();
    expect((await rig.owt("batch", "pause", "night")).stdout).toContain(
      "night is paused; go on with: owt batch resume",
    );
    rig.release("a");
    await seen(() => expect(rowsOf(rig)[0]).toMatchObject({ state: "over", run: "r1", reason: "1 done" }));
    const events = new DatabaseSync(join(rig.root, ".git/owt/state.db"), { readOnly: true });
    const ends = events.prepare("select run, data from event where kind = 'batch-ended'").all();
    events.close();
    expect(ends.map((each) => [each["run"], JSON.parse(String(each["data"])) as object])).toEqual([
      ["r1", { batch: "night", slot: rowsOf(rig)[0]!.slot, notify: true, state: "over", reason: "1 done" }],
    ]);
    await end(watcher);
    expect(rowsOf(rig).filter(({ run }) => run !== null)).toHaveLength(1);
    expect(rig.processes()).toEqual([]);
  });

  test("the next slot goes on with what is left of the plan, and says when nothing is", async () => {
    await using rig = createWith(batch("night", EACH_SECOND, "max_tasks = 1"), ["a", "b"]);
    rig.release("a");
    rig.release("b");
    const watcher = rig.start("batch", "watch");
    await watcher.says("night: r2 goes on in the background");
    await watcher.says("night: nothing to do");
    await end(watcher);
    const runs = rowsOf(rig).flatMap(({ run }) => run ?? []);
    expect(runs).toEqual(["r1", "r2"]);
    expect(rig.show("owt/runs/r2", "b.txt")).toBe("b");
  });

  test("what waits for a person takes no places of later slots, whose budget is their own; where nothing can begin that is said", async () => {
    const limits = "max_tasks = 2\n[batch.budget]\nrun_usd = 1\nrun_tasks = 2";
    await using rig = createWith(batch("night", "0 22 * * *", limits), []);
    rig.write({ "docs/plans/a/epic-01-a.md": task({}, 'ask "which?"') });
    rig.write({ "docs/plans/b/epic-01-b.md": task({ depends_on: ["a/E01"] }, 'write b.txt "b"') });
    for (const name of ["c", "d", "e"])
      rig.write({ [`docs/plans/${name}/epic-01-${name}.md`]: task({}, `cost 0.4\nwrite ${name}.txt "${name}"`) });
    rig.commit("more");
    const over = (text: string) => seen(async () => expect((await listed(rig)).last).toMatchObject({ reason: text }));
    expect(await rig.json("batch", "run", "night")).toMatchObject({ run: "r1" });
    await over("nothing done; waits for a person");
    expect(await rig.json("batch", "run", "night")).toMatchObject({ run: "r1" });
    await over("2 done; waits for a person");
    expect(await rig.json("batch", "run", "night")).toMatchObject({ run: "r1" });
    await over("3 done; waits for a person");
    expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(["c/E01", "d/E01", "e/E01"]);
    const none = await rig.owt("batch", "run", "night");
    expect([none.code, none.stdout]).toEqual([
      0,
      "night: nothing can begin: a/E01 waits for a person; see: owt inbox\n",
    ]);
    expect((await listed(rig)).last).toMatchObject({
      state: "nothing",
      reason: "nothing can begin: a/E01 waits for a person",
      hint: "owt inbox",
    });
  });

  test("of two batches of one plan the second waits for the end of the first, and each has its limits to itself", async () => {
    const limits = 'plan = "docs/plans"\nmax_tasks = 1\nmissed = "once"\n';
    await using rig = createWith(batch("one", EACH_SECOND, limits), ["a", "b"]);
    const watcher = rig.start("batch", "watch");
    await watcher.says("one: r1 goes on in the background");
    await fileAppears(rig.path("begun-a"));
    rig.write({ ".owt/schedule.toml": batch("one", "0 3 1 1 *", limits) + batch("two", EACH_SECOND, "max_tasks = 1") });
    await watcher.says("two waits for the end of r1 of the batch one, of the same plan");
    expect((await rig.owt("batch", "list")).stdout).toMatch(/two[^]*last: [^\n]*waits for the end of r1/);
    const byHand = await rig.owt("batch", "run", "two");
    expect([byHand.code, byHand.stderr]).toEqual([2, expect.stringContaining("waits for the end of r1")]);
    rig.release("a");
    await watcher.says("two: r2 goes on in the background");
    rig.release("b");
    await seen(() =>
      expect(rowsOf(rig).find(({ run }) => run === "r2")).toMatchObject({ state: "over", reason: "1 done" }),
    );
    await end(watcher);
    expect(rowsOf(rig).find(({ run }) => run === "r1")).toMatchObject({ state: "over", reason: "1 done" });
    expect(rig.show("owt/runs/r2", "b.txt")).toBe("b");
  });

  test("a batch that names no plan has the one that a run takes: it does not wait for one that names another", async () => {
    const other = batch("other", "0 3 1 1 *", 'plan = "docs/more"\nmax_tasks = 1\n');
    const same = batch("same", "0 3 1 1 *", 'plan = "docs/plans/"\nmax_tasks = 1\n');
    await using rig = createWith(batch("usual", "0 3 1 1 *", "max_tasks = 1") + other + same, ["a"]);
    rig.write({ "docs/more/epic-01-b.md": task({}, `wait ${rig.path("b")}\nwrite b.txt "b"`) });
    rig.commit("more");
    rig.ok("batch", "run", "other");
    expect(await rig.owt("batch", "run", "usual")).toMatchObject({ code: 0 });
    const byHand = await rig.owt("batch", "run", "same");
    expect([byHand.code, byHand.stderr]).toEqual([2, expect.stringContaining("waits for the end of r2")]);
    rig.release("a");
    rig.release("b");
    await seen(() => expect(rowsOf(rig).map(({ state }) => state)).toEqual(["over", "over"]));
  });

  test("batches of two plans do not wait for each other, however many watch; one that nobody is left to start is not said to begin", async () => {
    const one = batch("one", EACH_SECOND, 'plan = "docs/plans/a"\nmax_tasks = 1\nmissed = "once"\n');
    const two = batch("two", EACH_SECOND, 'plan = "docs/plans/b"\nmax_tasks = 1\nmissed = "once"\n');
    await using rig = createWith(one + two, []);
    rig.write({
      "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"'),
      "docs/plans/b/epic-01-b.md": task({}, 'write b.txt "b"'),
    });
    rig.commit("plans");
    const watchers = [rig.start("batch", "watch"), rig.start("batch", "watch")];
    await seen(() => expect(new Set(rowsOf(rig).flatMap(({ run }) => run ?? [])).size).toBeGreaterThan(1));
    const told = (await Promise.all(watchers.map(end))).join("");
    expect(told).not.toContain("of the same plan");
    const db = new DatabaseSync(join(rig.root, ".git/owt/state.db"), { timeout: 10_000 });
    db.exec("delete from firing");
    const owner = JSON.stringify({ pid: 999_999, boot: "gone", startTime: "1" });
    db.prepare(
      "insert into firing (batch, slot, by_hand, state, owner, notify, at) values ('one', ?, 0, 'claimed', ?, 0, ?)",
    ).run(Date.now(), owner, Date.now());
    db.close();
    const list = (await rig.owt("batch", "list")).stdout;
    expect(list).toContain("did not begin: who was about to start it has ended");
    expect(list).not.toContain("is being started");
  });

  test("no slot is fired that lies before its first sight: a fresh start waits for the next one", async () => {
    await using rig = createWith(batch("night", "0 22 * * *"));
    const watcher = rig.start("batch", "watch");
    await watcher.says("watching night");
    await seen(async () => expect(await listed(rig)).toMatchObject({ standing: "waits", last: null }));
    await end(watcher);
    expect(rowsOf(rig)).toEqual([]);
  });
});

describe("each slot is fired once", () => {
  test("by two who watch, of whom one after the other is killed and started again", async () => {
    await using rig = createWith(batch("night", EACH_SECOND, "max_tasks = 1"), ["a", "b", "c", "d", "e"]);
    for (const name of ["a", "b", "c", "d", "e"]) rig.release(name);
    const watchers = [rig.start("batch", "watch"), rig.start("batch", "watch")];
    for (let round = 0; round < 6; round++) {
      const before = rowsOf(rig).length;
      // Something is on record anew; then one of them is killed in the middle of whatever it does.
      await seen(() => expect(rowsOf(rig).length).toBeGreaterThan(before));
      const at = round % 2;
      watchers[at]!.child.kill("SIGKILL");
      await watchers[at]!.ended;
      watchers[at] = rig.start("batch", "watch");
    }
    await seen(() => expect(rowsOf(rig).some(({ state }) => state === "nothing")).toBe(true));
    await Promise.all(watchers.map(end));
    const rows = rowsOf(rig);
    const fired = rows.flatMap(({ run }) => run ?? []);
    expect(new Set(rows.map(({ slot }) => slot)).size).toBe(rows.length);
    expect(rows.every(({ slot }) => slot % 1_000 === 0)).toBe(true);
    // Each run belongs to one slot, and every run there is was a batch's: one for each task.
    const db = new DatabaseSync(join(rig.root, ".git/owt/state.db"), { readOnly: true });
    const runs = db.prepare("select id from run order by id").all();
    db.close();
    expect(runs.map(({ id }) => id)).toEqual(["r1", "r2", "r3", "r4", "r5"]);
    expect(fired).toEqual(["r1", "r2", "r3", "r4", "r5"]);
  });

  test("a run that nobody carries any more is gone on with, and not begun anew", async () => {
    await using rig = createWith(batch("night", EACH_SECOND));
    const watcher = rig.start("batch", "watch");
    await fileAppears(rig.path("begun-a"));
    await watcher.says("night: r1 goes on in the background");
    watcher.child.kill("SIGKILL");
    await watcher.ended;
    const { pid } = await rig.json<{ pid: number }>("resume", "--detach");
    process.kill(pid, "SIGKILL");
    const again = rig.start("batch", "watch");
    await again.says("night: nobody carried r1; it goes on");
    expect((await rig.owt("batch", "pause", "night")).code).toBe(0);
    rig.release("a");
    await seen(() => expect(rowsOf(rig).find(({ run }) => run === "r1")).toMatchObject({ state: "over" }));
    await end(again);
    expect(rowsOf(rig).flatMap(({ run }) => run ?? [])).toEqual(["r1"]);
    expect(rig.show("owt/runs/r1", "a.txt")).toBe("a");
  });
});

describe("by hand", () => {
  test("run starts one now, and refuses a second while it is under way; pause and resume say what they did", async () => {
    await using rig = createWith(batch("night", "0 22 * * *"));
    expect(await rig.json("batch", "run", "night")).toMatchObject({ batch: "night", run: "r1" });
    const second = await rig.owt("batch", "run", "night");
    expect(second).toMatchObject({ code: 2 });
    expect(second.stderr).toContain("a run of night is under way already");
    rig.release("a");
    await seen(async () => expect((await listed(rig)).last).toMatchObject({ state: "over", run: "r1", by_hand: true }));
    expect((await rig.owt("batch", "run", "night")).stdout).toBe("night: nothing to do\n");
    expect(await rig.json("batch", "pause", "night")).toEqual({ batch: "night", paused: true, changed: true });
    expect(await rig.json("batch", "pause", "night")).toEqual({ batch: "night", paused: true, changed: false });
    expect((await rig.owt("batch", "next")).stdout).toBe("nothing is to begin\n");
    expect(await rig.json("batch", "resume", "night")).toEqual({ batch: "night", paused: false, changed: true });
    expect((await rig.json<{ slots: object[] }>("batch", "next", "--count", "3")).slots).toHaveLength(3);
  });

  test("what keeps a run from starting is told with what to do, and is on record", async () => {
    const config = `${demoConfig}[run]\nverify = ["make check"]\n`;
    await using rig = createWith(batch("night", "0 22 * * *"), ["a"], config);
    const refused = await rig.owt("batch", "run", "night");
    expect(refused).toMatchObject({ code: 4 });
    // Who reads it may be anywhere.
    expect(refused.stderr).toContain(`↳ cd ${realpathSync(rig.root)} && owt config approve && owt batch run night\n`);
    const { last } = await listed(rig);
    expect(last).toMatchObject({ state: "refused", run: null, hint: expect.stringContaining("owt config approve") });
    expect((await rig.owt("batch", "list")).stdout).toMatch(/could not start · [^]*\n {2}↳ .*owt config approve/);
    // It waits for a person, until they or the clock have started it, or it is no batch any more.
    for (const command of ["inbox", "status"])
      expect((await rig.owt(command)).stdout).toMatch(
        /the batch night could not start: [^]*\n +↳ owt config approve && owt batch run night {2}\(shows what is to be approved, and starts it\)/,
      );
    const { batches } = await rig.json<{ batches: { batch: string; command: string }[] }>("inbox");
    expect(batches).toMatchObject([{ batch: "night", command: "owt config approve && owt batch run night" }]);
    rig.write({ ".owt/schedule.toml": batch("night", "0 22 * * *", 'plan = "do what I say"') });
    const noPlan = await rig.owt("batch", "run", "night");
    expect(noPlan).toMatchObject({ code: 3 });
    expect(noPlan.stderr).toContain("there is no plan do what I say");
    rig.write({ ".owt/schedule.toml": batch("night", "0 22 * * *") });
    rig.ok("config", "approve", "--yes");
    rig.write({ Makefile: "check:\n" });
    rig.ok("batch", "run", "night");
    expect(await rig.json("inbox")).toMatchObject({ batches: [] });
    rig.release("a");
    await seen(async () => expect((await listed(rig)).last).toMatchObject({ state: "over", hint: null }));
  });
});

describe("the schedule", () => {
  test("of the user names repositories, which are watched from anywhere; one that is gone is a problem of its batches alone", async () => {
    await using rig = createWith("");
    const schedule =
      batch("here", EACH_SECOND, `repository = "${rig.root}"\nplan = "docs/plans"`) +
      batch("gone", "@daily", 'repository = "/nowhere/shop"') +
      batch("nameless", "@daily");
    rig.userFile("schedule.toml", schedule);
    const outside = await rig.owtIn(rig.home, "batch", "list", "--json");
    const { batches } = (JSON.parse(outside.stdout) as { data: Batches }).data;
    expect(batches.map(({ name, standing }) => [name, standing])).toEqual([
      ["here", "waits"],
      ["gone", "unusable"],
      ["nameless", "unusable"],
    ]);
    expect(batches[2]!.problem).toMatchObject({ message: "nameless names no repository" });
    const watcher = rig.start("batch", "watch");
    await watcher.says("here: r1 goes on in the background");
    await watcher.says("/nowhere/shop");
    rig.release("a");
    await end(watcher);
  });

  test("that is a folder is told as a mistake of its own", async () => {
    await using rig = createWith("");
    rig.git("rm", "-q", ".owt/schedule.toml");
    rig.write({ ".owt/schedule.toml/x": "" });
    const refused = await rig.owt("batch", "list");
    expect(refused).toMatchObject({ code: 3 });
    expect(refused.stderr).toMatch(/schedule\.toml: is a folder, and no file\n.*owt batch list/);
  });

  test("is told all its mistakes at once, with their lines, and nothing is watched", async () => {
    await using rig = createWith('[[batch]]\nname = "a"\ncron = "61 * * * *"\nmax_task = 3\n\n[[batch]]\nname = "b"\n');
    const refused = await rig.owt("batch", "watch");
    expect(refused).toMatchObject({ code: 3 });
    const file = join(realpathSync(rig.root), ".owt/schedule.toml");
    expect(refused.stderr).toContain(`${file}:3:1 batch.0.cron: invalid value for minute: 61`);
    expect(refused.stderr).toContain(`${file}:4:1 batch.0.max_task: unknown key (did you mean max_tasks?)`);
    expect(refused.stderr).toContain(`${file}:6:3 batch.1.cron: is missing`);
    expect(refused.stderr).toContain("owt batch list");
  });

  test("with one bracket too few is told how a batch begins; what is wrong with its budget, by its own line", async () => {
    await using rig = createWith('[batch]\nname = "a"\ncron = "@daily"\n');
    const file = join(realpathSync(rig.root), ".owt/schedule.toml");
    const told = async () => (await rig.owt("batch", "list")).stderr;
    expect(await told()).toContain(`${file}:1:2 batch: each batch begins with [[batch]], in two brackets`);
    const two =
      '[[batch]]\nname = "a"\ncron = "@daily"\n[batch.budget]\nrun_usd = 1\n\n[[batch]]\nname = "b"\ncron = "@daily"\n';
    rig.write({ ".owt/schedule.toml": `${two}[batch.budget]\nrun_usd = 2\n  run_time = "soon"\ntoken = 1\n` });
    expect(await told()).toMatch(/:12:3 batch\.1\.budget\.run_time: .*\n.*:13:1 batch\.1\.budget\.token: unknown key/);
  });

  test("is read again while it is watched: a mistake is told once, and what was corrected counts", async () => {
    await using rig = createWith(batch("night", "0 22 * * *"));
    const watcher = rig.start("batch", "watch");
    await watcher.says("watching night");
    rig.write({ ".owt/schedule.toml": batch("night", "0 99 * * *") });
    await watcher.says("invalid value for hour: 99");
    rig.write({ ".owt/schedule.toml": batch("noon", EACH_SECOND) });
    await watcher.says("watching noon");
    await watcher.says("noon: r1 goes on in the background");
    rig.release("a");
    const told = await end(watcher);
    expect(told.match(/invalid value/g)).toHaveLength(1);
  });
});

describe("owt batch install", () => {
  test("--print shows the unit; without systemd nothing is written, and it is said what to do", async () => {
    await using rig = createWith(batch("night", "0 22 * * *"));
    const printed = await rig.owt("batch", "install", "--print");
    expect(printed.stdout).toMatch(/^ExecStart=".*node" ".*bin\/owt.js" "batch" "watch"$/m);
    expect(printed.stdout).toContain(`WorkingDirectory=${realpathSync(rig.root)}\n`);
    rig.addProgram("systemctl", '#!/bin/sh\necho "Failed to connect to bus: No medium found" >&2\nexit 1\n');
    const refused = await rig.owt("batch", "install");
    expect(refused).toMatchObject({ code: 3 });
    expect(refused.stderr).toContain("systemd does not answer for this user: Failed to connect to bus");
    expect(refused.stderr).toContain("owt batch watch");
    const { file } = await rig.json<{ file: string }>("batch", "install", "--print");
    expect(existsSync(file)).toBe(false);
  });

  test("writes the unit and has it started; again changes nothing; uninstall takes it away", async () => {
    await using rig = createWith(batch("night", "0 22 * * *"));
    const log = rig.path("systemctl-calls");
    rig.addProgram("systemctl", `#!/bin/sh\necho "$@" >> ${log}\n`);
    const { file, unit } = await rig.json<{ file: string; unit: string }>("batch", "install");
    expect(readFileSync(file, "utf8")).toBe((await rig.owt("batch", "install", "--print")).stdout);
    expect((await rig.owt("batch", "install")).stdout).toContain(`${unit} is there already`);
    expect(await rig.json("batch", "uninstall")).toEqual({ unit, file, removed: true });
    expect(await rig.json("batch", "uninstall")).toEqual({ unit, file, removed: false });
    expect(existsSync(file)).toBe(false);
    const ask = "--user show-environment";
    expect(readFileSync(log, "utf8").trim().split("\n")).toEqual([
      ask,
      "--user daemon-reload",
      `--user enable ${unit}`,
      `--user restart ${unit}`,
      ask,
      `--user enable ${unit}`,
      `--user start ${unit}`,
      ask,
      `--user disable --now ${unit}`,
      "--user daemon-reload",
    ]);
  });
});
