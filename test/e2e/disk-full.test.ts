/** A small dose of `npm run disk-full`: the disk is filled to the last byte under a run, and freed again. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test, vi } from "vitest";
import { demoConfig, Rig, task } from "../rig/rig.ts";
import { rigOnSmallDisk } from "../rig/small-disk.ts";
import { canMount, fillDisks } from "../stress/disk-full.ts";

test.skipIf(!canMount())(
  "three full disks: nothing is lost or done twice, dispatch pauses, and the run goes on by itself",
  async () => {
    const sum = await fillDisks({ rounds: 3, seed: 4 });
    expect(sum.defects).toEqual([]);
    expect(sum.fills).toBeGreaterThan(1);
  },
);

test.skipIf(!canMount())(
  "where only the temporary folder is full, that is what is said, and not that git failed",
  async () => {
    await using rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/one/epic-01-a.md": "# A\n" });
    const small = rig.path("small");
    mkdirSync(small);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "owt-disk-full", small]);
    try {
      expect(() => writeFileSync(`${small}/ballast`, Buffer.alloc(2 ** 20, 1))).toThrow("ENOSPC");
      rig.env["TMPDIR"] = small;
      const { code, stderr } = await rig.owt("run", "--yes");
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /^✗ the disk is full: .*\n {2}↳ make room, then: owt resume; where no run is open yet: owt run/m,
      );
    } finally {
      execFileSync("umount", ["--lazy", small]);
    }
  },
);

/** An agent of a few lines of JavaScript. */
function scriptedAgent(lines: string[]): string {
  const words = ["node", "-e", lines.join("\n")];
  return `[run]\nverify = ""\nlog_head_mb = 1\nlog_tail_mb = 2\n[resources]\nattempt_memory = "64 MiB"\n[agent]\ndefault = "own"\n[agent.own]\nkind = "command"\ncommand = ${JSON.stringify(words)}\n`;
}

const INSISTS = [
  "const fs = require('node:fs');",
  "const rest = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);",
  "const insist = (act) => { for (;;) try { return act(); } catch (error) { if (error.code !== 'ENOSPC') throw error; rest(); } };",
  "const work = () => { const at = fs.openSync('work.txt', 'w'); insist(() => fs.writeSync(at, 'work')); };",
];

test.skipIf(!canMount())(
  "an agent that prints until the disk is full, and goes on printing, comes home: its own log is let go of",
  async () => {
    const print = "for (let left = 400e6; left > 0; ) left -= insist(() => fs.writeSync(1, line));";
    const agent = scriptedAgent([...INSISTS, "const line = `${'word '.repeat(20_000)}\\n`;", print, "work();"]);
    using small = rigOnSmallDisk(64, { ".worktreerc": agent, "docs/plans/one/epic-01-a.md": "# A\n" });
    await using rig = small.rig;
    expect((await rig.owt("run", "--yes", "--plain")).code).toBe(0);
    expect(rig.show("owt/runs/r1", "work.txt")).toBe("work");
  },
);

test.skipIf(!canMount())(
  "what an agent printed in one go until the disk was full, and died of it, is let go of; the run goes on",
  async () => {
    const flood =
      "if (!fs.existsSync('../../again')) { fs.writeFileSync('../../again', ''); for (;;) fs.writeSync(1, line); }";
    const agent = scriptedAgent([...INSISTS, "const line = Buffer.alloc(30e6, 'x');", flood, "work();"]);
    using small = rigOnSmallDisk(64, { ".worktreerc": agent, "docs/plans/one/epic-01-a.md": "# A\n" });
    await using rig = small.rig;
    const { code } = await rig.owt("run", "--yes", "--plain");
    expect(code).toBe(0);
    expect(rig.show("owt/runs/r1", "work.txt")).toBe("work");
    const { report } = await rig.json<{ report: { tasks: { attempts: { outcome_kind: string }[] }[] } }>("report");
    expect(report.tasks[0]!.attempts.map((each) => each.outcome_kind)).toEqual(["disk_full", "ok"]);
  },
);

test.skipIf(!canMount())(
  "where owt was killed and its agent fills the disk with its log, resume makes room in that and goes on",
  async () => {
    const print = "for (let left = 200e6; left > 0; ) left -= insist(() => fs.writeSync(1, line));";
    const agent = scriptedAgent([...INSISTS, "const line = `${'word '.repeat(20_000)}\\n`;", print, "work();"]);
    using small = rigOnSmallDisk(64, { ".worktreerc": agent, "docs/plans/one/epic-01-a.md": "# A\n" });
    await using rig = small.rig;
    const run = rig.start("run", "--yes", "--plain");
    await run.says("one/E01 started");
    run.child.kill("SIGKILL");
    await run.ended;
    const isFull = () => {
      const { bavail, bsize } = statfsSync(rig.root);
      return bavail * bsize < 65_536;
    };
    await vi.waitUntil(isFull, { timeout: 30_000 });
    expect((await rig.owt("resume", "--plain")).code).toBe(0);
    expect(rig.show("owt/runs/r1", "work.txt")).toBe("work");
  },
);

