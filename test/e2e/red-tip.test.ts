/** A run's branch that is red by itself, for a person committed there: no task is blamed for it. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { demoConfig, fileAppears, Rig, type Running, task } from "../rig/rig.ts";

type Report = { tasks: { id: string; state: string; attempts: { outcome_kind: string | null }[] }[] };

const CHECK = "test ! -e broken.txt";

/** First a comes in; b and c wait at a gate meanwhile, d at another one. */
async function untilFirstIsIn(more = ""): Promise<{ rig: Rig; run: Running }> {
  const rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nmax_parallel = 4\nverify_attempts = 1\nverify = "${CHECK}"\n${more}`,
  });
  const late = (name: string, gate: string) =>
    task({ title: name }, `touch ${rig.path(`${name}-runs`)}\nwait ${rig.path(gate)}\nwrite ${name}.txt "${name}"`);
  rig.write({
    "docs/plans/a/epic-01-a.md": task({ title: "a" }, 'write a.txt "a"'),
    "docs/plans/b/epic-01-b.md": late("b", "gate"),
    "docs/plans/c/epic-01-c.md": late("c", "gate"),
    "docs/plans/d/epic-01-d.md": late("d", "last"),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  for (const name of ["b", "c", "d"]) await fileAppears(rig.path(`${name}-runs`));
  await run.says("a/E01 integrated");
  return { rig, run };
}

/** A commit on the run's branch, by hand. */
function commitByHand(rig: Rig, message: string, work: (folder: string) => void): void {
  const folder = rig.path("by-hand");
  rig.git("worktree", "add", "-q", folder, "owt/runs/r1");
  work(folder);
  execFileSync("git", ["add", "-A"], { cwd: folder, env: rig.env });
  execFileSync("git", ["commit", "-q", "-m", message], { cwd: folder, env: rig.env });
  rig.git("worktree", "remove", folder);
}

function breakIt(rig: Rig): string {
  commitByHand(rig, "break it", (folder) => writeFileSync(join(folder, "broken.txt"), ""));
  return rig.git("rev-parse", "owt/runs/r1").slice(0, 10);
}

function mendIt(rig: Rig): void {
  commitByHand(rig, "mend it", (folder) => execFileSync("rm", ["broken.txt"], { cwd: folder }));
}

async function attemptsOf(rig: Rig): Promise<Record<string, (string | null)[]>> {
  const { tasks } = (await rig.json<{ report: Report }>("report")).report;
  return Object.fromEntries(tasks.map(({ id, attempts }) => [id, attempts.map((each) => each.outcome_kind)]));
}

const ALL_OK = { "a/E01": ["ok"], "b/E01": ["ok"], "c/E01": ["ok"], "d/E01": ["ok"] };

test("what is red on a branch that is red itself waits, is told since which commit, and costs no attempt", async () => {
  const { rig, run } = await untilFirstIsIn();
  await using _ = rig;
  const commit = breakIt(rig);
  rig.release("gate");
  rig.release("last");
  const ran = await run.ended;
  expect(ran.code).toBe(4);
  const why = `owt/runs/r1 itself is red since ${commit} (break it, by Test User): ${CHECK}`;
  expect(ran.stderr).toContain(why);
  expect(ran.stderr.match(/the branch alone fails test ! -e broken\.txt \(/g)).toHaveLength(1);
  const { waiting } = await rig.json<{ waiting: { task: string; why: string; more: number; command: string }[] }>(
    "inbox",
  );
  expect(waiting).toHaveLength(1);
  expect(waiting[0]).toMatchObject({ more: 2, why: expect.stringContaining(why), command: "owt resume r1" });
  expect(rig.ok("status").replaceAll(/\s+/g, " ")).toContain(why);
  expect(await attemptsOf(rig)).toEqual({ "a/E01": ["ok"], "b/E01": [null], "c/E01": [null], "d/E01": [null] });
  mendIt(rig);
  expect((await rig.owt("resume")).code).toBe(0);
  expect(await attemptsOf(rig)).toEqual(ALL_OK);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(["a/E01", "b/E01", "c/E01", "d/E01"]);
});

test("once the branch is mended they come in by themselves", async () => {
  const { rig, run } = await untilFirstIsIn();
  await using _ = rig;
  breakIt(rig);
  rig.release("gate");
  await run.says("itself is red");
  mendIt(rig);
  await run.says(/[bc]\/E01 integrated/);
  rig.release("last");
  expect((await run.ended).code).toBe(0);
  expect(await attemptsOf(rig)).toEqual(ALL_OK);
});

test("one that waits for the branch can be cancelled", async () => {
  const { rig, run } = await untilFirstIsIn();
  await using _ = rig;
  breakIt(rig);
  rig.release("gate");
  await run.says("itself is red");
  rig.ok("task", "cancel", "b/E01");
  await run.says("b/E01 cancelled");
  mendIt(rig);
  rig.release("last");
  await run.ended;
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(["a/E01", "c/E01", "d/E01"]);
});

test("who begins from a red branch is not to blame for it either, and one place is enough for all to wait", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nmax_parallel = 1\nverify = "${CHECK}"\n`,
    "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"'),
    "docs/plans/c/epic-01-c.md": task({}, 'write c.txt "c"'),
  });
  const steps = `touch ${rig.path("b-runs")}\nwait ${rig.path("gate")}\nwrite b.txt "b"`;
  rig.write({ "docs/plans/b/epic-01-b.md": task({}, steps) });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("b-runs"));
  breakIt(rig);
  rig.release("gate");
  expect((await run.ended).code).toBe(4);
  expect(await attemptsOf(rig)).toEqual({ "a/E01": ["ok"], "b/E01": [null], "c/E01": [null] });
  mendIt(rig);
  expect((await rig.owt("resume")).code).toBe(0);
  expect(await attemptsOf(rig)).toEqual({ "a/E01": ["ok"], "b/E01": ["ok"], "c/E01": ["ok"] });
});

