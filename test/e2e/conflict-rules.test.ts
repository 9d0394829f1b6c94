/** Lock files, generated files and lists of lines: their conflicts are settled by rules of the configuration, and go to nobody. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { RunReport } from "../../src/core/report.ts";
import { demoConfig, Rig, startTwoBehindOne, task } from "../rig/rig.ts";

type Tried = { attempts: { outcome: string }[] };

/** Two tasks that both begin from the same files; the second one ends when the first is home. */
async function bothChange(rig: Rig, steps: (task: "one" | "two") => string, second: Record<string, unknown> = {}) {
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, steps("one")),
    "docs/plans/two/epic-01-b.md": task(
      second,
      `touch ${rig.path("two-runs")}\nwait ${rig.path("gate")}\n${steps("two")}`,
    ),
  });
  rig.commit("plan");
  const run = await startTwoBehindOne(rig);
  return run.ended;
}

const sorted = (text: string) => text.trim().split("\n").toSorted();

test("ours, union and regenerate: both tasks come home with one attempt each, and the file made anew fits both", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = "true"\n[conflicts]\nours = ["*.snap"]\nunion = ["CHANGES.md"]\n[conflicts.regenerate]\n"locks/*.lock" = "cat parts/* > locks/all.lock"\n`,
    "CHANGES.md": "# Changes\n",
    "view.snap": "old\n",
    "locks/all.lock": "base\n",
    "parts/0-base": "base\n",
  });
  const ran = await bothChange(
    rig,
    (name) =>
      `append CHANGES.md "- ${name}\\n"\nwrite view.snap "${name}\\n"\nwrite parts/${name} "${name}\\n"\nwrite locks/all.lock "base\\n${name}\\n"`,
  );
  // Who is tried alone first, and then checked, is merged once.
  expect(ran.stderr.match(/settled by rule: /g)).toHaveLength(1);
  expect(ran.code).toBe(0);
  const { task: two } = await rig.json<{ task: Tried }>("task", "show", "two/E01");
  expect(two.attempts.map(({ outcome }) => outcome)).toEqual(["done"]);
  expect(sorted(rig.show("owt/runs/r1", "CHANGES.md") ?? "")).toEqual(["# Changes", "- one", "- two"]);
  expect(rig.show("owt/runs/r1", "view.snap")).toBe("one\n");
  expect(rig.show("owt/runs/r1", "locks/all.lock")).toBe("base\none\ntwo\n");
  expect(rig.integrations("owt/runs/r1")).toEqual(["one/E01", "two/E01"]);
  const { report } = await rig.json<{ report: RunReport }>("report");
  const tasks = ["two/E01"];
  expect(report.settled).toEqual([
    { file: "CHANGES.md", by: "union", commands: [], tasks },
    { file: "locks/all.lock", by: "regenerate", commands: ["cat parts/* > locks/all.lock"], tasks },
    { file: "view.snap", by: "ours", commands: [], tasks },
  ]);
  expect(rig.ok("report")).toContain("  settled CHANGES.md by union (two/E01)\n");
  expect(rig.ok("report")).toContain("  settled locks/all.lock by cat parts/* > locks/all.lock (two/E01)\n");
  expect(rig.ok("report", "--markdown")).toContain("- conflicts settled by rule: view.snap by ours (two/E01)\n");
});

test("what a rule settled is not told of work that did not come in with it", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = "test ! -f two.txt || test ! -f one.txt || test -f both.txt"\n[conflicts]\nunion = ["CHANGES.md"]\n`,
    "CHANGES.md": "# Changes\n",
  });
  const ran = await bothChange(
    rig,
    (name) => `append CHANGES.md "- ${name}\\n"\nwrite ${name}.txt "${name}"\non repair:\nwrite both.txt "both"`,
  );
  expect(ran.code).toBe(0);
  expect(ran.stderr).toContain("settled by rule: CHANGES.md (union)");
  const { report } = await rig.json<{ report: RunReport }>("report");
  // Its agent has merged it by itself, behind the red check.
  expect(report.settled).toEqual([]);
});

