/** A run that goes on in a process of its own session: no terminal's end reaches it, and it leaves nothing but its log. */
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { OwtError } from "../core/errors.ts";
import { KEY_VARIABLE, SESSION_VARIABLE } from "../core/session-name.ts";
import { lastLines, readTail } from "../lib/tail.ts";
import { readBackground, recordBackground } from "../store/background.ts";
import { readRun } from "../store/runs.ts";
import { start } from "../system/exec.ts";
import { isAlive, thisProcess } from "../system/identity.ts";
import type { Engine } from "./engine.ts";
import { nextChange } from "./wake.ts";

/** `isNew` is false where the run had a background process already; `isOver`: the process has come to its end, because nothing was left to do. */
export type Background = { run: string; pid: number; log: string; isNew: boolean; isOver: boolean };

/** How often we look whether the process has begun. */
const LOOK_MS = 250;

/** Starts the process that carries the run from now on, or stands by while another does, and waits until it has begun. `configFile` is the one
 *  that the command line named. Throws `environment`, with its last words, where it ended instead. */
export async function goOnInBackground(engine: Engine, run: string, configFile: string | null): Promise<Background> {
  const log = backgroundLog(engine, run);
  const there = readBackground(engine.store, run);
  if (there && isAlive(there)) return { run, pid: there.pid, log, isNew: false, isOver: false };
  const [file, ...words] = engine.owtCommand;
  mkdirSync(join(log, ".."), { recursive: true, mode: 0o700 });
  const out = openSync(log, "a", 0o600);
  const options = configFile === null ? [] : ["--config", configFile];
  const child = start(file!, [...words, "carry", run, ...options], {
    cwd: engine.repo.here,
    // It outlives the tmux session that it may have been started in.
    env: { ...engine.env, [SESSION_VARIABLE]: undefined, [KEY_VARIABLE]: undefined },
    stdio: ["ignore", out, out],
  });
  closeSync(out);
  const ended = new Promise<void>((resolve) => {
    child.once("error", () => resolve());
    child.once("exit", () => resolve());
  });
  let isOver = false;
  void ended.then(() => (isOver = true));
  for (;;) {
    const change = nextChange(engine, engine.hurry);
    // Asked first: a run of a moment is over before we look.
    const wasOver = isOver;
    const now = readBackground(engine.store, run);
    if (child.pid !== undefined && now?.pid === child.pid) break;
    if (wasOver) {
      // Given several times at once, another one carries the run, or has carried it to its end.
      if (now && now.pid !== there?.pid && isAlive(now)) return { run, pid: now.pid, log, isNew: false, isOver: false };
      if ((now && now.pid !== there?.pid) || readRun(engine.store, run)?.state === "ended")
        return { run, pid: child.pid ?? now!.pid, log, isNew: true, isOver: true };
      throw couldNot(run, log);
    }
    await Promise.race([change.happened(LOOK_MS), ended]);
    change.now();
  }
  child.unref();
  return { run, pid: child.pid!, log, isNew: true, isOver: false };
}

function couldNot(run: string, log: string): OwtError {
  const said = lastLines(readTail(log, 4_096), 3).trim();
  return new OwtError("environment", `${run} could not go on in the background${said ? `: ${said}` : ""}`, {
    hint: `see how it fares in the foreground: owt resume ${run}`,
  });
}

/** Makes this process known as the one that carries a run in the background. The row outlives us: whoever started us may not have looked
 *  yet, and a process that is gone counts for nothing. */
export function beBackground(engine: Engine, run: string): void {
  recordBackground(engine.store, run, thisProcess());
}

/** What a background process says. */
function backgroundLog(engine: Engine, run: string): string {
  return join(logFolder(engine), `${run}.log`);
}

function logFolder(engine: Engine): string {
  return join(engine.repo.commonDir, "owt", "logs");
}

/** Deletes the logs that nobody has written to since then (epoch ms). */
export function pruneLogs(engine: Engine, before: number): void {
  const folder = logFolder(engine);
  for (const name of listIfThere(folder)) {
    const path = join(folder, name);
    if ((statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) < before) rmSync(path, { force: true });
  }
}

function listIfThere(folder: string): string[] {
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(folder) : [];
}
