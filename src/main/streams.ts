/** The one file that touches the standard streams, the signals and what else the process was given. */
import { existsSync, fstatSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { Io, Outlet } from "../cli/io.ts";
import { OwtError } from "../core/errors.ts";
import { shellWord } from "../lib/printable.ts";

/** What a command works with. From now on Ctrl-C, and whatever else asks us to end, is a word to it. */
export function openIo(binPath: string): Io {
  const leave = new AbortController();
  const hurry = new AbortController();
  const io: Io = {
    get cwd() {
      return workingFolder();
    },
    env: process.env,
    words: [],
    owtCommand: [process.execPath, binPath],
    // Few commands read it, and opening it takes longer than most of them.
    get stdin() {
      return process.stdin;
    },
    stdout: openOutlet(() => io.outlivesTerminal || process.exit(0)),
    get stderr() {
      return toldQuietly();
    },
    signal: leave.signal,
    hurry: hurry.signal,
    onContinue(heard) {
      process.on("SIGCONT", heard);
      return () => void process.off("SIGCONT", heard);
    },
    outlivesTerminal: false,
    looks: false,
    reads: false,
    tolerant: false,
    verbosity: 0,
  };
  const interrupt = (): void => (leave.signal.aborted ? hurry.abort() : leave.abort());
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, interrupt);
  // A terminal that is closed, a connection that breaks: a run goes on without a screen.
  process.on("SIGHUP", () => io.outlivesTerminal || interrupt());
  return io;
}

/** Where we are. A shell stays in a folder that was deleted, as in that of a worktree that is gone; what needs no folder works there all the same. */
function workingFolder(): string {
  try {
    return process.cwd();
  } catch (cause) {
    const gone = process.env["PWD"] ?? "";
    let there = gone;
    while (there !== "" && !existsSync(there)) there = dirname(there) === there ? "" : dirname(there);
    const hint = `go where there is one: cd ${there === "" ? "~" : shellWord(there)}`;
    throw new OwtError("environment", `the folder that you are in is gone${gone === "" ? "" : `: ${gone}`}`, {
      hint,
      cause,
    });
  }
}

/** Whether one of Node's streams is open, which may still have something to write. */
let isStreaming = false;

/** The end of a quick command: at once where all is written. Node would collect garbage first, which takes a twentieth of `owt status`. */
export function leave(exitCode: number): void {
  process.exitCode = exitCode;
  if (!isStreaming) process.exit();
}

/** Standard output. A reader that went away (owt logs | head) is `onGone`'s affair; the narration alone (below) is no reason to leave the
 *  agents. What is no terminal is written to without Node's streams: to open one takes as long as a quick command works. */
function openOutlet(onGone: () => void): Outlet {
  let opened: NodeJS.WriteStream | null = null;
  const stream = () => {
    isStreaming = true;
    return (opened ??= process.stdout.on("error", (error) => giveUp(error, onGone)));
  };
  const isSeen = !isPlain(1) && stream().isTTY;
  return {
    isTTY: isSeen,
    get columns() {
      return isSeen ? stream().columns : undefined;
    },
    get rows() {
      return isSeen ? stream().rows : undefined;
    },
    stream,
    write(text) {
      const isDirect = opened === null && text.length < PIPE_HOLDS;
      const rest = isDirect ? writeAtOnce(Buffer.from(text), onGone) : text;
      if (rest.length > 0) stream().write(rest);
    },
  };
}

/** A pipe takes so much at once, and Ctrl-C is not heard while we wait for it to take more. */
const PIPE_HOLDS = 16_384;

/** A file, a pipe or /dev/null. */
function isPlain(descriptor: number): boolean {
  try {
    const stat = fstatSync(descriptor);
    return stat.isFile() || stat.isFIFO() || stat.rdev === NULL_DEVICE;
  } catch {
    return false;
  }
}

/** Linux: character device 1, 3. */
const NULL_DEVICE = 0x103;

/** Writes to standard output, and gives back what it does not take now. */
function writeAtOnce(bytes: Buffer, onGone: () => void): Buffer {
  let written = 0;
  try {
    while (written < bytes.length) written += writeSync(1, bytes, written);
  } catch (error) {
    // Somebody made the pipe one that does not wait for its reader.
    if (error instanceof Error && "code" in error && error.code === "EAGAIN") return bytes.subarray(written);
    giveUp(error as Error, onGone);
  }
  return bytes.subarray(bytes.length);
}

/** Nobody reads any more, or there is no room for what is written (a full disk). */
function giveUp(error: Error, onGone: () => void): void {
  if ("code" in error && error.code === "EPIPE") return onGone();
  process.stderr.write(`✗ the answer could not be written: ${error.message}\n`);
  process.exit(1);
}

let told: NodeJS.WriteStream | null = null;

/** Standard error, opened when there is something to tell. */
function toldQuietly(): NodeJS.WriteStream {
  isStreaming = true;
  told ??= process.stderr.on("error", () => {});
  return told;
}
