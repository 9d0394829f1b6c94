/** A small dose of `npm run corrupt`: the store comes to harm under a run, is told of, put aside, restored, and nothing is done twice or lost. */
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";
import { corrupt } from "../stress/corruption.ts";

test("four corruptions under a run: told of or harmless, and the plan comes home once", async () => {
  const sum = await corrupt({ rounds: 4, seed: 3 });
  expect(sum.defects).toEqual([]);
  expect(sum.restored).toBeGreaterThan(0);
});

test("of an attempt that a restored store does not know, and of which only its branch was left to be taken away, that goes too", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/a/epic-01-a.md": task({}, `touch ${rig.path("works")}\nwait ${rig.path("gate")}\nwrite a.txt "a"`),
    "docs/plans/b/epic-01-b.md": task({ depends_on: ["a/E01"] }, 'write b.txt "b"'),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("works"));
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
