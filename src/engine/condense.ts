/** What has to be remembered of output that is left out of a log: everything that an outcome, a cost or a conversation is told from, and of
 *  what merely passes (words, tools) the last. Long texts are cut. */
import { type AgentEvent, SAID_LATELY } from "../agents/agent.ts";

/** What is kept of one text. */
const MAX_CHARS = 32 * 1024;
/** So many answers are told apart; an id that comes again later only costs a line. */
const MAX_ANSWERS = 20_000;

/** The same event with texts that can be held by the thousand. A question stands at the end of what was said, a reason at the beginning. */
export function clip(event: AgentEvent): AgentEvent {
  switch (event.kind) {
    case "said":
      return { ...event, text: event.text.slice(-MAX_CHARS) };
    case "tool-result":
    case "error":
    case "retrying":
      return { ...event, text: event.text.slice(0, MAX_CHARS) };
    case "result":
      return { kind: "result", result: { ...event.result, text: event.result.text.slice(-MAX_CHARS) } };
    case "tool":
    case "denied":
    case "limit":
    case "session":
    case "answer":
    case "used":
      return event;
    default: {
      const never: never = event;
      return never;
    }
  }
}

/** Collects events, and gives back fewer that mean the same to whoever judges and counts. */
export class Condenser {
  #kept: string[] = [];
  /** The last of each kind that passes, of words the last few, in the order in which they came. */
  #passing: AgentEvent[] = [];
  readonly #answers = new Set<string>();

  take(event: AgentEvent): void {
    if (event.kind === "said" || event.kind === "tool" || event.kind === "tool-result") {
      this.#passing.push(event.kind === "tool-result" ? { ...event, text: "" } : event);
      const same = this.#passing.filter(({ kind }) => kind === event.kind);
      if (same.length > (event.kind === "said" ? SAID_LATELY : 1))
        this.#passing.splice(this.#passing.indexOf(same[0]!), 1);
      return;
    }
    if (event.kind === "answer" && this.#isKnown(`${event.answer.id} ${event.answer.isWhole}`)) return;
    // A result closes the books, and an answer ends a retry: what comes again behind one says something new.
    if (event.kind === "result" || event.kind === "retrying") this.#answers.clear();
    this.#settle();
    this.#kept.push(JSON.stringify(event));
  }

  /** The events since the last call, one a line. */
  drain(): string[] {
    this.#settle();
    const kept = this.#kept;
    this.#kept = [];
    return kept;
  }

  #isKnown(answer: string): boolean {
    if (this.#answers.has(answer)) return true;
    if (this.#answers.size >= MAX_ANSWERS) this.#answers.clear();
    this.#answers.add(answer);
    return false;
  }

  #settle(): void {
    for (const event of this.#passing) this.#kept.push(JSON.stringify(event));
    this.#passing = [];
  }
}
