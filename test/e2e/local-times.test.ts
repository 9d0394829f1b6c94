/** Times in texts are those of whoever reads them; programs get UTC. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { RunReport } from "../../src/core/report.ts";
import { demoConfig, Rig, task } from "../rig/rig.ts";

/** No clock anywhere shows the same hour as UTC's. */
const ZONE = "Pacific/Auckland";
const UTC = /\d{4}-\d\d-\d\dT\d\d:\d\d/;

/** As `owt` writes it, on whatever day that is read. */
function here(iso: string): string {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone: ZONE, dateStyle: "short", timeStyle: "short" });
  return format.format(Date.parse(iso));
}

test("a usage limit's end is told in local time by status, logs, report and markdown, and in UTC to programs", async () => {
  await using rig = Rig.create(
    {
      ".worktreerc": demoConfig,
      "docs/plans/shop/epic-01-a.md": task({}, 'say "written 2020-01-02T03:04:05Z"\nlimit 30h\nwrite a.txt "a"'),
    },
    { env: { TZ: ZONE } },
  );
  const run = rig.start("run", "--yes");
  await run.says("usage limit");
  const shown = await rig.json<{ task: { why: string; attempt: { outcome: string }; said: string[] } }>(
    "status",
    "shop/E01",
  );
  run.child.kill("SIGINT");
  await run.ended;
  const [until] = /\d{4}-\S+Z/.exec(shown.task.why)!;
  const [resets] = /\d{4}-\S+Z/.exec(shown.task.attempt.outcome)!;
  expect(shown.task.said.join("\n")).toContain(`◷ usage limit, resets at ${resets}`);
  const texts: string[] = [];
  for (const words of [["status"], ["status", "shop/E01"], ["report"], ["task", "show", "shop/E01"], ["list"]]) {
    const { stdout } = await rig.owt(...words);
    // What an agent and a plan wrote is theirs.
    texts.push(stdout.replaceAll("written 2020-01-02T03:04:05Z", ""));
  }
  for (const text of texts) expect(text).not.toMatch(UTC);
  expect(texts[1]).toContain(here(until));
  expect(texts[1]).toContain(`attempt 1 (demo): met a usage limit that resets at ${here(resets)}`);
  expect(texts[2]).toContain(here(until));

  const logs = rig.ok("logs", "shop/E01");
  expect(logs).toContain(`◷ usage limit, resets at ${here(resets)}`);
  expect(logs).toContain("written 2020-01-02T03:04:05Z");
  const { lines } = await rig.json<{ lines: string[] }>("logs", "shop/E01");
  expect(lines).toContain(`◷ usage limit, resets at ${resets}`);

  const markdown = rig.ok("report", "--markdown");
  expect(markdown).not.toMatch(UTC);
  expect(markdown).toContain(here(until));
  expect(markdown.split(ZONE)).toHaveLength(2);
  const { report } = await rig.json<{ report: RunReport }>("report");
  expect(report.parked[0]!.why).toMatch(UTC);
});

test("what was saved of a worktree is told with its local time; a report names the zone where it names a time", async () => {
  await using rig = Rig.create(
    { ".worktreerc": demoConfig, "docs/plans/shop/epic-01-a.md": task({}, 'write a.txt "a"') },
    { env: { TZ: ZONE } },
  );
  const { worktrees } = await rig.json<{ worktrees: { path: string }[] }>("create", "left");
  writeFileSync(join(worktrees[0]!.path, "new.txt"), "mine");
  rig.ok("delete", "left", "--yes", "--save");
  const { rescues } = await rig.json<{ rescues: { at: number }[] }>("restore");
  const saved = rig.ok("restore");
  expect(saved).not.toMatch(UTC);
  expect(saved).toContain(here(new Date(rescues[0]!.at).toISOString()).slice(11));

  await rig.owt("run", "--yes");
  expect(rig.ok("report", "--markdown")).not.toContain(ZONE);
  rig.ok("land", "r1");
  const landed = rig.ok("report", "--markdown");
  expect(landed).not.toMatch(UTC);
  expect(landed.split(ZONE)).toHaveLength(2);
});
