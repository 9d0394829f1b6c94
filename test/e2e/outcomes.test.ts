/** How a turn of the real Claude Code may end, in both pinned versions: each way becomes its outcome, from structured evidence.
 *  The rows are those that were measured on the binaries; what they print is compared with what the API was asked. */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { RunReport } from "../../src/core/report.ts";
import { CLAUDE_VERSIONS, type ClaudeVersion } from "../rig/claude-binary.ts";
import { usageLimit } from "../rig/claude-login.ts";
import { approvedRig, integrated, sessionOf, SINGLE, whyNoClaude, works } from "../rig/claude-plan.ts";
import { type Answer, type ApiError, makeGate } from "../rig/fake-api.ts";

type Row = {
  /** What the model says, word by word. */
  task: Answer[];
  outcome: string;
  /** What the words of the outcome say. */
  says?: RegExp;
  /** How often the API was asked, in each version where they differ; null where time decides. */
  calls: number | Record<ClaudeVersion, number> | null;
};

const failure = (status: number, type: string, message: string, headers?: Record<string, string>): ApiError => ({
  status,
  type,
  message,
  ...(headers ? { headers } : {}),
});
const fails = (...error: Parameters<typeof failure>): Answer[] => [{ error: failure(...error) }];
/** Works after its first word failed so often. */
const worksAfter = (name: string, first: Answer[]): Answer[] => {
  const [word, ...rest] = works(name).task;
  return [{ ...word!, first }, ...rest];
};
const overloaded = failure(529, "overloaded_error", "Overloaded");
const broken = failure(500, "api_error", "Internal server error");

const repeat = (count: number, answer: Answer): Answer[] => Array.from({ length: count }, () => answer);

/** With an API key, and one retry of Claude's own. */
const ORDINARY: Record<string, Row> = {
  works: { task: works("works").task, outcome: "ok", calls: 3 },
  "changes-nothing": {
    task: [{ say: "I found nothing to do." }],
    outcome: "nothing_done",
    says: /found nothing/,
    calls: 1,
  },
  asks: {
    task: [{ say: "I looked.\n\nOWT-QUESTION: Which colour?" }],
    outcome: "asked",
    says: /Which colour/,
    calls: 1,
  },
  "is-denied": {
    task: [
      { use: [{ name: "Bash", input: { command: "sh deploy.sh", description: "Deploy" } }] },
      { say: "I may not." },
    ],
    outcome: "denied",
    says: /Bash/,
    calls: 2,
  },
  "prompt-too-long": {
    task: fails(400, "invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum"),
    outcome: "failed",
    says: /too long/i,
    calls: 1,
  },
  "no-such-model": {
    task: fails(404, "not_found_error", "model: claude-nope"),
    outcome: "failed",
    says: /model/,
    calls: 2,
  },
  "rate-limited-once": {
    task: worksAfter("rate", fails(429, "rate_limit_error", "Slow down.", { "retry-after": "2" })),
    outcome: "ok",
    calls: 4,
  },
  "rate-limited": {
    task: fails(429, "rate_limit_error", "This would exceed your limit.", { "retry-after": "3600" }),
    outcome: "limit",
    calls: 1,
  },
  "overloaded-once": { task: worksAfter("over", [{ error: overloaded }]), outcome: "ok", calls: 4 },
  "broken-once": { task: worksAfter("broken", [{ error: broken }]), outcome: "ok", calls: 4 },
  overloaded: { task: [{ error: overloaded }], outcome: "transient", says: /529|overloaded/i, calls: 2 },
  broken: { task: [{ error: broken }], outcome: "transient", says: /500|server error/i, calls: 2 },
  "cut-off": { task: [{ say: "I begin", breaks: "cut" }], outcome: "transient", calls: 3 },
  "overloaded-within": {
    task: [{ say: "I begin", breaks: "error-event" }],
    outcome: "transient",
    calls: { "2.1.329": 2, "2.1.197": 3 },
  },
  "a-page-between": { task: [{ page: "<html>Sign in to the network</html>" }], outcome: "transient", calls: 2 },
  "socket-destroyed": { task: [{ breaks: "destroyed" }], outcome: "transient", calls: 2 },
  "socket-destroyed-once": { task: worksAfter("socket", [{ breaks: "destroyed" }]), outcome: "ok", calls: 4 },
  "speaks-too-long": { task: repeat(12, { say: "and so on", stop: "max_tokens" }), outcome: "failed", calls: 4 },
  refuses: {
    task: repeat(5, { say: "I will not.", stop: "refusal" }),
    outcome: "failed",
    says: /safeguards|unable/i,
    calls: { "2.1.329": 2, "2.1.197": 1 },
  },
};

