/** Makes a worktree ready to work in: dependencies, configured setup, and what is known of what they leave.
 *  Task worktrees and the integration worktree get the same. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { OWN_FILES } from "../agents/registry.ts";
import { commandList } from "../core/config.ts";
import type { SetupSaid } from "../core/reuse.ts";
import type { WantedInstall } from "../core/project-folders.ts";
import { type Footprint, takeFootprint } from "../git/footprint.ts";
import type { Known, KnownFolder } from "../git/known.ts";
import { STAGING } from "../system/copy-folders.ts";
import { readTextIfThere, removeFile, removeHalfWritten, writeFileAtomically } from "../system/files.ts";
import { type CheckResult, runCheck } from "./check.ts";
import { bringDependencies, CUT, findInstalls } from "./dependencies.ts";
import type { Engine } from "./engine.ts";
import { broughtFiles, environmentFiles, forgetBrought } from "./environment-files.ts";
import { type Hook, hookCommands, runHook } from "./hooks.ts";
import { forgetLease, leaseOrTell } from "./worktree-lease.ts";
import { fileNameFor } from "../system/file-name.ts";

/** What tools install, and caches that say so of themselves (https://bford.info/cachedir/). Nobody keeps it. */
const MADE_AGAIN: readonly KnownFolder[] = [
  { name: "node_modules" },
  { name: ".venv", holds: { file: "pyvenv.cfg", begins: "" } },
  { name: "venv", holds: { file: "pyvenv.cfg", begins: "" } },
  { name: "vendor/bundle" },
  { name: "__pycache__" },
  { holds: { file: "CACHEDIR.TAG", begins: "Signature: 8a477f597d28d172789f06886806bc55" } },
];

/** What builds usually leave at the top. Told by nothing but their names: where all is to be kept, they are. */
const BUILDS = [
  "target",
  "dist",
  "build",
  "coverage",
  ".next",
  ".turbo",
  ".cache",
  ".pytest_cache",
  ".mypy_cache",
  ".ruff_cache",
  ".gradle",
];

/** Ignored files in a worktree that need no saving: brought by us, or made again by the project. */
export function knownFiles(engine: Engine, worktree: string): Known[] {
  const builds = BUILDS.map((name) => ({ name, isBuild: true as const }));
  return [...broughtFiles(engine, worktree), STAGING, ...MADE_AGAIN, ...builds];
}

/** What has to be done to make a worktree ready, and a hash that changes when it has to be done again; empty where there is nothing to do. */
export type Setup = {
  commands: readonly string[];
  installs: readonly WantedInstall[];
  hash: string;
  /** Not everything was searched. */
  cut: boolean;
};

/** What a worktree's setup is: the configured commands, else the standard installs of what its commit holds; and what is wished of a new one.
 *  Without `deps` it is that last alone. */
export async function readSetup(engine: Engine, worktree: string, deps = true): Promise<Setup> {
  const { install_command, auto_install_deps } = engine.config.environment;
  const commands = deps ? commandList(install_command) : [];
  const isLooked = deps && (commands.length > 0 || auto_install_deps);
  const { installs: wanted, cut } = isLooked ? await findInstalls(engine, worktree) : { installs: [], cut: false };
  const installs = commands.length > 0 ? [] : wanted;
  const hook = hookCommands(engine, "post_create");
  if (commands.length + installs.length + hook.commands.length === 0) return { commands, installs, hash: "", cut };
  const hash = createHash("sha256").update(JSON.stringify(commands)).update(hook.hash);
  for (const { folder, install, missing } of wanted) {
    hash.update(`${folder}\0${install.command}\0${missing}\0`);
    // It may have been deleted there since.
    hash.update(readTextIfThere(join(worktree, folder, install.lockfile)) ?? "");
  }
  return { commands, installs, hash: hash.digest("hex"), cut };
}

export type SetupPlace = {
  attempt: number;
  dir: string;
  worktree: string;
  timeoutMs: number;
  /** Whether dependencies are brought. Default: yes. */
  deps?: boolean;
  /** Whether what could not be brought the last time is tried once more. Default: no. */
  again?: boolean;
  /** Is told what was done, and what could not be, for people. */
  tell?: (said: SetupSaid) => void;
};

/** The command that failed, and where it is one of a hook's, of which, and its exit code. */
export type SetupProblem = { failed: string; output: string; hook?: Hook; code?: number };

/** Runs a worktree's setup, unless the same one was already run there. `dir` holds its executions. */
export async function setUp(engine: Engine, place: SetupPlace): Promise<SetupProblem | "interrupted" | null> {
  const { commands, installs, hash, cut } = await readSetup(engine, place.worktree, place.deps);
  if (cut) place.tell?.(CUT);
  const marker = markerOf(engine, place.worktree);
  if (hash === "") return null;
  if (readTextIfThere(marker) === hash)
    return place.again === true ? bringMissing(engine, place, installs, hash) : null;
  leaseOrTell(engine, place.worktree, place.tell);
  const dirOf = (name: string | number) => join(place.dir, `setup-${hash.slice(0, 12)}-${name}`);
  for (const [index, command] of commands.entries()) {
    const check = { ...place, dir: dirOf(index), command, cwd: place.worktree };
    const result: CheckResult = await runCheck(engine, check);
    if (result === "interrupted") return result;
    if (result.code !== 0) return { failed: command, output: result.output };
  }
  const problem = (await bringAll(engine, place, installs, hash)) ?? (await greet(engine, place));
  if (problem !== null) return problem;
  writeFileAtomically(marker, hash);
  return null;
}

