/** Submodules in worktrees by hand and in runs: checked out from what is here, in nobody's way when they hold nothing, never lost. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { demoConfig, Rig, startTwoBehindOne, task } from "../rig/rig.ts";

const gitIn = (rig: Rig, folder: string, ...args: string[]) =>
  execFileSync("git", args, { cwd: folder, env: rig.env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();

function commit(rig: Rig, folder: string, files: Record<string, string>): string {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  gitIn(rig, folder, "add", "-A");
  gitIn(rig, folder, "commit", "-q", "-m", "work");
  return gitIn(rig, folder, "rev-parse", "HEAD");
}

/** A repository with the submodule `lib/sub`, which is checked out in the main checkout; where it came from is gone. */
function withModule(files: Record<string, string> = {}): Rig {
  const rig = Rig.create(files);
  rig.git("init", "-q", "-b", "main", rig.path("module"));
  commit(rig, rig.path("module"), { "lib.txt": "one\n" });
  rig.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", rig.path("module"), "lib/sub");
  rig.commit("sub");
  renameSync(rig.path("module"), rig.path("module-gone"));
  return rig;
}

type Made = { path: string; submodules: { path: string; commit: string; from: string }[]; warnings: string[] };

test("owt create checks them out and says from where; --no-submodules and the configuration leave them out", async () => {
  await using rig = withModule();
  const { worktrees } = await rig.json<{ worktrees: Made[] }>("create", "a", "b", "--no-tmux");
  const at = rig.git("rev-parse", "main:lib/sub").trim();
  expect(worktrees.map(({ submodules, warnings }) => [submodules, warnings])).toEqual([
    [[{ path: "lib/sub", commit: at, from: "checkout" }], []],
    [[{ path: "lib/sub", commit: at, from: "checkout" }], []],
  ]);
  expect(readFileSync(join(worktrees[0]!.path, "lib/sub/lib.txt"), "utf8")).toBe("one\n");
  expect(gitIn(rig, worktrees[0]!.path, "status", "--porcelain")).toBe("");

  const without = await rig.owt("create", "c", "--no-tmux", "--no-submodules");
  expect(without.stderr).not.toContain("submodule");
  expect(existsSync(rig.path("shop-c/lib/sub/.git"))).toBe(false);
  expect((await rig.owt("create", "c", "--no-tmux")).stderr).toMatch(
    /submodules in .*: lib\/sub \(from the main checkout\)/,
  );
  rig.env["OWT_ENVIRONMENT_SUBMODULES"] = "false";
  await rig.owt("create", "d", "--no-tmux");
  expect(existsSync(rig.path("shop-d/lib/sub/.git"))).toBe(false);
});

test("one that is not to be had is told, with what helps, and the worktree is made all the same", async () => {
  await using rig = withModule();
  const missing = commit(rig, rig.path("module-gone"), { "lib.txt": "two\n" });
  rig.git("update-index", "--cacheinfo", `160000,${missing},lib/sub`);
  rig.git("commit", "-q", "-m", "newer");
  const made = await rig.owt("create", "a", "--no-tmux");
  expect(made.code).toBe(0);
  expect(made.stderr).toMatch(/submodule lib\/sub is not checked out: .*transport 'file' not allowed/);
  expect(made.stderr).toContain(`git -C ${rig.path("shop-a")} submodule update --init --recursive -- lib/sub`);
  expect(existsSync(rig.path("shop-a/.gitmodules"))).toBe(true);
});

test("16 at once are all made, with everything in them", async () => {
  await using rig = withModule();
  const names = Array.from({ length: 16 }, (_, n) => `w${n}`);
  const made = await Promise.all(names.map((name) => rig.owt("create", name, "--no-tmux")));
  expect(made.map(({ code }) => code)).toEqual(names.map(() => 0));
  for (const name of names) expect(readFileSync(rig.path(`shop-${name}/lib/sub/lib.txt`), "utf8")).toBe("one\n");
});

