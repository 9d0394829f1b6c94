/** An agent that the configuration does not know (any more): its tasks wait for a person, and nothing else does. */
import { existsSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { demoConfig, Rig, task } from "../rig/rig.ts";

type Status = { runs: { id: string; tasks: { id: string; state: string; standing: string; why: string }[] }[] };
type Inbox = { waiting: { task: string; why: string; command: string }[] };

/** An agent in the user's own configuration. */
function setUp(rig: Rig, name: string): void {
  rig.userFile("config.toml", `[agent.${name}]\nkind = "demo"\n`);
}

/** Whether some worktree of the run has the file. */
function isWritten(rig: Rig, file: string): boolean {
  const folders = rig.git("worktree", "list", "--porcelain").matchAll(/^worktree (.+)$/gm);
  return [...folders].some(([, folder]) => existsSync(`${folder}/${file}`));
}

/** One that was stopped, or whose orchestrator was killed, and whose agent is named otherwise since. */
const ends = {
  "was stopped": async (rig: Rig, run: ReturnType<Rig["start"]>) => {
    expect((await rig.owt("stop")).code).toBe(0);
    await run.ended;
  },
  "lost its orchestrator": async (_: Rig, run: ReturnType<Rig["start"]>) => {
    run.child.kill("SIGKILL");
    await run.ended;
  },
};

test.each(Object.entries(ends))(
  "a run that %s, with an agent that was renamed meanwhile: one question, and all else goes on",
  async (_, end) => {
    await using rig = Rig.create({ ".worktreerc": demoConfig });
    const steps = (name: string) => `write half-${name}.txt "half"\nwait ${rig.path("go")}\nwrite ${name}.txt "x"`;
    rig.write({
      "docs/plans/a/epic-01-t.md": task({ agent: "mine" }, steps("a")),
      "docs/plans/b/epic-01-t.md": task({ agent: "mine" }, steps("b")),
      "docs/plans/c/epic-01-t.md": task({}, 'write c.txt "c"'),
    });
    rig.commit("the plan");
    setUp(rig, "mine");
    const run = rig.start("run", "a/E01", "b/E01", "--yes");
    await vi.waitUntil(() => isWritten(rig, "half-a.txt") && isWritten(rig, "half-b.txt"), { timeout: 30_000 });
    await end(rig, run);
    setUp(rig, "yours");
    const resumed = await rig.owt("resume");
    expect(resumed.stderr).toContain("there is no agent named mine any more");
    expect(resumed.code).toBe(4);
    const { waiting } = await rig.json<Inbox>("inbox");
    expect(waiting.map(({ command }) => command)).toEqual([`owt task retry ${waiting[0]!.task}`]);
    expect(waiting[0]!.why).toContain("set it up again, as [agent.mine]");
    // Another run is none of its business.
    const other = await rig.owt("run", "c/E01", "--yes");
    expect(other).toMatchObject({ code: 0 });
    expect(rig.processes()).toEqual([]);
    setUp(rig, "mine");
    rig.release("go");
    expect((await rig.owt("task", "retry", waiting[0]!.task)).code).toBe(0);
    const last = await rig.owt("resume", "r1");
    expect(last).toMatchObject({ code: 0 });
    for (const name of ["a", "b"]) {
      expect(rig.show("owt/runs/r1", `${name}.txt`)).toBe("x");
      expect(rig.show("owt/runs/r1", `half-${name}.txt`)).toBe("half");
    }
  },
);

test("a task of an agent that it had fallen over to goes back to its own one where that is gone", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/a/epic-01-t.md": task({}, 'limit 1s\nwrite a.txt "a"'),
  });
  rig.userFile("config.toml", `[agent.other]\ncommand = ["tail", "-f", "/dev/null"]\n`);
  rig.write({ ".worktreerc": `${demoConfig}[agent.demo]\nfall_over = "other"\n` });
  rig.commit("fall over");
  const run = rig.start("run", "--yes");
  await run.says("other takes its place");
  run.child.kill("SIGKILL");
  await run.ended;
  rig.write({ ".worktreerc": demoConfig });
  setUp(rig, "another");
  const resumed = await rig.owt("resume");
  expect(resumed).toMatchObject({ code: 4 });
  expect((await rig.owt("task", "retry", "a/E01")).code).toBe(0);
  const last = await rig.owt("resume");
  expect(last).toMatchObject({ code: 0 });
  expect(rig.show("owt/runs/r1", "a.txt")).toBe("a");
});

test("nothing begins with a fall_over that names no agent; what is carried on unasked says so and does without", async () => {
  const stray = `${demoConfig}[agent.demo]\nfall_over = "demmo"\n`;
  await using rig = Rig.create({
    ".worktreerc": stray,
    "docs/plans/a/epic-01-t.md": task({}, 'limit 8s\nwrite a.txt "a"'),
  });
  const refused = await rig.owt("run", "--yes");
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain("[agent.demo] fall_over: there is no agent named demmo");
  expect(refused.stderr).toContain("owt config validate");
  expect((await rig.owt("status")).stdout).toContain("nothing");
  rig.write({ ".worktreerc": demoConfig });
  const run = rig.start("run", "--yes");
  await vi.waitUntil(async () => (await rig.json<Status>("status")).runs[0]?.tasks[0]?.standing === "waits-for-time", {
    timeout: 30_000,
  });
  run.child.kill("SIGKILL");
  await run.ended;
  rig.write({ ".worktreerc": stray });
  expect((await rig.owt("resume")).stderr).toContain("there is no agent named demmo");
  const carried = await rig.owt("carry", "r1");
  expect(carried.stderr).toContain("[agent.demo] fall_over is ignored: there is no agent named demmo");
  expect(carried).toMatchObject({ code: 0 });
  expect(rig.show("owt/runs/r1", "a.txt")).toBe("a");
});

test("a task whose agent is gone can be taken over by hand all the same", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({ "docs/plans/a/epic-01-t.md": task({ agent: "mine" }, `write half.txt "half"\nwait ${rig.path("go")}`) });
  rig.commit("the plan");
  setUp(rig, "mine");
  const run = rig.start("run", "--yes");
  await vi.waitUntil(() => isWritten(rig, "half.txt"), { timeout: 30_000 });
  expect((await rig.owt("stop")).code).toBe(0);
  await run.ended;
  setUp(rig, "yours");
  expect((await rig.owt("resume")).code).toBe(4);
  // Off a terminal what it opened is told, and left to a person.
  const taken = await rig.owt("switch", "a/E01");
  expect(taken.stderr).toContain("there is no agent named mine any more: the first pane is a shell");
  expect([taken.code, taken.stderr]).toEqual([4, expect.stringContaining("a/E01 is yours")]);
});

test("an agent that falls over to one of the same login is told to do so in vain, by the check and as a run begins", async () => {
  const config = `${demoConfig}[agent.claude]\nfall_over = "work"\n[agent.work]\nkind = "claude"\n`;
  await using rig = Rig.create({ ".worktreerc": config, "docs/plans/a/epic-01-t.md": task({}, 'write a.txt "a"') });
  const checked = await rig.owt("config", "validate");
  expect([checked.code, checked.stdout + checked.stderr]).toEqual([
    0,
    expect.stringMatching(/\.worktreerc:4.*fall_over.*work works with the same login as claude/),
  ]);
  const ran = await rig.owt("run", "--yes");
  expect([ran.code, ran.stderr]).toEqual([
    0,
    expect.stringContaining("[agent.claude] fall_over does nothing: work works with the same login"),
  ]);
});
