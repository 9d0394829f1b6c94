/** Makes a worktree ready to work in: dependencies, configured setup, and what is known of what they leave.
 *  Task worktrees and the integration worktree get the same. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { OWN_FILES } from "../agents/registry.ts";
import { commandList } from "../core/config.ts";
import { detectInstalls } from "../core/project.ts";
import { type Footprint, takeFootprint } from "../git/footprint.ts";
import { readTextIfThere, removeFile, writeFileAtomically } from "../system/files.ts";
import { type CheckResult, runCheck } from "./check.ts";
import type { Engine } from "./engine.ts";
import { environmentFiles, forgetBrought } from "./environment-files.ts";

/** Folders that the project makes again from its lockfile or its sources; never saved, never in the way of a removal. */
const DEPENDENCY_FOLDERS = [
  "node_modules",
  ".venv",
  "venv",
  "vendor/bundle",
  "target",
  "dist",
  "build",
  "coverage",
  ".next",
  ".turbo",
  ".cache",
  "__pycache__",
  ".pytest_cache",
  ".mypy_cache",
  ".ruff_cache",
  ".gradle",
];

/** Ignored files in a worktree that need no saving: brought by us, or made again by the project. */
export function knownFiles(engine: Engine): string[] {
  return [...environmentFiles(engine), ...DEPENDENCY_FOLDERS];
}

/** The commands that make a worktree's dependencies, and a hash that changes when they have to run again. */
export function setupCommands(engine: Engine, worktree: string): { commands: string[]; hash: string } {
  const configured = commandList(engine.config.environment.install_command);
  const installs = detectInstalls(new Set(readdirSync(worktree)));
  const wanted = engine.config.environment.auto_install_deps ? installs.map((install) => install.command) : [];
  const commands = configured.length > 0 ? configured : wanted;
  const hash = createHash("sha256").update(JSON.stringify(commands));
  for (const install of installs) hash.update(readFileSync(join(worktree, install.lockfile)));
  return { commands, hash: hash.digest("hex") };
}

/** Runs the setup commands of a worktree, unless the same ones already ran there. `key` names the executions. */
export async function setUp(
  engine: Engine,
  place: { attempt: number; dir: string; worktree: string; marker: string; timeoutMs: number },
): Promise<{ failed: string; output: string } | "interrupted" | null> {
  const { commands, hash } = setupCommands(engine, place.worktree);
  if (commands.length === 0 || readTextIfThere(place.marker) === hash) return null;
  for (const [index, command] of commands.entries()) {
    const dir = join(place.dir, `setup-${hash.slice(0, 12)}-${index}`);
    const result: CheckResult = await runCheck(engine, { ...place, dir, command, cwd: place.worktree });
    if (result === "interrupted") return result;
    if (result.code !== 0) return { failed: command, output: result.output };
  }
  writeFileAtomically(place.marker, hash);
  return null;
}

/** Remembers beside the attempts which setup a worktree has had. */
export function markerOf(engine: Engine, worktree: string): string {
  return join(engine.repo.commonDir, "owt", "setup", encodeURIComponent(worktree));
}

/** What was in a worktree before its setup began, and what its setup left there. No encoded path has a `+`. */
function footprintFiles(engine: Engine, worktree: string): { before: string; left: string } {
  const marker = markerOf(engine, worktree);
  return { before: `${marker}+before`, left: `${marker}+left` };
}

/** Forgets a worktree's setup, where it is gone or new. */
export function forgetSetup(engine: Engine, worktree: string): void {
  const { before, left } = footprintFiles(engine, worktree);
  for (const file of [markerOf(engine, worktree), before, left]) removeFile(file);
  forgetBrought(engine, worktree);
}

/** Says that nothing is in a worktree yet, so that nobody has to look before its setup. */
export function noteEmptyBefore(engine: Engine, worktree: string): void {
  writeFootprint(footprintFiles(engine, worktree).before, new Map());
}

/** Before the setup: what is there already is not the setup's. A setup that was cut off began with what was noted then. */
export async function noteBefore(engine: Engine, worktree: string): Promise<void> {
  const { before } = footprintFiles(engine, worktree);
  const { commands, hash } = setupCommands(engine, worktree);
  if (commands.length === 0 || readTextIfThere(markerOf(engine, worktree)) === hash) return;
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
