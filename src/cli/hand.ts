/** A task that a person took over is given back by a word of theirs; what still works in its session is ended first. */
import { OwtError } from "../core/errors.ts";
import type { Task } from "../core/task.ts";
import type { Engine } from "../engine/engine.ts";
import { refuseAgents, sessionByHand, whatRuns } from "../engine/hand-back.ts";
import { endSession } from "../engine/sessions.ts";
import { canAsk, confirm, type Io } from "./io.ts";

export type YesOption = { yes?: boolean };
export const YES_OPTION = ["-y, --yes", "of a task taken over by hand: end its session without being asked"] as const;

/** Ends the session in which a person has a task, once they said yes where something works in it. Throws `needs-person` where nobody can be asked,
 *  `interrupted` for a no. `command` is the one that was called. */
export async function leaveByHand(
  io: Io,
  engine: Engine,
  task: Task,
  { yes, command }: YesOption & { command: string },
): Promise<void> {
  refuseAgents(engine, task);
  const found = await sessionByHand(engine, task);
  if (found === null) return;
  const { session } = found.standing;
  if (found.isBusy && yes !== true) {
    const what = whatRuns(found.standing);
    if (!canAsk(io))
      throw new OwtError("needs-person", `${what} in ${session.name}, where ${task.key} was taken over`, {
        hint: `leave it, or have it ended: ${command} --yes`,
      });
    const hasAgent = found.standing.pane?.dead === null;
    const kept = hasAgent ? " its conversation is kept" : "";
    if (!(await confirm(io, `${what} in ${session.name}; end it?${kept}`)))
      throw new OwtError("interrupted", "nothing was changed");
  }
  // We may have been called in that very session.
  io.outlivesTerminal = true;
  await endSession(engine, session);
}
