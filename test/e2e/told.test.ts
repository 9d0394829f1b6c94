/** What an agent is told survives whatever happens between its turns: a text that changed within its conversation, and what a person answered. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { approvedRig, SINGLE, whyNoClaude, works } from "../rig/claude-plan.ts";
import { makeGate, textOf } from "../rig/fake-api.ts";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";
import { type Deed, scriptedRig, startsOf } from "../rig/scripted-claude.ts";

const OWT = new URL("../../bin/owt.js", import.meta.url).pathname;

const INIT: Deed = { init: true };
const SAYS: Deed = { say: "I look." };
const OK: Deed[] = [INIT, SAYS, { commit: "first.txt" }, { result: { turns: 1 } }];
const ASKS: Deed[] = [INIT, SAYS, { result: { turns: 1, says: "OWT-QUESTION: Which colour?" } }];
const HANGS: Deed[] = [INIT, SAYS, { wait: "never" }];

const NEW_LINE = "And paint it green.";

function changePlan(root: string): void {
  writeFileSync(join(root, "docs/plans/site/epic-01-a.md"), `# A\n\nDo it.\n\n${NEW_LINE}\n`);
}

/** What the agent was given in each attempt. */
function promptsOf(rig: Rig): string[] {
  return startsOf(rig).map((_, index) =>
    readFileSync(join(rig.root, ".git/owt/attempts", String(index + 1), "prompt"), "utf8"),
  );
}

describe("a text that changed within a conversation", () => {
  type Way = { first: Deed[]; code: number; steps: string[][] };
  const ways: Record<string, Way> = {
    "a question": { first: ASKS, code: 4, steps: [["task", "answer", "site/E01", "blue"]] },
    "a refused tool": {
      first: [INIT, SAYS, { result: { turns: 1, denied: "sh deploy.sh" } }],
      code: 4,
      steps: [["task", "retry", "site/E01"]],
    },
    "a refused login": {
      first: [INIT, SAYS, { result: { turns: 1, error: "Invalid API key", status: 401 } }],
      code: 4,
      steps: [["task", "retry", "site/E01"]],
    },
  };
  test.each(Object.entries(ways))(
    "reaches the agent with the next prompt after %s",
    async (_, { first, code, steps }) => {
      await using rig = scriptedRig([first, OK]);
      expect((await rig.owt("run", "--yes")).code).toBe(code);
      changePlan(rig.root);
      for (const command of steps) expect((await rig.owt(...command)).code).toBe(0);
      const resumed = await rig.owt("resume");
      expect(resumed.code).toBe(0);
      const [start, next, ...more] = startsOf(rig);
      expect([next!.session, next!.isResume, more.length]).toEqual([start!.session, true, 0]);
      expect(promptsOf(rig)[1]).toContain(`<task>\n# A\n\nDo it.\n\n${NEW_LINE}\n</task>`);
      expect((await rig.owt("run", "--yes")).stdout).toContain("nothing to do");
    },
  );

  test("is told again where the turn that told it was killed with its owt, and once it was heard no more", async () => {
    await using rig = scriptedRig([
      ASKS,
      HANGS,
      [INIT, SAYS, { result: { turns: 1, says: "OWT-QUESTION: How big?" } }],
      OK,
    ]);
    expect((await rig.owt("run", "--yes")).code).toBe(4);
    changePlan(rig.root);
    rig.ok("task", "answer", "site/E01", "blue");
    const killed = rig.start("resume");
    await fileAppears(rig.path("never-reached"));
    killed.child.kill("SIGKILL");
    await killed.ended;
    rig.killProcesses();
    expect((await rig.owt("resume")).code).toBe(4);
    rig.ok("task", "answer", "site/E01", "big");
    expect((await rig.owt("resume")).code).toBe(0);
    expect(promptsOf(rig).map((prompt) => prompt.includes(NEW_LINE))).toEqual([false, true, true, false]);
    expect(new Set(startsOf(rig).map((start) => start.session)).size).toBe(1);
  });

  test("is not done by what a person made of the text before: the next run carries it out", async () => {
    const steps = (gate: string) =>
      `touch ${gate}-runs\nwait ${gate}\nwrite shared.txt "two"\non conflict:\nsay "cannot decide"`;
    await using rig = Rig.create({
      ".worktreerc": demoConfig,
      "docs/plans/one/epic-01-a.md": task({}, 'write shared.txt "one"'),
    });
    const [gate, second] = [rig.path("gate"), "docs/plans/two/epic-01-b.md"];
    rig.write({ [second]: task({ branch: "two" }, steps(gate)) });
    rig.commit("Add a second plan");
    const first = rig.start("run", "--yes");
    await fileAppears(`${gate}-runs`);
    await first.says("one/E01 integrated");
    rig.release("gate");
    expect((await first.ended).code).toBe(4);
    const { waiting } = await rig.json<{ waiting: { why: string }[] }>("inbox");
    const worktree = / in (\S+)$/.exec(waiting[0]!.why)![1]!;
    writeFileSync(join(worktree, "shared.txt"), "one, two\n");
    rig.write({ [second]: task({}, 'write green.txt "green"', NEW_LINE) });
    rig.ok("task", "approve", "two/E01");
    expect((await rig.owt("resume")).code).toBe(0);
    expect(rig.show("owt/runs/r1", "shared.txt")).toBe("one, two\n");
    expect((await rig.owt("run", "--yes")).code).toBe(0);
    expect(rig.show("owt/runs/r2", "green.txt")).toBe("green");
    expect((await rig.owt("run", "--yes")).stdout).toContain("nothing to do");
  });

  test("with the real Claude Code, after a Ctrl-C in the middle: the new line is in what the API is asked", async ({
    skip,
  }) => {
    const why = whyNoClaude();
    if (why !== null) skip(why);
    const gate = makeGate();
    const [write, commit, last] = works("first").task;
    const script = { "site/E01": { task: [write!, { ...commit!, gate }, last!], resume: works("first").task } };
    await using rig = await approvedRig(SINGLE, script);
    const run = rig.owt("run", "--yes");
    await run.brings(gate.reached);
    run.pressCtrlC();
    await run.exits(130);
    gate.release();
    writeFileSync(
      join(rig.root, "docs/plans/site/epic-01-first.md"),
      `# The first page\n\nWrite first.txt.\n\n${NEW_LINE}\n`,
    );
    const resumed = rig.owt("resume");
    await resumed.exits(0);
    expect(resumed.err()).toContain("its new text is taken for site/E01");
    const asked = rig.api.requests.find((request) => request.occasion === "resume")!;
    const prompt = asked.messages.map(textOf).findLast((text) => text.includes("# owt: resume"));
    expect(prompt).toContain(NEW_LINE);
    expect(rig.starts()[1]).toContain("--resume");
  });
});

