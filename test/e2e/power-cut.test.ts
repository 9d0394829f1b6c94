/** The power fails under a run, on a disk that keeps only what was synced; `npm run power-cuts` does it 200 times, and half of them with parts of what was
 *  not synced. */
import { expect, test } from "vitest";
import { cutPower, whyNoPowerCuts } from "../stress/power-cut.ts";

test("a power cut: nothing that was said is lost, store and git agree, and the run comes home", (context) => {
  const why = whyNoPowerCuts();
  if (why !== null) context.skip(why);
  expect(cutPower({ cuts: 10, seed: 3 })).toMatchObject({ cuts: 10, said: 4, defects: [] });
});
