/** What a run cost: the figures of owt against the books of the API itself, in both versions of the real Claude Code, through resumes,
 *  a fork, and kills of whoever was at work. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import type { RunReport } from "../../src/core/report.ts";
import { CLAUDE_VERSIONS, claudeBinary, type ClaudeVersion } from "../rig/claude-binary.ts";
import { type ClaudeRig, claudeRig } from "../rig/claude-rig.ts";
import { type Answer, type Booked, makeGate, type Script, startFakeApi } from "../rig/fake-api.ts";
import { Rig } from "../rig/rig.ts";

const VERSIONS = CLAUDE_VERSIONS.map((version) => ({
  version,
  whyNot: !existsSync("/proc/self/stat")
    ? "what still runs is judged from /proc, which this machine has not"
    : existsSync(claudeBinary(version))
      ? null
      : `no real Claude Code ${version}; fetch it with: node scripts/fetch-agents.ts`,
}));

const PLAN = { "docs/plans/site/epic-01-first.md": "# The first page\n\nWrite first.txt.\n" };

const bash = (command: string) => ({ name: "Bash", input: { command, description: "Do it" } });

/** Writes a file in several words of the model, each of which the API counts differently. */
function works(text: string, tokens: Answer["tokens"] = {}): Answer[] {
  return [
    {
      say: `I write ${text}.`,
      use: [bash(`printf '%s\\n' '${text}' >first.txt`), bash("git add first.txt")],
      tokens: { input: 700, cacheRead: 31_000, cacheWrite5m: 1_100, cacheWrite1h: 900, output: 432, ...tokens },
    },
    { use: [bash(`git commit -q -m '${text}'`)], tokens: { cacheRead: 33_000, output: 77 } },
    { say: "It is written." },
  ];
}

async function rigOf(version: ClaudeVersion, script: Script, files: Record<string, string>): Promise<ClaudeRig> {
  const rig = await claudeRig({ api: await startFakeApi(script), files: { ...PLAN, ...files }, version });
  await rig.ask("config", "approve", "--yes");
  return rig;
}

const sum = (ledger: readonly Booked[]) => ledger.reduce((usd, each) => usd + each.usd, 0);

async function reportOf(rig: ClaudeRig): Promise<RunReport> {
  return (await rig.ask<{ report: RunReport }>("report")).report;
}

