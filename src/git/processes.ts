/** Who is working inside a directory. Removing it would leave them in a place that no longer exists, and lose what they write next. */
import { readdirSync, readlinkSync } from "node:fs";
import { sep } from "node:path";
import { readText } from "./place.ts";

export type Inside = { pid: number; command: string };

/** Processes, but for ourselves, whose working directory is at or below `root`. "unknown" where the system has no /proc. With `age` (ms), nobody is inside
 *  where nobody was as long ago: each look is a call of the system's for every process there is. */
export function processesInside(root: string, age = 0): Inside[] | "unknown" {
  const isOld = last !== null && performance.now() - last.at <= age;
  if (!isOld) last = { at: performance.now(), cwds: readCwds() };
  const { cwds } = last!;
  if (cwds === null) return "unknown";
  const found = [...cwds]
    .flatMap(([pid, cwd]) => (isInside(cwd, root) ? [describe(pid)] : []))
    .filter(({ command }) => !command.startsWith(TMUX_SERVER));
  // Who was there then may have left.
  return isOld && found.length > 0 ? processesInside(root) : found;
}

let last: { at: number; cwds: Map<string, string> | null } | null = null;

/** The working directories of all others by pid; null where the system has no /proc. */
function readCwds(): Map<string, string> | null {
  let pids: string[];
  try {
    pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return null;
  }
  if (pids.length === 0) return null;
  return new Map(pids.filter((pid) => Number(pid) !== process.pid).map((pid) => [pid, cwdOf(pid)]));
}

/** A tmux server stays for life in the folder where its first session happened to be made, and does nothing there. */
const TMUX_SERVER = "tmux: server";

function cwdOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return "";
  }
}

function isInside(path: string, root: string): boolean {
  return path === root || path.startsWith(root + sep);
}

function describe(pid: string): Inside {
  return { pid: Number(pid), command: readText(`/proc/${pid}/comm`)?.trim() ?? "" };
}
