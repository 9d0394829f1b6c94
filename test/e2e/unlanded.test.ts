/** Runs side by side that have not landed: the next one has what it needs of all of them, or says what it has not. */
import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";

/** Two runs that do a task each, both begun on main. */
async function sideBySide(rig: Rig, first: string[], second: string[]): Promise<void> {
  const one = rig.start("run", "--yes", ...first);
  await fileAppears(rig.path("works"));
  const two = rig.start("run", "--yes", ...second);
  await two.says("r2: 1 task");
  rig.release("gate");
  expect([(await one.ended).code, (await two.ended).code]).toEqual([0, 0]);
}

const held = (rig: Rig, then: string) => task({}, `touch ${rig.path("works")}\nwait ${rig.path("gate")}\n${then}`);

/** The tasks that came home in a run, of all that it has. */
const doneIn = (rig: Rig, run: string) => rig.integrations(`main..owt/runs/${run}`).toSorted();

test("a run goes on from all that runs side by side did of its plan: nothing is done twice, and all of it lands at once", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/a/epic-01-x.md": held(rig, 'write a.txt "a"'),
    "docs/plans/b/epic-01-x.md": task({}, 'write b.txt "b"'),
    "docs/plans/c/epic-01-x.md": task({ depends_on: ["a/E01", "b/E01"] }, 'write c.txt "c"'),
  });
  rig.commit("plan");
  await sideBySide(rig, ["a/E01"], ["b/E01"]);
  expect(doneIn(rig, "r2")).toEqual(["b/E01"]);
  rig.write({ "other.txt": "main moved on" });
  rig.commit("moved on");
  expect((await rig.json<{ builds_on: string[] }>("plan")).builds_on).toEqual(["r2", "r1"]);
  expect((await rig.owt("plan")).stdout).toContain("builds on r2 and r1, which have not landed yet");
  const third = await rig.owt("run", "--yes");
  expect([third.code, third.stderr]).toEqual([
    0,
    expect.stringContaining(
      "builds on r2 and r1, which have not landed on main yet (--from-target starts without them)",
    ),
  ]);
  expect(doneIn(rig, "r3")).toEqual(["c/E01"]);
  expect(["a", "b", "other"].map((name) => rig.show("owt/runs/r3", `${name}.txt`))).toEqual([
    "a",
    "b",
    "main moved on",
  ]);
  rig.write({ "more.txt": "and on" });
  rig.commit("moved on again");
  expect((await rig.owt("land", "r3")).code).toBe(0);
  const late = await rig.owt("land", "r1");
  expect([late.code, late.stdout]).toEqual([0, expect.stringContaining("already")]);
});

test("what cannot be joined is said, with the run that has it and the command that brings it in", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/a/epic-01-x.md": held(rig, 'write both.txt "a"'),
    "docs/plans/b/epic-01-x.md": task({}, 'write both.txt "b"'),
  });
  rig.commit("plan");
  await sideBySide(rig, ["a/E01"], ["b/E01"]);
  const third = await rig.owt("run", "--yes");
  expect(third.stderr).toContain("builds on r2, which has not landed");
  expect(third.stderr).toContain(
    "does not hold what is done in r1 (a/E01), which conflicts with that in both.txt, and would do it again; to have it: owt land r1, then the same again",
  );
  // What it did again holds it: nothing is missing any more.
  const fourth = await rig.owt("run", "--yes");
  expect(fourth.stdout).toContain("nothing to do");
  expect(fourth.stderr).not.toContain("does not hold");
});

test("different plans stay apart: each goes on from its own work, and all of it lands", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/a/epic-01-x.md": held(rig, 'write a1.txt "a"'),
    "docs/plans/a/epic-02-x.md": task({}, 'write a2.txt "a"'),
    "docs/p2/z/epic-01-x.md": task({}, 'write z1.txt "z"'),
    "docs/p2/z/epic-02-x.md": task({}, 'write z2.txt "z"'),
  });
  rig.commit("plans");
  await sideBySide(rig, ["docs/plans", "--count", "1"], ["docs/p2", "--count", "1"]);
  const third = await rig.owt("run", "--yes", "docs/plans");
  expect(third.stderr).toContain("builds on r1,");
  expect(doneIn(rig, "r3")).toEqual(["a/E01", "a/E02"]);
  const fourth = await rig.owt("run", "--yes", "docs/p2");
  expect(fourth.stderr).toContain("builds on r2,");
  expect(doneIn(rig, "r4")).toEqual(["z/E01", "z/E02"]);
  for (const run of ["r3", "r4"]) expect((await rig.owt("land", run)).code).toBe(0);
});

test("what a run integrates once it has landed is not in its target: it is told, landed, and built upon like any other", async () => {
  await using rig = Rig.create({ ".worktreerc": `${demoConfig}[run]\nretries = 0\n` });
  const later = (name: string) => task({}, `run "test" "-e" "${rig.path("ok")}"\nwrite ${name}.txt "${name}"`);
  rig.write({
    "docs/plans/a/epic-01-x.md": task({}, 'write a.txt "a"'),
    "docs/plans/k/epic-01-x.md": later("k"),
  });
  rig.commit("plan");
  expect((await rig.owt("run", "--yes")).code).toBe(1);
  expect(rig.ok("land")).toContain("not in it: k/E01");
  writeFileSync(rig.path("ok"), "");
  rig.ok("task", "retry", "--failed");
  const resumed = await rig.owt("resume");
  expect([resumed.code, resumed.stdout]).toEqual([0, expect.stringContaining("owt land r1")]);
  expect(rig.ok("status")).toContain("ended, not landed (owt land r1)");
  expect(rig.ok("report")).toContain("to land on main");
  rig.write({ "docs/plans/n/epic-01-x.md": task({ depends_on: ["k/E01"] }, 'write n.txt "n"') });
  rig.commit("more");
  expect((await rig.owt("run", "--yes")).stderr).toContain("builds on r1, which has not landed");
  // Nothing is done twice.
  expect(doneIn(rig, "r2")).toEqual(["n/E01"]);
  expect(rig.ok("land")).toContain("landed on main");
  expect(["k", "n"].map((name) => rig.show("main", `${name}.txt`))).toEqual(["k", "n"]);
  expect(rig.ok("report", "r1")).toContain("landed on main");
});
