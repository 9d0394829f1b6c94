/** Which resolutions of a merge throw a side away. */
import { expect, test } from "vitest";
import { scratchRepo } from "../../test/rig/scratch-repo.ts";
import { readRef } from "./branch.ts";
import { findLostSides } from "./lost-side.ts";

test("a merge that git makes by itself loses nothing: renames, moved folders, deletions, files of one side", async () => {
  await using at = await scratchRepo();
  const words = (name: string) => Array.from({ length: 20 }, (_, n) => `${name} ${n}\n`).join("");
  at.commit(at.root, { "a.txt": words("a"), "d/x.txt": words("x"), "d/y.txt": words("y"), "gone.txt": "gone\n" });
  at.git(at.root, "switch", "-q", "-c", "side");
  at.git(at.root, "mv", "d", "e");
  at.git(at.root, "mv", "a.txt", "b.txt");
  const ours = at.commit(at.root, { "own.txt": "own\n" });
  at.git(at.root, "switch", "-q", "main");
  at.git(at.root, "rm", "-q", "gone.txt");
  const theirs = at.commit(at.root, {
    "d/new.txt": "new\n",
    "d/x.txt": `${words("x")}more\n`,
    "a.txt": `first\n${words("a")}`,
  });
  at.git(at.root, "switch", "-q", "side");
  at.git(at.root, "-c", "merge.directoryRenames=true", "merge", "-q", "--no-edit", "main");
  const head = (await readRef(at.repo, "side"))!;
  expect(await findLostSides(at.repo, { ours, theirs, head })).toEqual([]);
});

test("files of which nothing of a side is left are told with its lines, binary ones and deletions without", async () => {
  await using at = await scratchRepo();
  const start = { "both.txt": "top\nmiddle\n", "theirs.txt": "old\n", "deleted.txt": "x\n", "picture.bin": "\0" };
  at.commit(at.root, start);
  at.git(at.root, "switch", "-q", "-c", "side");
  const ours = at.commit(at.root, { "both.txt": "top\nmine\n", "picture.bin": "\0mine" });
  at.git(at.root, "switch", "-q", "main");
  at.git(at.root, "rm", "-q", "deleted.txt");
  const changed = { "both.txt": "top\nyours\n}\n", "theirs.txt": "new\n", "picture.bin": "\0yours" };
  const theirs = at.commit(at.root, changed);
  at.git(at.root, "switch", "-q", "side");
  at.git(at.root, "merge", "-q", "-s", "ours", "--no-edit", "main");
  const head = (await readRef(at.repo, "side"))!;
  expect(await findLostSides(at.repo, { ours, theirs, head })).toEqual([
    { path: "both.txt", side: "theirs", lines: ["yours"] },
    { path: "deleted.txt", side: "theirs", lines: [] },
    { path: "theirs.txt", side: "theirs", lines: ["new"] },
  ]);
});
