/** Brings the dependencies of the projects in a worktree. */
import { join } from "node:path";
import { type FoundInstall, HOW_TO_GET } from "../core/project.ts";
import { detectProjects, SEARCH } from "../core/project-folders.ts";
import { readTree } from "../git/commit.ts";
import { findPlace, readHead } from "../git/place.ts";
import { findToldFolders } from "../git/told-folders.ts";
import { installEnvironment } from "../system/environment.ts";
import { findProgram } from "../system/programs.ts";
import { runCheck } from "./check.ts";
import type { Engine } from "./engine.ts";

/** One install in one folder of a worktree ("" is its top). `members` are folders that it covers; `missing`: the program is not there. */
export type WantedInstall = { folder: string; install: FoundInstall; members: readonly string[]; missing: boolean };

/** What a setup tells people. What is `about` the same thing need be said once in a run. */
export type SetupSaid = { level: "warning"; about: string; text: string };

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
  const installs = projects.flatMap(({ folder, installs: found, members }) =>
    found.map((install) => ({ folder, install, members, missing: findProgram(install.program, env) === null })),
  );
  return { installs, cut: told.cut || cut };
}

/** Makes the dependencies of one project. Null when they are there, or when they may be missing: then it is told. */
export async function bringDependencies(
  engine: Engine,
  place: InstallPlace,
  { folder, install, missing }: WantedInstall,
): Promise<{ failed: string; output: string } | "interrupted" | null> {
  const where = join(folder, install.lockfile);
  const warn = (text: string) => place.tell?.({ level: "warning", about: `${install.kind} ${where}`, text });
  const cwd = join(place.worktree, folder);
  if (missing) {
    warn(
      `${install.program} is not installed here (${HOW_TO_GET[install.program]}), and ${where} needs it; then: cd ${cwd} && ${install.command}`,
    );
    return null;
  }
  const env = installEnvironment(engine.env, engine.config.environment.pass);
  const result = await runCheck(engine, { ...place, command: install.command, cwd, env });
  if (result === "interrupted") return result;
  if (result.code === 0) return null;
  if (install.isLocked) return { failed: install.command, output: result.output };
  // Nothing says exactly what belongs there: whether the work can do without, its checks will tell.
  warn(`${install.command} failed for ${where}, which has no lockfile: ${result.output.trim().split("\n").at(-1)}`);
  return null;
}

/** What to say where not everything was searched. */
export const CUT: SetupSaid = {
  level: "warning",
  about: "search",
  text: `projects were searched in the first ${SEARCH.folders} folders, and at most ${SEARCH.projects} are installed; install others with [environment] install_command`,
};
