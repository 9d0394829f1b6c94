/** Usage limits, by credential: what one agent met the others would meet too. An API that cannot be reached holds them alike. Pure. */

/** A window of one model: `family` is a part of the names of the models that it counts (`opus`). What names no model is held too where it met it. */
export type LimitedModel = { family: string; isDefault: boolean };

/** A limit that a credential has met and that nobody knows to be over. */
export type UsageLimit = {
  credential: string;
  /** The only model that it holds; without it, all that works with the credential is held. */
  model?: LimitedModel;
  /** It is no limit: the API is overloaded, fails, or is out of reach, in these words. */
  outage?: string;
  /** The agent that met it, for people. */
  agent: string;
  /** When it is tried whether it is over (epoch ms). */
  until: number;
  /** Nobody said when it ends. */
  isGuess: boolean;
  /** How often it was guessed in a row. */
  guesses: number;
  since: number;
  /** The attempt that tries it, or {@link ELSEWHERE}; null while nobody does. */
  probe: number | null;
  /** When it was to be tried before a person had it tried at once (epoch ms): where that is in vain, it is so again. */
  due?: number;
};

/** No attempt of this repository: one of another repository of the same user, with the same login, tries it. */
export const ELSEWHERE = -1;

/** What keeps a task of a limited credential back: until when; or behind that time, the task that tries whether it is over. */
export type LimitHold = Pick<UsageLimit, "agent" | "until" | "isGuess" | "outage"> & {
  probe: string | null;
  /** Since when (epoch ms) the API is out of reach, of an outage that stays; null where it does not yet. */
  awaySince?: number | null;
};

/** An API that cannot be reached: whose, and in its own words why. */
export type Outage = { agent: string; reason: string };

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
  if (before !== null && isEarly(before, now)) return waitOn(before);
  // What several met at the same time is one limit.
  if (before !== null && before.until > now) return { ...before, probe: null };
  const guesses = before?.guesses ?? 0;
  const until = now + spread(Math.min(LAST_GUESS_MS, 60_000 * 2 ** guesses), chance);
  return { ...by, until, isGuess: true, guesses: guesses + 1, since, probe: null };
}

/** An outage as it stands once an attempt met it (again). `isTry`: it is the one that tried whether it is over. `firstMs` is how long is waited before the
 *  first try; each later one waits longer. */
export function meetOutage(
  before: UsageLimit | null,
  by: Pick<UsageLimit, "credential" | "agent">,
  met: { reason: string; isTry: boolean; firstMs: number },
  now: number,
  chance: number,
): UsageLimit {
  const outage = shortReason(met.reason);
  // What several met is one outage; and another one is just trying it.
  const isKnown = before !== null && (before.probe === null ? !mayTry(before, now) : !met.isTry);
  if (isKnown) return { ...before, outage };
  if (before !== null && isEarly(before, now)) return { ...waitOn(before), outage };
  const guesses = before?.guesses ?? 0;
  const wait = Math.max(met.firstMs, OUTAGE_STEPS_MS[Math.min(guesses, OUTAGE_STEPS_MS.length - 1)]!);
  const until = now + Math.round(wait * (1 + chance / 10));
  return { ...by, outage, until, isGuess: true, guesses: guesses + 1, since: before?.since ?? now, probe: null };
}

/** A limit that a person has tried at once, for once. */
export function tryEarly(limit: UsageLimit, now: number): UsageLimit {
  return { ...limit, until: now, probe: null, due: limit.until };
}

/** A limit whose try told nothing of it: nobody tries it any more, and what was tried before its time waits on. */
export function waitOn({ due, ...limit }: UsageLimit): UsageLimit {
  return { ...limit, until: due ?? limit.until, probe: null };
}

/** Whether it is tried before its time. */
function isEarly({ due, isGuess }: UsageLimit, now: number): boolean {
  return due !== undefined && !mayTry({ until: due, isGuess }, now);
}

/** An API that cannot be reached is tried after half a minute, then after 1, 2, 4, 8, 15, 15 … minutes. */
const OUTAGE_STEPS_MS = [30_000, 60_000, 120_000, 240_000, 480_000, 900_000];

/** Since when an outage lasts that has outlasted some tries (epoch ms): a person is told of it. Null where it may be over in a moment. */
export function awaySince({ outage, guesses, since }: UsageLimit): number | null {
  return outage !== undefined && guesses > STAYS_AFTER ? since : null;
}

/** After tries in vain half a minute, one and two minutes from the one before. */
const STAYS_AFTER = 3;

/** Its first sentence, without what says only that it is an error. */
function shortReason(reason: string): string {
  const line = reason
    .trim()
    .split("\n", 1)[0]!
    .replace(/^API Error:\s*/, "");
  const sentence = line.split(/[.:;] /, 1)[0]!.replace(/\.$/, "");
  return sentence.length > 80 ? `${sentence.slice(0, 79)}…` : sentence;
}

/** What an outage is, and until when nobody tries it, for people. */
export function describeOutage({ agent, reason }: Outage, until: number | null): string {
  const next = until === null ? "" : `; next try at ${new Date(until).toISOString()}`;
  return `the API of ${agent} cannot be reached (${reason})${next}`;
}

/** What tells a limit from the others of its credential. */
export function keyOf({ credential, model, outage }: Pick<UsageLimit, "credential" | "model" | "outage">): string {
  if (outage !== undefined) return `${credential} (outage)`;
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
