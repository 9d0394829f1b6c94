/** `owt plan deps`: what waits for what, and changes that touch nothing else. */
import { chmodSync, existsSync, lstatSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Rig } from "../rig/rig.ts";

const PLAN = {
  "docs/plans/auth/epic-01-login.md": "---\r\npriority: high   # first of all\r\n---\r\n# Login\r\n\r\nA login.\r\n",
  "docs/plans/auth/epic-02-logout.md": "# Logout\n\nA logout.\n",
  "docs/plans/shop/epic-01-cart.md":
    "---\n# what it needs\ndepends_on:\n  - auth/E01   # who it is\n  - web/E01\ntags: [ui]\n---\n# Cart\n\nA cart.\n",
  "docs/plans/web/epic-01-page.md": "# Page\n\nA page.\n",
};

const LIST = `{
  // in the order in which we talked about them
  "features": [
    { "id": "auth", "depends_on": [] },
    { "id": "api",  "depends_on": ["auth"], "name": "The API" }, /* soon */
    { "id": "web",  "depends_on": ["api"], },
  ],
}
`;

type Graph = { dependencies: number; waves: string[][]; critical_path: string[]; critical_path_ms: number };
type Changed = {
  plan: string;
  written: boolean;
  change: {
    added: { task: string; needs: string }[];
    removed: { task: string; needs: string }[];
    kept_by_order: { task: string; needs: string }[];
    before: Graph;
    after: Graph;
    files: string[];
  };
};
type Listed = { tasks: { id: string; depends_on: string[]; implied: string[]; needed_by: string[]; file: string }[] };

const read = (rig: Rig, path: string) => readFileSync(`${rig.root}/${path}`, "utf8");

test("lists what waits for what, named or by the order of the module, and for whom", async () => {
  await using rig = Rig.create(PLAN);
  const { tasks } = await rig.json<Listed>("plan", "deps");
  expect(tasks.map(({ id, depends_on, implied }) => [id, depends_on, implied])).toEqual([
    ["auth/E01", [], []],
    ["auth/E02", [], ["auth/E01"]],
    ["shop/E01", ["auth/E01", "web/E01"], []],
    ["web/E01", [], []],
  ]);
  expect(tasks[0]!.needed_by).toEqual(["auth/E02", "shop/E01"]);
  const all = await rig.owt("plan", "deps");
  expect(all.code).toBe(0);
  expect(all.stdout).toContain("4 tasks in docs/plans, 3 dependencies");
  expect(all.stdout).toContain("  auth/E02  after auth/E01 (order)\n");
  expect(all.stdout).toContain("(order): inside a module each task follows the one before");
  const one = await rig.owt("plan", "deps", "AUTH/e01");
  expect(one.stdout).toContain("needed by: auth/E02, shop/E01");
  expect((await rig.json<Listed>("plan", "deps", "shop/E01")).tasks).toHaveLength(1);
  // Another plan is named as everywhere.
  rig.write({ "other/feature_list.json": LIST });
  expect((await rig.json<Listed>("plan", "deps", "other/feature_list.json", "web")).tasks[0]!.depends_on).toEqual([
    "api",
  ]);
  expect((await rig.json<Listed>("plan", "deps", "--config", "other/feature_list.json")).tasks).toHaveLength(3);
});

