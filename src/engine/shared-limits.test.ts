import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { sampleRun, sampleSpec } from "../../test/rig/samples.ts";
import type { Attempt } from "../core/attempt.ts";
import { mergeConfig } from "../core/config.ts";
import { ELSEWHERE, keyOf, type UsageLimit } from "../core/limit.ts";
import { sharedKeyOf } from "../core/shared-limit.ts";
import { endAttempt, moveAttempt, openAttempt } from "../store/attempts.ts";
import { openStore } from "../store/database.ts";
import { appendEvent, eventsAfter } from "../store/events.ts";
import { readLimits, writeLimit } from "../store/limits.ts";
import { createRun, readRuns } from "../store/runs.ts";
import { claimTry, openSharedLimits, readSharedLimits, readTry, tellMet } from "../store/shared-limits.ts";
import { changeTask, readTasks } from "../store/tasks.ts";
import { readIdentity, thisProcess } from "../system/identity.ts";
import { credentialOf, sharedLoginOf } from "./credentials.ts";
import type { Engine } from "./engine.ts";
import { endLimits } from "./governor.ts";
import { hear } from "./outage.ts";
import { hearLimits, isFirstToTry, shareLimits } from "./shared-limits.ts";

const NOW = 1_800_000_000_000;
const HOUR_MS = 3_600_000;

/** The state folder of a user, and the file that their repositories share. */
function user(): { state: string; file: string } {
  const state = realpathSync(mkdtempSync(join(tmpdir(), "owt-user-")));
  onTestFinished(() => rmSync(state, { recursive: true, force: true }));
  return { state, file: join(state, "open-orchestrator", "limits.db") };
}

type Carrier = { engine: Engine; clock: { at: number }; woken: () => number };

/** Whoever carries a run of one task in a repository of its own. */
function carrier(state: string, token = "one", before: (engine: Engine) => void = () => {}): Carrier {
  const place = realpathSync(mkdtempSync(join(tmpdir(), "owt-shares-")));
  const store = openStore(place);
  const clock = { at: NOW };
  const engine = {
    repo: { commonDir: place, root: place },
    store,
    config: mergeConfig([]),
    owtCommand: ["owt"],
    env: { HOME: place, XDG_STATE_HOME: state, CLAUDE_CODE_OAUTH_TOKEN: token },
    now: () => clock.at,
    chance: () => 0,
  } as unknown as Engine;
  const { options } = sampleRun();
  const about = { planKind: "markdown" as const, planPath: "p", target: "main", base: "b0", buildsOn: null, options };
  createRun(store, NOW, about, [{ spec: sampleSpec("a"), hash: "h", needs: [] }]);
  before(engine);
  let woken = 0;
  const fail = (error: unknown) => {
    throw error;
  };
  const shared = shareLimits(engine, () => woken++, fail);
  onTestFinished(() => {
    shared.close();
    store.close();
    rmSync(place, { recursive: true, force: true });
  });
  return { engine, clock, woken: () => woken };
}

function limitOf({ engine }: Pick<Carrier, "engine">, change: Partial<UsageLimit> = {}): UsageLimit {
  const by = { credential: credentialOf(engine, "claude"), agent: "claude" };
  return { ...by, until: NOW + HOUR_MS, isGuess: false, guesses: 0, since: NOW, probe: null, ...change };
}

const attemptOf = (engine: Engine) => ({ id: 1, run: runOf(engine), task: 1, agent: "claude" }) as Attempt;

function runOf({ store }: Engine): string {
  return readRuns(store, "open")[0]!.id;
}

/** Has it looked, as something that was written down does. */
function look({ engine }: Pick<Carrier, "engine">): void {
  appendEvent(engine.store, NOW, { run: runOf(engine) }, { kind: "note", text: "something" });
}

function meet(one: Carrier, change: Partial<UsageLimit> = {}): void {
  writeLimit(one.engine.store, limitOf(one, change));
  look(one);
}

function pass({ engine }: Carrier): void {
  engine.store.transaction(() => endLimits(engine, attemptOf(engine), readLimits(engine.store)));
}

function notes({ engine }: Carrier): string[] {
  return eventsAfter(engine.store, 0).flatMap((fact) =>
    fact.kind === "note" && fact.text !== "something" ? [fact.text] : [],
  );
}

/** Another process with the same login, which tries a limit until it is ended. */
async function tries(file: string, { engine }: Carrier): Promise<() => Promise<void>> {
  const child = spawn("sleep", ["600"]);
  await once(child, "spawn");
  const end = async () => {
    const gone = once(child, "exit");
    if (child.kill("SIGKILL")) await gone;
  };
  onTestFinished(end);
  const shared = openSharedLimits(file);
  const limit = limitOf({ engine });
  const key = sharedKeyOf(sharedLoginOf(engine, "claude")!, limit);
  const revision = readSharedLimits(shared).at(-1)?.revision ?? 0;
  expect(claimTry(shared, key, { me: readIdentity(child.pid!)!, limit, revision, isReady: false }, NOW)).toBe("ours");
  shared.close();
  return end;
}

