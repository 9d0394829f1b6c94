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

test("what a person brings together elsewhere takes the prepared worktree along, once it counts as landed", async () => {
  await using rig = await wentOn({ "a.txt": "main" });
  expect((await rig.owt("land")).code).toBe(4);
  expect(existsSync(rig.path("shop-owt/r1-land"))).toBe(true);
  inFolder(rig, rig.root, "git merge -q -X ours --no-edit owt/runs/r1");
  expect(await rig.json("land")).toMatchObject({ already: true });
  expect(existsSync(rig.path("shop-owt"))).toBe(false);
  expect((await rig.owt("land", "r1")).code).toBe(0);
});

const RULES = `[conflicts]
ours = ["a.txt"]
union = ["*.md"]
[conflicts.regenerate]
"all.lock" = "cat parts/* > all.lock"
`;

/** A run and its target both changed these files. */
async function bothChanged(rules: string): Promise<Rig> {
  const rig = Rig.create({
    ".worktreerc": `${demoConfig}${rules}`,
    "CHANGES.md": "start\n",
    "all.lock": "",
    "docs/plans/a/epic-01-a.md": task(
      {},
      'write a.txt "run"\nappend CHANGES.md "run\\n"\nwrite parts/run "run\\n"\nwrite all.lock "run\\n"',
    ),
  });
  if (rules !== "") rig.ok("config", "approve", "--yes");
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  rig.write({ "a.txt": "main", "CHANGES.md": "start\nmain\n", "parts/main": "main\n", "all.lock": "main\n" });
  rig.commit("went on");
  return rig;
}

test("the rules for conflicts count where a target that went on is merged in, too", async () => {
  await using rig = await bothChanged(RULES);
  const ran = await rig.owt("land");
  expect([ran.code, ran.stderr]).toEqual([0, expect.stringContaining("settled by rule: ")]);
  expect(rig.show("main", "a.txt")).toBe("run");
  expect(rig.show("main", "CHANGES.md")?.split("\n").toSorted()).toEqual(["", "main", "run", "start"]);
  expect(rig.show("main", "all.lock")).toBe("main\nrun\n");
  expect([rig.git("status", "--porcelain"), existsSync(rig.path("shop-owt"))]).toEqual(["", false]);
  expect(await rig.json("restore")).toMatchObject({ rescues: [] });
});

test("a command that cannot make the file anew leaves the conflict to a person", async () => {
  await using rig = await bothChanged(RULES.replace("cat parts/*", "exit 7; cat"));
  const ran = await rig.owt("land");
  expect([ran.code, ran.stderr]).toEqual([4, expect.stringContaining("main went on and conflicts with r1 in ")]);
  expect(ran.stderr).toContain("could not be made anew: exit 7; cat > all.lock ended with 7");
  expect(existsSync(rig.path("shop-owt/r1-land"))).toBe(true);
  expect(existsSync(rig.path("shop-owt/r1"))).toBe(false);
});

test("what git was told not to look at in the checkout of the target is not overwritten", async () => {
  await using rig = await finished();
  rig.git("switch", "-q", "owt/runs/r1");
  rig.write({ "shared.txt": "run\n" });
  rig.commit("by hand");
  rig.git("switch", "-q", "main");
  rig.git("update-index", "--assume-unchanged", "shared.txt");
  rig.write({ "shared.txt": "mine\n" });
  const ran = await rig.owt("land");
  const told = ran.stderr.replaceAll(/\s+/g, " ");
  expect(told).toContain(`git was told not to look at are changed, and would be overwritten: shared.txt`);
  expect(told).toContain(`git -C ${rig.root} update-index --no-assume-unchanged shared.txt`);
  expect(readFileSync(join(rig.root, "shared.txt"), "utf8")).toBe("mine\n");
  rig.git("update-index", "--no-assume-unchanged", "shared.txt");
  expect((await rig.owt("land")).stderr).toContain("uncommitted changes in shared.txt");
  rig.git("stash", "-q");
  expect((await rig.owt("land")).code).toBe(0);
});

