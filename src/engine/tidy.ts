/** After an attempt ended: its worktree and branch go, once nothing of it can be lost, or stay where that is wished. */
import { existsSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import type { Attempt } from "../core/attempt.ts";
import { OwtError } from "../core/errors.ts";
import type { Fact } from "../core/event.ts";
import { slug } from "../core/names.ts";
import { deleteBranchIf, readRef } from "../git/branch.ts";
import { undoFootprint } from "../git/footprint.ts";
import { mendEntry } from "../git/mend.ts";
import { moveDetached } from "../git/move.ts";
import { type Removed, removeWorktree } from "../git/remove.ts";
import { rescueRef } from "../git/rescue.ts";
import { dropSpares } from "../git/spare.ts";
import { isAnyAgentAtWork, moveAttempt, readAttempt, readAttempts } from "../store/attempts.ts";
import { MapPer } from "../lib/map-per.ts";
import { type About, appendEvent } from "../store/events.ts";
import { hasEndedWholly } from "../system/launch.ts";
import { type Carried, isContinued, type StepResult } from "./attempt-moves.ts";
import { attemptDir, type Engine, integrationWorktree, landingWorktree, worktreeHome } from "./engine.ts";
import { describeKept, environmentFiles, keepChangedEnvironment } from "./environment-files.ts";
import { leaveWorktree } from "./hooks.ts";
import { triedMerges } from "./integration-worktree.ts";
import { forgetSetup, knownFiles, setupFootprint } from "./workspace.ts";

/** How long what was seen counts as seen now; a person may work in the worktree too. */
const SEEN_HOLDS_MS = 250;

export async function tidyStep(engine: Engine, carried: Carried): Promise<StepResult> {
  const { attempt } = carried;
  if (!staysForLater(engine, carried)) await removePlace(engine, carried);
  moveAttempt(engine.store, engine.now(), readAttempt(engine.store, attempt.id)!, "closed");
  return "on";
}

/** A worktree stays when another attempt works on in it, or when the configuration keeps it to be looked at. */
function staysForLater(engine: Engine, { task, attempt }: Carried): boolean {
  if (isContinued(engine, attempt)) return true;
  const { keep } = engine.config.worktree;
  if (keep === "all") return true;
  // What an earlier try left is saved: whoever looks at a failed task wants the last one.
  return keep === "failed" && task.state === "failed" && readAttempts(engine.store, task.id).at(-1)?.id === attempt.id;
}

/** Removes worktree and branch. What the run's branch does not hold is saved under a rescue ref first. */
async function removePlace(engine: Engine, { run, task, attempt }: Carried): Promise<void> {
  const about = { run: run.id, task: task.id, attempt: attempt.id };
  const say = (fact: Fact) => appendEvent(engine.store, engine.now(), about, fact);
  const head = await readRef(engine.repo, attempt.branch);
  const seen = engine.seenClean.get(attempt.id);
  const id = `${run.id}-${slug(task.key)}-${attempt.id}`;
  engine.seenClean.delete(attempt.id);
  const wasThere = existsSync(attempt.worktree);
  const removed = await remove(engine, about, attempt.worktree, {
    ...(seen && performance.now() - seen.at < SEEN_HOLDS_MS ? { seenClean: seen.head } : {}),
    keep: [`refs/heads/${run.branch}`],
    id,
    note: `attempt ${attempt.number} of ${task.key} (${run.id}) on ${attempt.branch}`,
    spare: task.state === "done" && attempt.stop !== "taken" && hasEndedWholly(attemptDir(engine, attempt.id)),
  });
  if (!removed.removed) {
    say({ kind: "note", text: `kept ${attempt.worktree} (${whyKept(removed)})` });
    return;
  }
  // Of an owt that died before it came to the branch, the worktree is gone, and what it held is saved under the same name.
  const rescue = removed.rescue ?? (wasThere ? null : rescueRef(id));
  const rescued = rescue === null ? null : await readRef(engine.repo, rescue);
  if (removed.rescue !== null)
    say({ kind: "rescued", rescue: removed.rescue.split("/").at(-1)!, what: `${task.key} attempt ${attempt.number}` });
  const tip = await readRef(engine.repo, run.branch);
  if (!head || !isOurs(attempt)) return;
  const keptBy = [tip, rescued].filter((oid) => oid !== null);
  await deleteBranchIf(engine.repo, attempt.branch, head, keptBy).catch((error: unknown) => {
    if (!(error instanceof OwtError) || error.code !== "tool-failed") throw error;
    tellBranchesStay(engine, about, error);
  });
}

const toldOf = new MapPer<Engine, string, true>();

/** Once for each reason: it is the same for each branch that would go. */
function tellBranchesStay(engine: Engine, about: About, { message, hint = "" }: OwtError): void {
  if (toldOf.of(engine).has(message)) return;
  toldOf.of(engine).set(message, true);
  const text = `the branches of tasks that are through (owt/tasks/…) stay: ${message}; ${hint}`;
  appendEvent(engine.store, engine.now(), about, { kind: "note", text });
}

function whyKept({ reasons }: Extract<Removed, { removed: false }>): string {
  return reasons.map(({ reason, what }) => `${reason}: ${what.join(", ")}`).join("; ");
}

/** A branch name that a plan chose belongs to the user. */
function isOurs(attempt: Attempt): boolean {
  return attempt.branch.startsWith("owt/tasks/");
}

/** Removes a run's integration worktree. It holds nothing of its own, but the guard looks all the same. */
export async function removeIntegrationWorktree(engine: Engine, run: string): Promise<void> {
  const path = integrationWorktree(engine, run);
  const tip = await readRef(engine.repo, `owt/runs/${run}`);
  // What a power cut made of its files nobody wants to keep.
  if (tip !== null && (await mendEntry(engine.repo, path, { detached: tip })) !== null)
    await moveDetached(engine.repo, path, tip, environmentFiles(engine));
  await remove(engine, { run }, path, {
    keep: [`refs/heads/owt/runs/${run}`],
    unwanted: await triedMerges(engine, run, path),
    id: `${run}-integration`,
    note: `integration worktree of ${run}`,
  });
}

/** Removes the worktree in which a person brought a run and its target together, once that has landed. Somebody may be in it, or have left something there: that
 *  is told. */
export async function removeLandingWorktree(engine: Engine, run: string, tell: (text: string) => void): Promise<void> {
  const path = landingWorktree(engine, run);
  if (!existsSync(path)) return;
  const id = `${run}-land`;
  const note = `where ${run} was brought together with its target`;
  const removed = await remove(engine, { run }, path, { keep: [`refs/heads/owt/runs/${run}`], id, note });
  if (!removed.removed) tell(`${path} stays (${whyKept(removed)}); it goes with the next: owt land ${run}`);
  else if (removed.rescue !== null) {
    appendEvent(engine.store, engine.now(), { run }, { kind: "rescued", rescue: id, what: note });
    tell(`what was not committed in ${path} is saved: owt restore ${id}`);
  }
  leaveHome(engine);
  await allEmptied(engine);
}

/** Removes the worktree in which a commit was checked that belongs to no run: it holds nothing of its own, whatever the checks left. */
export async function removeCheckWorktree(engine: Engine, name: string, commit: string): Promise<void> {
  const path = integrationWorktree(engine, name);
  await remove(engine, {}, path, {
    keep: [commit],
    id: name,
    note: `checked ${commit.slice(0, 12)} for a merge by hand`,
  });
}

/** Removes the folder of the worktrees where nothing is left in it. */
export function leaveHome(engine: Engine): void {
  try {
    rmdirSync(worktreeHome(engine));
  } catch {
    // Somebody's worktree is still there, or there never was one: both are fine.
  }
}

async function remove(
  engine: Engine,
  about: About,
  path: string,
  options: { keep: string[]; unwanted?: string[]; id: string; note: string; seenClean?: string; spare?: boolean },
): Promise<Removed> {
  const { keep, id, note } = options;
  const attempt = about.attempt ?? 0;
  const dir = attempt === 0 ? join(engine.repo.commonDir, "owt", "landings", id) : attemptDir(engine, attempt);
  const left = await leaveWorktree(engine, { attempt, dir, worktree: path });
  if (left?.trouble) appendEvent(engine.store, engine.now(), about, { kind: "note", text: left.trouble });
  // A hook may have left something.
  const seenClean = left === null ? options.seenClean : undefined;
  const kept = await keepChangedEnvironment(engine, path, id);
  // The setup makes it again: it needs no saving, and is not what somebody is told of.
  if (seenClean === undefined)
    await undoFootprint(engine.repo, path, setupFootprint(engine, path), { untracked: true });
  const removed = await removeWorktree(engine.repo, path, {
    keep,
    known: knownFiles(engine, path),
    unwanted: options.unwanted ?? [...engine.redMerges],
    isAlone: !isAnyAgentAtWork(engine.store),
    quiet: quietOf(engine).promise,
    ...(seenClean === undefined ? {} : { seenClean }),
    spare: options.spare === true,
    save: true,
    rescue: { id, note, at: engine.now() },
  });
  if (removed.removed) {
    forgetSetup(engine, path);
    if (kept.length > 0) appendEvent(engine.store, engine.now(), about, { kind: "note", text: describeKept(kept, id) });
    const emptying = removed.emptied.finally(() => engine.emptying.delete(emptying));
    engine.emptying.add(emptying);
  }
  return removed;
}

/** When no agent is at work any more, and hardly any git runs beside us. */
const quiet = new WeakMap<Engine, PromiseWithResolvers<void>>();

function quietOf(engine: Engine): PromiseWithResolvers<void> {
  const known = quiet.get(engine) ?? Promise.withResolvers<void>();
  quiet.set(engine, known);
  return known;
}

/** Waits for the rest of all removals. A run is over only then: what a process leaves in its trash when it is killed after the run's end,
 *  nobody would come to sweep. */
export async function allEmptied(engine: Engine): Promise<void> {
  if (!isAnyAgentAtWork(engine.store)) {
    quietOf(engine).resolve();
    quiet.delete(engine);
  }
  dropSpares(engine.repo);
  await Promise.all(engine.emptying);
}
