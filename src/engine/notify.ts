/** Tells people what the outbox holds: on the desktop, in Slack, in Discord, to webhooks. Nothing waits for it, and nothing fails by it. */
import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import {
  bodyFor,
  describeUnset,
  type Moment,
  NEWS_MS,
  type Notice,
  pauseAfter,
  type Target,
  targetsFrom,
  titleOf,
  variableIn,
  wants,
  withoutSecret,
} from "../core/notification.ts";
import { isBranchAmiss } from "../core/held-merges.ts";
import { redact, secretsIn } from "../core/redact.ts";
import { contestsIn, isUndecided, planKeyOf } from "../core/rival.ts";
import { startCommand } from "../core/firing.ts";
import type { Run } from "../core/run.ts";
import { FINAL_STATES, type Task } from "../core/task.ts";
import { appendEvent, hasNote, TO_BE_TOLD } from "../store/events.ts";
import {
  claimOutgoing,
  forgetOutbox,
  noteReached,
  type Outgoing,
  readOutbox,
  settleOutgoing,
  tryLater,
} from "../store/outbox.ts";
import { readAstray } from "../store/astray.ts";
import { readHeldMerges } from "../store/resolving.ts";
import { readRun, readRuns } from "../store/runs.ts";
import { readTask, readTasks } from "../store/tasks.ts";
import { renderProblem } from "../system/config-files.ts";
import { canShow, showOnDesktop } from "../system/desktop.ts";
import { readTextIfThere } from "../system/files.ts";
import { isAlive, thisProcess } from "../system/identity.ts";
import { postJson } from "../system/post.ts";
import { answerFor } from "./answer.ts";
import { mayTell } from "./approvals.ts";
import { unsetAddresses } from "./configuration.ts";
import { describeUsedUp, readNearLevels } from "./budget.ts";
import { readRoomWait } from "./disk-users.ts";
import type { Engine } from "./engine.ts";
import { knownShortage } from "./room.ts";

/** How long one try may take. */
const TRY_MS = 10_000;

/** How long a process that is done waits for what it is just sending; what it does not get rid of the next one sends. */
const LAST_MS = 2_000;

const CUT_OFF = "no answer when the run ended; whoever carries runs next tries again";

/** For how long it is on record what was told. */
const KEPT_MS = 30 * 24 * 3_600_000;

/** How often it is looked for what another process put there, and what is to be tried again. */
const LOOK_MS = 1_000;

/** Sends what comes, from now on. The function that it gives ends that: what is there still goes out, for a few seconds at most. */
export function keepNotifying(engine: Engine): () => Promise<void> {
  const cut = new AbortController();
  const sending = new Map<number, Promise<void>>();
  const look = () => startDue(engine, cut.signal, sending);
  const timer = setInterval(look, LOOK_MS);
  const stop = engine.store.onAppend((kinds) => {
    if (kinds.has(TO_BE_TOLD)) look();
  });
  whereItCan(() => forgetOutbox(engine.store, engine.now() - KEPT_MS));
  whereItCan(() => noteUnset(engine));
  look();
  return async () => {
    clearInterval(timer);
    stop();
    look();
    const hurried = () => cut.abort();
    const limit = setTimeout(hurried, LAST_MS);
    engine.hurry.addEventListener("abort", hurried, { once: true });
    if (engine.hurry.aborted) hurried();
    await Promise.all(sending.values());
    clearTimeout(limit);
    engine.hurry.removeEventListener("abort", hurried);
  };
}

/** Who is to be told by an address that is not there is told of nothing: that is said before there is something to tell, once in each open run. */
function noteUnset(engine: Engine): void {
  const unset = unsetAddresses(engine.layers, engine.env, mayTell(engine));
  for (const remark of unset)
    for (const { id } of readRuns(engine.store, "open")) {
      const text = `notifications do not get through: ${renderProblem(remark)}`;
      if (!hasNote(engine.store, id, text))
        appendEvent(engine.store, engine.now(), { run: id }, { kind: "note", text });
    }
}

