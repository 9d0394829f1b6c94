/** What is left when a run is over: what failed stays told until somebody deals with it; and what its figures mean. */
import { readFileSync, rmSync } from "node:fs";
import { expect, test } from "vitest";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";

const failing = {
  ".worktreerc": `${demoConfig}[run]\nretries = 0\n`,
  "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"'),
  "docs/plans/b/epic-01-b.md": task({}, 'fail "no way"'),
};

test("what failed is told after the run has landed, until a later run has done it", async () => {
  await using rig = Rig.create(failing);
  await rig.owt("run", "--yes");
  await rig.owt("land");
  const told = await rig.owt("status");
  expect(told.stdout).toMatch(/r1 · landed without these .*\n.*b\/E01 +failed +no way/);
  expect(told.stdout).not.toContain("a/E01");
  expect((await rig.owt("inbox")).stdout).toMatch(/b\/E01 \(r1\) no way · for [\d.]+s\n {2}↳ owt task retry b\/E01/);
  // Tried again in the landed run and failed again: still told.
  await rig.owt("task", "retry", "b/E01");
  await rig.owt("resume");
  expect((await rig.owt("inbox")).stdout).toContain("b/E01 (r1)");
  rig.write({ "docs/plans/b/epic-01-b.md": task({}, 'write b.txt "b"') });
  rig.commit("a better plan");
  expect((await rig.owt("run", "--yes", "b/E01")).code).toBe(0);
  expect((await rig.owt("inbox")).stdout).toBe("nothing waits for a person\n");
  expect((await rig.owt("status")).stdout).not.toContain("r1");
});

test("what failed and is not wanted any more is cancelled, and told no more", async () => {
  await using rig = Rig.create(failing);
  await rig.owt("run", "--yes");
  await rig.owt("land");
  expect((await rig.owt("task", "cancel", "b/E01")).stdout).toBe("b/E01: cancelled\n");
  expect((await rig.owt("inbox")).stdout).toBe("nothing waits for a person\n");
  expect((await rig.owt("status")).stdout).not.toContain("r1");
});

test("what was cancelled stays so: a later run leaves it out with what needs it, until it is named or asks for something else", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"'),
    "docs/plans/b/epic-01-b.md": task({}, 'fail "no"'),
    "docs/plans/c/epic-01-c.md": task({ depends_on: ["b/E01"] }, 'write c.txt "c"'),
  });
  await rig.owt("run", "--yes");
  await rig.owt("task", "cancel", "b/E01");
  await rig.owt("land");
  const left =
    /left out: b\/E01 was cancelled, and 1 task that needs what was\n {2}↳ to do it after all: owt run b\/E01/;
  const nothing = await rig.owt("run", "--yes");
  expect([nothing.code, nothing.stdout]).toEqual([0, "nothing to do: 1 task done, 2 left out (see above)\n"]);
  expect(nothing.stderr).toMatch(left);
  rig.write({ "docs/plans/d/epic-01-d.md": task({}, 'write d.txt "d"') });
  rig.commit("one more");
  const { plan } = { plan: await rig.json<{ tasks: { id: string; state: string; why?: string }[] }>("plan") };
  expect(plan.tasks.map(({ id, state, why }) => [id, state, why])).toMatchObject([
    ["a/E01", "done", expect.anything()],
    ["b/E01", "left-out", "was cancelled"],
    ["c/E01", "left-out", "needs b/E01"],
    ["d/E01", "to-run", undefined],
  ]);
  const more = await rig.owt("run", "--yes");
  expect([more.code, more.stderr]).toEqual([0, expect.stringMatching(left)]);
  expect(rig.integrations("owt/runs/r2")).toEqual(["a/E01", "d/E01"]);
  const named = await rig.owt("run", "--yes", "b/E01");
  expect(named.stderr).toContain("b/E01 started");
  expect(named.stderr).not.toContain("left out");
  // Now it is one that failed, which a run takes up again.
  await rig.owt("task", "cancel", "b/E01");
  rig.write({ "docs/plans/b/epic-01-b.md": task({}, 'write b.txt "b"') });
  rig.commit("another text");
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  expect(["b", "c"].map((name) => rig.show("owt/runs/r4", `${name}.txt`)?.trim())).toEqual(["b", "c"]);
});

