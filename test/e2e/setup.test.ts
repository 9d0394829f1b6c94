/** What was not the agent's doing, and what it did where no commit reaches. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { demoConfig, Rig, task } from "../rig/rig.ts";

test("what the setup leaves is nobody's work: not committed, not saved, and no success", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[environment]\ninstall_command = "sh setup.sh"\n[worktree]\nkeep = "none"\n[run]\nretries = 0\n`,
    "setup.sh": "echo inst > generated.lock\necho inst > touched.lock\necho rewritten > tracked.lock\n",
    "tracked.lock": "as committed\n",
    "docs/plans/one/epic-01-a.md": task({}, 'say "All fine."'),
    "docs/plans/two/epic-01-b.md": task({}, 'write b.txt "b"\nwrite touched.lock "by the agent"'),
    "docs/plans/three/epic-01-c.md": task(
      {},
      'write c.txt "c"\nrun "git" "add" "generated.lock" "c.txt"\nrun "git" "commit" "-q" "-m" "own"',
    ),
  });
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(1);
  expect(ran.stdout).toContain("2 of 3");
  expect(ran.stdout).toMatch(/one\/E01.*changed nothing/);
  const files = rig.git("ls-tree", "-r", "--name-only", "owt/runs/r1").split("\n");
  expect(files).toEqual(expect.arrayContaining(["b.txt", "c.txt", "generated.lock", "touched.lock"]));
  expect(rig.show("owt/runs/r1", "tracked.lock")?.trim()).toBe("as committed");
  expect(rig.show("owt/runs/r1", "touched.lock")?.trim()).toBe("by the agent");
  const ofTwo = rig.git("log", "--format=", "--name-only", "--no-merges", "--grep=Owt-Task: two/E01", "owt/runs/r1");
  expect(ofTwo.split("\n").filter(Boolean).toSorted()).toEqual(["b.txt", "touched.lock"]);
  expect(rig.git("for-each-ref", "refs/owt/rescue")).toBe("");
  expect(existsSync(rig.path("shop-owt"))).toBe(false);
  expect(ran.stderr).not.toContain("owt restore");
});

test("a merge for a follow-up goes over what the setup left", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[environment]\ninstall_command = "sh setup.sh"\n`,
    "setup.sh": "echo inst > generated.lock\necho rewritten > tracked.lock\n",
    "tracked.lock": "as committed\n",
  });
  rig.write({
    "docs/plans/one/epic-01-a.md": task(
      {},
      `write shared.txt "one"\nwrite generated.lock "one"\nwrite tracked.lock "one"`,
    ),
    "docs/plans/two/epic-01-b.md": task(
      {},
      `wait ${rig.path("gate")}\nwrite shared.txt "two"\non conflict:\nwrite shared.txt "both"`,
    ),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await run.says(/one\/E01.*integrated/);
  rig.release("gate");
  const ran = await run.ended;
  expect(ran.stdout).toContain("2 of 2");
  expect(rig.show("owt/runs/r1", "shared.txt")?.trim()).toBe("both");
  expect(rig.git("for-each-ref", "refs/owt/rescue")).toBe("");
  expect(rig.show("owt/runs/r1", "generated.lock")?.trim()).toBe("one");
  expect(rig.show("owt/runs/r1", "tracked.lock")?.trim()).toBe("one");
});

test("uncommitted work inside a submodule is named, with the place where it lies", async () => {
  await using rig = Rig.create({ ".worktreerc": `${demoConfig}[run]\nretries = 0\n` });
  rig.git("init", "-q", rig.path("module"));
  rig.git("-C", rig.path("module"), "commit", "-q", "--allow-empty", "-m", "m");
  rig.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", rig.path("module"), "lib");
  const update = 'run "git" "-c" "protocol.file.allow=always" "submodule" "--quiet" "update" "--init"';
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, `${update}\nwrite lib/inner.txt "precious"\nwrite a.txt "a"`),
    "docs/plans/two/epic-01-b.md": task({}, `${update}\nwrite lib/inner.txt "precious"`),
    "docs/plans/three/epic-01-c.md": task({}, `${update}\nwrite c.txt "c"`),
  });
  rig.commit("plan");
  const ran = await rig.owt("run", "--yes");
  expect(ran.stdout).toContain("2 of 3");
  expect(ran.stderr).toMatch(/one\/E01.*leftovers committed as [0-9a-f]+, left out: lib/);
  expect(ran.stderr).toContain(
    `one/E01 left uncommitted work inside lib, which no commit of it holds; it is in ${rig.path("shop-owt/one-e01-1")}`,
  );
  expect(ran.stdout).toMatch(/two\/E01.*its work lies uncommitted inside lib/);
  expect(ran.stdout + ran.stderr).not.toContain("changed nothing");
  expect(ran.stderr).not.toMatch(/three\/E01.*left out/);
  const kept = readdirSync(rig.path("shop-owt")).find((name) => name.startsWith("two-"));
  expect(readFileSync(rig.path(`shop-owt/${kept}/lib/inner.txt`), "utf8")).toBe("precious");
});
