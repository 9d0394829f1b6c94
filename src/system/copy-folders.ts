/** Copies whole folders as fast as the file system can, so that one that was cut off never looks complete: into a staging folder, by processes
 *  that outlive us like a check does. Two `cp` beside each other took two thirds of the time of one, in memory and on ext4; `tar` took longer. */
import {
  constants,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";

/** `clone` shares the bytes until one side changes (copy on write); `hardlink` shares the files themselves. */
export type CopyWay = "copy" | "clone" | "hardlink";

/** In a worktree: where copies are made before they count. Git ignores it by a file that is in it. */
export const STAGING = ".owt-staging";

/** `$1` the staging folder, `$2` the options of cp, `$3` how many run side by side, then each source: copied into `1`, `2`, … there. Caches are left out: they name the place where
 *  they stand. The age of the folder itself stays, by which package managers tell whether it was touched. */
export const COPY_SCRIPT = `set -eu
stage=$1 options=$2 jobs=$3
shift 3
rm -rf -- "$stage"
mkdir -p -- "$stage"
printf '*\\n' >"$stage/.gitignore"
n=0
for source; do
  n=$((n + 1))
  mkdir -- "$stage/$n"
  cd -- "$source"
  find . ! -name . -prune ! -name .cache ! -name '.vite*' -print0 |
    xargs -0 -n 50 -P "$jobs" sh -c 'to=$0 options=$1; shift; [ $# -eq 0 ] || exec cp $options -- "$@" "$to/"' "$stage/$n" "$options"
  touch -r "$source" "$stage/$n"
done
cd -- "$stage"
find . -type l -print0 >links`;

/** The parameters of {@link COPY_SCRIPT}. */
export function copyArguments(stage: string, way: CopyWay, sources: readonly string[]): string[] {
  const options = (process.platform === "darwin" ? BSD : GNU)[way];
  return [stage, options, String(Math.min(MAX_JOBS, availableParallelism())), ...sources];
}

const MAX_JOBS = 4;

const GNU: Record<CopyWay, string> = {
  // With "never" it also leaves out copy_file_range, and takes a third longer.
  copy: "-a --reflink=auto",
  clone: "-a --reflink=always",
  hardlink: "-a --link",
};
const BSD: Record<CopyWay, string> = { copy: "-pPR", clone: "-cpPR", hardlink: "-plPR" };

/** Whether a file of one folder can be cloned into another one: tried, since only the file system knows. */
export function canClone(file: string, folder: string): boolean {
  const probe = join(folder, `${STAGING}-probe-${process.pid}`);
  try {
    copyFileSync(file, probe, constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(probe, { force: true });
  }
}

/** Whether two paths are on one file system. */
export function isSameDevice(a: string, b: string): boolean {
  return lstatSync(a).dev === lstatSync(b).dev;
}

/** Mends the symbolic links in copied folders: those that name a path below `from` now name the same below `to`. Returns a link whose target is
 *  nothing that `to` has: then the copy is no use. `sources` are those of the copy, in order. */
export function mendLinks(stage: string, sources: readonly string[], from: string, to: string): string | null {
  for (const link of readFileSync(join(stage, "links"), "utf8").split("\0").filter(Boolean)) {
    const [, at, ...rest] = link.split("/");
    const path = join(stage, link);
    const target = readlinkSync(path);
    const original = join(sources[Number(at) - 1]!, ...rest);
    const meant = resolve(dirname(original), target);
    const inside = relative(from, meant);
    const isInside = inside !== ".." && !inside.startsWith(`..${sep}`) && !isAbsolute(inside);
    if (!isAbsolute(target)) {
      if (!isInside) return join(...rest);
    } else if (isInside) {
      rmSync(path);
      symlinkSync(join(to, inside), path);
    }
  }
  return null;
}

/** Puts the copies in their places, the first one last: with it they look complete. Throws where something is there already. */
export function placeCopies(stage: string, targets: readonly string[]): void {
  for (const [at, target] of [...targets.entries()].toReversed()) {
    mkdirSync(dirname(target), { recursive: true });
    renameSync(join(stage, String(at + 1)), target);
  }
  rmSync(stage, { recursive: true, force: true });
}
