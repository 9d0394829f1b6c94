/** Conflicts in files whose names are no UTF-8: they are told as git quotes them, and nothing comes in undecided. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { demoConfig, Rig, startTwoBehindOne, task } from "../rig/rig.ts";

type Shown = { task: { attempts: { folder: string; outcome: string; worktree: string }[] } };

/** `café.txt` in latin1, in a shell and as git quotes it. */
const IN_SHELL = String.raw`$'caf\351.txt'`;
const QUOTED = String.raw`"caf\351.txt"`;

const bash = (script: string) => `run "bash" "-c" ${JSON.stringify(script)}`;
const writes = (word: string) => bash(`printf '${word}\\n' > ${IN_SHELL} && git add -A && git commit -qm ${word}`);

async function inConflict(steps: string, { front = {}, code = 0 } = {}): Promise<Rig> {
  const rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, writes("one")),
    "docs/plans/two/epic-01-b.md": task(
      front,
      `touch ${rig.path("two-runs")}\nwait ${rig.path("gate")}\n${writes("two")}\non conflict:\n${steps}`,
    ),
  });
  rig.commit("plan");
  expect((await (await startTwoBehindOne(rig)).ended).code).toBe(code);
  return rig;
}

async function attemptsOfTwo(rig: Rig): Promise<Shown["task"]["attempts"]> {
  return (await rig.json<Shown>("task", "show", "two/E01")).task.attempts;
}

test("the agent is told how to name it, and resolves it", async () => {
  await using rig = await inConflict(bash(`printf 'one\\ntwo\\n' > ${IN_SHELL} && git add -A && git commit -qm both`));
  const attempts = await attemptsOfTwo(rig);
  expect(attempts.map(({ outcome }) => outcome)).toEqual([`conflicts in ${QUOTED}`, "done"]);
  const prompt = readFileSync(`${attempts[1]!.folder}/prompt`, "utf8");
  expect(prompt).toContain(`Files in conflict: ${QUOTED} (no UTF-8; in a shell: ${IN_SHELL})`);
});

test("conflict markers that its agent staged and committed itself go back to it", async () => {
  const mend = bash(`printf 'one\\ntwo\\n' > ${IN_SHELL} && git add -A && git commit -qm both`);
  await using rig = await inConflict(`${bash("git add -A && git commit -qm merged")}\non repair:\n${mend}`);
  const attempts = await attemptsOfTwo(rig);
  expect(attempts.map(({ outcome }) => outcome)).toEqual([
    `conflicts in ${QUOTED}`,
    "verify failed: conflict markers are left",
    "done",
  ]);
  expect(readFileSync(`${attempts[2]!.folder}/prompt`, "utf8")).toContain(`${QUOTED}:1\n`);
});

test("whose change is lost in it is told", async () => {
  const ours = bash(`git checkout --ours ${IN_SHELL} && git add -A && git commit -qm ours`);
  await using rig = await inConflict(ours);
  const lost = `nothing of one/E01's change in ${QUOTED} is left`;
  expect((await attemptsOfTwo(rig)).map(({ outcome }) => outcome)).toEqual([
    `conflicts in ${QUOTED}`,
    `resolved a conflict by throwing a side away: ${lost}`,
    "done",
  ]);
});

test("a person who stages conflict markers is refused", async () => {
  await using rig = await inConflict('say "cannot decide"', { front: { branch: "feat/two" }, code: 4 });
  rig.git("-C", (await attemptsOfTwo(rig)).at(-1)!.worktree, "add", "-A");
  const { code, stderr } = await rig.owt("task", "approve", "two/E01");
  expect({ code, stderr }).toEqual({ code: 4, stderr: expect.stringContaining(`conflict markers in ${QUOTED}:1`) });
});

test("one that nobody decided does not come in: a person has it, by its name", async () => {
  await using rig = await inConflict('say "cannot decide"', { front: { branch: "feat/two" }, code: 4 });
  const { waiting } = await rig.json<{ waiting: { task: string; why: string }[] }>("inbox");
  expect(waiting).toMatchObject([{ task: "two/E01", why: expect.stringContaining(`conflict in ${QUOTED}`) }]);
  expect(rig.integrations("owt/runs/r1")).toEqual(["one/E01"]);
});
