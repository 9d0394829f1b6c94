/** Fires batches by the clock, for as long as it lives. All it knows lies in the stores of the repositories: any number may watch the same batches, be killed and
 *  be started again. */
import { setTimeout as sleep } from "node:timers/promises";
import { decideSlots, ON_TIME_MS } from "../core/batch-slots.ts";
import { OwtError } from "../core/errors.ts";
import type { Firing } from "../core/firing.ts";
import {
  type Claimed,
  endFiring,
  noteWaiting,
  readOpenFirings,
  readSlot,
  recordMissed,
  retakeFiring,
  seeBatch,
  type Overlap,
} from "../store/firings.ts";
import { isAlive, thisProcess } from "../system/identity.ts";
import type { FoundBatch } from "../system/schedule-files.ts";
import { noneHint, type Placed, specOf, timesOf, withBatches } from "./batches.ts";
import type { Engine, OpenOptions } from "./engine.ts";
import { claim, type Fired, type Muzzle, muzzleOf, resumeRun, startFiring } from "./fire.ts";
import { describeAhead, findAhead, isForsaken, settleFirings } from "./firings.ts";
import { sendOutbox } from "./notify.ts";

/** What is worth a line. Slots are in epoch milliseconds. */
export type Seen =
  | { kind: "watches"; batches: string[] }
  | { kind: "fired"; batch: string; slot: number; fired: Fired }
  /** A slot that is claimed and not started yet. */
  | { kind: "waits"; batch: string; slot: number; why: string }
  | { kind: "passed"; batch: string; slot: number; why: string }
  | { kind: "over"; batch: string; slot: number; run: string | null }
  | { kind: "goes-on"; batch: string; run: string }
  | { kind: "problem"; message: string; hint: string | null };

/** How often we look at least: the schedule may have been written, the clock set, the machine woken. Timers stand still while it sleeps. */
const LOOK_MS = 10_000;

/** By so much (ms) the clock on the wall gets ahead only where it is set, or the machine sleeps. */
const JUMP_MS = 60_000;

/** A run that nobody carries is gone on with at most so often. */
const RESUME_MS = 60_000;

/** Looks once: fires what is due, and returns when it is started. Throws as {@link watchBatches} does at its beginning. */
export async function lookOnce(
  around: Pick<OpenOptions, "cwd" | "env" | "owtCommand">,
  tell: (seen: Seen) => void,
): Promise<void> {
  const watch = new Watch(tell);
  await firstLook(around, watch);
  await watch.allStarted();
  // What could not be started is told of now: nobody may look again soon.
  await withBatches({ ...around, looks: false }, tellEnds);
}

/** Tells of what no process is left to tell of: a batch that was never started, a run whose carrier was killed. It may not keep a slot waiting. */
async function tellEnds({ batches }: Placed): Promise<void> {
  const engines = new Set(batches.flatMap(({ engine }) => engine ?? []));
  const never = new AbortController().signal;
  await Promise.all([...engines].map((engine) => sendOutbox(engine, never, TELL_MS)));
}

/** How long one try may take here, in milliseconds. */
const TELL_MS = 3_000;

function firstLook(around: Pick<OpenOptions, "cwd" | "env" | "owtCommand">, watch: Watch): Promise<number> {
  return withBatches({ ...around, looks: false }, async (placed) => {
    if (placed.batches.length === 0)
      throw new OwtError("config", "there is no batch to watch", { hint: noneHint(placed.files) });
    const wait = watch.look(placed);
    await tellEnds(placed);
    return wait;
  });
}

/** Watches until the signal aborts; what is being started then is started. Throws `config` where the schedule is wrong, or empty, at the beginning; what
 *  goes wrong later is told, and looked at again. */
export async function watchBatches(
  around: Pick<OpenOptions, "cwd" | "env" | "owtCommand">,
  signal: AbortSignal,
  tell: (seen: Seen) => void,
): Promise<void> {
  const watch = new Watch(tell);
  const look = () =>
    withBatches({ ...around, looks: false }, async (placed) => {
      const wait = watch.look(placed);
      await tellEnds(placed);
      return wait;
    });
  let wait = await firstLook(around, watch);
  while (!signal.aborted) {
    await sleep(wait, undefined, { signal }).catch(() => {});
    if (signal.aborted) break;
    try {
      wait = await look();
    } catch (error) {
      if (!(error instanceof OwtError)) throw error;
      watch.tellProblem("schedule", error);
      wait = LOOK_MS;
    }
  }
  await watch.allStarted();
}

class Watch {
  readonly #tell: (seen: Seen) => void;
  /** What is being started; by the firing. */
  readonly #starting = new Map<string, Promise<void>>();
  /** When a run was last gone on with. */
  readonly #resumed = new Map<string, number>();
  /** What was told last of each thing, so that it is told once. */
  readonly #told = new Map<string, string>();

  /** All that the schedule had at the last look. */
  #batches: readonly FoundBatch[] = [];

  /** When we looked last, by the clock on the wall and by the one that nobody sets. */
  #looked: { wall: number; ms: number } | null = null;
  /** Since when (epoch ms) the clock on the wall ran over times that never were, as far as this look sees; null where it did not. */
  #jumpedFrom: number | null = null;

  constructor(tell: (seen: Seen) => void) {
    this.#tell = tell;
  }

  /** One look at all batches. Returns for how long (ms) nothing is due. */
  look({ batches }: Placed): number {
    this.#batches = batches.map(({ batch }) => batch);
    this.#noteLook();
    this.#tellOnce("schedule", { kind: "watches", batches: batches.map(({ batch }) => batch.name) });
    const waits = batches.map((placed) => {
      const { batch, engine } = placed;
      const about = `${batch.file} ${batch.name}`;
      if (engine === null) {
        this.tellProblem(about, placed.problem);
        return LOOK_MS;
      }
      try {
        const wait = this.#lookAt(batch, engine);
        this.#told.delete(about);
        return wait;
      } catch (error) {
        if (!(error instanceof OwtError)) throw error;
        this.tellProblem(about, error);
        return LOOK_MS;
      }
    });
    return Math.min(LOOK_MS, ...waits);
  }

