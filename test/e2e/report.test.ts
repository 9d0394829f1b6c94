/** What a run took, cost and waited for, as text, markdown and JSON; and the same over all runs. */
import { join } from "node:path";
import { expect, test } from "vitest";
import type { HistoryReport } from "../../src/core/history.ts";
import type { RunReport } from "../../src/core/report.ts";
import { demoConfig, Rig, task } from "../rig/rig.ts";

const wide = (text: string) => text.split("\n").filter((line) => line.length > 80);

test("what an agent wrote into the user's checkout is named, with the tasks that were at work; what the user did before or behind them is not", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, "tracked.txt": "old\n", "mine.txt": "old\n" });
  const stray = `echo new > '${join(rig.root, "stray.txt")}'; echo new > '${join(rig.root, "tracked.txt")}'`;
  rig.write({
    "docs/plans/shop/epic-01-strays.md": task({}, `run "sh" "-c" ${JSON.stringify(stray)}\nwrite a.txt "a"`),
    "docs/plans/shop/epic-02-behind.md": task({ needs_review: true }, 'write b.txt "b"'),
  });
  rig.commit("plan");
  rig.write({ "before.txt": "mine" });
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  // Its agent is through, and only its work waits.
  rig.write({ "behind.txt": "mine", "mine.txt": "mine" });
  type Changes = { checkout_changes: { path: string; at: string; tasks: string[] }[] };
  const { checkout_changes: changes } = await rig.json<Changes>("report");
  expect(changes.map(({ path, tasks }) => [path, tasks])).toEqual([
    ["tracked.txt", ["shop/E01"]],
    ["stray.txt", ["shop/E01"]],
  ]);
  const text = rig.ok("report");
  expect(text).toContain("changed in your checkout while agents were at work, by you or by one of them:\n");
  expect(text).toMatch(/^ {2}stray\.txt {2}\d\d:\d\d, shop\/E01$/m);
  expect(wide(text)).toEqual([]);
  expect(rig.ok("report", "--markdown")).toMatch(/^\| stray\.txt \| [-\d]{10} \d\d:\d\d \| shop\/E01 \|$/m);
  rig.git("stash", "--include-untracked");
  expect(rig.ok("report")).not.toContain("changed in your checkout");
});

test("a report: waiting by reason, what was set aside and why, in 80 columns, markdown and JSON", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nretries = 0\n`,
    "docs/plans/shop/epic-01-first.md": task({}, 'work 300ms\nwrite a.txt "a"\ncost 0.25'),
    "docs/plans/shop/epic-02-second.md": task({}, 'write b.txt "b"\ncost 0.5'),
    "docs/plans/web/epic-01-asks.md": task({}, 'ask "Which colour?"\non answer:\nwrite c.txt "{answer}"'),
    "docs/plans/web/epic-02-limited.md": task({}, 'limit 1s\nwrite d.txt "d"', "A limit first."),
    "docs/plans/bad/epic-01-fails.md": task({}, 'fail "no such thing"'),
  });
  await rig.owt("run", "--yes", "--parallel", "2");
  const asked = await rig.json<{ report: RunReport }>("report");
  expect(asked.report.parked).toContainEqual(
    expect.objectContaining({ task: "web/E01", for: "answer", why: "asks: Which colour?", until: null }),
  );
  rig.ok("task", "answer", "web/E01", "blue");
  await rig.owt("resume");
  const { report } = await rig.json<{ report: RunReport }>("report", "r1");
  const of = (id: string) => report.tasks.find((each) => each.id === id)!;
  expect(of("shop/E02").waiting_ms.upstream).toBeGreaterThanOrEqual(300);
  expect(of("shop/E02").waiting_ms.person).toBe(0);
  expect(of("web/E01").waiting_ms.person).toBeGreaterThan(0);
  const parked = report.parked.find((each) => each.task === "web/E01")!;
  expect([parked.for, parked.until]).toEqual(["answer", expect.any(String)]);
  // The question was open until it was answered; then nobody carried the run until it was resumed.
  expect(of("web/E01").waiting_ms.person).toBe(parked.waited_ms);
  expect(report.waiting_ms.upstream).toBe(report.tasks.reduce((sum, each) => sum + each.waiting_ms.upstream, 0));

  const text = await rig.owt("report", "r1");
  expect(text.stdout).toMatch(/^r1 · /);
  expect(text.stdout).toMatch(/^task +state +work +cost +tries +waited$/m);
  expect(text.stdout).toMatch(/^shop\/E02 +done +\S+ +\$0\.50 +1 +\S+$/m);
  expect(text.stdout).toMatch(/for upstream tasks/);
  expect(text.stdout).toMatch(/set aside:\n(.*\n)*? {2}web\/E01 {2}asks: Which colour\? {2}\(/);
  expect(text.stdout).toContain("no such thing");
  expect(wide(text.stdout)).toEqual([]);

  const markdown = rig.ok("report", "r1", "--markdown");
  expect(markdown).toMatch(/^# Run r1$/m);
  expect(markdown).toMatch(/^\| web\/E01 \| asks: Which colour\? \| \S+ \|$/m);

  rig.ok("task", "cancel", "bad/E01");
  const { history } = await rig.json<{ history: HistoryReport }>("report", "--history");
  expect(history.all).toMatchObject({ tasks: 5, done: 4, failed: 1, cancelled: 0, success: 0.8, cost_usd: 0.75 });
  expect(history.by_agent).toMatchObject([{ name: "demo", tasks: 5 }]);
  expect(Object.fromEntries(history.by_kind.map((row) => [row.name, [row.done, row.failed]]))).toEqual({
    shop: [2, 0],
    web: [2, 0],
    bad: [0, 1],
  });
  const table = rig.ok("report", "--history");
  expect(table).toMatch(/^5 tasks: 4 done, 1 failed \(80% done\)/);
  expect(table).toMatch(/^shop +2 +100% +100% /m);
  expect(wide(table)).toEqual([]);
  expect(rig.ok("report", "--history", "--markdown")).toMatch(/^\| bad \| 1 \| 0% \| 0% \| {2}\| /m);
});

test("what a budget held back is counted as waiting for it, until it is raised", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"\ncost 0.25'),
    "docs/plans/b/epic-01-b.md": task({}, 'write b.txt "b"\ncost 0.25'),
  });
  expect((await rig.owt("run", "--yes", "--parallel", "1", "--budget", "0.2")).code).toBe(5);
  const waited = async () => {
    const { report } = await rig.json<{ report: RunReport }>("report");
    return report.tasks[1]!.waiting_ms;
  };
  const first = await waited();
  expect(first.budget).toBeGreaterThan(0);
  expect((await waited()).budget).toBeGreaterThan(first.budget);
  expect((await rig.owt("resume", "--budget", "1")).code).toBe(0);
  const last = await waited();
  expect(last.budget).toBeGreaterThan(first.budget);
  expect(await waited()).toEqual(last);
});

test("mistakes: no run yet, a run that is not there, contradictions", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  const none = await rig.owt("report");
  expect([none.code, none.stdout, none.stderr]).toEqual([2, "", expect.stringContaining("start one: owt run")]);
  expect(rig.ok("report", "--history")).toContain("no task was tried in this repository yet");
  expect((await rig.owt("report", "r9")).stderr).toContain("there is no run r9");
  for (const words of [
    ["--json", "--markdown"],
    ["r1", "--history"],
  ])
    expect((await rig.owt("report", ...words)).code).toBe(2);
});
