/** Sees to it that no more is started than there is room for: memory, disk, worktrees. What waits says for what, to whoever looks. */
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { parseSize, renderMemory } from "../lib/size.ts";
import type { Attempt } from "../core/attempt.ts";
import {
  describeMemory,
  describeWorktrees,
  expectedPeak,
  leftOfMemory,
  type RoomKind,
  type Shortage,
  type StartKind,
} from "../core/room.ts";
import { FINAL_STATES, type TaskState } from "../core/task.ts";
import { kindOf } from "../agents/registry.ts";
import { foldersIn } from "../git/place.ts";
import { MapPer } from "../lib/map-per.ts";
import { lastAttemptIn, readOpenAttempts } from "../store/attempts.ts";
import { readPeaks } from "../store/peaks.ts";
import { readRuns } from "../store/runs.ts";
import { readShortage, writeShortage } from "../store/shortage.ts";
import { readTask } from "../store/tasks.ts";
import { isAlive, thisProcess } from "../system/identity.ts";
import { availableMemory } from "../system/memory.ts";
import { type Engine, worktreeHome } from "./engine.ts";
import type { Finding } from "./examine-machine.ts";
import { memoryNow } from "./peak.ts";
import { shortForWorktree } from "./worktree-room.ts";

/** Phases in which an attempt takes memory, or is about to. */
const TAKES = new Set<Attempt["phase"]>(["workspace", "setup", "launch", "agent", "collect", "verify", "merge"]);

/** What is left to start with, read once for all that one turn of the loop starts. */
export class Room {
  readonly #engine: Engine;
  readonly #disk: Shortage | null;
  #running: readonly Attempt[] | null = null;
  #started = 0;
  #startedBytes = 0;
  #left: number | null = null;
  #worktrees: number | null = null;
  readonly #worktreeBytes: number;
  #startedFresh = 0;

  /** `disk`: what the disks lack. `worktreeBytes`: what a new worktree takes. */
  constructor(engine: Engine, disk: Shortage | null, worktreeBytes: number) {
    this.#engine = engine;
    this.#disk = disk;
    this.#worktreeBytes = worktreeBytes;
  }

  get #open(): readonly Attempt[] {
    return (this.#running ??= readOpenAttempts(this.#engine.store).filter(({ phase }) => TAKES.has(phase)));
  }

