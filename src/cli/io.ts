/** What a command has of the world: its streams, its place, its way to ask. Standard output is the answer, standard error the narration. */
import { createInterface } from "node:readline/promises";
import type { Readable, Writable } from "node:stream";
import type { ConfigValues } from "../core/config-keys.ts";
import { COMMANDS, OwtError } from "../core/errors.ts";
import { printable, shellWord, withoutOrders } from "../lib/printable.ts";
import { wrapText } from "../lib/width.ts";
import type { Asker } from "../engine/check-commit.ts";
import { closeEngine, type Engine, openEngine } from "../engine/engine.ts";

export type Io = {
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** The command line as it was given, without what makes it talkative. */
  words: readonly string[];
  /** How owt calls itself. */
  owtCommand: string[];
  stdin: Readable & { isTTY?: boolean; setRawMode?(isRaw: boolean): unknown };
  stdout: Outlet;
  stderr: Writable & { isTTY?: boolean; columns?: number; rows?: number };
  /** Aborted by the first Ctrl-C. */
  signal: AbortSignal;
  /** Aborted by the second: stop now. */
  hurry: AbortSignal;
  /** Has somebody told whenever we were stopped (Ctrl-Z, SIGSTOP) and are continued, until what it gives is called. */
  onContinue: (heard: () => void) => () => void;
  /** Set by a command that goes on when its terminal is closed. */
  outlivesTerminal: boolean;
  /** Set for a command that changes nothing: it makes no store either. */
  looks: boolean;
  /** Set for a command that only answers: it works where nothing can be written, too. */
  reads: boolean;
  /** Set for a command that starts no work: a configuration in which something is wrong does not keep it from looking, or from stopping what runs. */
  tolerant: boolean;
  /** 1: every program that is run is told; 2: a bug report is written, too. */
  verbosity: 0 | 1 | 2;
};

/** Where the answer goes. `stream` is for who writes much, or without end, and has to wait for the reader. */
export type Outlet = {
  write(text: string): unknown;
  isTTY: boolean;
  columns: number | undefined;
  rows: number | undefined;
  stream(): Writable;
};

/** Prints the answer: one versioned envelope, or text for people. */
export function answer(io: Io, options: { json?: boolean }, data: object, text: string): void {
  answerAsIs(io, options, data, folded(io.stdout, withoutOrders(text)));
}

/** The same of a text that counts letter for letter, such as a file's. */
export function answerAsIs(io: Io, options: { json?: boolean }, data: object, text: string): void {
  if (options.json) io.stdout.write(`${JSON.stringify({ schema: 1, data }, null, 2)}\n`);
  else io.stdout.write(text.endsWith("\n") || text === "" ? text : `${text}\n`);
}

/** Prints a line of narration. */
export function tell(io: Io, line: string): void {
  io.stderr.write(`${folded(io.stderr, withoutOrders(line))}\n`);
}

/** Who hears of what goes on while something is done: of what is only waited for, a terminal. */
export function tellers(io: Io): { tell: (text: string) => void; onWait?: (text: string) => void } {
  const say = (text: string) => tell(io, printable(text));
  return io.stderr.isTTY === true ? { tell: say, onWait: say } : { tell: say };
}

/** Whoever runs this command, for what takes long and may have something to say meanwhile. */
export function whoAsks(io: Io): Asker {
  return { leave: io.signal, tell: (text) => tell(io, `▲ ${printable(text)}`) };
}

/** On a terminal no line is broken inside a word, nor inside a command that is longer than a line; everywhere else lines stay whole. */
export function folded(stream: { isTTY?: boolean; columns?: number | undefined }, text: string): string {
  return stream.isTTY === true ? wrapText(text, stream.columns || 80, COMMANDS) : text;
}

/** Opens the engine for one command and closes it whatever happens. */
export async function withEngine<T>(
  io: Io,
  work: (engine: Engine) => Promise<T>,
  more: { flags?: ConfigValues; configFile?: string } = {},
): Promise<T> {
  const engine = await openEngine({
    cwd: io.cwd,
    env: io.env,
    owtCommand: io.owtCommand,
    leave: io.signal,
    hurry: io.hurry,
    looks: io.looks,
    reads: io.reads,
    tolerant: io.tolerant,
    ...more,
  });
  if (engine.configProblems.length > 0) tellConfigProblems(io, engine.configProblems);
  try {
    return await work(engine);
  } finally {
    await closeEngine(engine);
  }
}

