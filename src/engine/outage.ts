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
import { changeTask } from "../store/tasks.ts";
import { credentialOf } from "./credentials.ts";
import type { Engine } from "./engine.ts";
import { endLimits, heldBy, probeOf } from "./governor.ts";

/** When an agent was last answered, and since when its API has failed it without a word (`performance.now()`). */
type Heard = { credential: string; answeredAt: number; failingSince: number | null };

/** By attempt: what this process saw itself. Where it was started anew, what was heard before tells nothing any more. */
const heard = new MapPer<Store, number, Heard>();
/** So long what was heard can still say something. */
const KEPT_MS = 600_000;
/** Of who was not seen failing nobody knows since when it did. */
const UNSEEN_MS = 10_000;
/** So often in a row a task whose agent gets somewhere each time is excused. */
const MOST_BROKEN_OFF = 3;

/** Takes in that an agent was answered, or that its API failed it. Whoever is answered shows that there is no outage. */
export function hear(engine: Engine, attempt: Attempt, what: "answer" | "failure"): void {
  const now = performance.now();
  const all = heard.of(engine.store);
  const credential = credentialOf(engine, attempt.agent);
  const before = all.get(attempt.id) ?? { credential, answeredAt: -Infinity, failingSince: null };
  for (const [id, { answeredAt, failingSince }] of all)
    if (now - Math.max(answeredAt, failingSince ?? -Infinity) > KEPT_MS) all.delete(id);
  if (what === "failure") all.set(attempt.id, { ...before, failingSince: before.failingSince ?? now });
  else {
    all.set(attempt.id, { credential, answeredAt: now, failingSince: null });
    const isThat = (limit: UsageLimit) => limit.outage !== undefined && limit.credential === credential;
    if (readLimits(engine.store).some(isThat))
      engine.store.transaction(() => endLimits(engine, attempt, readLimits(engine.store).filter(isThat)));
  }
}

/** The outage that an attempt met, as it stands now; null where what it met is its own affair. Within the transaction that ends it. */
export function noteOutage(engine: Engine, attempt: Attempt, outcome: Outcome): UsageLimit | null {
  if (outcome.kind !== "transient" || othersAnswered(engine, attempt) || isItsOwn(engine, attempt)) return null;
  const by = { credential: credentialOf(engine, attempt.agent), agent: attempt.agent };
  const before = readLimit(engine.store, keyOf({ ...by, outage: "" }));
  const isTry = before === null || before.probe === attempt.id || probeOf(engine, before) === null;
  const met = { reason: outcome.reason, isTry, firstMs: parseDuration(engine.config.run.restart_pause) ?? 0 };
  const outage = meetOutage(before, by, met, engine.now(), engine.chance());
  writeLimit(engine.store, outage);
  // Who met it before waits for the same try.
  for (const task of heldBy(engine, outage)) {
    if (task.park?.for !== "limit") continue;
    changeTask(engine.store, task.id, { park: { ...task.park, until: outage.until }, notBefore: outage.until });
  }
  return outage;
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

/** Whether its API fails it each time when it has got somewhere: then it may be what it asks for. */
function isItsOwn(engine: Engine, { id, task, number }: Attempt): boolean {
  const attempts = readAttempts(engine.store, task).filter((each) => each.number <= number);
  const hasWorked = ({ usage }: Attempt) => usage !== null && usage.models.length > 0;
  const other = attempts.findLastIndex((each) => each.id !== id && each.outcome?.kind !== "transient");
  const row = attempts.slice(other + 1);
  return row.some((each) => each.id === id && hasWorked(each)) && row.filter(hasWorked).length > MOST_BROKEN_OFF;
}
