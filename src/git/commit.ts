/** Trees and commit objects. A commit is written without a process: its bytes and its name are documented, and a spawned `commit-tree`
 *  would cost ten times as much. (A live `hash-object --stdin-paths` cannot be asked: it answers only when it ends.) */
import { OwtError } from "../core/errors.ts";
import { isKnown, readFacts, rememberFacts } from "./facts.ts";
import { fieldsOf, git, type Identity, type Oid } from "./git.ts";
import { isObject, writeLooseObject } from "./loose-object.ts";
import type { Repo } from "./repo.ts";

/** Used where the user has not told git who they are. */
export const DEFAULT_IDENTITY: Identity = { name: "Open Orchestrator", email: "owt@localhost" };

export type NewCommit = { tree: Oid; parents: readonly Oid[]; message: string; identity: Identity };

/** The tree of a commit. Throws when there is no such commit. */
export async function readTree(repo: Repo, commit: Oid): Promise<Oid> {
  const facts = await readFacts(repo, commit);
  if (facts === null) throw new OwtError("tool-failed", `no commit ${commit} in ${repo.root}`);
  return facts.tree;
}

/** Writes a commit object that is on disk when this returns. It points to nothing by itself: move a ref to it. */
export async function writeCommit(repo: Repo, commit: NewCommit): Promise<Oid> {
  const content = renderCommit(commit, new Date());
  for (const oid of [commit.tree, ...commit.parents]) {
    if (!isKnown(repo, oid) && !(await isObject(repo, oid)))
      throw new OwtError("internal", `a commit of ${oid}, which does not exist`);
  }
  if (repo.plainLayout) {
    const oid = writeLooseObject(repo, "commit", content);
    rememberFacts(repo, oid, commit);
    return oid;
  }
  const args = ["hash-object", "-t", "commit", "-w", "--stdin"];
  return (await git(repo, args, { input: content, durable: true })).stdout.trim();
}

/** Who commits of ours are by: the user as git knows them, else the named default. */
export async function readIdentity(repo: Repo): Promise<Identity & { isDefault: boolean }> {
  const { stdout } = await git(repo, ["config", "-z", "--get-regexp", "^(author|user)\\.(name|email)$"], {
    ok: [0, 1],
  });
  const settings = new Map(fieldsOf(stdout).map((field) => field.split("\n", 2) as [string, string]));
  const name = process.env["GIT_AUTHOR_NAME"] ?? settings.get("author.name") ?? settings.get("user.name");
  const email = process.env["GIT_AUTHOR_EMAIL"] ?? settings.get("author.email") ?? settings.get("user.email");
  return name && email ? { name, email, isDefault: false } : { ...DEFAULT_IDENTITY, isDefault: true };
}

function renderCommit({ tree, parents, message, identity }: NewCommit, now: Date): Buffer {
  if (message.includes("\0")) throw new OwtError("usage", "a commit message cannot contain a NUL byte");
  const by = `${cleanName(identity.name)} <${cleanName(identity.email)}> ${Math.floor(now.getTime() / 1000)} ${renderZone(now)}`;
  const header = [`tree ${tree}`, ...parents.map((parent) => `parent ${parent}`), `author ${by}`, `committer ${by}`];
  return Buffer.from(`${header.join("\n")}\n\n${message.trimEnd()}\n`, "utf8");
}

/** What git itself takes out of names. */
function cleanName(text: string): string {
  return text.replaceAll(/[<>\n\r\0]/g, "").trim() || "unknown";
}

function renderZone(now: Date): string {
  const minutes = -now.getTimezoneOffset();
  const pad = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  return `${minutes < 0 ? "-" : "+"}${pad(Math.abs(minutes) / 60)}${pad(Math.abs(minutes) % 60)}`;
}