test("what is cancelled in a run that goes on begins again where it is named", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/a/epic-01-a.md": task({ needs_review: true }, 'write a.txt "a"'),
    "docs/plans/b/epic-01-b.md": task({ depends_on: ["a/E01"] }, 'write b.txt "b"'),
    "docs/plans/c/epic-01-c.md": task({}, 'write c.txt "c"'),
  });
  await rig.owt("run", "--yes");
  await rig.owt("task", "cancel", "b/E01");
  await rig.owt("run", "--yes");
  expect((await rig.json<{ tasks: { id: string; state: string }[] }>("task", "list")).tasks).toContainEqual(
    expect.objectContaining({ id: "b/E01", state: "cancelled" }),
  );
  await rig.owt("task", "approve", "a/E01");
  expect((await rig.owt("run", "--yes", "b/E01", "--with-upstreams")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(["a/E01", "b/E01", "c/E01"]);
});

test("waiting for a person is no work", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/a/epic-01-a.md": task({ needs_review: true }, 'write a.txt "a"'),
  });
  await rig.owt("run", "--yes");
  type Report = {
    report: { duration_ms: number; sequential_ms: number; tasks: { work_ms: number; duration_ms: number }[] };
  };
  // The waiting is as long as three commands take; the work was done before.
  const { report: first } = await rig.json<Report>("report");
  await rig.owt("status");
  const { report: second } = await rig.json<Report>("report");
  expect(second.tasks[0]!.duration_ms).toBeGreaterThan(first.tasks[0]!.duration_ms);
  expect(second.tasks[0]!.work_ms).toBe(first.tasks[0]!.work_ms);
  const { task: waiting } = await rig.json<{ task: { work_ms: number } }>("status", "a/E01");
  expect(waiting.work_ms).toBe(first.tasks[0]!.work_ms);
  await rig.owt("task", "approve", "a/E01");
  await rig.owt("resume");
  const { report } = await rig.json<Report>("report");
  // They are read off different clocks, a millisecond apart.
  const waited = second.tasks[0]!.duration_ms - first.tasks[0]!.duration_ms;
  expect(Math.abs(report.sequential_ms - report.tasks[0]!.work_ms)).toBeLessThan(waited);
});

test("off a terminal nothing is approved without being told so", async () => {
  await using rig = Rig.create({ ".worktreerc": `${demoConfig}[run]\nverify = "echo x"\n` }, { approve: false });
  const ran = await rig.owt("config", "approve");
  expect([ran.code, ran.stderr]).toEqual([
    4,
    expect.stringMatching(/echo x\n.*nobody can be asked.*\n.*owt config approve --yes/),
  ]);
  expect((await rig.owt("config", "approve", "--yes")).stdout).toContain("approved: echo x");
});

test("repeated work that is there already is done, checked, and needs no commit", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = "test -f README.md"\n`,
    "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"'),
    "docs/plans/a/epic-02-b.md": task({}, 'write b.txt "b"'),
    "docs/plans/c/epic-01-c.md": task({}, 'say "nothing of it"'),
  });
  expect((await rig.owt("run", "--yes")).code).toBe(1);
  const before = rig.git("rev-parse", "owt/runs/r1");
  const ran = await rig.owt("run", "--yes", "--again");
  // What was never done before is as little done as ever.
  expect([ran.code, ran.stdout]).toEqual([1, expect.stringContaining("2 of 3 tasks integrated")]);
  expect(ran.stderr).toContain("a/E02 changed nothing: its work is there already");
  expect(rig.git("rev-parse", "owt/runs/r2")).toBe(before);
  expect(ran.stderr.match(/passes test -f README.md/g)?.length).toBeGreaterThan(0);
});

test("what a title holds to steer a terminal comes into no commit", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/a/epic-01-a.md": '---\ntitle: "Red \\e[31mletters\\a"\n---\n# x\n\n```demo\nwrite a.txt "a"\n```\n',
  });
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  const subjects = rig.git("log", "--format=%B", "main..owt/runs/r1");
  expect(subjects).toContain("Red letters");
  for (const control of ["\u0007", "\u001b"]) expect(subjects).not.toContain(control);
});

test("a task that nobody knows gets the nearest names, also where there is no plan", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.ok("task", "create", "write the release notes");
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  const ran = await rig.owt("run", "--yes", "wrte-the-release-notes");
  expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining("did you mean write-the-release-notes?")]);
  expect((await rig.owt("plan", "nosuchdir")).stderr).toContain("no task or plan named nosuchdir");
  expect((await rig.owt("task", "show", "write-the-release-notes")).stdout).toMatch(/shop-owt\/\S+ \(removed\)/);
});

test("a check whose time was up is called so, and more tasks than agents are not side by side", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = "sleep 600"\nverify_attempts = 0\ntimeout = "2s"\nretries = 0\nmax_parallel = 2\n`,
    "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"'),
    "docs/plans/b/epic-01-b.md": task({ status: "complete" }, ""),
  });
  const ran = await rig.owt("run", "--yes");
  expect(ran.stderr).toContain("fails sleep 600 (its time was up)");
  for (const name of ["c", "d"]) rig.write({ [`docs/plans/${name}/epic-01-x.md`]: task({}, "") });
  expect((await rig.owt("plan")).stdout).toContain("step 1: 3 tasks, 2 at a time");
});

