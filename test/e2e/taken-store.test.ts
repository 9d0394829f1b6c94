/** The store is removed or replaced below who carries runs with it: that is seen, everything stops, and what it held is put back or kept. */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { demoConfig, fileAppears, Rig, type Running, task } from "../rig/rig.ts";

const homeOf = (rig: Rig) => join(rig.root, ".git", "owt");
const storeOf = (rig: Rig) => join(homeOf(rig), "state.db");

function removeStore(rig: Rig): void {
  for (const part of ["-wal", "-shm", ""])
    rmSync(storeOf(rig) + part, { recursive: true, force: true, maxRetries: 10 });
}

const PLAN = (rig: Rig) => ({
  "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"'),
  "docs/plans/a/epic-02-b.md": task({}, `touch ${rig.path("works")}\nwait ${rig.path("gate")}\nwrite b.txt "b"`),
});

/** A run whose second task waits. */
async function startedRun(rig: Rig) {
  rig.write(PLAN(rig));
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("works"));
  return run;
}

async function comesHome(rig: Rig): Promise<void> {
  expect(rig.processes()).toEqual([]);
  rig.release("gate");
  expect(await rig.owt("resume")).toMatchObject({ code: 0 });
  expect(rig.integrations("main..owt/runs/r1")).toEqual(["a/E01", "a/E02"]);
}

test.each([
  ["the store", (rig: Rig) => removeStore(rig)],
  ["the store, its journal left behind", (rig: Rig) => rmSync(storeOf(rig))],
  ["the whole folder", (rig: Rig) => rmSync(homeOf(rig), { recursive: true, maxRetries: 10 })],
])(
  "%s is removed below who carries a run: it stops its agents, puts the store back, and says how to go on",
  async (_, remove) => {
    await using rig = Rig.create({ ".worktreerc": demoConfig });
    const run = await startedRun(rig);
    remove(rig);
    const ended = await run.ended;
    expect([ended.code, ended.stderr]).toEqual([
      1,
      expect.stringMatching(/was taken away[^\n]*put back[^\n]*\n {2}↳ .*owt resume/),
    ]);
    expect((await rig.owt("status")).stdout).toContain("a/E02");
    expect((await rig.owt("doctor")).stdout).toMatch(/✓ store/);
    await comesHome(rig);
  },
);

test.each([
  ["a folder", (path: string) => mkdirSync(path)],
  ["another file", (path: string) => writeFileSync(path, "not a store")],
])(
  "%s in place of the store is left there by who carries a run, which ends; the doctor puts it aside and restores what the run had",
  async (_, put) => {
    await using rig = Rig.create({ ".worktreerc": demoConfig });
    const run = await startedRun(rig);
    removeStore(rig);
    put(storeOf(rig));
    const ended = await run.ended;
    expect([ended.code, ended.stderr]).toEqual([
      1,
      expect.stringMatching(/was taken away[^\n]*\n {2}↳ .*owt doctor --fix/),
    ]);
    for (const words of [["status"], ["stop"], ["run", "--yes"], ["inbox"], ["doctor"]]) {
      const ran = await rig.owt(...words);
      expect([words, ran.code, ran.stdout + ran.stderr]).toEqual([words, 1, expect.stringContaining("is damaged")]);
      expect(ran.stdout + ran.stderr).toContain("owt doctor --fix");
    }
    const mended = await rig.owt("doctor", "--fix");
    expect([mended.code, mended.stdout]).toEqual([0, expect.stringContaining("state.db.damaged-")]);
    await comesHome(rig);
  },
);

test("who only watches a run whose store was taken away ends, too", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  const run = await startedRun(rig);
  const viewer = rig.start("resume", "--plain");
  await viewer.says("carries the runs of this repository");
  removeStore(rig);
  expect(await run.ended).toMatchObject({ code: 1 });
  expect(await viewer.ended).toMatchObject({ code: 1, stderr: expect.stringContaining("was taken away") as string });
  expect(existsSync(storeOf(rig))).toBe(true);
  await comesHome(rig);
});

/** Something is missing then that only the file has, and a copy of it is there. */
async function cutStore(rig: Rig): Promise<void> {
  const backups = join(homeOf(rig), "backups");
  await expect.poll(() => existsSync(backups) && readdirSync(backups)).toContainEqual(expect.stringMatching(/^state-/));
  truncateSync(storeOf(rig), statSync(storeOf(rig)).size / 2);
}

test.each([
  ["the store is emptied", (rig: Rig) => truncateSync(storeOf(rig), 0)],
  ["the store is cut off", cutStore],
  ["its journal is emptied", (rig: Rig) => truncateSync(`${storeOf(rig)}-wal`, 0)],
  ["its journal is cut off", (rig: Rig) => truncateSync(`${storeOf(rig)}-wal`, 5_000)],
])(
  "%s in place below who carries a run: that one stops its agents, and what it held is there again with the command that it names",
  async (_, truncate) => {
    await using rig = Rig.create({ ".worktreerc": demoConfig });
    // What an earlier command wrote lies in the file, and what the run writes in its journal.
    rig.ok("create", "side", "--no-tmux");
    const run = await startedRun(rig);
    await truncate(rig);
    // What cannot be written to the store is no reason to carry on.
    await rig.owt("stop");
    const ended = await run.ended;
    expect([ended.code, ended.stderr]).toEqual([
      1,
      expect.stringMatching(/was cut off[^\n]*\n {2}↳ .*owt (resume|doctor --fix)/),
    ]);
    expect(rig.processes()).toEqual([]);
    if (ended.stderr.includes("doctor --fix")) expect((await rig.owt("doctor", "--fix")).code).toBe(0);
    expect((await rig.owt("status")).stdout).toContain("a/E02");
    await comesHome(rig);
  },
);

const TWO = (rig: Rig) => ({
  "docs/plans/a/epic-01-a.md": task({}, `touch ${rig.path("works")}\nwait ${rig.path("gate")}\nwrite a.txt "a"`),
  "docs/plans/b/epic-01-b.md": task({}, `touch ${rig.path("works-too")}\nwait ${rig.path("gate")}\nwrite b.txt "b"`),
});

/** A run of two agents that wait, whose store cannot be read from then on. */
async function unreadableRun(rig: Rig, table = "run"): Promise<Running> {
  rig.write(TWO(rig));
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await Promise.all(["works", "works-too"].map((name) => fileAppears(rig.path(name))));
  const db = new DatabaseSync(storeOf(rig));
  db.exec(`alter table ${table} rename to gone`);
  db.close();
  expect(await rig.owt("status")).toMatchObject({ stderr: expect.stringContaining("is damaged") as string });
  return run;
}

test.each([
  ["is interrupted", (_: Rig, { child }: Running) => void child.kill("SIGINT")],
  ["loses its store", (rig: Rig) => removeStore(rig)],
])("who cannot read its store any more waits for its agents, and for none of them once it %s", async (_, end) => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  const run = await unreadableRun(rig);
  end(rig, run);
  expect(await run.ended).toMatchObject({ code: expect.any(Number) as number });
  expect(rig.processes()).toEqual([]);
});

test.each(["run", "event"])(
  "who cannot read the table %s any more ends behind its agents with a word, not with a stack of calls",
  async (table) => {
    await using rig = Rig.create({ ".worktreerc": demoConfig });
    const run = await unreadableRun(rig, table);
    rig.release("gate");
    const { code, stderr } = await run.ended;
    expect([code, stderr]).toEqual([1, expect.stringMatching(/is damaged[^\n]*\n {2}↳ .*owt doctor --fix/)]);
    expect(stderr).not.toMatch(/^ {4}at /m);
  },
);
