/** An agent whose commits are not on the branch of its task when its turn ends: they come home, or it is told where they lie. */
import { expect, test } from "vitest";
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