test("a turn that met its timeout goes on once in its conversation, and then the task begins anew", async () => {
  await using rig = scriptedRig([HANGS, HANGS, OK], 'timeout = "2s"');
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  const [first, again, afresh, ...more] = startsOf(rig);
  expect([again!.isResume, again!.session, afresh!.isResume, more.length]).toEqual([true, first!.session, false, 0]);
  expect(afresh!.session).not.toBe(first!.session);
  expect(promptsOf(rig)[1]).toMatch(/^# owt: resume\n/);
});

const NOTHING: Deed[] = [INIT, SAYS, { result: { turns: 1, says: "Nothing to do." } }];

test("a turn that changed nothing is told so once in its conversation, and then the task begins anew", async () => {
  await using rig = scriptedRig([NOTHING, NOTHING, OK]);
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  const [first, again, afresh, ...more] = startsOf(rig);
  expect([again!.isResume, again!.session, afresh!.isResume, more.length]).toEqual([true, first!.session, false, 0]);
  expect(promptsOf(rig)[1]).toContain("your turn ended, and nothing in this worktree has changed");
});

test("work that lies in a stash is told to its agent, is never popped for it, and a task that ends so says where it is", async () => {
  await using rig = Rig.create({ ".worktreerc": `${demoConfig}[run]\nretries = 1\n` });
  // A person's own, made before: it is nobody's work here.
  rig.write({ "plan.txt": "mine" });
  rig.git("stash", "-u", "-q");
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, 'write a.txt "a"\nrun "git" "stash" "-u" "-q"'),
    "docs/plans/two/epic-01-b.md": task({}, 'write b.txt "b"\nrun "git" "stash" "-u" "-q"\nwrite c.txt "c"'),
  });
  rig.commit("plan");
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(1);
  const { attempts } = (await rig.json<{ task: { attempts: { folder: string }[] } }>("task", "show", "one/E01")).task;
  expect(readFileSync(`${attempts[1]!.folder}/prompt`, "utf8")).toMatch(
    /what you did lies in a stash \(WIP on owt\/tasks\/one-e01\/1: .*\): git stash pop stash@\{\d\}, and commit/,
  );
  const { waiting } = await rig.json<{ waiting: { task: string; why: string }[] }>("inbox");
  const why = waiting.find((each) => each.task === "one/E01")!.why;
  expect(why).toMatch(/^what it did lies in a stash and nowhere else \(.*\): git stash apply [0-9a-f]{10}/);
  expect(ran.stderr).toMatch(/two\/E01 left something in a stash .*: git stash show -p [0-9a-f]{10}/);
  rig.git("stash", "apply", /apply ([0-9a-f]{10})/.exec(why)![1]!);
  expect(existsSync(join(rig.root, "a.txt"))).toBe(true);
});

