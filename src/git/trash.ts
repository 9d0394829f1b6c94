/** What is to be deleted is first renamed out of the way (0.1 ms), then deleted behind everybody's back. Nothing gets here before it was
 *  found to be empty of work or was saved. Symbolic links are removed, never followed. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, writeFileSync } from "node:fs";
import { chmod, readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { runShort } from "./git.ts";
import { isOwnerAlive, ownerMark } from "./owner.ts";
import { hasCode } from "../lib/has-code.ts";

/** Where a repository keeps what it is about to delete. */
function trashDir(commonDir: string): string {
  return join(commonDir, "owt", "trash");
}

/** A place in the trash that is ours while we live. */
export function openTrash(commonDir: string): string {
  const bin = join(trashDir(commonDir), ownerMark());
  mkdirSync(bin, { recursive: true });
  return bin;
}

/** Takes a bin away that is empty again. Where something is left in it, the next process sweeps it. */
export function closeTrash(bin: string): void {
  try {
    rmdirSync(bin);
  } catch {
    // Something is left in it.
  }
}

/** Moves a path into the bin; on another file system, into a directory beside it that the bin remembers. A missing path is fine. */
export function moveToTrash(bin: string, path: string, name: string): void {
  try {
    renameSync(path, join(bin, name));
  } catch (error) {
    if (hasCode(error, "ENOENT") && !existsSync(path)) return;
    if (!hasCode(error, "EXDEV")) throw error;
    const beside = join(dirname(path), besideName(bin));
    writeFileSync(join(bin, `beside-${name}`), beside);
    renameSync(path, beside);
  }
}

function besideName(bin: string): string {
  return `.owt-trash-${basename(bin)}`;
}

/** Deletes a bin and what it remembers. Until `quiet` nobody waits for it. */
export async function emptyTrash(bin: string, quiet?: Promise<void>): Promise<void> {
  for (const name of namesIn(bin)) {
    if (!name.startsWith("beside-")) continue;
    const beside = readFileSync(join(bin, name), "utf8");
    if (basename(beside) === besideName(bin)) await deleteTree(beside);
  }
  await deleteTree(bin, quiet);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
}

/** Empties the bins of dead processes. */
export async function emptyDeadTrash(commonDir: string): Promise<number> {
  const dead = namesIn(trashDir(commonDir)).filter((name) => !isOwnerAlive(name));
  for (const name of dead) await emptyTrash(join(trashDir(commonDir), name));
  return dead.length;
}

type Wanted = { path: string; tried: (isGone: boolean) => void };
const wanted: Wanted[] = [];
let isDeleting = false;
/** Runs while all that is wanted is in no hurry. */
let patience: NodeJS.Timeout | null = null;

/** How many deletions are worth a process, and how long (ms) fewer wait for company. */
const ENOUGH = 8;
const PATIENCE = 250;

/** Another process does it at a third of the price, and not on the one thread that everything waits for; one for several. False where it
 *  could not. */
function deleteElsewhere(path: string, quiet?: Promise<void>): Promise<boolean> {
  return new Promise((tried) => {
    wanted.push({ path, tried });
    void quiet?.then(emptyNow);
    if (quiet === undefined || wanted.length >= ENOUGH) emptyNow();
    else patience ??= setTimeout(emptyNow, PATIENCE);
  });
}

/** Nothing waits for company any more. */
function emptyNow(): void {
  if (patience !== null) clearTimeout(patience);
  patience = null;
  if (!isDeleting) void deleteAll();
}

async function deleteAll(): Promise<void> {
  isDeleting = true;
  while (wanted.length > 0) {
    const batch = wanted.splice(0);
    const done = await runShort("rm", "-rf", "--", ...batch.map(({ path }) => path)).catch(() => null);
    // Where one stays, `rm` does not say which.
    for (const { path, tried } of batch) tried(done?.code === 0 || (batch.length > 1 && !existsSync(path)));
  }
  isDeleting = false;
}

/** Deletes a tree, also where an agent left directories without write permission (module caches do). */
export async function deleteTree(path: string, quiet?: Promise<void>): Promise<void> {
  if (await deleteElsewhere(path, quiet)) return;
  try {
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    if (!hasCode(error, "EACCES") && !hasCode(error, "EPERM")) throw error;
    await makeWritable(path);
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function makeWritable(directory: string): Promise<void> {
  await chmod(directory, 0o700);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) await makeWritable(join(directory, entry.name));
  }
}
