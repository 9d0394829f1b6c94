/** All processes of this machine, for the sweeps that find what a launch left behind. Without /proc it finds nothing: there the process
 *  group is all that we stop, and the caller says so. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { hasProc, type ProcessStat, readStat, runs } from "./identity.ts";

/** Every running process that we may see, in no order; our own is left out. About 20 µs each. Zombies do not run, and are told only where asked for. */
export function listProcesses(which: "running" | "also zombies" = "running"): ProcessStat[] {
  return listPids()
    .map(readStat)
    .filter((stat) => stat !== undefined)
    .filter((stat) => (which === "also zombies" || runs(stat)) && stat.pid !== process.pid);
}

/** The number of every process that there is, in no order. What it is costs a look at each. */
export function listPids(): number[] {
  if (!hasProc) return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** The running children of a process that has one thread, as `sh` and `unshare` do. */
export function childrenOf(pid: number): ProcessStat[] {
  if (!tellsChildren) return listProcesses().filter((stat) => stat.parent === pid);
  return read(`/proc/${pid}/task/${pid}/children`)
    .split(" ")
    .filter((word) => word !== "")
    .map((word) => readStat(Number(word)))
    .filter((stat) => stat !== undefined)
    .filter((stat) => stat.parent === pid && runs(stat));
}

/** Kernels built without CONFIG_PROC_CHILDREN lack the file. */
const tellsChildren = existsSync(`/proc/${process.pid}/task/${process.pid}/children`);

/** The arguments of a process; empty where it has gone. */
export function argumentsOf(pid: number): string[] {
  return fieldsOf(`/proc/${pid}/cmdline`);
}

/** The environment that a process was started with, as `NAME=value`; empty where it has gone or belongs to somebody else. */
export function environmentOf(pid: number): string[] {
  return fieldsOf(`/proc/${pid}/environ`);
}

/** The number that a process has in its own, innermost pid namespace: the last of `NSpid` in /proc/PID/status (Linux 4.1). */
export function innermostPid(pid: number): number | undefined {
  const line = /^NSpid:.*?(\d+)$/m.exec(read(`/proc/${pid}/status`));
  return line?.[1] === undefined ? undefined : Number(line[1]);
}

function fieldsOf(path: string): string[] {
  return read(path).split("\0").slice(0, -1);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
