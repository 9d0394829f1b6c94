import { expect, test } from "vitest";
import { OwtError } from "../core/errors.ts";
import type { Io } from "./io.ts";
import { refusalOf } from "./refusal.ts";

const ioWith = (isTTY: boolean) =>
  ({ stdin: { isTTY }, stderr: { isTTY }, signal: new AbortController().signal }) as unknown as Io;

test.each([
  ["read them, then: owt config approve", "read them, then: owt config approve --yes"],
  ["read them, then: owt config approve --profile night", "read them, then: owt config approve --profile night --yes"],
  ["read them, then: owt config approve --yes", "read them, then: owt config approve --yes"],
  [undefined, "read and approve them: owt config approve --yes"],
])("off a terminal the line that approves is one that works: %s", (hint, expected) => {
  const error = new OwtError("not-approved", "not approved", hint === undefined ? {} : { hint });
  expect(refusalOf(ioWith(false), error).hint).toBe(expected);
  expect(refusalOf(ioWith(true), error)).toBe(error);
});