/** Tasks by their steps, in a run that begins with what the check does not pass. */
function beginsRed(tasks: Record<string, string>, more = ""): Rig {
  const rig = Rig.create({ ".worktreerc": `${demoConfig}[run]\nverify = "${CHECK}"\n${more}`, "broken.txt": "red" });
  for (const [name, steps] of Object.entries(tasks))
    rig.write({ [`docs/plans/${name}/epic-01-${name}.md`]: task({}, steps) });
  rig.commit("plan");
  return rig;
}

test("what a run begins with is no task's fault: it is told, and comes in once the target is mended", async () => {
  const again = 'on repair:\nsay "nothing of mine"';
  await using rig = beginsRed({ a: `write a.txt "a"\n${again}`, b: `write b.txt "b"\n${again}` });
  const base = rig.git("rev-parse", "main").slice(0, 10);
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(4);
  const red = { "a/E01": ["verify_failed", null], "b/E01": ["verify_failed", null] };
  expect(await attemptsOf(rig)).toEqual(red);
  const { waiting } = await rig.json<{ waiting: { why: string; more: number; command: string }[] }>("inbox");
  const why = `the check is red without the work of any task, since ${base}, where the run began: ${CHECK}`;
  expect(waiting).toMatchObject([{ more: 1, why: expect.stringContaining(why), command: "owt resume r1" }]);
  const { task: a } = await rig.json<{ task: { attempts: { folder: string }[] } }>("task", "show", "a/E01");
  expect(readFileSync(join(a.attempts[1]!.folder, "prompt"), "utf8")).toContain(`work too, since ${base}`);
  rig.git("rm", "-q", "broken.txt");
  rig.git("commit", "-qm", "mend it");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(["a/E01", "b/E01"]);
});

test("a task that turns green what the run begins with lets the others come in", async () => {
  const steps = 'write a.txt "a"\non repair:\nsay "nothing of mine"';
  await using rig = beginsRed({ a: steps, b: 'write b.txt "b"\non repair:\ndelete broken.txt' });
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(["a/E01", "b/E01"]);
});

test("nor is it where red checks never go back", async () => {
  await using rig = beginsRed({ a: 'write a.txt "a"', b: 'write b.txt "b"' }, "verify_attempts = 0\n");
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  expect(await attemptsOf(rig)).toEqual({ "a/E01": [null], "b/E01": [null] });
  rig.git("rm", "-q", "broken.txt");
  rig.git("commit", "-qm", "mend it");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(await attemptsOf(rig)).toEqual({ "a/E01": ["ok"], "b/E01": ["ok"] });
});

test("a repair that is overtaken by others' work is not used up", async () => {
  // d is red beside a and beside c, unless it names them.
  const names = (name: string) => `{ test ! -f ${name}.txt || grep -q ${name}.txt met.txt; }`;
  const check = `test ! -f d.txt || { ${names("a")} && ${names("c")}; }`;
  const rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nmax_parallel = 4\nverify_attempts = 1\nverify = "${check}"\n`,
    "docs/plans/a/epic-01-a.md": task({ title: "a" }, 'write a.txt "a"'),
  });
  await using _ = rig;
  const look = `run "sh" "-c" "ls ?.txt > met.txt"`;
  rig.write({
    "docs/plans/c/epic-01-c.md": task({ title: "c" }, `wait ${rig.path("d-repairs")}\nwrite c.txt "c"`),
    "docs/plans/d/epic-01-d.md": task(
      { title: "d" },
      `touch ${rig.path("d-runs")}\nwait ${rig.path("gate")}\nwrite d.txt "d"\nwrite met.txt ""\non repair:\n${look}\ntouch ${rig.path("d-repairs")}\nwait ${rig.path("last")}`,
    ),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("d-runs"));
  await run.says("a/E01 integrated");
  rig.release("gate");
  await run.says("c/E01 integrated");
  rig.release("last");
  expect((await run.ended).code).toBe(0);
  expect((await attemptsOf(rig))["d/E01"]).toEqual(["verify_failed", "verify_failed", "ok"]);
  type Attempt = { session: string };
  const { task: d } = await rig.json<{ task: { attempts: Attempt[] } }>("task", "show", "d/E01");
  expect(new Set(d.attempts.map((each) => each.session)).size).toBe(1);
});
