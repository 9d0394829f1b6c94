/** The phases in which the agent has the word: its prompt is written, it is launched or adopted, and its end awaited. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Turn } from "../agents/agent.ts";
import type { StopCause } from "../core/attempt.ts";
import { hasLimit, hasLimitOf } from "../core/budget-limits.ts";
import { mayHoldOtherText, renderAside } from "../core/conversation.ts";
import { OwtError } from "../core/errors.ts";
import type { LimitHold } from "../core/limit.ts";
import { oneLine } from "../core/names.ts";
import { renderFollowUp, renderTaskPrompt } from "../core/prompt.ts";
import { type Task, turnOf } from "../core/task.ts";
import { whyDied } from "../core/why-died.ts";
import { agentGitEnv } from "../git/git.ts";
import { changedLinks } from "../git/submodules.ts";
import { quotedName } from "../lib/printable.ts";
import { parseDuration } from "../lib/duration.ts";
import { readTail } from "../lib/tail.ts";
import { readAttempts, setUsage } from "../store/attempts.ts";
import { appendEvent } from "../store/events.ts";
import { readTasks } from "../store/tasks.ts";
import { writeFileAtomically } from "../system/files.ts";
import { launch, type Launched, type LaunchMode, readLaunch, waitForEnd } from "../system/launch.ts";
import { type Carried, finish, moveOn, requestStop, type StepResult } from "./attempt-moves.ts";
import { noteBegun, workedFor } from "./begun.ts";
import { enforceBudget, outcomeOfReached, readLeft, warnOfDoubts } from "./budget.ts";
import { capAgent } from "./caps.ts";
import { stopSoon } from "./check.ts";
import { isThere } from "./conversations.ts";
import { attemptDir, type Engine, environmentOf, findAgent } from "./engine.ts";
import { excuse } from "./full-disk.ts";
import { isProbe, passLimit } from "./governor.ts";
import { Meter, METER_MS } from "./meter.ts";
import { hear } from "./outage.ts";
import { measurePeak } from "./peak.ts";
import { heldAtLast } from "./probe.ts";
import { loadPrompts, promptContext } from "./prompts.ts";
import { untoldAside } from "./reboot.ts";
import { makeRoom, makeRoomForNotes } from "./transcript.ts";
import { choicesFor } from "./view.ts";
import { verifyCommands } from "./verify.ts";
import { noteHang, Watchdog } from "./watchdog.ts";
import { leaseEnvironment } from "./worktree-lease.ts";

/** Children of this process, so that their end is seen at once; others are watched for. */
const ownChildren = new Map<number, Launched>();

/** Launches the agent, unless it already claimed this attempt. Two launches of one attempt cannot both win: the claim is exclusive. */
export async function launchStep(engine: Engine, carried: Carried): Promise<StepResult> {
  const { run, task, attempt } = carried;
  const mode = await engine.launchMode();
  const dir = attemptDir(engine, attempt.id);
  const adopted = readLaunch(dir).kind !== "unclaimed";
  const submodules = adopted ? [] : await describeModules(engine, task.next);
  // From here to the launch nothing is waited for.
  if (!adopted && isHeldBack(engine, carried)) return "on";
  warnOfDoubts(engine, carried);
  const turn = adopted ? null : composeOr(engine, carried, submodules);
  if (turn && "failed" in turn) {
    finish(engine, carried, { kind: "failed", reason: turn.failed });
    return "on";
  }
  const launched = turn ? launchAgent(engine, carried, dir, turn, mode) : null;
  if (launched) ownChildren.set(attempt.id, launched);
  engine.store.transaction(() => {
    // The text cannot change while the task runs, so that of an adopted agent is the same.
    moveOn(engine, carried, "agent", { given: task.hash });
    const about = { run: run.id, task: task.id, attempt: attempt.id };
    appendEvent(engine.store, engine.now(), about, { kind: "agent-started", adopted });
  });
  return "on";
}

/** Ends an attempt whose agent may not be started any more: while its place was made ready, others used up the budget, or met a usage limit. */
function isHeldBack(engine: Engine, carried: Carried): boolean {
  const usedUp = outcomeOfReached(engine, carried);
  const limit = usedUp === null ? heldAtLast(engine, carried.attempt, carried.task) : null;
  if (usedUp !== null) finish(engine, carried, usedUp);
  else if (limit !== null) finish(engine, carried, { kind: "stopped", before: `${describeMet(limit)} meanwhile` });
  return usedUp !== null || limit !== null;
}

function describeMet({ agent, outage }: LimitHold): string {
  return outage === undefined ? `${agent} met a usage limit` : `the API of ${agent} could not be reached (${outage})`;
}

/** The turn; or why a template makes no prompt of what only came up on the way, such as the files of a conflict. */
function composeOr(engine: Engine, carried: Carried, submodules: readonly string[]): Turn | { failed: string } {
  try {
    return composeTurn(engine, carried, submodules);
  } catch (error) {
    if (error instanceof OwtError && error.code === "config") return { failed: error.message };
    throw error;
  }
}

