/** The command line as it was given, for a hint that goes on with it. */
import { redact, secretsIn } from "../core/redact.ts";
import { shellWord } from "../lib/printable.ts";
import type { Io } from "./io.ts";

/** The same command with one more option, for a shell to read; secrets are left out. */
export function repeatWith({ words, env }: Pick<Io, "words" | "env">, option: string): string {
  // Behind `--` it would be a word like others.
  const end = words.includes("--") ? words.indexOf("--") : words.length;
  const all = [...words.slice(0, end), option, ...words.slice(end)];
  return redact(`owt ${all.map(shellWord).join(" ")}`, secretsIn(env));
}