test("owt delete takes one that holds nothing, names what another holds, and --save and restore bring it back", async () => {
  await using rig = withModule();
  await rig.owt("create", "a", "b", "--no-tmux");
  expect((await rig.owt("delete", "a", "--yes")).code).toBe(0);
  expect(existsSync(rig.path("shop-a"))).toBe(false);

  const sub = rig.path("shop-b/lib/sub");
  const own = commit(rig, sub, { "own.txt": "own\n" });
  commit(rig, rig.path("shop-b"), {});
  writeFileSync(join(sub, "lib.txt"), "changed\n");
  const refused = await rig.owt("delete", "b", "--yes");
  expect(refused.code).toBe(4);
  expect(refused.stderr + refused.stdout).toContain("uncommitted work inside a submodule, lib/sub: lib.txt");
  expect(refused.stderr + refused.stdout).toMatch(/commits that no remote of the submodule has: \S+ \(\d+\)/);
  const { removed } = await rig.json<{ removed: { rescue: string }[] }>("delete", "b", "--yes", "--save");
  expect(existsSync(rig.path("shop-b"))).toBe(false);
  await rig.owt("restore", removed[0]!.rescue, "--path", "../back");
  expect(readFileSync(rig.path("back/lib/sub/lib.txt"), "utf8")).toBe("changed\n");
  expect(gitIn(rig, rig.path("back/lib/sub"), "rev-parse", "HEAD")).toBe(own);

  // The branch points at a commit that only this repository has: a worktree of it finds it all the same.
  await rig.owt("delete", "b", "--yes", "--save");
  const again = await rig.json<{ worktrees: Made[] }>("create", "c", "--base", "b", "--no-tmux");
  expect(again.worktrees[0]!.submodules).toEqual([{ path: "lib/sub", commit: own, from: "kept" }]);
});

test("in a worktree that a person moved they are found, kept and saved as before", async () => {
  await using rig = withModule();
  rig.ok("create", "p", "--no-tmux");
  const own = commit(rig, rig.path("shop-p/lib/sub"), { "own.txt": "own\n" });
  commit(rig, rig.path("shop-p"), {});
  mkdirSync(rig.path("deeper/below"), { recursive: true });
  const now = rig.path("deeper/below/p");
  renameSync(rig.path("shop-p"), now);
  rig.git("worktree", "repair", now);
  expect(await rig.owt("delete", "p", "--yes")).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(/commits that no remote of the submodule has: \S+ \(1\)/) as string,
  });
  expect(gitIn(rig, now, "status", "--porcelain")).toBe("");
  expect(gitIn(rig, join(now, "lib/sub"), "rev-parse", "HEAD")).toBe(own);
  const { removed } = await rig.json<{ removed: { rescue: string }[] }>("delete", "p", "--yes", "--save");
  await rig.owt("restore", removed[0]!.rescue, "--path", "../back");
  expect(gitIn(rig, rig.path("back/lib/sub"), "rev-parse", "HEAD")).toBe(own);
});

test("tasks, their checks and the checks of what they are merged into find them; nothing stays behind", async () => {
  await using rig = withModule({
    ".worktreerc": `${demoConfig}[run]\nverify = "cat lib/sub/lib.txt && touch lib/sub/left-by-a-check"\n`,
  });
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, 'run "cp" "lib/sub/lib.txt" "a.txt"'),
    "docs/plans/one/epic-02-b.md": task({}, 'run "cp" "lib/sub/lib.txt" "b.txt"'),
  });
  rig.commit("plan");
  const ran = await rig.owt("run", "--yes");
  expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining("2 of 2") as string });
  expect(ran.stderr).not.toContain("kept /");
  expect(rig.show("owt/runs/r1", "b.txt")).toBe("one\n");
  expect(rig.git("worktree", "list").trim().split("\n")).toHaveLength(1);
});

