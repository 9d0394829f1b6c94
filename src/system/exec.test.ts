import { expect, test } from "vitest";
import { exec } from "./exec.ts";
import { hasProc } from "./identity.ts";

test("a Ctrl-C in the terminal does not reach what we run", async ({ skip }) => {
  if (!hasProc) skip("needs /proc");
  const { stdout } = await exec("cat", ["/proc/self/stat"]);
  const [pid, , , , group, session] = stdout.split(" ");
  // The terminal signals our group; a program that leads its own session has neither our group nor our terminal.
  expect({ group, session }).toEqual({ group: pid, session: pid });
});
