/** Rude agents, changed minds, and places that are not as they should be. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";

type Tasks = { tasks: { id: string; state: string; why: string; run: string }[] };

const shellAgent = '[agent]\ndefault = "mine"\n[agent.mine]\ncommand = ["mine"]\n[run]\nretries = 0\n';

/** An agent that runs the lines of the task's text that begin with `SH: `. */
function shellRig(files: Record<string, string>): Rig {
  const rig = Rig.create({ ".worktreerc": shellAgent, ...files });
  rig.addProgram(
    "mine",
    // Not named by its pid: each agent is number 2 in a namespace of its own.
    "#!/bin/sh\nsteps=$(mktemp)\nsed -n 's/^SH: //p' > $steps\nsh $steps\ncode=$?\nrm -f $steps\nexit $code\n",
  );
  return rig;
}

test("a worktree that a person removes while its agent works costs that attempt only", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, `touch ${rig.path("works")}\nwait ${rig.path("gate")}\nwrite a.txt "a"`),
    "docs/plans/two/epic-01-b.md": task({}, ""),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("works"));
  rig.git("worktree", "remove", "--force", rig.path("shop-owt/one-e01-1"));
  rig.release("gate");
  const ran = await run.ended;
  expect(ran.stdout).toContain("2 of 2");
});

test("worktrees that can be made nowhere are said before anything starts", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nworktree_directory = "../file/below"\n`,
    "docs/plans/one/epic-01-a.md": "# A\n",
  });
  writeFileSync(rig.path("file"), "");
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(3);
  expect(ran.stderr).toContain("worktree_directory");
  expect(rig.git("branch", "--list", "owt/*")).toBe("");
});

test("an agent that leaves a merge half done on a branch of its own has failed, and says why", async () => {
  await using rig = shellRig({
    "docs/plans/one/epic-01-a.md":
      "# A\n\nSH: echo q>m; git add m; git commit -qm m; git checkout -q -b mine HEAD~1; echo r>m; git add m; git commit -qm m2; git merge -q - ; true\n",
    "docs/plans/two/epic-01-b.md": "# B\n\nSH: echo b > b.txt\n",
  });
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(1);
  expect(ran.stdout).toContain("left conflicts unresolved in m");
  expect(rig.integrations("owt/runs/r1")).toEqual(["two/E01"]);
});

test("commits on somebody else's branch are no success, and the message names the branch", async () => {
  await using rig = shellRig({
    "docs/plans/one/epic-01-a.md":
      "# A\n\nSH: git checkout -q side; echo s >> s.txt; git add s.txt; git commit -qm s\n",
  });
  rig.git("branch", "side", "main");
  rig.git("commit", "-q", "--allow-empty", "-m", "main goes on");
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(1);
  expect(ran.stdout).toContain("HEAD is on side");
});

test("what the failing check printed stands at the end, in show and in logs", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = "echo THE REASON; exit 3"\nverify_attempts = 0\n`,
    "docs/plans/one/epic-01-a.md": task({}, ""),
  });
  const ran = await rig.owt("run", "--yes");
  expect(ran.stdout).toContain("THE REASON");
  expect((await rig.owt("task", "show", "one/E01")).stdout).toContain("THE REASON");
  expect((await rig.owt("logs", "one/E01")).stdout).toContain("THE REASON");
});

test.skipIf(!existsSync("/proc/self"))(
  "a folder that cannot be made is refused at once, whoever named it",
  async () => {
    await using rig = Rig.create({
      ".worktreerc": `${demoConfig}[run]\nverify = "true"\n`,
    });
    rig.ok("create", "x", "--no-tmux");
    writeFileSync(rig.path("shop-x/new.txt"), "new");
    rig.ok("delete", "x", "--yes", "--save");
    const { rescues } = await rig.json<{ rescues: { id: string }[] }>("restore");
    const refusals = [
      ["demo", "--path", "/proc/owt", "--json"],
      ["demo", "--path", rig.path("shop/README.md"), "--json"],
      ["restore", rescues[0]!.id, "--path", "/proc/owt/x", "--json"],
    ];
    for (const words of refusals) {
      const ran = await rig.owt(...words);
      expect([words, ran.code]).toEqual([words, 3]);
      expect(JSON.parse(ran.stdout)).toMatchObject({
        error: { code: "environment", hint: expect.stringContaining("--path") },
      });
    }
    rig.env["XDG_STATE_HOME"] = "/proc/owt";
    const approved = await rig.owt("config", "approve", "--yes");
    expect([approved.code, approved.stderr]).toEqual([3, expect.stringContaining("XDG_STATE_HOME")]);
  },
);

