/** What the systems that this one unites got wrong about worktrees and sessions, reproduced there by running them: each test would fail on theirs. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test, vi } from "vitest";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";

const gitIn = (rig: Rig, folder: string, ...args: string[]) =>
  execFileSync("git", args, { cwd: folder, env: rig.env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();

function commit(rig: Rig, folder: string, name: string): void {
  writeFileSync(join(folder, name), name);
  gitIn(rig, folder, "add", "-A");
  gitIn(rig, folder, "commit", "-q", "-m", name);
}

const worktrees = (rig: Rig) => rig.git("worktree", "list", "--porcelain").match(/^worktree /gm)!.length;

test("cleanup takes away what other processes made, plain git among them, and says of each only what is so", async () => {
  await using rig = Rig.create({});
  // The first two each by a process of its own, which has ended.
  rig.ok("create", "one", "--no-tmux");
  rig.ok("create", "merged", "--no-tmux");
  rig.git("worktree", "add", "-q", "-b", "plain", rig.path("plain"));
  commit(rig, rig.path("shop-merged"), "work");
  rig.git("merge", "-q", "--no-edit", "merged");
  const { worktrees: listed } = await rig.json<{ worktrees: { name: string }[] }>("list");
  expect(listed.map(({ name }) => name).toSorted()).toEqual(["main", "merged", "one", "plain"]);

  const merged = await rig.owt("cleanup", "--merged", "--yes");
  expect(merged).toMatchObject({ code: 0, stdout: expect.stringContaining("merged is gone") as string });
  expect([worktrees(rig), existsSync(rig.path("shop-merged"))]).toEqual([3, false]);

  const all = await rig.owt("cleanup", "--all", "--days", "0", "--yes");
  expect(all.stdout).toMatch(/one is gone[^]*plain is gone|plain is gone[^]*one is gone/);
  expect([worktrees(rig), existsSync(rig.path("shop-one")), existsSync(rig.path("plain"))]).toEqual([1, false, false]);
  const nothing = await rig.owt("cleanup", "--all", "--days", "0", "--yes");
  expect(`${nothing.stdout}${nothing.stderr}`).not.toContain("is gone");
});

/** What a main checkout holds that git does not keep. */
const PRIVATE = {
  ".env": "SECRET=1\n",
  "node_modules/dep/index.js": "module.exports = 1;\n",
  ".claude/settings.local.json": '{"mine":true}',
  "cache/data.bin": "\0",
};

test("ignored files of the main checkout outlive merge, land, sync, delete and cleanup", async () => {
  await using rig = Rig.create({
    ".gitignore": ".env\nnode_modules\n.claude/settings.local.json\ncache\ndocs\n.worktreerc\n",
  });
  rig.write({ ...PRIVATE, ".worktreerc": demoConfig });
  const isAsBefore = () => {
    for (const [file, text] of Object.entries(PRIVATE))
      expect([file, readFileSync(join(rig.root, file), "utf8")]).toEqual([file, text]);
  };
  rig.ok("create", "a", "b", "c", "--no-tmux");
  for (const name of ["a", "b"]) commit(rig, rig.path(`shop-${name}`), name);
  for (const args of [
    ["merge", "a", "--yes"],
    ["sync", "--all"],
    ["merge", "b", "--yes"],
    ["delete", "c", "--yes"],
    ["cleanup", "--all", "--days", "0", "--yes"],
  ]) {
    expect(await rig.owt(...args)).toMatchObject({ code: 0 });
    isAsBefore();
  }
  expect(worktrees(rig)).toBe(1);
  rig.write({ "docs/plans/shop/epic-01-x.md": task({}, 'write x.txt "x"') });
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  expect((await rig.owt("land")).code).toBe(0);
  expect(rig.show("main", "x.txt")).toBe("x");
  isAsBefore();
});

