/** One night of `npm run gauntlet`: what can come home comes home without a person, and the rest waits with its true reason. */
import { expect, test } from "vitest";
import { runGauntlet } from "../gauntlet/harness.ts";

test("a night in which every agent goes wrong in its own way ends green, with nothing lost and nothing left", async () => {
  let table = "";
  const sum = await runGauntlet({ runs: 1, seed: 8, floodMb: 40, tell: (text) => (table = text) });
  expect(table).not.toContain("DEFECT");
  expect(sum.defects).toBe(0);
  expect(sum).toMatchObject({ lost: 0, twice: 0, orphans: 0 });
  expect(sum.greenCommits).toBe(sum.commits);
  expect(sum.tasks).toBeGreaterThanOrEqual(24);
});
