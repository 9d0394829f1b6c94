/** Saves everything that a worktree holds as one commit under `refs/owt/rescue/<id>`, byte for byte: no filter, no hook, no index of the
 *  worktree is touched. Its first parent is HEAD; the others keep what else only this worktree knew (the index, dropped commits). */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { OwtError } from "../core/errors.ts";
import { readParents, readRef } from "./branch.ts";
import { DEFAULT_IDENTITY, type NewCommit, readTree, writeCommit } from "./commit.ts";
import { fieldsOf, git, type Oid } from "./git.ts";
import type { Holdings, ModuleHoldings } from "./inspect.ts";
import type { Known } from "./known.ts";
import { type InProgress, readText } from "./place.ts";
import type { Repo } from "./repo.ts";
import { collectFiles, emptyFoldersOf, type Unsavable } from "./rescue-files.ts";
import { type RescuedModule, saveModule } from "./rescue-module.ts";
import { saveIndex, saveTree, writeAside } from "./rescue-trees.ts";
import { emptyTrash, openTrash } from "./trash.ts";

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

/** Changed paths, from the worktree's top. */
function dirtyBelow(held: Holdings | ModuleHoldings): string[] {
  return "path" in held ? held.dirty.map((path) => `${held.path}/${path}`) : held.dirty;
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
