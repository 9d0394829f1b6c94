/** What commands that open sessions share: their options, and the way into a session. */
import { type Command, Option } from "commander";
import { type SessionWish } from "../engine/sessions.ts";
import { attachLine, attachSession } from "../tmux/attach.ts";
import type { Session } from "../tmux/list.ts";
import { type Tmux, whereWeAre } from "../tmux/tmux.ts";
import { answer, type Io } from "./io.ts";
import { positiveInteger } from "./work-options.ts";

export type SessionOptions = { layout?: string; panes?: number; agent?: string | boolean };
export type AttachOptions = { readOnly?: boolean; ownView?: boolean };

export function addSessionOptions(command: Command): Command {
  return command
    .option(
      "--layout <name>",
      "main-vertical, three-pane, quad, even-horizontal, even-vertical, or one of the configuration",
    )
    .addOption(new Option("--panes <n>", "how many panes").argParser(positiveInteger))
    .option("--agent <name>", "the agent of the first pane")
    .option("--no-agent", "a shell in the first pane");
}

/** A screen for a session where we have none. */
const UNSEEN = { columns: 200, rows: 50 };

/** What the options wish of a session; `prompt` is what its agent is told first. */
export function wishOf(io: Io, { layout, panes, agent }: SessionOptions, prompt: string | null): SessionWish {
  return {
    layout: layout ?? null,
    panes: panes ?? null,
    agent: agent === false ? false : typeof agent === "string" ? agent : null,
    size: screenOf(io),
    prompt,
  };
}

function screenOf({ stdout }: Io): { columns: number; rows: number } {
  const { columns, rows } = stdout;
  return columns && rows ? { columns: Math.max(columns, 80), rows: Math.max(rows, 24) } : UNSEEN;
}

/** A session to be shown; `told` is what else the answer says. */
export type Shown = { tmux: Tmux; session: Session; told?: object };

/** Somebody may look for days: nothing of the repository is held open meanwhile. Off a terminal there is nothing to show it in: the answer is the
 *  line that does. */
export async function show(
  io: Io,
  { tmux, session, told = {} }: Shown,
  options: AttachOptions & { json?: boolean },
): Promise<void> {
  const flags = { readOnly: options.readOnly === true, ownView: options.ownView === true };
  if (io.stdin.isTTY !== true && (await whereWeAre(tmux)) !== "inside") {
    const command = attachLine(tmux, session, flags);
    answer(io, options, { session: session.name, how: null, command, ...told }, command);
    process.exitCode = 4;
    return;
  }
  const how = await attachSession(tmux, session, flags);
  answer(io, options, { session: session.name, how, command: null, ...told }, "");
}
