/** Worktrees that came to harm by hand: what is wrong is told, and mended with every file as it was. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runGit, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { findDamage, findLostEntry, findLostLink } from "./damage.ts";
import { mendDamaged } from "./mend.ts";
import { findPlace, placeAt } from "./place.ts";
import { createWorktree } from "./worktree.ts";

async function worktree() {
  const at = await scratchRepo();
  const path = join(at.top, "side");
  const made = await createWorktree(at.repo, { path, base: runGit(at.root, "rev-parse", "main"), branch: "fix/x" });
  if ("refused" in made) throw new Error(made.refused);
  at.commit(path, { "own.txt": "own\n" });
  at.write(path, { "a.txt": "changed\n", "new.txt": "new\n" });
  return { at, path, gitDir: made.gitDir };
}

const branchFile = (path: string) => join(path, "../repo/.git/refs/heads/fix/x");

const look = async (at: Awaited<ReturnType<typeof worktree>>["at"], path: string) => {
  const place = findPlace(at.repo, path);
  return place === null
    ? findLostEntry(at.repo, path, true)
    : ((await findDamage(place)) ?? findLostLink(at.repo, place));
};

test.each<[string, "HEAD" | "index" | "entry" | "link" | "branch", string, (gitDir: string, path: string) => void]>([
  ["an empty index", "index", "its index is damaged", (gitDir) => writeFileSync(join(gitDir, "index"), "")],
  ["no HEAD", "HEAD", "its HEAD is missing", (gitDir) => rmSync(join(gitDir, "HEAD"))],
  ["a torn HEAD", "HEAD", "its HEAD is damaged", (gitDir) => writeFileSync(join(gitDir, "HEAD"), "re")],
  ["no gitdir", "entry", "does not say where it stands", (gitDir) => rmSync(join(gitDir, "gitdir"))],
  ...["garbage\n", "x/.git\n", "../other/.git\n", "/\n", "a\0/.git"].map(
    (text): [string, "entry", string, (gitDir: string) => void] => [
      `a gitdir of ${JSON.stringify(text)}`,
      "entry",
      "does not say where it stands",
      (gitDir) => writeFileSync(join(gitDir, "gitdir"), text),
    ],
  ),
  ["an empty branch", "branch", "names no commit", (_, path) => writeFileSync(branchFile(path), "")],
  ["a branch of zeros", "branch", "names no commit", (_, path) => writeFileSync(branchFile(path), "\0".repeat(41))],
  [
    "an empty branch without a log",
    "branch",
    "names no commit",
    (_, path) => {
      writeFileSync(branchFile(path), "");
      rmSync(join(path, "../repo/.git/logs/refs/heads/fix/x"));
    },
  ],
  ["no .git", "link", "is missing", (_, path) => rmSync(join(path, ".git"))],
  ["an empty .git", "link", "says nothing", (_, path) => writeFileSync(join(path, ".git"), "")],
  [
    "a .git that leads nowhere",
    "link",
    "is not there",
    (_, path) => writeFileSync(join(path, ".git"), "gitdir: /no\n"),
  ],
  ["no entry", "entry", "what git had of it is gone", (gitDir) => rmSync(gitDir, { recursive: true })],
  [
    "no entry, and an empty .git",
    "entry",
    "is gone, and its file",
    (gitDir, path) => {
      rmSync(gitDir, { recursive: true });
      writeFileSync(join(path, ".git"), "");
    },
  ],
])("%s", async (_, part, words, harm) => {
  const { at, path, gitDir } = await worktree();
  await using scratch = at;
  const tip = runGit(path, "rev-parse", "HEAD");
  harm(gitDir, path);
  expect(await look(scratch, path)).toEqual({ part, said: expect.stringContaining(words) });
  expect(await mendDamaged(scratch.repo, path, "fix/x")).not.toBe(null);
  expect([await look(scratch, path), placeAt(scratch.repo, path).root]).toEqual([null, path]);
  expect(runGit(path, "symbolic-ref", "--short", "HEAD")).toBe("fix/x");
  expect(runGit(path, "rev-parse", "HEAD")).toBe(tip);
  expect(runGit(path, "status", "--porcelain")).toBe(" M a.txt\n?? new.txt");
  expect(readFileSync(join(path, "a.txt"), "utf8")).toBe("changed\n");
});

test("without a record it is put where its own log ends; where nothing tells, it is left as it is", async () => {
  const { at, path, gitDir } = await worktree();
  await using scratch = at;
  const tip = runGit(path, "rev-parse", "HEAD");
  rmSync(join(gitDir, "HEAD"));
  await mendDamaged(scratch.repo, path, null);
  expect(runGit(path, "symbolic-ref", "--short", "HEAD")).toBe("fix/x");
  // On record is a branch that it had left.
  runGit(path, "checkout", "-q", "--detach");
  scratch.commit(path, { "later.txt": "later" });
  rmSync(join(gitDir, "HEAD"));
  await mendDamaged(scratch.repo, path, "fix/x");
  expect([runGit(path, "rev-parse", "HEAD~1"), runGit(path, "rev-parse", "--abbrev-ref", "HEAD")]).toEqual([
    tip,
    "HEAD",
  ]);
  rmSync(gitDir, { recursive: true });
  expect(await mendDamaged(scratch.repo, path, null)).toBe(null);
  expect(readFileSync(join(path, "later.txt"), "utf8")).toBe("later");
});

test("a branch whose logs are torn too, and one that git holds, is left as it is", async () => {
  const { at, path, gitDir } = await worktree();
  await using scratch = at;
  const file = branchFile(path);
  writeFileSync(file, "");
  writeFileSync(`${file}.lock`, "");
  expect([await mendDamaged(scratch.repo, path, "fix/x"), readFileSync(file, "utf8")]).toEqual([null, ""]);
  rmSync(`${file}.lock`);
  for (const log of [join(scratch.root, ".git/logs/refs/heads/fix/x"), join(gitDir, "logs/HEAD")])
    writeFileSync(log, `${readFileSync(log, "utf8")}\0\0\0`);
  expect([await mendDamaged(scratch.repo, path, "fix/x"), readFileSync(file, "utf8")]).toEqual([null, ""]);
});

test("the index of the main checkout, one that git holds, and folders that are no worktree of ours are left alone", async () => {
  const { at, path, gitDir } = await worktree();
  await using scratch = at;
  writeFileSync(join(scratch.root, ".git/index"), "");
  expect(await mendDamaged(scratch.repo, scratch.root, "main")).toBe(null);
  expect(readFileSync(join(scratch.root, ".git/index"), "utf8")).toBe("");
  writeFileSync(join(gitDir, "index"), "");
  writeFileSync(join(gitDir, "index.lock"), "");
  expect(await mendDamaged(scratch.repo, path, "fix/x")).toBe(null);
  expect(readFileSync(join(gitDir, "index"), "utf8")).toBe("");
  const other = join(scratch.top, "other");
  scratch.write(other, { ".git": `gitdir: ${scratch.top}/else/.git/worktrees/other\n` });
  expect(findLostEntry(scratch.repo, other, true)).toBe(null);
  expect(findLostEntry(scratch.repo, scratch.top, true)).toBe(null);
});
