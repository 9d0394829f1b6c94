/** Saves everything that a worktree holds as one commit under `refs/owt/rescue/<id>`, byte for byte: no filter, no hook, no index of the
 *  worktree is touched. Its first parent is HEAD; the others keep what else only this worktree knew (the index, dropped commits). */
import { type Dirent, existsSync, readdirSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { OwtError } from "../core/errors.ts";
import { readParents, readRef } from "./branch.ts";
import { DEFAULT_IDENTITY, type NewCommit, readTree, writeCommit } from "./commit.ts";
import { fieldsOf, git, type Oid, type Place } from "./git.ts";
import type { Holdings, ModuleHoldings } from "./inspect.ts";
import { type Known, kindOf, kindOfItself } from "./known.ts";
import { type InProgress, lstatInside, readText } from "./place.ts";
import type { Repo } from "./repo.ts";
import { type FileHoldings, saveIndex, saveTree, writeAside } from "./rescue-trees.ts";
import { readStashes, STASH } from "./stashes.ts";
import { linkRef } from "./submodules.ts";
import { emptyTrash, openTrash } from "./trash.ts";

/** More than this (new and changed files together) is not put into the object store; the worktree stays where it is. */
const RESCUE_MAX_BYTES = 512 * 1024 * 1024;
const RESCUE_MAX_FILES = 100_000;

/** A folder of a build that is larger is left out: it is most likely what it seems to be. */
export const BUILD_MAX_BYTES = 64 * 1024 * 1024;
const BUILD_MAX_FILES = 10_000;

export type RescueOptions = {
  /** Last part of the ref's name. The same id again adds to what it holds. */
  id: string;
  /** Why it was saved, for people. */
  note: string;
  /** When, in milliseconds; the caller's clock. */
  at: number;
  /** Ignored files that need no saving, as in `inspectWorktree`. */
  known?: readonly Known[];
  /** Whether what is known by nothing but its name (`builds`) is saved all the same. */
  builds?: boolean;
  /** What is on record of the worktree. */
  record?: RescuedRecord;
};

export type RescuedRecord = {
  /** What it is compared and brought up to date with. */
  base: string | null;
  /** The commit at which its branch was created for it. */
  began: Oid | null;
  /** What somebody was doing there. */
  doing: string;
};

export type Rescue = {
  id: string;
  ref: string;
  commit: Oid;
  path: string;
  branch: string | null;
  /** HEAD of the worktree; null when its branch had no commit yet. */
  head: Oid | null;
  /** Commit of the index, where it differed from HEAD. */
  index: Oid | null;
  /** Commit of what neither of the two trees can say (`writeAside`); none where there is nothing of that kind. */
  aside?: Oid;
  /** The commit that was being merged. */
  merging: Oid | null;
  /** What git was in the middle of that is not taken up again: its files and conflicts are kept, its further steps are not. */
  underWay?: Exclude<InProgress, "merge">;
  /** Folders without a file in them. */
  folders?: string[];
  /** Submodules in which something was saved. */
  modules?: RescuedModule[];
  /** What was on record of it. */
  record?: RescuedRecord;
  at: number;
  note: string;
};

/** What was in a submodule: its commits are kept in this repository. */
export type RescuedModule = {
  path: string;
  branch: string | null;
  head: Oid | null;
  /** A commit on top of HEAD that holds its files; null where no file was to be saved. */
  files: Oid | null;
  tree: Oid | null;
  index: Oid | null;
  aside?: Oid;
  /** Its other branches, its tags and its stashes that have commits of its own; stashes newest first, with what they say. */
  refs?: ModuleRef[];
  /** Folders without a file in them, from its top. */
  folders?: string[];
};

export type ModuleRef = { ref: string; oid: Oid; says?: string };

/** Why a worktree cannot be saved. */
export type Unsavable = { refused: "too-large" | "nested-repository" | "unreadable-name"; paths: string[] };

/** `leftOut`: ignored folders in what it held that it does not keep, with `/` at their end. */
export type Saved = Rescue & { leftOut: string[] };

/** Saves what `inspectWorktree` found, durably. Repeatable: the same state gives the same rescue, another one is added on top. */
export async function saveRescue(repo: Repo, held: Holdings, options: RescueOptions): Promise<Saved | Unsavable> {
  const ref = rescueRef(options.id);
  const { known = [], builds = false } = options;
  const files = collectFiles(held, known, builds);
  if ("refused" in files) return files;
  const inModules = known.filter((each) => typeof each !== "string");
  const inside = held.modules.map((module) => ({ module, files: collectFiles(module, inModules, builds) }));
  for (const { module, files: found } of inside)
    if ("refused" in found) return { ...found, paths: found.paths.map((path) => `${module.path}/${path}`) };
  const bin = openTrash(repo.commonDir);
  try {
    const write = (commit: NewCommit) => writeCommit(repo, commit);
    const index = held.staged ? await saveIndex(held, bin, write) : null;
    const aside = await writeAside(held, files.paths, bin, write);
    const modules: RescuedModule[] = [];
    const moved = new Set([held, ...held.modules].flatMap(dirtyBelow));
    for (const each of inside)
      if (!("refused" in each.files))
        modules.push(
          ...(await saveModule(repo, each.module, each.files, {
            bin,
            isMoved: moved.has(each.module.path),
            folders: emptyFoldersOf(each.module, inModules, { ...each.files, builds }),
          })),
        );
    const tree = await saveTree(held, files.paths, bin);
    const folders = emptyFoldersOf(held, known, { ...files, builds });
    const leftOut = [
      ...files.leftOut,
      ...inside.flatMap(({ module, files: found }) =>
        "refused" in found ? [] : found.leftOut.map((path) => `${module.path}/${path}`),
      ),
    ];
    const rescue = {
      ...describe(held, options, index),
      ...(folders.length === 0 ? {} : { folders }),
      ...(aside === null ? {} : { aside }),
      ...(options.record === undefined ? {} : { record: options.record }),
      ...(modules.length === 0 ? {} : { modules }),
    };
    // Taken away by another process while its files were read: they are not all of them.
    if (!held.gone && !existsSync(held.place.root))
      throw new OwtError("wrong-state", `${held.place.root} is gone`, { hint: "what was saved: owt restore" });
    for (;;) {
      const before = await readRef(repo, ref);
      if (before !== null && (await isSame(repo, before, tree, rescue))) return { ...rescue, commit: before, leftOut };
      const parents = [held.head.oid, index, aside, rescue.merging, ...held.dropped, before].filter(
        (oid) => oid !== null,
      );
      const message = renderMessage(rescue);
      const commit = await writeCommit(repo, {
        tree,
        parents: [...new Set(parents)],
        message,
        identity: DEFAULT_IDENTITY,
      });
      if (await repo.live.updateRefs([{ ref, from: before, to: commit }])) return { ...rescue, commit, leftOut };
    }
  } finally {
    await emptyTrash(bin);
  }
}

/** All rescues, oldest first. */
export async function listRescues(repo: Repo): Promise<Rescue[]> {
  const format = "--format=%(refname)%00%(objectname)%00%(contents)%00";
  const { stdout } = await git(repo, ["for-each-ref", format, "refs/owt/rescue/"]);
  const fields = fieldsOf(stdout);
  const rescues: Rescue[] = [];
  for (let at = 0; at + 2 < fields.length; at += 3) {
    const rescue = parseMessage(fields[at]!.trim(), fields[at + 1]!, fields[at + 2]!);
    if (rescue !== null) rescues.push(rescue);
  }
  return rescues.toSorted((a, b) => a.at - b.at);
}

/** Those of these rescues that hold something: files, an index, or commits that no branch but an attempt's own, no tag and no remote
 *  has. */
export async function withContent(repo: Repo, rescues: readonly Rescue[]): Promise<Rescue[]> {
  const holds = await Promise.all(rescues.map((rescue) => holdsSomething(repo, rescue)));
  return rescues.filter((_, at) => holds[at]);
}

async function holdsSomething(repo: Repo, rescue: Rescue): Promise<boolean> {
  const { head, index, aside, merging, underWay, folders, modules } = rescue;
  const isMore = [index, aside, merging, underWay, folders, modules].some(
    (each) => each !== null && each !== undefined,
  );
  if (isMore || head === null) return true;
  if ((await readTree(repo, rescue.commit)) !== (await readTree(repo, head))) return true;
  if ((await readParents(repo, rescue.commit)).length > 1) return true;
  // What an attempt came to is worth a line, also while its own branch stands.
  const beside = OF_ATTEMPT.test(rescue.id) ? await branchesAt(repo, head) : [];
  const others = ["owt/tasks/*", ...beside].map((name) => `--exclude=${name}`);
  const known = ["--not", ...others, "--branches", "--remotes", "--tags"];
  const args = ["rev-list", "--ignore-missing", "--max-count=1", head, ...known];
  return (await git(repo, args)).stdout !== "";
}

/** How a rescue of what an attempt left is named: run, task, and the attempt's number. */
const OF_ATTEMPT = /^r\d+-.+-\d+$/;

/** Branches that stand at a commit, but for those of runs: what an attempt came to may be on one that its agent made. */
async function branchesAt(repo: Repo, oid: Oid): Promise<string[]> {
  const format = "--format=%(refname:strip=2)";
  const { stdout } = await git(repo, ["for-each-ref", format, `--points-at=${oid}`, "refs/heads"]);
  return stdout.split("\n").filter((name) => name !== "" && !name.startsWith("owt/"));
}

/** Forgets a rescue that is still the one that was looked at. Its content goes with git's next gc. */
export function dropRescue(repo: Repo, rescue: Rescue): Promise<boolean> {
  return repo.live.updateRefs([{ ref: rescue.ref, from: rescue.commit, to: null }]);
}

/** The ref of a rescue. Throws `usage` for an id that is no single ref component. */
export function rescueRef(id: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(id) || id.includes("..") || /\.(lock)?$/.test(id)) {
    throw new OwtError("usage", `not a rescue id: ${JSON.stringify(id)}`, {
      hint: "list what there is: owt restore",
    });
  }
  return `refs/owt/rescue/${id}`;
}

