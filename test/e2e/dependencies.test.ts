/** The dependencies of a worktree: found in a monorepo, installed where they stand, and a tool that is missing stops nothing. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";

/** A program of the user's that says where it ran and with what. */
function addTool(rig: Rig, name: string, script: string): void {
  mkdirSync(rig.path("tools"), { recursive: true });
  writeFileSync(rig.path(`tools/${name}`), `#!/bin/sh\n${script}\n`);
  chmodSync(rig.path(`tools/${name}`), 0o755);
  rig.env["PATH"] = `${rig.path("tools")}:${rig.env["PATH"]}`;
}

test("each project of a monorepo is installed in its folder, and one whose tool is missing is named with the way to it", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "package.json": JSON.stringify({ workspaces: ["packages/*"] }),
    "package-lock.json": "{}",
    "packages/a/package.json": JSON.stringify({ dependencies: { b: "1" } }),
    "backend/poetry.lock": "",
    "node_modules/x/package-lock.json": "{}",
    "docs/plans/one/epic-01-a.md": task({}, 'write a.txt "a"'),
    "docs/plans/two/epic-01-b.md": task({}, 'write b.txt "b"'),
  });
  const log = rig.path("installs");
  addTool(rig, "npm", `echo "npm $* $PWD \${VIRTUAL_ENV:-none}" >> ${log}`);
  rig.env["VIRTUAL_ENV"] = "/somewhere/venv";
  rig.env["OWT_ENVIRONMENT_PASS"] = '["VIRTUAL_ENV"]';
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(0);
  const installs = readFileSync(log, "utf8").trim().split("\n").toSorted();
  expect(installs).toHaveLength(2);
  expect(installs[0]).toMatch(/^npm ci --no-audit --no-fund .*\/shop-owt\/one-e01-\d none$/);
  expect(ran.stderr.match(/poetry is not installed here/g)).toHaveLength(1);
  expect(ran.stderr).toMatch(
    /\(pipx install poetry\), and backend\/poetry\.lock needs it; then: cd .*backend && poetry install/,
  );
});

test("a project at the top and one below it are both installed, by a task and by hand", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    ".gitignore": "node_modules\n",
    "package.json": JSON.stringify({ dependencies: { b: "1" } }),
    "package-lock.json": "{}",
    "web/package.json": JSON.stringify({ dependencies: { c: "1" } }),
    "web/package-lock.json": "{}",
    "docs/plans/one/epic-01-a.md": task({}, 'write a.txt "a"'),
  });
  addTool(rig, "npm", "mkdir node_modules && touch node_modules/made");
  const made = await rig.owt("create", "x", "--no-tmux");
  expect([made.code, made.stderr]).toEqual([0, expect.not.stringContaining("mistake") as string]);
  for (const folder of ["", "web/"])
    expect(existsSync(join(rig.path("shop-x"), folder, "node_modules/made"))).toBe(true);
  const ran = await rig.owt("run", "--yes");
  expect([ran.code, ran.stderr]).toEqual([0, expect.not.stringContaining("failed") as string]);
});

test("owt create called again tries once more what had no lockfile and failed, and that alone", async () => {
  await using rig = Rig.create({
    ".gitignore": "node_modules\n",
    "package.json": JSON.stringify({ dependencies: { b: "1" } }),
    "package-lock.json": "{}",
    "api/requirements.txt": "flask\n",
  });
  const log = rig.path("installs");
  addTool(rig, "npm", `echo "npm $1" >> ${log}`);
  const pip = `mkdir -p .venv/bin && touch .venv/pyvenv.cfg && ln -sf /bin/true .venv/bin/python`;
  addTool(rig, "python3", `echo pip >> ${log}; [ -e ${rig.path("up")} ] && ${pip}`);
  const called = () => readFileSync(log, "utf8").trim().split("\n");
  for (const tries of [
    ["npm ci", "pip"],
    ["npm ci", "pip", "pip"],
  ]) {
    const made = await rig.owt("create", "x", "--no-tmux");
    expect([made.code, made.stderr]).toEqual([
      0,
      expect.stringContaining("failed for api/requirements.txt, which has no lockfile") as string,
    ]);
    expect(called()).toEqual(tries);
  }
  writeFileSync(rig.path("up"), "");
  for (let calls = 0; calls < 2; calls++) {
    const made = await rig.owt("create", "x", "--no-tmux");
    expect([made.code, made.stderr]).toEqual([0, expect.not.stringContaining("failed") as string]);
    expect(called()).toEqual(["npm ci", "pip", "pip", "pip"]);
  }
});

