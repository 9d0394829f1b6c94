/** A name that there is not gets the nearest that there are, whatever it was to name. */
import { expect, test } from "vitest";
import { demoConfig, Rig, task } from "../rig/rig.ts";

const PLAN = {
  "docs/plans/sample/epic-01-a.md": task({}, 'write a.txt "a"'),
  "docs/plans/sample/epic-02-b.md": task({}, 'write b.txt "b"'),
  "docs/features.json": JSON.stringify({ features: [] }),
};

test("a plan's path with a slip in it gets the nearest file beside it", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, ...PLAN });
  const hintOf = async (...words: string[]) => {
    const { code, stderr } = await rig.owt(...words);
    expect([words, code]).toEqual([words, 2]);
    return stderr.split("\n")[1];
  };
  expect(await hintOf("run", "docs/planz", "--yes")).toBe("  ↳ did you mean docs/plans? see: owt plan");
  expect(await hintOf("plan", "docs/plnas/sampel")).toBe("  ↳ did you mean docs/plans/sample? see: owt plan");
  expect(await hintOf("plan", "./docs/feature.json")).toBe("  ↳ did you mean ./docs/features.json? see: owt plan");
  expect(await hintOf("plan", `${rig.root}/docs/planz`)).toBe(`  ↳ did you mean ${rig.root}/docs/plans? see: owt plan`);
  expect(await hintOf("plan", "--config", "docs/feature.json")).toBe(
    "  ↳ did you mean docs/features.json? or go by what is here: owt plan",
  );
  expect(await hintOf("plan", "deps", "docs/planz")).toBe("  ↳ did you mean docs/plans? see: owt plan deps");
  expect((await rig.owtIn(`${rig.root}/docs`, "plan", "planz")).stderr).toContain("did you mean plans?");
});

test("commands that take a task, run, worktree, agent, layout, profile or batch name the nearest of them", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[profile.nightly.run]\nretries = 0\n[agent.mine]\nkind = "demo"\n`,
    ...PLAN,
  });
  await rig.owt("run", "--yes");
  rig.ok("create", "feature");
  const hintOf = async (...words: string[]) => {
    const { code, stderr } = await rig.owt(...words);
    expect([words, code]).toEqual([words, 2]);
    return stderr.trimEnd();
  };
  const tasks = "did you mean sample/E01 or sample/E02?";
  for (const words of [["logs"], ["status"], ["task", "show"], ["task", "cancel"], ["task", "retry"]])
    for (const name of ["sample", "smaple"]) expect(await hintOf(...words, name)).toContain(tasks);
  expect(await hintOf("logs", "r1")).toContain("owt logs --all --run r1");
  expect(await hintOf("logs", "r11")).toContain("did you mean r1?");
  for (const words of [["report"], ["resume"], ["stop"], ["land"], ["parallel", "2"], ["task", "list", "--run"]])
    expect(await hintOf(...words, "r11")).toContain("did you mean r1?");
  expect(await hintOf("logs", "--all", "--run", "r11")).toContain("did you mean r1?");
  for (const words of [["diff"], ["switch"], ["sync"], ["note"], ["delete"], ["send"], ["wait"], ["tmux", "attach"]])
    expect(await hintOf(...words, "featrue", ...(words[0] === "send" ? ["words"] : []))).toContain(
      "did you mean feature",
    );
  expect(await hintOf("run", "--agent", "mien", "--again", "--yes")).toContain("did you mean mine?");
  expect(await hintOf("run", "--rivals", "2", "--agents", "demo,mien", "--again", "--yes")).toContain(
    "did you mean mine?",
  );
  expect(await hintOf("create", "x", "--agent", "mien")).toContain("did you mean mine?");
  expect(await hintOf("create", "x", "--layout", "qaud")).toContain("did you mean");
  expect(await hintOf("merge", "feature", "--into", "mian")).toContain("did you mean main?");
  expect((await rig.owt("--profile", "nigthly", "run", "--again")).stderr).toContain("did you mean nightly?");
});
