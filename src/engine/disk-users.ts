/** What the runs wait for where a disk is full, and which of their tasks have taken most of it, for whoever can make room. */
import { lstatSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { renderDisk } from "../lib/size.ts";
import type { Answer } from "../core/task-answer.ts";
import { FINAL_STATES } from "../core/task.ts";
import { readAttempts } from "../store/attempts.ts";
import { readShortSince } from "../store/run-words.ts";
import { readRuns } from "../store/runs.ts";
import { readTasks } from "../store/tasks.ts";
import { shortageNow } from "./disk-watch.ts";
import { attemptDir, type Engine } from "./engine.ts";
import { isCarried } from "./holder.ts";
import { printableNames, shellWord } from "../lib/printable.ts";
import { knownShortage, readKept } from "./room.ts";

/** What a task has on the disk: its worktree, or what its agents printed. */
export type DiskUser = { run: string; task: string; path: string; bytes: number };

/** `since` is in epoch milliseconds. */
export type RoomWait = Answer & { why: string; since: number; users: DiskUser[] };

/** Who has less than this is not named. */
const LEAST_BYTES = 2 ** 20;
const MOST_USERS = 3;
/** A look at every file of many worktrees takes its time. */
const MOST_FILES = 200_000;

/** Why open runs wait for a disk and who fills it, or for worktrees that are kept; null where they wait for neither, or it will come by itself. */
export function readRoomWait(engine: Engine): RoomWait | null {
  const runs = readRuns(engine.store, "open");
  if (runs.length === 0 || isCarried(engine) === null) return null;
  const noted = knownShortage(engine);
  // What those who carry them keep back may be more than what is to stay free.
  const short = shortageNow(engine) ?? (noted?.of === "disk" ? noted : null);
  if (short === null) return readKeptWait(engine);
  const users = runs.flatMap((run) => usersOf(engine, run.id));
  const most = users.toSorted((a, b) => b.bytes - a.bytes).slice(0, MOST_USERS);
  const named = most.map(({ task, path, bytes }) => `${task} has ${renderDisk(bytes)} in ${path}`);
  const folder = most[0]?.path ?? dirname(engine.repo.commonDir);
  return {
    why: [short.why, ...named].join("; "),
    since: readShortSince(engine.store, "disk") ?? engine.now(),
    users: most,
    command: `du -axh -- ${shellWord(folder)} | sort -h | tail`,
    note: "to see what is large; make room there or elsewhere on that disk, and it goes on by itself",
  };
}

function readKeptWait(engine: Engine): RoomWait | null {
  const kept = readKept(engine);
  if (kept === null) return null;
  const { why, worktrees } = kept;
  return {
    why: `${why}; kept of tasks that are over: ${printableNames(worktrees)}`,
    since: readShortSince(engine.store, "worktrees") ?? engine.now(),
    users: [],
    command: `owt delete ${shellWord(worktrees[0]!)} --save --yes`,
    note: "saves what nothing else holds; then it goes on by itself",
  };
}

function usersOf(engine: Engine, run: string): DiskUser[] {
  const tasks = readTasks(engine.store, run).filter(({ state }) => !FINAL_STATES.has(state));
  return tasks.flatMap((task) => {
    const attempts = readAttempts(engine.store, task.id);
    const worktrees = new Set(attempts.map(({ worktree }) => worktree));
    const paths = [...worktrees, ...attempts.map(({ id }) => attemptDir(engine, id))];
    const users = paths.map((path) => ({ run, task: task.key, path, bytes: diskUsage(path) }));
    return users.filter(({ bytes }) => bytes >= LEAST_BYTES);
  });
}

/** The bytes that the files below a folder take up, as far as it is looked. What goes meanwhile counts nothing. */
function diskUsage(top: string): number {
  let bytes = 0;
  let left = MOST_FILES;
  const folders = [top];
  for (let at = folders.pop(); at !== undefined && left > 0; at = folders.pop()) {
    for (const entry of entriesOf(at)) {
      const path = join(at, entry.name);
      left--;
      if (entry.isDirectory()) folders.push(path);
      else bytes += (lstatSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
    }
  }
  return bytes;
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
