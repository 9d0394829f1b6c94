import * as fc from "fast-check";
import { expect, test } from "vitest";
import { sampleTask } from "../../test/rig/samples.ts";
import { decideContest, phaseAfterChecks, type RivalStand, standOf } from "./contest.ts";
import type { Rival, WorkSize } from "./rival.ts";
import type { Park } from "./task.ts";

function rival(agent: string, place: number, size: WorkSize | null = null): Rival {
  return { of: "shop/E01", agent, model: null, place, size, end: null };
}

function stand(agent: string, place: number, at: RivalStand["stand"], size: WorkSize | null = null): RivalStand {
  return { rival: rival(agent, place, size), stand: at, why: `is ${at}` };
}

const green = (agent: string, place: number, lines: number, files: number) =>
  stand(agent, place, "green", { lines, files });

test("of those that are green the one with fewer lines wins, then with fewer files, then the one named first", () => {
  const winnerOf = (...rivals: RivalStand[]) => {
    const contest = decideContest(rivals);
    return contest.do === "decide" ? [contest.winner.rival.agent, contest.why] : null;
  };
  expect(winnerOf(green("a", 0, 9, 1), green("b", 1, 3, 4))).toEqual(["b", "3 changed lines against 9"]);
  expect(winnerOf(green("a", 0, 3, 2), green("b", 1, 3, 1))).toEqual([
    "b",
    "3 changed lines each, in 1 file against 2",
  ]);
  expect(winnerOf(green("b", 1, 1, 1), green("a", 0, 1, 1))).toEqual([
    "a",
    "1 changed line in 1 file each, named before b",
  ]);
  // Work of which nobody knows the size is the largest.
  expect(winnerOf(stand("a", 0, "green"), green("b", 1, 900, 70))?.[0]).toBe("b");
});

test("green beats what is held or at its end, whatever its size, and each of the others is told why", () => {
  const contest = decideContest([stand("a", 0, "held"), green("b", 1, 500, 9), stand("c", 2, "out")]);
  expect(contest).toMatchObject({
    do: "decide",
    winner: { rival: { agent: "b" } },
    why: "the only one that is green; a: is held; c: is out",
    losers: [
      { of: { rival: { agent: "a" } }, why: "lost to b: is held" },
      { of: { rival: { agent: "c" } }, why: "lost to b: is out" },
    ],
  });
});

test("nobody is decided upon while one goes on by itself, or while none is green", () => {
  expect(decideContest([green("a", 0, 1, 1), stand("b", 1, "at-work")])).toEqual({ do: "wait" });
  expect(decideContest([stand("a", 0, "held"), stand("b", 1, "out")])).toEqual({ do: "wait" });
  expect(decideContest([stand("a", 0, "out"), stand("b", 1, "out")])).toEqual({ do: "wait" });
});

test("whoever wins is green, where anybody is, and no order of the rivals changes who that is", () => {
  const one = fc.record({
    at: fc.constantFrom("green" as const, "as-began" as const, "held" as const, "out" as const),
    lines: fc.nat(3),
    files: fc.nat(2),
  });
  fc.assert(
    fc.property(fc.array(one, { minLength: 2, maxLength: 5 }), fc.nat(), (all, turn) => {
      const rivals = all.map(({ at, lines, files }, place) => stand(`a${place}`, place, at, { lines, files }));
      const turned = rivals.map((_, index) => rivals[(index + turn) % rivals.length]!);
      const [first, second] = [decideContest(rivals), decideContest(turned)];
      const best = (["green", "as-began"] as const).find((stands) => all.some(({ at }) => at === stands));
      if (first.do === "wait") return second.do === "wait" && best === undefined;
      return (
        second.do === "decide" &&
        second.winner === first.winner &&
        first.winner.stand === best &&
        first.losers.length === rivals.length - 1
      );
    }),
  );
});

const NOW = 1_000_000;

function standing(
  word: string,
  park: Park | null = null,
  notBefore: number | null = null,
  hasRoom = true,
): RivalStand["stand"] {
  const task = sampleTask("shop/E01@a", { park, notBefore });
  return standOf({ task, standing: word, why: "" }, { isBusy: false, isGreen: true, hasRoom, now: NOW }).stand;
}

test("a person, a login, a limit or money holds; a pause between tries, want of room or of a place is waited for", () => {
  expect(standing("waits-for-person", { for: "answer", question: "?" })).toBe("held");
  expect(standing("waits-for-person")).toBe("held");
  expect(standing("blocked")).toBe("held");
  expect(standing("waits-for-budget")).toBe("held");
  expect(standing("waits-for-time", { for: "limit", until: NOW + 9 }, NOW + 9)).toBe("held");
  // Another task met the limit, or the budget of the day: its own pause is over.
  expect(standing("waits-for-time", null, NOW - 5)).toBe("held");
  expect(standing("waits-for-time")).toBe("held");
  expect(standing("waits-for-time", { for: "retry", reason: "died" }, NOW + 9)).toBe("at-work");
  expect(standing("waits-for-time", null, NOW + 9)).toBe("at-work");
  expect(standing("waits-for-room")).toBe("at-work");
  // Nothing goes on that would make any.
  expect(standing("waits-for-room", null, null, false)).toBe("held");
  expect(standing("ready")).toBe("at-work");
  expect(standing("working")).toBe("at-work");
  // A person works on it themselves.
  expect(standing("waits-for-person", { for: "hand", since: 1, worktree: "/w" })).toBe("at-work");
  expect(standing("failed")).toBe("out");
  expect(standing("cancelled")).toBe("out");
});

test("green is who waits in the contest, unless it is being stopped", () => {
  const task = sampleTask("shop/E01@a", { state: "contest" });
  expect(
    standOf({ task, standing: "working", why: "" }, { isBusy: false, isGreen: true, hasRoom: true, now: NOW }).stand,
  ).toBe("green");
  expect(
    standOf({ task, standing: "working", why: "" }, { isBusy: true, isGreen: true, hasRoom: true, now: NOW }).stand,
  ).toBe("at-work");
  expect(
    standOf(
      { task: { ...task, cancelWish: true }, standing: "working", why: "" },
      { isBusy: false, isGreen: true, hasRoom: true, now: NOW },
    ).stand,
  ).toBe("at-work");
});

test("who waits there without a green check is red as where it began, and loses against one that is green", () => {
  const task = sampleTask("shop/E01@a", { state: "contest" });
  const at = { isBusy: false, isGreen: false, hasRoom: true, now: NOW };
  const red = standOf({ task, standing: "working", why: "" }, at);
  expect(red).toEqual({ stand: "as-began", why: "red as where it began" });
  const rivals = [{ rival: rival("a", 0, { lines: 1, files: 1 }), ...red }, green("b", 1, 50, 9)];
  expect(decideContest(rivals)).toMatchObject({ winner: { rival: { agent: "b" } } });
  expect(decideContest([rivals[0]!, stand("b", 1, "out")])).toMatchObject({ winner: { rival: { agent: "a" } } });
});

test("only rivals of whom nobody has won yet wait for each other behind their checks", () => {
  const undecided = sampleTask("shop/E01@a", { rival: rival("a", 0) });
  expect(phaseAfterChecks(undecided)).toBe("contest");
  const won = { ...undecided, key: "shop/E01", rival: { ...undecided.rival!, end: { isWinner: true, why: "" } } };
  expect(phaseAfterChecks(won)).toBe("merge");
  expect(phaseAfterChecks({ ...won, spec: { ...won.spec, needsReview: true } })).toBe("review");
  expect(phaseAfterChecks(sampleTask("shop/E01"))).toBe("merge");
});
