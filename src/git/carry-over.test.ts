import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Scratch, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { beginMove, carryOver, finishMove, isMoveNoted, keptStash, MOVE_STEPS, planMove } from "./carry-over.ts";
import type { Oid, Place } from "./git.ts";
import { placeAt } from "./place.ts";

type At = Scratch & { place: Place; wt: string; from: Oid; to: Oid };

/** A worktree on `x`, and a commit beyond it that changes, adds, deletes and renames. */
async function behind(): Promise<At> {
  const at = await scratchRepo();
  const wt = join(at.top, "wt");
  at.commit(at.root, { "own.txt": "1\n2\n3\n4\n5\n", "gone.txt": "gone\n", "link.txt": "x\n" });
  at.git(at.root, "worktree", "add", "-q", "-b", "x", wt);
  const from = at.git(at.root, "rev-parse", "HEAD");
  rmSync(join(at.root, "gone.txt"));
  const to = at.commit(at.root, { "own.txt": "one\n2\n3\n4\n5\n", "new/file.txt": "new\n", "a.txt": "other\n" });
  return Object.assign(at, { wt, place: placeAt(at.repo, wt), from, to });
}

/** Staged, unstaged, both in one file, new and staged, deleted, a link, and an untracked file. */
function dirty({ wt, git, write }: At): void {
  write(wt, { "own.txt": "1\n2\n3\n4\nstaged\n", "added.txt": "added" });
  git(wt, "add", "own.txt", "added.txt");
  write(wt, { "own.txt": "1\n2\n3\n4\nfiles\n", "dir/b.txt": "changed\n", "untracked.txt": "untracked" });
  rmSync(join(wt, "link.txt"));
  symlinkSync("/etc", join(wt, "link.txt"));
}

/** Everything that somebody could see of what is uncommitted. */
function seen({ wt, git }: At): unknown {
  const files = ["own.txt", "added.txt", "dir/b.txt", "untracked.txt"];
  return [
    git(wt, "status", "--porcelain=v2"),
    git(wt, "diff", "--cached"),
    git(wt, "diff"),
    files.map((file) => readFileSync(join(wt, file), "utf8")),
  ];
}

const AFTER = { own: "one\n2\n3\n4\nfiles\n", staged: "one\n2\n3\n4\nstaged\n" };

function expectAfter({ wt, git, to }: At): void {
  expect(git(wt, "rev-parse", "HEAD")).toBe(to);
  expect(readFileSync(join(wt, "own.txt"), "utf8")).toBe(AFTER.own);
  expect(`${git(wt, "show", ":own.txt")}\n`).toBe(AFTER.staged);
  expect(git(wt, "status", "--porcelain").split("\n").toSorted()).toEqual(
    [" M dir/b.txt", " T link.txt", "?? untracked.txt", "A  added.txt", "MM own.txt"].toSorted(),
  );
  expect([existsSync(join(wt, "gone.txt")), existsSync(join(wt, "new/file.txt"))]).toEqual([false, true]);
}

describe("a checkout moves with what is uncommitted in it", () => {
  test("staged stays staged, and nothing is left behind", async () => {
    await using at = await behind();
    dirty(at);
    expect(await carryOver(at.repo, at.place, { from: at.from, to: at.to, reason: "owt sync" })).toEqual({
      moved: true,
    });
    expectAfter(at);
    expect([isMoveNoted(at.place), await keptStash(at.place)]).toEqual([false, null]);
    expect(at.git(at.wt, "stash", "list")).toBe("");
    expect(at.git(at.wt, "reflog", "-1", "--format=%gs")).toBe("owt sync");
  });

  test("also a clean one", async () => {
    await using at = await behind();
    expect(await carryOver(at.repo, at.place, { from: at.from, to: at.to, reason: "owt" })).toEqual({ moved: true });
    expect([at.git(at.wt, "status", "--porcelain"), at.git(at.wt, "rev-parse", "x")]).toEqual(["", at.to]);
  });

  test("a conflict with what is uncommitted, and an untracked or ignored file in the way, leave it as it was", async () => {
    await using at = await behind();
    at.write(at.wt, { "a.txt": "mine\n" });
    const step = { from: at.from, to: at.to, reason: "owt" };
    expect(await carryOver(at.repo, at.place, step)).toEqual({ stays: "conflicts", files: ["a.txt"] });
    at.git(at.wt, "checkout", "-q", "a.txt");
    at.write(at.wt, { "new/file.txt": "mine" });
    expect(await carryOver(at.repo, at.place, step)).toEqual({ stays: "in-the-way", files: ["new/file.txt"] });
    expect(readFileSync(join(at.wt, "new/file.txt"), "utf8")).toBe("mine");
    expect([at.git(at.wt, "rev-parse", "x"), isMoveNoted(at.place)]).toEqual([at.from, false]);
  });

  test("a file that somebody writes meanwhile is not written over", async () => {
    await using at = await behind();
    dirty(at);
    const move = await planMove(at.repo, at.place, { from: at.from, to: at.to, reason: "owt" });
    if ("stays" in move) throw new Error(move.stays);
    await beginMove(at.place, move);
    await MOVE_STEPS[0]!(at.place, move);
    at.write(at.wt, { "own.txt": "written just now\n" });
    await expect(MOVE_STEPS[1]!(at.place, move)).rejects.toThrow("not uptodate");
    expect(readFileSync(join(at.wt, "own.txt"), "utf8")).toBe("written just now\n");
    expect(existsSync(join(at.wt, "new/file.txt"))).toBe(false);
  });
});

