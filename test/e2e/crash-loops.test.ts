/** Agents that die: the next one waits and says so; what dies again and again is not started for ever; a broken agent does not use up every task. */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { fileAppears, Rig } from "../rig/rig.ts";
import { scriptedRig, startsOf } from "../rig/scripted-claude.ts";

type Shown = { id: string; standing: string; why: string; state: string };
type Status = { runs: { tasks: Shown[] }[] };

const NAMES = ["a", "b", "c", "d", "e", "f"];

test("an agent that cannot be started any more is given up after three tasks, with its own words; retried once it works, all comes home", async () => {
  await using rig = Rig.create({
    ".worktreerc": `[agent]\ndefault = "mine"\n[agent.mine]\ncommand = ["mine"]\n[run]\nmax_parallel = 1\nretries = 5\n`,
    ...Object.fromEntries(NAMES.map((name) => [`docs/plans/${name}/epic-01-x.md`, `# ${name}\n\nDo ${name}.\n`])),
  });
  const starts = rig.path("starts");
  const program = (then: string) => `#!/bin/sh\necho "$OWT_TASK" >>${starts}\n${then}\n`;
  rig.addProgram(
    "mine",
    program("echo 'npm warn deprecated abc@1: not supported' >&2\necho 'mine: cannot load libfoo.so' >&2\nexit 139"),
  );
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(4);
  const started = readFileSync(starts, "utf8").trim().split("\n");
  expect(new Set(started).size).toBe(3);
  expect(started.length).toBeLessThanOrEqual(5);
  const { runs } = await rig.json<Status>("status");
  const tasks = runs[0]!.tasks;
  const [told, ...more] = tasks.filter(({ standing }) => standing === "waits-for-person");
  expect(more).toEqual([]);
  expect(told!.why).toMatch(
    /^mine dies as soon as it is started.*exit 139: mine: cannot load libfoo\.so.*nothing more is started/,
  );
  const others = tasks.filter(({ id }) => id !== told!.id);
  expect(
    others.every(({ state, why }) => state === "pending" && why === `waits for mine to work (see ${told!.id})`),
  ).toBe(true);
  const inbox = await rig.owt("inbox");
  expect(inbox.stdout).toContain("cannot load libfoo.so");
  expect(inbox.stdout).toContain(`owt task retry ${told!.id}`);
  rig.addProgram("mine", program('echo "$OWT_TASK" >"$(echo "$OWT_TASK" | tr / -).txt"'));
  expect((await rig.owt("task", "retry", told!.id)).code).toBe(0);
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(NAMES.map((name) => `${name}/E01`));
});

test("who waits behind a death says so, and until when; a person can have it started at once, in its conversation", async () => {
  await using rig = scriptedRig([
    [{ init: true }, { say: "I begin." }, { exit: 0 }],
    [{ init: true }, { commit: "first.txt" }, { result: { turns: 2 } }],
  ]);
  rig.env["OWT_RUN_RESTART_PAUSE"] = "5m";
  const run = rig.start("run", "--yes");
  await run.says("left without a result (exit 0); starts again at");
  const { runs } = await rig.json<Status>("status");
  expect(runs[0]!.tasks[0]).toMatchObject({
    standing: "waits-for-time",
    why: expect.stringMatching(/^left without a result \(exit 0\); starts again at /) as string,
  });
  expect((await rig.owt("task", "retry", "site/E01")).code).toBe(0);
  expect((await run.ended).code).toBe(0);
  expect(startsOf(rig).map(({ isResume }) => isResume)).toEqual([false, true]);
});

test("an agent that was stopped goes on in its conversation also where it dies then for the first time; one that dies again begins anew", async () => {
  const dies = [{ init: true as const }, { say: "I go on." }, { exit: 0 }];
  await using rig = scriptedRig([
    [{ init: true }, { commit: "first.txt" }, { wait: "begun" }],
    dies,
    dies,
    [{ init: true }, { commit: "second.txt" }, { result: { turns: 2 } }],
  ]);
  rig.env["OWT_RUN_RESTART_PAUSE"] = "0.1s";
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("begun-reached"));
  await rig.owt("stop");
  await run.ended;
  expect((await rig.owt("resume")).code).toBe(0);
  expect(startsOf(rig).map(({ isResume }) => isResume)).toEqual([false, true, true, false]);
});

test("a task whose agents die again and again is not started more than three times more, however many tries it has", async () => {
  await using rig = scriptedRig([[{ init: true }, { say: "I begin." }, { exit: 0 }]], "");
  rig.env["OWT_RUN_RETRIES"] = "50";
  rig.env["OWT_RUN_RESTART_PAUSE"] = "0.1s";
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(1);
  expect(startsOf(rig)).toHaveLength(4);
  expect(ran.stdout + ran.stderr).toContain("its agents die again and again, within minutes");
  expect(existsSync(rig.path("started.jsonl"))).toBe(true);
});