function launchAgent(engine: Engine, carried: Carried, dir: string, turn: Turn, mode: LaunchMode): Launched {
  const { run, task, attempt } = carried;
  const agent = findAgent(engine, attempt.agent);
  const invocation = agent.invoke(turn);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  writeFileAtomically(join(dir, "prompt"), invocation.stdin);
  makeRoomForNotes(engine, attempt.id);
  noteBegun(engine, carried);
  const [file = "", ...args] = capAgent(engine, carried, mode, [invocation.file, ...invocation.args]);
  return launch({
    dir,
    file,
    args,
    cwd: attempt.worktree,
    env: {
      ...environmentOf(engine, agent),
      ...agentGitEnv(),
      ...leaseEnvironment(engine, attempt.worktree),
      ...invocation.env,
      OWT_RUN: run.id,
      OWT_TASK: task.key,
    },
    stdinFile: join(dir, "prompt"),
    outFile: join(dir, "out"),
    errFile: join(dir, "err"),
    mode,
  });
}

function composeTurn(engine: Engine, { run, task, attempt }: Carried, submodules: readonly string[]): Turn {
  const verify = verifyCommands(run, task);
  const choices = choicesFor(engine, run, task, attempt.agent);
  const prompts = loadPrompts(engine);
  const { next } = task;
  const met = next.kind === "fresh" ? next.met : undefined;
  const meanwhile = cameInSince(engine, task);
  const context = { ...promptContext(task.spec, verify, attempt.branch, task.answers), meanwhile, met, submodules };
  const resume = next.kind !== "fresh" && isThere(engine, attempt);
  const isFresh = next.kind === "fresh" || next.kind === "by-hand";
  const isStale = mayHoldOtherText(readAttempts(engine.store, task.id), attempt.continues, task.hash);
  const cut = isFresh ? null : untoldAside(engine, attempt);
  const told = cut === null ? "" : `\n${renderAside(cut)}`;
  return {
    prompt: isFresh
      ? renderTaskPrompt(prompts, context)
      : renderFollowUp(prompts, next, context, { remembers: resume, isStale }) + told,
    session: attempt.session,
    resume,
    model: attempt.model,
    maxTokens: choices.maxTokens ?? null,
    permissionMode: choices.permissionMode ?? null,
    budgetUsd: readLeft(engine, { run, task, attempt }),
    allowedTools: allowedTools(choices.allowedTools ?? [], verify),
    extraArgs: choices.extraArgs ?? [],
  };
}

/** Where each side of a conflict points in the submodules among its files. */
async function describeModules({ repo }: Engine, next: Task["next"]): Promise<string[]> {
  if (next.kind !== "conflict") return [];
  const links = (await changedLinks(repo, next.ours, next.theirs)).filter(({ path }) => next.files.includes(path));
  return links.map(
    ({ path, before, commit }) => `${quotedName(path)} (this side ${before ?? "has none"}, the other side ${commit})`,
  );
}

/** The tasks whose work this one may have to be brought together with. */
function cameInSince({ store }: Engine, { run, startedAt, conflicts, next }: Task): string[] {
  const { kind } = turnOf(next);
  const isAsked = conflicts > 0 || kind === "conflict" || kind === "repair";
  if (!isAsked || startedAt === null) return [];
  return readTasks(store, run)
    .filter(({ state, endedAt }) => state === "done" && endedAt !== null && endedAt >= startedAt)
    .map(({ key, spec }) => `${key} (${oneLine(spec.title)})`);
}

/** What an unattended agent must be able to do: commit, look at its repository, and run what its work is checked with. */
function allowedTools(configured: string[], verify: string[]): string[] {
  // No `log`, `diff` or `show`: with --output they write anywhere. What reads with them, Claude allows by itself.
  const git = ["add", "commit", "status"].map((verb) => `Bash(git ${verb}:*)`);
  return [...new Set([...configured, ...git, ...verify.map((command) => `Bash(${command})`)])];
}

