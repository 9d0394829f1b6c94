/** The file to which an interactive agent's hooks append a line whenever its state changes. Only its hooks write it; we read it. One of a
 *  session of ours lies with our own files; one of a Claude Code that somebody started by hand, where the plugin's hooks are installed, in the
 *  worktree's git directory. */
import { randomUUID } from "node:crypto";
import { appendFileSync, existsSync, linkSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { BACK_WITHIN_MS } from "../core/session-health.ts";
import type { FirstWords } from "../core/session-state.ts";
import { readBehind, readTail } from "../lib/tail.ts";
import { adminIds, findPlace, isMainPlace } from "../git/place.ts";
import { ensureFolder, readTextIfThere, removeFile, writeFileAtomically } from "../system/files.ts";
import { readHookScript } from "../system/plugin-files.ts";
import type { Engine } from "./engine.ts";
import { spoolFolder } from "./spool-folder.ts";
import { fileNameFor } from "../system/file-name.ts";

/** What is read of it: events of the last hours, each of a few hundred bytes. */
const TAIL_BYTES = 256 * 1024;

/** Has it there, private, and gives its path, with those of the settings and the script which go with it. What an earlier agent of the worktree
 *  left stays: it may be the same conversation. */
export function beginSpool(engine: Pick<Engine, "repo">, worktree: string) {
  ensureFolder(spoolFolder(engine));
  nameSpool(engine, worktree);
  forgetNameless(engine);
  const file = spoolFile(engine, worktree);
  appendFileSync(file, "", { mode: 0o600 });
  // A copy: the package may be replaced while the session goes on.
  const script = join(spoolFolder(engine), "+hook.sh");
  writeFileAtomically(script, readHookScript());
  return { file, settings: settingsFile(file), script };
}

export type Spool = {
  /** Its last lines, oldest first. */
  lines: string[];
  /** When it was written to last; epoch ms. */
  at: number;
};

/** Null where there is none. */
export function readSpool(engine: Pick<Engine, "repo">, worktree: string): Spool | null {
  return readLines(spoolFile(engine, worktree));
}

/** That of a Claude Code which was started by hand; null where there was none. */
export function readHandSpool(engine: Pick<Engine, "repo">, worktree: string): Spool | null {
  const file = handSpoolFile(engine, worktree);
  return file === null ? null : readLines(file);
}

function readLines(file: string): Spool | null {
  if (!existsSync(file)) return null;
  return { lines: readTail(file, TAIL_BYTES).split("\n"), at: statSync(file).mtimeMs };
}

/** How far that of a worktree's session is written, in bytes. */
export function spoolEnd(engine: Pick<Engine, "repo">, worktree: string): number {
  return statSync(spoolFile(engine, worktree), { throwIfNoEntry: false })?.size ?? 0;
}

/** Its lines behind that, oldest first. */
export function linesBehind(engine: Pick<Engine, "repo">, worktree: string, end: number): string[] {
  return readBehind(spoolFile(engine, worktree), end).split("\n");
}

/** Until the other is called no tool of the worktree's agent begins: its hook waits for whoever types. A process that dies meanwhile is not waited for. */
export function holdTools(engine: Pick<Engine, "repo">, worktree: string): () => void {
  const file = `${spoolFile(engine, worktree)}${SENDING}${process.pid}`;
  ensureFolder(spoolFolder(engine));
  appendFileSync(file, "", { mode: 0o600 });
  return () => removeFile(file);
}

/** No encoded path has a `+`. */
const SENDING = "+sending.";

export type AskPipe = { file: string; pid: number; isByHand: boolean };

/** The pipes on which agents of a worktree wait for an answer, by the pids of the hooks that read them. Beside each lies `.of`, which tells the
 *  request from others, and soon `.text`, with what is asked, secrets left out. */
export function listAskPipes(engine: Pick<Engine, "repo">, worktree: string): AskPipe[] {
  const byHand = handSpoolFile(engine, worktree);
  return [
    ...pipesOf(spoolFile(engine, worktree)).map((pipe) => ({ ...pipe, isByHand: false })),
    ...(byHand === null ? [] : pipesOf(byHand)).map((pipe) => ({ ...pipe, isByHand: true })),
  ];
}

function pipesOf(spool: string): { file: string; pid: number }[] {
  const folder = dirname(spool);
  if (!existsSync(folder)) return [];
  const before = `${basename(spool)}+ask.`;
  return readdirSync(folder)
    .filter((name) => name.startsWith(before) && /^\d+$/.test(name.slice(before.length)))
    .map((name) => ({ file: join(folder, name), pid: Number(name.slice(before.length)) }));
}

/** Notes that the agent of a worktree's session was started again after its end. */
export function noteBack(engine: Pick<Engine, "repo">, worktree: string, at: number): void {
  ensureFolder(spoolFolder(engine));
  appendFileSync(backsFile(spoolFile(engine, worktree)), `${at}\n`, { mode: 0o600 });
}

/** When that was, of late, oldest first; epoch ms. */
export function recentBacks(engine: Pick<Engine, "repo">, worktree: string, now = Date.now()): number[] {
  const file = backsFile(spoolFile(engine, worktree));
  if (!existsSync(file)) return [];
  const times = readTail(file, 4_096).split("\n").map(Number);
  return times.filter((at) => at > 0 && now - at < BACK_WITHIN_MS);
}

function backsFile(spool: string): string {
  return `${spool}+backs`;
}

/** What the agent of a worktree was told with its start, until it is known that it has it; private, as it stands there. `isHeard`: the spool has told
 *  of that start. `wasBusy`: it was ended by us while it was at work. */
export type Owed = FirstWords & { isHeard: boolean; wasBusy: boolean };

export function noteOwed(engine: Pick<Engine, "repo">, worktree: string, owed: Owed | null): void {
  const file = owedFile(spoolFile(engine, worktree));
  if (owed === null) removeFile(file);
  else writeFileAtomically(file, JSON.stringify(owed));
}

export function readOwed(engine: Pick<Engine, "repo">, worktree: string): Owed | null {
  const text = readTextIfThere(owedFile(spoolFile(engine, worktree)));
  return text === null ? null : (JSON.parse(text) as Owed);
}

function owedFile(spool: string): string {
  return `${spool}+owed`;
}

export function forgetSpool(engine: Pick<Engine, "repo">, worktree: string): void {
  const file = spoolFile(engine, worktree);
  const pipes = pipesOf(file).flatMap(({ file: pipe }) => [
    pipe,
    ...[".of", ".new", ".text"].map((end) => `${pipe}${end}`),
  ]);
  for (const each of [file, settingsFile(file), backsFile(file), owedFile(file), ...pipes]) removeFile(each);
}

/** Where the agent of a worktree's session tells; there or not. It goes by git's entry of the worktree and not by its path: an agent goes on telling where it
 *  began to, wherever its worktree is moved, and another worktree may stand in the old place. */
export function spoolFile(engine: Pick<Engine, "repo">, worktree: string): string {
  return join(spoolFolder(engine), spoolName(engine, worktree) ?? fileNameFor(worktree));
}

/** Null where the worktree has none yet. Neither an encoded path, nor a name of ours, has a `+`. */
function spoolName({ repo }: Pick<Engine, "repo">, worktree: string): string | null {
  const place = findPlace(repo, worktree);
  if (place === null) return null;
  return isMainPlace(place) ? MAIN : readName(place.gitDir);
}

const MAIN = "main";
/** File of git's entry of a worktree that holds the name of its spool. An entry's own name is given anew when it has gone. */
const SPOOL_NAME = "owt-session";

function readName(gitDir: string): string | null {
  return readTextIfThere(join(gitDir, SPOOL_NAME))?.trim() || null;
}

/** Gives a worktree a name for its spool. Of two processes at once one wins. */
function nameSpool(engine: Pick<Engine, "repo">, worktree: string): void {
  const place = findPlace(engine.repo, worktree);
  if (place === null || spoolName(engine, worktree) !== null) return;
  const file = join(place.gitDir, SPOOL_NAME);
  const mine = `${file}.${process.pid}`;
  writeFileSync(mine, `${randomUUID()}\n`, { mode: 0o600 });
  try {
    linkSync(mine, file);
  } catch (error) {
    if (!existsSync(file)) throw error;
  } finally {
    removeFile(mine);
  }
}

/** Takes away what is left of worktrees that have gone by another hand. */
function forgetNameless({ repo }: Pick<Engine, "repo">): void {
  const folder = spoolFolder({ repo });
  const files = readdirSync(folder).filter((name) => UNIQUE.test(name));
  if (files.length === 0) return;
  const names = new Set(adminIds(repo).map((id) => readName(join(repo.commonDir, "worktrees", id))));
  for (const file of files) if (!names.has(file.split("+")[0]!)) removeFile(join(folder, file));
}

const UNIQUE = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\+|$)/;

/** Its name in a worktree's git directory. */
export const HAND_SPOOL = "owt-spool";

/** The script of the hooks writes there: plugin/hooks/owt.sh. It goes with the worktree. */
function handSpoolFile({ repo }: Pick<Engine, "repo">, worktree: string): string | null {
  const place = findPlace(repo, worktree);
  return place === null ? null : join(place.gitDir, HAND_SPOOL);
}

/** No encoded path has a `+`. */
function settingsFile(spool: string): string {
  return `${spool}+settings.json`;
}
