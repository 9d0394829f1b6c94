/** A small dose of `npm run crash`: the built owt is killed at random moments and run again, and nothing is lost or left. */
import { expect, test } from "vitest";
import { runHarness } from "../crash/harness.ts";

test("ten kills: nothing is lost, integrated twice or left behind", async () => {
  const sum = await runHarness({ kills: 10, seed: 7, lanes: 2 });
  expect(sum.defects).toEqual([]);
  expect(sum).toMatchObject({ lost: 0, integratedTwice: 0, wrongContent: 0, other: 0 });
  expect(sum.kills).toBeGreaterThanOrEqual(10);
});
