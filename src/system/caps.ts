/** The most memory and processor time that a launch may take with all that it starts, kept by the kernel: a cgroup of its own in the hierarchy of
 *  each controller, which the command enters before it begins. Both versions of control groups are in use: of version 2 only what is enabled
 *  already is taken, for who enables controllers is the system (systemd); version 1 has none of its rules about that. */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { OwtError } from "../core/errors.ts";
import {
  type ControllerName,
  findController,
  isOpenToUs,
  readFigure,
  readText,
  upwards,
  words,
} from "./controllers.ts";
import { readTextIfThere, writeFileAtomically } from "./files.ts";

/** Null is no cap. `cpus`: processors, such as 1.5. */
export type Caps = { memoryBytes: number | null; cpus: number | null };

type Place = { version: 1 | 2; parent: string };

/** Where launches can be capped; null for what cannot be. */
export type CapPlaces = Record<ControllerName, Place | null>;

let places: CapPlaces | undefined;

/** Looked up once per process. */
export function findCapPlaces(): CapPlaces {
  places ??= { memory: findPlace("memory"), cpu: findPlace("cpu") };
  return places;
}

function findPlace(name: ControllerName): Place | null {
  const controller = findController(name);
  if (controller === null) return null;
  const { version, folder } = controller;
  if (version === 1) return isOpenToUs(folder) ? { version, parent: folder } : null;
  // Its children have the controller, and we may move processes between it and them.
  const hands = (at: string) => words(readText(join(at, "cgroup.subtree_control"))).includes(name);
  const parent = upwards(controller).find((at) => hands(at) && isOpenToUs(at));
  return parent === undefined ? null : { version, parent };
}

/** What of these caps the system cannot keep, as the words of people. */
export function uncappable(caps: Caps): string[] {
  const { memory, cpu } = findCapPlaces();
  return [
    ...(caps.memoryBytes !== null && memory === null ? ["memory"] : []),
    ...(caps.cpus !== null && cpu === null ? ["processors"] : []),
  ];
}

/** Run as `sh -c CAP_SCRIPT owt-cap PROCS… -- COMMAND…`: enters the cgroups of these `cgroup.procs` and becomes the command. */
const CAP_SCRIPT = `
while [ "$1" != -- ]; do
  echo 0 >"$1" || exit 71
  shift
done
shift
exec "$@"
`;

/** Makes the cgroups for the launch of a folder and gives the command that enters them first; the same command where there is nothing to keep,
 *  or nothing that keeps it ({@link uncappable}). What is made is written down in the folder, for {@link readCapped}. Throws `environment`. */
export function capCommand(dir: string, caps: Caps, command: readonly string[]): string[] {
  const name = `owt-cap-${createHash("sha256").update(dir).digest("hex").slice(0, 16)}`;
  const wanted = [
    caps.memoryBytes === null ? null : { place: findCapPlaces().memory, write: writeMemory(caps.memoryBytes) },
    caps.cpus === null ? null : { place: findCapPlaces().cpu, write: writeCpus(caps.cpus) },
  ].filter((each) => each !== null);
  const made = wanted.flatMap(({ place, write }) =>
    place === null ? [] : [{ folder: join(place.parent, name), write: () => write(place, join(place.parent, name)) }],
  );
  if (made.length === 0) return [...command];
  const folders = [...new Set(made.map(({ folder }) => folder))];
  writeFileAtomically(join(dir, "caps"), folders.join("\n"));
  try {
    for (const folder of folders) if (!existsSync(folder)) mkdirSync(folder);
    for (const { write } of made) write();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const hint = "see: owt doctor; or leave max_memory and max_cpus of [agent] out";
    throw new OwtError("environment", `an agent cannot be capped: ${why}`, { hint, cause });
  }
  const procs = folders.map((folder) => join(folder, "cgroup.procs"));
  return ["sh", "-c", CAP_SCRIPT, "owt-cap", ...procs, "--", ...command];
}

function writeMemory(bytes: number) {
  return ({ version }: Place, folder: string): void => {
    if (version === 2) {
      writeFileSync(join(folder, "memory.max"), String(bytes));
      // All of it goes, not one process that the rest then waits for.
      writeIfThere(join(folder, "memory.oom.group"), "1");
      return;
    }
    writeFileSync(join(folder, "memory.limit_in_bytes"), String(bytes));
    // With swap, where that is counted.
    writeIfThere(join(folder, "memory.memsw.limit_in_bytes"), String(bytes));
  };
}

const PERIOD_US = 100_000;

function writeCpus(cpus: number) {
  return ({ version }: Place, folder: string): void => {
    // The kernel takes no less than a thousandth of a second (admin-guide/cgroup-v2, scheduler/sched-bwc).
    const quota = Math.max(1_000, Math.round(cpus * PERIOD_US));
    if (version === 2) writeFileSync(join(folder, "cpu.max"), `${quota} ${PERIOD_US}`);
    else {
      writeFileSync(join(folder, "cpu.cfs_period_us"), String(PERIOD_US));
      writeFileSync(join(folder, "cpu.cfs_quota_us"), String(quota));
    }
  };
}

function writeIfThere(path: string, text: string): void {
  try {
    if (existsSync(path)) writeFileSync(path, text);
  } catch {
    // The limit itself holds without it.
  }
}

/** How many processes of a capped launch the kernel ended for want of the memory allowed; 0 where it was not capped. */
export function readCapped(dir: string): number {
  return foldersOf(dir).reduce((sum, folder) => {
    const ofVersion2 = readFigure(join(folder, "memory.events"), "oom_kill");
    return sum + (ofVersion2 ?? readFigure(join(folder, "memory.oom_control"), "oom_kill") ?? 0);
  }, 0);
}

/** Takes the cgroups of a launch that has ended away. One in which something still lives stays. */
export function leaveCaps(dir: string): void {
  for (const folder of foldersOf(dir)) {
    try {
      rmdirSync(folder);
    } catch {
      // Gone already, or held by a process that is about to end: it holds nothing else up.
    }
  }
}

function foldersOf(dir: string): string[] {
  return (readTextIfThere(join(dir, "caps")) ?? "").split("\n").filter((line) => line !== "");
}
