/** Work that another task brought in: an agent merged the branch of a task that was still at work. */
import { expect, test } from "vitest";
import { demoConfig, Rig, task } from "../rig/rig.ts";

type Shown = { task: { state: string; attempts: { outcome: string }[] } };

/** `one` commits a file and waits; `two` does `meanwhile` and is integrated; then `one` goes on with `after`. */
async function inFlight({
  meanwhile,
  after,
}: {
  meanwhile: string;
  after: string;
}): Promise<{ rig: Rig; told: string }> {
  const rig = Rig.create({ ".worktreerc": `${demoConfig}[run]\nretries = 0\nverify = ["true"]\n` });
  rig.write({
    "docs/plans/one/epic-01-a.md": task(
      {},
      `write one.txt "one"\nrun "sh" "-c" "git add -A && git commit -qm one"\ntouch ${rig.path("committed")}\nwait ${rig.path("gate")}\n${after}`,
    ),
    "docs/plans/two/epic-01-b.md": task({}, `wait ${rig.path("committed")}\n${meanwhile}\nwrite two.txt "two"`),
    "docs/plans/three/epic-01-c.md": task({ depends_on: ["one/E01"] }, 'write three.txt "three"'),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await run.says("two/E01 integrated");
  rig.release("gate");
  const { stdout, stderr } = await run.ended;
  return { rig, told: stdout + stderr };
}

const MERGE_ONE = "git merge -q $(git for-each-ref --format='%(refname)' refs/heads/owt/tasks/one-e01)";

test("a task whose work another one merged in flight is checked and done, and what needs it goes on", async () => {
  const { rig, told } = await inFlight({ meanwhile: `run "sh" "-c" "${MERGE_ONE}"`, after: 'say "that was it"' });
  await using _ = rig;
  const { task: one } = await rig.json<Shown>("task", "show", "one/E01");
  expect([one.state, one.attempts.map(({ outcome }) => outcome)]).toEqual(["done", ["done"]]);
  expect((await rig.json<Shown>("task", "show", "three/E01")).task.state).toBe("done");
  expect(told).toContain("one/E01 passes true");
  const files = rig.git("ls-tree", "--name-only", "owt/runs/r1").split("\n");
  expect(files).toEqual(expect.arrayContaining(["one.txt", "two.txt", "three.txt"]));
});

test("a task that threw its own commit away and follows the run's branch has done nothing", async () => {
  const follow = "git reset -q --hard main && git merge -q --ff-only owt/runs/r1";
  const { rig } = await inFlight({ meanwhile: 'say "on my own"', after: `run "sh" "-c" "${follow}"` });
  await using _ = rig;
  const { task: one } = await rig.json<Shown>("task", "show", "one/E01");
  expect([one.state, one.attempts.map(({ outcome }) => outcome)]).toEqual([
    "failed",
    [expect.stringMatching(/^changed nothing/)],
  ]);
});
