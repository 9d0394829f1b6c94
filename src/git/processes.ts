/** Who is working inside a directory. Removing it would leave them in a place that no longer exists, and lose what they write next. */
import { readdirSync, readlinkSync } from "node:fs";
import { sep } from "node:path";
import { readText } from "./place.ts";

export type Inside = { pid: number; command: string };

/** Processes, but for ourselves, whose working directory is at or below `root`. "unknown" where the system has no /proc. */
export function processesInside(root: string): Inside[] | "unknown" {
  let pids: string[];
  try {
    pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return "unknown";
  }
  if (pids.length === 0) return "unknown";
  return pids
    .filter((pid) => Number(pid) !== process.pid && isInside(cwdOf(pid), root))
    .map(describe)
    .filter(({ command }) => !command.startsWith(TMUX_SERVER));
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
