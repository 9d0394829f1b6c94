/** A repository in which git cannot write: said as a run is to start; a run that is under way waits, and goes on once that is mended. */
import { execFileSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, type TestContext, test } from "vitest";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";

const USER = 1_501;

/** A repository of a user who is not root. */
function ofUser(context: TestContext, steps: string): Rig {
  if (process.getuid?.() !== 0) context.skip("only root can be somebody else (run as root)");
  const rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/a/epic-01-a.md": task({}, steps) });
  chmodSync(rig.home, 0o755);
  give(rig, rig.home, USER);
  return rig;
}

type Status = { data: { runs: { astray: { why: string; halts?: boolean } | null }[] } };

function give(rig: Rig, path: string, user: number): void {
  execFileSync("chown", ["-R", `${user}:${user}`, resolve(rig.root, path)]);
}

test.for([".git/refs", ".git/objects"])(
  "where %s is root's, nothing is started, and the line that mends it is told",
  async (path, context) => {
    await using rig = ofUser(context, 'write a.txt "a"');
    give(rig, path, 0);
    const folder = join(rig.root, path);
    const words = {
      why: `git cannot write to ${folder}, which belongs to root`,
      command: `sudo chown -R "$(id -u)" ${folder}`,
    };
    const ran = await rig.startAs(USER, "run", "--yes").ended;
    expect([ran.code, ran.stderr]).toEqual([3, `✗ ${words.why}\n  ↳ ${words.command}; then the same again\n`]);
    const looked = await rig.startAs(USER, "doctor").ended;
    expect(looked.stdout).toContain(words.why);
    expect(looked.stdout).toContain(words.command);
    give(rig, path, USER);
    expect((await rig.startAs(USER, "run", "--yes").ended).code).toBe(0);
  },
);

test("where its mode forbids it, that is said", async (context) => {
  await using rig = ofUser(context, 'write a.txt "a"');
  const folder = join(rig.root, ".git/refs/heads");
  chmodSync(folder, 0o555);
  const ran = await rig.startAs(USER, "run", "--yes").ended;
  expect(ran.stderr).toContain(`✗ git cannot write to ${folder}: its mode forbids it\n  ↳ chmod -R u+rwX ${folder}; `);
});

test.for([".git/refs", ".git/objects"])(
  "a run in the middle of which %s becomes root's waits, and goes on once it is mended",
  async (path, context) => {
    await using rig = ofUser(
      context,
      'write b.txt "b"\nrun "sh" "-c" "touch ../../runs; while ! test -e ../../gate; do sleep 0.1; done"',
    );
    const run = rig.startAs(USER, "run", "--yes");
    await fileAppears(rig.path("runs"));
    give(rig, path, 0);
    rig.release("gate");
    const folder = join(rig.root, path);
    await run.says(`git cannot write to ${folder}`);
    const seen = JSON.parse((await rig.startAs(USER, "status", "--json").ended).stdout) as Status;
    const { runs } = seen.data;
    expect(runs[0]!.astray).toMatchObject({ why: expect.stringContaining(folder) as string, halts: true });
    give(rig, path, USER);
    const ran = await run.ended;
    give(rig, rig.home, 0);
    expect([ran.code, rig.show("owt/runs/r1", "b.txt")]).toEqual([0, "b"]);
    const { task: shown } = await rig.json<{ task: { attempts: { outcome: string }[] } }>("task", "show", "a/E01");
    expect(shown.attempts.map(({ outcome }) => outcome)).toEqual(["done"]);
  },
);

test("a run whose store nobody may look at any more ends with one line, and goes on once that is mended", async (context) => {
  await using rig = ofUser(
    context,
    'run "sh" "-c" "touch ../../runs; while ! test -e ../../gate; do sleep 0.1; done"\nwrite b.txt "b"',
  );
  const run = rig.startAs(USER, "run", "--yes");
  await fileAppears(rig.path("runs"));
  const folder = join(rig.root, ".git/owt");
  chmodSync(folder, 0);
  const ran = await run.ended;
  expect(ran.code).not.toBe(0);
  expect(ran.stderr).toContain(`✗ no leave to read or write here: ${folder}`);
  expect(ran.stderr).not.toMatch(/^\s+at /m);
  chmodSync(folder, 0o755);
  rig.release("gate");
  expect((await rig.startAs(USER, "resume").ended).code).toBe(0);
  give(rig, rig.home, 0);
  expect(rig.show("owt/runs/r1", "b.txt")).toBe("b");
});
