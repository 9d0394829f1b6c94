/** The governor of usage limits. What one agent of a credential met holds all of them, in all open runs and over restarts; at the reset one
 *  attempt goes first, and once its API has answered all go on. */
import type { Attempt } from "../core/attempt.ts";
import {
  awaySince,
  ELSEWHERE,
  holds,
  keyOf,
  limitedName,
  type LimitedModel,
  type LimitHold,
  longest,
  mayTry,
  meetLimit,
  type UsageLimit,
  waitOn,
} from "../core/limit.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Task } from "../core/task.ts";
import { few } from "../lib/few.ts";
import { readAttempt } from "../store/attempts.ts";
import { appendEvent } from "../store/events.ts";
import { readLimit, readLimits, removeLimit, writeLimit } from "../store/limits.ts";
import { readRuns } from "../store/runs.ts";
import { changeTask, readTask, readTasks } from "../store/tasks.ts";
import { credentialOf } from "./credentials.ts";
import type { Engine } from "./engine.ts";

/** Takes in what an attempt met; gives the limit as it stands now. Within a transaction of the caller's. */
export function noteLimit(engine: Engine, attempt: Attempt, { resetsAt, model }: Met): UsageLimit {
  const by = { credential: credentialOf(engine, attempt.agent), agent: attempt.agent };
  const before = readLimit(engine.store, keyOf(model === undefined ? by : { ...by, model: asDefault(model, false) }));
  const isDefault = attempt.model === null || before?.model?.isDefault === true;
  const whose = model === undefined ? by : { ...by, model: asDefault(model, isDefault) };
  const limit = meetLimit(before, whose, resetsAt, engine.now(), engine.chance());
  writeLimit(engine.store, limit);
  return limit;
}

type Met = Pick<Extract<Outcome, { kind: "limit" }>, "resetsAt" | "model">;

const asDefault = (family: string, isDefault: boolean): LimitedModel => ({ family, isDefault });

/** An attempt of a limited credential that begins behind its reset is the one that tries it. Within the transaction that opens it. */
export function noteProbe(engine: Engine, attempt: Attempt): void {
  const limits = readLimits(engine.store);
  if (limits.length === 0) return;
  const credential = credentialOf(engine, attempt.agent);
  for (const limit of limits.filter((each) => holds(each, credential, attempt.model)))
    if (mayTry(limit, engine.now())) writeLimit(engine.store, { ...limit, probe: attempt.id });
}

/** Whether an attempt is the one whose answer says that a limit is over. */
export function isProbe(engine: Engine, attempt: Attempt): boolean {
  return triedBy(engine, attempt).length > 0;
}

/** Its API has answered: the limit is over, and whatever waited for it goes on. */
export function passLimit(engine: Engine, attempt: Attempt): void {
  engine.store.transaction(() => endLimits(engine, attempt, triedBy(engine, attempt)));
}

/** Ends limits of which an attempt has shown that they are over. Within a transaction of the caller's. */
export function endLimits(engine: Engine, attempt: Attempt, limits: readonly UsageLimit[]): void {
  const about = { run: attempt.run, task: attempt.task, attempt: attempt.id };
  for (const limit of limits) {
    const text = `${describeOver(limit)}${describeFreed(lift(engine, limit))}`;
    appendEvent(engine.store, engine.now(), about, { kind: "note", text });
  }
}

/** Ends a limit of which a run of another repository has shown that it is over. Within a transaction of the caller's. */
export function endElsewhere(engine: Engine, limit: UsageLimit): void {
  const freed = lift(engine, limit);
  for (const { id: run } of readRuns(engine.store, "open")) {
    const own = describeFreed(freed.filter((task) => task.run === run));
    const text = `${describeOver(limit)}, as another repository found${own}`;
    appendEvent(engine.store, engine.now(), { run }, { kind: "note", text });
  }
}

/** Holds nobody any more; gives the tasks that go on. */
function lift(engine: Engine, limit: UsageLimit): Task[] {
  removeLimit(engine.store, limit);
  const freed = heldBy(engine, limit);
  for (const task of freed) changeTask(engine.store, task.id, { park: null, notBefore: null });
  return freed;
}

