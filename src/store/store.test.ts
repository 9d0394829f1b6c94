import { execFile } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { SAMPLE_OPTIONS, newAttempt, sampleSpec } from "../../test/rig/samples.ts";
import { OwtError } from "../core/errors.ts";
import type { Event, Fact } from "../core/event.ts";
import {
  endAttempt,
  moveAttempt,
  openAttempt,
  readAttempt,
  readAttempts,
  readAttemptsEndedBefore,
  readAttemptsOfRun,
  readOpenAttempts,
  setUsage,
} from "./attempts.ts";
import { addToBacklog, readBacklog, removeFromBacklog } from "./backlog.ts";
import { adoptStore, openStore, type Store } from "./database.ts";
import { findDamage, setStoreAside } from "./store-damage.ts";
import { storeFile } from "./store-file.ts";
import { appendEvent, eventsAfter, lastSeq, readWaitingEvents, readWaitsSince } from "./events.ts";
import { readHeldSince, readShortSince } from "./run-words.ts";
import { nextAttemptId, nextRunNumber, raiseTakenIds, readTakenIds } from "./ids.ts";
import { readHolder, recordHolder } from "./lease.ts";
import { addUsages, type Usage } from "../core/cost.ts";
import { MIGRATIONS } from "./migrations.ts";
import {
  addTasks,
  createRun,
  endRun,
  markLanded,
  type NewTask,
  readRun,
  readRuns,
  reopenRun,
  setRunOptions,
  setWish,
} from "./runs.ts";
import { changeTask, findTasks, moveTask, readDoneTasks, readTask, readTasks, replaceSpec } from "./tasks.ts";

function newPlace(): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "owt-store-")));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function open(place: string): Store {
  const store = openStore(place);
  onTestFinished(() => store.close());
  return store;
}

const newTask = (key: string, needs: string[] = []): NewTask => ({
  spec: sampleSpec(key),
  hash: `hash of ${key}`,
  needs,
});

const NEW_RUN = {
  planKind: "markdown",
  planPath: "docs/plans",
  target: "main",
  base: "b0",
  buildsOn: null,
  options: SAMPLE_OPTIONS,
} as const;

function storeWithRun(place = newPlace()) {
  const store = open(place);
  const run = createRun(store, 1, NEW_RUN, [newTask("a"), newTask("b", ["a"])]);
  const [a, b] = readTasks(store, run.id) as [ReturnType<typeof readTasks>[0], ReturnType<typeof readTasks>[0]];
  return { place, store, run, a: a!, b: b! };
}

function openOne(store: Store, task: number, at = 5) {
  return openAttempt(store, at, newAttempt(task, { phase: "workspace" }));
}

const kinds = (events: Event[]) => events.map(({ kind }) => kind);

