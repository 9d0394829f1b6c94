/** Lock files, generated files and lists of lines: their conflicts are settled by rules of the configuration, and go to nobody. */
import { expect, test } from "vitest";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";

type Tried = { attempts: { outcome: string }[] };

/** Two tasks that both begin from the same files; the second one ends when the first is home. */
async function bothChange(rig: Rig, steps: (task: "one" | "two") => string) {
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, steps("one")),
    "docs/plans/two/epic-01-b.md": task({}, `touch ${rig.path("two-runs")}\nwait ${rig.path("gate")}\n${steps("two")}`),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("two-runs"));
  await run.says("one/E01 integrated");
  rig.release("gate");
  return run.ended;
}

const sorted = (text: string) => text.trim().split("\n").toSorted();

test("ours, union and regenerate: both tasks come home with one attempt each, and the file made anew fits both", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = "true"\n[conflicts]\nours = ["*.snap"]\nunion = ["CHANGES.md"]\n[conflicts.regenerate]\n"locks/*.lock" = "cat parts/* > locks/all.lock"\n`,
    "CHANGES.md": "# Changes\n",
    "view.snap": "old\n",
    "locks/all.lock": "base\n",
    "parts/0-base": "base\n",
  });
  const ran = await bothChange(
    rig,
    (name) =>
      `append CHANGES.md "- ${name}\\n"\nwrite view.snap "${name}\\n"\nwrite parts/${name} "${name}\\n"\nwrite locks/all.lock "base\\n${name}\\n"`,
  );
  // Who is tried alone first, and then checked, is merged once.
  expect(ran.stderr.match(/settled by rule: /g)).toHaveLength(1);
  expect(ran.code).toBe(0);
  const { task: two } = await rig.json<{ task: Tried }>("task", "show", "two/E01");
  expect(two.attempts.map(({ outcome }) => outcome)).toEqual(["done"]);
  expect(sorted(rig.show("owt/runs/r1", "CHANGES.md") ?? "")).toEqual(["# Changes", "- one", "- two"]);
  expect(rig.show("owt/runs/r1", "view.snap")).toBe("one\n");
  expect(rig.show("owt/runs/r1", "locks/all.lock")).toBe("base\none\ntwo\n");
  expect(rig.integrations("owt/runs/r1")).toEqual(["one/E01", "two/E01"]);
});

test("where one of the files has no rule, or its command fails, it is a conflict like any other", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[conflicts.regenerate]\n"all.lock" = "exit 3"\n`,
    "all.lock": "base\n",
  });
  const ran = await bothChange(rig, (name) => `write all.lock "${name}\\n"\non conflict:\nwrite all.lock "both\\n"`);
  expect(ran.code).toBe(0);
  expect(ran.stderr).toContain("a file in conflict could not be made anew: exit 3 ended with 3");
  expect(rig.show("owt/runs/r1", "all.lock")).toBe("both\n");
});

test("a command of the repository that makes files anew needs an approval, as its other commands do", async () => {
  const rules = `${demoConfig}[conflicts.regenerate]\n"all.lock" = ["touch all.lock"]\n`;
  await using rig = Rig.create({ ".worktreerc": rules, "docs/plans/a/epic-01-t.md": task({}, "") }, { approve: false });
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(4);
  expect(ran.stderr).toContain(".worktreerc [conflicts] regenerate: touch all.lock");
});
