/** A small dose of `npm run disk-full`: the disk is filled to the last byte under a run, and freed again. */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { demoConfig, Rig } from "../rig/rig.ts";
import { canMount, fillDisks } from "../stress/disk-full.ts";

test.skipIf(!canMount())(
  "five full disks: nothing is lost or done twice, dispatch pauses, and the run goes on by itself",
  async () => {
    const sum = await fillDisks({ rounds: 5, seed: 4 });
    expect(sum.defects).toEqual([]);
    expect(sum.fills).toBeGreaterThan(2);
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
      expect(stderr).toMatch(/^✗ the disk is full: .*\n {2}↳ make room, then: owt resume/m);
    } finally {
      execFileSync("umount", ["--lazy", small]);
    }
  },
);
