/** What a limit tells the other repositories of the same user: who works with that login there waits too, one of all tries whether it is over, and what it
 *  finds holds for all. The store of this repository stays what everything here goes by; this only brings words across. Where they cannot be
 *  told, each repository goes by its own. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ELSEWHERE, keyOf, limitedName, mayTry, type UsageLimit } from "../core/limit.ts";
import { isNews, limitHeard, type SharedKey, sharedKeyOf, type SharedLimit } from "../core/shared-limit.ts";
import { readAttempt } from "../store/attempts.ts";
import type { Store } from "../store/database.ts";
import { appendEvent } from "../store/events.ts";
import { readLimit, readLimits, writeLimit } from "../store/limits.ts";
import { readRuns } from "../store/runs.ts";
import {
  claimTry,
  leaveTry,
  openSharedLimits,
  readSharedLimits,
  readTry,
  renewTry,
  tellMet,
  tellOver,
} from "../store/shared-limits.ts";
import { userStateDir } from "../system/config-files.ts";
import { type Identity, thisProcess } from "../system/identity.ts";
import { credentialOf, sharedLoginOf } from "./credentials.ts";
import { type Engine, isAgent, knownAgents } from "./engine.ts";
import { endElsewhere, holdUntil, probeOf } from "./governor.ts";
import { wasAnswered } from "./outage.ts";

/** How often it is looked. */
const LOOK_MS = 1_000;
/** How often who tries a limit says that they still do. */
const RENEW_MS = 10_000;
/** So long the others are left alone where they could not be told something. */
const REST_MS = 60_000;

/** What is known of a limit of ours: under which name others know of it (null: they do not), what was said last, and whether it is only heard of. */
type Known = { key: SharedKey | null; print: string | null; revision: number; isHeard: boolean };

/** What came of a word: what is known of that limit now, and whether anything is otherwise here. */
type Taken = { name: string; known: Known; isChange: boolean };

const sharings = new WeakMap<Engine, Sharing>();

/** Shares limits from now on, for a process that carries runs, until it is closed. `wake` is called where something changed here; what goes wrong here is told to `fail`. */
export function shareLimits(engine: Engine, wake: () => void, fail: (error: unknown) => void): { close(): void } {
  const sharing = new Sharing(engine, wake);
  sharings.set(engine, sharing);
  const look = () => {
    try {
      sharing.look();
    } catch (error) {
      fail(error);
    }
  };
  look();
  const timer = setInterval(look, LOOK_MS).unref();
  const stop = engine.store.onAppend((kinds) => {
    if (MAY_CHANGE_LIMITS.some((kind) => kinds.has(kind))) look();
  });
  return {
    close: () => {
      clearInterval(timer);
      stop();
      sharings.delete(engine);
      sharing.close();
    },
  };
}

/** Facts that are written down with each limit that is met or over. */
const MAY_CHANGE_LIMITS = ["attempt-ended", "note"];

/** Takes in what others have told since the last look; nothing is looked for where nobody ever told anything. Not within a transaction. */
export function hearLimits(engine: Engine): void {
  const sharing = sharings.get(engine);
  if (sharing?.hasNews() === true) sharing.look();
}

/** Whether an agent may begin now as far as the limits go that it would be the first to try: none of them is tried elsewhere. `isReady`: nothing but its launch is
 *  left to do. */
export function isFirstToTry(engine: Engine, limits: readonly UsageLimit[], isReady: boolean): boolean {
  const sharing = sharings.get(engine);
  return (
    sharing === undefined || limits.every((limit) => !mayTry(limit, engine.now()) || sharing.claim(limit, isReady))
  );
}

/** Files that were taken away while they were open. What is forgotten is closed, and SQLite would delete the journal of that name, another one's by then. */
const lost: Store[] = [];

class Sharing {
  readonly #engine: Engine;
  readonly #wake: () => void;
  readonly #path: string;
  readonly #me: Identity = thisProcess();
  readonly #known = new Map<string, Known>();
  #shared: Store | null = null;
  #restsUntil = -Infinity;
  /** Why nothing can be shared, until that was told; then null for good. */
  #trouble: string | null | undefined;
  #isBegun = false;
  #isLooking = false;
  #seen: number | null = null;
  #renewedAt = -Infinity;

  constructor(engine: Engine, wake: () => void) {
    this.#engine = engine;
    this.#wake = wake;
    this.#path = join(userStateDir(engine.env), "limits.db");
  }

