/** `owt land`, where a person brought a run together with a target that went on by throwing a side away: that lands where they say that it is meant. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { demoConfig, Rig, task } from "../rig/rig.ts";

/** Run and target both changed the middle line of two files, a worktree is made in which a person is to bring that together, and this is what they do there. */
async function resolvedWith(command: string, rules = ""): Promise<Rig> {
  const rig = Rig.create({
    ".worktreerc": `${demoConfig}${rules}`,
    "shared.txt": "top\nmiddle\nend\n",
    "all.lock": "start\n",
    "docs/plans/a/epic-01-a.md": task(
      {},
      'write shared.txt "top\\nword of the run\\nend\\n"\nwrite all.lock "run\\n"\nwrite a.txt "a"',
    ),
  });
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  rig.write({ "shared.txt": "top\nword of main\nend\n", "all.lock": "main\n", "m.txt": "m" });
  rig.commit("went on");
  expect((await rig.owt("land")).code).toBe(4);
  inFolder(rig, rig.path("shop-owt/r1-land"), command);
  return rig;
}

function inFolder(rig: Rig, cwd: string, command: string): string {
  return execFileSync("sh", ["-c", command], {
    cwd,
    env: rig.env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

const OF_MAIN = "nothing of main's change in shared.txt is left; it had added:\n      word of main\n";
const OF_RUN = "nothing of a/E01's change in shared.txt is left; it had added:\n      word of the run\n";
const BOTH = "git checkout -q --ours all.lock; printf 'run\\nmain\\n' > all.lock; ";

test.each([
  ["--ours for a file", `${BOTH}git checkout -q --ours shared.txt; git commit -qam r`, OF_MAIN],
  ["--theirs for a file", `${BOTH}git checkout -q --theirs shared.txt; git commit -qam r`, OF_RUN],
  ["the file removed", `${BOTH}git rm -qf shared.txt; git commit -qam r`, OF_RUN],
  ["all of the run's side", "git merge --abort; git merge -qs ours -m ours main", OF_MAIN],
  ["main's files outside of a merge", "git merge --abort; git checkout -q main -- .; git commit -qm r", OF_RUN],
])("%s lands only where that is said to be meant", async (_, command, lost) => {
  await using rig = await resolvedWith(command);
  const tip = rig.git("rev-parse", "main");
  const path = rig.path("shop-owt/r1-land");
  const ran = await rig.owt("land");
  expect([ran.code, ran.stderr]).toEqual([4, expect.stringContaining(lost)]);
  const told = ran.stderr.replaceAll(/\s+/g, " ");
  expect(told).toContain("main and r1 were brought together by throwing a side away");
  expect(told).toContain(`cd ${path}; then: owt land r1; where it is meant so: owt land r1 --as-resolved`);
  expect(rig.git("rev-parse", "main")).toBe(tip);
  expect((await rig.owt("land", "r1", "--as-resolved")).code).toBe(0);
  expect(await rig.json("land", "r1")).toMatchObject({ already: true });
});

test("what was brought back lands as usual", async () => {
  await using rig = await resolvedWith(`${BOTH}git checkout -q --ours shared.txt; git commit -qam r`);
  expect((await rig.owt("land")).code).toBe(4);
  const path = rig.path("shop-owt/r1-land");
  writeFileSync(join(path, "shared.txt"), "top\nword of the run\nword of main\nend\n");
  inFolder(rig, path, "git commit -qam both");
  expect((await rig.owt("land")).code).toBe(0);
});

test.each([
  ["lines of both", "top\\nword of main\\nword of the run\\nend\\n"],
  ["lines made of both", "top\\nword of main and the run\\nend\\n"],
])("%s are a resolution like any other", async (_, text) => {
  await using rig = await resolvedWith(`${BOTH}printf '${text}' > shared.txt; git commit -qam both`);
  expect((await rig.owt("land")).code).toBe(0);
});

test("a file that a rule settles for one side is nobody's loss", async () => {
  const rules = '[conflicts]\nours = ["all.lock"]\n';
  const command =
    "printf 'top\\nword of main\\nword of the run\\nend\\n' > shared.txt; git checkout -q --ours all.lock; ";
  await using rig = await resolvedWith(`${command}git commit -qam both`, rules);
  expect((await rig.owt("land")).code).toBe(0);
});

test("what somebody changes on the run's branch where the two do not meet is theirs to change", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"') });
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  rig.git("switch", "-q", "owt/runs/r1");
  rig.write({ "a.txt": "better" });
  rig.commit("mended");
  rig.git("switch", "-q", "main");
  rig.write({ "m.txt": "m" });
  rig.commit("went on");
  expect((await rig.owt("land")).code).toBe(0);
  expect(rig.show("main", "a.txt")).toBe("better");
});