test("a failing check that printed nothing leaves no empty line behind its name", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = "! test -e a.txt"\nverify_attempts = 0\n`,
    "docs/plans/one/epic-01-a.md": task({}, 'write a.txt "a"', "The text."),
  });
  const ran = await rig.owt("run", "--yes");
  expect(ran.stdout).toMatch(/one\/E01 failed: verify failed: ! test -e a\.txt\n {2}↳/);
  expect((await rig.owt("task", "show", "one/E01")).stdout).toMatch(
    /verify failed: ! test -e a\.txt( · .*)?\n {2}\S+\n {2}\S+\n\n\S/,
  );
  expect((await rig.owt("logs", "one/E01")).stdout).toMatch(/✗ verify failed: ! test -e a\.txt\n$/);
});

test("a text that would turn the line around is shown as it is, whoever wrote it", async () => {
  const evil = "a\u202Eb";
  await using rig = Rig.create(
    {
      ".worktreerc": `${demoConfig}[run]\nverify = "true # ${evil}"\n`,
      "docs/plans/one/epic-01-a.md": task({ title: evil }, `say "${evil}"\nask "${evil}?"`),
    },
    { approve: false },
  );
  const said = [await rig.owt("config", "approve", "--yes"), await rig.owt("plan"), await rig.owt("run", "--yes")];
  said.push(await rig.owt("inbox"), await rig.owt("logs", "one/E01"), await rig.owt("task", "show", "one/E01"));
  rig.write({ "docs/plans/one/epic-01-a.md": task({ branch: evil }, "") });
  said.push(await rig.owt("plan"));
  for (const { stdout, stderr } of said) {
    expect(stdout + stderr).not.toContain("\u202E");
    expect(stdout + stderr).toContain("a\\u202Eb");
  }
});

test("a retry takes the text and the checks that the plan has now, once they are approved", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify_attempts = 0\n`,
    "docs/plans/one/epic-01-a.md": task({ verify: "false" }, 'write a.txt "old"'),
  });
  expect((await rig.owt("run", "--yes")).code).toBe(1);
  rig.write({ "docs/plans/one/epic-01-a.md": task({ verify: "true" }, 'write a.txt "new"') });
  const refused = await rig.owt("task", "retry", "one/E01");
  expect(refused.code).toBe(4);
  expect(refused.stderr).toContain("owt config approve");
  rig.ok("config", "approve", "--yes");
  expect((await rig.owt("task", "retry", "one/E01")).stdout).toContain("new text is taken for one/E01");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.show("owt/runs/r1", "a.txt")).toBe("new");
});

test("the same run again follows a plan that was changed meanwhile", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, 'ask "Go on?"\non answer:\nwrite a.txt "a"'),
    "docs/plans/one/epic-02-b.md": task({}, 'write b.txt "old"'),
  });
  rig.commit("plan");
  await rig.owt("run", "--yes");
  rig.write({
    "docs/plans/one/epic-02-b.md": task({}, 'write b.txt "new"'),
    "docs/plans/one/epic-03-c.md": task({}, 'write c.txt "c"'),
  });
  await rig.owt("task", "answer", "one/E01", "yes");
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  expect(rig.show("owt/runs/r1", "b.txt")).toBe("new");
  expect(rig.show("owt/runs/r1", "c.txt")).toBe("c");
});

test("a task of an open run may come to wait for one that the plan has only now", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, 'ask "Go on?"\non answer:\nwrite a.txt "a"'),
    "docs/plans/one/epic-02-b.md": task({}, 'write b.txt "b"'),
  });
  rig.commit("plan");
  await rig.owt("run", "--yes");
  rig.write({
    "docs/plans/two/epic-01-c.md": task({ depends_on: ["one/E01"] }, 'write c.txt "c"'),
    "docs/plans/one/epic-02-b.md": task({ depends_on: ["two/E01"] }, 'run "test" "-f" "c.txt"\nwrite b.txt "b"'),
  });
  await rig.owt("task", "answer", "one/E01", "yes");
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1")).toEqual(["one/E01", "two/E01", "one/E02"]);
});

test("of two open runs with the same task, each question can be answered", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/one/epic-01-a.md": task({}, 'ask "Which?"\non answer:\nwrite a.txt "{answer}"'),
  });
  await rig.owt("run", "--yes");
  await rig.owt("run", "--yes", "--again");
  const { waiting } = await rig.json<{ waiting: { run: string; command: string }[] }>("inbox");
  expect(waiting.map((each) => each.command)).toEqual([
    'owt task answer one/E01 --run r1 "…"',
    'owt task answer one/E01 "…"',
  ]);
  await rig.owt("task", "answer", "one/E01", "second");
  await rig.owt("task", "answer", "one/E01", "first", "--run", "r1");
  expect((await rig.owt("resume", "r2")).code).toBe(0);
  // The one that carried r2 carried r1 along, perhaps to its end.
  await rig.owt("resume", "r1");
  expect([rig.show("owt/runs/r1", "a.txt"), rig.show("owt/runs/r2", "a.txt")]).toEqual(["first", "second"]);
});

test("an agent that nobody set up is a problem of the plan; a flag beats what the plan names", async () => {
  await using rig = Rig.create({ "docs/plans/one/epic-01-a.md": task({ agent: "nope" }, "") });
  const plan = await rig.owt("plan");
  expect(plan.code).toBe(3);
  expect(plan.stderr).toMatch(/docs\/plans\/one\/epic-01-a\.md:2 .*nope/);
  rig.write({ "docs/plans/one/epic-01-a.md": task({ agent: "claude" }, "") });
  expect((await rig.owt("run", "--yes", "--agent", "demo")).code).toBe(0);
});

