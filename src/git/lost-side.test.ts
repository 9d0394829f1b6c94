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
    { path: "deleted.txt", side: "theirs", lines: [], isDeletion: true },
    { path: "picture.bin", side: "theirs", lines: [] },
    { path: "theirs.txt", side: "theirs", lines: ["new"] },
  ]);
});

/** A file that this side has as `ours` and the other one as `theirs` (null: deleted; `[name, text]`: renamed), resolved as `made` says. */
async function lostOf({ ours, theirs, made }: { ours: Side; theirs: Side; made: Record<string, string> }) {
  const at = await scratchRepo();
  const words = Array.from({ length: 20 }, (_, n) => `word ${n}\n`).join("");
  at.commit(at.root, { "d/f.txt": words, "keep.txt": "" });
  const become = (side: Side) => {
    at.git(at.root, "rm", "-q", "d/f.txt");
    return at.commit(at.root, side === null ? { "x.txt": "" } : { [side[0]]: words + side[1] });
  };
  at.git(at.root, "switch", "-q", "-c", "side");
  const mine = become(ours);
  at.git(at.root, "switch", "-q", "main");
  const their = become(theirs);
  at.git(at.root, "switch", "-q", "side");
  at.git(at.root, "merge", "-q", "-s", "ours", "--no-edit", "main");
  at.git(at.root, "rm", "-q", "--ignore-unmatch", "d/f.txt", "g.txt", "h.txt");
  for (const [name, text] of Object.entries(made)) made[name] = words + text;
  at.commit(at.root, { ...made, "merged.txt": "" });
  const head = (await readRef(at.repo, "side"))!;
  const found = await findLostSides(at.repo, { ours: mine, theirs: their, head });
  await at[Symbol.asyncDispose]();
  return found.filter(({ path }) => !["x.txt", "merged.txt"].includes(path));
}

type Side = [name: string, more: string] | null;

const MINE = "mine\n";
const THEIRS = "theirs\n";

test("a file that one side renamed is looked for where it is now", async () => {
  const theirsLost = (path: string) => [{ path, side: "theirs", lines: ["theirs"] }];
  const renamed = { ours: ["g.txt", MINE] as Side, theirs: ["d/f.txt", THEIRS] as Side };
  expect(await lostOf({ ...renamed, made: { "g.txt": MINE } })).toEqual(theirsLost("g.txt"));
  expect(await lostOf({ ...renamed, made: { "g.txt": MINE + THEIRS } })).toEqual([]);
  const only = { ours: ["g.txt", ""] as Side, theirs: ["d/f.txt", THEIRS] as Side };
  expect(await lostOf({ ...only, made: { "g.txt": "" } })).toEqual(theirsLost("g.txt"));
  expect(await lostOf({ ...only, made: { "g.txt": THEIRS } })).toEqual([]);
  const byThem = { ours: ["d/f.txt", MINE] as Side, theirs: ["g.txt", ""] as Side };
  expect(await lostOf({ ...byThem, made: { "g.txt": "" } })).toEqual([
    { path: "g.txt", side: "ours", lines: ["mine"] },
  ]);
  expect(await lostOf({ ...byThem, made: { "g.txt": MINE } })).toEqual([]);
  const both = { ours: ["g.txt", MINE] as Side, theirs: ["h.txt", THEIRS] as Side };
  expect(await lostOf({ ...both, made: { "h.txt": MINE + THEIRS } })).toEqual([]);
  expect(await lostOf({ ...both, made: { "h.txt": THEIRS } })).toEqual([
    { path: "h.txt", side: "ours", lines: ["mine"] },
  ]);
});

test("of a file that one side deleted and the other one changed, either is told that is given up", async () => {
  const changed = { ours: null, theirs: ["d/f.txt", THEIRS] as Side };
  expect(await lostOf({ ...changed, made: {} })).toEqual([{ path: "d/f.txt", side: "theirs", lines: ["theirs"] }]);
  expect(await lostOf({ ...changed, made: { "d/f.txt": THEIRS } })).toEqual([
    { path: "d/f.txt", side: "ours", lines: [], isDeletion: true },
  ]);
  const deleted = { ours: ["d/f.txt", MINE] as Side, theirs: null };
  expect(await lostOf({ ...deleted, made: { "d/f.txt": MINE } })).toEqual([
    { path: "d/f.txt", side: "theirs", lines: [], isDeletion: true },
  ]);
  expect(await lostOf({ ...deleted, made: {} })).toEqual([{ path: "d/f.txt", side: "ours", lines: ["mine"] }]);
});
