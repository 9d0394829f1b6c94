/** Locks of gits that are dead: only what can be nobody's goes. */
import { existsSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { scratchRepo } from "../../test/rig/scratch-repo.ts";
import { bootedAt } from "../system/monotonic.ts";
import { clearLocksFromBeforeBoot, clearOldLocks, isFromBeforeBoot } from "./locks.ts";

const MOVED = "refs/heads/owt/runs/r1.lock";
const AGENTS = "refs/heads/owt/tasks/t/1.lock";
const SAVED = "refs/owt/rescue/r1-t-1.lock";
const PACKED = "packed-refs.lock";
const USERS = "refs/heads/main.lock";

test("behind a reboot, locks on refs of ours are removed, and nobody else's", async () => {
  await using scratch = await scratchRepo();
  const lock = (name: string, at: number) => {
    const path = join(scratch.repo.commonDir, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, "");
    utimesSync(path, at / 1_000, at / 1_000);
    return path;
  };
  const before = bootedAt() - 60_000;
  const left = [MOVED, AGENTS, SAVED, PACKED].map((name) => lock(name, before));
  const others = [lock(USERS, before), lock("refs/heads/owt/tasks/t/2.lock", bootedAt() + 1_000)];
  expect((await clearLocksFromBeforeBoot(scratch.repo)).toSorted()).toEqual(left.toSorted());
  expect(left.filter(existsSync)).toEqual([]);
  expect(others.filter(existsSync)).toEqual(others);
});

test("one on a run's branch is removed however soon after the reboot, and not while it may be somebody's", async () => {
  await using scratch = await scratchRepo();
  const path = join(scratch.repo.commonDir, MOVED);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, "");
  expect(await clearOldLocks(scratch.repo, ["owt/runs/r1"])).toEqual([]);
  expect(isFromBeforeBoot(Date.now(), Date.now() + 5_000)).toBe(true);
  expect(isFromBeforeBoot(Date.now(), Date.now() + 500)).toBe(false);
  expect(isFromBeforeBoot(Date.now(), Date.now() - 5_000)).toBe(false);
});
