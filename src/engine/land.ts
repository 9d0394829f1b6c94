/** Brings a finished run's branch into its target. A target that moved is merged with it first, as one more
 *  checked integration; the target itself only ever moves forward to a commit that was checked. */
import { existsSync } from "node:fs";
import { OwtError } from "../core/errors.ts";
import { commandList } from "../core/config.ts";
import { onePerTask, planKeyOf } from "../core/rival.ts";
import { describeCheck, type RedCheck } from "../core/red-check.ts";
import type { Run } from "../core/run.ts";
import type { Task } from "../core/task.ts";
import { checkedOutWhere, isAncestor, readRef } from "../git/branch.ts";
import { readTree, writeCommit } from "../git/commit.ts";
import { fastForwardCheckout, findStay, type Stay } from "../git/fast-forward.ts";
import { mergeTrees } from "../git/merge.ts";
import { isOutOfTime } from "../git/patience.ts";
import { type Unpublished, unpublishedLinks } from "../git/submodules.ts";
import { appendEvent } from "../store/events.ts";
import { readLandingChecked } from "../store/run-words.ts";
import { markLanded, readRuns } from "../store/runs.ts";
import { lastIntegrated, readTasks } from "../store/tasks.ts";
import { grantsNeeded, requireApproval } from "./approvals.ts";
import { type Asker, checkCommit, NO_ATTEMPT } from "./check-commit.ts";
import { findComingMarkers } from "./coming-markers.ts";
import { describeMisbehaved, settleMerge, type ToSettle } from "./conflict-rules.ts";
import { type Engine, integrationWorktree } from "./engine.ts";
import { findRun } from "./find-run.ts";
import { MARKERS_MEANT } from "./gate.ts";
import { findOutAgain, outAgain, refuseOutAgain } from "./landed-before.ts";
import { prepareMerge } from "./land-conflict.ts";
import { findLandingLost, refuseLost } from "./land-sides.ts";
import { endEarlierLandings, landingCheckDir, standAt } from "./integration-worktree.ts";
import { runTip } from "./run-tip.ts";
import { tellingSlowGit } from "./slow-git.ts";
import { describeStay, endOfStay } from "./stays.ts";
import { stoppedBy } from "./stops.ts";
import { refuseTakenOut } from "./taken-out.ts";
import { allEmptied, leaveHome, removeIntegrationWorktree, removeLandingWorktree } from "./tidy.ts";
import { shellWord } from "../lib/printable.ts";
import { asOneLander } from "./worktrees/one-at-a-time.ts";

export type Landed = {
  run: string;
  target: string;
  commit: string;
  merged: boolean;
  /** What lands was checked as it is, with the commands that are in force now. */
  checked: boolean;
  already: boolean;
  missing: string[];
  /** Submodules whose commit no remote has: where it is kept here, to be pushed by a person. */
  unpublished: Unpublished[];
};

/** What a person says is meant. `asResolved`: that a side is thrown away where they brought run and target together; `again`: that what was landed, and taken out again, comes back. */
export type Meant = { asResolved?: boolean; again?: boolean };

/** Lands a run. Throws `wrong-state` while it is open, `needs-person` on a conflict, on one that was resolved by throwing a side away, red checks, or where it would bring back what was taken out of the target, be it itself, `not-approved` for a check that the user
 *  has not approved, `target-dirty` when the target's checkout would lose something, `interrupted` when whoever asks leaves before the target has
 *  moved. */
export async function landRun(engine: Engine, id: string | null, by: Asker, meant: Meant = {}): Promise<Landed> {
  // Who waited for another one that lands the same run finds it landed.
  const run = id === null ? await newestLandable(engine) : findRun(engine, id);
  const onWait = () => by.tell("another owt land is at work here: waits until that has ended");
  return asOneLander(engine, { signal: by.leave, onWait }, () => landNow(engine, run.id, by, meant));
}

