/** A small dose of `npm run disk-full`: the disk is filled to the last byte under a run, and freed again. */
import { expect, test } from "vitest";
import { canMount, fillDisks } from "../stress/disk-full.ts";

test.skipIf(!canMount())(
  "five full disks: nothing is lost or done twice, dispatch pauses, and the run goes on by itself",
  async () => {
    const sum = await fillDisks({ rounds: 5, seed: 4 });
    expect(sum.defects).toEqual([]);
    expect(sum.fills).toBeGreaterThan(2);
  },
);
