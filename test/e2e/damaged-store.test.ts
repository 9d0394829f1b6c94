/** A small dose of `npm run corrupt`: the store comes to harm under a run, is told of, put aside, restored, and nothing is done twice or lost. */
import { closeSync, mkdirSync, openSync, renameSync, rmSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import type { RunReport } from "../../src/core/report.ts";
import { demoConfig, fileAppears, Rig, type Running, task } from "../rig/rig.ts";
import { corrupt } from "../stress/corruption.ts";

test("four corruptions under a run: told of or harmless, and the plan comes home once", async () => {
  const sum = await corrupt({ rounds: 4, seed: 3 });
  expect(sum.defects).toEqual([]);
  expect(sum.restored).toBeGreaterThan(0);
});

/** A run whose first task is at work, and waits for the gate; the other one is behind it. */
async function atWork(rig: Rig): Promise<Running> {
  rig.write({
    "docs/plans/a/epic-01-a.md": task({}, `touch ${rig.path("works")}\nwait ${rig.path("gate")}\nwrite a.txt "a"`),
    "docs/plans/b/epic-01-b.md": task({ depends_on: ["a/E01"] }, 'write b.txt "b"'),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("works"));
  return run;
}

test("of an attempt that a restored store does not know, and of which only its branch was left to be taken away, that goes too", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  const run = await atWork(rig);
  const store = `${rig.root}/.git/owt/state.db`;
  const db = new DatabaseSync(store);
  db.prepare("vacuum into ?").run(rig.path("older.db"));
  db.close();
  rig.release("gate");
  expect((await run.ended).code).toBe(0);
  rig.git("branch", "owt/tasks/b-e01/2", "owt/runs/r1^2");
  rmSync(`${rig.root}/.git/owt/backups`, { recursive: true, force: true });
  for (const part of ["", "-wal", "-shm"]) rmSync(store + part, { force: true });
  renameSync(rig.path("older.db"), store);
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1")).toContain("b/E01");
  expect(rig.git("for-each-ref", "--format=%(refname)", "refs/heads/owt/tasks")).toBe("");
});

test("a journal that is lost in the first moments of a run takes no run with it: its plan is restored, and comes home once", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  const run = await atWork(rig);
  run.child.kill("SIGKILL");
  await run.ended;
  truncateSync(`${rig.root}/.git/owt/state.db-wal`, 0);
  expect((await rig.owt("status")).stderr).toContain("owt doctor --fix");
  expect((await rig.owt("doctor", "--fix")).stdout).toContain("restored as it was");
  rig.release("gate");
  expect((await rig.owt("resume")).code).toBe(0);
  const { report } = await rig.json<{ report: RunReport }>("report", "r1");
  expect(report.tasks.map(({ id, state, attempts }) => [id, state, attempts.length])).toEqual([
    ["a/E01", "done", 1],
    ["b/E01", "done", 1],
  ]);
});

test("of a store that is damaged owt doctor tells, and of the configured agents as ever", async () => {
  const config = '[agent]\ndefault = "mine"\n[agent.mine]\nkind = "command"\ncommand = ["true"]\n';
  await using rig = Rig.create({ ".worktreerc": config });
  expect((await rig.owt("task", "create", "a task")).code).toBe(0);
  writeFileSync(`${rig.root}/.git/owt/state.db`, "this is no store\n".repeat(1_000));
  const { stdout, code } = await rig.owt("doctor", "--json");
  expect(code).toBe(1);
  const { data } = JSON.parse(stdout) as {
    data: { findings: { check: string; state: string }[]; agents: { name: string; default: boolean }[] };
  };
  expect(data.findings).toContainEqual(expect.objectContaining({ check: "repository", state: "fail" }));
  expect(data.agents).toContainEqual(expect.objectContaining({ name: "mine", default: true }));
});

const inHome = (rig: Rig, name: string) => join(rig.root, ".git", "owt", name);

