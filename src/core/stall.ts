/** When an unattended agent counts as hung, and what holds it up. Silence alone says nothing: an agent can compile, fetch or think for long without a
 *  word. It is hung when neither it nor anything that it has started did anything for so long. Pure. */

import { roughDuration } from "../lib/duration.ts";

/** What shows that an agent is at work. */
export type Sign =
  /** Its output grew. */
  | "output"
  /** Its own record of the conversation grew. */
  | "record"
  /** It computes, or something that it has started does. */
  | "cpu"
  /** Something that it has started began or ended. */
  | "child"
  /** It reads or writes, or something that it has started does. */
  | "io";

/** One process of an agent's tree. Times are milliseconds of a processor, counted since it began. */
export type Member = {
  pid: number;
  parent: number;
  /** With the pid, no other process ever has it. */
  startTime: string;
  name: string;
  /** The kernel's letter: R, S, D, T, Z … */
  state: string;
  cpuMs: number;
  /** For how long it was ready to compute and no processor was free. */
  queuedMs: number;
  /** What its children took that have ended. */
  endedMs: number;
  /** Bytes read and written, of files, pipes and the like; null where the kernel does not tell. */
  ioBytes: number | null;
};

/** The processes of an agent at one moment. */
export type Family = {
  /** The agent itself; null where it has gone and what it started has not. */
  agent: number | null;
  members: Member[];
};

/** Shares of one processor that mean work. Measured with Claude Code 2.1.329 (`claude -p`, seconds in which nothing is printed): up to 2 % while it
 *  waits for an answer that does not come, 1.4 to 3.8 % while one comes. Whatever it has started is there for work alone, and needs less. */
const OWN_SHARE = 0.025;
const OTHERS_SHARE = 0.005;
/** The kernel counts in ticks of 10 ms: so much is no chance. */
const OWN_LEAST_MS = 30;
const OTHERS_LEAST_MS = 20;
/** On a machine that is overloaded who computes gets little of it. What it waited for a processor counts as well, up to so many times what it got:
 *  what merely wakes up now and then waits too. */
const MOST_STRETCHED = 3;
/** What an agent that waits reads and writes to wake itself is some 50 bytes a second. */
const IO_BYTES_PER_S = 1_024;
const IO_LEAST_BYTES = 4_096;

/** What happened in a tree between two looks, `elapsedMs` apart; null: nothing that means work. */
export function signBetween(before: Family, after: Family, elapsedMs: number): Sign | null {
  const known = new Map(before.members.map((each) => [nameOf(each), each]));
  const isSame =
    before.members.length === after.members.length && after.members.every((each) => known.has(nameOf(each)));
  if (!isSame) return "child";
  let [own, others, io] = [0, 0, 0];
  for (const member of after.members) {
    const then = known.get(nameOf(member))!;
    if (then.state !== "Z" && member.state === "Z") return "child";
    // It would compute if it were let: who has the least right to a processor may get none for long.
    if (then.state === "R" && member.state === "R") return "cpu";
    const computed = member.cpuMs - then.cpuMs;
    const cpuMs = computed + Math.min(member.queuedMs - then.queuedMs, MOST_STRETCHED * computed);
    if (member.pid === after.agent) own += cpuMs;
    else others += cpuMs;
    others += member.endedMs - then.endedMs;
    if (member.ioBytes !== null && then.ioBytes !== null) io += member.ioBytes - then.ioBytes;
  }
  if (own >= Math.max(OWN_LEAST_MS, OWN_SHARE * elapsedMs)) return "cpu";
  if (others >= Math.max(OTHERS_LEAST_MS, OTHERS_SHARE * elapsedMs)) return "cpu";
  return io >= Math.max(IO_LEAST_BYTES, (IO_BYTES_PER_S * elapsedMs) / 1_000) ? "io" : null;
}

/** Whether anything of a tree computes in this very moment, or would if a processor were free: that is no standstill. */
export function wantsToCompute({ members }: Family): boolean {
  return members.some(({ state }) => state === "R");
}

function nameOf({ pid, startTime }: Member): string {
  return `${pid} ${startTime}`;
}

/** For how long nothing was seen, by what was watched and not by a clock. */
export type StallClock = { silentMs: number; last: Sign | null };

/** So much of the time between two looks counts at most. Where more went by, nobody watched: owt itself was stopped, or the machine slept. */
export const MOST_BETWEEN_LOOKS_MS = 5_000;

