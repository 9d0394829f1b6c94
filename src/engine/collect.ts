/** After the agent: what it left is committed on its branch, and the attempt is judged from events, exit and git. */
import { existsSync } from "node:fs";
import { OWN_FILES } from "../agents/registry.ts";
import { failedRuleOf } from "../core/conflict-rules.ts";
import { phaseAfterChecks } from "../core/contest.ts";
import type { Usage } from "../core/cost.ts";
import type { Fact } from "../core/event.ts";
import { askedAbout, askForLost, describeLost, howLost, type LostChange } from "../core/lost-change.ts";
import { describeRefused, type Outcome } from "../core/outcome.ts";
import { oneLine } from "../core/names.ts";
import { planKeyOf } from "../core/rival.ts";
import { isMended, ontoOf, type Task, turnOf } from "../core/task.ts";
import { createBranch, isAncestor, readRef } from "../git/branch.ts";
import { lastHead, renamedTo } from "../git/head-log.ts";
import { commitLeftovers, type Leftovers } from "../git/leftovers.ts";
import { clearStaleLocks } from "../git/locks.ts";
import { isObject } from "../git/loose-object.ts";
import { moveKeeping } from "../git/move.ts";
import { findPlace, readHead } from "../git/place.ts";
import { changedLinks, dropsKept, keepLinks, linkRef } from "../git/submodules.ts";
import type { Stash } from "../git/stashes.ts";
import { printableNames } from "../lib/printable.ts";
import { appendEvent } from "../store/events.ts";
import { changeAttempt, setUsage } from "../store/attempts.ts";
import { changeRival, findTasks } from "../store/tasks.ts";
import { sweepAfterEnd } from "../system/launch.ts";
import { type Carried, finish, moveOn, sendBack, type StepResult } from "./attempt-moves.ts";
import { enforceBudget, warnOfGaps } from "./budget.ts";
import { judgeCapped } from "./caps.ts";
import { askPerson, conflicted, verifyFailed } from "./clash.ts";
import { sizeForContest } from "./contest.ts";
import { attemptDir, type Engine } from "./engine.ts";
import { excuse } from "./full-disk.ts";
import { passGate } from "./gate.ts";
import { settleProbe } from "./governor.ts";
import { judgeCut, readCut } from "./reboot.ts";
import { broughtTogether, findLost, resolvedIn } from "./lost-side.ts";
import { holdsOwnWork, undoesItsOwn, workBeforeMending } from "./own-work.ts";
import { runSetup } from "./run-setup.ts";
import { ensureWorktree, finishUnready } from "./task-steps.ts";
import { verifyCommands } from "./verify.ts";
import { makeRoom } from "./transcript.ts";
import { environmentFiles } from "./environment-files.ts";
import { knownFiles, setupFootprint } from "./workspace.ts";
import {
  blockedOutcome,
  insideOutcome,
  stashesOfTask,
  stashedOutcome,
  elsewhereOutcome,
  type Elsewhere,
  findElsewhere,
  describeElsewhere,
  describeStash,
} from "./left-outcome.ts";
import {
  ENDS_TURN,
  type Shown,
  judgeTurn,
  withCircumstances,
  goesOnInstead,
  budgetOutcome,
  readTurn,
} from "./turn-outcome.ts";

/** Larger files are never committed by us. */
const MAX_LEFTOVER_BYTES = 10 * 1024 * 1024;

export async function collectStep(engine: Engine, carried: Carried): Promise<StepResult> {
  const unlocked = await standAgain(engine, carried);
  const work = { ...(await takeWork(engine, carried)), unlocked };
  const turn = work.byHand ? null : await readTurn(engine, carried, work.changed);
  const judged = await judgeWork(engine, carried, work, turn);
  const { outcome, isCut } = judged;
  const problem = isCut && outcome.kind === "ok" ? await runSetup(engine, carried) : null;
  if (problem === "interrupted") return "leave";
  if (problem !== null) {
    finishUnready(engine, carried, problem);
    return "on";
  }
  const found = await lookInto(engine, carried, outcome, work);
  engine.store.transaction(() => {
    noteUsage(engine, carried, turn);
    tellOf(engine, carried, { work, turn, judged, found });
    settleProbe(engine, carried.attempt, outcome);
    conclude(engine, carried, { outcome, usage: turn?.usage ?? null, work, found });
  });
  return "on";
}

