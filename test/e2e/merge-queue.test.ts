/** How work comes home: checks that are flaky, tasks that are merged and checked together, and the one among them that is at fault. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test, vi } from "vitest";
import { demoConfig, fileAppears, Rig, type Running, task } from "../rig/rig.ts";

type Report = {
  flaky: { command: string; times: number; tasks: string[] }[];
  tasks: { id: string; state: string; flaky: number; attempts: { outcome_kind: string }[] }[];
};

/** Red where nobody came by before, green ever after. */
const RED_ONCE = "mkdir $OWT_SEEN/once 2>/dev/null && exit 7; true";

function withFlakyCheck(more = ""): Rig {
  const rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = "${RED_ONCE}"\n${more}[environment]\npass = ["OWT_SEEN"]\n`,
    "docs/plans/shop/epic-01-a.md": task({}, 'write a.txt "a"\non repair:\nappend a.txt "again"'),
  });
  rig.env["OWT_SEEN"] = rig.path("seen");
  mkdirSync(rig.path("seen"));
  return rig;
}

test("a check that is red and then green on the same tree is flaky: nobody is sent back, and everybody is told", async () => {
  await using rig = withFlakyCheck();
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(0);
  expect(ran.stderr).toContain(`flaky: ${RED_ONCE} failed (exit 7) and passed when it was run again on the same tree`);
  const report = (await rig.json<{ report: Report }>("report")).report;
  expect(report.flaky).toEqual([{ command: RED_ONCE, times: 1, tasks: ["shop/E01"] }]);
  expect(report.tasks[0]).toMatchObject({ state: "done", flaky: 1, attempts: [{ outcome_kind: "ok" }] });
  expect((await rig.owt("report")).stdout.replaceAll(/\s+/g, " ")).toContain(
    "1 time red and then green on the same tree (shop/E01)",
  );
  const markdown = (await rig.owt("report", "--markdown")).stdout;
  expect(markdown).toContain(`- flaky: ${RED_ONCE.replaceAll("|", "\\|")}, 1 time`);
  expect(markdown).toContain("flaky checks: 1");
  const errors = rig.ok("logs", "shop/E01", "--level", "error");
  expect(errors).toContain(`✗ flaky: ${RED_ONCE} failed (exit 7) and passed when it was run again`);
});

test("without a second look the first red counts", async () => {
  await using rig = withFlakyCheck("flaky_reruns = 0\n");
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  const report = (await rig.json<{ report: Report }>("report")).report;
  expect(report.flaky).toEqual([]);
  expect(report.tasks[0]!.attempts.map((attempt) => attempt.outcome_kind)).toEqual(["verify_failed", "ok"]);
  expect(rig.show("owt/runs/r1", "a.txt")).toBe("aagain");
});

test("what is red each time goes back, after two looks", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = "grep -q good a.txt"\n`,
    "a.txt": "good\n",
    "docs/plans/shop/epic-01-a.md": task({}, 'write a.txt "bad"\non repair:\nwrite a.txt "good"'),
  });
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(0);
  const red = ran.stderr.match(/fails grep -q good a\.txt.*/g);
  expect(red).toEqual(["fails grep -q good a.txt (exit 1)", "fails grep -q good a.txt again (exit 1)"]);
  const errors = rig.ok("logs", "shop/E01", "--attempt", "1", "--level", "error");
  expect(errors).toMatch(/^✗ its work fails grep -q good a\.txt \(exit 1\)\n✗ verify failed: grep -q good a\.txt/m);
  expect((await rig.json<{ report: Report }>("report")).report.flaky).toEqual([]);
});

type Status = { runs: { tasks: { id: string; state: string; why: string }[] }[] };

const NAMES = ["a", "b", "c", "d", "e", "f"];

/** In the worktree of merged work: notes which files there are, and waits for the test to open the gate. In that of a task: waits for the start. */
const HELD = [
  'case "$PWD" in',
  '*/r1) ls -x -w 0 ?.txt >> "$OWT_SEEN/merged"; until [ -e "$OWT_SEEN/gate" ]; do sleep 0.05; done;;',
  '*) until [ -e "$OWT_SEEN/start" ]; do sleep 0.05; done;;',
  "esac",
].join(" ");