describe("a change off a terminal", () => {
  test("is shown with what becomes of the graph, and written only with --yes, by the line it prints", async () => {
    await using rig = Rig.create(PLAN);
    const words = ["plan", "deps", "web/E01", "--add", "auth/E02"];
    const shown = await rig.owt(...words);
    expect(shown.code).toBe(4);
    expect(shown.stdout).toContain("+ web/E01 waits for auth/E02\n");
    expect(shown.stdout).toContain("dependencies   3 → 4\n");
    expect(shown.stdout).toContain("steps          2 → 4\n");
    expect(shown.stdout).toContain("critical path  before 18m: ");
    expect(shown.stdout).toContain("after  36m: auth/E01 → auth/E02 → web/E01 → shop/E01\n");
    expect(shown.stdout).toContain("\n  owt plan deps web/E01 --add auth/E02 --yes\n");
    expect(shown.stdout.split("\n").filter((line) => [...line].length > 80)).toEqual([]);
    const inJson = await rig.owt(...words, "--json");
    expect([inJson.code, inJson.stderr]).toEqual([
      4,
      "nothing was written; to write it:\n  ↳ owt plan deps web/E01 --add auth/E02 --json --yes\n",
    ]);
    const data = await rig.json<Changed>(...words);
    expect(data).toMatchObject({
      plan: "docs/plans",
      written: false,
      change: {
        added: [{ task: "web/E01", needs: "auth/E02" }],
        removed: [],
        before: {
          dependencies: 3,
          waves: [
            ["auth/E01", "web/E01"],
            ["auth/E02", "shop/E01"],
          ],
        },
        after: { critical_path: ["auth/E01", "auth/E02", "web/E01", "shop/E01"], critical_path_ms: 4 * 540_000 },
        files: ["docs/plans/web/epic-01-page.md"],
      },
    });
    expect(rig.git("status", "--porcelain")).toBe("");

    const written = await rig.owt(...words, "--yes");
    expect(written.stdout).toContain("written: docs/plans/web/epic-01-page.md\n");
    expect(read(rig, "docs/plans/web/epic-01-page.md")).toBe("---\ndepends_on: [auth/E02]\n---\n# Page\n\nA page.\n");
    expect(rig.git("status", "--porcelain")).toBe("M docs/plans/web/epic-01-page.md");
    const { waves } = await rig.json<{ waves: string[][] }>("plan");
    expect(waves).toEqual([["auth/E01"], ["auth/E02"], ["web/E01"], ["shop/E01"]]);
    // Once more changes nothing, and says so.
    const again = await rig.owt(...words, "--yes");
    expect([again.code, again.stdout]).toEqual([0, "nothing to change: the plan says so already\n"]);
  });

  test("changes nothing else in the file: comments, order, line ends, mode and links stay", async () => {
    await using rig = Rig.create(PLAN);
    const cart = "docs/plans/shop/epic-01-cart.md";
    chmodSync(`${rig.root}/${cart}`, 0o664);
    await rig.json("plan", "deps", "shop/E01", "--add", "auth/E02", "--remove", "auth/E01", "--yes");
    expect(read(rig, cart)).toBe(
      PLAN[cart].replace("  - auth/E01   # who it is\n", "").replace("  - web/E01\n", "  - web/E01\n  - auth/E02\n"),
    );
    expect(statSync(`${rig.root}/${cart}`).mode & 0o777).toBe(0o664);

    const login = "docs/plans/auth/epic-01-login.md";
    await rig.json("plan", "deps", "auth/E01", "--add", "web/E01", "--yes");
    expect(read(rig, login)).toBe(
      PLAN[login].replace("# first of all\r\n", "# first of all\r\ndepends_on: [web/E01]\r\n"),
    );

    rig.write({ "notes/page.md": "# Linked\n\nText.\n" });
    symlinkSync("../../../notes/page.md", `${rig.root}/docs/plans/web/epic-02-linked.md`);
    await rig.json("plan", "deps", "web/E02", "--add", "auth/E02", "--yes");
    expect(lstatSync(`${rig.root}/docs/plans/web/epic-02-linked.md`).isSymbolicLink()).toBe(true);
    expect(read(rig, "notes/page.md")).toContain("depends_on: [auth/E02]");
  });

  test("a feature list keeps its comments and its commas", async () => {
    await using rig = Rig.create({ "feature_list.json": LIST });
    const data = await rig.json<Changed>("plan", "deps", "web", "--add", "auth", "--remove", "api", "--yes");
    expect(data).toMatchObject({ written: true, change: { before: { dependencies: 2 }, after: { dependencies: 2 } } });
    expect(read(rig, "feature_list.json")).toBe(LIST.replace('["api"], }', '["auth"], }'));
  });

  test("what the order of the module says as well stays, and that is told", async () => {
    await using rig = Rig.create({
      ...PLAN,
      "docs/plans/auth/epic-02-logout.md": "---\ndepends_on: [1]\n---\n# Logout\n\nA logout.\n",
    });
    const data = await rig.json<Changed>("plan", "deps", "auth/E02", "--remove", "auth/E01", "--yes");
    expect(data.change).toMatchObject({ removed: [], kept_by_order: [{ task: "auth/E02", needs: "auth/E01" }] });
    expect(read(rig, "docs/plans/auth/epic-02-logout.md")).toBe("---\ndepends_on: []\n---\n# Logout\n\nA logout.\n");
  });
});

