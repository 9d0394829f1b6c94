/** Control groups, version 2 (cgroups(7); kernel.org: admin-guide/cgroup-v2): a folder of the kernel's holds a process tree. A child is born
 *  into its parent's, whatever it does to its session, group, environment or parent, and one write kills all of them. We enable no
 *  controller, so the rule against processes in inner nodes does not concern us.
 *
 *  It finds a tree, it does not lock it in: whoever may write the common parent's `cgroup.procs` (root, and mostly the user who made
 *  the cgroup) can move itself out. A pid namespace has no such door, therefore it comes first. */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

let parent: { path: string | undefined } | undefined;

/** Our own cgroup, as a folder in which we may make others and between which and them we may move processes; undefined where there is none.
 *  Looked up once per process. Whether it works in full, only a launch tells. */
export function findCgroupParent(): string | undefined {
  parent ??= { path: cgroupFolders(read("/proc/self/mountinfo"), read("/proc/self/cgroup")).find(isOurs) };
  return parent.path;
}

/** Where our own cgroup may be seen, one folder for each mount of cgroup2: /sys/fs/cgroup, or where the old hierarchies have that place,
 *  /sys/fs/cgroup/unified. The texts are /proc/self/mountinfo (proc(5): field 4 is the mounted part, 5 the place, the type follows
 *  a lone dash) and /proc/self/cgroup (version 2 has number 0). */
export function cgroupFolders(mountInfo: string, ownCgroups: string): string[] {
  const own = /^0::(\/.*)$/m.exec(ownCgroups)?.[1];
  // Outside of what our cgroup namespace shows.
  if (own === undefined || own.startsWith("/..")) return [];
  const mounts = mountInfo.split("\n").filter((line) => line.includes(" - cgroup2 "));
  return mounts.flatMap((line) => {
    const [, , , root = "", place = ""] = line.split(" ").map(unescapeOctal);
    const above = root === "/" ? "" : root;
    const isBelow = own === above || own.startsWith(`${above}/`);
    return isBelow ? [join(place, own.slice(above.length)).replace(/\/$/, "")] : [];
  });
}

/** The processes in a cgroup and in those below it; none where there is no such cgroup. */
export function membersOf(cgroup: string): number[] {
  const own = read(join(cgroup, "cgroup.procs")).split("\n").filter(Boolean).map(Number);
  return [...own, ...cgroupsIn(cgroup).flatMap(membersOf)];
}

/** Kills every process in a cgroup and in those below it, forks in flight included (Linux 5.14). They are gone a moment later. */
export function killCgroup(cgroup: string): void {
  try {
    // The file is for writing only, and must not be made where the path is no cgroup.
    const file = openSync(join(cgroup, "cgroup.kill"), constants.O_WRONLY);
    try {
      writeSync(file, "1");
    } finally {
      closeSync(file);
    }
  } catch {
    // No such cgroup (any more).
  }
}

/** Removes a cgroup and those below it; false where one still has a process, which the kernel does not allow. Zombies do not count. */
export function removeCgroup(cgroup: string): boolean {
  if (!existsSync(join(cgroup, "cgroup.kill"))) return true;
  for (const below of cgroupsIn(cgroup)) removeCgroup(below);
  try {
    rmdirSync(cgroup);
    return true;
  } catch {
    return !existsSync(cgroup);
  }
}

function cgroupsIn(cgroup: string): string[] {
  try {
    return readdirSync(cgroup, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(cgroup, entry.name));
  } catch {
    return [];
  }
}

function isOurs(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    accessSync(join(folder, "cgroup.procs"), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** mountinfo writes blanks and backslashes as `\040` and `\134`. */
function unescapeOctal(word: string): string {
  return word.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
