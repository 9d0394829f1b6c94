/** What a resolved merge threw away: files that both sides changed, or one alone, in which nothing of a side is left. */
import { changedEntries } from "./changed-paths.ts";
import { forkOf } from "./changes.ts";
import { fieldsOf, git, type Oid } from "./git.ts";
import type { Repo } from "./repo.ts";
import { type Entry, isSame } from "./tree.ts";

/** `side`: whose change is gone, with the lines that it had added. */
export type Lost = { path: string; side: "ours" | "theirs"; lines: string[] };

const MOST_BYTES = 2 ** 20;

/** The files of `head`, in which `ours` and `theirs` were brought together, that hold nothing of what one of them changed. Where lines of both were made into others
 *  nothing is lost; nor is a file that stands elsewhere now, or one that has to be there or not. */
export async function findLostSides(
  repo: Repo,
  { ours, theirs, head }: { ours: Oid; theirs: Oid; head: Oid },
): Promise<Lost[]> {
  const fork = await forkOf(repo, ours, theirs);
  const [mine, their, made] = await Promise.all([ours, theirs, head].map((to) => changedEntries(repo, fork, to)));
  const [own, now] = [byPath(mine!), byPath(made!)];
  const lost: Lost[] = [];
  for (const { path, before, after } of their!) {
    const entry = (changed: ReturnType<typeof byPath>) => (changed.has(path) ? changed.get(path)!.after : before);
    const found = await judge(repo, path, { before, ours: entry(own), theirs: after, head: entry(now) });
    if (found !== null) lost.push(found);
  }
  const kept = lost.some(({ side }) => side === "theirs") ? await blobsOf(repo, head) : null;
  const isElsewhere = ({ path, side }: Lost) => {
    const after = side === "theirs" ? their!.find((each) => each.path === path)?.after : undefined;
    return after !== undefined && kept?.has(after.oid) === true;
  };
  return lost
    .filter((each) => !isElsewhere(each))
    .map((each) => ({ ...each, path: nameOf(each.path) }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

type Sides = Record<"before" | "ours" | "theirs" | "head", Entry | undefined>;

function byPath(changed: Awaited<ReturnType<typeof changedEntries>>) {
  return new Map(changed.map((each) => [each.path, each]));
}

async function judge(repo: Repo, path: string, { before, ours, theirs, head }: Sides): Promise<Lost | null> {
  const isOurs = isSame(head, ours);
  // What this side never touched came from the other one, and is not there.
  if (isSame(before, ours)) return isOurs ? { path, side: "theirs", lines: await addedTo(repo, before, theirs) } : null;
  if (isSame(ours, theirs) || !isFile(ours) || !isFile(theirs) || !isFile(head)) return null;
  const [base, mine, their, now] = await Promise.all([before, ours, theirs, head].map((each) => linesOf(repo, each)));
  if (base === null || mine === null || their === null || now === null) return null;
  const ownLines = mine!.difference(base!.union(their!));
  const theirLines = their!.difference(base!.union(mine!));
  if (isOurs) return { path, side: "theirs", lines: [...theirLines] };
  if (isSame(head, theirs)) return { path, side: "ours", lines: [...ownLines] };
  const [ownLeft, theirLeft] = [ownLines, theirLines].map((lines) => !lines.isDisjointFrom(now!));
  if (theirLines.size > 0 && !theirLeft && ownLeft) return { path, side: "theirs", lines: [...theirLines] };
  if (ownLines.size > 0 && !ownLeft && theirLeft) return { path, side: "ours", lines: [...ownLines] };
  return null;
}

async function addedTo(repo: Repo, before: Entry | undefined, after: Entry | undefined): Promise<string[]> {
  const [old, fresh] = await Promise.all([linesOf(repo, before), linesOf(repo, after)]);
  return old === null || fresh === null ? [] : [...fresh.difference(old)];
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