describe("is refused", () => {
  test.each<[name: string, words: string[], code: number, says: string, hint: string]>([
    [
      "a cycle, with its path",
      ["auth/E01", "--add", "shop/E01"],
      3,
      "tasks wait for each other: auth/E01 → shop/E01 → auth/E01",
      "remove one of these dependencies",
    ],
    ["an unknown task", ["shop/E1", "--add", "web/E01"], 2, "no task named shop/E1", "did you mean shop/E01"],
    ["an unknown dependency", ["shop/E01", "--add", "wep/E01"], 2, "no task named wep/E01", "did you mean web/E01"],
    ["a task that waits for itself", ["shop/E01", "--add", "shop/E01"], 2, "cannot wait for itself", "owt plan deps"],
    ["what is not there", ["web/E01", "--remove", "auth/E01"], 2, "does not depend on auth/E01", "it names none"],
    [
      "what follows from the order",
      ["auth/E02", "--remove", "auth/E01"],
      2,
      "waits for auth/E01 by the order of its module",
      "needs a module of its own",
    ],
    ["a change of nobody", ["--add", "web/E01"], 2, "change one task, and 0 are named", "owt plan deps TASK"],
    ["an option of another command", ["shop/E01", "--module", "shop"], 2, "has no --module", "owt plan deps --help"],
    ["a task in words", ["the cart"], 2, '"the cart" is no id of a task', "owt plan deps"],
    [
      "both at once",
      ["shop/E01", "--add", "web/E01", "--remove", "web/E01"],
      2,
      "added and removed",
      "one of them: owt plan deps",
    ],
  ])("%s", async (_, words, code, says, hint) => {
    await using rig = Rig.create(PLAN);
    const ran = await rig.owt("plan", "deps", ...words, "--yes");
    expect([ran.code, ran.stdout]).toEqual([code, ""]);
    expect(ran.stderr).toContain(says);
    expect(ran.stderr).toContain(hint);
    expect(rig.git("status", "--porcelain")).toBe("");
    const { stdout } = await rig.owt("plan", "deps", ...words, "--yes", "--json");
    expect(JSON.parse(stdout)).toMatchObject({ schema: 1, error: { exit_code: code } });
  });

  test("inside an attempt, from outside the repository, and where the file is written in an unusual way", async () => {
    await using rig = Rig.create(PLAN, { env: { OWT_ATTEMPT: "1" } });
    expect((await rig.owt("plan", "deps", "web/E01", "--add", "auth/E01", "--yes")).stderr).toContain(
      "refused inside an attempt",
    );
    await using other = Rig.create({
      "docs/plans/a/epic-01-x.md": "---\nnames: &all [b/E01]\ndepends_on: []\nuses: x\n---\n# A\n\nText.\n",
      "docs/plans/b/epic-01-x.md": "---\n{status: todo}\n---\n# B\n\nText.\n",
    });
    const odd = await other.owt("plan", "deps", "b/E01", "--add", "a/E01", "--yes");
    expect(odd.code).toBe(3);
    expect(odd.stderr).toContain("docs/plans/b/epic-01-x.md cannot be changed safely");
    writeFileSync(other.path("outside.md"), "# Outside\n\nText.\n");
    symlinkSync(other.path("outside.md"), `${other.root}/docs/plans/b/epic-02-x.md`);
    const out = await other.owt("plan", "deps", "b/E02", "--add", "a/E01", "--yes");
    expect(out.code).toBe(3);
    expect(out.stderr).toContain("leads out of the repository");
    expect(readFileSync(other.path("outside.md"), "utf8")).toBe("# Outside\n\nText.\n");
  });
});

