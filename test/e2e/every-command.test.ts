/** Every command that the help shows: its answer, its answer as JSON, what it does off a terminal, and its most likely mistake. The rig
 *  holds every `--json` answer against its schema; here it is seen that each command has one. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { demoConfig, type Ran, Rig, task } from "../rig/rig.ts";

type Call = { args: string[]; code?: number };

type Row = {
  /** A usual call, and what its answer on standard output says. */
  call: string[];
  says: RegExp | string;
  code?: number;
  /** How the JSON is asked for where `--json` behind the usual call is not it: the answer changes what is there. */
  json?: string[];
  jsonCode?: number;
  /** What it would ask a person, and says instead where there is none. */
  unasked?: Call & { says: string };
  /** The most likely mistake: an error of one line, and a hint with this command. */
  mistake: Call & { says: string; hint: string };
  /** It changes what others look at: it gets a repository of its own. */
  changes?: true;
};

const unknownTask = (command: string, more: string[] = []): Row["mistake"] => ({
  args: ["task", command, "shop/E0", ...more],
  says: "no run has a task named shop/E0",
  hint: "did you mean shop/E01 or shop/E02? list them with: owt task list",
});
const unknownRun = (command: string): Row["mistake"] => ({
  args: [command, "r11"],
  says: "there is no run r11",
  hint: "did you mean r1? see: owt status",
});
const unknownOption = (command: string, wrong: string, right: string): Row["mistake"] => ({
  args: [...command.split(" "), wrong],
  says: `owt ${command} has no option ${wrong}`,
  hint: `did you mean: owt ${command} ${right}`,
});

const unknownBatch = (command: string): Row["mistake"] => ({
  args: ["batch", command, "nigth"],
  says: "there is no batch nigth",
  hint: "did you mean night? there are night; see: owt batch list",
});

