/** Saves everything that a worktree holds as one commit under `refs/owt/rescue/<id>`, byte for byte: no filter, no hook, no index of the
 *  worktree is touched. Its first parent is HEAD; the others keep what else only this worktree knew (the index, dropped commits). */
import { readdirSync, readlinkSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { OwtError } from "../core/errors.ts";
import { readRef } from "./branch.ts";
import { DEFAULT_IDENTITY, writeCommit } from "./commit.ts";
import { fieldsOf, git, type Oid, type Place } from "./git.ts";
import { type Holdings, isKnown } from "./inspect.ts";
import { lstatInside, readText } from "./place.ts";
import type { Repo } from "./repo.ts";
import { emptyTrash, openTrash } from "./trash.ts";

/** More than this (new and changed files together) is not put into the object store; the worktree stays where it is. */
const RESCUE_MAX_BYTES = 512 * 1024 * 1024;
const RESCUE_MAX_FILES = 100_000;

export type RescueOptions = {
  /** Last part of the ref's name. The same id again adds to what it holds. */
  id: string;
  /** Why it was saved, for people. */
  note: string;
  /** When, in milliseconds; the caller's clock. */
  at: number;
  /** Ignored files that need no saving, as in `inspectWorktree`. */
  known?: readonly string[];
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
  /** The commit that was being merged. */
  merging: Oid | null;
  at: number;
  note: string;
};

/** Why a worktree cannot be saved. */
export type Unsavable = { refused: "too-large" | "nested-repository" | "unreadable-name"; paths: string[] };

/** Saves what `inspectWorktree` found, durably. Repeatable: the same state gives the same rescue, another one is added on top. */
export async function saveRescue(repo: Repo, held: Holdings, options: RescueOptions): Promise<Rescue | Unsavable> {
  const ref = rescueRef(options.id);
  const files = collectFiles(held, options.known ?? []);
  if ("refused" in files) return files;
  const bin = openTrash(repo.commonDir);
  try {
    const index = held.staged ? await saveIndex(repo, held, bin) : null;
    const tree = await saveTree(held, files.paths, bin);
    for (;;) {
      const before = await readRef(repo, ref);
      const rescue = describe(held, options, index);
      if (before !== null && (await isSame(repo, before, tree, rescue))) return { ...rescue, commit: before };
      const parents = [held.head.oid, index, rescue.merging, ...held.dropped, before].filter((oid) => oid !== null);
      const message = renderMessage(rescue);
      const commit = await writeCommit(repo, {
        tree,
        parents: [...new Set(parents)],
        message,
        identity: DEFAULT_IDENTITY,
      });
      if (await repo.live.updateRefs([{ ref, from: before, to: commit }])) return { ...rescue, commit };
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

type Found = { paths: string[] };

/** Every path whose bytes are not in HEAD, with ignored directories opened. */
function collectFiles(held: Holdings, known: readonly string[]): Found | Unsavable {
  const { root } = held.place;
  const nested = [...held.nested];
  const ignored = held.ignoredNew.flatMap((path) => [...walk(root, path, known, nested)]);
  const paths = [...new Set([...held.dirty, ...held.unmerged, ...held.untracked, ...ignored])];
  if (nested.length > 0) return { refused: "nested-repository", paths: nested };
  let bytes = 0;
  for (const path of paths) {
    const stat = lstatInside(root, path);
    // A name that is not UTF-8 comes to us damaged: it is there, but we cannot open it.
    if (stat === null && path.includes("\uFFFD")) return { refused: "unreadable-name", paths: [path] };
    bytes += stat?.isFile() === true ? stat.size : 0;
  }
  return bytes > RESCUE_MAX_BYTES || paths.length > RESCUE_MAX_FILES
    ? { refused: "too-large", paths: ["."] }
    : { paths };
}

function* walk(root: string, path: string, known: readonly string[], nested: string[]): Generator<string> {
  if (isKnown(path, known)) return;
  if (!path.endsWith("/")) {
    yield path;
    return;
  }
  const entries = readdirSync(join(root, path), { withFileTypes: true });
  if (entries.some(({ name }) => name.toLowerCase() === ".git")) {
    nested.push(path);
    return;
  }
  for (const entry of entries)
    yield* walk(root, `${path}${entry.name}${entry.isDirectory() ? "/" : ""}`, known, nested);
}

/** HEAD's tree with the worktree's own bytes laid over it. */
async function saveTree(held: Holdings, paths: readonly string[], bin: string): Promise<Oid> {
  const { place, head } = held;
  const index = join(bin, "index");
  const at = held.gone ? { ...place, root: bin } : place;
  if (head.oid !== null) await git(at, ["read-tree", head.oid], { index });
  const entries = await writeBlobs(place, paths, bin, "0".repeat(held.head.oid?.length ?? 40));
  if (entries.length > 0) await git(at, ["update-index", "-z", "--index-info"], { index, input: entries.join("") });
  return (await git(at, ["write-tree"], { index, durable: true })).stdout.trim();
}

/** Index lines, deletions first, so that a file may take a directory's place. */
async function writeBlobs(place: Place, paths: readonly string[], bin: string, noOid: string): Promise<string[]> {
  const gone: string[] = [];
  const kept: { path: string; mode: string; source: string }[] = [];
  for (const path of paths) {
    const full = join(place.root, path);
    const stat = lstatInside(place.root, path);
    if (stat?.isSymbolicLink() === true) {
      const source = join(bin, `link-${kept.length}`);
      await writeFile(source, readlinkSync(full, { encoding: "buffer" }));
      kept.push({ path, mode: "120000", source });
    } else if (stat?.isFile() === true) {
      kept.push({ path, mode: (stat.mode & 0o100) === 0 ? "100644" : "100755", source: full });
    } else if (stat === null || stat.isDirectory()) {
      gone.push(path);
    }
  }
  const deletions = gone.map((path) => `0 ${noOid}\t${path}\0`);
  if (kept.length === 0) return deletions;
  const input = `${kept.map(({ source }) => quote(source)).join("\n")}\n`;
  const hashed = await git(place, ["hash-object", "-w", "--no-filters", "--stdin-paths"], { input, durable: true });
  const oids = hashed.stdout.trim().split("\n");
  if (oids.length !== kept.length) throw new OwtError("internal", `${kept.length} files to save, ${oids.length} saved`);
  return [...deletions, ...kept.map(({ path, mode }, at) => `${mode} ${oids[at]!}\t${path}\0`)];
}

/** What `--stdin-paths` reads as one path whatever is in it. */
function quote(path: string): string {
  return `"${path.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}

/** The index as a commit: staged content can differ from both HEAD and the file. Entries of an open merge are left out; its sides are commits. */
async function saveIndex(repo: Repo, { place, head }: Holdings, bin: string): Promise<Oid> {
  const at = { ...place, root: bin };
  const listed = await git(at, ["ls-files", "-s", "-z"]);
  const input = listed.stdout.split("\0").filter((line) => /^\d+ [0-9a-f]+ 0\t/.test(line));
  const index = join(bin, "index-staged");
  if (input.length === 0) await git(at, ["read-tree", "--empty"], { index });
  else await git(at, ["update-index", "-z", "--index-info"], { index, input: `${input.join("\0")}\0` });
  const tree = (await git(at, ["write-tree"], { index, durable: true })).stdout.trim();
  const parents = head.oid === null ? [] : [head.oid];
  return writeCommit(repo, { tree, parents, message: "index of a rescued worktree", identity: DEFAULT_IDENTITY });
}

function describe(held: Holdings, { id, note, at }: RescueOptions, index: Oid | null): Rescue {
  const merging = readText(join(held.place.gitDir, "MERGE_HEAD"))?.split("\n")[0] ?? null;
  const { branch, oid: head } = held.head;
  return { id, ref: rescueRef(id), commit: "", path: held.place.root, branch, head, index, merging, at, note };
}

async function isSame(repo: Repo, before: Oid, tree: Oid, rescue: Rescue): Promise<boolean> {
  const object = await repo.live.contents(before);
  const text = object?.content.toString("utf8") ?? "";
  const old = parseMessage(rescue.ref, before, text.slice(text.indexOf("\n\n") + 2));
  return (
    text.startsWith(`tree ${tree}\n`) &&
    old?.head === rescue.head &&
    old.merging === rescue.merging &&
    old.index === rescue.index
  );
}

/** The facts stand as JSON on the last line: paths may contain anything. */
function renderMessage({ path, branch, head, index, merging, at, note }: Rescue): string {
  const time = new Date(at).toISOString();
  const facts = JSON.stringify({ path, branch, head, index, merging, at, note });
  return `rescue: ${branch ?? "detached"} at ${JSON.stringify(path)}, ${time}\n\n${note}\n\nOwt-Rescue: ${facts}`;
}

function parseMessage(ref: string, commit: Oid, message: string): Rescue | null {
  const facts = /^Owt-Rescue: (\{.*\})$/.exec(message.trimEnd().split("\n").at(-1) ?? "")?.[1];
  if (facts === undefined) return null;
  const { path, branch, head, index, merging, at, note } = JSON.parse(facts) as Rescue;
  return { id: ref.slice("refs/owt/rescue/".length), ref, commit, path, branch, head, index, merging, at, note };
}
