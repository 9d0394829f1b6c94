/** Looks at what owt needs on this machine and in this repository, and names the line that installs or mends it. */
import { existsSync } from "node:fs";
import { exec } from "../system/exec.ts";
import { probeLaunchMode } from "../system/launch.ts";
import { findProgram } from "../system/programs.ts";
import type { Repo } from "../git/repo.ts";
import { findDamage, setStoreAside, storeFile } from "../store/database.ts";
import type { Engine } from "./engine.ts";
import { describeLostAgents, endLostAgents, findLostAgents } from "./lost-agents.ts";

export type Finding = { check: string; state: "pass" | "warn" | "fail"; detail: string; hint?: string };

const NEEDED_GIT = [2, 39];

export async function examine(env: NodeJS.ProcessEnv): Promise<Finding[]> {
  return [examineNode(), await examineGit(env), await examineLaunch(env)];
}

function examineNode(): Finding {
  return { check: "node", state: "pass", detail: process.version };
}

async function examineGit(env: NodeJS.ProcessEnv): Promise<Finding> {
  const path = findProgram("git", env);
  if (!path) return { check: "git", state: "fail", detail: "not found", hint: "apt-get install git" };
  const { stdout } = await exec(path, ["version"]);
  const version = /(\d+)\.(\d+)(\.\d+)?/.exec(stdout);
  const [major = 0, minor = 0] = [Number(version?.[1]), Number(version?.[2])];
  const enough = major > NEEDED_GIT[0]! || (major === NEEDED_GIT[0] && minor >= NEEDED_GIT[1]!);
  return enough
    ? { check: "git", state: "pass", detail: version?.[0] ?? "" }
    : { check: "git", state: "fail", detail: `${version?.[0]}, but 2.39 is needed`, hint: "apt-get install git" };
}

async function examineLaunch(env: NodeJS.ProcessEnv): Promise<Finding> {
  const mode = await probeLaunchMode(env["OWT_LAUNCH_MODE"]);
  if (mode !== "group")
    return {
      check: "process trees",
      state: "pass",
      detail: `a ${mode === "cgroup" ? mode : `pid ${mode.replace("-", " ")}`} owns each agent's processes`,
    };
  return {
    check: "process trees",
    state: "warn",
    detail: "process groups only: a process that leaves its group and clears its environment survives a stop",
    hint: env["OWT_LAUNCH_MODE"]
      ? "unset OWT_LAUNCH_MODE"
      : existsSync("/proc") && !findProgram("unshare", env)
        ? "apt-get install util-linux"
        : existsSync("/proc")
          ? "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1"
          : "this system has neither pid namespaces nor cgroups",
  };
}

/** Whether the store of this repository is whole. Nothing to say where there is none. */
export function examineStore({ repo }: Pick<Engine, "repo">): Finding[] {
  const file = storeFile(repo.commonDir);
  if (!existsSync(file)) return [];
  const damage = findDamage(repo.commonDir);
  if (damage === null) return [{ check: "store", state: "pass", detail: file }];
  const hint = "set it aside and begin a new one: owt doctor --fix";
  return [{ check: "store", state: "fail", detail: `${file} is damaged: ${damage}`, hint }];
}

/** Moves a damaged store out of the way and says where it is now. */
export function mendStore(repo: Pick<Repo, "commonDir">, at: number): Finding[] {
  if (findDamage(repo.commonDir) === null) return [];
  const aside = setStoreAside(repo.commonDir, at);
  const detail = `it was damaged and is kept as ${aside}; a run makes a new one, and branches and rescues stay as they are`;
  return [{ check: "store", state: "warn", detail, hint: "what is not landed: git branch --list 'owt/*'" }];
}

/** Agents that a lost store started and that live on; with `fix` they are ended. */
export async function examineLostAgents(engine: Engine, fix: boolean): Promise<Finding[]> {
  const lost = findLostAgents(engine);
  const told = describeLostAgents(lost);
  if (!told) return [];
  if (!fix) return [{ check: "lost agents", state: "warn", detail: told.text, hint: told.hint }];
  await endLostAgents(engine, lost);
  const detail = `${lost.length} ended; what they left is in their worktrees: git worktree list`;
  return [{ check: "lost agents", state: "pass", detail }];
}
