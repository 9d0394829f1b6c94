import { expect, test } from "vitest";
import { contextAnswer, renderContext } from "./hook-context.ts";

const lease = { firstPort: 20_000, ports: 10, database: "shop_login", compose: "shop-login" };

test("one line: what is known, and nothing of what is not", () => {
  const worktree = { worktree: "shop-login", isMain: false, branch: "feature/login", lease, note: "" };
  expect(renderContext(worktree)).toBe(
    "[Worktree: shop-login | Branch: feature/login | Ports: 20000-20009 | Database: shop_login]",
  );
  expect(renderContext({ ...worktree, lease: { ...lease, firstPort: null }, note: "  the form\n\x1b[2J first " })).toBe(
    "[Worktree: shop-login | Branch: feature/login | Database: shop_login | Note: the form [2J first]",
  );
  expect(renderContext({ worktree: "shop", isMain: true, branch: null, lease: null, note: "" })).toBe(
    "[Worktree: shop (main checkout) | Branch: none, HEAD is detached]",
  );
});

test("a long note is cut between letters", () => {
  const context = renderContext({ worktree: "w", isMain: false, branch: "b", lease: null, note: "🎉".repeat(1_000) });
  expect(context).toBe(`[Worktree: w | Branch: b | Note: ${"🎉".repeat(300)}…]`);
});

test("the answer is what the hook of Claude Code may give", () => {
  expect(JSON.parse(contextAnswer("[x]"))).toEqual({
    hookSpecificOutput: { hookEventName: "UserPromptSubmit", additionalContext: "[x]" },
  });
});