  /** Takes room for an attempt of an agent; or says what is short. Where nothing of ours runs there always is memory, for waiting
   *  would bring none then; a full disk, and worktrees that are kept, wait for a person. */
  take(agent: string, next: StartKind): Shortage | null {
    if (this.#disk !== null) return this.#disk;
    // Counted before the first is started.
    const isFirst = this.#open.length + this.#started === 0;
    const short =
      this.#shortOfWorktrees(next) ?? this.#shortOfDisk(next) ?? (isFirst ? null : this.#shortOfMemory(agent, next));
    if (short !== null) return short;
    this.#started++;
    if (next === "fresh") this.#startedFresh++;
    this.#startedBytes += needOf(this.#engine, agent);
    if (this.#worktrees !== null && next === "fresh") this.#worktrees++;
    return null;
  }

  #shortOfWorktrees(next: StartKind): Shortage | null {
    const most = this.#engine.config.resources.max_worktrees;
    if (most === undefined || next !== "fresh") return null;
    this.#worktrees ??= countWorktrees(this.#engine, this.#open) + this.#started;
    return this.#worktrees < most ? null : { of: "worktrees", why: describeWorktrees(this.#worktrees, most) };
  }

  /** Whose worktree is not made yet has its part of what is free. */
  #shortOfDisk(next: StartKind): Shortage | null {
    if (next !== "fresh") return null;
    // One that goes on has it, unless somebody took it away.
    const isUnmade = ({ phase, continues, worktree }: Attempt) =>
      phase === "workspace" && (continues === null || !existsSync(worktree));
    const others = this.#open.filter(isUnmade).length + this.#startedFresh;
    return shortForWorktree(this.#engine, { bytes: this.#worktreeBytes, others });
  }

  #shortOfMemory(agent: string, next: StartKind): Shortage | null {
    if (next === "by-hand") return null;
    const need = needOf(this.#engine, agent);
    const left = (this.#left ??= this.#readLeft()) - this.#startedBytes;
    return left >= need ? null : { of: "memory", why: describeMemory(left, agent, need) };
  }

  /** Without what this turn starts. */
  #readLeft(): number {
    const taking = this.#open.map((attempt) => ({
      expectedBytes: needOf(this.#engine, attempt.agent),
      nowBytes: memoryNow(this.#engine, attempt.id),
    }));
    return leftOfMemory(availableNow(this.#engine), spareOf(this.#engine), taking);
  }
}

/** What the machine has, as it was a moment ago: what was started since counts with all that is expected of it. */
function availableNow(engine: Engine): number {
  const before = available.get(engine);
  if (before !== undefined && performance.now() - before.at < FRESH_MS) return before.bytes;
  const bytes = availableMemory();
  available.set(engine, { bytes, at: performance.now() });
  return bytes;
}

const available = new WeakMap<Engine, { bytes: number; at: number }>();
const FRESH_MS = 250;

/** What an attempt of an agent is expected to take at its peak. */
function needOf(engine: Engine, agent: string): number {
  const known = needs.of(engine);
  const before = known.get(agent);
  if (before !== undefined && performance.now() - before.at < LEARN_MS) return before.bytes;
  const kind = kindOf(agent, engine.config.agent.named[agent] ?? {});
  const chosen = engine.config.resources.attempt_memory;
  const bytes = expectedPeak(readPeaks(engine.store, agent), kind, chosen === undefined ? null : parseSize(chosen));
  known.set(agent, { bytes, at: performance.now() });
  return bytes;
}

const needs = new MapPer<Engine, string, { bytes: number; at: number }>();
const LEARN_MS = 5_000;

/** What the machine has for attempts, for a doctor: how many of the usual agent there is room for. */
export function examineMemory(engine: Engine): Finding {
  const check = "memory";
  const agent = engine.config.agent.default;
  const need = needOf(engine, agent);
  const available = availableMemory();
  const left = leftOfMemory(available, spareOf(engine), []);
  const most = Math.max(0, Math.floor(left / need));
  const detail = `${renderMemory(available)} available; an attempt of ${agent} here takes up to ${renderMemory(need)}: room for ${most} at a time`;
  if (most >= engine.config.run.max_parallel) return { check, state: "pass", detail };
  const hint =
    "with fewer agents nothing has to wait: owt run --parallel 1; or say what they need: [resources] attempt_memory";
  return { check, state: "warn", detail: `${detail}, fewer than [run] max_parallel; the others wait`, hint };
}

function spareOf({ config }: Engine): number {
  return parseSize(config.resources.spare_memory) ?? 0;
}

/** The worktrees of tasks, those of open runs' own integration left out, and those that attempts are about to make counted. */
function countWorktrees(engine: Engine, open: readonly Attempt[]): number {
  const runs = new Set(readRuns(engine.store, "open").map(({ id }) => id));
  const there = foldersIn(worktreeHome(engine)).filter((name) => !name.startsWith(".") && !runs.has(name));
  return new Set([...there, ...open.map(({ worktree }) => basename(worktree))]).size;
}

/** What could start and waits for a worktree while nothing is under way that leaves one: why, and those that are kept of tasks which are over, those whose
 *  work came home first. Null where it will come by itself, or with the answer to a task that waits for a person. */
export function readKept(engine: Engine): { why: string; worktrees: string[] } | null {
  const short = knownShortage(engine);
  if (short?.of !== "worktrees" || readOpenAttempts(engine.store).some(({ phase }) => FREES.has(phase))) return null;
  const home = worktreeHome(engine);
  const kept = foldersIn(home).flatMap((name) => {
    const last = lastAttemptIn(engine.store, join(home, name));
    const task = last && readTask(engine.store, last.task);
    // What begins afresh has no more use for the place that it had.
    const isLeft = task && (FINAL_STATES.has(task.state) || (task.state === "pending" && task.next.kind === "fresh"));
    return isLeft ? [{ name, state: task.state, id: last!.id }] : [];
  });
  const rank = (state: TaskState) => (state === "done" ? 0 : 1);
  const worktrees = kept.toSorted((a, b) => rank(a.state) - rank(b.state) || a.id - b.id).map(({ name }) => name);
  return worktrees.length === 0 ? null : { why: short.why, worktrees };
}

/** Phases behind which an attempt leaves its worktree by itself. */
const FREES = new Set<Attempt["phase"]>([...TAKES, "advance", "tidy"]);

/** Writes down what is short, for the open runs; null where nothing is. Whoever looks reads it there. */
export function noteShortage(engine: Engine, shortage: Shortage | null): void {
  const known = noted.get(engine) ?? { shortage: readShortage(engine.store), at: -Infinity, told: new Set<string>() };
  noted.set(engine, known);
  const { shortage: before } = known;
  const isOther = (before?.of ?? null) !== (shortage?.of ?? null);
  // The figures in the words are as old as they may be.
  const isStale = before?.why !== shortage?.why && performance.now() - known.at > RENEW_MS;
  if (!isOther && !isStale) return;
  const note = shortage === null ? null : { ...shortage, by: thisProcess() };
  const runs = isOther ? readRuns(engine.store, "open").map(({ id }) => id) : [];
  const about = shortage?.of ?? before?.of ?? null;
  const isFirst = (run: string) => tellsOf(known.told, run, about, shortage !== null);
  writeShortage(
    engine.store,
    engine.now(),
    note,
    runs.map((run) => ({ run, isFirst: isFirst(run) })),
  );
  known.shortage = note;
  known.at = performance.now();
}

/** Memory comes and goes with every task: that is told once in a run; of a disk it is told when it is over, too. */
function tellsOf(told: Set<string>, run: string, of: RoomKind | null, begins: boolean): boolean {
  if (!begins) return of === "disk";
  if (of === "disk") return true;
  const key = `${run} ${of}`;
  const isFirst = !told.has(key);
  told.add(key);
  return isFirst;
}

const noted = new WeakMap<Engine, { shortage: Shortage | null; at: number; told: Set<string> }>();
const RENEW_MS = 5_000;

/** What there is no room for, by the word of the process that carries the runs; null where nothing is short, or that process is gone. */
export function knownShortage(engine: Engine): Shortage | null {
  // Who carries them knows its own word: it looks at every task on each turn.
  const own = noted.get(engine);
  if (own !== undefined) return own.shortage;
  const known = readShortage(engine.store);
  return known !== null && isAlive(known.by) ? known : null;
}
