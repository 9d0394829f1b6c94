/** What commands that open sessions share: their options, and the way into a session. */
import { type Command, Option } from "commander";
import { nameOf, wordOf } from "../core/worktree.ts";
import type { OpenedSession, SessionWish } from "../engine/sessions.ts";
import type { Checkout } from "../engine/worktrees/place.ts";
import { attachLine, attachSession } from "../tmux/attach.ts";
import type { Session } from "../tmux/list.ts";
import { type Tmux, whereWeAre } from "../tmux/tmux.ts";
import { answer, type Io, tell } from "./io.ts";
import { fit } from "../lib/width.ts";
import { printable } from "./text.ts";
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

/** An agent that ended before it took its first words up was told them anew; a session that is there stays as it is. */
export function tellIgnored(
  io: Io,
  worktree: Checkout,
  { session, isNew, toldAnew }: OpenedSession,
  { layout, panes, agent }: SessionOptions,
): void {
  if (toldAnew !== null)
    tell(
      io,
      `${nameOf(worktree)}: told anew what its agent had not taken up: ${fit(printable(toldAnew).replaceAll(/\s+/g, " "), 60)}`,
    );
  const there = session.panes.find((pane) => pane.agent !== null)?.agent ?? null;
  const isOther = (agent === false && there !== null) || (typeof agent === "string" && agent !== there);
  const ignored = [
    ...(layout === undefined ? [] : [`--layout ${layout}`]),
    ...(panes === undefined ? [] : [`--panes ${panes}`]),
    ...(isOther ? [agent === false ? "--no-agent" : `--agent ${agent}`] : []),
  ];
  if (isNew || ignored.length === 0) return;
  tell(io, `the session of ${nameOf(worktree)} was there and stays as it is, without ${ignored.join(" ")}`);
  const name = wordOf(worktree);
  tell(io, `  ↳ to make it anew: owt tmux kill ${name}; then: owt tmux create ${name} ${ignored.join(" ")}`);
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
