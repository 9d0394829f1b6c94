/** What processes use of the machine, as the kernel counts it. */
import { readFileSync } from "node:fs";

/** Memory that is theirs now, and the processor time that they took since they began; what has ended counts with whoever waited for it. */
export type ProcessUsage = { memoryBytes: number; cpuMs: number };

/** Linux counts in hundredths of a second towards programs, whatever it does inside (proc(5), USER_HZ). */
const TICK_MS = 10;

/** The sum over these processes; null where the system has no /proc. One that has gone meanwhile counts nothing. */
export function usageOf(pids: readonly number[]): ProcessUsage | null {
  if (process.platform !== "linux") return null;
  const sum = { memoryBytes: 0, cpuMs: 0 };
  for (const pid of pids) {
    const stat = read(pid, "stat");
    // Behind the name, which may hold anything: utime, stime, cutime, cstime are the fields 14 to 17.
    const ticks = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .slice(11, 15);
    sum.cpuMs += ticks.reduce((total, each) => total + Number(each), 0) * TICK_MS;
    // The share of each where memory is used by several: what would be free if all of them ended.
    const shares =
      /^Pss:\s+(\d+) kB$/m.exec(read(pid, "smaps_rollup"))?.[1] ??
      /^VmRSS:\s+(\d+) kB$/m.exec(read(pid, "status"))?.[1];
    sum.memoryBytes += Number(shares ?? 0) * 1024;
  }
  return sum;
}

function read(pid: number, file: string): string {
  return readWhole(`/proc/${pid}/${file}`);
}

function readWhole(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** How long the machine has been up; 0 without /proc. */
export function uptimeMs(): number {
  return Number(readWhole("/proc/uptime").split(" ")[0] ?? 0) * 1_000;
}
