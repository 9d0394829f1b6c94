/** Brings the work of tasks into their run's branch: merged at the tip, checked as merged, and then the branch moves on (`advance.ts`). Where checks are needed and
 *  several tasks wait, they are merged one upon the other and checked once; what is red is halved until the one at fault is found. */
import type { FailedRule } from "../core/conflict-rules.ts";
import { OwtError } from "../core/errors.ts";
import { oneLine } from "../core/names.ts";
import type { Run } from "../core/run.ts";
import { readParents } from "../git/branch.ts";
import { commitsBetween } from "../git/changes.ts";
import { closeChain, mergeOnto } from "../git/merge-chain.ts";
import { readIntegrations } from "../git/integrations.ts";
import { endPrograms } from "../git/patience.ts";
import { endAttempt, readAttempt } from "../store/attempts.ts";
import { appendEvent } from "../store/events.ts";
import { advance } from "./advance.ts";
import { type Carried, finish, moveOn, type StepResult, waitBehind } from "./attempt-moves.ts";
import { conflicted, isForPerson, isOvertaken, isRedOvertaken, verifyFailed } from "./clash.ts";
import { describeMisbehaved, type Misbehaved, type RuledLink, settleByRule } from "./conflict-rules.ts";
import type { Engine } from "./engine.ts";
import { isFullDisk } from "./full-disk.ts";
import { awaitMore } from "./gather.ts";
import { inMergeOrder } from "./merge-order.ts";
import { inTurn, takeMore, waitAgain, type Waiter, waitForTurn } from "./merge-queue.ts";
import { findKnownRed, isTipRed, lookAtTip, waitForTip } from "./red-tip.ts";
import { waitForResolver } from "./resolving.ts";
import { runTip } from "./run-tip.ts";
import { notingSlowGit } from "./slow-git.ts";
import { mergeHere } from "./task-steps.ts";
import { type Verdict, verifyCommands } from "./verify.ts";
import { heldByCheck } from "./strayed.ts";
import { verifyMerged } from "./verify-merged.ts";

export function mergeStep(engine: Engine, carried: Carried): Promise<StepResult> {
  return waitForTurn(engine, carried, (waiters) => integrateAll(engine, waiters));
}

/** The intent stands: `candidate` is to become the tip. After a crash it may have become it already. */
export function advanceStep(engine: Engine, carried: Carried): Promise<StepResult> {
  return inTurn(engine, carried.run.id, async (): Promise<StepResult> => {
    const candidate = carried.attempt.candidate!;
    const [from] = await readParents(engine.repo, candidate);
    await advance(engine, [carried], from!, candidate);
    return "on";
  });
}

/** A task's merge with the tip, or with the one before it in a group. */
type Member = { waiter: Waiter; link: RuledLink };

/** What was found red, by tree and commands: where half of a group is green and lands, the other half upon it is the tree that was red. */
type Reds = Map<string, Red>;
type Red = Extract<Verdict, { kind: "red" }>;

/** Integrates one after the other what needs no check, and the first that needs one in a group with those behind it; who is left over waits again, beside
 *  what came meanwhile. */
async function integrateAll(engine: Engine, waiters: Waiter[]): Promise<void> {
  const looked = await lookAtTip(engine, waiters);
  if (looked === "interrupted") return again(engine, waiters);
  let left = looked.length < 2 ? looked : await inMergeOrder(engine, looked);
  for (;;) {
    left = stillWanted(left);
    const [first, ...others] = left;
    if (first === undefined) return;
    if ((await tryAlone(engine, first)) === "done") left = others;
    else break;
  }
  const most = engine.config.run.merge_group;
  if (left.length < most) left = await withMore(engine, left);
  const group = left.slice(0, most);
  again(engine, left.slice(most));
  try {
    await integrateGroup(engine, group, new Map());
  } catch (error) {
    if (isFullDisk(engine, error)) throw error;
    await oneByOne(engine, group, error);
  }
}

/** The same waiters with those that come within a moment, in their order. */
async function withMore(engine: Engine, waiters: Waiter[]): Promise<Waiter[]> {
  const run = waiters[0]!.carried.run.id;
  await awaitMore(engine, run, waiters);
  const more = takeMore(engine, run);
  try {
    return more.length === 0 ? waiters : await inMergeOrder(engine, [...waiters, ...more]);
  } catch (error) {
    for (const waiter of more) waiter.fail(error);
    throw error;
  }
}