test("what is wrong with a plan only here is told with the rest, and by owt plan too, at its line", async () => {
  const twice = { "docs/plans/b/epic-01-b.md": task({}, ""), "docs/plans/b/01-epic-c.md": task({}, "") };
  await using rig = Rig.create(
    {
      ".worktreerc": demoConfig,
      "docs/plans/a/epic-01-a.md": task({ title: "A", branch: "userwork" }, ""),
      "docs/plans/c/epic-01-c.md": task({ title: "C", agent: "nope" }, ""),
      ...twice,
    },
    { approve: false },
  );
  rig.git("branch", "userwork");
  const places = [/a\/epic-01-a\.md:3 .*userwork.* exists already/, /c\/epic-01-c\.md:3 .*nope/];
  for (const [more, count] of [[[/b\/E01 is defined twice/], 3] as const, [[], 2] as const]) {
    for (const words of [["plan"], ["run", "--yes"], ["run", "--dry-run"]]) {
      const ran = await rig.owt(...words);
      expect(ran.code).toBe(3);
      for (const says of [...places, ...more]) expect(ran.stderr).toMatch(says);
      expect(ran.stderr).toContain(`the plan has ${count} problems`);
      // What would only tell the same again helps nobody.
      expect(ran.stderr).not.toContain("look at it: owt plan");
      expect(ran.stderr).toMatch(
        /↳ mend it: \$\{EDITOR:-vi\} docs\/plans\/(a|b|c)\/\S+\.md docs\S+.*; then the same again/,
      );
    }
    rmSync(`${rig.root}/docs/plans/b/01-epic-c.md`, { force: true });
  }
  expect(rig.git("branch", "--list", "owt/*")).toBe("");
  // Approving asks for nothing that a plan is to be run with.
  expect((await rig.owt("config", "approve", "--yes")).code).toBe(0);
});

test("a branch of a plan is used again once its work is in what the run starts from", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  const write = (steps: string) => {
    rig.write({ "docs/plans/one/epic-01-a.md": task({ title: "A", branch: "feat/one" }, steps) });
    rig.commit("plan");
  };
  write('write a.txt "1"\ncommit "first"');
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  rig.ok("land");
  rig.write({ "other.txt": "on main" });
  write('append a.txt "2"\ncommit "second"');
  expect((await rig.owt("plan")).code).toBe(0);
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  expect(rig.show("owt/runs/r2", "a.txt")).toBe("12");
  expect(rig.show("feat/one", "other.txt")).toBe("on main");
  // Also what has not landed, as long as the run builds upon it.
  expect((await rig.owt("run", "--yes", "--again")).code).toBe(0);
  expect(rig.show("feat/one", "a.txt")).toBe("122");
  // Not checked out elsewhere, not with work of its own, and not when a person made it.
  rig.git("worktree", "add", "-q", rig.path("elsewhere"), "feat/one");
  const checkedOut = await rig.owt("plan", "--again");
  expect([checkedOut.code, checkedOut.stderr]).toEqual([3, expect.stringContaining(rig.path("elsewhere"))]);
  rig.git("-C", rig.path("elsewhere"), "commit", "-q", "--allow-empty", "-m", "mine");
  rig.git("worktree", "remove", rig.path("elsewhere"));
  const mine = rig.git("rev-parse", "feat/one");
  for (const words of [
    ["plan", "--again"],
    ["run", "--yes", "--again"],
  ]) {
    const ran = await rig.owt(...words);
    expect([ran.code, ran.stderr]).toEqual([3, expect.stringMatching(/epic-01-a\.md:3 .*feat\/one .*commits/)]);
  }
  expect(rig.git("rev-parse", "feat/one")).toBe(mine);
});

test("a task that is written down is checked at once", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  expect((await rig.owt("task", "create", "x y", "--branch", "owt/runs/r1")).code).toBe(2);
  const unknown = await rig.owt("task", "create", "x y", "--depends-on", "nope");
  expect(unknown.code).toBe(2);
  expect(unknown.stderr).toContain("nope");
  expect((await rig.json<Tasks>("task", "list")).tasks).toEqual([]);
});

test("a reader that goes away does not end the run", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, `touch ${rig.path("works")}\nwait ${rig.path("gate")}\nwrite a.txt "a"`),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("works"));
  run.child.stderr!.destroy();
  rig.release("gate");
  expect((await run.ended).code).toBe(0);
  expect(rig.integrations("owt/runs/r1")).toEqual(["one/E01"]);
});

test("a terminal that is closed does not end the run", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, `touch ${rig.path("works")}\nwait ${rig.path("gate")}\nwrite a.txt "a"`),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("works"));
  run.child.kill("SIGHUP");
  run.child.stdout!.destroy();
  run.child.stderr!.destroy();
  rig.release("gate");
  expect((await run.ended).code).toBe(0);
  expect(rig.integrations("owt/runs/r1")).toEqual(["one/E01"]);
});

