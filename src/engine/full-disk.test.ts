/** What a full disk excuses, and what is given up for it. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Attempt } from "../core/attempt.ts";
import { hasReserve, makeReserve } from "../store/reserve.ts";
import { storeFile } from "../store/store-file.ts";
import { watchDisk } from "./disk-watch.ts";
import type { Engine } from "./engine.ts";
import { excuse, giveUpForBooking } from "./full-disk.ts";
import { shortForWorktree } from "./worktree-room.ts";

const MB = 2 ** 20;
const canMount = process.platform === "linux" && process.getuid?.() === 0;

/** A disk of 32 MB, of which 4 are to stay free, watched; of an engine there is what it looks at. */
function onDisk(): { engine: Engine; disk: string } {
  const disk = mkdtempSync(join(tmpdir(), "owt-full-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=32m", "owt-test", disk]);
  mkdirSync(dirname(storeFile(disk)));
  const config = { run: { worktree_directory: disk }, resources: { min_free_disk: "4MiB" } };
  const live = new Map();
  const engine = { repo: { commonDir: disk, root: disk }, env: {}, config, live, now: () => Date.now() };
  const watch = watchDisk(engine as unknown as Engine);
  onTestFinished(async () => {
    await watch.close();
    execFileSync("umount", ["--lazy", disk]);
    rmSync(disk, { recursive: true, force: true });
  });
  return { engine: engine as unknown as Engine, disk };
}

function leaveFree(disk: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(join(disk, `ballast-${bytes}`), Buffer.alloc(bavail * bsize - bytes, 1));
}

test.skipIf(!canMount)(
  "the reserve is given up for what has to be booked, while nobody works who would take it",
  async () => {
    const { engine, disk } = onDisk();
    expect(await makeReserve(storeFile(disk))).toBe(true);
    giveUpForBooking(engine);
    expect(hasReserve(storeFile(disk))).toBe(true);
    leaveFree(disk, 0);
    engine.live.set(1, () => {});
    giveUpForBooking(engine);
    expect(hasReserve(storeFile(disk))).toBe(true);
    engine.live.clear();
    giveUpForBooking(engine);
    expect(hasReserve(storeFile(disk))).toBe(false);
  },
);

test.skipIf(!canMount)(
  "who leaves without a word while there is too little room has not failed, who says why has",
  () => {
    const { engine, disk } = onDisk();
    const attempt = { id: 1, startedAt: Date.now() } as Attempt;
    const failed = { kind: "failed", reason: "it ended with 120" } as const;
    expect(excuse(engine, attempt, failed, true)).toEqual(failed);
    leaveFree(disk, 3 * MB);
    expect(excuse(engine, attempt, failed, false)).toEqual(failed);
    expect(excuse(engine, attempt, failed, true).kind).toBe("disk_full");
    expect(excuse(engine, attempt, { kind: "stopped" }, true).kind).toBe("stopped");
  },
);

test.skipIf(!canMount)(
  "room for a worktree is what is free beside others, the floor and a reserve that is still to come",
  async () => {
    const { engine, disk } = onDisk();
    const isShort = (mb: number, others: number, isLast = false) =>
      shortForWorktree(engine, { bytes: mb * MB, others, isLast }) !== null;
    // 32 without 4 and 8.
    expect([isShort(19, 0), isShort(21, 0), isShort(9, 1), isShort(11, 1)]).toEqual([false, true, false, true]);
    expect(isShort(31, 0, true)).toBe(false);
    expect(await makeReserve(storeFile(disk))).toBe(true);
    expect([isShort(19, 0), isShort(21, 0)]).toEqual([false, true]);
  },
);