/** Six tasks side by side, each with a file of its own. `check` is all that is checked; in the worktree of merged work it waits for the gate first. */
function sixTasks(check: string, more: { steps?: (name: string) => string; config?: string } = {}): Rig {
  const { steps = (name) => `write ${name}.txt "${name}"`, config = "" } = more;
  const plans = NAMES.map((name) => [`docs/plans/${name}/epic-01-${name}.md`, task({ title: name }, steps(name))]);
  const rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\n${config.includes("max_parallel") ? "" : "max_parallel = 6\n"}flaky_reruns = 0\nverify = ${JSON.stringify(`${HELD}; ${check}`)}\n${config}[environment]\npass = ["OWT_SEEN"]\n`,
    ...Object.fromEntries(plans),
  });
  rig.env["OWT_SEEN"] = rig.path("seen");
  mkdirSync(rig.path("seen"));
  return rig;
}

/** Each look at merged work, as the names of the files that it saw. */
function looks(rig: Rig): string[] {
  return readFileSync(rig.path("seen/merged"), "utf8")
    .trim()
    .split("\n")
    .map((line) => line.replaceAll(/\.txt|\s/g, ""));
}

/** Waits until the tasks are in these states. */
async function allWait(rig: Rig, states: string): Promise<Status["runs"][0]["tasks"]> {
  for (;;) {
    const { runs } = await rig.json<Status>("status");
    const tasks = runs[0]?.tasks ?? [];
    const told = tasks
      .map(({ state }) => state)
      .toSorted()
      .join(" ");
    if (told === states) return tasks;
  }
}

/** Every commit that the run's branch stood at is green. */
function isGreenThroughout(rig: Rig, check: (commit: string) => boolean): boolean {
  return rig.git("rev-list", "--first-parent", "main..owt/runs/r1").split("\n").every(check);
}

const WAITING = "done integrating integrating integrating integrating integrating";

/** Begins a run, and waits until the first task is home with its own check, and merged work of some of the others is being checked while the rest wait. */
async function untilAllWait(rig: Rig): Promise<Running> {
  const run = rig.start("run", "--yes");
  await allWait(rig, NAMES.map(() => "verifying").join(" "));
  rig.release("seen/start");
  await fileAppears(rig.path("seen/merged"));
  await allWait(rig, WAITING);
  return run;
}

test("slow checks hold no agent up, however many there are; two run at a time, and their time is told apart", async () => {
  const check = 'touch "$OWT_SEEN/$(basename "$PWD")"; until [ -e "$OWT_SEEN/open" ]; do sleep 0.05; done';
  await using rig = sixTasks(check, { config: "max_parallel = 2\n" });
  rig.release("seen/start");
  rig.release("seen/gate");
  const run = rig.start("run", "--yes");
  await allWait(rig, NAMES.map(() => "verifying").join(" "));
  await vi.waitFor(async () => {
    const { runs } = await rig.json<Status>("status");
    const whys = runs[0]!.tasks.map(({ why }) => why).toSorted();
    const waits = "waits to be checked: 2 are";
    expect(whys).toEqual(["checking", "checking", waits, waits, waits, waits]);
  }, 20_000);
  const seen = () => readdirSync(rig.path("seen")).filter((name) => name.endsWith("-e01") || /-e01-\d+$/.test(name));
  expect(seen()).toHaveLength(2);
  rig.release("seen/open");
  expect((await run.ended).code).toBe(0);
  type Times = {
    report: { tasks: { work_ms: number; checks_ms: number; waiting_ms: { check: number } }[] };
  };
  const { tasks } = (await rig.json<Times>("report")).report;
  const waited = tasks.filter(({ waiting_ms }) => waiting_ms.check > 0);
  expect(waited.length).toBeGreaterThanOrEqual(4);
  expect(tasks.every(({ checks_ms }) => checks_ms > 0)).toBe(true);
});

test("several that wait are merged one upon the other and checked once", async () => {
  await using rig = sixTasks("true");
  const run = await untilAllWait(rig);
  rig.release("seen/gate");
  const ran = await run.ended;
  expect(ran.code).toBe(0);
  expect(ran.stderr).toMatch(/merged work together with \d others? passes/);
  expect(ran.stderr).toMatch(/integrated as [0-9a-f]{10} together with \d others?/);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(NAMES.map((name) => `${name}/E01`));
  expect(looks(rig).at(-1)).toBe("abcdef");
  expect(looks(rig).length).toBeLessThan(5);
  const { report } = await rig.json<{ report: { tasks: { commit: string }[] } }>("report");
  const line = rig.git("rev-list", "--first-parent", "main..owt/runs/r1").split("\n");
  for (const { commit } of report.tasks) expect(line).toContain(commit);
});

test("of several that are red together the one at fault goes back, and the others come home", async () => {
  // d is green alone, and red beside a.
  const steps = (name: string) =>
    `write ${name}.txt "${name}"\non repair:\nrun "test" "-f" "a.txt"\nwrite both.txt "both"`;
  const check = "test ! -f a.txt || test ! -f d.txt || test -f both.txt";
  await using rig = sixTasks(check, { steps });
  const run = await untilAllWait(rig);
  rig.release("seen/gate");
  expect((await run.ended).code).toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(NAMES.map((name) => `${name}/E01`));
  const { report } = await rig.json<{ report: Report }>("report");
  const tries = report.tasks.filter(({ attempts }) => attempts.length > 1).map(({ id }) => id);
  expect(tries).toHaveLength(1);
  expect(["a/E01", "d/E01"]).toContain(tries[0]);
  expect(rig.ok("logs", tries[0]!, "--attempt", "1", "--level", "error")).toMatch(
    /^✗ verify failed: .*test ! -f a\.txt/m,
  );
  const has = (commit: string, file: string) => rig.show(commit, file) !== null;
  expect(isGreenThroughout(rig, (at) => !has(at, "a.txt") || !has(at, "d.txt") || has(at, "both.txt"))).toBe(true);
});

test("who conflicts with another of its group goes back alone, and the others come home together", async () => {
  const clash = 'conflict shared.txt\non conflict:\nwrite shared.txt "both"';
  const steps = (name: string) => `write ${name}.txt "${name}"\n${name === "c" || name === "e" ? clash : ""}`;
  await using rig = sixTasks("true", { steps });
  const run = await untilAllWait(rig);
  rig.release("seen/gate");
  expect((await run.ended).code).toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(NAMES.map((name) => `${name}/E01`));
  const { report } = await rig.json<{ report: Report }>("report");
  const again = report.tasks.filter(({ attempts }) => attempts.length > 1);
  expect(again).toHaveLength(1);
  expect(again[0]!.attempts.map((attempt) => attempt.outcome_kind)).toEqual(["conflict", "ok"]);
  expect(["c/E01", "e/E01"]).toContain(again[0]!.id);
  expect(rig.show("owt/runs/r1", "shared.txt")).toBe("both");
});

test("with merge_group = 1 each is checked by itself", async () => {
  await using rig = sixTasks("true", { config: "merge_group = 1\n" });
  const run = await untilAllWait(rig);
  const whys = (await allWait(rig, WAITING)).map(({ why }) => why).filter(Boolean);
  const before = [1, 2, 3, 4].map((count) => `waits for the merge queue: ${count} before it`);
  expect(whys.toSorted()).toEqual(["merged and checked", ...before]);
  expect((await rig.owt("status")).stdout).toContain("waits for the merge queue: 4 before it");
  rig.release("seen/gate");
  expect((await run.ended).code).toBe(0);
  const line = rig.git("log", "--first-parent", "--format=%(trailers:key=Owt-Group,valueonly)", "main..owt/runs/r1");
  expect(line.replaceAll("\n", "")).toBe("");
  expect(looks(rig)).toHaveLength(5);
});

test("who is cancelled while a group is checked does not come home with it", async () => {
  await using rig = sixTasks("true");
  const run = await untilAllWait(rig);
  const tasks = await allWait(rig, WAITING);
  const waiting = tasks.filter(({ state }) => state === "integrating").map(({ id }) => id);
  for (const id of waiting.slice(0, 2)) rig.ok("task", "cancel", id);
  await allWait(rig, "cancelled cancelled done integrating integrating integrating");
  rig.release("seen/gate");
  expect((await run.ended).code).toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(
    NAMES.map((name) => `${name}/E01`).filter((id) => !waiting.slice(0, 2).includes(id)),
  );
});

test("a run that is stopped in the middle of a check goes on with all of them", async () => {
  await using rig = sixTasks("true");
  const run = await untilAllWait(rig);
  run.child.kill("SIGINT");
  expect((await run.ended).code).toBe(130);
  rig.release("seen/gate");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(NAMES.map((name) => `${name}/E01`));
});

test("a check that a killed owt left running does not see its worktree change", async () => {
  await using rig = sixTasks(
    'before=$(ls); case "$PWD" in */r1) sleep 0.3; [ "$(ls)" = "$before" ] || echo changed >> "$OWT_SEEN/changed";; esac',
  );
  const run = await untilAllWait(rig);
  run.child.kill("SIGKILL");
  await run.ended;
  const resumed = rig.start("resume");
  await fileAppears(rig.path("seen/merged"));
  rig.release("seen/gate");
  expect((await resumed.ended).code).toBe(0);
  expect(existsSync(rig.path("seen/changed"))).toBe(false);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(NAMES.map((name) => `${name}/E01`));
  // What was being checked then is nothing that anybody lost.
  expect((await rig.json<{ rescues: { id: string }[] }>("restore")).rescues).toEqual([]);
});

/** Two come first, and the second of them is checked alone; the other four wait meanwhile, and are one group, whose check waits for a gate of its own. */
const FOUR_TOGETHER = [
  'case "$PWD" in',
  '*/r1) [ "$(wc -l <"$OWT_SEEN/merged")" -lt 2 ] || until [ -e "$OWT_SEEN/second-gate" ]; do sleep 0.05; done;;',
  "*/[ab]-e01-*) ;;",
  '*) until [ -e "$OWT_SEEN/rest" ]; do sleep 0.05; done;;',
  "esac",
].join(" ");

test.each([
  ["before it moved", false],
  ["just behind it", true],
])(
  "an owt that ended between the intent to move the branch and what it says of it, %s: all come in once",
  async (_, moved) => {
    await using rig = sixTasks(FOUR_TOGETHER);
    const run = rig.start("run", "--yes");
    await allWait(rig, NAMES.map(() => "verifying").join(" "));
    rig.release("seen/start");
    await fileAppears(rig.path("seen/merged"));
    rig.release("seen/rest");
    await allWait(rig, WAITING);
    rig.release("seen/gate");
    await vi.waitUntil(() => looks(rig).length === 2, { timeout: 60_000 });
    // git moves no branch that somebody has locked.
    const lock = join(rig.root, ".git/refs/heads/owt/runs/r1.lock");
    writeFileSync(lock, "");
    rig.release("seen/second-gate");
    await vi.waitUntil(() => advancing(rig).length > 1, { timeout: 60_000 });
    run.child.kill("SIGKILL");
    await run.ended;
    rmSync(lock, { force: true });
    const intents = advancing(rig);
    expect(new Set(intents.map(({ candidate }) => candidate)).size).toBe(1);
    expect(intents.length).toBeGreaterThan(1);
    if (moved) rig.git("update-ref", "refs/heads/owt/runs/r1", intents[0]!.candidate);
    expect((await rig.owt("resume")).code).toBe(0);
    expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(NAMES.map((name) => `${name}/E01`));
    const line = rig.git("rev-list", "--first-parent", "main..owt/runs/r1").split("\n");
    expect(line).toContain(intents[0]!.candidate);
  },
);

/** The attempts whose merge is about to become the tip. */
function advancing(rig: Rig): { candidate: string }[] {
  const db = new DatabaseSync(join(rig.root, ".git/owt/state.db"), { readOnly: true });
  try {
    const rows = db.prepare("select candidate from attempt where phase = 'advance'").all();
    return rows.map((row) => ({ candidate: String(row["candidate"]) }));
  } finally {
    db.close();
  }
}

/** Tasks that each add a line to one file, the others one after the other; `late` adds its own from where all began, and resolves each conflict as it should:
 *  in its turn n, once the file `turn-n` is there. */
function overtaken(others: string[]): Rig {
  const rig = Rig.create({ ".worktreerc": `${demoConfig}[run]\nmax_parallel = 2\nverify = "true"\n`, LOG: "start\n" });
  const add = (name: string) => `wait ${rig.path(`add-${name}`)}\nappend LOG "${name}\\n"`;
  // Its own line comes last, where the next one is added, too.
  const resolve = 'run "sed" "-i" "-E" "/^(<<<<<<<|=======|>>>>>>>|late$)/d" "LOG"\nappend LOG "late\\n"';
  rig.write({
    ...Object.fromEntries(
      others.map((name, at) => [
        `docs/plans/${name}/epic-01-${name}.md`,
        task({ depends_on: at === 0 ? [] : [`${others[at - 1]}/E01`] }, add(name)),
      ]),
    ),
    "docs/plans/late/epic-01-late.md": task(
      {},
      `${add("late")}\non conflict:\nwait ${rig.path("turn-{turn}")}\n${resolve}`,
    ),
  });
  rig.commit("plan");
  return rig;
}

const stateOf = async (rig: Rig, id: string) =>
  (await rig.json<Status>("status")).runs[0]?.tasks.find((each) => each.id === id)?.state;

test("work that was resolved and overtaken again and again stays in its conversation, and comes home without a person", async () => {
  const others = ["a", "b", "c", "d"];
  await using rig = overtaken(others);
  const run = rig.start("run", "--yes");
  for (const [at, name] of others.entries()) {
    rig.release(`add-${name}`);
    await vi.waitUntil(async () => (await stateOf(rig, `${name}/E01`)) === "done", { timeout: 60_000 });
    // It meets this one now; its last conflict was resolved before.
    rig.release(at === 0 ? "add-late" : `turn-${at + 1}`);
    await vi.waitUntil(
      async () => {
        const { report } = await rig.json<{ report: Report }>("report");
        return report.tasks.find(({ id }) => id === "late/E01")!.attempts.length === at + 2;
      },
      { timeout: 60_000 },
    );
  }
  rig.release(`turn-${others.length + 1}`);
  expect((await run.ended).code).toBe(0);
  const { report } = await rig.json<{ report: Report }>("report");
  const kinds = report.tasks.find(({ id }) => id === "late/E01")!.attempts.map((attempt) => attempt.outcome_kind);
  expect(kinds).toEqual(["conflict", "conflict", "conflict", "conflict", "ok"]);
  expect(rig.show("owt/runs/r1", "LOG")!.trim().split("\n").toSorted()).toEqual([...others, "late", "start"]);
});

/** Tasks that each add a line to one file, side by side; who resolves a conflict in it waits for a gate. The run has begun, and one of them resolves. */
async function oneResolves(names: string[]): Promise<{ rig: Rig; run: Running }> {
  const config = `${demoConfig}[run]\nmax_parallel = 4\nverify = "true"\n`;
  const rig = Rig.create({ ".worktreerc": config, LOG: "start\n" });
  const resolve = 'run "sed" "-i" "-E" "/^(<<<<<<<|=======|>>>>>>>)/d" "LOG"';
  for (const name of names) {
    const steps = [
      `touch ${rig.path(`${name}-runs`)}`,
      `wait ${rig.path("all")}`,
      `append LOG "${name}\\n"`,
      "on conflict:",
      `touch ${rig.path("resolves")}`,
      `wait ${rig.path("resolve")}`,
      resolve,
    ];
    rig.write({ [`docs/plans/${name}/epic-01-${name}.md`]: task({ title: name }, steps.join("\n")) });
  }
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  for (const name of names) await fileAppears(rig.path(`${name}-runs`));
  rig.release("all");
  await fileAppears(rig.path("resolves"));
  return { rig, run };
}

test("of several that conflict in one file each resolves once: the others wait behind the one that does", async () => {
  const names = ["a", "b", "c", "d"];
  const { rig, run } = await oneResolves(names);
  await using _ = rig;
  await vi.waitFor(async () => {
    const { runs } = await rig.json<Status>("status");
    const whys = runs[0]!.tasks.map(({ why }) => why).filter((why) => why.startsWith("waits behind"));
    expect(whys).toHaveLength(2);
    for (const why of whys) expect(why).toMatch(/^waits behind [a-d]\/E01, which resolves the same file \(LOG\)$/);
  }, 60_000);
  rig.release("resolve");
  expect((await run.ended).code).toBe(0);
  const { report } = await rig.json<{ report: Report }>("report");
  expect(report.tasks.map(({ attempts }) => attempts.length).toSorted()).toEqual([1, 2, 2, 2]);
  expect(rig.show("owt/runs/r1", "LOG")!.trim().split("\n").toSorted()).toEqual([...names, "start"]);
});

test("who waits behind a resolution that is given up goes on, also in another process", async () => {
  const names = ["a", "b", "c"];
  const { rig, run } = await oneResolves(names);
  await using _ = rig;
  let resolver = "";
  await vi.waitFor(async () => {
    const { runs } = await rig.json<Status>("status");
    const why = runs[0]!.tasks.map((each) => each.why).find((each) => each.startsWith("waits behind"));
    resolver = /behind (\S+),/.exec(why ?? "")![1]!;
  }, 60_000);
  run.child.kill("SIGINT");
  expect((await run.ended).code).toBe(130);
  rig.ok("task", "cancel", resolver);
  rig.release("resolve");
  expect((await rig.owt("resume")).code).toBe(0);
  const left = names.map((name) => `${name}/E01`).filter((id) => id !== resolver);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(left);
});

/** Two tasks that meet in a file whose merge driver never ends, and one that has nothing to do with them. */
function withEndlessDriver(config: string): Rig {
  const plans = ["a", "b", "c"].map((name) => [
    `docs/plans/${name}/epic-01-${name}.md`,
    task({ title: name }, name === "c" ? 'write c.txt "c"' : `write shared.txt "${name}"`),
  ]);
  const rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nmax_parallel = 3\n${config}`,
    ".gitattributes": "shared.txt merge=asks\n",
    "shared.txt": "start\n",
    ...Object.fromEntries(plans),
  });
  rig.git("config", "merge.asks.driver", `echo $$ >> ${rig.path("asked")}; sleep 1000`);
  return rig;
}

