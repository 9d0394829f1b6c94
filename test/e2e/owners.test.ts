/** A small dose of `npm run owners`: whoever carries the run is stopped, continued and killed. */
import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { contend } from "../stress/owners.ts";

test.skipIf(!existsSync("/proc/locks"))("four rounds of stop, continue and kill: never two owners", async () => {
  const result = await contend({ rounds: 4, seed: 7 });
  expect(result).toMatchObject({ rounds: 4, defects: [] });
  expect(result.looks).toBeGreaterThan(20);
});
