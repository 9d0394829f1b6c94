/** Which resolutions of a merge throw a side away. */
import { chmodSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { scratchRepo } from "../../test/rig/scratch-repo.ts";
import { readRef } from "./branch.ts";
import { findLostSides, findUndone } from "./lost-side.ts";

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
    { path: "picture.bin", side: "theirs", lines: [], isBinary: true },
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

test("of a file that one side split into others nothing is lost where the change of the other one is in them", async () => {
  const split = { ours: null, theirs: ["d/f.txt", THEIRS] as Side };
  expect(await lostOf({ ...split, made: { "part.txt": `of its own\n${THEIRS}` } })).toEqual([]);
  expect(await lostOf({ ...split, made: { "part.txt": "" } })).toEqual([
    { path: "d/f.txt", side: "theirs", lines: ["theirs"] },
  ]);
});

test("a file that is put back as it was before either side is lost for both", async () => {
  const both = (path: string) => [
    { path, side: "ours", lines: ["mine"] },
    { path, side: "theirs", lines: ["theirs"] },
  ];
  const changed = { ours: ["d/f.txt", MINE] as Side, theirs: ["d/f.txt", THEIRS] as Side };
  expect(await lostOf({ ...changed, made: { "d/f.txt": "" } })).toEqual(both("d/f.txt"));
  const renamed = { ours: ["g.txt", MINE] as Side, theirs: ["d/f.txt", THEIRS] as Side };
  expect(await lostOf({ ...renamed, made: { "g.txt": "" } })).toEqual(both("g.txt"));
  const deleted = { ours: null, theirs: ["d/f.txt", THEIRS] as Side };
  expect(await lostOf({ ...deleted, made: { "d/f.txt": "" } })).toEqual([
    { path: "d/f.txt", side: "ours", lines: [], isDeletion: true },
    { path: "d/f.txt", side: "theirs", lines: ["theirs"] },
  ]);
});

test("of a file that is no text one side has to go where both changed it, and only there", async () => {
  const picture = (of: string) => ({ "p.bin": `\0${of}` });
  const lostOfPicture = async (base: object, mine: object, their: object, made: object) => {
    await using at = await scratchRepo();
    at.commit(at.root, { ...base, "keep.txt": "" });
    at.git(at.root, "switch", "-q", "-c", "side");
    const ours = at.commit(at.root, { ...mine, "x.txt": "" });
    at.git(at.root, "switch", "-q", "main");
    const theirs = at.commit(at.root, { ...their });
    at.git(at.root, "switch", "-q", "side");
    at.git(at.root, "merge", "-q", "-s", "ours", "--no-edit", "main");
    const head = at.commit(at.root, { ...made, "merged.txt": "" });
    return await findLostSides(at.repo, { ours, theirs, head });
  };
  const [base, mine, their] = [picture("base"), picture("mine"), picture("their")];
  const dropped = (side: string) => [{ path: "p.bin", side, lines: [], isBinary: true }];
  expect(await lostOfPicture(base, mine, their, mine)).toEqual(dropped("theirs"));
  expect(await lostOfPicture(base, mine, their, their)).toEqual(dropped("ours"));
  expect(await lostOfPicture({}, mine, their, mine)).toEqual(dropped("theirs"));
  expect(await lostOfPicture(base, {}, their, base)).toEqual([{ path: "p.bin", side: "theirs", lines: [] }]);
  expect(await lostOfPicture(base, mine, their, base)).toEqual([
    { path: "p.bin", side: "ours", lines: [] },
    { path: "p.bin", side: "theirs", lines: [] },
  ]);
});

/** Both sides change the middle of `f.txt`; theirs brings `more.txt`, `new.txt` and `d/` too, and makes `run.sh` executable. `resolve` works in the merge in which both middles stand. */
async function lostAfter(resolve: (at: Scratch) => void): Promise<string[]> {
  await using at = await scratchRepo();
  at.commit(at.root, {
    "f.txt": "top\nmiddle\nend\n",
    "one.txt": "middle\n",
    "more.txt": "more\n",
    "none.txt": "",
    "run.sh": "true\n",
  });
  at.git(at.root, "switch", "-q", "-c", "side");
  const ours = at.commit(at.root, { "f.txt": "top\nmine\nend\n", "one.txt": "mine\n" });
  at.git(at.root, "switch", "-q", "main");
  at.git(at.root, "update-index", "--chmod=+x", "run.sh");
  chmodSync(`${at.root}/run.sh`, 0o755);
  const files = { "f.txt": "top\nyours\nend\n", "one.txt": "yours\n", "more.txt": "more\nof it\n" };
  const theirs = at.commit(at.root, {
    ...files,
    "new.txt": "new\n",
    "d/1.txt": "first\n",
    "d/2.txt": "second\n",
    empty: "",
  });
  at.git(at.root, "switch", "-q", "side");
  at.git(at.root, "merge", "-q", "-s", "ours", "--no-commit", "main");
  at.git(at.root, "read-tree", "-u", "--reset", "main");
  writeFileSync(`${at.root}/f.txt`, "top\nmine\nyours\nend\n");
  writeFileSync(`${at.root}/one.txt`, "mine and yours\n");
  resolve(at);
  const head = at.commit(at.root, {});
  const lost = await findLostSides(at.repo, { ours, theirs, head });
  return lost.map(({ path, side, isMode }) => `${path} ${side}${isMode ? " mode" : ""}`);
}

type Scratch = Awaited<ReturnType<typeof scratchRepo>>;

const BOTH = ["f.txt ours", "f.txt theirs"];

test.each<[string, (at: Scratch) => void, string[]]>([
  ["nothing more", () => {}, []],
  ["lines made into others", (at) => writeFileSync(`${at.root}/f.txt`, "top\nother\nend\n"), []],
  ["a line of theirs that got a comma", (at) => writeFileSync(`${at.root}/f.txt`, "top\n'yours',\nmine\nend\n"), []],
  [
    "theirs thrown away, and the rest formatted",
    (at) => writeFileSync(`${at.root}/f.txt`, "top;\nmine;\nend;\n"),
    ["f.txt theirs"],
  ],
  ["the file put back to what it was", (at) => writeFileSync(`${at.root}/f.txt`, "top\nmiddle\nend\n"), BOTH],
  ["the lines of both taken out", (at) => writeFileSync(`${at.root}/f.txt`, "top\nend\n"), BOTH],
  ["the only line of a file made into another", (at) => writeFileSync(`${at.root}/one.txt`, "other\n"), []],
  ["an empty file that they brought taken out", (at) => at.git(at.root, "rm", "-qf", "empty"), ["empty theirs"]],
  ["a file that they brought overwritten", (at) => writeFileSync(`${at.root}/new.txt`, "other\n"), ["new.txt theirs"]],
  ["a file moved as it was resolved", (at) => at.git(at.root, "mv", "f.txt", "g.txt"), []],
  [
    "a file that only they have made into another",
    (at) => writeFileSync(`${at.root}/more.txt`, "more of it all\n"),
    [],
  ],
  ["the file removed", (at) => at.git(at.root, "rm", "-qf", "f.txt"), BOTH],
  ["the file emptied", (at) => writeFileSync(`${at.root}/f.txt`, ""), BOTH],
  ["the file overwritten", (at) => writeFileSync(`${at.root}/f.txt`, "something\nelse\n"), BOTH],
  [
    "one side moved",
    (at) => {
      writeFileSync(`${at.root}/f.txt`, "top\nmine\nend\n");
      at.git(at.root, "mv", "f.txt", "g.txt");
    },
    ["f.txt theirs"],
  ],
  ["a file that they changed removed", (at) => at.git(at.root, "rm", "-qf", "more.txt"), ["more.txt theirs"]],
  ["a file that they brought emptied", (at) => writeFileSync(`${at.root}/new.txt`, "\n"), ["new.txt theirs"]],
  ["one file of a folder removed", (at) => at.git(at.root, "rm", "-qf", "d/1.txt"), ["d/1.txt theirs"]],
  ["a mode taken back", (at) => chmodSync(`${at.root}/run.sh`, 0o644), ["run.sh theirs mode"]],
])("a resolution with %s", async (_, resolve, lost) => {
  expect(await lostAfter(resolve)).toEqual(lost);
});

const LINES = "one line\nand another\n";

/** `ours` brings `own.txt`; `theirs` brings this; the merge of both is made, and after it these commands. */
async function undoneBy({ theirs, after }: { theirs: Record<string, string>; after: string[][] }) {
  const at = await scratchRepo();
  at.commit(at.root, { "d/f.txt": "f\n", "d/g.txt": "g\n" });
  at.git(at.root, "switch", "-q", "-c", "side");
  const mine = at.commit(at.root, { "d/own.txt": LINES });
  at.git(at.root, "switch", "-q", "main");
  if (Object.keys(theirs).length === 0) at.git(at.root, "mv", "d", "e");
  const their = at.commit(at.root, { "x.txt": "x\n", ...theirs });
  at.git(at.root, "switch", "-q", "side");
  at.git(at.root, "-c", "merge.directoryRenames=true", "merge", "-q", "--no-edit", "main");
  for (const command of after) at.git(at.root, ...command);
  const head = at.commit(at.root, { "y.txt": "y\n" });
  return { at, undone: await findUndone(at.repo, { ours: mine, theirs: their, head }) };
}

test.each([
  ["a folder that the other side renamed takes it along", {}, []],
  ["it is renamed", { "z.txt": "z\n" }, [["mv", "d/own.txt", "d/other.txt"]]],
  ["the other side brings the same file elsewhere", { "lib/own.txt": LINES }, [["rm", "-q", "d/own.txt"]]],
  ["the other side brings its lines with others", { "lib/all.txt": `top\n${LINES}end\n` }, [["rm", "-q", "d/own.txt"]]],
])("own work is not undone where %s", async (_, theirs, after) => {
  const { at, undone } = await undoneBy({ theirs, after });
  await using _at = at;
  expect(undone).toEqual([]);
});

test.each([
  ["is removed", { "z.txt": "z\n" }, [["rm", "-q", "d/own.txt"]]],
  ["is removed, and the other side has one of its lines", { "z.txt": "one line\n" }, [["rm", "-q", "d/own.txt"]]],
])("own work that %s is", async (_, theirs, after) => {
  const { at, undone } = await undoneBy({ theirs, after });
  await using _at = at;
  expect(undone).toEqual([{ path: "d/own.txt", side: "ours", lines: ["one line", "and another"] }]);
});

test("what both sides made alike, and is not there any more, is lost", async () => {
  await using at = await scratchRepo();
  at.commit(at.root, { "f.txt": "old\n", "gone.txt": "gone\n" });
  const alike = { "f.txt": "new\n", "both.txt": "both\n", "moved.txt": "moved\n" };
  at.git(at.root, "switch", "-q", "-c", "side");
  const ours = at.commit(at.root, { ...alike, "own.txt": "own\n" });
  at.git(at.root, "switch", "-q", "main");
  const theirs = at.commit(at.root, alike);
  at.git(at.root, "switch", "-q", "side");
  at.git(at.root, "merge", "-q", "--no-commit", "main");
  at.git(at.root, "rm", "-qf", "both.txt");
  at.git(at.root, "mv", "moved.txt", "elsewhere.txt");
  const head = at.commit(at.root, { "f.txt": "old\n" });
  const lost = await findLostSides(at.repo, { ours, theirs, head });
  expect(lost.map(({ path, side }) => [path, side])).toEqual([
    ["both.txt", "theirs"],
    ["f.txt", "theirs"],
  ]);
});

test("lines that were moved to another file, while theirs is as the other side has it, are kept", async () => {
  await using at = await scratchRepo();
  const lines = (name: string) => Array.from({ length: 8 }, (_, n) => `${name} ${n}\n`).join("");
  at.commit(at.root, { "old.txt": lines("old"), "n.txt": lines("n") });
  at.git(at.root, "switch", "-q", "-c", "side");
  const ours = at.commit(at.root, { "old.txt": lines("old") + lines("mine") });
  at.git(at.root, "switch", "-q", "main");
  const theirs = at.commit(at.root, { "old.txt": lines("rewritten") });
  at.git(at.root, "switch", "-q", "side");
  at.git(at.root, "merge", "-q", "-s", "ours", "--no-commit", "main");
  const head = at.commit(at.root, { "old.txt": lines("rewritten"), "n.txt": lines("n") + lines("mine") });
  expect(await findLostSides(at.repo, { ours, theirs, head })).toEqual([]);
  const without = at.commit(at.root, { "n.txt": `${lines("n")}mine 1\n` });
  expect((await findLostSides(at.repo, { ours, theirs, head: without })).map(({ side }) => side)).toEqual(["ours"]);
});
