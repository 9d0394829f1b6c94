/** Brings the dependencies of the projects in a worktree. */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { HOW_TO_GET } from "../core/project.ts";
import { detectProjects, SEARCH, type WantedInstall } from "../core/project-folders.ts";
import { lifecycleScripts, NOT_REUSED, type SetupSaid, type Way } from "../core/reuse.ts";
import { readTree } from "../git/commit.ts";
import { findPlace, readHead } from "../git/place.ts";
import { findToldFolders } from "../git/told-folders.ts";
import { MapPer } from "../lib/map-per.ts";
import {
  canClone,
  COPY_SCRIPT,
  copyArguments,
  type CopyWay,
  isSameDevice,
  mendLinks,
  placeCopies,
  STAGING,
} from "../system/copy-folders.ts";
import { installEnvironment } from "../system/environment.ts";
import { readTextIfThere } from "../system/files.ts";
import { findProgram } from "../system/programs.ts";
import { type CheckResult, runCheck } from "./check.ts";
import type { Engine } from "./engine.ts";
import { onStop } from "./stops.ts";
import {
  doubtNpm,
  findObstacle,
  findSource,
  nodeOf,
  readFacts,
  type Source,
  stampInstalled,
  unstamp,
} from "./reuse.ts";
import { shellWord } from "../lib/printable.ts";

type InstallPlace = {
  attempt: number;
  /** Of this one install. */
  dir: string;
  worktree: string;
  timeoutMs: number;
  tell?: (said: SetupSaid) => void;
};

/** The standard installs for what a worktree's commit holds, the top's first. `cut`: there is more than was looked at. */
export async function findInstalls(
  engine: Engine,
  worktree: string,
): Promise<{ installs: WantedInstall[]; cut: boolean }> {
  const place = findPlace(engine.repo, worktree);
  const oid = place === null ? null : (await readHead(engine.repo, place)).oid;
  if (oid === null) return { installs: [], cut: false };
  const told = await findToldFolders(engine.repo, await readTree(engine.repo, oid));
  if (told.folders.length === 0) return { installs: [], cut: told.cut };
  const { projects, cut } = detectProjects(told.folders);
  const env = installEnvironment(engine.env, engine.config.environment.pass);
  // Of a sparse checkout, and of what somebody deleted, there is nothing to install in.
  const there = projects.filter(({ folder }) => existsSync(join(worktree, folder)));
  const installs = there.flatMap(({ folder, installs: found, members }) =>
    found.map((install) => ({ folder, install, members, missing: findProgram(install.program, env) === null })),
  );
  return { installs, cut: told.cut || cut };
}

/** Makes the dependencies of one project, the fastest way that is safe. Null when they are there, and `missing` when they may be: then it is told why. */
export async function bringDependencies(
  engine: Engine,
  place: InstallPlace,
  wanted: WantedInstall,
): Promise<{ failed: string; output: string } | "interrupted" | "missing" | null> {
  const { folder, install } = wanted;
  const where = join(folder, install.lockfile);
  const warn = (text: string) => place.tell?.({ level: "warning", about: `${install.kind} ${where}`, text });
  const cwd = join(place.worktree, folder);
  if (wanted.missing) {
    const { program } = install;
    warn(
      `${program} is not installed here (${HOW_TO_GET[program]}), and ${where} needs it; then: cd ${shellWord(cwd)} && ${install.command}`,
    );
    return "missing";
  }
  const began = performance.now();
  const tell = (way: Way, why: string, from: string | null) =>
    place.tell?.({ level: "done", folder, lockfile: where, way, why, from, tookMs: performance.now() - began });
  unstamp(engine, place.worktree, folder);
  const copied = await copyOrWait(engine, place, wanted);
  if (copied === "interrupted") return copied;
  if ("from" in copied) {
    const problem = await runScripts(engine, place, wanted);
    if (problem !== null) return problem;
    await stampInstalled(engine, place.worktree, wanted);
    tell(copied.way, copied.why, copied.from);
    return null;
  }
  const result = await installHere(engine, place, wanted, copied.release);
  if (result === "interrupted") return result;
  if (result.code === 0) {
    tell("install", copied.none, null);
    return null;
  }
  if (install.isLocked) return { failed: install.command, output: result.output };
  // Nothing says exactly what belongs there: whether the work can do without, its checks will tell.
  const said = result.output.trim().split("\n").at(-1);
  warn(`${install.command} failed for ${where}, which has no lockfile: ${said}`);
  return "missing";
}

/** Installs of this process that are under way, by what they are made from. */
const underWay = new MapPer<Engine, string, Promise<unknown>>();

/** Tasks that start side by side need the same: one of them installs, and the others copy from it. */
async function copyOrWait(engine: Engine, place: InstallPlace, wanted: WantedInstall): Promise<Copied | "interrupted"> {
  const copied = await copyDependencies(engine, place, wanted);
  if (copied === "interrupted" || "from" in copied || whyInstall(engine, place.worktree, wanted) !== null)
    return copied;
  const mine = underWay.of(engine);
  const facts = readFacts(place.worktree, wanted);
  const other = mine.get(facts);
  if (other === undefined) {
    const over = Promise.withResolvers<void>();
    mine.set(facts, over.promise);
    const release = () => {
      mine.delete(facts);
      over.resolve();
    };
    return { ...copied, release };
  }
  const stopped = Promise.withResolvers<"interrupted">();
  const release = onStop(engine, place.attempt, () => stopped.resolve("interrupted"));
  const end = await Promise.race([other, stopped.promise]).finally(release);
  return end === "interrupted" ? end : copyDependencies(engine, place, wanted);
}

