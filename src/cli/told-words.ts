/** What a bug report tells of a command line: names of commands, options, tasks and worktrees, and of what a person wrote in their own words its length. */
import type { Command, Option } from "commander";
import { brief } from "./verbose.ts";

/** As arguments and values of options are called in the help, where they are a person's own words. */
const OWN_WORDS: ReadonlySet<string> = new Set(["text", "words", "pattern", "why", "command"]);

/** The command line for a report, and the words that it leaves out. */
export function wordsToTell(program: Command, argv: readonly string[]): { told: string[]; hidden: string[] } {
  const reader = new Reader(program, argv);
  return { told: argv.map((word) => reader.read(word)), hidden: reader.hidden };
}

/** A text without these words. */
export function without(text: string, words: readonly string[]): string {
  if (words.length === 0) return text;
  const longestFirst = [...new Set(words)].toSorted((a, b) => b.length - a.length);
  const any = longestFirst.map((word) => word.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&")).join("|");
  return text.replaceAll(new RegExp(`(?<![\\p{L}\\p{N}_])(?:${any})(?![\\p{L}\\p{N}_])`, "gu"), lengthOf);
}

function lengthOf(word: string): string {
  return `‹${word.length} characters›`;
}

/** Goes through a command line as commander does. */
class Reader {
  readonly hidden: string[] = [];
  #command: Command;
  /** How many arguments of the command were read. */
  #read = 0;
  #option: Option | null = null;
  #needsValue = false;
  readonly #saysToWhom: boolean;
  #areOptionsOver = false;

  constructor(program: Command, argv: readonly string[]) {
    this.#command = program;
    this.#saysToWhom = ["--all", "--waiting", "--lead"].some((option) => argv.includes(option));
  }

  read(word: string): string {
    if (this.#needsValue) return this.#value(word);
    if (!this.#areOptionsOver && word.startsWith("-") && word !== "-") return this.#optionOf(word);
    if (this.#option?.variadic) return this.#value(word);
    const below = this.#read === 0 ? this.#command.commands.find((each) => namesOf(each).includes(word)) : undefined;
    if (below === undefined) return this.#argument(word);
    this.#command = below;
    return word;
  }

  #optionOf(word: string): string {
    this.#option = null;
    if (word === "--") {
      this.#areOptionsOver = true;
      return word;
    }
    const [name] = word.split("=", 1) as [string];
    const option = this.#find(name);
    if (name.length < word.length) {
      const value = word.slice(name.length + 1);
      return `${name}=${option === undefined || isOwn(placeOf(option)) ? this.#hide(value) : brief(value)}`;
    }
    this.#option = option ?? null;
    this.#needsValue = option?.required ?? false;
    return word;
  }

  #find(name: string): Option | undefined {
    for (let command: Command | null = this.#command; command !== null; command = command.parent) {
      const found = command.options.find(({ long, short }) => name === long || name === short);
      if (found) return found;
    }
    return undefined;
  }

  #value(word: string): string {
    this.#needsValue = false;
    return isOwn(placeOf(this.#option!)) ? this.#hide(word) : brief(word);
  }

  #argument(word: string): string {
    const known = this.#command.registeredArguments;
    const last = known.at(-1);
    const argument = known[this.#read++] ?? (last?.variadic ? last : undefined);
    // A command that there is not is told by its name, and what stands behind it may be anything.
    const isMistyped = known.length === 0 && this.#read === 1;
    const isName = argument === undefined ? isMistyped : !isOwn(argument.name()) || this.#isAddressee();
    return isName ? brief(word) : this.#hide(word);
  }

  /** To whom words are sent, unless an option said so. */
  #isAddressee(): boolean {
    return this.#command.name() === "send" && this.#read === 1 && !this.#saysToWhom;
  }

  #hide(word: string): string {
    if (word !== "") this.hidden.push(word);
    return lengthOf(word);
  }
}

function namesOf(command: Command): string[] {
  return [command.name(), ...command.aliases()];
}

function isOwn(name: string): boolean {
  return OWN_WORDS.has(name);
}

/** `text` of `--text <text>`. */
function placeOf({ flags }: Option): string {
  return /[<[]([^\]>.]+)/.exec(flags)?.[1] ?? "";
}
