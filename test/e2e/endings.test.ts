/** An exit without a result, a result without an exit, and what else an agent does on its bad days: each is carried to its end, once. */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import type { RunReport } from "../../src/core/report.ts";
import { fileAppears, processesBelow, type Rig } from "../rig/rig.ts";
import { type Deed, scriptedRig, startsOf } from "../rig/scripted-claude.ts";

const OWT = new URL("../../bin/owt.js", import.meta.url).pathname;
const INIT: Deed = { init: true };
const WORK: Deed[] = [{ say: "I write it." }, { commit: "first.txt" }, { say: "It is written." }];
const DONE: Deed = { result: { turns: 2, usd: 0.25 } };
const HANG: Deed = { hang: true };

async function attemptsOf(rig: Rig): Promise<RunReport["tasks"][number]["attempts"]> {
  return (await rig.json<{ report: RunReport }>("report")).report.tasks[0]!.attempts;
}

function expectIntegratedOnce(rig: Rig): void {
  expect(rig.integrations("owt/runs/r1")).toEqual(["site/E01"]);
  expect(rig.git("log", "--format=%s", "main..owt/runs/r1", "--", "first.txt")).toBe("Add first.txt");
}

test("an exit 0 without a result is resumed under the same id, and its work is done once", async () => {
  await using rig = scriptedRig([
    [INIT, ...WORK, { exit: 0 }],
    [INIT, { say: "It was done." }, DONE],
  ]);
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  const [first, second, ...more] = startsOf(rig);
  expect([first!.isResume, second!.isResume, more.length]).toEqual([false, true, 0]);
  expect(second!.session).toBe(first!.session);
  expect((await attemptsOf(rig)).map((attempt) => attempt.outcome_kind)).toEqual(["lost", "ok"]);
  expectIntegratedOnce(rig);
});

test("an agent that hangs after its result is ended after the grace, judged by the result, and integrated once", async () => {
  await using rig = scriptedRig([[INIT, ...WORK, DONE, HANG]], 'result_grace = "1s"');
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(0);
  expect(ran.stderr).toContain("did not leave after its last word");
  expect(startsOf(rig)).toHaveLength(1);
  const [attempt] = await attemptsOf(rig);
  expect(attempt).toMatchObject({ outcome_kind: "ok", cost_usd: 0.25 });
  expectIntegratedOnce(rig);
  expect(processesBelow(rig.home)).toEqual([]);
});

test.each([
  ["a budget", "", "[budget]\nrun_usd = 0.1"],
  ["its timeout", 'timeout = "3s"', ""],
])("a turn that had ended well when %s stopped its agent is taken as it is", async (_, run, more) => {
  await using rig = scriptedRig([[INIT, ...WORK, DONE, HANG]], `${run}\n${more}`);
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  expect(startsOf(rig)).toHaveLength(1);
  expect(await attemptsOf(rig)).toMatchObject([{ outcome_kind: "ok", cost_usd: 0.25 }]);
  expectIntegratedOnce(rig);
});

test("a refused login holds every agent that works with it, in every open run, until it is another one", async () => {
  const refused: Deed[] = [INIT, { say: "?" }, { result: { turns: 1, error: "Forbidden", status: 403 } }];
  await using rig = scriptedRig([refused, [INIT, ...WORK, DONE]], "max_parallel = 1");
  const config = readFileSync(`${rig.root}/.worktreerc`, "utf8");
  rig.write({
    ".worktreerc": `${config}\n[agent.second]\nkind = "claude"\ncommand = ["scripted-claude"]\n`,
    "docs/plans/side/epic-01-b.md": "---\nagent: second\npriority: low\n---\n# B\n\nDo it.\n",
  });
  rig.commit("A second agent");
  rig.ok("config", "approve", "--yes");
  rig.env["ANTHROPIC_API_KEY"] = "sk-one";
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  const other = await rig.owt("run", "Write a page", "--agent", "second", "--yes");
  expect(other.code).toBe(4);
  expect(other.stdout).toContain("waits for the login of claude (see site/E01 of r1)");
  expect(other.stdout).toContain("owt task retry site/E01 --run r1");
  expect(startsOf(rig)).toHaveLength(1);
  expect(readFileSync(`${rig.root}/.git/owt/state.db`, "latin1")).not.toContain("sk-one");
  rig.env["ANTHROPIC_API_KEY"] = "sk-two";
  expect((await rig.owt("resume", "r2")).code).toBe(0);
});

