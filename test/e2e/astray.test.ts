/** A run's branch that somebody moved to where the run's work is not: that run waits for a person, and the others go on. */
import { execFileSync, execSync } from "node:child_process";
import { rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { demoConfig, fileAppears, Rig, type Running, task } from "../rig/rig.ts";

/** The run of `p` has integrated its first task; its second waits at a gate, at work. */
async function untilFirstIsIn(): Promise<{ rig: Rig; run: Running }> {
  const rig = Rig.create({ ".worktreerc": `${demoConfig}[run]\nmax_parallel = 2\n` });
  const late = (name: string, gate: string) =>
    task({ title: name }, `touch ${rig.path(`${name}-runs`)}\nwait ${rig.path(gate)}\nwrite ${name}.txt "${name}"`);
  rig.write({
    "docs/plans/p/epic-01-a.md": task({ title: "a" }, 'write a.txt "a"'),
    "docs/plans/p/epic-02-b.md": late("b", "gate"),
    "docs/plans/p/epic-03-c.md": task({ title: "c" }, 'write c.txt "c"'),
    "docs/plans/q/epic-01-z.md": late("z", "other"),
  });
  rig.commit("plan");
  const run = rig.start("run", "--module", "p", "--yes");
  await run.says("p/E01 integrated");
  await fileAppears(rig.path("b-runs"));
  return { rig, run };
}

/** Another run begins, which has whoever carries both look at once. */
async function beginOther(rig: Rig): Promise<Running> {
  const other = rig.start("run", "--module", "q", "--yes");
  await fileAppears(rig.path("z-runs"));
  return other;
}

/** As by `git commit --amend` in a worktree of the branch: the merge that is the last of the run's work is there no more. */
function amend(rig: Rig): void {
  const folder = rig.path("by-hand");
  rig.git("worktree", "add", "-q", folder, "owt/runs/r1");
  writeFileSync(join(folder, "own.txt"), "own");
  execFileSync("git", ["add", "own.txt"], { cwd: folder, env: rig.env });
  execFileSync("git", ["commit", "-q", "--amend", "-m", "amended"], { cwd: folder, env: rig.env });
  rig.git("worktree", "remove", folder);
}

type Told = { astray: { run: string; why: string; command: string }[]; waiting: unknown[] };

/** The line that the inbox gives, but for its end, which goes on with the run. */
async function lineOf(rig: Rig, why: string): Promise<string> {
  const { astray, waiting } = await rig.json<Told>("inbox");
  expect([astray, waiting]).toEqual([[expect.objectContaining({ run: "r1", why })], []]);
  expect(astray[0]!.command).toMatch(/ && owt resume r1$/);
  return astray[0]!.command.replace(/ && owt resume r1$/, "");
}

const ALL = ["p/E01", "p/E02", "p/E03"];

test("it is told with the line that puts it right; what is at work goes on, and so does every other run", async () => {
  const { rig, run } = await untilFirstIsIn();
  await using _ = rig;
  amend(rig);
  const moved = rig.git("rev-parse", "owt/runs/r1");
  const other = await beginOther(rig);
  const why = `owt/runs/r1 was moved to ${moved.slice(0, 10)}, which lacks integrated work`;
  await run.says(why);
  const line = await lineOf(rig, why);
  rig.release("gate");
  rig.release("other");
  expect((await other.ended).code).toBe(0);
  expect((await run.ended).code).toBe(4);
  expect(await lineOf(rig, why)).toBe(line);
  expect(rig.ok("status")).toContain(why);
  execSync(line, { cwd: rig.root, env: rig.env });
  expect((await rig.owt("resume", "r1")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(ALL);
  // What the branch held meanwhile has a name.
  expect(rig.git("branch", "--contains", moved)).toContain("r1-moved-");
  expect((await rig.json<Told>("inbox")).astray).toEqual([]);
});

test("put right while the run goes on, it goes on by itself", async () => {
  const { rig, run } = await untilFirstIsIn();
  await using _ = rig;
  const last = rig.git("rev-parse", "owt/runs/r1");
  amend(rig);
  const other = await beginOther(rig);
  await run.says("was moved to");
  rig.git("branch", "-f", "owt/runs/r1", last);
  await run.says("the branch is where the run's work is again");
  rig.release("gate");
  rig.release("other");
  await other.ended;
  expect((await run.ended).code).toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(ALL);
});

test("checked out and moved back below changes of its own, it waits for these", async () => {
  const { rig, run } = await untilFirstIsIn();
  await using _ = rig;
  const folder = rig.path("by-hand");
  rig.git("worktree", "add", "-q", folder, "owt/runs/r1");
  execFileSync("git", ["reset", "-q", "--hard", "HEAD^"], { cwd: folder, env: rig.env });
  writeFileSync(join(folder, "README.md"), "changed by hand");
  const other = await beginOther(rig);
  await run.says("cannot come forward");
  const line = await lineOf(rig, expect.stringContaining("cannot come forward") as string);
  rig.release("gate");
  rig.release("other");
  await other.ended;
  expect((await run.ended).code).toBe(4);
  execSync(line, { cwd: rig.root, env: rig.env });
  expect((await rig.owt("resume", "r1")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(ALL);
});

/** The file of the ref of r1. */
const refOf = (rig: Rig) => join(rig.root, ".git/refs/heads/owt/runs/r1");

test("a lock that a killed git left on it holds that run alone, is named, and when it is gone the run goes on", async () => {
  const { rig, run } = await untilFirstIsIn();
  await using _ = rig;
  const lock = `${refOf(rig)}.lock`;
  writeFileSync(lock, "");
  rig.release("gate");
  await run.says(`owt/runs/r1 cannot be moved: ${lock} is there`);
  const other = await beginOther(rig);
  rig.release("other");
  expect([(await other.ended).code, rig.integrations("owt/runs/r2")]).toEqual([0, ["q/E01"]]);
  const why = expect.stringContaining(lock) as string;
  expect(await lineOf(rig, why)).toBe(`rm ${lock}`);
  expect(rig.ok("status")).toContain(`rm ${lock}`);
  const { findings } = await rig.json<{ findings: unknown[] }>("doctor");
  expect(findings).toContainEqual(expect.objectContaining({ state: "fail", detail: why }));
  rmSync(lock);
  expect((await run.ended).code).toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(ALL);
});

test("one that nobody can hold any more is taken away", async () => {
  const { rig, run } = await untilFirstIsIn();
  await using _ = rig;
  const lock = `${refOf(rig)}.lock`;
  writeFileSync(lock, "");
  utimesSync(lock, Date.now() / 1_000 - 120, Date.now() / 1_000 - 120);
  rig.release("gate");
  expect((await run.ended).code).toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(ALL);
});

test("emptied by a power cut, it is where it was again", async () => {
  const { rig, run } = await untilFirstIsIn();
  await using _ = rig;
  writeFileSync(refOf(rig), "");
  rig.release("gate");
  await run.says("the file of owt/runs/r1 held no commit any more");
  expect((await run.ended).code).toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(ALL);
});

test.each([
  [
    "a branch in its place",
    (rig: Rig) => {
      const tip = rig.git("rev-parse", "owt/runs/r1");
      rig.git("update-ref", "-d", "refs/heads/owt/runs/r1");
      rig.git("update-ref", "refs/heads/owt/runs/r1/x", tip);
    },
    "beside a branch named owt/runs/r1/x",
  ],
  [
    "another name of main",
    (rig: Rig) => {
      rig.git("symbolic-ref", "refs/heads/owt/runs/r1", "refs/heads/main");
    },
    "another name of refs/heads/main",
  ],
])("%s: that run waits, nothing is written there, and the others go on", async (_name, harm, words) => {
  const { rig, run } = await untilFirstIsIn();
  await using _ = rig;
  const main = rig.git("rev-parse", "main");
  harm(rig);
  rig.release("gate");
  await run.says(words);
  const other = await beginOther(rig);
  rig.release("other");
  expect((await other.ended).code).toBe(0);
  expect((await run.ended).code).toBe(4);
  expect(rig.git("rev-parse", "main")).toBe(main);
  execSync(await lineOf(rig, expect.stringContaining(words) as string), { cwd: rig.root, env: rig.env });
  expect((await rig.owt("resume", "r1")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(ALL);
  expect(rig.git("rev-parse", "main")).toBe(main);
});

test.each(["owt", "owt/runs", "owt/tasks"])(
  "a branch of the user's that is named %s is told before a run starts",
  async (name) => {
    await using rig = Rig.create({
      ".worktreerc": demoConfig,
      "docs/plans/p/epic-01-a.md": task({}, 'write a.txt "a"'),
    });
    rig.git("branch", name);
    const ran = await rig.owt("run", "--yes");
    expect([ran.code, ran.stderr]).toEqual([
      2,
      expect.stringContaining(`a branch is named ${name}, and git cannot have`),
    ]);
    expect(ran.stderr).toContain(`git branch -m ${name} `);
    const { findings } = await rig.json<{ findings: { detail: string; hint?: string }[] }>("doctor");
    const { hint } = findings.find(({ detail }) => detail.includes(`a branch is named ${name}`))!;
    execSync(hint!, { cwd: rig.root, env: rig.env });
    expect((await rig.owt("run", "--yes")).code).toBe(0);
  },
);
