/** The one atomic writer: a reader sees the old file or the new one, never half of either. */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  type Stats,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { OwtError } from "../core/errors.ts";

/** Replaces a file's content. Parent folders are made; `mode` defaults to 0600, since most of what we write is private. */
export function writeFileAtomically(
  path: string,
  content: string | Uint8Array,
  options: { mode?: number; durable?: boolean } = {},
): void {
  ensureFolder(dirname(path));
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = openSync(temporary, "w", options.mode ?? 0o600);
    try {
      // Not writeSync: on a disk that is nearly full it may write a part and say so only by a number.
      writeFileSync(file, content);
      // What was asked for, whatever the process's mask takes away from new files.
      if (options.mode !== undefined) fchmodSync(file, options.mode);
      if (options.durable) fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Removes what writers of a file, and of those that bear its name with a `+` and a word behind it, left beside it when they were killed. Nobody may be writing one. */
export function removeHalfWritten(path: string): void {
  const [folder, name] = [dirname(path), basename(path)];
  if (!existsSync(folder)) return;
  for (const each of readdirSync(folder))
    if (each.startsWith(name) && HALF_WRITTEN.test(each.slice(name.length)))
      rmSync(join(folder, each), { force: true });
}

const HALF_WRITTEN = /^(\+[a-z-]+)?\.\d+\.tmp$/;

/** What is at a path; undefined where nothing is. Where a file stands in the place of a folder above it there is nothing either; for Node, asked with
 *  `throwIfNoEntry`, that is an error. */
export function statIfThere(path: string): Stats | undefined {
  return unlessFileAbove(() => statSync(path, { throwIfNoEntry: false }));
}

/** The same of a link itself. */
export function lstatIfThere(path: string): Stats | undefined {
  return unlessFileAbove(() => lstatSync(path, { throwIfNoEntry: false }));
}

function unlessFileAbove(look: () => Stats | undefined): Stats | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOTDIR") return undefined;
    throw error;
  }
}

/** The file's text, or null when there is none. */
export function readTextIfThere(path: string): string | null {
  // Often it is not there, and an error is dear.
  if (!existsSync(path)) return null;
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")) return null;
    throw error;
  }
}

/** Makes a folder and those above it, one by one. (Node's own recursive way never ends where the system answers ENOENT for a folder
 *  that it will not make, as below /proc.) */
export function ensureFolder(path: string): void {
  const missing: string[] = [];
  for (let at = path; !existsSync(at) && dirname(at) !== at; at = dirname(at)) missing.push(at);
  for (const folder of missing.toReversed()) {
    try {
      mkdirSync(folder);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
  }
}

/** Makes a folder that a person named, before anything starts there. Throws `environment`: what cannot be done there, and the hint. */
export function ensureNamedFolder(path: string, what: string, hint: string): void {
  try {
    ensureFolder(path);
    if (!statSync(path).isDirectory()) throw new Error("a file is there");
    accessSync(path, constants.W_OK);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new OwtError("environment", `${what} in ${path}: ${why}`, { hint, cause });
  }
}

/** Deletes a file; one that is not there is fine, and costs a tenth of what `rmSync` with `force` takes for it. */
export function removeFile(path: string): void {
  if (existsSync(path)) rmSync(path, { force: true });
}

/** Why a folder cannot be made, as the system's code for it: what keeps the nearest one above it that is there from being written. Null where nothing does. */
export function whyNotMade(folder: string): string | null {
  let at = dirname(folder);
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  try {
    accessSync(at, constants.W_OK);
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? null;
  }
}
