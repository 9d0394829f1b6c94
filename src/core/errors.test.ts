import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type ErrorCode, namesCommand, OwtError } from "./errors.ts";

const source = new URL("..", import.meta.url).pathname;

/** What a person ended themselves, mistakes of ours, which they can only report, and a full disk: the usual hint of the code says how. */
const NEED_NO_WORDS = new Set(["interrupted", "internal", "disk-full"]);

/** Guards between our own functions, and what a tool said that nobody expected: the usual hint of the code is all that there is to say. */
const EXCEPTIONS = [
  "git/add-worktree.ts: tool-failed",
  "git/branch.ts: tool-failed",
  "git/commit.ts: tool-failed",
  "git/commit.ts: usage",
  "git/fetch.ts: usage",
  "git/live.ts: usage",
  "git/live.ts: usage",
  "git/merge.ts: tool-failed",
  "git/merge.ts: tool-failed",
  "git/worktree.ts: usage",
  "system/exec.ts: tool-failed",
];

/** Every `new OwtError(…)` of the sources: its place, its code, and the text of the call. */
function raised(): { place: string; code: string; call: string }[] {
  return readdirSync(source, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .toSorted()
    .flatMap((path) => {
      const text = readFileSync(join(source, path), "utf8");
      return [...text.matchAll(/new OwtError\(/g)].map(({ index }) => {
        const call = callAt(text, index + "new OwtError".length);
        return { place: path, code: /^\(\s*"([a-z-]+)"/.exec(call)?.[1] ?? "", call };
      });
    });
}

/** From the opening parenthesis to its closing one; strings may hold others. */
function callAt(text: string, from: number): string {
  const bare = text
    .slice(from)
    .replaceAll(
      /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g,
      (string) => string[0] + " ".repeat(string.length - 2) + string[0],
    );
  let depth = 0;
  for (let at = 0; at < bare.length; at++) {
    if (bare[at] === "(") depth++;
    if (bare[at] === ")" && --depth === 0) return text.slice(from, from + at + 1);
  }
  return text.slice(from);
}

test("every error says what to do, but for a short list", () => {
  const all = raised();
  expect(all.length).toBeGreaterThan(100);
  const without = all.filter(({ code, call }) => !NEED_NO_WORDS.has(code) && !/\bhint(For)?\b/.test(call));
  expect(without.map(({ place, code }) => `${place}: ${code}`)).toEqual(EXCEPTIONS);
});

test("a hint always holds a command: that of the code where its words have none", () => {
  const codes = [...readFileSync(join(source, "core/errors.ts"), "utf8").matchAll(/^ {2}"?([a-z-]+)"?: \d+,$/gm)];
  expect(codes.length).toBe(15);
  for (const [, code] of codes as unknown as [string, ErrorCode][]) {
    if (code === "interrupted") continue;
    for (const hint of [undefined, "", "do it otherwise", "did you mean shop/E01?", "see: owt status"]) {
      const error = new OwtError(code, "it went wrong", hint === undefined ? {} : { hint });
      expect([code, hint, namesCommand(error.hint ?? "")]).toEqual([code, hint, true]);
      expect(error.hint).toContain(hint ?? "");
    }
  }
  expect(new OwtError("usage", "x", { hint: "see: owt status" }).hint).toBe("see: owt status");
});
