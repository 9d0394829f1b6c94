import { assert, property, string } from "fast-check";
import { expect, test } from "vitest";
import { fileNameFor } from "./file-name.ts";

test("a short path is spelt out", () => {
  expect(fileNameFor("/home/a b/shop")).toBe("%2Fhome%2Fa%20b%2Fshop");
});

test("whatever the path is, its name fits with an ending, and is its own", () => {
  const unit = string({ unit: "grapheme", minLength: 1, maxLength: 400 });
  const check = property(unit, unit, (one, other) => {
    const name = fileNameFor(one);
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(200);
    expect(name).not.toMatch(/[+/]/);
    expect(fileNameFor(other) === name).toBe(one === other);
  });
  assert(check, { numRuns: 300 });
});