async function landNow(engine: Engine, id: string, by: Asker, meant: Meant): Promise<Landed> {
  const run = findRun(engine, id);
  const tasks = readTasks(engine.store, run.id);
  if (run.state === "open") {
    throw new OwtError("wrong-state", `${run.id} is not finished`, {
      hint: "go on with it: owt resume; what it waits for: owt inbox",
    });
  }
  const work = await runTip(engine, run);
  if (await endEarlierLandings(engine, run.id)) await leaveIntegrationWorktree(engine, run, work);
  const target = await readRef(engine.repo, `refs/heads/${run.target}`);
  if (!target)
    throw new OwtError("environment", `the branch ${run.target} is gone`, {
      hint: `git branch ${shellWord(run.target)} ${run.base.slice(0, 10)}, where the run began, or at the branch that took its place; then: owt land ${run.id}`,
    });
  const missing = onePerTask(tasks, (task) => task)
    .filter((task) => task.state !== "done")
    .map(planKeyOf);
  const result = { run: run.id, target: run.target, missing };
  if (await isAncestor(engine.repo, work, target)) {
    await noteLanded(engine, run, target, by);
    return { ...result, commit: target, merged: false, checked: false, already: true, unpublished: [] };
  }
  if (meant.again !== true) await refuseOutAgain(engine, run, work);
  await refuseTakenOut(engine, run, { work, tip: target });
  await refuseMarkers(engine, run, work, target);
  const moved = !(await isAncestor(engine.repo, target, work));
  const commands = commandsInForce(engine, tasks);
  // What a person committed onto the run's branch was checked by nobody yet, nor was anything by a check that came later; a merge is
  // checked as a whole.
  const isOurs = tasks.some((task) => task.commit === work);
  const isChecked = commands.every((command) => run.options.verify.includes(command) || isOfTask(tasks, command));
  const checks = commands.length > 0 && (moved || !isOurs || !isChecked);
  if (checks) requireChecks(engine, tasks);
  const merged = moved
    ? await mergeTarget(engine, run, { work, target }, by.tell)
    : { tree: await readTree(engine.repo, work) };
  const stay = await findStay(engine.repo, run.target, target, "tree" in merged ? merged.tree : null);
  if (stay !== null) throw notMoved(run, stay);
  const commit = moved ? await writeMerge(engine, run, { merged, work, target, checks }, by) : work;
  const lost = await findLandingLost(engine, run, { work, target, commit });
  if (lost.length > 0 && meant.asResolved !== true) throw await refuseLost(engine, run, lost);
  if (checks) await checkOnce(engine, run, commit, commands, by);
  refuseIfLeaving(by.leave);
  // The run's branch stays where its own work is: what the target holds now may be taken out of it again.
  const outcome = await fastForwardCheckout(engine.repo, run.target, target, commit);
  if (!outcome.moved) throw notMoved(run, outcome);
  await noteLanded(engine, run, commit, by);
  const unpublished = await unpublishedLinks(engine.repo, target, commit);
  return { ...result, commit, merged: moved, checked: checks, already: false, unpublished };
}

/** What the queue let in was looked at; what a person committed behind that, as they brought run and target together, was not. */
async function refuseMarkers(engine: Engine, run: Run, work: string, target: string): Promise<void> {
  const last = lastIntegrated(engine.store, run.id) ?? run.base;
  const markers = work === last ? null : await findComingMarkers(engine, work, [last, target]);
  if (markers === null) return;
  const checkout = await checkedOutWhere(engine.repo, run.branch);
  const then =
    checkout === null
      ? `git switch ${run.branch}, git commit -a, and git switch ${run.target} && owt land ${run.id}`
      : `git -C ${shellWord(checkout)} commit -a && owt land ${run.id}`;
  throw new OwtError("needs-person", `${run.branch} holds conflict markers: ${markers}`, {
    hint: `decide them there (${MARKERS_MEANT}), then: ${then}`,
  });
}

/** The checks that count now: those that are configured now, as for a run that is resumed, and those of the tasks that are in it. */
function commandsInForce(engine: Engine, tasks: readonly Task[]): string[] {
  const ofTasks = tasks.flatMap((task) => (task.state === "done" ? task.spec.verify : []));
  return [...new Set([...commandList(engine.config.run.verify), ...ofTasks])];
}

function isOfTask(tasks: readonly Task[], command: string): boolean {
  return tasks.some((task) => task.state === "done" && task.spec.verify.includes(command));
}