function tellConfigProblems(io: Io, problems: readonly string[]): void {
  const lines = problems.map((problem) => `  ${printable(problem)}`).join("\n");
  const named = io.words[io.words.indexOf("--profile") + 1] === io.env["OWT_PROFILE"] && io.words.includes("--profile");
  const profile = named ? `--profile ${shellWord(io.env["OWT_PROFILE"]!)} ` : "";
  tell(
    io,
    `▲ the configuration is not in order, and is taken as far as it is sound:\n${lines}\n  ↳ owt ${profile}config validate`,
  );
}

/** Whether a person can be asked. */
export function canAsk(io: Io): boolean {
  // In this order: standard error is open already.
  return io.stderr.isTTY === true && io.stdin.isTTY === true;
}

/** Asks a person; the question stands on standard error. Ctrl-C, Ctrl-D and a terminal that went away end it as `interrupted`. */
export async function ask(io: Io, question: string, withdrawn?: AbortSignal): Promise<string> {
  // The terminal's own line editing: its modes stay as they are, so that a kill in the middle leaves it usable.
  const lines = createInterface({ input: io.stdin, output: io.stderr, terminal: false });
  const closed = new Promise<never>((_, reject) => {
    lines.once("close", () => reject(new OwtError("interrupted", "interrupted")));
  });
  try {
    return await Promise.race([
      lines.question(folded(io.stderr, question), {
        signal: withdrawn ? AbortSignal.any([io.signal, withdrawn]) : io.signal,
      }),
      closed,
    ]);
  } catch (cause) {
    throw new OwtError("interrupted", "interrupted", { cause });
  } finally {
    closed.catch(() => {});
    lines.close();
  }
}

/** Everything on standard input, as text. Throws `usage` where it is none. */
export async function readInput(io: Io): Promise<string> {
  const same = `owt ${io.words.map(shellWord).join(" ")}`;
  return textOf(await readBytes(io), { what: "what stands on standard input", file: "FILE", same }).trimEnd();
}

/** The same, whatever it is. */
export async function readBytes(io: Io): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of io.stdin) pieces.push(Buffer.from(piece as Buffer));
  return Buffer.concat(pieces);
}

/** Bytes that somebody gave as a text. Throws `usage` for what is none: no UTF-8, or with a NUL in it, which no program takes. `what` names
 *  them, and `same` is the command that takes them from standard input. */
export function textOf(bytes: Buffer, { what, file, same }: { what: string; file: string; same: string }): string {
  const refuse = (why: string) =>
    new OwtError("usage", `${what} is no text: ${why}`, {
      hint: `from another encoding: iconv -f LATIN1 -t UTF-8 ${shellWord(file)} | ${same}`,
    });
  if (bytes.includes(0)) throw refuse("it has a NUL in it");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw refuse("it is not UTF-8");
  }
}

/** Asks for a yes; anything else is no. */
export async function confirm(io: Io, question: string): Promise<boolean> {
  return /^\s*y(es)?\s*$/i.test(await ask(io, `${question} [y/N] `));
}

/** Columns of the terminal that the answer goes to; 80 where it is none, or one that does not say. */
export function screenWidth(io: Io): number {
  return io.stdout.columns || 80;
}

/** Whether colours are wanted on a stream: NO_COLOR (no-color.org), CLICOLOR_FORCE and CLICOLOR (bixense.com/clicolors) say so, else the stream. */
export function wantsColor(io: Io, stream: { isTTY?: boolean }): boolean {
  if (io.env["NO_COLOR"]) return false;
  if (io.env["CLICOLOR_FORCE"] && io.env["CLICOLOR_FORCE"] !== "0") return true;
  return stream.isTTY === true && io.env["TERM"] !== "dumb" && io.env["CLICOLOR"] !== "0";
}