/** Nothing of the agent runs any more, and the work is where it can be looked at. True where a lock was in the way of its git, which nobody held. */
async function standAgain(engine: Engine, carried: Carried): Promise<boolean> {
  const { task, attempt } = carried;
  if (task.next.kind !== "by-hand") {
    await sweepAfterEnd(attemptDir(engine, attempt.id));
    // It may be what it printed that leaves no room for its commit.
    await makeRoom(engine, attempt);
  }
  // An agent that removed its own worktree still has its commits: they are taken up in a new one.
  const tip = (await readRef(engine.repo, attempt.branch)) ?? (await putBranchBack(engine, carried));
  if (!existsSync(attempt.worktree) && tip) await ensureWorktree(engine, carried, tip);
  const place = findPlace(engine.repo, attempt.worktree);
  return (
    place !== null && (await clearStaleLocks(engine.repo, place.gitDir, { branches: [attempt.branch] })).length > 0
  );
}

/** What git says that meets a lock. */
const LOCKED_WORDS = /Another git process seems to be running|\.lock': File exists/;

/** Whether an agent failed for want of its own commit alone, which is there now: whether its work is done is for its checks to say. */
function metStaleLock({ run, task }: Carried, judged: Outcome, { unlocked, leftovers }: Work, turn: Shown): boolean {
  return (
    judged.kind === "failed" &&
    unlocked &&
    leftovers.commit !== null &&
    LOCKED_WORDS.test(`${judged.reason}\n${turn.evidence.stderrTail}`) &&
    verifyCommands(run, task).length > 0
  );
}

/** What there is of work: `head` is what it came to, `dropped` that it takes back a submodule's commit of another task. */
type Work = {
  byHand: boolean;
  leftovers: Leftovers;
  head: string;
  changed: boolean;
  dropped: Outcome | null;
  unlocked: boolean;
};

/** What was left uncommitted is committed; what was thrown away instead of a conflict's resolution is put back. */
async function takeWork(engine: Engine, carried: Carried): Promise<Omit<Work, "unlocked">> {
  const { task, attempt } = carried;
  const byHand = task.next.kind === "by-hand";
  const leftovers = await commitLeftovers(engine.repo, attempt.worktree, {
    branch: attempt.branch,
    exclude: [...environmentFiles(engine), ...OWN_FILES],
    maxFileBytes: MAX_LEFTOVER_BYTES,
    footprint: setupFootprint(engine, attempt.worktree),
    identity: await engine.identity(),
    known: knownFiles(engine, attempt.worktree),
    message: `${oneLine(task.spec.title)}\n\nLeft uncommitted in its worktree and committed by owt.\n\nOwt-Task: ${planKeyOf(task)}`,
  });
  const left = leftovers.tip ?? attempt.base;
  const isOwn =
    (await holdsOwnWork(engine, carried, { head: left, isNew: leftovers.commit !== null })) &&
    (byHand || !(await undoesItsOwn(engine, carried, left)));
  const back = isOwn || byHand ? null : await bringBack(engine, carried, leftovers);
  const head = back ?? left;
  const changed = isOwn || back !== null;
  if (leftovers.isClean) engine.seenClean.set(attempt.id, { head, at: performance.now() });
  const dropped = changed ? await bringSubmodulesHome(engine, carried, head) : null;
  return { byHand, leftovers, head, changed, dropped };
}

/** How the attempt ended. `isThere`: what it was to do had been done; `isCut`: the machine went down below it; `metLock`: its git could not commit for a lock that nobody held; `inside`: submodules with work that no commit holds. */
type Judged = {
  outcome: Outcome;
  isThere: boolean;
  isCut: boolean;
  inside: string[];
  stashes: Stash[];
  elsewhere: Elsewhere | null;
  metLock: boolean;
};

