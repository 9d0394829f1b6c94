/** What the four systems that this one unites got wrong, reproduced there by running them: each test would fail on theirs. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { demoConfig, fileAppears, processesBelow, Rig, task } from "../rig/rig.ts";

test("the work of an agent that succeeded is reachable, under its own commits, after the worktree is gone", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/shop/epic-01-a.md": task({}, 'write a.txt "a"\ncommit "the agent\'s own words"'),
  });
  await rig.owt("run", "--yes");
  expect(rig.git("log", "--all", "--format=%s")).toContain("the agent's own words");
  expect(rig.git("fsck", "--connectivity-only", "--no-progress")).not.toContain("dangling commit");
});

test("success is judged from git, not from the exit code", async () => {
  await using rig = Rig.create({
    ".worktreerc": '[agent]\ndefault = "idle"\n[agent.idle]\ncommand = ["true"]\n[run]\nretries = 0\n',
    "docs/plans/shop/epic-01-a.md": "# A\n",
  });
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(1);
  expect(ran.stdout).toContain("changed nothing");
});

test("the command line starts tasks, named ones too, and its logs show them", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/shop/epic-01-a.md": task({}, 'say "at work"\nwrite a.txt "a"'),
    "docs/plans/web/epic-01-b.md": task({}, ""),
  });
  expect((await rig.owt("run", "shop/E01", "--yes")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1")).toEqual(["shop/E01"]);
  expect((await rig.owt("logs", "shop/E01")).stdout).toContain("at work");
});

test("a failed attempt is tried again before the task fails", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.addProgram("once", `#!/bin/sh\nmkdir "${rig.path("tried")}" 2>/dev/null && exit 3\necho done > a.txt\n`);
  rig.write({
    ".worktreerc": '[agent]\ndefault = "mine"\n[agent.mine]\ncommand = ["once"]\n',
    "docs/plans/shop/epic-01-a.md": "# A\n",
  });
  rig.commit("plan");
  rig.ok("config", "approve", "--yes");
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  const { task: shown } = await rig.json<{ task: { attempts: { outcome: string }[] } }>("task", "show", "shop/E01");
  expect(shown.attempts.map((each) => each.outcome)).toEqual(["exit 3", "done"]);
});

test("an agent is never started with its permission checks switched off", async () => {
  await using rig = Rig.create({ "docs/plans/shop/epic-01-a.md": "# A\n" });
  rig.addProgram(
    "claude",
    `#!/bin/sh\nprintf '%s\\n' "$@" > "${rig.path("argv")}"\ncat >/dev/null\necho a > a.txt\necho '{"type":"result","is_error":false,"num_turns":1,"result":"done"}'\n`,
  );
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  const argv = readFileSync(rig.path("argv"), "utf8").split("\n");
  expect(argv.join(" ")).not.toMatch(/dangerously|bypass/);
  expect(argv[argv.indexOf("--permission-mode") + 1]).toBe("acceptEdits");
  expect(argv).toEqual(
    expect.arrayContaining(["-p", "stream-json", "--session-id", "--allowedTools", "Bash(git commit:*)"]),
  );
});

test("permissions beyond the worktree that a repository asks for need the user's approval", async () => {
  await using rig = Rig.create(
    {
      ".worktreerc": '[agent.claude]\npermission_mode = "bypassPermissions"\n',
      "docs/plans/shop/epic-01-a.md": "# A\n",
    },
    { approve: false },
  );
  rig.addProgram("claude", "#!/bin/sh\necho a > a.txt\n");
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(4);
  expect(ran.stderr).toContain("bypassPermissions");
});

test("another process knows the worktrees and tasks of a run", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/shop/epic-01-a.md": task({}, `touch ${rig.path("works")}\nwait ${rig.path("gate")}\nwrite a.txt "a"`),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("works"));
  const status = await rig.json<{
    carried_by: number;
    worktrees: { path: string }[];
    runs: { tasks: { standing: string }[] }[];
  }>("status");
  expect(status.carried_by).toBe(run.child.pid);
  expect(status.worktrees).toHaveLength(2);
  expect(status.runs[0]!.tasks[0]!.standing).toBe("working");
  rig.release("gate");
  expect((await run.ended).code).toBe(0);
});

test("a project's CLAUDE.md is neither overwritten nor committed by us, and no prompt file lands in the worktree", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "CLAUDE.md": "# Ours\n",
    "docs/plans/shop/epic-01-a.md": task({}, 'run "git" "diff" "--quiet" "HEAD"\nwrite a.txt "a"'),
  });
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  expect(rig.git("diff", "--name-only", "main", "owt/runs/r1")).toBe("a.txt");
  expect(rig.show("owt/runs/r1", "CLAUDE.md")).toBe("# Ours\n");
});

test("a run again removes nothing of the first one", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/shop/epic-01-a.md": task({ branch: "feat/a" }, 'append a.txt "x"'),
  });
  await rig.owt("run", "--yes");
  const first = rig.git("rev-parse", "feat/a");
  const again = await rig.owt("run", "--yes", "--again");
  expect(again.code).toBe(0);
  expect(rig.show("feat/a", "a.txt")).toBe("xx");
  rig.git("merge-base", "--is-ancestor", first, "feat/a");
});

test("a second Ctrl-C does not wait for an agent that is deaf to the first", async () => {
  await using rig = Rig.create({
    ".worktreerc": '[agent]\ndefault = "deaf"\n[agent.deaf]\ncommand = ["deaf"]\n[run]\ngrace = "10m"\n',
    "docs/plans/shop/epic-01-a.md": "# A\n",
  });
  rig.addProgram(
    "deaf",
    `#!/bin/sh\ntrap '' TERM INT HUP\ntouch "${rig.path("deaf-works")}"\nwhile :; do sleep 1; done\n`,
  );
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("deaf-works"));
  run.child.kill("SIGINT");
  await run.says("stopping");
  run.child.kill("SIGINT");
  expect((await run.ended).code).toBe(130);
  expect(processesBelow(rig.home)).toEqual([]);
});

test("an agent that removes its own worktree loses only what it removed, and nobody else's", async () => {
  await using rig = Rig.create({
    ".worktreerc": '[agent]\ndefault = "rude"\n[agent.rude]\ncommand = ["rude"]\n[run]\nretries = 0\n',
    "docs/plans/shop/epic-01-a.md": "# A\n",
  });
  rig.addProgram("rude", '#!/bin/sh\necho a > a.txt; git add a.txt; git commit -qm a\nrm -rf "$PWD"\n');
  writeFileSync(`${rig.root}/mine.txt`, "mine");
  await rig.owt("run", "--yes");
  expect(existsSync(`${rig.root}/mine.txt`)).toBe(true);
  expect(rig.git("log", "--all", "--format=%s").split("\n")).toContain("a");
});
