/** What in a worktree needs no saving, and how it is told from what somebody wrote. */
import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { lstatIfThere } from "../system/files.ts";
import { join } from "node:path";

export type Known =
  /** A file or directory from the worktree's top, whatever it holds. */
  string | KnownFolder;

/** Folders, wherever they are, by what tells them. */
export type KnownFolder = {
  /** The end of their path; none where what they hold says it. */
  name?: string;
  /** A file that is in them, and what that begins with. */
  holds?: { file: string; begins: string };
  /** Only at the top, and only by its name: it goes like the others, but is kept where all is to be kept. */
  isBuild?: true;
};

/** How a path is known, and the folder that makes it so, with `/` at its end. */
export type Kind = { kind: "ours" | "tools" | "build"; folder: string };

/** What a path (a directory ends in `/`) is, or what it lies in; null for what somebody may have written. */
export function kindOf(root: string, path: string, known: readonly Known[]): Kind | null {
  const parts = path.replace(/\/+$/, "").split("/");
  for (const [at] of parts.entries()) {
    const found = kindOfItself(root, parts.slice(0, at + 1).join("/"), known);
    if (found !== null) return found;
  }
  return null;
}

/** The same, where what it lies in is known to be none. */
export function kindOfItself(root: string, path: string, known: readonly Known[]): Kind | null {
  const bare = path.replace(/\/+$/, "");
  for (const each of known) {
    if (typeof each === "string") {
      if (each.replace(/\/+$/, "") === bare) return { kind: "ours", folder: `${bare}/` };
    } else if (isSuch(root, bare, each)) {
      return { kind: each.isBuild === true ? "build" : "tools", folder: `${bare}/` };
    }
  }
  return null;
}

/** Whether a path is known, or lies in what is. */
export function isKnown(root: string, path: string, known: readonly Known[]): boolean {
  return kindOf(root, path, known) !== null;
}

/** Whether an ignored file or directory (`/` at its end) holds something that is not in `known`. `into` is given the folders that are. */
export function holdsUnknown(root: string, path: string, known: readonly Known[], into: Kind[] = []): boolean {
  return isUnknown(root, path, known, into, kindOf(root, path, known));
}

function isUnknown(root: string, path: string, known: readonly Known[], into: Kind[], kind: Kind | null): boolean {
  if (kind !== null) into.push(kind);
  if (kind !== null || !path.endsWith("/")) return kind === null;
  return readdirSync(join(root, path), { withFileTypes: true }).some((entry) => {
    // What nothing can keep (`not-files.ts`) keeps nothing.
    if (!(entry.isFile() || entry.isDirectory() || entry.isSymbolicLink())) return false;
    const below = `${path}${entry.name}${entry.isDirectory() ? "/" : ""}`;
    return isUnknown(root, below, known, into, kindOfItself(root, below, known));
  });
}

/** A link in the place of dependencies is as good as they; any other is somebody's. */
function isSuch(root: string, path: string, { name, holds, isBuild }: KnownFolder): boolean {
  if (name !== undefined && path !== name && (isBuild === true || !path.endsWith(`/${name}`))) return false;
  const full = join(root, path);
  const stat = lstatIfThere(full);
  const isLink = stat?.isSymbolicLink() === true && name !== undefined && isBuild !== true;
  if (stat?.isDirectory() !== true && !isLink) return false;
  return holds === undefined || begins(join(full, holds.file), holds.begins);
}

function begins(path: string, text: string): boolean {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return false;
  }
  try {
    const start = Buffer.alloc(Buffer.byteLength(text));
    return readSync(file, start) === start.length && start.toString("utf8") === text;
  } catch {
    return false;
  } finally {
    closeSync(file);
  }
}
