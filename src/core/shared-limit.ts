/** What the repositories of one user tell each other of the limits that a login has met. Pure. */
import { type LimitedModel, LONGEST_GUESS_MS, LONGEST_STATED_MS, type UsageLimit } from "./limit.ts";

/** Which limit it is: of a login, by a hash that holds no secret; `family` is that of a window of one model, else empty. */
export type SharedKey = { login: string; kind: "limit" | "outage"; family: string };

/** A limit as it was told last; times in epoch milliseconds. */
export type SharedLimit = SharedKey &
  Pick<UsageLimit, "until" | "isGuess" | "guesses" | "since"> & {
    /** Of the window of one model: whether what names no model is held too. */
    isDefault: boolean;
    seenAt: number;
    /** Since when it is known to be over; null while it is not. */
    overAt: number | null;
    /** Higher with each word about it. */
    revision: number;
  };

/** What tells a limit from the others that repositories share. */
export function sharedKeyOf(login: string, { model, outage }: Pick<UsageLimit, "model" | "outage">): SharedKey {
  return { login, kind: outage === undefined ? "limit" : "outage", family: model?.family ?? "" };
}

/** A limit that another repository told of, for an agent with that login, as it holds here from now on. */
export function limitHeard(
  { kind, family, isDefault, isGuess, guesses, since, seenAt, until }: SharedLimit,
  by: Pick<UsageLimit, "credential" | "agent">,
  now: number,
): UsageLimit {
  const model: LimitedModel | null = family === "" ? null : { family, isDefault };
  const what = { ...(model && { model }), ...(kind === "outage" && { outage: HEARD_OUTAGE }) };
  // What was written ahead of the clock says nothing of when it ends: the longest that is ever guessed is enough.
  const longest = seenAt - now > SET_BACK_MS || isGuess ? LONGEST_GUESS_MS : LONGEST_STATED_MS;
  return { ...by, ...what, until: Math.min(until, now + longest), isGuess, guesses, since, probe: null };
}

/** By less a clock is set now and then without a word. */
const SET_BACK_MS = 60_000;

/** No words of others: they might hold what is nobody's business. */
const HEARD_OUTAGE = "as another repository met it";

/** Whether who knows nothing of a limit has to heed it: one that nobody has tried for so long is no news any more. */
export function isNews({ until, overAt }: SharedLimit, now: number): boolean {
  return overAt === null && now - until < UNTRIED_MS;
}

const UNTRIED_MS = 3_600_000;
