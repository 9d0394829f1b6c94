/** Writes and reads loose objects without a process: their bytes and names are documented (git's gitformat-loose), and a spawned command
 *  would cost ten times as much, a live one three times.
 *  Synchronously: a dozen small calls of which each waited for its turn on the event loop took longer than they all together. */
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { deflateSync, inflateSync } from "node:zlib";
import type { Oid } from "./git.ts";
import { type GitObject, syncDirectory } from "./live.ts";
import { ownerMark } from "./owner.ts";
import type { Repo } from "./repo.ts";
import { hasCode } from "../lib/has-code.ts";

/** The name of an object with this content. */
export function nameOfObject(repo: Repo, type: "commit" | "tree" | "blob", content: Buffer): Oid {
  return createHash(repo.objectFormat).update(`${type} ${content.length}\0`).update(content).digest("hex");
}

/** Writes beside its place, syncs, renames: a reader sees all of the object or none, and it is on disk when this returns.
 *  git's gc clears a `tmp_obj_` that a kill left. Only where the repository has the plain layout. */
export function writeLooseObject(repo: Repo, type: "commit" | "tree" | "blob", content: Buffer): Oid {
  const bytes = Buffer.concat([Buffer.from(`${type} ${content.length}\0`), content]);
  const oid = createHash(repo.objectFormat).update(bytes).digest("hex");
  const objects = join(repo.commonDir, "objects");
  const path = pathOf(repo, oid);
  const directory = dirname(path);
  if (existsSync(path)) return oid;
  const staged = join(directory, `tmp_obj_owt-${ownerMark()}`);
  try {
    const isNew = writeInto(directory, staged, bytes.length > MOST_STORED ? deflateSync(bytes) : store(bytes));
    renameSync(staged, path);
    syncDirectory(directory);
    if (isNew) syncDirectory(objects);
  } catch (error) {
    rmSync(staged, { force: true });
    throw error;
  }
  return oid;
}

/** Smaller ones fit into one block of a disk, packed or not. Making a packer takes longer than all else that is done for one. */
const MOST_STORED = 4_000;

/** The bytes as zlib's format (RFC 1950) has them without packing them: one stored block (RFC 1951, 3.2.4). */
function store(bytes: Buffer): Buffer {
  const around = Buffer.from([0x78, 0x01, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  around.writeUInt16LE(bytes.length, 3);
  around.writeUInt16LE(bytes.length ^ 0xffff, 5);
  around.writeUInt32BE(adler32(bytes), 7);
  return Buffer.concat([around.subarray(0, 7), bytes, around.subarray(7)]);
}

/** The checksum of RFC 1950. Its sums stay below 2^32 for this few bytes without a remainder in between. */
function adler32(bytes: Buffer): number {
  let [a, b] = [1, 0];
  for (const byte of bytes) {
    a += byte;
    b += a;
  }
  return ((b % 65_521) * 65_536 + (a % 65_521)) >>> 0;
}

/** A gc beside us takes the folder away while it is empty, also right after we made it. True when the folder is new. */
function writeInto(directory: string, path: string, bytes: Uint8Array): boolean {
  for (let tries = 1; ; tries++) {
    const isNew = mkdirSync(directory, { recursive: true }) !== undefined;
    try {
      writeSynced(path, bytes);
      return isNew;
    } catch (error) {
      if (!hasCode(error, "ENOENT") || tries === 10) throw error;
    }
  }
}

function writeSynced(path: string, bytes: Uint8Array): void {
  const file = openSync(path, "wx", 0o444);
  try {
    // Not writeSync: on a disk that is nearly full it may write a part and say so only by a number.
    writeFileSync(file, bytes);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** An object with its bytes, from its loose file where it has one, else from git; null when there is no such thing. What was just written
 *  by us or an agent is loose. */
export async function readObject(repo: Repo, name: string): Promise<GitObject | null> {
  return readLooseObject(repo, name) ?? (await repo.live.contents(name));
}

/** Whether there is an object of this full name. */
export async function isObject(repo: Repo, oid: Oid): Promise<boolean> {
  return isLoose(repo, oid) || (await repo.live.info(oid)) !== null;
}

function isLoose(repo: Repo, name: string): boolean {
  return repo.plainLayout && FULL_NAME.test(name) && existsSync(pathOf(repo, name));
}

/** Null where it is not loose, or its file cannot be made sense of: then git says what is wrong with it. */
function readLooseObject(repo: Repo, name: string): GitObject | null {
  if (!isLoose(repo, name)) return null;
  try {
    const bytes = inflateSync(readFileSync(pathOf(repo, name)));
    const nul = bytes.indexOf(0);
    const [, type, size] = /^(commit|tree|blob|tag) (\d+)$/.exec(bytes.toString("latin1", 0, nul)) ?? [];
    const content = bytes.subarray(nul + 1);
    return type === undefined || content.length !== Number(size)
      ? null
      : { oid: name, type, size: content.length, content };
  } catch {
    // A gc beside us packs it at this moment, or it is damaged.
    return null;
  }
}

const FULL_NAME = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

function pathOf(repo: Repo, oid: Oid): string {
  return join(repo.commonDir, "objects", oid.slice(0, 2), oid.slice(2));
}
