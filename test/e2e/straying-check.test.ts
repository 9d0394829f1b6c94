/** A verify command that switches branches in the run's own worktree: the configuration's fault, told as that, and nothing is lost by it. */
import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { demoConfig, Rig, task } from "../rig/rig.ts";

type Waiting = { waiting: { task: string; why: string; command: string; note: string }[] };

/** Two tasks at once, so that what is merged has to be checked; `check` is a script that a person can mend. */
function strayingWith(script: string): Rig {
  const rig = Rig.create({});
  const path = rig.path("check.sh");
  writeFileSync(path, script);
  rig.write({
    ".worktreerc": `${demoConfig}[run]\nmax_parallel = 2\nverify = "sh ${path}"\nflaky_reruns = 0\n`,
    "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"'),
    "docs/plans/b/epic-01-b.md": task({}, 'write b.txt "b"'),
  });
  rig.commit("plan");
  rig.ok("config", "approve", "--yes");
  return rig;
}

/** In the run's own worktree alone. */
const THERE = 'case "$PWD" in */shop-owt/r1) ;; *) exit 0;; esac\n';

test.each([
  ["git switch -qc mine && echo left > left.txt", "mine"],
  ["git checkout -q --orphan empty", "empty"],
  ["git checkout -q --detach main", /[0-9a-f]{10}/],
])("%s is told as what it is, costs no task an attempt, and is set right", async (command, to) => {
  await using rig = strayingWith(`${THERE}${command}\n`);
  const ran = await rig.owt("run", "--yes");
  expect([ran.code, ran.stderr]).toEqual([4, expect.not.stringContaining("internal")]);
  const { waiting } = await rig.json<Waiting>("inbox");
  expect(waiting).not.toEqual([]);
  for (const { why, command: answer, task: key } of waiting) {
    expect(why).toMatch(/^the verify command switched the run's own worktree to /);
    expect(why).toMatch(to);
    expect(why).toContain(`sh ${rig.path("check.sh")}`);
    expect(answer).toBe(`owt task retry ${key}`);
  }
  if (command.includes("left.txt")) {
    const rescues = await rig.json<{ rescues: { id: string }[] }>("restore");
    expect(rescues.rescues.map(({ id }) => id)).toContainEqual(expect.stringMatching(/^r1-check-/));
  }
  writeFileSync(rig.path("check.sh"), "");
  for (const { task: key } of waiting) rig.ok("task", "retry", key);
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(["a/E01", "b/E01"]);
});

test("what lands is not moved by such a check either", async () => {
  await using rig = strayingWith("");
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  rig.write({ "c.txt": "c" });
  rig.commit("went on");
  writeFileSync(rig.path("check.sh"), `${THERE}git switch -qc mine\n`);
  const tip = rig.git("rev-parse", "main");
  const ran = await rig.owt("land");
  expect([ran.code, ran.stderr]).toEqual([4, expect.stringContaining("it switched the worktree to mine")]);
  expect(rig.git("rev-parse", "main")).toBe(tip);
  writeFileSync(rig.path("check.sh"), "");
  expect((await rig.owt("land")).code).toBe(0);
});

test.each([
  ["git checkout -q --detach main", /[0-9a-f]{10}/],
  ["git switch -qc mine", "mine"],
  ["git reset -q --hard main", /[0-9a-f]{10}/],
])("in the task's own worktree %s passes nothing either", async (command, to) => {
  await using rig = strayingWith(
    `case "$PWD" in */shop-owt/a-e01-*) ;; *) exit 0;; esac\n${command} && test ! -e a.txt\n`,
  );
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  expect(rig.integrations("owt/runs/r1")).toEqual(["b/E01"]);
  const { waiting } = await rig.json<Waiting>("inbox");
  expect(waiting).toMatchObject([{ task: "a/E01", command: "owt task retry a/E01" }]);
  expect(waiting[0]!.why).toMatch(/^the verify command switched the task's worktree to /);
  expect(waiting[0]!.why).toMatch(to);
  writeFileSync(rig.path("check.sh"), "test -e a.txt || test -e b.txt\n");
  rig.ok("task", "retry", "a/E01");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(["a/E01", "b/E01"]);
  expect(rig.show("owt/runs/r1", "a.txt")).toBe("a");
});
