/** Which process a number means. A pid alone is reused within minutes on a busy machine; the boot id, the pid and the start time together
 *  never are. Nothing in this project signals a process without asking here first. */
import { existsSync, readFileSync } from "node:fs";
import { execSync } from "./exec.ts";

/** One process, for ever: no other process, on this machine, before or after, has the same three values. */
export type Identity = {
  /** The kernel's boot id: the pid and start time count anew after a reboot. */
  bootId: string;
  pid: number;
  /** Linux: ticks of 10 ms since boot, field 22 of /proc/PID/stat; no number comes round within one, that would be thousands of forks.
   *  Elsewhere: `ps -o lstart`, seconds in UTC. Only ever compared. */
  startTime: string;
};

/** What the kernel says of a process, whether it runs or waits to be collected. */
export type ProcessStat = {
  pid: number;
  parent: number;
  group: number;
  session: number;
  state: string;
  name: string;
  startTime: string;
};

/** Whether the machine tells of its processes through /proc; macOS does not. */
export const hasProc: boolean = existsSync("/proc/self/stat");

/** The identity of a running process; undefined where no such process runs. A zombie does not run. */
export function readIdentity(pid: number): Identity | undefined {
  const stat = readStat(pid);
  return stat && runs(stat) ? identityOf(stat) : undefined;
}

/** This process, as far as the machine tells: by its number alone where nothing tells more, which is never alive for others then. */
export function thisProcess(): Identity {
  return { pid: process.pid, bootId: "", startTime: "", ...readIdentity(process.pid) };
}

/** The identity of a process as it was when its `stat` was read: whoever has its number by now is not meant. */
export function identityOf(stat: ProcessStat): Identity {
  return { bootId: readBootId(), pid: stat.pid, startTime: stat.startTime };
}

/** Whether exactly this process still runs. After its namespace owner was killed, a process may stay a zombie for seconds: that is dead. */
export function isAlive(identity: Identity): boolean {
  const now = readIdentity(identity.pid);
  return now !== undefined && now.startTime === identity.startTime && now.bootId === identity.bootId;
}

/** Whether exactly this process was stopped (SIGSTOP, Ctrl-Z) and does nothing until it is continued. Without /proc nobody can tell at so little cost. */
export function isSuspended(identity: Identity): boolean {
  return hasProc && isAlive(identity) && readStat(identity.pid)?.state === "T";
}

/** Signals exactly this process: its identity is checked right before. False where it has gone, or is not ours to signal. */
export function signalProcess(identity: Identity, signal: NodeJS.Signals): boolean {
  return isAlive(identity) && kill(identity.pid, signal);
}

/** Signals the process group that this process leads, as long as it lives: only then the group's number is surely its own. */
export function signalGroup(leader: Identity, signal: NodeJS.Signals): boolean {
  return isAlive(leader) && kill(-leader.pid, signal);
}

/** The states Z and X are dead (proc(5), ps(1)). */
export function runs(stat: ProcessStat): boolean {
  return !/^[ZXx]/.test(stat.state);
}

/** One process as the kernel sees it now; undefined where the number is free. */
export function readStat(pid: number): ProcessStat | undefined {
  if (!hasProc) return readStatFromPs(pid);
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return undefined;
  }
}

/** Fields of /proc/PID/stat, proc(5). The name stands in parentheses and may hold blanks and parentheses itself. */
function parseStat(line: string): ProcessStat | undefined {
  const open = line.indexOf("(");
  const close = line.lastIndexOf(")");
  const rest = line.slice(close + 2).split(" ");
  const startTime = rest[19];
  if (open < 0 || startTime === undefined) return undefined;
  return {
    pid: Number.parseInt(line, 10),
    name: line.slice(open + 1, close),
    state: rest[0] ?? "X",
    parent: Number(rest[1]),
    group: Number(rest[2]),
    session: Number(rest[3]),
    startTime,
  };
}

/** Without /proc (macOS). No session column there that means one: the group stands in for it. */
function readStatFromPs(pid: number): ProcessStat | undefined {
  const [parent, group, state, ...start] = ask("ps", ["-o", "ppid=,pgid=,state=,lstart=", "-p", String(pid)]).split(
    /\s+/,
  );
  if (!state || start.length === 0) return undefined;
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    session: Number(group),
    state,
    name: "",
    startTime: start.join(" "),
  };
}

let bootId: string | undefined;

/** Another one each time that the machine was started. */
export function readBootId(): string {
  bootId ??= hasProc
    ? readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()
    : ask("sysctl", ["-n", "kern.bootsessionuuid"]);
  return bootId;
}

/** The one synchronous call of a program: liveness is asked inside synchronous decisions, and without /proc only `ps` knows. */
function ask(file: string, args: string[]): string {
  try {
    const env = { ...process.env, LC_ALL: "C", TZ: "UTC0" };
    return execSync(file, args, env).trim();
  } catch {
    return "";
  }
}

function kill(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
