import { expect, test } from "vitest";
import { seededChance } from "./chance.ts";

test("the same seed gives the same numbers, another one others, and all of them lie in [0, 1) evenly", () => {
  const draw = (seed: number) => Array.from({ length: 10_000 }, seededChance(seed));
  const numbers = draw(1);
  expect(draw(1)).toEqual(numbers);
  expect(draw(2)).not.toEqual(numbers);
  expect(numbers.every((each) => each >= 0 && each < 1)).toBe(true);
  for (let tenth = 0; tenth < 10; tenth++) {
    const count = numbers.filter((each) => Math.floor(each * 10) === tenth).length;
    expect(Math.abs(count - 1_000)).toBeLessThan(150);
  }
});
