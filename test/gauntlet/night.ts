/** One night: `owt run` carries the plan, while a user works in the same repository, an agent is killed, a question is answered, and owt itself is killed
 *  twice and started again, as a user would. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Dice } from "../crash/dice.ts";
import { Checkout, USER_ACTS } from "./checkout.ts";
import type { RealClaude } from "./real.ts";
import { OWT, type Scene } from "./scene.ts";

/** What the judge is told of the night beside what it sees itself; `notes/night.json`. */
export type Night = {
  seconds: number;
  /** How often owt was killed, and what the last one ended with; null where it did not end. */
  kills: number;
  exitCode: number | null;
  /** Whether there were the agents to kill, and a question to answer. */
  killedAgent: boolean;
  answered: boolean;
  /** How many things the user did, and what else happened to their checkout. */
  acts: number;
  touched: string[];
};

const KILLS = 2;
/** A night that takes longer hangs. */
const HUNG_MS = 240_000;

/** Plays the night to its end and leaves in `notes` what the judge reads. */
export async function playNight(scene: Scene, dice: Dice, real: RealClaude | null): Promise<Night> {
  const began = performance.now();
  const { expectation, repo, env, notes } = scene;
  const checkout = new Checkout(repo, env, expectation.strayFiles);
  const over = new AbortController();
  const hung = AbortSignal.timeout(HUNG_MS);
  const killer = killAgents(scene, real, over.signal);
  const answer = answerQuestion(scene, over.signal);
  const user = actAsUser(scene, checkout, dice, over.signal);
  const carried = await carry(scene, dice, hung);
  over.abort();
  const [killedAgent, answered, acts] = await Promise.all([killer, answer, user]);
  checkout.compare();
  const seconds = Math.round((performance.now() - began) / 1_000);
  const night: Night = { seconds, ...carried, killedAgent, answered, acts, touched: checkout.touched };
  writeFileSync(join(notes, "night.json"), JSON.stringify(night, null, 2));
  for (const what of [["report", expectation.run], ["inbox"]])
    writeFileSync(join(notes, `${what[0]}.json`), owt(scene, [...what, "--json"]).stdout);
  return night;
}

/** Starts owt until one of them ends by itself; the first ones are killed. */
async function carry(scene: Scene, dice: Dice, hung: AbortSignal): Promise<Pick<Night, "kills" | "exitCode">> {
  for (let kills = 0; ; kills++) {
    // Who finds an open run goes on with it either way.
    const child = start(scene, kills === 0 || dice.chance(0.5) ? ["run", "--yes", "--plain"] : ["resume", "--plain"]);
    const exit = once(child, "exit").then(([code]) => code as number | null);
    const moment = kills < KILLS ? sleep(dice.between(2_500, 9_000), "kill" as const) : null;
    const tooLong = once(hung, "abort").then(() => "hung" as const);
    const what = hung.aborted ? "hung" : await Promise.race([exit, tooLong, ...(moment === null ? [] : [moment])]);
    if (what !== "kill" && what !== "hung") {
      if (!wasTurnedAway(scene)) return { kills, exitCode: what };
      // As it says itself: make room, then: owt resume. The agent that filled the disk makes room.
      await sleep(1_000);
      kills--;
      continue;
    }
    note(scene, `${what === "kill" ? "kill" : "give up"} ${child.pid}`);
    child.kill("SIGKILL");
    await exit;
    if (what === "hung") return { kills, exitCode: null };
  }
}

/** Whether the last one was refused because the disk was full in the moment in which it was started. */
function wasTurnedAway({ notes }: Scene): boolean {
  const last = readFileSync(join(notes, "owt.log"), "utf8").trimEnd().split("\n").slice(-2).join("\n");
  return /^✗ the disk is full: .*\n {2}↳ make room, then: owt resume; where no run is open yet: owt run$/.test(last);
}

function start(scene: Scene, args: string[]): ChildProcess {
  const out = openSync(join(scene.notes, "owt.log"), "a");
  const child = spawn(OWT[0], [OWT[1], ...args], { cwd: scene.repo, env: scene.env, stdio: ["ignore", out, out] });
  closeSync(out);
  note(scene, `start ${child.pid} ${args.join(" ")}`);
  return child;
}

