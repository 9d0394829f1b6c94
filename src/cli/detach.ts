/** Leaves a run to a process in the background, and says how to watch and to stop it. */
import type { Engine } from "../engine/engine.ts";
import { goOnInBackground } from "../engine/background.ts";
import { isCarried, suspendedCarrier } from "../engine/holder.ts";
import { answer, type Io } from "./io.ts";
import { continueLine } from "./text.ts";

/** What `--detach` is for, in the words of each command that has it. */
export const DETACH = "go on in the background, and return; the run outlives this terminal";

export async function detach(
  io: Io,
  engine: Engine,
  run: string,
  options: { json?: boolean },
  configFile: string | null,
): Promise<void> {
  const { pid, log, isNew, isOver } = await goOnInBackground(engine, run, configFile);
  const carrier = isOver ? null : isCarried(engine);
  const suspended = carrier === null ? null : suspendedCarrier(engine);
  const head =
    carrier !== null && carrier !== pid
      ? `${run} is carried by another owt (pid ${carrier})${suspended === null ? "" : ", which is suspended"}; one in the background (pid ${pid}) stands by, and takes it over when that ends`
      : isNew
        ? `${run} goes on in the background (pid ${pid})`
        : `${run} is in the background already (pid ${pid})`;
  const lines = isOver
    ? [`${run}: nothing is left to do in the background`, `  what came of it: owt report ${run}`, `  its log:  ${log}`]
    : [
        head,
        ...(suspended === null ? [] : [`  continue that one: ${continueLine(suspended)}`]),
        `  watch it: owt resume ${run} (Ctrl-C there closes the view only)`,
        `  park it:  owt stop ${run}`,
        `  its log:  ${log}`,
      ];
  answer(io, options, { run, pid, carried_by: carrier, log, already: !isNew }, lines.join("\n"));
}
