/** What attempts used, as their folders tell it: a store that was restored from an older copy does not know, and budgets would be passed. */
import { statSync } from "node:fs";
import type { Attempt } from "../core/attempt.ts";
import { addUsages, tokensIn, type Usage } from "../core/cost.ts";
import { OwtError } from "../core/errors.ts";
import { readAttempt, readOpenAttempts, setUsage } from "../store/attempts.ts";
import { bookLostUse, readLostUsages } from "../store/catch-up.ts";
import { readLaunch } from "../system/launch.ts";
import { readBegun, workedAsWritten } from "./begun.ts";
import { today } from "./budget.ts";
import { attemptDir, type Engine } from "./engine.ts";
import { listAttemptFolders } from "./taken-ids.ts";
import { outputFiles, Transcript } from "./transcript.ts";

/** What was added to the books, and of how many attempts. */
export type Booked = { attempts: number; usd: number; tokens: number };

/** So long the output of one that still writes is read (ms): its meter goes on with it. */
const READ_MS = 2_000;

/** What the folder of an attempt says that was used; null where it says nothing. */
export async function readUsage(engine: Engine, attempt: Attempt): Promise<Usage | null> {
  const launch = readLaunch(attemptDir(engine, attempt.id));
  if (launch.kind === "unclaimed") return null;
  const isOver = launch.kind !== "alive";
  try {
    const transcript = new Transcript(engine, attempt);
    await (isOver ? transcript.readToEnd() : transcript.read(AbortSignal.timeout(READ_MS)));
    const usage = transcript.books.read(isOver);
    return usage.models.length === 0 ? null : usage;
  } catch (error) {
    // An agent that is not configured any more.
    if (error instanceof OwtError) return null;
    throw error;
  }
}

/** What one usage has more than the one that is on record. */
export function moreThan(before: Usage | null, usage: Usage): Booked | null {
  const [had, has] = [addUsages([before]), addUsages([usage])];
  const usd = (has.usd ?? 0) - (had.usd ?? 0);
  const tokens = tokensIn(has) - tokensIn(had);
  return usd > 0 || tokens > 0 ? { attempts: 1, usd, tokens } : null;
}

export function sum(booked: readonly (Booked | null)[]): Booked {
  const nothing: Booked = { attempts: 0, usd: 0, tokens: 0 };
  return booked.reduce<Booked>(
    (all, each) =>
      each === null
        ? all
        : { attempts: all.attempts + each.attempts, usd: all.usd + each.usd, tokens: all.tokens + each.tokens },
    nothing,
  );
}

/** Brings the attempts that are on record and open up to what their folders say. */
export async function bookOpen(engine: Engine): Promise<Booked> {
  const booked: (Booked | null)[] = [];
  for (const attempt of readOpenAttempts(engine.store)) {
    if (attempt.outcome !== null) continue;
    const usage = await readUsage(engine, attempt);
    const more = usage === null ? null : moreThan(attempt.usage, usage);
    if (usage !== null && more !== null) setUsage(engine.store, attempt.id, usage);
    booked.push(more);
  }
  return sum(booked);
}

/** Books what attempts used today that are on no record: what they were at is lost, but not what they cost. */
export async function bookLost(engine: Engine): Promise<Booked> {
  const known = readLostUsages(engine.store);
  const since = today(engine);
  const booked: (Booked | null)[] = [];
  for (const id of listAttemptFolders(engine.repo)) {
    const at = statSync(outputFiles(engine, id).out, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (at < since || known.has(id) || readAttempt(engine.store, id) !== null) continue;
    const begun = readBegun(engine, id);
    const worked = workedAsWritten(engine, id);
    if (begun === null || worked === null) continue;
    const usage = await readUsage(engine, begun.attempt);
    const { startedAt, run } = begun.attempt;
    const task = startedAt >= since ? `${run} ${begun.key}` : null;
    bookLostUse(engine.store, id, at, { usage: usage ?? NO_USAGE, workedMs: worked.workedMs, task });
    booked.push(usage === null ? null : moreThan(null, usage));
  }
  return sum(booked);
}

const NO_USAGE: Usage = { models: [], missing: null };
