/** Saves what a submodule of a worktree holds: its commits are kept in this repository. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { DEFAULT_IDENTITY, type NewCommit } from "./commit.ts";
import { git, type Oid, type Place } from "./git.ts";
import type { ModuleHoldings } from "./inspect.ts";
import type { Repo } from "./repo.ts";
import type { Found } from "./rescue-files.ts";
import { saveIndex, saveTree, writeAside } from "./rescue-trees.ts";
import { readStashes, STASH } from "./stashes.ts";
import { linkRef } from "./submodules.ts";

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

/** What a submodule holds goes into its own repository first, and from there, with every commit that only it has, into this one. */
export async function saveModule(
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