/** Merges one with the tip; it is done, however that ends, unless the merge has to be checked. */
async function tryAlone(engine: Engine, waiter: Waiter): Promise<"done" | "to-be-checked"> {
  try {
    const tip = await runTip(engine, waiter.carried.run);
    const member = await mergeFirst(engine, waiter, tip);
    if (member !== null && needsCheck(member)) return "to-be-checked";
    if (member !== null) await land(engine, [member], tip, member.link.commit);
  } catch (error) {
    waiter.fail(error);
  }
  return "done";
}

/** Something went wrong in a group: whose fault it was is told by trying each alone. What was about to advance goes on as after a crash. */
async function oneByOne(engine: Engine, group: readonly Waiter[], error: unknown): Promise<void> {
  const isAdvancing = ({ carried: { attempt } }: Waiter) => readAttempt(engine.store, attempt.id)?.phase === "advance";
  for (const waiter of group) {
    if (!waiter.isInHand) continue;
    if (group.length === 1 || isAdvancing(waiter)) waiter.fail(error);
    else await integrateGroup(engine, [waiter], new Map()).catch((own: unknown) => waiter.fail(own));
  }
}

function again(engine: Engine, waiters: readonly Waiter[]): void {
  const [first] = waiters;
  if (first) waitAgain(engine, first.carried.run.id, waiters, (turn) => integrateAll(engine, turn));
}

function stillWanted(waiters: readonly Waiter[]): Waiter[] {
  for (const waiter of waiters) if (waiter.isStopped) waiter.giveWay();
  return waiters.filter((waiter) => waiter.isInHand);
}

/** Null where that settles it: it conflicts with what is there, or has nothing in common with it. */
async function mergeFirst(engine: Engine, waiter: Waiter, tip: string): Promise<Member | null> {
  const { run, attempt } = waiter.carried;
  const link = await mergeAt(engine, waiter, tip);
  if (link === "interrupted") {
    again(engine, [waiter]);
    return null;
  }
  if ("commit" in link) return { waiter, link };
  if ("misbehaved" in link) {
    heldByRule(engine, waiter.carried, link);
    waiter.settle("on");
    return null;
  }
  if ("files" in link) {
    waiter.settle(await metConflict(engine, waiter.carried, link, tip));
    return null;
  } else {
    const reason = `${attempt.branch} shares no history with ${run.branch}`;
    finish(engine, waiter.carried, { kind: "failed", reason });
  }
  waiter.settle("on");
  return null;
}

/** Once with the same commit: who is tried alone is merged again in a group, and so is each half of one. */
async function mergeAt(engine: Engine, waiter: Waiter, at: string) {
  const link = waiter.merges.get(at) ?? (await untilHalted(engine, waiter, () => makeMerge(engine, waiter, at)));
  if (link !== "interrupted" && "commit" in link) waiter.merges.set(at, link);
  return link;
}

/** Ends what git runs for a merge when its task is told to stop. */
async function untilHalted<T>(engine: Engine, waiter: Waiter, merge: () => Promise<T>): Promise<T | "interrupted"> {
  waiter.halt = () => endPrograms(engine.repo.patience);
  try {
    return await notingSlowGit(engine, waiter.carried, merge);
  } catch (error) {
    if (error instanceof OwtError && error.code === "interrupted") return "interrupted";
    throw error;
  } finally {
    waiter.halt = null;
  }
}

/** A conflict for whose files there are rules is none. */
async function makeMerge(engine: Engine, { carried }: Waiter, at: string) {
  const { attempt } = carried;
  const message = mergeMessage(carried);
  const branch = { head: attempt.head!, worktree: attempt.worktree, message };
  const link = await mergeOnto(engine.repo, at, branch, await engine.identity());
  if (!("files" in link)) return link;
  const settled = await settleByRule(engine, carried, { at, files: link.files, message });
  if (settled === null || settled === "interrupted" || "commit" in settled || "misbehaved" in settled)
    return settled ?? link;
  return { ...link, failed: settled };
}

