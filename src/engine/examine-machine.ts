/** What owt needs of this machine, with versions, and the line that installs or mends what is missing. */
import { accessSync, chmodSync, constants, existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Floor, floorBytes, USUAL_FLOOR } from "../core/room.ts";
import { renderDisk } from "../lib/size.ts";
import { userStateDir } from "../system/config-files.ts";
import { readDisk } from "../system/disk.ts";
import { exec } from "../system/exec.ts";
import { readTextIfThere } from "../system/files.ts";
import { probeLaunchMode } from "../system/launch.ts";
import { asRoot, installLine } from "../system/packages.ts";
import { isTooOld, OLDEST } from "../tmux/tmux.ts";
import { findProgram } from "../system/programs.ts";

/** One thing that was looked at. `absent`: not there, and nothing needs it. */
export type Finding = { check: string; state: "pass" | "warn" | "fail" | "absent"; detail: string; hint?: string };

/** What is said of a program that is not there. */
export const NOT_INSTALLED = "not installed";

const NEEDED_GIT = [2, 39];

/** Looks at the machine. With `fix`, mends what needs neither root nor any risk, and says so. */
export async function examineMachine(env: NodeJS.ProcessEnv, fix: boolean): Promise<Finding[]> {
  const [git, tmux, launch] = await Promise.all([examineGit(env), examineTmux(env), examineLaunch(env)]);
  return [examineNode(), git, tmux, launch, ...examineState(env, fix), ...examineWatches(env)];
}

/** `bin/owt.js` refuses an older one. */
function examineNode(): Finding {
  return { check: "node", state: "pass", detail: `${process.version}  ${process.execPath}` };
}

async function examineGit(env: NodeJS.ProcessEnv): Promise<Finding> {
  const path = findProgram("git", env);
  const hint = installLine("git", env);
  if (!path) return { check: "git", state: "fail", detail: NOT_INSTALLED, hint };
  const { stdout } = await exec(path, ["version"]);
  const version = /(\d+)\.(\d+)(\.\d+)?/.exec(stdout);
  const [major = 0, minor = 0] = [Number(version?.[1]), Number(version?.[2])];
  const enough = major > NEEDED_GIT[0]! || (major === NEEDED_GIT[0] && minor >= NEEDED_GIT[1]!);
  return enough
    ? { check: "git", state: "pass", detail: `${version?.[0]}  ${path}` }
    : { check: "git", state: "fail", detail: `${version?.[0]}, but 2.39 is needed`, hint };
}

async function examineTmux(env: NodeJS.ProcessEnv): Promise<Finding> {
  const path = findProgram("tmux", env);
  if (!path)
    return {
      check: "tmux",
      state: "absent",
      detail: "not installed; runs do without it",
      hint: installLine("tmux", env),
    };
  const { code, stdout } = await exec(path, ["-V"], { ok: [0, 1] });
  if (code !== 0)
    return { check: "tmux", state: "warn", detail: `${path} does not run`, hint: installLine("tmux", env) };
  if (isTooOld(stdout))
    return {
      check: "tmux",
      state: "warn",
      detail: `${stdout.trim()}, but sessions need ${OLDEST.join(".")}`,
      hint: installLine("tmux", env),
    };
  return { check: "tmux", state: "pass", detail: `${stdout.trim().replace(/^tmux /, "")}  ${path}` };
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
        ? installLine("unshare", env)
        : existsSync("/proc")
          ? `allow user namespaces: ${asRoot(env)}sysctl kernel.unprivileged_userns_clone=1`
          : "this system has neither pid namespaces nor cgroups",
  };
}

