/** What `npm run hangs` plays: every way to hang is told apart and dealt with in time, and who is busy without a word is left alone. And what comes
 *  behind a hang. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { RunReport } from "../../src/core/report.ts";
import { demoConfig, Rig, task } from "../rig/rig.ts";
import { type Deed, scriptedRig, startsOf } from "../rig/scripted-claude.ts";
import { BUSY, HANGS, playHangs } from "../stress/hangs.ts";

const INIT: Deed = { init: true };

test.skipIf(!existsSync("/proc/self/stat"))(
  "28 ways to hang are told apart and dealt with in time; 8 ways to be busy without a word are left alone",
  async () => {
    expect([Object.keys(HANGS).length, Object.keys(BUSY).length]).toEqual([28, 8]);
    const seen = await playHangs({ limitMs: 3_000, busyMs: 12_000, parallel: 8 });
    expect(seen.filter(({ defects }) => defects.length > 0)).toEqual([]);
    expect(seen.length).toBeGreaterThan(30);
  },
  300_000,
);

type Report = { report: RunReport };

test("behind a hang the conversation goes on and is told what held it up; the next time it begins afresh; then a person is asked", async () => {
  await using rig = scriptedRig([[INIT, { say: "I look." }, { hang: true }]], 'hung_after = "1s"');
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(1);
  expect(ran.stderr).toContain("hangs: it fell silent");
  const starts = startsOf(rig);
  expect(starts.map(({ isResume }) => isResume)).toEqual([false, true, false]);
  expect(starts[1]!.session).toBe(starts[0]!.session);
  expect(starts[2]!.session).not.toBe(starts[0]!.session);
  const attempts = readdirSync(join(rig.root, ".git/owt/attempts")).toSorted((a, b) => Number(a) - Number(b));
  const prompts = attempts.map((id) => readFileSync(join(rig.root, ".git/owt/attempts", id, "prompt"), "utf8"));
  expect(prompts[1]).toContain("was interrupted: nothing happened for a long time: it fell silent.");
  expect(prompts[2]).not.toContain("interrupted");
  const { report } = await rig.json<Report>("report");
  expect(report.tasks[0]!.attempts.map((each) => each.outcome_kind)).toEqual(["hung", "hung", "hung"]);
  const inbox = await rig.owt("inbox");
  expect(inbox.stdout).toContain("hung: it fell silent");
  expect(inbox.stdout).toContain("owt task retry site/E01");
  expect((await rig.owt("logs", "site/E01")).stdout).toContain("✗ hangs: it fell silent");
});

test("an agent that hangs once is brought to its end by the nudge", async () => {
  await using rig = scriptedRig(
    [
      [INIT, { say: "I look." }, { hang: true }],
      [INIT, { commit: "first.txt" }, { result: { turns: 2 } }],
    ],
    'hung_after = "1s"',
  );
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  expect(startsOf(rig)).toHaveLength(2);
  expect(rig.integrations("owt/runs/r1")).toEqual(["site/E01"]);
});

test("a limit of an agent's own counts for it, and 0 is for ever", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[agent.demo]\nhung_after = "1s"\n[run]\nretries = 0\nhung_after = 0\n`,
    "docs/plans/a/epic-01-a.md": task({}, "hang"),
  });
  expect((await rig.owt("run", "--yes")).stderr).toContain("hangs: it never said a word");
  rig.write({ ".worktreerc": `${demoConfig}[run]\nhung_after = 0\nretries = 0\ntimeout = "3s"\n` });
  const again = await rig.owt("run", "--yes", "--again");
  expect(again.stderr).not.toContain("hangs:");
  expect(again.stderr).toContain("was stopped after 3 s without an end");
});
