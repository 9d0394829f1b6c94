/** The real Claude Code whose API falls silent in the middle of an answer is ended and goes on in its conversation; one whose tool computes for long without
 *  a word is left alone. */
import { beforeEach, expect, test } from "vitest";
import type { RunReport } from "../../src/core/report.ts";
import { approvedRig, integrated, sessionOf, whyNoClaude, works } from "../rig/claude-plan.ts";

beforeEach((context) => {
  const why = whyNoClaude();
  if (why !== null) context.skip(why);
});

const COMPUTES = "perl -e '$until = time + 40; 1 while time < $until'";

test(
  "an answer that stops in its middle is a hang, a tool that computes in silence is none",
  { timeout: 240_000 },
  async () => {
    const script = {
      "a/E01": { task: [{ say: "I begin", breaks: "stalled" as const }], resume: works("a").task },
      "b/E01": {
        task: [{ use: [{ name: "Bash", input: { command: COMPUTES, timeout: 120_000 } }] }, ...works("b").task],
      },
    };
    const plan = Object.fromEntries(
      ["a", "b"].map((name) => [`docs/plans/${name}/epic-01-page.md`, `# Page ${name}\n\nWrite ${name}.txt.\n`]),
    );
    const config = '[run]\nhung_after = "15s"\n[agent.claude]\nallowed_tools = ["Bash(perl:*)"]\n';
    await using rig = await approvedRig(plan, script, { config });
    const run = rig.owt("run", "--yes");
    await run.exits(0);
    expect(run.err()).toMatch(/a\/E01 hangs: it waits for an answer from 127\.0\.0\.1:\d+, and none comes/);
    expect(run.err()).not.toContain("b/E01 hangs");
    const { report } = await rig.ask<{ report: RunReport }>("report");
    const kinds = Object.fromEntries(
      report.tasks.map(({ id, attempts }) => [id, attempts.map((each) => each.outcome_kind)]),
    );
    expect(kinds).toEqual({ "a/E01": ["hung", "ok"], "b/E01": ["ok"] });
    const sessions = rig.starts().map((start) => sessionOf(start));
    expect(new Set(sessions).size).toBe(2);
    expect(
      integrated(rig)
        .map((line) => line.split(" ")[0])
        .toSorted(),
    ).toEqual(["a/E01", "b/E01"]);
    expect(rig.claudes()).toEqual([]);
  },
);
