/** The agents of sessions that are not well, for `owt status`. Loaded only where there ever was a session: the usual status starts no process. */
import type { Engine } from "../../engine/engine.ts";
import { bringBackDead } from "../../engine/sessions.ts";
import { type Listed, listWorktrees } from "../../engine/worktrees/list.ts";
import { helpFor, helpLines } from "./list-text.ts";

export type Unwell = { data: object[]; lines: string[] };

export async function readUnwell(engine: Engine): Promise<Unwell> {
  await bringBackDead(engine);
  const listed = (await listWorktrees(engine)).filter((each) => helpFor(each) !== null);
  return { data: listed.map(toJson), lines: helpLines(listed, engine.now()).map((line) => `  ${line}`) };
}

function toJson(each: Listed): object {
  const since = each.stateSince === null ? null : new Date(each.stateSince).toISOString();
  return { name: each.name, path: each.path, agent: each.agent, state: each.state, since, help: helpFor(each) };
}
