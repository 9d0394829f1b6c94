/** The status of a small worktree without a process: a look at some hundred files takes a tenth of what starting git does. What is not plain is left to git. */
import { type Dirent, existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { Oid, Place } from "./git.ts";
import { type IndexEntry, isAsRecorded, modeOf, oidBytes, readIndexEntries } from "./index-file.ts";
import { type Folder, intoFolders, isTreeOf, SMALL_INDEX } from "./index-tree.ts";
import { nameOfObject } from "./loose-object.ts";
import { type MayIgnore, mayIgnore, readPatterns } from "./may-ignore.ts";
import type { Repo } from "./repo.ts";
import type { Status } from "./status.ts";
import { ignoreTexts } from "./usual-repo.ts";
import { isPlain } from "./write-index.ts";
import { LINK } from "./tree.ts";

/** Reading more than that, or telling of more files, is git's work: it does so beside us. */
const MOST_BYTES = 1_000_000;
const MOST_UNTRACKED = 64;

/** How coarse the clock of a file system may be (ms): who changes a file so soon after the index was written may leave all its times as they were. */
const CLOCK = 20;

/** What `readStatus` says of a worktree whose HEAD has this tree; null where git has to be asked: there are submodules, attributes, conversions, staged changes,
 *  paths that a merge left open, other things than files, files that may be ignored, or too many. */
export async function readSmallStatus(repo: Repo, place: Place, head: Oid): Promise<Status | null> {
  if (!isPlain(repo, place) || existsSync(join(place.gitDir, "modules"))) return null;
  const ignoring = ignoreTexts(repo.commonDir);
  if (ignoring === null) return null;
  try {
    const index = join(place.gitDir, "index");
    const written = lstatSync(index).mtimeMs;
    const entries = readIndexEntries(index, oidBytes(repo), SMALL_INDEX);
    if (entries === null || entries.some(({ isOverlooked, mode }) => isOverlooked || mode === LINK)) return null;
    const top = intoFolders(entries);
    if (top === null || !(await isTreeOf(repo, top, head))) return null;
    const look = new Look(repo, place.root, written, ignoring.flatMap(readPatterns));
    return look.into("", top) ? look.status() : null;
  } catch {
    // git says what is wrong.
    return null;
  }
}

/** All names are bytes, as latin1. */
class Look {
  readonly #repo: Repo;
  readonly #root: string;
  readonly #written: number;
  #patterns: MayIgnore;
  readonly #changed: { path: string; y: "M" | "D"; oid: Oid }[] = [];
  readonly #untracked: string[] = [];
  #bytes = 0;

  constructor(repo: Repo, root: string, written: number, patterns: MayIgnore) {
    this.#repo = repo;
    this.#root = Buffer.from(root).toString("latin1");
    this.#written = written;
    this.#patterns = patterns;
  }

  status(): Status {
    const changes = this.#changed.toSorted((a, b) => (a.path < b.path ? -1 : 1));
    return {
      changes: changes.map(({ path, y, oid }) => ({
        path: utf8(path),
        x: ".",
        y,
        headOid: oid,
        indexOid: oid,
        isLink: false,
      })),
      unmerged: [],
      untracked: this.#untracked.toSorted().map(utf8),
      ignored: [],
    };
  }

  /** Looks at a folder (its path ends in a slash, or is empty) and what is below it; false where git has to be asked. */
  into(path: string, folder: Folder): boolean {
    const there = readdirSync(this.#bytesOf(path), { withFileTypes: true, encoding: "latin1" });
    if (there.some(({ name }) => name === ".gitattributes" || (name === ".git" && path !== ""))) return false;
    if (there.some(({ name }) => name === ".gitignore")) this.#readIgnores(path);
    const names = new Set(there.map(({ name }) => name));
    for (const [name, tracked] of folder) if (!names.has(name)) this.#noteDeleted(path + name, tracked);
    return there.every((entry) => entry.name === ".git" || this.#see(path + entry.name, entry, folder.get(entry.name)));
  }

  #see(path: string, entry: Dirent, tracked: Folder | IndexEntry | undefined): boolean {
    if (tracked === undefined && mayIgnore(this.#patterns, path)) return false;
    if (entry.isDirectory())
      return (tracked === undefined || tracked instanceof Map) && this.into(`${path}/`, tracked ?? new Map());
    if (tracked instanceof Map) return false;
    if (entry.isSymbolicLink() && tracked?.mode === "120000") return this.#compareLink(path, tracked);
    if (!entry.isFile()) return false;
    return tracked === undefined ? this.#untracked.push(path) <= MOST_UNTRACKED : this.#compare(path, tracked);
  }

  /** As git does it: what the index knows of a file is believed, unless the file may have been changed in the same moment. Then it is read. */
  #compare(path: string, { mode, oid, stat }: IndexEntry): boolean {
    if (!mode.startsWith("100")) return false;
    const file = this.#bytesOf(path);
    const now = lstatSync(file);
    if (isAsRecorded(now, stat) && now.mtimeMs + CLOCK < this.#written) return true;
    this.#bytes += now.size;
    if (this.#bytes > MOST_BYTES) return false;
    const isSame = modeOf(now) === mode && nameOfObject(this.#repo, "blob", readFileSync(file)) === oid;
    if (!isSame) this.#changed.push({ path, y: "M", oid });
    return true;
  }

  #compareLink(path: string, { oid }: IndexEntry): boolean {
    const leadsTo = readlinkSync(this.#bytesOf(path), { encoding: "buffer" });
    if (nameOfObject(this.#repo, "blob", leadsTo) !== oid) this.#changed.push({ path, y: "M", oid });
    return true;
  }

  #noteDeleted(path: string, tracked: Folder | IndexEntry): void {
    if (!(tracked instanceof Map)) this.#changed.push({ path, y: "D", oid: tracked.oid });
    else for (const [name, below] of tracked) this.#noteDeleted(`${path}/${name}`, below);
  }

  #readIgnores(path: string): void {
    this.#patterns = [...this.#patterns, ...readPatterns(readFileSync(this.#bytesOf(`${path}.gitignore`), "latin1"))];
  }

  #bytesOf(path: string): Buffer {
    return Buffer.from(`${this.#root}/${path}`, "latin1");
  }
}

function utf8(name: string): string {
  return Buffer.from(name, "latin1").toString("utf8");
}
