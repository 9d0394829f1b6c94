import { expect, test } from "vitest";
import { type Io, wantsColor } from "./io.ts";

test.each([
  [{}, true, true],
  [{}, false, false],
  [{ TERM: "dumb" }, true, false],
  [{ NO_COLOR: "1" }, true, false],
  [{ NO_COLOR: "" }, true, true],
  [{ CLICOLOR_FORCE: "1" }, false, true],
  [{ CLICOLOR_FORCE: "0" }, false, false],
  [{ CLICOLOR_FORCE: "1", TERM: "dumb" }, false, true],
  [{ CLICOLOR_FORCE: "1", NO_COLOR: "1" }, true, false],
])("%j on a terminal (%s): colours %s", (env, isTTY, wanted) => {
  expect(wantsColor({ env } as unknown as Io, { isTTY })).toBe(wanted);
});
