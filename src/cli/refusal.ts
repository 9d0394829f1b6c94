/** Tells a person what was refused, and what to do. */
import type { OwtError } from "../core/errors.ts";
import { type Io, tell } from "./io.ts";
import { painter, printable } from "./text.ts";

/** On standard error: what is the matter, and below it the command that helps. */
export function tellRefusal(io: Io, { code, message, hint }: OwtError): void {
  const paint = painter(io, io.stderr);
  // What a person asked for with Ctrl-C is no failure.
  const mark = code === "interrupted" ? paint("yellow", "■") : paint("red", "✗");
  tell(io, `${mark} ${printable(message)}`);
  if (hint) tell(io, `  ${paint("dim", "↳")} ${printable(hint)}`);
}
