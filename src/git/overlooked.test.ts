/** Files that git does not look at, and that were changed. */
import { statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scratchRepo } from "../../test/rig/scratch-repo.ts";
import { readRef } from "./branch.ts";
import { findOverlooked } from "./overlooked.ts";
import { placeAt } from "./place.ts";

test("one that was changed in the same moment as the index was written is found, too", async () => {
  await using at = await scratchRepo();
  at.commit(at.root, { "f.txt": "base\n" });
  at.git(at.root, "switch", "-q", "-c", "side");
  const to = at.commit(at.root, { "f.txt": "side\n" });
  at.git(at.root, "switch", "-q", "main");
  at.git(at.root, "config", "core.trustctime", "false");
  const file = join(at.root, "f.txt");
  utimesSync(file, 1_000_000_000, 1_000_000_000);
  at.git(at.root, "update-index", "--refresh", "-q");
  at.git(at.root, "update-index", "--assume-unchanged", "f.txt");
  writeFileSync(file, "mine\n");
  // As where a clock that goes in steps has not moved on since.
  for (const path of [file, join(at.root, ".git/index")]) utimesSync(path, 1_000_000_000, 1_000_000_000);
  expect(statSync(file).mtimeMs).toBe(1_000_000_000_000);
  const from = (await readRef(at.repo, "main"))!;
  const found = await findOverlooked(at.repo, placeAt(at.repo, at.root), from, to);
  expect(found).toEqual([{ path: "f.txt", marks: ["assume-unchanged"] }]);
});
