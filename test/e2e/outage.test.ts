/** An API that cannot be reached holds everybody who works with the same login: one tries it, nobody's try is counted, and all go on where they stopped. */
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { RunReport } from "../../src/core/report.ts";
import { approvedRig, integrated, sessionOf, whyNoClaude, works } from "../rig/claude-plan.ts";
import { makeGate } from "../rig/fake-api.ts";
import { demoConfig, Rig, task } from "../rig/rig.ts";

type Status = {
  runs: { tasks: { id: string; standing: string; why: string }[]; limits: { outage: string; tasks: string[] }[] }[];
};

const NAMES = ["a", "b", "c", "d"];
const OVERLOADED = { status: 529, type: "overloaded_error", message: "Overloaded" };

describe.each(["", ", also where owt is killed while it waits"])(
  "the API is overloaded under real Claudes%s",
  (kill) => {
    beforeEach((context) => {
      const why = whyNoClaude();
      if (why !== null) context.skip(why);
    });

    test("one tries it again, and once it is answered all go on in their own conversations", async () => {
      const begun = NAMES.slice(0, 3).map(() => makeGate());
      const script = Object.fromEntries(
        NAMES.map((name, at) => {
          const [write, commit, end] = works(name, at < 3 ? { gate: begun[at]! } : {}).task;
          return [`${name}/E01`, { task: [write!, commit!, end!], resume: [{ say: "It is done." }] }];
        }),
      );
      const plan = Object.fromEntries(
        NAMES.map((name) => [`docs/plans/${name}/epic-01-page.md`, `# Page ${name}\n\nWrite ${name}.txt.\n`]),
      );
      let [isAway, refused] = [false, 0];
      const refuse = () => {
        if (isAway) refused++;
        return isAway ? OVERLOADED : null;
      };
      await using rig = await approvedRig(plan, script, { refuse });
      let run = rig.owt("run", "--yes", "--parallel", "3");
      await run.brings(Promise.all(begun.map((gate) => gate.reached)));
      isAway = true;
      for (const gate of begun) gate.release();

      const standings = async () => (await rig.ask<Status>("status")).runs[0]!.tasks;
      const allWait = async () => (await standings()).every(({ standing }) => standing === "waits-for-time");
      await run.brings(vi.waitUntil(allWait, { timeout: 60_000, interval: 200 }));
      for (const { why } of await standings())
        expect(why).toMatch(/^the API of claude cannot be reached \(529 Overloaded\); next try at \d{4}-/);
      expect(rig.claudes()).toEqual([]);
      const { runs } = await rig.ask<Status>("status");
      expect(runs[0]!.limits).toMatchObject([
        { outage: "the API of claude cannot be reached (529 Overloaded)", tasks: ["a/E01", "b/E01", "c/E01"] },
      ]);
      // What Claude asks twice by itself, of three.
      expect(refused).toBeLessThanOrEqual(6);
      if (kill !== "") {
        run.kill();
        await run.exits("SIGKILL");
        // No person, who would have it tried at once.
        run = rig.owt("resume", "--unattended");
      }
      isAway = false;
      await run.exits(0);

      expect(run.err()).toMatch(/the API of claude answers again; what waited goes on: (?:\w\/E01(?:, )?){2}/);
      expect(integrated(rig).toSorted()).toEqual(NAMES.map((name) => `${name}/E01 yes`));
      const starts = rig.starts();
      expect(starts).toHaveLength(7);
      // Each prompt was given once; each conversation that was cut off was taken up once.
      expect(new Set(starts.filter((start) => start.includes("--session-id ")).map(sessionOf)).size).toBe(4);
      expect(new Set(starts.filter((start) => start.includes("--resume ")).map(sessionOf)).size).toBe(3);
      expect(rig.processes()).toEqual([]);
    });
  },
);

