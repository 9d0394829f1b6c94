import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { runGit, type Scratch, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { closeEngine, type Engine, openEngine } from "./engine.ts";
import { forgetSetup, furnish } from "./workspace.ts";
import { readLease } from "./worktree-lease.ts";

const home = mkdtempSync(join(tmpdir(), "owt-furnish-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

async function engineOf(at: Scratch, config: string): Promise<Engine & AsyncDisposable> {
  writeFileSync(join(at.root, ".worktreerc"), config);
  const env = { PATH: process.env["PATH"], HOME: home, XDG_STATE_HOME: home };
  const engine = await openEngine({ cwd: at.root, env, owtCommand: ["owt"] });
  return Object.assign(engine, { [Symbol.asyncDispose]: () => closeEngine(engine) });
}

function placeFor(at: Scratch, name: string) {
  const worktree = join(at.top, name);
  runGit(at.root, "worktree", "add", "-q", "--detach", worktree);
  return { attempt: -1, dir: join(at.top, `setup-${name}`), worktree, timeoutMs: 60_000, env: true, deps: true };
}

test("a worktree by hand gets its lease, files, dependencies and hooks; again only what is missing", async () => {
  await using at = await scratchRepo();
  writeFileSync(join(at.root, ".env"), "A=1\n");
  const config = `[environment]\ninstall_command = "echo $OWT_PORT >> installed"\n[hooks]\npost_create = "echo $OWT_DATABASE >> greeted"\n`;
  await using engine = await engineOf(at, config);
  const place = placeFor(at, "hand");
  const made = await furnish(engine, place);
  expect(made).toMatchObject({ files: [".env"], said: [], problem: null, lease: { database: "repo_hand", ports: 10 } });
  const text = (name: string) => readFileSync(join(place.worktree, name), "utf8");
  expect([text("installed"), text("greeted")]).toEqual([`${made.lease!.firstPort}\n`, "repo_hand\n"]);
  rmSync(join(place.worktree, ".env"));
  expect(await furnish(engine, { ...place, dir: `${place.dir}-again` })).toEqual({ ...made, files: [".env"] });
  expect([text("installed"), text("greeted")]).toEqual([`${made.lease!.firstPort}\n`, "repo_hand\n"]);
  runGit(at.root, "worktree", "remove", "--force", place.worktree);
  forgetSetup(engine, place.worktree);
  expect(readLease(engine, place.worktree)).toBeNull();
});

test("without files and dependencies the hooks run all the same; what goes wrong is an answer", async () => {
  await using at = await scratchRepo();
  writeFileSync(join(at.root, ".env"), "A=1\n");
  const config = `[environment]\ninstall_command = "echo no; exit 4"\n[hooks]\npost_create = "touch greeted"\n`;
  await using engine = await engineOf(at, config);
  const place = placeFor(at, "bare");
  expect(await furnish(engine, { ...place, env: false, deps: false })).toMatchObject({ files: [], problem: null });
  expect([".env", "greeted"].map((name) => existsSync(join(place.worktree, name)))).toEqual([false, true]);
  const tried = await furnish(engine, { ...place, dir: `${place.dir}-again` });
  expect(tried.problem).toMatchObject({ failed: "echo no; exit 4", output: expect.stringContaining("no") });
  // And once more it is tried again.
  mkdirSync(`${place.dir}-third`);
  expect((await furnish(engine, { ...place, dir: `${place.dir}-third` })).problem).not.toBeNull();
});