test("a repetition that was killed goes on when it is asked for again, and begins nothing twice", async () => {
  const steps = (rig: Rig, name: string) =>
    `log ${rig.path("log")} "{task}"\nwait ${rig.path("gate")}\nappend ${name}.txt "a line"\ncommit "${name}"`;
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  const plan = (text: (name: string) => string) =>
    Object.fromEntries(["a", "b"].map((name) => [`docs/plans/${name}/epic-01-${name}.md`, task({}, text(name))]));
  rig.write(plan((name) => steps(rig, name)));
  rig.commit("plan");
  rig.release("gate");
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  rmSync(rig.path("gate"));
  const again = rig.start("run", "--yes", "--again");
  await again.says("b/E01 started");
  again.child.kill("SIGKILL");
  await again.ended;
  const next = rig.start("run", "--yes", "--again");
  await next.says("going on with r2");
  rig.release("gate");
  expect((await next.ended).code).toBe(0);
  expect(readFileSync(rig.path("log"), "utf8").trim().split("\n").toSorted()).toEqual([
    "a/E01",
    "a/E01",
    "b/E01",
    "b/E01",
  ]);
});

test("Ctrl-C ends a landing before the target has moved", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = ["sh check.sh"]\n`,
    "check.sh": "exit 0\n",
    "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"\ncommit "a"'),
  });
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  rig.write({ "check.sh": `touch ${rig.path("checks")}\nsleep 1000\n` });
  rig.commit("a check that takes long");
  const before = rig.git("rev-parse", "main");
  const landing = rig.start("land");
  await fileAppears(rig.path("checks"));
  landing.child.kill("SIGINT");
  const ran = await landing.ended;
  expect(ran.code).toBe(130);
  expect(ran.stderr).toContain("the target was not moved");
  expect(rig.git("rev-parse", "main")).toBe(before);
  expect(rig.processes()).toEqual([]);
  rig.write({ "check.sh": "exit 0\n" });
  rig.commit("a quick one");
  expect((await rig.owt("land")).code).toBe(0);
});

test("a check that is red once as a run lands is flaky, which is told; red twice it stands in the way", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = ["sh check.sh"]\n`,
    "check.sh": "exit 0\n",
    "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"\ncommit "a"'),
  });
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  rig.write({ "check.sh": "exit 3\n" });
  rig.commit("red for ever");
  const red = await rig.owt("land");
  expect([red.code, red.stderr]).toEqual([4, expect.stringContaining("sh check.sh")]);
  rig.write({ "check.sh": `mkdir ${rig.path("seen")} 2>/dev/null && exit 3\nexit 0\n` });
  rig.commit("red once");
  const landed = await rig.owt("land");
  expect([landed.code, landed.stderr]).toEqual([0, expect.stringContaining("flaky: sh check.sh failed (exit 3)")]);
  expect(rig.show("main", "a.txt")).toBe("a");
});

test("a task that is cancelled while it is set aside leaves no worktree and no branch", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/a/epic-01-a.md": task({}, 'write half.txt "half"\nask "Which?"'),
  });
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  expect(rig.git("worktree", "list").split("\n")).toHaveLength(2);
  await rig.owt("task", "cancel", "a/E01");
  expect(rig.git("worktree", "list").split("\n")).toHaveLength(1);
  expect(rig.git("for-each-ref", "refs/heads/owt/tasks")).toBe("");
  // What it had is saved.
  expect((await rig.owt("restore")).stdout).toContain("a/E01");
});
