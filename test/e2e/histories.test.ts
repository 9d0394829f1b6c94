/** A small dose of `npm run histories`: what the merge queue does with git is what `git merge` does. */
import { expect, test } from "vitest";
import { playHistories } from "../stress/histories.ts";

test("eight random histories come home as git merge would bring them, each branch once", async () => {
  const sum = await playHistories({ count: 8, seed: 3 });
  expect(sum.defects).toEqual([]);
  expect(sum.merges).toBeGreaterThan(15);
  expect(sum.groups).toBeGreaterThan(3);
  expect(sum.conflicts).toBeGreaterThan(3);
});