test("two tasks that commit inside the same one: the agent that is to merge them finds the other's commit there", async () => {
  await using rig = withModule({ ".worktreerc": demoConfig });
  const inside = (name: string) =>
    `run "sh" "-c" "cd lib/sub && echo ${name} > ${name} && git add -A && git commit -qm ${name}"`;
  const merge = `run "sh" "-c" "git -C lib/sub merge -q --no-edit $(git ls-files -u lib/sub | awk '$3 == 3 { print $2 }') && git add -A && git commit -qm both"`;
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, inside("one")),
    "docs/plans/two/epic-01-b.md": task(
      {},
      `touch ${rig.path("two-runs")}\nwait ${rig.path("gate")}\n${inside("two")}\non conflict:\n${merge}`,
    ),
  });
  rig.commit("plan");
  const run = await startTwoBehindOne(rig);
  expect((await run.ended).code).toBe(0);
  type Shown = { task: { attempts: { outcome: string; folder: string }[] } };
  const { task: two } = await rig.json<Shown>("task", "show", "two/E01");
  expect(two.attempts.map(({ outcome }) => outcome)).toEqual(["conflicts in lib/sub", "done"]);
  const prompt = readFileSync(`${two.attempts[1]!.folder}/prompt`, "utf8");
  const [, mine, others] = /lib\/sub \(this side ([0-9a-f]{40}), the other side ([0-9a-f]{40})\)/.exec(prompt)!;
  const kept = rig.git("for-each-ref", "--format=%(refname:lstrip=3)", "refs/owt/submodules");
  expect(kept.split("\n")).toEqual(expect.arrayContaining([mine, others]));
});

test("work that an agent leaves inside one is saved with its worktree, and comes back", async () => {
  await using rig = withModule({ ".worktreerc": demoConfig });
  rig.write({ "docs/plans/one/epic-01-a.md": task({}, 'write lib/sub/z.txt "precious"\nwrite a.txt "a"') });
  rig.commit("plan");
  const ran = await rig.owt("run", "--yes");
  expect(ran.stderr).toContain("left uncommitted work inside lib/sub");
  expect((await rig.owt("restore", "r1-one-e01-1", "--path", "../back")).code).toBe(0);
  expect(readFileSync(rig.path("back/lib/sub/z.txt"), "utf8")).toBe("precious");
});

type Listed = { branch: string; changed: number };
type Synced = { state: string; files: string[]; notes: string[] };

test("owt sync takes them along where nobody works in them, and says what stays; list and diff see what is in them", async () => {
  await using rig = withModule();
  await rig.owt("create", "clean", "dirty", "without", "--no-tmux");
  rig.git("-C", rig.path("shop-without"), "submodule", "deinit", "--quiet", "lib/sub");
  const newer = commit(rig, rig.path("shop/lib/sub"), { "lib.txt": "two\n" });
  rig.commit("newer");
  writeFileSync(rig.path("shop-dirty/lib/sub/lib.txt"), "mine\n");
  const changed = async () =>
    Object.fromEntries(
      (await rig.json<{ worktrees: Listed[] }>("list")).worktrees.map(({ branch, changed: files }) => [branch, files]),
    );
  expect(await changed()).toEqual({ main: 0, clean: 0, dirty: 1, without: 0 });

  const sync = async (name: string) => (await rig.json<{ worktrees: Synced[] }>("sync", name)).worktrees[0];
  expect(await sync("clean")).toMatchObject({ state: "updated", notes: ["submodule lib/sub went along"] });
  expect(gitIn(rig, rig.path("shop-clean/lib/sub"), "rev-parse", "HEAD")).toBe(newer);
  expect(gitIn(rig, rig.path("shop-clean"), "status", "--porcelain")).toBe("");
  expect(await sync("dirty")).toMatchObject({
    state: "updated",
    notes: [expect.stringContaining("submodule lib/sub stays where it was: it holds uncommitted changes")],
  });
  expect(readFileSync(rig.path("shop-dirty/lib/sub/lib.txt"), "utf8")).toBe("mine\n");
  expect(await sync("without")).toMatchObject({ state: "updated", notes: [] });
  expect(existsSync(rig.path("shop-without/lib/sub/lib.txt"))).toBe(false);
  expect(await changed()).toEqual({ main: 0, clean: 0, dirty: 1, without: 0 });

  gitIn(rig, rig.path("shop-clean/lib/sub"), "checkout", "-q", "HEAD~1");
  expect(await changed()).toMatchObject({ clean: 1 });
  expect((await rig.owt("diff", "clean")).stdout).toContain(`-Subproject commit ${newer}`);
  gitIn(rig, rig.path("shop-clean"), "add", "lib/sub");
  commit(rig, rig.root, { "more.txt": "more" });
  expect(await sync("clean")).toMatchObject({ state: "dirty", files: ["lib/sub"] });
});

