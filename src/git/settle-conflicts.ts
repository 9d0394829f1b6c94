/** Settles the conflicts of a merge by rule, in the object store, without touching a worktree. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { OwtError } from "../core/errors.ts";
import { withAttributesOf } from "./attributes.ts";
import { fieldsOf, git, type Oid, type Place } from "./git.ts";
import { gitPatiently } from "./patience.ts";
import { placeAt } from "./place.ts";
import type { Repo } from "./repo.ts";
import { emptyTrash, openTrash } from "./trash.ts";

type Entry = { mode: string; oid: Oid };
/** What base, ours and theirs have at a path. */
type Stages = Partial<Record<"1" | "2" | "3", Entry>>;

/** The tree of the merge of two commits in which each conflict is settled: by `ours` at a path (which may be that it is gone), or with the lines of both.
 *  Null where a path that is in conflict has no choice, or the lines of what is no file on both sides were to be joined. Attributes are
 *  those of `ours`; `worktree` is where git runs. */
export async function settleConflicts(
  repo: Repo,
  ours: Oid,
  theirs: Oid,
  worktree: string,
  choose: (path: string) => "ours" | "union" | null,
): Promise<Oid | null> {
  const place = placeAt(repo, worktree);
  const args = ["merge-tree", "--write-tree", "-z", "--no-messages", ours, theirs];
  const { stdout } = await withAttributesOf(repo, ours, worktree, (at) =>
    gitPatiently(repo.patience, at, args, { ok: [0, 1], durable: true }),
  );
  const [tree = "", ...fields] = fieldsOf(stdout);
  const settled = new Map<string, Entry | null>();
  for (const [path, stages] of readStages(fields)) {
    const how = isText(path) ? choose(path) : null;
    if (how === null) return null;
    const entry = how === "ours" ? (stages["2"] ?? null) : await joinLines(place, stages);
    if (entry === undefined) return null;
    settled.set(path, entry);
  }
  return replaceEntries(place, tree, settled);
}

/** A tree with these of its files as they are in a worktree; one that is not there any more is taken out. */
export async function takeFiles(repo: Repo, tree: Oid, worktree: string, paths: readonly string[]): Promise<Oid> {
  const place = placeAt(repo, worktree);
  return withIndex(place, tree, async (index) => {
    const options = { index, input: paths.join("\0"), durable: true };
    // No filter of the repository is run for what a command of its own has just written.
    await git(place, ["update-index", "--add", "--remove", "-z", "--stdin"], options);
  });
}

/** `mode oid stage TAB path` each. */
function readStages(fields: readonly string[]): Map<string, Stages> {
  const all = new Map<string, Stages>();
  for (const field of fields) {
    const [head = "", ...path] = field.split("\t");
    const [mode, oid, stage] = head.split(" ");
    if (mode === undefined || oid === undefined || stage === undefined) continue;
    const stages = all.get(path.join("\t")) ?? {};
    stages[stage as "1" | "2" | "3"] = { mode, oid };
    all.set(path.join("\t"), stages);
  }
  return all;
}

/** Undefined where one of the sides has no file there. */
async function joinLines(place: Place, { 1: base, 2: ours, 3: theirs }: Stages): Promise<Entry | undefined> {
  const isFile = (entry: Entry | undefined) => entry?.mode.startsWith("100") === true;
  if (!isFile(ours) || !isFile(theirs) || (base !== undefined && !isFile(base))) return undefined;
  const bin = openTrash(place.commonDir);
  try {
    const paths: string[] = [];
    for (const [name, entry] of Object.entries({ ours, base, theirs })) {
      const path = join(bin, name);
      const text = entry === undefined ? "" : (await git(place, ["cat-file", "blob", entry.oid])).stdout;
      if (!isText(text)) return undefined;
      writeFileSync(path, text);
      paths.push(path);
    }
    const args = ["merge-file", "--union", "-p", "--quiet", ...paths];
    const { stdout } = await git(place, args);
    const written = await git(place, ["hash-object", "-w", "--stdin"], { input: stdout, durable: true });
    return { mode: ours!.mode, oid: written.stdout.trim() };
  } finally {
    await emptyTrash(bin);
  }
}

/** What git prints is read as UTF-8: of anything else some bytes are lost. */
function isText(text: string): boolean {
  return !/[\0\uFFFD]/.test(text);
}

async function replaceEntries(place: Place, tree: Oid, entries: ReadonlyMap<string, Entry | null>): Promise<Oid> {
  return withIndex(place, tree, async (index) => {
    const lines = [...entries].map(([path, entry]) =>
      entry === null ? `0 ${"0".repeat(40)}\t${path}` : `${entry.mode} ${entry.oid}\t${path}`,
    );
    await git(place, ["update-index", "-z", "--index-info"], { index, input: `${lines.join("\0")}\0`, durable: true });
  });
}

/** The tree of an index of our own that begins as another tree. */
async function withIndex(place: Place, tree: Oid, work: (index: string) => Promise<void>): Promise<Oid> {
  const bin = openTrash(place.commonDir);
  try {
    const index = join(bin, "index");
    await git(place, ["read-tree", tree], { index });
    await work(index);
    const written = (await git(place, ["write-tree"], { index, durable: true })).stdout.trim();
    if (written === "") throw new OwtError("tool-failed", "git write-tree said nothing", { hint: "look: git fsck" });
    return written;
  } finally {
    await emptyTrash(bin);
  }
}