test("an install by a lockfile that fails, fails the task; one without a lockfile is a warning", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nretries = 0\n`,
    "package.json": JSON.stringify({ dependencies: { b: "1" } }),
    "docs/plans/one/epic-01-a.md": task({}, 'write a.txt "a"'),
  });
  addTool(rig, "npm", "echo no such package; exit 1");
  const soft = await rig.owt("run", "--yes");
  expect(soft.code).toBe(0);
  expect(soft.stderr).toContain(
    "npm install --no-audit --no-fund --no-package-lock failed for package.json, which has no lockfile: no such package",
  );
  rig.write({ "package-lock.json": "{}" });
  rig.commit("locked");
  const hard = await rig.owt("run", "--yes", "--again", "--from-target");
  expect(hard.code).toBe(1);
  expect(hard.stderr + hard.stdout).toContain("setup failed: npm ci");
});

/** A repository with packages that come from files, a workspace, and npm's own install of them in the main checkout. */
function npmRig(config = "", one: Record<string, string> = {}): Rig {
  const rig = Rig.create({
    ".worktreerc": `${demoConfig}[worktree]\nkeep = "all"\n${config}`,
    ".gitignore": "node_modules\nprepared\n",
    "package.json": JSON.stringify({
      name: "shop",
      version: "1.0.0",
      workspaces: ["packages/*"],
      dependencies: { one: `file:${packAt("one")}` },
      scripts: { prepare: "pwd > prepared" },
    }),
    "packages/w/package.json": JSON.stringify({ name: "w", version: "1.0.0", bin: "w.js" }),
    "packages/w/w.js": "#!/usr/bin/env node\n",
    "docs/plans/one/epic-01-a.md": task({}, 'write a.txt "a"'),
  });
  mkdirSync(rig.path("packed/one"), { recursive: true });
  writeFileSync(rig.path("packed/one/package.json"), JSON.stringify({ name: "one", version: "1.0.0" }));
  writeFileSync(rig.path("packed/one/index.js"), "module.exports = 1;\n");
  for (const [name, text] of Object.entries(one)) writeFileSync(rig.path(`packed/one/${name}`), text);
  npm(rig, rig.path("packed"), "pack", "./one");
  npm(rig, rig.root, "install");
  rig.commit("locked");
  const real = execFileSync("sh", ["-c", "command -v npm"], { encoding: "utf8", env: rig.env }).trim();
  addTool(rig, "npm", `echo "$1 \${2-}" >> ${rig.path("npm.log")}\nexec ${real} "$@"`);
  return rig;
}

const packAt = (name: string) => `../packed/${name}-1.0.0.tgz`;

function npm(rig: Rig, cwd: string, ...args: string[]): string {
  return execFileSync("npm", [...args, "--offline", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd,
    env: rig.env,
    encoding: "utf8",
  });
}

/** Runs the plan once more; says how its dependencies came, and where its worktree is. */
async function runOnce(rig: Rig): Promise<{ told: string; worktree: string; npm: string[] }> {
  rmSync(rig.path("npm.log"), { force: true });
  const ran = await rig.owt("run", "--yes", "--again", "--from-target");
  if (ran.code !== 0) throw new Error(ran.stdout + ran.stderr);
  const newest = readdirSync(rig.path("shop-owt"))
    .filter((name) => name.startsWith("one-"))
    .toSorted((a, b) => Number(a.split("-").at(-1)) - Number(b.split("-").at(-1)))
    .at(-1)!;
  const log = existsSync(rig.path("npm.log")) ? readFileSync(rig.path("npm.log"), "utf8").trim().split("\n") : [];
  return { told: /dependencies .*/.exec(ran.stderr)?.[0] ?? "", worktree: rig.path(`shop-owt/${newest}`), npm: log };
}

describe("node_modules that provably are what the lockfile says", () => {
  test("are copied from the main checkout; its links lead into the worktree, and the project's own script runs", async () => {
    await using rig = npmRig();
    const { told, worktree, npm: called } = await runOnce(rig);
    expect(told).toMatch(
      /^dependencies (copied|cloned) in \d+\.\d s \(the same lockfile is installed in the main checkout\)/,
    );
    expect(called).toEqual(["config get", "run prepare"]);
    expect(readFileSync(join(worktree, "prepared"), "utf8").trim()).toBe(worktree);
    expect(readlinkSync(join(worktree, "node_modules/w"))).toBe("../packages/w");
    expect(statSync(join(worktree, "node_modules/one/index.js")).ino).not.toBe(
      statSync(join(rig.root, "node_modules/one/index.js")).ino,
    );
    expect(JSON.parse(npm(rig, worktree, "ls", "--json"))).toMatchObject({
      dependencies: { one: { version: "1.0.0" } },
    });
    expect(existsSync(join(worktree, ".owt-staging"))).toBe(false);
    expect(execFileSync("git", ["status", "--porcelain"], { cwd: worktree, encoding: "utf8", env: rig.env })).toBe("");
  });

  test("are linked only where that is asked for, and installed where that is", async () => {
    await using linked = npmRig('[environment]\ndependencies = "hardlink"\n');
    const { told, worktree } = await runOnce(linked);
    expect(told).toMatch(/^dependencies linked/);
    const inode = (root: string) => statSync(join(root, "node_modules/one/index.js")).ino;
    expect(inode(worktree)).toBe(inode(linked.root));
    linked.env["OWT_ENVIRONMENT_DEPENDENCIES"] = "install";
    const second = await runOnce(linked);
    expect(second.told).toContain("installed");
    expect(second.npm[0]).toBe("ci --no-audit");
    expect(inode(second.worktree)).not.toBe(inode(linked.root));
  });

  test("are not taken where something else is there than the lockfile says; then another worktree's serve", async () => {
    await using rig = npmRig();
    mkdirSync(join(rig.root, "node_modules/stranger"));
    const first = await runOnce(rig);
    expect(first.told).toMatch(/^dependencies installed .*holds node_modules\/stranger, which its lockfile has not/);
    expect(existsSync(join(first.worktree, "node_modules/stranger"))).toBe(false);
    // The first worktree has what owt itself installed there.
    const second = await runOnce(rig);
    expect(second.told).toContain(`(the same lockfile is installed in ${first.worktree})`);
    expect(second.npm).not.toContain("ci --no-audit");
    // Somebody worked in them since.
    for (const { worktree } of [first, second])
      writeFileSync(join(worktree, "node_modules/one/index.js"), "module.exports = 'changed';\n");
    const third = await runOnce(rig);
    expect(third.told).toContain("dependencies installed");
    expect(readFileSync(join(third.worktree, "node_modules/one/index.js"), "utf8")).toBe("module.exports = 1;\n");
  });

  test("are not taken from an install that is under way, or when the manifests differ", async () => {
    await using rig = npmRig();
    mkdirSync(join(rig.root, "node_modules/.one-1a2B3c4D"));
    expect((await runOnce(rig)).told).toContain("holds node_modules/.one-1a2B3c4D");
    await using other = npmRig();
    const manifest = JSON.parse(readFileSync(join(other.root, "package.json"), "utf8")) as object;
    // What is not committed is not what the worktree has.
    other.write({ "package.json": JSON.stringify({ ...manifest, engines: { node: ">=1" } }) });
    expect((await runOnce(other)).told).toContain(`${other.root} was made from something else`);
  });

  test("are not taken where one of them may be built for another Node, unless it says for which", async () => {
    const built = { name: "one", version: "1.0.0", scripts: { install: "true" } };
    await using rig = npmRig("", { "package.json": JSON.stringify(built), "addon.node": "" });
    expect((await runOnce(rig)).told).toContain("holds node_modules/one, which may be built for another Node");
    // The user's Node, not the one that comes with this package.
    const PATH = rig.env["PATH"]!.split(":").filter((folder) => !folder.includes("node_modules"));
    const env = { ...rig.env, PATH: PATH.join(":") };
    const abi = execFileSync("node", ["-p", "process.versions.modules"], { env, encoding: "utf8" }).trim();
    const config = `{ "variables": { "node_module_version": ${abi} } }`;
    const gypi = join(rig.root, "node_modules/one/build/config.gypi");
    // As an install builds it: before npm writes its books.
    mkdirSync(join(gypi, ".."));
    writeFileSync(gypi, config);
    const books = join(rig.root, "node_modules/.package-lock.json");
    writeFileSync(books, readFileSync(books));
    expect((await runOnce(rig)).told).toContain("installed in the main checkout");
  });

  test("tasks that start side by side install once: the others copy from the one that does", async () => {
    await using rig = npmRig();
    rig.write({
      "docs/plans/two/epic-01-b.md": task({}, 'write b.txt "b"'),
      "docs/plans/three/epic-01-c.md": task({}, 'write c.txt "c"'),
    });
    rig.commit("more");
    rmSync(join(rig.root, "node_modules"), { recursive: true });
    const ran = await rig.owt("run", "--yes", "--parallel", "3");
    expect(ran.code).toBe(0);
    expect(ran.stderr.match(/dependencies installed/g)).toHaveLength(1);
    expect(
      ran.stderr.match(/dependencies (copied|cloned) .*the same lockfile is installed in .*shop-owt/g),
    ).toHaveLength(2);
    const log = readFileSync(rig.path("npm.log"), "utf8").split("\n");
    expect(log.filter((line) => line === "ci --no-audit")).toHaveLength(1);
  });

  test("a copy whose owt is killed counts for nothing before it is whole, and whoever comes next takes it up", async () => {
    await using rig = npmRig();
    const [copying, gate] = [rig.path("copying"), rig.path("gate")];
    execFileSync("mkfifo", [gate]);
    addTool(rig, "cp", `touch ${copying}\ncat ${gate}\nexec /bin/cp "$@"`);
    const first = rig.start("run", "--yes");
    await fileAppears(copying);
    first.child.kill("SIGKILL");
    await first.ended;
    const worktree = rig.path("shop-owt/one-e01-1");
    expect(existsSync(join(worktree, "node_modules"))).toBe(false);
    expect(readdirSync(worktree)).toContain(".owt-staging");
    expect(execFileSync("git", ["status", "--porcelain"], { cwd: worktree, encoding: "utf8", env: rig.env })).toBe("");
    writeFileSync(gate, "");
    const ran = await rig.owt("resume");
    expect(ran.code).toBe(0);
    expect(ran.stderr).toMatch(/dependencies (copied|cloned)/);
    expect(readFileSync(join(worktree, "node_modules/one/index.js"), "utf8")).toBe("module.exports = 1;\n");
    expect(readFileSync(rig.path("npm.log"), "utf8")).not.toContain("ci ");
    expect(existsSync(join(worktree, ".owt-staging"))).toBe(false);
  });

  test("absolute links into the checkout lead into the worktree, and with a link that leads out nothing is copied", async () => {
    await using rig = npmRig();
    mkdirSync(join(rig.root, "node_modules/.bin"), { recursive: true });
    symlinkSync(join(rig.root, "packages/w/w.js"), join(rig.root, "node_modules/.bin/absolute"));
    const { told, worktree } = await runOnce(rig);
    expect(told).toContain("main checkout");
    expect(readlinkSync(join(worktree, "node_modules/.bin/absolute"))).toBe(join(worktree, "packages/w/w.js"));
    symlinkSync("../../../elsewhere", join(rig.root, "node_modules/.bin/out"));
    const second = await runOnce(rig);
    expect(lstatSync(join(second.worktree, "node_modules/one")).isDirectory()).toBe(true);
    expect(existsSync(join(second.worktree, "node_modules/.bin/out"))).toBe(false);
  });
});
