/** An API that cannot be reached: overloaded, failing, or with nothing but a broken network before it. What one agent of a credential meets so holds all of
 *  them, as a usage limit does, unless others get their answers meanwhile. */
import type { Attempt } from "../core/attempt.ts";
import { awaySince, describeOutage, keyOf, meetOutage, type UsageLimit } from "../core/limit.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Answer } from "../core/task-answer.ts";
import { parseDuration } from "../lib/duration.ts";
import { MapPer } from "../lib/map-per.ts";
import { readAttempts } from "../store/attempts.ts";
import type { Store } from "../store/database.ts";
import { readLimit, readLimits, writeLimit } from "../store/limits.ts";
import { readRuns } from "../store/runs.ts";
import { readTask, readTasks } from "../store/tasks.ts";
import { credentialOf } from "./credentials.ts";
import type { Engine } from "./engine.ts";
import { endLimits, heldBy, holdUntil, probeOf } from "./governor.ts";

/** When an agent was last answered, and since when its API has failed it without a word (`performance.now()`). */
type Heard = { task: number; credential: string; answeredAt: number; failingSince: number | null };

/** By attempt: what this process saw itself. Where it was started anew, what was heard before tells nothing any more. */
const heard = new MapPer<Store, number, Heard>();
/** So long what was heard can still say something. */
const KEPT_MS = 600_000;
/** Of who was not seen failing nobody knows since when it did. */
const UNSEEN_MS = 10_000;
/** Who began to be failed within this time is failed by the same: an agent asks again for minutes before it gives up. */
const FAILED_LATELY_MS = 300_000;
/** So often in a row a task whose agent gets somewhere each time is excused. */
const MOST_BROKEN_OFF = 3;
/** So often in a row others were answered while a task was not: what it meets when it is alone is its own affair, too. */
const MOST_OWN = 2;
/** So much earlier than those that met an outage those that did not may try whether it is over, at every second try. */
const OTHERS_FIRST_MS = 20_000;

/** Takes in that an agent was answered, or that its API failed it. Whoever is answered shows that there is no outage. */
export function hear(engine: Engine, attempt: Attempt, what: "answer" | "failure"): void {
  const now = performance.now();
  const all = heard.of(engine.store);
  const credential = credentialOf(engine, attempt.agent);
  const before = all.get(attempt.id) ?? { task: attempt.task, credential, answeredAt: -Infinity, failingSince: null };
  for (const [id, { answeredAt, failingSince }] of all)
    if (now - Math.max(answeredAt, failingSince ?? -Infinity) > KEPT_MS) all.delete(id);
  if (what === "failure") all.set(attempt.id, { ...before, failingSince: before.failingSince ?? now });
  else {
    all.set(attempt.id, { ...before, answeredAt: now, failingSince: null });
    const isThat = (limit: UsageLimit) => limit.outage !== undefined && limit.credential === credential;
    if (readLimits(engine.store).some(isThat))
      engine.store.transaction(() => endLimits(engine, attempt, readLimits(engine.store).filter(isThat)));
  }
}

/** The outage that an attempt met, as it stands now; null where what it met is its own affair. Within the transaction that ends it. */
export function noteOutage(engine: Engine, attempt: Attempt, outcome: Outcome): UsageLimit | null {
  if (outcome.kind !== "transient" || othersAnswered(engine, attempt)) return null;
  const by = { credential: credentialOf(engine, attempt.agent), agent: attempt.agent };
  const before = readLimit(engine.store, keyOf({ ...by, outage: "" }));
  if (!othersFail(engine, attempt) && isItsOwn(engine, attempt, before !== null)) return null;
  const isTry = before === null || before.probe === attempt.id || probeOf(engine, before) === null;
  const met = { reason: outcome.reason, isTry, firstMs: parseDuration(engine.config.run.restart_pause) ?? 0 };
  const outage = meetOutage(before, by, met, engine.now(), engine.chance());
  writeLimit(engine.store, outage);
  const until = outage.until + (leavesItToOthers(engine, attempt, outage) ? OTHERS_FIRST_MS : 0);
  // Who met it before waits for the same try.
  holdUntil(engine, outage, until);
  return { ...outage, until };
}

