/** What the HEAD of a worktree went through, as git's own log of it tells. */
import { join } from "node:path";
import type { Oid, Place } from "./git.ts";
import { readText } from "./place.ts";

type Step = { to: Oid; at: number; message: string };

/** The commit that HEAD stood at last, also where its branch is gone; null where no log tells. */
export function lastHead(place: Place): Oid | null {
  return readSteps(place).at(-1)?.to ?? null;
}

/** Where commits were made there since then (epoch ms) while HEAD was not on `own`: the branch, or what else was checked out, and the last commit of them. */
export function committedElsewhere(place: Place, own: string, since: number): { on: string; last: Oid }[] {
  const found = new Map<string, Oid>();
  let on = own;
  for (const { to, message } of stepsSince(place, since)) {
    on = renamedIn(message, on) ?? MOVED.exec(message)?.[1] ?? on;
    if (on !== own && message.startsWith("commit")) found.set(on, to);
  }
  return [...found].map(([name, last]) => ({ on: name, last }));
}

/** The name that the branch `own`, which was checked out there, was given since then (epoch ms); null where it was not renamed. */
export function renamedTo(place: Place, own: string, since: number): string | null {
  const name = stepsSince(place, since).reduce((at, { message }) => renamedIn(message, at) ?? at, own);
  return name === own ? null : name;
}

const MOVED = /^checkout: moving from \S+ to (\S+)$/;
const RENAMED = /^Branch: renamed refs\/heads\/(\S+) to refs\/heads\/(\S+)$/;

function renamedIn(message: string, branch: string): string | null {
  const [, from, to] = RENAMED.exec(message) ?? [];
  return from === branch ? to! : null;
}

function stepsSince(place: Place, since: number): Step[] {
  // The log tells whole seconds.
  return readSteps(place).filter(({ at }) => at >= since - 1_000);
}

function readSteps(place: Place): Step[] {
  const lines = (readText(join(place.gitDir, "logs", "HEAD")) ?? "").trimEnd().split("\n");
  return lines.flatMap((line) => {
    const [facts = "", message = ""] = line.split("\t", 2);
    const [, to, seconds] = /^\S+ (\S+) .* (\d+) [+-]\d{4}$/.exec(facts) ?? [];
    return to === undefined || /^0+$/.test(to) ? [] : [{ to, at: Number(seconds) * 1_000, message }];
  });
}
