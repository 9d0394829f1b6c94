/** Submodules come into worktrees from what is here, with the real git. */
import { execFile, execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { runGit, type Scratch, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { bringSubmodules, type BringOptions } from "./bring-submodules.ts";
import type { Place } from "./git.ts";
import { inspectWorktree } from "./inspect.ts";
import { placeAt } from "./place.ts";
import { createWorktree } from "./worktree.ts";

const ASKED: BringOptions = { asked: true };
const IN_RUN: BringOptions = { asked: false };
const ALLOW = ["-c", "protocol.file.allow=always"];

/** `lib/sub` with `inner` in it, both checked out in the main checkout. */
async function nested(): Promise<Scratch & { sub: string; inner: string; wt: (branch?: string) => Promise<string> }> {
  const at = await scratchRepo();
  const make = (name: string): string => {
    const path = join(at.top, name);
    runGit(at.top, "init", "-q", "-b", "main", name);
    runGit(path, "config", "user.name", "Ann User");
    runGit(path, "config", "user.email", "ann@example.com");
    at.commit(path, { [`${name}.txt`]: name });
    return path;
  };
  const [inner, sub] = [make("inner"), make("sub")];
  runGit(sub, ...ALLOW, "submodule", "--quiet", "add", inner, "deep/inner");
  runGit(sub, "commit", "-q", "-m", "inner");
  runGit(at.root, ...ALLOW, "submodule", "--quiet", "add", sub, "lib/sub");
  runGit(at.root, ...ALLOW, "submodule", "--quiet", "update", "--init", "--recursive");
  at.commit(at.root, {}, "sub");
  let number = 0;
  const wt = async (branch = `task${number++}`): Promise<string> => {
    const path = join(at.top, `wt-${branch}`);
    const base = runGit(at.root, "rev-parse", branch.startsWith("task") ? "main" : branch);
    const made = await createWorktree(at.repo, { path, base, branch });
    if ("refused" in made) throw new Error(made.refused);
    return path;
  };
  return { ...at, sub, inner, wt };
}

const bring = (at: Scratch, path: string, options = IN_RUN) =>
  bringSubmodules(at.repo, placeAt(at.repo, path), runGit(path, "rev-parse", "HEAD"), options);

test("from the main checkout, those in them too, without a network and without a second copy; git finds all as its own", async () => {
  await using at = await nested();
  const wt = await at.wt();
  renameSync(at.sub, `${at.sub}-gone`);
  renameSync(at.inner, `${at.inner}-gone`);
  const { done, left } = await bring(at, wt);
  expect(left).toEqual([]);
  expect(done.map(({ path, from }) => [path, from])).toEqual([
    ["lib/sub", "checkout"],
    ["lib/sub/deep/inner", "checkout"],
  ]);
  expect(readFileSync(join(wt, "lib/sub/deep/inner/inner.txt"), "utf8")).toBe("inner");
  expect(runGit(wt, "status", "--porcelain", "--ignore-submodules=none")).toBe("");
  expect(runGit(wt, "submodule", "status", "--recursive")).toMatch(
    /^ [0-9a-f]+ lib\/sub \(.*\n [0-9a-f]+ lib\/sub\/deep\/inner/,
  );
  expect(runGit(join(wt, "lib/sub"), "rev-parse", "HEAD", "refs/remotes/origin/main")).toMatch(/^(\w+)\n\1$/);
  expect(runGit(join(wt, "lib/sub"), "config", "remote.origin.url")).toBe(at.sub);
  const objects = join(placeAt(at.repo, wt).gitDir, "modules/lib/sub/objects");
  const loose = readdirSync(objects).find((name) => name.length === 2)!;
  expect(statSync(join(objects, loose, readdirSync(join(objects, loose))[0]!)).nlink).toBeGreaterThan(1);
  expect(await bring(at, wt)).toEqual({ done: [], left: [] });

  // It stands on its own: the other's objects may go.
  rmSync(join(at.root, ".git/modules"), { recursive: true });
  expect(runGit(join(wt, "lib/sub"), "fsck", "--full", "--strict")).toBe("");
  at.commit(join(wt, "lib/sub"), { "own.txt": "own" });
});

test("a module of packs, tags, a shallow one, and one whose commit the main checkout has only just fetched", async () => {
  await using at = await nested();
  const module = join(at.root, "lib/sub");
  runGit(module, "tag", "-a", "v1", "-m", "one");
  runGit(module, "gc", "-q");
  const one = await at.wt();
  expect((await bring(at, one)).done).toHaveLength(2);
  expect(runGit(join(one, "lib/sub"), "describe")).toBe("v1");

  const newer = at.commit(at.sub, { "sub.txt": "newer" });
  runGit(module, "fetch", "-q");
  runGit(at.root, "update-index", "--cacheinfo", `160000,${newer},lib/sub`);
  runGit(at.root, "commit", "-q", "-m", "newer");
  const two = await at.wt();
  expect((await bring(at, two)).done[0]).toEqual({ path: "lib/sub", commit: newer, from: "checkout" });

  rmSync(join(at.root, ".git/modules/lib/sub"), { recursive: true });
  rmSync(join(at.root, "lib/sub"), { recursive: true });
  runGit(at.root, "config", "submodule.lib/sub.url", `file://${at.sub}`);
  runGit(at.root, ...ALLOW, "submodule", "--quiet", "update", "--init", "--depth=1");
  const three = await at.wt();
  expect((await bring(at, three)).done[0]).toMatchObject({ from: "checkout" });
  expect(runGit(join(three, "lib/sub"), "rev-parse", "--is-shallow-repository")).toBe("true");
  expect(runGit(join(three, "lib/sub"), "status", "--porcelain")).toBe("");
});

test("only those that git counts as active; one that nobody was told of is taken where a person asks", async () => {
  await using at = await nested();
  const off = async (...config: string[]) => {
    runGit(at.root, "config", ...config);
    const { done, left } = await bring(at, await at.wt());
    runGit(at.root, "config", "--unset", config[0]!);
    return [done.map(({ path }) => path), left];
  };
  expect(await off("submodule.lib/sub.active", "false")).toEqual([[], []]);
  expect(await off("submodule.lib/sub.update", "none")).toEqual([[], []]);
  // The key of its own was taken away above: now the list counts.
  expect(await off("submodule.active", "other")).toEqual([[], []]);
  expect(await off("submodule.active", "lib")).toEqual([["lib/sub", "lib/sub/deep/inner"], []]);

  runGit(at.root, "config", "--remove-section", "submodule.lib/sub");
  rmSync(join(at.root, ".git/modules"), { recursive: true });
  const told = await bring(at, await at.wt());
  expect(told).toEqual({
    done: [],
    left: [
      {
        path: "lib/sub",
        isThere: false,
        why: "this repository was not told to have it",
        hint: "once, in the main checkout: git submodule update --init --recursive -- lib/sub",
      },
    ],
  });
});

test("what git refuses to fetch is refused, and told; with the user's own leave it comes, and another worktree is asked before the network", async () => {
  await using at = await nested();
  rmSync(join(at.root, ".git/modules"), { recursive: true });
  const one = await at.wt();
  const refused = await bring(at, one, ASKED);
  expect(refused.done).toEqual([]);
  expect(refused.left).toMatchObject([
    { path: "lib/sub", why: expect.stringContaining("transport 'file' not allowed") },
  ]);

  const before = process.env["GIT_CONFIG_GLOBAL"];
  writeFileSync(join(at.top, "global"), '[protocol "file"]\n\tallow = always\n');
  process.env["GIT_CONFIG_GLOBAL"] = join(at.top, "global");
  try {
    expect((await bring(at, one, ASKED)).done.map(({ path, from }) => [path, from])).toEqual([
      ["lib/sub", "remote"],
      ["lib/sub/deep/inner", "remote"],
    ]);
  } finally {
    if (before === undefined) delete process.env["GIT_CONFIG_GLOBAL"];
    else process.env["GIT_CONFIG_GLOBAL"] = before;
  }
  expect(runGit(one, "submodule", "status", "--recursive")).not.toMatch(/^[-+]/m);
  renameSync(at.sub, `${at.sub}-gone`);
  const two = await at.wt();
  expect((await bring(at, two, ASKED)).done.map(({ from }) => from)).toEqual(["worktree", "worktree"]);
  // What its remote has is known to be there.
  const held = await inspectWorktree(at.repo, two, { keep: ["refs/heads/main"] });
  expect(held.modules.map(({ path, commits, dropped }) => [path, commits, dropped])).toEqual([
    ["lib/sub", [], []],
    ["lib/sub/deep/inner", [], []],
  ]);
});

test("nothing of it leads out of the worktree, and no hook or program of the submodule runs", async () => {
  await using at = await nested();
  const module = join(at.root, ".git/modules/lib/sub");
  const proof = join(at.top, "proof");
  mkdirSync(join(module, "hooks"), { recursive: true });
  for (const hook of ["post-checkout", "reference-transaction", "post-index-change"])
    writeFileSync(join(module, "hooks", hook), `#!/bin/sh\ntouch ${proof}\n`, { mode: 0o755 });
  runGit(join(at.root, "lib/sub"), "config", "core.fsmonitor", `touch ${proof}`);
  const wt = await at.wt();
  expect((await bring(at, wt)).done).toHaveLength(2);
  runGit(wt, "status");
  expect(existsSync(proof)).toBe(false);

  const linked = await at.wt();
  rmSync(join(linked, "lib"), { recursive: true });
  mkdirSync(join(at.top, "elsewhere/sub"), { recursive: true });
  symlinkSync(join(at.top, "elsewhere"), join(linked, "lib"));
  expect((await bring(at, linked)).left).toMatchObject([
    { path: "lib/sub", why: expect.stringContaining("something else is at") },
  ]);
  expect(readdirSync(join(at.top, "elsewhere/sub"))).toEqual([]);

  const full = await at.wt();
  writeFileSync(join(full, "lib/sub/mine"), "mine");
  expect((await bring(at, full)).left).toMatchObject([{ why: expect.stringContaining("files are in the way") }]);

  // Names and paths that lead elsewhere are nobody's.
  runGit(at.root, "config", "--file", ".gitmodules", "submodule.../../up.path", "up");
  runGit(at.root, "config", "--file", ".gitmodules", "submodule.x.path", "../x");
  at.commit(at.root, {}, "planted");
  expect((await bring(at, await at.wt(), ASKED)).done).toHaveLength(2);
});

test("where nobody works, it is put at its commit; else one that is clean goes along, and any other stays", async () => {
  await using at = await nested();
  const module = join(at.root, "lib/sub");
  const from = runGit(at.root, "rev-parse", "HEAD");
  const newer = at.commit(module, { "sub.txt": "newer" });
  at.commit(at.root, {}, "newer");
  const move = async (change: (sub: string) => void, present: BringOptions["present"]) => {
    const wt = await at.wt();
    runGit(wt, "checkout", "-q", from);
    expect((await bring(at, wt)).done).toHaveLength(2);
    change(join(wt, "lib/sub"));
    runGit(wt, "checkout", "-q", "main~0");
    const { done, left } = await bring(at, wt, { asked: true, ...(present === undefined ? {} : { present }) });
    const isThere = runGit(join(wt, "lib/sub"), "rev-parse", "HEAD") === newer;
    return {
      isThere,
      done: done.length,
      left: left.map(({ why }) => why),
      status: runGit(join(wt, "lib/sub"), "status", "--porcelain"),
    };
  };
  const nothing = () => {};
  const dirty = (sub: string) => writeFileSync(join(sub, "sub.txt"), "mine");
  expect(await move(nothing, { from })).toEqual({ isThere: true, done: 1, left: [], status: "" });
  expect(await move(nothing, undefined)).toEqual({ isThere: false, done: 0, left: [], status: "" });
  expect(await move(dirty, { from })).toMatchObject({
    isThere: false,
    left: ["it holds uncommitted changes"],
    status: " M sub.txt",
  });
  expect(await move((sub) => runGit(sub, "switch", "-q", "-c", "mine"), { from })).toMatchObject({
    isThere: false,
    left: ["it is on its branch mine"],
  });
  expect(await move((sub) => runGit(sub, "checkout", "-q", "HEAD~1"), { from })).toMatchObject({
    left: ["it stands at another commit than the one that was recorded"],
  });
  expect(await move(dirty, "ours")).toEqual({ isThere: true, done: 1, left: [], status: "" });
});

test("16 at once beside a gc of the main checkout's copy, and one that was cut off is done again", async () => {
  await using at = await nested();
  for (let n = 0; n < 30; n++) at.commit(join(at.root, "lib/sub"), { [`${n}.txt`]: `${n}` });
  at.commit(at.root, {}, "more");
  const places: string[] = [];
  for (let n = 0; n < 16; n++) places.push(await at.wt());
  const gc = promisify(execFile)("git", ["-C", join(at.root, "lib/sub"), "gc", "-q", "--prune=now"]);
  const all = await Promise.all(places.map((path) => bring(at, path)));
  await gc;
  expect(all.flatMap(({ left }) => left)).toEqual([]);
  expect(all.every(({ done }) => done.length === 2)).toBe(true);

  const wt = places[0]!;
  rmSync(join(placeAt(at.repo, wt).gitDir, "modules/lib/sub/index"));
  rmSync(join(wt, "lib/sub/sub.txt"));
  expect((await bring(at, wt)).done.map(({ path }) => path)).toEqual(["lib/sub"]);
  expect(execFileSync("git", ["-C", wt, "status", "--porcelain"], { encoding: "utf8" })).toBe("");
});

test("a creation that fails or is killed behind them leaves nothing, and no rescue", async () => {
  await using at = await nested();
  const path = join(at.top, "half");
  const base = runGit(at.root, "rev-parse", "HEAD");
  const fill = async (place: Place) => void (await bringSubmodules(at.repo, place, base, IN_RUN));
  const fails = createWorktree(at.repo, {
    path,
    base,
    branch: "half",
    finish: async (place) => {
      await fill(place);
      throw new Error("afterwards");
    },
  });
  await expect(fails).rejects.toThrow("afterwards");
  expect([existsSync(path), readdirSync(join(at.root, ".git/worktrees"))]).toEqual([false, []]);

  const made = await createWorktree(at.repo, { path, base, branch: "half", finish: fill });
  if ("refused" in made) throw new Error(made.refused);
  writeFileSync(join(made.gitDir, "owt-making"), "1-1-dead\n");
  rmSync(join(made.gitDir, "modules/lib/sub/index"));
  rmSync(join(path, "lib/sub/sub.txt"));
  expect(await createWorktree(at.repo, { path, base, branch: "half", finish: fill })).toMatchObject({ isNew: true });
  expect(runGit(at.root, "for-each-ref", "refs/owt")).toBe("");
  expect(readFileSync(join(path, "lib/sub/deep/inner/inner.txt"), "utf8")).toBe("inner");
});
