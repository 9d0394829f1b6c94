/** What a worktree changed since a commit: in commits, in its files, and in files that git does not know yet. */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { OwtError } from "../core/errors.ts";
import { start } from "../system/exec.ts";
import { fieldsOf, git, gitFlags, type Oid, type Place, placeEnv } from "./git.ts";
import { copyIndex } from "./index-file.ts";
import type { Repo } from "./repo.ts";
import { readStatus } from "./status.ts";
import { emptyTrash, openTrash } from "./trash.ts";

export type ChangedFile = {
  path: string;
  /** As git's `--name-status` tells it: A, M, D, T, U. */
  status: string;
  /** Lines; null of a binary file. */
  added: number | null;
  deleted: number | null;
};

/** Nothing that the repository names is run: no diff driver, no text conversion. A submodule that stands elsewhere is a change; nobody looks
 *  inside. */
const SAFE = ["--no-ext-diff", "--no-textconv", "--no-renames", "--ignore-submodules=dirty"];

/** The commit at which a branch was cut from `trunk`, or last took it in. `head` may be `HEAD` of the place. */
export async function forkOf(place: Repo | Place, trunk: Oid, head: string): Promise<Oid> {
  return (await git(place, ["merge-base", trunk, head])).stdout.trim();
}

/** What a branch changed since then: that commit, and the paths. */
export async function changedSinceFork(repo: Repo, trunk: Oid, head: Oid): Promise<{ fork: Oid; paths: string[] }> {
  const fork = await forkOf(repo, trunk, head);
  const { stdout } = await git(repo, ["diff-tree", "-r", "-z", "--name-only", "--no-renames", fork, head]);
  return { fork, paths: fieldsOf(stdout) };
}

/** The commits of `head` that none of `others` holds, newest first, with their first lines. */
export async function commitsWithout(
  repo: Repo,
  head: Oid,
  others: readonly Oid[],
): Promise<{ oid: Oid; subject: string }[]> {
  const { stdout } = await git(repo, ["log", "-z", "--format=%H %s", head, "--not", ...others, "--"]);
  return fieldsOf(stdout).map((line) => ({
    oid: line.slice(0, line.indexOf(" ")),
    subject: line.slice(line.indexOf(" ") + 1),
  }));
}

/** The merges on the first-parent line of `head`, as far as `trunk` does not hold them, newest first, with their parents. */
export async function mergesOn(repo: Repo, head: Oid, trunk: Oid): Promise<{ merge: Oid; parents: Oid[] }[]> {
  const args = ["log", "--first-parent", "--merges", "--format=%H %P", head, "--not", trunk, "--"];
  const { stdout } = await git(repo, args);
  return stdout.split("\n").flatMap((line) => {
    const [merge, ...parents] = line.split(" ").filter(Boolean);
    return merge === undefined ? [] : [{ merge, parents }];
  });
}

/** The commits on the first-parent line of `to` that `from` does not hold, newest first, with their first lines and authors. */
export async function commitsBetween(
  repo: Repo,
  from: Oid,
  to: Oid,
): Promise<{ oid: Oid; subject: string; author: string }[]> {
  const { stdout } = await git(repo, [
    "log",
    "-z",
    "--first-parent",
    "--format=%H%x09%an%x09%s",
    to,
    "--not",
    from,
    "--",
  ]);
  return fieldsOf(stdout).map((line) => {
    const [oid = "", author = "", ...subject] = line.split("\t");
    return { oid, author, subject: subject.join("\t") };
  });
}

/** The files that differ from a commit, by path. */
export function readChanges(place: Place, from: Oid): Promise<ChangedFile[]> {
  return withOwnIndex(place, (index) =>
    parseFiles(async (args) => (await git(place, ["diff", ...SAFE, ...args, from, "--"], { index })).stdout),
  );
}

/** Writes the changes as git tells them, byte for byte, and says how many bytes that were. `wanted` are words for git: `--stat`, `--color=always`.
 *  A reader that goes away ends it. */
export function writeChanges(place: Place, from: Oid, wanted: readonly string[], to: Writable): Promise<number> {
  return withOwnIndex(place, async (index) => {
    const child = start("git", [...gitFlags(false), "diff", ...SAFE, ...wanted, from, "--"], {
      cwd: place.root,
      env: placeEnv(place, { index }),
      stdio: ["ignore", "pipe", "pipe"],
    });
    let bytes = 0;
    let said = "";
    child.stderr!.on("data", (chunk: Buffer) => (said += chunk.toString()));
    child.stdout!.on("data", (chunk: Buffer) => (bytes += chunk.length));
    const ended = once(child, "close") as Promise<[number | null]>;
    let isRead = true;
    await pipeline(child.stdout!, to, { end: false }).catch(() => {
      isRead = false;
      child.kill();
    });
    const [code] = await ended;
    if (isRead && code !== 0)
      throw new OwtError("tool-failed", `git diff ended with ${code}: ${said.trim()}`, { hint: "look: git diff" });
    return bytes;
  });
}

/** With an index of our own, in which new files are noted as such; the worktree's is not touched. */
async function withOwnIndex<T>(place: Place, work: (index: string) => Promise<T>): Promise<T> {
  const bin = openTrash(place.commonDir);
  const index = join(bin, "index");
  try {
    if (existsSync(join(place.gitDir, "index"))) copyIndex(join(place.gitDir, "index"), index);
    else await git(place, ["read-tree", "HEAD"], { index });
    const { untracked } = await readStatus(place);
    const files = untracked.filter((path) => !path.endsWith("/"));
    if (files.length > 0)
      await git(place, ["add", "--intent-to-add", "--pathspec-from-file=-", "--pathspec-file-nul"], {
        index,
        input: files.some((path) => path.includes("\uFFFD")) ? await untrackedBytes(place) : files.join("\0"),
      });
    return await work(index);
  } finally {
    await emptyTrash(bin);
  }
}

/** New files by the bytes of their names, which are no text where they are no UTF-8. */
async function untrackedBytes(place: Place): Promise<Buffer> {
  const words = ["ls-files", "--others", "--exclude-standard", "-z"];
  const child = start("git", [...gitFlags(false), ...words], {
    cwd: place.root,
    env: placeEnv(place, {}),
    stdio: ["ignore", "pipe", "ignore"],
  });
  const names = await text(child.stdout!.setEncoding("latin1"));
  const files = fieldsOf(names).filter((path) => !path.endsWith("/"));
  return Buffer.from(files.join("\0"), "latin1");
}

async function parseFiles(diff: (args: readonly string[]) => Promise<string>): Promise<ChangedFile[]> {
  const [names, numbers] = await Promise.all([diff(["--name-status", "-z"]), diff(["--numstat", "-z"])]);
  const lines = new Map(
    fieldsOf(numbers).map((field) => {
      const [added = "", deleted = "", ...path] = field.split("\t");
      const number = (word: string) => (word === "-" ? null : Number(word));
      return [path.join("\t"), { added: number(added), deleted: number(deleted) }];
    }),
  );
  const fields = fieldsOf(names);
  const files: ChangedFile[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const path = fields[at + 1]!;
    files.push({ path, status: fields[at]!, ...(lines.get(path) ?? { added: null, deleted: null }) });
  }
  return files;
}