test("conflict markers that were committed with such a merge do not land: file, line and the way on are told", async () => {
  await using rig = await wentOn({ "a.txt": "main\n", "told.md": "<<<<<<< a\n=======\n>>>>>>> b\n" });
  const tip = rig.git("rev-parse", "main");
  expect((await rig.owt("land")).code).toBe(4);
  const path = rig.path("shop-owt/r1-land");
  inFolder(rig, path, "git commit -qam resolved");
  // Wherever the target stands by now.
  rig.write({ "later.txt": "later" });
  rig.commit("later");
  const ran = await rig.owt("land");
  expect([ran.code, ran.stderr.replaceAll(/\s+/g, " ")]).toEqual([
    4,
    expect.stringContaining("owt/runs/r1 holds conflict markers: a.txt:1, a.txt:3, a.txt:5"),
  ]);
  expect(ran.stderr.replaceAll(/\s+/g, " ")).toContain(`git -C ${path} commit -a && owt land r1`);
  expect(rig.git("rev-parse", "main~1")).toBe(tip);
  writeFileSync(join(path, "a.txt"), "both");
  inFolder(rig, path, "git commit -qam decided");
  expect((await rig.owt("land")).code).toBe(0);
  expect([rig.show("main", "a.txt"), rig.show("main", "later.txt")]).toEqual(["both", "later"]);
});

