/** Writes an object without a process: its bytes and its name are documented, and a spawned command would cost ten times as much. */
import { createHash, randomBytes } from "node:crypto";
import { access, mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import type { Oid } from "./git.ts";
import { syncDirectory } from "./live.ts";
import type { Repo } from "./repo.ts";

/** Writes beside its place, syncs, renames: a reader sees all of the object or none, and it is on disk when this returns.
 *  git's gc clears a `tmp_obj_` that a kill left. Only where the repository has the plain layout. */
export async function writeLooseObject(repo: Repo, type: "commit" | "tree", content: Buffer): Promise<Oid> {
  const bytes = Buffer.concat([Buffer.from(`${type} ${content.length}\0`), content]);
  const oid = createHash(repo.objectFormat).update(bytes).digest("hex");
  const objects = join(repo.commonDir, "objects");
  const directory = join(objects, oid.slice(0, 2));
  const path = join(directory, oid.slice(2));
  if (await exists(path)) return oid;
  await mkdir(directory, { recursive: true });
  const staged = join(directory, `tmp_obj_owt${randomBytes(6).toString("hex")}`);
  try {
    await writeSynced(staged, deflateSync(bytes));
    await rename(staged, path);
  } catch (error) {
    await rm(staged, { force: true });
    throw error;
  }
  await syncDirectory(directory);
  await syncDirectory(objects);
  return oid;
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  await using handle = await open(path, "wx", 0o444);
  await handle.writeFile(bytes);
  await handle.sync();
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