/** In the repository of {@link prepare}: shop/E01 is done, web/E01 asks, api/E01 failed, doc/E01 waits for a review. */
const ROWS: Record<string, Row> = {
  plan: {
    call: ["plan"],
    says: "shop/E01",
    mistake: {
      args: ["plan", "shop/E11"],
      code: 2,
      says: "no task or plan named shop/E11",
      hint: "did you mean shop/E01",
    },
  },
  "plan deps": {
    call: ["plan", "deps"],
    says: "shop/E02",
    unasked: {
      args: ["plan", "deps", "shop/E02", "--add", "web/E01"],
      code: 4,
      says: "nothing was written; to write it",
    },
    mistake: {
      args: ["plan", "deps", "shop/E02", "--add", "web/E1"],
      says: "web/E1",
      hint: "web/E01",
    },
  },
  run: {
    call: ["run", "--yes", "--again", "shop/E01"],
    says: /r2: 1 of 1 task integrated/,
    json: ["run", "--dry-run"],
    unasked: { args: ["run", "--again", "shop/E01"], code: 2, says: "needs --yes" },
    mistake: { args: ["run", "--agent", "cluade"], code: 2, says: "there is no agent named cluade", hint: "claude" },
    changes: true,
  },
  resume: {
    call: ["resume"],
    says: /r1: 1 of 5 tasks integrated/,
    code: 1,
    mistake: unknownRun("resume"),
    changes: true,
  },
  pause: { call: ["pause"], says: "go on with: owt resume r1", mistake: unknownRun("pause"), changes: true },
  stop: { call: ["stop"], says: "go on with: owt resume r1", mistake: unknownRun("stop"), changes: true },
  parallel: {
    call: ["parallel", "2"],
    says: /r1: .*2/,
    mistake: { args: ["parallel", "many"], says: "many", hint: "owt pause" },
    changes: true,
  },
  land: {
    call: ["land", "r2"],
    says: "r2 landed on main",
    mistake: { args: ["land", "r1"], says: "r1 is not finished", hint: "owt resume" },
    changes: true,
  },
  inbox: {
    call: ["inbox"],
    says: /web\/E01 \(r1\) asks: Which colour\? · for [\w. ]+\n {2}↳ owt task answer web\/E01/,
    mistake: unknownOption("inbox", "--jsno", "--json"),
  },
  notify: {
    call: ["notify"],
    code: 1,
    says: "○ desktop: no desktop, and no terminal, is here",
    mistake: unknownOption("notify", "--jsno", "--json"),
  },
  create: {
    call: ["create", "feature/login"],
    says: /✓ feature\/login {2}\S+\/shop-feature-login/,
    mistake: { args: ["create", "feature..login"], says: "feature..login", hint: "owt create feature/login" },
    changes: true,
  },
  list: {
    call: ["list"],
    says: /@ {2}main .*\/shop\n/,
    mistake: unknownOption("list", "--jsn", "--json"),
  },
  switch: {
    call: ["switch", "main"],
    code: 4,
    says: /tmux .*attach-session -t '=owt-shop:'/,
    unasked: { args: ["switch"], code: 2, says: "off a terminal it has to be named" },
    mistake: {
      args: ["switch", "mian"],
      says: "there is no worktree mian",
      hint: "did you mean main? see which there are: owt list",
    },
    changes: true,
  },
  send: {
    call: ["send", "spare", "--pane", "0", "echo", "hello"],
    says: "sent to spare",
    mistake: { args: ["send", "spar", "x"], says: "there is no worktree spar", hint: "owt list" },
    changes: true,
  },
  wait: {
    call: ["wait", "spare", "--for", "unknown,idle"],
    says: "unknown",
    mistake: {
      args: ["wait", "main", "--for", "idel"],
      says: "idel is no state of a session",
      hint: "did you mean idle? states: none, ended, starting, idle, working, blocked, waiting, cut-off, hung, suspended, unknown; see: owt wait --help",
    },
    changes: true,
  },
  note: {
    call: ["note", "main", "the", "shop", "itself"],
    says: "main: the shop itself",
    mistake: {
      args: ["note", "man", "x"],
      says: "there is no worktree man",
      hint: "did you mean main? see which there are: owt list",
    },
    changes: true,
  },
  delete: {
    call: ["delete", "spare", "--yes"],
    says: "spare is gone, the branch too",
    json: ["delete", "other", "--yes"],
    unasked: { args: ["delete", "spare"], code: 2, says: "off a terminal needs --yes" },
    mistake: { args: ["delete", "main", "--yes"], says: "is the main checkout", hint: "owt list" },
    changes: true,
  },
  diff: {
    call: ["diff", "spare", "--stat"],
    says: /new\.txt +\| 1 \+/,
    mistake: { args: ["diff", "man"], says: "there is no worktree man", hint: "owt list" },
    changes: true,
  },
  sync: {
    call: ["sync", "spare"],
    says: "○ spare: up to date with main",
    json: ["sync", "--all"],
    mistake: { args: ["sync", "man"], says: "there is no worktree man", hint: "owt list" },
    changes: true,
  },
  merge: {
    call: ["merge", "spare", "--yes"],
    says: /✓ spare is in main: 1 commit, fast-forwarded, not checked/,
    unasked: { args: ["merge", "spare"], code: 2, says: "off a terminal needs --yes" },
    mistake: { args: ["merge", "main"], says: "is the main checkout", hint: "owt list" },
    changes: true,
  },
  cleanup: {
    call: ["cleanup", "--all"],
    says: /would go +spare +all were asked for; used within a day, \d+ kB\nstays +main +the main checkout/,
    json: ["cleanup", "--all", "--yes"],
    mistake: { args: ["cleanup", "--days", "x"], says: "number of days", hint: "owt cleanup --help" },
    changes: true,
  },
  "task create": {
    call: ["task", "create", "write the notes"],
    says: "write-the-notes: written down; start it with: owt run write-the-notes",
    json: ["task", "create", "write more notes", "--priority", "high"],
    mistake: {
      args: ["task", "create", "x y", "--priority", "urgent"],
      says: "Allowed choices are high, normal, low",
      hint: "owt task create --help",
    },
    changes: true,
  },
  "task edit": {
    call: ["task", "edit", "web/E01", "--text", "Ask for another colour."],
    says: "web/E01",
    unasked: { args: ["task", "edit", "web/E01"], code: 2, says: "web/E01" },
    mistake: { ...unknownTask("edit", ["--text", "x"]), says: "there is no task shop/E0 to edit", hint: "shop/E01" },
    changes: true,
  },
  "task list": {
    call: ["task", "list"],
    says: /api\/E01 +failed/,
    mistake: {
      args: ["task", "list", "--state", "complet"],
      says: "there is no state complet",
      hint: "owt task list --help",
    },
  },
  "task show": { call: ["task", "show", "shop/E01"], says: "integrated as ", mistake: unknownTask("show") },
  "task cancel": {
    call: ["task", "cancel", "web/E01"],
    says: "web/E01: cancelled",
    json: ["task", "cancel", "doc/E01"],
    mistake: unknownTask("cancel"),
    changes: true,
  },
  "task retry": {
    call: ["task", "retry", "api/E01"],
    says: "go on with: owt resume r1",
    json: ["task", "retry", "web/E01"],
    mistake: { args: ["task", "retry"], says: "name a task, or --failed", hint: "owt task retry --failed" },
    changes: true,
  },
  "task approve": {
    call: ["task", "approve", "doc/E01"],
    says: "doc/E01: approved; go on with: owt resume",
    mistake: {
      args: ["task", "approve", "shop/E01"],
      says: "it is done: its work is in the run's branch; it waits for no approval",
      hint: "what waits for a person: owt inbox",
    },
    changes: true,
  },
  "task answer": {
    call: ["task", "answer", "web/E01", "blue"],
    says: "web/E01: answered; go on with: owt resume",
    unasked: { args: ["task", "answer", "web/E01"], code: 2, says: "an answer needs a text" },
    mistake: unknownTask("answer", ["blue"]),
    changes: true,
  },
  status: {
    call: ["status"],
    says: /r1 · open · .*1 done/,
    mistake: unknownOption("status", "--josn", "--json"),
  },
  report: { call: ["report"], says: /shop\/E01 +done +\S+ +\$0\.25 +1/, mistake: unknownRun("report") },
  logs: {
    call: ["logs", "shop/E01"],
    says: "→ write  a.txt",
    mistake: { args: ["logs", "shop/E0"], says: "no run has a task named shop/E0", hint: "did you mean shop/E01" },
  },
  "tmux create": {
    call: ["tmux", "create", "--no-agent"],
    says: "owt-shop: made, 2 panes; show it: owt tmux attach main",
    mistake: {
      args: ["tmux", "create", "--layout", "quads"],
      says: "there is no layout quads",
      hint: "did you mean quad?",
    },
    changes: true,
  },
  "tmux attach": {
    call: ["tmux", "attach"],
    says: /^tmux -S .* attach-session -t '=owt-shop:'\n$/,
    code: 4,
    mistake: { args: ["tmux", "attach", "shp"], says: "there is no worktree shp", hint: "did you mean shop" },
    changes: true,
  },
  "tmux list": {
    call: ["tmux", "list"],
    says: "no worktree has a session; make one: owt tmux create",
    mistake: unknownOption("tmux list", "--josn", "--json"),
  },
  "tmux kill": {
    call: ["tmux", "kill", "shop", "--yes"],
    says: "owt-shop: ended",
    json: ["tmux", "kill", "other", "--yes"],
    unasked: { args: ["tmux", "kill", "shop"], code: 2, says: "needs --yes" },
    mistake: { args: ["tmux", "kill", "shp"], says: "there is no worktree shp", hint: "did you mean shop" },
    changes: true,
  },
  "prompt list": {
    call: ["prompt", "list"],
    says: "built-in",
    mistake: {
      args: ["prompt", "lst"],
      says: "there is no command owt prompt lst",
      hint: "did you mean: owt prompt list",
    },
  },
  "prompt show": {
    call: ["prompt", "show", "task"],
    says: "{{",
    mistake: {
      args: ["prompt", "show", "repare"],
      says: "there is no template repare",
      hint: "did you mean repair? see: owt prompt list",
    },
  },
  "prompt render": {
    call: ["prompt", "render", "shop/E01"],
    says: "The whole first task.",
    mistake: { args: ["prompt", "render", "shop/E11"], says: "shop/E11", hint: "did you mean shop/E01" },
  },
  restore: {
    call: ["restore"],
    says: "nothing is saved",
    mistake: { args: ["restore", "nix"], says: "nothing is saved as nix", hint: "list what there is: owt restore" },
  },
  "config approve": {
    call: ["config", "approve", "--yes"],
    says: /approved: .*test -d \./,
    unasked: { args: ["config", "approve"], code: 4, says: "nobody can be asked here" },
    mistake: { args: ["config", "aprove"], says: "there is no command owt config aprove", hint: "owt config approve" },
    changes: true,
  },
  "config show": {
    call: ["config", "show"],
    says: /agent\.default +"demo" +\.worktreerc:2:1/,
    mistake: { args: ["config", "show", "run.max_paralel"], says: "run.max_paralel", hint: "run.max_parallel" },
  },
  "config validate": {
    call: ["config", "validate"],
    says: "nothing is wrong",
    mistake: { args: ["config", "validate", "nix.toml"], code: 2, says: "nix.toml", hint: "owt config" },
  },
  "config schema": {
    call: ["config", "schema"],
    says: '"title": "Open Orchestrator: .worktreerc"',
    mistake: { args: ["config", "shema"], says: "there is no command owt config shema", hint: "owt config schema" },
  },
  "batch list": {
    call: ["batch", "list"],
    says: /○ night {2}0 22 \* \* \* .*next/,
    mistake: unknownOption("batch list", "--jsn", "--json"),
  },
  "batch next": {
    call: ["batch", "next", "--count", "2"],
    says: /^(\d{4}-\d\d-\d\d 22:00 {2}Europe\/Berlin {2}night\n){2}$/,
    mistake: unknownBatch("next"),
  },
  "batch run": {
    call: ["batch", "run", "night"],
    says: /^night: nothing can begin: api\/E01 .*wait.* for a person; see: owt inbox/,
    mistake: unknownBatch("run"),
    changes: true,
  },
  "batch pause": {
    call: ["batch", "pause", "night"],
    says: "go on with: owt batch resume night",
    mistake: unknownBatch("pause"),
    changes: true,
  },
  "batch resume": {
    call: ["batch", "resume", "night"],
    says: "night begins by the clock",
    mistake: unknownBatch("resume"),
    changes: true,
  },
  "batch watch": {
    call: ["batch", "watch", "--once"],
    says: "nothing is due",
    mistake: unknownOption("batch watch", "--onec", "--once"),
    changes: true,
  },
  "batch install": {
    call: ["batch", "install", "--print"],
    says: "Restart=always",
    mistake: unknownOption("batch install", "--prnt", "--print"),
  },
  "batch uninstall": {
    call: ["batch", "uninstall"],
    says: "there is no owt-batch-shop-",
    mistake: unknownOption("batch uninstall", "--jsn", "--json"),
  },
  doctor: {
    call: ["doctor"],
    says: /✓ git +\d/,
    mistake: unknownOption("doctor", "--fxi", "--fix"),
  },
  completion: {
    call: ["completion", "bash"],
    says: "complete -F _owt owt",
    mistake: { args: ["completion", "bsh"], says: "there is no completion for bsh", hint: "did you mean bash or zsh?" },
  },
  init: {
    call: ["init"],
    says: "owt plan",
    mistake: unknownOption("init", "--yse", "--yes"),
    changes: true,
  },
  demo: {
    call: ["demo"],
    says: "five tasks came home",
    mistake: unknownOption("demo", "--pth", "--path"),
    changes: true,
  },
};