/** A person finds the merge started, with both sides in the files. */
async function metConflict(
  engine: Engine,
  carried: Carried,
  { files, failed }: { files: string[]; failed?: FailedRule },
  tip: string,
): Promise<StepResult> {
  if (waitForResolver(engine, carried, files)) return "leave";
  const overtaken = await isOvertaken(engine, carried);
  if (isForPerson(carried, "conflict", overtaken)) await mergeHere(engine, carried, tip);
  conflicted(engine, carried, { files, theirs: tip, ours: carried.attempt.head!, failed, overtaken });
  return "on";
}

/** The tree that a task's own checks found green is not checked again. */
function needsCheck({ waiter: { carried }, link }: Member): boolean {
  return verifyCommands(carried.run, carried.task).length > 0 && link.tree !== carried.attempt.verifiedTree;
}

/** Merges these one upon the other, checks the last, and lands them all; where that is red, each half of them. */
async function integrateGroup(engine: Engine, waiters: readonly Waiter[], reds: Reds): Promise<void> {
  const wanted = stillWanted(waiters);
  if (wanted.length === 0) return;
  const { run } = wanted[0]!.carried;
  const tip = await runTip(engine, run);
  const members = await mergeUp(engine, wanted, tip);
  if (members.length === 0) return;
  const group = members.map(({ waiter }) => waiter);
  const last = members.at(-1)!.link;
  const commands = [...new Set(group.flatMap(({ carried: { task } }) => verifyCommands(run, task)))];
  const message = groupMessage(run, group, commands);
  const candidate = await closeChain(engine.repo, tip, last.commit, { message, identity: await engine.identity() });
  const tree = JSON.stringify([last.tree, commands]);
  const known = reds.get(tree);
  const knownRed = await findKnownRed(engine, tip, commands);
  const verdict = known ?? (await verifyMerged(engine, group, { candidate, commands, knownRed }));
  switch (verdict.kind) {
    case "interrupted":
      again(engine, group);
      return;
    case "green":
      await land(engine, members, tip, candidate);
      return;
    case "red":
      engine.redMerges.add(candidate);
      reds.set(tree, verdict);
      await blame(engine, group, verdict, { tip, reds, isKnown: known !== undefined });
      return;
    case "strayed":
      for (const waiter of group) {
        heldByCheck(engine, waiter.carried, verdict, "the run's own worktree");
        waiter.settle("on");
      }
      return;
    default: {
      const never: never = verdict;
      return never;
    }
  }
}

/** Those that can be merged upon each other. Who conflicts with the tip is settled; who conflicts with one of the others waits again, to be tried upon what
 *  has landed then. */
async function mergeUp(engine: Engine, waiters: readonly Waiter[], tip: string): Promise<Member[]> {
  const members: Member[] = [];
  const later: Waiter[] = [];
  for (const waiter of waiters) {
    const before = members.at(-1);
    if (before === undefined) {
      const first = await mergeFirst(engine, waiter, tip);
      if (first !== null) members.push(first);
      continue;
    }
    const link = await mergeAt(engine, waiter, before.link.commit);
    if (link !== "interrupted" && "commit" in link) members.push({ waiter, link });
    else later.push(waiter);
  }
  again(engine, later);
  return members;
}

/** Of one that is found by leaving the others out no check of its own tells. */
function noteAtFault(engine: Engine, { carried }: Waiter, { command }: { command: string }): void {
  const { run, task, attempt } = carried;
  const text = `it is with its work that ${command} fails: without it the others pass`;
  appendEvent(engine.store, engine.now(), { run: run.id, task: task.id, attempt: attempt.id }, { kind: "note", text });
}

/** Whose fault it is that merged work is red: that of whoever made the branch red, else of one of the group. */
async function blame(
  engine: Engine,
  group: readonly Waiter[],
  red: Red,
  { tip, reds, isKnown }: { tip: string; reds: Reds; isKnown: boolean },
): Promise<void> {
  const isOfTip = await isTipRed(engine, group, { tip, command: red.command });
  if (isOfTip === "interrupted") {
    again(engine, group);
  } else if (!isOfTip) {
    if (isKnown && group.length === 1) noteAtFault(engine, group[0]!, red);
    await sift(engine, group, red, tip, reds);
  } else if (group.length === 1) {
    await waitForTip(engine, group[0]!.carried, tip, red);
    group[0]!.settle("leave");
  } else {
    // One of them may be what mends it.
    for (const waiter of group) await integrateGroup(engine, [waiter], reds);
  }
}

