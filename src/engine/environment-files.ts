/** Environment files in worktrees: brought from the main checkout, with what a template says of ports and names that are the worktree's own;
 *  never committed, and, where somebody changed one, kept before the worktree goes. They hold secrets: what is kept lies outside of git's objects, in files that only the owner may read. */
import { createHash } from "node:crypto";
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, normalize, relative, resolve, sep } from "node:path";
import { leadsOut } from "../core/config.ts";
import { fillTemplate, type Lease, leaseVariables } from "../core/worktree-lease.ts";
import type { SetupSaid } from "../core/reuse.ts";
import { findPlace, lstatInside } from "../git/place.ts";
import { listTracked } from "../git/status.ts";
import { lstatIfThere, ensureFolder, readTextIfThere, removeFile, writeFileAtomically } from "../system/files.ts";
import type { Engine } from "./engine.ts";
import { isLeaseUseful, leaseOrTell } from "./worktree-lease.ts";
import { printableNames } from "../lib/printable.ts";
import { fileNameFor } from "../system/file-name.ts";

/** Brought along by default, as the seed of this feature does. */
const ENV_FILES = [
  ".env",
  ".env.local",
  ".env.development",
  ".env.development.local",
  "config.local.yaml",
  "config.local.json",
  "settings.local.py",
  ".secrets",
  ".secrets.yaml",
];

/** Behind a file's name: the template that goes with it. */
const TEMPLATE = ".owt";

/** The environment files that worktrees of this repository are given; never committed by us. `!name` leaves one out. */
export function environmentFiles(engine: Engine): string[] {
  let names = namesOf.get(engine.config);
  if (names === undefined) namesOf.set(engine.config, (names = listNames(engine)));
  return names;
}

/** Asked for several times with each task, and the same for all of them. */
const namesOf = new WeakMap<Engine["config"], string[]>();

function listNames(engine: Engine): string[] {
  const { copy_env_file, env_files } = engine.config.environment;
  if (!copy_env_file) return [];
  const without = new Set(env_files.flatMap((name) => (name.startsWith("!") ? [normalize(name.slice(1))] : [])));
  const names = [...ENV_FILES, ...env_files.filter((name) => !name.startsWith("!"))];
  return [...new Set(names.map(normalize))].filter((name) => !without.has(name) && !leadsOut(name));
}

/** Files that are configured and can never be brought. */
function tellLeadingOut(engine: Engine, tell: (said: SetupSaid) => void): void {
  const { copy_env_file, env_files } = engine.config.environment;
  for (const name of copy_env_file ? env_files.filter(leadsOut) : [])
    tell({
      level: "warning",
      about: `env_files ${name}`,
      text: `${name} is not brought: it leads out of the repository ([environment] env_files)`,
    });
}

/** Whoever follows a link in the main checkout may write anywhere; what is committed as one is there. */
function tellLinks(engine: Engine, worktree: string, tell: (said: SetupSaid) => void): void {
  const { root } = engine.repo;
  for (const name of environmentFiles(engine)) {
    const isLink = lstatSync(join(root, name), { throwIfNoEntry: false })?.isSymbolicLink() === true;
    if (!isLink || !isFree(worktree, name)) continue;
    const text = `${name} is not brought: it is a symbolic link in the main checkout, and none is followed`;
    tell({ level: "warning", about: `env_files ${name}`, text });
  }
}

/** The environment files that a worktree has, by today's configuration or by what was brought. A folder or a link of such a name is none of ours: nobody brought it, and nobody keeps it. */
export function broughtFiles(engine: Engine, worktree: string): string[] {
  const names = new Set([...environmentFiles(engine), ...readBrought(engine, worktree).keys()]);
  return [...names].filter((name) => isPlainFile(worktree, name));
}

/** Gives a worktree the environment files that it lacks, private: what the main checkout has, with the paths adjusted, and what a template says.
 *  A symbolic link is left alone on both sides: it may point anywhere. Returns their names. */
export function bringEnvironmentFiles(engine: Engine, worktree: string, tell?: (said: SetupSaid) => void): string[] {
  if (tell) tellLeadingOut(engine, tell);
  if (tell) tellLinks(engine, worktree, tell);
  const has = offersOf(engine);
  const found = environmentFiles(engine).flatMap((name) => findSources(engine, worktree, name, has) ?? []);
  if (found.length === 0 && !isLeaseUseful(engine, worktree)) return [];
  const lease = leaseOrTell(engine, worktree, tell);
  if (found.length === 0) return [];
  const names: string[] = [];
  const brought = readBrought(engine, worktree);
  for (const sources of found) {
    if (tell && lease?.firstPort === null) tellPortless(sources, tell);
    const content = composeFile(engine, worktree, sources, lease);
    if (content === null) continue;
    const to = join(worktree, sources.name);
    // Noted first: a copy that is cut off is then taken for a change, and kept.
    brought.set(sources.name, hashOf(content));
    writeBrought(engine, worktree, brought);
    ensureFolder(dirname(to));
    writeFileSync(to, content, { mode: 0o600, flag: "wx" });
    names.push(sources.name);
  }
  return names;
}

function tellPortless({ name, template }: Sources, tell: (said: SetupSaid) => void): void {
  const word = template === null ? null : /\$\{OWT_PORT(?:_\d+)?\}/.exec(readPlainFile(template).toString("utf8"));
  if (word === null) return;
  const text = `${name}${TEMPLATE}: ${word[0]} stays as it is: no ports are leased ([environment] ports)`;
  tell({ level: "warning", about: `template ${name}`, text });
}

