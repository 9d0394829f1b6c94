/** Tells what was refused, and what to do. */
import { OwtError } from "../core/errors.ts";
import { dirname } from "node:path";
import { shellWord } from "../lib/printable.ts";
import { saysFull } from "../system/disk.ts";
import { whyNotMade } from "../system/files.ts";
import { canAsk, type Io, tell } from "./io.ts";
import { localTimes, painter, printable } from "./text.ts";

/** On standard error for people: what is the matter, and below it the command that helps. For programs (`json`) also on standard output, in
 *  the envelope that the answer would have come in. */
export function tellRefusal(io: Io, refusal: OwtError, json = false): void {
  if (json) answerRefusal(io, refusal);
  const { code, message, hint } = refusal;
  const paint = painter(io, io.stderr);
  // What a person asked for with Ctrl-C is no failure.
  const mark = code === "interrupted" ? paint("yellow", "■") : paint("red", "✗");
  tell(io, `${mark} ${printable(localTimes(message, Date.now()))}`);
  if (hint) tell(io, `  ${paint("dim", "↳")} ${printable(localTimes(hint, Date.now()))}`);
}

function answerRefusal(io: Io, { code, message, hint, exitCode }: OwtError): void {
  io.stdout.write(
    `${JSON.stringify({ schema: 1, error: { code, message, hint: hint ?? null, exit_code: exitCode } }, null, 2)}\n`,
  );
}

/** Whatever a command threw, in our shape. */
export function refusalOf(io: Io, error: unknown): OwtError {
  if (wasInterrupted(io, error)) return new OwtError("interrupted", "interrupted");
  if (error instanceof OwtError) return canAsk(io) ? error : approvableUnasked(error);
  if (saysFull(error)) return new OwtError("disk-full", `the disk is full: ${(error as Error).message}`);
  const denied = whyDenied(error);
  if (denied !== null) return denied;
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new OwtError("internal", `a mistake of owt: ${what}`, { cause: error });
}

/** What the file system does not let us do: a matter of the place, and no mistake of ours. */
function whyDenied(error: unknown): OwtError | null {
  if (!(error instanceof Error)) return null;
  const { code = "", path, syscall } = error as NodeJS.ErrnoException;
  // Of a folder below others that are not there either Node says no more than that.
  const isUnmade = code === "ENOENT" && syscall === "mkdir" && path !== undefined;
  const denied = DENIED[isUnmade ? (whyNotMade(path) ?? code) : code];
  if (syscall === "uv_os_homedir")
    return new OwtError(
      "environment",
      "there is no home folder: HOME is not set, and the system knows none of this user",
      {
        hint: "name one: export HOME=…",
        cause: error,
      },
    );
  // Of a program whose pipes cannot be opened for that, Node may say EINVAL.
  if (TOO_FEW_FILES.has(code) || (code === "EINVAL" && syscall?.startsWith("spawn") === true))
    return new OwtError("environment", `too few files may be open at once: ${error.message}`, {
      hint: "let there be more, then try again: ulimit -n 1024",
      cause: error,
    });
  if (denied === undefined || path === undefined) return null;
  const hint = `see whose it is: ls -ld ${shellWord(path)} ${shellWord(dirname(path))}; what is wrong here: owt doctor`;
  return new OwtError("environment", `${denied}: ${path}`, { hint, cause: error });
}

/** For one process, and for the whole system. */
const TOO_FEW_FILES = new Set(["EMFILE", "ENFILE"]);

const DENIED: Record<string, string> = {
  EACCES: "no leave to read or write here",
  EPERM: "no leave to change this",
  EROFS: "this is on a disk that is read-only",
  ENAMETOOLONG: "this path is too long for the system",
};

/** Where nobody can be asked, commands are approved with --yes alone. */
function approvableUnasked(error: OwtError): OwtError {
  const { code, message, hint = "" } = error;
  if (code !== "not-approved" || hint.includes("--yes")) return error;
  const line = /owt config approve(?: --profile \S+)?/;
  return new OwtError(code, message, { hint: hint.replace(line, "$& --yes"), cause: error });
}

/** A Ctrl-C also ends a program that we start in that very moment: until it has a session of its own, it is in the terminal's group. */
function wasInterrupted(io: Io, error: unknown): boolean {
  return io.signal.aborted && error instanceof OwtError && error.code === "tool-failed";
}