test("where one of the files has no rule, or its command fails, it is a conflict like any other", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[conflicts.regenerate]\n"all.lock" = "exit 3"\n`,
    "all.lock": "base\n",
  });
  const ran = await bothChange(rig, (name) => `write all.lock "${name}\\n"\non conflict:\nwrite all.lock "both\\n"`);
  expect(ran.code).toBe(0);
  expect(ran.stderr).toContain("a file in conflict could not be made anew: exit 3 ended with 3");
  expect(rig.show("owt/runs/r1", "all.lock")).toBe("both\n");
});

test("what a command that made nothing anew has printed is told to the agent and to the person behind it", async () => {
  const command = "echo cannot resolve left-pad; exit 3";
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[conflicts.regenerate]\n"all.lock" = "${command}"\n`,
    "all.lock": "base\n",
  });
  // On a branch that the plan names no other attempt begins anew.
  const steps = (name: string) => `write all.lock "${name}\\n"\non conflict:\nsay "cannot decide"`;
  const ran = await bothChange(rig, steps, { branch: "feature/two" });
  expect(ran.code).toBe(4);
  const failed = `${command}, to make anew what is in conflict, ended with 3`;
  const { waiting } = await rig.json<{ waiting: { why: string }[] }>("inbox");
  expect(waiting.map(({ why }) => why)).toEqual([
    expect.stringMatching(/^conflict in all\.lock; to be resolved in .*-owt/),
  ]);
  expect(waiting[0]!.why).toContain(`; ${failed}\ncannot resolve left-pad`);
  const shown = rig.ok("task", "show", "two/E01");
  expect(shown).toContain(`attempt 1 (demo): conflicts in all.lock; ${failed}`);
  expect(shown).toContain("\n    cannot resolve left-pad\n");
  expect(rig.ok("logs", "two/E01", "--attempt", "1")).toContain(
    `✗ conflicts in all.lock; ${failed}\ncannot resolve left-pad\n`,
  );
  const { task: two } = await rig.json<{ task: { attempts: { folder: string }[] } }>("task", "show", "two/E01");
  const prompt = readFileSync(join(two.attempts[1]!.folder, "prompt"), "utf8");
  expect(prompt).toContain(`\`${command}\``);
  expect(prompt).toContain("cannot resolve left-pad");
});

test("a command of the repository that makes files anew needs an approval, as its other commands do", async () => {
  const rules = `${demoConfig}[conflicts.regenerate]\n"all.lock" = ["touch all.lock"]\n`;
  await using rig = Rig.create({ ".worktreerc": rules, "docs/plans/a/epic-01-t.md": task({}, "") }, { approve: false });
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(4);
  expect(ran.stderr).toContain(".worktreerc [conflicts] regenerate: touch all.lock");
});

test.each([
  ["git add -A && git commit -qm lock", /made a commit \([0-9a-f]{10}\)/],
  ["git checkout -qb mine", /left it on the branch mine/],
])(
  "a command that makes a file anew and does more (%s) is the configuration's fault: the task waits for it to be mended",
  async (more, did) => {
    const config = (command: string) =>
      `${demoConfig}[conflicts.regenerate]\n"all.lock" = ${JSON.stringify(`cat parts/* > all.lock${command}`)}\n`;
    await using rig = Rig.create({
      ".worktreerc": config(` && ${more}`),
      "all.lock": "base\n",
      "parts/0-base": "base\n",
    });
    const ran = await bothChange(rig, (name) => `write parts/${name} "${name}\\n"\nwrite all.lock "${name}\\n"`);
    expect(ran.code).toBe(4);
    const { waiting } = await rig.json<{ waiting: { why: string; command: string; note: string }[] }>("inbox");
    expect(waiting).toHaveLength(1);
    expect(waiting[0]!.why).toMatch(did);
    expect(waiting[0]).toMatchObject({
      why: expect.stringContaining(more),
      command: "owt task retry two/E01",
      note: expect.stringContaining("[conflicts.regenerate]"),
    });
    rig.write({ ".worktreerc": config("") });
    rig.ok("config", "approve", "--yes");
    rig.ok("task", "retry", "two/E01");
    expect((await rig.owt("resume")).code).toBe(0);
    expect(rig.integrations("owt/runs/r1")).toEqual(["one/E01", "two/E01"]);
    expect(rig.show("owt/runs/r1", "all.lock")).toBe("base\none\ntwo\n");
  },
);

test("a command that leaves no file, or does not write it, has made nothing anew", async () => {
  for (const [command, how] of [
    ["rm all.lock", "left no file there"],
    ["rm all.lock; mkdir all.lock; touch all.lock/in", "left no file there"],
    ["true", "did not write it"],
  ] as const) {
    await using rig = Rig.create({
      ".worktreerc": `${demoConfig}[conflicts.regenerate]\n"all.lock" = "${command}"\n`,
      "all.lock": "base\n",
    });
    const ran = await bothChange(rig, (name) => `write all.lock "${name}\\n"\non conflict:\nwrite all.lock "both\\n"`);
    expect(ran.code).toBe(0);
    expect(ran.stderr).toContain(`all.lock could not be made anew: ${command} ${how}`);
    const { task: two } = await rig.json<{ task: Tried }>("task", "show", "two/E01");
    const conflict = `conflicts in all.lock; ${command}, to make anew what is in conflict, made no such file`;
    expect(two.attempts.map(({ outcome }) => outcome)).toEqual([conflict, "done"]);
    expect(rig.show("owt/runs/r1", "all.lock")).toBe("both\n");
  }
});

test("a command that takes the run's own worktree away is the configuration's fault", async () => {
  const command = 'rm -rf "$PWD"';
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[conflicts.regenerate]\n"all.lock" = '${command}'\n`,
    "all.lock": "base\n",
  });
  const ran = await bothChange(rig, (name) => `write all.lock "${name}\\n"`);
  expect(ran.code).toBe(4);
  const { waiting } = await rig.json<{ waiting: { task: string; why: string }[] }>("inbox");
  const why = `${command}, to make anew what is in conflict, deleted what git needs in the run's own worktree`;
  expect(waiting).toMatchObject([{ task: "two/E01", why: expect.stringContaining(why) }]);
});