type Found = { paths: string[]; leftOut: string[] };

function apartFromBuilds(known: readonly Known[]): Known[] {
  return known.filter((each) => typeof each === "string" || each.isBuild !== true);
}

/** So many folders are looked into, and so many are kept. */
const MOST_LOOKED = 50_000;
const MOST_EMPTY = 10_000;

function emptyFoldersOf(
  { gone, place }: Pick<Holdings, "gone" | "place">,
  known: readonly Known[],
  { leftOut, builds }: Pick<Found, "leftOut"> & { builds: boolean },
): string[] {
  return gone ? [] : findEmptyFolders(place.root, builds ? [...apartFromBuilds(known), ...leftOut] : known);
}

/** Folders without anything in them, which no tree of git's can hold; those of what is made again by itself left out. */
function findEmptyFolders(root: string, known: readonly Known[]): string[] {
  const empty: string[] = [];
  const open = [""];
  for (let looked = 0; open.length > 0 && looked < MOST_LOOKED && empty.length < MOST_EMPTY; looked++) {
    const folder = open.pop()!;
    const entries = entriesOf(join(root, folder));
    if (entries === null || (folder !== "" && entries.some(({ name }) => name.toLowerCase() === ".git"))) continue;
    if (entries.length === 0 && folder !== "" && !folder.includes("\uFFFD")) empty.push(folder);
    for (const entry of entries) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && path !== ".git" && kindOfItself(root, path, known) === null) open.push(path);
    }
  }
  return empty.toSorted((a, b) => (a < b ? -1 : 1));
}

