/** Stopping a process tree, from any orchestrator: the claim says who owns the tree, and every signal is preceded by a look at the
 *  identity it is meant for. The order of the steps was measured: a KILL of the outer at its birth leaked 91 trees of 150, because the
 *  kernel's parent-death signal was not yet armed; frozen first, and swept after, none of 200. */
import { setTimeout as sleep } from "node:timers/promises";
import { killCgroup, membersOf, removeCgroup } from "./cgroup.ts";
import { MARK } from "./claim.ts";
import {
  hasProc,
  type Identity,
  identityOf,
  isAlive,
  type ProcessStat,
  readStat,
  signalGroup,
  signalProcess,
} from "./identity.ts";
import { argumentsOf, childrenOf, environmentOf, innermostPid, listProcesses } from "./processes.ts";

/** TERM is repeated: one that comes while the command is being started, or before it has its handler, would be lost. */
const REPEAT_MS = 100;
const POLL_MS = 10;
/** How long we watch for what a KILL began; the kernel took 14–39 ms to end a namespace. */
const KILL_MS = 2_000;

/** Stops the tree of a namespace: TERM to the command until the tree is gone or the grace ends, then KILL, then the sweep. */
export async function stopNamespace(outer: Identity, dir: string, graceMs: number): Promise<void> {
  const graceEnds = performance.now() + graceMs;
  while (isAlive(outer) && performance.now() < graceEnds) {
    const command = findCommand(outer);
    if (command) signalProcess(command, "SIGTERM");
    await gone([outer], Math.min(REPEAT_MS, graceEnds - performance.now()));
  }
  const inner = findInner(outer);
  if (inner) {
    signalProcess(inner, "SIGKILL");
    await gone([outer], KILL_MS);
  }
  if (isAlive(outer)) await killFrozen(outer);
  await sweepNamespace(dir);
}

/** Kills every namespace of this attempt whose outer is gone, known by its arguments and by being pid 1; returns how many. A process
 *  shows no arguments while it execs and while it dies: such a pid 1 is looked at again, for a short while. */
export async function sweepNamespace(dir: string): Promise<number> {
  let killed = 0;
  for (const ends = performance.now() + REPEAT_MS; ; await sleep(POLL_MS)) {
    const { ours, silent } = findFirstProcesses(dir);
    const hit = ours.filter((inner) => signalProcess(inner, "SIGKILL"));
    killed += hit.length;
    await gone(hit, KILL_MS);
    if ((hit.length === 0 && silent === 0) || performance.now() > ends) return killed;
  }
}

/** Whoever is pid 1 of a namespace: this attempt's, and how many do not tell whose they are. */
function findFirstProcesses(dir: string): { ours: Identity[]; silent: number } {
  const ours: Identity[] = [];
  let silent = 0;
  for (const stat of listProcesses()) {
    const words = argumentsOf(stat.pid);
    const at = words.indexOf("owt-inner");
    const isOurs = at >= 0 && words[at + 1] === dir;
    if ((words.length > 0 && !isOurs) || innermostPid(stat.pid) !== 1) continue;
    if (isOurs) ours.push(identityOf(stat));
    else silent += 1;
  }
  return { ours, silent };
}

/** The namespace's pid 1. Only once the outer has become `unshare`: what it starts before that is none. */
function findInner(outer: Identity): Identity | undefined {
  if (!isAlive(outer) || readStat(outer.pid)?.name !== "unshare") return undefined;
  return childrenOf(outer.pid).map(identityOf)[0];
}

/** The command itself: the first process that pid 1 made, so pid 2. Orphans are children of pid 1 too, with other numbers. */
function findCommand(outer: Identity): Identity | undefined {
  const inner = findInner(outer);
  const command = inner && childrenOf(inner.pid).find((stat) => innermostPid(stat.pid) === 2);
  return command && identityOf(command);
}

/** Kills an outer that has no inner yet, or an unwilling one: once it is frozen it can have no child that we do not see. */
async function killFrozen(outer: Identity): Promise<void> {
  signalProcess(outer, "SIGSTOP");
  await until(() => !isAlive(outer) || /^[Tt]/.test(readStat(outer.pid)?.state ?? ""), KILL_MS);
  if (isAlive(outer)) for (const child of childrenOf(outer.pid)) signalProcess(identityOf(child), "SIGKILL");
  signalProcess(outer, "SIGKILL");
  await gone([outer], KILL_MS);
}

/** Stops the tree of a cgroup: TERM to the command until the tree is gone or the grace ends, then the kernel kills what is in it. */
export async function stopCgroup(outer: Identity, dir: string, cgroup: string, graceMs: number): Promise<void> {
  const graceEnds = performance.now() + graceMs;
  while (isAlive(outer) && performance.now() < graceEnds) {
    const inside = new Set(membersOf(cgroup));
    // The outer's other children, `ln`, `mkdir` and `rmdir`, come before it enters and after it leaves.
    const command = childrenOf(outer.pid).find((child) => inside.has(child.pid));
    if (command) signalProcess(identityOf(command), "SIGTERM");
    await gone([outer], Math.min(REPEAT_MS, graceEnds - performance.now()));
  }
  if (isAlive(outer) && membersOf(cgroup).includes(outer.pid)) {
    killCgroup(cgroup);
    await gone([outer], KILL_MS);
  }
  // Not in it yet, or no longer; the command is never outside.
  if (isAlive(outer)) await killFrozen(outer);
  await sweepCgroup(outer, dir, cgroup);
}