const names = Object.keys(ROWS);

async function prepare(): Promise<Rig> {
  const rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nretries = 0\n`,
    "docs/plans/shop/epic-01-a.md": task({}, 'write a.txt "a"\ncost 0.25', "The whole first task."),
    "docs/plans/shop/epic-02-b.md": task({ depends_on: ["api/E01"] }, ""),
    "docs/plans/web/epic-01-asks.md": task({}, 'ask "Which colour?"'),
    "docs/plans/api/epic-01-fails.md": task({}, 'fail "cannot"'),
    ".owt/schedule.toml": '[[batch]]\nname = "night"\ncron = "0 22 * * *"\ntimezone = "Europe/Berlin"\n',
    "docs/plans/doc/epic-01-reviewed.md": task({ needs_review: true }, 'write d.txt "d"'),
  });
  const ran = await rig.owt("run", "--yes");
  expect(ran.stdout).toContain("1 of 5");
  return rig;
}

/** Its own places for what a single command needs beside {@link prepare}. */
async function prepareFor(name: string): Promise<Rig> {
  const rig = await prepare();
  if (name === "tmux attach" || name === "tmux kill") await rig.owt("tmux", "create", "--no-agent");
  if (name === "tmux kill") {
    rig.git("worktree", "add", "-q", "../other");
    await rig.owt("tmux", "create", "--no-agent", "other");
  }
  if (name === "land") await rig.owt("run", "--yes", "--again", "shop/E01");
  if (["cleanup", "sync", "diff", "merge"].includes(name)) rig.ok("create", "spare");
  if (name === "merge")
    execFileSync("git", ["commit", "-q", "--allow-empty", "-m", "x"], { cwd: rig.path("shop-spare"), env: rig.env });
  if (name === "diff") writeFileSync(rig.path("shop-spare/new.txt"), "new\n");
  if (["delete", "send", "wait"].includes(name)) rig.ok("create", "spare", "other");
  if (name === "config approve") rig.write({ ".worktreerc": `${demoConfig}[run]\nverify = "test -d ."\n` });
  return rig;
}

let shared: Rig;
beforeAll(async () => void (shared = await prepare()));
afterAll(() => shared[Symbol.asyncDispose]());

test("every command of the help has its row, and every row its command", async () => {
  expect((await commandsOf([])).toSorted()).toEqual(names.toSorted());
});

/** The commands below a command, as its help tells them: groups by their members, unless they do something themselves. */
async function commandsOf(above: string[]): Promise<string[]> {
  const { stdout, code } = await shared.owt(...above, "--help");
  expect(code).toBe(0);
  const listed = (stdout.split("\nCommands:\n")[1] ?? "").split("\n");
  const below = listed.flatMap((line) => /^ {2}([a-z-]+)/.exec(line)?.[1] ?? []).filter((name) => name !== "help");
  const deeper = await Promise.all(below.map((name) => commandsOf([...above, name])));
  const actsItself = above.length > 0 && !/^Usage: owt [a-z ]+ \[options\] \[command\]$/m.test(stdout.split("\n")[0]!);
  return [...(actsItself ? [above.join(" ")] : []), ...deeper.flat()];
}

test("help of a command, by either way", async () => {
  const [asOption, asCommand] = [await shared.owt("task", "show", "--help"), await shared.owt("help", "report")];
  expect(asOption).toMatchObject({ code: 0, stderr: "", stdout: expect.stringContaining("owt task show") as string });
  expect(asCommand).toMatchObject({ code: 0, stderr: "", stdout: expect.stringContaining("owt report") as string });
});

/** Off a terminal nobody is asked. The rig gives no standard input at all. */
function expectUnasked({ stdout, stderr }: Ran): void {
  expect(stdout + stderr).not.toMatch(/\[y\/N\]|\? $|❯ $/m);
}

describe.each(names)("owt %s", (name) => {
  const row = ROWS[name]!;

  test("answers, on standard output, and as JSON", async () => {
    const own = row.changes ? await prepareFor(name) : null;
    const rig = own ?? shared;
    try {
      if (row.unasked) {
        const unasked = await rig.owt(...row.unasked.args);
        expectUnasked(unasked);
        expect([unasked.code, unasked.stdout + unasked.stderr]).toEqual([
          row.unasked.code ?? 0,
          expect.stringContaining(row.unasked.says),
        ]);
      }
      const ran = await rig.owt(...row.call);
      expectUnasked(ran);
      expect([ran.code, ran.stderr]).toEqual([row.code ?? 0, expect.not.stringContaining("✗ owt")]);
      expect(ran.stdout).toMatch(row.says);
      // Held against its schema by the rig.
      const told = await rig.owt(...(row.json ?? row.call), "--json");
      expect([told.code, told.stdout]).toEqual([row.jsonCode ?? row.code ?? 0, expect.stringContaining('"data": {')]);
    } finally {
      await own?.[Symbol.asyncDispose]();
    }
  });

  test("its most likely mistake is one clear error with a command that helps", async () => {
    const own = name === "land" ? await prepareFor(name) : null;
    const rig = own ?? shared;
    try {
      const { args, code = 2, says, hint } = row.mistake;
      const ran = await rig.owt(...args);
      expectUnasked(ran);
      expect(ran).toMatchObject({ code, stdout: "" });
      expect(ran.stderr).toMatch(/^✗ .+\n {2}↳ .+\n$/);
      const [message = "", help = ""] = ran.stderr.split("\n  ↳ ");
      expect(message).toContain(says);
      expect(help).toContain(hint);
      expect(help).toMatch(/\bowt [a-z]/);
      const told = await rig.owt(...args, "--json");
      const { error } = JSON.parse(told.stdout) as { error: { message: string; hint: string; exit_code: number } };
      expect([told.code, error.exit_code]).toEqual([code, code]);
      expect(`✗ ${error.message}\n  ↳ ${error.hint}\n`).toBe(ran.stderr);
    } finally {
      await own?.[Symbol.asyncDispose]();
    }
  });
});