/** Does what can be done another time: what cannot be written now holds nothing up. */
function whereItCan(write: () => void): void {
  try {
    write();
  } catch {
    // A full disk is told by whoever has something to write.
  }
}

/** Sends what is in the outbox and due, once; each try takes `tryMs` at most. */
export async function sendOutbox(engine: Engine, cut: AbortSignal, tryMs = TRY_MS): Promise<void> {
  const sending = new Map<number, Promise<void>>();
  startDue(engine, cut, sending, tryMs);
  await Promise.all(sending.values());
}

/** Begins to send what is due and not being sent: who is slow to take one thing keeps nothing else waiting. */
function startDue(engine: Engine, cut: AbortSignal, sending: Map<number, Promise<void>>, tryMs = TRY_MS): void {
  try {
    const now = engine.now();
    const isDue = ({ id, notBefore, owner }: Outgoing) =>
      // A time that far ahead was set by a clock that was set back since.
      !sending.has(id) && (notBefore === null || notBefore <= now || notBefore > now + NEWS_MS) && !isOthers(owner);
    const due = readOutbox(engine.store).filter(isDue);
    if (due.length === 0) return;
    const targets = targetsOf(engine).filter((target) => target.kind !== "desktop" || isAnyoneThere(engine));
    for (const outgoing of due) {
      const sent = send(engine, outgoing, targets, { cut, tryMs })
        // A store that cannot be written is told by whoever works with it; what is in it still waits there.
        .catch(() => {})
        .finally(() => sending.delete(outgoing.id));
      sending.set(outgoing.id, sent);
    }
  } catch {
    // As above.
  }
}

function isAnyoneThere(engine: Engine): boolean {
  return engine.bell !== null || canShow(engine.env);
}

function isOthers(owner: Outgoing["owner"]): boolean {
  return owner !== null && owner.pid !== process.pid && isAlive(owner);
}

/** Everybody who is to be told, as far as the user lets owt tell them. */
function targetsOf(engine: Engine): Target[] {
  return targetsFrom(engine.config, engine.layers, mayTell(engine));
}

/** How long one try may take, and what ends it before. */
type Patience = { cut: AbortSignal; tryMs: number };

async function send(engine: Engine, outgoing: Outgoing, targets: readonly Target[], patience: Patience): Promise<void> {
  const { store } = engine;
  const wanted = targets.filter((target) => wants(target, outgoing.moment.name));
  if (wanted.length === 0) return settleOutgoing(store, outgoing.id, "sent");
  if (engine.now() - outgoing.at > NEWS_MS || isOver(engine, outgoing))
    return settleOutgoing(store, outgoing.id, "old");
  if (!claimOutgoing(store, outgoing, thisProcess())) return;
  const notice = noticeOf(engine, outgoing);
  const left = wanted.filter(({ name }) => !outgoing.reached.includes(name));
  const told = await Promise.all(
    left.map(async (target) => {
      const came = await tellTarget(engine, target, notice, patience);
      if (came.kind !== "failed") noteReached(store, outgoing.id, target.name);
      return { target, came };
    }),
  );
  for (const { target, came } of told) {
    const trouble = troubleOf(came);
    if (trouble !== null) noteFailure(engine, outgoing.run, target, trouble);
  }
  const failed = told.flatMap(({ target, came }) => (came.kind === "failed" ? [{ target, came }] : []));
  if (failed.length === 0) return settleOutgoing(store, outgoing.id, "sent");
  if (patience.cut.aborted) {
    for (const { target, came } of failed)
      if (came.hasAnswered !== true) noteFailure(engine, outgoing.run, target, CUT_OFF);
    return tryLater(store, outgoing.id, outgoing.tries, engine.now());
  }
  for (const { target, came } of failed) noteFailure(engine, outgoing.run, target, came.reason);
  const tries = outgoing.tries + 1;
  const pause = pauseAfter(tries, Math.max(0, ...failed.map(({ came }) => came.retryAfterMs ?? 0)));
  if (pause === null) settleOutgoing(store, outgoing.id, "given-up");
  else tryLater(store, outgoing.id, tries, engine.now() + pause);
}

