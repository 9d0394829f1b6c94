/** Opens the one durable truth of a repository and gives transactions over it.
 *  WAL with synchronous=FULL: with NORMAL, 20 of 30 simulated power cuts lost acknowledged commits. */
import { chmodSync, existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { OwtError } from "../core/errors.ts";
import { oneLine } from "../core/names.ts";
import { backupFolder } from "./backup-files.ts";
import { migrate } from "./migrate.ts";
import { CutWatch } from "./cut.ts";
import { refuseMisplaced } from "./misplaced.ts";
import { isReadOnly, withCopy } from "./read-only.ts";
import { giveUpReserve } from "./reserve.ts";
import { isForWantOfRoom } from "../system/disk.ts";
import { findDamageIn, findLag, findLoss } from "./store-damage.ts";
import { damagedError, isBusy, isMalformed, isOfTheFile, lostError, storeError } from "./store-error.ts";
import { BUSY_TIMEOUT_MS, pause, storeFile, SWITCH_PAUSE_MS } from "./store-file.ts";
import { describeBroken, FIND_BROKEN } from "./stored-json.ts";

type Value = string | number | bigint | null;
export type Row = Record<string, Value>;

/** How often a transaction is tried anew before the store counts as blocked. */
const BUSY_TRIES = 20;

export class Store {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #statements = new Map<string, StatementSync>();
  readonly #listeners = new Set<(kinds: ReadonlySet<string>) => void>();
  #depth = 0;
  #undone = 0;
  #written = 0;
  #appended = new Set<string>();
  /** Which file it is that lay at the path when it was opened; null in memory. */
  readonly #file: string | null;
  readonly #cuts: CutWatch;
  #isCut = false;

  /** `path` is told where something is wrong with it. */
  constructor(db: DatabaseSync, path: string) {
    this.#db = db;
    this.#path = path;
    this.#file = fileAt(path);
    this.#cuts = new CutWatch(path);
  }

  /** All rows of a query. */
  all(sql: string, ...values: Value[]): Row[] {
    return this.#told(() => this.#prepare(sql).all(...values)) as Row[];
  }

  /** The first row of a query. */
  get(sql: string, ...values: Value[]): Row | undefined {
    return this.#told(() => this.#prepare(sql).get(...values)) as Row | undefined;
  }

  /** Runs a statement and returns how many rows it changed. */
  run(sql: string, ...values: Value[]): number {
    this.#written++;
    return Number(this.#told(() => this.#prepare(sql).run(...values)).changes);
  }

  /** Runs an insert and returns the new row's number. */
  insert(sql: string, ...values: Value[]): number {
    this.#written++;
    return Number(this.#told(() => this.#prepare(sql).run(...values)).lastInsertRowid);
  }

  /** All or nothing. Inside another transaction it simply belongs to that one. Where there was no room for what it wrote, it is done once more
   *  in the room of the reserve: `body` changes nothing but the store. */
  transaction<T>(body: () => T): T {
    if (this.#depth > 0) return body();
    try {
      return this.#try(body);
    } catch (error) {
      if (!this.#makesRoom(error)) throw error;
      return this.#try(body);
    }
  }

  #try<T>(body: () => T): T {
    this.#begin();
    this.#depth = 1;
    try {
      const result = body();
      this.#told(() => this.#db.exec("commit"));
      if (this.#file !== null) this.#cuts.note();
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("rollback");
      this.#undone += 1;
      // What was undone did not happen: nobody is told.
      this.#appended.clear();
      throw error;
    } finally {
      this.#depth = 0;
      this.#tell();
    }
  }

  /** Changes whenever another connection wrote. SQLite does not count our own writes here. */
  dataVersion(): number {
    return Number(this.get("pragma data_version")?.["data_version"]);
  }

  /** Changes whenever something that was read before may be otherwise, but for what this process wrote and did not undo. */
  version(): string {
    return `${this.dataVersion()} ${this.#undone}`;
  }

  /** Changes whenever anything may be otherwise than it was read, whoever wrote. */
  state(): string {
    return `${this.version()} ${this.#written}`;
  }

  /** Calls back after each transaction of this process that appended events, with their kinds. Returns the way to stop. */
  onAppend(listener: (kinds: ReadonlySet<string>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Marks that the running transaction appended events. Only `events.ts` calls it. */
  noteAppend(kind: string): void {
    this.#appended.add(kind);
    if (this.#depth === 0) this.#tell();
  }

  /** Reads it through and through. Throws `store` where it is damaged; a megabyte takes milliseconds. */
  assertSound(): void {
    const said = this.get("pragma quick_check(1)")?.["quick_check"];
    if (said !== "ok") throw damagedError(this.#path, oneLine(String(said)), undefined);
    const broken = this.get(FIND_BROKEN)?.["broken"];
    if (broken !== undefined) throw damagedError(this.#path, describeBroken(String(broken)), undefined);
  }

  /** Whether the file that is written to is still what others find at its path. */
  isInPlace(): boolean {
    return this.#file === null || fileAt(this.#path) === this.#file;
  }

  /** Whether it was neither taken away nor cut off below us. SQLite makes neither the file nor its journal shorter while it is open; where a person's tool did,
   *  nothing is missing. */
  isWhole(): boolean {
    if (this.#file === null) return true;
    if (!this.isInPlace()) return false;
    const cut = this.#cuts.look();
    this.#isCut ||= cut === "cut" || (cut === "shorter" && !isSoundAt(this.#path));
    return !this.#isCut;
  }

  /** Writes all that it holds to a new file, also where its own was taken away. */
  copyTo(path: string): void {
    this.#told(() => this.#db.prepare("vacuum into ?").run(path));
  }

  close(): void {
    if (!this.#db.isOpen) return;
    if (this.isWhole()) this.#db.close();
    // SQLite would delete the journal of that name, which is another store's by now, or write it over what is left; so would Node's own end, by closing what is open.
    else process.once("exit", (code) => process.exit(code));
  }

  #tell(): void {
    if (this.#appended.size === 0) return;
    const kinds = this.#appended;
    this.#appended = new Set();
    for (const listener of this.#listeners) listener(kinds);
  }

  #begin(): void {
    try {
      patiently(() => this.#db.exec("begin immediate"));
      if (this.#file !== null) this.#cuts.note();
    } catch (error) {
      throw storeError(error, this.#path);
    }
  }

  /** A disk that is full and a file that is damaged have names; a mistake in our SQL stays what it is. */
  #told<T>(work: () => T): T {
    try {
      // Inside a transaction nothing is in the way any more, and it is repeated as a whole or not at all.
      if (this.#depth > 0) return work();
      try {
        return patiently(work);
      } catch (error) {
        if (!isForWantOfRoom(error, this.#path) || !giveUpReserve(this.#path)) throw error;
        return patiently(work);
      }
    } catch (error) {
      if (isMalformed(error)) throw damagedError(this.#path, "a text in it cannot be read", error);
      throw isOfTheFile(error) ? storeError(error, this.#path) : error;
    }
  }

  /** Whether something failed for want of room, of which there is some now. */
  #makesRoom(error: unknown): boolean {
    return isFull(error) && giveUpReserve(this.#path);
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** Device and number of a file; null where there is none. */
function fileAt(path: string): string | null {
  const file = statSync(path, { throwIfNoEntry: false });
  return file === undefined ? null : `${file.dev} ${file.ino}`;
}

/** Whether what lies there reads as a whole. An empty one is not opened: SQLite would delete its journal. */
function isSoundAt(path: string): boolean {
  try {
    return statSync(path).size > 0 && findDamageIn(path) === null;
  } catch {
    return false;
  }
}

function isFull(error: unknown): boolean {
  return error instanceof OwtError && error.code === "disk-full";
}

/** A single statement that found the store held has done nothing: it is tried anew. */
function patiently<T>(work: () => T): T {
  for (let tries = 1; ; tries++) {
    try {
      return work();
    } catch (error) {
      if (tries >= BUSY_TRIES || !isBusy(error)) throw error;
    }
  }
}

/** Opens (and where needed creates and migrates) the store in `<commonDir>/owt/state.db`. Who only `looks` makes none: where there is no
 *  store, an empty one in memory stands in. Where it may not be written, a copy stands in for who only `reads`.
 *  Throws `store` where something else lies in the place of what belongs there, and where it is gone and copies of it are there: nothing is begun anew without a word.
 *  Throws `environment` when the repository was copied together with its store: two copies would run the same work. */
export function openStore(
  commonDir: string,
  { looks = false, reads = false }: { looks?: boolean; reads?: boolean } = {},
): Store {
  const path = storeFile(commonDir);
  refuseMisplaced(commonDir);
  const lost = findLoss(commonDir);
  if (lost !== null) throw lostError(path, lost, backupFolder(commonDir));
  if (looks && !existsSync(path)) return emptyStore();
  if (reads && isReadOnly(path)) return openCopy(commonDir, path);
  try {
    return openAt(commonDir, path);
  } catch (error) {
    // Also who only looks needs some room: readers of a journal share a file.
    if (!isFull(error) || !giveUpReserve(path)) throw error;
    return openAt(commonDir, path);
  }
}

function openAt(commonDir: string, path: string): Store {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const isNew = !existsSync(path);
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
    const opened = db;
    const lag = isNew ? null : patiently(() => findLag(opened, commonDir));
    if (lag !== null) throw damagedError(path, lag, undefined);
    useWriteAheadLog(db);
    db.exec("pragma synchronous = full");
    chmodSync(path, 0o600);
    const store = new Store(db, path);
    migrate(db, store, join(dirname(path), "backups"));
    refuseCopiedStore(store, commonDir);
    return store;
  } catch (error) {
    db?.close();
    throw error instanceof OwtError ? error : storeError(error, path);
  }
}

/** Opens a small database of the user's own, in one shape for ever. What a power cut takes of it can be made again, so it does not wait for the disk. */
export function openSmall(path: string, shape: string): Store {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    useWriteAheadLog(db);
    db.exec("pragma synchronous = normal");
    chmodSync(path, 0o600);
    const store = new Store(db, path);
    const isMade = () => Number(store.get("pragma user_version")?.["user_version"]) > 0;
    if (!isMade())
      store.transaction(() => {
        if (!isMade()) db!.exec(`${shape}; pragma user_version = 1`);
      });
    return store;
  } catch (error) {
    db?.close();
    throw error instanceof OwtError ? error : storeError(error, path);
  }
}

/** What is written to it is gone with this process. */
function openCopy(commonDir: string, path: string): Store {
  let db: DatabaseSync | undefined;
  try {
    return withCopy(path, (copy) => {
      db = new DatabaseSync(copy, { enableForeignKeyConstraints: true });
      const store = new Store(db, ":memory:");
      migrate(db, store);
      refuseCopiedStore(store, commonDir);
      // From here on it needs no name.
      return store;
    });
  } catch (error) {
    db?.close();
    throw error instanceof OwtError ? error : storeError(error, path);
  }
}

function emptyStore(): Store {
  const db = new DatabaseSync(":memory:", { enableForeignKeyConstraints: true });
  const store = new Store(db, ":memory:");
  migrate(db, store);
  return store;
}

/** The switch wants the file for itself and does not wait: of several processes that open a new store at once, some are refused. */
function useWriteAheadLog(db: DatabaseSync): void {
  for (let tries = 1; ; tries++) {
    try {
      if (db.prepare("pragma journal_mode").get()?.["journal_mode"] !== "wal") db.exec("pragma journal_mode = wal");
      return;
    } catch (error) {
      if (!isBusy(error) || tries >= SWITCH_TRIES) throw error;
      pause(SWITCH_PAUSE_MS);
    }
  }
}

const SWITCH_TRIES = 200;

function refuseCopiedStore(store: Store, commonDir: string): void {
  const here = `${commonDir} ${statSync(commonDir).ino}`;
  const made = store.get("select value from meta where key = 'made_for'")?.["value"];
  if (made === undefined) {
    store.run("insert or ignore into meta (key, value) values ('made_for', ?)", here);
  } else if (made !== here) {
    throw new OwtError("environment", `this repository was copied or moved: its store was made for ${String(made)}`, {
      hint: `if the original is gone: owt doctor --adopt-store; if this is a second copy: remove ${join(commonDir, "owt")}`,
    });
  }
}

/** Binds the store to where the repository is now; the answer of a person to a moved repository. Throws `wrong-state` without a store. */
export function adoptStore(commonDir: string): void {
  const path = storeFile(commonDir);
  if (!existsSync(path)) {
    throw new OwtError("wrong-state", "this repository has no store yet, so there is none to adopt", {
      hint: "a run makes one: owt run",
    });
  }
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    db.prepare("update meta set value = ? where key = 'made_for'").run(`${commonDir} ${statSync(commonDir).ino}`);
  } catch (error) {
    throw storeError(error, path);
  } finally {
    db?.close();
  }
}