describe("on a terminal", () => {
  test("a change is shown and asked about first", async (context) => {
    context.skip(!existsSync("/usr/bin/script"), "the script program gives a terminal");
    await using rig = Rig.create(PLAN);
    for (const [said, writes] of [
      ["n", false],
      ["y", true],
    ] as const) {
      const run = rig.startOnTerminal("plan", "deps", "web/E01", "--add", "auth/E01");
      await run.says("write it? [y/N]");
      run.child.stdin!.write(`${said}\n`);
      expect((await run.ended).code).toBe(0);
      expect(read(rig, "docs/plans/web/epic-01-page.md").includes("depends_on: [auth/E01]")).toBe(writes);
    }
  });

  test("without a task it goes through the plan, forgives slips, and writes once at the end", async (context) => {
    context.skip(!existsSync("/usr/bin/script"), "the script program gives a terminal");
    await using rig = Rig.create(PLAN);
    const run = rig.startOnTerminal("plan", "deps");
    const say = async (waits: string | RegExp, line: string) => {
      await run.says(waits);
      run.child.stdin!.write(`${line}\n`);
    };
    await say("[1/4] change?", "+shop/E01");
    await run.says("tasks wait for each other: auth/E01");
    await say(/remove one of these dependencies[^]*\[1\/4\] change\?/, "web/E01");
    await say("[4/4] change?", "+auth/E02");
    await say(/waits for: auth\/E02[^]*\[4\/4\] change\?/, "auth/E02");
    await say("[2/4] change?", "");
    await say("[3/4] change?", "-auth/E01");
    await run.says(/waits for: web\/E01\s[^]*\[3\/4\] change\?/);
    expect(rig.git("status", "--porcelain")).toBe("");
    await say("change?", "q");
    await say("write it? [y/N]", "y");
    const ended = await run.ended;
    expect(ended.code).toBe(0);
    expect(ended.stdout).toContain("+ web/E01 waits for auth/E02");
    expect(ended.stdout).toContain("- shop/E01 no longer waits for auth/E01");
    const { tasks } = await rig.json<Listed>("plan", "deps");
    expect(tasks.map(({ depends_on }) => depends_on)).toEqual([[], [], ["web/E01"], ["auth/E02"]]);
  });
});

test("a change of several files is all of it or nothing, also for one that is killed in the middle", async () => {
  await using rig = Rig.create(PLAN);
  const files = ["docs/plans/web/epic-01-page.md", "docs/plans/shop/epic-01-cart.md"];
  const change = (path: string) => ({
    path: `${rig.root}/${path}`,
    was: read(rig, path),
    text: `${read(rig, path)}\nnew\n`,
    mode: 0o644,
  });
  // As it is left by a process that is no more, one of the two written.
  const owner = { pid: 1, bootId: "another", startTime: "0" };
  const changes = files.map(change);
  rig.write({ ".git/owt/plan-changes/1.json": JSON.stringify({ owner, changes }), [files[0]!]: changes[0]!.text });
  await rig.json("plan", "deps");
  expect(files.map((path) => read(rig, path))).toEqual(changes.map(({ was }) => was));
  expect(existsSync(`${rig.root}/.git/owt/plan-changes`)).toBe(false);
});
