/** The built command with the real Claude Code, behind a fake API on loopback: what is promised of agents holds with the real one. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { beforeEach, expect, test, vi } from "vitest";
import type { RunReport } from "../../src/core/report.ts";
import { probeLaunchMode } from "../../src/system/launch.ts";
import { usageLimit } from "../rig/claude-login.ts";
import {
  approvedRig,
  BESIDE,
  carriedBy,
  CHAIN,
  integrated,
  lingers,
  sessionOf,
  SINGLE,
  standingOf,
  turnsOf,
  whyNoClaude,
  works,
} from "../rig/claude-plan.ts";
import { CLAUDE_VERSIONS } from "../rig/claude-binary.ts";
import { type Answer, type ApiError, type Gate, makeGate, textOf } from "../rig/fake-api.ts";

beforeEach((context) => {
  const why = whyNoClaude();
  if (why !== null) context.skip(why);
});

test("a plan is written, committed, checked and integrated by the real Claude Code", async () => {
  const script = { "site/E01": works("first"), "site/E02": works("second"), "site/E03": works("third") };
  await using rig = await approvedRig({ ...CHAIN, ...BESIDE }, { ...script, "look/E01": works("look") });
  const run = rig.owt("run", "--yes");
  await run.exits(0);

  const files = rig.git("ls-tree", "--name-only", "owt/runs/r1", "--", ".").split("\n");
  expect(files).toEqual(expect.arrayContaining(["first.txt", "second.txt", "third.txt", "look.txt"]));
  expect(integrated(rig).toSorted()).toEqual(["look/E01 yes", "site/E01 yes", "site/E02 yes", "site/E03 yes"]);
  expect(rig.git("log", "--format=%s", "owt/runs/r1")).toContain("Add second.txt");
  const { report } = await rig.ask<{ report: RunReport }>("report");
  // Three calls a task, each of 1,200 tokens in and 60 out, at the list price of the model that an API key gets.
  expect(report.cost_usd).toBeCloseTo(4 * 0.018, 6);
  for (const task of report.tasks) expect(task).toMatchObject({ input_tokens: 3_600, output_tokens: 180 });
  const logs = rig.owt("logs", "site/E02");
  await logs.exits(0);
  expect(logs.out()).toMatch(/→ Write {2}second\.txt\n→ Bash {2}git add second\.txt/);
  expect(rig.processes()).toEqual([]);
});

test("a Claude in the middle of a turn outlives a kill -9 of owt, is adopted, and its work comes home once", async () => {
  const gate = makeGate();
  const script = { "site/E01": works("first"), "site/E02": works("second", { gate }), "site/E03": works("third") };
  await using rig = await approvedRig(CHAIN, script);
  const killed = rig.owt("run", "--yes");
  await killed.brings(gate.reached);
  const before = rig.claudes();
  expect(before).toHaveLength(1);
  killed.kill();
  await killed.exits("SIGKILL");
  expect(rig.claudes()).toEqual(before);

  const next = rig.owt("run", "--yes");
  await next.brings(carriedBy(rig, next.pid));
  expect(rig.claudes()).toEqual(before);
  gate.release();
  await next.exits(0);
  expect(integrated(rig)).toEqual(["site/E01 yes", "site/E02 yes", "site/E03 yes"]);
  expect(rig.starts()).toHaveLength(3);
  expect(new Set(rig.starts().map(sessionOf)).size).toBe(3);
  expect(turnsOf(rig, "site/E02")).toEqual(["task 0", "task 1", "task 2"]);
  expect(rig.processes()).toEqual([]);
});

test("cancelling a task stops its Claude in the middle of a tool, with everything the tool started", async ({
  skip,
}) => {
  if ((await probeLaunchMode()) === "group")
    skip("neither a pid namespace nor a cgroup is to be had here; mode group promises less");
  await using rig = await approvedRig(SINGLE, { "site/E01": { task: [lingers()] } });
  const run = rig.owt("run", "--yes");
  const lingering = () => rig.processes().filter((line) => line.endsWith("tail -f /dev/null")).length;
  await run.brings(vi.waitUntil(() => lingering() === 3, { timeout: 60_000 }));
  const cancel = rig.owt("task", "cancel", "site/E01");
  await cancel.exits(0);

  // Nothing was done, and nobody waits for it.
  await run.exits(1);
  expect(rig.processes()).toEqual([]);
  // It ended by the TERM, within the grace; a killed one leaves no code.
  expect(readFileSync(join(rig.root, ".git/owt/attempts/1/exit"), "utf8")).toBe("143\n");
  const { report } = await rig.ask<{ report: RunReport }>("report");
  expect(report.tasks[0]).toMatchObject({ state: "cancelled", attempts: [{ outcome: "was cancelled" }] });
});

test.each([
  ["an API turn", (gate: Gate): Answer => ({ say: "Never said.", gate })],
  ["a tool", (): Answer => lingers()],
])(
  "after a Ctrl-C in the middle of %s nothing runs, and owt resume goes on in the same conversation",
  async (_, stuck) => {
    const gate = makeGate();
    const [write, ...rest] = works("first").task;
    const script = { "site/E01": { task: [write!, stuck(gate)], resume: rest } };
    await using rig = await approvedRig(SINGLE, script);
    const run = rig.owt("run", "--yes");
    const lingering = vi.waitUntil(() => existsSync(join(rig.home, "lingers")), { timeout: 60_000 });
    await run.brings(Promise.race([gate.reached, lingering]));
    run.pressCtrlC();
    await run.exits(130);
    expect(rig.processes()).toEqual([]);

    const resumed = rig.owt("resume");
    await resumed.exits(0);
    expect(integrated(rig)).toEqual(["site/E01 yes"]);
    const [first, second, ...more] = rig.starts();
    expect(more).toEqual([]);
    expect(first).toContain(`--session-id ${sessionOf(first!)}`);
    expect(second).toContain(`--resume ${sessionOf(first!)}`);
    expect(turnsOf(rig, "site/E01")).toEqual(["task 0", "task 1", "resume 0", "resume 1"]);
  },
);

test("a failing check goes back into the same conversation, with the end of its output", async () => {
  const script = { "site/E01": { task: works("first", { text: "TODO" }).task, repair: works("first").task } };
  await using rig = await approvedRig(SINGLE, script);
  const run = rig.owt("run", "--yes");
  await run.exits(0);

  expect(rig.git("show", "owt/runs/r1:first.txt")).toBe("first");
  const [start, resume] = rig.starts();
  expect(resume).toContain(`--resume ${sessionOf(start!)}`);
  const asked = rig.api.requests.find((request) => request.occasion === "repair")!;
  expect(asked.session).toBe(sessionOf(start!));
  expect(textOf(asked.messages.find((message) => message.role === "user")!)).toContain("This is task site/E01");
  expect(JSON.stringify(asked.messages)).toContain("I write TODO.");
  const prompt = asked.messages.map(textOf).findLast((text) => text.includes("# owt: repair"));
  expect(prompt).toContain("something is left to do");
  // The cost of a conversation that went on is not counted twice.
  const { report } = await rig.ask<{ report: RunReport }>("report");
  expect(report.cost_usd).toBeCloseTo(2 * 0.018, 6);
});

test("a Claude that was refused a tool and left nothing waits for a person", async () => {
  const use = [{ name: "Bash", input: { command: "sh deploy.sh", description: "Deploy" } }];
  await using rig = await approvedRig(SINGLE, { "site/E01": { task: [{ use }, { say: "I may not." }] } });
  const run = rig.owt("run", "--yes");
  await run.exits(4);
  expect(run.out()).toContain("was not allowed to use Bash(sh deploy.sh)");
  expect(run.out()).toContain(
    `in .worktreerc under [agent.claude]: allowed_tools = ["Bash(sh linger.sh)","Bash(sh deploy.sh)"]`,
  );
});

test("the rules that are suggested for a compound command allow it; a refusal in a turn that did its work is told", async () => {
  const command = "sh deploy.sh && git add . && echo 'a b' | tee first.txt";
  const use = [{ name: "Bash", input: { command, description: "Deploy" } }];
  const many = [{ name: "Bash", input: { command: "python3 -c 'print(1)\nprint(2)'", description: "Print" } }];
  const script = {
    "site/E01": { task: [{ use }, { say: "I may not." }], resume: [{ use }, { use: many }, { say: "Done." }] },
  };
  await using rig = await approvedRig({ ...SINGLE, "deploy.sh": "echo deployed\n" }, script);
  const run = rig.owt("run", "--yes");
  await run.exits(4);
  const line = /under \[agent\.claude\]: (allowed_tools = .*)\)$/m.exec(run.out())![1]!;
  expect(line).toContain('"Bash(sh deploy.sh)"');
  const config = readFileSync(join(rig.root, ".worktreerc"), "utf8");
  writeFileSync(join(rig.root, ".worktreerc"), config.replace(/^allowed_tools = .*$/m, line));
  await rig.ask("task", "retry", "site/E01");
  const resumed = rig.owt("resume");
  await resumed.exits(0);
  expect(rig.git("show", "owt/runs/r1:first.txt")).toBe("a b");
  expect(resumed.err()).toContain("was not allowed to use Bash(python3 -c 'print(1)…), and did without");
});

test.each(CLAUDE_VERSIONS)(
  "%s reads git's history without a rule, and no rule of ours lets it write with that",
  async (version) => {
    const bash = (command: string) => ({ name: "Bash", input: { command, description: "Look" } });
    const read = ["git log --oneline -3", "git diff HEAD", "git show --stat HEAD", "git status --short"].map(bash);
    const outside = ["git log -1 --format=format:PWNED --output=../pwned", "git diff --output=../pwned HEAD"].map(bash);
    const script = {
      "site/E01": {
        task: [
          ...read.map((use) => ({ use: [use] })),
          ...outside.map((use) => ({ use: [use] })),
          ...works("first").task,
        ],
      },
    };
    await using rig = await approvedRig(SINGLE, script, { version });
    const run = rig.owt("run", "--yes");
    await run.exits(0);
    const refused = run.err();
    expect(refused).toContain("--output=../pwned");
    expect(refused).not.toMatch(/not allowed.*(oneline|--stat|--short)/);
    expect(existsSync(join(rig.root, "..", `${basename(rig.root)}-owt`, "pwned"))).toBe(false);
  },
);

test("a login that the API refuses parks the task, and after it is mended its conversation goes on", async () => {
  let valid = false;
  const refuse = (): ApiError | null =>
    valid ? null : { status: 401, type: "authentication_error", message: "invalid x-api-key" };
  const script = { "site/E01": { task: works("first").task, resume: works("first").task } };
  await using rig = await approvedRig(SINGLE, script, { refuse });
  const run = rig.owt("run", "--yes");
  await run.exits(4);
  expect(await standingOf(rig)).toMatchObject({ state: "pending", standing: "waits-for-person" });
  valid = true;
  await rig.ask("task", "retry", "site/E01");
  const resumed = rig.owt("resume");
  await resumed.exits(0);
  expect(new Set(rig.starts().map(sessionOf)).size).toBe(1);
});

test("a usage limit leaves the task pending until its reset, and it is nobody's failure", async () => {
  const resetsAt = Math.ceil(Date.now() / 1_000) + 3_600;
  const env = { ANTHROPIC_API_KEY: undefined, CLAUDE_CODE_OAUTH_TOKEN: "sk-ant-oat01-dummy" };
  const script = { "site/E01": works("first") };
  await using rig = await approvedRig(SINGLE, script, { refuse: () => usageLimit(resetsAt), env });
  const run = rig.owt("run", "--yes");
  // Local time, with the day where it is another one; tried up to a minute behind the reset.
  const minutes = [0, 60_000].map((behind) => new Date(resetsAt * 1_000 + behind).toTimeString().slice(0, 5));
  const until = new RegExp(`usage limit until .*(${minutes.join("|")})`);
  await run.brings(vi.waitUntil(() => until.test(run.err()), { timeout: 60_000 }));
  expect(await standingOf(rig)).toMatchObject({ state: "pending", standing: "waits-for-time" });
  run.pressCtrlC();
  await run.exits(130);
  expect(rig.starts()).toHaveLength(1);
});