/** Waits for the agent's end: its own, the timeout's, or a person's. */
export async function agentStep(engine: Engine, carried: Carried): Promise<StepResult> {
  const { run, attempt } = carried;
  const dir = attemptDir(engine, attempt.id);
  const launched = ownChildren.get(attempt.id);
  if (!launched && readLaunch(dir).kind === "unclaimed") {
    // Whoever launched it died before the claim. Another launch in the same folder is safe: only one of the two can claim.
    moveOn(engine, carried, "launch");
    return "on";
  }
  let stopping: Promise<void> | null = null;
  /** False where another cause came first: that one stands. */
  const stop = (cause: StopCause): boolean => {
    if (stopping) return false;
    requestStopOnce(engine, carried, cause);
    stopping = stopSoon(engine, dir).then(() => tellIfItStays(engine, carried, dir));
    return true;
  };
  engine.live.set(attempt.id, stop);
  const left = Math.min(run.options.timeoutMs, Math.max(0, run.options.timeoutMs - workedFor(engine, attempt)));
  const timer = setTimeout(() => stop("timed_out"), Math.min(left, 2 ** 31 - 1));
  if (attempt.stop) stop(attempt.stop);
  const ended = new AbortController();
  const watched = watchOutput(engine, { ...carried, isAdopted: launched === undefined }, stop, ended.signal);
  const measured = measurePeak(engine, attempt.id, dir, ended.signal);
  try {
    // What goes wrong while its output is watched is told at once; the agent lives on, for whoever comes next.
    const wait = { signal: ended.signal, ...(launched ? { launched } : {}) };
    await Promise.race([waitForEnd(dir, wait), rejection(watched)]);
    await (stopping ?? Promise.resolve());
  } finally {
    clearTimeout(timer);
    ended.abort();
    engine.live.delete(attempt.id);
    ownChildren.delete(attempt.id);
    // Only one may read and cut the output at a time, and the next phase does.
    await watched;
    await measured;
  }
  // With its folder all is gone that tells how it ended.
  if (!existsSync(dir)) return "leave";
  const workedMs = Math.round(workedFor(engine, attempt));
  await makeRoom(engine, attempt);
  if (readLaunch(dir).kind === "unclaimed") {
    const why = whyDied(readTail(join(dir, "err"), 65_536)) || "what was to start it left without a word";
    const failed = { kind: "failed", reason: `the agent could not be started: ${why}`, atOnce: true } as const;
    finish(engine, carried, excuse(engine, attempt, failed, true));
  } else {
    engine.store.transaction(() => {
      moveOn(engine, carried, "collect");
      const about = { run: run.id, task: attempt.task, attempt: attempt.id };
      appendEvent(engine.store, engine.now(), about, { kind: "agent-ended", workedMs });
    });
  }
  return "on";
}

/** How often it is seen whether an agent's time is used up, in milliseconds. */
const TIME_LOOK_MS = 500;
/** What is held up in the kernel (a disk or a network file system that does not answer) no signal ends: a person has to know. */
function tellIfItStays(engine: Engine, { run, attempt }: Carried, dir: string): void {
  const state = readLaunch(dir);
  if (state.kind !== "alive") return;
  const text = `cannot be ended: the kernel does not let go of process ${state.identity.pid} or one below it; its task waits for that`;
  const about = { run: run.id, task: attempt.task, attempt: attempt.id };
  appendEvent(engine.store, engine.now(), about, { kind: "note", text });
}

/** Reads what the agent writes as it goes on: what it used is written down, so that whoever looks sees it and a budget can hold, and an agent
 *  that has nothing more to do is told to leave. */
async function watchOutput(
  engine: Engine,
  { run, attempt, isAdopted }: Carried & { isAdopted: boolean },
  stop: (cause: StopCause) => boolean,
  ended: AbortSignal,
): Promise<void> {
  const graceMs = parseDuration(engine.config.run.result_grace) ?? 30_000;
  const meter = new Meter(engine, attempt);
  const watchdog = new Watchdog(engine, attempt);
  let triesLimit = isProbe(engine, attempt);
  let isNews = !isAdopted;
  const isTimed = hasLimitOf(run.options.budget, { unit: "ms" });
  let timedAt = performance.now();
  for (;;) {
    await sleep(hasLimit(run.options.budget) ? METER_MS.underBudget : METER_MS.usual, undefined, {
      signal: ended,
    }).catch(() => {});
    if (ended.aborted) return;
    const usage = await meter.look(ended);
    if (usage !== null) {
      setUsage(engine.store, attempt.id, usage);
      enforceBudget(engine, run.id);
    } else if (isTimed && performance.now() - timedAt >= TIME_LOOK_MS) {
      timedAt = performance.now();
      enforceBudget(engine, run.id);
    }
    if (triesLimit && meter.hasAnswered) {
      triesLimit = false;
      passLimit(engine, attempt);
    }
    const heard = meter.hear();
    // What an adopted one was told before is no news.
    if (heard !== null && (heard === "failure" || isNews)) hear(engine, attempt, heard);
    isNews = true;
    if (ended.aborted) return;
    const idle = meter.isIdle(graceMs);
    const hang = idle === null ? watchdog.look() : null;
    if (idle === null && hang === null) continue;
    if (hang !== null) noteHang(engine, attempt, hang);
    if (!stop(idle ?? "hung")) return;
    if (idle === "finished") {
      const about = { run: run.id, task: attempt.task, attempt: attempt.id };
      const text = "did not leave after its last word; it is ended";
      appendEvent(engine.store, engine.now(), about, { kind: "note", text });
    }
    if (hang !== null) watchdog.tell("ended", hang);
    return;
  }
}

/** Never resolves; rejects with it. */
function rejection(promise: Promise<unknown>): Promise<never> {
  return new Promise((_, reject) => void promise.catch(reject));
}

function requestStopOnce(engine: Engine, { attempt }: Carried, cause: StopCause): void {
  engine.live.delete(attempt.id);
  requestStop(engine, attempt, cause);
}
