/** The file to which an interactive agent's hooks append a line whenever its state changes. Only its hooks write it; we read it. */
import { appendFileSync, existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { readTail } from "../lib/tail.ts";
import { ensureFolder, removeFile } from "../system/files.ts";
import type { Engine } from "./engine.ts";

/** What is read of it: events of the last hours, each of a few hundred bytes. */
const TAIL_BYTES = 256 * 1024;

/** Has it there, private, and gives its path, with that of the settings which go with it. What an earlier agent of the worktree left stays: it
 *  may be the same conversation. */
export function beginSpool(engine: Pick<Engine, "repo">, worktree: string): { file: string; settings: string } {
  const file = spoolFile(engine, worktree);
  ensureFolder(spoolFolder(engine));
  appendFileSync(file, "", { mode: 0o600 });
  return { file, settings: settingsFile(file) };
}

/** Its last lines, oldest first, and when it was written to last (epoch ms); null where there is none. */
export function readSpool(engine: Pick<Engine, "repo">, worktree: string): { lines: string[]; at: number } | null {
  const file = spoolFile(engine, worktree);
  if (!existsSync(file)) return null;
  return { lines: readTail(file, TAIL_BYTES).split("\n"), at: statSync(file).mtimeMs };
}

export function forgetSpool(engine: Pick<Engine, "repo">, worktree: string): void {
  const file = spoolFile(engine, worktree);
  for (const each of [file, settingsFile(file)]) removeFile(each);
}

/** The folder in which all of them lie, to be watched. */
export function spoolFolder({ repo }: Pick<Engine, "repo">): string {
  return join(repo.commonDir, "owt", "sessions");
}

function spoolFile(engine: Pick<Engine, "repo">, worktree: string): string {
  return join(spoolFolder(engine), encodeURIComponent(worktree));
}

/** No encoded path has a `+`. */
function settingsFile(spool: string): string {
  return `${spool}+settings.json`;
}