test("an agent's settings of this machine are not committed, also where nothing ignores them", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/shop/epic-01-x.md": task({}, 'write .claude/settings.local.json "/home/me"\nwrite x.txt "x"'),
  });
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  expect([rig.show("owt/runs/r1", "x.txt"), rig.show("owt/runs/r1", ".claude/settings.local.json")]).toEqual([
    "x",
    null,
  ]);
  rig.ok("create", "by-hand", "--no-tmux");
  const tree = rig.path("shop-by-hand");
  commit(rig, tree, "y.txt");
  mkdirSync(join(tree, ".claude"));
  writeFileSync(join(tree, ".claude/settings.local.json"), "/home/me");
  expect((await rig.owt("merge", "by-hand", "--yes")).code).toBe(0);
  expect([rig.show("main", "y.txt"), rig.show("main", ".claude/settings.local.json")]).toEqual(["y.txt", null]);
});

test("a commit that was never pushed keeps its worktree, without an upstream to compare with", async () => {
  await using rig = Rig.create({});
  rig.ok("create", "lonely", "--no-tmux");
  commit(rig, rig.path("shop-lonely"), "only-here");
  const seen = await rig.json<{ worktrees: { name: string; why: string }[] }>("cleanup", "--all", "--days", "0");
  expect(seen.worktrees.find(({ name }) => name === "lonely")).toMatchObject({ why: "unpushed" });
  expect((await rig.owt("cleanup", "--all", "--days", "0", "--yes")).stdout).not.toContain("lonely is gone");
  expect(readFileSync(rig.path("shop-lonely/only-here"), "utf8")).toBe("only-here");
});

test("base_directory and naming_pattern decide where a worktree stands", async () => {
  await using rig = Rig.create({
    ".worktreerc": '[worktree]\nbase_directory = "../elsewhere"\nnaming_pattern = "{branch}.of.{project}"\n',
  });
  rig.ok("create", "feature/x", "--no-tmux");
  expect(existsSync(rig.path("elsewhere/feature-x.of.shop/README.md"))).toBe(true);
  expect(existsSync(rig.path("shop-feature-x"))).toBe(false);
});

test("another repository of the same user and name is neither listed nor called an orphan, and --json is JSON", async () => {
  await using rig = Rig.create({});
  const other = rig.path("other/shop");
  mkdirSync(dirname(other));
  rig.git("clone", "-q", rig.root, other);
  rig.addProgram("claude", "#!/bin/sh\nexec cat\n");
  rig.ok("create", "mine");
  expect((await rig.owtIn(other, "create", "theirs")).code).toBe(0);
  const sessions = rig.tmux("list-sessions", "-F", "#{session_name}").split("\n");
  expect(sessions).toHaveLength(2);

  const { worktrees: listed } = await rig.json<{ worktrees: { name: string; session: string | null }[] }>("list");
  expect(listed).toMatchObject([
    { name: "main", session: null },
    { name: "mine", session: expect.any(String) as string },
  ]);
  const fixed = await rig.owt("doctor", "--fix");
  expect(fixed.stdout + fixed.stderr).not.toContain("theirs");
  const cleaned = await rig.owt("cleanup", "--all", "--days", "0", "--yes");
  expect(cleaned.stdout + cleaned.stderr).not.toContain("theirs");
  expect(rig.tmux("list-sessions", "-F", "#{session_name}").split("\n")).toContain(
    sessions.find((name) => name.includes("theirs")),
  );
  expect(existsSync(rig.path("other/shop-theirs/README.md"))).toBe(true);
});

