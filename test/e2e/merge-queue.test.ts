/** How work comes home: checks that are flaky, tasks that are merged and checked together, and the one among them that is at fault. */
import { mkdirSync } from "node:fs";
import { expect, test } from "vitest";
import { demoConfig, Rig, task } from "../rig/rig.ts";

type Report = {
  flaky: { command: string; times: number; tasks: string[] }[];
  tasks: { id: string; state: string; flaky: number; attempts: { outcome_kind: string }[] }[];
};

/** Red where nobody came by before, green ever after. */
const RED_ONCE = "mkdir $OWT_SEEN/once 2>/dev/null && exit 7; true";

function withFlakyCheck(more = ""): Rig {
  const rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = "${RED_ONCE}"\n${more}[environment]\npass = ["OWT_SEEN"]\n`,
    "docs/plans/shop/epic-01-a.md": task({}, 'write a.txt "a"\non repair:\nappend a.txt "again"'),
  });
  rig.env["OWT_SEEN"] = rig.path("seen");
  mkdirSync(rig.path("seen"));
  return rig;
}

test("a check that is red and then green on the same tree is flaky: nobody is sent back, and everybody is told", async () => {
  await using rig = withFlakyCheck();
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(0);
  expect(ran.stderr).toContain(`flaky: ${RED_ONCE} failed (exit 7) and passed when it was run again on the same tree`);
  const report = (await rig.json<{ report: Report }>("report")).report;
  expect(report.flaky).toEqual([{ command: RED_ONCE, times: 1, tasks: ["shop/E01"] }]);
  expect(report.tasks[0]).toMatchObject({ state: "done", flaky: 1, attempts: [{ outcome_kind: "ok" }] });
  expect((await rig.owt("report")).stdout.replaceAll(/\s+/g, " ")).toContain(
    "1 time red and then green on the same tree (shop/E01)",
  );
  const markdown = (await rig.owt("report", "--markdown")).stdout;
  expect(markdown).toContain(`- flaky: ${RED_ONCE.replaceAll("|", "\\|")}, 1 time`);
  expect(markdown).toContain("flaky checks: 1");
});

test("without a second look the first red counts", async () => {
  await using rig = withFlakyCheck("flaky_reruns = 0\n");
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  const report = (await rig.json<{ report: Report }>("report")).report;
  expect(report.flaky).toEqual([]);
  expect(report.tasks[0]!.attempts.map((attempt) => attempt.outcome_kind)).toEqual(["verify_failed", "ok"]);
  expect(rig.show("owt/runs/r1", "a.txt")).toBe("aagain");
});

test("what is red each time goes back, after two looks", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = "grep -q good a.txt"\n`,
    "docs/plans/shop/epic-01-a.md": task({}, 'write a.txt "bad"\non repair:\nwrite a.txt "good"'),
  });
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(0);
  expect(ran.stderr.match(/fails grep -q good a\.txt/g)).toHaveLength(2);
  expect((await rig.json<{ report: Report }>("report")).report.flaky).toEqual([]);
});