test("landing a run lands what it was built upon", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/one/epic-01-a.md": task({}, "") });
  await rig.owt("run", "--yes");
  rig.write({ "docs/plans/two/epic-01-b.md": task({}, "") });
  rig.commit("more");
  await rig.owt("run", "--yes");
  expect((await rig.owt("land")).stdout).toContain("r2");
  const nothing = await rig.owt("land");
  expect(nothing.code).toBe(2);
  expect(nothing.stderr).toContain("no finished run that has not landed");
});

test("names with blanks, quotes, dollars and backticks are names", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/one/epic-01-$(touch ran) `id`.md": `---\ntitle: "'; touch ../ran; $(touch ../ran) \`touch ../ran\`"\n---\nText $(touch ../ran)\n`,
  });
  rig.commit("plan");
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(0);
  for (const place of [rig.root, rig.home]) expect(existsSync(`${place}/ran`)).toBe(false);
  const { task: shown } = await rig.json<{ task: { attempts: { folder: string }[] } }>("task", "show", "one/E01");
  expect(readFileSync(`${shown.attempts[0]!.folder}/prompt`, "utf8")).toContain("$(touch ../ran)");
});

test("a task with a branch of its own name is tried again on it", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/one/epic-01-a.md": task(
      { branch: "feat/a" },
      `append a.txt "x"\ncommit "a"\nrun "mkdir" "${rig.path("second")}"\nfail "not yet"`,
    ),
  });
  rig.commit("plan");
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(1);
  rig.write({ "docs/plans/one/epic-01-a.md": task({ branch: "feat/a" }, 'append a.txt "y"\ncommit "b"') });
  await rig.owt("task", "retry", "one/E01");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.show("owt/runs/r1", "a.txt")).toMatch(/^x+y$/);
});

test("a shallow clone works, also when its run has moved on", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/one/epic-01-a.md": task({}, ""),
    "docs/plans/two/epic-01-b.md": task({}, ""),
    "docs/plans/three/epic-01-c.md": task({}, ""),
  });
  rig.commit("more history");
  rig.git("clone", "-q", "--depth", "1", `file://${rig.root}`, rig.path("shallow"));
  const ran = await rig.owtIn(rig.path("shallow"), "run", "--yes");
  expect(ran.stdout).toContain("3 of 3");
});

test("files written where a submodule would be are not lost", async () => {
  await using rig = Rig.create({ ".worktreerc": `${demoConfig}[environment]\nsubmodules = false\n` });
  rig.git("init", "-q", rig.path("module"));
  rig.git("-C", rig.path("module"), "commit", "-q", "--allow-empty", "-m", "m");
  rig.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", rig.path("module"), "sub");
  rig.write({ "docs/plans/one/epic-01-a.md": task({}, 'write sub/z.txt "precious"\nwrite a.txt "a"') });
  rig.commit("plan");
  const ran = await rig.owt("run", "--yes");
  expect(ran.stderr).toContain("kept");
  expect(readFileSync(rig.path("shop-owt/one-e01-1/sub/z.txt"), "utf8")).toBe("precious");
});

test("what an agent commits inside a submodule comes home with the pointer to it", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.git("init", "-q", rig.path("module"));
  rig.git("-C", rig.path("module"), "commit", "-q", "--allow-empty", "-m", "m");
  rig.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", rig.path("module"), "sub");
  const steps = [
    'run "git" "-c" "protocol.file.allow=always" "submodule" "--quiet" "update" "--init"',
    'write sub/inner.txt "precious"',
    'run "git" "-C" "sub" "add" "inner.txt"',
    'run "git" "-C" "sub" "commit" "-q" "-m" "inside"',
  ];
  rig.write({ "docs/plans/one/epic-01-a.md": task({}, steps.join("\n")) });
  rig.commit("plan");
  const ran = await rig.owt("run", "--yes");
  expect(ran.stderr).toMatch(
    /one\/E01 points sub at [0-9a-f]{10}, which no remote has; it is kept here as refs\/owt\/submodules\//,
  );
  const landed = await rig.owt("land");
  const pointer = rig.git("rev-parse", "main:sub").trim();
  expect(rig.show(`refs/owt/submodules/${pointer}`, "inner.txt")).toBe("precious");

  // The command that it names hands the commit on.
  const line = landed.stdout.split("\n").find((each) => each.includes("git -C sub fetch"))!;
  execFileSync("sh", ["-c", line.replace("<branch>", "inside")], { cwd: rig.root, env: rig.env, stdio: "pipe" });
  expect(rig.git("-C", rig.path("module"), "rev-parse", "inside").trim()).toBe(pointer);
});