test("tasks that ended without work are tried again, what waits for them waits, and the run ends with nothing left open", async () => {
  await using rig = Rig.create({ ".worktreerc": '[agent]\ndefault = "mine"\n[agent.mine]\ncommand = ["once"]\n' });
  // The first try of the first two does nothing, and says that all is well.
  rig.addProgram(
    "once",
    `#!/bin/sh\nmkdir -p "${rig.path("tried")}"\ncase $OWT_TASK in a/*|b/*) mkdir "${rig.path("tried")}/\${OWT_TASK%/*}" 2>/dev/null && exit 0;; esac\necho done > "\${OWT_TASK%/*}.txt"\n`,
  );
  for (const [name, front] of Object.entries({ a: {}, b: {}, c: { depends_on: ["a/E01", "b/E01"] } }))
    rig.write({ [`docs/plans/${name}/epic-01-x.md`]: task(front, "") });
  rig.commit("plan");
  rig.ok("config", "approve", "--yes");
  const ran = await rig.owt("run", "--yes");
  expect(ran.stdout + ran.stderr).not.toMatch(/deadlock/i);
  expect(ran.code).toBe(0);
  expect(rig.integrations("owt/runs/r1").at(-1)).toBe("c/E01");
  type Status = { runs: { tasks: { id: string; state: string }[] }[] };
  const { runs } = await rig.json<Status>("status");
  expect(runs[0]!.tasks.map(({ id, state }) => `${id} ${state}`).toSorted()).toEqual([
    "a/E01 done",
    "b/E01 done",
    "c/E01 done",
  ]);
});

test("work is not integrated while its agent still runs, whatever its screen says", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/a/epic-01-x.md": task(
      {},
      `write a.txt "half"\ncommit "half of it"\nsay "All done. What shall I do next? >"\ntouch ${rig.path("said")}\nwait ${rig.path("gate")}\nwrite a.txt "whole"`,
    ),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("said"));
  type Status = { runs: { tasks: { standing: string }[] }[] };
  expect((await rig.json<Status>("status")).runs[0]!.tasks[0]!.standing).toBe("working");
  expect(rig.integrations("main..owt/runs/r1")).toEqual([]);
  rig.release("gate");
  expect((await run.ended).code).toBe(0);
  expect(rig.show("owt/runs/r1", "a.txt")).toBe("whole");
});

test("create does not wait for an agent's prompt, and what stands on a screen is no state", async () => {
  await using rig = Rig.create({});
  // It never says that it is ready, and its words are those of a question.
  rig.addProgram(
    "claude",
    `#!/bin/sh\ntouch "$HOME/asks"\necho "Do you want to proceed? (y/n)"\necho " 1. Yes"\necho " 2. No"\nexec cat\n`,
  );
  expect((await rig.owt("create", "x")).code).toBe(0);
  await fileAppears(join(rig.env["HOME"]!, "asks"));
  await vi.waitFor(() => expect(rig.tmux("capture-pane", "-p", "-t", "=owt-shop-x:.0")).toContain("proceed?"), {
    timeout: 20_000,
  });
  const { worktrees: listed } = await rig.json<{ worktrees: { name: string; state: string }[] }>("list");
  const { state } = listed.find(({ name }) => name === "x")!;
  expect(["starting", "unknown"]).toContain(state);
  expect((await rig.json<{ asks: unknown[] }>("inbox")).asks).toEqual([]);
});

test("a task is taken up in a worktree of git's with a branch, by an agent that is told it in a conversation of its own, also after a restart", async () => {
  await using rig = Rig.create({});
  rig.addProgram("claude", `#!/bin/sh\nprintf '%s\\n' "$PWD|$*" >> "$HOME/started"\nexec cat\n`);
  rig.ok("task", "create", "mend the login form", "--branch", "fix/42");
  rig.ok("create", "--task", "mend-the-login-form");
  const tree = rig.path("shop-fix-42");
  expect(gitIn(rig, tree, "rev-parse", "--abbrev-ref", "HEAD")).toBe("fix/42");
  expect(gitIn(rig, tree, "rev-parse", "--git-common-dir")).toBe(join(rig.root, ".git"));
  const started = join(rig.env["HOME"]!, "started");
  await fileAppears(started);
  const first = readFileSync(started, "utf8");
  expect(first).toMatch(new RegExp(`^${tree}\\|.*--session-id [0-9a-f-]{36}`));
  expect(first).toContain("mend the login form");
  expect(first).not.toContain("--continue");
  // As after a reboot: its session is gone, its worktree is not, and it can be gone to again.
  rig.tmux("kill-server");
  expect((await rig.owt("switch", "fix/42")).stdout).toContain("owt-shop-fix-42");
  expect(rig.tmux("list-sessions", "-F", "#{session_name}")).toBe("owt-shop-fix-42");
});

