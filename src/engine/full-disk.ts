/** What a full disk takes is nobody's failure: what was under way is done again once there is room. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Attempt } from "../core/attempt.ts";
import { OwtError } from "../core/errors.ts";
import { describeOutcome, type Outcome } from "../core/outcome.ts";
import { readTail } from "../lib/tail.ts";
import { readAttempts } from "../store/attempts.ts";
import { giveUpReserve } from "../store/reserve.ts";
import { storeFile } from "../store/store-file.ts";
import { FULL_WORDS, saysFull } from "../system/disk.ts";
import { isDiskShort, wasDiskFull, wasDiskShort } from "./disk-watch.ts";
import { attemptDir, type Engine } from "./engine.ts";

/** What is seen of a full disk may be over when its effect is: for so long it still counts. */
const ECHO_MS = 2_000;

/** Whether something of ours failed for want of room, by its own word or because nothing could be written then. Never for a mistake of ours. */
export function isFullDisk(engine: Engine, error: unknown): boolean {
  if (saysFull(error) || (error instanceof OwtError && error.code === "disk-full")) return true;
  if (!(error instanceof Error) || !("code" in error) || error.code === "interrupted") return false;
  if (wasDiskFull(engine, performance.now() - ECHO_MS)) return true;
  return FULL_WORDS.test(error.message) && isDiskShort(engine);
}

/** So long what fell to a full disk is left to lie, at least. */
export const STALL_MS = 1_000;

/** Does something again and again while there is no room for it, until a signal aborts. It has to be repeatable. */
export async function outlastFullDisk<T>(engine: Engine, signal: AbortSignal, work: () => Promise<T> | T): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isFullDisk(engine, error) || signal.aborted) throw error;
      giveUpForBooking(engine);
      await sleep(STALL_MS, undefined, { signal }).catch(() => {});
    }
  }
}

/** Does something that only clears away; what there is no room for is left to the next owt. */
export async function unlessFullDisk(engine: Engine, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isFullDisk(engine, error)) throw error;
  }
}

/** Where nobody is at work who would take it, the reserve of the store is given up for what has to be booked: a commit, a ref, a merge. */
export function giveUpForBooking(engine: Engine): void {
  if (engine.live.size === 0 && wasDiskFull(engine, performance.now())) giveUpReserve(storeFile(engine.repo.commonDir));
}

/** Outcomes that a full disk can be the cause of. */
const EXCUSED = new Set<Outcome["kind"]>(["failed", "lost", "nothing_done", "transient"]);

/** The outcome of an attempt, as it is to be taken: one that ended badly while nothing could be written fell to the full disk. So did one that left without a
 *  word of how its turn ended (`isMute`) while there was less room than is to be: what filled the disk may be gone between two looks. */
export function excuse(engine: Engine, attempt: Attempt, outcome: Outcome, isMute = false): Outcome {
  if (!EXCUSED.has(outcome.kind)) return outcome;
  if (isMute && wasDiskShort(engine, performance.now() - ECHO_MS))
    return { kind: "disk_full", reason: describeOutcome(outcome) };
  const began = performance.now() - Math.max(0, engine.now() - attempt.startedAt);
  const words = () => `${describeOutcome(outcome)}\n${readTail(join(attemptDir(engine, attempt.id), "err"), 4_096)}`;
  const isExcused = wasDiskFull(engine, began) || (isDiskShort(engine) && FULL_WORDS.test(words()));
  return isExcused ? { kind: "disk_full", reason: describeOutcome(outcome) } : outcome;
}

/** How many attempts of a task, right before this one, fell to a full disk. */
export function disksFullBefore(engine: Engine, attempt: Attempt): number {
  const before = readAttempts(engine.store, attempt.task).filter(({ number }) => number < attempt.number);
  const other = before.toReversed().findIndex(({ outcome }) => outcome?.kind !== "disk_full");
  return other === -1 ? before.length : other;
}

/** Whether what a command ended with says nothing, for want of room: since `began` (`performance.now()`) nothing could be written, or it failed, says so, and
 *  there is still little. Success is no better than failure: a `grep` that cannot print what it finds ends as if it had found nothing. */
export function mayLackRoom(
  engine: Engine,
  began: number,
  { code, output }: { code: number; output: string },
): boolean {
  return wasDiskFull(engine, began) || (code !== 0 && FULL_WORDS.test(output) && isDiskShort(engine));
}
