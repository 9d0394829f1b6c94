import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runGit, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { findUnresolved } from "./conflicts.ts";
import { readRef } from "./branch.ts";
import { mergeTrees, startMerge } from "./merge.ts";
import { readName } from "./quoted-names.ts";
import { createWorktree } from "./worktree.ts";

/** `café.txt`, and one more, in latin1. */
const NAME = Buffer.from("caf\xe9.txt", "latin1");
const OTHER = Buffer.from("caf\xe8.txt", "latin1");

test("names that are no UTF-8 are told as git quotes them, wherever they are in conflict", async () => {
  await using at = await scratchRepo();
  const write = (root: string, text: string) => {
    for (const name of [NAME, OTHER]) writeFileSync(Buffer.concat([Buffer.from(`${root}/`), name]), text);
    writeFileSync(join(root, "ö.txt"), text);
  };
  write(at.root, "base\n");
  at.commit(at.root, {});
  const wt = join(at.top, "wt");
  await createWorktree(at.repo, { path: wt, base: (await readRef(at.repo, "main"))!, branch: "task" });
  write(at.root, "main\n");
  const theirs = at.commit(at.root, {});
  write(wt, "task\n");
  const ours = at.commit(wt, {});
  const files = ['"caf\\350.txt"', '"caf\\351.txt"', "ö.txt"];
  expect(await mergeTrees(at.repo, ours, theirs, wt)).toEqual({ files });
  expect(await startMerge(at.repo, wt, theirs)).toEqual({ files });
  // Nobody has decided anything: what cannot be looked at is open.
  writeFileSync(join(wt, "ö.txt"), "both\n");
  runGit(wt, "add", "ö.txt");
  const open = await findUnresolved(at.repo, wt);
  expect(open.map(({ path }) => path)).toEqual(files.slice(0, 2));
});

test("a name of bytes is quoted only where it has to be", () => {
  expect(readName(Buffer.from("ö.txt").toString("latin1"))).toBe("ö.txt");
  expect(readName('a\n"\\\xff')).toBe('"a\\n\\"\\\\\\377"');
});