/** Nothing that the repository brings is run unapproved; what its agents are allowed does not matter here. */
function requireChecks(engine: Engine, tasks: readonly Task[]): void {
  const specs = tasks.filter((task) => task.state === "done").map((task) => task.spec);
  const grants = grantsNeeded(engine, specs, {}).filter(({ where }) =>
    /(verify|install_command|post_create|pre_remove)$/.test(where),
  );
  requireApproval(engine, grants);
}

/** The same of the commands that make files anew which are in conflict. */
function requireRules(engine: Engine): void {
  requireApproval(
    engine,
    grantsNeeded(engine, [], {}).filter(({ where }) => where.endsWith("[conflicts] regenerate")),
  );
}

/** With a run lands what it was built upon. What a person was to bring together with the target is there then, wherever they did it. */
async function noteLanded(engine: Engine, landed: Run, commit: string, by: Asker): Promise<void> {
  for (const run of readRuns(engine.store, "ended")) {
    if (run.target !== landed.target || (run.landedAt !== null && run.id !== landed.id)) continue;
    const tip = await readRef(engine.repo, `refs/heads/${run.branch}`);
    if (!tip || !(await isAncestor(engine.repo, tip, commit))) continue;
    markLanded(engine.store, engine.now(), run.id, run.target, commit);
    await removeLandingWorktree(engine, run.id, by.tell);
  }
}

async function newestLandable(engine: Engine): Promise<Run> {
  const runs = readRuns(engine.store);
  const done = runs.findLast(
    (run) =>
      run.state === "ended" &&
      run.landedAt === null &&
      readTasks(engine.store, run.id).some((task) => task.state === "done"),
  );
  if (done) return done;
  const open = runs.findLast((run) => run.state === "open");
  const out = open === undefined ? (await findOutAgain(engine)).at(-1) : undefined;
  if (out !== undefined) throw outAgain(out);
  throw new OwtError(
    "wrong-state",
    open ? `${open.id} is not finished yet` : "there is no finished run that has not landed",
    {
      hint: open ? "go on with it: owt resume; what it waits for: owt inbox" : "see: owt status",
    },
  );
}

function notMoved(run: Run, stay: Stay): OwtError {
  return new OwtError("target-dirty", `${run.target} was not moved: ${describeStay(stay)}`, {
    hint: `${endOfStay(stay)}, then: owt land ${run.id}`,
  });
}

/** What the run and its moved target come to together: a tree, or the files that they conflict in. */
async function mergeTarget(
  engine: Engine,
  run: Run,
  { work, target }: { work: string; target: string },
  tell: Asker["tell"],
): Promise<{ tree: string } | { files: string[] }> {
  const merge = () => mergeTrees(engine.repo, work, target, engine.repo.root);
  const merged = await tellingSlowGit(engine, tell, merge).catch((error: unknown) => {
    if (!isOutOfTime(error)) throw error;
    throw new OwtError("needs-person", `${run.target} was not moved: ${error.message}`, {
      hint: `look: git config --show-origin --get-regexp '^merge\\.'; mend it or remove it, then: owt land ${run.id}`,
    });
  });
  if ("unrelated" in merged)
    throw new OwtError("needs-person", `${run.target} shares no history with ${run.id} any more`, {
      hint: `merge it by hand: git switch ${run.branch} && git merge --allow-unrelated-histories ${run.target}, then: owt land ${run.id}`,
    });
  return merged;
}

type Merging = { merged: { tree: string } | { files: string[] }; work: string; target: string; checks: boolean };

async function writeMerge(
  engine: Engine,
  run: Run,
  { merged, work, target, checks }: Merging,
  by: Asker,
): Promise<string> {
  const message = `Merge ${run.target} into ${run.id}\n\nOwt-Run: ${run.id}\nOwt-Verified: ${checks ? "yes" : "no"}\n`;
  const parents: [string, string] = [work, target];
  if ("tree" in merged)
    return writeCommit(engine.repo, { tree: merged.tree, parents, message, identity: await engine.identity() });
  const settled = await settleByRules(engine, run, { parents, files: merged.files, message }, by);
  if (settled === null) throw await prepareMerge(engine, run, { work, target, files: merged.files });
  return settled;
}