test("who tries it in vain waits longer, and everybody with it, and nobody's try is counted; a person may have it tried at once", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nretries = 0\n`,
    "docs/plans/a/epic-01-t.md": task({ priority: "high" }, `${'transient "529"\n'.repeat(4)}write a.txt "a"`),
    "docs/plans/b/epic-01-t.md": task({}, 'write b.txt "b"'),
  });
  const run = rig.start("run", "--yes", "--parallel", "1");
  const away = "the API of demo cannot be reached (529); next try at ";
  const seen = async () => {
    const { runs } = await rig.json<Status>("status");
    return runs[0]?.tasks.map(({ why }) => why) ?? [];
  };
  const bothWait = async () => (await seen()).every((why) => why.startsWith(away));
  await vi.waitUntil(async () => (await seen()).length === 2 && (await bothWait()), { timeout: 30_000 });
  const [first] = await seen();
  expect((await rig.owt("status")).stdout).toContain("try at once: owt resume r1");
  expect((await rig.owt("inbox")).stdout).toContain("nothing waits for a person");
  expect((await rig.owt("list")).stdout).toContain("demo waits, its API cannot be reached (529); next try at ");
  const { worktrees } = await rig.json<{ worktrees: { limited_until: string | null }[] }>("list");
  expect(worktrees.map(({ limited_until }) => limited_until)).toEqual([null, first!.slice(away.length)]);
  for (let last = first!, times = 0; times < 3; times++) {
    await rig.owt("task", "retry", "a/E01");
    await vi.waitUntil(async () => (await seen())[0]! > last && (await bothWait()), { timeout: 30_000 });
    [last = ""] = await seen();
  }
  const at = Date.parse((await seen())[1]!.slice(away.length));
  expect(at - Date.parse(first!.slice(away.length))).toBeGreaterThan(120_000);
  const { outages } = await rig.json<{ outages: { why: string; command: string }[] }>("inbox");
  expect(outages).toMatchObject([{ why: expect.stringContaining(away), command: "owt resume r1" }]);
  await rig.owt("task", "retry", "a/E01");
  const ended = await run.ended;
  expect(ended.code).toBe(0);
  const started = [...ended.stderr.matchAll(/◎ (\w)\/E01 started/g)].map((match) => match[1]);
  expect(started).toEqual(["a", "a", "a", "a", "a", "b"]);
  const { report } = await rig.json<{ report: RunReport }>("report");
  const waited = Object.fromEntries(report.tasks.map((each) => [each.id, each.waiting_ms]));
  expect(waited["a/E01"]!.outage).toBeGreaterThan(0);
  expect(waited["b/E01"]!.outage).toBeGreaterThan(0);
  expect(waited["b/E01"]!.limit).toBe(0);
});

test("a person who goes on with a run has it tried at once, once, and in vain the wait goes on as it was; who goes on by itself waits", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nretries = 0\nrestart_pause = "1h"\n`,
    "docs/plans/a/epic-01-t.md": task({ priority: "high" }, `${'transient "529"\n'.repeat(4)}write a.txt "a"`),
    "docs/plans/b/epic-01-t.md": task({}, 'write b.txt "b"'),
  });
  const run = rig.start("run", "--yes", "--parallel", "1");
  const tries = async () => {
    const { report } = await rig.json<{ report: RunReport }>("report");
    return report.tasks.flatMap(({ attempts }) => attempts).filter(({ outcome_kind }) => outcome_kind === "transient")
      .length;
  };
  const tried = (times: number) => vi.waitUntil(async () => (await tries()) === times, { timeout: 30_000 });
  const whys = async () => (await rig.json<Status>("status")).runs[0]?.tasks.map(({ why }) => why) ?? [];
  const away = /^the API of demo .*; next try at/;
  const bothWait = async () => (await whys()).filter((why) => away.test(why)).length === 2;
  await vi.waitUntil(bothWait, { timeout: 30_000 });
  const before = await whys();
  expect((await rig.owt("status")).stdout).toContain("try at once: owt resume r1");

  // While another one carries it.
  const viewer = rig.start("resume", "r1");
  await viewer.says("has it tried at once whether the API of demo can be reached");
  await tried(2);
  await vi.waitUntil(bothWait, { timeout: 30_000 });
  expect(await whys()).toEqual(before);
  // Who takes over is no person, nor is a batch.
  run.child.kill("SIGKILL");
  await run.ended;
  const carrier = async () => (await rig.json<{ carried_by: number | null }>("status")).carried_by;
  await vi.waitUntil(async () => (await carrier()) === viewer.child.pid, { timeout: 30_000 });
  viewer.child.kill("SIGKILL");
  await viewer.ended;
  await rig.owt("resume", "--detach", "--unattended");
  expect(await whys()).toEqual(before);

  const again = rig.start("run", "--yes");
  await tried(3);
  await vi.waitUntil(bothWait, { timeout: 30_000 });
  expect(await whys()).toEqual(before);
  again.child.kill("SIGKILL");
  await rig.owt("resume", "--detach");
  await tried(4);
  await vi.waitUntil(bothWait, { timeout: 30_000 });
  expect(await whys()).toEqual(before);
  const last = await rig.owt("resume");
  expect(last.code).toBe(0);
  expect(await tries()).toBe(4);
});