/** Where approvals are kept. Nobody else may write there, and owt has to. */
function examineState(env: NodeJS.ProcessEnv, fix: boolean): Finding[] {
  const folder = userStateDir(env);
  const check = "approvals";
  if (!existsSync(folder)) {
    const above = firstThere(folder);
    return isWritable(above)
      ? [{ check, state: "pass", detail: `${folder}, made when it is needed` }]
      : [{ check, state: "fail", detail: `${above} cannot be written`, hint: "name another: XDG_STATE_HOME=FOLDER" }];
  }
  if (!isWritable(folder))
    return [
      { check, state: "fail", detail: `${folder} cannot be written`, hint: "name another: XDG_STATE_HOME=FOLDER" },
    ];
  const open = [folder, join(folder, "approvals.json")].filter((path) => isWritableByOthers(path));
  if (open.length === 0) return [{ check, state: "pass", detail: folder }];
  const detail = `others on this machine may write ${open.join(" and ")}, and so approve what runs here`;
  if (!fix) return [{ check, state: "warn", detail, hint: "owt doctor --fix" }];
  for (const path of open) chmodSync(path, statSync(path).mode & 0o755);
  return [{ check, state: "pass", detail: `mended: only you may write ${open.join(" and ")} now` }];
}

function isWritableByOthers(path: string): boolean {
  return ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o022) !== 0;
}

/** What the system lets all programs of a user watch. Agents start test runners and development servers, which watch whole projects. */
function examineWatches(env: NodeJS.ProcessEnv): Finding[] {
  const limit = (name: string) => Number(readTextIfThere(`/proc/sys/fs/inotify/${name}`) ?? NaN);
  const [watches, instances] = [limit("max_user_watches"), limit("max_user_instances")];
  return Number.isNaN(watches) || Number.isNaN(instances) ? [] : [judgeWatches(watches, instances, asRoot(env))];
}

const ENOUGH_WATCHES = 65_536;
const ENOUGH_INSTANCES = 128;

export function judgeWatches(watches: number, instances: number, root: string): Finding {
  const check = "inotify";
  const detail = `${watches} watches, ${instances} instances`;
  const low = [
    ...(watches < ENOUGH_WATCHES ? ["fs.inotify.max_user_watches=524288"] : []),
    ...(instances < ENOUGH_INSTANCES ? ["fs.inotify.max_user_instances=512"] : []),
  ];
  if (low.length === 0) return { check, state: "pass", detail };
  const few = `${detail}: few, when the tests of several agents watch files at once`;
  return { check, state: "warn", detail: few, hint: `${root}sysctl ${low.join(" ")}` };
}

/** How much room is left where worktrees are made; below `floor` nothing new starts. */
export function examineDisk(folder: string, floor: Floor = USUAL_FLOOR): Finding {
  const at = firstThere(folder);
  const room = readDisk(at);
  if (!isWritable(at)) {
    const hint = 'name another folder: [run] worktree_directory = "…"';
    return { check: "disk", state: "fail", detail: `${at} cannot be written, and worktrees stand below it`, hint };
  }
  if (room === null) return { check: "disk", state: "warn", detail: `${at} does not tell how much room it has` };
  return judgeDisk(folder, room.freeBytes, room.freeEntries, floorBytes(floor, room.totalBytes));
}

/** `freeEntries` are files that can still be made; null where the file system has no limit. Below `keptBytes` nothing starts. */
export function judgeDisk(folder: string, freeBytes: number, freeEntries: number | null, keptBytes: number): Finding {
  const check = "disk";
  const room = freeBytes >= 1e9 ? `${(freeBytes / 1e9).toFixed(1)} GB` : `${Math.floor(freeBytes / 1e6)} MB`;
  const detail = `${room} free for worktrees in ${folder}`;
  const hint = 'make room, or name another place: [run] worktree_directory = "…"';
  if (freeBytes < keptBytes) {
    const short = `${detail}, but ${renderDisk(keptBytes)} are kept: nothing new starts ([resources] min_free_disk)`;
    return { check, state: "fail", detail: short, hint };
  }
  if (freeBytes < 2 * keptBytes) return { check, state: "warn", detail, hint };
  if (freeEntries !== null && freeEntries < 50_000)
    return { check, state: "warn", detail: `${detail}, but only ${freeEntries} more files`, hint };
  return { check, state: "pass", detail };
}

/** The folder, or the nearest one above it that exists. */
function firstThere(folder: string): string {
  let there = folder;
  while (!existsSync(there)) there = dirname(there);
  return there;
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
