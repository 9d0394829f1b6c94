/** A conflict whose resolution stays bad: another attempt from what is there now, then a person. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { demoConfig, Rig, startTwoBehindOne, task } from "../rig/rig.ts";

type Shown = { task: { attempts: { folder: string; worktree: string; outcome: string }[] } };
type Inbox = { waiting: { task: string; why: string }[] };

/** Two tasks that conflict in shared.txt; the second resolves that with these steps, and a third depends on it. */
async function resolvedBy(steps: string, { front = {}, verify = "! grep -q bad shared.txt" } = {}): Promise<Rig> {
  const rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = "${verify}"\nverify_attempts = 1\n`,
    "shared.txt": "start\n",
    "docs/plans/one/epic-01-a.md": task({}, 'write shared.txt "one\\n"'),
  });
  rig.write({
    "docs/plans/three/epic-01-c.md": task({ depends_on: ["two/E01"] }, 'write c.txt "c"'),
    "docs/plans/two/epic-01-b.md": task(
      front,
      `touch ${rig.path("two-runs")}\nwait ${rig.path("gate")}\nappend shared.txt "two\\n"\non conflict:\n${steps}`,
    ),
  });
  rig.commit("plan");
  return rig;
}

async function outcomesOf(rig: Rig): Promise<string[]> {
  return (await rig.json<Shown>("task", "show", "two/E01")).task.attempts.map(({ outcome }) => outcome);
}

test("what stays red in its own worktree is begun anew, and told what was in conflict", async () => {
  await using rig = await resolvedBy('write shared.txt "bad"\non repair:\nappend shared.txt "bad"');
  expect((await (await startTwoBehindOne(rig)).ended).code).toBe(0);
  const red = "verify failed: ! grep -q bad shared.txt";
  expect(await outcomesOf(rig)).toEqual(["conflicts in shared.txt", red, red, "done"]);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(["one/E01", "three/E01", "two/E01"]);
  const { attempts } = (await rig.json<Shown>("task", "show", "two/E01")).task;
  const prompt = readFileSync(join(attempts.at(-1)!.folder, "prompt"), "utf8");
  expect(prompt).toContain("Both changed the same places in: shared.txt.");
  expect(prompt).toContain("What it made of both is red: `! grep -q bad shared.txt`");
});

test("conflict markers that stay committed are begun anew, too", async () => {
  const markers = "<<<<<<< mine\\na\\n=======\\nb\\n>>>>>>> theirs\\n";
  await using rig = await resolvedBy(
    `write shared.txt "${markers}"\ncommit "as it is"\non repair:\nappend shared.txt "more"`,
    { verify: "true" },
  );
  expect((await (await startTwoBehindOne(rig)).ended).code).toBe(0);
  const left = "verify failed: conflict markers are left";
  expect(await outcomesOf(rig)).toEqual(["conflicts in shared.txt", left, left, "done"]);
});

test("where no other attempt can begin, a person mends it", async () => {
  const steps = 'write shared.txt "bad"\non repair:\nappend shared.txt "bad"';
  await using rig = await resolvedBy(steps, { front: { branch: "feat/two" } });
  expect((await (await startTwoBehindOne(rig)).ended).code).toBe(4);
  const { worktree } = (await rig.json<Shown>("task", "show", "two/E01")).task.attempts.at(-1)!;
  const { waiting } = await rig.json<Inbox>("inbox");
  expect(waiting).toMatchObject([
    { task: "two/E01", why: `its work is red: ! grep -q bad shared.txt; to be mended in ${worktree}` },
  ]);
  writeFileSync(join(worktree, "shared.txt"), "both\n");
  execFileSync("git", ["commit", "-qam", "resolved"], { cwd: worktree, env: rig.env });
  rig.ok("task", "approve", "two/E01");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(["one/E01", "three/E01", "two/E01"]);
});
