/** What there is on a tmux server: its sessions with their panes and the terminals that are attached, in one call. */
import { randomUUID } from "node:crypto";
import { hasNoServer, refused, type Tmux, tryTmux } from "./tmux.ts";

export type Session = {
  /** As `$3`; a later server gives it to another session. */
  id: string;
  name: string;
  /** The worktree that it is of, and its repository's git directory; null where it is not ours. */
  worktree: string | null;
  repository: string | null;
  /** What tells its processes from those of others, in their environment. */
  key: string | null;
  /** The inode of the worktree's folder when it was made: another one may stand there now. It is not given anew while anything works in it. */
  folder: string | null;
  /** The id of the session whose windows it shows, for somebody who looks at others of them. */
  viewOf: string | null;
  /** The agent that it was made with, and its conversation, also when a person has closed that pane since; null where it was made without. */
  agent: { name: string; conversation: string } | null;
  /** Epoch ms. */
  createdAt: number;
  /** When somebody last typed into it or attached, epoch ms. */
  usedAt: number;
  clients: Client[];
  /** Of all its windows, in their order. */
  panes: Pane[];
};

/** The pane of its agent; null where it has none. */
export function agentPane({ panes }: Pick<Session, "panes">): Pane | null {
  return panes.find(({ agent }) => agent !== null) ?? null;
}

/** Whether the agent that a session was made with has no pane any more: a person has closed it. */
export function isAgentClosed(session: Session): boolean {
  return session.agent !== null && agentPane(session) === null;
}

/** A terminal that is attached. */
export type Client = { terminal: string; pid: number; readOnly: boolean };

export type Pane = {
  /** As `%5`: its address, for as long as the server lives. */
  id: string;
  /** The agent that it was made for; null for any other pane. */
  agent: string | null;
  /** The conversation of its agent; null where none was chosen by us. */
  conversation: string | null;
  /** The process that it started with; 0 once that was collected. */
  pid: number;
  /** What runs in it now, by the name of the program. */
  command: string;
  cwd: string;
  /** How it ended, where it stays to be looked at; without a status, by a signal or only just now. */
  dead: { status: number | null } | null;
  isActive: boolean;
  /** When something last appeared in its window, epoch ms. */
  activeAt: number;
  /** Of the screen, in cells. */
  at: { left: number; top: number; columns: number; rows: number };
};

const FIELDS = {
  session: [
    "session_id",
    "session_name",
    "@owt_worktree",
    "@owt_repository",
    "@owt_key",
    "@owt_folder",
    "@owt_view_of",
    "@owt_with_agent",
    "@owt_with_conversation",
    "session_created",
    "session_activity",
  ],
  pane: [
    "session_id",
    "pane_id",
    "@owt_agent",
    "@owt_conversation",
    "pane_pid",
    "pane_current_command",
    "pane_current_path",
    "pane_dead",
    "pane_dead_status",
    "pane_active",
    "window_activity",
    "pane_left",
    "pane_top",
    "pane_width",
    "pane_height",
  ],
  client: ["session_id", "client_tty", "client_pid", "client_readonly"],
} as const;

type Kind = keyof typeof FIELDS;

/** Every session of the server, by age; none where no server runs. */
export async function listSessions(tmux: Tmux): Promise<Session[]> {
  // No path and no program can hold it: whatever they hold, fields stay apart.
  const mark = `|${randomUUID()}|`;
  const format = (kind: Kind) => [mark, kind, ...FIELDS[kind].map((field) => `${mark}#{${field}}`), mark].join("");
  const result = await tryTmux(tmux, [
    ["list-sessions", "-F", format("session")],
    ["list-panes", "-a", "-F", format("pane")],
    ["list-clients", "-F", format("client")],
  ]);
  if (hasNoServer(result)) return [];
  if (result.code !== 0) throw refused(result.stderr);
  return assemble(recordsIn(result.stdout, mark));
}

type Found = { [K in Kind]: Record<(typeof FIELDS)[K][number], string>[] };

function recordsIn(text: string, mark: string): Found {
  const found: Found = { session: [], pane: [], client: [] };
  const words = text.split(mark);
  // Before each record stands what ended the one before it: a line end, or nothing.
  for (let at = 1; at < words.length;) {
    const kind = words[at] as Kind;
    const fields = FIELDS[kind];
    const values = words.slice(at + 1, at + 1 + fields.length);
    found[kind].push(Object.fromEntries(fields.map((field, index) => [field, values[index] ?? ""])) as never);
    at += fields.length + 2;
  }
  return found;
}

function assemble({ session, pane, client }: Found): Session[] {
  const of = <T extends { session_id: string }>(all: T[], id: string) => all.filter((each) => each.session_id === id);
  // tmux sorts by name.
  const byAge = session.toSorted((a, b) => Number(a.session_id.slice(1)) - Number(b.session_id.slice(1)));
  return byAge.map((each) => ({
    id: each.session_id,
    name: each.session_name,
    worktree: each["@owt_worktree"] || null,
    repository: each["@owt_repository"] || null,
    key: each["@owt_key"] || null,
    folder: each["@owt_folder"] || null,
    viewOf: each["@owt_view_of"] || null,
    agent: each["@owt_with_conversation"]
      ? { name: each["@owt_with_agent"], conversation: each["@owt_with_conversation"] }
      : null,
    createdAt: seconds(each.session_created),
    usedAt: seconds(each.session_activity),
    clients: of(client, each.session_id).map((one) => ({
      terminal: one.client_tty,
      pid: Number(one.client_pid),
      readOnly: one.client_readonly === "1",
    })),
    panes: of(pane, each.session_id).map(toPane),
  }));
}

function toPane(each: Found["pane"][number]): Pane {
  return {
    id: each.pane_id,
    agent: each["@owt_agent"] || null,
    conversation: each["@owt_conversation"] || null,
    pid: Number(each.pane_pid),
    command: each.pane_current_command,
    cwd: each.pane_current_path,
    dead:
      each.pane_dead === "1" ? { status: each.pane_dead_status === "" ? null : Number(each.pane_dead_status) } : null,
    isActive: each.pane_active === "1",
    activeAt: seconds(each.window_activity),
    at: {
      left: Number(each.pane_left),
      top: Number(each.pane_top),
      columns: Number(each.pane_width),
      rows: Number(each.pane_height),
    },
  };
}

function seconds(text: string): number {
  return Number(text) * 1_000;
}