test("what one met holds the other until the first has found that it is over; what waited goes on", () => {
  const { state } = user();
  const [one, other, stranger] = [carrier(state), carrier(state), carrier(state, "two")];
  meet(one);
  for (const each of [other, stranger]) hearLimits(each.engine);
  expect(readLimits(other.engine.store)).toEqual([limitOf(other)]);
  expect(notes(other)).toEqual([expect.stringContaining("another repository met a usage limit of claude")]);
  expect(other.woken()).toBe(1);
  // One's own word is no news.
  hearLimits(one.engine);
  look(one);
  expect([one.woken(), notes(one)]).toEqual([0, []]);
  expect(readLimits(stranger.engine.store)).toEqual([]);

  const task = readTasks(other.engine.store, runOf(other.engine))[0]!;
  const credential = keyOf(limitOf(other));
  const park = { for: "limit" as const, until: NOW + HOUR_MS, credential };
  changeTask(other.engine.store, task.id, { park, notBefore: NOW + HOUR_MS });
  pass(one);
  hearLimits(other.engine);
  expect(readLimits(other.engine.store)).toEqual([]);
  expect(readTasks(other.engine.store, task.run)[0]).toMatchObject({ park: null, notBefore: null });
  expect(notes(other).at(-1)).toBe(
    "the usage limit of claude is over, as another repository found; what waited goes on: a",
  );
});

test("a limit of one model holds that model alone, there too", () => {
  const { state } = user();
  const [one, other] = [carrier(state), carrier(state)];
  const model = { family: "opus", isDefault: false };
  meet(one, { model });
  hearLimits(other.engine);
  expect(readLimits(other.engine.store)).toEqual([limitOf(other, { model })]);
});

test("who begins later heeds what stands, and not what nobody has tried for an hour", () => {
  const { state } = user();
  meet(carrier(state));
  const late = carrier(state);
  expect(readLimits(late.engine.store)).toEqual([limitOf(late)]);
  const { state: elsewhere } = user();
  meet(carrier(elsewhere), { until: NOW - HOUR_MS });
  expect(readLimits(carrier(elsewhere).engine.store)).toEqual([]);
});

test("who was not there when a limit was over hears of it, but not of one that was over before it was met", () => {
  const { state } = user();
  const one = carrier(state);
  meet(one);
  one.clock.at = NOW + 1_000;
  pass(one);
  const met = (since: number) =>
    carrier(state, "one", (engine) => writeLimit(engine.store, limitOf({ engine }, { since }))).engine.store;
  expect(readLimits(met(NOW))).toEqual([]);
  expect(readLimits(met(NOW + 2_000))).toHaveLength(1);
});

test("what was met anew stays, though an older word says that it is over", () => {
  const { state } = user();
  const [one, other] = [carrier(state), carrier(state)];
  meet(one);
  hearLimits(other.engine);
  pass(one);
  // Both before either has looked.
  meet(other, { until: NOW + 2 * HOUR_MS });
  hearLimits(one.engine);
  for (const each of [one, other]) expect(readLimits(each.engine.store)[0]?.until).toBe(NOW + 2 * HOUR_MS);
});

test("while another one tries it nobody here does; where that dies we do", async () => {
  const { state, file } = user();
  const one = carrier(state);
  const due = limitOf(one, { until: NOW - 1 });
  meet(one, due);
  const end = await tries(file, one);
  expect(isFirstToTry(one.engine, [due], false)).toBe(false);
  expect(readLimits(one.engine.store)[0]?.probe).toBe(ELSEWHERE);
  await end();
  look(one);
  expect(readLimits(one.engine.store)[0]?.probe).toBeNull();
  expect(one.woken()).toBeGreaterThan(0);
  expect(isFirstToTry(one.engine, [due], false)).toBe(true);
});