  #noteLook(): void {
    const now = { wall: Date.now(), ms: performance.now() };
    const before = this.#looked;
    const jump = before === null ? 0 : now.wall - before.wall - (now.ms - before.ms);
    this.#jumpedFrom = before !== null && jump >= JUMP_MS ? before.wall : null;
    this.#looked = now;
  }

  #whyMissed(slot: number): string {
    const isJumpedOver = this.#jumpedFrom !== null && slot > this.#jumpedFrom;
    return isJumpedOver ? "the clock was set forward over it, or the machine slept" : "nobody watched";
  }

  tellProblem(about: string, { message, hint }: OwtError): void {
    this.#tellOnce(about, { kind: "problem", message, hint: hint ?? null });
  }

  async allStarted(): Promise<void> {
    await Promise.all(this.#starting.values());
  }

  #lookAt(batch: FoundBatch, engine: Engine): number {
    const { store } = engine;
    const now = engine.now();
    for (const { batch: name, slot, run } of settleFirings(engine))
      this.#tell({ kind: "over", batch: name, slot, run });
    for (const firing of readOpenFirings(store, batch.name)) this.#recover(batch, engine, firing);
    const { since, pausedAt } = seeBatch(store, batch.name, specOf(batch), now);
    if (pausedAt !== null) return LOOK_MS;
    const recordOf = (slot: number) => {
      const state = readSlot(store, batch.name, slot);
      return state === null || state === "missed" ? state : "settled";
    };
    const { due, missed, next } = decideSlots(timesOf(batch), { since, missed: batch.missed, now, recordOf });
    for (const slot of missed) {
      const reason = this.#whyMissed(slot);
      if (recordMissed(store, { batch: batch.name, slot, reason }, thisProcess(), now))
        this.#tell({ kind: "passed", batch: batch.name, slot, why: reason });
    }
    if (due !== null) this.#fire(batch, engine, due);
    return next === null ? LOOK_MS : Math.max(0, next - engine.now());
  }

  #fire(batch: FoundBatch, engine: Engine, slot: number): void {
    const firing = claim(engine, batch, slot, false);
    if (firing === "taken") return;
    if ("kind" in firing) this.#tell({ kind: "passed", batch: batch.name, slot, why: overlapWords(firing) });
    else this.#startInTurn(batch, engine, firing);
  }

  /** What a process that died left half done: nobody else will do it. */
  #recover(batch: FoundBatch, engine: Engine, firing: Claimed): void {
    if (firing.state === "running") {
      if (isForsaken(engine, firing)) this.#goOn(batch, muzzleOf(engine), firing.run!, engine.now());
      return;
    }
    if (isAlive(firing.owner)) {
      if (firing.owner.pid === process.pid) this.#startInTurn(batch, engine, firing);
      return;
    }
    const now = engine.now();
    const hasWaited = firing.reason !== null;
    if (hasWaited || now - firing.slot <= ON_TIME_MS || batch.missed === "once") {
      if (retakeFiring(engine.store, firing, thisProcess())) this.#startInTurn(batch, engine, firing);
      return;
    }
    const end = { from: "claimed", to: "missed", reason: "who was about to start it was killed", now } as const;
    if (endFiring(engine.store, firing, end))
      this.#tell({ kind: "passed", batch: batch.name, slot: firing.slot, why: end.reason });
  }

  /** Where another batch would share the run, each has its limits to itself: one waits for the end of the other. */
  #startInTurn(batch: FoundBatch, engine: Engine, firing: Firing): void {
    const about = `${engine.repo.commonDir} ${firing.id}`;
    if (this.#starting.has(about)) return;
    const ahead = findAhead(engine, batch, { before: firing.id, batches: this.#batches });
    if (ahead === null) {
      this.#start(about, batch, engine, firing);
      return;
    }
    const why = describeAhead(ahead);
    noteWaiting(engine.store, firing, why);
    this.#tellOnce(about, { kind: "waits", batch: batch.name, slot: firing.slot, why });
  }

  #start(about: string, batch: FoundBatch, engine: Engine, firing: Firing): void {
    const starting = startFiring(muzzleOf(engine), batch, firing)
      .then((fired) => this.#tell({ kind: "fired", batch: batch.name, slot: firing.slot, fired }))
      .catch((error: unknown) => {
        if (!(error instanceof OwtError)) throw error;
        this.tellProblem(about, error);
      })
      .finally(() => this.#starting.delete(about));
    this.#starting.set(about, starting);
  }

  #goOn(batch: FoundBatch, muzzle: Muzzle, run: string, now: number): void {
    const about = `${muzzle.commonDir} ${run}`;
    if (this.#starting.has(about) || now - (this.#resumed.get(about) ?? -Infinity) < RESUME_MS) return;
    this.#resumed.set(about, now);
    this.#tell({ kind: "goes-on", batch: batch.name, run });
    const starting = resumeRun(muzzle, run).finally(() => this.#starting.delete(about));
    this.#starting.set(about, starting);
  }

  #tellOnce(about: string, seen: Seen): void {
    const words = JSON.stringify(seen);
    if (this.#told.get(about) === words) return;
    this.#told.set(about, words);
    this.#tell(seen);
  }
}

function overlapWords({ heldUp }: Overlap): string {
  const why = "the run of an earlier slot is still under way";
  return heldUp === null ? why : `${why}: it ${heldUp.why}; ${heldUp.command}`;
}
