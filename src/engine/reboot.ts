/** What is done with an attempt whose machine was started anew under it, by a power cut or by a person. Its commits are whole, they were synced. What lies uncommitted in its worktree
 *  may be whole, old, empty or in pieces, and looks like the agent's work all the same: so it is put aside, where it can be looked at, and the agent is told. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Attempt } from "../core/attempt.ts";
import type { Aside } from "../core/conversation.ts";
import { OwtError } from "../core/errors.ts";
import { slug } from "../core/names.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Place } from "../git/git.ts";
import { undoFootprint } from "../git/footprint.ts";
import { clearStaleLocks } from "../git/locks.ts";
import { mendEntry } from "../git/mend.ts";
import { putAside } from "../git/move.ts";
import { findPlace } from "../git/place.ts";
import { isInDoubt, noteStanding } from "../git/standing.ts";
import { readAttempt } from "../store/attempts.ts";
import { appendEvent } from "../store/events.ts";
import { readTextIfThere, writeFileAtomically } from "../system/files.ts";
import { readLaunch } from "../system/launch.ts";
import type { Carried } from "./attempt-moves.ts";
import { attemptDir, type Engine } from "./engine.ts";
import { bringEnvironmentFiles, describeKept, environmentFiles, keepChangedEnvironment } from "./environment-files.ts";
import { runSetup } from "./run-setup.ts";
import { forgetSetup, knownFiles, type SetupProblem, setupFootprint } from "./workspace.ts";
import { printableNames } from "../lib/printable.ts";

/** Worktrees that were looked at: while this process lives, the machine is not started anew. */
const settled = new WeakMap<Engine, Set<string>>();

/** Makes an attempt's worktree one that can be worked in and checked, where the machine was started anew since somebody last did. In the phases behind its setup that is run
 *  again, as what it brought may be in pieces; of an attempt that was cut off only once it is taken as it is. Repeatable, and a few looks at files where there is nothing to do. */
export async function settleReboot(engine: Engine, carried: Carried): Promise<SetupProblem | "interrupted" | null> {
  const { worktree, branch } = carried.attempt;
  const known = settled.get(engine) ?? new Set<string>();
  settled.set(engine, known);
  if (known.has(worktree)) return null;
  const place = await mendEntry(engine.repo, worktree, { branch });
  if (place !== null && carried.attempt.phase !== "tidy") {
    // What a person has done there they have looked at.
    if (carried.task.next.kind !== "by-hand") {
      await standAnew(engine, carried, place);
      const problem = await equipAnew(engine, carried);
      if (problem !== null) return problem;
    }
    noteStanding(place);
  }
  known.add(worktree);
  return null;
}

/** Whether {@link settleReboot} has anything to do. */
export function needsSettling(engine: Engine, { attempt }: Carried): boolean {
  if (settled.get(engine)?.has(attempt.worktree) === true) return false;
  if (!existsSync(attempt.worktree)) return false;
  const place = findPlace(engine.repo, attempt.worktree);
  return place === null || isInDoubt(place);
}

/** The worktree as its last commit has it; what else was there is saved. */
async function standAnew(engine: Engine, carried: Carried, place: Place): Promise<void> {
  const { run, task, attempt } = carried;
  await clearStaleLocks(engine.repo, place.gitDir, { branches: [attempt.branch] });
  // What the setup left is nobody's work, and is made again.
  await undoFootprint(engine.repo, attempt.worktree, setupFootprint(engine, attempt.worktree), { untracked: true });
  const id = rescueId(carried);
  const what = `what ${task.key} had not committed when the machine went down`;
  const files = { keep: environmentFiles(engine), known: knownFiles(engine, attempt.worktree) };
  const rescue = { id, note: `${what} (${attempt.worktree})`, at: engine.now() };
  const note = (aside: Aside) => noteAside(engine, attempt, aside);
  const aside = await putAside(engine.repo, attempt.worktree, attempt.branch, files, rescue, note);
  if (aside === null) return;
  if ("refused" in aside)
    throw new OwtError("environment", `${what} cannot be saved: ${aside.refused} (${printableNames(aside.paths)})`, {
      hint: `look at it, then take it away: ${attempt.worktree}`,
    });
  const about = { run: run.id, task: task.id, attempt: attempt.id };
  appendEvent(engine.store, engine.now(), about, { kind: "rescued", rescue: id, what });
}

