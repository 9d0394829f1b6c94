/** What lies in `owt/` where a thing of another kind belongs: a folder in place of a file, a file in place of a folder. Nothing there is ours, so nothing of it is
 *  deleted: it is put aside. */
import { renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { OwtError } from "../core/errors.ts";
import { asideName } from "./store-file.ts";

type Kind = "file" | "folder";
type Misplaced = { path: string; is: Kind; belongs: Kind };

/** Without which no run can be carried. The store itself is told of by who opens it. */
const BELONGS: readonly (readonly [name: string, kind: Kind])[] = [
  ["", "folder"],
  ["attempts", "folder"],
  ["backups", "folder"],
  ["staging", "folder"],
  ["trash", "folder"],
  ["lease.db", "file"],
  ["reserve", "file"],
];

/** Throws `store` for the first of them. */
export function refuseMisplaced(commonDir: string): void {
  const [first] = findMisplaced(commonDir);
  if (first === undefined) return;
  const { path, is, belongs } = first;
  throw new OwtError("store", `a ${is} lies where the ${belongs} ${path} belongs`, {
    hint: "put it aside: owt doctor --fix",
  });
}

/** Moves them out of the way; one line on each. */
export function setMisplacedAside(commonDir: string, at: number): string[] {
  return findMisplaced(commonDir).map(({ path, is, belongs }) => {
    const aside = asideName(path, "misplaced", at);
    renameSync(path, aside);
    return `a ${is} lay where the ${belongs} ${path} belongs, and is kept as ${aside}`;
  });
}

function findMisplaced(commonDir: string): Misplaced[] {
  return BELONGS.flatMap(([name, belongs]) => {
    const path = join(commonDir, "owt", name);
    const is = kindOf(path);
    return is === null || is === belongs ? [] : [{ path, is, belongs }];
  });
}

/** Null where there is nothing, or where a file stands in the way of looking: that one is told of. */
function kindOf(path: string): Kind | null {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return null;
    return stat.isDirectory() ? "folder" : "file";
  } catch {
    return null;
  }
}
