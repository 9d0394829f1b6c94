/** The store is lost, damaged, or was never there: no name is given twice, and nothing of what an earlier store began is taken for new work. */
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";

type Finding = { check: string; state: string; detail: string; hint?: string };

const storeOf = (rig: Rig) => join(rig.root, ".git", "owt");

test("after its store was removed a run starts from the target, under names that nothing bears", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"') });
  rig.ok("run", "--yes");
  rig.git("branch", "owt/tasks/old/41", "main");
  rmSync(storeOf(rig), { recursive: true });
  rig.git("rm", "-rq", "docs/plans/a");
  rig.write({ "docs/plans/b/epic-01-b.md": task({}, 'write b.txt "b"') });
  rig.commit("another plan");
  const ran = await rig.owt("run", "--yes");
  expect([ran.code, ran.stdout]).toEqual([0, expect.stringContaining("r2: 1 of 1 task integrated on owt/runs/r2")]);
  expect(rig.integrations("main..owt/runs/r2")).toEqual(["b/E01"]);
  expect(rig.git("merge-base", "main", "owt/runs/r2")).toBe(rig.git("rev-parse", "main"));
  const { task: shown } = await rig.json<{ task: { attempts: { branch: string }[] } }>("task", "show", "b/E01");
  expect(shown.attempts.map(({ branch }) => branch)).toEqual(["owt/tasks/b-e01/42"]);
  // A branch that came later is passed over as well.
  rig.git("branch", "owt/runs/r3", "owt/runs/r1");
  const again = await rig.owt("run", "--yes", "--again", "--from-target");
  expect(again.stderr).toContain("r4: 1 task onto main");
});

function removeStore(rig: Rig): void {
  for (const name of readdirSync(storeOf(rig)).filter((each) => each.startsWith("state.db")))
    rmSync(join(storeOf(rig), name));
}

test("a store that was removed beside its copies is never silently a new one: each command says so, and the doctor restores it", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"') });
  rig.ok("run", "--yes");
  const before = rig.git("for-each-ref", "refs/heads");
  removeStore(rig);
  for (const words of [["status"], ["run", "--yes"], ["inbox"], ["report"], ["land"], ["list"], ["doctor"]]) {
    const ran = await rig.owt(...words);
    const said = ran.stdout + ran.stderr;
    expect([words, ran.code, said]).toEqual([words, 1, expect.stringContaining("it is gone, but copies of it lie in")]);
    expect(said).toContain("owt doctor --fix");
  }
  expect(rig.git("for-each-ref", "refs/heads")).toBe(before);
  const mended = await rig.owt("doctor", "--fix");
  expect([mended.code, mended.stdout]).toEqual([0, expect.stringContaining("it was gone; restored as it was at")]);
  expect((await rig.owt("report")).stdout).toContain("r1");
  expect((await rig.owt("run", "--yes")).stderr).not.toContain("◎");
});

test("agents of a lost store are told of and ended, and nobody takes them for their own", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/a/epic-01-a.md": task({}, `touch ${rig.path("a")}\nwait ${rig.path("gate")}\nwrite a.txt "a"`),
    "docs/plans/b/epic-01-b.md": task({}, `touch ${rig.path("b")}\nwait ${rig.path("gate")}\nwrite b.txt "b"`),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await Promise.all([fileAppears(rig.path("a")), fileAppears(rig.path("b"))]);
  run.child.kill("SIGKILL");
  await run.ended;
  removeStore(rig);
  // To begin anew is said by a person.
  rmSync(join(storeOf(rig), "backups"), { recursive: true, force: true });
  rig.git("rm", "-rq", "docs/plans");
  rig.write({ "docs/plans/z/epic-01-z.md": task({}, 'write z.txt "z"') });
  rig.commit("another plan");
  const ran = await rig.owt("run", "--yes");
  expect(ran.stderr).toMatch(/2 agents work on that a lost store[^\n]*\n {2}↳ end them: owt doctor --fix/);
  expect(ran.stderr).not.toContain("lived on");
  expect([ran.code, rig.integrations("main..owt/runs/r2")]).toEqual([0, ["z/E01"]]);
  const seen = await rig.json<{ findings: Finding[] }>("doctor");
  expect(seen.findings.find(({ check }) => check === "lost agents")).toMatchObject({ state: "warn" });
  expect(rig.processes().length).toBeGreaterThan(0);
  await rig.json("doctor", "--fix");
  expect(rig.processes()).toEqual([]);
  const after = await rig.json<{ findings: Finding[] }>("doctor");
  expect(after.findings.find(({ check }) => check === "lost agents")).toBeUndefined();
});

