/** What the HEAD of a worktree went through, as git's own log of it tells. */
import { join } from "node:path";
import type { Oid, Place } from "./git.ts";
import { readText } from "./place.ts";

type Step = { to: Oid; at: number; message: string };

/** The commit that HEAD stood at last, also where its branch is gone; null where no log tells. */
export function lastHead(place: Place): Oid | null {
  return readSteps(place).at(-1)?.to ?? null;
}

/** The branches other than `own` on which commits were made there since then (epoch ms). */
export function committedElsewhere(place: Place, own: string, since: number): string[] {
  const found = new Set<string>();
  let on = own;
  // The log tells whole seconds.
  for (const { message } of readSteps(place).filter(({ at }) => at >= since - 1_000)) {
    on = /^checkout: moving from \S+ to (\S+)$/.exec(message)?.[1] ?? on;
    if (on !== own && message.startsWith("commit")) found.add(on);
  }
  return [...found];
}

function readSteps(place: Place): Step[] {
  const lines = (readText(join(place.gitDir, "logs", "HEAD")) ?? "").trimEnd().split("\n");
  return lines.flatMap((line) => {
    const [facts = "", message = ""] = line.split("\t", 2);
    const [, to, seconds] = /^\S+ (\S+) .* (\d+) [+-]\d{4}$/.exec(facts) ?? [];
    return to === undefined || /^0+$/.test(to) ? [] : [{ to, at: Number(seconds) * 1_000, message }];
  });
}
