/** The dependencies of a worktree: found in a monorepo, installed where they stand, and a tool that is missing stops nothing. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { demoConfig, Rig, task } from "../rig/rig.ts";

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
