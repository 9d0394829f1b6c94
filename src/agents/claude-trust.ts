/** Claude Code's question whether a folder is to be trusted, asked at its first start there. The answer stands in its own file, by the main
 *  checkout of a repository, and holds for all worktrees of it (measured on 2.1.329, whose own words name this place). It is a person's to give:
 *  nothing here is called without their consent. */
import { copyFileSync, existsSync, mkdirSync, realpathSync, rmdirSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { applyEdits, modify } from "jsonc-parser";
import { OwtError } from "../core/errors.ts";
import { readTextIfThere, writeFileAtomically } from "../system/files.ts";
import { claudeStateFile } from "./claude.ts";

/** `unknown`: the file has a shape that is not known here, or there is none yet; why says it. */
export type Trust = { state: "given" | "not-given" } | { state: "unknown"; why: string };

/** What Claude Code remembers of its user's answer for this main checkout. */
export function readTrust(env: NodeJS.ProcessEnv, root: string): Trust {
  const file = claudeStateFile(env);
  const text = readTextIfThere(file);
  if (text === null) return { state: "unknown", why: `there is no ${file}: start claude once` };
  return trustIn(text, root) ?? { state: "unknown", why: `${file} has a shape that owt does not know` };
}

/** Null where the shape is another than the known one. */
function trustIn(text: string, root: string): Trust | null {
  let projects: unknown;
  try {
    const whole: unknown = JSON.parse(text);
    if (!isObject(whole)) return null;
    projects = whole["projects"] ?? {};
  } catch {
    return null;
  }
  if (!isObject(projects) || !Object.values(projects).every(isObject)) return null;
  const answer = (projects[root] as Record<string, unknown> | undefined)?.["hasTrustDialogAccepted"] ?? false;
  return typeof answer === "boolean" ? { state: answer ? "given" : "not-given" } : null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Writes the answer for this main checkout, and nothing else: every other byte of the file stays. A copy of what was there before lies beside it, with
 *  `.before-owt` behind its name. Repeatable. Throws `environment` where the shape is not known or Claude Code is writing all the time. */
export async function giveTrust(env: NodeJS.ProcessEnv, root: string): Promise<void> {
  if (readTrust(env, root).state === "given") return;
  // It may be a link into somebody's collection of settings.
  const named = claudeStateFile(env);
  const file = existsSync(named) ? realpathSync(named) : named;
  await underItsLock(named, () => {
    const trust = readTrust(env, root);
    if (trust.state === "given") return;
    if (trust.state === "unknown")
      throw new OwtError("environment", `the answer was not written: ${trust.why}`, {
        hint: "answer Claude Code's own question at its next start, or: owt init --no-trust-claude",
      });
    const text = readTextIfThere(file)!;
    const path = ["projects", root, "hasTrustDialogAccepted"];
    // Without options for a format nothing but the answer is put in.
    const after = applyEdits(text, modify(text, path, true, {}));
    copyFileSync(file, `${file}.before-owt`);
    writeFileAtomically(file, after, { mode: statSync(file).mode & 0o777, durable: true });
  });
}

const LOCK_TRIES = 40;
const LOCK_PAUSE_MS = 50;

/** Claude Code writes the file under a lock, a folder beside it (seen on 2.1.329): a change of its own is not lost to ours. */
async function underItsLock(file: string, work: () => void): Promise<void> {
  const lock = `${file}.lock`;
  for (let tries = 1; !takeLock(lock); tries++) {
    if (tries === LOCK_TRIES)
      throw new OwtError("environment", `${file} is being written: ${lock} is there`, { hint: "again: owt init" });
    await sleep(LOCK_PAUSE_MS);
  }
  try {
    work();
  } finally {
    rmdirSync(lock);
  }
}

function takeLock(lock: string): boolean {
  try {
    mkdirSync(lock);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}
