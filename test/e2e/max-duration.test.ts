/** `--max-duration`: dispatch ends with the time of a run, what runs comes home, and one command gives it more. */
import { expect, test, vi } from "vitest";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";

type Status = { runs: { state: string; tasks: { id: string; standing: string; why: string; command?: string }[] }[] };

test("nothing starts any more when the time of a run is over; what runs comes home, and more time goes on", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig }, { approve: false });
  const steps = `touch ${rig.path("begun")}\nwait ${rig.path("go")}\nwrite a.txt "a"`;
  rig.write({
    "docs/plans/a/epic-01-a.md": task({ title: "a" }, steps),
    "docs/plans/b/epic-01-b.md": task({ title: "b", priority: "low" }, 'write b.txt "b"'),
  });
  rig.commit("the plan");
  const run = rig.start("run", "--yes", "--sequential", "--plain", "--max-duration", "3s");
  await fileAppears(rig.path("begun"));
  const why = "waits: the run's time is over (3s)";
  const command = "owt resume r1 --max-duration 3s";
  await vi.waitFor(
    async () => {
      const { tasks } = (await rig.json<Status>("status")).runs[0]!;
      expect(tasks).toMatchObject([
        { id: "a/E01", standing: "working" },
        { id: "b/E01", standing: "waits-for-budget", why, command },
      ]);
    },
    { interval: 200, timeout: 30_000 },
  );
  rig.release("go");
  const ended = await run.ended;
  expect(ended).toMatchObject({ code: 5 });
  expect(ended.stdout).toContain("1 of 2 tasks integrated");
  expect(ended.stdout).toContain(`b/E01: ${why}\n  ↳ ${command}`);
  // Without more there is nothing to go on with.
  const again = await rig.owt("resume");
  expect(again).toMatchObject({ code: 5 });
  expect(again.stderr).toContain(`nothing starts: ${why}\n  ↳ ${command}`);
  const more = await rig.owt("resume", "r1", "--max-duration", "1h");
  expect(more).toMatchObject({ code: 0 });
  expect(rig.show("owt/runs/r1", "b.txt")).toBe("b");
});

test("a time that is none is refused", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig }, { approve: false });
  const refused = await rig.owt("run", "--yes", "--max-duration", "soon", "do it");
  expect(refused).toMatchObject({ code: 2 });
  expect(refused.stderr).toContain("expected a time, such as 8h, 90m or 1h30m");
});
