/** `owt diff`: what a worktree changed, told byte for byte, and nothing of the repository run for it. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Rig } from "../rig/rig.ts";

type Answer = { base: string; files: { path: string; status: string; added: number | null; deleted: number | null }[] };

const gitIn = (rig: Rig, folder: string, ...args: string[]) =>
  execFileSync("git", args, { cwd: folder, env: rig.env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();

test("committed, uncommitted and new files since it left its base; the base going on changes nothing", async () => {
  await using rig = Rig.create({ "gone.txt": "1\n", "old.txt": "1\n2\n", ".gitignore": "*.log\n" });
  rig.ok("create", "x");
  const tree = rig.path("shop-x");
  writeFileSync(join(tree, "committed.txt"), "1\n");
  gitIn(rig, tree, "add", "-A");
  gitIn(rig, tree, "commit", "-q", "-m", "work");
  writeFileSync(join(tree, "old.txt"), "1\ntwo\n");
  writeFileSync(join(tree, "new\tfile"), Buffer.from([0, 1, 255]));
  writeFileSync(join(tree, "latin"), Buffer.from("caf\xe9\n", "latin1"));
  writeFileSync(join(tree, "x.log"), "ignored");
  rmSync(join(tree, "gone.txt"));
  rig.write({ "old.txt": "of the main checkout\n" });
  rig.commit("later");
  const index = readFileSync(
    join(rig.root, ".git/worktrees", gitIn(rig, tree, "rev-parse", "--absolute-git-dir").split("/").at(-1)!, "index"),
  );
  const { base, files } = await rig.json<Answer>("diff", "x");
  expect([base, files]).toEqual([
    "main",
    [
      { path: "committed.txt", status: "A", added: 1, deleted: 0 },
      { path: "gone.txt", status: "D", added: 0, deleted: 1 },
      { path: "latin", status: "A", added: 1, deleted: 0 },
      { path: "new\tfile", status: "A", added: null, deleted: null },
      { path: "old.txt", status: "M", added: 1, deleted: 1 },
    ],
  ]);
  const patch = execFileSync(process.execPath, [new URL("../../bin/owt.js", import.meta.url).pathname, "diff", "x"], {
    cwd: rig.root,
    env: rig.env,
  });
  expect(patch.includes(Buffer.from("+caf\xe9\n", "latin1"))).toBe(true);
  expect(patch.toString()).toContain("-2\n+two\n");
  expect((await rig.owtIn(tree, "diff", "--stat")).stdout).toMatch(/5 files changed/);
  const after = readFileSync(join(gitIn(rig, tree, "rev-parse", "--absolute-git-dir"), "index"));
  expect(after.equals(index)).toBe(true);
  expect(await rig.owt("diff", "main")).toMatchObject({
    code: 0,
    stdout: "",
    stderr: "main changed nothing since main\n",
  });
});

test("what the repository names is not run: drivers, text conversion, its pager; the user's pager is, on a terminal only", async () => {
  await using rig = Rig.create({ ".gitattributes": "* diff=evil\n", "a.txt": "1\n" });
  rig.ok("create", "x");
  writeFileSync(rig.path("shop-x/a.txt"), "2\n");
  const plant = `sh -c 'echo ran > ${rig.path("planted")}; cat'`;
  for (const key of ["diff.evil.command", "diff.evil.textconv", "diff.external", "core.pager", "core.fsmonitor"])
    rig.git("config", key, plant);
  rig.addProgram("my-pager", `#!/bin/sh\necho paged "$@" > '${rig.path("paged")}'\ncat\n`);
  gitIn(rig, rig.root, "config", "--global", "core.pager", "my-pager --wide");
  expect((await rig.owt("diff", "x")).stdout).toContain("-1\n+2\n");
  expect(existsSync(rig.path("paged"))).toBe(false);
  const onTerminal = await rig.startOnTerminal("diff", "x").ended;
  expect(onTerminal.stdout).toMatch(/-1\r?\n\+2/);
  expect(readFileSync(rig.path("paged"), "utf8")).toBe("paged --wide\n");
  expect(existsSync(rig.path("planted"))).toBe(false);
});
