/** The kernel's controllers of memory and processor time, in either version of control groups: cgroups(7); kernel.org: admin-guide/cgroup-v2,
 *  admin-guide/cgroup-v1. A machine can have both at once, each controller in one of them. */
import { accessSync, constants, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

export type ControllerName = "memory" | "cpu";

/** Where a controller holds our own process: the folder of our cgroup, and the mount that it lies in. */
export type Controller = { version: 1 | 2; folder: string; mount: string };

const known = new Map<ControllerName, Controller | null>();

/** Our own cgroup of a controller; null where there is none. Looked up once per process. */
export function findController(name: ControllerName): Controller | null {
  if (!known.has(name))
    known.set(name, controllerIn(name, readText("/proc/self/mountinfo"), readText("/proc/self/cgroup"), readText));
  return known.get(name)!;
}

/** The same, from the texts of /proc/self/mountinfo and /proc/self/cgroup (proc(5), cgroups(7)). */
export function controllerIn(
  name: ControllerName,
  mountInfo: string,
  ownCgroups: string,
  read: (path: string) => string,
): Controller | null {
  const mounts = mountInfo.split("\n").flatMap((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root = "", place = ""] = before.split(" ").map(unescapeOctal);
    const [type = "", , options = ""] = after.split(" ");
    return root === "" ? [] : [{ root, place, type, options: options.split(",") }];
  });
  for (const line of ownCgroups.split("\n")) {
    const [, number, controllers = "", own = ""] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
    const version = number === "0" ? 2 : 1;
    if (version === 1 && !controllers.split(",").includes(name)) continue;
    for (const { root, place, type, options } of mounts) {
      if (version === 1 ? type !== "cgroup" || !options.includes(name) : type !== "cgroup2") continue;
      const above = root === "/" ? "" : root;
      if (own !== above && !own.startsWith(`${above}/`)) continue;
      const folder = join(place, own.slice(above.length)).replace(/\/$/, "");
      if (version === 2 && !words(read(join(folder, "cgroup.controllers"))).includes(name)) continue;
      return { version, folder, mount: place };
    }
  }
  return null;
}

/** The folder and those above it up to its mount, the nearest first. */
export function upwards({ folder, mount }: Controller): string[] {
  const all: string[] = [];
  for (let at = folder; at.startsWith(mount) && at !== dirname(at); at = dirname(at)) all.push(at);
  return all;
}

/** Whether we may make cgroups in a folder and move processes into them. */
export function isOpenToUs(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    accessSync(join(folder, "cgroup.procs"), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** A number that a file of the kernel's holds, or one of its lines names; null for anything else, `max` among it. */
export function readFigure(path: string, word?: string): number | null {
  const text = readText(path);
  const found = word === undefined ? text.trim() : text.split("\n").find((line) => line.startsWith(`${word} `));
  const figure = word === undefined ? found : found?.slice(word.length + 1);
  return figure !== undefined && /^\d+$/.test(figure) ? Number(figure) : null;
}

export function words(text: string): string[] {
  return text.trim().split(/\s+/);
}

export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** mountinfo writes blanks and backslashes as `\040` and `\134`. */
function unescapeOctal(word: string): string {
  return word.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
