/** What stands at the place of a worktree and is not that worktree: nothing of it is taken, nothing is written into it, and it is told. */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Rig } from "../rig/rig.ts";

/** All files below a folder with their content, so that a change of any shows. */
function filesIn(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    entries.map(({ parentPath, name }) => [join(parentPath, name), readFileSync(join(parentPath, name), "utf8")]),
  );
}

function prepare(): Rig {
  const rig = Rig.create({ "a.txt": "a\n", "b.txt": "b\n", "lib/c.txt": "c\n" });
  rig.ok("create", "linked", "other", "fine", "--no-tmux");
  // Something to bring in.
  writeFileSync(join(rig.root, "new.txt"), "new\n");
  rig.git("add", "new.txt");
  rig.git("commit", "-q", "-m", "new");
  return rig;
}

/** A folder with just the files of the worktree's commit, and one that git ignores. */
function likeTheCommit(folder: string): void {
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  writeFileSync(join(folder, "a.txt"), "a\n");
  writeFileSync(join(folder, "b.txt"), "b\n");
  writeFileSync(join(folder, "node_modules/x"), "x\n");
}

/** Each puts something at the place of a worktree that was moved away, and says what it is called and which folder is to stay as it is. */
const STRANGERS: Record<string, { called: string; put: (rig: Rig, place: string) => string }> = {
  "a link to another worktree": {
    called: "a link to",
    put: (rig, place) => {
      symlinkSync(rig.path("shop-other"), place);
      return rig.path("shop-other");
    },
  },
  "a link to a folder of somebody's": {
    called: "a link to",
    put: (rig, place) => {
      likeTheCommit(rig.path("deep/real"));
      symlinkSync("deep/real", place);
      return rig.path("deep/real");
    },
  },
  "a link to the main checkout": {
    called: "a link to",
    put: (rig, place) => {
      symlinkSync(rig.root, place);
      return join(rig.root, "lib");
    },
  },
  "a link to what is not there": {
    called: "a link to what is not there",
    put: (rig, place) => {
      symlinkSync(rig.path("nowhere"), place);
      return rig.home;
    },
  },
  "a folder with files like those of its commit": {
    called: "a folder that has no .git file",
    put: (_, place) => {
      likeTheCommit(place);
      return place;
    },
  },
  "a folder with one of its files and others": {
    called: "a folder that has no .git file",
    put: (rig, place) => {
      likeTheCommit(place);
      renameSync(rig.path("kept/README.md"), join(place, "README.md"));
      return place;
    },
  },
  "an empty folder": {
    called: "a folder that has no .git file",
    put: (_, place) => {
      mkdirSync(place);
      return place;
    },
  },
  "a folder whose .git file leads nowhere": {
    called: "a folder that is no worktree that git knows",
    put: (_, place) => {
      likeTheCommit(place);
      writeFileSync(join(place, ".git"), "gitdir: /nowhere/.git/worktrees/x\n");
      return place;
    },
  },
  "a repository of somebody's": {
    called: "a repository of its own",
    put: (rig, place) => {
      rig.git("clone", "-q", rig.root, place);
      return place;
    },
  },
  "a file": {
    called: "a file",
    put: (rig, place) => {
      writeFileSync(place, "a file\n");
      return join(rig.root, "lib");
    },
  },
};

