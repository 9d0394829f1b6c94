/** What git leaves beside a folder of a file's name in a merge does not come home. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { demoConfig, Rig, startTwoBehindOne, task } from "../rig/rig.ts";

test("a file beside a folder of its name, and the copy of a merge tool, go back by name", async () => {
  const resolve = [
    'run "git" "add" "-A"',
    'write b.txt.orig "kept by a tool"',
    'run "git" "add" "-A"',
    'run "git" "commit" "-qm" "resolved"',
    "on repair:",
    'run "sh" "-c" "git mv a.txt~HEAD a.txt/file && git rm -q b.txt.orig && git commit -qm tidy"',
  ].join("\n");
  await using rig = Rig.create({ ".worktreerc": demoConfig, "a.txt": "one\n", "b.txt": "b\n" });
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, 'delete a.txt\nwrite a.txt/inside "folder"'),
    "docs/plans/two/epic-01-b.md": task(
      {},
      `touch ${rig.path("two-runs")}\nwait ${rig.path("gate")}\nwrite a.txt "mine"\non conflict:\n${resolve}`,
    ),
  });
  rig.commit("plan");
  expect((await (await startTwoBehindOne(rig)).ended).code).toBe(0);
  type Shown = { task: { attempts: { folder: string; outcome: string }[] } };
  const { attempts } = (await rig.json<Shown>("task", "show", "two/E01")).task;
  expect(attempts.map(({ outcome }) => outcome)).toEqual([
    "conflicts in a.txt",
    "verify failed: left-overs of a merge are there",
    "done",
  ]);
  expect(readFileSync(`${attempts[1]!.folder}/prompt`, "utf8")).toContain("`NAME~HEAD` (this side's)");
  expect(readFileSync(`${attempts[2]!.folder}/prompt`, "utf8")).toMatch(/ {2}a\.txt~HEAD\n {2}b\.txt\.orig\n/);
  const files = rig.git("ls-tree", "-r", "--name-only", "owt/runs/r1").split("\n");
  expect(files).toEqual(expect.arrayContaining(["a.txt/file", "a.txt/inside", "b.txt"]));
  expect(files.filter((file) => /~|orig/.test(file))).toEqual([]);
});
