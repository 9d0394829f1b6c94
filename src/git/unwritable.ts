/** Whether git can write where it keeps objects and refs: what a command under sudo left there, or a mode of its folder, can keep it from that. */
import { accessSync, constants, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { shellWord } from "../lib/printable.ts";
import type { Repo } from "./repo.ts";

/** A folder that cannot be written, why, and the command that helps. */
export type Unwritable = { path: string; why: string; command: string };

/** Folders of refs and of their logs, each with those of runs and tasks. */
const REFS = ["refs", "refs/heads", "refs/heads/owt", "refs/heads/owt/runs", "refs/heads/owt/tasks"];
const LOGS = REFS.map((path) => `logs/${path}`);

/** The first folder that git has to write to and cannot; null where there is none. `all`: with those that objects and logs lie in, which are many. */
export function findUnwritable(repo: Repo, { all }: { all: boolean }): Unwritable | null {
  const refs = repo.plainLayout ? REFS : [];
  const more = all ? [...(repo.plainLayout ? ["logs", ...LOGS] : []), "worktrees", ...objectFolders(repo)] : [];
  for (const name of ["", "objects", ...refs, ...more]) {
    const path = join(repo.commonDir, name);
    const code = refusal(path);
    if (code !== null) return describe(path, code);
  }
  return null;
}

function objectFolders(repo: Repo): string[] {
  try {
    const names = readdirSync(join(repo.commonDir, "objects"));
    return names.filter((name) => /^(?:[0-9a-f]{2}|pack)$/.test(name)).map((name) => `objects/${name}`);
  } catch {
    // It cannot be read, or is not there: git says more of that.
    return [];
  }
}

/** Why a folder cannot be written, as the system calls it; null where it can, or where none is there. */
function refusal(path: string): string | null {
  try {
    // A file in its place is another matter.
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return null;
    accessSync(path, constants.W_OK | constants.X_OK);
    return null;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    return REFUSED.has(code) ? code : null;
  }
}

const REFUSED = new Set(["EACCES", "EPERM", "EROFS"]);

function describe(path: string, code: string): Unwritable {
  const why = `git cannot write to ${path}`;
  const word = shellWord(path);
  if (code === "EROFS")
    return { path, why: `${why}, which is on a disk that is read-only`, command: `findmnt -T ${word}` };
  const owner = statSync(path, { throwIfNoEntry: false })?.uid;
  if (owner === undefined || owner === process.getuid?.())
    return { path, why: `${why}: its mode forbids it`, command: `chmod -R u+rwX ${word}` };
  const whose = owner === 0 ? "root" : `user ${owner}`;
  return { path, why: `${why}, which belongs to ${whose}`, command: `sudo chown -R "$(id -u)" ${word}` };
}