/** What an agent says of its end counts where git bears it out. */
async function judgeWork(engine: Engine, carried: Carried, work: Work, turn: Shown | null): Promise<Judged> {
  const { task, attempt } = carried;
  const { byHand, leftovers, head, changed, dropped } = work;
  const said = turn ? judgeCapped(engine, attempt, judgeTurn(engine, carried, turn)) : byHandOutcome(changed);
  const metLock = turn !== null && metStaleLock(carried, said, work, turn);
  const judged: Outcome = metLock ? { kind: "ok" } : said;
  const isThere = judged.kind === "nothing_done" && (await isThereAlready(engine, carried));
  const misread = judged.kind === "ok" || judged.kind === "nothing_done";
  const inside = leftovers.left.filter(({ reason }) => reason === "dirty-submodule").map(({ path }) => path);
  const stashes = misread && !byHand ? await stashesOfTask(engine, task) : [];
  const elsewhere = misread ? await findElsewhere(engine, carried, head) : null;
  const taken = misread
    ? (dropped ??
      blockedOutcome(leftovers, attempt.branch, byHand || turnOf(task.next).kind === "conflict") ??
      elsewhereOutcome(stashedOutcome(insideOutcome(judged, inside), stashes), attempt.branch, elsewhere))
    : judged;
  const why = turn === null ? taken : withCircumstances(engine, attempt, taken, turn, { changed, head });
  const made = excuse(engine, attempt, why, turn !== null && turn.evidence.results.length === 0);
  const settled: Outcome = isThere && made.kind === "nothing_done" ? { kind: "ok" } : made;
  const cut = byHand ? null : readCut(engine, attempt.id);
  return {
    outcome: goesOnInstead(task, judgeCut(settled, cut)),
    isThere,
    isCut: cut !== null,
    inside,
    stashes,
    elsewhere,
    metLock,
  };
}

/** What is found in work that ended well: what its checks need not be run for, what it threw away of a merge, and its size among rivals. */
type Found = {
  beyond: Awaited<ReturnType<typeof passGate>>;
  resolved: ReturnType<typeof broughtTogether>;
  lost: LostChange[];
  size: Awaited<ReturnType<typeof sizeForContest>>;
};

async function lookInto(engine: Engine, carried: Carried, { kind }: Outcome, { byHand, head }: Work): Promise<Found> {
  if (kind !== "ok") return { beyond: null, resolved: null, lost: [], size: null };
  const beyond = byHand ? null : await passGate(engine, carried, head);
  const resolved = beyond === null ? broughtTogether(engine, carried) : null;
  const lost = resolved === null ? [] : await findLost(engine, carried, resolved, head);
  return { beyond, resolved, lost, size: await sizeForContest(engine, carried, head) };
}

/** Some agents name their conversations themselves; the next turn asks for it by that name. */
function noteUsage(engine: Engine, carried: Carried, turn: Shown | null): void {
  const { run, attempt } = carried;
  if (turn === null) return;
  const { session } = turn.evidence;
  if (session !== null && session !== attempt.session) changeAttempt(engine.store, attempt.id, { session });
  setUsage(engine.store, attempt.id, turn.usage);
  warnOfGaps(engine, carried, turn.usage);
  enforceBudget(engine, run.id);
}

/** What people are told of work, however it goes on. */
function tellOf(
  engine: Engine,
  { run, task, attempt }: Carried,
  { work, turn, judged, found }: { work: Work; turn: Shown | null; judged: Judged; found: Found },
): void {
  const { outcome, isThere, inside, stashes, elsewhere, metLock } = judged;
  const { leftovers } = work;
  const tell = (fact: Fact) =>
    appendEvent(engine.store, engine.now(), { run: run.id, task: task.id, attempt: attempt.id }, fact);
  const note = (text: string) => tell({ kind: "note", text });
  if (leftovers.commit)
    tell({ kind: "leftovers", commit: leftovers.commit, left: leftovers.left.map((each) => each.path) });
  if (inside.length > 0)
    note(
      `left uncommitted work inside ${printableNames(inside)}, which no commit of it holds; it is in ${attempt.worktree}, and saved before that goes`,
    );
  if (outcome.kind !== "ok") return;
  if (stashes.length > 0) note(describeStash(stashes[0]!));
  if (elsewhere !== null) note(describeElsewhere(elsewhere, attempt.branch));
  if (metLock)
    note("could not commit, for a lock that a killed git had left; what it left is committed, and goes to its checks");
  if (isThere) note("changed nothing: its work is there already");
  const refused = turn?.evidence.results.at(-1)?.denials ?? [];
  if (refused.length > 0) note(`${describeRefused([...new Set(refused)])}, and did without`);
  if (found.lost.length > 0 && (isAskedOf(task) || askedAbout(found.lost).length === 0))
    tell({ kind: "side-lost", lost: found.lost });
  if (found.beyond !== null) note(found.beyond.note);
}