async function installHere(
  engine: Engine,
  place: InstallPlace,
  wanted: WantedInstall,
  release?: () => void,
): Promise<CheckResult> {
  const env = installEnvironment(engine.env, engine.config.environment.pass);
  const cwd = join(place.worktree, wanted.folder);
  try {
    const result = await runCheck(engine, { ...place, command: wanted.install.command, cwd, env });
    const isReusable = wanted.install.isLocked && NOT_REUSED[wanted.install.kind] === null;
    if (result !== "interrupted" && result.code === 0 && isReusable)
      await stampInstalled(engine, place.worktree, wanted);
    return result;
  } finally {
    release?.();
  }
}

/** `release`: others wait for the install that is made instead. */
type Copied = { way: CopyWay; why: string; from: string } | { none: string; release?: () => void };

/** Copies the dependencies from another checkout that provably has the same. Else says why not. */
async function copyDependencies(
  engine: Engine,
  place: InstallPlace,
  wanted: WantedInstall,
): Promise<Copied | "interrupted"> {
  const none = whyInstall(engine, place.worktree, wanted);
  if (none !== null) return { none };
  const found = await findSource(engine, place.worktree, wanted);
  if ("none" in found) return found;
  const { root, folders, isStill } = found.source;
  const lockfile = join(root, wanted.folder, wanted.install.lockfile);
  const chosen = chooseWay(engine.config.environment.dependencies, lockfile, root, place.worktree);
  if ("none" in chosen) return chosen;
  // Asked while the copy is made: it is part of what the copy is remembered by.
  void nodeOf(engine, join(place.worktree, wanted.folder));
  const stage = join(place.worktree, STAGING, basename(place.dir));
  const sources = folders.map((folder) => join(root, folder));
  const result = await runCheck(engine, {
    ...place,
    dir: `${place.dir}-copy`,
    command: COPY_SCRIPT,
    args: copyArguments(stage, chosen.way, sources),
    cwd: place.worktree,
  });
  if (result === "interrupted") return result;
  const trouble =
    result.code === 0
      ? await takeCopy(place.worktree, wanted, { root, folders, isStill, stage, sources })
      : result.output.trim();
  await rm(join(place.worktree, STAGING), { recursive: true, force: true });
  const why =
    root === engine.repo.root
      ? "the same lockfile is installed in the main checkout"
      : `the same lockfile is installed in ${root}`;
  return trouble === null ? { way: chosen.way, why, from: root } : { none: `the copy was no use: ${trouble}` };
}

/** Why a project is installed whatever other checkouts have; null where they are looked at. */
function whyInstall(engine: Engine, worktree: string, wanted: WantedInstall): string | null {
  if (engine.config.environment.dependencies === "install") return "[environment] dependencies says so";
  if (!wanted.install.isLocked) return "it has no lockfile";
  return NOT_REUSED[wanted.install.kind] ?? findObstacle(worktree, wanted);
}

/** The way that is wished, or the best one that the file system has. */
function chooseWay(wish: "auto" | Way, file: string, from: string, to: string): { way: CopyWay } | { none: string } {
  if (wish === "copy") return { way: wish };
  if (wish === "hardlink")
    return isSameDevice(from, to)
      ? { way: wish }
      : { none: `${from} is on another file system, so nothing can be linked` };
  if (canClone(file, to)) return { way: "clone" };
  return wish === "auto" ? { way: "copy" } : { none: "the file system cannot clone" };
}

/** Puts a copy in its place where it is what it seemed to be. Else says what is wrong with it, and takes it away. */
async function takeCopy(
  worktree: string,
  wanted: WantedInstall,
  { root, folders, isStill, stage, sources }: Source & { stage: string; sources: readonly string[] },
): Promise<string | null> {
  const stray = mendLinks(stage, sources, root, worktree);
  if (stray !== null) return `${stray} leads out of the checkout`;
  if (!isStill()) return `something was installed in ${root} meanwhile`;
  const targets = folders.map((folder) => join(worktree, folder));
  placeCopies(stage, targets);
  const doubt = wanted.install.kind === "npm" ? await doubtNpm(worktree, wanted) : null;
  if (doubt === null) return null;
  await Promise.all(targets.map((target) => rm(target, { recursive: true, force: true })));
  return `it ${doubt}`;
}

/** What a package manager runs after an install, run by itself: a copy lacks only that. */
async function runScripts(
  engine: Engine,
  place: InstallPlace,
  { folder, install }: WantedInstall,
): Promise<{ failed: string; output: string } | "interrupted" | null> {
  const cwd = join(place.worktree, folder);
  const env = installEnvironment(engine.env, engine.config.environment.pass);
  for (const name of lifecycleScripts(readTextIfThere(join(cwd, "package.json")) ?? "")) {
    // Who told npm to run no scripts at an install means these too.
    const command = '[ "$(npm config get ignore-scripts)" = true ] || exec npm run "$1"';
    const result = await runCheck(engine, { ...place, dir: `${place.dir}-${name}`, command, args: [name], cwd, env });
    if (result === "interrupted") return result;
    if (result.code !== 0) return { failed: `${install.kind} run ${name}`, output: result.output };
  }
  return null;
}

/** What to say where not everything was searched. */
export const CUT: SetupSaid = {
  level: "warning",
  about: "search",
  text: `projects were searched in the first ${SEARCH.folders} folders, and at most ${SEARCH.projects} are installed; install others with [environment] install_command`,
};
