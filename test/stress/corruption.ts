/** Repositories whose owt is killed under a run, whose store then comes to harm, and that are brought home all the same. The verdict is that of
 *  the crash harness, by git and /proc alone.
 *
 *    npm run corrupt -- [--rounds 100] [--seed N] [--keep]     exits with 1 on any defect */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Dice, dice } from "../crash/dice.ts";
import { askForVerdict, describe } from "../crash/harness.ts";
import { makeScenario, OWT, type Scenario } from "../crash/scenario.ts";
import { Watch } from "../crash/watch.ts";
import { type Damage, doDamage } from "./damage.ts";

export type Corruptions = {
  rounds: number;
  /** Told by a command, put aside and restored from a copy; and where there was none, begun anew. */
  restored: number;
  anew: number;
  /** Neither was anything told nor anything wrong. */
  harmless: number;
  defects: { dir: string; damage: Damage; what: string[] }[];
};

const HUNG_MS = 60_000;

type Told = { code: number | null; text: string };

/** Plays so many repositories, one after the other. */
export async function corrupt(options: {
  rounds: number;
  seed: number;
  keep?: boolean;
  tell?: (line: string) => void;
}): Promise<Corruptions> {
  const top = realpathSync(mkdtempSync(join(tmpdir(), "owt-corrupt-")));
  const sum: Corruptions = { rounds: 0, restored: 0, anew: 0, harmless: 0, defects: [] };
  for (let index = 0; index < options.rounds; index++) {
    const dir = join(top, String(index));
    mkdirSync(dir);
    const chance = dice(options.seed * 10_007 + index);
    const { damage, how, what } = await playOne(dir, chance, join(top, "cache"));
    sum.rounds++;
    sum[how]++;
    if (what.length > 0) sum.defects.push({ dir, damage, what });
    else if (!options.keep) rmSync(dir, { recursive: true, force: true });
    options.tell?.(
      `${dir}: ${damage.file} ${damage.way}, ${how}: ${what.length === 0 ? "sound" : what.join("; ")} (${index + 1}/${options.rounds})`,
    );
  }
  if (sum.defects.length === 0 && !options.keep) rmSync(top, { recursive: true, force: true });
  return sum;
}

type Played = { damage: Damage; how: "restored" | "anew" | "harmless"; what: string[] };

async function playOne(dir: string, chance: Dice, cache: string): Promise<Played> {
  const variant = {
    collides: chance.chance(0.3),
    needsRepair: chance.chance(0.3),
    slow: true,
    lateGitMs: 0,
    rivals: chance.chance(0.25),
  };
  const scenario = makeScenario(dir, variant, cache);
  await killUnderWay(scenario, chance);
  const folder = join(scenario.repo, ".git", "owt");
  // What was written last lies in the journal, which checks itself: half of the time it is in the file when that comes to harm.
  if (chance.chance(0.6)) foldIn(join(folder, "state.db"));
  const damage = doDamage(folder, chance);
  const what: string[] = [];
  let how: Played["how"] = "harmless";
  for (let tries = 0; ; tries++) {
    const ran = await owt(scenario, "run", "--yes", ...scenario.flags);
    if (ran.code === 0) break;
    if (tries === 3 || !ran.text.includes("is damaged") || !ran.text.includes("owt doctor --fix"))
      return { damage, how, what: [...what, `owt run ended with ${ran.code}: ${ran.text.slice(-600)}`] };
    const status = await owt(scenario, "status");
    if (!status.text.includes("is damaged") && status.code !== 0) what.push(`owt status: ${status.text.slice(-300)}`);
    const mended = await owt(scenario, "doctor", "--fix");
    const aside = readdirSync(folder).filter((name) => name.startsWith("state.db.damaged-"));
    if (!mended.text.includes(".damaged-") || aside.length === 0)
      what.push(`nothing was put aside: ${mended.text.slice(-600)}`);
    how = mended.text.includes("restored as it was") ? "restored" : "anew";
  }
  const verdict = await askForVerdict(dir);
  // What a store that was begun anew knows nothing of stays where it is: branches and worktrees of the run before.
  const defects = describe(verdict).filter(
    (each) => how !== "anew" || !/^orphan (worktree|branch)|never seen/.test(each),
  );
  const twice = Object.entries(verdict.starts).filter(([, count]) => count > 1);
  if (how !== "anew") what.push(...twice.map(([task, count]) => `the agent of ${task} was started ${count} times`));
  return { damage, how, what: [...what, ...(how === "anew" ? [] : defects)] };
}

/** Some time after the run is on record; agents live on. */
async function killUnderWay(scenario: Scenario, chance: Dice): Promise<void> {
  const watch = new Watch(scenario.repo);
  const child = start(scenario, "run", "--yes", ...scenario.flags);
  const gone = once(child, "exit");
  const stop = new AbortController();
  void gone.then(() => stop.abort());
  await watch.until(({ kind }) => kind === "attempt-opened" || kind === "setup", stop.signal);
  await Promise.race([gone, sleep(chance.between(100, 3_500))]);
  child.kill("SIGKILL");
  await gone;
  watch.close();
}

function foldIn(path: string): void {
  const db = new DatabaseSync(path, { timeout: 5_000 });
  db.exec("pragma wal_checkpoint(truncate)");
  db.close();
}

function start({ repo, env }: Scenario, ...words: string[]) {
  return spawn(OWT[0], [OWT[1], ...words], { cwd: repo, env, stdio: ["ignore", "pipe", "pipe"] });
}

async function owt(scenario: Scenario, ...words: string[]): Promise<Told> {
  const child = start(scenario, ...words);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const timer = setTimeout(() => child.kill("SIGKILL"), HUNG_MS);
  const [code] = (await once(child, "close")) as [number | null];
  clearTimeout(timer);
  return { code, text };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "100" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      keep: { type: "boolean", default: false },
    },
  });
  const sum = await corrupt({
    rounds: Number(values.rounds),
    seed: Number(values.seed),
    keep: values.keep,
    tell: (line) => process.stderr.write(`${line}\n`),
  });
  console.log(JSON.stringify({ seed: Number(values.seed), ...sum }, null, 2));
  process.exitCode = sum.defects.length > 0 ? 1 : 0;
}
