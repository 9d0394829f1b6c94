/** Watches the disks of the worktrees and of the store while runs are carried: whether there is room to start more, whether nothing could be
 *  written for a while, and the reserve of the store. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { parseSize } from "../lib/size.ts";
import {
  describeDisk,
  describeEntries,
  floorBytes,
  floorEntries,
  type Floor,
  type Shortage,
  USUAL_FLOOR,
} from "../core/room.ts";
import { storeFile } from "../store/store-file.ts";
import { hasReserve, makeReserve, RESERVE_BYTES } from "../store/reserve.ts";
import { deviceOf, isFull, readDisk } from "../system/disk.ts";
import { type Engine, worktreeHome } from "./engine.ts";

/** A look is a call or two of the system. What fills and empties a disk between two looks is not seen. */
const LOOK_MS = 500;
/** The reserve is made behind the start: a short run needs none, and none waits for it. */
const RESERVE_AFTER_MS = 1_000;

export class DiskWatch {
  /** Called when room begins or ceases to be short. */
  onChange: () => void = () => {};
  readonly #engine: Engine;
  readonly #store: string;
  readonly #timer: NodeJS.Timeout;
  readonly #since = performance.now();
  #fullAt = -Infinity;
  #shortAt = -Infinity;
  #shortage: Shortage | null = null;
  #isReserved: boolean;
  #hadReserve: boolean;
  #making: Promise<void> | null = null;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#store = storeFile(engine.repo.commonDir);
    this.#isReserved = hasReserve(this.#store);
    this.#hadReserve = this.#isReserved;
    this.look();
    this.#timer = setInterval(() => this.look(), LOOK_MS);
    this.#timer.unref();
  }

  /** Why nothing may start, as of the last look; null where there is room. */
  get shortage(): Shortage | null {
    return this.#shortage;
  }

  /** Whether nothing could be written at some look since then (`performance.now()`), or cannot now. */
  wasFullSince(moment: number): boolean {
    this.look();
    return this.#fullAt >= moment;
  }

  get isFull(): boolean {
    return this.wasFullSince(performance.now());
  }

  /** Whether there is less than is to stay free, now. */
  get isShort(): boolean {
    this.look();
    return this.#shortage !== null;
  }

  /** Whether there was less at some look since then than is to stay free, or is now. */
  wasShortSince(moment: number): boolean {
    this.look();
    return this.#shortAt >= moment;
  }

  /** Whether the reserve takes its room only from now on: it was given up, or is about to be made. */
  owesReserve(freeBytes: number, keptBytes: number): boolean {
    return !hasReserve(this.#store) && (this.#hadReserve || freeBytes >= keptBytes + RESERVE_BYTES);
  }

  look(): void {
    const isReserved = hasReserve(this.#store);
    // Given up since the last look, and not taken away with its folder: nothing could be written but for that, and now its room is what seems to be free.
    if (this.#isReserved && !isReserved && existsSync(dirname(this.#store))) this.#fullAt = performance.now();
    this.#isReserved = isReserved;
    this.#hadReserve ||= isReserved;
    const { shortage, isFull, hasRoom } = measure(this.#engine, this.#hadReserve && !isReserved);
    if (isFull) this.#fullAt = performance.now();
    if (shortage !== null) this.#shortAt = performance.now();
    const changed = (shortage === null) !== (this.#shortage === null);
    this.#shortage = shortage;
    if (!isReserved && hasRoom) this.#reserveSoon();
    if (changed) this.onChange();
  }

  /** Resolves once nothing of it is under way. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#making;
  }

  #reserveSoon(): void {
    const isEarly = performance.now() - this.#since < RESERVE_AFTER_MS;
    // Whoever filled the disk may be about to do so again.
    if (isEarly || this.#making !== null || performance.now() - this.#fullAt < RESERVE_AFTER_MS) return;
    this.#making = makeReserve(this.#store).then((isMade) => {
      this.#making = null;
      // It may be given up before the next look.
      this.#isReserved ||= isMade;
      this.#hadReserve ||= isMade;
    });
  }
}

/** What the disks have left. `owesReserve`: the reserve was given up and has to come back first. */
function measure(
  engine: Engine,
  owesReserve: boolean,
): { shortage: Shortage | null; isFull: boolean; hasRoom: boolean } {
  let shortage: Shortage | null = null;
  let isAnyFull = false;
  let hasRoom = true;
  for (const [at, folder] of foldersOf(engine).entries()) {
    const room = readDisk(folder);
    if (room === null) continue;
    // Of two places on one disk the first speaks for both.
    isAnyFull ||= isFull(room);
    const kept = floorBytes(floorOf(engine), room.totalBytes);
    const owed = at === 0 && owesReserve ? RESERVE_BYTES : 0;
    // Whatever the floor: on a full disk nothing goes on.
    if (isFull(room) || room.freeBytes < kept + owed)
      shortage ??= shortOf(describeDisk(folder, room.freeBytes, kept + owed));
    else if (room.freeEntries !== null && room.freeEntries < floorEntries(room.totalEntries))
      shortage ??= shortOf(describeEntries(folder, room.freeEntries));
    if (at === 0) hasRoom = room.freeBytes >= kept + RESERVE_BYTES;
  }
  return { shortage, isFull: isAnyFull, hasRoom };
}

/** What the disks lack now, for whoever looks; null where nothing may wait for them. */
export function shortageNow(engine: Engine): Shortage | null {
  return measure(engine, false).shortage;
}

/** What worktrees can be made in: what is free for them now, and what of it is to stay so. Null where nobody watches, or the system does not tell. */
export function roomForWorktrees(engine: Engine): { folder: string; freeBytes: number; keptBytes: number } | null {
  const watch = watches.get(engine);
  const folder = worktreeHome(engine);
  const room = readDisk(folder);
  if (watch === undefined || room === null) return null;
  const kept = floorBytes(floorOf(engine), room.totalBytes);
  const owed = isOneDisk(foldersOf(engine)) && watch.owesReserve(room.freeBytes, kept) ? RESERVE_BYTES : 0;
  return { folder, freeBytes: room.freeBytes, keptBytes: kept + owed };
}

/** Whether folders are on one disk, of those that are not there yet the nearest above them. */
function isOneDisk(folders: readonly string[]): boolean {
  return new Set(folders.map((folder) => deviceOf(folder))).size === 1;
}

/** The store's first: the reserve lies there. */
function foldersOf(engine: Engine): string[] {
  return [engine.repo.commonDir, worktreeHome(engine)];
}

/** What is to stay free. */
export function floorOf({ config }: Pick<Engine, "config">): Floor {
  const chosen = config.resources.min_free_disk;
  return chosen === undefined ? USUAL_FLOOR : { bytes: parseSize(chosen)!, part: 1 };
}

function shortOf(why: string): Shortage {
  return { of: "disk", why };
}

const watches = new WeakMap<Engine, DiskWatch>();

/** Begins to watch, for a process that carries runs. */
export function watchDisk(engine: Engine): DiskWatch {
  const watch = new DiskWatch(engine);
  watches.set(engine, watch);
  return watch;
}

/** Whether nothing could be written at some time since then (`performance.now()`), as far as anybody looked. */
export function wasDiskFull(engine: Engine, since: number): boolean {
  const watch = watches.get(engine);
  if (watch) return watch.wasFullSince(since);
  return foldersOf(engine).some((folder) => isFullNow(folder));
}

/** Whether less was free at some time since then than is to stay free, as far as anybody looked. */
export function wasDiskShort(engine: Engine, since: number): boolean {
  return watches.get(engine)?.wasShortSince(since) ?? isDiskShort(engine);
}

function isFullNow(folder: string): boolean {
  const room = readDisk(folder);
  return room !== null && isFull(room);
}

/** Whether less is free now than is to stay free. */
export function isDiskShort(engine: Engine): boolean {
  const watch = watches.get(engine);
  if (watch) return watch.isShort;
  const floor = floorOf(engine);
  return foldersOf(engine).some((folder) => {
    const room = readDisk(folder);
    return room !== null && (isFull(room) || room.freeBytes < floorBytes(floor, room.totalBytes));
  });
}
