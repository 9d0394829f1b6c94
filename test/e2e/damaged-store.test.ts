/** A small dose of `npm run corrupt`: the store comes to harm under a run, is told of, put aside, restored, and nothing is done twice or lost. */
import { expect, test } from "vitest";
import { corrupt } from "../stress/corruption.ts";

test("six corruptions under a run: told of or harmless, and the plan comes home once", async () => {
  const sum = await corrupt({ rounds: 6, seed: 3 });
  expect(sum.defects).toEqual([]);
  expect(sum.restored).toBeGreaterThan(0);
});