test("a session that tmux lost comes back with the agent that its worktree had, in its conversation, whatever the configured one is", async () => {
  await using rig = Rig.create({ ".worktreerc": '[agent.second]\nkind = "claude"\ncommand = ["second"]\n' });
  rig.ok("config", "approve", "--yes");
  const started = join(rig.env["HOME"]!, "started");
  for (const name of ["claude", "second"])
    rig.addProgram(name, `#!/bin/sh\nprintf '%s\\n' "${name} $*" >> "$HOME/started"\nexec cat\n`);
  const seen = () => (existsSync(started) ? readFileSync(started, "utf8").trim().split("\n") : []);
  rig.ok("create", "x", "--agent", "second");
  await vi.waitUntil(() => seen().length === 1, { timeout: 20_000 });
  rig.tmux("kill-server");
  await rig.owt("switch", "x");
  await vi.waitUntil(() => seen().length === 2, { timeout: 20_000 });
  const [before, after] = seen().map((line) => /^(\w+) .*--session-id ([0-9a-f-]{36})/.exec(line)!.slice(1));
  expect(before![0]).toBe("second");
  expect(after).toEqual(before);
  // Without its program it is not another one that takes its place, and its conversation is kept.
  rig.tmux("kill-server");
  renameSync(join(rig.home, "bin", "second"), join(rig.home, "second"));
  const shell = await rig.owt("switch", "x");
  expect(shell.stderr).toContain("second is not installed (owt doctor): the first pane is a shell");
  rig.tmux("kill-server");
  renameSync(join(rig.home, "second"), join(rig.home, "bin", "second"));
  await rig.owt("switch", "x");
  await vi.waitUntil(() => seen().length === 3, { timeout: 20_000 });
  expect(seen().at(-1)).toContain(before![1]);
  expect(seen().every((line) => line.startsWith("second "))).toBe(true);
});

test("a session that tmux lost comes back as it was wished: its layout, its panes, and without an agent; what was wished later holds", async () => {
  await using rig = Rig.create({});
  rig.addProgram("claude", "#!/bin/sh\nexec cat\n");
  type Sessions = { sessions: { panes: { agent: string | null; columns: number }[] }[] };
  const panes = async () => {
    const { sessions } = await rig.json<Sessions>("tmux", "list");
    return sessions[0]!.panes.map(({ agent }) => agent);
  };
  const afterDeath = async (...words: string[]) => {
    rig.tmux("kill-server");
    await rig.owt("switch", "x", ...words);
    return await panes();
  };
  rig.ok("create", "x", "--layout", "quad", "--no-agent");
  const bare = [null, null, null, null];
  expect([await panes(), await afterDeath()]).toEqual([bare, bare]);
  // Wished for later, and from then on.
  expect(await afterDeath("--layout", "even-vertical", "--panes", "3", "--agent", "claude")).toEqual([
    "claude",
    null,
    null,
  ]);
  expect(await afterDeath()).toEqual(["claude", null, null]);
  const { sessions } = await rig.json<Sessions>("tmux", "list");
  expect(new Set(sessions[0]!.panes.map(({ columns }) => columns)).size).toBe(1);
  const ignored = await rig.owt("switch", "x", "--layout", "quad");
  expect(ignored.stderr).toContain(
    "stays as it is, without --layout quad\n  ↳ to make it anew: owt tmux kill x; then: owt tmux create x --layout quad\n",
  );
  expect(await afterDeath("--no-agent")).toEqual([null, null, null]);
  expect(await afterDeath()).toEqual([null, null, null]);
  // Ended by a person, it is over.
  rig.ok("tmux", "kill", "x", "--yes");
  await rig.owt("switch", "x");
  expect(await panes()).toEqual(["claude", null]);
});