test("markers that are meant land, where the attributes say so", async () => {
  await using rig = await wentOn({ "a.txt": "main\n" });
  expect((await rig.owt("land")).code).toBe(4);
  const path = rig.path("shop-owt/r1-land");
  writeFileSync(join(path, ".gitattributes"), "a.txt conflict-marker-size=32\n");
  inFolder(rig, path, "git add -A; git commit -qm meant");
  expect((await rig.owt("land")).code).toBe(0);
  expect(rig.show("main", "a.txt")).toContain("<<<<<<<");
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

/** A run that is through and whose target went on with a commit that its user thinks better of: `u.txt` came with it. `check` is how it is checked as it lands. */
async function withSecret(check = "true"): Promise<Rig> {
  const rig = await wentOn({ "u.txt": "secret" });
  rig.env["OWT_RUN_VERIFY"] = check;
  return rig;
}

/** Its user amends that commit, which nobody else has. */
function amend(rig: Rig): void {
  rig.write({ "u.txt": "public" });
  rig.git("add", "u.txt");
  rig.git("commit", "-q", "--amend", "-m", "thought better of");
}

test.each([
  ["changes", "README.md", "has uncommitted changes in README.md"],
  ["a file that would be overwritten", "a.txt", "would be overwritten: a.txt"],
])("%s in the target's checkout: told before anything is checked, with the run as it was", async (_, file, why) => {
  await using rig = await withSecret("echo >> ../../checks");
  const tip = rig.git("rev-parse", "owt/runs/r1");
  rig.write({ [file]: "mine" });
  const ran = await rig.owt("land");
  expect([ran.code, ran.stderr.replaceAll(/\s+/g, " ")]).toEqual([4, expect.stringContaining(why)]);
  expect([rig.git("rev-parse", "owt/runs/r1"), existsSync(rig.path("checks"))]).toEqual([tip, false]);
  expect(readFileSync(join(rig.root, file), "utf8")).toBe("mine");
  if (file === "a.txt") rmSync(join(rig.root, file));
  else rig.git("checkout", "-q", file);
  amend(rig);
  expect((await rig.owt("land")).code).toBe(0);
  expect([rig.show("main", "a.txt"), rig.show("main", "u.txt")]).toEqual(["a", "public"]);
  expect(rig.git("log", "--format=%s", "main")).not.toContain("went on");
  expect(readFileSync(rig.path("checks"), "utf8")).toBe("\n");
});

test("changes in the target's checkout are told before a conflict is prepared", async () => {
  await using rig = await wentOn({ "a.txt": "main" });
  rig.write({ "README.md": "mine" });
  expect((await rig.owt("land")).stderr).toContain("uncommitted changes in README.md");
  expect(existsSync(rig.path("shop-owt"))).toBe(false);
});

/** Lands, and does something while the check is under way. */
async function landWhile(rig: Rig, act: () => void) {
  const landing = rig.start("land");
  await fileAppears(rig.path("gate"));
  act();
  writeFileSync(rig.path("gate"), "go\n");
  return landing.ended;
}

const GATE = "echo >> ../../checks; test -e ../../gate || { mkfifo ../../gate; read line < ../../gate; }";

test("a target that is amended while it is checked with the run: what was taken out of it does not come back", async () => {
  await using rig = await withSecret(GATE);
  const tip = rig.git("rev-parse", "owt/runs/r1");
  const ran = await landWhile(rig, () => amend(rig));
  expect([ran.code, ran.stderr]).toEqual([4, expect.stringContaining("main was not moved: it moved meanwhile")]);
  expect(rig.git("rev-parse", "owt/runs/r1")).toBe(tip);
  expect((await rig.owt("land")).code).toBe(0);
  expect([rig.show("main", "a.txt"), rig.show("main", "u.txt")]).toEqual(["a", "public"]);
  expect((await rig.json<{ rescues: unknown[] }>("restore")).rescues).toEqual([]);
});

test("what was checked and could not land is not checked again, as long as it is the same", async () => {
  await using rig = await withSecret(GATE);
  const ran = await landWhile(rig, () => rig.write({ "README.md": "mine" }));
  expect([ran.code, ran.stderr]).toEqual([4, expect.stringContaining("uncommitted changes in README.md")]);
  rig.git("checkout", "-q", "README.md");
  expect(await rig.json("land")).toMatchObject({ merged: true, checked: true });
  expect(readFileSync(rig.path("checks"), "utf8")).toBe("\n");
  expect(rig.git("log", "-1", "--format=%(trailers:key=Owt-Verified,valueonly)", "main").trim()).toBe("yes");
});

/** The same, and the two conflict: a person has resolved that in the worktree that was made for it, and lands nothing yet. */
async function resolvedByHand(): Promise<{ rig: Rig; path: string; dropped: string; work: string }> {
  const rig = await wentOn({ "u.txt": "secret", "a.txt": "main" });
  const [dropped, work] = [rig.git("rev-parse", "main"), rig.git("rev-parse", "owt/runs/r1")];
  expect((await rig.owt("land")).code).toBe(4);
  const path = rig.path("shop-owt/r1-land");
  writeFileSync(join(path, "a.txt"), "both");
  inFolder(rig, path, "git commit -qam resolved");
  return { rig, path, dropped, work };
}

test("what a person brought the run together with, and took out of the target since, does not come back unasked", async () => {
  const { rig, path, dropped, work } = await resolvedByHand();
  await using _ = rig;
  rig.git("rm", "-q", "u.txt");
  rig.git("commit", "-q", "--amend", "-m", "thought better of");
  const tip = rig.git("rev-parse", "main");
  const ran = await rig.owt("land");
  const told = ran.stderr.replaceAll(/\s+/g, " ");
  expect([ran.code, told]).toEqual([
    4,
    expect.stringContaining(
      `owt/runs/r1 was brought together with ${dropped.slice(0, 10)} (went on), which main does not hold any more`,
    ),
  ]);
  expect(rig.git("rev-parse", "main")).toBe(tip);
  const [command] = /git -C \S+ branch \S+ owt\/runs\/r1 && git -C \S+ reset --keep [0-9a-f]+/.exec(told)!;
  inFolder(rig, rig.root, command);
  expect(rig.git("rev-parse", "owt/runs/r1")).toBe(work);
  // The two still conflict: it begins anew, with what the target is now.
  expect((await rig.owt("land")).code).toBe(4);
  writeFileSync(join(path, "a.txt"), "both anew");
  inFolder(rig, path, "git commit -qam resolved");
  expect((await rig.owt("land")).code).toBe(0);
  expect([rig.show("main", "a.txt"), rig.show("main", "u.txt")]).toEqual(["both anew", null]);
});

test("what a person brought the run together with lands where the target only went on, or was taken back and done anew", async () => {
  const { rig, path } = await resolvedByHand();
  await using _ = rig;
  rig.write({ "later.txt": "later" });
  rig.commit("later");
  expect((await rig.owt("land")).code).toBe(0);
  expect([rig.show("main", "a.txt"), existsSync(path)]).toEqual(["both", false]);
  rig.git("reset", "-q", "--hard", "HEAD~1");
  expect((await rig.owt("land", "r1", "--again")).code).toBe(0);
});

test("a merge that was started with what the target does not hold any more is to be given up", async () => {
  await using rig = await wentOn({ "a.txt": "main" });
  expect((await rig.owt("land")).code).toBe(4);
  const path = rig.path("shop-owt/r1-land");
  const dropped = rig.git("rev-parse", "--short=10", "main");
  rig.write({ "a.txt": "amended" });
  rig.git("commit", "-qa", "--amend", "-m", "amended");
  const ran = await rig.owt("land");
  const told = ran.stderr.replaceAll(/\s+/g, " ");
  expect([ran.code, told]).toEqual([
    4,
    expect.stringContaining(`a merge with ${dropped} (went on), which main does not hold any more`),
  ]);
  expect(told).toContain(`git -C ${path} merge --abort && owt land r1`);
  inFolder(rig, path, "git merge --abort");
  expect((await rig.owt("land")).code).toBe(4);
  expect(readFileSync(join(path, "a.txt"), "utf8")).toContain("amended");
});

test("the worktree in which the two were to be brought together goes, too, where a person merged them elsewhere; what was not committed there is saved", async () => {
  await using rig = await wentOn({ "a.txt": "main" });
  expect((await rig.owt("land")).code).toBe(4);
  const path = rig.path("shop-owt/r1-land");
  writeFileSync(join(path, "half.txt"), "half");
  inFolder(rig, rig.root, "git merge -q owt/runs/r1 || git commit -qam by-hand");
  const ran = await rig.owt("land");
  expect([ran.code, ran.stdout]).toEqual([0, expect.stringContaining("r1 is already in main")]);
  expect(ran.stderr).toContain("owt restore r1-land");
  expect([existsSync(path), rig.git("worktree", "list").split("\n").length]).toEqual([false, 1]);
  expect(inFolder(rig, rig.root, "git show refs/owt/rescue/r1-land:half.txt")).toBe("half");
});

test("where the files of that worktree are gone, it is said what helps", async () => {
  await using rig = await wentOn({ "a.txt": "main" });
  expect((await rig.owt("land")).code).toBe(4);
  const path = rig.path("shop-owt/r1-land");
  rmSync(path, { recursive: true });
  const ran = await rig.owt("land");
  expect(ran.stderr.replaceAll(/\s+/g, " ")).toContain(`the files of ${path} are gone`);
  rig.git("worktree", "prune");
  expect((await rig.owt("land")).stderr).toContain(`it is started in ${path}`);
});

test.each([
  ["amended", "there is something to check"],
  ["dropped", "nothing is to be checked"],
])(
  "killed in the middle of its check, it leaves none that goes on, and nothing to bring back of what was only tried (%s: %s)",
  async (how) => {
    await using rig = await withSecret(GATE);
    const landing = rig.start("land");
    await fileAppears(rig.path("gate"));
    landing.child.kill("SIGKILL");
    await landing.ended;
    if (how === "amended") amend(rig);
    else {
      rig.git("reset", "-q", "--hard", "HEAD~1");
      delete rig.env["OWT_RUN_VERIFY"];
    }
    expect((await rig.owt("land")).code).toBe(0);
    expect([rig.show("main", "a.txt"), rig.show("main", "u.txt")]).toEqual(["a", how === "amended" ? "public" : null]);
    expect([rig.processes(), rig.git("worktree", "list").split("\n").length]).toEqual([[], 1]);
    expect((await rig.json<{ rescues: unknown[] }>("restore")).rescues).toEqual([]);
  },
);

test("killed between the files of the target's checkout and its branch, the next one goes on from there", async () => {
  await using rig = await withSecret("echo >> ../../checks");
  const tree = rig.git("merge-tree", "--write-tree", "owt/runs/r1", "main");
  rig.git("read-tree", "-m", "-u", "HEAD", tree);
  expect(rig.git("status", "--porcelain")).not.toBe("");
  expect((await rig.owt("land")).code).toBe(0);
  expect([rig.git("status", "--porcelain"), rig.git("rev-parse", "main^{tree}")]).toEqual(["", tree]);
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

test.each(["HEAD.lock", "ORIG_HEAD.lock"])(
  "with a %s that a killed git left nothing of the checkout is changed",
  async (name) => {
    await using rig = await finished();
    const lock = join(rig.root, ".git", name);
    writeFileSync(lock, "");
    for (const _ of ["first", "again"]) {
      const refused = await rig.owt("land");
      expect([refused.code, refused.stderr]).toEqual([4, expect.stringMatching(`where none runs: rm ${lock}`)]);
      expect(rig.git("status", "--porcelain")).toBe("");
    }
    rmSync(lock);
    expect((await rig.owt("land")).code).toBe(0);
  },
);
