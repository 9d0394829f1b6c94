/** What the four systems that this one unites got wrong, reproduced there by running them: each test would fail on theirs. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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

test("what an agent said that it cost is what the report says", async () => {
  await using rig = Rig.create({ "docs/plans/shop/epic-01-a.md": "# A\n" });
  const result = { type: "result", is_error: false, num_turns: 1, result: "done", total_cost_usd: 1.23 };
  rig.addProgram("claude", `#!/bin/sh\ncat >/dev/null\necho a > a.txt\necho '${JSON.stringify(result)}'\n`);
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  const { report } = await rig.json<{ report: { cost_usd: number } }>("report");
  expect(report.cost_usd).toBe(1.23);
});

/** A feature list that uses every word of the seed's, for an agent that keeps what it was told. */
const EVERY_WORD = {
  "config/feature_list.json": JSON.stringify({
    claude: { append_system_prompt: "Speak like a sailor." },
    prompts: { context_file: "_context.md", quality_rules: ["No dead code.", "Tests for every rule."] },
    features: [
      { id: "tidy", depends_on: [], priority: "low", description: "Tidy up." },
      { id: "model", depends_on: [], description: "Write the model.", creates: ["the class Book"] },
      { id: "shelf", depends_on: ["model"], prompt_file: "shelf.md", uses: ["the class Book"], tags: ["ui"] },
      { id: "urgent", depends_on: [], priority: "high", description: "Mend the leak." },
    ],
  }),
  "prompts/shelf.md": "Write the shelf.\n\n## Requirements\n\n- The last line counts as well.\n",
  "prompts/_context.md": "The shop sells books.\n",
  ".worktreerc": '[agent]\ndefault = "listener"\n[agent.listener]\ncommand = ["listener"]\n',
};

function addListener(rig: Rig): void {
  const told = rig.path("told");
  rig.addProgram(
    "listener",
    `#!/bin/sh\nmkdir -p "${told}"\ncat >"${told}/$OWT_TASK"\necho "$OWT_TASK" >"$OWT_TASK.txt"\n`,
  );
}

test("a feature list's context file, rules, system prompt, creates and uses are told to the agent, and the whole of its prompt", async () => {
  await using rig = Rig.create(EVERY_WORD);
  addListener(rig);
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  const told = (id: string) => readFileSync(join(rig.path("told"), id), "utf8");
  for (const id of ["tidy", "model", "shelf", "urgent"]) {
    expect(told(id)).toContain("The shop sells books.");
    expect(told(id)).toContain("- No dead code.\n- Tests for every rule.");
    expect(told(id)).toContain("Speak like a sailor.");
  }
  expect(told("model")).toContain("brings into being: the class Book");
  expect(told("shelf")).toContain("builds upon: the class Book");
  expect(told("shelf")).toContain("- The last line counts as well.");
  expect(told("tidy")).not.toContain("the class Book");
});

test("priority decides what is started first, before the place in the list; tags find tasks again", async () => {
  await using rig = Rig.create(EVERY_WORD);
  addListener(rig);
  expect((await rig.owt("run", "--yes", "--sequential")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1")).toEqual(["urgent", "model", "shelf", "tidy"]);
  const { tasks } = await rig.json<{ tasks: { id: string }[] }>("task", "list", "--tag", "ui");
  expect(tasks.map((each) => each.id)).toEqual(["shelf"]);
});

test("--sequential is one agent at a time, whatever the configuration allows", async () => {
  const held = (name: string) => task({}, `touch NAME-runs\nwait NAME-gate\nwrite ${name}.txt "x"`);
  await using rig = Rig.create({ ".worktreerc": `${demoConfig}[run]\nmax_parallel = 3\n` });
  for (const name of ["a", "b", "c"])
    rig.write({ [`docs/plans/${name}/epic-01-x.md`]: held(name).replaceAll("NAME", rig.path(name)) });
  rig.commit("plan");
  const run = rig.start("run", "--yes", "--sequential");
  type Status = { runs: { tasks: { id: string; standing: string }[] }[] };
  for (const name of ["a", "b", "c"]) {
    await fileAppears(rig.path(`${name}-runs`));
    // All that may start are opened in the same look: beside one that works, another would be under way by now.
    const { runs } = await rig.json<Status>("status");
    const underWay = runs[0]!.tasks.filter((each) => each.standing === "working").map((each) => each.id);
    expect(underWay).toEqual([`${name}/E01`]);
    expect(existsSync(rig.path(`${String.fromCharCode(name.charCodeAt(0) + 1)}-runs`))).toBe(false);
    rig.release(`${name}-gate`);
  }
  expect((await run.ended).code).toBe(0);
});
