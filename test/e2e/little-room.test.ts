/** Where there is less room than something takes: it waits for that, whoever carries the runs stays, and nothing of it is a try. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test, vi } from "vitest";
import { demoConfig, type Rig, task } from "../rig/rig.ts";
import { freeAt, leaveFree, rigOnSmallDisk } from "../rig/small-disk.ts";
import { canMount } from "../stress/disk-full.ts";

const MB = 2 ** 20;

/** Commits files of so many megabytes that no file system makes smaller. */
function grow(rig: Rig, mb: number): void {
  for (let at = 0; at < mb; at += 3) writeFileSync(join(rig.root, `x${at}.bin`), randomBytes(3 * MB));
  rig.commit("large");
  rig.ok("config", "approve", "--yes");
}

type RoomWait = { why: string };

/** What the inbox says that the runs wait for, once it says what it is to. */
async function waitsFor(rig: Rig, words: string): Promise<void> {
  for (;;) {
    const { room } = await rig.json<{ room: RoomWait | null }>("inbox");
    if (room?.why.includes(words)) return;
  }
}

/** The same, of a run that goes on meanwhile. */
async function waitsMeanwhile(rig: Rig, ended: Promise<{ stderr: string }>, words: string): Promise<void> {
  const over = ended.then(({ stderr }) => Promise.reject(new Error(`it ended: ${stderr}`)));
  await Promise.race([waitsFor(rig, words), over]);
}

