/** Runs whose disk is filled to the last byte under them, at random moments and for random times, and freed again. Nobody starts anything anew: the
 *  run has to come home by itself. The verdict is that of the crash harness, by git and /proc alone; when something was started says the event
 *  log, read with SQLite. Needs root: the disk is a tmpfs of 64 MB.
 *
 *    npm run disk-full -- [--rounds 50] [--seed N] [--keep]     exits with 1 on any defect */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  realpathSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Dice, dice } from "../crash/dice.ts";
import { askForVerdict, describe } from "../crash/harness.ts";
import { makeScenario, OWT, type Scenario } from "../crash/scenario.ts";

export type Fillings = {
  rounds: number;
  fills: number;
  /** Of those, how many kept something from starting, by the word of the log. */
  paused: number;
  /** The latest start of an attempt behind the moment in which the disk was full, while it was; 0 where none came behind it. */
  pauseMs: number;
  /** From the moment of room to the next start of an attempt, where something was still to start. */
  resumeMs: { p50: number; max: number };
  /** How often an agent was started beyond once for each task. */
  startedAgain: number;
  defects: { dir: string; what: string[] }[];
};

const MB = 2 ** 20;
const DISK_MB = 64;
/** A start so long after the disk was full is a defect. */
const PAUSE_MS = 15_000;
const HUNG_MS = 120_000;

/** Whether this machine lets us have a disk of our own. */
export function canMount(): boolean {
  return process.platform === "linux" && process.getuid?.() === 0 && existsSync("/proc/filesystems");
}

