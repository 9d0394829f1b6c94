/** A program that does not want to be stopped: `node tree.ts FOLDER [stubborn]` starts seven kinds of process that outlive a careless stop, says `up`
 *  on stdout when all of them run, and stays; a stubborn one is itself deaf to TERM. Each of them works in FOLDER, and that is how {@link survivorsIn} counts them: a working
 *  directory is neither inherited by accident nor lost by a scrubbed environment, a new session or an ended parent. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** `LIVE NAME` tells that the shape NAME is up, then never ends by itself. */
const LIVE = `: >"up/$1"; while :; do sleep 0.2; done`;

/** How each shape begins, as a script whose $1 is its name and whose $0 is what it has to keep running. */
const SHAPES: Record<string, string> = {
  child: `exec sh -c "$0" sh "$1"`,
  grandchild: `sh -c 'sh -c "$0" sh "$1"; exit 0' "$0" "$1"; exit 0`,
  session: `exec setsid sh -c "$0" sh "$1"`,
  daemon: `(setsid sh -c 'sh -c "$0" sh "$1" & exit 0' "$0" "$1" &); exit 0`,
  nohup: `nohup sh -c "$0" sh "$1" >nohup.out 2>&1 & exit 0`,
  scrubbed: `(env -i setsid sh -c 'sh -c "$0" sh "$1" & exit 0' "$0" "$1" &); exit 0`,
  respawner: `trap '' TERM INT HUP; while :; do sh -c "trap '' TERM; $0" sh "$1"; done`,
};

/** The names of the seven shapes. */
export const SHAPE_NAMES: readonly string[] = Object.keys(SHAPES);

/** The processes that work in `folder` now, as /proc tells; a zombie works nowhere. Shares no code with what it judges. */
export function survivorsIn(folder: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => describe(pid, folder))
    .filter((line) => line !== undefined);
}

function describe(pid: string, folder: string): string | undefined {
  try {
    if (readlinkSync(`/proc/${pid}/cwd`) !== folder) return undefined;
    return `${pid} ${readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")}`;
  } catch {
    return undefined;
  }
}

async function grow(folder: string, stubborn: boolean): Promise<void> {
  if (stubborn) process.on("SIGTERM", () => {});
  mkdirSync(join(folder, "up"), { recursive: true });
  for (const [name, script] of Object.entries(SHAPES))
    spawn("sh", ["-c", script, LIVE, name], { cwd: folder, stdio: "ignore" });
  while (!SHAPE_NAMES.every((name) => existsSync(join(folder, "up", name)))) await sleep(10);
  process.stdout.write("up\n");
  await sleep(2 ** 31 - 1);
}

if (import.meta.main) await grow(process.argv[2]!, process.argv[3] === "stubborn");
