/** A usage limit holds everybody who works with the same login, and nobody else; see claude-limit.test.ts for many at once. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import type { RunReport } from "../../src/core/report.ts";
import { demoConfig, Rig, task } from "../rig/rig.ts";

type Status = { runs: { tasks: { id: string; standing: string; why: string }[] }[] };

const plan = (steps: Record<string, string>, front: Record<string, object> = {}) =>
  Object.fromEntries(
    Object.entries(steps).map(([name, text]) => [`docs/plans/${name}/epic-01-t.md`, task({ ...front[name] }, text)]),
  );

async function standings(rig: Rig): Promise<Record<string, string>> {
  const { runs } = await rig.json<Status>("status");
  return Object.fromEntries((runs[0]?.tasks ?? []).map(({ id, standing, why }) => [id, `${standing}: ${why}`]));
}

test("what has not begun waits too; another agent works on; at the reset all goes on", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[agent.other]\nkind = "command"\ncommand = ["sh", "-c", "cat >/dev/null; echo x > o.txt"]\n`,
    ...plan(
      { a: 'limit 8s\nwrite a.txt "a"', b: 'write b.txt "b"', o: 'write o.txt "o"' },
      { a: { priority: "high" }, o: { agent: "other" } },
    ),
  });
  const run = rig.start("run", "--yes", "--parallel", "1");
  await vi.waitUntil(async () => (await standings(rig))["a/E01"]?.startsWith("waits-for-time"), { timeout: 30_000 });
  const seen = await standings(rig);
  expect(seen["b/E01"]).toMatch(/^waits-for-time: waits for a usage limit of demo until \d{4}-/);
  const ended = await run.ended;
  expect(ended.code).toBe(0);
  const started = [...ended.stderr.matchAll(/◎ (\w)\/E01 started/g)].map((match) => match[1]);
  // The other agent's task did not wait; b began behind the try that showed that the limit is over.
  expect(started).toEqual(["a", "o", "a", "b"]);
  expect(ended.stderr).toContain("the usage limit of demo is over");
  const { report } = await rig.json<{ report: RunReport }>("report");
  const waited = Object.fromEntries(report.tasks.map((each) => [each.id, each.waiting_ms]));
  expect(waited["b/E01"]!.limit).toBeGreaterThan(0);
  expect(waited["o/E01"]!.limit).toBe(0);
});

test("who tries it and meets it again waits again, and the next ones with it; a person may have it tried at once", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    ...plan({ a: 'limit 1s\nlimit 1h\nwrite a.txt "a"', b: 'write b.txt "b"' }, { a: { priority: "high" } }),
  });
  const run = rig.start("run", "--yes", "--parallel", "1");
  const hour = /until \d{4}-/;
  const waitsLong = async () => {
    const { runs } = await rig.json<{ runs: { limits: { until: string }[] }[] }>("status");
    const until = runs[0]?.limits[0]?.until;
    return until !== undefined && Date.parse(until) > Date.now() + 600_000;
  };
  await vi.waitUntil(waitsLong, { timeout: 30_000 });
  expect((await standings(rig))["b/E01"]).toMatch(hour);
  await rig.owt("task", "retry", "a/E01");
  const ended = await run.ended;
  expect(ended.code).toBe(0);
  const started = [...ended.stderr.matchAll(/◎ (\w)\/E01 started/g)].map((match) => match[1]);
  expect(started).toEqual(["a", "a", "a", "b"]);
});

test("a person who goes on with a run has its limit tried at once; one that holds nothing of that run is left alone", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[agent.other]\nkind = "command"\ncommand = ["sh", "-c", "cat >/dev/null; echo x > o.txt"]\n`,
    ...plan({ a: 'limit 1h\nlimit 2h\nwrite a.txt "a"', b: 'write b.txt "b"' }, { a: { priority: "high" } }),
  });
  await rig.owt("run", "--yes", "--detach");
  const resets = async () => {
    const { runs } = await rig.json<{ runs: { id: string; limits: { until: string }[] }[] }>("status");
    return runs.find(({ id }) => id === "r1")?.limits.map(({ until }) => Date.parse(until)) ?? [];
  };
  const endsAbout = (ms: number) => async () => (await resets()).some((at) => Math.abs(at - Date.now() - ms) < 600_000);
  await vi.waitUntil(endsAbout(3_600_000), { timeout: 30_000 });
  expect((await rig.owt("status")).stdout).toContain("try at once: owt resume r1");
  await rig.owt("run", "--yes", "--agent", "other", "write o.txt");
  expect((await resets()).length).toBe(1);
  await rig.owt("resume", "r1", "--detach");
  await vi.waitUntil(endsAbout(7_200_000), { timeout: 30_000 });
  expect((await rig.owt("resume", "r1")).code).toBe(0);
  const { report } = await rig.json<{ report: RunReport }>("report", "r1");
  expect(report.tasks.map(({ attempts }) => attempts.length)).toEqual([3, 1]);
});

test("while a limit holds it, the agent that it falls over to takes its tasks, also one that it had begun", async () => {
  const other = `cat > "prompt-$(basename "$OWT_TASK").txt"; echo "by $OWT_MODEL" > "other-$(basename "$(dirname "$OWT_TASK")").txt"`;
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[agent.demo]\nfall_over = "other"\n\n[agent.other]\nkind = "command"\ncommand = ["sh", "-c", ${JSON.stringify(other)}]\nmodel = "small"\n`,
    ...plan(
      { a: 'write half.txt "half"\nlimit 1h\nwrite a.txt "a"', b: 'write b.txt "b"' },
      { a: { priority: "high", model: "large" } },
    ),
  });
  const ended = await rig.owt("run", "--yes", "--parallel", "1");
  expect(ended.code).toBe(0);
  expect(ended.stderr).toContain("demo waits for a usage limit: other takes its place");
  // In the worktree of the one before, told all of the task, and with its own choices.
  expect(rig.git("show", "owt/runs/r1:half.txt")).toBe("half");
  expect(rig.git("show", "owt/runs/r1:other-a.txt")).toBe("by small");
  expect(rig.git("show", "owt/runs/r1:other-b.txt")).toBe("by small");
  const { report } = await rig.json<{ report: RunReport }>("report");
  const agents = Object.fromEntries(report.tasks.map((each) => [each.id, each.attempts.map(({ agent }) => agent)]));
  expect(agents).toEqual({ "a/E01": ["demo", "other"], "b/E01": ["other"] });
});

test("a limit of one model holds the tasks with that model, and no others of the same login", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    ...plan(
      { a: 'limit 8s opus\nwrite a.txt "a"', b: 'write b.txt "b"', c: 'write c.txt "c"', d: 'write d.txt "d"' },
      { a: { priority: "high", model: "claude-opus-9" }, b: { model: "opus" }, c: { model: "sonnet" } },
    ),
  });
  const run = rig.start("run", "--yes", "--parallel", "1");
  await vi.waitUntil(async () => (await standings(rig))["a/E01"]?.startsWith("waits-for-time"), { timeout: 30_000 });
  expect((await standings(rig))["b/E01"]).toMatch(
    /^waits-for-time: waits for a usage limit of demo \(opus\) until \d{4}-/,
  );
  const ended = await run.ended;
  expect(ended.code).toBe(0);
  const started = [...ended.stderr.matchAll(/◎ (\w)\/E01 started/g)].map((match) => match[1]);
  expect(started).toEqual(["a", "c", "d", "a", "b"]);
  expect(ended.stderr).toContain("the usage limit of demo (opus) is over");
});

test("where what names no model meets it, everything that names none waits with it", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    ...plan(
      { a: 'limit 8s opus\nwrite a.txt "a"', b: 'write b.txt "b"', c: 'write c.txt "c"' },
      { a: { priority: "high" }, c: { model: "sonnet" } },
    ),
  });
  const ended = await rig.owt("run", "--yes", "--parallel", "1");
  expect(ended.code).toBe(0);
  const started = [...ended.stderr.matchAll(/◎ (\w)\/E01 started/g)].map((match) => match[1]);
  expect(started).toEqual(["a", "c", "a", "b"]);
});

test("a limit that a session by hand met holds the tasks of the same login, and the list says so; another agent works on", async () => {
  const hook = new URL("../../plugin/hooks/owt.sh", import.meta.url).pathname;
  await using rig = Rig.create({ ".worktreerc": `${demoConfig}[agent.claude]\ncommand = ["true"]\n` });
  rig.write({
    ...plan(
      { a: "", b: `wait ${rig.path("go")}\nwrite b.txt "b"`, c: 'write c.txt "c"' },
      { a: { agent: "claude", depends_on: ["b/E01"] }, c: { depends_on: ["b/E01"] } },
    ),
  });
  rig.commit("the plan");
  const run = rig.start("run", "--yes");
  await run.says("b/E01 started");
  const tell = (event: string, more: object) =>
    execFileSync("sh", [hook, event], {
      input: JSON.stringify({ session_id: "s1", cwd: rig.root, hook_event_name: event, ...more }),
      cwd: rig.root,
      env: { ...rig.env, CLAUDE_PROJECT_DIR: rig.root, CLAUDE_PID: String(process.pid) },
    });
  tell("UserPromptSubmit", {});
  tell("StopFailure", { error: "rate_limit" });
  await run.says("a session of claude met a usage limit");
  rig.release("go");
  await run.says("c/E01 integrated");
  expect((await standings(rig))["a/E01"]).toMatch(
    /^waits-for-time: waits for a usage limit of claude; no reset known; next try at \d{4}-/,
  );
  const { worktrees } = await rig.json<{ worktrees: { name: string; limited_until: string | null }[] }>("list");
  expect(worktrees.find(({ name }) => name === "main")?.limited_until).toMatch(/^\d{4}-/);
  expect((await rig.owt("list")).stdout).toMatch(
    /claude waits for you, usage limit, no reset known; next try at [-\d ]*\d\d:\d\d(?::\d\d)?/,
  );
  await rig.owt("stop");
  await run.ended;
});

test("an agent that falls over to none that there is, is told before anything starts", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[agent.demo]\nfall_over = "othr"\n\n[agent.other]\ncommand = ["true"]\n`,
  });
  const { code, stdout } = await rig.owt("config", "validate");
  expect(code).toBe(3);
  expect(stdout).toMatch(/no agent named othr[^]*did you mean other\?/);
});

test("what was about to start when another met the limit does not: it begins behind the try", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[environment]\ninstall_command = "sh setup.sh"\n`,
    ...plan({ a: 'limit 4s\nwrite a.txt "a"', b: 'write b.txt "b"' }, { a: { priority: "high" } }),
  });
  const go = rig.path("go");
  rig.write({ "setup.sh": slowSetup("b-e01", go) });
  rig.commit("a setup that takes its time");
  const run = rig.start("run", "--yes", "--parallel", "2");
  await vi.waitUntil(async () => (await standings(rig))["a/E01"]?.startsWith("waits-for-time"), { timeout: 30_000 });
  writeFileSync(go, "");
  const ended = await run.ended;
  expect(ended.code).toBe(0);
  expect(ended.stderr).toContain("b/E01 was not started: demo met a usage limit meanwhile");
  const started = [...ended.stderr.matchAll(/◎ (\w)\/E01 started/g)].map((match) => match[1]);
  expect(started).toHaveLength(3);
  expect(ended.stderr.indexOf("the usage limit of demo is over")).toBeLessThan(ended.stderr.indexOf("✓ b/E01"));
  expect(rig.git("show", "owt/runs/r1:b.txt")).toBe("b");
});

/** The text of a setup that waits, in one worktree, for a file. */
const slowSetup = (name: string, file: string) =>
  `case "$PWD" in *${name}*) while [ ! -e '${file}' ]; do sleep 0.05; done;; esac\n`;
