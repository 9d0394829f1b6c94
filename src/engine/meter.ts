/** Watches the output of a running agent: what it has used up to now, when it was last heard, and whether there is nothing to wait for. */
import type { Attempt } from "../core/attempt.ts";
import type { Usage } from "../core/cost.ts";
import type { Engine } from "./engine.ts";
import { LogTimes } from "./log-times.ts";
import { outputFiles, Transcript } from "./transcript.ts";

/** How often a meter is looked at, in milliseconds; where a budget is to hold, what is spent between two looks is what it may be passed by. */
export const METER_MS = { usual: 500, underBudget: 100 };

export class Meter {
  /** When output was last seen to grow, by the clock that nobody sets. */
  #lastOutput = performance.now();
  readonly #engine: Engine;
  readonly #transcript: Transcript;
  readonly #times: LogTimes;
  #known = "";
  #answers = 0;

  /** Of an attempt that was adopted, the whole output is read again. */
  constructor(engine: Engine, attempt: Attempt) {
    this.#engine = engine;
    this.#transcript = new Transcript(engine, attempt);
    this.#times = new LogTimes(outputFiles(engine, attempt.id).out);
  }

  /** Takes in what is new. The usage up to now, where it is another one than at the last look; else null. */
  async look(signal: AbortSignal): Promise<Usage | null> {
    if (await this.#transcript.read(signal)) {
      this.#lastOutput = performance.now();
      await this.#times.note(this.#engine.now(), this.#transcript.readLines);
    }
    const usage = this.#transcript.books.read(false);
    const known = JSON.stringify(usage);
    if (known === this.#known || (this.#known === "" && usage.models.length === 0)) return null;
    this.#known = known;
    return usage;
  }

  /** Whether its API has answered. */
  get hasAnswered(): boolean {
    return this.#transcript.answers > 0;
  }

  /** What of its API was heard since this was asked last: that it answered, that it fails; null where that is nothing new. */
  hear(): "answer" | "failure" | null {
    const { answers, isFailing } = this.#transcript;
    const heard = isFailing ? "failure" : answers > this.#answers ? "answer" : null;
    this.#answers = answers;
    return heard;
  }

  /** Why there is nothing to wait for any more: it has said its last word and been silent for so long since, or it asks its API again and
   *  again for what only a person can give. */
  isIdle(graceMs: number): "finished" | "refused" | null {
    if (this.#transcript.refused) return "refused";
    return this.#transcript.hasEnded && performance.now() - this.#lastOutput >= graceMs ? "finished" : null;
  }
}