async function isToldAndMended(rig: Rig, told: string, kept: RegExp): Promise<void> {
  for (const words of [["status"], ["list"], ["run", "--yes"], ["doctor"]]) {
    const ran = await rig.owt(...words);
    expect([words, ran.code, ran.stdout + ran.stderr]).toEqual([words, 1, expect.stringContaining(told)]);
    expect(ran.stdout + ran.stderr).toContain("owt doctor --fix");
  }
  const mended = await rig.owt("doctor", "--fix");
  expect([mended.code, mended.stdout]).toEqual([0, expect.stringMatching(kept)]);
  expect((await rig.owt("doctor")).code).toBe(0);
}

test.each([
  ["lease.db", mkdirSync],
  ["backups", (path: string) => writeFileSync(path, "mine")],
  ["attempts", (path: string) => writeFileSync(path, "mine")],
  ["", (path: string) => writeFileSync(path, "mine")],
])(
  "something else in the place of owt/%s is named by each command, put aside by the doctor, and work goes on",
  async (name, put) => {
    await using rig = Rig.create({ ".worktreerc": demoConfig });
    rig.write({ "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"') });
    rig.commit("plan");
    if (name !== "") rig.ok("run", "--yes");
    rmSync(inHome(rig, name), { recursive: true, force: true });
    put(inHome(rig, name));
    await isToldAndMended(
      rig,
      `lies where the ${name === "lease.db" ? "file" : "folder"} ${inHome(rig, name)}`,
      /kept as .*misplaced-/,
    );
    rig.write({ "docs/plans/b/epic-01-b.md": task({}, 'write b.txt "b"') });
    rig.commit("more");
    expect((await rig.owt("run", "--yes")).code).toBe(0);
    expect(rig.integrations(name === "" ? "owt/runs/r1" : "owt/runs/r2")).toContain("b/E01");
  },
);

test.each(["attempt", "meta", "outbox"])(
  "a store without its table %s counts as damaged: what it was is kept, and its last copy restored",
  async (table) => {
    await using rig = Rig.create({ ".worktreerc": demoConfig });
    rig.write({ "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"') });
    rig.commit("plan");
    rig.ok("run", "--yes");
    const db = new DatabaseSync(inHome(rig, "state.db"));
    db.exec(`drop table ${table}`);
    db.close();
    expect((await rig.owt("doctor")).stdout).toContain(`is damaged: no such table: ${table}`);
    const ran = await rig.owt("run", "--yes", "--again");
    expect([ran.code, ran.stderr]).toEqual([
      1,
      expect.stringMatching(/is damaged: no such table[^\n]*\n {2}↳ .*owt doctor --fix/),
    ]);
    const mended = await rig.owt("doctor", "--fix");
    expect([mended.code, mended.stdout]).toEqual([
      0,
      expect.stringMatching(/state\.db\.damaged-.*; restored as it was/),
    ]);
    expect((await rig.owt("report")).stdout).toContain("r1");
  },
);

test("a page that few commands read: who meets it says so, the doctor finds it in any case and restores what it can", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({ "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"') });
  rig.commit("plan");
  rig.ok("run", "--yes");
  const file = inHome(rig, "state.db");
  const db = new DatabaseSync(file);
  const page = Number(db.prepare("select rootpage from sqlite_master where name = 'backlog'").get()!["rootpage"]);
  const size = Number(db.prepare("pragma page_size").get()!["page_size"]);
  db.close();
  const store = openSync(file, "r+");
  writeSync(store, Buffer.alloc(size, 0x5a), 0, size, (page - 1) * size);
  closeSync(store);
  const met = await rig.owt("task", "create", "another");
  expect([met.code, met.stderr]).toEqual([1, expect.stringMatching(/is damaged[^\n]*\n {2}↳ .*owt doctor --fix/)]);
  const ill = await rig.owt("doctor");
  expect([ill.code, ill.stdout]).toEqual([
    1,
    expect.stringMatching(/✗ store .*is damaged[^\n]*\n {2}↳ .*owt doctor --fix/),
  ]);
  expect((await rig.owt("doctor", "--fix")).stdout).toMatch(/state\.db\.damaged-.*; restored as it was/);
  expect((await rig.owt("task", "create", "another")).code).toBe(0);
  expect((await rig.owt("report")).stdout).toContain("r1");
});
