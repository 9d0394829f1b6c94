/** What stands where the ref of a branch is to be, so that git cannot move it, or would move another one with it. */
import { readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { branchRef, isAncestor, listRefs } from "./branch.ts";
import type { Oid } from "./git.ts";
import { lockIdentity } from "./live.ts";
import { filesBelow, readText } from "./place.ts";
import type { Repo } from "./repo.ts";

export type RefFault =
  /** It is no branch but another name of `to`: what is written there is written to that one. */
  | { kind: "symbolic"; to: string }
  /** A folder with these branches (or, where there are none, with anything else) is in its place. */
  | { kind: "folder"; path: string; branches: string[] }
  /** A branch has the name of a folder that it lies in. */
  | { kind: "beneath"; branch: string };

/** What is wrong with the ref of a branch; null where nothing is, or where its files do not tell. */
export async function findRefFault(repo: Repo, branch: string): Promise<RefFault | null> {
  if (!repo.plainLayout) return null;
  const found = lookAtRef(repo, branch);
  if (found.kind === "symbolic") return { kind: "symbolic", to: found.to };
  if (found.kind === "file") return null;
  const beneath = await findBranchAbove(repo, branch);
  if (beneath !== null) return { kind: "beneath", branch: beneath };
  if (found.kind === "none") return null;
  const ref = branchRef(branch);
  const branches = (await listRefs(repo, [`${ref}/`])).map((each) => each.slice("refs/heads/".length));
  // An empty folder is in nobody's way.
  if (branches.length === 0 && filesBelow(found.path).length === 0) return null;
  return { kind: "folder", path: found.path, branches };
}

/** The branch that has the name of a folder which this one lies in, or is to lie in: git cannot have both. */
export async function findBranchAbove(repo: Repo, branch: string): Promise<string | null> {
  for (let above = dirname(branch); above !== "."; above = dirname(above)) {
    if ((await repo.live.info(branchRef(above))) !== null) return above;
  }
  return null;
}

/** The lock that somebody holds on a branch, or left there; null where there is none. `identity`: no other lock has it. */
export function findRefLock(repo: Repo, branch: string): { path: string; identity: string } | null {
  const path = join(repo.commonDir, `${branchRef(branch)}.lock`);
  const identity = lockIdentity(path);
  return identity === null ? null : { path, identity };
}

/** What the file of a ref says, as it is read in one go: whoever compares two of them sees that it was touched. */
export function refText(repo: Repo, branch: string): string {
  const found = lookAtRef(repo, branch);
  return found.kind === "file" ? found.text : JSON.stringify(found);
}

/** Takes away the file of a branch that holds no commit's name (a power cut empties one), and gives where the branch was last by git's own log of it. False where
 *  the file is whole, or there is none. */
export function dropEmptied(repo: Repo, branch: string): { last: Oid | null } | false {
  if (!repo.plainLayout) return false;
  const found = lookAtRef(repo, branch);
  if (found.kind !== "file" || /^[0-9a-f]{40}/.test(found.text)) return false;
  rmSync(join(repo.commonDir, branchRef(branch)), { force: true });
  return { last: lastLogged(repo, branch) };
}

function lastLogged(repo: Repo, branch: string): Oid | null {
  const log = readText(join(repo.commonDir, "logs", branchRef(branch))) ?? "";
  const tos = log.split("\n").flatMap((line) => /^\S+ ([0-9a-f]{40,64}) /.exec(line)?.[1] ?? []);
  return tos.findLast((oid) => !/^0+$/.test(oid)) ?? null;
}

/** Whether a commit is there and holds another one. */
export async function holdsCommit(repo: Repo, oid: Oid, ancestor: Oid): Promise<boolean> {
  if ((await repo.live.info(oid))?.type !== "commit") return false;
  return isAncestor(repo, ancestor, oid);
}

type Found =
  | { kind: "file"; text: string }
  | { kind: "symbolic"; to: string }
  | { kind: "folder"; path: string }
  | { kind: "none" };

function lookAtRef(repo: Repo, branch: string): Found {
  const path = join(repo.commonDir, branchRef(branch));
  let text: string;
  try {
    text = readFileSync(path, "latin1");
  } catch (error) {
    const isFolder = error instanceof Error && "code" in error && error.code === "EISDIR";
    return isFolder ? { kind: "folder", path } : { kind: "none" };
  }
  const to = /^ref:\s*(\S+)/.exec(text)?.[1];
  return to === undefined ? { kind: "file", text } : { kind: "symbolic", to };
}
