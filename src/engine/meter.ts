/** Watches the output of a running agent: what it has used up to now, and when it was last heard. Costs one look at a file a moment. */
import { join } from "node:path";
import type { Books } from "../agents/agent.ts";
import type { Attempt } from "../core/attempt.ts";
import type { Usage } from "../core/cost.ts";
import { LineReader } from "../lib/lines.ts";
import { attemptDir, type Engine, findAgent } from "./engine.ts";

/** How often a meter is looked at. */
export const METER_MS = 500;
/** An agent can write gigabytes; the rest of them comes with the next look. */
const MOST_BYTES = 4 * 1024 * 1024;

export class Meter {
  /** When output was last seen to grow, in epoch milliseconds. */
  lastOutputAt: number;
  readonly #engine: Engine;
  readonly #parse: (line: string) => void;
  readonly #books: Books;
  readonly #out: LineReader;
  #known = "";

  /** Of an attempt that was adopted, the whole output is read again. */
  constructor(engine: Engine, attempt: Attempt) {
    const agent = findAgent(engine, attempt.agent);
    this.#engine = engine;
    this.lastOutputAt = engine.now();
    this.#out = new LineReader(join(attemptDir(engine, attempt.id), "out"));
    this.#books = agent.openBooks({ session: attempt.session, since: attempt.startedAt, prices: engine.prices });
    this.#parse = (line) => {
      for (const event of agent.parse(line)) this.#books.take(event);
    };
  }

  /** Takes in what is new. The usage up to now, where it is another one than at the last look; else null. */
  look(): Usage | null {
    if (this.#out.read(this.#parse, MOST_BYTES)) this.lastOutputAt = this.#engine.now();
    const usage = this.#books.read(false);
    const known = JSON.stringify(usage);
    if (known === this.#known || (this.#known === "" && usage.models.length === 0)) return null;
    this.#known = known;
    return usage;
  }
}
