import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { runGit, type Scratch, scratchRepo } from "../../../test/rig/scratch-repo.ts";
import { closeEngine, type Engine, openEngine } from "../engine.ts";
import { setupFootprint } from "../workspace.ts";
import { readLease } from "../worktree-lease.ts";
import { makeReady } from "./ready.ts";

const home = mkdtempSync(join(tmpdir(), "owt-ready-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

async function engineOf(at: Scratch, config: string): Promise<Engine & AsyncDisposable> {
  writeFileSync(join(at.root, ".worktreerc"), config);
  const env = { PATH: process.env["PATH"], HOME: home, XDG_STATE_HOME: home };
  const engine = await openEngine({ cwd: at.root, env, owtCommand: ["owt"] });
  return Object.assign(engine, { [Symbol.asyncDispose]: () => closeEngine(engine) });
}

function addWorktree(at: Scratch, name: string): string {
  const path = join(at.top, name);
  runGit(at.root, "worktree", "add", "-q", "--detach", path);
  return path;
}

const signal = new AbortController().signal;
const silent = { submodules: true, signal, tell: () => {} };
const all = { ...silent, deps: true, env: true };

test("a worktree gets its lease, files, dependencies and hooks; again only what is missing, and its own files stay its own", async () => {
  await using at = await scratchRepo();
  writeFileSync(join(at.root, ".env"), "A=1\n");
  const config = `[environment]\ninstall_command = "echo $OWT_PORT >> installed"\n[hooks]\npost_create = "echo $OWT_DATABASE >> greeted"\n`;
  await using engine = await engineOf(at, config);
  const path = addWorktree(at, "hand");
  await makeReady(engine, path, { ...all, isNew: true });
  const lease = readLease(engine, path)!;
  expect(lease).toMatchObject({ database: "repo_hand", ports: 10 });
  const text = (name: string) => readFileSync(join(path, name), "utf8");
  const expected = ["A=1\n", `${lease.firstPort}\n`, "repo_hand\n"];
  expect([".env", "installed", "greeted"].map(text)).toEqual(expected);
  rmSync(join(path, ".env"));
  writeFileSync(join(path, "mine"), "work of a person\n");
  await makeReady(engine, path, { ...all, isNew: false });
  expect([".env", "installed", "greeted"].map(text)).toEqual(expected);
  expect([...setupFootprint(engine, path).keys()].toSorted()).toEqual(["greeted", "installed"]);
  // Another one at the same place is a new one.
  runGit(at.root, "worktree", "remove", "--force", path);
  addWorktree(at, "hand");
  await makeReady(engine, path, { ...all, isNew: true });
  expect([".env", "installed", "greeted"].map(text)).toEqual(expected);
});

test("without files and dependencies the lease and the hooks are there all the same; what failed is tried again", async () => {
  await using at = await scratchRepo();
  writeFileSync(join(at.root, ".env"), "A=1\n");
  const config = `[environment]\ninstall_command = "test -f ${at.top}/mended"\n[hooks]\npost_create = "touch greeted"\n`;
  await using engine = await engineOf(at, config);
  const path = addWorktree(at, "bare");
  await makeReady(engine, path, { ...silent, deps: false, env: false, isNew: true });
  expect([".env", "greeted"].map((name) => existsSync(join(path, name)))).toEqual([false, true]);
  expect(readLease(engine, path)).not.toBeNull();
  await expect(makeReady(engine, path, { ...all, isNew: false })).rejects.toMatchObject({ code: "tool-failed" });
  writeFileSync(join(at.top, "mended"), "");
  await makeReady(engine, path, { ...all, isNew: false });
});
