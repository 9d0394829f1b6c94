/** Why a program died, out of what it left on standard error. Pure. */
import { redact } from "./redact.ts";
import { withoutStrays } from "./terminal-text.ts";

/** What stands in no line that says why: warnings, where it happened, advice, and what a program says of itself. */
const ASIDE = [
  /^npm (?:warn|notice|info|http|verb|sill)\b/i,
  /^npm (?:error|ERR!)(?: (?:code|errno|syscall|path|dest|cwd|node|log)\b| A complete log|$| {2})/i,
  /^npm (?:error|ERR!)(?: \w+)?(?: This is related to|$)/i,
  /^npm (?:error|ERR!) To see a list/i,
  /^\(node:\d+\) |^\(Use `node --trace/,
  /^\s*(?:\[?warn(?:ing)?\]?\b|\w*Warning\b|deprecated\b|hint:|note:|help:|tip:)/i,
  /^\S+:\d+: \w*Warning: /,
  /^Node\.js v\d/,
  /^(?:usage|for more information)\b/i,
  /^(?:goroutine \d+|exit status \d+|stack backtrace:|Caused by:)/,
  /^[\s^~|{}()[\],;.=-]*$/,
];

/** A line that names an error, or what has one: `Error: …`, `TypeError [CODE]: …`, `fatal: …`, `sh: error: …`. */
const NAMED =
  /^(?:Uncaught )?(?:[\w.$]*(?:Error|Exception|Interrupt)|error|fatal|fatal error)(?: ?\[\w+\])?: |^[\w./-]+: (?:fatal )?error: /i;

/** So much of a line is read. */
const MOST = 300;

/** The line that says why, with what looks like a secret left out; empty where none does. Of a stack trace that is the error, of a program that names one the last
 *  it names, else the last line that says anything. */
export function whyDied(stderr: string): string {
  const lines = withoutStrays(stderr.replaceAll(/\r\n/g, "\n").replaceAll(/^.*\r(?=[^\n])/gm, "")).split("\n");
  const line = panic(lines) ?? traceback(lines) ?? said(lines);
  const short = redact(line.trim().replaceAll(/\s+/g, " "), []);
  return short.length > MOST ? `${short.slice(0, MOST - 1)}…` : short;
}

/** Of Go, and of Rust, which says it in the line below. */
function panic(lines: readonly string[]): string | null {
  const go = lines.find((line) => /^(?:panic|fatal error): \S/.test(line));
  const at = lines.findLastIndex((line) => /^thread '.*'(?: \(\d+\))? panicked at /.test(line));
  if (at === -1) return go ?? null;
  return lines[at]!.endsWith(":") ? `${lines[at]} ${lines[at + 1] ?? ""}` : lines[at]!;
}

/** Of Python: the first line behind its stack. */
function traceback(lines: readonly string[]): string | null {
  const from = lines.findLastIndex((line) => line.startsWith("Traceback (most recent call last)"));
  return from === -1 ? null : (lines.slice(from + 1).find((line) => /^\S/.test(line)) ?? null);
}

function said(lines: readonly string[]): string {
  const telling = lines.filter((line) => !ASIDE.some((shape) => shape.test(line)));
  // What is further in belongs to the line before: a frame of a stack, a property, the code that failed.
  return (
    telling.findLast((line) => NAMED.test(line)) ?? telling.findLast((line) => /^\S/.test(line)) ?? telling.at(-1) ?? ""
  );
}