/** Whether a task that waited has been answered since. */
function isOver(engine: Engine, { run, task: id, moment }: Outgoing): boolean {
  const task = id === null ? null : readTask(engine.store, id);
  if (moment.name === "waiting" && moment.for === "room") return knownShortage(engine) === null;
  if (moment.name === "waiting" && moment.for === "outage") return run === null || !isHeldByOutage(engine, run);
  if (moment.name === "waiting" && moment.for === "branch")
    return run === null || !isBranchAmiss(readHeldMerges(engine.store, run));
  if (moment.name !== "waiting" || task === null) return false;
  if (moment.for === "review") return task.state !== "review" || task.approved;
  if (moment.for === "failed") return task.state !== "failed" || hasRivalsLeft(engine, task);
  return task.state !== "pending" || task.park?.for !== moment.for;
}

/** Whether somebody else may still do the task of a rival that failed. */
function hasRivalsLeft(engine: Engine, task: Task): boolean {
  if (!isUndecided(task)) return false;
  const rivals = contestsIn(readTasks(engine.store, task.run)).get(planKeyOf(task)) ?? [];
  return rivals.some(({ state }) => !FINAL_STATES.has(state));
}

/** Said once in a run for each that cannot be reached; where it leads, and never the rest of its address. */
function noteFailure(engine: Engine, run: string | null, target: Target, reason: string): void {
  const where = target.kind === "desktop" ? "" : ` (${withoutSecret(target.address)})`;
  const text = `notifications do not get through to ${target.name}${where}: ${reason}; try it: owt notify`;
  if (run === null || hasNote(engine.store, run, text)) return;
  appendEvent(engine.store, engine.now(), { run }, { kind: "note", text });
}

/** What came of telling one: `none` where nothing here shows it, which is no failure. */
export type Told =
  /** `instead`: why it was not the desktop that showed it, but the terminal. */
  | { kind: "sent"; instead?: string }
  /** `isFault`: something is there, and did not take it. */
  | { kind: "none"; reason: string; isFault?: boolean }
  | { kind: "failed"; reason: string; retryAfterMs: number | null; hasAnswered?: true };

/** Tells one target of one thing, in one try. */
async function tellTarget(engine: Engine, target: Target, notice: Notice, { cut, tryMs }: Patience): Promise<Told> {
  const clean = redacted(notice, secretsIn(engine.env));
  if (target.kind === "desktop") return tellDesktop(engine, clean, cut);
  const url = resolveAddress(engine, target.address);
  if (url === null) return { kind: "failed", reason: whyNone(engine, target.address), retryAfterMs: null };
  const posted = await postJson(url, bodyFor(target.kind, clean), { timeoutMs: tryMs, signal: cut });
  if (posted.kind === "sent") return posted;
  if (posted.kind === "failed") return { ...posted, retryAfterMs: null };
  const { status, retryAfterMs } = posted;
  return { kind: "failed", reason: `HTTP ${status}`, retryAfterMs, hasAnswered: true };
}

function whyNone({ env }: Engine, address: string): string {
  const name = variableIn(address);
  return name !== null && !env[name] ? describeUnset(name) : "its address is not there, or is none";
}

async function tellDesktop(engine: Engine, { project, title, command }: Notice, cut: AbortSignal): Promise<Told> {
  const text = command === null ? title : `${title}\n${command}`;
  const shown = await showOnDesktop(engine.env, `owt: ${project}`, text, cut);
  if (shown.kind === "shown") return { kind: "sent" };
  const isFault = shown.kind === "failed";
  if (engine.bell !== null) {
    engine.bell();
    return { kind: "sent", ...(isFault ? { instead: shown.reason } : {}) };
  }
  return { kind: "none", reason: isFault ? shown.reason : "no desktop, and no terminal, is here", isFault };
}

/** What a person would have to mend, though nothing is tried again for it. */
function troubleOf(came: Told): string | null {
  if (came.kind === "sent") return came.instead ?? null;
  return came.kind === "none" && came.isFault === true ? came.reason : null;
}

