/** Conflict markers in what is about to come into a branch of the user's: who typed `git commit -a` in a merge that was to be resolved has committed them. */
import { withAttributesOf } from "../git/attributes.ts";
import type { Oid } from "../git/git.ts";
import { findLeftMarkers } from "../git/left-markers.ts";
import type { Engine } from "./engine.ts";
import { describeMarkers } from "./gate.ts";

/** Those that `head` holds, in words; null for none. What one of the `sides` holds, which it was made of, is as it was. */
export async function findComingMarkers(
  { repo }: Engine,
  head: Oid,
  [side, ...sides]: readonly [Oid, ...Oid[]],
): Promise<string | null> {
  return withAttributesOf(repo, head, repo.root, async (place) => {
    const addedTo = (trunk: Oid) => findLeftMarkers(repo, place, { base: trunk, trunk, head });
    let left = await addedTo(side);
    for (const other of sides) {
      if (left.length === 0) break;
      const lines = new Set((await addedTo(other)).map(({ path, line }) => `${line} ${path}`));
      left = left.filter(({ path, line }) => lines.has(`${line} ${path}`));
    }
    return left.length === 0 ? null : describeMarkers(left);
  });
}