test("a person may have it tried with a task that has not met it: it goes first, before others, and with its answer all go on", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nretries = 0\nrestart_pause = "1h"\n`,
    "docs/plans/a/epic-01-t.md": task({ priority: "high" }, 'transient "529"\nwrite a.txt "a"'),
    "docs/plans/b/epic-01-t.md": task({ priority: "high" }, 'write b.txt "b"'),
    "docs/plans/c/epic-01-t.md": task({}, 'write c.txt "c"'),
    "docs/plans/d/epic-01-t.md": task({ depends_on: ["c/E01"] }, 'write d.txt "d"'),
  });
  const run = rig.start("run", "--yes", "--parallel", "1");
  const whys = async () => (await rig.json<Status>("status")).runs[0]?.tasks.map(({ why }) => why) ?? [];
  const away = /^the API of demo .*; next try at/;
  await vi.waitUntil(async () => (await whys()).filter((why) => away.test(why)).length === 3, { timeout: 30_000 });
  expect((await rig.owt("task", "retry", "d/E01")).stderr).toContain("it has not begun yet");
  expect((await rig.owt("task", "retry", "c/E01")).stdout).toContain("to be tried again: c/E01");
  const ended = await run.ended;
  expect(ended.code).toBe(0);
  const started = [...ended.stderr.matchAll(/◎ (\w)\/E01 started/g)].map((match) => match[1]);
  expect(started.slice(0, 2)).toEqual(["a", "c"]);
});

test("where others with the same login are answered, it is the task's own affair", async () => {
  await using rig = Rig.create({ ".worktreerc": `${demoConfig}[run]\nretries = 0\n` });
  const spent = async () => (await rig.json<{ runs: { cost_usd: number | null }[] }>("status")).runs[0]?.cost_usd ?? 0;
  rig.write({
    "docs/plans/a/epic-01-t.md": task({}, `wait ${rig.path("go")}\ntransient "529"`),
    "docs/plans/b/epic-01-t.md": task({}, `say "I am at it"\ncost 0.25\nwait ${rig.path("end")}\nwrite b.txt "b"`),
  });
  rig.commit("the plan");
  const run = rig.start("run", "--yes");
  await vi.waitUntil(async () => (await spent()) > 0, { timeout: 30_000 });
  rig.release("go");
  await run.says("transient: 529");
  rig.release("end");
  const ended = await run.ended;
  expect(ended.code).toBe(1);
  expect(ended.stderr).not.toContain("cannot be reached");
});

test("who gets somewhere each time and is cut off again and again may be the cause of it: that is counted", async () => {
  const step = 'say "I begin"\ncost 0.25\ntransient "500"\n';
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nretries = 0\n`,
    "docs/plans/a/epic-01-t.md": task({}, step.repeat(5)),
  });
  const run = rig.start("run", "--yes");
  const why = async () => (await rig.json<Status>("status")).runs[0]?.tasks[0]?.why ?? "";
  let last = "";
  for (let times = 0; times < 3; times++) {
    const isLater = async () => {
      const now = await why();
      return now.startsWith("the API of demo cannot be reached (500); next try at ") && now > last;
    };
    await vi.waitUntil(isLater, { timeout: 30_000 });
    last = await why();
    await rig.owt("task", "retry", "a/E01");
  }
  const ended = await run.ended;
  expect(ended.code).toBe(1);
  expect(ended.stderr).toContain("a/E01 failed: transient: 500");
});

test("while an API is out of reach, the agent that it falls over to takes its tasks, also one that it had begun", async () => {
  const other = 'cat >/dev/null; echo x > "other-$(basename "$(dirname "$OWT_TASK")").txt"';
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[agent.demo]\nfall_over = "other"\n\n[agent.other]\nkind = "command"\ncommand = ["sh", "-c", ${JSON.stringify(other)}]\n`,
    "docs/plans/a/epic-01-t.md": task({ priority: "high" }, 'write half.txt "half"\ntransient "529"\nwrite a.txt "a"'),
    "docs/plans/b/epic-01-t.md": task({}, 'write b.txt "b"'),
  });
  const ended = await rig.owt("run", "--yes", "--parallel", "1");
  expect(ended.code).toBe(0);
  expect(ended.stderr).toContain("demo cannot reach its API: other takes its place");
  expect(rig.git("show", "owt/runs/r1:half.txt")).toBe("half");
  expect([rig.git("show", "owt/runs/r1:other-a.txt"), rig.git("show", "owt/runs/r1:other-b.txt")]).toEqual(["x", "x"]);
});
