/** kill -9 in the middle of a tool of the real Claude Code: of the agent, of the orchestrator, of both, at a moment of chance. Judged from
 *  git, from how claude was started, and from what the API was asked. Twice each here; `npm run kills` does it twenty times. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test, vi } from "vitest";
import type { RunReport } from "../../src/core/report.ts";
import { approvedRig, integrated, sessionOf, SINGLE, turnsOf, whyNoClaude } from "../rig/claude-plan.ts";
import type { Answer } from "../rig/fake-api.ts";

const KILLS = Number(process.env["OWT_CLAUDE_KILLS"] ?? 2);

beforeEach((context) => {
  const why = whyNoClaude();
  if (why !== null) context.skip(why);
});

const bash = (command: string) => ({ name: "Bash", input: { command, description: "Do it" } });

/** A tool that goes on until it is let through. */
const HOLDS = "touch in-tool; until [ -e \"$HOME/through\" ]; do perl -e 'select(undef, undef, undef, 0.02)'; done";
const COMMIT: Answer = { use: [bash("printf one >first.txt; git add first.txt; git commit -q -m 'Add first.txt'")] };
const DONE: Answer = { say: "It is written." };

test.each([
  ["the agent", { agent: true, owt: false }],
  ["the orchestrator", { agent: false, owt: true }],
  ["both", { agent: true, owt: true }],
])("kill -9 of %s in the middle of a tool", { timeout: 60_000 + KILLS * 30_000 }, async (_, victims) => {
  for (let round = 0; round < KILLS; round++) await killOnce(victims, (round * 37) % 150);
  console.log(
    `${KILLS} kills: each conversation resumed under its own id, each prompt given once, each commit integrated once`,
  );
});

async function killOnce(victims: { agent: boolean; owt: boolean }, delayMs: number): Promise<void> {
  const task: Answer[] = [{ say: "I wait.", use: [bash("sh hold.sh")] }, COMMIT, DONE];
  const config = '[agent.claude]\nallowed_tools = ["Bash(sh hold.sh)", "Bash(printf:*)", "Bash(touch:*)"]\n';
  const plan = { ...SINGLE, "hold.sh": HOLDS };
  await using rig = await approvedRig(plan, { "site/E01": { task, resume: [COMMIT, DONE] } }, { config });
  const first = rig.owt("run", "--yes");
  const inTool = () => rig.processes().some((line) => line.endsWith("sh hold.sh"));
  await first.brings(vi.waitUntil(inTool, { timeout: 60_000 }));
  // Somewhere in the tool's time: what is to be seen is that it does not matter where.
  await new Promise((later) => setTimeout(later, delayMs));
  if (victims.owt) first.kill();
  if (victims.agent) for (const pid of rig.claudes()) process.kill(pid, "SIGKILL");
  if (victims.owt) await first.exits("SIGKILL");
  const last = victims.owt ? rig.owt("resume") : first;
  writeFileSync(join(rig.home, "through"), "");
  await last.exits(0);

  expect(integrated(rig)).toEqual(["site/E01 no"]);
  expect(rig.git("show", "owt/runs/r1:first.txt")).toBe("one");
  const [start, ...more] = rig.starts();
  expect(start).toContain("--session-id");
  expect(more.map((each) => each.includes("--resume"))).toEqual(victims.agent ? [true] : []);
  expect(new Set(rig.starts().map(sessionOf)).size).toBe(1);
  expect(turnsOf(rig, "site/E01")).toEqual(
    victims.agent ? ["task 0", "resume 0", "resume 1"] : ["task 0", "task 1", "task 2"],
  );
  const { report } = await rig.ask<{ report: RunReport }>("report");
  const books = rig.api.ledger.reduce((sum, each) => sum + each.usd, 0);
  // An answer that the kill left out of claude's own records is marked as missing, never counted as nothing.
  if (report.cost_missing.length === 0) expect(report.cost_usd).toBeCloseTo(books, 6);
  else expect(report.cost_at_least && report.cost_usd! < books).toBe(true);
  expect(rig.processes()).toEqual([]);
}
