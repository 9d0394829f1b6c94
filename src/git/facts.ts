/** What a commit's name fixes for ever, its tree and its parents, remembered: each costs a round trip to git once, and nothing where we
 *  wrote the commit ourselves. Integration is one at a time, so its round trips are everybody's waiting time. */
import { MapPer } from "../lib/map-per.ts";
import type { Oid } from "./git.ts";
import { readObject } from "./loose-object.ts";
import type { Repo } from "./repo.ts";

export type CommitFacts = { tree: Oid; parents: readonly Oid[] };

const MAX_FACTS = 50_000;
const known = new MapPer<Repo, Oid, CommitFacts>();

/** The facts of a commit; null where the name is no commit of this repository (in a shallow clone, the parents of the last ones). */
export async function readFacts(repo: Repo, commit: Oid): Promise<CommitFacts | null> {
  const recalled = known.of(repo).get(commit);
  if (recalled !== undefined) return recalled;
  const object = await readObject(repo, commit);
  if (object?.type !== "commit") return null;
  const header = object.content.toString("latin1").split("\n\n", 1)[0]!;
  const tree = /^tree ([0-9a-f]+)$/m.exec(header)?.[1];
  if (tree === undefined) return null;
  const facts = { tree, parents: [...header.matchAll(/^parent ([0-9a-f]+)$/gm)].map((match) => match[1]!) };
  rememberFacts(repo, object.oid, facts);
  return facts;
}

/** Whether a commit of this name was read or written here. */
export function isKnown(repo: Repo, commit: Oid): boolean {
  return known.of(repo).has(commit);
}

export function rememberFacts(repo: Repo, commit: Oid, facts: CommitFacts): void {
  const mine = known.of(repo);
  if (mine.size >= MAX_FACTS) mine.clear();
  mine.set(commit, facts);
}
