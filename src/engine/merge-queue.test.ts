/** Whoever waits to be integrated is always told what became of it. */
import { expect, test } from "vitest";
import type { Carried } from "./attempt-moves.ts";
import type { Engine } from "./engine.ts";
import { takeMore, type Turn, waitForTurn } from "./merge-queue.ts";

test("a turn that fails fails those too that joined it on the way", async () => {
  const engine = { live: new Map(), queues: new Map() } as unknown as Engine;
  const carried = (id: number) => ({ attempt: { id, run: "r1" } }) as Carried;
  const joined = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const turn: Turn = async () => {
    begun.resolve();
    await joined.promise;
    takeMore(engine, "r1");
    throw new Error("no room");
  };
  const first = waitForTurn(engine, carried(1), turn);
  await begun.promise;
  const second = waitForTurn(engine, carried(2), turn);
  joined.resolve();
  expect((await Promise.allSettled([first, second])).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
});
