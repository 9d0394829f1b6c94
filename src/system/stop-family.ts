/** Stopping what was started in terminals: their first processes, whatever shares their kernel sessions, whatever carries their mark, and all
 *  children of these. No namespace holds a person's shell, so this is as much as can be seen: what left the session, lost its parent and
 *  dropped its environment, all three, is not found. */
import { setTimeout as sleep } from "node:timers/promises";
import { MARK } from "./claim.ts";
import {
  hasProc,
  type Identity,
  identityOf,
  type ProcessStat,
  readStat,
  signalGroup,
  signalProcess,
} from "./identity.ts";
import { environmentOf, listProcesses } from "./processes.ts";

export type Family = {
  /** Each the first process of a terminal, which leads a kernel session. */
  leaders: readonly Identity[];
  /** A variable that all of them were started with. */
  mark: { name: string; value: string } | null;
};

const POLL_MS = 50;
/** For how long KILL is repeated, since a process may fork between a look and the signal. */
const KILL_MS = 2_000;

/** Closes the terminals with `close`, which hangs up on them, then sends TERM to what goes on, and after the grace KILL. Resolves with how
 *  many are left. Ours is not among them, nor what belongs to an attempt: that has an owner of its own. */
export async function stopFamily(
  family: Family,
  close: () => Promise<void>,
  { graceMs }: { graceMs: number },
): Promise<number> {
  const known = new Map<number, ProcessStat>();
  const look = () => findFamily(family, known);
  look();
  await close();
  const graceEnds = performance.now() + graceMs;
  const hungUp = Math.min(graceEnds, performance.now() + HANG_UP_MS);
  for (let asked = false; look().length > 0 && performance.now() < graceEnds; await sleep(POLL_MS)) {
    if (asked || performance.now() < hungUp) continue;
    for (const stat of look()) signalProcess(identityOf(stat), "SIGTERM");
    asked = true;
  }
  for (const ends = performance.now() + KILL_MS; look().length > 0 && performance.now() < ends; await sleep(POLL_MS)) {
    for (const stat of look()) signalProcess(identityOf(stat), "SIGKILL");
    if (!hasProc) for (const leader of family.leaders) signalGroup(leader, "SIGKILL");
  }
  return look().length;
}

/** The processes of a family, now. */
export function processesOf(family: Family): number[] {
  return findFamily(family, new Map()).map(({ pid }) => pid);
}

/** How long a closed terminal alone is to be enough: shells and editors save what they have then. */
const HANG_UP_MS = 500;

/** The family as it is now. `known` are those of the look before: they count even when nothing else tells any more that they belong to it. */
function findFamily({ leaders, mark }: Family, known: Map<number, ProcessStat>): ProcessStat[] {
  const all = hasProc ? listProcesses() : leaders.map(({ pid }) => readStat(pid)).filter((stat) => stat !== undefined);
  const byPid = new Map(all.map((stat) => [stat.pid, stat]));
  const isSame = (stat: ProcessStat, other: { startTime: string } | undefined) => other?.startTime === stat.startTime;
  const byLeader = new Map(leaders.map((leader) => [leader.pid, leader]));
  // No number is given anew while it is a session's: another process with the leader's says that the session is gone.
  const isOfSession = ({ session }: ProcessStat) => {
    const [leader, now] = [byLeader.get(session), byPid.get(session)];
    return leader !== undefined && (now === undefined || isSame(now, leader));
  };
  const isOurs = (stat: ProcessStat): boolean => {
    let isMarked = false;
    for (let at: ProcessStat | undefined = stat; at !== undefined; at = byPid.get(at.parent)) {
      const environment = environmentOf(at.pid);
      // An agent's own process tree, and a tmux server with what other people have in it.
      if (environment.some((each) => each.startsWith(`${MARK}=`)) || at.name.startsWith("tmux: server")) return false;
      if (isOfSession(at) || isSame(at, byLeader.get(at.pid)) || isSame(at, known.get(at.pid))) return true;
      isMarked ||= mark !== null && environment.includes(`${mark.name}=${mark.value}`);
      if (at.parent === process.pid) return false;
    }
    return isMarked;
  };
  const found = all.filter(isOurs);
  known.clear();
  for (const stat of found) known.set(stat.pid, stat);
  return found;
}