function refusalOf(body: () => unknown): OwtError {
  try {
    body();
  } catch (error) {
    if (error instanceof OwtError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("a transaction", () => {
  test("is all or nothing, also with one inside the other", () => {
    const { store, run, a } = storeWithRun();
    const before = lastSeq(store);
    const fail = () =>
      store.transaction(() => {
        moveTask(store, 2, a, "running");
        addTasks(store, 2, run.id, [newTask("c")]);
        throw new Error("no");
      });
    expect(fail).toThrow("no");
    expect([readTask(store, a.id)!.state, readTasks(store, run.id).length, lastSeq(store)]).toEqual([
      "pending",
      2,
      before,
    ]);
    expect(moveTask(store, 2, a, "running")).toBe(true);
  });

  test("tells its kinds once, after the commit, and nobody after a rollback", () => {
    const { store, a } = storeWithRun();
    const told: [string[], string][] = [];
    const stop = store.onAppend((seen) => told.push([[...seen], readTask(store, a.id)!.state]));
    const note = () => appendEvent(store, 2, { run: "r1" }, { kind: "note", text: "x" });
    expect(() =>
      store.transaction(() => {
        note();
        throw new Error("no");
      }),
    ).toThrow("no");
    expect(told).toEqual([]);
    store.transaction(() => {
      note();
      note();
      moveTask(store, 3, a, "running");
      expect(told).toEqual([]);
    });
    expect(told).toEqual([[["note", "task-begun"], "running"]]);
    note();
    expect(told).toHaveLength(2);
    store.transaction(() => setRunOptions(store, "r1", SAMPLE_OPTIONS));
    stop();
    note();
    expect(told).toHaveLength(2);
  });

  test("waits for another connection's, and gives up with an error that says so", () => {
    const { store, place, a } = storeWithRun();
    const rival = new DatabaseSync(join(place, "owt", "state.db"));
    onTestFinished(() => rival.close());
    rival.exec("begin immediate");
    const refused = refusalOf(() => moveTask(store, 2, a, "running"));
    expect(refused).toMatchObject({ code: "store", message: "the store is held by another process" });
    rival.exec("commit");
    expect(moveTask(store, 2, a, "running")).toBe(true);
  }, 30_000);
});

describe("a move", () => {
  test("is a compare-and-set with its event: who comes too late changes nothing and writes no event", () => {
    const { store, place, a } = storeWithRun();
    const other = open(place);
    const seq = lastSeq(store);
    expect(moveTask(store, 2, a, "running", { startedAt: 2 })).toBe(true);
    expect(moveTask(other, 3, a, "cancelled", { reason: "too late" })).toBe(false);
    expect(readTask(other, a.id)).toMatchObject({ state: "running", startedAt: 2, reason: null });
    expect(eventsAfter(other, seq)).toEqual([
      { seq: seq + 1, at: 2, run: "r1", task: a.id, attempt: null, kind: "task-moved", from: "pending", to: "running" },
    ]);
  });

  test("that the rules do not know throws, and changes nothing", () => {
    const { store, a } = storeWithRun();
    expect(() => moveTask(store, 2, a, "done")).toThrow("cannot move from pending to done");
    expect(readTask(store, a.id)).toEqual(a);
  });

  test("into a wait says for what and until when", () => {
    const { store, a } = storeWithRun();
    moveTask(store, 2, a, "running");
    const seq = lastSeq(store);
    const park = { for: "answer", question: "red?" } as const;
    expect(moveTask(store, 3, readTask(store, a.id)!, "pending", { park, notBefore: 9, reason: "asks" })).toBe(true);
    expect(eventsAfter(store, seq)).toMatchObject([
      { kind: "task-moved", to: "pending", reason: "asks" },
      { kind: "task-parked", park, notBefore: 9 },
    ]);
    expect(readTask(store, a.id)).toMatchObject({ park, notBefore: 9 });
  });

  test("may change everything that a task carries, and reads back what was written", () => {
    const { store, a } = storeWithRun();
    const change = {
      park: { for: "limit", until: 4 },
      notBefore: 4,
      next: { kind: "answer", from: 1, text: "é\n" },
      failures: 1,
      repairs: 2,
      conflicts: 3,
      cancelWish: true,
      approved: true,
      reason: "why",
      commit: "c1",
      verified: true,
      startedAt: 5,
      endedAt: 6,
    } as const;
    changeTask(store, a.id, change);
    expect(readTask(store, a.id)).toEqual({ ...a, ...change });
    changeTask(store, a.id, {});
    changeTask(store, a.id, { park: null, reason: null, approved: false });
    expect(readTask(store, a.id)).toEqual({ ...a, ...change, park: null, reason: null, approved: false });
  });
});

describe("attempts", () => {
  test("get their branch and worktree from an id that no other has, and a number within their task", () => {
    const { store, a, b } = storeWithRun();
    const opened = [openOne(store, a.id), openOne(store, b.id), openOne(store, a.id)];
    expect(opened.map(({ id, number, branch, worktree }) => [id, number, branch, worktree])).toEqual([
      [1, 1, "owt/tasks/x/1", "/w/x-1"],
      [2, 1, "owt/tasks/x/2", "/w/x-2"],
      [3, 2, "owt/tasks/x/3", "/w/x-3"],
    ]);
    expect(readAttempts(store, a.id).map(({ id }) => id)).toEqual([1, 3]);
    expect(readAttemptsOfRun(store, "r1")).toEqual(opened);
    expect(eventsAfter(store, 0).filter(({ kind }) => kind === "attempt-opened")).toMatchObject([
      { attempt: 1, task: a.id, number: 1, branch: "owt/tasks/x/1" },
      { attempt: 2, task: b.id },
      { attempt: 3, task: a.id, number: 2 },
    ]);
  });

  test("are not opened at all when their place cannot be told", () => {
    const { store, a } = storeWithRun();
    const seq = lastSeq(store);
    const failing = () => {
      throw new Error("no place");
    };
    expect(() => openAttempt(store, 1, { ...openOne(store, a.id), continues: null, place: failing })).toThrow(
      "no place",
    );
    expect([readOpenAttempts(store).length, lastSeq(store)]).toEqual([1, seq + 1]);
  });

  test("go from phase to phase by compare-and-set", () => {
    const { store, a } = storeWithRun();
    const attempt = openOne(store, a.id);
    const seq = lastSeq(store);
    expect(moveAttempt(store, 6, attempt, "setup", { head: "h1" })).toBe(true);
    expect(moveAttempt(store, 7, attempt, "launch", { head: "h2" })).toBe(false);
    expect(readAttempt(store, attempt.id)).toMatchObject({ phase: "setup", head: "h1" });
    expect(eventsAfter(store, seq)).toMatchObject([
      { kind: "attempt-phase", phase: "setup", attempt: attempt.id, at: 6 },
    ]);
  });

  test("end once; the first outcome stays", () => {
    const { store, a } = storeWithRun();
    const attempt = openOne(store, a.id);
    const tokens = { input: 1, output: 2, cacheRead: 3, cacheWrite5m: 4, cacheWrite1h: 5 };
    const usage: Usage = { models: [{ model: "m", tokens, costUsd: null, basis: "unknown" }], missing: "a part" };
    setUsage(store, attempt.id, usage);
    const seq = lastSeq(store);
    expect(endAttempt(store, 8, { ...attempt, usage }, { kind: "ok" }, { candidate: "c" })).toBe(true);
    expect(endAttempt(store, 9, attempt, { kind: "lost" })).toBe(false);
    const ended = { phase: "tidy", outcome: { kind: "ok" }, endedAt: 8, candidate: "c", usage };
    expect(readAttempt(store, attempt.id)).toMatchObject(ended);
    expect(eventsAfter(store, seq)).toMatchObject([{ kind: "attempt-ended", outcome: { kind: "ok" }, usage }]);
  });

  test("are open until they are closed, and old only then", () => {
    const { store, a, b } = storeWithRun();
    const [first, second] = [openOne(store, a.id), openOne(store, b.id)];
    endAttempt(store, 8, first, { kind: "ok" });
    expect(readOpenAttempts(store).map(({ id }) => id)).toEqual([first.id, second.id]);
    expect(readAttemptsEndedBefore(store, 100)).toEqual([]);
    moveAttempt(store, 9, readAttempt(store, first.id)!, "closed");
    expect(readOpenAttempts(store).map(({ id }) => id)).toEqual([second.id]);
    expect([readAttemptsEndedBefore(store, 8), readAttemptsEndedBefore(store, 9)]).toEqual([[], [first.id]]);
  });
});

describe("runs", () => {
  test("count up, hold their tasks in plan order, and read back what was written", () => {
    const { store, run } = storeWithRun();
    const second = createRun(store, 2, { ...NEW_RUN, buildsOn: "r1" }, []);
    expect([run.id, run.branch, second.id, second.branch]).toEqual(["r1", "owt/runs/r1", "r2", "owt/runs/r2"]);
    expect(readRun(store, "r2")).toEqual({
      ...NEW_RUN,
      id: "r2",
      state: "open",
      wish: null,
      branch: "owt/runs/r2",
      buildsOn: "r1",
      createdAt: 2,
      endedAt: null,
      landedAt: null,
    });
    expect(readTasks(store, "r1").map(({ key, order, needs, next }) => [key, order, needs, next.kind])).toEqual([
      ["a", 0, [], "fresh"],
      ["b", 1, ["a"], "fresh"],
    ]);
    expect(readRun(store, "r3")).toBeNull();
  });

  test("are in the order in which they came, also where the clock was set back", () => {
    const { store } = storeWithRun();
    for (const at of [9_000, 5_000, 7_000]) createRun(store, at, NEW_RUN, []);
    expect(readRuns(store).map(({ id }) => id)).toEqual(["r1", "r2", "r3", "r4"]);
  });

  test("are not made at all when one task cannot be", () => {
    const { store } = storeWithRun();
    const seq = lastSeq(store);
    expect(() => createRun(store, 2, NEW_RUN, [newTask("x"), newTask("x")])).toThrow(/UNIQUE/);
    expect([readRuns(store).length, lastSeq(store)]).toEqual([1, seq]);
  });

  test("take tasks that come later behind those they have", () => {
    const { store } = storeWithRun();
    addTasks(store, 2, "r1", [newTask("c"), newTask("d")]);
    expect(readTasks(store, "r1").map(({ key, order }) => [key, order])).toEqual([
      ["a", 0],
      ["b", 1],
      ["c", 2],
      ["d", 3],
    ]);
  });

  test("end once, drop their wish, and can be opened again", () => {
    const { store } = storeWithRun();
    const counts = { done: 2, failed: 0, skipped: 0, cancelled: 0 };
    const seq = lastSeq(store);
    setWish(store, 2, "r1", "pause");
    setWish(store, 3, "r1", "pause");
    expect(endRun(store, 4, "r1", counts)).toBe(true);
    expect(endRun(store, 5, "r1", counts)).toBe(false);
    setWish(store, 6, "r1", "stop");
    expect(readRun(store, "r1")).toMatchObject({ state: "ended", wish: null, endedAt: 4 });
    expect([readRuns(store, "open").length, readRuns(store, "ended").length]).toEqual([0, 1]);
    expect(eventsAfter(store, seq)).toMatchObject([
      { kind: "run-wish", wish: "pause", at: 2 },
      { kind: "run-ended", ...counts },
    ]);
    reopenRun(store, "r1");
    expect(readRun(store, "r1")).toMatchObject({ state: "open", endedAt: null });
    markLanded(store, 7, "r1", "main", "c1");
    expect(readRun(store, "r1")).toMatchObject({ landedAt: 7 });
    setRunOptions(store, "r1", { ...SAMPLE_OPTIONS, retries: 9 });
    expect(readRun(store, "r1")!.options.retries).toBe(9);
  });
});

test("what is done is found by its key in every run, the newest first", () => {
  const { store, a } = storeWithRun();
  createRun(store, 2, NEW_RUN, [newTask("a")]);
  expect(findTasks(store, "a").map(({ run }) => run)).toEqual(["r2", "r1"]);
  expect(readDoneTasks(store)).toEqual([]);
  for (const to of ["running", "integrating", "done"] as const)
    moveTask(store, 3, readTask(store, a.id)!, to, { commit: "c1" });
  expect(readDoneTasks(store)).toEqual([{ key: "a", hash: "hash of a", commit: "c1" }]);
});

test("a task that asks for something else is read as such, though equal texts are parsed once", () => {
  const { store, a, b } = storeWithRun();
  replaceSpec(store, b, sampleSpec("b", { title: "New" }), "h2", []);
  expect(readTask(store, b.id)).toMatchObject({ spec: { title: "New" }, hash: "h2", needs: [] });
  expect(readTask(store, a.id)!.spec).toEqual(sampleSpec("a"));
});

test("a task whose attempt was opened meanwhile keeps the text that its agent is given", () => {
  const { store, a } = storeWithRun();
  const seen = readTask(store, a.id)!;
  moveTask(store, 3, seen, "running");
  expect(replaceSpec(store, seen, sampleSpec("a", { title: "New" }), "h2", [])).toBe(false);
  expect(readTask(store, a.id)).toMatchObject({ spec: sampleSpec("a"), hash: "hash of a" });
});

describe("events", () => {
  test("are read from a cursor, in pages, of one run or of all", () => {
    const { store } = storeWithRun();
    createRun(store, 2, NEW_RUN, []);
    appendEvent(store, 3, {}, { kind: "note", text: "of nobody" });
    appendEvent(store, 4, { run: "r1" }, { kind: "note", text: "of r1" });
    expect(kinds(eventsAfter(store, 0))).toEqual(["run-created", "run-created", "note", "note"]);
    expect(eventsAfter(store, 1, { run: "r1" })).toEqual([
      { seq: 4, at: 4, run: "r1", task: null, attempt: null, kind: "note", text: "of r1" },
    ]);
    expect(eventsAfter(store, 1, {}, 2).map(({ seq }) => seq)).toEqual([2, 3]);
    expect([eventsAfter(store, lastSeq(store)), lastSeq(open(newPlace()))]).toEqual([[], 0]);
  });

  test("of another connection are seen, and so is that there are some; own writes are not news", () => {
    const { store, place, a } = storeWithRun();
    const other = open(place);
    const [mine, theirs, seq] = [store.dataVersion(), other.dataVersion(), lastSeq(store)];
    expect(moveTask(store, 2, a, "running")).toBe(true);
    expect(store.dataVersion()).toBe(mine);
    expect(other.dataVersion()).not.toBe(theirs);
    expect(kinds(eventsAfter(other, seq))).toEqual(["task-moved"]);
  });
});

test("the backlog keeps its order, takes a key once, and gives tasks away once", () => {
  const store = open(newPlace());
  const [one, two] = [sampleSpec("one"), sampleSpec("two", { verify: ["npm test"] })];
  expect([addToBacklog(store, 1, two), addToBacklog(store, 2, one), addToBacklog(store, 3, two)]).toEqual([
    true,
    true,
    false,
  ]);
  expect(readBacklog(store)).toEqual([two, one]);
  expect([removeFromBacklog(store, "two"), removeFromBacklog(store, "two")]).toEqual([true, false]);
  expect(readBacklog(store)).toEqual([one]);
});

test("the last holder of the lease is known", () => {
  const store = open(newPlace());
  expect(readHolder(store)).toBeNull();
  recordHolder(store, { pid: 1, bootId: "b", startTime: "t" }, 5);
  recordHolder(store, { pid: 2, bootId: "b", startTime: "t2" }, 6);
  expect(readHolder(store)).toEqual({ pid: 2, bootId: "b", startTime: "t2", since: 6 });
});

describe("opening", () => {
  test("is private to the user, survives a power cut, and keeps what was written", () => {
    const { store, place } = storeWithRun();
    expect(statSync(join(place, "owt", "state.db")).mode & 0o077).toBe(0);
    expect(statSync(join(place, "owt")).mode & 0o077).toBe(0);
    expect(store.get("pragma journal_mode")).toEqual({ journal_mode: "wal" });
    expect(store.get("pragma synchronous")).toEqual({ synchronous: 2 });
    expect(store.get("pragma foreign_keys")).toEqual({ foreign_keys: 1 });
    store.close();
    store.close();
    expect(readTasks(open(place), "r1").map(({ key }) => key)).toEqual(["a", "b"]);
  });

  test("a copied store is refused, until a person adopts it", () => {
    const { store, place } = storeWithRun();
    store.close();
    const copy = join(newPlace(), "copy");
    cpSync(place, copy, { recursive: true });
    const refused = refusalOf(() => openStore(copy));
    expect(refused).toMatchObject({ code: "environment", hint: expect.stringContaining("--adopt-store") as string });
    expect(refused.message).toContain(place);
    adoptStore(copy);
    expect(readRuns(open(copy))).toHaveLength(1);
    expect(readRuns(open(place))).toHaveLength(1);
  });

  test("a store of a newer owt is refused and left as it is", () => {
    const { store, place } = storeWithRun();
    store.close();
    const raw = new DatabaseSync(join(place, "owt", "state.db"));
    onTestFinished(() => raw.close());
    raw.exec(`pragma user_version = ${MIGRATIONS.length + 1}`);
    expect(refusalOf(() => openStore(place))).toMatchObject({
      code: "store",
      message: expect.stringContaining("newer") as string,
    });
    expect(raw.prepare("pragma user_version").get()).toEqual({ user_version: MIGRATIONS.length + 1 });
  });

  test("a store of the first release is opened, and what was used is kept by model", () => {
    const place = newPlace();
    mkdirSync(join(place, "owt"));
    const raw = new DatabaseSync(join(place, "owt", "state.db"));
    raw.exec(MIGRATIONS[0]!);
    raw.exec("pragma user_version = 1");
    raw.exec(`insert into run (id, state, plan_kind, plan_path, target, base, branch, options, created_at)
      values ('r1', 'open', 'markdown', 'p', 'main', 'b', 'owt/runs/r1', '${JSON.stringify(SAMPLE_OPTIONS)}', 0)`);
    raw.exec(`insert into task (id, run, key, ord, state, spec, hash, needs, next)
      values (1, 'r1', 'a', 0, 'done', '${JSON.stringify(sampleSpec("a"))}', 'h', '[]', '{"kind":"fresh"}')`);
    const attempt = (number: number, usage: string) =>
      raw.exec(`insert into attempt (run, task, number, phase, agent, session, base, branch, worktree, usage, started_at)
        values ('r1', 1, ${number}, 'closed', 'claude', 's', 'b', 'x', '/w', ${usage}, 0)`);
    attempt(1, `'{"costUsd":0.25,"inputTokens":1200,"outputTokens":60,"model":"claude-opus-5-5"}'`);
    attempt(2, `'{"costUsd":null,"inputTokens":null,"outputTokens":null,"model":null}'`);
    attempt(3, "null");
    attempt(4, "null");
    raw.exec("insert into event (at, attempt, kind, data) values (0, 3, 'agent-started', '{}')");
    raw.close();
    const opened = open(place);
    const usages = readAttempts(opened, 1).map((each) => each.usage);
    const tokens = { input: 1_200, output: 60, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 };
    expect(usages).toEqual([
      { models: [{ model: "claude-opus-5-5", tokens, costUsd: 0.25, basis: "reported" }], missing: null },
      { models: [{ model: null, tokens: null, costUsd: null, basis: "unknown" }], missing: null },
      { models: [], missing: "a turn of which an earlier owt kept no figures" },
      null,
    ]);
    expect(addUsages(usages)).toMatchObject({ usd: 0.25, isAtLeast: true });
    // Only the third is known to have had an agent, and what that was told is taken to be the text there is.
    expect(readAttempts(opened, 1).map((each) => each.given)).toEqual([null, null, "h", null]);
    expect(readTask(opened, 1)!.answers).toEqual([]);
  });

  test("a file that is no store is said, not overwritten", () => {
    const place = newPlace();
    mkdirSync(join(place, "owt", "state.db"), { recursive: true });
    expect(refusalOf(() => openStore(place))).toMatchObject({ code: "store" });
  });

  test("processes that open a new store at the same time all get it, migrated once", async () => {
    const program = `
      import { readFileSync } from "node:fs";
      import { openStore } from ${JSON.stringify(new URL("database.ts", import.meta.url).href)};
      process.stderr.write("ready");
      readFileSync(0);
      const store = openStore(process.argv[1]);
      process.stdout.write(String(store.get("pragma user_version").user_version));
      store.close();
    `;
    for (let round = 0; round < 3; round++) {
      const place = newPlace();
      const runs = Array.from({ length: 4 }, () =>
        promisify(execFile)(process.execPath, ["--input-type=module", "-e", program, place]),
      );
      await Promise.all(runs.map(({ child }) => once(child.stderr!, "data")));
      for (const { child } of runs) child.stdin!.end();
      const said = await Promise.all(runs);
      expect(said.map(({ stdout }) => stdout)).toEqual(said.map(() => String(MIGRATIONS.length)));
      expect(createRun(open(place), 1, NEW_RUN, [newTask("a")]).id).toBe("r1");
    }
  });
});

describe("numbers", () => {
  test("begin beyond what was taken, are never lowered, and then count on", () => {
    const { store, run } = storeWithRun();
    expect([run.id, nextRunNumber(store), nextAttemptId(store), readTakenIds(store)]).toEqual(["r1", 2, 1, null]);
    raiseTakenIds(store, { runs: 7, attempts: 41 });
    raiseTakenIds(store, { runs: 3, attempts: 99 });
    raiseTakenIds(store, { runs: 9, attempts: 10 });
    expect([nextRunNumber(store), nextAttemptId(store), readTakenIds(store)]).toEqual([
      10,
      100,
      { runs: 9, attempts: 99 },
    ]);
  });
});

describe("the file of a store", () => {
  test("that does not fit on the disk says so, and what to do", () => {
    const store = open(newPlace());
    store.get("pragma max_page_count = 1");
    const fill = () => {
      for (let at = 0; at < 10_000; at++) appendEvent(store, at, {}, { kind: "note", text: "x".repeat(1_000) });
    };
    expect(fill).toThrow(
      expect.objectContaining({ code: "disk-full", message: expect.stringContaining("the disk is full") }),
    );
  });

  test("that only somebody looks for is not made", () => {
    const place = newPlace();
    const store = openStore(place, { looks: true });
    expect(store.all("select * from run")).toEqual([]);
    store.close();
    expect(readdirSync(place)).toEqual([]);
  });

  test("that is damaged is found to be, and is moved away with its journal", () => {
    const place = newPlace();
    open(place).close();
    expect(findDamage(place)).toBeNull();
    writeFileSync(storeFile(place), Buffer.alloc(8_192, 1));
    expect(findDamage(place)).toContain("not a database");
    expect(() => openStore(place)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("owt doctor --fix") }),
    );
    writeFileSync(`${storeFile(place)}-wal`, "journal");
    const aside = setStoreAside(place, 0)!;
    expect(readdirSync(join(place, "owt"))).toEqual(
      expect.arrayContaining([basename(aside), `${basename(aside)}-wal`]),
    );
    expect(findDamage(place)).toBeNull();
    expect(readRuns(open(place))).toEqual([]);
  });
});

test("what is read of a run's waiting: moves, reviews and merges, and the last word before each time that it was taken up", () => {
  const { store, run, a } = storeWithRun();
  const about = { run: run.id, task: a.id, attempt: 1 };
  const carried = { kind: "run-carried", pid: 1 } as const;
  appendEvent(store, 2, { run: run.id }, carried);
  moveTask(store, 3, a, "running");
  for (const phase of ["setup", "agent", "review", "collect", "merge", "tidy"] as const)
    appendEvent(store, 4, about, { kind: "attempt-phase", phase });
  appendEvent(store, 5, about, { kind: "agent-started", adopted: false });
  appendEvent(store, 6, about, { kind: "verify-started", command: "true", where: "task" });
  appendEvent(store, 7, { run: run.id }, { kind: "note", text: "steered while nobody carried it" });
  appendEvent(store, 9, { run: run.id }, carried);
  appendEvent(store, 10, { run: "r9" }, { kind: "note", text: "of another run" });
  appendEvent(store, 11, about, { kind: "agent-started", adopted: true });
  appendEvent(store, 12, about, { kind: "agent-started", adopted: true });
  expect(readWaitingEvents(store, run.id).map(({ at, kind }) => [at, kind])).toEqual([
    [1, "run-created"],
    [2, "run-carried"],
    [3, "task-moved"],
    [4, "attempt-phase"],
    [4, "attempt-phase"],
    [4, "attempt-phase"],
    [6, "verify-started"],
    [9, "run-carried"],
    [12, "agent-started"],
  ]);
});

test("since when something waits does not change when it is written down again, or when something else happens to it", () => {
  const { store, run, a } = storeWithRun();
  const about = { run: run.id };
  expect([readWaitsSince(store, a.id), readHeldSince(store, run.id), readShortSince(store, "worktrees")]).toEqual([
    null,
    null,
    null,
  ]);
  const short = (of: "disk" | "worktrees" | null, isFirst = true) =>
    ({ kind: "run-short", of, why: "", isFirst }) as const;
  const held = (by: "day" | null): Fact => ({ kind: "run-held", by, tasks: [] });
  appendEvent(store, 10, about, short("disk"));
  appendEvent(store, 20, about, short("worktrees"));
  appendEvent(store, 30, about, held("day"));
  appendEvent(store, 40, about, held(null));
  appendEvent(store, 50, about, held("day"));
  const parked: Fact = { kind: "task-parked", park: { for: "answer", question: "?" }, notBefore: null };
  appendEvent(store, 60, { ...about, task: a.id }, parked);
  // Somebody takes the run up again.
  appendEvent(store, 70, about, short("worktrees", false));
  appendEvent(store, 80, about, held("day"));
  appendEvent(store, 90, { ...about, task: a.id }, { kind: "note", text: "its worktree was tidied" });
  const since = [readWaitsSince(store, a.id), readHeldSince(store, run.id), readShortSince(store, "worktrees")];
  expect(since).toEqual([60, 50, 20]);
  expect(readShortSince(store, "disk")).toBeNull();
});