test("who carries a try on says so from its launch until its end; a place that is made ready holds nobody", async () => {
  const { state, file } = user();
  const one = carrier(state);
  const { store } = one.engine;
  meet(one, { until: NOW - 1 });
  const end = await tries(file, one);
  await end();
  const run = runOf(one.engine);
  const opened = openAttempt(store, NOW, {
    run,
    task: readTasks(store, run)[0]!.id,
    continues: null,
    phase: "setup",
    agent: "claude",
    model: null,
    session: "s1",
    base: "b0",
    place: () => ({ branch: "b", worktree: "w" }),
  });
  writeLimit(store, limitOf(one, { until: NOW - 1, probe: opened.id }));
  const shared = openSharedLimits(file);
  onTestFinished(() => shared.close());
  const key = sharedKeyOf(sharedLoginOf(one.engine, "claude")!, limitOf(one));
  const whose = () => {
    look(one);
    return readTry(shared, key, thisProcess());
  };
  expect(whose()).toBeNull();
  moveAttempt(store, NOW, opened, "agent");
  expect(whose()).toBe("ours");
  endAttempt(store, NOW, opened, { kind: "stopped" });
  expect(whose()).toBeNull();
});

test("a try elsewhere that an earlier owt saw holds nobody any more", () => {
  const { state } = user();
  const one = carrier(state, "one", (engine) => writeLimit(engine.store, limitOf({ engine }, { probe: ELSEWHERE })));
  expect(readLimits(one.engine.store)[0]?.probe).toBeNull();
});

test("where what is shared cannot be read any more, nothing holds but what was met, and it is told once", async () => {
  const { state, file } = user();
  const one = carrier(state);
  const due = limitOf(one, { until: NOW - 1 });
  meet(one, due);
  await tries(file, one);
  expect(isFirstToTry(one.engine, [due], false)).toBe(false);
  for (const each of [file, `${file}-wal`, `${file}-shm`]) rmSync(each, { force: true });
  writeFileSync(file, "x".repeat(8_192));
  look(one);
  look(one);
  expect(readLimits(one.engine.store)).toEqual([due]);
  expect(isFirstToTry(one.engine, [due], false)).toBe(true);
  expect(notes(one)).toEqual([
    expect.stringMatching(/^usage limits are not shared with other repositories: .*damaged/),
  ]);
});

test("where it was deleted the next word makes it anew", () => {
  const { state, file } = user();
  const [one, other] = [carrier(state), carrier(state)];
  meet(one);
  hearLimits(other.engine);
  for (const each of [file, `${file}-wal`, `${file}-shm`]) rmSync(each, { force: true });
  meet(one, { until: NOW + 2 * HOUR_MS });
  hearLimits(other.engine);
  expect(readLimits(other.engine.store)[0]?.until).toBe(NOW + 2 * HOUR_MS);
});

test("nothing is made where no limit was met, or one of a program whose login is its own business", () => {
  const { state, file } = user();
  const one = carrier(state);
  look(one);
  writeLimit(one.engine.store, { ...limitOf(one), credential: "demo demo", agent: "demo" });
  look(one);
  expect(isFirstToTry(one.engine, readLimits(one.engine.store), false)).toBe(true);
  expect(existsSync(file)).toBe(false);
});

test("an outage that was only heard of is over with the word; one that was met here is tried at once, and its pauses stay long", () => {
  const { state } = user();
  const [one, met, heard] = [carrier(state), carrier(state), carrier(state)];
  const outage = { outage: "529 Overloaded", isGuess: true, guesses: 4, until: NOW + 60_000 };
  meet(met, outage);
  for (const each of [one, heard]) hearLimits(each.engine);
  expect(readLimits(heard.engine.store)).toMatchObject([{ outage: "as another repository met it" }]);
  meet(one, { ...outage, until: NOW + 90_000 });
  pass(one);
  for (const each of [met, heard]) hearLimits(each.engine);
  expect(readLimits(heard.engine.store)).toEqual([]);
  expect(readLimits(met.engine.store)).toMatchObject([{ guesses: 4, until: NOW }]);
});

test("an API that answers here is out of reach for the others alone", () => {
  const { state } = user();
  const [one, other] = [carrier(state), carrier(state)];
  hear(other.engine, attemptOf(other.engine), "answer");
  meet(one, { outage: "no network", isGuess: true, guesses: 1 });
  hearLimits(other.engine);
  expect(readLimits(other.engine.store)).toEqual([]);
});

test("who has another login by now goes by their own, whatever is said of the one before", async () => {
  const { state, file } = user();
  const one = carrier(state);
  const due = limitOf(one, { until: NOW - 1 });
  meet(one, due);
  const before = sharedKeyOf(sharedLoginOf(one.engine, "claude")!, due);
  one.engine.env["CLAUDE_CODE_OAUTH_TOKEN"] = "another";
  const shared = openSharedLimits(file);
  onTestFinished(() => shared.close());
  tellMet(shared, before, { ...due, until: NOW + HOUR_MS }, NOW);
  hearLimits(one.engine);
  expect(isFirstToTry(one.engine, [due], false)).toBe(true);
  expect(readLimits(one.engine.store)).toEqual([due]);
});
