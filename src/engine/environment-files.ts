/** Environment files in worktrees: brought from the main checkout, never committed, and, where somebody changed one, kept before the
 *  worktree goes. They hold secrets: what is kept lies outside of git's objects, in files that only the owner may read. */
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { findPlace } from "../git/place.ts";
import { listTracked } from "../git/status.ts";
import { ensureFolder, readTextIfThere, removeFile, writeFileAtomically } from "../system/files.ts";
import type { Engine } from "./engine.ts";

/** Brought along by default, as the seed of this feature does. */
const ENV_FILES = [".env", ".env.local", ".env.development", ".env.development.local"];

/** The environment files that worktrees of this repository are given; never committed by us. */
export function environmentFiles(engine: Engine): string[] {
  if (!engine.config.environment.copy_env_file) return [];
  return [...new Set([...ENV_FILES, ...engine.config.environment.env_files])].filter((name) =>
    isInside(engine.repo.root, name),
  );
}

/** Copies the environment files that the main checkout has and the worktree lacks, private and with the paths adjusted.
 *  A symbolic link is left alone on both sides: it may point anywhere. */
export function bringEnvironmentFiles(engine: Engine, worktree: string): void {
  const brought = readBrought(engine, worktree);
  for (const name of environmentFiles(engine)) {
    const from = join(engine.repo.root, name);
    const to = join(worktree, name);
    if (existsSync(to) || !isPlainFile(from)) continue;
    const text = readFileSync(from, "utf8");
    const adjusted = engine.config.environment.adjust_env_paths ? replacePath(text, engine.repo.root, worktree) : text;
    // Noted first: a copy that is cut off is then taken for a change, and kept.
    brought.set(name, hashOf(adjusted));
    writeBrought(engine, worktree, brought);
    ensureFolder(dirname(to));
    writeFileSync(to, adjusted, { mode: 0o600, flag: "wx" });
  }
}

/** Forgets what a worktree was given, where it is gone or new. */
export function forgetBrought(engine: Engine, worktree: string): void {
  removeFile(broughtFile(engine, worktree));
}

/** Keeps the environment files of a worktree that are not as they were brought, under the id that its rescue has or would have. Returns
 *  their names. Repeatable: the same text is kept once. */
export async function keepChangedEnvironment(engine: Engine, worktree: string, id: string): Promise<string[]> {
  const present = environmentFiles(engine).filter((name) => isPlainFile(join(worktree, name)));
  if (present.length === 0) return [];
  const brought = readBrought(engine, worktree);
  const changed = present.filter((name) => hashOf(readFileSync(join(worktree, name))) !== brought.get(name));
  const place = changed.length === 0 ? null : findPlace(engine.repo, worktree);
  if (place === null) return [];
  // What git knows, git keeps.
  const tracked = await listTracked(place, changed);
  const kept = changed.filter((name) => !tracked.includes(name));
  for (const name of kept) keepFile(join(keptFolder(engine), id), name, readFileSync(join(worktree, name)));
  return kept;
}

/** Takes back what was kept for a worktree that stays after all. */
export function dropKept(engine: Engine, id: string): void {
  rmSync(join(keptFolder(engine), id), { recursive: true, force: true });
}

/** What to say of kept files. */
export function describeKept(files: readonly string[], id: string): string {
  return `the changed ${files.join(", ")} ${files.length === 1 ? "is" : "are"} kept, readable for you only; owt restore ${id} brings it back`;
}

export type Kept = { id: string; files: string[]; at: number };

/** Everything that is kept, oldest first. */
export function listKept(engine: Engine): Kept[] {
  const folder = keptFolder(engine);
  if (!existsSync(folder)) return [];
  const kept = readdirSync(folder).map((id) => {
    const files = readdirSync(join(folder, id), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(join(folder, id), join(entry.parentPath, entry.name)));
    return { id, files, at: statSync(join(folder, id)).mtimeMs };
  });
  return kept.toSorted((a, b) => a.at - b.at);
}

/** Copies kept files to a folder, private; a file that is there already stays, and ours gets `.restored` behind its name. Returns the names
 *  that they got. */
export function restoreKept(engine: Engine, kept: Kept, to: string): string[] {
  return kept.files.map((name) => {
    const content = readFileSync(join(keptFolder(engine), kept.id, name));
    const free = existsSync(join(to, name)) ? `${name}.restored` : name;
    ensureFolder(dirname(join(to, free)));
    writeFileAtomically(join(to, free), content);
    return free;
  });
}

/** Never over another text: the second one gets a number. */
function keepFile(folder: string, name: string, content: Buffer): void {
  for (let copy = 1; ; copy++) {
    const path = join(folder, copy === 1 ? name : `${name}.${copy}`);
    if (existsSync(path) && !readFileSync(path).equals(content)) continue;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
    writeFileAtomically(path, content, { durable: true });
    return;
  }
}

function keptFolder(engine: Engine): string {
  return join(engine.repo.commonDir, "owt", "kept");
}

/** Hashes of what a worktree was given. No encoded path has a `+`. */
function broughtFile(engine: Engine, worktree: string): string {
  return join(engine.repo.commonDir, "owt", "setup", `${encodeURIComponent(worktree)}+brought`);
}

function readBrought(engine: Engine, worktree: string): Map<string, string> {
  const text = readTextIfThere(broughtFile(engine, worktree));
  return new Map(text === null ? [] : (JSON.parse(text) as [string, string][]));
}

function writeBrought(engine: Engine, worktree: string, brought: ReadonlyMap<string, string>): void {
  writeFileAtomically(broughtFile(engine, worktree), JSON.stringify([...brought]));
}

function hashOf(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

function replacePath(text: string, from: string, to: string): string {
  // Only the whole path counts: /src/app must not change inside /src/app-data.
  return text.replaceAll(new RegExp(`${escapeForPattern(from)}(?=[/"'\\s:;,]|$)`, "gm"), () => to);
}

function escapeForPattern(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

function isPlainFile(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
  } catch {
    return false;
  }
}

function isInside(root: string, name: string): boolean {
  const path = relative(root, resolve(root, name));
  return path !== "" && path !== ".." && !path.startsWith(`..${sep}`);
}