test("a task finds the submodule commits of the one before it, and cannot drop them", async () => {
  const update = 'run "git" "-c" "protocol.file.allow=always" "submodule" "--quiet" "update" "--init"';
  const commitInside = (name: string) =>
    [
      update,
      `write sub/${name} "precious"`,
      `run "git" "-C" "sub" "add" "${name}"`,
      `run "git" "-C" "sub" "commit" "-q" "-m" "inside"`,
    ].join("\n");
  await using rig = Rig.create({ ".worktreerc": `${demoConfig}[run]\nretries = 0\n` });
  rig.git("init", "-q", rig.path("module"));
  rig.git("-C", rig.path("module"), "commit", "-q", "--allow-empty", "-m", "m");
  rig.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", rig.path("module"), "sub");
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, commitInside("one.txt")),
    "docs/plans/one/epic-02-b.md": task({}, commitInside("two.txt")),
    "docs/plans/one/epic-03-c.md": task({}, `${update}\nrun "git" "-C" "sub" "checkout" "-q" "HEAD~2"`),
  });
  rig.commit("plan");
  const ran = await rig.owt("run", "--yes");
  expect(ran.stdout).toMatch(/one\/E03.*does not contain/);
  const pointer = rig.git("rev-parse", "owt/runs/r1:sub").trim();
  expect(rig.git("ls-tree", "--name-only", `refs/owt/submodules/${pointer}`)).toBe("one.txt\ntwo.txt");
});

test("what a person changes while a review waits is approved along, and checked", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = "test ! -f broken"\n`,
    "docs/plans/one/epic-01-a.md": task({ needs_review: true }, 'write a.txt "a"'),
  });
  await rig.owt("run", "--yes");
  writeFileSync(rig.path("shop-owt/one-e01-1/a.txt"), "better");
  await rig.owt("task", "approve", "one/E01");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.show("owt/runs/r1", "a.txt")).toBe("better");
});

test("work that comes back changed after its approval is reviewed again", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/one/epic-01-a.md": task(
      { needs_review: true },
      'write base.txt "a"\non conflict:\nwrite base.txt "both"',
    ),
    "docs/plans/two/epic-01-b.md": task({}, 'write base.txt "b"'),
  });
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  await rig.owt("task", "approve", "one/E01");
  expect((await rig.owt("resume")).code).toBe(4);
  expect(rig.integrations("owt/runs/r1")).toEqual(["two/E01"]);
  await rig.owt("task", "approve", "one/E01");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.show("owt/runs/r1", "base.txt")).toBe("both");
});

test("a dropped dependency frees a task, a task that left the plan is cancelled, and the place of a failed try is cleared on retry", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nretries = 0\n`,
    "docs/plans/one/epic-01-a.md": task({}, 'write half.txt "half"\nfail "no"'),
    "docs/plans/two/epic-01-b.md": task({ depends_on: ["one/E01"] }, ""),
    "docs/plans/three/epic-01-c.md": task({ depends_on: ["one/E01"] }, ""),
  });
  await rig.owt("run", "--yes");
  expect(existsSync(rig.path("shop-owt/one-e01-1"))).toBe(true);
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, 'write a.txt "a"'),
    "docs/plans/two/epic-01-b.md": task({}, ""),
  });
  rig.git("rm", "-q", "docs/plans/three/epic-01-c.md");
  const retried = await rig.owt("task", "retry", "one/E01");
  expect(retried.stderr).toContain("three/E01");
  expect((await rig.owt("resume")).stdout).toContain("2 of 3");
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(["one/E01", "two/E01"]);
  expect(existsSync(rig.path("shop-owt/one-e01-1"))).toBe(false);
  expect((await rig.owt("restore")).stdout).toContain("r1-one-e01-1");
});

test("a lock that a power cut left on the run's branch does not stand in its way", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/one/epic-01-a.md": task({}, 'write a.txt "a"\nask "Which?"'),
  });
  await rig.owt("run", "--yes");
  const lock = rig.path("shop/.git/refs/heads/owt/runs/r1.lock");
  writeFileSync(lock, "");
  utimesSync(lock, 0, 0);
  await rig.owt("task", "answer", "one/E01", "this");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.show("owt/runs/r1", "a.txt")).toBe("a");
  expect(existsSync(lock)).toBe(false);
});

test("a refusal is an answer for programs too", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  const ran = await rig.owt("land", "r9", "--json");
  expect(ran.code).not.toBe(0);
  expect(JSON.parse(ran.stdout)).toMatchObject({
    schema: 1,
    error: { code: "unknown-name", message: expect.stringContaining("r9"), exit_code: ran.code },
  });
  expect(ran.stderr).toContain("r9");
});

