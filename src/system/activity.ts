/** What the processes of a launch do, as the kernel tells: how much they computed, read and wrote, and, where they do nothing, what holds them up. */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import type { Family, Member } from "../core/stall.ts";
import { membersOf } from "./cgroup.ts";
import { type Claim, readClaim } from "./claim.ts";
import { hasProc, type Identity, identityOf, isAlive, readStat, signalProcess } from "./identity.ts";
import { argumentsOf, innermostPid, listProcesses } from "./processes.ts";
import { membersOfGroup } from "./stop.ts";

/** What the processes of a launch, its wrappers left out, did up to now; null where it does not run, or the machine does not tell (no /proc). Some 20 µs for each process of the
 *  machine; in launch mode `group` twice that. */
export function readActivity(dir: string): Family | null {
  const claim = hasProc ? readClaim(dir) : undefined;
  if (claim?.kind !== "taken" || !isAlive(claim.outer)) return null;
  const all = listProcesses("also zombies");
  const family = descendants(all, new Set([claim.outer.pid, ...besidesIn(claim, dir)]));
  const wrappers = wrappersOf(claim, family);
  const members = family
    .filter(({ pid }) => !wrappers.has(pid))
    .map(({ pid }) => readProcess(pid))
    .filter((each) => each !== null);
  return { agent: commandAmong(claim, members, wrappers), members };
}

type Taken = Extract<Claim, { kind: "taken" }>;
type Listed = ReturnType<typeof listProcesses>[number];

/** Who belongs to it without descending from its owner. In a namespace there is nobody: an orphan becomes its first process's. */
function besidesIn(claim: Taken, dir: string): number[] {
  if (claim.mode === "cgroup") return membersOf(claim.cgroup);
  return claim.mode === "group" ? membersOfGroup(claim.outer, realpathSync(dir)) : [];
}

function descendants(all: readonly Listed[], from: Set<number>): Listed[] {
  for (let size = -1; size !== from.size;) {
    size = from.size;
    for (const each of all) if (from.has(each.parent)) from.add(each.pid);
  }
  return all.filter((each) => from.has(each.pid));
}

/** The owner, and in a namespace its first process. */
function wrappersOf({ mode, outer }: Taken, family: readonly Listed[]): Set<number> {
  const isNamespace = mode === "namespace" || mode === "user-namespace";
  const inner = isNamespace ? family.filter(({ parent }) => parent === outer.pid) : [];
  return new Set([outer.pid, ...inner.map(({ pid }) => pid)]);
}

/** The command is what a wrapper started first; orphans are its first process's children too, and come later. */
function commandAmong({ mode }: Taken, members: readonly Member[], wrappers: ReadonlySet<number>): number | null {
  const started = members.filter(({ parent }) => wrappers.has(parent));
  if (mode === "cgroup" || mode === "group")
    return started.toSorted((a, b) => Number(a.startTime) - Number(b.startTime) || a.pid - b.pid)[0]?.pid ?? null;
  return started.find(({ pid }) => innermostPid(pid) === 2)?.pid ?? null;
}

/** Linux counts in hundredths of a second towards programs, whatever it does inside (proc(5), USER_HZ). */
const TICK_MS = 10;

function readProcess(pid: number): Member | null {
  const line = read(`/proc/${pid}/stat`);
  const [open, close] = [line.indexOf("("), line.lastIndexOf(")")];
  const rest = line.slice(close + 2).split(" ");
  if (open < 0 || rest.length < 20) return null;
  const ticks = (at: number) => Number(rest[at]) * TICK_MS;
  return {
    pid,
    parent: Number(rest[1]),
    startTime: rest[19]!,
    name: line.slice(open + 1, close),
    state: rest[0]!,
    cpuMs: ticks(11) + ticks(12),
    queuedMs: readQueuedMs(pid),
    endedMs: ticks(13) + ticks(14),
    ioBytes: readIo(pid),
  };
}

/** The second number, in nanoseconds, of its first thread (kernel.org: scheduler/sched-stats); 0 where the kernel does not count it. */
function readQueuedMs(pid: number): number {
  return Number(read(`/proc/${pid}/schedstat`).split(" ")[1] ?? 0) / 1_000_000;
}

/** `rchar` and `wchar`: what was read and written by calls, whether it went to a disk or not (proc(5)). */
function readIo(pid: number): number | null {
  const text = read(`/proc/${pid}/io`);
  const [rchar, wchar] = ["rchar", "wchar"].map((key) => new RegExp(`^${key}: (\\d+)$`, "m").exec(text)?.[1]);
  return rchar === undefined || wchar === undefined ? null : Number(rchar) + Number(wchar);
}

/** What can be seen of processes that do nothing. Each is told as `name (pid)` or by its command line. */
export type Stillness = {
  isEnded: boolean;
  suspended: string | null;
  uninterruptible: string | null;
  readsInput: string | null;
  waitsForLock: string | null;
  tool: string | null;
  peer: string | null;
};

