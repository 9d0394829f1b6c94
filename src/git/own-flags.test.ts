import { expect, test } from "vitest";
import { gitFlags } from "./git.ts";
import { withoutOwnFlags } from "./own-flags.ts";

test("a git is told of without what every git of ours has", () => {
  const settings = ["-c", "user.name=A", "commit", "-m", "gc.auto=0"];
  expect(withoutOwnFlags(["git", ...gitFlags(true), ...settings])).toEqual(["git", ...settings]);
  expect(withoutOwnFlags(["git", ...gitFlags(false, ["credential.helper"]), "fetch"])).toEqual(["git", "fetch"]);
  expect(withoutOwnFlags(["sh", "-c", "gc.auto=0"])).toEqual(["sh", "-c", "gc.auto=0"]);
});