test.each([
  [["run", "--bogus", "--json"], "--bogus"],
  [["run", "--count", "0", "--json"], "whole number above 0"],
  [["run", "--count", "--json"], "--json"],
  [["frobnicate", "--json"], "frobnicate"],
  [["statsu", "--json"], "statsu", "did you mean: owt status"],
  [["task", "create", "--json"], "text"],
  [["task", "list", "one", "two", "--json"], "too many"],
  [["task", "create", "x y", "--priority", "soon", "--json"], "soon"],
  [["--json"], "--json"],
  [["task", "--json"], "--json"],
])("a command line that is wrong is refused for programs too: owt %j", async (words, says, hint = "owt") => {
  await using rig = Rig.create({});
  const ran = await rig.owt(...words);
  expect(ran.code).toBe(2);
  const { schema, error } = JSON.parse(ran.stdout) as { schema: number; error: Record<string, string> };
  expect({ schema, ...error }).toMatchObject({ schema: 1, code: "usage", exit_code: 2 });
  expect(error["message"]).toContain(says);
  expect(error["message"]).not.toMatch(/^error|\n/);
  expect(error["hint"]?.toLowerCase()).toContain(hint);
  expect(ran.stderr).toContain(says);
});

test("help and version are no refusals", async () => {
  await using rig = Rig.create({});
  for (const words of [["--help"], ["--version"], ["run", "--help", "--json"], ["help", "run"]]) {
    const ran = await rig.owt(...words);
    expect([ran.code, ran.stdout.startsWith("{"), ran.stdout === ""]).toEqual([0, false, false]);
  }
});

test("a damaged file of approvals and a store that is not there are said in words", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = "true"\n`,
    "docs/plans/one/epic-01-a.md": task({}, 'write a.txt "a"'),
  });
  writeFileSync(rig.path("state/open-orchestrator/approvals.json"), "{ no");
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(3);
  expect(ran.stderr).toMatch(/approvals\.json is damaged[^]*mv .*approvals\.json/);
  rmSync(rig.path("shop/.git/owt"), { recursive: true, force: true });
  const adopted = await rig.owt("doctor", "--adopt-store");
  expect(adopted.code).not.toBe(0);
  expect(adopted.stderr).toContain("no store");
});

test("what comes while another process carries the runs is carried along, at once", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  const first = rig.start("run", "--yes", `first task\n\n\`\`\`demo\nwrite a.txt "a"\nwait ${rig.path("go")}\n\`\`\``);
  await first.says("started");
  const second = rig.start("run", "--yes", 'second task\n\n```demo\nwrite b.txt "b"\n```');
  expect((await second.ended).code).toBe(0);
  expect(rig.show("owt/runs/r2", "b.txt")).toBe("b");
  rig.release("go");
  expect((await first.ended).code).toBe(0);
  expect(rig.show("owt/runs/r1", "a.txt")).toBe("a");
});

test("plan, configuration and checks are those of the checkout where owt is called", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/one/epic-01-a.md": task({}, 'write main.txt "main"'),
  });
  rig.git("worktree", "add", "-q", "-b", "feature", rig.path("feature"));
  const at = (name: string) => rig.path(`feature/${name}`);
  writeFileSync(at(".worktreerc"), `${demoConfig}[run]\nverify = "test -f feature.txt"\n`);
  writeFileSync(at("docs/plans/one/epic-01-a.md"), task({}, 'write feature.txt "feature"'));
  rig.git("-C", rig.path("feature"), "commit", "-qam", "another plan");
  expect((await rig.owtIn(rig.path("feature"), "run", "--yes")).code).toBe(4);
  await rig.owtIn(rig.path("feature"), "config", "approve", "--yes");
  const ran = await rig.owtIn(rig.path("feature"), "run", "--yes");
  expect(ran.code).toBe(0);
  expect(ran.stderr).toContain("passes test -f feature.txt");
  expect(rig.show("owt/runs/r1", "feature.txt")).toBe("feature");
  expect((await rig.owtIn(rig.path("feature"), "land")).stdout).toContain("landed on feature");
});

test("what a person committed onto the run's branch is checked before it lands", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = "test ! -e BAD"\n`,
    "docs/plans/one/epic-01-a.md": task({}, 'write a.txt "a"'),
  });
  await rig.owt("run", "--yes");
  rig.git("switch", "-q", "owt/runs/r1");
  writeFileSync(rig.path("shop/BAD"), "");
  rig.git("add", "BAD");
  rig.git("commit", "-qm", "by hand");
  rig.git("switch", "-q", "main");
  const refused = await rig.owt("land");
  expect(refused.code).toBe(4);
  expect(refused.stderr).toContain("fails: test ! -e BAD");
  rig.git("switch", "-q", "owt/runs/r1");
  rig.git("rm", "-q", "BAD");
  rig.git("commit", "-qm", "mended");
  rig.git("switch", "-q", "main");
  expect((await rig.owt("land")).code).toBe(0);
});

test("what a setup that failed printed stands at the end, in show and in logs", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[environment]\ninstall_command = "sh setup.sh"\n[run]\nretries = 0\n`,
    "setup.sh": "echo the disk is made of cheese\nexit 3\n",
    "docs/plans/one/epic-01-a.md": task({}, 'write a.txt "a"'),
  });
  const ran = await rig.owt("run", "--yes");
  expect(ran.stdout).toContain("setup failed: sh setup.sh");
  for (const said of [
    ran.stdout,
    (await rig.owt("logs", "one/E01")).stdout,
    (await rig.owt("task", "show", "one/E01")).stdout,
  ])
    expect(said).toContain("made of cheese");
});

