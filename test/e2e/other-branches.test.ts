/** An agent whose commits are not on the branch of its task when its turn ends: they come home, or it is told where they lie. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Rig } from "../rig/rig.ts";
import { scriptedRig, startsOf } from "../rig/scripted-claude.ts";

const COMMIT = "git -c user.name=C -c user.email=c@localhost commit -q -m work";
const DONE = [{ result: { turns: 1 } }];

test("a branch that its agent deleted below itself comes back with its commits", async () => {
  await using rig = scriptedRig([
    [
      { init: true },
      { commit: "first.txt" },
      { sh: 'git update-ref -d "refs/heads/$(git branch --show-current)"' },
      ...DONE,
    ],
  ]);
  const ran = await rig.owt("run", "--yes");
  expect([ran.code, ran.stderr]).toEqual([0, expect.stringContaining("had deleted its own branch; it is at ")]);
  expect(startsOf(rig)).toHaveLength(1);
  expect(rig.show("owt/runs/r1", "first.txt")).toBe("first.txt\n");
});

test("an agent that deleted its branch and stands on another one is told that it was deleted, and where its work lies", async () => {
  await using rig = scriptedRig([
    [
      { init: true },
      { sh: 'own=$(git branch --show-current); git switch -q --orphan other; git branch -q -D "$own"' },
      { commit: "first.txt" },
      ...DONE,
    ],
    [
      { init: true },
      { sh: "git -c user.name=C -c user.email=c@localhost merge -q --allow-unrelated-histories -m take other" },
      ...DONE,
    ],
  ]);
  const ran = await rig.owt("run", "--yes");
  expect([ran.code, ran.stderr]).toEqual([
    0,
    expect.stringMatching(/the branch owt\/tasks\/\S+ is gone, and HEAD is on other/),
  ]);
  expect(rig.show("owt/runs/r1", "first.txt")).toBe("first.txt\n");
});

test("an agent that committed on another branch and switched back is told that its commits lie there", async () => {
  await using rig = scriptedRig([
    [
      { init: true },
      { sh: `git switch -q -c aside; echo 1 >first.txt; git add -A; ${COMMIT}; git switch -q -` },
      ...DONE,
    ],
    [{ init: true }, { sh: "git merge -q aside" }, ...DONE],
  ]);
  const ran = await rig.owt("run", "--yes");
  expect([ran.code, ran.stderr]).toEqual([
    0,
    expect.stringContaining("its commits lie on aside, and none on its own branch"),
  ]);
  expect(startsOf(rig).map(({ isResume }) => isResume)).toEqual([false, true]);
  expect(rig.show("owt/runs/r1", "first.txt")).toBe("1\n");
});

test("a branch that its agent renamed comes home as if it had its name", async () => {
  await using rig = scriptedRig([
    [
      { init: true },
      { commit: "first.txt" },
      { sh: "git branch -m better-name" },
      { commit: "second.txt" },
      { sh: "git branch -m even/better; echo 3 >third.txt" },
      ...DONE,
    ],
  ]);
  const ran = await rig.owt("run", "--yes");
  expect([ran.code, ran.stderr]).toEqual([
    0,
    expect.stringMatching(/had renamed its branch to even\/better; owt\/tasks\/\S+ is at \w{10} again/),
  ]);
  expect(startsOf(rig)).toHaveLength(1);
  for (const [path, text] of Object.entries({
    "first.txt": "first.txt\n",
    "second.txt": "second.txt\n",
    "third.txt": "3\n",
  }))
    expect(rig.show("owt/runs/r1", path)).toBe(text);
});

test.each([
  ["another branch", "git switch -q -c aside HEAD~1", "aside"],
  ["no branch", "git switch -q --detach HEAD~1", "\\w{10}"],
])("an agent that ends on %s beside its own gets the command that brings its commits home", async (_, leave, what) => {
  await using rig = scriptedRig([
    [
      { init: true },
      { commit: "first.txt" },
      { sh: `${leave}; echo 2 >second.txt; git add -A; ${COMMIT}; git rev-parse HEAD >"$HOME/made"` },
      ...DONE,
    ],
    [
      { init: true },
      { sh: 'git -c user.name=C -c user.email=c@localhost merge -q -m take "$(cat "$HOME/made")"' },
      ...DONE,
    ],
  ]);
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  expect(await toldIn(rig, 1)).toMatch(new RegExp(`git switch owt/tasks/\\S+ && git merge ${what}\\b`));
  expect([rig.show("owt/runs/r1", "first.txt"), rig.show("owt/runs/r1", "second.txt")]).toEqual(["first.txt\n", "2\n"]);
});

test("commits that were made on no branch, and left there, are told", async () => {
  await using rig = scriptedRig([
    [
      { init: true },
      { sh: `git switch -q --detach; echo 1 >first.txt; git add -A; ${COMMIT}; git switch -q -` },
      ...DONE,
    ],
    [{ init: true }, { commit: "first.txt" }, ...DONE],
  ]);
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  expect(await toldIn(rig, 1)).toMatch(/your commits lie on no branch, at (\w{10}): git merge \1/);
});

test("work that leaves commits on another branch is taken, and they are told", async () => {
  await using rig = scriptedRig([
    [
      { init: true },
      { commit: "first.txt" },
      { sh: `git switch -q -c aside HEAD~1; echo 2 >second.txt; git add -A; ${COMMIT}; git switch -q -` },
      ...DONE,
    ],
  ]);
  const ran = await rig.owt("run", "--yes");
  expect([ran.code, ran.stderr]).toEqual([
    0,
    expect.stringMatching(/left commits on aside, which are not part of its work: git log -p owt\/tasks\/\S+\.\.aside/),
  ]);
});

test("nothing is told of commits on another branch that were brought home as one", async () => {
  await using rig = scriptedRig([
    [
      { init: true },
      { sh: `git switch -q -c aside; echo 1 >first.txt; git add -A; ${COMMIT}; git switch -q -` },
      { sh: `git merge -q --squash aside; ${COMMIT} -m "by another name"` },
      ...DONE,
    ],
  ]);
  const ran = await rig.owt("run", "--yes");
  expect([ran.code, ran.stderr]).toEqual([0, expect.not.stringContaining("aside")]);
  expect(startsOf(rig)).toHaveLength(1);
});

test("commits on no branch outlive the task whose agent never brought them home, and its retry", async () => {
  const stays = [
    { init: true as const },
    {
      sh: `git switch -q --detach; date +%N >>second.txt; git add -A; ${COMMIT}; git rev-parse HEAD >>"$HOME/made"; git switch -q -`,
    },
    ...DONE,
  ];
  await using rig = scriptedRig([stays, stays, stays, [{ init: true }, { commit: "other.txt" }, ...DONE]]);
  expect((await rig.owt("run", "--yes")).code).toBe(1);
  await rig.owt("task", "retry", "site/E01");
  expect((await rig.owt("resume")).code).toBe(0);
  const made = readFileSync(rig.path("home/made"), "utf8").trim().split("\n");
  expect(made.length).toBeGreaterThan(1);
  for (const commit of made) expect(rig.git("for-each-ref", "--contains", commit)).toContain("refs/");
});

/** What an attempt's agent was told. */
async function toldIn(rig: Rig, attempt: number): Promise<string> {
  const { task } = await rig.json<{ task: { attempts: { folder: string }[] } }>("task", "show", "site/E01");
  return readFileSync(`${task.attempts[attempt]!.folder}/prompt`, "utf8");
}
