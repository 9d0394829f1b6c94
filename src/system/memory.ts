/** How much memory the machine still has for us, and how much a launch has taken. */
import { freemem } from "node:os";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { membersOf } from "./cgroup.ts";
import { readClaim } from "./claim.ts";
import { findController, readFigure, readText, upwards } from "./controllers.ts";
import { isAlive } from "./identity.ts";
import { listProcesses } from "./processes.ts";

/** Bytes that programs may still take without anything having to give way: the machine's, or what our own cgroup and those around it have left
 *  where that is less. Some small files; no process is asked. */
export function availableMemory(): number {
  const ofMachine = /^MemAvailable:\s+(\d+) kB$/m.exec(readText("/proc/meminfo"))?.[1];
  const machine = ofMachine === undefined ? freemem() : Number(ofMachine) * 1024;
  return Math.min(machine, leftInCgroups());
}

function leftInCgroups(): number {
  const controller = findController("memory");
  if (controller === null) return Infinity;
  const names =
    controller.version === 2
      ? { limit: "memory.max", usage: "memory.current", cache: "inactive_file" }
      : { limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes", cache: "total_inactive_file" };
  const left = upwards(controller).map((folder) => {
    const limit = readFigure(join(folder, names.limit));
    const usage = limit === null ? null : readFigure(join(folder, names.usage));
    if (limit === null || usage === null) return Infinity;
    // What files were read is given back when it is wanted.
    return Math.max(0, limit - usage + (readFigure(join(folder, "memory.stat"), names.cache) ?? 0));
  });
  return Math.min(Infinity, ...left);
}

/** What the processes of a launch have now, in bytes, told by the kernel; null where the launch is over, or the system does not tell. Pages of files are left out, for
 *  they give way; what a fork shares with its parent counts twice. */
export function memoryOf(dir: string): number | null {
  const claim = readClaim(dir);
  if (claim?.kind !== "taken" || !existsSync("/proc/self/status") || !isAlive(claim.outer)) return null;
  const pids = claim.mode === "cgroup" ? membersOf(claim.cgroup) : familyOf(claim.outer.pid);
  return pids.reduce((sum, pid) => sum + ownMemory(pid), 0);
}

function ownMemory(pid: number): number {
  const status = readText(`/proc/${pid}/status`);
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? NaN);
  const anonymous = kilobytes("RssAnon") + kilobytes("RssShmem");
  // Linux tells them apart since 4.5.
  const all = Number.isNaN(anonymous) ? kilobytes("VmRSS") : anonymous;
  return (Number.isNaN(all) ? 0 : all) * 1024;
}

/** A process and all below it. Any thread of a process can have children. */
function familyOf(pid: number): number[] {
  if (!existsSync(`/proc/${process.pid}/task/${process.pid}/children`)) return familyByParents(pid);
  const family = [pid];
  for (const each of family)
    for (const thread of threadsOf(each))
      family.push(...wordsOf(readText(`/proc/${each}/task/${thread}/children`)).map(Number));
  return family;
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function wordsOf(text: string): string[] {
  return text.split(" ").filter((word) => word.trim() !== "");
}

/** Kernels built without CONFIG_PROC_CHILDREN lack the file. */
function familyByParents(pid: number): number[] {
  const all = listProcesses();
  const family = [pid];
  for (const each of family) family.push(...all.filter(({ parent }) => parent === each).map((stat) => stat.pid));
  return family;
}
