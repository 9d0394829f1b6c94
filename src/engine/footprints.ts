/** Which files tasks are expected to touch: those that they name, else those that they, or most tasks of their module, changed before. */
import type { Attempt } from "../core/attempt.ts";
import { type HeldMerges, isHeldMerge } from "../core/held-merges.ts";
import { findOverlap, type HeldApart, usualPaths } from "../core/overlap.ts";
import type { PlannedTask } from "../core/plan.ts";
import { planKeyOf } from "../core/rival.ts";
import { decideApart } from "../core/schedule.ts";
import type { Task } from "../core/task.ts";
import { readParents } from "../git/branch.ts";
import { changedFiles } from "../git/changed-paths.ts";
import type { Oid } from "../git/git.ts";
import { MapPer } from "../lib/map-per.ts";
import { readAttempts } from "../store/attempts.ts";
import { readHeldApart, readMergesOf, writeHeldApart } from "../store/footprints.ts";
import type { Engine } from "./engine.ts";

type Touching = Pick<PlannedTask, "touches" | "module">;

/** Paths and patterns, as `touches` has them; none where nothing is known. */
type Footprints = (task: Touching) => readonly string[];

/** So many of a module's last tasks tell what its next one will change. */
const MOST_MERGES = 12;

/** Those of tasks that have not begun, without a process. */
export async function readFootprints(engine: Engine, tasks: readonly Touching[]): Promise<Footprints> {
  const modules = new Set(tasks.flatMap(({ touches, module }) => (touches.length > 0 ? [] : (module ?? []))));
  const usual = new Map<string, readonly string[]>();
  for (const module of modules) {
    const merges = readMergesOf(engine.store, module, MOST_MERGES);
    usual.set(module, usualPaths(await Promise.all(merges.map((merge) => changedByMerge(engine, merge)))));
  }
  return ({ touches, module }) => (touches.length > 0 ? touches : (module !== null && usual.get(module)) || []);
}

/** Of a run that was deleted with its branch nothing may be left. */
async function changedByMerge(engine: Engine, merge: Oid): Promise<string[]> {
  try {
    const [from] = await readParents(engine.repo, merge);
    return from === undefined ? [] : await changedSince(engine, from, merge);
  } catch {
    return [];
  }
}

/** Of a new folder with more files its name says enough. */
const MOST_FILES = 100;

async function changedSince({ repo }: Engine, from: Oid, to: Oid): Promise<string[]> {
  return (await changedFiles(repo, from, to, MOST_FILES)).map((path) => Buffer.from(path, "latin1").toString());
}

/** Those of the tasks of a run, some of which have worked already; looked up anew where that is worth it. */
class RunFootprints {
  readonly #engine: Engine;
  #usual: Footprints | null = null;
  #lookedAt = -Infinity;
  readonly #changed = new Map<Oid, readonly string[]>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** What each of `tasks` touches, by its key. Nobody is looked at where none of those that are `ready` is known to touch anything. */
  async of(tasks: readonly Task[], ready: readonly Task[]): Promise<(key: string) => readonly string[]> {
    const usual = await this.#refresh(tasks);
    const worked = new Map(ready.map((task) => [task.key, this.#workOf(task)]));
    const isKnown = (task: Task) => usual(task.spec).length > 0 || worked.get(task.key)!.length > 0;
    if (!ready.some(isKnown)) return () => [];
    for (const task of tasks) if (AT_WORK.has(task.state)) worked.set(task.key, this.#workOf(task));
    for (const { base, head } of [...worked.values()].flat())
      if (!this.#changed.has(head!)) this.#changed.set(head!, await changedSince(this.#engine, base, head!));
    const byKey = new Map(tasks.map((task) => [task.key, task]));
    return (key) => {
      const did = (worked.get(key) ?? []).flatMap(({ head }) => this.#changed.get(head!) ?? []);
      return [...usual(byKey.get(key)!.spec), ...did];
    };
  }

  async #refresh(tasks: readonly Task[]): Promise<Footprints> {
    if (this.#usual === null || performance.now() - this.#lookedAt > LOOK_MS) {
      this.#usual = await readFootprints(
        this.#engine,
        tasks.map(({ spec }) => spec),
      );
      this.#lookedAt = performance.now();
    }
    return this.#usual;
  }

  /** What it did so far, where it does not say itself what it touches. */
  #workOf({ id, spec, startedAt }: Task): Attempt[] {
    if (startedAt === null || spec.touches.length > 0) return [];
    return readAttempts(this.#engine.store, id).filter(({ head }) => head !== null);
  }
}

/** The history of a module grows while its tasks come home. */
const LOOK_MS = 60_000;

/** States in which a task's work is not in the run's branch yet, and will be. */
const AT_WORK = new Set<Task["state"]>(["running", "verifying", "contest", "review", "integrating"]);

/** Their agents are through: what is left are checks and merges. Who waits for a person may do so for days. */
const COMING_HOME = new Set<Task["state"]>(["verifying", "integrating"]);

/** {@link decideApart} for the tasks of a run; what is held back is written down, for all who look. */
export async function decideRunStarts(
  engine: Engine,
  run: string,
  tasks: readonly Task[],
  ready: readonly Task[],
  {
    view,
    maxParallel,
    merges,
  }: { view: Omit<Parameters<typeof decideApart>[0], "atWork">; maxParallel: number; merges: HeldMerges },
): Promise<string[]> {
  const touches = await footprintsOf(engine, run).of(tasks, ready);
  const atWork = tasks.filter(({ state }) => AT_WORK.has(state)).map(({ key }) => key);
  // Who waits to be merged, for a person or another one's resolution, is not nearly home.
  const comingHome = tasks
    .filter((task) => COMING_HOME.has(task.state) && !isHeldMerge(merges, task))
    .map(({ key }) => key);
  const taskOf = new Map(tasks.map((task) => [task.key, planKeyOf(task)]));
  // Of rivals only one comes in.
  const overlap = (one: string, other: string) =>
    taskOf.get(one) === taskOf.get(other) ? null : findOverlap(touches(one), touches(other));
  const decided = decideApart(
    { ...view, atWork, comingHome },
    { maxParallel },
    (one, other) => overlap(one, other) !== null,
  );
  const ids = new Map(ready.map(({ key, id }) => [key, id]));
  const held = decided.heldBack.map(({ id, behind }) => ({ task: ids.get(id)!, behind, path: overlap(id, behind)! }));
  noteHeldApart(engine, run, held);
  return decided.starts;
}

const footprints = new MapPer<Engine, string, RunFootprints>();

function footprintsOf(engine: Engine, run: string): RunFootprints {
  const ofEngine = footprints.of(engine);
  const known = ofEngine.get(run) ?? new RunFootprints(engine);
  ofEngine.set(run, known);
  return known;
}

/** Written only where it is another word than the last one. */
function noteHeldApart(engine: Engine, run: string, held: readonly HeldApart[]): void {
  const ofEngine = noted.of(engine);
  const before = ofEngine.get(run) ?? JSON.stringify(readHeldApart(engine.store, run));
  const now = JSON.stringify(held);
  if (now !== before) writeHeldApart(engine.store, engine.now(), run, held);
  ofEngine.set(run, now);
}

const noted = new MapPer<Engine, string, string>();