describe.each(VERSIONS)("Claude Code $version", ({ version, whyNot }) => {
  test("three resumes and a fork cost what the API counted, to the cent and in each attempt", async ({ skip }) => {
    if (whyNot !== null) skip(whyNot);
    const texts = ["one", "two", "three", "four", "five"];
    const script = { "site/E01": { task: works("one"), repair: works("again", { output: 1_234 }) } };
    const files = {
      ".worktreerc": `[run]\nverify = "sh check.sh"\nverify_attempts = 4\nflaky_reruns = 0\n[agent.claude]\nallowed_tools = ["Bash(printf:*)"]\ncommand = ["sh", "claude.sh"]\n`,
      // A claude of the user's own, which goes on in a fork from when a file says so.
      "claude.sh": `if [ -e "$HOME/fork" ]; then exec claude --fork-session "$@"; fi\nexec claude "$@"\n`,
      // Red four times, but for what the run begins with; the last repair goes on in a fork.
      "check.sh": `[ -e first.txt ] || exit 0\nn=$(cat "$HOME/n" 2>/dev/null || echo 0); n=$((n + 1)); echo $n >"$HOME/n"\n[ $n -lt 4 ] || : >"$HOME/fork"\n[ $n -gt 4 ]\n`,
    };
    await using rig = await rigOf(version, script, files);
    const run = rig.owt("run", "--yes");
    await run.exits(0);

    expect(rig.starts().map((start) => /--fork-session|--resume|--session-id/.exec(start)?.[0])).toEqual([
      "--session-id",
      ...Array.from({ length: 3 }, () => "--resume"),
      "--fork-session",
    ]);
    const report = await reportOf(rig);
    const { ledger } = rig.api;
    expect(ledger).toHaveLength(3 * texts.length);
    expect(report.cost_usd).toBeCloseTo(sum(ledger), 6);
    expect(report).toMatchObject({ cost_at_least: false, cost_basis: "reported", cost_missing: [] });
    const [task] = report.tasks;
    expect(task!.cost_usd).toBeCloseTo(sum(ledger), 6);
    task!.attempts.forEach((attempt, index) => {
      const mine = ledger.slice(3 * index, 3 * index + 3);
      expect(attempt.cost_usd).toBeCloseTo(sum(mine), 6);
      expect(attempt.output_tokens).toBe(mine.reduce((all, each) => all + each.tokens.output, 0));
      expect(attempt.cache_read_tokens).toBe(64_000);
    });
    expect(report.models).toMatchObject([{ model: ledger[0]!.model, output_tokens: report.output_tokens }]);
    expect(report.models[0]!.cost_usd).toBeCloseTo(sum(ledger), 6);
  });

  test.each([["claude"], ["owt"], ["claude and owt"]])(
    "after a kill -9 of %s in the middle of a tool the cost is what the API counted",
    async (victims) => {
      if (whyNot !== null) return;
      const linger: Answer = { say: "I wait.", use: [bash("sh linger.sh")], tokens: { output: 555, cacheRead: 9_000 } };
      const [write, ...rest] = works("one");
      const script = { "site/E01": { task: [write!, linger, ...rest], resume: rest } };
      await using rig = await rigOf(version, script, LINGERING);
      const first = rig.owt("run", "--yes");
      await first.brings(vi.waitUntil(() => existsSync(join(rig.home, "lingers")), { timeout: 60_000 }));
      await vi.waitUntil(() => isRecorded(rig, 2), { timeout: 60_000 });
      if (victims.includes("owt")) {
        first.kill();
        await first.exits("SIGKILL");
      }
      if (victims.includes("claude")) for (const pid of rig.claudes()) process.kill(pid, "SIGKILL");
      writeFileSync(join(rig.home, "go"), "");
      const last = victims.includes("owt") ? rig.owt("run", "--yes") : first;
      await last.exits(0);

      const report = await reportOf(rig);
      expect(rig.api.ledger.every((each) => each.whole)).toBe(true);
      expect(report.cost_usd).toBeCloseTo(sum(rig.api.ledger), 6);
      expect(report).toMatchObject({ cost_at_least: false, cost_missing: [] });
      const attempts = report.tasks[0]!.attempts.map((attempt) => attempt.cost_basis);
      expect(attempts).toEqual(victims.includes("claude") ? ["list", "reported"] : ["reported"]);
      expect(report.output_tokens).toBe(rig.api.ledger.reduce((all, each) => all + each.tokens.output, 0));
    },
  );

  // A seed read these keys of its configuration and used neither.
  test("the configured model and length of an answer are asked for, and the model is what is paid", async ({
    skip,
  }) => {
    if (whyNot !== null) skip(whyNot);
    const files = {
      ".worktreerc": `[agent.claude]\nmodel = "claude-sonnet-4-5"\nmax_tokens = 4321\nallowed_tools = ["Bash(printf:*)"]\n`,
    };
    await using rig = await rigOf(version, { "site/E01": { task: works("one") } }, files);
    const run = rig.owt("run", "--yes");
    await run.exits(0);
    const asked = rig.api.requests.map(({ model, maxTokens }) => [model, maxTokens]);
    expect(asked).toEqual(Array.from({ length: 3 }, () => ["claude-sonnet-4-5", 4321]));
    const report = await reportOf(rig);
    expect(report.models).toMatchObject([{ model: "claude-sonnet-4-5", cost_basis: "reported" }]);
    expect(report.cost_usd).toBeCloseTo(sum(rig.api.ledger), 6);
  });

  test("after a kill -9 in the middle of an answer the cost is that of the whole ones, and says that it is at least so much", async ({
    skip,
  }) => {
    if (whyNot !== null) skip(whyNot);
    const midway = makeGate();
    const [write, commit, end] = works("one");
    const cut: Answer = { say: "I will", use: commit!.use!, midway };
    await using rig = await rigOf(
      version,
      { "site/E01": { task: [write!, cut, end!], resume: [commit!, end!] } },
      LINGERING,
    );
    const first = rig.owt("run", "--yes");
    await first.brings(midway.reached);
    await vi.waitUntil(() => isRecorded(rig, 1), { timeout: 60_000 });
    first.kill();
    await first.exits("SIGKILL");
    for (const pid of rig.claudes()) process.kill(pid, "SIGKILL");
    await vi.waitUntil(() => rig.api.ledger.some((each) => !each.whole), { timeout: 60_000 });
    midway.release();
    const last = rig.owt("run", "--yes");
    await last.exits(0);

    const report = await reportOf(rig);
    expect(rig.api.ledger.filter((each) => !each.whole)).toHaveLength(1);
    expect(report.cost_usd).toBeCloseTo(sum(rig.api.ledger), 6);
    expect(report).toMatchObject({ cost_at_least: true, cost_missing: ["an answer that was cut off"] });
    expect(last.out()).toMatch(/cost at least \$0\.\d+/);
    const words = rig.owt("report");
    await words.exits(0);
    expect(words.out()).toMatch(/cost +at least \$0\.\d+ \(not in it: an answer that was cut off\)/);
  });
});

