/** Environment files: brought into worktrees, never committed, and never lost where somebody changed one. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { demoConfig, Rig, task } from "../rig/rig.ts";

type Saved = { rescues: { id: string }[]; environment: { id: string; files: string[] }[] };

test("an environment file that the agent changed is kept for its owner only, told of, and comes back", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    ".gitignore": ".env*\nnotes/\n",
    "docs/plans/one/epic-01-a.md": task({}, 'append .env "tokens=found"\nwrite b.txt "b"'),
    "docs/plans/two/epic-01-b.md": task({}, 'write .env.local "NEW=1"\nwrite notes/n "note"\nwrite c.txt "c"'),
    "docs/plans/three/epic-01-c.md": task({}, 'write d.txt "d"'),
  });
  rig.write({ ".env": "A=1\n" });
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(0);
  expect(ran.stderr).toMatch(/one\/E01 the changed \.env is kept, [^\n]*owt restore r1-one-e01-\d/);
  expect(ran.stderr).not.toContain("three/E01 the changed");
  const saved = await rig.json<Saved>("restore");
  expect(saved.environment.map(({ files }) => files).toSorted()).toEqual([[".env"], [".env.local"]]);
  const [mine, other] = [".env", ".env.local"].map(
    (name) => saved.environment.find(({ files }) => files[0] === name)!.id,
  );
  const kept = join(rig.root, ".git", "owt", "kept", mine!, ".env");
  expect([statSync(kept).mode & 0o777, statSync(join(kept, "..")).mode & 0o777]).toEqual([0o600, 0o700]);
  // Nothing of it is among git's objects, which others may be given.
  const objects = rig
    .git("rev-list", "--all", "--objects")
    .split("\n")
    .map((line) => line.slice(0, 40));
  const all = objects.map((oid) => rig.git("cat-file", "-p", oid)).join("\n");
  expect(all).not.toContain("A=1");
  // Alone it comes back into a folder, with a rescue into its worktree.
  expect((await rig.owt("restore", mine!)).stdout).toContain("with .env");
  expect(readFileSync(rig.path(`shop-owt/restored-${mine}/.env`), "utf8")).toMatch(/^A=1\n"?tokens=found/);
  expect(saved.rescues.map(({ id }) => id)).toEqual([other]);
  await rig.json("restore", other!, "--path", rig.path("back"));
  expect(readFileSync(rig.path("back/.env.local"), "utf8")).toContain("NEW=1");
  expect(readFileSync(rig.path("back/notes/n"), "utf8")).toContain("note");
  expect(statSync(rig.path("back/.env.local")).mode & 0o777).toBe(0o600);
});

test("an environment file that is as it was brought needs no saving, also when the user's own changed meanwhile", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, ".gitignore": ".env\n" });
  rig.write({
    ".env": `HOME_OF=${rig.root}/data\n`,
    "docs/plans/one/epic-01-a.md": task({}, `run "sh" "-c" "echo B=2 >> ${rig.root}/.env"\nwrite a.txt "a"`),
  });
  rig.commit("plan");
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  expect(await rig.json<Saved>("restore")).toEqual({ rescues: [], environment: [] });
  expect(existsSync(join(rig.root, ".git", "owt", "kept"))).toBe(false);
});

test("an environment file that the project commits is git's, and is not kept twice", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    ".env": "A=1\n",
    "docs/plans/one/epic-01-a.md": task({}, 'append .env "B=2"\nrun "git" "commit" "-qam" "more"'),
  });
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  expect(rig.show("owt/runs/r1", ".env")).toContain("B=2");
  expect(await rig.json<Saved>("restore")).toEqual({ rescues: [], environment: [] });
});
