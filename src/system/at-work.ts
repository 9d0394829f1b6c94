/** Whether a program does something, as far as the kernel tells of it and of what it has started. */
import { readlinkSync } from "node:fs";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { hasProc, type ProcessStat, readStat } from "./identity.ts";
import { listProcesses } from "./processes.ts";
import { uptimeMs, usageOf } from "./usage.ts";

/** For how long it is watched. */
const WATCHED_MS = 500;
/** Shares of a processor that mean work. An agent that merely waits turns a wheel on its screen: 4 to 16 % (Claude Code 2.1.329). */
const OWN_SHARE = 0.5;
const CHILDREN_SHARE = 0.05;
/** A tool's program is started about when the agent writes down that it calls it. */
const MARGIN_MS = 5_000;

/** The process that the kernel keeps from running (states T and t of proc(5)): a program, or the one that it has started where it is a mere script
 *  around that; null where none is. tmux lets the first process of a pane go on by itself, its children not. */
export function findSuspended(pid: number): number | null {
  const own = readStat(pid);
  if (own === undefined) return null;
  const children = isShell(own) ? below(pid).filter(({ parent }) => parent === pid) : [];
  const meant = [own, ...(children.length === 1 ? children : [])];
  return meant.find(({ state }) => /^[Tt]/.test(state))?.pid ?? null;
}

/** By the program itself: a script goes by its own name. */
function isShell({ pid }: ProcessStat): boolean {
  try {
    return /^(?:ba|da|z|k|fi)?sh$/.test(basename(readlinkSync(`/proc/${pid}/exe`)));
  } catch {
    return false;
  }
}

/** Whether a program is at work: it computes, what it has started does, or it has started something since `heardAt` (epoch ms) that goes on.
 *  Takes half a second where it is not. False without /proc. */
export async function isAtWork(pid: number, heardAt: number): Promise<boolean> {
  if (!hasProc) return false;
  const children = below(pid);
  const bootedAt = Date.now() - uptimeMs();
  if (children.some(({ startTime }) => bootedAt + Number(startTime) * 10 >= heardAt - MARGIN_MS)) return true;
  const used = () => [[pid], children.map((child) => child.pid)].map((pids) => usageOf(pids)?.cpuMs ?? 0);
  const before = used();
  await sleep(WATCHED_MS);
  const [own = 0, theirs = 0] = used().map((ms, at) => (ms - before[at]!) / WATCHED_MS);
  return own >= OWN_SHARE || theirs >= CHILDREN_SHARE;
}

/** Everything that descends from a process. */
function below(pid: number): ProcessStat[] {
  const all = listProcesses();
  const found = new Set([pid]);
  for (let size = 0; size < found.size;) {
    size = found.size;
    for (const each of all) if (found.has(each.parent)) found.add(each.pid);
  }
  return all.filter((each) => each.pid !== pid && found.has(each.pid));
}
