/** Launches below a folder, found without knowing one of them: by their claims, and by the mark that each of their processes carries, so
 *  that even those are found whose folder was deleted. */
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MARK } from "./claim.ts";
import { identityOf, type Identity, signalProcess } from "./identity.ts";
import { readLaunch, stopTree } from "./launch.ts";
import { environmentOf, listProcesses } from "./processes.ts";

/** For how long KILL is repeated, since a process may fork between a look and the signal. */
const KILL_MS = 2_000;
const REPEAT_MS = 20;

/** The folders, `folder` itself or below it, of launches that are alive. Without /proc only those that still have their folder. */
export function findLiveBelow(folder: string): string[] {
  const claimed = claimsBelow(folder).filter((dir) => readLaunch(dir).kind === "alive");
  return [...new Set([...claimed, ...markedBelow(folder).map(({ dir }) => dir)])];
}

/** Stops every launch in `folder` and below, with everything that it started: TERM, then KILL after the grace. What has lost its folder
 *  is killed at once, for nothing tells any more which process is to be asked. */
export async function stopBelow(folder: string, options: { graceMs: number }): Promise<void> {
  await Promise.all(findLiveBelow(folder).map((dir) => stopTree(dir, options)));
  for (const ends = performance.now() + KILL_MS; performance.now() < ends; await sleep(REPEAT_MS)) {
    const left = markedBelow(folder);
    if (left.length === 0) return;
    for (const { identity } of left) signalProcess(identity, "SIGKILL");
  }
}

function claimsBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((path) => path === "claim" || path.endsWith("/claim"))
      .map((path) => dirname(join(folder, path)));
  } catch {
    return [];
  }
}

function markedBelow(folder: string): { dir: string; identity: Identity }[] {
  const prefix = `${MARK}=${folder}`;
  return listProcesses().flatMap((stat) => {
    const mark = environmentOf(stat.pid).find((each) => each === prefix || each.startsWith(`${prefix}/`));
    return mark === undefined ? [] : [{ dir: mark.slice(MARK.length + 1), identity: identityOf(stat) }];
  });
}