test("a branch that cannot be moved has all steps taken back", async () => {
  await using at = await behind();
  dirty(at);
  const before = seen(at);
  at.write(at.root, { ".git/refs/heads/x.lock": "" });
  const end = await carryOver(at.repo, at.place, { from: at.from, to: at.to, reason: "owt" });
  expect(end).toMatchObject({ stays: "refused", said: expect.stringContaining("Another git process") as string });
  rmSync(join(at.root, ".git/refs/heads/x.lock"));
  expect([seen(at), existsSync(join(at.wt, "new"))]).toEqual([before, false]);
  expect([isMoveNoted(at.place), await keptStash(at.place)]).toEqual([false, null]);
});

describe("a move that was cut off", () => {
  test.each([0, 1, 2, 3, 4])("after %i steps is led to one of its ends", async (steps) => {
    await using at = await behind();
    dirty(at);
    const before = seen(at);
    const move = await planMove(at.repo, at.place, { from: at.from, to: at.to, reason: "owt" });
    if ("stays" in move) throw new Error(move.stays);
    await beginMove(at.place, { ...move, owner: "4194304-1-dead" });
    for (const step of MOVE_STEPS.slice(0, steps)) await step(at.place, move);
    expect(await finishMove(at.repo, at.place)).toBe(steps < 3 ? "back" : "forward");
    if (steps < 3) expect([seen(at), at.git(at.wt, "rev-parse", "x")]).toEqual([before, at.from]);
    else expectAfter(at);
    expect([await finishMove(at.repo, at.place), await keptStash(at.place)]).toEqual(["nothing", null]);
  });

  test("in the middle of the files is led back, unless somebody has worked there since: then the stash is kept", async () => {
    for (const isTouched of [false, true]) {
      await using at = await behind();
      dirty(at);
      const before = seen(at);
      const move = await planMove(at.repo, at.place, { from: at.from, to: at.to, reason: "owt" });
      if ("stays" in move) throw new Error(move.stays);
      await beginMove(at.place, { ...move, owner: "4194304-1-dead" });
      await MOVE_STEPS[0]!(at.place, move);
      writeFileSync(join(at.wt, "own.txt"), AFTER.own);
      rmSync(join(at.wt, "gone.txt"));
      at.write(at.wt, { "new/file.txt": isTouched ? "mine\n" : "new\n" });
      expect(await finishMove(at.repo, at.place)).toBe(isTouched ? "left" : "back");
      if (!isTouched) expect(seen(at)).toEqual(before);
      else {
        expect(readFileSync(join(at.wt, "new/file.txt"), "utf8")).toBe("mine\n");
        expect(at.git(at.wt, "show", "refs/worktree/owt/stash:own.txt")).toBe("1\n2\n3\n4\nfiles");
        expect(await planMove(at.repo, at.place, { from: at.from, to: at.to, reason: "owt" })).toEqual({
          stays: "kept-stash",
        });
      }
    }
  });

  test("is left to whoever moves it while they live", async () => {
    await using at = await behind();
    const move = await planMove(at.repo, at.place, { from: at.from, to: at.to, reason: "owt" });
    if ("stays" in move) throw new Error(move.stays);
    await beginMove(at.place, move);
    expect(await finishMove(at.repo, at.place)).toBe("busy");
  });
});