test("going on with a run takes the command line's choices along", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/one/epic-01-a.md": task({}, 'ask "Which?"\non answer:\nwrite a.txt "a"'),
    "docs/plans/one/epic-02-b.md": task({}, 'write b.txt "b"'),
  });
  await rig.owt("run", "--yes");
  expect((await rig.owt("run", "--yes", "--agent", "nope")).stderr).toContain("no agent named nope");
  await rig.owt("task", "answer", "one/E01", "this");
  await rig.owt("run", "--yes", "--model", "cheap");
  const shown = JSON.parse((await rig.owt("task", "show", "one/E02", "--json")).stdout) as {
    data: { task: { attempts: { model: string }[] } };
  };
  expect(shown.data.task.attempts.at(-1)?.model).toBe("cheap");
});

test("a task that ended with words instead of work is in the inbox with them, and an answer goes on with its conversation", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nretries = 0\n`,
    "docs/plans/one/epic-01-a.md": task(
      {},
      'say "I looked.\\nThe colour is not stated."\non answer:\nwrite a.txt "{answer}"',
    ),
    "docs/plans/one/epic-02-b.md": task({}, 'write b.txt "b"'),
  });
  expect((await rig.owt("run", "--yes")).code).toBe(1);
  const { stdout } = await rig.owt("inbox");
  expect(stdout).toContain("The colour is not stated.");
  expect(stdout).toContain('owt task answer one/E01 "…"');
  await rig.owt("task", "answer", "one/E01", "blue");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.show("owt/runs/r1", "a.txt")).toBe("blue");
  expect(rig.show("owt/runs/r1", "b.txt")).toBe("b");
  expect((await rig.owt("inbox")).stdout).toContain("nothing waits");
});

test("what another run finished while a person was asked is not done twice", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/one/epic-01-a.md": task({}, 'write a.txt "a"'),
  });
  const asked = rig.startOnTerminal("run");
  await asked.says("run 1 task?");
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  asked.child.stdin!.write("y\n");
  expect((await asked.ended).stdout).toContain("nothing to do");
  expect(rig.git("for-each-ref", "--format=%(refname:short)", "refs/heads/owt/runs")).toBe("owt/runs/r1");
});

test.each([
  ["stop", ["stop"], "stopped"],
  ["cancel", ["task", "cancel", "one/E01"], "cancelled"],
])("where nobody carries the runs, %s ends the agent itself", async (_, words, outcome) => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({ "docs/plans/one/epic-01-a.md": task({}, `write a.txt "a"\ntouch ${rig.path("works")}\nspawn\nhang`) });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("works"));
  run.child.kill("SIGKILL");
  await run.ended;
  expect(rig.processes()).not.toEqual([]);
  expect((await rig.owt("status")).stdout).toContain("nobody carries it: owt resume");
  expect((await rig.owt(...words)).code).toBe(0);
  expect(rig.processes()).toEqual([]);
  await rig.owt("task", "cancel", "one/E01");
  await rig.owt("resume");
  expect((await rig.owt("task", "show", "one/E01")).stdout).toContain(`was ${outcome}`);
});

test("integrated work stays in the run's branch, whoever moves it back or deletes it", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/one/epic-01-a.md": task({}, 'write a.txt "a"'),
    "docs/plans/one/epic-02-b.md": task({}, 'run "git" "branch" "-f" "owt/runs/r1" "HEAD~1"\nwrite b.txt "b"'),
    "docs/plans/one/epic-03-c.md": task({}, 'run "git" "branch" "-D" "owt/runs/r1"\nwrite c.txt "c"'),
  });
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(0);
  expect(ran.stderr).toContain("had been moved back");
  for (const name of ["a", "b", "c"]) expect(rig.show("owt/runs/r1", `${name}.txt`)).toBe(name);
  rig.git("branch", "-f", "owt/runs/r1", "owt/runs/r1~1");
  await rig.owt("land");
  for (const name of ["a", "b", "c"]) expect(rig.show("main", `${name}.txt`)).toBe(name);
});

test("a run that goes on says what the plan changed and what it ignores, and one that was stopped is not done", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/one/epic-01-a.md": task({}, 'ask "Which?"\non answer:\nwrite a.txt "a"'),
    "docs/plans/one/epic-02-b.md": task({}, 'write b.txt "b"'),
  });
  await rig.owt("run", "--yes");
  expect((await rig.owt("run", "--yes", "--count", "1")).stderr).toContain(
    "it goes on as a whole (--count: for new runs only)",
  );
  rig.write({ "docs/plans/one/epic-02-b.md": task({}, 'write b.txt "better"') });
  rig.ok("pause");
  const again = await rig.owt("run", "--yes");
  expect(again.stderr).toContain("going on with r1, which was paused; new or changed in the plan: one/E02");
  expect(again.code).toBe(4);
});

test("a plan's own branch that failed in one run is gone on from in the next", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nretries = 0\n`,
    "docs/plans/one/epic-01-a.md": task({ branch: "feat/a" }, 'write half.txt "half"\ncommit "half"\nfail "no luck"'),
  });
  expect((await rig.owt("run", "--yes")).code).toBe(1);
  rig.write({ "docs/plans/one/epic-01-a.md": task({ branch: "feat/a" }, 'write rest.txt "rest"') });
  rig.commit("another try");
  const again = await rig.owt("run", "--yes");
  expect(again.code).toBe(0);
  for (const name of ["half", "rest"]) expect(rig.show("owt/runs/r2", `${name}.txt`)).toBe(name);
});

