/** Every way by which the product removes a worktree, against everything that a worktree can hold: what was there before either still is, or
 *  comes back with `owt restore`, also after git has thrown away all that it may. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { demoConfig, Rig, task } from "../rig/rig.ts";

const gitIn = (rig: Rig, folder: string, ...args: string[]) =>
  execFileSync("git", args, { cwd: folder, env: rig.env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();

function commit(rig: Rig, folder: string, name: string, text = name): void {
  writeFileSync(join(folder, name), text);
  gitIn(rig, folder, "add", "-A");
  gitIn(rig, folder, "commit", "-q", "-m", name);
}

/** Processes that a state leaves running. */
const running: ChildProcess[] = [];

/** What a worktree can hold. Each gets a fresh one, and the name of its branch. */
const STATES: Record<string, (rig: Rig, tree: string, branch: string) => void> = {
  clean: () => {},
  dirty: (_, tree) => writeFileSync(join(tree, "README.md"), "changed\r\n\0"),
  untracked: (_, tree) => writeFileSync(join(tree, "new\nfile"), "\0new"),
  ignored: (_, tree) => {
    mkdirSync(join(tree, "deep.log"));
    writeFileSync(join(tree, "deep.log", "x"), "ignored");
  },
  staged: (rig, tree) => {
    writeFileSync(join(tree, "README.md"), "staged\n");
    gitIn(rig, tree, "add", "README.md");
    writeFileSync(join(tree, "README.md"), "and changed\n");
  },
  environment: (_, tree) => writeFileSync(join(tree, ".env"), "SECRET=changed\n"),
  // Of the name of what is brought, and somebody's all the same.
  "environment-folder": (_, tree) => {
    rmSync(join(tree, ".env"));
    mkdirSync(join(tree, ".env"));
    writeFileSync(join(tree, ".env", "key"), "k");
  },
  "environment-link": (_, tree) => {
    rmSync(join(tree, ".env"));
    symlinkSync("/a/b", join(tree, ".env"));
  },
  "submodule-environment": (_, tree) => writeFileSync(join(tree, "lib", ".env"), "SECRET=of the submodule\n"),
  unmerged: (rig, tree) => commit(rig, tree, "own"),
  unpushed: (rig, tree, branch) => {
    commit(rig, tree, "pushed");
    gitIn(rig, tree, "push", "-q", "-u", "origin", `HEAD:refs/heads/${branch}`);
    commit(rig, tree, "not pushed");
  },
  squashed: (rig, tree, branch) => {
    commit(rig, tree, "s1");
    commit(rig, tree, "s2");
    rig.git("merge", "-q", "--squash", branch);
    rig.git("commit", "-q", "-m", "squashed");
  },
  amended: (rig, tree) => {
    commit(rig, tree, "first try");
    gitIn(rig, tree, "reset", "-q", "--hard", "HEAD~1");
  },
  stash: (rig, tree) => {
    writeFileSync(join(tree, "README.md"), "stashed\n");
    gitIn(rig, tree, "stash");
  },
  // What a sync that was cut off could not give back.
  "kept-stash": (rig, tree) => {
    writeFileSync(join(tree, "README.md"), "carried over\n");
    gitIn(rig, tree, "update-ref", "refs/worktree/owt/stash", gitIn(rig, tree, "stash", "create"));
    gitIn(rig, tree, "checkout", "-q", "README.md");
  },
  detached: (rig, tree) => {
    gitIn(rig, tree, "checkout", "-q", "--detach");
    commit(rig, tree, "loose");
  },
  merging: (rig, tree) => {
    gitIn(rig, tree, "checkout", "-q", "-b", `other-${tree.split("/").at(-1)}`);
    commit(rig, tree, "README.md", "one side\n");
    gitIn(rig, tree, "checkout", "-q", "-");
    commit(rig, tree, "README.md", "the other\n");
    expect(() => gitIn(rig, tree, "merge", "-q", "@{-1}")).toThrow("git merge");
  },
  links: (rig, tree) => {
    mkdirSync(rig.path("outside"), { recursive: true });
    writeFileSync(rig.path("outside/precious"), "precious");
    symlinkSync(rig.path("outside"), join(tree, "link"));
    symlinkSync(rig.path("outside"), join(tree, "node_modules"));
  },
  "behind-a-link": (rig, tree) => {
    renameSync(tree, `${tree}.real`);
    symlinkSync(`${tree}.real`, tree);
    writeFileSync(join(tree, "new"), "behind a link");
    gitIn(rig, tree, "status");
  },
  // Uncommitted work inside a submodule, and commits that are nowhere else.
  "submodule-dirty": (_, tree) => {
    writeFileSync(join(tree, "lib", "lib.txt"), "changed\r\n\0");
    writeFileSync(join(tree, "lib", "new"), "new");
  },
  "submodule-commit": (rig, tree) => {
    gitIn(rig, join(tree, "lib"), "switch", "-q", "-c", "own");
    commit(rig, join(tree, "lib"), "own");
    gitIn(rig, join(tree, "lib"), "switch", "-q", "-c", "other", "HEAD~1");
    commit(rig, join(tree, "lib"), "other");
  },
  locked: (rig, tree) => {
    writeFileSync(join(tree, "new"), "locked in");
    rig.git("worktree", "lock", tree);
  },
  process: (_, tree) => {
    writeFileSync(join(tree, "new"), "being written");
    running.push(spawn("sleep", ["1000"], { cwd: tree, stdio: "ignore" }));
  },
  // As a kill between the last file and the last word leaves it, and somebody went to work in it all the same.
  "half-made": (rig, tree) => {
    commit(rig, tree, "early");
    writeFileSync(join(tree, "new"), "early bird");
    writeFileSync(join(gitIn(rig, tree, "rev-parse", "--absolute-git-dir"), "owt-making"), DEAD);
  },
  "half-made-detached": (rig, tree) => {
    gitIn(rig, tree, "checkout", "-q", "--detach");
    commit(rig, tree, "early and loose");
    writeFileSync(join(gitIn(rig, tree, "rev-parse", "--absolute-git-dir"), "owt-making"), DEAD);
  },
};