/** Kills what is left of a cgroup attempt whose outer is gone, and removes the cgroup; returns how many processes there were. Who moved
 *  to another cgroup is found if it kept the mark. */
export async function sweepCgroup(outer: Identity, dir: string, cgroup: string): Promise<number> {
  const inside = membersOf(cgroup).length;
  killCgroup(cgroup);
  await until(() => membersOf(cgroup).length === 0, KILL_MS);
  const outside = await killMembers(outer, dir, findMembers(outer, dir, []));
  // The `mkdir` of an outer that was killed meanwhile would make the cgroup anew. It ends by itself, and shows no mark while it execs.
  await until(() => !hasSession(outer), KILL_MS);
  await until(() => removeCgroup(cgroup), KILL_MS);
  return inside + outside;
}

/** Stops the tree of a process group as well as can be without a namespace: the group, whatever carries the attempt's mark, and their
 *  descendants. What left the group with a clean environment and an ended parent is not found; the caller says so aloud. */
export async function stopGroup(outer: Identity, dir: string, graceMs: number): Promise<void> {
  const graceEnds = performance.now() + graceMs;
  let members = findMembers(outer, dir, []);
  while (isAlive(outer) && performance.now() < graceEnds) {
    signalGroup(outer, "SIGTERM");
    for (const member of members) if (member.group !== outer.pid) signalProcess(identityOf(member), "SIGTERM");
    await gone([outer], Math.min(REPEAT_MS, graceEnds - performance.now()));
    members = findMembers(outer, dir, members);
  }
  await killMembers(outer, dir, members);
}

/** Kills what is left of a group-mode attempt whose outer is gone: what carries its mark, and its descendants; returns how many. */
export async function sweepGroup(outer: Identity, dir: string): Promise<number> {
  return await killMembers(outer, dir, findMembers(outer, dir, []));
}

/** In rounds, until a look finds nobody: a process may fork between our look and our KILL. */
async function killMembers(outer: Identity, dir: string, first: readonly ProcessStat[]): Promise<number> {
  const killed = new Set<number>();
  const ends = performance.now() + KILL_MS;
  let members = first;
  while (members.length > 0 && performance.now() < ends) {
    for (const member of members) if (signalProcess(identityOf(member), "SIGSTOP")) killed.add(member.pid);
    signalGroup(outer, "SIGKILL");
    for (const member of members) signalProcess(identityOf(member), "SIGKILL");
    await gone(members.map(identityOf), REPEAT_MS);
    members = findMembers(outer, dir, members);
  }
  return killed.size;
}

/** The processes of an attempt in mode `group`, as far as they can be found. */
export function membersOfGroup(outer: Identity, dir: string): number[] {
  return findMembers(outer, dir, []).map(({ pid }) => pid);
}

/** Who belongs to the attempt now. `known` are members of an earlier look: their children count even after the group is gone. */
function findMembers(outer: Identity, dir: string, known: readonly ProcessStat[]): ProcessStat[] {
  const all = hasProc ? listProcesses() : [readStat(outer.pid)].filter((stat) => stat !== undefined);
  // Asked after the list was made: whoever is alive now had its number all the while. The group's number is the outer's.
  const ownsGroup = isAlive(outer);
  const ours = new Set(known.filter((member) => isAlive(identityOf(member))).map((member) => member.pid));
  for (const stat of all) {
    const inGroup = ownsGroup && (stat.group === outer.pid || stat.session === outer.pid);
    if (inGroup || environmentOf(stat.pid).includes(`${MARK}=${dir}`)) ours.add(stat.pid);
  }
  for (let size = -1; size !== ours.size;) {
    size = ours.size;
    for (const stat of all) if (ours.has(stat.parent)) ours.add(stat.pid);
  }
  return all.filter((stat) => ours.has(stat.pid));
}

/** Whether a process is still in the session that an outer led, or may be: good for waiting, not for a signal. No number is given anew
 *  while it is a session's, so another process with the outer's says that the session is gone. */
function hasSession(outer: Identity): boolean {
  const now = readStat(outer.pid);
  if (now && now.startTime !== outer.startTime) return false;
  return listProcesses().some((stat) => stat.session === outer.pid);
}

async function gone(identities: readonly Identity[], timeoutMs: number): Promise<void> {
  await until(() => !identities.some(isAlive), timeoutMs);
}

async function until(done: () => boolean, timeoutMs: number): Promise<void> {
  const ends = performance.now() + timeoutMs;
  while (!done() && performance.now() < ends) await sleep(POLL_MS);
}
