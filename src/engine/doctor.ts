/** Looks at what owt needs on this machine and in this repository, and names the line that installs or mends it. */
import { existsSync } from "node:fs";
import { exec } from "../system/exec.ts";
import { probeLaunchMode } from "../system/launch.ts";
import { findProgram } from "../system/programs.ts";

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
      : existsSync("/proc")
        ? "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1"
        : "this system has neither pid namespaces nor cgroups",
  };
}
