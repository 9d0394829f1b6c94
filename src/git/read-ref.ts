/** What a ref points to. An ordinary ref is a file with an object's name in it, read in 0.02 ms; git's answer takes ten times that, wakes another
 *  process and is asked a dozen times a task. What no such file says (a packed ref, a symbolic one, another ref format) git is asked. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Oid } from "./git.ts";
import type { Repo } from "./repo.ts";

/** The object that a full ref name points to; null when there is no such ref. The name is one that `branchRef` would let through. */
export async function readFullRef(repo: Repo, ref: string): Promise<Oid | null> {
  return (repo.plainLayout ? readLoose(repo, ref) : null) ?? (await repo.live.info(ref))?.oid ?? null;
}

/** git writes a ref beside its place and renames it: what is there is whole. A loose ref beats a packed one of the same name. */
function readLoose(repo: Repo, ref: string): Oid | null {
  let text: string;
  try {
    text = readFileSync(join(repo.commonDir, ref), "latin1");
  } catch {
    // Not there, a folder of other refs, not ours to read: git knows.
    return null;
  }
  return /^([0-9a-f]{40}(?:[0-9a-f]{24})?)\n?$/.exec(text)?.[1] ?? null;
}
