/** Watches an agent that is silent: as long as it, or anything that it has started, does something, it is left alone. One that does nothing for as long
 *  as is allowed is told apart (`core/stall.ts`) and ended, or let go on where a signal had stopped it. */
import { statSync } from "node:fs";
import { join } from "node:path";
import type { Attempt } from "../core/attempt.ts";
import type { Outcome } from "../core/outcome.ts";
import {
  classifyHang,
  decideRescue,
  type Family,
  lookEveryMs,
  MOST_BETWEEN_LOOKS_MS,
  type Sign,
  signBetween,
  type StallClock,
  tick,
  wantsToCompute,
} from "../core/stall.ts";
import { parseDuration } from "../lib/duration.ts";
import { appendEvent } from "../store/events.ts";
import { continueSuspended, readActivity, readStillness } from "../system/activity.ts";
import { readTextIfThere, writeFileAtomically } from "../system/files.ts";
import { attemptDir, type Engine, findAgent } from "./engine.ts";
import { outputFiles } from "./transcript.ts";

type Hung = Extract<Outcome, { kind: "hung" }>;

/** The sizes of its two files of output. */
const NOTHING_WRITTEN = "0 0";

/** A look at its processes, and when that was, by the clock that nobody sets. */
type Sample = { activity: Family; at: number };

export class Watchdog {
  readonly #engine: Engine;
  readonly #attempt: Attempt;
  readonly #limitMs: number;
  readonly #everyMs: number;
  #clock: StallClock = { silentMs: 0, last: null };
  #lookedAt = performance.now();
  #written: string;
  #recorded = "";
  /** The last look at its processes in this silence, and the first. */
  #sample: Sample | null = null;
  #first: Sample | null = null;
  #continued = 0;

  /** Of an attempt that was adopted, the clock begins anew: what it did meanwhile nobody saw. */
  constructor(engine: Engine, attempt: Attempt) {
    this.#engine = engine;
    this.#attempt = attempt;
    this.#limitMs = limitFor(engine, attempt.agent);
    this.#everyMs = lookEveryMs(this.#limitMs);
    this.#written = this.#readWritten();
  }

  /** To be called now and then, as often as one likes. How it hangs, where it is to be ended for that. */
  look(): Hung | null {
    if (this.#limitMs === 0) return null;
    const now = performance.now();
    const elapsedMs = now - this.#lookedAt;
    this.#lookedAt = now;
    const sign = this.#heard() ?? this.#seen(now, elapsedMs);
    this.#clock = tick(this.#clock, sign, elapsedMs);
    if (sign !== null) this.#first = this.#sample;
    return this.#clock.silentMs < this.#limitMs ? null : this.#decide(now);
  }

  #heard(): Sign | null {
    const written = this.#readWritten();
    if (written === this.#written) return null;
    this.#written = written;
    this.#sample = null;
    return "output";
  }

  /** What its record and its processes show, looked at as often as is worth while. */
  #seen(now: number, elapsedMs: number): Sign | null {
    // Nobody watched for a while: what was seen before is no measure any more.
    if (elapsedMs > MOST_BETWEEN_LOOKS_MS) this.#sample = null;
    const waits = this.#sample === null ? this.#clock.silentMs + elapsedMs : now - this.#sample.at;
    if (waits < this.#everyMs) return null;
    const recorded = this.#readRecorded();
    const hasRecorded = recorded !== this.#recorded;
    this.#recorded = recorded;
    const before = this.#sample;
    const activity = readActivity(this.#dir);
    this.#sample = activity && { activity, at: now };
    this.#first ??= this.#sample;
    if (hasRecorded) return "record";
    return before && activity ? signBetween(before.activity, activity, now - before.at) : null;
  }

  /** Nothing was seen for as long as is allowed. What does a little now and then shows over the whole of that time. */
  #decide(now: number): Hung | null {
    const activity = readActivity(this.#dir);
    // It ends right now; or the machine does not tell what programs do, and then silence alone is no reason.
    if (activity === null) return this.#goesOn(this.#clock.last);
    const since = (sample: Sample | null) => sample && signBetween(sample.activity, activity, now - sample.at);
    const sign = since(this.#sample) ?? since(this.#first);
    if (sign !== null || wantsToCompute(activity)) return this.#goesOn(sign ?? "cpu");
    const hang = classifyHang({ ...readStillness(activity), hasSpoken: this.#written !== NOTHING_WRITTEN });
    const hung: Hung = { kind: "hung", ...hang, silentMs: Math.round(this.#clock.silentMs) };
    if (decideRescue(hang, { continued: this.#continued }) === "end") return hung;
    this.#continued += continueSuspended(activity);
    this.tell("continued", hung);
    return this.#goesOn(this.#clock.last);
  }

  #goesOn(last: Sign | null): null {
    this.#clock = { silentMs: 0, last };
    this.#sample = null;
    this.#first = null;
    return null;
  }

  /** Puts into the log what was found and what is done about it. */
  tell(did: "continued" | "ended", { how, detail, silentMs }: Hung): void {
    const { run, task, id } = this.#attempt;
    const about = { run, task, attempt: id };
    const fact = { kind: "agent-hung" as const, how, detail, silentMs, lastSign: this.#clock.last, did };
    appendEvent(this.#engine.store, this.#engine.now(), about, fact);
  }

  get #dir(): string {
    return attemptDir(this.#engine, this.#attempt.id);
  }

  #readWritten(): string {
    const { out, err } = outputFiles(this.#engine, this.#attempt.id);
    return [out, err].map((path) => statSync(path, { throwIfNoEntry: false })?.size ?? 0).join(" ");
  }

  #readRecorded(): string {
    const files = findAgent(this.#engine, this.#attempt.agent).recordsOf(this.#attempt.session);
    return files
      .map((path) => statSync(path, { throwIfNoEntry: false }))
      .map((file) => `${file?.size} ${file?.mtimeMs}`)
      .join(" ");
  }
}

/** For how long an agent of that name may do nothing, in milliseconds; 0 for ever. */
function limitFor({ config }: Engine, agent: string): number {
  return parseDuration(config.agent.named[agent]?.hung_after ?? config.run.hung_after) ?? 0;
}

/** Writes down how an attempt hangs that is about to be ended for it: whoever collects it may be another process. */
export function noteHang(engine: Engine, attempt: Attempt, hung: Hung): void {
  writeFileAtomically(fileOf(engine, attempt), JSON.stringify(hung));
}

/** How an attempt hung that was ended for it; null where nothing says so. */
export function readHang(engine: Engine, attempt: Attempt): Hung | null {
  const text = readTextIfThere(fileOf(engine, attempt));
  try {
    return text === null ? null : (JSON.parse(text) as Hung);
  } catch {
    return null;
  }
}

function fileOf(engine: Engine, { id }: Attempt): string {
  return join(attemptDir(engine, id), "hung");
}
