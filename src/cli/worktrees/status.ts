/** `owt status W`: how one worktree stands, what is done there, and what its agent was told last. */
import type { Engine } from "../../engine/engine.ts";
import { type Listed, listWorktrees, readStandings } from "../../engine/worktrees/list.ts";
import { strangerAt } from "../../engine/worktrees/stranger.ts";
import type { Checkout } from "../../engine/worktrees/place.ts";
import type { BranchStatus } from "../../git/branch-status.ts";
import { readLease } from "../../engine/worktree-lease.ts";
import { leaseVariables } from "../../core/worktree-lease.ts";
import { fit } from "../../lib/width.ts";
import { readMessages } from "../../store/messages.ts";
import { answer, type Io, screenWidth } from "../io.ts";
import { localTime, painter, printable } from "../text.ts";
import { helpLines, renderList, unreadLines, worktreeJson } from "./list-text.ts";

/** As many of the last words to its agent. */
const SHOWN = 10;
/** Columns of each; with --json it is whole. */
const MOST_TOLD = 160;

export async function showWorktreeStatus(io: Io, engine: Engine, { path }: Checkout, options: { json?: boolean }) {
  const listed = (await listWorktrees(engine)).filter((each) => each.path === path);
  const standings = new Map<string, BranchStatus | null>();
  await readStandings(engine, listed, (where, standing) => standings.set(where, standing));
  const [worktree] = listed as [Listed];
  const messages = readMessages(engine.store, path, SHOWN);
  const lease = readLease(engine, path);
  const variables = lease === null ? {} : leaseVariables(lease);
  const paint = painter(io, io.stdout);
  const width = io.stdout.isTTY ? screenWidth(io) - 1 : null;
  const lines = [
    ...renderList(listed, standings, { now: engine.now(), width, paint }),
    ...[...unreadLines(listed, standings, (each) => strangerAt(engine, each)), ...helpLines(listed, engine.now())].map(
      (line) => `  ${line}`,
    ),
    ...Object.entries(variables).map(([name, value]) => `  ${name}=${value}`),
    ...messages.map(({ at, sender, text, isTaken }) => {
      const from = sender === "" ? "" : ` from ${sender.split("/").at(-1)}`;
      return `  ${paint("dim", localTime(at, Date.now()))} ${isTaken ? "told" : "not taken"}${from}: ${fit(printable(text).replaceAll(/\s+/g, " "), MOST_TOLD)}`;
    }),
  ];
  const told = messages.map(({ at, sender, text, isTaken }) => ({
    at: new Date(at).toISOString(),
    sender: sender === "" ? null : sender,
    text,
    taken: isTaken,
  }));
  const data = { worktree: { ...worktreeJson(worktree, standings.get(path) ?? null), variables, messages: told } };
  answer(io, options, data, lines.join("\n"));
}