/** What holds up the processes of a launch. Asked once, when nothing has happened for long. */
export function readStillness({ agent, members }: Family): Stillness {
  const living = members.filter(({ state }) => state !== "Z");
  const who = (found: Member | undefined) => (found === undefined ? null : describeProcess(found));
  const waiting = blockedOnLocks();
  const main = living.find(({ pid }) => pid === agent);
  const leaf = leafBelow(living, agent);
  return {
    isEnded: living.length === 0 || (agent !== null && main === undefined),
    suspended: who(living.find(isSuspended)),
    uninterruptible: who(living.find(({ state }) => state === "D")),
    readsInput: who(living.find((each) => readsInput(each, living))),
    waitsForLock: who(living.find(({ pid }) => waiting.has(pid))),
    tool: leaf === undefined || leaf === main ? null : describeProcess(leaf),
    peer: living.map(({ pid }) => peerOf(pid)).find((each) => each !== null) ?? null,
  };
}

/** Lets every process of a launch go on that a signal has stopped; returns how many. */
export function continueSuspended({ members }: Family): number {
  const stopped = members.filter(isSuspended).map((each): Identity | null => {
    const stat = readStat(each.pid);
    return stat && stat.startTime === each.startTime ? identityOf(stat) : null;
  });
  return stopped.filter((each) => each !== null && signalProcess(each, "SIGCONT")).length;
}

function isSuspended({ state }: Member): boolean {
  return state === "T" || state === "t";
}

/** The last of what the agent has started, down its line: what all the others wait for. */
function leafBelow(living: readonly Member[], agent: number | null): Member | undefined {
  let at = living.find(({ pid }) => pid === agent) ?? living[0];
  for (;;) {
    const below = living.findLast(({ parent }) => parent === at?.pid);
    if (below === undefined) return at;
    at = below;
  }
}

const SHOWN = 80;

/** What it was started as, in a short line; that may hold anything. */
function describeProcess({ pid, name }: Member): string {
  const words = argumentsOf(pid).join(" ").replaceAll(/\s+/g, " ").trim();
  const line = words === "" ? name : words;
  return `${line.length > SHOWN ? `${line.slice(0, SHOWN - 1)}…` : line} (pid ${pid})`;
}

/** Numbers of the system call `read` (Linux, asm/unistd.h). */
const READ = new Map([
  ["x64", 0],
  ["arm64", 63],
]);

/** Whether a process is in a call that reads from a terminal; or its standard input, a pipe that only those who started it can write into. */
function readsInput(process: Member, family: readonly Member[]): boolean {
  const file = readsFrom(process.pid);
  if (file === null) return false;
  const target = linkOf(process.pid, file);
  if (/^\/dev\/(pts\/|tty|console)/.test(target)) return true;
  if (file !== 0 || !/^(pipe|socket):/.test(target)) return false;
  // Behind a pipe in which another program of its own writes stands that program.
  const above = new Set(ancestors(process, family));
  return !family.some((each) => each !== process && !above.has(each.pid) && holdsElsewhere(each.pid, target));
}

/** The number of the file that a process waits to read from; null where it waits for something else or that cannot be seen. /proc/PID/syscall needs the
 *  right to trace it, which a hardened kernel keeps back from other users than root: then by where in the kernel it sleeps. */
function readsFrom(pid: number): number | null {
  const [call, first] = read(`/proc/${pid}/syscall`).split(" ");
  if (call !== undefined && call !== "") return Number(call) === READ.get(process.arch) ? Number(first) : null;
  return /(pipe|tty)_read|^wait_woken$/.test(read(`/proc/${pid}/wchan`)) ? 0 : null;
}

function ancestors(process: Member, family: readonly Member[]): number[] {
  const parent = family.find(({ pid }) => pid === process.parent);
  return parent === undefined ? [] : [parent.pid, ...ancestors(parent, family)];
}

function holdsElsewhere(pid: number, target: string): boolean {
  return filesOf(pid).some((file) => file !== "0" && linkOf(pid, Number(file)) === target);
}

/** Who waits for a lock, as the kernel lists it: lines with an arrow (proc(5)). */
function blockedOnLocks(): Set<number> {
  const lines = read("/proc/locks").split("\n");
  return new Set(lines.filter((line) => line.includes("->")).map((line) => Number(line.trim().split(/\s+/)[5])));
}

/** The other end of the first connection over TCP that a process holds; null where it has none. */
function peerOf(pid: number): string | null {
  const sockets = new Set(filesOf(pid).map((file) => /^socket:\[(\d+)\]$/.exec(linkOf(pid, Number(file)))?.[1] ?? ""));
  sockets.delete("");
  if (sockets.size === 0) return null;
  for (const table of ["tcp", "tcp6"]) {
    for (const line of read(`/proc/${pid}/net/${table}`).split("\n").slice(1)) {
      const [, , remote, state, , , , , , inode] = line.trim().split(/\s+/);
      // 01 is ESTABLISHED (include/net/tcp_states.h).
      if (state === "01" && sockets.has(inode ?? "")) return renderAddress(remote ?? "");
    }
  }
  return null;
}

/** The kernel writes an address as hexadecimal words in the machine's own order of bytes, and the port behind a colon. */
function renderAddress(text: string): string {
  const [words = "", port = ""] = text.split(":");
  const bytes = Buffer.from(words, "hex");
  const v4 = bytes.length === 4 ? bytes : /^0{16}(0000FFFF|FFFF0000)/i.test(words) ? bytes.subarray(12) : null;
  const host = v4 === null ? "another host" : [...v4].toReversed().join(".");
  return `${host}:${Number.parseInt(port, 16)}`;
}

function filesOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`);
  } catch {
    return [];
  }
}

function linkOf(pid: number, file: number): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${file}`);
  } catch {
    return "";
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8").trimEnd();
  } catch {
    return "";
  }
}