function describeOver(limit: UsageLimit): string {
  if (limit.outage !== undefined) return `the API of ${limit.agent} answers again`;
  return `the usage limit of ${limitedName(limit)} is over`;
}

function describeFreed(freed: readonly Task[]): string {
  return freed.length === 0 ? "" : `; what waited goes on: ${few(freed.map(({ key }) => key))}`;
}

/** Outcomes behind which an API has answered, limit or no limit. */
const ANSWERED = new Set<Outcome["kind"]>(["ok", "asked", "denied", "turns", "budget", "nothing_done", "conflict"]);
/** A refusal is an answer of an API that is there. */
const REFUSED = new Set<Outcome["kind"]>(["limit", "auth", "billing"]);

/** What the end of an attempt says about the limit that it tried: that it is over, or nothing, and then another one tries. Of one that met it
 *  again {@link noteLimit} has been told. */
export function settleProbe(engine: Engine, attempt: Attempt, outcome: Outcome): void {
  const tried = triedBy(engine, attempt);
  const isOver = ({ outage }: UsageLimit) =>
    ANSWERED.has(outcome.kind) || (outage !== undefined && REFUSED.has(outcome.kind));
  endLimits(engine, attempt, tried.filter(isOver));
  if (outcome.kind === "limit") return;
  for (const limit of tried) if (!isOver(limit)) writeLimit(engine.store, waitOn(limit));
}

/** A person says that it is worth a try now. */
export function tryNow(engine: Engine, key: string): void {
  const limit = readLimit(engine.store, key);
  if (limit) writeLimit(engine.store, { ...limit, until: Math.min(limit.until, engine.now()) });
}

/** What keeps back the tasks of an agent and a model, which is asked for where that matters; null where nothing does. Null itself where there is no limit
 *  at all. */
export type Holding = ((agent: string, model: () => string | null) => LimitHold | null) | null;

/** What keeps agents back now. */
export function readHolding(engine: Engine): Holding {
  const limits = readLimits(engine.store);
  if (limits.length === 0) return null;
  const tried = limits.map((limit) => ({
    ...limit,
    agent: limitedName(limit),
    probe: probeOf(engine, limit),
    awaySince: awaySince(limit),
  }));
  const isOfModels = limits.some(({ model }) => model !== undefined);
  const known = new Map<string, string>();
  return (agent, model) => {
    const credential = known.get(agent) ?? credentialOf(engine, agent);
    known.set(agent, credential);
    const taken = isOfModels ? model() : null;
    return longest(
      tried.filter((limit) => holds(limit, credential, taken)),
      engine.now(),
    );
  };
}

/** The earliest moment at which a limit is tried; null where none holds anything, or one is being tried. */
export function nextProbe(engine: Engine): number | null {
  const waiting = readLimits(engine.store).filter(({ probe }) => probe === null);
  return waiting.length === 0 ? null : Math.min(...waiting.map(({ until }) => until));
}

/** The task that tries it, or whose it is; null where its attempt is over: whoever carried it died with it. */
export function probeOf(engine: Engine, limit: UsageLimit): string | null {
  if (limit.probe === ELSEWHERE) return "another repository";
  const attempt = limit.probe === null ? null : readAttempt(engine.store, limit.probe);
  const isOpen = attempt !== null && attempt.outcome === null && attempt.phase !== "closed";
  return isOpen ? (readTask(engine.store, attempt.task)?.key ?? null) : null;
}

/** The limits that an attempt tries. */
function triedBy(engine: Engine, attempt: Attempt): UsageLimit[] {
  return readLimits(engine.store).filter(({ probe }) => probe === attempt.id);
}

/** Has those that were parked by a limit wait until then. Within a transaction of the caller's, or by itself. */
export function holdUntil(engine: Engine, limit: UsageLimit, until: number): void {
  for (const { id, park } of heldBy(engine, limit))
    if (park?.for === "limit") changeTask(engine.store, id, { park: { ...park, until }, notBefore: until });
}

/** Tasks of open runs that were parked by this limit. */
export function heldBy(engine: Engine, limit: UsageLimit): Task[] {
  const tasks = readRuns(engine.store, "open").flatMap((run) => readTasks(engine.store, run.id));
  return tasks.filter(
    ({ state, park }) => state === "pending" && park?.for === "limit" && park.credential === keyOf(limit),
  );
}
