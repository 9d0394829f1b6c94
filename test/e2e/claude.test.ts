/** The built command with the real Claude Code, behind a fake API on loopback: what is promised of agents holds with the real one. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test, vi } from "vitest";
import type { RunReport } from "../../src/core/report.ts";
import { probeLaunchMode } from "../../src/system/launch.ts";
import { claudeBinary } from "../rig/claude-binary.ts";
import { type ClaudeRig, claudeRig, type RigOptions } from "../rig/claude-rig.ts";
import { type Answer, type ApiError, type Gate, makeGate, type Script, startFakeApi, textOf } from "../rig/fake-api.ts";

const WHY_NOT = !existsSync("/proc/self/stat")
  ? "what still runs is judged from /proc, which this machine has not"
  : existsSync(claudeBinary())
    ? null
    : `no real Claude Code at ${claudeBinary()}; fetch it with: node scripts/fetch-claude.ts`;

beforeEach((context) => {
  if (WHY_NOT !== null) context.skip(WHY_NOT);
});

/** Green when nothing is left to do in any text. */
const CHECK = `cat *.txt
if grep -n TODO *.txt; then echo "something is left to do"; exit 1; fi
`;

/** Stays for ever, and leaves a daemon behind that carries no mark, no group, no parent of ours. */
const LINGER = `env -i setsid tail -f /dev/null >/dev/null 2>&1 &
trap '' HUP
nohup tail -f /dev/null >/dev/null 2>&1 &
echo up >"$HOME/lingers"
tail -f /dev/null
`;

const CONFIG = `[run]
verify = "sh check.sh"

[agent.claude]
allowed_tools = ["Bash(sh linger.sh)"]
`;

/** Three tasks one after the other, and one beside the second. */
const CHAIN: Record<string, string> = {
  "docs/plans/site/epic-01-first.md": "# The first page\n\nWrite first.txt.\n",
  "docs/plans/site/epic-02-second.md": "# The second page\n\nWrite second.txt.\n",
  "docs/plans/site/epic-03-third.md": "# The third page\n\nWrite third.txt.\n",
};
const BESIDE = {
  "docs/plans/look/epic-01-look.md": "---\ndepends_on: [site/E01]\n---\n# The look\n\nWrite look.txt.\n",
};
const SINGLE = { "docs/plans/site/epic-01-first.md": CHAIN["docs/plans/site/epic-01-first.md"]! };

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
  await run.brings(vi.waitUntil(() => existsSync(join(rig.home, "lingers")), { timeout: 60_000 }));
  expect(rig.processes().filter((line) => line.endsWith("tail -f /dev/null"))).toHaveLength(3);
  const cancel = rig.owt("task", "cancel", "site/E01");
  await cancel.exits(0);

  await run.exits(0);
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
  expect(run.out()).toContain("was not allowed to use Bash");
});

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
  const until = new Date(resetsAt * 1_000).toISOString();
  await run.brings(vi.waitUntil(() => run.err().includes(until), { timeout: 60_000 }));
  expect(await standingOf(rig)).toMatchObject({ state: "pending", standing: "waits-for-time" });
  run.pressCtrlC();
  await run.exits(130);
  expect(rig.starts()).toHaveLength(1);
});

/** A rig whose commands are approved. */
async function approvedRig(
  plan: Record<string, string>,
  script: Script,
  more: { refuse?: () => ApiError | null; env?: NonNullable<RigOptions["env"]> } = {},
): Promise<ClaudeRig> {
  const api = await startFakeApi(script, more.refuse);
  const files = { ".worktreerc": CONFIG, "check.sh": CHECK, "linger.sh": LINGER, ...plan };
  const rig = await claudeRig({ api, files, env: more.env ?? {} });
  await rig.ask("config", "approve");
  return rig;
}

/** Writes a file, commits it, says so; `gate` holds the second word. */
function works(name: string, { text = name, gate }: { text?: string; gate?: Gate } = {}): { task: Answer[] } {
  const file = `${name}.txt`;
  const commit = { command: `git add ${file} && git commit -q -m 'Add ${file}'`, description: "Commit" };
  return {
    task: [
      { say: `I write ${text}.`, use: [{ name: "Write", input: { file_path: file, content: `${text}\n` } }] },
      { use: [{ name: "Bash", input: commit }], ...(gate ? { gate } : {}) },
      { say: "It is written." },
    ],
  };
}

function lingers(): Answer {
  return { use: [{ name: "Bash", input: { command: "sh linger.sh", description: "Linger" } }] };
}

/** What the API of a subscription answers when its five hours are used up; headers as measured. */
function usageLimit(resetsAt: number): ApiError {
  const name = "anthropic-ratelimit-unified";
  const headers = {
    [`${name}-status`]: "rejected",
    [`${name}-reset`]: String(resetsAt),
    [`${name}-representative-claim`]: "five_hour",
    [`${name}-5h-status`]: "rejected",
    [`${name}-5h-reset`]: String(resetsAt),
    [`${name}-5h-utilization`]: "1.0",
    "retry-after": "3600",
  };
  return { status: 429, type: "rate_limit_error", message: "This request would exceed your rate limit.", headers };
}

/** The merges of the run in order, each with its task and whether it was verified. */
function integrated(rig: ClaudeRig): string[] {
  const trailers = "%(trailers:key=Owt-Task,valueonly,separator=)%x20%(trailers:key=Owt-Verified,valueonly,separator=)";
  const log = rig.git("log", "--first-parent", "--merges", "--reverse", `--format=${trailers}`, "main..owt/runs/r1");
  return log.split("\n");
}

/** Each request about a task: on which occasion, and the how manieth word was asked for. */
function turnsOf(rig: ClaudeRig, task: string): string[] {
  return rig.api.requests.filter((request) => request.task === task).map((each) => `${each.occasion} ${each.turn}`);
}

function sessionOf(start: string): string {
  return /--(?:session-id|resume) (\S+)/.exec(start)?.[1] ?? "";
}

type Status = { carried_by: number | null; runs: { tasks: { state: string; standing: string }[] }[] };

async function standingOf(rig: ClaudeRig): Promise<Status["runs"][0]["tasks"][0] | undefined> {
  return (await rig.ask<Status>("status")).runs[0]?.tasks[0];
}

async function carriedBy(rig: ClaudeRig, pid: number): Promise<unknown> {
  return vi.waitUntil(async () => (await rig.ask<Status>("status")).carried_by === pid, { timeout: 60_000 });
}
