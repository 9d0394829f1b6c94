/** The batches of a schedule, each with the repository that it runs in, and how they stand. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { resolve } from "node:path";
import type { Batch } from "../core/batch.ts";
import { nextSlots } from "../core/batch-slots.ts";
import { OwtError } from "../core/errors.ts";
import type { Firing } from "../core/firing.ts";
import { nearestHint } from "../core/names.ts";
import { type CronTimes, parseCron } from "../lib/cron.ts";
import { openRepo } from "../git/repo.ts";
import { readBatch, readFirings, readOpenFirings } from "../store/firings.ts";
import { isAlive } from "../system/identity.ts";
import { type FoundBatch, readSchedule } from "../system/schedule-files.ts";
import { closeEngine, type Engine, openEngine, type OpenOptions } from "./engine.ts";
import { isUnderWay } from "./firings.ts";
import { shellWord } from "../lib/printable.ts";

/** A batch with its repository, open; or why there is none. */
export type PlacedBatch =
  | { batch: FoundBatch; engine: Engine }
  | { batch: FoundBatch; engine: null; problem: OwtError };

export type Placed = { batches: PlacedBatch[]; files: { path: string; found: boolean }[] };

type Around = Pick<OpenOptions, "cwd" | "env" | "owtCommand"> & { looks: boolean };

/** Opens the repositories of all batches for a piece of work and closes them behind it. Throws `config` with every problem of the schedule. A repository
 *  that cannot be opened is a problem of its batches alone. */
export async function withBatches<T>(around: Around, work: (placed: Placed) => Promise<T>): Promise<T> {
  const root = await findRoot(around.cwd);
  const { batches, files } = readSchedule(root, around.env);
  const engines = new Map<string, Engine>();
  try {
    const placed: PlacedBatch[] = [];
    for (const batch of batches) placed.push(await place(around, batch, root, engines));
    return await work({ batches: withoutShadowed(placed), files });
  } finally {
    for (const engine of engines.values()) await closeEngine(engine);
  }
}

/** The top of the checkout that a folder is in; null outside of one. */
export async function findRoot(cwd: string): Promise<string | null> {
  try {
    await using repo = await openRepo(cwd);
    return repo.here;
  } catch (error) {
    if (error instanceof OwtError && error.code === "environment") return null;
    throw error;
  }
}

async function place(
  around: Around,
  batch: FoundBatch,
  root: string | null,
  engines: Map<string, Engine>,
): Promise<PlacedBatch> {
  const folder =
    batch.repository === null ? root : resolve(batch.repository.replace(/^~/, around.env["HOME"] || homedir()));
  if (folder === null) {
    const hint = `write into ${batch.file}, under this batch: repository = "/path/of/it"; or start it there: cd /path/of/it`;
    return { batch, engine: null, problem: new OwtError("config", `${batch.name} names no repository`, { hint }) };
  }
  if (!existsSync(folder)) {
    const hint = `correct it in ${batch.file}, then: owt batch list`;
    return { batch, engine: null, problem: new OwtError("config", `there is no repository ${folder}`, { hint }) };
  }
  try {
    const engine = engines.get(folder) ?? (await openEngine({ ...around, cwd: folder, tolerant: true }));
    engines.set(folder, engine);
    return { batch, engine };
  } catch (error) {
    if (error instanceof OwtError) return { batch, engine: null, problem: error };
    const hint = `look there: cd ${shellWord(folder)} && owt doctor`;
    const problem = new OwtError("environment", `the repository ${folder} cannot be opened`, { hint, cause: error });
    return { batch, engine: null, problem };
  }
}

/** A batch of the user's stands before one of the same name that the repository brings. */
function withoutShadowed(placed: readonly PlacedBatch[]): PlacedBatch[] {
  const keyOf = ({ batch, engine }: PlacedBatch) => `${batch.name} ${engine?.repo.commonDir ?? batch.file}`;
  return placed.filter((each, at) => placed.findIndex((other) => keyOf(other) === keyOf(each)) === at);
}

/** The batch of that name. Throws `unknown-name` with the nearest names, and what is wrong where it has no repository. */
export function chooseBatch({ batches, files }: Placed, name: string): { batch: FoundBatch; engine: Engine } {
  const [found, second] = batches.filter(({ batch }) => batch.name === name);
  if (found === undefined) {
    const names = batches.map(({ batch }) => batch.name);
    const list = names.length > 0 ? `there are ${names.join(", ")}; see: owt batch list` : noneHint(files);
    throw new OwtError("unknown-name", `there is no batch ${name}`, { hint: nearestHint(name, names, list) });
  }
  if (second !== undefined)
    throw new OwtError("usage", `there is a batch ${name} in two repositories`, {
      hint: `give one of them another name in ${second.batch.file}; see: owt batch list`,
    });
  if (found.engine === null) throw found.problem;
  return found;
}

/** Where a schedule would lie. */
export function noneHint(files: Placed["files"]): string {
  return `write one: ${files.map(({ path }) => path).join(", or ")}; how: owt batch --help`;
}

/** The times of a batch that was checked when its schedule was read. */
export function timesOf({ cron, timezone }: Batch): CronTimes {
  const read = parseCron(cron, timezone);
  if ("problem" in read) throw new OwtError("internal", `${cron}: ${read.problem}`);
  return read;
}

/** What tells a batch whose times were changed from the one that it was. */
export function specOf({ cron, timezone }: Batch): string {
  return `${timezone} ${cron}`;
}

/** Where a batch stands. Times are epoch milliseconds. */
export type BatchView = {
  batch: FoundBatch;
  repository: string | null;
  standing: "waits" | "running" | "paused" | "unusable";
  problem: OwtError | null;
  next: number[];
  last: Firing | null;
  /** Who was about to start the last one has ended. */
  isLeft: boolean;
};

/** How a batch stands, with so many of its next slots; none where it is paused or has no repository. */
export function viewBatch(placed: PlacedBatch, now: number, slots: number): BatchView {
  const { batch, engine } = placed;
  if (engine === null) {
    const { problem } = placed;
    return { batch, repository: batch.repository, standing: "unusable", problem, next: [], last: null, isLeft: false };
  }
  const { store, repo } = engine;
  const isPaused = readBatch(store, batch.name)?.pausedAt != null;
  const runs = readOpenFirings(store, batch.name).some((firing) => isUnderWay(engine, firing));
  const [last = null] = readFirings(store, batch.name, 1);
  const isLeft = last?.state === "claimed" && !isAlive(last.owner);
  const standing = runs ? "running" : isPaused ? "paused" : "waits";
  const next = isPaused ? [] : nextSlots(timesOf(batch), now, slots);
  return { batch, repository: repo.here, standing, problem: null, next, last, isLeft };
}
