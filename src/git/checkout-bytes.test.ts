/** What a checkout takes is known before it is made. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runGit, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { checkoutBytes } from "./checkout-bytes.ts";
import { readRef } from "./branch.ts";

test("the files of a commit take whole blocks; links to other commits take none", async () => {
  const at = await scratchRepo();
  const before = await checkoutBytes(at.repo, (await readRef(at.repo, "main"))!);
  mkdirSync(join(at.repo.root, "a b"));
  writeFileSync(join(at.repo.root, "a b", "one\ntwo"), "x");
  writeFileSync(join(at.repo.root, "large"), Buffer.alloc(10_000));
  writeFileSync(join(at.repo.root, "empty"), "");
  symlinkSync("large", join(at.repo.root, "link"));
  runGit(at.repo.root, "add", "-A");
  runGit(at.repo.root, "update-index", "--add", "--cacheinfo", `160000,${(await readRef(at.repo, "main"))!},module`);
  runGit(at.repo.root, "commit", "-qm", "more");
  expect((await checkoutBytes(at.repo, (await readRef(at.repo, "main"))!)) - before).toBe(4_096 + 12_288 + 4_096);
});
