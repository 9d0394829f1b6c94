/** Asks the questions of a run on the terminal as they come, one at a time, while the run goes on behind them. */
import type { Engine } from "../engine/engine.ts";
import { answerTask } from "../engine/tasks.ts";
import { readTask, readTasks } from "../store/tasks.ts";
import { ask, canAsk, type Io } from "./io.ts";
import type { Screen } from "./live/screen.ts";
import type { Narration } from "./narrate.ts";
import { printable } from "./text.ts";

export class Asker {
  readonly #io: Io;
  readonly #engine: Engine;
  readonly #run: string;
  readonly #narration: Narration;
  readonly #screen: Screen;
  /** Questions that the person left without an answer. */
  readonly #left = new Set<number>();
  #asking: Promise<boolean> | null = null;
  /** A question went away while somebody may have been typing: what they typed is still on its way. */
  #isLate = false;
  #current: { id: number; withdrawn: AbortController } | null = null;

  constructor(io: Io, engine: Engine, run: string, narration: Narration, screen: Screen) {
    this.#io = io;
    this.#engine = engine;
    this.#run = run;
    this.#narration = narration;
    this.#screen = screen;
  }

  /** Begins to ask when a question waits and none is being asked. */
  look(): void {
    if (!canAsk(this.#io) || this.#io.signal.aborted) return;
    if (this.#asking !== null) {
      this.#withdrawIfAnswered();
      return;
    }
    const task = readTasks(this.#engine.store, this.#run).find(
      (each) => each.state === "pending" && each.park?.for === "answer" && !this.#left.has(each.id),
    );
    if (!task || task.park?.for !== "answer") return;
    const withdrawn = new AbortController();
    this.#current = { id: task.id, withdrawn };
    this.#asking = this.#ask(task.id, task.key, task.park.question, withdrawn.signal);
  }

  /** Somebody may have answered from elsewhere. */
  #withdrawIfAnswered(): void {
    const task = this.#current && readTask(this.#engine.store, this.#current.id);
    if (task?.park?.for !== "answer") this.#current?.withdrawn.abort();
  }

  /** Waits for the question that is being asked. True when it was answered, so that the run can go on. */
  async answered(): Promise<boolean> {
    this.look();
    return (await this.#asking) ?? false;
  }

  /** The terminal keeps a line that was begun for one question and hands it over as the answer to the next: then a person says which it is. */
  async #isMeant(key: string, text: string, withdrawn: AbortSignal): Promise<boolean> {
    if (!this.#isLate) return true;
    this.#isLate = false;
    const question = `the question before was answered elsewhere; is ${JSON.stringify(text.trim())} the answer to ${key}? [y/N] `;
    return /^\s*y(es)?\s*$/i.test(await ask(this.#io, question, withdrawn));
  }

  async #ask(id: number, key: string, question: string, withdrawn: AbortSignal): Promise<boolean> {
    // What happens meanwhile is told afterwards: it would be written into the answer.
    this.#narration.hold();
    this.#screen.pause();
    try {
      const text = await ask(
        this.#io,
        `${key} asks: ${printable(question)}\n  (Enter alone leaves it for later; what happens meanwhile is told afterwards)\n❯ `,
        withdrawn,
      );
      const isMeant = text.trim() !== "" && (await this.#isMeant(key, text, withdrawn));
      if (isMeant) answerTask(this.#engine, key, text, this.#run);
      else if (text.trim() === "") this.#left.add(id);
      return isMeant;
    } catch {
      // Left with Ctrl-D: not asked again. After Ctrl-C whoever follows the run tells; answered elsewhere, the run goes on.
      if (!withdrawn.aborted) this.#left.add(id);
      this.#isLate ||= withdrawn.aborted;
      return withdrawn.aborted;
    } finally {
      this.#asking = null;
      this.#screen.resume();
      this.#narration.release();
      this.look();
    }
  }
}
