/** `owt land` where the target's checkout is in the middle of something, and where the target went on. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";

/** A run that is through, beside a branch that conflicts with main. */
async function finished(more = ""): Promise<Rig> {
  const rig = Rig.create({
    ".worktreerc": `${demoConfig}${more}`,
    "shared.txt": "start\n",
    "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"'),
  });
  rig.git("branch", "other");
  rig.write({ "shared.txt": "main\n" });
  rig.commit("on main");
  rig.git("switch", "-q", "other");
  rig.write({ "shared.txt": "other\n" });
  rig.commit("on other");
  rig.git("switch", "-q", "main");
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  return rig;
}

test.each([
  ["merge", "git merge other", "merge --continue", "merge --abort"],
  ["rebase", "git rebase other", "rebase --continue", "rebase --abort"],
  ["cherry-pick", "git cherry-pick other", "cherry-pick --continue", "cherry-pick --abort"],
  ["revert", "git revert --no-edit HEAD~1", "revert --continue", "revert --abort"],
  ["bisect", "git bisect start main other", "bisect reset", "bisect reset"],
])("while a %s is under way there, the command that ends it is told", async (what, start, goOn, giveUp) => {
  await using rig = await finished();
  if (what === "revert") {
    rig.write({ "shared.txt": "again\n" });
    rig.commit("again");
  }
  execFileSync("sh", ["-c", `${start} || true`], { cwd: rig.root, env: rig.env, stdio: "pipe" });
  const tip = rig.git("rev-parse", "main");
  const ran = await rig.owt("land");
  expect(ran.code).not.toBe(0);
  expect(ran.stderr).toContain(`main was not moved: a ${what} is under way in ${rig.root}`);
  const told = ran.stderr.replaceAll(/\s+/g, " ");
  expect(told).toContain(`git -C ${rig.root} ${goOn}`);
  expect(told).toContain(`git -C ${rig.root} ${giveUp}`);
  expect(told).toContain("then: owt land r1");
  expect(rig.git("rev-parse", "main")).toBe(tip);
  rig.git(...giveUp.split(" "));
  expect((await rig.owt("land")).code).toBe(0);
});

test("while another git is at work there, it says so, and how its lock goes where none is", async () => {
  await using rig = await finished();
  const lock = join(rig.root, ".git", "index.lock");
  writeFileSync(lock, "");
  const ran = await rig.owt("land");
  expect(ran.stderr).toContain(`main was not moved: another git is at work in ${rig.root}`);
  const told = ran.stderr.replaceAll(/\s+/g, " ");
  expect(told).toContain(`wait until it has ended (where none runs: rm ${lock}), then: owt land r1`);
  expect(told).not.toContain("fatal:");
  rmSync(lock);
  expect((await rig.owt("land")).code).toBe(0);
});

/** The same, and the target went on with a commit of its own. */
async function wentOn(files: Record<string, string>, more = ""): Promise<Rig> {
  const rig = await finished(more);
  rig.write(files);
  rig.commit("went on");
  return rig;
}

const inFolder = (rig: Rig, cwd: string, command: string) =>
  execFileSync("sh", ["-c", command], { cwd, env: rig.env, encoding: "utf8", stdio: "pipe" });

test("a target that went on is merged into the run, and checked with that", async () => {
  await using rig = await wentOn({ "b.txt": "b" }, '[run]\nverify = "! test -e a.txt -a -e bad.txt"\n');
  const base = rig.git("rev-parse", "main");
  expect(await rig.json("land")).toMatchObject({ merged: true, checked: true });
  expect(rig.git("log", "-1", "--format=%s|%P", "main")).toContain(`Merge main into r1|`);
  expect(rig.git("log", "-1", "--format=%P", "main").split(" ")[1]).toBe(base);
});