/** Whether this turn says whether what is lost is meant. */
function isAskedOf(task: Task): boolean {
  const next = turnOf(task.next);
  return (next.kind === "resume" && next.resolved !== undefined) || (next.kind === "by-hand" && next.isAsked === true);
}

/** What becomes of the attempt. */
function conclude(
  engine: Engine,
  carried: Carried,
  { outcome, usage, work, found }: { outcome: Outcome; usage: Usage | null; work: Work; found: Found },
): void {
  const { task, attempt } = carried;
  const { head } = work;
  const { beyond, lost } = found;
  if (beyond !== null) {
    changeAttempt(engine.store, attempt.id, { head });
    verifyFailed(engine, { ...carried, attempt: { ...attempt, head } }, beyond);
  } else if (askedAbout(lost).length > 0 && !isAskedOf(task)) {
    changeAttempt(engine.store, attempt.id, { head });
    askOfLost(engine, carried, work, { ...found, lost: askedAbout(lost) });
  } else if (outcome.kind === "ok") {
    goOn(engine, carried, work, found);
  } else if (outcome.kind === "conflict") {
    const turn = turnOf(task.next);
    const before = turn.kind === "conflict" ? turn : null;
    const failed = failedRuleOf(before ?? {});
    conflicted(engine, carried, { files: outcome.files, theirs: before?.theirs ?? head, ours: head, failed });
  } else {
    const ended = outcome.kind === "budget" ? budgetOutcome(engine, carried, outcome) : outcome;
    // What it had come to tells the next one's progress.
    if (outcome.kind === "lost") changeAttempt(engine.store, attempt.id, { head });
    finish(engine, { ...carried, attempt: { ...attempt, usage } }, ended);
  }
}

/** Whoever resolved a conflict is asked whether what is lost by that is meant; of what a later step lost, a person. */
function askOfLost(engine: Engine, carried: Carried, { byHand }: Work, { resolved, lost }: Found): void {
  const { task, attempt } = carried;
  if (resolved === null) return;
  if (byHand || resolved.isLater === true) {
    askPerson(engine, carried, resolved, lost);
    return;
  }
  const ended = { kind: "failed", reason: `${howLost(lost, isMended(resolved))}: ${describeLost(lost)}` } as const;
  const because = askForLost(lost, isMended(resolved));
  const turn = turnOf(task.next);
  const others = turn.kind === "repair" && turn.others ? { others: turn.others } : {};
  const next = { kind: "resume", from: attempt.id, because, resolved, ...others } as const;
  sendBack(engine, carried, ended, next, {});
}

/** On to its checks, or to what is behind them. */
function goOn(engine: Engine, carried: Carried, { head }: Work, { size }: Found): void {
  const { run, task, attempt } = carried;
  const phase = verifyCommands(run, task).length > 0 ? "verify" : phaseAfterChecks(task);
  if (size !== null && phase === "contest") changeRival(engine.store, { ...task, rival: { ...task.rival!, size } });
  // A budget came too late to stop it, or its work was done: what follows is not to be stopped.
  const isStopped = attempt.stop !== null && ENDS_TURN.has(attempt.stop);
  moveOn(engine, carried, phase, isStopped ? { head, stop: null } : { head });
}

/** An agent that was to resolve a conflict, or to mend what is red with the work of others, and threw its own work away instead, has given that up: the work is put back as it
 *  was, and meets the same again. Gives where it is then; null where there is nothing to put back. */
