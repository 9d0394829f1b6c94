/** What a resolved merge threw away: files that both sides changed, or one alone, in which nothing of a side is left. */
import { type ChangedEntry, changedEntries, changedFiles, entryAt } from "./changed-paths.ts";
import { forkOf } from "./changes.ts";
import { fieldsOf, git, type Oid } from "./git.ts";
import { isAnyKept, isAnyThere, linesBeyond } from "./kept-lines.ts";
import { readName } from "./quoted-names.ts";
import type { Repo } from "./repo.ts";
import { entriesOf, type Entry, isSame, LINK, TREE } from "./tree.ts";

/** `side`: whose change is gone, with the lines that it had added; `isDeletion`: it had deleted the file; `isMode`: only that it had made it executable, or not, is gone;
 *  `isBinary`: both had changed a file that is no text, so that one of them had to go. */
export type Lost = {
  path: string;
  side: Side;
  lines: string[];
  isDeletion?: true;
  isMode?: true;
  isBinary?: true;
};

type Side = "ours" | "theirs";

const SIDES: readonly Side[] = ["ours", "theirs"];

const MOST_BYTES = 2 ** 20;

/** So many files that a resolution made are looked through for what it took out of others. */
const MOST_FILES = 500;

/** An empty file, by either kind of name. */
const EMPTY = new Set([
  "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
  "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
]);

/** The files of `head`, in which `ours` and `theirs` were brought together, that hold nothing of what one of them changed, or of what both did. Where lines of both were made
 *  into others nothing is lost; nor is what stands in another file now. A file that a side renamed is looked for where it is. */
