/** What a run of programs did to the files below a folder, as `strace` saw it, and what a disk would hold of it if the power had failed at some moment.
 *
 *  The disk: what was written to a file is there once that file was synced; names (made, renamed, linked, removed) are there, in their order, once anything
 *  was synced behind them, as on a journaling file system. What was not synced is lost, or (`torn`) there in part: some of the names, and of each write
 *  some of its sectors of 512 bytes. Memory maps are not seen: SQLite's, which a recovery makes anew. */
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Dice } from "../crash/dice.ts";

/** The calls that have to be traced. */
export const TRACED =
  "openat,open,creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat," +
  "rmdir,mkdir,mkdirat,fsync,fdatasync,sync,syncfs,copy_file_range,sendfile,chdir,fchdir";

type Names =
  | { do: "make"; path: string; isFolder: boolean }
  | { do: "symlink"; path: string; target: string }
  | { do: "rename"; from: string; to: string }
  | { do: "link"; from: string; to: string }
  | { do: "remove"; path: string };

export type Happening =
  | Names
  | { do: "write"; path: string; offset: number | null; data: Buffer }
  | { do: "copy"; from: string; path: string; size: number }
  | { do: "cut"; path: string; size: number }
  | { do: "sync"; path: string | null };

/** What strace wrote down, in the order in which the calls ended. */
export function readDiskLog(file: string): Happening[] {
  const begun = new Map<string, string>();
  const cwd = new Map<string, string>();
  const happenings: Happening[] = [];
  for (const line of readFileSync(file, "latin1").split("\n")) {
    const pid = /^\d+/.exec(line)?.[0];
    if (pid === undefined) continue;
    let call = line.slice(pid.length + 1).trimStart();
    if (call.endsWith(" <unfinished ...>")) {
      begun.set(pid, call.slice(0, -" <unfinished ...>".length));
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>/.exec(call);
    if (resumed) call = (begun.get(pid) ?? "") + call.slice(resumed[0].length);
    const here = /AT_FDCWD<([^>]*)>/.exec(call);
    if (here) cwd.set(pid, unhex(here[1]!));
    happenings.push(
      ...readCall(
        call,
        (path) => resolve(cwd.get(pid) ?? "/nowhere", path),
        (path) => cwd.set(pid, path),
      ),
    );
  }
  return happenings;
}

function unhex(text: string): string {
  return Buffer.from(text.replaceAll("\\x", ""), "hex").toString("utf8");
}

function textOf(call: string): Buffer {
  return Buffer.from(
    [...call.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map((match) => match[1]!.replaceAll("\\x", "")).join(""),
    "hex",
  );
}

function readCall(call: string, absolute: (path: string) => string, moveTo: (path: string) => void): Happening[] {
  const named = /^(\w+)\((.*)\)\s+= (-?\d+)(?:<([^>]*)>)?/s.exec(call);
  if (!named || Number(named[3]) < 0) return [];
  const [, name, args, result, opened] = named as unknown as [string, string, string, string, string | undefined];
  // Descriptors stand as 5<path>; -xx writes every path as bytes.
  const files = [...args.matchAll(/(?:\d+|AT_FDCWD)<([^>]*)>/g)].map((match) => unhex(match[1]!));
  const texts = [...args.matchAll(/(?:(\d+|AT_FDCWD)<([^>]*)>, )?"((?:\\x[0-9a-f]{2})*)"/g)].map((match) => {
    const path = unhex(match[3]!);
    return match[2] === undefined || match[1] === "AT_FDCWD" ? absolute(path) : resolve(unhex(match[2]), path);
  });
  switch (name) {
    case "openat":
    case "open":
    case "creat": {
      const path = opened === undefined ? texts.at(-1)! : unhex(opened);
      const made: Happening[] = /O_CREAT/.test(args) || name === "creat" ? [{ do: "make", path, isFolder: false }] : [];
      return /O_TRUNC/.test(args) || name === "creat" ? [...made, { do: "cut", path, size: 0 }] : made;
    }
    case "write":
    case "writev":
      return [{ do: "write", path: files[0]!, offset: null, data: textOf(args).subarray(0, Number(result)) }];
    case "pwrite64":
    case "pwritev":
    case "pwritev2":
      return [
        { do: "write", path: files[0]!, offset: offsetIn(args, name), data: textOf(args).subarray(0, Number(result)) },
      ];
    case "copy_file_range":
      return [{ do: "copy", from: files[0]!, path: files[1]!, size: Number(result) }];
    case "sendfile":
      return [{ do: "copy", from: files[1]!, path: files[0]!, size: Number(result) }];
    case "ftruncate":
      return [{ do: "cut", path: files[0]!, size: Number(/, (\d+)$/.exec(args)![1]) }];
    case "rename":
    case "renameat":
    case "renameat2":
      return [{ do: "rename", from: texts[0]!, to: texts[1]! }];
    case "link":
    case "linkat":
      return [{ do: "link", from: texts[0]!, to: texts[1]! }];
    case "symlink":
    case "symlinkat":
      return [{ do: "symlink", target: unhex(/"((?:\\x[0-9a-f]{2})*)"/.exec(args)![1]!), path: texts.at(-1)! }];
    case "unlink":
    case "unlinkat":
    case "rmdir":
      return [{ do: "remove", path: texts.at(-1)! }];
    case "mkdir":
    case "mkdirat":
      return [{ do: "make", path: texts.at(-1)!, isFolder: true }];
    case "fsync":
    case "fdatasync":
      return [{ do: "sync", path: files[0]! }];
    case "sync":
    case "syncfs":
      return [{ do: "sync", path: null }];
    case "chdir":
      moveTo(texts[0]!);
      return [];
    case "fchdir":
      moveTo(files[0]!);
      return [];
    default:
      return [];
  }
}

function offsetIn(args: string, name: string): number {
  const numbers = args
    .slice(args.lastIndexOf(name === "pwrite64" ? '"' : "]") + 1)
    .split(",")
    .map((each) => each.trim());
  return Number(numbers[2]);
}

/** A file: what it held in the beginning, each write with its place in the log, and the place of its last sync. */
type Content = {
  base: Buffer;
  mode: number;
  /** `data` null: it was cut to `size`. */
  writes: { at: number; offset: number | null; data: Buffer | null; size: number }[];
  synced: number;
};
type Entry = { kind: "folder" } | { kind: "symlink"; target: string } | { kind: "file"; content: Content };

/** Every path below a root, with what is there. */
type Tree = Map<string, Entry>;

/** What a disk holds below a folder. */
export type Image = Map<
  string,
  { kind: "folder" } | { kind: "symlink"; target: string } | { kind: "file"; bytes: Buffer; mode: number }
>;

/** What stands below a folder now, under the paths that it has below `root`. */
function readTree(folder: string, root: string): Tree {
  const tree: Tree = new Map();
  for (const name of readdirSync(folder)) {
    const [from, to] = [join(folder, name), join(root, name)];
    const { mode } = lstatSync(from);
    if (lstatSync(from).isSymbolicLink()) tree.set(to, { kind: "symlink", target: readlinkSync(from) });
    else if (lstatSync(from).isDirectory()) {
      tree.set(to, { kind: "folder" });
      for (const [path, entry] of readTree(from, to)) tree.set(path, entry);
    } else tree.set(to, { kind: "file", content: { base: readFileSync(from), mode, writes: [], synced: -1 } });
  }
  return tree;
}

/** The disk below `root` after the power failed behind the first `count` happenings; `before` is a copy of the folder from before them. With dice a part
 *  of what was not synced is there as well. */
export function diskAfter(
  happenings: readonly Happening[],
  count: number,
  { root, before }: { root: string; before: string },
  torn: Dice | null,
): Image {
  const lastSync = happenings.slice(0, count).findLastIndex((each) => each.do === "sync");
  const lastName = torn === null ? lastSync : torn.between(Math.max(0, lastSync), Math.max(0, count - 1));
  const tree = readTree(before, root);
  let durable: Tree = new Map(tree);
  for (let at = 0; at < count; at++) {
    happen(tree, happenings[at]!, at, root);
    if (at === lastName) durable = new Map(tree);
  }
  const image: Image = new Map();
  for (const [path, entry] of durable) {
    if (entry.kind !== "file") image.set(path, entry);
    else {
      const { content } = entry;
      image.set(path, {
        kind: "file",
        mode: content.mode,
        bytes: bytesOf(content, (at) => at <= content.synced, torn),
      });
    }
  }
  return image;
}

function happen(tree: Tree, each: Happening, at: number, root: string): void {
  const fileAt = (path: string): Content | null => {
    const entry = tree.get(path);
    return entry?.kind === "file" ? entry.content : null;
  };
  const isBelow = (path: string) => path.startsWith(`${root}/`);
  switch (each.do) {
    case "write":
      fileAt(each.path)?.writes.push({ at, offset: each.offset, data: each.data, size: each.data.length });
      return;
    case "cut":
      fileAt(each.path)?.writes.push({ at, offset: null, data: null, size: each.size });
      return;
    case "copy": {
      const [from, to] = [fileAt(each.from), fileAt(each.path)];
      if (from === null || to === null) return;
      const begin = bytesOf(to, () => true, null).length;
      const data = bytesOf(from, () => true, null).subarray(begin, begin + each.size);
      to.writes.push({ at, offset: begin, data, size: data.length });
      return;
    }
    case "sync": {
      const every = [...tree.values()].flatMap((entry) => (entry.kind === "file" ? entry.content : []));
      for (const content of each.path === null ? every : [fileAt(each.path)]) if (content !== null) content.synced = at;
      return;
    }
    case "make": {
      if (!isBelow(each.path) || tree.has(each.path)) return;
      const content = { base: Buffer.alloc(0), mode: 0o644, writes: [], synced: -1 };
      tree.set(each.path, each.isFolder ? { kind: "folder" } : { kind: "file", content });
      return;
    }
    case "symlink":
      if (isBelow(each.path)) tree.set(each.path, { kind: "symlink", target: each.target });
      return;
    case "link": {
      const entry = tree.get(each.from);
      if (entry !== undefined && isBelow(each.to)) tree.set(each.to, entry);
      return;
    }
    case "rename":
      rename(tree, each.from, each.to, isBelow(each.to));
      return;
    case "remove":
      tree.delete(each.path);
      return;
    default: {
      const never: never = each;
      return never;
    }
  }
}

function rename(tree: Tree, from: string, to: string, isKept: boolean): void {
  const moved = [...tree].filter(([path]) => path === from || path.startsWith(`${from}/`));
  for (const [path] of moved) tree.delete(path);
  if (!isKept || moved.length === 0) return;
  for (const [path] of [...tree].filter(([path]) => path === to || path.startsWith(`${to}/`))) tree.delete(path);
  for (const [path, entry] of moved) tree.set(to + path.slice(from.length), entry);
}

/** A file's bytes out of the writes that are kept; with dice some sectors of each other write as well. */
function bytesOf(content: Content, keeps: (at: number) => boolean, torn: Dice | null): Buffer {
  const bytes = new Growing(content.base);
  // What is written one behind the other goes behind all that was written, kept or not.
  let end = content.base.length;
  for (const { at, offset, data, size } of content.writes) {
    if (data === null) {
      end = size;
      if (keeps(at) || torn?.chance(0.5) === true) bytes.cut(size);
      continue;
    }
    const start = offset ?? end;
    end = Math.max(end, start + data.length);
    if (keeps(at)) bytes.put(start, data);
    else if (torn !== null)
      for (let sector = 0; sector < data.length; sector += 512)
        if (torn.chance(0.5)) bytes.put(start + sector, data.subarray(sector, sector + 512));
  }
  return bytes.whole();
}

/** Bytes that are written and cut, with zeros where nothing was written. */
class Growing {
  #room: Buffer;
  #length: number;

  constructor(base: Buffer) {
    this.#room = Buffer.from(base);
    this.#length = base.length;
  }

  put(start: number, data: Buffer): void {
    const end = start + data.length;
    if (end > this.#room.length) {
      const room = Buffer.alloc(2 * end);
      this.#room.copy(room, 0, 0, this.#length);
      this.#room = room;
    }
    data.copy(this.#room, start);
    this.#length = Math.max(this.#length, end);
  }

  /** Also makes it longer, where it is shorter. */
  cut(size: number): void {
    if (size > this.#room.length) this.put(size, Buffer.alloc(0));
    this.#room.fill(0, Math.min(size, this.#length), Math.max(size, this.#length));
    this.#length = size;
  }

  whole(): Buffer {
    return this.#room.subarray(0, this.#length);
  }
}

/** Writes an image down, every file dated `at`. The folder above its paths is there. */
export function writeImage(image: Image, at: Date): void {
  for (const [path, entry] of [...image].toSorted(([one], [other]) => (one < other ? -1 : 1))) {
    // Its name is there, and that of the folder around it may have been lost.
    mkdirSync(dirname(path), { recursive: true });
    if (entry.kind === "folder") mkdirSync(path, { recursive: true });
    else if (entry.kind === "symlink") symlinkSync(entry.target, path);
    else {
      writeFileSync(path, entry.bytes, { mode: entry.mode });
      utimesSync(path, at, at);
    }
  }
}
