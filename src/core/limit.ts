/** Usage limits, by credential: what one agent met the others would meet too. Pure. */

/** A window of one model: `family` is a part of the names of the models that it counts (`opus`). What names no model is held too where it met it. */
export type LimitedModel = { family: string; isDefault: boolean };

/** A limit that a credential has met and that nobody knows to be over. */
export type UsageLimit = {
  credential: string;
  /** The only model that it holds; without it, all that works with the credential is held. */
  model?: LimitedModel;
  /** The agent that met it, for people. */
  agent: string;
  /** When it is tried whether it is over (epoch ms). */
  until: number;
  /** Nobody said when it ends. */
  isGuess: boolean;
  /** How often it was guessed in a row. */
  guesses: number;
  since: number;
  /** The attempt that tries it; null while nobody does. */
  probe: number | null;
};

/** What keeps a task of a limited credential back: until when; or behind that time, the task that tries whether it is over. */
export type LimitHold = { agent: string; until: number; isGuess: boolean; probe: string | null };

/** A limit as it stands once it was met (again): nobody tries it any more. `resetsAt` is what the provider said (epoch ms), `chance` in [0, 1)
 *  spreads the tries of many machines. */
export function meetLimit(
  before: UsageLimit | null,
  by: Pick<UsageLimit, "credential" | "agent" | "model">,
  resetsAt: number | null,
  now: number,
  chance: number,
): UsageLimit {
  const since = before?.since ?? now;
  const stated = statedReset(resetsAt, now);
  if (stated !== null) {
    // A reset that has long passed must not make it spin.
    const until = Math.max(stated, now + spread(2_000, chance)) + Math.round(chance * jitterMs(stated - now));
    return { ...by, until, isGuess: false, guesses: 0, since, probe: null };
  }
  // What several met at the same time is one limit.
  if (before !== null && before.until > now) return { ...before, probe: null };
  const guesses = before?.guesses ?? 0;
  const until = now + spread(Math.min(LAST_GUESS_MS, 60_000 * 2 ** guesses), chance);
  return { ...by, until, isGuess: true, guesses: guesses + 1, since, probe: null };
}

/** What tells a limit from the others of its credential. */
export function keyOf({ credential, model }: Pick<UsageLimit, "credential" | "model">): string {
  return model === undefined ? credential : `${credential} ${model.family}`;
}

/** What it limits, for people. */
export function limitedName({ agent, model }: Pick<UsageLimit, "agent" | "model">): string {
  return model === undefined ? agent : `${agent} (${model.family})`;
}

/** Whether it holds what works with a credential and a model; null is whichever the agent takes by itself. */
export function holds(limit: Pick<UsageLimit, "credential" | "model">, credential: string, model: string | null) {
  if (limit.credential !== credential) return false;
  if (limit.model === undefined) return true;
  return model === null ? limit.model.isDefault : model.toLowerCase().includes(limit.model.family);
}

/** Of several that hold something the one that holds it longest: one that may not be tried yet, then one that is being tried. */
export function longest<T extends Pick<UsageLimit, "until" | "isGuess"> & { probe: unknown }>(
  limits: readonly T[],
  now: number,
): T | null {
  const closed = limits.filter((limit) => !mayTry(limit, now)).toSorted((a, b) => b.until - a.until);
  return closed[0] ?? limits.find(({ probe }) => probe !== null) ?? limits[0] ?? null;
}

/** A limit that names no reset is tried after 1, 2, 4 … 30 minutes. */
const LAST_GUESS_MS = 1_800_000;

/** The longest that is ever guessed, in milliseconds, with its spread. */
export const LONGEST_GUESS_MS = 2_250_000;

/** The longest that a limit waits for a reset that was stated, in milliseconds: a week, which is the longest window there is, and a day for a clock
 *  that is wrong. */
export const LONGEST_STATED_MS = 8 * 86_400_000;

/** Whether it may be tried. One that lies further ahead than any was written before the clock was set back. */
export function mayTry({ until, isGuess }: Pick<UsageLimit, "until" | "isGuess">, now: number): boolean {
  return until <= now || until - now > (isGuess ? LONGEST_GUESS_MS : LONGEST_STATED_MS);
}

/** The agent that takes a task now: the one that was chosen, or while a limit holds it, the first along its line of fall-overs that none holds. The
 *  chosen one, which then waits, where all are held. */
export function findFree(
  chosen: string,
  fallOver: (agent: string) => string | undefined,
  isHeld: (agent: string) => boolean,
): string {
  const seen = new Set<string>();
  for (let agent: string | undefined = chosen; agent !== undefined && !seen.has(agent); agent = fallOver(agent)) {
    if (!isHeld(agent)) return agent;
    seen.add(agent);
  }
  return chosen;
}

/** By a quarter either way. */
function spread(ms: number, chance: number): number {
  return Math.round(ms * (0.75 + chance / 2));
}

/** A fiftieth of the wait, a minute at most. */
function jitterMs(wait: number): number {
  return Math.min(LONGEST_JITTER_MS, Math.max(0, wait) / 50);
}

const LONGEST_JITTER_MS = 60_000;

function statedReset(resetsAt: number | null, now: number): number | null {
  if (resetsAt === null || resetsAt <= now - STALE_RESET_MS) return null;
  // With its jitter it is still within what is waited for.
  return resetsAt - now < LONGEST_STATED_MS - LONGEST_JITTER_MS ? resetsAt : null;
}

/** A reset that lies further back is no word about this limit: a wrong clock, an old answer. */
const STALE_RESET_MS = 60_000;