/** The mark of a process that is no more. */
const DEAD = "4194304-1-dead";

/** What somebody could miss of a worktree. */
type Before = { files: Record<string, string>; index: string; commits: string[] };

function look(rig: Rig, tree: string): Before {
  const reflog = gitIn(rig, tree, "reflog", "--format=%H").split("\n");
  const own = gitIn(rig, tree, "for-each-ref", "--format=%(objectname)", "refs/worktree").split("\n");
  const inside = gitIn(rig, join(tree, "lib"), "rev-list", "--all", "--not", "--remotes").split("\n");
  return {
    files: snapshot(tree),
    index: gitIn(rig, tree, "ls-files", "-s"),
    commits: [...new Set([gitIn(rig, tree, "rev-parse", "HEAD"), ...reflog, ...own, ...inside].filter(Boolean))],
  };
}

/** Every file of a worktree with its kind and bytes, links as links. What any setup makes again is nobody's. */
function snapshot(root: string, below = ""): Record<string, string> {
  const files: Record<string, string> = {};
  for (const name of readdirSync(join(root, below))) {
    if (name === ".git" || (below === "" && name === "node_modules")) continue;
    const path = join(below, name);
    const stat = lstatSync(join(root, path));
    if (stat.isSymbolicLink()) files[path] = `link ${readlinkSync(join(root, path))}`;
    else if (stat.isDirectory()) Object.assign(files, snapshot(root, path));
    else files[path] = readFileSync(join(root, path), "latin1");
  }
  return files;
}

async function prepare(more: Record<string, string> = {}): Promise<Rig> {
  const rig = Rig.create({ ".gitignore": "*.log\n.env\nnode_modules\n", ...more });
  writeFileSync(join(rig.root, ".env"), "SECRET=of the project\n");
  rig.git("init", "-q", "-b", "main", rig.path("lib"));
  commit(rig, rig.path("lib"), "lib.txt");
  commit(rig, rig.path("lib"), ".gitignore", ".env\n");
  rig.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", rig.path("lib"), "lib");
  rig.commit("a submodule");
  rig.git("clone", "-q", "--bare", ".", rig.path("remote.git"));
  rig.git("remote", "add", "origin", rig.path("remote.git"));
  return rig;
}

