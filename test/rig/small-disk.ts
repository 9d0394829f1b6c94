/** A disk that a test has for itself. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Rig } from "./rig.ts";

/** A rig that has a disk of its own, of so many megabytes. */
export function rigOnSmallDisk(
  mb: number,
  files: Record<string, string>,
): { rig: Rig; disk: string; [Symbol.dispose](): void } {
  const disk = mkdtempSync(join(tmpdir(), "owt-small-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mb}m`, "owt-disk-full", disk]);
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = disk;
  try {
    const rig = Rig.create(files);
    return {
      rig,
      disk,
      [Symbol.dispose]: () => {
        execFileSync("umount", ["--lazy", disk]);
        rmSync(disk, { recursive: true, force: true });
      },
    };
  } finally {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  }
}

/** Writes a file that leaves so many bytes free on the disk of its folder; what somebody else took meanwhile is missing from it. */
export function leaveFree(file: string, bytes: number): void {
  writeFileSync(file, "");
  try {
    writeFileSync(file, Buffer.alloc(Math.max(0, freeAt(file) - bytes), 1));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
  }
}

export function freeAt(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}