const LINGERING = {
  ".worktreerc": `[agent.claude]\nallowed_tools = ["Bash(printf:*)", "Bash(sh linger.sh)"]\n`,
  "linger.sh": `echo up >"$HOME/lingers"\nuntil [ -e "$HOME/go" ]; do sleep 0.1; done\n`,
};

/** Whether so many whole answers stand in what Claude keeps of its conversations. */
function isRecorded(rig: ClaudeRig, answers: number): boolean {
  const projects = join(rig.home, ".claude", "projects");
  if (!existsSync(projects)) return false;
  const files = readdirSync(projects, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".jsonl"));
  const text = files.map((name) => readFileSync(join(projects, name), "utf8")).join("\n");
  return new Set(text.match(/"id":"msg_\d+"(?=[^\n]*"stop_reason":"tool_use")/g)).size >= answers;
}

describe("the report", () => {
  const task = (...steps: string[]) => `# A task\n\n\`\`\`demo\n${steps.join("\n")}\n\`\`\`\n`;

  test("shows cost by attempt, task, model and run, and never takes what is unknown for nothing", async () => {
    await using rig = Rig.create({
      "docs/plans/shop/epic-01-paid.md": task(
        "cost 0.5",
        "tokens claude-opus-5-5 100000 10000",
        'ask "red?"',
        "on answer:",
        "cost 1.25",
        'write a.txt "a"',
      ),
      "docs/plans/shop/epic-02-odd.md": task("tokens new-model 5 6", 'write b.txt "b"'),
      "docs/plans/shop/epic-03-mute.md": "---\nagent: mute\n---\n# Mute\n\nSay nothing.\n",
      ".worktreerc": '[agent]\ndefault = "demo"\n[agent.mute]\ncommand = ["sh", "mute.sh"]\n',
      "mute.sh": "cat >/dev/null; echo c >c.txt\n",
    });
    expect((await rig.owt("run", "--yes")).code).toBe(4);
    rig.ok("task", "answer", "shop/E01", "red");
    const ended = await rig.owt("resume");
    expect(ended).toMatchObject({ code: 0 });
    expect(ended.stdout).toContain("cost at least $2.35");

    const { report } = await rig.json<{ report: RunReport }>("report");
    expect(report).toMatchObject({ cost_at_least: true, cost_basis: "mixed" });
    expect(report.cost_usd).toBeCloseTo(0.5 + 0.6 + 1.25, 9);
    expect(report.cost_missing.toSorted()).toEqual(["mute does not say what it cost", "new-model has no known price"]);
    expect(report.models.map(({ model, cost_usd, cost_basis }) => [model, cost_usd, cost_basis])).toEqual([
      ["demo", 1.75, "reported"],
      ["claude-opus-5-5", 0.6, "list"],
      ["new-model", null, "unknown"],
    ]);
    expect(report.tasks.map(({ cost_usd, cost_at_least }) => [cost_usd, cost_at_least])).toEqual([
      [2.35, false],
      [null, true],
      [null, true],
    ]);
    expect(report.tasks[0]!.attempts.map(({ cost_usd }) => cost_usd)).toEqual([1.1, 1.25]);
    const markdown = rig.ok("report", "--markdown");
    expect(markdown).toMatch(/\| shop\/E01 1 \| demo \| [^|]* \| \$1\.10 \| mixed \| 100k \|/);
    expect(markdown).toMatch(/\| new-model \| unknown \| unknown \| 5 \| 0 \| 0 \| 6 \|/);
    expect(markdown).toMatch(/\| shop\/E03 \| done \| 1 \| [^|]* \| [^|]* \| unknown \|/);
    expect(rig.ok("task", "show", "shop/E01")).toMatch(/cost \$2\.35[\s\S]*attempt 2 \(demo\): done · cost \$1\.25/);
  });

  test("takes the user's own prices before ours, and refuses a list with mistakes", async () => {
    await using rig = Rig.create({
      "docs/plans/shop/epic-01-odd.md": task("tokens new-model 1000000 0", 'write b.txt "b"'),
      ".worktreerc": '[agent]\ndefault = "demo"\n',
    });
    const price = (tier: object) => ({
      prices: [{ models: ["new-model"], tiers: [tier], source: "a contract", verified: "2026-11-01" }],
    });
    rig.userFile("prices.json", JSON.stringify(price({ input: 3 })));
    // Who only looks is told of it; who starts work is refused.
    expect(await rig.owt("status")).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("prices.json") as string,
    });
    const refused = await rig.owt("run", "--yes");
    expect([refused.code, refused.stderr]).toEqual([
      3,
      expect.stringMatching(/prices\.json: prices\.0\.tiers\.0\.output/),
    ]);
    rig.userFile("prices.json", JSON.stringify(price({ input: 3, output: 9 })));
    expect((await rig.owt("run", "--yes")).stdout).toContain("cost $3.00");
  });
});
