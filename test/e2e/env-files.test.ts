/** Environment files: brought into worktrees, never committed, and never lost where somebody changed one. */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
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

test("paths are adjusted only where they are whole, in bytes of any kind; files can be left out, and one further is brought", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[worktree]\nkeep = "all"\n[environment]\nadditional_config_files = ["web/.env", "!.env.local"]\n`,
    ".gitignore": ".env*\nweb/\n",
    "docs/plans/one/epic-01-a.md": task({}, 'write a.txt "a"'),
  });
  const { root } = rig;
  const text = `A=${root}\nB=file://${root}/x\nC="-I${root}/include"\nD=/home${root}/x\nE=${root}-data\nF=${root}.old\r\nG=caf`;
  writeFileSync(join(root, ".env"), Buffer.concat([Buffer.from(text), Buffer.from([0xe9, 10])]), { mode: 0o644 });
  rig.write({ ".env.local": "L=1\n", "web/.env": `W=${root}/web\n` });
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  const worktree = rig.path("shop-owt/one-e01-1");
  const there = readFileSync(join(worktree, ".env"));
  const expected = `A=${worktree}\nB=file://${worktree}/x\nC="-I${worktree}/include"\nD=/home${root}/x\nE=${root}-data\nF=${root}.old\r\nG=caf`;
  expect(there).toEqual(Buffer.concat([Buffer.from(expected), Buffer.from([0xe9, 10])]));
  expect(statSync(join(worktree, ".env")).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(worktree, "web/.env"), "utf8")).toBe(`W=${worktree}/web\n`);
  expect(existsSync(join(worktree, ".env.local"))).toBe(false);
});

test("never through a symbolic link, neither from one nor to one, and not over what is there", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[worktree]\nkeep = "all"\n[environment]\nenv_files = ["linked/.env", "out/.env"]\n`,
    ".gitignore": "linked\n",
    "docs/plans/one/epic-01-a.md": task({}, 'write a.txt "a"'),
  });
  mkdirSync(rig.path("secret"));
  writeFileSync(rig.path("secret/.env"), "S=secret\n");
  // From a link, and through one.
  symlinkSync(rig.path("secret/.env"), join(rig.root, ".env"));
  symlinkSync(rig.path("secret"), join(rig.root, "linked"));
  // To one: the repository brings a link that leads out of the worktree, and one that leads nowhere.
  symlinkSync(rig.path("target"), join(rig.root, "out"));
  symlinkSync(rig.path("nowhere"), join(rig.root, ".env.local"));
  rig.git("add", "out", ".env.local");
  rig.git("commit", "-q", "-m", "links");
  rmSync(join(rig.root, "out"));
  rmSync(join(rig.root, ".env.local"));
  rig.write({ "out/.env": "S=mine\n", ".env.local": "S=mine\n" });
  mkdirSync(rig.path("target"));
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(0);
  const worktree = rig.path("shop-owt/one-e01-1");
  expect([".env", "linked"].map((name) => existsSync(join(worktree, name)))).toEqual([false, false]);
  expect(existsSync(rig.path("target/.env"))).toBe(false);
  expect(existsSync(rig.path("nowhere"))).toBe(false);
});

test("a template is filled with what the worktree has to itself, and agents, checks and hooks know the same", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[worktree]\nkeep = "all"\n[run]\nverify = "echo $OWT_PORT $OWT_PORT_9 $OWT_DATABASE $COMPOSE_PROJECT_NAME > checked"\n`,
    ".gitignore": ".env\nchecked\nagent\n",
    ".env.owt": "PORT=${OWT_PORT}\nDATABASE_URL=postgres://localhost/${OWT_DATABASE}?user=${USER}\n",
    "docs/plans/one/epic-01-a.md": task(
      {},
      `run "sh" "-c" "echo $OWT_PORT $OWT_PORT_9 $OWT_DATABASE $COMPOSE_PROJECT_NAME > agent"\nwrite a.txt "a"`,
    ),
    "docs/plans/two/epic-01-b.md": task({}, 'write b.txt "b"'),
  });
  rig.write({ ".env": "SECRET=1\nPORT=3000" });
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  const texts = ["one-e01-1", "two-e01-2"].map((name) => readFileSync(rig.path(`shop-owt/${name}/.env`), "utf8"));
  const [port, second] = texts.map((text) => Number(/^PORT=(2\d{4})$/m.exec(text)?.[1]));
  expect(texts[0]).toBe(
    `SECRET=1\nPORT=3000\nPORT=${port}\nDATABASE_URL=postgres://localhost/shop_one_e01_1?user=\${USER}\n`,
  );
  expect(Math.abs(port! - second!)).toBeGreaterThanOrEqual(10);
  const line = `${port} ${port! + 9} shop_one_e01_1 shop-one-e01-1\n`;
  expect(readFileSync(rig.path("shop-owt/one-e01-1/checked"), "utf8")).toBe(line);
  expect(readFileSync(rig.path("shop-owt/one-e01-1/agent"), "utf8")).toBe(line);
});

test("a file outside of the repository is never brought, and that is said, by validate too", async () => {
  await using rig = Rig.create({
    ".worktreerc": '[environment]\nenv_files = ["../outside.env", "/etc/hostname", "conf/../own.env", "!.env"]\n',
    ".gitignore": "*.env\n",
  });
  writeFileSync(rig.path("outside.env"), "A=1\n");
  writeFileSync(join(rig.root, "own.env"), "B=1\n");
  const said = await rig.owt("config", "validate");
  expect([said.code, said.stdout + said.stderr]).toEqual([
    0,
    expect.stringMatching(
      /\.\.\/outside\.env leads out of the repository[^]*\/etc\/hostname leads out of the repository/,
    ),
  ]);
  expect(said.stdout + said.stderr).not.toContain("own.env");
  const made = await rig.owt("create", "x", "--no-tmux");
  expect([made.code, made.stderr]).toEqual([
    0,
    expect.stringMatching(/\.\.\/outside\.env is not brought[^]*\/etc\/hostname is not brought/),
  ]);
  expect(existsSync(rig.path("shop-x/own.env"))).toBe(true);
});
