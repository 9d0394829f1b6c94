/** Which lines count as conflict markers that somebody left. */
import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { scratchRepo } from "../../test/rig/scratch-repo.ts";
import { readRef } from "./branch.ts";
import { findLeftMarkers, findMarkersInWorktree } from "./left-markers.ts";

const GROUP = "one\n<<<<<<< HEAD\nmine\n=======\ntheirs\n>>>>>>> other\ntwo\n";

test("groups of lines that a change adds are told with file and line, and nothing that only looks like one", async () => {
  await using at = await scratchRepo();
  at.commit(at.root, {
    "had.txt": GROUP,
    "moved.txt": GROUP,
    "copied.txt": `of its own\n${GROUP}`,
    "told/.gitattributes": "*.txt conflict-marker-size=20\n",
  });
  const from = (await readRef(at.repo, "main"))!;
  at.git(at.root, "mv", "moved.txt", "elsewhere.txt");
  const to = at.commit(at.root, {
    "copy.txt": `of its own\n${GROUP}`,
    "left ü.txt": `zero\n${GROUP}`,
    "had.txt": `${GROUP}more\n${GROUP}`,
    "told/example.txt": GROUP,
    "heading.md": "Title\n=======\n\ntext \n>>>>>>> quoted\n",
    "half.txt": "<<<<<<< only\n",
    "picture.bin": `\0${GROUP}`,
  });
  const found = await findLeftMarkers(at.repo, at.repo, { base: from, trunk: from, head: to });
  expect(found).toEqual([
    { path: "left ü.txt", line: 3 },
    { path: "left ü.txt", line: 5 },
    { path: "left ü.txt", line: 7 },
  ]);
  expect(await findLeftMarkers(at.repo, at.repo, { base: to, trunk: to, head: to })).toEqual([]);
});

test("names that are no UTF-8 are told as git quotes them", async () => {
  await using at = await scratchRepo();
  const write = (byte: string, text: string) =>
    writeFileSync(Buffer.concat([Buffer.from(`${at.root}/caf`), Buffer.from(byte, "latin1")]), text);
  write("\xe7", GROUP);
  write("\xe8", "one\n");
  const from = at.commit(at.root, {});
  write("\xe7", `${GROUP}more\n${GROUP}`);
  write("\xe8", `one\n\n${GROUP}`);
  write("\xe9", `two\n${GROUP}`);
  const left = [
    ["\\350", 4],
    ["\\350", 6],
    ["\\350", 8],
    ["\\351", 3],
    ["\\351", 5],
    ["\\351", 7],
  ].map(([byte, line]) => ({ path: `"caf${byte}"`, line }));
  expect(await findMarkersInWorktree(at.repo, at.repo, from)).toEqual(left.slice(0, 3));
  const to = at.commit(at.root, {});
  expect(await findLeftMarkers(at.repo, at.repo, { base: from, trunk: from, head: to })).toEqual(left);
});

test("of a worktree those count that are not committed, too; what came in meanwhile is nobody's", async () => {
  await using at = await scratchRepo();
  const fork = (await readRef(at.repo, "main"))!;
  const other = at.commit(at.root, { "came-in.txt": GROUP });
  at.git(at.root, "switch", "-q", "-c", "work", fork);
  at.commit(at.root, { "mine.txt": "mine\n" });
  expect(await findMarkersInWorktree(at.repo, at.repo, other)).toEqual([]);
  at.write(at.root, { "mine.txt": GROUP });
  expect(await findMarkersInWorktree(at.repo, at.repo, other)).toEqual([
    { path: "mine.txt", line: 2 },
    { path: "mine.txt", line: 4 },
    { path: "mine.txt", line: 6 },
  ]);
});