/** The merge with a target that conflicts, where rules settle that (`[conflicts]`); null where a person has to. */
async function settleByRules(
  engine: Engine,
  run: Run,
  conflict: { parents: [work: string, target: string]; files: string[]; message: string },
  by: Asker,
): Promise<string | null> {
  if (Object.keys(engine.config.conflicts?.regenerate ?? {}).length > 0) requireRules(engine);
  const merge: ToSettle = {
    ...conflict,
    run,
    worktree: engine.repo.root,
    attempt: NO_ATTEMPT,
    dirOf: (commit) => {
      // What commands make anew is taken from it; it itself nobody wants back.
      engine.redMerges.add(commit);
      return landingCheckDir(engine, run.id, commit);
    },
    tell: by.tell,
  };
  try {
    const settled = await stoppedBy(engine, NO_ATTEMPT, by.leave, () => settleMerge(engine, merge));
    if (settled === "interrupted") throw interrupted();
    if (settled !== null && "misbehaved" in settled)
      throw new OwtError("needs-person", describeMisbehaved(settled), {
        hint: `mend the command in [conflicts.regenerate], then: owt land ${run.id}`,
      });
    return settled !== null && "commit" in settled ? settled.commit : null;
  } finally {
    await leaveIntegrationWorktree(engine, run, await readRef(engine.repo, `refs/heads/${run.branch}`));
  }
}

/** Nothing that was seen green is checked anew, where only its landing came to nothing. */
async function checkOnce(engine: Engine, run: Run, commit: string, commands: string[], by: Asker): Promise<void> {
  const tree = await readTree(engine.repo, commit);
  const seen = readLandingChecked(engine.store, run.id);
  if (seen?.tree === tree && commands.every((command) => seen.commands.includes(command))) return;
  await checkTip(engine, run, commit, commands, by);
  appendEvent(engine.store, engine.now(), { run: run.id }, { kind: "landing-checked", tree, commands });
}

/** Runs every check at a commit, in the run's own worktree. */
async function checkTip(
  engine: Engine,
  run: Run,
  commit: string,
  commands: readonly string[],
  by: Asker,
): Promise<void> {
  try {
    const dir = landingCheckDir(engine, run.id, commit);
    const { timeoutMs } = run.options;
    const verdict = await checkCommit(engine, { name: run.id, commit, commands, dir, timeoutMs, by });
    if (verdict.kind === "interrupted") throw interrupted();
    if (verdict.kind === "red") throw red(run, verdict, await checkedOutWhere(engine.repo, run.branch));
  } finally {
    // Back to the run's own commit: a merge of ours that is not wanted is nothing to be saved.
    const tip = await readRef(engine.repo, `refs/heads/${run.branch}`);
    if (tip !== commit) engine.redMerges.add(commit);
    await leaveIntegrationWorktree(engine, run, tip === commit ? null : tip);
  }
}

/** `tip`: where it is put first; null where it may stay as it is. */
async function leaveIntegrationWorktree(engine: Engine, run: Run, tip: string | null): Promise<void> {
  if (tip !== null && existsSync(integrationWorktree(engine, run.id))) await standAt(engine, run.id, tip);
  await removeIntegrationWorktree(engine, run.id);
  leaveHome(engine);
  await allEmptied(engine);
}

function refuseIfLeaving(leave: AbortSignal): void {
  if (leave.aborted) throw interrupted();
}

function interrupted(): OwtError {
  return new OwtError("interrupted", "landing was interrupted; the target was not moved", { hint: "again: owt land" });
}

/** `checkout`: where the run's branch is checked out. */
function red(run: Run, { output, ...check }: RedCheck & { output: string }, checkout: string | null): OwtError {
  const there = checkout === null ? `git switch ${run.branch}` : `cd ${shellWord(checkout)}`;
  return new OwtError(
    "needs-person",
    `what would land on ${run.target} fails: ${describeCheck(check)}\n${output}`.trimEnd(),
    {
      hint: `mend it, and commit: ${there}; then: ${checkout === null ? `git switch ${run.target} && ` : ""}owt land ${run.id}`,
    },
  );
}
