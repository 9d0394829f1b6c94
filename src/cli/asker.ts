/** Asks the questions of a run on its terminal. While the run goes on a line says that one waits, and Enter brings its prompt; when nothing goes
 *  on any more without an answer, it is asked for. */
import { noteAtPrompt } from "../engine/at-prompt.ts";
import type { Engine } from "../engine/engine.ts";
import { answerTask } from "../engine/tasks.ts";
import { readTask, readTasks } from "../store/tasks.ts";
import { ask, canAsk, type Io, tell } from "./io.ts";
import type { Screen } from "./live/screen.ts";
import type { Narration } from "./narrate.ts";
import { printable } from "./text.ts";
import { Typed } from "./typed.ts";

type Question = { id: number; key: string; question: string };

export class Asker {
  readonly #io: Io;
  readonly #engine: Engine;
  readonly #run: string;
  readonly #narration: Narration;
  readonly #screen: Screen;
  /** Null where nobody can be asked. */
  readonly #typed: Typed | null;
  /** Questions that the person left without an answer: asked again only when they wish. */
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
    this.#typed = canAsk(io) ? new Typed(io, (line) => this.#take(line)) : null;
    this.#typed?.listen();
  }

  /** Says whether a question waits; takes back the one that is being asked when it was answered elsewhere. */
  look(): void {
    if (this.#typed === null || this.#io.signal.aborted) return;
    if (this.#asking !== null) {
      this.#withdrawIfAnswered();
      return;
    }
    const [first, ...more] = this.#open();
    const others = more.length > 0 ? ` (${more.length} more)` : "";
    this.#screen.notice(first ? `❯ Enter: answer ${first.key} here${others}` : null);
  }

  /** Asks what is open, one after the other. True when something was answered, so that the run can go on. */
  async answered(): Promise<boolean> {
    if (await this.#asking) return true;
    while (this.#typed !== null && !this.#io.signal.aborted) {
      const next = this.#open().find(({ id }) => !this.#left.has(id));
      if (!next) break;
      if (await this.#begin(next, null)) return true;
    }
    return false;
  }

  /** Listens to nobody any more. */
  async close(): Promise<void> {
    await this.#typed?.close();
  }

  /** Those that were left before come last. */
  #open(): Question[] {
    const waiting = readTasks(this.#engine.store, this.#run).flatMap(({ id, key, state, park }) =>
      state === "pending" && park?.for === "answer" ? [{ id, key, question: park.question }] : [],
    );
    return waiting.toSorted((a, b) => Number(this.#left.has(a.id)) - Number(this.#left.has(b.id)));
  }

  /** A line that was typed while nothing was asked. */
  #take(line: string): void {
    this.#screen.typed(line);
    const [first] = this.#open();
    if (first && this.#asking === null) void this.#begin(first, line.trim() === "" ? null : line.trim());
  }

  /** Somebody may have answered from elsewhere. */
  #withdrawIfAnswered(): void {
    if (this.#current && !this.#isOpen(this.#current.id)) this.#current.withdrawn.abort();
  }

  #isOpen(id: number): boolean {
    return readTask(this.#engine.store, id)?.park?.for === "answer";
  }

  #begin(question: Question, given: string | null): Promise<boolean> {
    const withdrawn = new AbortController();
    this.#current = { id: question.id, withdrawn };
    this.#asking = this.#ask(question, given, withdrawn.signal);
    return this.#asking;
  }

  /** `given` was typed before anybody asked. */
  async #ask({ id, key, question }: Question, given: string | null, withdrawn: AbortSignal): Promise<boolean> {
    // What happens meanwhile is told afterwards: it would be written into the answer.
    this.#narration.hold();
    this.#typed?.rest();
    this.#screen.pause();
    noteAtPrompt(this.#engine, { run: this.#run, task: key });
    try {
      const asks = `${key} asks: ${printable(question)}\n`;
      const prompt = `${asks}  (Enter alone leaves it for later; what happens meanwhile is told afterwards)\n❯ `;
      const text = given ?? (await ask(this.#io, prompt, withdrawn));
      const isMeant = text.trim() !== "" && (await this.#isMeant(key, given === null ? "" : asks, text, withdrawn));
      // In the moment before that was noticed it may have been answered elsewhere: the first answer counts.
      if (isMeant && !this.#isOpen(id))
        tell(this.#io, `${key} was answered elsewhere meanwhile; your answer is not used`);
      else if (isMeant) answerTask(this.#engine, key, text, this.#run);
      else if (text.trim() === "") this.#left.add(id);
      return isMeant;
    } catch {
      // Left with Ctrl-D: not asked again. After Ctrl-C whoever follows the run tells; answered elsewhere, the run goes on.
      if (!withdrawn.aborted) this.#left.add(id);
      this.#isLate ||= withdrawn.aborted;
      return withdrawn.aborted;
    } finally {
      noteAtPrompt(this.#engine, null);
      this.#asking = null;
      this.#screen.resume();
      this.#narration.release();
      if (!this.#io.signal.aborted) this.#typed?.listen();
      this.look();
    }
  }

  /** What was typed before it was asked for may have been meant for another question, and a line that was begun for one that went away is
   *  handed over by the terminal as the answer to the next: then a person says which it is. */
  async #isMeant(key: string, asks: string, text: string, withdrawn: AbortSignal): Promise<boolean> {
    if (!this.#isLate && asks === "") return true;
    const why = this.#isLate ? "the question before was answered elsewhere:\n" : "";
    this.#isLate = false;
    const question = `${asks}${why}is ${JSON.stringify(text.trim())} the answer to ${key}? [y/N] `;
    return /^\s*y(es)?\s*$/i.test(await ask(this.#io, question, withdrawn));
  }
}
