import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runGit, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { readRef } from "./branch.ts";
import { fetchOnce } from "./fetch.ts";
import { clearStaleLocks } from "./locks.ts";
import { createWorktree } from "./worktree.ts";

test("many fetches at once bring the remote's state, and none of them fails", async () => {
  await using at = await scratchRepo();
  runGit(at.top, "clone", "-q", "--bare", at.root, "remote.git");
  runGit(at.root, "remote", "add", "origin", join(at.top, "remote.git"));
  const pushed = at.commit(at.root, { n: "1" });
  runGit(at.root, "push", "-q", join(at.top, "remote.git"), "main");
  const shared = fetchOnce(at.repo, "origin");
  expect(fetchOnce(at.repo, "origin")).toBe(shared);
  const all = await Promise.all([shared, ...Array.from({ length: 6 }, () => fetchOnce(at.repo, "origin"))]);
  expect(all.every(({ fetched }) => fetched)).toBe(true);
  expect(await readRef(at.repo, "refs/remotes/origin/main")).toBe(pushed);
  expect(existsSync(join(at.repo.commonDir, "FETCH_HEAD"))).toBe(false);
});

test("a remote that is not there is an answer, and the next fetch works", async () => {
  await using at = await scratchRepo();
  runGit(at.root, "remote", "add", "origin", join(at.top, "nowhere.git"));
  expect(await fetchOnce(at.repo, "origin")).toMatchObject({
    fetched: false,
    said: expect.stringContaining("nowhere.git"),
  });
  runGit(at.top, "clone", "-q", "--bare", at.root, "nowhere.git");
  expect(await fetchOnce(at.repo, "origin")).toEqual({ fetched: true });
  expect(() => fetchOnce(at.repo, "--upload-pack=x")).toThrow("not a remote");
});

test("stale locks go from a task's own places, and no others", async () => {
  await using at = await scratchRepo();
  const base = (await readRef(at.repo, "main"))!;
  const made = await createWorktree(at.repo, { path: join(at.top, "w"), base, branch: "owt/tasks/a/1" });
  if ("refused" in made) throw new Error(made.refused);
  mkdirSync(join(made.gitDir, "refs/worktree"), { recursive: true });
  const own = ["index.lock", "HEAD.lock", "refs/worktree/x.lock"].map((name) => join(made.gitDir, name));
  const branch = join(at.repo.commonDir, "refs/heads/owt/tasks/a/1.lock");
  const others = ["index.lock", "packed-refs.lock", "config.lock", "refs/heads/main.lock"].map((name) =>
    join(at.repo.commonDir, name),
  );
  for (const path of [...own, branch, ...others]) at.write("/", { [path.slice(1)]: "" });
  expect((await clearStaleLocks(at.repo, made.gitDir, { branches: ["owt/tasks/a/1"] })).toSorted()).toEqual(
    [...own, branch].toSorted(),
  );
  expect(others.every((path) => existsSync(path))).toBe(true);
  expect(readdirSync(made.gitDir)).toContain("HEAD");
  expect(runGit(join(at.top, "w"), "status", "--porcelain")).toBe("");
  await expect(clearStaleLocks(at.repo, at.repo.gitDir, { branches: [] })).rejects.toMatchObject({ code: "internal" });
});
