/** A file beside the store that holds nothing but room: given up when the disk is full, so that the store can still be written. */
import { randomFillSync } from "node:crypto";
import { existsSync, rmSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Enough for thousands of moves. */
export const RESERVE_BYTES = 8 * 2 ** 20;

const CHUNK_BYTES = 2 ** 20;

/** Where the reserve of a store lies. */
export function reserveFile(store: string): string {
  return join(dirname(store), "reserve");
}

/** Whether it is there. */
export function hasReserve(store: string): boolean {
  return existsSync(reserveFile(store));
}

/** Makes the reserve. False where there is no room for it; then nothing of it stays. Only one process may do so at a time. */
export async function makeReserve(store: string): Promise<boolean> {
  const path = reserveFile(store);
  const unfinished = `${path}.unfinished`;
  try {
    const file = await open(unfinished, "w", 0o600);
    try {
      // Noise, for a file system that compresses gives zeros no room.
      const noise = randomFillSync(Buffer.alloc(CHUNK_BYTES));
      for (let written = 0; written < RESERVE_BYTES; written += CHUNK_BYTES) await file.writeFile(noise);
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
    return true;
  } catch {
    // Where not even that may be done, the next one that is made writes over it.
    await rm(unfinished, { force: true }).catch(() => {});
    return false;
  }
}

/** Gives it up. False where there was none to give. */
export function giveUpReserve(store: string): boolean {
  const path = reserveFile(store);
  if (!existsSync(path)) return false;
  try {
    rmSync(path);
    return true;
  } catch {
    return false;
  }
}