test.skipIf(!canMount())(
  "checkouts that do not fit beside others are made again when they do: nothing of it is a try, and nothing ends the run",
  async () => {
    const names = Array.from({ length: 10 }, (_, at) => `m${at}`);
    // Where one of these has no room, git takes away what it has of it, and then the disk is no more full.
    const blobs = ["x1", "x2", "x3"].map((name) => `${name}.bin`);
    const plans = Object.fromEntries(
      names.map((name) => [`docs/plans/${name}/epic-01-a.md`, task({}, `write ${name}.txt "done"`)]),
    );
    const config = `${demoConfig}[run]\nmax_parallel = 5\nretries = 0\n[resources]\nmin_free_disk = "1MB"\n`;
    using small = rigOnSmallDisk(52, { ".worktreerc": config, ...plans });
    await using rig = small.rig;
    for (const name of blobs) writeFileSync(join(rig.root, name), randomBytes(3 * 2 ** 20));
    rig.commit("large");
    rig.ok("config", "approve", "--yes");
    const ran = await rig.owt("run", "--yes", "--plain");
    expect(ran.stderr).not.toContain("failed");
    for (const name of names) expect(rig.show("owt/runs/r1", `${name}.txt`)).toBe("done");
    expect(ran.code).toBe(0);
  },
);

type RoomWait = { why: string; command: string; users: { task: string; path: string }[] };

/** What the inbox says of it, once somebody there has much of the disk. */
async function shortOfRoom(rig: Rig): Promise<RoomWait> {
  for (;;) {
    const { room } = await rig.json<{ room: RoomWait | null }>("inbox");
    if (room !== null && room.users.length > 0 && room.why.includes(" 0.0 MB free")) return room;
  }
}

test.skipIf(!canMount())(
  "where an agent left so much in its worktree that nothing can be written, the inbox says who has what, and with room the run goes on",
  async () => {
    const fill =
      "fs.writeFileSync('../../again', ''); const at = fs.openSync('huge', 'w'); try { for (;;) fs.writeSync(at, piece); } catch {} ";
    const once = `if (!fs.existsSync('../../again')) { const piece = Buffer.alloc(4096, 1); ${fill} }`;
    const agent = scriptedAgent([...INSISTS, once, "else work();"]);
    using small = rigOnSmallDisk(64, { ".worktreerc": agent, "docs/plans/one/epic-01-a.md": "# A\n" });
    await using rig = small.rig;
    const run = rig.start("run", "--yes", "--plain");
    const huge = rig.path("shop-owt/one-e01-1/huge");
    const room = await shortOfRoom(rig);
    expect(room.why).toMatch(/^waits for room on the disk: .*; one\/E01 has \d+ MB in .*one-e01-1$/);
    expect(room.users[0]).toMatchObject({ task: "one/E01", path: dirname(huge) });
    expect((await rig.owt("inbox")).stdout).toContain(`the runs: waits for room on the disk`);
    expect((await rig.owt("status")).stdout).toContain(
      `↳ du -axh -- ${dirname(huge)} | sort -h | tail  (to see what is large`,
    );
    rmSync(huge);
    expect((await run.ended).code).toBe(0);
    expect(rig.show("owt/runs/r1", "work.txt")).toBe("work");
    expect((await rig.json<{ room: null }>("inbox")).room).toBeNull();
  },
);

test.skipIf(!canMount())(
  "a repository on a disk that is read-only is refused in one line, and not as a mistake",
  async () => {
    await using rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/one/epic-01-a.md": "# A\n" });
    execFileSync("mount", ["--bind", rig.root, rig.root]);
    try {
      execFileSync("mount", ["-o", "remount,bind,ro", rig.root]);
      for (const words of [
        ["run", "--yes"],
        ["task", "create", "hello"],
      ]) {
        const { code, stderr } = await rig.owt(...words);
        expect(code).toBe(3);
        expect(code).toBe(3);
        expect(stderr).toMatch(
          /^✗ this is on a disk that is read-only: \S+\/\.git\/owt.*\n {2}↳ see whose it is: ls -ld /,
        );
      }
    } finally {
      execFileSync("umount", ["--lazy", rig.root]);
    }
  },
);