/** Null for one that cannot be read. */
function entriesOf(folder: string): Dirent[] | null {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return null;
  }
}

/** Every path whose bytes are not in HEAD, with ignored directories opened; of builds, those that are small enough. */
function collectFiles(held: FileHoldings, known: readonly Known[], builds: boolean): Found | Unsavable {
  const { root } = held.place;
  const nested = [...held.nested];
  const leftOut: string[] = [];
  const ignored = held.ignoredNew.flatMap((path) => [...walk(root, path, known, { nested, leftOut })]);
  const paths = new Set([...held.dirty, ...held.unmerged, ...held.untracked, ...ignored]);
  if (nested.length > 0) return { refused: "nested-repository", paths: nested };
  let bytes = 0;
  for (const path of paths) {
    const size = sizeOf(root, path);
    // A name that is not UTF-8 comes to us damaged: it is there, but we cannot open it.
    if (size === null) return { refused: "unreadable-name", paths: [path] };
    bytes += size;
  }
  if (bytes > RESCUE_MAX_BYTES || paths.size > RESCUE_MAX_FILES) return { refused: "too-large", paths: ["."] };
  for (const folder of builds ? held.builds : []) {
    const build = collectBuild(root, folder, apartFromBuilds(known));
    const isRoom =
      build !== null && bytes + build.bytes <= RESCUE_MAX_BYTES && paths.size + build.paths.length <= RESCUE_MAX_FILES;
    if (!isRoom) {
      leftOut.push(folder);
      continue;
    }
    bytes += build.bytes;
    for (const path of build.paths) paths.add(path);
    leftOut.push(...build.leftOut);
  }
  return { paths: [...paths], leftOut };
}