test.each<[string, Deed[]]>([
  [
    "the model's refusal",
    [
      INIT,
      {
        raw: `${JSON.stringify({ type: "result", is_error: true, num_turns: 1, stop_reason: "refusal", result: "No." })}\n`,
      },
    ],
  ],
  [
    "no leave to do everything as root",
    [{ stderr: "--dangerously-skip-permissions cannot be used with root/sudo privileges" }, { exit: 1 }],
  ],
])("%s is not tried three times", async (_, deeds) => {
  await using rig = scriptedRig([deeds]);
  expect((await rig.owt("run", "--yes")).code).toBe(1);
  expect(startsOf(rig)).toHaveLength(1);
});

test("a permission mode that no agent takes is told before anything starts, wherever it stands", async () => {
  await using rig = scriptedRig([[INIT, DONE]]);
  const onTheLine = await rig.owt("run", "--yes", "--permission-mode", "acceptEdit");
  expect(onTheLine).toMatchObject({ code: 2, stderr: expect.stringContaining("did you mean acceptEdits") as string });
  const epic = "docs/plans/site/epic-01-a.md";
  const text = readFileSync(`${rig.root}/${epic}`, "utf8");
  rig.write({ [epic]: `---\npermission_mode: nonsense\n---\n${text}` });
  const inTask = await rig.owt("run", "--yes");
  expect(inTask).toMatchObject({ code: 3, stderr: expect.stringContaining("no permission mode nonsense") as string });
  const config = readFileSync(`${rig.root}/.worktreerc`, "utf8");
  rig.write({ [epic]: text, ".worktreerc": `${config}\n[agent.codex]\npermission_mode = "plan"\n` });
  const configured = await rig.owt("run", "--yes");
  expect(configured).toMatchObject({
    code: 3,
    stderr: expect.stringContaining("[agent.codex]: there is no permission") as string,
  });
  expect(startsOf(rig)).toEqual([]);
});

test("a permission mode that comes with a plan's new text is told by resume as well", async () => {
  await using rig = scriptedRig([[INIT, { say: "?" }, { result: { turns: 1, says: "OWT-QUESTION: How?" } }]]);
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  rig.write({ "docs/plans/site/epic-01-a.md": "---\npermission_mode: nonsense\n---\n# A\n\nDo it now.\n" });
  expect((await rig.owt("resume")).code).toBe(3);
  expect(startsOf(rig)).toHaveLength(1);
});

test("a log that is read slowly is read whole, and nothing but the log is told", async () => {
  await using rig = scriptedRig([[INIT, { words: { from: 0, to: 2_000 } }, { commit: "first.txt" }, DONE]]);
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  const child = spawn(process.execPath, [OWT, "logs", "site/E01", "--raw"], { cwd: rig.root, env: rig.env });
  let told = "";
  child.stderr.on("data", (chunk: Buffer) => (told += chunk.toString()));
  let bytes = 0;
  for await (const chunk of child.stdout) bytes += (chunk as Buffer).length;
  expect(bytes).toBe(statSync(`${rig.root}/.git/owt/attempts/1/out`).size);
  expect(told).toBe("");
});

test("why it was ended outlives the orchestrator", async () => {
  await using rig = scriptedRig([[INIT, ...WORK, DONE, { wait: "never" }]], 'result_grace = "1s"\ngrace = "1s"');
  // It does not obey a TERM, so that there is a time between the decision and its end.
  const program = rig.path("bin/scripted-claude");
  writeFileSync(program, readFileSync(program, "utf8").replace("\nplay(", '\nprocess.on("SIGTERM", () => {});\nplay('));
  const first = rig.start("run", "--yes");
  await first.says("did not leave after its last word");
  first.child.kill("SIGKILL");
  await first.ended;
  expect((await rig.owt("resume")).code).toBe(0);
  expect((await attemptsOf(rig)).map((attempt) => attempt.outcome_kind)).toEqual(["ok"]);
  expect(startsOf(rig)).toHaveLength(1);
  expectIntegratedOnce(rig);
});

test("an error as the last word counts as one, though the agent hangs", async () => {
  const error = { turns: 1, error: "something broke" };
  await using rig = scriptedRig([[INIT, { result: error }, HANG]], 'result_grace = "1s"');
  expect((await rig.owt("run", "--yes")).code).toBe(1);
  expect((await attemptsOf(rig)).map((attempt) => attempt.outcome)).toEqual(Array(3).fill("something broke"));
});

