import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Clash, orderMerges } from "./merge-order.ts";

/** How many of an order meet one that was merged before them; who conflicts is not merged. */
function dropped(order: readonly number[], clashes: readonly Clash[]): number {
  const merged: number[] = [];
  for (const each of order) {
    const meets = clashes.some(
      ([one, other]) => (one === each && merged.includes(other)) || (other === each && merged.includes(one)),
    );
    if (!meets) merged.push(each);
  }
  return order.length - merged.length;
}

function permutations(places: readonly number[]): number[][] {
  if (places.length === 0) return [[]];
  return places.flatMap((first) =>
    permutations(places.filter((each) => each !== first)).map((rest) => [first, ...rest]),
  );
}

const graph = (most: number) =>
  fc.integer({ min: 0, max: most }).chain((count) =>
    fc.record({
      count: fc.constant(count),
      clashes: fc
        .array(fc.tuple(fc.nat(Math.max(0, count - 1)), fc.nat(Math.max(0, count - 1))), { maxLength: 2 * most })
        .map((pairs) => pairs.filter(([one, other]) => one !== other && count > 1)),
    }),
  );

describe("the order of merges", () => {
  test("without conflicts it is the order of ranks", () => {
    expect(orderMerges(4, [])).toEqual([0, 1, 2, 3]);
  });

  test("who is due comes before all that it conflicts with, however many, and the first of two that are", () => {
    const star: Clash[] = [
      [0, 3],
      [1, 3],
      [2, 3],
    ];
    expect(orderMerges(4, star)).toEqual([0, 1, 2, 3]);
    expect(orderMerges(4, star, [3])).toEqual([3, 0, 1, 2]);
    expect(orderMerges(5, [...star, [3, 4]], [4, 3])).toEqual([0, 1, 2, 4, 3]);
  });

  test("who conflicts with many comes last, however good its rank", () => {
    expect(
      orderMerges(4, [
        [0, 1],
        [0, 2],
        [0, 3],
      ]),
    ).toEqual([1, 2, 3, 0]);
  });

  test("of two that conflict the better rank goes first", () => {
    expect(orderMerges(3, [[0, 2]])).toEqual([0, 1, 2]);
    expect(orderMerges(3, [[1, 2]])).toEqual([0, 1, 2]);
  });

  test("no order drops fewer", () => {
    fc.assert(
      fc.property(graph(6), ({ count, clashes }) => {
        const order = orderMerges(count, clashes);
        expect(order.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, index) => index));
        const best = Math.min(...permutations(order).map((each) => dropped(each, clashes)));
        expect(dropped(order, clashes)).toBe(best);
      }),
      { numRuns: 60 },
    );
  });

  test("of many that all conflict with each other it still finds an order, at once", () => {
    const places = Array.from({ length: 200 }, (_, index) => index);
    const clashes = places.flatMap((one) => places.slice(0, one).map((other): Clash => [one, other]));
    expect(orderMerges(200, clashes)).toEqual(places);
  });
});
