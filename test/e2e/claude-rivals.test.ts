/** `owt run --rivals 2` with the real Claude Code: two models of the configuration do one task, behind a fake API. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import type { RunReport } from "../../src/core/report.ts";
import { usageLimit } from "../rig/claude-login.ts";
import {
  approvedRig,
  carriedBy,
  CONFIG,
  integrated,
  sessionOf,
  SINGLE,
  whyNoClaude,
  works,
} from "../rig/claude-plan.ts";
import type { ClaudeRig } from "../rig/claude-rig.ts";
import { makeGate } from "../rig/fake-api.ts";

beforeEach((context) => {
  const why = whyNoClaude();
  if (why !== null) context.skip(why);
});

const [SMALL, LARGE] = ["claude-haiku-4-5", "claude-opus-4-5"];
const MODELS = `${CONFIG}
[agent.small]
kind = "claude"
model = "${SMALL}"

[agent.large]
kind = "claude"
model = "${LARGE}"
`;
const BOTH = ["run", "--yes", "--rivals", "2", "--agents", "large,small"];

/** Each model's own requests about the task, in words. */
function turnsByModel(rig: ClaudeRig, model: string): string[] {
  const mine = rig.api.requests.filter((request) => request.model === model && request.task !== "");
  return mine.map(({ task, occasion, turn }) => `${task} ${occasion} ${turn}`);
}

test("two models do a task; owt is killed in the middle of the contest; the smaller work comes in, the larger can be had back", async () => {
  const gate = makeGate();
  const script = {
    [`site/E01@${LARGE}`]: works("first", { text: "first\nand\nmore", gate }),
    [`site/E01@${SMALL}`]: works("first"),
  };
  await using rig = await approvedRig(SINGLE, script, { config: MODELS });
  const killed = rig.owt(...BOTH);
  await killed.brings(gate.reached);
  await killed.brings(expect.poll(killed.err, { timeout: 60_000 }).toContain("site/E01@small waits for its rivals"));
  const before = rig.claudes();
  expect(before).toHaveLength(1);
  killed.kill();
  await killed.exits("SIGKILL");

  const next = rig.owt("resume");
  await next.brings(carriedBy(rig, next.pid));
  expect(rig.claudes()).toEqual(before);
  gate.release();
  await next.exits(0);
  expect(next.err()).toContain("site/E01 small did it best (1 changed line against 3); over site/E01@large");
  expect(integrated(rig)).toEqual(["site/E01 yes"]);
  expect(rig.git("show", "owt/runs/r1:first.txt")).toBe("first");

  // Each model was asked for its own words, once, in a conversation of its own.
  expect(turnsByModel(rig, SMALL)).toEqual([0, 1, 2].map((turn) => `site/E01 task ${turn}`));
  expect(turnsByModel(rig, LARGE)).toEqual([0, 1, 2].map((turn) => `site/E01 task ${turn}`));
  expect(new Set(rig.starts().map(sessionOf)).size).toBe(2);
  expect(rig.starts()).toHaveLength(2);
  const { report } = await rig.ask<{ report: RunReport }>("report");
  expect(report.contests).toMatchObject([{ task: "site/E01", winner: "small", why: "1 changed line against 3" }]);
  expect(report.models.map(({ model }) => model).toSorted()).toEqual([SMALL, LARGE]);
  const { rescues } = await rig.ask<{ rescues: { id: string }[] }>("restore");
  const lost = rescues.find(({ id }) => id.startsWith("r1-site-e01-large-"));
  const back = await rig.ask<{ path: string }>("restore", lost!.id);
  expect(readFileSync(join(back.path, "first.txt"), "utf8")).toBe("first\nand\nmore\n");
  expect(rig.processes()).toEqual([]);
});

test("a model that a usage limit holds is not waited for; the other one, red at first, mends its work in its own conversation and wins", async () => {
  const limit = makeGate();
  const [write, commit, last] = works("first", { text: "TODO" }).task;
  const mend = works("first").task;
  const resetsAt = Math.ceil(Date.now() / 1_000) + 3_600;
  const script = {
    [`site/E01@${LARGE}`]: { task: [{ gate: limit, error: usageLimit(resetsAt) }] },
    [`site/E01@${SMALL}`]: { task: [write!, commit!, last!], repair: mend },
  };
  const env = { ANTHROPIC_API_KEY: undefined, CLAUDE_CODE_OAUTH_TOKEN: "sk-ant-oat01-dummy" };
  await using rig = await approvedRig(SINGLE, script, { config: MODELS, env });
  const run = rig.owt(...BOTH);
  await run.brings(limit.reached);
  await run.brings(expect.poll(run.err, { timeout: 60_000 }).toContain("site/E01@small waits for its rivals"));
  limit.release();
  await run.exits(0);
  expect(integrated(rig)).toEqual(["site/E01 yes"]);
  expect(rig.git("show", "owt/runs/r1:first.txt")).toBe("first");
  const { report } = await rig.ask<{ report: RunReport }>("report");
  expect(report.contests[0]).toMatchObject({ winner: "small", why: expect.stringContaining("limit") });
  const small = rig.starts().filter((start) => start.includes(SMALL));
  expect(small).toHaveLength(2);
  expect(new Set(small.map(sessionOf)).size).toBe(1);
  expect(small[1]).toContain(`--resume ${sessionOf(small[0]!)}`);
  expect(existsSync(`${rig.root}-owt`)).toBe(false);
  expect(rig.processes()).toEqual([]);
});