/** The clock behind one more look. */
export function tick(clock: StallClock, sign: Sign | null, elapsedMs: number): StallClock {
  if (sign !== null) return { silentMs: 0, last: sign };
  return { ...clock, silentMs: clock.silentMs + Math.min(Math.max(0, elapsedMs), MOST_BETWEEN_LOOKS_MS) };
}

/** How often the processes of a silent agent are looked at. A sign is seen so much late at most, and dated by when it is seen. */
export function lookEveryMs(limitMs: number): number {
  return Math.min(4_000, Math.max(250, limitMs / 12));
}

/** What holds an agent up. */
export type HangKind =
  /** It never printed anything. */
  | "speechless"
  /** It printed something, and then nothing. */
  | "silent"
  /** The kernel lets it, or what it waits for, do nothing: SIGSTOP. */
  | "suspended"
  /** Something reads from a terminal or a pipe into which nobody writes. */
  | "waits-for-input"
  /** It waits for something that it has started, which does nothing. */
  | "waits-for-tool"
  /** It has a connection on which nothing comes. */
  | "waits-for-network"
  /** Another process holds the lock that it waits for. */
  | "waits-for-lock"
  /** It is in a call of the kernel's that no signal ends. */
  | "uninterruptible"
  /** It has ended, and nobody takes that in. */
  | "zombie";

/** What can be seen of a tree in which nothing happens; found out only then. `who` says which process, for people. */
export type Standstill = {
  hasSpoken: boolean;
  isEnded: boolean;
  suspended: string | null;
  uninterruptible: string | null;
  readsInput: string | null;
  waitsForLock: string | null;
  /** The process that the agent waits for, where it has started any that still runs. */
  tool: string | null;
  /** Where its connection leads. */
  peer: string | null;
};

/** A hang: what it is, and in words what was seen. */
export type Hang = { how: HangKind; detail: string };

/** The nearest cause first: what a process is held up by explains why another one waits for it. */
export function classifyHang(seen: Standstill): Hang {
  if (seen.isEnded) return { how: "zombie", detail: "it has ended, and its wrapper does not take that in" };
  if (seen.suspended !== null)
    return { how: "suspended", detail: `${seen.suspended} was stopped by a signal and may not go on` };
  if (seen.uninterruptible !== null)
    return {
      how: "uninterruptible",
      detail: `${seen.uninterruptible} is held up in the kernel, where no signal reaches it`,
    };
  if (seen.readsInput !== null)
    return { how: "waits-for-input", detail: `${seen.readsInput} waits for input, and nobody gives any` };
  if (seen.waitsForLock !== null)
    return { how: "waits-for-lock", detail: `${seen.waitsForLock} waits for a lock that another process holds` };
  if (seen.tool !== null) return { how: "waits-for-tool", detail: `it waits for ${seen.tool}, which does nothing` };
  if (seen.peer !== null)
    return { how: "waits-for-network", detail: `it waits for an answer from ${seen.peer}, and none comes` };
  return seen.hasSpoken
    ? { how: "silent", detail: "it fell silent" }
    : { how: "speechless", detail: "it never said a word" };
}

/** What was found and what is done about it, in a line. */
export function describeRescue({
  detail,
  silentMs,
  did,
}: {
  detail: string;
  silentMs: number;
  did: "continued" | "ended";
}): string {
  const then = did === "continued" ? "it is let go on" : "it is ended";
  return `hangs: ${detail}; nothing happened for ${roughDuration(silentMs)}; ${then}`;
}

/** What is done about a hang. A stopped agent is let go on, once: it may have been a slip. */
export function decideRescue(hang: Hang, before: { continued: number }): "continue" | "end" {
  return hang.how === "suspended" && before.continued === 0 ? "continue" : "end";
}

/** What the conversation is told when it goes on, so that it does not do the same again. A sentence without its full stop. */
export function nudgeAfter(hang: Hang): string {
  const said = `nothing happened for a long time: ${hang.detail}`;
  switch (hang.how) {
    case "waits-for-input":
      return `${said}. Nobody answers here; run it so that it asks nothing`;
    case "waits-for-tool":
    case "waits-for-lock":
      return `${said}. Do it another way, or with a time limit`;
    case "suspended":
    case "uninterruptible":
    case "zombie":
    case "waits-for-network":
    case "silent":
    case "speechless":
      return said;
    default: {
      const never: never = hang.how;
      return never;
    }
  }
}