/** Whether somebody who has not met it tries next, where anybody can: of who met it alone nobody knows whether it is not what that asks for. */
function leavesItToOthers(engine: Engine, attempt: Attempt, { guesses }: UsageLimit): boolean {
  if (guesses % 2 === 1) return false;
  const tasks = readRuns(engine.store, "open").flatMap((run) => readTasks(engine.store, run.id));
  return tasks.some(({ id, state, park }) => state === "pending" && park === null && id !== attempt.task);
}

/** An API that stays out of reach; times in epoch milliseconds. */
export type StayingOutage = { agent: string; why: string; since: number; until: number } & Answer;

/** APIs that several tries could not reach and that tasks wait for, with what has it tried at once; oldest first. */
export function readStayingOutages(engine: Engine): StayingOutage[] {
  return readLimits(engine.store)
    .flatMap((limit): StayingOutage[] => {
      const [since, held] = [awaySince(limit), heldBy(engine, limit)[0]];
      if (since === null || held === undefined) return [];
      const { agent, until, outage = "" } = limit;
      const answer = { command: `owt resume ${held.run}`, note: "tries it at once; else it goes on by itself" };
      return [{ agent, why: describeOutage({ agent, reason: outage }, until), since, until, ...answer }];
    })
    .toSorted((a, b) => a.since - b.since);
}

/** Whether others with the same login were answered while its API failed this one: in the later half of that time, for what was under way when an outage
 *  begins comes in still. */
function othersAnswered(engine: Engine, attempt: Attempt): boolean {
  const now = performance.now();
  const all = heard.of(engine.store);
  const failingSince = all.get(attempt.id)?.failingSince ?? null;
  const from = failingSince === null ? now - UNSEEN_MS : (failingSince + now) / 2;
  const credential = credentialOf(engine, attempt.agent);
  return [...all].some(([id, each]) => id !== attempt.id && each.credential === credential && each.answeredAt > from);
}

/** Whether somebody here was answered a moment ago: what another one cannot reach then is its own affair. */
export function wasAnswered(engine: Engine, credential: string): boolean {
  const from = performance.now() - UNSEEN_MS;
  return [...heard.of(engine.store).values()].some((each) => each.credential === credential && each.answeredAt > from);
}

/** Whether the API fails others with the same login as well, or did so a moment ago, and has not answered them since. */
function othersFail(engine: Engine, attempt: Attempt): boolean {
  const credential = credentialOf(engine, attempt.agent);
  const from = performance.now() - FAILED_LATELY_MS;
  return [...heard.of(engine.store).values()].some(
    (each) => each.task !== attempt.task && each.credential === credential && (each.failingSince ?? -Infinity) > from,
  );
}

/** Whether its API fails it each time when it has got somewhere, or has done so while it answered others: then it may be what it asks for. `isOutage`: it is known to be out
 *  of reach. */
function isItsOwn(engine: Engine, { id, task, number }: Attempt, isOutage: boolean): boolean {
  const attempts = readAttempts(engine.store, task).filter((each) => each.number <= number);
  const hasWorked = ({ usage }: Attempt) => usage !== null && usage.models.length > 0;
  const other = attempts.findLastIndex((each) => each.id !== id && each.outcome?.kind !== "transient");
  const row = attempts.slice(other + 1);
  const counted = Math.min(readTask(engine.store, task)!.failures, row.length - 1);
  if (!isOutage && counted >= MOST_OWN) return true;
  return row.some((each) => each.id === id && hasWorked(each)) && row.filter(hasWorked).length > MOST_BROKEN_OFF;
}