describe.each(CLAUDE_VERSIONS)("claude %s", (version) => {
  beforeEach((context) => {
    const why = whyNoClaude(version);
    if (why !== null) context.skip(why);
  });

  test("with an API key, each end is told apart", async () => {
    await expectRows(version, ORDINARY, {});
  });

  test("an invalid key that Claude keeps asking with is told as what it is, long before it gives up", async () => {
    const error = failure(401, "authentication_error", "invalid x-api-key");
    const rows: Record<string, Row> = { it: { task: [{ error }], outcome: "auth", calls: null } };
    await expectRows(version, rows, { CLAUDE_CODE_MAX_RETRIES: undefined });
  });

  test.each([
    ["an invalid key", failure(401, "authentication_error", "invalid x-api-key"), "auth", 2],
    ["a key without the right", failure(403, "permission_error", "Your API key does not have permission"), "auth", 1],
    [
      "no credit",
      failure(400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
      "billing",
      1,
    ],
  ])("%s", async (_, error, outcome, calls) => {
    await expectRows(version, { it: { task: [{ error }], outcome, calls } }, {});
  });

  test("with a subscription: a used-up window, and one that warns only", async () => {
    const resetsAt = Math.ceil(Date.now() / 1_000) + 3_600;
    const name = "anthropic-ratelimit-unified";
    const warning = {
      [`${name}-status`]: "allowed_warning",
      [`${name}-reset`]: String(resetsAt),
      [`${name}-representative-claim`]: "five_hour",
      [`${name}-5h-utilization`]: "0.93",
      [`${name}-5h-reset`]: String(resetsAt),
      [`${name}-5h-surpassed-threshold`]: "0.9",
    };
    const [first, ...rest] = works("a").task;
    const rows: Record<string, Row> = {
      "used-up": {
        task: [{ error: usageLimit(resetsAt) }],
        outcome: "limit",
        says: new RegExp(new Date(resetsAt * 1_000).toISOString().replaceAll(".", "\\.")),
        calls: 1,
      },
      warned: { task: [{ ...first!, headers: warning }, ...rest], outcome: "ok", calls: 3 },
    };
    await expectRows(version, rows, { ANTHROPIC_API_KEY: undefined, CLAUDE_CODE_OAUTH_TOKEN: "sk-ant-oat01-dummy" });
  });

  test("an API that is silent: Claude gives up, or our timeout ends it", async () => {
    const silent = {
      silent: { task: [{ breaks: "silent" }], outcome: "transient", says: /timed out/i, calls: 2 },
    } as const;
    await expectRows(version, silent as unknown as Record<string, Row>, { API_TIMEOUT_MS: "2000" });
    const stalled: Record<string, Row> = {
      stalled: { task: [{ say: "I begin", breaks: "stalled" }], outcome: "timed_out", calls: 1 },
    };
    await expectRows(version, stalled, {}, 'timeout = "6s"');
  });

  test("what the same prompt would meet again is tried once", async () => {
    const { "prompt-too-long": long, "speaks-too-long": speaks, refuses } = ORDINARY;
    const rows = { long, speaks, refuses };
    const plan = Object.fromEntries(
      Object.keys(rows).map((name) => [`docs/plans/${name}/epic-01-row.md`, `# Row ${name}\n\nDo ${name}.\n`]),
    );
    const script = Object.fromEntries(Object.entries(rows).map(([name, row]) => [`${name}/E01`, { task: row!.task }]));
    await using rig = await approvedRig(plan, script, { version, config: "[run]\nretries = 2\n" });
    await rig.owt("run", "--yes").exits(1);
    expect(rig.starts()).toHaveLength(3);
  });

  test("a limit that names no reset: what we guess is told as that", async () => {
    const error = failure(429, "rate_limit_error", "This would exceed your limit.", { "retry-after": "3600" });
    await using rig = await approvedRig(SINGLE, { "site/E01": { task: [{ error }] } }, { version });
    const run = rig.owt("run", "--yes");
    await run.brings(vi.waitUntil(() => run.err().includes("no reset known; next try at"), { timeout: 60_000 }));
    expect(run.err()).not.toContain("usage limit until");
    const status = rig.owt("status");
    await status.exits(0);
    expect(status.out()).toMatch(/^ {2}usage limit, no reset known; next try at .*\d\d:\d\d: /m);
    await run.leave();
  });

  test("a conversation that is gone where it was to go on: said by Claude, and started afresh under another id", async () => {
    const gate = makeGate();
    const [write, ...rest] = works("first").task;
    const script = { "site/E01": { task: [write!, { ...rest[0]!, gate }, ...rest.slice(1)] } };
    await using rig = await approvedRig(SINGLE, script, { version });
    const run = rig.owt("run", "--yes");
    await run.brings(gate.reached);
    run.pressCtrlC();
    await run.exits(130);
    gate.release();
    const records = join(rig.home, ".claude", "projects");
    const session = sessionOf(rig.starts()[0]!);
    for (const folder of readdirSync(records)) writeFileSync(join(records, folder, `${session}.jsonl`), "");
    const resumed = rig.owt("resume");
    await resumed.exits(0);

    expect(integrated(rig)).toEqual(["site/E01 yes"]);
    const [, again, afresh, ...more] = rig.starts();
    expect(again).toContain(`--resume ${session}`);
    expect(afresh).toContain("--session-id");
    expect(sessionOf(afresh!)).not.toBe(session);
    expect(more).toEqual([]);
    expect(resumed.err()).toMatch(/No conversation found/);
  });

  test("an id that is taken: said by Claude, and tried again under another one", async () => {
    const taken =
      'if [ ! -e "$HOME/taken" ]; then : >"$HOME/taken"; claude "$@" </dev/null >/dev/null 2>&1; echo x | claude "$@" >/dev/null 2>&1; fi\nexec claude "$@"\n';
    const files = { ...SINGLE, "claude.sh": taken };
    const config = '[agent.claude]\ncommand = ["sh", "claude.sh"]\n';
    await using rig = await approvedRig(files, { "site/E01": works("first") }, { version, config });
    const run = rig.owt("run", "--yes");
    await run.exits(0);
    expect(integrated(rig)).toEqual(["site/E01 no"]);
    expect(run.err()).toMatch(/already in use/);
    expect(new Set(rig.starts().map(sessionOf)).size).toBe(2);
  });

  test("Claude's own caps: turns and money", async () => {
    const rows: Record<string, Row> = { it: { task: repeat(9, works("a").task[1]!), outcome: "turns", calls: 3 } };
    await expectRows(version, rows, {}, "", 'extra_args = ["--max-turns", "3"]');
    const dear: Record<string, Row> = { it: { task: repeat(9, works("a").task[1]!), outcome: "budget", calls: 2 } };
    await expectRows(version, dear, {}, "", 'extra_args = ["--max-budget-usd", "0.01"]');
  });
});

/** Runs each row as a task of its own and compares how they ended; all in one run, but for those that meet a limit or an API out of reach: these hold the others. */
async function expectRows(
  version: ClaudeVersion,
  rows: Record<string, Row>,
  env: Record<string, string | undefined>,
  run = "",
  claude = "",
): Promise<void> {
  const holds = (outcome: string) => outcome === "limit" || outcome === "transient";
  const holding = Object.entries(rows).filter(([, { outcome }]) => holds(outcome));
  const others = Object.entries(rows).filter(([, { outcome }]) => !holds(outcome));
  for (const group of [others, ...holding.map((row) => [row])])
    if (group.length > 0) await expectGroup(version, Object.fromEntries(group), env, run, claude);
}

async function expectGroup(
  version: ClaudeVersion,
  rows: Record<string, Row>,
  env: Record<string, string | undefined>,
  run: string,
  claude: string,
): Promise<void> {
  const plan = Object.fromEntries(
    Object.keys(rows).map((name) => [`docs/plans/${name}/epic-01-row.md`, `# Row ${name}\n\nDo ${name}.\n`]),
  );
  const script = Object.fromEntries(Object.entries(rows).map(([name, { task }]) => [`${name}/E01`, { task }]));
  const config = `[run]\nretries = 0\nmax_parallel = 3\n${run}\n[agent.claude]\n${claude}\n`;
  await using rig = await approvedRig(plan, script, { version, env, config });
  const ran = rig.owt("run", "--yes");
  await ran.brings(vi.waitUntil(() => ran.err().includes("started"), { timeout: 60_000 }));
  const isOver = (report: RunReport) => report.tasks.every((task) => task.attempts.at(-1)?.outcome_kind);
  const report = await vi.waitUntil(
    async () => {
      const data = await rig.ask<{ report: RunReport | null }>("report");
      return data.report && isOver(data.report) ? data.report : null;
    },
    { timeout: 120_000, interval: 1_000 },
  );
  // What waits for a limit waits on.
  await ran.leave();
  const seen = report.tasks.map((task) => {
    const attempt = task.attempts.at(-1)!;
    const calls = rig.api.requests.filter((request) => request.task === task.id).length;
    return { name: task.id.split("/")[0]!, attempt, calls };
  });
  const expectedCalls = (name: string): Row["calls"] => {
    const { calls } = rows[name]!;
    return calls !== null && typeof calls === "object" ? calls[version] : calls;
  };
  for (const { name, attempt, calls } of seen)
    console.log(
      `${version} ${name}: ${attempt.outcome_kind}, ${calls} calls, ${attempt.duration_ms} ms: ${attempt.outcome}`,
    );
  expect(rig.api.flaws).toEqual([]);
  const ends = seen.map(({ name, attempt, calls }) => {
    const counted = rows[name]!.calls === null ? null : calls;
    return { name, outcome: attempt.outcome_kind, calls: counted };
  });
  expect(ends).toEqual(seen.map(({ name }) => ({ name, outcome: rows[name]!.outcome, calls: expectedCalls(name) })));
  for (const { name, attempt } of seen) if (rows[name]!.says) expect(attempt.outcome).toMatch(rows[name]!.says);
  // The shells that owt keeps for itself end when they see that it has.
  await expect.poll(() => rig.processes()).toEqual([]);
}
