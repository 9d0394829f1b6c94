/** What is on record of worktrees by hand. That a worktree exists is git's to say; this is what git does not know of it. */
import type { Row, Store } from "./database.ts";

export type WorktreeRecord = {
  path: string;
  branch: string | null;
  /** What it is compared and brought up to date with where its branch has no upstream. */
  base: string | null;
  /** The mark of the process that makes it; null once it is made. */
  maker: string | null;
  /** The commit at which its branch was created for it; null where the branch was there before. */
  ownsBranchAt: string | null;
  /** What somebody is doing there, in their words. */
  note: string;
  /** The task, written down and not in a run, that somebody took up there by hand. */
  task: string | null;
  agent: string | null;
  /** The id of the agent's conversation, chosen by us. */
  conversation: string | null;
  /** What was wished of its session by name; null where the configuration says. */
  layout: string | null;
  panes: number | null;
  /** False where its session was wished without an agent. */
  hasAgent: boolean;
  createdAt: number;
  /** When somebody last went there or wrote something. */
  usedAt: number;
};

type Fresh = Pick<WorktreeRecord, "path" | "branch" | "base" | "maker" | "ownsBranchAt">;

/** Written before the first file of a worktree is. What an earlier worktree at this path left on record is replaced, unless somebody who
 *  `lives` is making one there: then their mark comes back, and nothing is written. */
export function recordMaking(
  store: Store,
  at: number,
  { path, branch, base, maker, ownsBranchAt }: Fresh,
  lives: (maker: string) => boolean,
): string | null {
  return store.transaction(() => {
    const other = store.get("select maker from worktree where path = ?", path)?.["maker"];
    if (typeof other === "string" && lives(other)) return other;
    store.run(
      `insert or replace into worktree (path, branch, base, maker, owns_branch_at, created_at, used_at)
       values (?, ?, ?, ?, ?, ?, ?)`,
      path,
      branch,
      base,
      maker,
      ownsBranchAt,
      at,
      at,
    );
    return null;
  });
}

/** It is there, with everything that was wished for. */
export function recordMade(store: Store, path: string): void {
  store.run("update worktree set maker = null where path = ?", path);
}

export function forgetWorktree(store: Store, path: string): void {
  store.run("delete from worktree where path = ?", path);
}

/** Everything on record, by path. */
export function readWorktrees(store: Store): Map<string, WorktreeRecord> {
  return new Map(store.all("select * from worktree order by path").map((row) => [String(row["path"]), toRecord(row)]));
}

type Change = Partial<Pick<WorktreeRecord, "note" | "task" | "agent" | "conversation" | "base">>;

/** Notes something of a worktree that exists, also of one that plain git made, and that somebody uses it now. */
export function noteWorktree(
  store: Store,
  at: number,
  { path, branch }: Pick<WorktreeRecord, "path" | "branch">,
  change: Change = {},
): void {
  store.transaction(() => {
    store.run(
      "insert or ignore into worktree (path, branch, created_at, used_at) values (?, ?, ?, ?)",
      path,
      branch,
      at,
      at,
    );
    const set = Object.keys(change).map((column) => `${column} = ?, `);
    const values = Object.values(change);
    store.run(`update worktree set ${set.join("")}branch = ?, used_at = ? where path = ?`, ...values, branch, at, path);
  });
}

/** A worktree that was taken away is back, maybe elsewhere, with what was on record of it. */
export function recordRestored(
  store: Store,
  at: number,
  { path, branch }: Pick<WorktreeRecord, "path" | "branch">,
  { base, ownsBranchAt, note }: Pick<WorktreeRecord, "base" | "ownsBranchAt" | "note">,
): void {
  store.run(
    `insert or replace into worktree (path, branch, base, owns_branch_at, note, created_at, used_at)
     values (?, ?, ?, ?, ?, ?, ?)`,
    path,
    branch,
    base,
    ownsBranchAt,
    note,
    at,
    at,
  );
}

/** A branch that holds nothing of its own was moved on: it begins there now. */
export function moveBranchStart(store: Store, path: string, from: string, to: string): void {
  store.run("update worktree set owns_branch_at = ? where path = ? and owns_branch_at = ?", to, path, from);
}

/** What was wished of the session of a worktree that is on record, so that it comes back as it was. */
export function recordSession(
  store: Store,
  path: string,
  { layout, panes, hasAgent }: Pick<WorktreeRecord, "layout" | "panes" | "hasAgent">,
): void {
  store.run(
    "update worktree set layout = ?, panes = ?, has_agent = ? where path = ?",
    layout,
    panes,
    Number(hasAgent),
    path,
  );
}

/** Worktrees stand elsewhere now: what is on record of each, and what was sent to its agent, goes with it, also where two changed places. */
export function followWorktrees(store: Store, moves: readonly { id: string; from: string; to: string }[]): void {
  const paths = [
    ["worktree", "path"],
    ["message", "worktree"],
    ["message", "sender"],
  ];
  store.transaction(() => {
    // No path begins without a slash.
    const steps = [
      ...moves.map(({ id, from }) => [from, `moving:${id}`]),
      ...moves.map(({ id, to }) => [`moving:${id}`, to]),
    ];
    for (const [from, to] of steps) {
      for (const [table, column] of paths)
        store.run(`update or replace ${table} set ${column} = ? where ${column} = ?`, to!, from!);
      store.run("update meta set value = ? where key = 'previous-worktree' and value = ?", to!, from!);
    }
  });
}

/** The worktree that somebody was in before they went to the one they are in now. */
export function readPrevious(store: Store): string | null {
  const value = store.get("select value from meta where key = 'previous-worktree'")?.["value"];
  return value === undefined ? null : String(value);
}

export function notePrevious(store: Store, path: string): void {
  const sql =
    "insert into meta (key, value) values ('previous-worktree', ?) on conflict (key) do update set value = excluded.value";
  store.run(sql, path);
}

function toRecord(row: Row): WorktreeRecord {
  const text = (name: string) => (row[name] === null ? null : String(row[name]));
  return {
    path: String(row["path"]),
    branch: text("branch"),
    base: text("base"),
    maker: text("maker"),
    ownsBranchAt: text("owns_branch_at"),
    note: String(row["note"]),
    task: text("task"),
    agent: text("agent"),
    conversation: text("conversation"),
    layout: text("layout"),
    panes: row["panes"] === null ? null : Number(row["panes"]),
    hasAgent: row["has_agent"] === 1,
    createdAt: Number(row["created_at"]),
    usedAt: Number(row["used_at"]),
  };
}
