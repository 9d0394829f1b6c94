/** The machine goes down under a run and is started anew: what was committed goes on, and what was not is taken for nobody's work. `power-cut.test.ts` fails the power
 *  anywhere; here it is looked at what a person and an agent see of it. */
import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { demoConfig, fileAppears, Rig, type Running, task } from "../rig/rig.ts";

/** Everything is killed at once, and of each worktree a power cut takes what `harm` says. */
async function goDown(rig: Rig, run: Running, harm: (worktree: string, gitDir: string) => void): Promise<void> {
  run.child.kill("SIGKILL");
  rig.killProcesses();
  await run.ended;
  const entries = join(rig.root, ".git/worktrees");
  for (const name of readdirSync(entries)) {
    const gitDir = join(entries, name);
    // Its worktree is just being given up.
    if (!existsSync(join(gitDir, "gitdir"))) continue;
    // Another start of the machine than this one.
    writeFileSync(join(gitDir, "owt-stands-since"), "0b00f00d-0000-4000-8000-000000000001\n");
    harm(join(readFileSync(join(gitDir, "gitdir"), "utf8").trim(), ".."), gitDir);
  }
}

test("under an agent: what it had not committed is put aside, and it is told and does it again", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  const steps = `write kept.txt "kept"\ncommit "half"\nwrite half.txt "half"\ntouch ${rig.path("works")}\nwait ${rig.path("gate")}\nwrite rest.txt "rest"`;
  rig.write({ "docs/plans/shop/epic-01-a.md": task({}, steps) });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("works"));
  await goDown(rig, run, (worktree, gitDir) => {
    // A file that was only checked out, one that the agent wrote, and git's own.
    for (const name of ["README.md", "half.txt"]) truncateSync(join(worktree, name));
    truncateSync(join(gitDir, "index"), 40);
    truncateSync(join(gitDir, "HEAD"));
  });
  rig.release("gate");
  const ran = await rig.owt("resume");
  expect(ran).toMatchObject({ code: 0 });
  const shown = await rig.json<{ task: { attempts: { outcome: string | null }[] } }>("task", "show", "shop/E01");
  expect(shown.task.attempts.map(({ outcome }) => outcome)).toEqual(["was cut off when the machine went down", "done"]);
  const files = ["README.md", "kept.txt", "half.txt", "rest.txt"].map((name) => rig.show("owt/runs/r1", name)?.trim());
  expect(files).toEqual(["# Shop", "kept", "half", "rest"]);
  const saved = "refs/owt/rescue/r1-shop-e01-1-reboot";
  expect(rig.git("diff", "--name-only", "main", saved).split("\n")).toEqual(["README.md", "half.txt", "kept.txt"]);
  const prompt = readFileSync(join(rig.root, ".git/owt/attempts/2/prompt"), "utf8");
  expect(prompt).toMatch(/^# owt: resume$/m);
  expect(prompt).toContain(`## The machine went down`);
  expect(prompt).toContain(`- README.md\n- half.txt\n`);
  expect(prompt).toContain(`git show ${saved}:PATH`);
});

test("under the checks: what is checked is what was committed and brought anew, in the task's worktree and in the run's", async () => {
  const check = (rig: Rig) =>
    `case $PWD in */r1) touch ${rig.path("checks")}; until test -e ${rig.path("gate")}; do sleep 0.05; done ;; esac; grep -q Shop README.md && grep -q brought deps/x`;
  await using rig = Rig.create({});
  rig.write({
    ".gitignore": "deps/\n",
    ".worktreerc": `${demoConfig}\n[environment]\ninstall_command = "mkdir -p deps && echo brought > deps/x"\n[run]\nverify = [${JSON.stringify(check(rig))}]\n`,
    "docs/plans/shop/epic-01-a.md": task({}, `wait ${rig.path("both")}\nwrite a.txt "a"`),
    "docs/plans/other/epic-01-b.md": task({}, `wait ${rig.path("both")}\nwrite b.txt "b"`),
  });
  rig.commit("plan");
  rig.ok("config", "approve", "--yes");
  const run = rig.start("run", "--yes", "--plain");
  await run.says(/shop.E01 started/);
  await run.says(/other.E01 started/);
  rig.release("both");
  await fileAppears(rig.path("checks"));
  await goDown(rig, run, (worktree, gitDir) => {
    truncateSync(join(worktree, "README.md"));
    truncateSync(join(worktree, "deps/x"));
    writeFileSync(join(worktree, "left.txt"), "");
    truncateSync(join(gitDir, "index"));
  });
  rig.release("gate");
  const ran = await rig.owt("resume");
  expect(ran).toMatchObject({ code: 0 });
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(["other/E01", "shop/E01"]);
  const files = ["README.md", "a.txt", "b.txt", "left.txt"].map((name) => rig.show("owt/runs/r1", name)?.trim());
  expect(files).toEqual(["# Shop", "a", "b", undefined]);
});
