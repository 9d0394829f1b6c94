/** The run's own worktree, in which merged work is checked, is ours: whatever becomes of it, it is made anew, and no task pays for it. */
import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { demoConfig, Rig, task } from "../rig/rig.ts";

type Report = { tasks: { id: string; attempts: { outcome_kind: string | null }[] }[] };

async function attemptsOf(rig: Rig): Promise<Record<string, (string | null)[]>> {
  const { tasks } = (await rig.json<{ report: Report }>("report")).report;
  return Object.fromEntries(tasks.map(({ id, attempts }) => [id, attempts.map((each) => each.outcome_kind)]));
}

const SETTINGS = `[run]\nmax_parallel = 2\nflaky_reruns = 0\n`;

/** a comes in with what b holds: so the run's worktree stands when b, then c do something to it; d comes in behind that. */
function withAgentThat(what: string): Rig {
  const rig = Rig.create({ ".worktreerc": `${demoConfig}${SETTINGS}verify = "true"\n` });
  const own = join(dirname(rig.root), "shop-owt", "r1");
  rig.write({
    "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"'),
    "docs/plans/b/epic-01-b.md": task({}, 'write b.txt "b"'),
    "docs/plans/c/epic-01-c.md": task(
      { depends_on: ["b/E01", "a/E01"] },
      `run "sh" "-c" "${what.replaceAll("R1", own)}"\nwrite c.txt "c"\ntouch ${rig.path("done")}`,
    ),
    "docs/plans/d/epic-01-d.md": task({ depends_on: ["b/E01", "a/E01"] }, `wait ${rig.path("done")}\nwrite d.txt "d"`),
  });
  rig.commit("plan");
  return rig;
}

test.each([
  ["removed", "rm -rf R1"],
  ["on another branch", "git -C R1 switch -qc foo"],
  ["replaced by something else", "rm -rf R1; git worktree prune; mkdir R1; echo mine > R1/mine.txt"],
  ["replaced by a file", "rm -rf R1; git worktree prune; echo mine > R1"],
])("%s by an agent, it is made anew", async (_how, what) => {
  await using rig = withAgentThat(what);
  const ran = await rig.owt("run", "--yes");
  expect([ran.code, ran.stderr]).toEqual([0, expect.not.stringContaining("cannot be made")]);
  expect(await attemptsOf(rig)).toEqual({ "a/E01": ["ok"], "b/E01": ["ok"], "c/E01": ["ok"], "d/E01": ["ok"] });
  if (!what.includes("mine")) return;
  const home = join(dirname(rig.root), "shop-owt");
  const aside = readdirSync(home).find((name) => name.startsWith("r1-aside"));
  expect(existsSync(join(home, aside!))).toBe(true);
  expect(ran.stderr).toContain(aside);
});

test.each(["rm", "mv"])("%s by a user between two commands, it is made anew", async (how) => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}${SETTINGS}verify = "true"\n`,
    "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"'),
    "docs/plans/b/epic-01-b.md": task({}, 'write b.txt "b"'),
    "docs/plans/q/epic-01-q.md": task({}, 'ask "which?"\non answer:\nwrite q.txt "q"'),
  });
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  const own = join(dirname(rig.root), "shop-owt", "r1");
  expect(existsSync(own)).toBe(true);
  if (how === "rm") rmSync(own, { recursive: true });
  else renameSync(own, rig.path("elsewhere"));
  rig.ok("task", "answer", "q/E01", "this");
  const ran = await rig.owt("resume");
  expect([ran.code, ran.stderr]).toEqual([0, expect.not.stringContaining("cannot be made")]);
  expect((await attemptsOf(rig))["q/E01"]).toEqual(["asked", "ok"]);
});

/** Two tasks at once, so that what is merged has to be checked, by a script that sees in which worktree it is. */
function checkedBy(script: string): Rig {
  const rig = Rig.create({});
  const path = rig.path("check.sh");
  writeFileSync(path, `case "$PWD" in */shop-owt/r1) ;; *) exit 0;; esac\n${script}\n`);
  rig.write({
    ".worktreerc": `${demoConfig}${SETTINGS}verify = "sh ${path}"\n`,
    "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"'),
    "docs/plans/b/epic-01-b.md": task({}, 'write b.txt "b"'),
  });
  rig.commit("plan");
  rig.ok("config", "approve", "--yes");
  return rig;
}

test.each([
  ['rm -rf "$PWD"; exit 1', "removed"],
  ["git switch -q other; exit 1", "switched"],
])("where it goes in the middle of a check (%s), that is checked once more", async (what, _how) => {
  await using rig = checkedBy("");
  rig.git("branch", "other");
  const once = rig.path("once");
  writeFileSync(
    rig.path("check.sh"),
    `case "$PWD" in */shop-owt/r1) ;; *) exit 0;; esac\ntest -e ${once} && exit 0\ntouch ${once}\n${what}\n`,
  );
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  expect(existsSync(once)).toBe(true);
  expect(await attemptsOf(rig)).toEqual({ "a/E01": ["ok"], "b/E01": ["ok"] });
});

test("a verify command that removes it each time is told as that, and costs no task an attempt", async () => {
  await using rig = checkedBy('rm -rf "$PWD"');
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  const { waiting } = await rig.json<{ waiting: { task: string; why: string; command: string }[] }>("inbox");
  expect(waiting).not.toEqual([]);
  for (const { why, command, task: key } of waiting) {
    expect(why).toMatch(/^the verify command removed the run's own worktree: sh /);
    expect(command).toBe(`owt task retry ${key}`);
  }
  writeFileSync(rig.path("check.sh"), "");
  for (const { task: key } of waiting) rig.ok("task", "retry", key);
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(["a/E01", "b/E01"]);
  // What was to be checked is nothing that anybody lost.
  expect((await rig.json<{ rescues: { id: string }[] }>("restore")).rescues).toEqual([]);
});