/** A folder that is all of a disk of its own. */
function smallFolder(size: string): string {
  const path = mkdtempSync(join(tmpdir(), "owt-small-folder-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "owt-disk-full", path]);
  onTestFinished(() => {
    execFileSync("umount", ["--lazy", path]);
    rmSync(path, { recursive: true, force: true });
  });
  return path;
}

const little = (lines: string) =>
  `${demoConfig}${lines}[resources]\nmin_free_disk = "1MB"\nattempt_memory = "16 MiB"\n`;

test.skipIf(!canMount())(
  "a worktree that does not fit is not begun, its run says what it waits for, and goes on with room",
  async () => {
    const config = little("[run]\nretries = 0\n");
    const plan = task({}, 'write work.txt "done"');
    using small = rigOnSmallDisk(48, { ".worktreerc": config, "docs/plans/one/epic-01-a.md": plan });
    await using rig = small.rig;
    grow(rig, 9);
    const ballast = join(small.disk, "ballast");
    leaveFree(ballast, 6 * MB);
    const run = rig.start("run", "--yes", "--plain");
    await waitsMeanwhile(rig, run.ended, "a worktree takes 9");
    expect(freeAt(small.disk)).toBeGreaterThan(MB);
    rmSync(ballast);
    expect((await run.ended).code).toBe(0);
    expect(rig.show("owt/runs/r1", "work.txt")).toBe("done");
  },
);

test.skipIf(!canMount())("worktrees that are begun side by side leave free what is to stay free", async () => {
  const names = Array.from({ length: 8 }, (_, at) => `m${at}`);
  const notes = mkdtempSync(join(tmpdir(), "owt-room-notes-"));
  onTestFinished(() => rmSync(notes, { recursive: true, force: true }));
  const lines = [
    "const fs = require('node:fs');",
    "let least = Infinity;",
    "for (let left = 30; left > 0; left--) {",
    "  const { bavail, bsize } = fs.statfsSync('.'); least = Math.min(least, bavail * bsize);",
    "  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);",
    "}",
    `fs.writeFileSync(${JSON.stringify(notes)} + '/' + process.env.OWT_SESSION, String(least));`,
    "fs.writeFileSync(process.env.OWT_SESSION + '.txt', 'done');",
  ];
  const agent = `[agent]\ndefault = "own"\n[agent.own]\nkind = "command"\ncommand = ${JSON.stringify(["node", "-e", lines.join("\n")])}\n`;
  const config = `[run]\nverify = ""\nmax_parallel = 6\nretries = 0\n[resources]\nmin_free_disk = "4MB"\nattempt_memory = "16 MiB"\n${agent}`;
  const plans = Object.fromEntries(names.map((name) => [`docs/plans/${name}/epic-01-a.md`, "# A\n"]));
  using small = rigOnSmallDisk(64, { ".worktreerc": config, ...plans });
  await using rig = small.rig;
  grow(rig, 9);
  const { code, stderr } = await rig.owt("run", "--yes", "--plain");
  expect(stderr).not.toContain("failed");
  expect(code).toBe(0);
  const least = readdirSync(notes).map((name) => Number(readFileSync(join(notes, name), "utf8")));
  expect(least).toHaveLength(8);
  expect(Math.min(...least)).toBeGreaterThan(3.5e6);
});

test.skipIf(!canMount())("merges are checked also where worktrees take nearly all the room", async () => {
  const names = ["one", "two", "three"];
  const plan = (name: string) => task({}, `work 300ms\nwrite ${name}.txt "done"`);
  const plans = Object.fromEntries(names.map((name) => [`docs/plans/${name}/epic-01-a.md`, plan(name)]));
  const config = little('[run]\nretries = 0\nmax_parallel = 3\nverify = "true"\n');
  using small = rigOnSmallDisk(50, { ".worktreerc": config, ...plans });
  await using rig = small.rig;
  grow(rig, 9);
  expect((await rig.owt("run", "--yes", "--plain")).code).toBe(0);
  for (const name of names) expect(rig.show("owt/runs/r1", `${name}.txt`)).toBe("done");
});

test.skipIf(!canMount())(
  "a full disk of which we see nothing is outlasted too: the run says what failed, and goes on when it does not any more",
  async () => {
    const plan = task({}, 'say "here"\nwait ../../go\nwrite work.txt "done"');
    using small = rigOnSmallDisk(48, {
      ".worktreerc": little("[run]\nretries = 0\n"),
      // Then git is asked, and not the files alone.
      ".gitattributes": "*.txt text\n",
      "docs/plans/one/epic-01-a.md": plan,
    });
    await using rig = small.rig;
    rig.ok("config", "approve", "--yes");
    const temporary = smallFolder("2m");
    rig.env["TMPDIR"] = temporary;
    const run = rig.start("run", "--yes", "--plain");
    await run.says("one/E01 started");
    const ballast = join(temporary, "ballast");
    leaveFree(ballast, 0);
    rig.release("go");
    const words = `has no room for its answer in ${temporary}`;
    delete rig.env["TMPDIR"];
    await waitsMeanwhile(rig, run.ended, words);
    rmSync(ballast);
    expect((await run.ended).code).toBe(0);
    expect(rig.show("owt/runs/r1", "work.txt")).toBe("done");
  },
);

test.skipIf(!canMount())(
  "an agent that ends without a word of how, while less is free than is to be, has not failed",
  async () => {
    const lines = [
      "const fs = require('node:fs');",
      "if (fs.existsSync('../../again')) { fs.writeFileSync('work.txt', 'done'); process.exit(0); }",
      "fs.writeFileSync('../../again', '');",
      "const { bavail, bsize } = fs.statfsSync('.');",
      "fs.writeFileSync('../../ballast', Buffer.alloc(bavail * bsize - 4 * 2 ** 20, 1));",
      "process.exit(120);",
    ];
    const agent = `[agent]\ndefault = "own"\n[agent.own]\nkind = "command"\ncommand = ${JSON.stringify(["node", "-e", lines.join("\n")])}\n`;
    const config = `[run]\nverify = ""\nretries = 0\n[resources]\nmin_free_disk = "8MB"\nattempt_memory = "16 MiB"\n${agent}`;
    using small = rigOnSmallDisk(48, { ".worktreerc": config, "docs/plans/one/epic-01-a.md": "# A\n" });
    await using rig = small.rig;
    const run = rig.start("run", "--yes", "--plain");
    await run.says("one/E01 the disk was full");
    rmSync(rig.path("ballast"));
    expect((await run.ended).code).toBe(0);
    expect(rig.show("owt/runs/r1", "work.txt")).toBe("done");
  },
);

/** Nothing can be written any more, and nothing is left that could be given up. */
function fillUp(rig: Rig, disk: string): string {
  const ballast = join(disk, "ballast");
  leaveFree(ballast, 0);
  rmSync(join(rig.root, ".git", "owt", "reserve"), { force: true });
  const rest = join(disk, "rest");
  leaveFree(rest, 0);
  return rest;
}

test.skipIf(!canMount())(
  "Ctrl-C ends a run also where nothing can be written any more, and what it ended has not failed",
  async () => {
    const plan = task({}, 'say "here"\nwait ../../go\nwrite work.txt "done"');
    const config = little('[run]\nretries = 0\ngrace = "1s"\n');
    using small = rigOnSmallDisk(48, { ".worktreerc": config, "docs/plans/one/epic-01-a.md": plan });
    await using rig = small.rig;
    rig.ok("config", "approve", "--yes");
    const run = rig.start("run", "--yes", "--plain");
    await run.says("one/E01 started");
    fillUp(rig, small.disk);
    run.child.kill("SIGTERM");
    const { stderr } = await run.ended;
    expect(stderr).toContain("the disk is full");
    expect(rig.processes()).toEqual([]);
    for (const name of ["ballast", "rest"]) rmSync(join(small.disk, name));
    mkdirSync(rig.home, { recursive: true });
    rig.release("go");
    const resumed = await rig.owt("resume", "--plain");
    expect(resumed.stderr).not.toContain("failed");
    expect(resumed.code).toBe(0);
    expect(rig.show("owt/runs/r1", "work.txt")).toBe("done");
  },
);

test.skipIf(!canMount())(
  "resume on a disk on which nothing can be written says so in the words of the disk",
  async () => {
    const plan = task({}, 'say "here"\nwait ../../go\nwrite work.txt "done"');
    using small = rigOnSmallDisk(48, {
      ".worktreerc": little('[run]\nrestart_pause = "0s"\n'),
      "docs/plans/one/epic-01-a.md": plan,
    });
    await using rig = small.rig;
    rig.ok("config", "approve", "--yes");
    const run = rig.start("run", "--yes", "--plain");
    await run.says("one/E01 started");
    run.child.kill("SIGKILL");
    await run.ended;
    rig.killProcesses();
    await vi.waitUntil(() => rig.processes().length === 0, { timeout: 30_000 });
    // Whoever looks on keeps what readers of the store share: it can be opened on any disk.
    using looker = new DatabaseSync(join(rig.root, ".git", "owt", "state.db"));
    looker.prepare("select 1 from run").get();
    fillUp(rig, small.disk);
    rmSync(join(rig.root, ".git", "owt", "lease.db"), { force: true });
    leaveFree(join(small.disk, "more"), 0);
    const refused = await rig.owt("resume", "--plain");
    expect(refused.stderr).toMatch(/^✗ the disk is full: .*\n {2}↳ make room/m);
    expect(refused.stderr).not.toContain("a mistake of owt");
    for (const name of ["ballast", "rest", "more"]) rmSync(join(small.disk, name));
    rig.release("go");
    expect((await rig.owt("resume", "--plain")).code).toBe(0);
    expect(existsSync(rig.path("shop-owt"))).toBe(false);
  },
);
