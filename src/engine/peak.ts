/** Measures what attempts take of memory while they run, and keeps the highest of it in the store. */
import { setTimeout as sleep } from "node:timers/promises";
import { MapPer } from "../lib/map-per.ts";
import { notePeak } from "../store/peaks.ts";
import { memoryOf } from "../system/memory.ts";
import type { Engine } from "./engine.ts";
import { isFullDisk } from "./full-disk.ts";

/** How often it is looked at: a look takes a millisecond or so for an agent with its tools. What comes and goes in between is not seen. */
const LOOK_MS = 1_000;
/** A write waits for the disk: what is a little more is written at the end. */
const WORTH = 1.25;

const now = new MapPer<Engine, number, number>();

/** What an attempt took at the last look, in bytes; 0 before the first. */
export function memoryNow(engine: Engine, attempt: number): number {
  return now.of(engine).get(attempt) ?? 0;
}

/** Measures the launch in a folder, which belongs to the attempt, until told to stop. Resolves always, unless the store is out of order. */
export async function measurePeak(engine: Engine, attempt: number, dir: string, ended: AbortSignal): Promise<void> {
  const latest = now.of(engine);
  let [peak, written] = [0, 0];
  const write = () => {
    if (peak > written) notePeak(engine.store, attempt, peak);
    written = peak;
  };
  try {
    for (;;) {
      await sleep(LOOK_MS, undefined, { signal: ended, ref: false }).catch(() => {});
      if (ended.aborted) break;
      const bytes = memoryOf(dir);
      if (bytes === null) continue;
      latest.set(attempt, bytes);
      peak = Math.max(peak, bytes);
      if (peak > written * WORTH) write();
    }
    write();
  } catch (error) {
    // A figure is not worth a word about a full disk: whoever moves the attempt meets it too.
    if (!isFullDisk(engine, error)) throw error;
  } finally {
    latest.delete(attempt);
  }
}
