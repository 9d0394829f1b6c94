import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scratchRepo } from "../../test/rig/scratch-repo.ts";
import { SEARCH } from "../core/project-folders.ts";
import { readTree } from "./commit.ts";
import { findToldFolders } from "./told-folders.ts";

test("what a commit holds is found with its manifests, to a depth; what git ignores and what is no file is not", async () => {
  await using at = await scratchRepo();
  mkdirSync(join(at.root, "linked"));
  symlinkSync("../package.json", join(at.root, "linked", "package.json"));
  const commit = at.commit(at.root, {
    ".gitignore": "ignored/\n",
    "package.json": "{}",
    "ignored/go.sum": "",
    "node_modules/x/package.json": "{}",
    "ä/b/c/go.sum": "",
    "a/b/c/d/go.sum": "",
    "src/main.go": "",
  });
  const told = await findToldFolders(at.repo, await readTree(at.repo, commit));
  expect(told.cut).toBe(false);
  expect(told.folders.map(({ path, texts }) => [path, texts])).toEqual([
    ["", { "package.json": "{}" }],
    ["ä/b/c", {}],
  ]);
});

test("a search is bounded, and says where it was cut; another commit with the same folders gives the same", async () => {
  await using at = await scratchRepo();
  const files = Object.fromEntries(Array.from({ length: SEARCH.folders + 1 }, (_, n) => [`f${n}/x`, String(n)]));
  const first = at.commit(at.root, { ...files, "zz/go.sum": "" });
  const told = await findToldFolders(at.repo, await readTree(at.repo, first));
  expect(told).toMatchObject({ folders: [], cut: true });
  const second = at.commit(at.root, { "go.sum": "" });
  const again = await findToldFolders(at.repo, await readTree(at.repo, second));
  expect(again.folders.map(({ path }) => path)).toEqual([""]);
  expect(again.cut).toBe(true);
});
