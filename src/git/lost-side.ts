/** What a resolved merge threw away: files that both sides changed, or one alone, in which nothing of a side is left. */
import { type ChangedEntry, changedEntries } from "./changed-paths.ts";
import { forkOf } from "./changes.ts";
import { readTree } from "./commit.ts";
import { fieldsOf, git, type Oid } from "./git.ts";
import type { Repo } from "./repo.ts";
import { type Entry, isSame, LINK, readEntries, TREE } from "./tree.ts";

/** `side`: whose change is gone, with the lines that it had added; `isDeletion`: it had deleted the file. */
export type Lost = { path: string; side: "ours" | "theirs"; lines: string[]; isDeletion?: true };

const MOST_BYTES = 2 ** 20;

/** The files of `head`, in which `ours` and `theirs` were brought together, that hold nothing of what one of them changed. Where lines of both were made into others
 *  nothing is lost; nor is what stands in another file now. A file that a side renamed is looked for where it is. */
export async function findLostSides(
  repo: Repo,
  { ours, theirs, head }: { ours: Oid; theirs: Oid; head: Oid },
): Promise<Lost[]> {
  const met = await findMet(repo, { ours, theirs, head });
  const found = await Promise.all(met.map(async (each) => ({ each, side: await judge(repo, each) })));
  const lost = found.flatMap(({ each, side }) => (side === null ? [] : [{ each, side }]));
  const kept = lost.length > 0 ? await blobsOf(repo, head) : new Set<Oid>();
  const told = lost.filter(({ each, side }) => !kept.has(each[side]?.oid ?? ""));
  return (await Promise.all(told.map(({ each, side }) => describe(repo, each, side)))).toSorted((a, b) =>
    a.path < b.path ? -1 : 1,
  );
}

/** What `theirs` changed, as each of the commits has it; `path` is where it is now. */
type Met = Sides & { path: string };
type Sides = Record<"before" | "ours" | "theirs" | "head", Entry | undefined>;

async function findMet(repo: Repo, { ours, theirs, head }: Record<"ours" | "theirs" | "head", Oid>): Promise<Met[]> {
  const fork = await forkOf(repo, ours, theirs);
  const [mine, their] = await Promise.all([ours, theirs].map((to) => changedEntries(repo, fork, to)));
  const [own, other] = [await renamesTo(repo, fork, ours, mine!), await renamesTo(repo, fork, theirs, their!)];
  const met: Met[] = [];
  const followed = new Set<string>();
  for (const { path, before, after } of await fileByFile(repo, their!, mine!)) {
    const now = await entryAt(repo, ours, path);
    // What the other side never touched is a deletion and a new file, each for itself.
    const isMet = before !== undefined && !isSame(before, now);
    const [mineAt, theirAt] = isMet ? [own.get(path), other.get(path)] : [];
    if (theirAt !== undefined) followed.add(theirAt);
    const places = [mineAt, theirAt, path].filter((each) => each !== undefined);
    const entries = await Promise.all(places.map((at) => entryAt(repo, head, at)));
    const at = entries.findIndex((entry) => entry !== undefined);
    met.push({
      path: places[Math.max(at, 0)]!,
      before,
      ours: mineAt === undefined ? now : await entryAt(repo, ours, mineAt),
      theirs: theirAt === undefined ? after : await entryAt(repo, theirs, theirAt),
      head: entries[at],
    });
  }
  return met.filter(({ path, before }) => before !== undefined || !followed.has(path));
}

/** The side of which nothing is left. */
async function judge(repo: Repo, { before, ours, theirs, head }: Sides): Promise<Lost["side"] | null> {
  if (isSame(ours, theirs)) return null;
  // What one side never touched came from the other one, and is not there.
  if (isSame(before, ours)) return isSame(head, ours) ? "theirs" : null;
  if (isSame(before, theirs)) return isSame(head, theirs) ? "ours" : null;
  // Of two commits of a submodule one may hold the other.
  if ([ours, theirs].some((entry) => entry?.mode === LINK || entry?.mode === TREE)) return null;
  if (isSame(head, ours)) return "theirs";
  if (isSame(head, theirs)) return "ours";
  if (!isFile(ours) || !isFile(theirs) || !isFile(head)) return null;
  const [own, other, now] = await Promise.all([
    addedBy(repo, { before, ours, theirs }, "ours"),
    addedBy(repo, { before, ours, theirs }, "theirs"),
    linesOf(repo, head),
  ]);
  if (own === null || other === null || now === null) return null;
  const [ownLeft, otherLeft] = [own, other].map((lines) => !lines.isDisjointFrom(now));
  if (other.size > 0 && !otherLeft && ownLeft) return "theirs";
  if (own.size > 0 && !ownLeft && otherLeft) return "ours";
  return null;
}

