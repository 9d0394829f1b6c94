import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { runGit, type Scratch, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { advanceFiles } from "./advance-files.ts";
import { readRef } from "./branch.ts";
import { findPlace } from "./place.ts";
import { createWorktree } from "./worktree.ts";

/** Kind, permissions and bytes of all files, and the index. */
function look(root: string): string[] {
  const all = readdirSync(root, { recursive: true, withFileTypes: true, encoding: "utf8" });
  const paths = all
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => relative(root, path) !== ".git");
  const files = paths.map((path) => {
    const stat = lstatSync(path);
    return `${relative(root, path)} ${stat.mode.toString(8)} ${stat.isFile() ? readFileSync(path, "latin1") : ""}`;
  });
  return [...files.toSorted(), runGit(root, "ls-files", "--stage")];
}

/** A worktree that stands on main and holds the files of `old` in files and index. */
async function standingBetween(at: Scratch, name: string, old: string) {
  const path = join(at.top, name);
  const made = await createWorktree(at.repo, { path, base: (await readRef(at.repo, "main"))!, branch: name });
  if ("refused" in made) throw new Error(made.refused);
  runGit(path, "read-tree", "-m", "-u", "HEAD", old);
  return { path, place: findPlace(at.repo, path)! };
}

const NAMES = ["a.txt", "dir/b.txt", "ä ö", "x\n", "-n", "dir/new", "run"];
const change = fc.record({
  name: fc.constantFrom(...NAMES),
  kind: fc.constantFrom("write", "write", "run", "remove"),
  text: fc.string({ maxLength: 9 }),
});

test("files and index are those that git makes of them, whatever differs", async () => {
  await using at = await scratchRepo();
  at.commit(at.root, { "dir/stays": "1" }, "more");
  let rounds = 0;
  let ours = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 5 }), async (changes) => {
      const old = runGit(at.root, "rev-parse", "HEAD").trim();
      for (const { name, kind, text } of changes) {
        rmSync(join(at.root, name), { force: true });
        if (kind === "remove") continue;
        at.write(at.root, { [name]: text });
        if (kind === "run") chmodSync(join(at.root, name), 0o755);
      }
      runGit(at.root, "add", "--all");
      runGit(at.root, "commit", "-q", "--allow-empty", "-m", "next");
      const { path, place } = await standingBetween(at, `w${rounds++}`, old);
      const isOurs = await advanceFiles(at.repo, place, old);
      if (isOurs) ours++;
      else runGit(path, "read-tree", "-m", "-u", old, "HEAD");
      expect(runGit(path, "status", "--porcelain", "--ignored")).toBe("");
      const fresh = join(at.top, `fresh${rounds}`);
      runGit(at.root, "worktree", "add", "-q", "--detach", fresh);
      expect(look(path)).toEqual(look(fresh));
    }),
    { numRuns: 15 },
  );
  expect(ours).toBeGreaterThan(7);
});

type Case = [name: string, prepare: (at: Scratch) => void];
const ODD: Case[] = [
  ["a new folder", (at) => at.commit(at.root, { "new/x": "1" }, "next")],
  [
    "a folder that goes",
    (at) => (runGit(at.root, "rm", "-q", "dir/b.txt"), runGit(at.root, "commit", "-q", "-m", "next")),
  ],
  ["attributes", (at) => at.commit(at.root, { ".gitattributes": "*.txt eol=crlf\n" }, "next")],
  ["a large file", (at) => at.commit(at.root, { large: "x".repeat(70_000) }, "next")],
  ["a link", (at) => (symlinkSync("a.txt", join(at.root, "link")), at.commit(at.root, { x: "1" }, "next"))],
  [
    "many files",
    (at) => at.commit(at.root, Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`n${n}`, ""])), "next"),
  ],
];

test.each(ODD)("with %s it is left to git, and nothing was touched", async (_, prepare) => {
  await using at = await scratchRepo();
  const old = runGit(at.root, "rev-parse", "HEAD").trim();
  runGit(at.root, "add", "--all");
  prepare(at);
  runGit(at.root, "add", "--all");
  runGit(at.root, "commit", "-q", "--allow-empty", "-m", "rest");
  const { path, place } = await standingBetween(at, "w", old);
  const before = look(path);
  expect(await advanceFiles(at.repo, place, old)).toBe(false);
  expect(look(path)).toEqual(before);
});

test("what somebody wrote where a file would come is not overwritten", async () => {
  await using at = await scratchRepo();
  const old = runGit(at.root, "rev-parse", "HEAD").trim();
  at.commit(at.root, { new: "theirs", "a.txt": "changed" }, "next");
  const { path, place } = await standingBetween(at, "w", old);
  writeFileSync(join(path, "new"), "mine");
  expect(await advanceFiles(at.repo, place, old)).toBe(false);
  expect(readFileSync(join(path, "new"), "utf8")).toBe("mine");
  expect(existsSync(join(place.gitDir, "index.lock"))).toBe(false);
});