/** Plays so many repositories, one after the other. */
export async function fillDisks(options: {
  rounds: number;
  seed: number;
  keep?: boolean;
  tell?: (line: string) => void;
}): Promise<Fillings> {
  const top = realpathSync(mkdtempSync(join(tmpdir(), "owt-disk-full-")));
  const sum: Fillings = {
    rounds: 0,
    fills: 0,
    paused: 0,
    pauseMs: 0,
    resumeMs: { p50: 0, max: 0 },
    startedAgain: 0,
    defects: [],
  };
  const resumes: number[] = [];
  for (let index = 0; index < options.rounds; index++) {
    const notes = join(top, String(index));
    const disk = join(notes, "disk");
    mkdirSync(disk, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_MB}m`, "owt-disk-full", disk]);
    const played = await playOne(disk, notes, dice(options.seed * 10_007 + index), index % 10 === 9);
    // What has a defect can be looked at.
    if (!options.keep && played.what.length === 0) execFileSync("umount", ["--lazy", disk]);
    sum.rounds++;
    sum.fills += played.fills;
    sum.paused += played.paused;
    sum.pauseMs = Math.max(sum.pauseMs, played.pauseMs);
    sum.startedAgain += played.startedAgain;
    resumes.push(...played.resumes);
    if (played.what.length > 0) sum.defects.push({ dir: notes, what: played.what });
    else if (!options.keep) rmSync(notes, { recursive: true, force: true });
    options.tell?.(
      `${notes}: ${played.how}: ${played.what.length === 0 ? "sound" : played.what.join("; ")} (${index + 1}/${options.rounds})`,
    );
  }
  const sorted = resumes.toSorted((a, b) => a - b);
  sum.resumeMs = {
    p50: Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0),
    max: Math.round(sorted.at(-1) ?? 0),
  };
  if (sum.defects.length === 0 && !options.keep) rmSync(top, { recursive: true, force: true });
  return sum;
}

type Played = {
  fills: number;
  paused: number;
  pauseMs: number;
  resumes: number[];
  startedAgain: number;
  how: string;
  what: string[];
};

/** `isLong`: the disk stays full for longer than a pause may take to begin. */
async function playOne(disk: string, notes: string, chance: Dice, isLong: boolean): Promise<Played> {
  const variant = { collides: chance.chance(0.3), needsRepair: chance.chance(0.3), slow: true, lateGitMs: 0 };
  const scenario = makeScenario(disk, variant, join(disk, "cache"), notes);
  const played: Played = { fills: 0, paused: 0, pauseMs: 0, resumes: [], startedAgain: 0, how: "", what: [] };
  const child = start(scenario);
  const end = { code: null as number | null, isOver: false };
  const gone = once(child, "close").then(([code]) => {
    Object.assign(end, { code, isOver: true });
  });
  const said = listen(child);
  // A run that is not on record yet is refused, and nothing has begun.
  while (!end.isOver && !isOnRecord(scenario)) await sleep(5);
  await Promise.race([gone, sleep(chance.between(0, 2_500))]);
  const ms = isLong ? PAUSE_MS + 3_000 : chance.between(200, 6_000);
  const span = end.isOver ? null : await fillFor(disk, ms, gone);
  const timer = setTimeout(() => child.kill("SIGKILL"), HUNG_MS);
  await gone;
  clearTimeout(timer);
  played.how = span === null ? "over before" : `full for ${span.to - span.from} ms`;
  if (span !== null) judgeSpan(scenario, span, played);
  if (span !== null) writeFileSync(join(notes, "span"), JSON.stringify(span));
  writeFileSync(join(notes, "said"), said());
  if (end.code !== 0) played.what.push(`owt run ended with ${end.code}: ${said().slice(-1_500)}`);
  played.what.push(...judgeStore(scenario));
  const verdict = await askForVerdict(notes);
  // What was cut off in the temporary folder is nobody's.
  played.what.push(...describe(verdict));
  played.startedAgain = Object.values(verdict.starts).reduce((sum, count) => sum + Math.max(0, count - 1), 0);
  return played;
}

type Span = { from: number; to: number };

/** Fills the disk to the last byte, and whatever becomes free meanwhile, for so long. Epoch milliseconds: the log's clock. */
async function fillFor(disk: string, ms: number, gone: Promise<void>): Promise<Span> {
  const path = join(disk, "ballast");
  const file = openSync(path, "w");
  let isOver = false;
  void gone.then(() => (isOver = true));
  const fill = () => {
    for (const piece of [Buffer.alloc(MB, 1), Buffer.alloc(4_096, 1), Buffer.alloc(1, 1)]) {
      try {
        while (writeSync(file, piece) === piece.length);
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
      }
    }
  };
  fill();
  const from = Date.now();
  for (const ends = performance.now() + ms; performance.now() < ends && !isOver; await sleep(20)) fill();
  const to = Date.now();
  ftruncateSync(file, 0);
  closeSync(file);
  rmSync(path);
  return { from, to };
}

/** When attempts were opened, by the log. */
function judgeSpan(scenario: Scenario, { from, to }: Span, played: Played): void {
  const rows = query(scenario, "select at, kind, data from event order by seq");
  const opened = rows.filter(({ kind }) => kind === "attempt-opened").map(({ at }) => Number(at));
  const late = opened.filter((at) => at > from && at < to).map((at) => at - from);
  played.fills++;
  played.pauseMs = Math.max(0, ...late);
  if (played.pauseMs > PAUSE_MS) played.what.push(`an attempt began ${played.pauseMs} ms after the disk was full`);
  const isShort = (data: unknown) => (JSON.parse(String(data)) as { of: string | null }).of === "disk";
  if (rows.some(({ at, kind, data }) => kind === "run-short" && isShort(data) && Number(at) >= from)) played.paused++;
  const next = opened.find((at) => at >= to);
  if (next !== undefined) played.resumes.push(next - to);
}

function judgeStore(scenario: Scenario): string[] {
  const sound = query(scenario, "pragma integrity_check").map((row) => String(row["integrity_check"]));
  const what = sound.join() === "ok" ? [] : [`the store: ${sound.join("; ")}`];
  const open = query(scenario, "select key, state from task where state <> 'done'");
  const failed = query(
    scenario,
    `select key, failures, (select group_concat(outcome, ' ') from attempt where task = task.id) as outcomes
     from task where failures > 0`,
  );
  return [
    ...what,
    ...open.map(({ key, state }) => `${String(key)} is ${String(state)}`),
    ...failed.map(
      ({ key, failures, outcomes }) => `${String(key)} counts ${String(failures)} failures: ${String(outcomes)}`,
    ),
  ];
}

function isOnRecord(scenario: Scenario): boolean {
  try {
    return query(scenario, "select 1 from run").length > 0;
  } catch {
    return false;
  }
}

function query({ repo }: Scenario, sql: string): Record<string, unknown>[] {
  const db = new DatabaseSync(join(repo, ".git", "owt", "state.db"), { timeout: 5_000 });
  try {
    return db.prepare(sql).all();
  } finally {
    db.close();
  }
}

function start({ repo, env }: Scenario): ChildProcess {
  return spawn(OWT[0], [OWT[1], "run", "--yes", "--plain"], { cwd: repo, env, stdio: ["ignore", "pipe", "pipe"] });
}

function listen(child: ChildProcess): () => string {
  let text = "";
  for (const stream of [child.stdout!, child.stderr!]) stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
  return () => text;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "50" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      keep: { type: "boolean", default: false },
    },
  });
  if (!canMount()) throw new Error("this needs root on Linux: it mounts a tmpfs");
  const sum = await fillDisks({
    rounds: Number(values.rounds),
    seed: Number(values.seed),
    keep: values.keep,
    tell: (line) => process.stderr.write(`${line}\n`),
  });
  console.log(JSON.stringify({ seed: Number(values.seed), ...sum }, null, 2));
  process.exitCode = sum.defects.length > 0 ? 1 : 0;
}
