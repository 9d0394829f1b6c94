import { describe, expect, test } from "vitest";
import { doneByHand, heldByHand } from "./take-over.ts";

const attempt = { id: 7, worktree: "/w" };

describe("a task that is taken over", () => {
  test("is held in the attempt's place, with what its agent had asked", () => {
    const park = { for: "answer", question: "which?" } as const;
    expect(heldByHand({ park, next: { kind: "resume", from: 7 } }, attempt, 5)).toEqual({
      park: { for: "hand", since: 5, worktree: "/w", asked: "which?" },
      next: { kind: "resume", from: 7 },
      notBefore: null,
    });
  });

  test("tells an answer that was still to be told, and looks at everything else anew", () => {
    const held = (next: Parameters<typeof heldByHand>[0]["next"]) => heldByHand({ park: null, next }, attempt, 5).next;
    expect(held({ kind: "answer", from: 3, text: "blue" })).toEqual({ kind: "answer", from: 7, text: "blue" });
    expect(held({ kind: "conflict", from: 3, files: ["a"], ours: "o", theirs: "t" })).toEqual({
      kind: "resume",
      from: 7,
    });
    expect(held({ kind: "repair", from: 3, command: "c", output: "", onto: "x" })).toEqual({ kind: "resume", from: 7 });
    expect(held({ kind: "by-hand", from: 3 })).toEqual({ kind: "resume", from: 7 });
    expect(held({ kind: "fresh" })).toEqual({ kind: "resume", from: 7 });
  });

  test("goes on with a person's work only where one had it", () => {
    const { park, next } = heldByHand({ park: null, next: { kind: "fresh" } }, attempt, 5);
    expect(doneByHand({ park, next })).toEqual({ kind: "by-hand", from: 7 });
    expect(doneByHand({ park: null, next })).toBeNull();
  });
});
