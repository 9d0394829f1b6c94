/** A run that was landed, and whose target was reset or rewritten since: it does not count as landed, and does not land again by itself. */
import { expect, test } from "vitest";
import { demoConfig, Rig, task } from "../rig/rig.ts";

/** A run that has landed on a main which went on meanwhile. */
async function landed(): Promise<Rig> {
  const rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"\ncommit "one"\nwrite b.txt "b"'),
  });
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  rig.write({ "m.txt": "m" });
  rig.commit("went on");
  expect((await rig.owt("land")).code).toBe(0);
  return rig;
}

type Runs = { runs: { id: string; taken_out: boolean }[] };
const OUT = "was landed, and taken out of main again";

test("what was reset away is told as such, and lands again where that is asked for by name", async () => {
  await using rig = await landed();
  const tip = rig.git("rev-parse", "HEAD~0^2");
  rig.git("reset", "-q", "--hard", tip);
  expect(rig.ok("status")).toContain(`r1 · ${OUT} (once more: owt land r1 --again)`);
  expect((await rig.json<Runs>("status")).runs).toMatchObject([{ id: "r1", taken_out: true }]);
  expect(rig.ok("report").replaceAll(/\s+/g, " ")).toContain(OUT);
  expect(rig.ok("report", "--markdown")).toContain("and taken out of it again");
  for (const words of [["land"], ["land", "r1"]]) {
    const ran = await rig.owt(...words);
    expect([ran.code, ran.stderr]).toEqual([4, expect.stringContaining(`r1 ${OUT}`)]);
    expect(ran.stderr).toContain("owt land r1 --again");
  }
  expect(rig.git("rev-parse", "main")).toBe(tip);
  expect((await rig.owt("land", "r1", "--again")).code).toBe(0);
  expect(rig.show("main", "a.txt")).toBe("a");
  expect((await rig.json<Runs>("status")).runs).toEqual([]);
  expect(rig.ok("report").replaceAll(/\s+/g, " ")).not.toContain(OUT);
});

test("so is what goes with a run that builds on it", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"') });
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  rig.write({ "docs/plans/b/epic-01-b.md": task({}, 'write b.txt "b"') });
  rig.commit("more");
  expect((await rig.owt("run", "--yes")).stderr).toContain("builds on r1");
  const tip = rig.git("rev-parse", "main");
  expect((await rig.owt("land", "r1")).code).toBe(0);
  rig.git("reset", "-q", "--hard", tip);
  const ran = await rig.owt("land", "r2");
  expect([ran.code, ran.stderr.replaceAll(/\s+/g, " ")]).toEqual([
    4,
    expect.stringContaining(`r2 holds the work of r1, which ${OUT}; landing would bring that back`),
  ]);
  expect(rig.git("rev-parse", "main")).toBe(tip);
  expect((await rig.owt("land", "r2", "--again")).code).toBe(0);
  expect((await rig.json<Runs>("status")).runs).toEqual([]);
});

test.each([
  ["went on", ["commit", "-q", "--allow-empty", "-m", "later"]],
  ["was amended above it", ["commit", "-q", "--amend", "-m", "in other words"]],
  ["was rebased", ["rebase", "-q", "--root"]],
])("a target that %s holds it still", async (_, words) => {
  await using rig = await landed();
  rig.git(...words);
  expect((await rig.json<Runs>("status")).runs).toEqual([]);
  rig.write({ "a.txt": "other", "b.txt": "other" });
  rig.commit("goes on in the same lines");
  expect((await rig.json<Runs>("status")).runs).toEqual([]);
  expect(rig.ok("report").replaceAll(/\s+/g, " ")).not.toContain(OUT);
});