function redacted(notice: Notice, secrets: readonly string[]): Notice {
  const { title, command } = notice;
  return { ...notice, title: redact(title, secrets), command: command === null ? null : redact(command, secrets) };
}

/** The address itself; null where the variable or the file that is to hold it does not. */
function resolveAddress(engine: Engine, address: string): string | null {
  const url = readAddress(engine, address);
  return url !== undefined && url !== null && URL.canParse(url) && /^https?:/.test(url) ? url : null;
}

function readAddress(engine: Engine, address: string): string | null | undefined {
  const variable = variableIn(address);
  if (variable !== null) return engine.env[variable];
  if (!address.startsWith("file:")) return address;
  try {
    return readTextIfThere(fileOf(engine, address.slice("file:".length)))
      ?.split("\n", 1)[0]
      ?.trim();
  } catch {
    return null;
  }
}

function fileOf(engine: Engine, path: string): string {
  return path.startsWith("~/") ? join(engine.env["HOME"] ?? homedir(), path.slice(2)) : path;
}

/** What is to be said of it, as things stand now. */
function noticeOf(engine: Engine, { id, at, run: runId, task: taskId, moment }: Outgoing): Notice {
  const task = taskId === null ? null : readTask(engine.store, taskId);
  const run = runId === null ? null : readRun(engine.store, runId);
  const title = titleOf(moment, runId, task && { key: task.key, title: task.spec.title });
  return {
    id: `${projectId(engine)}-${id}`,
    event: moment.name,
    at: new Date(at).toISOString(),
    project: basename(engine.repo.root),
    run: runId,
    task: task?.key ?? null,
    batch: moment.name === "batch-ended" ? moment.batch : null,
    title,
    command: commandFor(engine, moment, task, run),
  };
}

/** What a person can do about it now. */
function commandFor(engine: Engine, moment: Moment, task: Task | null, run: Run | null): string | null {
  if (moment.name === "waiting" && moment.for === "room") return readRoomWait(engine)?.command ?? "owt inbox";
  if (moment.name === "waiting" && moment.for === "outage") {
    return run && isHeldByOutage(engine, run.id) ? `owt resume ${run.id}` : null;
  }
  if (moment.name === "waiting" && moment.for === "branch")
    return run && (readAstray(engine.store, run.id)?.command ?? `owt resume ${run.id}`);
  if (moment.name === "waiting") return task === null ? null : answerFor(engine, task).command;
  if (moment.name === "budget") return run?.state === "open" ? raiseNow(engine, run) : null;
  if (moment.name === "batch-ended") return moment.state === "refused" ? startCommand(moment.batch) : null;
  return moment.counts.done > 0 && run?.landedAt === null ? `owt land ${run.id}` : null;
}

/** Whether a task waits for an API that cannot be reached. */
function isHeldByOutage({ store }: Engine, run: string): boolean {
  const isHeld = ({ state, park }: Task) => state === "pending" && park?.for === "limit" && park.outage !== undefined;
  return readTasks(store, run).some(isHeld);
}

function raiseNow(engine: Engine, run: Run): string {
  return describeUsedUp(engine, run)?.command ?? readNearLevels(engine, run)[0]?.command ?? "owt inbox";
}

/** Other repositories may have a folder of the same name. */
function projectId(engine: Engine): string {
  return createHash("sha256").update(engine.repo.commonDir).digest("hex").slice(0, 12);
}

/** Tells everybody that it gets through, and says of each what came of it. */
export function notifyAll(engine: Engine, cut: AbortSignal): Promise<{ target: Target; came: Told }[]> {
  const notice: Notice = {
    id: `${projectId(engine)}-test-${engine.now()}`,
    event: "test",
    at: new Date(engine.now()).toISOString(),
    project: basename(engine.repo.root),
    run: null,
    task: null,
    batch: null,
    title: "notifications get through",
    command: null,
  };
  return Promise.all(
    targetsOf(engine).map(async (target) => ({
      target,
      came: await tellTarget(engine, target, notice, { cut, tryMs: TRY_MS }),
    })),
  );
}
