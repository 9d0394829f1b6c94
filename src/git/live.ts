/** The two git processes that a repository keeps: one reads refs and objects, one moves refs. A spawned `rev-parse` or `update-ref` costs
 *  about 2 ms and blocks Node; these answer in 0.1–0.2 ms. They survive gc, repack and pack-refs beside them. */
import { closeSync, existsSync, fsyncSync, lstatSync, openSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { OwtError } from "../core/errors.ts";
import { cleanEnv, gitFlags, identityEnv, type Oid } from "./git.ts";
import { shellWord } from "../lib/printable.ts";
import { LiveEnded, LiveProcess, type Take } from "../system/live-process.ts";

export type ObjectInfo = { oid: Oid; type: string; size: number };
export type GitObject = ObjectInfo & { content: Buffer };

/** One ref's compare-and-set. `from: null` is "must not exist", `to: null` is "delete". */
export type RefChange = { ref: string; from: Oid | null; to: Oid | null };

/** How often a ref is tried anew when somebody else holds its lock for a moment. */
const LOCK_TRIES = 5;

/** What whoever takes a ref away holds, beside the lock on that. For it git itself waits a second. */
export const PACKED_LOCK = "packed-refs.lock";
const PACKED_TRIES = 2;

export class Live {
  readonly #reader: LiveProcess;
  readonly #writer: LiveProcess;
  readonly #commonDir: string;
  /** The lock on packed refs that was not given back when we waited for it. */
  #packedHeld: string | null = null;

  constructor(commonDir: string) {
    this.#commonDir = commonDir;
    const env = () => ({ ...cleanEnv(), GIT_DIR: commonDir });
    this.#reader = new LiveProcess("git cat-file", () => ({
      file: "git",
      args: [...gitFlags(false), "cat-file", "--batch-command"],
      cwd: commonDir,
      env: env(),
    }));
    this.#writer = new LiveProcess("git update-ref", () => ({
      file: "git",
      args: [...gitFlags(true), "update-ref", "--stdin", "-m", "owt"],
      cwd: commonDir,
      env: { ...env(), ...identityEnv({ name: "Open Orchestrator", email: "owt@localhost" }) },
    }));
  }

  /** Has both started while something else is done. */
  expect(): void {
    this.#reader.expect();
    this.#writer.expect();
  }

  /** What a name (ref, object id, `oid:path`) points to; null when there is no such thing. */
  async info(name: string): Promise<ObjectInfo | null> {
    return this.#reader.request(`info ${oneLine(name)}\n`, takeInfo(name));
  }

  /** An object with its bytes; null when there is no such thing. */
  async contents(name: string): Promise<GitObject | null> {
    return this.#reader.request(`contents ${oneLine(name)}\n`, takeContents(name));
  }

  /** Moves refs, all or none, durably. `false`: one of them was not where it was said to be. */
  async updateRefs(changes: readonly RefChange[]): Promise<boolean> {
    const isPackedHeld = changes.some(({ to }) => to === null) && this.#isPackedHeld();
    if (isPackedHeld) throw lockedBy(this.#packedLock);
    const text = `start\n${changes.map(renderChange).join("")}commit\n`;
    for (let tries = 1; ; tries++) {
      try {
        await this.#writer.request(text, takeCommitted);
        this.#syncDirectories(changes);
        return true;
      } catch (error) {
        if (!(error instanceof LiveEnded)) throw error;
        if (await this.#someMoved(changes)) return false;
        const isPacked = error.said.includes(`/${PACKED_LOCK}'`);
        if (tries < (isPacked ? PACKED_TRIES : LOCK_TRIES) && error.said.includes(".lock")) continue;
        if (isPacked) this.#packedHeld = lockIdentity(this.#packedLock);
        throw this.#nameLock(changes, error.said) ?? error;
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#reader.close(), this.#writer.close()]);
  }

  /** git's message is for people; where the refs stand tells a lost race from a real failure. */
  async #someMoved(changes: readonly RefChange[]): Promise<boolean> {
    for (const change of changes) {
      if (((await this.info(change.ref))?.oid ?? null) !== change.from) return true;
    }
    return false;
  }

  /** A lock that is still there was left by a git that was killed, or is held by one that hangs. */
  #nameLock(changes: readonly RefChange[], said: string): OwtError | null {
    const locks = changes.map(({ ref }) => join(this.#commonDir, `${ref}.lock`));
    // With a branch go HEAD, where it is on that, and the file of packed refs.
    const named = /Unable to create '(\/.+\.lock)': File exists/.exec(said)?.[1];
    const lock = [...locks, ...(named === undefined ? [] : [named])].find((path) => existsSync(path));
    if (lock === undefined) return null;
    return lockedBy(lock);
  }

  get #packedLock(): string {
    return join(this.#commonDir, PACKED_LOCK);
  }

  /** Whether the lock is still there for which was waited in vain. */
  #isPackedHeld(): boolean {
    return this.#packedHeld !== null && lockIdentity(this.#packedLock) === this.#packedHeld;
  }

  /** git syncs the ref but never the directory that got its name. */
  #syncDirectories(changes: readonly RefChange[]): void {
    const directories = new Set<string>();
    for (const { ref, from, to } of changes) {
      if (to === null) continue;
      const stop = join(this.#commonDir, "refs");
      let dir = dirname(join(this.#commonDir, ref));
      directories.add(dir);
      // Only a new ref can have brought new directories with it.
      while (from === null && dirname(dir).startsWith(stop + sep)) directories.add((dir = dirname(dir)));
    }
    for (const directory of directories) syncDirectory(directory);
  }
}

function lockedBy(lock: string): OwtError {
  return new OwtError("tool-failed", `another git is at work on ${lock.slice(0, -".lock".length)}: it is locked`, {
    hint: `where no git runs: rm ${shellWord(lock)}`,
  });
}

/** No other lock has it; null where there is none. */
export function lockIdentity(lock: string): string | null {
  const stat = lstatSync(lock, { throwIfNoEntry: false });
  return stat === undefined ? null : `${stat.ino} ${stat.mtimeMs}`;
}

/** Makes the names in a directory durable. A directory that is gone (refs were packed meanwhile) has nothing to keep. */
export function syncDirectory(path: string): void {
  let folder: number;
  try {
    folder = openSync(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return;
    throw error;
  }
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Refs that owt alone makes: one of them that somebody made another name of a user's branch is not written through. A user's own may be such a name. */
const OURS = /^refs\/(?:heads\/)?owt\//;

function renderChange(change: RefChange): string {
  return `${OURS.test(change.ref) ? "option no-deref\n" : ""}${renderMove(change)}`;
}

function renderMove({ ref, from, to }: RefChange): string {
  const name = oneWord(ref);
  if (to === null) return from === null ? `verify ${name}\n` : `delete ${name} ${oneWord(from)}\n`;
  return from === null ? `create ${name} ${oneWord(to)}\n` : `update ${name} ${oneWord(to)} ${oneWord(from)}\n`;
}

/** The protocol ends a request at the line: a name with a line break would be a second command. */
function oneLine(name: string): string {
  if (name === "" || /[\n\r\0]/.test(name)) throw new OwtError("usage", `not a git name: ${JSON.stringify(name)}`);
  return name;
}

function oneWord(name: string): string {
  if (/\s/.test(name)) throw new OwtError("usage", `not a git name: ${JSON.stringify(name)}`);
  return oneLine(name);
}

function takeInfo(name: string): Take<ObjectInfo | null> {
  return (bytes) => {
    const end = bytes.indexOf(10);
    return end === -1 ? null : { answer: parseInfo(bytes.toString("utf8", 0, end), name) };
  };
}

function takeContents(name: string): Take<GitObject | null> {
  return (bytes) => {
    const end = bytes.indexOf(10);
    if (end === -1) return null;
    const info = parseInfo(bytes.toString("utf8", 0, end), name);
    if (info === null) return { answer: null };
    const length = end + 1 + info.size + 1;
    return bytes.length < length ? null : { answer: { ...info, content: bytes.subarray(end + 1, length - 1) } };
  };
}

/** `<oid> <type> <size>`, or `<name> missing` (also `ambiguous`). */
function parseInfo(line: string, name: string): ObjectInfo | null {
  const [oid, type, size] = line.split(" ");
  if (line.startsWith(`${name} `) && !/^[0-9a-f]{40,64} [a-z]+ \d+$/.test(line)) return null;
  return { oid: oid!, type: type!, size: Number(size) };
}

const takeCommitted: Take<true> = (bytes) => {
  const text = bytes.toString("latin1");
  return text.endsWith("commit: ok\n") ? { answer: true } : null;
};
