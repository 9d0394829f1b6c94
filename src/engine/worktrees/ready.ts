/** What a worktree by hand has, so that one can begin at once: environment files, its own ports, dependencies. The same as a task of a run gets. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { OwtError } from "../../core/errors.ts";
import type { SetupSaid } from "../../core/reuse.ts";
import { findPlace, readHead } from "../../git/place.ts";
import { lastLines, readTail } from "../../lib/tail.ts";
import { grantsNeeded } from "../approvals.ts";
import type { Engine } from "../engine.ts";
import { bringEnvironmentFiles } from "../environment-files.ts";
import {
  dropBefore,
  forgetSetup,
  noteBefore,
  noteEmptyBefore,
  noteLeft,
  readSetup,
  type SetupProblem,
  setUp,
} from "../workspace.ts";
import { readySubmodules } from "../submodules.ts";
import { stoppedBy } from "../stops.ts";
import { leaseOrTell } from "../worktree-lease.ts";
import { fileNameFor } from "../../system/file-name.ts";

export type ReadyOptions = {
  deps: boolean;
  submodules: boolean;
  env: boolean;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  /** Is told how dependencies came, and what could not be done. */
  tell: (said: SetupSaid) => void;
};

/** Whether it is being made, and of which branch it is. */
type Wish = { isNew: boolean; branch?: string };

const SETUP_TIMEOUT_MS = 3_600_000;

/** Throws `tool-failed` where dependencies cannot be brought or a hook fails, and `interrupted`. Repeatable: what is there stays as it is. The
 *  caller has had {@link setupGrants} approved. */
export async function makeReady(engine: Engine, path: string, options: ReadyOptions & Wish): Promise<void> {
  const { deps, env, signal, tell, isNew } = options;
  // What is remembered is of an earlier one at this place, which plain git took away.
  if (isNew) forgetSetup(engine, path);
  if (options.submodules) await bringModules(engine, path, options);
  leaseOrTell(engine, path, tell);
  if (env) bringEnvironmentFiles(engine, path, tell);
  if ((await readSetup(engine, path, deps)).hash === "") return;
  if (isNew) noteEmptyBefore(engine, path);
  else await noteBefore(engine, path);
  const place = {
    attempt: nextNumber--,
    dir: setupDir(engine, path),
    worktree: path,
    timeoutMs: SETUP_TIMEOUT_MS,
    deps,
    again: !isNew,
    tell,
  };
  try {
    const problem = await stoppedBy(engine, place.attempt, signal, () => setUp(engine, place));
    if (problem !== null) dropBefore(engine, path);
    if (problem === "interrupted" || signal.aborted) throw new OwtError("interrupted", "interrupted");
    if (problem !== null) throw describeProblem(path, problem, options, keepLog(engine, path, place.dir));
    rmSync(logFile(engine, path), { force: true });
    await noteLeft(engine, path);
  } finally {
    // What was run there once is never run again: the next time may be another try, or the same lockfile after another one.
    rmSync(place.dir, { recursive: true, force: true });
  }
}

function describeProblem(
  path: string,
  { hook, failed, code, output }: SetupProblem,
  { isNew, branch }: Wish,
  log: string | null,
): OwtError {
  const said = log === null ? lastLines(output, 2 * SHOWN_LINES) : showEnds(readTail(log, SHOWN_BYTES), log);
  const again = `owt create ${branch ?? "<branch>"}`;
  if (hook === undefined)
    return new OwtError("tool-failed", `${path} could not be made ready: ${failed}\n${said}`, {
      hint: `mend it, or go without dependencies: ${again} --no-deps`,
    });
  const left = isNew ? "nothing of it was left" : "the worktree stays as it is";
  const what = `[hooks] ${hook} ended with exit code ${code}: ${failed}`;
  return new OwtError("tool-failed", `${path} could not be made ready (${left}): ${what}\n${said}`, {
    hint: `mend it (owt config show hooks.${hook}), then once more: ${again}`,
  });
}

/** Some commands say first what is wrong, others last. */
const SHOWN_LINES = 10;
const SHOWN_BYTES = 1 << 20;

function showEnds(text: string, log: string): string {
  const lines = text.trimEnd().split("\n");
  const left = lines.length - 2 * SHOWN_LINES;
  if (left <= 1) return lines.join("\n");
  const word = `… ${left} lines, all of it: ${log}`;
  return [...lines.slice(0, SHOWN_LINES), word, ...lines.slice(-SHOWN_LINES)].join("\n");
}

/** What the command that failed had printed, until the next try; null where it came to none. */
function keepLog(engine: Engine, path: string, dir: string): string | null {
  const outs = existsSync(dir) ? readdirSync(dir).map((name) => join(dir, name, "out")) : [];
  const last = outs.filter((out) => existsSync(out)).toSorted((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
  if (last === undefined) return null;
  const log = logFile(engine, path);
  mkdirSync(dirname(log), { recursive: true, mode: 0o700 });
  copyFileSync(last, log);
  return log;
}

function logFile(engine: Engine, path: string): string {
  return join(engine.repo.commonDir, "owt", "failed-setup", `${fileNameFor(path)}.log`);
}

/** First of all: what is installed may be in one of them. */
async function bringModules(engine: Engine, path: string, { signal, tell }: ReadyOptions): Promise<void> {
  const place = findPlace(engine.repo, path);
  const head = place === null ? null : (await readHead(engine.repo, place)).oid;
  if (place === null || head === null) return;
  try {
    await readySubmodules(engine, place, head, { asked: true, signal, tell });
  } catch (error) {
    if (signal.aborted) throw new OwtError("interrupted", "interrupted");
    throw error;
  }
}

/** No attempt of a task has such a number: several worktrees can be made at once. */
let nextNumber = -1;

/** Where the commands of a worktree's setup run; what they print lies there. */
export function setupDir(engine: Engine, path: string): string {
  return join(engine.repo.commonDir, "owt", "by-hand", fileNameFor(path));
}

/** What of the repository's own commands making and taking away a worktree runs. */
export function setupGrants(engine: Engine) {
  return grantsNeeded(engine, [], {}).filter(({ where }) => /install_command|\[hooks\]/.test(where));
}
