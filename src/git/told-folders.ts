/** Looks through a commit's tree for folders that tell of projects. What git ignores is in no commit, so it is never searched; and a tree's name
 *  fixes what is in it, so each is looked into once, however many worktrees are made. */
import { isTelling, MANIFESTS } from "../core/project.ts";
import { isSearched, SEARCH, type ToldFolder } from "../core/project-folders.ts";
import type { Oid } from "./git.ts";
import type { Repo } from "./repo.ts";
import { readEntries, TREE } from "./tree.ts";

/** `cut`: there is more than was looked at. */
export type Told = { folders: readonly ToldFolder[]; cut: boolean };

/** What is below one tree, with paths from it. */
type Below = Told & { looked: number };

/** One tree, as far as it matters here: names as bytes, read as latin1. */
type Scanned = { files: [name: string, oid: Oid][]; inner: [name: string, oid: Oid][] };

const MAX_KNOWN = 20_000;
/** Larger files are no manifests. */
const MAX_MANIFEST_BYTES = 1 << 20;

type Known = { found: Map<string, Below>; pending: Map<string, Promise<Below>> };

const known = new WeakMap<Repo, Known>();

/** The telling folders of a tree, its top included. */
export async function findToldFolders(repo: Repo, tree: Oid): Promise<Told> {
  const mine = known.get(repo) ?? { found: new Map(), pending: new Map() };
  known.set(repo, mine);
  if (mine.found.size > MAX_KNOWN) mine.found.clear();
  return mine.found.get(keyOf(tree, 0)) ?? lookOnce(repo, mine, tree, 0);
}

/** The same tree is searched further where it lies higher. */
function keyOf(tree: Oid, depth: number): string {
  return `${depth}${tree}`;
}

/** Several tasks may ask at once. */
function lookOnce(repo: Repo, mine: Known, tree: Oid, depth: number): Promise<Below> {
  const key = keyOf(tree, depth);
  let looking = mine.pending.get(key);
  if (looking === undefined) {
    looking = look(repo, mine, tree, depth)
      .then((below) => {
        mine.found.set(key, below);
        return below;
      })
      .finally(() => mine.pending.delete(key));
    mine.pending.set(key, looking);
  }
  return looking;
}

async function look(repo: Repo, mine: Known, oid: Oid, depth: number): Promise<Below> {
  const { files, inner } = await scan(repo, oid, depth);
  const taken = depth < SEARCH.depth ? inner.slice(0, SEARCH.folders) : [];
  const recalled = taken.map(([, each]) => mine.found.get(keyOf(each, depth + 1)));
  // Of two commits that follow each other nearly all folders are the same: nobody waits for those.
  const missing = taken.flatMap(([, each], at) => (recalled[at] === undefined ? [[at, each] as const] : []));
  await Promise.all(missing.map(async ([at, each]) => (recalled[at] = await lookOnce(repo, mine, each, depth + 1))));
  const folders = await readTold(repo, files);
  const sum = { folders, cut: depth < SEARCH.depth && taken.length < inner.length, looked: 1 };
  for (const [at, below] of recalled.entries()) {
    if (sum.looked + below!.looked > SEARCH.folders) return { ...sum, cut: true };
    sum.looked += below!.looked;
    sum.cut ||= below!.cut;
    if (below!.folders.length === 0) continue;
    const name = utf8(taken[at]![0]);
    for (const folder of below!.folders)
      folders.push({ ...folder, path: folder.path === "" ? name : `${name}/${folder.path}` });
  }
  return sum;
}

async function scan(repo: Repo, oid: Oid, depth: number): Promise<Scanned> {
  const scanned: Scanned = { files: [], inner: [] };
  // The top is read for each merge too, and remembered there.
  if (depth === 0) {
    for (const [name, entry] of await readEntries(repo, oid)) {
      if (entry.mode === TREE) {
        if (isSearched(name)) scanned.inner.push([name, entry.oid]);
      } else if (entry.mode.startsWith("100") && isTelling(name)) scanned.files.push([name, entry.oid]);
    }
    return scanned;
  }
  const object = await repo.live.contents(oid);
  // In a partial clone it may not be here: then nothing is told of it.
  if (object?.type === "tree") scanTree(object.content, oid.length / 2, scanned);
  return scanned;
}

/** Reads a tree object without making anything of the many entries that do not matter: `mode SP name NUL oid`, folders have mode 40000. */
function scanTree(bytes: Buffer, size: number, { files, inner }: Scanned): void {
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(32, at);
    const nul = bytes.indexOf(0, space);
    const name = bytes.toString("latin1", space + 1, nul);
    const oid = () => bytes.toString("hex", nul + 1, nul + 1 + size);
    // 4…: a folder; 100…: a file; 120000 is a link, 160000 a submodule.
    if (bytes[at] === 52) {
      if (isSearched(name)) inner.push([name, oid()]);
    } else if (bytes[at + 1] === 48 && isTelling(name)) files.push([name, oid()]);
    at = nul + 1 + size;
  }
}

/** The folder itself, where it tells something. */
async function readTold(repo: Repo, files: Scanned["files"]): Promise<ToldFolder[]> {
  if (files.length === 0) return [];
  const manifests = files.filter(([name]) => MANIFESTS.has(name));
  const texts = await Promise.all(manifests.map(async ([name, oid]) => [name, await readSmall(repo, oid)] as const));
  return [{ path: "", names: new Set(files.map(([name]) => name)), texts: Object.fromEntries(texts) }];
}

async function readSmall(repo: Repo, oid: Oid): Promise<string> {
  const info = await repo.live.info(oid);
  if (info === null || info.size > MAX_MANIFEST_BYTES) return "";
  return (await repo.live.contents(oid))?.content.toString("utf8") ?? "";
}

function utf8(name: string): string {
  return Buffer.from(name, "latin1").toString("utf8");
}