describe("what a person answered", () => {
  const DAMAGED: Deed[] = [{ stderr: "No conversation found" }, { exit: 1 }];
  const rows: [string, Deed[][], string][] = [
    ["times out", [HANGS, HANGS], 'timeout = "2s"'],
    ["changes nothing, nor the one behind it", [NOTHING, NOTHING], ""],
    ["finds its conversation damaged", [DAMAGED], ""],
  ];
  test.each(rows)(
    "is told to the one that begins afresh when the turn with the answer %s",
    async (_, broken, config) => {
      await using rig = scriptedRig([ASKS, ...broken, OK], config);
      expect((await rig.owt("run", "--yes")).code).toBe(4);
      rig.ok("task", "answer", "site/E01", "purple please");
      expect((await rig.owt("resume")).code).toBe(0);
      const last = startsOf(rig).at(-1)!;
      expect(last.isResume).toBe(false);
      const prompt = promptsOf(rig).at(-1)!;
      expect(prompt).toMatch(/^# A\n/);
      expect(prompt).toContain("Question: Which colour?\n\nAnswer: purple please\n");
    },
  );

  test("can come from standard input, in several lines, and what ended without work is answered too", async () => {
    await using rig = scriptedRig([NOTHING, NOTHING, NOTHING, OK]);
    const ran = await rig.owt("run", "--yes");
    expect(ran.code).toBe(1);
    expect(ran.stdout).toContain('↳ owt task answer site/E01 "…"');
    execFileSync("sh", ["-c", 'printf "first\\nsecond\\n" | "$0" "$1" task answer site/E01 -', process.execPath, OWT], {
      cwd: rig.root,
      env: rig.env,
      stdio: ["pipe", "pipe", "pipe"],
    });
    expect((await rig.owt("resume")).code).toBe(0);
    expect(promptsOf(rig).at(-1)).toContain("<answer>\nfirst\nsecond\n</answer>");
  });

  test("can be another one until it is told, and after that it is said what it was", async () => {
    await using rig = scriptedRig([
      ASKS,
      [INIT, SAYS, { commit: "first.txt" }, { wait: "go" }, { result: { turns: 1 } }],
    ]);
    expect((await rig.owt("run", "--yes")).code).toBe(4);
    rig.ok("task", "answer", "site/E01", "purple");
    rig.ok("task", "answer", "site/E01", "blue");
    const resumed = rig.start("resume");
    await fileAppears(rig.path("go-reached"));
    const late = await rig.owt("task", "answer", "site/E01", "red");
    expect(late.code).not.toBe(0);
    expect(late.stderr).toContain("it was answered already (blue)");
    rig.release("go");
    expect((await resumed.ended).code).toBe(0);
    expect(promptsOf(rig)[1]).toContain("<answer>\nblue\n</answer>");
    expect(promptsOf(rig)[1]).not.toContain("purple");
  });
});