/** Null for one that is too large, or cannot be kept. */
function collectBuild(root: string, folder: string, known: readonly Known[]): (Found & { bytes: number }) | null {
  const build = { paths: [] as string[], leftOut: [] as string[], bytes: 0 };
  const nested: string[] = [];
  for (const path of walk(root, folder, known, { nested, leftOut: build.leftOut })) {
    const size = sizeOf(root, path);
    build.bytes += size ?? 0;
    build.paths.push(path);
    if (size === null || build.bytes > BUILD_MAX_BYTES || build.paths.length > BUILD_MAX_FILES) return null;
  }
  return nested.length > 0 ? null : build;
}

/** In bytes; null for what is there and cannot be opened. */
function sizeOf(root: string, path: string): number | null {
  const stat = lstatInside(root, path);
  if (stat === null && path.includes("\uFFFD")) return null;
  return stat?.isFile() === true ? stat.size : 0;
}

type Passed = { nested: string[]; leftOut: string[] };

function* walk(
  root: string,
  path: string,
  known: readonly Known[],
  passed: Passed,
  kind = kindOf(root, path, known),
): Generator<string> {
  if (kind !== null) {
    if (kind.kind !== "ours") passed.leftOut.push(kind.folder);
    return;
  }
  if (!path.endsWith("/")) {
    yield path;
    return;
  }
  const entries = readdirSync(join(root, path), { withFileTypes: true });
  if (entries.some(({ name }) => name.toLowerCase() === ".git")) {
    passed.nested.push(path);
    return;
  }
  for (const entry of entries) {
    const below = `${path}${entry.name}${entry.isDirectory() ? "/" : ""}`;
    yield* walk(root, below, known, passed, kindOfItself(root, below, known));
  }
}

/** Changed paths, from the worktree's top. */
function dirtyBelow(held: Holdings | ModuleHoldings): string[] {
  return "path" in held ? held.dirty.map((path) => `${held.path}/${path}`) : held.dirty;
}

/** What a submodule holds goes into its own repository first, and from there, with every commit that only it has, into this one. */
async function saveModule(
  repo: Repo,
  held: ModuleHoldings,
  { paths }: Pick<Found, "paths">,
  { bin: into, isMoved, folders }: { bin: string; isMoved: boolean; folders: string[] },
): Promise<RescuedModule[]> {
  const { path, place, head, commits, dropped } = held;
  const isEmpty = paths.length + commits.length + dropped.length + folders.length === 0;
  if (isEmpty && !held.staged && !isMoved) return [];
  const bin = join(into, `module-${encodeURIComponent(path)}`);
  await mkdir(bin, { recursive: true });
  const write = (commit: NewCommit) => commitIn(place, commit);
  const index = held.staged ? await saveIndex(held, bin, write) : null;
  const isSaved = paths.length > 0 || index !== null;
  const tree = isSaved ? await saveTree(held, paths, bin) : null;
  const aside = isSaved ? await writeAside(held, paths, bin, write) : null;
  const parents = [head.oid, index, aside].filter((oid) => oid !== null);
  const message = `what was in the submodule ${path}`;
  const files = tree === null ? null : await write({ tree, parents, message, identity: DEFAULT_IDENTITY });
  const refs = await findRefs(place, head.branch, [...commits, ...dropped]);
  await keepCommits(repo, place, [
    ...refs.map(({ oid }) => oid),
    ...(files === null ? [] : [files]),
    ...(await findTips(place, [...commits, ...dropped])),
  ]);
  const more = {
    ...(aside === null ? {} : { aside }),
    ...(refs.length === 0 ? {} : { refs }),
    ...(folders.length === 0 ? {} : { folders }),
  };
  return [{ path, branch: head.branch, head: head.oid, files, tree, index, ...more }];
}

/** What names these commits beside the branch that is checked out. */
async function findRefs(place: Place, branch: string | null, commits: readonly Oid[]): Promise<ModuleRef[]> {
  const own = new Set(commits);
  const format = "--format=%(refname) %(objectname) %(*objectname)";
  const named = await git(place, ["for-each-ref", format, "refs/heads", "refs/tags"]);
  const refs = named.stdout.split("\n").flatMap((line): ModuleRef[] => {
    const [ref, object, peeled] = line.split(" ");
    const oid = peeled || object;
    return oid !== undefined && own.has(oid) && ref !== `refs/heads/${branch}` ? [{ ref: ref!, oid }] : [];
  });
  const stashes = (await readStashes(place, [0, 128])).filter(({ oid }) => own.has(oid));
  return [...refs, ...stashes.map(({ oid, about }) => ({ ref: STASH, oid, says: about }))];
}

