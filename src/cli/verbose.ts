/** `-v`: which programs are run and how long each takes; `-vv` also a bug report. Both stand before or behind the name of the command. */
import { redact, secretsIn } from "../core/redact.ts";
import { withoutOwnFlags } from "../git/own-flags.ts";
import { listenToPrograms, type Traced } from "../system/trace.ts";
import { type Io, tell } from "./io.ts";
import { painter, printable } from "./text.ts";

export type Verbosity = 0 | 1 | 2;

/** Takes `-v`, `-vv` and `--verbose` out of a command line; behind `--` they are words like others. */
export function takeVerbosity(argv: readonly string[]): { words: string[]; verbosity: Verbosity } {
  const end = argv.includes("--") ? argv.indexOf("--") : argv.length;
  const isMeant = (word: string, at: number) => at < end && /^(-vv?|--verbose)$/.test(word);
  const level = argv.filter(isMeant).reduce((sum, word) => sum + (word === "-vv" ? 2 : 1), 0);
  return { words: argv.filter((word, at) => !isMeant(word, at)), verbosity: level > 2 ? 2 : (level as Verbosity) };
}

/** Most programs that a report holds: the last ones. */
const KEPT = 500;

/** Tells every program on standard error as it ends, and keeps the lines. */
export function tellPrograms(io: Io): string[] {
  const secrets = secretsIn(io.env);
  const paint = painter(io, io.stderr);
  const lines: string[] = [];
  let isSaid = false;
  listenToPrograms((traced) => {
    const words = withoutOwnFlags(traced.words);
    if (!isSaid && words.length < traced.words.length) {
      isSaid = true;
      tell(
        io,
        paint("dim", "· options that owt gives every git (-c core.hooksPath=/dev/null and the like) are left out"),
      );
    }
    const line = lineOf({ ...traced, words }, secrets);
    lines.push(line);
    if (lines.length > KEPT) lines.shift();
    tell(io, paint("dim", line));
  });
  return lines;
}

function lineOf({ words, ended }: Traced, secrets: readonly string[]): string {
  const time = ended === null ? "starts" : `${Math.round(ended.ms)} ms`;
  const code = ended === null || ended.code === 0 ? "" : `  → ${ended.code ?? "killed"}`;
  return `· ${time.padStart(8)}  ${redact(words.map(brief).join(" "), secrets)}${code}`;
}

/** Texts are told by their length alone: they may be what an agent was asked. */
export function brief(word: string): string {
  const clean = printable(word);
  return /\s/.test(word) || word.length > 200 ? `‹${word.length} characters›` : clean;
}