/** One worktree in each of these states. */
async function fill(rig: Rig, states: readonly string[]): Promise<Map<string, Before>> {
  rig.ok("create", "--no-tmux", ...states);
  const before = new Map<string, Before>();
  for (const state of states) {
    STATES[state]!(rig, rig.path(`shop-${state}`), state);
    before.set(state, look(rig, rig.path(`shop-${state}`)));
  }
  return before;
}

/** What was brought from the main checkout, and is there unchanged, needs no way back. */
const own = (files: Record<string, string>) =>
  Object.fromEntries(Object.entries(files).filter(([, text]) => text !== "SECRET=of the project\n"));

type Rescue = { id: string; path: string };

/** Those that are gone. Nothing of any is lost, whatever git throws away now; the main checkout and what lies beside it are untouched. */
async function expectNothingLost(
  rig: Rig,
  before: ReadonlyMap<string, Before>,
  { pathOf = (state: string) => rig.path(`shop-${state}`), withIndex = true } = {},
): Promise<string[]> {
  const { rescues, environment } = await rig.json<{ rescues: Rescue[]; environment: { id: string }[] }>("restore");
  // What stays keeps its reflog; all else may go.
  const stays = (state: string) => existsSync(join(pathOf(state), ".git"));
  if (![...before.keys()].some(stays)) rig.git("reflog", "expire", "--expire=now", "--expire-unreachable=now", "--all");
  rig.git("gc", "-q", "--prune=now");
  const reachable = new Set(rig.git("rev-list", "--all").split("\n"));
  const gone: string[] = [];
  for (const [state, { files, index, commits }] of before) {
    const tree = pathOf(state);
    if (stays(state)) {
      expect([state, snapshot(tree)]).toEqual([state, files]);
      continue;
    }
    expect([state, commits.filter((oid) => !reachable.has(oid))]).toEqual([state, []]);
    gone.push(state);
    const back = rig.path(`back-${state}`);
    const real = state === "behind-a-link" ? `${tree}.real` : tree;
    const rescue = rescues.findLast(({ path }) => path === real);
    const kept = environment.filter(({ id }) => id.startsWith(`${state}-`));
    if (rescue === undefined) {
      rig.git("worktree", "add", "-q", "--detach", back, commits[0]!);
      gitIn(rig, back, "-c", "protocol.file.allow=always", "submodule", "--quiet", "update");
    }
    if (rescue !== undefined) await rig.json("restore", rescue.id, "--path", back);
    for (const { id } of kept) if (id !== rescue?.id) rig.ok("restore", id, "--path", back);
    expect([state, own(snapshot(back))]).toEqual([state, own(files)]);
    if (withIndex) expect([state, gitIn(rig, back, "ls-files", "-s")]).toEqual([state, index]);
  }
  if (existsSync(rig.path("outside"))) expect(readFileSync(rig.path("outside/precious"), "utf8")).toBe("precious");
  expect(readFileSync(join(rig.root, ".env"), "utf8")).toBe("SECRET=of the project\n");
  expect(rig.git("status", "--porcelain")).toBe("");
  return gone;
}

function endProcesses(): void {
  for (const child of running.splice(0)) child.kill("SIGKILL");
}

const ALL = Object.keys(STATES);
/** What they are called: one on no branch has only its folder's name. */
const NAMES = ALL.map((state) => (state.endsWith("detached") ? `shop-${state}` : state));
const without = (...states: string[]) => ALL.filter((state) => !states.includes(state));
/** What holds something that no commit of a branch has. */
const HOLDING = [
  "dirty",
  "untracked",
  "ignored",
  "staged",
  "detached",
  "merging",
  "links",
  "behind-a-link",
  "submodule-dirty",
  "environment-folder",
  "environment-link",
  "submodule-environment",
];
/** Commits that nothing else has. */
const COMMITS = ["unmerged", "unpushed", "submodule-commit"];
const NEVER = ["locked", "process"];

const userConfig = (rig: Rig, is: boolean) =>
  rig.userFile("config.toml", `[cleanup]\nprotect_uncommitted = ${is}\nprotect_unpushed = ${is}\n`);