test.each<[string, Deed[]]>([
  ["what follows a result belongs to the turn, however long it takes", [{ say: "There is more." }]],
  ["the empty result that opens a resume is not the last word", [INIT, { result: { turns: 0 } }]],
])("of several results the last one counts, and what they cost adds up: %s", async (_, between) => {
  const early: Deed = { result: { turns: 1, usd: 0.5 } };
  const starts = [[INIT, early, ...between, { wait: "gate" }, ...WORK, DONE, { exit: 0 }]];
  await using rig = scriptedRig(starts, 'result_grace = "0s"');
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("gate-reached"));
  // The look that sees the first result would end it, if it took that for the end.
  await vi.waitUntil(async () => (await attemptsOf(rig))[0]!.cost_usd === 0.5, { timeout: 30_000 });
  rig.release("gate");
  expect((await run.ended).code).toBe(0);
  expect(await attemptsOf(rig)).toMatchObject([{ outcome_kind: "ok", cost_usd: 0.75 }]);
  expectIntegratedOnce(rig);
});

const ELSEWHERE: Deed = { init: true, elsewhere: true };

test("a conversation that was heard is resumed though its record lies where nobody looks", async () => {
  await using rig = scriptedRig([
    [ELSEWHERE, { say: "I begin." }, { exit: 0 }],
    [ELSEWHERE, ...WORK, DONE],
  ]);
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  const [first, second, ...more] = startsOf(rig);
  expect([first!.isResume, second!.isResume, more.length]).toEqual([false, true, 0]);
  expect(second!.session).toBe(first!.session);
  expectIntegratedOnce(rig);
});

test("a conversation that turns out to be there is resumed, and that counts as no try", async () => {
  const taken: Deed[] = [{ stderr: "Error: Session ID 1-2 is already in use." }, { exit: 1 }];
  await using rig = scriptedRig([[ELSEWHERE, { exit: 0 }], taken, [ELSEWHERE, ...WORK, DONE]]);
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  const starts = startsOf(rig);
  expect(starts.map((start) => start.isResume)).toEqual([false, false, true]);
  expect(new Set(starts.map((start) => start.session)).size).toBe(1);
  expect((await attemptsOf(rig)).map((attempt) => attempt.outcome_kind)).toEqual(["lost", "stopped", "ok"]);
  expectIntegratedOnce(rig);
});

test("a conversation that cannot be found is begun anew, and the work is done once", async () => {
  const missing = "No conversation found with session ID";
  await using rig = scriptedRig([
    [INIT, { say: "I begin." }, { exit: 0 }],
    [{ stderr: missing }, { result: { turns: 0, error: missing } }, { exit: 1 }],
    [INIT, ...WORK, DONE],
  ]);
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  const starts = startsOf(rig);
  expect(starts.map((start) => start.isResume)).toEqual([false, true, false]);
  expect(starts[2]!.session).not.toBe(starts[0]!.session);
  expect((await attemptsOf(rig)).map((attempt) => attempt.outcome_kind)).toEqual(["lost", "failed", "ok"]);
  expectIntegratedOnce(rig);
});

test("a login that is refused again and again is told at once", async () => {
  await using rig = scriptedRig([[INIT, { retry: 401 }, { retry: 401 }, HANG]]);
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(4);
  expect(await attemptsOf(rig)).toMatchObject([{ outcome_kind: "auth" }]);
  expect(startsOf(rig)).toHaveLength(1);
});

test("what makes no sense to us does no harm", async () => {
  const raw =
    'half a line\r\n{"type":"assistant","message":{"content":[{"type":"text","text":"\\u001B[31mred\\u0007"}]}}\r\n\0\0\0';
  await using rig = scriptedRig([
    [INIT, { raw }, ...WORK, { raw: '{"type":"new"}\n[1]\n{"type":' }, { raw: "\n" }, DONE],
  ]);
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  const logs = await rig.owt("logs", "site/E01");
  expect(logs.stdout).toContain("red\nI write it.\n");
  expect(logs.stdout).toContain("= Done. ($0.250)");
  // eslint-disable-next-line no-control-regex
  expect(logs.stdout).not.toMatch(/[\0\u001B\u0007\r]/);
  const raw2 = await rig.owt("logs", "site/E01", "--raw");
  expect(raw2.stdout).toContain(raw);
});