/** Those that wait to be killed, by a signal that they do not see. */
async function killAgents(scene: Scene, real: RealClaude | null, over: AbortSignal): Promise<boolean> {
  const scripted = killAgent(
    scene,
    "to-be-killed",
    "killed/E01",
    (pid) => wordsOf(pid)[1]?.endsWith("/scripted.mjs") === true,
    over,
  );
  if (real === null) return scripted;
  const binary = realpathSync(real.binary);
  const isReal = (pid: string) => readlinkSync(`/proc/${pid}/exe`) === binary;
  const both = await Promise.all([scripted, killAgent(scene, "real-to-be-killed", "real-killed/E01", isReal, over)]);
  return both.every(Boolean);
}

async function killAgent(
  scene: Scene,
  mark: string,
  task: string,
  isAgent: (pid: string) => boolean,
  over: AbortSignal,
): Promise<boolean> {
  if (!(await appears(join(scene.notes, mark), over))) return false;
  const agents = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && isOf(scene, pid, task, isAgent));
  for (const agent of agents) {
    note(scene, `kill the agent ${agent} of ${task}`);
    process.kill(Number(agent), "SIGKILL");
  }
  return agents.length > 0;
}

function isOf({ dir }: Scene, pid: string, task: string, isAgent: (pid: string) => boolean): boolean {
  try {
    const marks = readFileSync(`/proc/${pid}/environ`, "utf8");
    return marks.includes(`${dir}/`) && marks.split("\0").includes(`OWT_TASK=${task}`) && isAgent(pid);
  } catch {
    return false;
  }
}

function wordsOf(pid: string): string[] {
  return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
}

/** A person who looks at the inbox now and then. */
async function answerQuestion(scene: Scene, over: AbortSignal): Promise<boolean> {
  if (!(await appears(join(scene.notes, "asked"), over))) return false;
  while (!over.aborted) {
    const { status } = owt(scene, ["task", "answer", "asks-first/E01", "small"]);
    if (status === 0) return true;
    await sleep(1_000);
  }
  return false;
}

/** How many things were done. Nothing before the run stands: what the user committed earlier would be what it begins from. */
async function actAsUser(
  { repo, expectation }: Scene,
  checkout: Checkout,
  dice: Dice,
  over: AbortSignal,
): Promise<number> {
  await appears(join(repo, ".git/refs/heads/owt/runs", expectation.run), over);
  for (let acts = 0; ; acts = checkout.act()) {
    if (acts === USER_ACTS) return acts;
    await sleep(dice.between(1_000, 4_000), null, { signal: over }).catch(() => {});
    if (over.aborted) return acts;
  }
}

async function appears(path: string, over: AbortSignal): Promise<boolean> {
  while (!over.aborted) {
    if (existsSync(path)) return true;
    await sleep(100);
  }
  return existsSync(path);
}

/** Ends what a night left running, which its judge has told of. */
export function endLeftovers({ dir }: Scene): void {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    try {
      // The programs of our own line have the folder in their arguments at most.
      const marks = readFileSync(`/proc/${pid}/environ`, "utf8");
      if (marks.includes(`${dir}/`)) process.kill(Number(pid), "SIGKILL");
    } catch {
      continue;
    }
  }
}

/** A short command, to its end. */
export function owt(scene: Scene, args: string[]): { status: number; stdout: string; said: string } {
  const { repo, env } = scene;
  try {
    const stdout = execFileSync(OWT[0], [OWT[1], ...args], { cwd: repo, env, encoding: "utf8", stdio: "pipe" });
    return { status: 0, stdout, said: stdout };
  } catch (error) {
    const { status, stdout, stderr } = error as { status: number | null; stdout: string; stderr: string };
    return { status: status ?? -1, stdout, said: `${stdout}${stderr}` };
  }
}

function note(scene: Scene, what: string): void {
  appendFileSync(join(scene.notes, "harness.log"), `${new Date().toISOString()} ${what}\n`);
}