  /** Tells what is new here, and takes in what is new elsewhere. */
  look(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      this.#forgetDeadTry();
      const limits = readLimits(this.#engine.store);
      if (!this.#tell(limits)) {
        this.#setElsewhere(limits, () => false);
      } else if (this.#shared !== null || existsSync(this.#path)) {
        const seen = this.#dataVersion();
        if (this.#seen === null || seen !== this.#seen) this.#hear(seen);
        this.#followTries(readLimits(this.#engine.store));
      }
      this.#tellTrouble();
    } finally {
      this.#isLooking = false;
    }
  }

  /** Whether others may have said something. */
  hasNews(): boolean {
    if (this.#isResting) return false;
    return this.#shared === null ? existsSync(this.#path) : this.#dataVersion() !== this.#seen;
  }

  /** Whether nobody else tries a limit, so that we do. May be called within a transaction: what comes of it is written when that is over. */
  claim(limit: UsageLimit, isReady: boolean): boolean {
    const { now, store } = this.#engine;
    const { key, revision } = this.#known.get(keyOf(limit)) ?? this.#baseline(limit);
    if (key === null) return true;
    const by = { me: this.#me, limit, revision, isReady };
    const whose = this.#with((shared) => claimTry(shared, key, by, now())) ?? "ours";
    if (whose === "theirs") writeLimit(store, { ...limit, probe: ELSEWHERE });
    if (whose === "news") {
      this.#seen = null;
      setImmediate(this.#wake);
    }
    return whose === "ours";
  }

  close(): void {
    const shared = this.#shared;
    this.#shared = null;
    try {
      shared?.close();
    } catch {
      // It was not usable before either.
    }
  }

  /** Who tried it when this process was not there yet may be gone. */
  #forgetDeadTry(): void {
    if (this.#isBegun) return;
    this.#setElsewhere(readLimits(this.#engine.store), () => false);
    for (const limit of readLimits(this.#engine.store)) this.#known.set(keyOf(limit), this.#baseline(limit));
    this.#isBegun = true;
  }

  #baseline(limit: UsageLimit): Known {
    return { key: this.#keyFor(limit), print: printOf(limit), revision: 0, isHeard: false };
  }

  /** False where something could not be told: nothing is taken in then either, for it may be older. */
  #tell(limits: readonly UsageLimit[]): boolean {
    const now = this.#engine.now();
    for (const limit of limits) {
      const before = this.#known.get(keyOf(limit));
      const print = printOf(limit);
      if (before?.print === print) continue;
      const key = this.#keyFor(limit);
      const revision = key && this.#with((shared) => tellMet(shared, key, limit, now));
      if (key !== null && revision === null) return false;
      this.#known.set(keyOf(limit), { key, print, revision: revision ?? 0, isHeard: false });
    }
    const standing = new Set(limits.map(keyOf));
    for (const [name, before] of this.#known) {
      if (standing.has(name) || before.print === null) continue;
      const { key } = before;
      const over = key && this.#with((shared) => ({ revision: tellOver(shared, key, now) }));
      if (key !== null && over === null) return false;
      this.#known.set(name, { ...before, print: null, revision: over?.revision ?? before.revision });
    }
    return !this.#isResting;
  }

  #hear(seen: number | null): void {
    const rows = this.#with(readSharedLimits);
    if (rows === null) return;
    const logins = rows.length === 0 ? [] : this.#logins();
    // A transaction may be done again: what is known is what came of it.
    const taken = this.#engine.store.transaction(() =>
      rows.flatMap((row) => logins.flatMap((each) => (each.login === row.login ? this.#take(row, each) : []))),
    );
    for (const { name, known } of taken) this.#known.set(name, known);
    if (rows.length > 0) this.#forgetLogins(new Set(logins.map(({ login }) => login)));
    this.#seen = seen;
    if (taken.some(({ isChange }) => isChange)) this.#wake();
  }

  /** What was met with a login that nobody here has any more is nobody's business elsewhere. */
  #forgetLogins(logins: ReadonlySet<string>): void {
    for (const [name, known] of this.#known)
      if (known.key !== null && !logins.has(known.key.login)) this.#known.set(name, { ...known, key: null });
  }

  /** Takes in one word about a login of ours; gives what is known then, nothing where it is old. */
  #take(row: SharedLimit, by: Pick<UsageLimit, "credential" | "agent">): Taken[] {
    const { store, now } = this.#engine;
    const limit = limitHeard(row, by, now());
    const name = keyOf(limit);
    const before = this.#known.get(name);
    if (before !== undefined && before.revision >= row.revision) return [];
    const local = readLimit(store, name);
    const known = { key: sharedKeyOf(row.login, limit), revision: row.revision };
    const isHeard = local === null || before?.isHeard === true;
    const took = (stands: UsageLimit | null, isChange: boolean): Taken[] => [
      { name, known: { ...known, print: stands && printOf(stands), isHeard }, isChange },
    ];
    // What was met when nobody could tell us anything, and later than this, stays.
    const isAfresh = before?.revision === 0;
    if (row.overAt !== null) {
      if (local === null || (isAfresh && row.overAt < local.since)) return took(local, false);
      if (local.outage !== undefined && !isHeard) return took(this.#tryNow(local), true);
      endElsewhere(this.#engine, local);
      return took(null, true);
    }
    if (local === null && !this.#heeds(row, by.credential)) return took(null, false);
    if (local !== null && isAfresh && limit.until <= local.until) return took(local, false);
    const met = { ...limit, agent: local?.agent ?? by.agent, probe: local?.probe ?? null };
    writeLimit(store, met);
    if (local === null) this.#note(`another repository met ${whatOf(met)}: what works with the same login waits`);
    return took(met, true);
  }

  /** Whether a limit that only others met holds us. An API that answers us is out of reach for them alone. */
  #heeds(row: SharedLimit, credential: string): boolean {
    return isNews(row, this.#engine.now()) && !(row.kind === "outage" && wasAnswered(this.#engine, credential));
  }

  /** An outage that was met here may be over elsewhere alone: it is tried at once, and its pauses stay as long as they are. */
  #tryNow(local: UsageLimit): UsageLimit {
    const { store, now } = this.#engine;
    const due = { ...local, until: Math.min(local.until, now()) };
    writeLimit(store, due);
    holdUntil(this.#engine, local, due.until);
    return due;
  }

  /** Sees who tries what, and says what we try. */
  #followTries(limits: readonly UsageLimit[]): void {
    if (limits.length === 0) return;
    const isDue = performance.now() - this.#renewedAt >= RENEW_MS;
    if (isDue) this.#renewedAt = performance.now();
    this.#setElsewhere(limits, (limit) => {
      const key = this.#known.get(keyOf(limit))?.key ?? null;
      if (key === null) return false;
      const whose = this.#with((shared) => readTry(shared, key, this.#me));
      const isOurs = limit.probe !== null && limit.probe !== ELSEWHERE && probeOf(this.#engine, limit) !== null;
      if (whose === "ours" && !isOurs) this.#with((shared) => leaveTry(shared, key, this.#me));
      // Until it is launched its first word has to do: to make its place ready may take very long.
      if (isOurs && whose !== "theirs" && (isDue || whose === null) && this.#isLaunched(limit))
        this.#with((shared) => renewTry(shared, key, this.#me));
      return whose === "theirs" && !isOurs;
    });
  }

  #isLaunched({ probe }: UsageLimit): boolean {
    return probe !== null && readAttempt(this.#engine.store, probe)?.phase === "agent";
  }

  /** Writes down which of the limits are tried elsewhere, and which are not any more. */
  #setElsewhere(limits: readonly UsageLimit[], isElsewhere: (limit: UsageLimit) => boolean): void {
    const changed = limits.flatMap((limit): UsageLimit[] => {
      const is = isElsewhere(limit);
      return is === (limit.probe === ELSEWHERE) ? [] : [{ ...limit, probe: is ? ELSEWHERE : null }];
    });
    if (changed.length === 0) return;
    this.#engine.store.transaction(() => {
      for (const limit of changed) writeLimit(this.#engine.store, limit);
    });
    this.#wake();
  }

  /** The logins that agents here work with, one agent each; without those of which nobody can tell whose they are. */
  #logins(): { login: string; agent: string; credential: string }[] {
    const agents = knownAgents(this.#engine.config).map((agent) => ({
      agent,
      login: sharedLoginOf(this.#engine, agent) ?? "",
      credential: credentialOf(this.#engine, agent),
    }));
    const firsts = new Map(agents.toReversed().map((each) => [each.credential, each]));
    return [...firsts.values()].filter(({ login }) => login !== "");
  }

  /** Null where the agent that met it has another login by now, or one that cannot be told from others. */
  #keyFor(limit: UsageLimit): SharedKey | null {
    const { agent, credential } = limit;
    if (!isAgent(this.#engine, agent) || credentialOf(this.#engine, agent) !== credential) return null;
    const login = sharedLoginOf(this.#engine, agent);
    return login === null ? null : sharedKeyOf(login, limit);
  }

  get #isResting(): boolean {
    return performance.now() < this.#restsUntil;
  }

  #dataVersion(): number | null {
    return this.#with((shared) => shared.dataVersion());
  }

  /** Does something with what is shared; null where it cannot be used, which is told once. */
  #with<T>(work: (shared: Store) => T): T | null {
    if (this.#isResting) return null;
    try {
      return work(this.#open());
    } catch (error) {
      this.close();
      this.#seen = null;
      this.#restsUntil = performance.now() + REST_MS;
      if (this.#trouble === undefined) this.#trouble = error instanceof Error ? error.message : String(error);
      return null;
    }
  }

  #tellTrouble(): void {
    if (typeof this.#trouble !== "string") return;
    const why = this.#trouble;
    this.#trouble = null;
    this.#note(`usage limits are not shared with other repositories: ${why}`);
  }

  #open(): Store {
    if (this.#shared?.isInPlace() === false) {
      lost.push(this.#shared);
      this.close();
      // A new one begins to count anew.
      this.#seen = null;
      for (const [name, known] of this.#known) this.#known.set(name, { ...known, revision: 0 });
    }
    this.#shared ??= openSharedLimits(this.#path);
    return this.#shared;
  }

  #note(text: string): void {
    const { store, now } = this.#engine;
    for (const { id: run } of readRuns(store, "open")) appendEvent(store, now(), { run }, { kind: "note", text });
  }
}

/** What is told of a limit to others: not who tries it. */
function printOf({ until, isGuess, guesses, since }: UsageLimit): string {
  return JSON.stringify([until, isGuess, guesses, since]);
}

function whatOf(limit: UsageLimit): string {
  return limit.outage === undefined
    ? `a usage limit of ${limitedName(limit)}`
    : `an outage of the API of ${limit.agent}`;
}