test.each(Object.keys(STRANGERS))("%s is not taken for the worktree at whose place it is", async (kind) => {
  await using rig = prepare();
  const { called, put } = STRANGERS[kind]!;
  const place = rig.path("shop-linked");
  renameSync(place, rig.path("kept"));
  const folder = put(rig, place);
  const isOurs = folder === rig.path("shop-other");
  const found = () => (folder === rig.home ? {} : filesIn(folder));
  const files = found();
  const branches = rig.git("for-each-ref", "refs/heads");
  for (const words of [
    ["delete", "linked", "--yes"],
    ["delete", "linked", "--yes", "--save"],
    ["sync", "linked"],
    ["create", "linked", "--no-tmux"],
    ["switch", "linked"],
    ["diff", "linked"],
  ])
    expect([words, await rig.owt(...words)]).toEqual([
      words,
      expect.objectContaining({ code: 2, stderr: expect.stringContaining(`stands ${called}`) as string }),
    ]);
  expect(rig.git("for-each-ref", "refs/heads")).toBe(branches);
  expect(found()).toEqual(files);
  const all = await rig.owt("sync", "--all");
  expect(all).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(new RegExp(`✗ linked: .*\n  · at .* stands ${called}.*\n  ↳ if `)) as string,
  });
  expect(all.stdout).toContain("✓ fine: 1 commit from main");
  const told = new RegExp(`at .* stands ${called}.*\n  ↳ (?:if|mv) `);
  expect((await rig.owt("list")).stdout).toMatch(told);
  for (const words of [["doctor"], ["doctor", "--fix"]])
    expect((await rig.owt(...words)).stdout.replaceAll(/\n +↳/g, "\n  ↳")).toMatch(told);
  rig.ok("cleanup", "--all", "--days", "0", "--yes");
  if (!isOurs) expect(found()).toEqual(files);
  expect(rig.git("branch", "--list", "linked")).toContain("linked");
  // The way out that is told.
  renameSync(place, rig.path("elsewhere"));
  rig.git("worktree", "repair", rig.path("kept"));
  rig.ok("sync", "linked");
  expect(readFileSync(rig.path("kept/new.txt"), "utf8")).toBe("new\n");
  rig.git("-C", rig.path("kept"), "checkout", "-q", "--", ".");
  rig.ok("delete", "linked", "--yes");
});

test("a folder that a person says is the worktree is it again, and one that evidently is it needs nobody", async () => {
  await using rig = prepare();
  const place = rig.path("shop-linked");
  rmSync(join(place, ".git"));
  for (const name of ["a.txt", "b.txt"]) writeFileSync(join(place, name), "changed\n");
  rig.ok("doctor", "--fix");
  expect(rig.git("-C", place, "status", "--porcelain")).toBe("M a.txt\n M b.txt");
  // Written anew, so that none of them is what git saw.
  rmSync(join(place, ".git"));
  for (const name of ["a.txt", "b.txt", "README.md"]) {
    writeFileSync(join(place, "new"), "anew\n");
    renameSync(join(place, "new"), join(place, name));
  }
  const { stderr } = await rig.owt("delete", "linked", "--yes");
  const command = /if it is the worktree: (echo .*?); if you moved/.exec(stderr)![1]!;
  execFileSync("sh", ["-c", command]);
  expect((await rig.owt("delete", "linked", "--yes")).stderr).toContain("uncommitted");
  rig.ok("delete", "linked", "--yes", "--save");
});

test("a worktree that was moved and left a link at its place is worked in through that, and takes the link along", async () => {
  await using rig = prepare();
  const place = rig.path("shop-linked");
  mkdirSync(rig.path("disk"));
  renameSync(place, rig.path("disk/linked"));
  symlinkSync("disk/linked", place);
  expect(await rig.owt("sync", "linked")).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("✓ linked") as string,
  });
  expect(readFileSync(rig.path("disk/linked/new.txt"), "utf8")).toBe("new\n");
  expect((await rig.owt("list")).stdout).not.toContain("stands");
  rig.ok("delete", "linked", "--yes");
  expect(existsSync(rig.path("disk/linked"))).toBe(false);
  expect(lstatSync(place, { throwIfNoEntry: false })).toBeUndefined();
});

test("the folder of worktrees that was moved and left a link is that, and one that is another's is not", async () => {
  await using rig = Rig.create({ "a.txt": "a\n" });
  rig.ok("create", "one", "--no-tmux", "--path", rig.path("trees/w"));
  rig.ok("create", "two", "--no-tmux", "--path", rig.path("others/w"));
  renameSync(rig.path("trees"), rig.path("disk"));
  symlinkSync("disk", rig.path("trees"));
  rig.ok("sync", "one");
  rmSync(rig.path("trees"));
  symlinkSync("others", rig.path("trees"));
  expect(await rig.owt("delete", "one", "--yes")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`at ${rig.path("trees/w")} stands a link to ${rig.path("others/w")}`) as string,
  });
  rig.ok("delete", "two", "--yes");
});
