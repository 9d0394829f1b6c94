/** Tasks that touch the same files are not begun side by side while something else of the same priority is ready. */
import { mkdirSync } from "node:fs";
import { expect, test, vi } from "vitest";
import type { RunReport } from "../../src/core/report.ts";
import { demoConfig, Rig, task } from "../rig/rig.ts";

type Status = { runs: { tasks: { id: string; state: string; why: string }[] }[] };

async function tasks(rig: Rig): Promise<Record<string, { state: string; why: string }>> {
  const { runs } = await rig.json<Status>("status");
  return Object.fromEntries((runs[0]?.tasks ?? []).map(({ id, state, why }) => [id, { state, why }]));
}

test("one of two that touch the same files lets another task go first: told in the plan, in the status and in the report", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  const steps = (name: string) =>
    `log ${rig.path("order.log")} "{task}"\nwait ${rig.path(name)}\nwrite shop/${name}.txt "x"`;
  rig.write({
    "docs/plans/a/epic-01-t.md": task({ touches: ["shop/**"] }, steps("a")),
    "docs/plans/b/epic-01-t.md": task({ touches: ["shop/b.txt"] }, steps("b")),
    "docs/plans/c/epic-01-t.md": task({}, steps("c")),
    "docs/plans/d/epic-01-t.md": task({ touches: ["shop"], depends_on: ["a/E01"] }, 'write shop/d.txt "x"'),
  });
  rig.commit("plan");
  const { overlaps } = await rig.json<{ overlaps: { tasks: string[]; path: string }[] }>("plan");
  // What comes after the other anyway is no matter.
  expect(overlaps).toEqual([
    { tasks: ["a/E01", "b/E01"], path: "shop/b.txt" },
    { tasks: ["b/E01", "d/E01"], path: "shop/b.txt" },
  ]);
  expect(rig.ok("plan")).toContain("  a/E01 and b/E01  shop/b.txt\n");
  const run = rig.start("run", "--yes", "--plain", "--parallel", "2");
  await vi.waitUntil(async () => (await tasks(rig))["c/E01"]?.state === "running", { timeout: 60_000 });
  const why = "others go first while a/E01 is at work: both touch shop/b.txt";
  expect(await tasks(rig)).toMatchObject({
    "a/E01": { state: "running" },
    "b/E01": { state: "pending", why: expect.stringContaining(why) },
  });
  expect(rig.ok("status")).toContain(why);
  // Nothing else is ready then, and the other one's agent is at work: a free place would help nobody.
  rig.release("c");
  await vi.waitUntil(async () => (await tasks(rig))["b/E01"]?.state === "running", { timeout: 60_000 });
  expect((await tasks(rig))["a/E01"]!.state).toBe("running");
  rig.release("a");
  rig.release("b");
  expect((await run.ended).code).toBe(0);
  const { report } = await rig.json<{ report: RunReport }>("report");
  expect(report.waiting_ms.overlap).toBeGreaterThan(0);
  expect(rig.ok("report")).toMatch(/for a task with the same files/);
});

test("what is a check away from home is waited for, also where nothing else is ready", async () => {
  const verify = `case "$PWD" in *a-e01*) until [ -e "$OWT_SEEN/go" ]; do sleep 0.05; done;; esac`;
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = '${verify}'\n[environment]\npass = ["OWT_SEEN"]\n`,
  });
  rig.env["OWT_SEEN"] = rig.path("seen");
  mkdirSync(rig.path("seen"));
  rig.write({
    "docs/plans/a/epic-01-t.md": task({ touches: ["shop"] }, 'write shop/a.txt "x"'),
    "docs/plans/b/epic-01-t.md": task(
      { touches: ["shop"], depends_on: ["c/E01"] },
      'run "test" "-f" "shop/a.txt"\nwrite shop/b.txt "x"',
    ),
    "docs/plans/c/epic-01-t.md": task({}, `wait ${rig.path("c")}\nwrite c.txt "x"`),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes", "--plain", "--parallel", "2");
  await vi.waitUntil(async () => (await tasks(rig))["a/E01"]?.state === "verifying", { timeout: 60_000 });
  rig.release("c");
  const why = "begins when a/E01, which is nearly done, is in: both touch shop";
  await vi.waitUntil(async () => (await tasks(rig))["b/E01"]!.why.includes(why), { timeout: 60_000 });
  rig.release("seen/go");
  expect((await run.ended).code).toBe(0);
  // It began from the other's work, which its steps asked for.
  expect(rig.integrations("owt/runs/r1").slice(-1)).toEqual(["b/E01"]);
});

test("what most tasks of a module changed is expected of the next ones, too", async () => {
  const files = (names: string[]) =>
    Object.fromEntries(
      names.map((name, at) => [
        `docs/plans/shop/epic-0${at + 1}-${name}.md`,
        task({}, `write list.txt "${name}"\nwrite ${name}.txt "x"`),
      ]),
    );
  await using rig = Rig.create({ ".worktreerc": demoConfig, ...files(["one", "two", "three"]) });
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  rig.write({
    "docs/plans/shop/epic-04-next.md": task({}, 'write list.txt "next"'),
    "docs/plans/web/epic-01-other.md": task({ touches: ["list.txt"] }, 'write list.txt "other"'),
  });
  rig.commit("more");
  const { overlaps } = await rig.json<{ overlaps: { tasks: string[]; path: string }[] }>("plan");
  expect(overlaps).toEqual([{ tasks: ["shop/E04", "web/E01"], path: "list.txt" }]);
});
