/** What works in terminals beside their shells that wait for a line. Whoever closes a terminal ends it. */
import { readFileSync, readlinkSync } from "node:fs";
import { basename, sep } from "node:path";
import { type ProcessStat, readStat } from "./identity.ts";
import { argumentsOf } from "./processes.ts";

export type Worker = { pid: number; command: string };

/** Of these processes those that work: they read or write a terminal, or stand in the folder. An idle shell is none, nor is what belongs to one of the
 *  `agents`; a daemon that has left both the terminal and the folder is none either. Nothing without /proc. */
export function findWorkers(pids: readonly number[], at: { folder: string; agents: readonly number[] }): Worker[] {
  const all = new Map(pids.flatMap((pid) => readStat(pid) ?? []).map((stat) => [stat.pid, stat]));
  const isOfAgent = (stat: ProcessStat) => {
    for (let each: ProcessStat | undefined = stat; each !== undefined; each = all.get(each.parent))
      if (at.agents.includes(each.pid)) return true;
    return false;
  };
  return [...all.values()]
    .filter((stat) => !isOfAgent(stat) && isThere(stat.pid, at.folder) && !isIdleShell(stat))
    .map(({ pid, name }) => ({ pid, command: name }));
}

/** Names of programs that are shells, as a terminal tells them. */
export function isShellName(name: string): boolean {
  return /^-?(?:(?:a|ba|c|da|elvi|fi|k|mk|tc|z)?sh|nu|busybox)$/.test(name);
}

/** A shell without a script that waits: at its terminal, or for what it has started, which counts by itself. A part of one that goes on in the
 *  background (`(…) &`) is not in front, and one that computes does not wait. */
function isIdleShell(stat: ProcessStat): boolean {
  const { pid, group, session, state } = stat;
  const [name = "", ...words] = argumentsOf(pid);
  const isShell = (name.startsWith("-") && pid === session) || isShellName(basename(linkOf(pid, "exe") ?? ""));
  if (!isShell || hasScript(words) || !isTerminal(linkOf(pid, "fd/0")) || state === "R") return false;
  return pid === session || (pid === group && pid === inFront(pid));
}

/** Of a shell's words: it runs something else than what is typed. */
function hasScript(words: readonly string[]): boolean {
  const own = words.filter((_, at) => !/^--(?:rcfile|init-file)$/.test(words[at - 1] ?? ""));
  return own.some((word) => !/^[-+]/.test(word) || /^-[a-zA-Z]*c/.test(word));
}

/** The process group that its terminal listens to: field 8 of /proc/PID/stat, proc(5). */
function inFront(pid: number): number {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(line.slice(line.lastIndexOf(")") + 2).split(" ")[5]);
  } catch {
    return 0;
  }
}

/** Somebody else's process tells neither its folder nor its files: one with a terminal is there. */
function isThere(pid: number, folder: string): boolean {
  const cwd = linkOf(pid, "cwd");
  if (cwd === null) return inFront(pid) > 0;
  if (cwd === folder || cwd.startsWith(folder + sep)) return true;
  return ["fd/0", "fd/1", "fd/2"].some((file) => isTerminal(linkOf(pid, file)));
}

function isTerminal(file: string | null): boolean {
  return file !== null && /^\/dev\/(?:pts\/|tty)/.test(file);
}

function linkOf(pid: number, name: string): string | null {
  try {
    return readlinkSync(`/proc/${pid}/${name}`);
  } catch {
    return null;
  }
}