test("a merge driver that does not end holds its own task, by name, and nobody else", async () => {
  await using rig = withEndlessDriver('timeout = "5s"\n');
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(4);
  const { runs } = await rig.json<Status>("status");
  expect(runs[0]!.tasks.map(({ state }) => state).toSorted()).toEqual(["done", "done", "pending"]);
  expect((await rig.owt("inbox")).stdout.replaceAll(/\s+/g, " ")).toContain(
    "the merge driver asks of this repository's git configuration",
  );
  rig.git("config", "merge.asks.driver", "git merge-file --union %A %O %B");
  expect((await rig.owt("task", "retry", runs[0]!.tasks.find(({ state }) => state === "pending")!.id)).code).toBe(0);
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.show("owt/runs/r1", "c.txt")).toBe("c");
});

test.each(["Ctrl-C", "owt stop"])("%s ends a merge driver that does not end", async (how) => {
  await using rig = withEndlessDriver("");
  const running = rig.start("run", "--yes");
  await fileAppears(rig.path("asked"));
  if (how === "Ctrl-C") running.child.kill("SIGINT");
  else expect((await rig.owt("stop")).code).toBe(0);
  expect((await running.ended).code).not.toBe(0);
  const [pid] = readFileSync(rig.path("asked"), "utf8").split("\n");
  // One that has ended and was not waited for has no program any more.
  expect(existsSync(`/proc/${pid}/exe`)).toBe(false);
});