export async function findLostSides(
  repo: Repo,
  { ours, theirs, head }: { ours: Oid; theirs: Oid; head: Oid },
): Promise<Lost[]> {
  const met = await findMet(repo, { ours, theirs, head });
  const found = (
    await Promise.all(met.map(async (each) => (await judge(repo, each)).map((loss) => ({ each, loss }))))
  ).flat();
  const kept = found.length > 0 ? await blobsOf(repo, head) : new Set<Oid>();
  const moved = found.some(({ loss }) => !loss.isMode) ? await linesMadeBy(repo, { ours, theirs, head }) : new Set("");
  const told: Lost[] = [];
  for (const { each, loss } of found) {
    const bytes = each[loss.side]?.oid ?? "";
    // The same bytes elsewhere are the file moved; no bytes are everywhere.
    if (!loss.isMode && !EMPTY.has(bytes) && kept.has(bytes)) continue;
    if (!loss.isMode && isMoved(await traceOf(repo, each, loss.side), moved, loss)) continue;
    told.push(await describe(repo, each, loss));
  }
  return told.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** The files that `ours` changed, whether `theirs` did or not, in which `head` holds nothing of that, nor does another file that was made with it; and what of it `theirs` brought
 *  to other files itself needs nobody twice. */
export async function findUndone(repo: Repo, { ours, theirs, head }: Ends): Promise<Lost[]> {
  const sides = await findLostSides(repo, { ours: theirs, theirs: ours, head });
  const undone = sides.filter(({ side }) => side === "theirs");
  if (undone.length === 0) return [];
  const made = await linesMadeBy(repo, { ours, theirs, head });
  const brought = await linesBroughtBy(repo, { ours, theirs, head });
  const isThere = (lines: ReadonlySet<string>) =>
    !lines.isDisjointFrom(made) || (lines.size > 0 && lines.isSubsetOf(brought));
  return undone.filter(({ lines }) => !isThere(new Set(lines))).map((lost) => ({ ...lost, side: "ours" as const }));
}

/** `isGone`: it went with all of the file, and may stand in another one. */
type Loss = { side: Side; isMode?: boolean; isGone?: boolean };

/** Whether what a side had added stands in files that were made with the resolution: any line of a file that is gone; most lines of one that is there. */
function isMoved(trace: ReadonlySet<string>, made: ReadonlySet<string>, { isGone }: Loss): boolean {
  const found = trace.intersection(made).size;
  return found > 0 && (isGone === true || 2 * found >= trace.size);
}

/** What `theirs` changed, as each of the commits has it; `path` is where it is now. */
type Met = Sides & { path: string };
type Ends = Record<Side | "head", Oid>;
type Sides = Record<"before" | "ours" | "theirs" | "head", Entry | undefined>;

async function findMet(repo: Repo, { ours, theirs, head }: Ends): Promise<Met[]> {
  const fork = await forkOf(repo, ours, theirs);
  const [mine, their] = await Promise.all([ours, theirs].map((to) => changedEntries(repo, fork, to)));
  const [own, other] = [await renamesTo(repo, fork, ours, mine!), await renamesTo(repo, fork, theirs, their!)];
  const met: Met[] = [];
  const followed = new Set<string>();
  for (const { path, before, after } of await fileByFile(repo, head, their!, mine!)) {
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

/** What is lost of either side. */
async function judge(repo: Repo, sides: Sides): Promise<Loss[]> {
  const { before, ours, theirs, head } = sides;
  // What both made, alike, is not there any more.
  if (isSame(ours, theirs)) return isSame(head, before) ? [{ side: "theirs", isGone: head === undefined }] : [];
  const given = await givenUp(repo, sides);
  // What was in a file that is not there any more may have been brought to another one.
  const how = (side: Side) => (head === undefined ? { isGone: true } : { isMode: head.oid === sides[side]?.oid });
  if (given.length > 0) return given.map((side) => ({ side, ...how(side) }));
  if (await isGone(repo, sides)) return gone(repo, sides);
  const usual = before?.mode ?? "100644";
  const isLost = (each: Side) =>
    isFile(sides[each]) && sides[each].mode !== usual && isFile(head) && head.mode === usual;
  return SIDES.filter(isLost).map((each) => ({ side: each, isMode: true }));
}

/** The side of which nothing is left, where the other one is there; or both, where the file is what it was before them. */
async function givenUp(repo: Repo, sides: Sides): Promise<readonly Side[]> {
  const { before, ours, theirs, head } = sides;
  // What one side never touched came from the other one, and is not there.
  if (isSame(before, ours)) return isSame(head, ours) ? ["theirs"] : [];
  if (isSame(before, theirs)) return isSame(head, theirs) ? ["ours"] : [];
  if (before !== undefined && isSame(head, before)) return SIDES;
  // Of two commits of a submodule one may hold the other.
  if ([ours, theirs].some((entry) => entry?.mode === LINK || entry?.mode === TREE)) return [];
  if (isSame(head, ours)) return ["theirs"];
  if (isSame(head, theirs)) return ["ours"];
  return isFile(ours) && isFile(theirs) && isFile(head) ? sidesNotKept(repo, sides) : [];
}

/** The sides that added lines of which none is left. Where nothing of either stands as it was, and something was made, lines of both were made into that. */
async function sidesNotKept(repo: Repo, sides: Sides): Promise<Side[]> {
  const files = [sides.before, sides.ours, sides.theirs, sides.head];
  const [base, own, other, now] = await Promise.all(files.map((entry) => linesOf(repo, entry)));
  if (base == null || own == null || other == null || now == null) return [];
  const added = { ours: addedTo(own, base.union(other)), theirs: addedTo(other, base.union(own)) };
  const isThere = (side: Side) => isAnyThere(added[side], now);
  const isMade = linesBeyond(now, base.union(own).union(other)).length > 0;
  if (isMade && !SIDES.some(isThere)) return [];
  const beside = { ours: base.union(other), theirs: base.union(own) };
  return SIDES.filter((side) => added[side].size > 0 && !isAnyKept(added[side], { beside: beside[side], now }));
}

/** The lines that are not beside; of who changed nothing but spaces and signs, those. */
function addedTo(lines: ReadonlySet<string>, beside: ReadonlySet<string>): ReadonlySet<string> {
  const beyond = linesBeyond(lines, beside);
  return beyond.length > 0 ? new Set(beyond) : lines.difference(beside);
}

/** Whether a file that was changed is not there any more, is empty, or holds something else altogether: no line of either side, those among them that they have in common,
 *  and no word that one of them brought. Where they have no line in common, all of it was to be rewritten. */
async function isGone(repo: Repo, sides: Sides): Promise<boolean> {
  const { before, head } = sides;
  const changed = changedSides(sides);
  if (changed.length === 0 || changed.some((side) => sides[side]?.mode === TREE)) return false;
  if (head === undefined) return true;
  const now = await linesOf(repo, head);
  if (!isFile(head) || now === null) return false;
  const [base, ...both] = await Promise.all([before, sides.ours, sides.theirs].map((entry) => linesOf(repo, entry)));
  if (now.size === 0) return both.some((lines) => lines === null || lines!.size > 0);
  if (base == null || both.some((lines) => lines == null || !lines.isDisjointFrom(now))) return false;
  const [one = base, other = one] = SIDES.flatMap((side, at) => (sides[side] === undefined ? [] : [both[at]!]));
  if (one.isDisjointFrom(other)) return false;
  const added = await Promise.all(changed.map((side) => addedBy(repo, sides, side)));
  const brought = added.flatMap((lines) => [...wordsOf(lines ?? []).difference(wordsOf(base))]);
  const text = [...now].join("\n");
  return !brought.some((word) => text.includes(word));
}

/** Whose change went with it: of whoever only took lines away nothing can be missed, where the other one brought some. */
async function gone(repo: Repo, sides: Sides): Promise<Loss[]> {
  const changed = changedSides(sides);
  const added = await Promise.all(changed.map((side) => addedBy(repo, sides, side)));
  const missed = changed.filter((_, at) => added[at]?.size !== 0);
  return (missed.length > 0 ? missed : changed).map((side) => ({ side, isGone: true }));
}

/** Those that changed the file and did not delete it. */
function changedSides(sides: Sides): Side[] {
  return SIDES.filter((side) => sides[side] !== undefined && !isSame(sides[side], sides.before));
}

/** The lines by which a side's change is known in another file. */
async function traceOf(repo: Repo, sides: Sides, side: Side): Promise<ReadonlySet<string>> {
  const added = await addedBy(repo, sides, side);
  return (added?.size === 0 ? await linesOf(repo, sides[side]) : added) ?? new Set();
}

/** The lines of the files that neither side has as `head` has them. */
async function linesMadeBy(repo: Repo, { ours, theirs, head }: Ends): Promise<Set<string>> {
  const [own, other] = await Promise.all([ours, theirs].map((from) => changedFiles(repo, from, head, MOST_FILES)));
  const made = own!.filter((path) => other!.includes(path)).slice(0, MOST_FILES);
  return linesAt(repo, head, made);
}

/** The lines that `head` has of the files that `theirs` changed. */
async function linesBroughtBy(repo: Repo, { ours, theirs, head }: Ends): Promise<Set<string>> {
  const changed = await changedFiles(repo, await forkOf(repo, ours, theirs), theirs, MOST_FILES);
  return linesAt(repo, head, changed.slice(0, MOST_FILES));
}

async function linesAt(repo: Repo, head: Oid, paths: readonly string[]): Promise<Set<string>> {
  const files = await Promise.all(paths.map(async (path) => linesOf(repo, await entryAt(repo, head, path))));
  return new Set(files.flatMap((lines) => [...(lines ?? [])]));
}

async function describe(repo: Repo, met: Met, { side, isMode }: Loss): Promise<Lost> {
  const path = readName(met.path);
  if (isMode) return { path, side, lines: [], isMode: true };
  if (met[side] === undefined) return { path, side, lines: [], isDeletion: true };
  const lines = await addedBy(repo, met, side);
  const isBinary = lines === null && isEither(met) && (await isChoice(repo, met));
  return { path, side, lines: [...(lines ?? [])], ...(isBinary ? { isBinary } : {}) };
}

function isEither({ ours, theirs, head }: Sides): boolean {
  return isSame(head, ours) || isSame(head, theirs);
}

/** Whether both sides changed or made a file of which nobody can have both: git finds no lines in it. */
async function isChoice(repo: Repo, { before, ours, theirs }: Sides): Promise<boolean> {
  if (!isFile(ours) || !isFile(theirs) || isSame(ours, before) || isSame(theirs, before)) return false;
  const { stdout } = await git(repo, ["diff", "--numstat", "--no-ext-diff", "--no-textconv", ours.oid, theirs.oid]);
  return stdout.startsWith("-\t-\t");
}

/** The lines that this side alone added; null where one of the files is no text. */
async function addedBy(repo: Repo, sides: Omit<Sides, "head">, side: Side): Promise<Set<string> | null> {
  const all = [sides.before, side === "ours" ? sides.theirs : sides.ours, sides[side]];
  const [base, other, own] = await Promise.all(all.map((entry) => linesOf(repo, entry)));
  return base == null || other == null || own == null ? null : own.difference(base.union(other));
}

/** Where a folder is one path, and the other side, or who brought both together, changed what is in it: its files. */
async function fileByFile(
  repo: Repo,
  head: Oid,
  changed: readonly ChangedEntry[],
  others: readonly ChangedEntry[],
): Promise<ChangedEntry[]> {
  const files: ChangedEntry[] = [];
  for (const each of changed) {
    const isFolder = each.before?.mode === TREE || each.after?.mode === TREE;
    const isMet = isFolder && others.some(({ path }) => path === each.path || path.startsWith(`${each.path}/`));
    const now = isFolder ? await entryAt(repo, head, each.path) : undefined;
    const isPartly = now?.mode === TREE && each.after?.mode === TREE && !isSame(now, each.after);
    if (!isMet && !isPartly) files.push(each);
    else {
      const [old, fresh] = [await entriesOf(repo, each.before), await entriesOf(repo, each.after)];
      const inside = [...new Set([...old.keys(), ...fresh.keys()])].map((name) => ({
        path: `${each.path}/${name}`,
        before: old.get(name),
        after: fresh.get(name),
      }));
      files.push(...(await fileByFile(repo, head, inside, others)));
    }
  }
  return files;
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

function wordsOf(lines: Iterable<string>): Set<string> {
  return new Set([...lines].flatMap((line) => line.match(/[\p{L}\p{N}]+/gu) ?? []));
}

async function blobsOf(repo: Repo, commit: Oid): Promise<Set<string>> {
  const { stdout } = await git(repo, ["ls-tree", "-r", "-z", "--format=%(objectname)", commit]);
  return new Set(fieldsOf(stdout));
}