describe("a removal by hand", () => {
  test.each<[string, (rig: Rig) => Promise<unknown>, string[]]>([
    ["owt delete", (rig) => rig.owt("delete", ...NAMES, "--yes"), without(...HOLDING, ...NEVER, "submodule-commit")],
    ["owt delete --save", (rig) => rig.owt("delete", ...NAMES, "--yes", "--save"), without(...NEVER)],
    [
      "owt cleanup --all --yes",
      (rig) => rig.owt("cleanup", "--all", "--yes"),
      without(...HOLDING, ...COMMITS, ...NEVER),
    ],
    [
      "owt cleanup --all --yes, unprotected",
      async (rig) => {
        userConfig(rig, false);
        await rig.owt("cleanup", "--all", "--yes");
      },
      without(...NEVER),
    ],
  ])("%s", async (_, remove, goes) => {
    await using rig = await prepare();
    try {
      const before = await fill(rig, ALL);
      await remove(rig);
      // Squashed work is home: no force is needed, and its branch goes too.
      expect(rig.git("branch", "--list", "squashed")).toBe("");
      const gone = await expectNothingLost(rig, before);
      expect(gone.toSorted()).toEqual(goes.toSorted());
    } finally {
      endProcesses();
    }
  });
});

test("the clearing of what a killed creation left", async () => {
  await using rig = await prepare();
  try {
    const before = await fill(rig, ALL);
    const code = `new (require("node:sqlite").DatabaseSync)(process.argv[1]).exec("update worktree set maker = '${DEAD}'")`;
    execFileSync(process.execPath, ["-e", code, join(rig.root, ".git/owt/state.db")]);
    await rig.owt("list");
    const gone = await expectNothingLost(rig, before);
    // Whatever holds somebody's work counts as made.
    expect(gone.toSorted()).toEqual([
      "amended",
      "clean",
      "environment",
      "half-made",
      "half-made-detached",
      "kept-stash",
      "stash",
    ]);
  } finally {
    endProcesses();
  }
});

test("the tidying after tasks of a run", async () => {
  // What is no state of an agent's worktree is left out.
  const states = without("squashed", "half-made", "half-made-detached", "behind-a-link", "environment");
  const plans = Object.fromEntries(
    states.map((state) => [`docs/plans/${state}/epic-01-x.md`, task({}, `wait {home}/go-${state}`)]),
  );
  await using rig = await prepare({
    ".worktreerc": `${demoConfig}[run]\nretries = 0\nmax_parallel = ${states.length}\n`,
    ...plans,
  });
  for (const file of Object.keys(plans)) {
    const at = join(rig.root, file);
    writeFileSync(at, readFileSync(at, "utf8").replace("{home}", rig.home));
  }
  rig.commit("plans");
  const run = rig.start("run", "--yes");
  try {
    type Listed = { path: string; branch: string; task: { key: string } | null };
    const paths = new Map<string, string>();
    const before = new Map<string, Before>();
    await run.says(new RegExp(`(?:[^]*started){${states.length}}`));
    for (const { path, task: of } of (await rig.json<{ worktrees: Listed[] }>("list")).worktrees)
      if (of !== null) paths.set(of.key.replace("/E01", ""), path);
    for (const state of states) {
      const tree = paths.get(state)!;
      STATES[state]!(rig, tree, gitIn(rig, tree, "branch", "--show-current"));
      before.set(state, look(rig, tree));
    }
    for (const state of states) rig.ok("task", "cancel", `${state}/E01`);
    await run.ended;
    const gone = await expectNothingLost(rig, before, {
      pathOf: (state) => paths.get(state)!,
      // What an agent leaves is committed: then it is no longer staged.
      withIndex: false,
    });
    expect(gone.toSorted()).toEqual(states.filter((state) => !NEVER.includes(state)).toSorted());
  } finally {
    endProcesses();
  }
});

test("owt restore puts nothing in the place of what is there", async () => {
  await using rig = await prepare();
  const before = await fill(rig, ["dirty", "untracked"]);
  const { removed } = await rig.json<{ removed: { rescue: string }[] }>("delete", "dirty", "--yes", "--save");
  mkdirSync(rig.path("taken"));
  writeFileSync(rig.path("taken/mine"), "mine");
  for (const place of ["taken", "shop-untracked", "shop"]) {
    const kept = snapshot(rig.path(place));
    const ran = await rig.owt("restore", removed[0]!.rescue, "--path", rig.path(place));
    expect([place, ran.code === 0, snapshot(rig.path(place))]).toEqual([place, false, kept]);
  }
  expect(await expectNothingLost(rig, before)).toEqual(["dirty"]);
});