/** Of a setup that was done, what was missing in the end. */
function bringMissing(engine: Engine, place: SetupPlace, installs: Setup["installs"], hash: string) {
  const missing = new Set((readTextIfThere(missingFile(engine, place.worktree)) ?? "").split("\n"));
  const again = installs.filter(({ folder, install }) => missing.has(join(folder, install.lockfile)));
  return again.length === 0 ? null : bringAll(engine, place, again, hash);
}

/** Brings the dependencies of several projects, and writes down which of them are still missing. */
async function bringAll(
  engine: Engine,
  place: SetupPlace,
  installs: Setup["installs"],
  hash: string,
): Promise<SetupProblem | "interrupted" | null> {
  const missing: string[] = [];
  for (const [index, wanted] of installs.entries()) {
    const dir = join(place.dir, `setup-${hash.slice(0, 12)}-${index}`);
    const end = await bringDependencies(engine, { ...place, dir }, wanted);
    if (end === "missing") missing.push(join(wanted.folder, wanted.install.lockfile));
    else if (end !== null) return end;
  }
  const file = missingFile(engine, place.worktree);
  if (missing.length === 0) removeFile(file);
  else writeFileAtomically(file, missing.join("\n"));
  return null;
}

function missingFile(engine: Engine, worktree: string): string {
  return `${markerOf(engine, worktree)}+missing`;
}

/** What is wished of a new worktree; once, whatever becomes of its lockfiles. */
async function greet(engine: Engine, place: SetupPlace): Promise<SetupProblem | "interrupted" | null> {
  const { hash } = hookCommands(engine, "post_create");
  const greeted = `${markerOf(engine, place.worktree)}+greeted`;
  if (hash === "" || readTextIfThere(greeted) === hash) return null;
  const problem = await runHook(engine, "post_create", place);
  if (problem === null) writeFileAtomically(greeted, hash);
  return problem === null || problem === "interrupted" ? problem : { ...problem, hook: "post_create" };
}

/** Remembers beside the attempts which setup a worktree has had. */
function markerOf(engine: Engine, worktree: string): string {
  return join(engine.repo.commonDir, "owt", "setup", fileNameFor(worktree));
}

/** What was in a worktree before its setup began, and what its setup left there. No encoded path has a `+`. */
function footprintFiles(engine: Engine, worktree: string): { before: string; left: string } {
  const marker = markerOf(engine, worktree);
  return { before: `${marker}+before`, left: `${marker}+left` };
}

/** Forgets a worktree's setup, where it is gone or new. */
export function forgetSetup(engine: Engine, worktree: string): void {
  const { before, left } = footprintFiles(engine, worktree);
  const marker = markerOf(engine, worktree);
  for (const file of [marker, `${marker}+greeted`, missingFile(engine, worktree), before, left]) removeFile(file);
  forgetBrought(engine, worktree);
  forgetLease(engine, worktree);
  removeHalfWritten(marker);
}

/** Says that nothing is in a worktree yet, so that nobody has to look before its setup. */
export function noteEmptyBefore(engine: Engine, worktree: string): void {
  writeFootprint(footprintFiles(engine, worktree).before, new Map());
}

/** Before the setup: what is there already is not the setup's. A setup that was cut off began with what was noted then. */
export async function noteBefore(engine: Engine, worktree: string): Promise<void> {
  const { before } = footprintFiles(engine, worktree);
  const { hash } = await readSetup(engine, worktree);
  if (hash === "" || readTextIfThere(markerOf(engine, worktree)) === hash) return;
  if (readFootprint(before) === null) writeFootprint(before, await look(engine, worktree));
}

/** After the setup: remembers what it left, kept as long as the worktree. What was there before counts only where it came from an
 *  earlier setup. Repeatable. */
export async function noteLeft(engine: Engine, worktree: string): Promise<void> {
  const files = footprintFiles(engine, worktree);
  const before = readFootprint(files.before);
  if (before === null) return;
  const earlier = setupFootprint(engine, worktree);
  const isSetups = (path: string): boolean =>
    !before.has(path) || (earlier.has(path) && earlier.get(path) === before.get(path));
  const left = [...(await look(engine, worktree))].filter(([path]) => isSetups(path));
  if (left.length > 0) writeFootprint(files.left, new Map(left));
  else removeFile(files.left);
  removeFile(files.before);
}

/** A setup that failed is nothing to tell others' work from. */
export function dropBefore(engine: Engine, worktree: string): void {
  removeFile(footprintFiles(engine, worktree).before);
}

/** What the setup left in a worktree; empty when it left nothing. */
export function setupFootprint(engine: Engine, worktree: string): Footprint {
  return readFootprint(footprintFiles(engine, worktree).left) ?? new Map();
}

function look(engine: Engine, worktree: string): Promise<Footprint> {
  return takeFootprint(engine.repo, worktree, [...environmentFiles(engine), ...OWN_FILES]);
}

function writeFootprint(file: string, footprint: Footprint): void {
  writeFileAtomically(file, JSON.stringify([...footprint]), { durable: true });
}

function readFootprint(file: string): Footprint | null {
  const text = readTextIfThere(file);
  return text === null ? null : new Map(JSON.parse(text) as [string, string | null][]);
}