async function describe(repo: Repo, met: Met, side: Lost["side"]): Promise<Lost> {
  const path = nameOf(met.path);
  if (met[side] === undefined) return { path, side, lines: [], isDeletion: true };
  return { path, side, lines: [...((await addedBy(repo, met, side)) ?? [])] };
}

/** The lines that this side alone added; null where one of the files is no text. */
async function addedBy(repo: Repo, sides: Omit<Sides, "head">, side: Lost["side"]): Promise<Set<string> | null> {
  const all = [sides.before, side === "ours" ? sides.theirs : sides.ours, sides[side]];
  const [base, other, own] = await Promise.all(all.map((entry) => linesOf(repo, entry)));
  return base == null || other == null || own == null ? null : own.difference(base.union(other));
}

/** Where a folder is one path, and the other side changed what is in it: its files. */
async function fileByFile(
  repo: Repo,
  changed: readonly ChangedEntry[],
  others: readonly ChangedEntry[],
): Promise<ChangedEntry[]> {
  const files: ChangedEntry[] = [];
  for (const each of changed) {
    const isFolder = each.before?.mode === TREE || each.after?.mode === TREE;
    const isMet = isFolder && others.some(({ path }) => path === each.path || path.startsWith(`${each.path}/`));
    if (!isMet) files.push(each);
    else {
      const [old, fresh] = [await entriesOf(repo, each.before), await entriesOf(repo, each.after)];
      const inside = [...new Set([...old.keys(), ...fresh.keys()])].map((name) => ({
        path: `${each.path}/${name}`,
        before: old.get(name),
        after: fresh.get(name),
      }));
      files.push(...(await fileByFile(repo, inside, others)));
    }
  }
  return files;
}

async function entriesOf(repo: Repo, entry: Entry | undefined): Promise<ReadonlyMap<string, Entry>> {
  return entry?.mode === TREE ? readEntries(repo, entry.oid) : new Map();
}

/** What a commit has at a path. */
async function entryAt(repo: Repo, commit: Oid, path: string): Promise<Entry | undefined> {
  let entry: Entry | undefined = { mode: TREE, oid: await readTree(repo, commit) };
  for (const name of path.split("/")) entry = (await entriesOf(repo, entry)).get(name);
  return entry;
}

/** Where files went that a side renamed. */
async function renamesTo(
  repo: Repo,
  fork: Oid,
  to: Oid,
  changed: readonly ChangedEntry[],
): Promise<ReadonlyMap<string, string>> {
  if (!changed.some(({ after }) => after === undefined)) return new Map();
  const args = ["diff-tree", "-r", "-z", "--find-renames", "--diff-filter=R", "--name-status", fork, to];
  const fields = fieldsOf((await git(repo, args)).stdout).map((field) => Buffer.from(field).toString("latin1"));
  const pairs = Array.from({ length: Math.floor(fields.length / 3) }, (_, at) => fields.slice(3 * at + 1, 3 * at + 3));
  return new Map(pairs.map(([from, target]) => [from!, target!]));
}

function isFile(entry: Entry | undefined): entry is Entry {
  return entry?.mode.startsWith("100") === true;
}

/** The lines that say anything, without what stands around them; null for what is no text, or too much of it. */
async function linesOf(repo: Repo, entry: Entry | undefined): Promise<Set<string> | null> {
  if (!isFile(entry)) return new Set();
  if (((await repo.live.info(entry.oid))?.size ?? Infinity) > MOST_BYTES) return null;
  const content = (await repo.live.contents(entry.oid))?.content;
  if (content === undefined || content.includes(0)) return null;
  const lines = content
    .toString()
    .split("\n")
    .map((line) => line.trim());
  return new Set(lines.filter((line) => /[\p{L}\p{N}]/u.test(line)));
}

/** Paths of trees are bytes. */
function nameOf(path: string): string {
  return Buffer.from(path, "latin1").toString();
}

async function blobsOf(repo: Repo, commit: Oid): Promise<Set<string>> {
  const { stdout } = await git(repo, ["ls-tree", "-r", "-z", "--format=%(objectname)", commit]);
  return new Set(fieldsOf(stdout));
}
