/** Looks through a commit's tree for folders that tell of projects. What git ignores is in no commit, so it is never searched; and a tree's name
 *  fixes what is in it, so each is looked into once, however many worktrees are made. */
import { MANIFESTS } from "../core/project.ts";
import { isSearched, isTold, SEARCH, type ToldFolder } from "../core/project-folders.ts";
import type { Oid } from "./git.ts";
import type { Repo } from "./repo.ts";
import { parseTree, readEntries, TREE, type Tree } from "./tree.ts";

/** `cut`: there is more than was looked at. */
export type Told = { folders: readonly ToldFolder[]; cut: boolean };

/** What is below one tree, with paths from it. */
type Below = Told & { looked: number };

const NOTHING: Below = { folders: [], cut: false, looked: 0 };
const MAX_KNOWN = 20_000;
/** Larger files are no manifests. */
const MAX_MANIFEST_BYTES = 1 << 20;

const known = new WeakMap<Repo, Map<string, Promise<Below>>>();

/** The telling folders of a tree, its top included. */
export function findToldFolders(repo: Repo, tree: Oid): Promise<Told> {
  return lookOnce(repo, tree, 0);
}

function lookOnce(repo: Repo, tree: Oid, depth: number): Promise<Below> {
  const mine = known.get(repo) ?? new Map<string, Promise<Below>>();
  if (mine.size > MAX_KNOWN) mine.clear();
  known.set(repo, mine);
  const key = `${depth} ${tree}`;
  let found = mine.get(key);
  if (found === undefined) mine.set(key, (found = look(repo, tree, depth)));
  return found;
}

async function look(repo: Repo, oid: Oid, depth: number): Promise<Below> {
  // The top is read for each merge too, and remembered there.
  const tree = depth === 0 ? await readEntries(repo, oid) : await readOnce(repo, oid);
  const inner = [...tree].filter(([name, { mode }]) => mode === TREE && isSearched(name));
  const here = await readTold(repo, tree);
  const taken = depth < SEARCH.depth ? inner.slice(0, SEARCH.folders) : [];
  const below = await Promise.all(taken.map(([, entry]) => lookOnce(repo, entry.oid, depth + 1)));
  const sum: Below = { folders: here, cut: depth < SEARCH.depth && taken.length < inner.length, looked: 1 };
  for (const [at, each] of below.entries()) {
    if (sum.looked + each.looked > SEARCH.folders) return { ...sum, cut: true };
    const name = utf8(taken[at]![0]);
    const moved = each.folders.map((folder) => ({
      ...folder,
      path: folder.path === "" ? name : `${name}/${folder.path}`,
    }));
    sum.folders = [...sum.folders, ...moved];
    sum.looked += each.looked;
    sum.cut ||= each.cut;
  }
  return sum.folders.length === 0 && !sum.cut ? { ...NOTHING, looked: sum.looked } : sum;
}

async function readOnce(repo: Repo, oid: Oid): Promise<Tree> {
  const object = await repo.live.contents(oid);
  // In a partial clone it may not be here: then nothing is told of it.
  return object?.type === "tree" ? parseTree(object.content, oid.length / 2) : new Map();
}

/** The folder itself, where it tells something. */
async function readTold(repo: Repo, tree: Tree): Promise<ToldFolder[]> {
  const files = [...tree].filter(([, { mode }]) => mode.startsWith("100"));
  const names = new Set(files.map(([name]) => utf8(name)));
  if (!isTold(names)) return [];
  const manifests = files.filter(([name]) => MANIFESTS.has(name));
  const texts = await Promise.all(
    manifests.map(async ([name, { oid }]) => [name, await readSmall(repo, oid)] as const),
  );
  return [{ path: "", names, texts: Object.fromEntries(texts) }];
}

async function readSmall(repo: Repo, oid: Oid): Promise<string> {
  const info = await repo.live.info(oid);
  if (info === null || info.size > MAX_MANIFEST_BYTES) return "";
  return (await repo.live.contents(oid))?.content.toString("utf8") ?? "";
}

/** Names are bytes, read as latin1. */
function utf8(name: string): string {
  return Buffer.from(name, "latin1").toString("utf8");
}
