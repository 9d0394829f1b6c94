/** Who carries what in this process, and what fell for want of room. */
import type { Attempt } from "../core/attempt.ts";
import { OwtError } from "../core/errors.ts";
import { oneLine } from "../core/names.ts";
import { describeUnseen, type Shortage } from "../core/room.ts";
import { findUnwritable } from "../git/unwritable.ts";
import { readRun } from "../store/runs.ts";
import { noteAstray } from "./astray.ts";
import { carryAttempt } from "./attempt.ts";
import type { DiskWatch } from "./disk-watch.ts";
import type { Engine } from "./engine.ts";
import { giveUpForBooking, isFullDisk, STALL_MS } from "./full-disk.ts";
import { NoRoomYet } from "./worktree-room.ts";

/** `times`: in a row, and without a disk of ours that is seen to lack room. `isHeld`: it has not begun, since it would not have fit. */
type Fallen = { at: number; times: number; isHeld: boolean; shortage: Shortage };

/** The attempts that this process carries right now. What they do lies in the store; this only keeps two from carrying one. */
export class Carriers {
  readonly #engine: Engine;
  readonly #leave: AbortSignal;
  readonly disk: DiskWatch;
  readonly #running = new Map<number, Promise<void>>();
  /** What fell to a full disk and has not come through since, by attempt. */
  readonly #fallen = new Map<number, Fallen>();
  #stalledAt = -Infinity;
  failure: { error: unknown } | null = null;
  onEnd: () => void = () => {};
  /** Whether something could start but for want of room. */
  isShort = false;

  /** From `leave` on nothing begins any more. */
  constructor(engine: Engine, leave: AbortSignal, disk: DiskWatch) {
    this.#engine = engine;
    this.#leave = leave;
    this.disk = disk;
  }

  /** Whether what fell to a full disk is left to lie for now. */
  get isStalled(): boolean {
    return performance.now() - this.#stalledAt < STALL_MS || (this.#stalledAt > -Infinity && this.disk.isFull);
  }

  /** When there may be room again, which nothing tells: milliseconds, or null. */
  get lookAgainIn(): number | null {
    if (this.isStalled || this.#freshlyFallen.length > 0) return STALL_MS;
    return this.isShort ? LOOK_AT_ROOM_MS : null;
  }

  /** What keeps everything from starting: our disks, or one of which we see nothing but what it does (another one, a quota). */
  get shortage(): Shortage | null {
    const said = this.#freshlyFallen.find(({ times }) => times >= ENOUGH_TIMES);
    return this.disk.shortage ?? said?.shortage ?? null;
  }

  /** What waits to be begun and has no room. */
  get held(): Shortage | null {
    return this.#freshlyFallen.find(({ isHeld }) => isHeld)?.shortage ?? null;
  }

  get #freshlyFallen(): Fallen[] {
    return [...this.#fallen.values()].filter(({ at }) => performance.now() - at < FALLEN_MS);
  }

  /** Takes in what went wrong with an attempt, or with one of our own turns. What there was no room for goes on when there is, however long that takes; anything
   *  else is the end. */
  fail(error: unknown, of: number): void {
    if (!isFullDisk(this.#engine, error)) {
      this.failure ??= { error };
      return;
    }
    const at = performance.now();
    if (error instanceof NoRoomYet) {
      this.#fallen.set(of, { at, times: 0, isHeld: true, shortage: error.shortage });
      return;
    }
    this.#stalledAt = at;
    giveUpForBooking(this.#engine);
    const isSeen = this.disk.isFull || this.disk.shortage !== null;
    const times = isSeen ? 0 : (this.#fallen.get(of)?.times ?? 0) + 1;
    const why = describeUnseen(oneLine(error instanceof Error ? error.message : String(error)));
    this.#fallen.set(of, { at, times, isHeld: false, shortage: { of: "disk", why } });
  }

  /** What had fallen came through. */
  goesWell(of: number): void {
    this.#fallen.delete(of);
  }

  get size(): number {
    return this.#running.size;
  }

  /** Begins to carry an attempt, unless it is carried already. On a full disk only what can make room goes on, now and then. */
  carry({ id: attempt, run, phase }: Attempt): void {
    if (this.#running.has(attempt)) return;
    const fallen = this.#fallen.get(attempt);
    const isRested = fallen === undefined || performance.now() - fallen.at >= STALL_MS;
    if (fallen?.isHeld === true && !isRested) return;
    if (this.isStalled && !(MAKES_ROOM.has(phase) && isRested)) return;
    const carrying = carryAttempt(this.#engine, attempt, this.#leave)
      .then(() => this.goesWell(attempt))
      .catch(async (error: unknown) => {
        // Its branch was moved under it: the run waits for that, and the others go on.
        if (await this.isAstray(run, error)) return;
        this.fail(error, attempt);
      })
      .then(() => {
        this.#running.delete(attempt);
        this.onEnd();
      });
    this.#running.set(attempt, carrying);
  }

  /** Whether something went wrong because of a run's branch. */
  async isAstray(id: string, error: unknown): Promise<boolean> {
    if (!(error instanceof OwtError) && findUnwritable(this.#engine.repo, { all: true }) === null) return false;
    try {
      const run = readRun(this.#engine.store, id);
      return run !== null && (await noteAstray(this.#engine, run, { failed: true })) !== null;
    } catch {
      // A store that cannot be read, or a full disk: what failed first says more.
      return false;
    }
  }

  async allEnded(): Promise<void> {
    await Promise.all(this.#running.values());
  }
}

/** Phases whose steps can make room: a log is cut, a worktree goes. */
const MAKES_ROOM = new Set<Attempt["phase"]>(["agent", "collect", "advance", "tidy"]);
/** So often in a row something says that a disk is full, of which we see that it is not, before that is told. */
const ENOUGH_TIMES = 3;
/** What is no attempt's, in place of its number. */
export const LOOP = -1;
/** What fell is tried again each second; what was not for so long (its attempt is over, or waits for something else) says nothing any more. */
const FALLEN_MS = 60_000;
/** So often the room is looked at though nothing happens: other programs give memory back. */
const LOOK_AT_ROOM_MS = 2_000;
