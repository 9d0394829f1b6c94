/** A run that begins from what its checks do not pass: what ends that, and what is looked at until then. */
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";

type Report = { tasks: { id: string; attempts: { outcome_kind: string | null }[] }[] };
type Inbox = { waiting: { task: string; why: string; more: number; command: string }[] };

async function attemptsOf(rig: Rig): Promise<Record<string, (string | null)[]>> {
  const { tasks } = (await rig.json<{ report: Report }>("report")).report;
  return Object.fromEntries(tasks.map(({ id, attempts }) => [id, attempts.map((each) => each.outcome_kind)]));
}

const AGAIN = 'on repair:\nsay "nothing of mine"';

/** Tasks by their steps. Each check leaves a line. */
function beginsRed(tasks: (rig: Rig) => Record<string, string>, more = ""): Rig {
  const rig = Rig.create({});
  const check = `echo >> ${rig.path("checks")}; test ! -e broken.txt`;
  rig.write({
    ".worktreerc": `${demoConfig}[run]\nmax_parallel = 4\nverify = "${check}"\n${more}`,
    "broken.txt": "red",
  });
  for (const [name, steps] of Object.entries(tasks(rig)))
    rig.write({ [`docs/plans/${name}/epic-01-${name}.md`]: task({ title: name }, steps) });
  rig.commit("plan");
  rig.ok("config", "approve", "--yes");
  return rig;
}

const writes = (name: string) => `write ${name}.txt "${name}"\n${AGAIN}`;

function checksOf(rig: Rig): number {
  return readFileSync(rig.path("checks"), "utf8").length;
}

test("where nothing changed, going on checks the branch once, and nothing else", async () => {
  await using rig = beginsRed(() => ({ a: writes("a"), b: writes("b"), c: writes("c") }));
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  const before = checksOf(rig);
  const ran = await rig.owt("resume");
  expect([ran.code, ran.stderr]).toEqual([4, expect.stringContaining("the check is red without the work of any task")]);
  expect(ran.stderr).not.toContain("checked again");
  expect(checksOf(rig)).toBe(before + 1);
  expect((await rig.owt("resume")).code).toBe(4);
  expect(checksOf(rig)).toBe(before + 2);
  const { waiting } = await rig.json<Inbox>("inbox");
  expect(waiting).toMatchObject([{ more: 2, command: "owt resume r1" }]);
  rig.git("rm", "-q", "broken.txt");
  rig.git("commit", "-qm", "mend it");
  expect((await rig.owt("resume")).code).toBe(0);
});

test("what is known to be red is not checked twice", async () => {
  await using rig = beginsRed(() => ({ a: writes("a"), b: writes("b"), c: writes("c") }), "verify_attempts = 0\n");
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  // Where they began twice; in each worktree, merged together, and each alone, once.
  expect(checksOf(rig)).toBeLessThanOrEqual(3 + 2 + 1 + 3);
});

test("the files of the first turn on a red base are checked once, however often it is told", async () => {
  await using rig = beginsRed(() => ({ a: writes("a") }));
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  expect((await attemptsOf(rig))["a/E01"]).toEqual(["verify_failed", null]);
  // Where it began twice; as it is, and merged, once.
  expect(checksOf(rig)).toBe(1 + 2 + 1);
});

test("where what was amiss lay outside the repository, one look lets all come in", async () => {
  await using rig = Rig.create({});
  rig.write({
    ".worktreerc": `${demoConfig}[run]\nverify = "test -e ${rig.path("tool")}"\n`,
    "docs/plans/a/epic-01-a.md": task({}, writes("a")),
    "docs/plans/b/epic-01-b.md": task({}, writes("b")),
  });
  rig.commit("plan");
  rig.ok("config", "approve", "--yes");
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  for (const _ of [1, 2]) expect((await rig.owt("resume")).code).toBe(4);
  writeFileSync(rig.path("tool"), "");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(["a/E01", "b/E01"]);
});

test("cancelling one of those that wait leaves the others in the inbox", async () => {
  await using rig = beginsRed(() => ({ a: writes("a"), b: writes("b") }));
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  rig.ok("task", "cancel", "b/E01");
  const { waiting } = await rig.json<Inbox>("inbox");
  expect(waiting).toMatchObject([{ task: "a/E01", more: 0, command: "owt resume r1" }]);
});

test("one that waits can be tried again: it may be there to mend what the run begins with", async () => {
  await using rig = beginsRed((each) => ({
    a: writes("a"),
    mend: `run "sh" "-c" "echo >> ${each.path("turns")}; test $(wc -l < ${each.path("turns")}) -lt 3 || git rm -q broken.txt"\nwrite mend.txt "m{turn}"\non repair:\nrun "sh" "-c" "echo >> ${each.path("turns")}; echo again >> mend.txt"`,
  }));
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  rig.ok("task", "retry", "mend/E01");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(["a/E01", "mend/E01"]);
  expect((await attemptsOf(rig))["mend/E01"]).toEqual(["verify_failed", "stopped", "ok"]);
});

test("an innocent commit on the target is not named for what was red where the run began", async () => {
  await using rig = beginsRed(() => ({ a: writes("a") }));
  const base = rig.git("rev-parse", "main").slice(0, 10);
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  rig.write({ "more.txt": "more" });
  rig.commit("innocent");
  expect((await rig.owt("resume")).code).toBe(4);
  const { waiting } = await rig.json<Inbox>("inbox");
  expect(waiting[0]!.why).toContain(
    `the check is red without the work of any task, since ${base}, where the run began`,
  );
});

test("work from a red base comes in without another turn where the branch is green meanwhile", async () => {
  await using rig = beginsRed((each) => ({
    mend: "delete broken.txt",
    slow: `touch ${each.path("slow-runs")}\nwait ${each.path("gate")}\n${writes("slow")}`,
  }));
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("slow-runs"));
  await run.says("mend/E01 integrated");
  rig.release("gate");
  expect((await run.ended).code).toBe(0);
  expect(await attemptsOf(rig)).toEqual({ "mend/E01": ["ok"], "slow/E01": ["ok"] });
});

test.each(["amend", "reset"])("a red commit that its user takes back (%s) lets the run begin anew", async (how) => {
  await using rig = beginsRed(() => ({ a: writes("a"), b: writes("b") }));
  rig.git("rm", "-q", "broken.txt");
  rig.git("commit", "-qm", "green");
  rig.write({ "broken.txt": "red", "other.txt": "other" });
  rig.commit("red");
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  if (how === "amend") {
    rig.git("rm", "-q", "broken.txt");
    rig.git("commit", "-q", "--amend", "-m", "mended");
  } else rig.git("reset", "-q", "--hard", "HEAD~1");
  const ran = await rig.owt("resume");
  expect([ran.code, ran.stderr]).toEqual([0, expect.stringContaining("it begins anew at")]);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(["a/E01", "b/E01"]);
  expect(rig.show("owt/runs/r1", "broken.txt")).toBeNull();
  rig.git("merge-base", "--is-ancestor", "main", "owt/runs/r1");
  expect((await rig.owt("land")).code).toBe(0);
});