function rescueId({ run, task, attempt }: Carried): string {
  return `${run.id}-${slug(task.key)}-${attempt.id}-reboot`;
}

/** Environment files and setup, as in a new worktree. Before its setup that is left to the phases. */
async function equipAnew(engine: Engine, carried: Carried): Promise<SetupProblem | "interrupted" | null> {
  const { run, task, attempt } = carried;
  const kept = await keepChangedEnvironment(engine, attempt.worktree, rescueId(carried));
  for (const name of kept) rmSync(join(attempt.worktree, name), { force: true });
  if (kept.length > 0) {
    const about = { run: run.id, task: task.id, attempt: attempt.id };
    appendEvent(engine.store, engine.now(), about, { kind: "note", text: describeKept(kept, rescueId(carried)) });
  }
  forgetSetup(engine, attempt.worktree);
  if (attempt.phase === "workspace") return null;
  bringEnvironmentFiles(engine, attempt.worktree);
  // Whether anybody needs it, and nobody waits for it who only looks, is known once the attempt is judged.
  return isCut(attempt) ? null : runSetup(engine, carried);
}

/** Whether the machine went down before what the agent left was committed. Asked of one whose agent has ended. */
function isCut({ phase, head }: Attempt): boolean {
  return phase === "collect" && head === null;
}

/** Written before anything is changed, so that it is said whoever comes next: of an attempt that was cut off it decides how that ended, of one that goes on in the
 *  worktree of another, what its agent is told. */
function noteAside(engine: Engine, attempt: Attempt, aside: Aside): void {
  // What was put aside by one who was killed on the way stays said.
  if (aside.ref === null && (!isCut(attempt) || readCut(engine, attempt.id) !== null)) return;
  const name = isCut(attempt) ? CUT : BEFORE;
  writeFileAtomically(join(attemptDir(engine, attempt.id), name), JSON.stringify(aside), { durable: true });
}

/** Files of an attempt's folder: what was put aside of it because the machine went down under it, and what was put aside before its agent was started. */
const CUT = "cut";
const BEFORE = "aside";

function readAside(engine: Engine, attempt: number, name: string): Aside | null {
  const text = readTextIfThere(join(attemptDir(engine, attempt), name));
  return text === null ? null : (JSON.parse(text) as Aside);
}

/** What was put aside of an attempt whose machine went down; null where it did not, or what the attempt left was committed before. */
export function readCut(engine: Engine, attempt: number): Aside | null {
  return readAside(engine, attempt, CUT);
}

/** How an attempt ended, where the machine went down under it: work that was put aside is not done, whatever its agent had said. */
export function judgeCut(outcome: Outcome, cut: Aside | null): Outcome {
  if (cut === null) return outcome;
  const isCutOff = outcome.kind === "lost" || outcome.kind === "nothing_done";
  const isHalf = cut.ref !== null && (outcome.kind === "ok" || outcome.kind === "asked" || outcome.kind === "failed");
  return isCutOff || isHalf ? { kind: "lost", rebooted: true } : outcome;
}

/** What the agent of an attempt that goes on in a worktree is to be told was put aside there: since the last time that an agent was started in it. */
export function untoldAside(engine: Engine, attempt: Attempt): Aside | null {
  const before = readAside(engine, attempt.id, BEFORE);
  if (before !== null) return before;
  for (let id = attempt.continues; id !== null;) {
    const cut = readAside(engine, id, CUT) ?? readAside(engine, id, BEFORE);
    const wasStarted = readLaunch(attemptDir(engine, id)).kind !== "unclaimed";
    if (cut !== null && cut.ref !== null && (readCut(engine, id) !== null || !wasStarted)) return cut;
    if (wasStarted) return null;
    id = readAttempt(engine.store, id)?.continues ?? null;
  }
  return null;
}
