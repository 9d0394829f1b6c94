/** What is said of limits that a person has tried at once by going on with a run. */
import { type Io, tell } from "./io.ts";
import { printable } from "./text.ts";

/** Says what is tried at once; nothing where nothing is. */
export function tellTried(io: Io, run: string, tried: readonly string[]): void {
  if (tried.length > 0) tell(io, printable(`${run} has it tried at once ${tried.join(", and ")}`));
}
