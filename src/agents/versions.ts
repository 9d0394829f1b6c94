/** Versions of agents' programs: read from what they print, and held against those that are known to make trouble. */
import type { Unsound } from "./agent.ts";

/** The version in what a program prints of itself (`2.1.329 (Claude Code)`, `codex-cli 0.169.0`); null when there is none. */
export function versionIn(printed: string): string | null {
  return /\b\d+\.\d+(\.\d+)*/.exec(printed)?.[0] ?? null;
}

/** What is known against a version; null when nothing is. */
export function findUnsound(unsound: readonly Unsound[], version: string): Unsound | null {
  const isMeant = ({ from, below }: Unsound) =>
    (from === undefined || compareVersions(version, from) >= 0) &&
    (below === undefined || compareVersions(version, below) < 0);
  return unsound.find(isMeant) ?? null;
}

/** By their numbers, so that 2.1.97 comes before 2.1.197. */
function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split(".").map(Number), b.split(".").map(Number)];
  for (let at = 0; at < Math.max(left.length, right.length); at += 1) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