test("owt merge refuses uncommitted work inside one, and keeps a commit that no remote has", async () => {
  await using rig = withModule({ ".worktreerc": '[run]\nverify = "cat lib/sub/own.txt"\n' });
  await rig.owt("create", "a", "--no-tmux");
  const sub = rig.path("shop-a/lib/sub");
  writeFileSync(join(sub, "own.txt"), "own\n");
  const refused = await rig.owt("merge", "a", "--yes");
  expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining("a has uncommitted work: lib/sub/")]);
  const own = commit(rig, sub, {});
  expect((await rig.owt("merge", "a", "--yes")).stderr).toContain("a has uncommitted work: lib/sub");
  commit(rig, rig.path("shop-a"), {});
  await rig.owt("config", "approve", "--yes");
  const merged = await rig.json<{ unpublished: unknown[]; checked: boolean }>("merge", "a", "--yes");
  expect(merged).toMatchObject({
    checked: true,
    unpublished: [{ path: "lib/sub", commit: own, ref: `refs/owt/submodules/${own}` }],
  });
  expect((await rig.owt("delete", "a", "--yes")).code).toBe(0);
  expect(rig.git("show", `refs/owt/submodules/${own}:own.txt`).trim()).toBe("own");
});

test("in a clone that never initialised them, a person's worktrees have them all the same, 16 made at once too; a run asks first", async () => {
  await using rig = withModule({ ".worktreerc": demoConfig });
  renameSync(rig.path("module-gone"), rig.path("module"));
  rig.git("config", "--file", ".gitmodules", "submodule.lib/sub.url", "../module");
  rig.write({ "docs/plans/one/epic-01-a.md": task({}, 'write a.txt "a"') });
  rig.commit("plan, and a relative address");
  const clone = rig.path("clone");
  rig.git("clone", "-q", rig.root, clone);
  rig.env["GIT_CONFIG_COUNT"] = "0";
  const ran = await rig.owtIn(clone, "run", "--yes");
  expect(ran.code).toBe(0);
  expect(ran.stderr).toContain("submodule lib/sub is not checked out: this repository was not told to have it");

  const global = rig.env["GIT_CONFIG_GLOBAL"] ?? join(rig.env["HOME"]!, ".gitconfig");
  writeFileSync(global, '[protocol "file"]\n\tallow = always\n', { flag: "a" });
  const names = Array.from({ length: 16 }, (_, n) => `w${n}`);
  const made = await Promise.all(names.map((name) => rig.owtIn(clone, "create", name, "--no-tmux")));
  expect(made.filter(({ code, stderr }) => code !== 0 || !stderr.includes("submodules in "))).toEqual([]);
  for (const name of names) {
    expect(readFileSync(rig.path(`clone-${name}/lib/sub/lib.txt`), "utf8")).toBe("one\n");
    expect(gitIn(rig, rig.path(`clone-${name}`), "submodule", "status")).not.toMatch(/^[-+]/);
  }
  const gone = await Promise.all(names.map((name) => rig.owtIn(clone, "delete", name, "--yes")));
  expect(gone.filter(({ code }) => code !== 0)).toEqual([]);
});