test("logs -f goes on through the gap and through the end", async () => {
  const caps = "log_head_mb = 1\nlog_tail_mb = 1";
  const first: Deed[] = [INIT, { words: { from: 0, to: 400 } }, { wait: "gate" }];
  await using rig = scriptedRig([[...first, { words: { from: 400, to: 800 } }, ...WORK, DONE]], caps);
  const out = `${rig.root}/.git/owt/attempts/1/out`;
  const run = rig.start("run", "--yes");
  await vi.waitUntil(() => existsSync(`${out}.gap`), { timeout: 30_000 });
  const follower = rig.start("logs", "site/E01", "-f");
  let seen = "";
  follower.child.stdout!.on("data", (chunk: Buffer) => (seen += chunk.toString()));
  await vi.waitUntil(() => seen.includes("word 399\n"), { timeout: 30_000 });
  rig.release("gate");
  expect((await run.ended).code).toBe(0);
  const followed = (await follower.ended).stdout.trimEnd().split("\n");
  const words = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => `word ${from + n}`);
  expect(followed.slice(0, 90)).toEqual(words(0, 90));
  expect(followed.filter((line) => line.includes("left out"))).toHaveLength(1);
  expect(followed.slice(-403)).toEqual([...words(400, 800), "I write it.", "It is written.", "= Done. ($0.250)"]);
  expect(statSync(out).size).toBeLessThanOrEqual(2 * 1024 * 1024);
  const later = (await rig.owt("logs", "site/E01")).stdout.trimEnd().split("\n");
  expect(later.slice(0, 90)).toEqual(words(0, 90));
  expect(later.slice(-63)).toEqual([...words(740, 800), "I write it.", "It is written.", "= Done. ($0.250)"]);
  expect((await rig.owt("logs", "site/E01", "--raw")).stdout).toBe(readFileSync(out, "utf8"));
});

test("what was left out of the log still counts for an owt that adopts the agent", async () => {
  const denied = { type: "system", subtype: "permission_denied", tool_name: "WebFetch" };
  const before: Deed[] = [INIT, { words: { from: 0, to: 200 } }, { raw: `${JSON.stringify(denied)}\n` }];
  const after: Deed[] = [{ words: { from: 200, to: 600 } }, { wait: "gate" }, { words: { from: 600, to: 610 } }, DONE];
  await using rig = scriptedRig([[...before, ...after]], "log_head_mb = 1\nlog_tail_mb = 1");
  const out = `${rig.root}/.git/owt/attempts/1/out`;
  const first = rig.start("run", "--yes");
  await vi.waitUntil(() => existsSync(`${out}.gap`) && readFileSync(`${out}.kept`, "utf8").includes("WebFetch"), {
    timeout: 30_000,
  });
  // What is known of the gap is written before the gap is made.
  await vi.waitUntil(() => !readFileSync(out, "utf8").includes("WebFetch"), { timeout: 30_000 });
  first.child.kill("SIGKILL");
  await first.ended;
  const second = rig.start("resume");
  rig.release("gate");
  expect((await second.ended).code).toBe(4);
  expect(await attemptsOf(rig)).toMatchObject([
    { outcome_kind: "denied", outcome: expect.stringContaining("WebFetch") as string },
  ]);
  expect(startsOf(rig)).toHaveLength(1);
});

test("the output of a check is kept small as well, and its end is what is shown", async () => {
  const verify =
    'verify = "test ! -e first.txt || { yes | head -c 9000000; echo THE REASON; false; }"\nverify_attempts = 0\n';
  await using rig = scriptedRig([[INIT, ...WORK, DONE]], `${verify}log_head_mb = 1\nlog_tail_mb = 1`);
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(1);
  expect(ran.stdout).toContain("THE REASON");
  const logs = readdirSync(`${rig.root}/.git/owt/attempts`, { recursive: true, encoding: "utf8" });
  const sizes = logs.map(
    (name) => statSync(`${rig.root}/.git/owt/attempts/${name}`, { throwIfNoEntry: false })?.size ?? 0,
  );
  expect(Math.max(...sizes)).toBeLessThanOrEqual(2 * 1024 * 1024);
  expect(Math.max(...sizes)).toBeGreaterThan(1024 * 1024);
});
