/** Whether there is room for another attempt: memory, disk, worktrees. Pure.
 *
 *  What runs is never stopped for want of room: only the start of more waits, and says for what. */
import { renderDisk, renderMemory } from "../lib/size.ts";
import { quantile } from "../lib/quantile.ts";
import type { Task } from "./task.ts";

export type RoomKind = "memory" | "disk" | "worktrees";

/** What is short, and why in words: `waits for memory: 0.3 GiB free, …`. */
export type Shortage = { of: RoomKind; why: string };

/** What is taken for the peak of an attempt of which nothing was measured yet: an agent in Node with a small test run beside it. The built-in
 *  agent only plays. */
const FIRST_GUESS_BYTES = 512 * 2 ** 20;
const DEMO_GUESS_BYTES = 64 * 2 ** 20;

/** Fewer measured peaks say little about the next one: the guess stands beside them. */
const ENOUGH_PEAKS = 5;

/** What an attempt takes at its peak, as nine of ten before it did not take more. `peaks` are those measured of its agent in this repository;
 *  `guess` is the user's own first word. */
export function expectedPeak(peaks: readonly number[], agentKind: string | null, guess: number | null): number {
  const first = guess ?? (agentKind === "demo" ? DEMO_GUESS_BYTES : FIRST_GUESS_BYTES);
  if (peaks.length === 0) return first;
  const measured = quantile(peaks, 0.9);
  return peaks.length < ENOUGH_PEAKS ? Math.max(measured, Math.min(first, 2 * measured)) : measured;
}

/** An attempt under way: what it is expected to take at its peak, and what it has now. */
export type Taking = { expectedBytes: number; nowBytes: number };

/** What is left of the machine's memory once everything under way has grown to its peak. */
export function leftOfMemory(availableBytes: number, spareBytes: number, taking: readonly Taking[]): number {
  const still = taking.reduce((sum, { expectedBytes, nowBytes }) => sum + Math.max(0, expectedBytes - nowBytes), 0);
  return availableBytes - spareBytes - still;
}

/** Why an attempt waits for memory. */
export function describeMemory(left: number, agent: string, need: number): string {
  const free = left > 0 ? `${renderMemory(left)} free` : "none free";
  return `waits for memory: ${free} beside what runs, an attempt of ${agent} here takes up to ${renderMemory(need)}`;
}

/** How much of a disk stays free, at least: so many bytes, such a part of it, or the less of the two. */
export type Floor = { bytes: number; part: number };

/** Two gigabytes, and on a small disk a twentieth: what the runs of others keep, and what an agent can fill between two looks. */
export const USUAL_FLOOR: Floor = { bytes: 2e9, part: 0.05 };

/** The bytes that stay free on a disk of this size. */
export function floorBytes({ bytes, part }: Floor, totalBytes: number): number {
  return Math.min(bytes, part * totalBytes);
}

/** Files that a disk is to have room for, at least: a worktree is thousands of them. */
export function floorEntries(totalEntries: number): number {
  return Math.min(5_000, 0.05 * totalEntries);
}

/** `50 MB of …`: why everything waits for a disk. */
export function describeDisk(folder: string, freeBytes: number, keepBytes: number): string {
  return `waits for room on the disk: ${renderDisk(freeBytes)} free for ${folder}, ${renderDisk(keepBytes)} are kept`;
}

/** Why a worktree is not begun: what is free is taken by it, by those that are being made, and by what is to stay free. */
export function describeNoFit(
  folder: string,
  { freeBytes, keptBytes }: { freeBytes: number; keptBytes: number },
  { bytes, others }: { bytes: number; others: number },
): string {
  const beside = others === 0 ? "" : `, ${others} more ${others === 1 ? "is" : "are"} being made`;
  return `waits for room on the disk: ${renderDisk(freeBytes)} free for ${folder}, a worktree takes ${renderDisk(bytes)}${beside} and ${renderDisk(keptBytes)} are kept`;
}

/** Whether one more worktree fits. Those that are being made count whole, whatever they have taken already: the mistake is on the safe side, and passes. */
export function fitsBeside(
  { freeBytes, keptBytes }: { freeBytes: number; keptBytes: number },
  { bytes, others }: { bytes: number; others: number },
): boolean {
  return freeBytes - (others + 1) * bytes >= keptBytes;
}

/** The same where a disk is full of which nothing is seen but what it did. */
export function describeUnseen(said: string): string {
  return `waits for room on the disk: ${said}`;
}

/** The same where it is files of which there can be no more. */
export function describeEntries(folder: string, freeEntries: number): string {
  return `waits for room on the disk: only ${freeEntries} more files fit in ${folder}`;
}

/** Why a task that needs a new worktree waits. */
export function describeWorktrees(there: number, most: number): string {
  return `waits for a worktree: ${there} of ${most} are there ([resources] max_worktrees)`;
}

/** What a start needs: what a person did by hand needs neither memory nor a worktree, and what goes on has its worktree already. */
export type StartKind = "fresh" | "by-hand" | "goes-on";

export function startOf({ next, startedAt }: Pick<Task, "next" | "startedAt">): StartKind {
  if (next.kind === "fresh" || next.kind === "by-hand") return next.kind;
  return startedAt === null ? "fresh" : "goes-on";
}

/** Whether a shortage keeps a start back. */
export function concerns({ of }: Shortage, start: StartKind): boolean {
  if (of === "disk") return true;
  return of === "memory" ? start !== "by-hand" : start === "fresh";
}
