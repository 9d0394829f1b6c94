import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runGit, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { readRef } from "./branch.ts";
import { findStart } from "./start-point.ts";

/** `r9` here, and another of that name on the remote, which nobody has fetched. */
async function twoOfOneName() {
  const at = await scratchRepo();
  const remote = join(at.top, "remote.git");
  const here = runGit(at.root, "rev-parse", "main").trim();
  runGit(at.top, "clone", "-q", "--bare", at.root, remote);
  runGit(at.root, "remote", "add", "origin", remote);
  const theirs = at.commit(at.root, { theirs: "1" });
  runGit(at.root, "push", "-q", remote, "HEAD:refs/heads/r9");
  runGit(at.root, "reset", "-q", "--hard", here);
  runGit(at.root, "branch", "r9", here);
  return { at, remote, here, theirs };
}

test("a base that begins with a remote's name is that remote's branch, fetched where it is not there", async () => {
  const { at, here, theirs } = await twoOfOneName();
  await using _ = at;
  expect(await findStart(at.repo, "x", "origin/r9")).toMatchObject({ at: theirs, base: "origin/r9", isNew: true });
  expect(await readRef(at.repo, "refs/remotes/origin/main")).toBe(null);
  expect(await findStart(at.repo, "x", "r9")).toMatchObject({ at: here, base: "r9" });
  // No tag is meant either.
  runGit(at.root, "tag", "origin/r9", here);
  expect(await findStart(at.repo, "x", "origin/r9")).toMatchObject({ at: theirs });
});

test("a remote's branch is not the one of its name here, unless that holds the same", async () => {
  const { at, theirs } = await twoOfOneName();
  await using _ = at;
  const starting = findStart(at.repo, "origin/r9", null);
  await expect(starting).rejects.toMatchObject({
    code: "wrong-state",
    hint: expect.stringContaining("owt create r9-2 --base origin/r9"),
  });
  runGit(at.root, "branch", "-f", "r9", theirs);
  expect(await findStart(at.repo, "origin/r9", null)).toMatchObject({ branch: "r9", at: theirs, isNew: false });
  await expect(findStart(at.repo, "origin/new", "main")).rejects.toMatchObject({ code: "usage" });
});

test("the branch of a remote that cannot be asked is refused, with the one of its name here told", async () => {
  const { at, remote } = await twoOfOneName();
  await using _ = at;
  rmSync(remote, { recursive: true });
  for (const [word, base] of [
    ["x", "origin/r9"],
    ["origin/r9", null],
  ] as const)
    await expect(findStart(at.repo, word, base)).rejects.toMatchObject({
      code: "environment",
      message: expect.stringContaining("origin could not be asked for r9"),
      hint: expect.stringMatching(/git fetch origin.*of that name here is: r9/),
    });
  await expect(findStart(at.repo, "x", "origin/none")).rejects.toMatchObject({
    hint: expect.not.stringContaining("here is"),
  });
});
