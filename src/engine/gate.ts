/** What work has to be before its checks are worth running: without conflict markers, and nothing outside what its task may change. */
import { existsSync } from "node:fs";
import { REFUSALS } from "../core/red-check.ts";
import type { Task } from "../core/task.ts";
import { outsideOf } from "../core/touches.ts";
import { readRef } from "../git/branch.ts";
import { changedSinceFork } from "../git/changes.ts";
import type { Oid } from "../git/git.ts";
import { findLeftByGit } from "../git/left-by-git.ts";
import { findLeftMarkers, findMarkersInWorktree, type Marker } from "../git/left-markers.ts";
import { findPlace } from "../git/place.ts";
import { few, fewInAList, IN_A_LINE, IN_A_LIST } from "../lib/few.ts";
import { nameToType, quotedName } from "../lib/printable.ts";
import { readRun } from "../store/runs.ts";
import type { Carried } from "./attempt-moves.ts";
import type { Engine } from "./engine.ts";
import { resolvedIn } from "./lost-side.ts";
import { trunkOf } from "./run-tip.ts";

/** What is wrong with work, as a check would say it, and in a line for people. */
type Refused = { command: string; output: string; note: string };

/** What is wrong with the work at `head`; null where nothing is. Work of other tasks that was merged into it is theirs. */
export async function passGate(engine: Engine, carried: Carried, head: Oid): Promise<Refused | null> {
  const tip = await trunkOf(engine, carried.run);
  return (
    (await refuseMarkers(engine, carried, tip, head)) ??
    (await refuseLeftByGit(engine, carried, tip, head)) ??
    (await refuseOutside(engine, carried, tip, head))
  );
}

/** Checks rarely look at every file, and there may be none. */
async function refuseMarkers({ repo }: Engine, { attempt }: Carried, tip: Oid, head: Oid): Promise<Refused | null> {
  const place = findPlace(repo, attempt.worktree) ?? repo;
  const markers = await findLeftMarkers(repo, place, { base: attempt.base, trunk: tip, head });
  if (markers.length === 0) return null;
  const output = [
    `The work still holds conflict markers:`,
    ...shown(markers.map(describeMarker), "git grep -nE '^(<{7}|>{7}) '"),
    `Decide each of these conflicts, so that the file has the meaning of both sides, remove the markers and commit.`,
    `It may be that they are to stand there, in a test's text say; ${MARKERS_MEANT}`,
  ].join("\n");
  const note = `left conflict markers: ${describeMarkers(markers)}`;
  return { command: REFUSALS.markers, output, note };
}

/** A file that a merge put beside a folder of its name, or what a merge tool kept of it, is nobody's work. */
async function refuseLeftByGit(
  { repo }: Engine,
  { attempt, task }: Carried,
  tip: Oid,
  head: Oid,
): Promise<Refused | null> {
  const left = await findLeftByGit(
    repo,
    { base: attempt.base, trunk: tip, head },
    { merged: resolvedIn(task.next) !== null },
  );
  if (left.length === 0) return null;
  const output = [
    `The work holds files that git made beside others in a merge:`,
    ...shown(left.map(nameToType), "git ls-files '*~*' '*.orig'"),
    `PATH~HEAD and PATH~COMMIT are the file PATH of one side, where the other side has a folder of that name. Bring what they hold to where it belongs, git rm them, and commit.`,
  ].join("\n");
  return {
    command: REFUSALS.leftByGit,
    output,
    note: `left what git made in a merge: ${few(left.map(quotedName))}`,
  };
}

/** Conflict markers in the worktree of a task that a person is to hand in, in words; null for none. */
export async function findMarkersByHand(engine: Engine, task: Task, worktree: string): Promise<string | null> {
  const place = findPlace(engine.repo, worktree);
  if (place === null || !existsSync(place.root)) return null;
  const run = readRun(engine.store, task.run)!;
  const tip = (await readRef(engine.repo, `refs/heads/${run.branch}`)) ?? run.base;
  const markers = await findMarkersInWorktree(engine.repo, place, tip);
  return markers.length === 0 ? null : `conflict markers in ${describeMarkers(markers)} of ${worktree}`;
}

/** What helps, besides deciding the conflict. */
export const MARKERS_MEANT = "where they are meant, say so in .gitattributes: PATH conflict-marker-size=32";

/** Where they are, with no more of them than a line holds. */
export function describeMarkers(markers: readonly Marker[]): string {
  return few(markers.map(describeMarker), IN_A_LINE);
}

function describeMarker({ path, line }: Marker): string {
  return `${quotedName(path)}:${line}`;
}

async function refuseOutside({ repo }: Engine, { task }: Carried, tip: Oid, head: Oid): Promise<Refused | null> {
  const { touches } = task.spec;
  if (touches.length === 0) return null;
  const { fork, paths } = await changedSinceFork(repo, tip, head);
  const outside = outsideOf(paths, touches);
  if (outside.length === 0) return null;
  const output = [
    `This task may change nothing but: ${few(touches.map(quotedName), IN_A_LIST)}`,
    `It changed also:`,
    ...shown(outside.map(nameToType), `git diff --name-only ${fork}`),
    `Put these back as they were: git checkout ${fork} -- PATH, or git rm PATH for one that is new; then commit.`,
    `If the task cannot be done without one of them, ask.`,
  ].join("\n");
  const note = `changed what it may not touch: ${few(outside.map(quotedName))}`;
  return { command: REFUSALS.outside, output, note };
}

/** Names one below the other, and how to see all of many. */
function shown(all: readonly string[], whole: string): string[] {
  return fewInAList(all, whole).map((each) => `  ${each}`);
}