type Sources = { name: string; file: string | null; template: string | null };

/** What a file is made from; null where the worktree has it, or nothing is there to make it from. A template that is committed goes before one
 *  that only the user has. */
function findSources(engine: Engine, worktree: string, name: string, has: (name: string) => boolean): Sources | null {
  const { root } = engine.repo;
  const file = has(name) ? join(root, name) : null;
  const template = isPlainFile(worktree, name + TEMPLATE)
    ? join(worktree, name + TEMPLATE)
    : has(name + TEMPLATE)
      ? join(root, name + TEMPLATE)
      : null;
  return (file === null && template === null) || !isFree(worktree, name) ? null : { name, file, template };
}

/** Whether the main checkout has a plain file of a name. What is at its top is looked at once, until something comes or goes there. */
function offersOf(engine: Engine): (name: string) => boolean {
  const { root } = engine.repo;
  const { mtimeMs } = statSync(root);
  const known = offers.get(engine);
  const seen = known?.mtimeMs === mtimeMs ? known.seen : new Map<string, boolean>();
  if (seen !== known?.seen) offers.set(engine, { mtimeMs, seen });
  return (name) => {
    if (name.includes("/")) return isPlainFile(root, name);
    let is = seen.get(name);
    if (is === undefined) seen.set(name, (is = isPlainFile(root, name)));
    return is;
  };
}

const offers = new WeakMap<Engine, { mtimeMs: number; seen: Map<string, boolean> }>();

/** A template of a `.env` stands behind what was brought, where readers let the later line win; that of another file is the whole file. */
function composeFile(
  engine: Engine,
  worktree: string,
  { name, file, template }: Sources,
  lease: Lease | null,
): Buffer | null {
  const adjust = (content: Buffer) =>
    engine.config.environment.adjust_env_paths ? replacePath(content, engine.repo.root, worktree) : content;
  const own = file === null ? null : adjust(readPlainFile(file));
  if (template === null || lease === null) return own;
  const filled = Buffer.from(fillTemplate(adjust(readPlainFile(template)).toString("utf8"), leaseVariables(lease)));
  if (own === null || own.length === 0 || !basename(name).startsWith(".env")) return filled;
  return Buffer.concat([own, Buffer.from(own.at(-1) === 10 ? "" : "\n"), filled]);
}

/** Forgets what a worktree was given, where it is gone or new. */
export function forgetBrought(engine: Engine, worktree: string): void {
  removeFile(broughtFile(engine, worktree));
}

/** Keeps the environment files of a worktree that are not as they were brought, under the id that its rescue has or would have. Returns
 *  their names. Repeatable: the same text is kept once. */
export async function keepChangedEnvironment(engine: Engine, worktree: string, id: string): Promise<string[]> {
  const present = broughtFiles(engine, worktree);
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

/** What to say of kept files. */
export function describeKept(files: readonly string[], id: string): string {
  return `the changed ${printableNames(files)} ${files.length === 1 ? "is" : "are"} kept, readable for you only; owt restore ${id} brings it back`;
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
    // One that git does not ignore came back with the rest.
    if (isPlainFile(to, name) && readFileSync(join(to, name)).equals(content)) return name;
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
  return join(engine.repo.commonDir, "owt", "setup", `${fileNameFor(worktree)}+brought`);
}

function readBrought(engine: Engine, worktree: string): Map<string, string> {
  const text = readTextIfThere(broughtFile(engine, worktree));
  try {
    return new Map(text === null ? [] : (JSON.parse(text) as [string, string][]));
  } catch {
    // A power cut took it: then everything counts as changed, and is kept.
    return new Map();
  }
}

function writeBrought(engine: Engine, worktree: string, brought: ReadonlyMap<string, string>): void {
  writeFileAtomically(broughtFile(engine, worktree), JSON.stringify([...brought]));
}

function hashOf(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

/** Bytes in, bytes out: such a file need not be UTF-8. Only the whole path counts: /src/app must change neither inside /src/app-data nor inside
 *  /home/src/app, but in -I/src/app. */
function replacePath(content: Buffer, from: string, to: string): Buffer {
  const bytes = (path: string) => Buffer.from(path).toString("latin1");
  const before = String.raw`(?<=^|[^\w.~\x80-\xff-]|(?:^|[\s="':])-[A-Za-z])`;
  const after = String.raw`(?=[/"'\s:;,)\]}?#&\\]|$)`;
  const path = new RegExp(`${before}${escapeForPattern(bytes(from))}${after}`, "gm");
  return Buffer.from(
    content.toString("latin1").replaceAll(path, () => bytes(to)),
    "latin1",
  );
}

function escapeForPattern(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

function isPlainFile(root: string, name: string): boolean {
  try {
    // Most are at the top, and most are not there.
    if (!name.includes("/")) return lstatIfThere(`${root}/${name}`)?.isFile() ?? false;
    return lstatInside(root, name)?.isFile() ?? false;
  } catch {
    return false;
  }
}

/** Whether nothing is there, and the way there leads through folders only. */
function isFree(root: string, name: string): boolean {
  const parts = relative(root, resolve(root, name)).split(sep);
  return parts.every((_, at) => {
    const stat = lstatSync(join(root, ...parts.slice(0, at + 1)), { throwIfNoEntry: false });
    return stat === undefined || (at < parts.length - 1 && stat.isDirectory());
  });
}

function readPlainFile(path: string): Buffer {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}
