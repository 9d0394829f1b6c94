import { chmodSync, existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runGit, type Scratch, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { areDisjoint, changedFiles, changedPaths } from "./changed-paths.ts";
import { Forecast, type InFlight } from "./forecast.ts";
import { readRef } from "./branch.ts";

/** Cuts a branch from main, changes files there, and goes back to main. */
async function branch(at: Scratch, name: string, files: Record<string, string>): Promise<InFlight> {
  const base = (await readRef(at.repo, "main"))!;
  runGit(at.root, "checkout", "-q", "-b", name, base);
  const head = at.commit(at.root, files, name);
  runGit(at.root, "checkout", "-q", "main");
  return { base, head };
}

describe.each([
  ["one live process", undefined],
  ["one process for each look", null],
])("%s", (_, stdbuf) => {
  test("tells the pairs that git finds a conflict in, and no others", async () => {
    await using at = await scratchRepo();
    const branches = [
      await branch(at, "first", { "a.txt": "first\ntwo\nthree\n" }),
      await branch(at, "other", { "a.txt": "other\ntwo\nthree\n" }),
      await branch(at, "last", { "a.txt": "one\ntwo\nlast\n" }),
      await branch(at, "away", { "new\nname": "x" }),
    ];
    const forecast = new Forecast(at.repo, stdbuf);
    expect(await forecast.clashes(branches)).toEqual([[0, 1]]);
    expect(await forecast.clashes(branches)).toEqual([[0, 1]]);
    await forecast.close();
    expect(runGit(at.root, "status", "--porcelain")).toBe("");
  });

  test("what git can say nothing about counts as a conflict, and the others are still told", async () => {
    await using at = await scratchRepo();
    const one = await branch(at, "one", { "a.txt": "changed\n" });
    const two = await branch(at, "two", { "a.txt": "one\ntwo\nthree\nfour\n" });
    const near = await branch(at, "near", { "a.txt": "changed\n", b: "b" });
    runGit(at.root, "checkout", "-q", "--orphan", "alone");
    const alone = { base: one.base, head: at.commit(at.root, { "a.txt": "alone\n" }) };
    const forecast = new Forecast(at.repo, stdbuf);
    expect(await forecast.clashes([one, near])).toEqual([]);
    expect(await forecast.clashes([one, alone])).toEqual([[0, 1]]);
    expect(await forecast.clashes([near, two])).toEqual([[0, 1]]);
    await forecast.close();
  });
});

test("branches that changed different paths are not asked about", async () => {
  await using at = await scratchRepo();
  const branches = [await branch(at, "one", { x: "1" }), await branch(at, "two", { y: "1" })];
  // There is no such program: asked, it could not answer.
  const forecast = new Forecast(at.repo, "/nowhere/stdbuf");
  expect(await forecast.clashes(branches)).toEqual([]);
  await forecast.close();
});

test("the changed paths are those that git tells, but for what is in a folder that is new or gone", async () => {
  await using at = await scratchRepo();
  const base = at.commit(at.root, { "dir/c.txt": "c", "gone/d": "d", "same/e": "e", "ü/f": "f" });
  runGit(at.root, "rm", "-q", "-r", "gone", "a.txt");
  runGit(at.root, "mv", "dir/c.txt", "dir/moved.txt");
  chmodSync(join(at.root, "dir/b.txt"), 0o755);
  const head = at.commit(at.root, { "new/deep/g": "g", "ü/f": "changed" });
  const told = (await changedPaths(at.repo, base, head)).map((path) => Buffer.from(path, "latin1").toString());
  expect(told.toSorted()).toEqual(["a.txt", "dir/b.txt", "dir/c.txt", "dir/moved.txt", "gone", "new", "ü/f"]);
});

test("file by file, two that each add one to the same new folder have nothing in common; a large one is told by its name", async () => {
  await using at = await scratchRepo();
  const one = await branch(at, "one", { "items/3": "3", "items/deep/5": "5" });
  const two = await branch(at, "two", { "items/4": "4" });
  const filesOf = async ({ base, head }: InFlight, most: number) =>
    (await changedFiles(at.repo, base, head, most)).toSorted();
  expect(await filesOf(one, 2)).toEqual(["items/3", "items/deep/5"]);
  expect(await filesOf(two, 2)).toEqual(["items/4"]);
  expect(await filesOf(one, 1)).toEqual(["items"]);
  expect(await filesOf({ base: one.head, head: one.base }, 2)).toEqual(["items/3", "items/deep/5"]);
});

test("paths are disjoint unless one is the other or lies in it", () => {
  expect(areDisjoint(["a", "b/c"], ["b/d", "ab"])).toBe(true);
  expect(areDisjoint(["a", "b/c"], ["b/c"])).toBe(false);
  expect(areDisjoint(["b"], ["x", "b/c/d"])).toBe(false);
  expect(areDisjoint(["x", "b/c/d"], ["b"])).toBe(false);
  expect(areDisjoint([], ["a"])).toBe(true);
});

test("no merge driver is run for a forecast", async () => {
  await using at = await scratchRepo();
  const base = at.commit(at.root, { "a.txt": "a\n", ".gitattributes": "a.txt merge=asks\n" });
  const one = at.commit(at.root, { "a.txt": "one\n" });
  runGit(at.root, "checkout", "-q", "-b", "x", base);
  const two = at.commit(at.root, { "a.txt": "two\n" });
  const ran = join(at.top, "ran");
  runGit(at.root, "config", "merge.asks.driver", `touch ${ran}`);
  for (const stdbuf of [undefined, null]) {
    const forecast = new Forecast(at.repo, stdbuf);
    expect(await forecast.clashes([one, two].map((head) => ({ base, head })))).toEqual([]);
    await forecast.close();
  }
  expect(existsSync(ran)).toBe(false);
});
