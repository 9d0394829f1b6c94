/** How large a change is, as rivals are measured by it. */
import { expect, test } from "vitest";
import { scratchRepo } from "../../test/rig/scratch-repo.ts";
import { readRef } from "./branch.ts";
import { countBetween, sizeBetween } from "./line-count.ts";

test("lines added and removed, a moved file in full, a binary one as a page, and how many files", async () => {
  await using at = await scratchRepo();
  const from = (await readRef(at.repo, "main"))!;
  at.write(at.root, { "picture.bin": Buffer.from([0, 1, 2, 0]), "new\nline": "1\n2\n" });
  at.git(at.root, "mv", "a.txt", "moved.txt");
  const to = at.commit(at.root, { "dir/b.txt": "c\n" });
  // a.txt and moved.txt: three lines each; dir/b.txt: one removed, one added; two new ones; the picture.
  expect(await sizeBetween(at.repo, from, to)).toEqual({ lines: 6 + 2 + 2 + 50, files: 5 });
  expect(await sizeBetween(at.repo, to, to)).toEqual({ lines: 0, files: 0 });
  expect(await countBetween(at.repo, from, to)).toEqual({ added: 6, removed: 4 });
});
