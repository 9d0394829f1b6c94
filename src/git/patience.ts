/** git that runs programs of the user's own for a merge: merge drivers and filters, as the configuration of git names them. Such a program may ask, open a
 *  window, or never end. It is given its time, and is then ended with git and with all that either started. */
import { randomUUID } from "node:crypto";
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { OwtError } from "../core/errors.ts";
import { roughDuration } from "../lib/duration.ts";
import { endGroup, type ExecResult } from "../system/exec.ts";
import { argumentsOf, environmentOf, listPids } from "../system/processes.ts";
import { fieldsOf, git, type GitOptions, type Place } from "./git.ts";

/** For how long they are waited for in a repository, and by whom it can be cut short. */
export type Patience = {
  limitMs: number;
  /** Ends what is at work, and whatever would begin, once it aborts. */
  leave: AbortSignal | null;
  /** What ends each of those that are at work. */
  readonly atWork: Set<() => void>;
};

/** A driver that renders documents takes its time; one that asks never ends. */
const LIMIT_MS = 600_000;
/** A merge that is nearly through is let end. */
const GRACE_MS = 1_000;
/** What does not heed SIGTERM for so long is killed. */
const KILL_MS = 1_500;

/** The clock of files goes in steps. */
const CLOCK_MS = 20;

/** By this variable everything that such a git started is found again, also what left its process group, and by a later owt. */
export const PROGRAMS_OF = "OWT_GIT_PROGRAMS";

/** The patience of a repository that was just opened. */
export function usualPatience(): Patience {
  return { limitMs: LIMIT_MS, leave: null, atWork: new Set() };
}

/** Gives them so much time, and no more than is usual. */
export function limitPatience(patience: Patience, limitMs: number | null): void {
  patience.limitMs = Math.min(limitMs ?? LIMIT_MS, LIMIT_MS);
}

/** Ends what is at work; whoever waits for it gets `interrupted`. */
export function endPrograms({ atWork }: Patience): void {
  for (const end of atWork) end();
}

/** Runs git where it may run programs of the user's. Throws `tool-failed` where its time is up, `interrupted` where it was ended before. */
export async function gitPatiently(
  patience: Patience,
  place: Place,
  args: readonly string[],
  options: GitOptions = {},
): Promise<ExecResult> {
  if (patience.leave?.aborted) throw cutShort(args);
  const mark = `${PROGRAMS_OF}=${randomUUID()}`;
  const run = new Patient(mark);
  const began = Date.now();
  const limit = setTimeout(() => run.end("time"), patience.limitMs);
  const cut = (): void => run.endSoon();
  patience.atWork.add(cut);
  patience.leave?.addEventListener("abort", cut);
  try {
    const env = { ...options.env, [PROGRAMS_OF]: mark.slice(PROGRAMS_OF.length + 1) };
    const result = await git(place, args, { ...options, env, onStart: (pid) => run.began(pid) });
    if (run.ended === null) return result;
  } catch (error) {
    if (run.ended === null) throw error;
  } finally {
    clearTimeout(limit);
    run.over();
    patience.atWork.delete(cut);
    patience.leave?.removeEventListener("abort", cut);
  }
  removeHalfMerged(place, began);
  if (run.ended === "cut") throw cutShort(args);
  throw outOfTime(args, patience.limitMs, await nameProgram(place, run.programs));
}

/** A git that is at work, with what it started. */
class Patient {
  readonly #mark: string;
  readonly #timers: NodeJS.Timeout[] = [];
  #pid: number | null = null;
  /** Why it was ended by us. */
  ended: "time" | "cut" | null = null;
  /** The command lines of what it had started then. */
  programs: string[][] = [];

  constructor(mark: string) {
    this.#mark = mark;
  }

  began(pid: number): void {
    this.#pid = pid;
  }

  endSoon(): void {
    this.#timers.push(setTimeout(() => this.end("cut"), GRACE_MS));
  }

  end(why: "time" | "cut"): void {
    if (this.ended !== null || this.#pid === null) return;
    this.ended = why;
    this.programs = this.#others().map(argumentsOf);
    this.#signal("SIGTERM");
    this.#timers.push(setTimeout(() => this.#signal("SIGKILL"), KILL_MS));
  }

  over(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    if (this.ended !== null) this.#signal("SIGKILL");
  }

  #others(): number[] {
    return findMarked(this.#mark).filter((pid) => pid !== this.#pid);
  }

  #signal(signal: NodeJS.Signals): void {
    const others = this.#others();
    if (this.#pid === null) return;
    // git first: to one whose driver is gone that is a conflict, which it writes down.
    endProcess(this.#pid, signal);
    endGroup(this.#pid, signal);
    for (const pid of others) endProcess(pid, signal);
  }
}

/** Takes away the files that git laid out for a merge driver, and could not take away itself. */
function removeHalfMerged({ root }: Place, began: number): void {
  for (const name of readdirSync(root)) {
    if (!/^\.merge_file_[A-Za-z0-9]{6}$/.test(name)) continue;
    const path = join(root, name);
    const made = statSync(path, { throwIfNoEntry: false })?.birthtimeMs;
    if (made !== undefined && made >= began - CLOCK_MS) rmSync(path, { force: true });
  }
}

/** Without /proc there is nobody to be seen, and the process group is all that we end. */
function findMarked(mark: string): number[] {
  return listPids().filter((pid) => pid !== process.pid && environmentOf(pid).includes(mark));
}

/** Ends what such a git of an owt that is gone left behind: nobody waits for what it comes to. */
export function endLeftPrograms(pids: readonly number[]): void {
  for (const pid of pids)
    if (environmentOf(pid).some((variable) => variable.startsWith(`${PROGRAMS_OF}=`))) endProcess(pid, "SIGKILL");
}

function endProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}

const NAMED = "^(merge|filter)\\..*\\.(driver|clean|smudge|process)$";

/** What of the configuration a git was waiting for; null where that does not show. */
async function nameProgram(place: Place, running: readonly string[][]): Promise<string | null> {
  const { stdout } = await git(place, ["config", "-z", "--get-regexp", NAMED], { ok: [0, 1] });
  for (const field of fieldsOf(stdout)) {
    const end = field.indexOf("\n");
    const [key, command] = [field.slice(0, end), field.slice(end + 1)];
    // git puts in the names of files from the first % on.
    const begins = command.split("%")[0]!.trim();
    if (begins === "" || !running.some((words) => words.join(" ").includes(begins))) continue;
    const what = key.startsWith("merge.") ? "merge driver" : "filter";
    return `the ${what} ${key.split(".").slice(1, -1).join(".")} of this repository's git configuration (${command})`;
  }
  return null;
}

const STOPPED = "git was stopped after ";

function outOfTime(args: readonly string[], limitMs: number, program: string | null): OwtError {
  const whose = program ?? "a merge driver or filter of this repository's git configuration";
  const verb = args.find((arg) => arg.startsWith("merge")) ?? args[0];
  return new OwtError("tool-failed", `${STOPPED}${roughDuration(limitMs)} in git ${verb}: ${whose} does not end`, {
    hint: "look: git config --show-origin --get-regexp '^(merge|filter)\\.'; mend it or remove it, then: owt task retry --failed",
  });
}

/** Whether an error says that a program of the user's does not end, as it will not until somebody mends it. */
export function isOutOfTime(error: unknown): error is OwtError {
  return error instanceof OwtError && error.message.startsWith(STOPPED);
}

function cutShort(args: readonly string[]): OwtError {
  return new OwtError("interrupted", `interrupted in git ${args.find((arg) => arg.startsWith("merge")) ?? args[0]}`);
}
