/** The lines of `owt list`: one a worktree, the slow columns as they become known. */
import type { OwtError } from "../../core/errors.ts";
import { NEEDS_SOMEBODY, type SessionState } from "../../core/session-state.ts";
import type { BranchStatus } from "../../git/branch-status.ts";
import type { Listed } from "../../engine/worktrees/list.ts";
import { roughDuration } from "../../lib/duration.ts";
import { widthOf } from "../../lib/width.ts";
import { localTime, type Paint, printable } from "../text.ts";
import { printableName, shellWord } from "../../lib/printable.ts";

/** How a worktree stands; undefined while it is looked at, null where it could not be. */
export type Standings = ReadonlyMap<string, BranchStatus | null>;

type Column = { head: string; cells: string[]; paint?: (cell: string, at: number) => string };

/** The table. `width` cuts lines on a terminal; null leaves them whole. */
export function renderList(
  listed: readonly Listed[],
  standings: Standings,
  options: { now: number; width: number | null; paint: Paint },
): string[] {
  const { paint } = options;
  const columns: Column[] = [
    { head: "", cells: listed.map(markOf), paint: (cell) => paint("cyan", cell) },
    {
      head: "name",
      cells: listed.map(({ name }) => printable(name)),
      paint: (cell, at) => paintName(listed[at]!, cell, paint),
    },
    {
      head: "changes",
      cells: listed.map((each) => changesOf(each, standings)),
      paint: (cell) => paint("yellow", cell),
    },
    { head: "commits", cells: listed.map((each) => commitsOf(each, standings.get(each.path))) },
    {
      head: "agent",
      cells: listed.map((each) => agentWords(each, options.now)),
      paint: (cell, at) => paintState(listed[at]!, cell, paint),
    },
    {
      head: "memory",
      cells: listed.map(({ usage }) => (usage === null ? "" : `${Math.round(usage.memoryBytes / 2 ** 20)} MB`)),
    },
    { head: "cpu", cells: listed.map(({ usage }) => (usage === null ? "" : roughDuration(usage.cpuMs))) },
    { head: "used", cells: listed.map(({ usedAt }) => (usedAt === null ? "" : roughDuration(options.now - usedAt))) },
    { head: "doing", cells: listed.map(doingOf) },
    { head: "path", cells: listed.map(({ path }) => printableName(path)), paint: (cell) => paint("dim", cell) },
  ];
  // A column that says nothing takes no room.
  const shown = columns.filter(({ cells }) => cells.some((cell) => cell !== ""));
  const widths = shown.map(({ head, cells }) => Math.max(...[head, ...cells].map(widthOf)));
  const lineOf = (cell: (column: Column) => string, dress: (column: Column, text: string) => string) => {
    let room = options.width ?? Infinity;
    const parts: string[] = [];
    for (const [at, column] of shown.entries()) {
      const isLast = at === shown.length - 1;
      const text = cut(cell(column), room);
      room -= Math.max(widthOf(text), isLast ? 0 : widths[at]!) + 2;
      parts.push(dress(column, text) + (isLast ? "" : " ".repeat(Math.max(0, widths[at]! - widthOf(text)))));
      if (room <= 0) break;
    }
    return parts.join("  ").trimEnd();
  };
  const head = lineOf(
    ({ head: word }) => word,
    (_, text) => paint("dim", text),
  );
  const rows = listed.map((_, at) =>
    lineOf(
      ({ cells }) => cells[at]!,
      ({ paint: dress }, text) => (dress && text !== "" ? dress(text, at) : text),
    ),
  );
  return [head, ...rows];
}

function markOf({ isHere, isMain }: Listed): string {
  return isHere ? "@" : isMain ? "^" : "";
}

function paintName({ isHere, isThere }: Listed, cell: string, paint: Paint): string {
  return isThere ? (isHere ? paint("bold", cell) : cell) : paint("red", cell);
}

/** `3 changed, 1 new`; what is the matter where there is nothing to count. */
function changesOf({ path, isThere, isBeingMade, locked }: Listed, standings: Standings): string {
  if (isBeingMade) return "being made";
  if (!isThere) return "its files are gone";
  const standing = standings.get(path);
  if (standing === undefined) return "…";
  if (standing === null) return "?";
  const parts = [
    standing.conflicts > 0 ? `${standing.conflicts} in conflict` : "",
    standing.changed > 0 ? `${standing.changed} changed` : "",
    standing.untracked > 0 ? `${standing.untracked} new` : "",
    locked === null ? "" : "locked",
  ];
  return parts.filter(Boolean).join(", ");
}

/** Beyond what it follows or began from, and behind it. */
function commitsOf({ base }: Listed, standing: BranchStatus | null | undefined): string {
  if (standing?.lacksBase && base !== null) return `${base} is gone`;
  const { ahead, behind } = standing ?? { ahead: null, behind: null };
  return [ahead ? `↑${ahead}` : "", behind ? `↓${behind}` : ""].filter(Boolean).join(" ");
}

