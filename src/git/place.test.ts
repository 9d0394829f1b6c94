import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scratchRepo } from "../../test/rig/scratch-repo.ts";
import { readRef } from "./branch.ts";
import { findPlace, readHead } from "./place.ts";
import { createWorktree } from "./worktree.ts";

test("of a worktree whose files are gone and whose entry a power cut left without a HEAD nobody knows the commit", async () => {
  await using at = await scratchRepo();
  const wt = join(at.top, "wt");
  await createWorktree(at.repo, { path: wt, base: (await readRef(at.repo, "main"))! });
  const place = findPlace(at.repo, wt)!;
  rmSync(wt, { recursive: true });
  writeFileSync(join(place.gitDir, "HEAD"), "");
  expect(await readHead(at.repo, place)).toEqual({ branch: null, oid: null });
});