/** Red work of one task goes back to it; of several, each half is tried. */
async function sift(engine: Engine, group: readonly Waiter[], red: Red, tip: string, reds: Reds): Promise<void> {
  if (group.length === 1) {
    const { carried } = group[0]!;
    const overtaken = await isRedOvertaken(engine, carried, tip);
    if (isForPerson(carried, "red", overtaken)) await mergeHere(engine, carried, tip);
    const others = await cameIn(engine, carried, tip);
    verifyFailed(engine, carried, red, { onto: tip, others, overtaken });
    group[0]!.settle("on");
    return;
  }
  const half = Math.ceil(group.length / 2);
  await integrateGroup(engine, group.slice(0, half), reds);
  await integrateGroup(engine, group.slice(half), reds);
}

/** The tasks whose work the run's branch has and that of this one has not, in the order in which they came in; where it is nobody's, what was committed there. */
async function cameIn({ repo }: Engine, { attempt }: Carried, tip: string): Promise<string[]> {
  const tasks = (await readIntegrations(repo, attempt.head!, tip)).map(({ task }) => task);
  if (tasks.length > 0) return tasks;
  const commits = await commitsBetween(repo, attempt.head!, tip);
  return commits.map(({ oid, subject }) => `${oid.slice(0, 10)} (${subject})`).reverse();
}

/** The intent first: from now on whoever comes next leads it to its end. */
async function land(engine: Engine, members: readonly Member[], tip: string, candidate: string): Promise<void> {
  engine.store.transaction(() => {
    for (const { waiter, link } of members) {
      const { run, task, attempt } = waiter.carried;
      moveOn(engine, waiter.carried, "advance", { candidate });
      if (link.settled === undefined) continue;
      const about = { run: run.id, task: task.id, attempt: attempt.id };
      const fact = { kind: "conflicts-settled", commit: candidate, files: link.settled } as const;
      appendEvent(engine.store, engine.now(), about, fact);
    }
  });
  const advancing = members.map(({ waiter: { carried } }) => ({
    ...carried,
    attempt: { ...carried.attempt, phase: "advance" as const, candidate },
  }));
  await advance(engine, advancing, tip, candidate);
  for (const { waiter } of members) waiter.settle("on");
}

/** A command of the configuration did what it may not: that is not the task's doing. It is merged again once somebody has mended the command. */
function heldByRule(engine: Engine, carried: Carried, misbehaved: Misbehaved): void {
  const { command } = misbehaved;
  const reason = describeMisbehaved(misbehaved);
  if (!endAttempt(engine.store, engine.now(), carried.attempt, { kind: "failed", reason, waits: true })) return;
  waitBehind(engine, carried, {
    park: { for: "git", reason, regenerate: command },
    next: { kind: "by-hand", from: carried.attempt.id },
  });
}

function mergeMessage({ run, task, attempt }: Carried): string {
  const verified = verifyCommands(run, task).length > 0;
  return `${oneLine(task.spec.title)}\n\nOwt-Task: ${task.key}\nOwt-Run: ${run.id}\nOwt-Attempt: ${attempt.id}\nOwt-Verified: ${yesOrNo(verified)}\n`;
}

/** Of the merge around those of several tasks, which have the trailers of theirs. */
function groupMessage(run: Run, group: readonly Waiter[], commands: readonly string[]): string {
  const titles = group.map(({ carried: { task } }) => `- ${task.key}: ${oneLine(task.spec.title)}`);
  return `Bring in ${group.length} tasks that were checked together\n\n${titles.join("\n")}\n\nOwt-Run: ${run.id}\nOwt-Group: ${group.length}\nOwt-Verified: ${yesOrNo(commands.length > 0)}\n`;
}

function yesOrNo(is: boolean): string {
  return is ? "yes" : "no";
}
