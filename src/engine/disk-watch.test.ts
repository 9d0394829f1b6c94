/** What is taken for a full disk, and what is not. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { reserveFile } from "../store/reserve.ts";
import { storeFile } from "../store/store-file.ts";
import { watchDisk, wasDiskFull } from "./disk-watch.ts";
import type { Engine } from "./engine.ts";

/** A watch over a folder in which a reserve lies; of an engine there is what it looks at. */
async function watched(): Promise<{ engine: Engine; reserve: string }> {
  const commonDir = mkdtempSync(join(tmpdir(), "owt-disk-"));
  const reserve = reserveFile(storeFile(commonDir));
  mkdirSync(dirname(reserve), { recursive: true });
  writeFileSync(reserve, "");
  const config = { run: { worktree_directory: commonDir }, resources: {} };
  const engine = { repo: { commonDir, root: commonDir }, env: {}, config } as unknown as Engine;
  const watch = watchDisk(engine);
  onTestFinished(async () => {
    await watch.close();
    rmSync(commonDir, { recursive: true, force: true });
  });
  return { engine, reserve };
}

test("a reserve that was given up says that the disk was full", async () => {
  const { engine, reserve } = await watched();
  expect(wasDiskFull(engine, 0)).toBe(false);
  rmSync(reserve);
  expect(wasDiskFull(engine, 0)).toBe(true);
});

test("a folder that was taken away with its reserve says nothing of the disk", async () => {
  const { engine, reserve } = await watched();
  rmSync(dirname(reserve), { recursive: true });
  expect(wasDiskFull(engine, 0)).toBe(false);
});
