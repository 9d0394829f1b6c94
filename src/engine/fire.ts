/** Fires a slot of a batch: its run is started as `owt run --detach` starts it, by a process of its own, and lives on without whoever fired it. */
import type { RunBudget } from "../core/batch.ts";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { OwtError } from "../core/errors.ts";
import { describeStuck, findApproval, type Firing, startCommand } from "../core/firing.ts";
import { renderLimit } from "../core/run-time.ts";
import { shellWord } from "../lib/printable.ts";
import { openStore } from "../store/database.ts";
import { claimSlot, endFiring, type Overlap, readFiring } from "../store/firings.ts";
import { exec } from "../system/exec.ts";
import { thisProcess } from "../system/identity.ts";
import type { FoundBatch } from "../system/schedule-files.ts";
import { readRoomWait } from "./disk-users.ts";
import type { Engine } from "./engine.ts";
import { isUnderWay, isUnfinished } from "./firings.ts";

/** What is needed of an engine to fire: it may be closed while the run is being started. */
export type Muzzle = Pick<Engine, "env" | "owtCommand" | "now"> & { commonDir: string; here: string };

export function muzzleOf({ env, owtCommand, now, repo }: Engine): Muzzle {
  return { env, owtCommand, now, commonDir: repo.commonDir, here: repo.here };
}

/** Claims a slot for this process; see `claimSlot`. */
export function claim(engine: Engine, batch: FoundBatch, slot: number, byHand: boolean): Firing | "taken" | Overlap {
  return claimSlot(engine.store, {
    batch: batch.name,
    slot,
    byHand,
    owner: thisProcess(),
    notify: batch.notify,
    now: engine.now(),
    // A person who starts one while nobody carries the last one goes on with that.
    isUnderWay: (firing) => (byHand ? isUnderWay(engine, firing) : isUnfinished(engine, firing)),
    heldUp: () => readRoomWait(engine),
  });
}

/** How a firing began: with a run, with nothing to do, or not at all. */
export type Fired =
  | { kind: "running"; run: string }
  | { kind: "nothing"; stuck: string[] }
  | { kind: "refused"; reason: string; hint: string | null; exitCode: number };

/** Starts the run of a firing that this process has claimed, and writes down what came of it. */
export async function startFiring(muzzle: Muzzle, batch: FoundBatch, firing: Firing): Promise<Fired> {
  const fired = await startRun(muzzle, batch, firing);
  const store = openStore(muzzle.commonDir);
  try {
    if (fired.kind === "running") return fired;
    const { reason, hint } = fired.kind === "nothing" ? whyNothing(fired) : fired;
    const ended = endFiring(store, firing, { from: "claimed", to: fired.kind, reason, hint, now: muzzle.now() });
    // It has a run all the same: somebody was faster, or it was made and could not be left to the background.
    const run = ended ? null : readFiring(store, firing.id)?.run;
    return run == null ? fired : { kind: "running", run };
  } finally {
    store.close();
  }
}

/** What is on record of a slot that had nothing to begin. */
function whyNothing({ stuck }: { stuck: string[] }): { reason: string | null; hint: string | null } {
  return stuck.length === 0 ? { reason: null, hint: null } : { reason: describeStuck(stuck), hint: "owt inbox" };
}

async function startRun(muzzle: Muzzle, batch: FoundBatch, firing: Firing): Promise<Fired> {
  const refused = (reason: string, hint: string | null, exitCode: number): Fired => ({
    kind: "refused",
    reason,
    hint,
    exitCode,
  });
  // A word that is no path would be a task, or one in words.
  if (batch.plan !== null && !existsSync(resolve(muzzle.here, batch.plan)))
    return refused(
      `there is no plan ${batch.plan} in ${muzzle.here}`,
      `correct it in ${batch.file}, then: owt batch run ${batch.name}`,
      3,
    );
  const limits = ["--count", String(batch.maxTasks), "--max-duration", renderLimit(batch.maxDurationMs)];
  const { run_usd: usd, ...others } = batch.budget;
  const budget = usd === undefined ? [] : ["--budget", String(usd)];
  const words = ["run", "--yes", "--detach", "--json", ...limits, ...budget, "--firing", String(firing.id)];
  const plan = batch.plan === null ? [] : ["--", batch.plan];
  const env = { ...muzzle.env, ...budgetVariables(others) };
  return readAnswer(await callOwt({ ...muzzle, env }, [...words, ...plan]), (reason, hint, code) =>
    refused(reason, approvalAnywhere(muzzle, batch.name, hint) ?? hint, code),
  );
}

/** Who reads it may be anywhere: commands are approved in the repository that brings them, and then the batch is started. */
function approvalAnywhere({ here }: Muzzle, batch: string, hint: string | null): string | null {
  const approve = findApproval(hint);
  return approve === null ? null : `cd ${shellWord(here)} && ${approve} && ${startCommand(batch)}`;
}

/** Limits as a person says them of one run. */
function budgetVariables(budget: RunBudget): Record<string, string> {
  return Object.fromEntries(
    Object.entries(budget).map(([key, limit]) => [`OWT_BUDGET_${key.toUpperCase()}`, String(limit)]),
  );
}

/** Goes on with a run that nobody carries any more. */
export async function resumeRun(muzzle: Muzzle, run: string): Promise<void> {
  await callOwt(muzzle, ["resume", run, "--detach", "--unattended", "--json"]);
}

type Called = { code: number; stdout: string; stderr: string };

async function callOwt(muzzle: Muzzle, words: readonly string[]): Promise<Called> {
  const [file, ...own] = muzzle.owtCommand;
  try {
    return await exec(file!, [...own, ...words], { cwd: muzzle.here, env: muzzle.env, ok: EXIT_CODES });
  } catch (error) {
    if (!(error instanceof OwtError)) throw error;
    return { code: error.exitCode, stdout: "", stderr: error.message };
  }
}

const EXIT_CODES = [0, 1, 2, 3, 4, 5, 130];

type Envelope = { data?: { run: string | null; stuck?: string[] }; error?: { message: string; hint: string | null } };

function readAnswer(called: Called, refused: (reason: string, hint: string | null, code: number) => Fired): Fired {
  const { data, error } = parseEnvelope(called.stdout);
  if (error) return refused(error.message, error.hint, called.code);
  if (called.code !== 0 || data === undefined)
    return refused(
      called.stderr.trim().split("\n").at(-1) || `owt run ended with ${called.code}`,
      null,
      called.code || 1,
    );
  return data.run === null ? { kind: "nothing", stuck: data.stuck ?? [] } : { kind: "running", run: data.run };
}

function parseEnvelope(text: string): Envelope {
  try {
    return JSON.parse(text) as Envelope;
  } catch {
    return {};
  }
}