test("one that conflicts is started in a worktree on the run's branch, for a person, and lands from there", async () => {
  await using rig = await wentOn({ "a.txt": "main" });
  const tip = rig.git("rev-parse", "main");
  const ran = await rig.owt("land");
  expect([ran.code, ran.stderr]).toEqual([4, expect.stringContaining("main went on and conflicts with r1 in a.txt")]);
  const path = rig.path("shop-owt/r1-land");
  expect(ran.stderr.replaceAll(/\s+/g, " ")).toContain(
    `it is started in ${path}: resolve it there, git -C ${path} commit -a; then: owt land r1`,
  );
  expect(inFolder(rig, path, "git status --porcelain; git branch --show-current")).toBe("AA a.txt\nowt/runs/r1\n");
  // Asked again before it is resolved, it is the same merge.
  expect((await rig.owt("land")).stderr).toContain(`it is started in ${path}`);
  writeFileSync(join(path, "a.txt"), "both");
  inFolder(rig, path, "git add a.txt");
  expect((await rig.owt("land")).stderr.replaceAll(/\s+/g, " ")).toContain(`not committed: git -C ${path} commit`);
  expect(rig.git("rev-parse", "main")).toBe(tip);
  inFolder(rig, path, "git commit -q --no-edit");
  expect((await rig.owt("land")).code).toBe(0);
  expect([rig.show("main", "a.txt"), existsSync(rig.path("shop-owt"))]).toEqual(["both", false]);
});

test("where somebody has the run's branch checked out, it is merged there", async () => {
  await using rig = await wentOn({ "a.txt": "main" });
  rig.git("worktree", "add", "-q", rig.path("look"), "owt/runs/r1");
  const ran = await rig.owt("land");
  expect(ran.code).toBe(4);
  expect(ran.stderr).toContain(`git -C ${rig.path("look")} merge main`);
  expect(existsSync(rig.path("shop-owt"))).toBe(false);
});

test("two at once land it one after the other", async () => {
  await using rig = Rig.create({ "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"') });
  const check = `echo >> ${rig.path("checks")}; case $PWD in */shop-owt/r1) mkfifo ${rig.path("gate")}; read line < ${rig.path("gate")};; esac`;
  rig.write({ ".worktreerc": `${demoConfig}[run]\nverify = "${check}"\n` });
  rig.commit("check");
  rig.ok("config", "approve", "--yes");
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  rig.write({ "b.txt": "b" });
  rig.commit("went on");
  const first = rig.start("land");
  await fileAppears(rig.path("gate"));
  const second = rig.start("land");
  await second.says("another owt land is at work here");
  writeFileSync(rig.path("gate"), "go\n");
  expect((await first.ended).code).toBe(0);
  const ran = await second.ended;
  expect([ran.code, ran.stdout]).toEqual([0, expect.stringContaining("r1")]);
  expect(readFileSync(rig.path("checks"), "utf8")).toBe("\n\n");
});

test("where the target is gone, it is told how that is made again", async () => {
  await using rig = await finished();
  rig.git("branch", "-m", "main", "trunk");
  const ran = await rig.owt("land");
  const [, command] = /(git branch main [0-9a-f]+), where the run began/.exec(ran.stderr.replaceAll(/\s+/g, " "))!;
  rig.git(...command!.split(" ").slice(1));
  expect((await rig.owt("land")).code).toBe(0);
  expect(rig.show("main", "a.txt")).toBe("a");
});

test("a checkout of the target whose folder was deleted is in nobody's way; one that is locked is named", async () => {
  await using rig = await finished();
  rig.git("switch", "-q", "other");
  const folder = rig.path("gone");
  rig.git("worktree", "add", "-q", folder, "main");
  rmSync(folder, { recursive: true });
  rig.git("worktree", "lock", folder);
  const refused = await rig.owt("land");
  expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining(`git worktree unlock ${folder}`)]);
  rig.git("worktree", "unlock", folder);
  expect((await rig.owt("land")).code).toBe(0);
  expect(rig.show("main", "a.txt")).toBe("a");
});

test.each(["checked out", "checked out nowhere"])(
  "a lock that a killed git left on a target that is %s is named",
  async (where) => {
    await using rig = await finished();
    if (where === "checked out nowhere") rig.git("switch", "-q", "other");
    const lock = join(rig.root, ".git/refs/heads/main.lock");
    writeFileSync(lock, "");
    const refused = await rig.owt("land");
    expect([refused.code, refused.stderr]).toEqual([
      expect.any(Number),
      expect.stringMatching(`where (no git|none) runs: rm ${lock}`),
    ]);
    expect(rig.git("status", "--porcelain")).toBe("");
    rmSync(lock);
    expect((await rig.owt("land")).code).toBe(0);
  },
);