/** `claude works`; nothing where there is no session, nor a task that waits for its API. */
function agentWords({ agent, state, isClosed, stateSince, backs, limit, question }: Told, now: number): string {
  if (state === "none") return agent === null || limit === null ? "" : `${agent} waits${limitWords(limit, now)}`;
  if (agent === null) return "a session";
  if (isClosed) return `${agent} has ended, its pane is closed`;
  if (question !== null) return `${agent} asks you something`;
  const since = state === "hung" && stateSince !== null ? ` for ${roughDuration(now - stateSince)}` : "";
  const often = state === "ended" && backs > 0 ? ` again, brought back ${backs === 1 ? "once" : `${backs} times`}` : "";
  return `${agent} ${STATE_WORDS[state]}${since}${often}${limitWords(limit, now)}`;
}

/** A time that nobody said is when it is tried again, and not its end. */
function limitWords(limit: Listed["limit"], now: number): string {
  if (limit === null) return "";
  const at = localTime(limit.until, now);
  if (limit.outage !== undefined) return `, its API cannot be reached (${printable(limit.outage)}); next try at ${at}`;
  return limit.isGuess ? `, usage limit, no reset known; next try at ${at}` : `, usage limit until ${at}`;
}

type Told = Pick<Listed, "agent" | "state" | "isClosed" | "stateSince" | "backs" | "limit" | "question">;

/** The command that helps an agent which goes on by nobody's word; null for one that does, or whose turn is over. */
export function helpFor({ name, state, suspended }: Pick<Listed, "name" | "state" | "suspended">): string | null {
  if (state === "hung") return `owt switch ${shellWord(name)} --restart`;
  if (state === "suspended") return `kill -CONT ${suspended}`;
  if (state === "cut-off") return `owt send ${shellWord(name)} "go on"`;
  return state === "ended" ? `owt switch ${shellWord(name)}` : null;
}

/** What stands below a list: each agent that is not well, with its command. */
export function helpLines(listed: readonly Listed[], now: number): string[] {
  return listed.flatMap((each) => {
    if (each.question !== null)
      return [printable(`${each.name}: ${each.agent} asks: ${each.question.words}`), `  ↳ ${each.question.command}`];
    const command = helpFor(each);
    if (command === null) return [];
    const note =
      each.state === "hung"
        ? `  (ends it, and goes on in its conversation; look first: owt switch ${shellWord(each.name)})`
        : "";
    return [printable(`${each.name}: ${agentWords(each, now)}`), `  ↳ ${command}${note}`];
  });
}

/** Those that could not be looked at, each with the way out: something else stands in its place, as `strangerAt` says, or git cannot read it. */
export function unreadLines(
  listed: readonly Listed[],
  standings: Standings,
  strangerAt: (worktree: Listed) => OwtError | null,
): string[] {
  const unread = listed.filter((each) => !each.isBeingMade && standings.get(each.path) === null);
  return unread.flatMap((each) => {
    const stranger = strangerAt(each);
    if (stranger !== null)
      return [printable(`${each.name}: ${stranger.message}`), printable(`  ↳ ${stranger.hint ?? "owt doctor"}`)];
    return each.isThere ? [printable(`${each.name}: git cannot read it`), "  ↳ owt doctor"] : [];
  });
}

/** What the agent of a session does, behind its name. */
export const STATE_WORDS: Record<SessionState, string> = {
  none: "",
  ended: "has ended",
  starting: "starts",
  idle: "is ready",
  working: "works",
  blocked: "asks leave",
  waiting: "waits for you",
  "cut-off": "was cut off in its turn",
  hung: "has not answered",
  suspended: "is stopped",
  unknown: "runs",
};

function paintState({ state }: Listed, cell: string, paint: Paint): string {
  return state === "working" ? paint("cyan", cell) : NEEDS_SOMEBODY.has(state) ? paint("yellow", cell) : cell;
}

function doingOf({ task, note }: Listed): string {
  const what = task === null ? "" : `${task.key} (${task.run})`;
  return [what, printable(note).replaceAll(/\s+/g, " ")].filter(Boolean).join(" · ");
}

function cut(text: string, room: number): string {
  if (widthOf(text) <= room) return text;
  let kept = "";
  for (const letter of text) {
    if (widthOf(`${kept}${letter}…`) > room) break;
    kept += letter;
  }
  return room > 0 ? `${kept}…` : "";
}

/** A worktree as programs are told of it. */
export function worktreeJson(each: Listed, standing: BranchStatus | null): object {
  return {
    name: each.name,
    path: each.path,
    branch: each.branch,
    head: standing?.head ?? null,
    is_main: each.isMain,
    is_current: each.isHere,
    is_there: each.isThere,
    is_being_made: each.isBeingMade,
    locked: each.locked,
    task: each.task,
    note: each.note,
    agent: each.agent,
    session: each.session,
    state: each.state,
    help: helpFor(each),
    memory_bytes: each.usage?.memoryBytes ?? null,
    cpu_ms: each.usage?.cpuMs ?? null,
    limited_until: each.limit === null ? null : new Date(each.limit.until).toISOString(),
    state_since: each.stateSince === null ? null : new Date(each.stateSince).toISOString(),
    base: each.base,
    upstream: standing?.upstream ?? null,
    ahead: standing?.ahead ?? null,
    behind: standing?.behind ?? null,
    changed: standing?.changed ?? null,
    conflicts: standing?.conflicts ?? null,
    untracked: standing?.untracked ?? null,
    used_at: each.usedAt === null ? null : new Date(each.usedAt).toISOString(),
  };
}