test.skipIf(!existsSync("/proc/self"))(
  "agents are ended even where the whole folder of the store is gone",
  async () => {
    await using rig = Rig.create({ ".worktreerc": demoConfig });
    rig.write({ "docs/plans/a/epic-01-a.md": task({}, `touch ${rig.path("a")}\nhang`) });
    rig.commit("plan");
    const run = rig.start("run", "--yes");
    await fileAppears(rig.path("a"));
    run.child.kill("SIGKILL");
    await run.ended;
    rmSync(storeOf(rig), { recursive: true });
    const seen = await rig.json<{ findings: Finding[] }>("doctor");
    expect(seen.findings.find(({ check }) => check === "lost agents")).toMatchObject({ state: "warn" });
    await rig.json("doctor", "--fix");
    expect(rig.processes()).toEqual([]);
    // Only a look: nothing was made.
    expect(existsSync(storeOf(rig))).toBe(false);
  },
);

test.each([
  ["cut off", (file: string) => writeFileSync(file, "SQLite format 3\0and no more")],
  ["overwritten", (file: string) => writeFileSync(file, Buffer.alloc(20_000, 0x5a))],
])(
  "a store that was %s is named by every command, set aside by the doctor, and the next run is a new one",
  async (_, damage) => {
    await using rig = Rig.create({
      ".worktreerc": demoConfig,
      "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"'),
    });
    rig.ok("run", "--yes");
    const file = join(storeOf(rig), "state.db");
    for (const journal of ["-wal", "-shm"]) rmSync(file + journal, { force: true });
    damage(file);
    for (const words of [["status"], ["run", "--yes"], ["inbox"], ["task", "list"], ["report"], ["land"]]) {
      const ran = await rig.owt(...words);
      expect([words, ran.code, ran.stderr]).toEqual([
        words,
        1,
        expect.stringContaining(`the store ${file} is damaged`),
      ]);
      expect(ran.stderr).toContain("owt doctor --fix");
    }
    const ill = await rig.owt("doctor");
    expect([ill.code, ill.stdout]).toEqual([1, expect.stringMatching(/is damaged[^\n]*\n {2}↳ .*owt doctor --fix/)]);
    const mended = await rig.owt("doctor", "--fix");
    expect([mended.code, mended.stdout]).toEqual([0, expect.stringContaining(`${file}.damaged-`)]);
    expect(readdirSync(storeOf(rig)).filter((name) => name.startsWith("state.db.damaged-"))).toHaveLength(1);
    const ran = await rig.owt("run", "--yes", "--from-target");
    expect([ran.code, ran.stdout]).toEqual([0, expect.stringContaining("owt/runs/r2")]);
  },
);

test("who only looks makes no store", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/a/epic-01-a.md": task({}, "") });
  const looks = [["status"], ["plan"], ["task", "list"], ["inbox"], ["doctor"], ["restore"], ["run", "--dry-run"]];
  for (const words of looks) expect([words, (await rig.owt(...words)).code]).toEqual([words, 0]);
  for (const words of [["report"], ["logs", "a/E01"], ["task", "show", "a/E01"]])
    expect([words, (await rig.owt(...words)).code]).toEqual([words, 2]);
  expect((await rig.owt("prompt", "render", "a/E01")).stdout).toContain("owt/tasks/a-e01/1");
  expect(existsSync(storeOf(rig))).toBe(false);
});