test("a filter of git's that fails is named at once, and no agent is started again; once it is mended the work is taken as it is", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/shop/epic-01-a.md": task({}, `log ${rig.path("starts")} "started"\nwrite a.big "kept"`),
    "docs/plans/shop/epic-02-b.md": task({ depends_on: ["shop/E01"] }, 'write b.txt "b"'),
    ".gitattributes": "*.big filter=large\n",
  });
  rig.commit("a plan");
  rig.git("config", "filter.large.clean", "false");
  rig.git("config", "filter.large.required", "true");
  const ran = await rig.owt("run", "--yes", "--plain");
  expect(ran.code).toBe(4);
  expect(ran.stderr).toContain("the filter large of this repository's git configuration fails");
  expect(readFileSync(rig.path("starts"), "utf8").trim().split("\n")).toHaveLength(1);
  const { waiting } = await rig.json<{ waiting: { task: string; why: string; command: string }[] }>("inbox");
  expect(waiting).toMatchObject([{ task: "shop/E01", command: "owt task retry shop/E01" }]);
  expect(waiting[0]!.why).toContain("the filter large");
  rig.git("config", "filter.large.clean", "cat");
  expect((await rig.owt("task", "retry", "shop/E01")).code).toBe(0);
  // The other way it still fails, where a worktree is checked out.
  const went = await rig.owt("resume", "--plain");
  expect(went.code).toBe(4);
  expect(went.stderr).toMatch(/shop\/E02 the filter large of this repository's git configuration fails/);
  rig.git("config", "filter.large.smudge", "cat");
  expect((await rig.owt("task", "retry", "shop/E02")).code).toBe(0);
  expect((await rig.owt("resume", "--plain")).code).toBe(0);
  expect(rig.show("owt/runs/r1", "a.big")).toBe("kept");
  expect(rig.show("owt/runs/r1", "b.txt")).toBe("b");
});

test("a plan that is not where it was named is told of with one that is there", async () => {
  await using rig = Rig.create({ "docs/plans/a/epic-01-a.md": "# A\n" });
  rig.write({ ".worktreerc": '[run]\nplan = "gone.json"\n' });
  const configured = await rig.owt("plan");
  expect([configured.code, configured.stderr]).toEqual([
    3,
    expect.stringContaining(
      "↳ correct plan under [run] in .worktreerc (docs/plans is there); where it is set: owt config show",
    ),
  ]);
});

test("a machine without git is told where to look", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.env["PATH"] = rig.path("home");
  const ran = await rig.owt("status");
  expect([ran.code, ran.stderr]).toEqual([1, expect.stringMatching(/could not run git.*\n.*owt doctor/)]);
});

test("a program that says a word of farewell behind its question has asked all the same", async () => {
  await using rig = shellRig({
    "docs/plans/one/epic-01-a.md": '# A\n\nSH: echo x > x.txt; echo "OWT-QUESTION: with work done?"; echo; echo bye\n',
  });
  const ran = await rig.owt("run", "--yes");
  expect([ran.code, rig.integrations("owt/runs/r1")]).toEqual([4, []]);
  expect((await rig.owt("inbox")).stdout).toContain("asks: with work done?");
});

test("the branch of an attempt whose worktree was taken away right before owt was killed goes all the same, once its work is saved", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nretries = 1\n`,
    "docs/plans/one/epic-01-a.md": task({}, 'write a.txt "a"\nfail "no"'),
    "docs/plans/two/epic-01-b.md": task({}, 'ask "Which?"'),
  });
  expect((await rig.owt("run", "--yes")).code).toBe(1);
  const branches = () =>
    rig.git("for-each-ref", "--format=%(refname:lstrip=4)", "refs/heads/owt/tasks/one-e01").split("\n");
  const [kept, ...more] = branches();
  expect(more).toEqual([]);
  const rescue = rig.git("for-each-ref", "--format=%(refname:lstrip=3)", "refs/owt/rescue/");
  const first = rescue.split("-").at(-1)!;
  // As the one that was killed left it.
  rig.git("branch", `owt/tasks/one-e01/${first}`, `refs/owt/rescue/${rescue}^1`);
  const db = new DatabaseSync(rig.path("shop/.git/owt/state.db"));
  db.prepare("update attempt set phase = 'tidy' where id = ?").run(first);
  db.close();
  await rig.owt("resume");
  expect(branches()).toEqual([kept]);
  expect(rig.show(`refs/owt/rescue/${rescue}`, "a.txt")).toBe("a");
});