async function commitIn(place: Place, { tree, parents, message, identity }: NewCommit): Promise<Oid> {
  const args = ["commit-tree", tree, ...parents.flatMap((oid) => ["-p", oid]), "-m", message];
  return (await git(place, args, { identity, durable: true })).stdout.trim();
}

/** Of commits that only this one has: those that something points at, and those that none of the others leads to. */
async function findTips(place: Place, commits: readonly Oid[]): Promise<Oid[]> {
  if (commits.length === 0) return [];
  const { stdout } = await git(place, ["for-each-ref", "--format=%(objectname) %(*objectname)"]);
  const head = await git(place, ["rev-parse", "--quiet", "--verify", "HEAD"], { ok: [0, 1, 128] });
  const named = new Set([...stdout.split(/\s+/), head.stdout.trim()]);
  const input = `${commits.join("\n")}\n`;
  const parents = await git(place, ["rev-list", "--no-walk=unsorted", "--parents", "--stdin"], { input });
  const below = new Set(parents.stdout.split("\n").flatMap((line) => line.split(" ").slice(1)));
  return commits.filter((oid) => named.has(oid) || !below.has(oid));
}

async function keepCommits(repo: Repo, module: Place, commits: readonly Oid[]): Promise<void> {
  if (commits.length === 0) return;
  const fetch = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"];
  const specs = [...new Set(commits)].map((oid) => `${oid}:${linkRef(oid)}`);
  const args = ["-c", "protocol.version=2", ...fetch, "--upload-pack=git-upload-pack", "--stdin", "--", module.gitDir];
  await git(repo, args, { durable: true, input: `${specs.join("\n")}\n` });
}

function describe(held: Holdings, { id, note, at }: RescueOptions, index: Oid | null): Rescue {
  const merging = readText(join(held.place.gitDir, "MERGE_HEAD"))?.split("\n")[0] ?? null;
  const { branch, oid: head } = held.head;
  const underWay = held.inProgress === null || held.inProgress === "merge" ? {} : { underWay: held.inProgress };
  const path = held.place.root;
  return { id, ref: rescueRef(id), commit: "", path, branch, head, index, merging, ...underWay, at, note };
}

async function isSame(repo: Repo, before: Oid, tree: Oid, rescue: Rescue): Promise<boolean> {
  const object = await repo.live.contents(before);
  const text = object?.content.toString("utf8") ?? "";
  const old = parseMessage(rescue.ref, before, text.slice(text.indexOf("\n\n") + 2));
  return (
    text.startsWith(`tree ${tree}\n`) &&
    old?.head === rescue.head &&
    old.merging === rescue.merging &&
    old.index === rescue.index &&
    old.aside === rescue.aside &&
    old.underWay === rescue.underWay &&
    JSON.stringify(old.folders) === JSON.stringify(rescue.folders) &&
    JSON.stringify(old.modules?.map(stateOf)) === JSON.stringify(rescue.modules?.map(stateOf))
  );
}

function stateOf({ path, head, branch, tree, refs, folders }: RescuedModule): unknown[] {
  return [path, head, branch, tree, refs, folders];
}

/** The facts stand as JSON on the last line: paths may contain anything. */
function renderMessage({ id: _id, ref: _ref, commit: _commit, ...told }: Rescue): string {
  const { path, branch, at, note } = told;
  const time = new Date(at).toISOString();
  const facts = JSON.stringify(told);
  return `rescue: ${branch ?? "detached"} at ${JSON.stringify(path)}, ${time}\n\n${note}\n\nOwt-Rescue: ${facts}`;
}

function parseMessage(ref: string, commit: Oid, message: string): Rescue | null {
  const facts = /^Owt-Rescue: (\{.*\})$/.exec(message.trimEnd().split("\n").at(-1) ?? "")?.[1];
  if (facts === undefined) return null;
  const { path, branch, head, index, aside, merging, underWay, folders, modules, record, at, note } = JSON.parse(
    facts,
  ) as Rescue;
  const rescue = {
    id: ref.slice("refs/owt/rescue/".length),
    ref,
    commit,
    path,
    branch,
    head,
    index,
    merging,
    at,
    note,
  };
  return {
    ...rescue,
    ...(aside === undefined ? {} : { aside }),
    ...(underWay === undefined ? {} : { underWay }),
    ...(folders === undefined ? {} : { folders }),
    ...(modules === undefined ? {} : { modules }),
    ...(record === undefined ? {} : { record }),
  };
}
