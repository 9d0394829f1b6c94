/** Brings a store to today's shape. There is no way back, so it is kept as it was. */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { OwtError } from "../core/errors.ts";
import { MIGRATIONS } from "./migrations.ts";

/** What of a store is needed here. */
type Migrated = {
  get(sql: string): Record<string, unknown> | undefined;
  transaction(body: () => void): void;
};

/** Throws `store` where it is in the shape of a newer owt. `kept`: the folder for what the store was before. */
export function migrate(db: DatabaseSync, store: Migrated, kept?: string): void {
  const version = () => Number(store.get("pragma user_version")?.["user_version"] ?? 0);
  if (version() > MIGRATIONS.length || version() < 0) {
    throw new OwtError("store", "the store of this repository was written by a newer owt", {
      hint: "update with: npm install -g open-orchestrator",
    });
  }
  if (version() === MIGRATIONS.length) return;
  if (version() > 0 && kept !== undefined) keepBeforeMigration(db, kept, version());
  store.transaction(() => {
    // Read again inside the transaction: another process may have migrated meanwhile.
    for (let step = version(); step < MIGRATIONS.length; step++) {
      db.exec(MIGRATIONS[step]!);
      db.exec(`pragma user_version = ${step + 1}`);
    }
  });
}

/** Keeps the store as it was before its shape is changed for good: there is no way back from a migration. */
function keepBeforeMigration(db: DatabaseSync, folder: string, version: number): void {
  const path = join(folder, beforeShape(version + 1));
  if (existsSync(path)) return;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const unfinished = `${path}.${process.pid}`;
  rmSync(unfinished, { force: true });
  db.prepare("vacuum into ?").run(unfinished);
  syncFile(unfinished);
  renameSync(unfinished, path);
}

/** What a store is kept as before it gets a shape. */
export function beforeShape(shape: number): string {
  return `before-shape-${shape}.db`;
}

/** Has the disk hold a file's content before anything relies on it. */
export function syncFile(path: string): void {
  const file = openSync(path, "r+");
  fsyncSync(file);
  closeSync(file);
}
