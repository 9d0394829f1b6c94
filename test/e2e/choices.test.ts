/** How an agent is run, as configuration, plan, task and command line choose, each over the one before: seen from what the real Claude Code
 *  was started with and what it asked its API for. The seed tools read these keys and used none of them. */
import { beforeEach, expect, test } from "vitest";
import { approvedRig, whyNoClaude, works } from "../rig/claude-plan.ts";
import type { ClaudeRig } from "../rig/claude-rig.ts";

beforeEach((context) => {
  const why = whyNoClaude();
  if (why !== null) context.skip(why);
});

const CONFIGURED = `[run]
max_parallel = 1
[agent.claude]
model = "claude-sonnet-5-5"
max_tokens = 4001
permission_mode = "manual"
allowed_tools = ["Bash(echo configured)"]
extra_args = ["--max-turns", "11"]
`;
const PLANNED = {
  model: "claude-opus-4-8",
  max_tokens: 4002,
  permission_mode: "dontAsk",
  allowed_tools: ["Bash(echo planned)", "Write"],
  extra_args: ["--max-turns", "12"],
};
const OWN = {
  model: "claude-sonnet-4-5",
  max_tokens: 4003,
  permission_mode: "acceptEdits",
  allowed_tools: ["Bash(echo own)"],
  extra_args: ["--max-turns", "13"],
};
const FLAGS = [
  ["--model", "claude-opus-5-5"],
  ["--max-tokens", "4004"],
  ["--permission-mode", "acceptEdits"],
  ["--allowed-tools", "Bash(echo flag)"],
].flat();

/** A feature list of two: one that says nothing of itself, one that says everything. */
function planOf(claude: object | null): Record<string, string> {
  const features = [
    { id: "plain", depends_on: [], description: "Write plain.txt." },
    { id: "own", depends_on: ["plain"], description: "Write own.txt.", ...OWN },
  ];
  return { "feature_list.json": JSON.stringify(claude ? { claude, features } : { features }) };
}

const SCRIPT = { plain: works("plain"), own: works("own") };

type Choices = { model: string; maxTokens: number; mode: string; allows: string; turns: string };

/** What the claude of each task was started with, and what it asked for. */
function choicesOf(rig: ClaudeRig): Record<string, Choices> {
  const starts = rig.starts();
  const asked = ["plain", "own"].map((task) => rig.api.requests.find((request) => request.task === task)!);
  return Object.fromEntries(
    asked.map(({ task, model, maxTokens, session }) => {
      const start = starts.find((each) => each.includes(session))!;
      expect(/--model (\S+)/.exec(start)?.[1]).toBe(model);
      const said = (pattern: RegExp) => pattern.exec(start)?.[1] ?? "";
      const allows = said(/Bash\(echo (\w+)\)/);
      return [
        task,
        { model, maxTokens, mode: said(/--permission-mode (\S+)/), allows, turns: said(/--max-turns (\d+)/) },
      ];
    }),
  );
}

const own = { model: "claude-sonnet-4-5", maxTokens: 4003, mode: "acceptEdits", allows: "own", turns: "13" };

test("a plan's choices stand over the configuration's, a task's over both", async () => {
  await using rig = await approvedRig(planOf(PLANNED), SCRIPT, { config: CONFIGURED });
  await rig.owt("run", "--yes").exits(0);
  const planned = { model: "claude-opus-4-8", maxTokens: 4002, mode: "dontAsk", allows: "planned", turns: "12" };
  expect(choicesOf(rig)).toEqual({ plain: planned, own });
});

test("where the plan says nothing the configuration counts, and the command line stands over all", async () => {
  const config = CONFIGURED.replace("manual", "acceptEdits");
  await using rig = await approvedRig(planOf(null), SCRIPT, { config });
  await rig.owt("run", "plain", "--yes").exits(0);
  await rig.owt("land").exits(0);
  await rig.owt("run", "--yes", ...FLAGS, "--agent-args", "--max-turns", "14").exits(0);
  const configured = {
    model: "claude-sonnet-5-5",
    maxTokens: 4001,
    mode: "acceptEdits",
    allows: "configured",
    turns: "11",
  };
  const flagged = { model: "claude-opus-5-5", maxTokens: 4004, mode: "acceptEdits", allows: "flag", turns: "14" };
  expect(choicesOf(rig)).toEqual({ plain: configured, own: flagged });
});

test("what nobody chose is left to Claude, but for the permission mode", async () => {
  await using rig = await approvedRig(planOf(null), SCRIPT, { config: "" });
  await rig.owt("run", "plain", "--yes").exits(0);
  const [start] = rig.starts();
  expect(start).toContain("--permission-mode acceptEdits");
  expect(start).not.toMatch(/--model|--max-turns/);
  expect(start).toMatch(/--allowedTools( Bash\(git \w+:\*\))+$/);
});
