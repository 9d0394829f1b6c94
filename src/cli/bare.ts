/** Commands that people and their prompts call all day long, as they are without any word but `--json`: without a parser for command lines, since
 *  loading and filling that takes as long as what is asked for. */
import type { Engine } from "../engine/engine.ts";
import { type Io, withEngine } from "./io.ts";
import { refusalOf, tellRefusal } from "./refusal.ts";

/** Runs a command that changes nothing of what it shows and is open to everybody. Gives its exit code. */
export async function runBare(
  io: Io,
  options: { json: boolean },
  show: (engine: Engine) => Promise<void>,
): Promise<number> {
  io.looks = true;
  io.reads = true;
  io.tolerant = true;
  try {
    await withEngine(io, show);
    return Number(process.exitCode ?? 0);
  } catch (error) {
    const refusal = refusalOf(io, error);
    tellRefusal(io, refusal, options.json);
    return refusal.exitCode;
  }
}
