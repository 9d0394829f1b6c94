/** Conflict markers that a change adds to its files. git says which lines are some, by the file's own `conflict-marker-size`; whether they stand
 *  there as a conflict leaves them is looked at here, for seven equals signs also underline a title. */
import { lstatSync, readFileSync } from "node:fs";
import { changedEntries, entryAt } from "./changed-paths.ts";
import { forkOf } from "./changes.ts";
import { git, type Oid, type Place } from "./git.ts";
import { latin1Of, quoteLossy } from "./quoted-names.ts";
import type { Repo } from "./repo.ts";
import { LINK, TREE } from "./tree.ts";

export type Marker = { path: string; line: number };

/** Nothing that the repository names is run, and of what git checks only markers are wanted. */
const CHECK = [
  "-c",
  "core.whitespace=-blank-at-eol,-blank-at-eof,-space-before-tab",
  "diff",
  "--check",
  "--no-color",
  "--no-ext-diff",
  "--no-textconv",
  // What only stands elsewhere now is not added.
  "--find-renames",
  "--ignore-submodules",
];

/** Those that `head` adds to what it was cut from `trunk` with. `base`: a commit that all of its own was added to. `place`: whose attributes count. A file
 *  that held some before is left alone. */
export async function findLeftMarkers(
  repo: Repo,
  place: Place,
  { base, trunk, head }: { base: Oid; trunk: Oid; head: Oid },
): Promise<Marker[]> {
  if (!(await mayHoldMarkers(repo, base, head))) return [];
  const told = await check(place, [`${trunk}...${head}`]);
  if (told.length === 0) return [];
  const fork = await forkOf(place, trunk, head);
  const copied = await findCopies(repo, fork, head, new Set(told.map(({ path }) => path)));
  const own = told.filter(({ path }) => !copied.has(path));
  return sift(repo, own, fork, (path) => readBlob(repo, head, path));
}

/** Those of these files that stood at the fork, too, to the byte: by this name or another. */
async function findCopies(repo: Repo, fork: Oid, head: Oid, paths: ReadonlySet<string>): Promise<Set<string>> {
  const before = (await git(repo, ["ls-tree", "-r", "-z", fork])).stdout;
  const copied = new Set<string>();
  for (const path of paths) {
    const blob = await entryAt(repo, head, latin1Of(path));
    if (blob !== undefined && before.includes(` ${blob.oid}\t`)) copied.add(path);
  }
  return copied;
}

const MOST_FILES = 50;
const MOST_BYTES = 2 ** 20;

/** Most changes hold no line that begins with the sign of any marker, however long: that is seen without a process. */
async function mayHoldMarkers(repo: Repo, base: Oid, head: Oid): Promise<boolean> {
  const changed = (await changedEntries(repo, base, head)).flatMap(({ after }) => after ?? []);
  if (changed.length > MOST_FILES) return true;
  for (const { mode, oid } of changed) {
    if (mode === LINK) continue;
    if (mode === TREE || ((await repo.live.info(oid))?.size ?? Infinity) > MOST_BYTES) return true;
    const content = (await repo.live.contents(oid))?.content;
    if (content === undefined || content.subarray(0, 1).includes("<") || content.includes("\n<")) return true;
  }
  return false;
}

/** The same of the files that stand in a worktree. */
export async function findMarkersInWorktree(repo: Repo, place: Place, trunk: Oid): Promise<Marker[]> {
  const fork = await forkOf(place, trunk, "HEAD");
  const read = (path: string) => {
    // git, which told of it, has followed no link to it.
    const file = Buffer.concat([Buffer.from(`${place.root}/`), Buffer.from(latin1Of(path), "latin1")]);
    const isFile = lstatSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
    return Promise.resolve(isFile ? readFileSync(file, "latin1") : "");
  };
  return sift(repo, await check(place, [fork]), fork, read);
}

async function check(place: Place, commits: readonly string[]): Promise<Marker[]> {
  const { stdout } = await git(place, [...CHECK, ...commits, "--"], { ok: [0, 2] });
  const told = stdout.split("\n").flatMap((each) => {
    const [, path, line] = /^(.+):(\d+): leftover conflict marker$/.exec(each) ?? [];
    return path === undefined ? [] : [{ path, line: Number(line) }];
  });
  return (await Promise.all(told.map((marker) => eachThatReadsSo(place, marker, commits)))).flat();
}

/** Of a name that is no UTF-8 not all is told: any file whose name reads so may be meant. */
async function eachThatReadsSo(place: Place, { path, line }: Marker, commits: readonly string[]): Promise<Marker[]> {
  const list = ["diff", "--name-only", "--no-ext-diff", "--no-textconv", "--ignore-submodules", ...commits, "--"];
  return (await quoteLossy(place, [path], list)).map((name) => ({ path: name, line }));
}

async function sift(
  repo: Repo,
  told: readonly Marker[],
  fork: Oid,
  read: (path: string) => Promise<string>,
): Promise<Marker[]> {
  const left: Marker[] = [];
  for (const [path, markers] of Map.groupBy(told, (each) => each.path)) {
    if (hasGroup(await readBlob(repo, fork, path))) continue;
    const lines = (await read(path)).split("\n");
    const at = [...new Set(markers.map(({ line }) => line))].filter((line) => /^[<=>|]/.test(lines[line - 1] ?? ""));
    const signs = at.map((line) => lines[line - 1]![0]).join("");
    if (/<[^>]*=.*>/.test(signs)) left.push(...at.map((line) => ({ path, line })));
  }
  return left;
}

async function readBlob(repo: Repo, commit: Oid, path: string): Promise<string> {
  const oid = (await entryAt(repo, commit, latin1Of(path)))?.oid;
  return (oid && (await repo.live.contents(oid))?.content.toString("latin1")) ?? "";
}

function hasGroup(text: string): boolean {
  return /^<{7} [^]*^={7}$[^]*^>{7} /m.test(text);
}
