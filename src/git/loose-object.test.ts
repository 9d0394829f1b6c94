import { chmodSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runGit, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { isObject, readObject, writeLooseObject } from "./loose-object.ts";

test("loose, packed and missing objects are read as git reads them", async () => {
  await using at = await scratchRepo();
  const head = at.commit(at.root, { "more/deep.txt": "deep\n", "nul.bin": "a\0b" }, "two\nlines");
  const names = runGit(at.root, "rev-list", "--objects", "--all")
    .split("\n")
    .map((line) => line.split(" ")[0]!);
  const read = async () => Promise.all(names.map((name) => readObject(at.repo, name)));
  const loose = await read();
  runGit(at.root, "gc", "-q");
  expect(await read()).toEqual(loose);
  expect(loose.map((object) => object?.oid)).toEqual(names);
  expect((await readObject(at.repo, head))?.content.toString()).toContain("two\nlines");
  expect(await readObject(at.repo, "0".repeat(40))).toBeNull();
  expect(await isObject(at.repo, "0".repeat(40))).toBe(false);
  expect(await isObject(at.repo, head)).toBe(true);
  expect((await readObject(at.repo, "HEAD"))?.oid).toBe(head);
});

test("what we write is read back, by us and by git", async () => {
  await using at = await scratchRepo();
  const tree = Buffer.from(`100644 x\0${"ab".repeat(10)}`, "latin1");
  const oid = writeLooseObject(at.repo, "tree", tree);
  expect(await readObject(at.repo, oid)).toEqual({ oid, type: "tree", size: tree.length, content: tree });
  expect(runGit(at.root, "cat-file", "-t", oid)).toBe("tree");
});

test.each([0, 1, 3_900, 4_001, 300_000])("a file of %i bytes is stored as git would name it", async (size) => {
  await using at = await scratchRepo();
  const content = Buffer.from(Array.from({ length: size }, (_, n) => (n % 7 === 0 ? 255 : n % 251)));
  const oid = writeLooseObject(at.repo, "blob", content);
  writeFileSync(join(at.root, "same"), content);
  expect(runGit(at.root, "hash-object", "same")).toBe(oid);
  expect(runGit(at.root, "cat-file", "-s", oid)).toBe(String(size));
  runGit(at.root, "fsck", "--strict");
  expect((await readObject(at.repo, oid))?.content).toEqual(content);
});

test("a damaged object is none, as git says of it", async () => {
  await using at = await scratchRepo();
  const head = runGit(at.root, "rev-parse", "HEAD");
  const file = join(at.root, ".git/objects", head.slice(0, 2), head.slice(2));
  chmodSync(file, 0o644);
  truncateSync(file, 20);
  expect(await readObject(at.repo, head)).toBeNull();
});