async function bringBack(engine: Engine, carried: Carried, { tip, blocked }: Leftovers): Promise<string | null> {
  const { run, task, attempt } = carried;
  const given = await givenToBringTogether(engine, carried);
  if (given === null || blocked !== null || tip === given.work) return null;
  if (tip === null || findPlace(engine.repo, attempt.worktree) === null) return null;
  if (!(await moveKeeping(engine.repo, attempt.worktree, given.work))) return null;
  const text = `threw its work away instead of ${given.instead}; it is put back at ${given.work.slice(0, 10)}`;
  const about = { run: run.id, task: task.id, attempt: attempt.id };
  appendEvent(engine.store, engine.now(), about, { kind: "note", text });
  return given.work;
}

/** The work as this turn was given it, and what was to be done with it; null where it was not to be brought together with that of others. */
async function givenToBringTogether(
  engine: Engine,
  { task, attempt }: Carried,
): Promise<{ work: string; instead: string } | null> {
  const resolved = resolvedIn(task.next);
  if (resolved !== null && !isMended(resolved)) return { work: resolved.ours, instead: "resolving the conflict" };
  const onto = ontoOf(task.next);
  const work = onto === null ? null : await workBeforeMending(engine, attempt, onto);
  return work === null ? null : { work, instead: "mending what is red with the work of others" };
}

/** A branch that its agent deleted below itself comes back to where that stood, and one that it renamed to where that is. Null where it was not so. */
async function putBranchBack({ repo, store, now }: Engine, { run, task, attempt }: Carried): Promise<string | null> {
  const place = findPlace(repo, attempt.worktree);
  if (place === null) return null;
  const { branch } = await readHead(repo, place);
  const renamed = branch === attempt.branch ? null : renamedTo(place, attempt.branch, attempt.startedAt);
  if (branch !== attempt.branch && renamed === null) return null;
  const commit = renamed === null ? lastHead(place) : await readRef(repo, `refs/heads/${renamed}`);
  if (commit === null || !(await isObject(repo, commit)) || !(await isAncestor(repo, attempt.base, commit)))
    return null;
  await createBranch(repo, attempt.branch, commit);
  const short = commit.slice(0, 10);
  const text =
    renamed === null
      ? `had deleted its own branch; it is at ${short} again, where its worktree stood`
      : `had renamed its branch to ${renamed}; ${attempt.branch} is at ${short} again, where that is`;
  appendEvent(store, now(), { run: run.id, task: task.id, attempt: attempt.id }, { kind: "note", text });
  return commit;
}

/** Commits that the agent made inside a submodule lie in its worktree alone. */
async function bringSubmodulesHome(engine: Engine, carried: Carried, head: string): Promise<Outcome | null> {
  const { run, task, attempt } = carried;
  const links = await changedLinks(engine.repo, attempt.base, head);
  if (links.length === 0) return null;
  for (const { path, commit, is } of await keepLinks(engine.repo, attempt.worktree, links)) {
    if (is === "published") continue;
    const where = is === "kept" ? `it is kept here as ${linkRef(commit)}` : "nobody here has it";
    const text = `points ${path} at ${commit.slice(0, 10)}, which no remote has; ${where}`;
    const about = { run: run.id, task: task.id, attempt: attempt.id };
    appendEvent(engine.store, engine.now(), about, { kind: "note", text });
  }
  for (const link of links) {
    if (!(await dropsKept(engine.repo, link))) continue;
    const words = `points ${link.path} at ${link.commit.slice(0, 10)}, which does not contain ${link.before!.slice(0, 10)} of an earlier task`;
    return { kind: "failed", reason: words };
  }
  return null;
}

/** Whether what a repeated task asks for was done before and is in what this attempt started from. */
async function isThereAlready(engine: Engine, { run, task, attempt }: Carried): Promise<boolean> {
  if (run.options.again !== true) return false;
  if (task.spec.status === "complete") return true;
  for (const { state, commit } of findTasks(engine.store, planKeyOf(task)))
    if (state === "done" && commit !== null && (await isAncestor(engine.repo, commit, attempt.base))) return true;
  return false;
}

function byHandOutcome(changed: boolean): Outcome {
  return changed ? { kind: "ok" } : { kind: "nothing_done", said: "" };
}
