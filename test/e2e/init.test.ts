/** owt init. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Rig, task } from "../rig/rig.ts";

type Answer = {
  branch: string | null;
  default_branch: string | null;
  stack: { kind: string; lockfile: string }[];
  agents: { name: string; installed: boolean; version: string | null }[];
  agent: string | null;
  verify: string[];
  plan: string | null;
  files: { path: string; text: string }[];
  wrote: string[];
  would_add: string | null;
  approved: { what: string }[];
  notes: string[];
  next: string[];
  dry_run: boolean;
};

const scripts = JSON.stringify({ name: "shop", scripts: { lint: "true", test: "test ! -f broken" } });
const SAMPLE = [
  "docs/plans/sample/epic-01-about.md",
  "docs/plans/sample/epic-02-parts.md",
  "docs/plans/sample-checks/epic-01-checks.md",
];

const read = (rig: Rig, name: string) => readFileSync(join(rig.root, name), "utf8");

test("off a terminal nothing is asked; what it wrote runs as it stands with the demo agent", async () => {
  await using rig = Rig.create({ "package.json": scripts });
  const ran = await rig.owt("init");
  expect(ran.code).toBe(0);
  expect(ran.stderr).toContain("owt may run them here from now on: npm run lint, npm test");
  expect(ran.stdout).toContain("wrote .worktreerc");
  expect(ran.stdout).toMatch(
    /next:\n {2}↳ owt plan\n {2}↳ owt run --agent demo\nwhat was written counts as it lies here/,
  );
  expect(read(rig, ".worktreerc")).toMatch(/^#:schema https:\/\/unpkg\.com\/.*\n#/);
  expect(read(rig, ".worktreerc")).toContain('\nverify = ["npm run lint", "npm test"]\n');
  const validated = await rig.json<{ valid: boolean; remarks: object[] }>("config", "validate");
  expect(validated).toMatchObject({ valid: true, remarks: [] });
  const run = await rig.owt("run", "--yes", "--agent", "demo");
  expect(run.stdout).toContain("3 of 3 tasks integrated");
  expect(run.stderr).toContain("passes npm test");
});

test("--json says what was found, written and approved; --dry-run writes nothing", async () => {
  await using rig = Rig.create({ "package.json": scripts, "package-lock.json": "{}" });
  rig.addProgram("codex", '#!/bin/sh\necho "codex-cli 0.150.0"\n');
  rig.git("checkout", "-q", "-b", "work");
  const dry = await rig.json<Answer>("init", "--dry-run");
  expect(dry).toMatchObject({ dry_run: true, wrote: [] });
  expect(dry.files.map(({ path }) => path)).toEqual([".worktreerc", ...SAMPLE]);
  expect(rig.git("status", "--porcelain")).toBe("");
  expect((await rig.owt("init", "--dry-run")).stdout).toContain("would approve: npm run lint");
  expect((await rig.json<{ approved: object[] }>("config", "approve", "--yes")).approved).toEqual([]);

  const done = await rig.json<Answer>("onboard", "--yes");
  expect(done).toMatchObject({
    branch: "work",
    default_branch: "main",
    stack: [expect.objectContaining({ kind: "npm", lockfile: "package-lock.json" })],
    agent: "codex",
    verify: ["npm run lint", "npm test"],
    wrote: [".worktreerc", ...SAMPLE],
    would_add: null,
  });
  expect(done.approved.map(({ what }) => what)).toEqual(["npm run lint", "npm test"]);
  expect(done.agents).toContainEqual(expect.objectContaining({ name: "codex", installed: true }));
  expect(done.notes.join()).toContain("codex is not logged in");
  expect(read(rig, ".worktreerc")).toContain('\ndefault = "codex"\n');
  expect((await rig.json<{ approved: object[] }>("config", "approve", "--yes")).approved).toEqual([]);
});

test("what is there is never changed: it shows what could be added, and approves nothing", async () => {
  const config = "# mine\n[run]\nretries = 1\n";
  await using rig = Rig.create(
    { "package.json": scripts, ".worktreerc": config, "docs/plans/shop/epic-01-a.md": task({}, 'write a.txt "a"') },
    { approve: false },
  );
  const ran = await rig.owt("init");
  expect(ran.code).toBe(0);
  expect(ran.stdout).toContain(
    '.worktreerc is there and stays as it is; this could be added:\n\n    [run]\n    verify = ["npm run lint", "npm test"]',
  );
  expect(ran.stdout).toContain("the plan is there: docs/plans");
  expect(rig.git("status", "--porcelain")).toBe("");
  expect(read(rig, ".worktreerc")).toBe(config);
  const again = await rig.json<Answer>("init");
  expect(again).toMatchObject({ wrote: [], approved: [], plan: "docs/plans" });
  expect(existsSync(rig.path("state/open-orchestrator/approvals.json"))).toBe(false);

  // Broken: said, not mended.
  rig.write({ ".worktreerc": "[rnu]\n" });
  expect((await rig.owt("init")).stdout).toContain(".worktreerc has problems: owt config validate");
  expect(read(rig, ".worktreerc")).toBe("[rnu]\n");
});

test("a plan that was played is done for real by the one command that is named", async () => {
  await using rig = Rig.create({});
  rig.userFile(
    "config.toml",
    `[agent.mine]\ncommand = ["sh", "-c", "cat >/dev/null; date +%N > real-$RANDOM$$"]\n[agent]\ndefault = "mine"\n`,
  );
  rig.ok("init", "--no-claude");
  const start = rig.git("rev-parse", "main");
  await rig.owt("run", "--yes", "--agent", "demo");
  const named = "nothing to do: all 3 tasks done by the demo agent; for real: owt run --again --from-target\n";
  expect((await rig.owt("run", "--yes")).stdout).toBe(named);
  const ran = await rig.owt("run", "--again", "--from-target", "--yes");
  expect(ran.stdout).toContain("3 of 3 tasks integrated");
  expect(ran.stderr).not.toContain("builds on r1");
  expect(rig.git("merge-base", "owt/runs/r1", "owt/runs/r2")).toBe(start);
  expect((await rig.owt("run", "--yes")).stdout).toContain("all 3 tasks done (repeat with --again)");
});

test("a repository without a commit: it says what to do first, and then it runs", async () => {
  await using rig = Rig.create({});
  mkdirSync(rig.path("empty"));
  rig.git("init", "-q", rig.path("empty"));
  writeFileSync(rig.path("empty/.env"), "KEY=secret\n");
  const ran = await rig.owtIn(rig.path("empty"), "init");
  // Told again, where it has written already.
  expect((await rig.owtIn(rig.path("empty"), "init")).stdout).toContain(
    "↳ git add .worktreerc docs/plans && git commit",
  );
  expect(ran.code).toBe(0);
  expect(ran.stdout).toContain("↳ git add .worktreerc docs/plans && git commit -m start");
  expect(ran.stdout).toContain("add what of your own belongs to it");
  expect(readFileSync(rig.path("empty/.worktreerc"), "utf8")).toContain('# verify = ["npm test"]');
  const first = /↳ (git add .*)$/m.exec(ran.stdout)![1]!;
  execFileSync("sh", ["-c", first], { cwd: rig.path("empty"), env: rig.env });
  // What nobody named stays out of it.
  expect(rig.git("-C", rig.path("empty"), "status", "--porcelain")).toBe("?? .env");
  expect((await rig.owtIn(rig.path("empty"), "init")).stdout).not.toContain("git add");
  expect((await rig.owtIn(rig.path("empty"), "run", "--yes", "--agent", "demo")).code).toBe(0);
});

test.each([["config"], ["orchestrator", "docs"]])(
  "a file where a plan's folder could be is no plan (%s)",
  async (...files) => {
    await using rig = Rig.create(Object.fromEntries(files.map((file) => [file, "a file of one's own\n"])));
    const plan = await rig.owt("plan");
    expect(plan.code).toBe(3);
    expect(plan.stderr).not.toContain("a mistake of owt");
    expect(plan.stderr).toContain("↳ owt init");
    const { wrote } = await rig.json<Answer>("init", "--yes");
    expect(wrote).toContain(".worktreerc");
    for (const file of files) expect(read(rig, file)).toBe("a file of one's own\n");
  },
);

test("outside of a repository it says how one is made", async () => {
  await using rig = Rig.create({});
  const ran = await rig.owtIn(rig.home, "init", "--json");
  expect(ran.code).toBe(3);
  expect(ran.stderr).toContain("git init");
  expect(JSON.parse(ran.stdout)).toMatchObject({ error: { code: "environment" } });
});

test("nothing is written where a folder leads out of the repository", async () => {
  await using rig = Rig.create({});
  mkdirSync(rig.path("elsewhere"));
  symlinkSync(rig.path("elsewhere"), join(rig.root, "docs"));
  const ran = await rig.owt("init");
  expect(ran.code).toBe(3);
  expect(ran.stderr).toContain("leads out of the repository");
  expect(existsSync(rig.path("elsewhere/plans"))).toBe(false);
  expect(existsSync(join(rig.root, ".worktreerc"))).toBe(false);
});

test("on a terminal it asks which agent and which checks, two questions at most", async () => {
  await using rig = Rig.create({ "package.json": scripts });
  rig.addProgram("claude", '#!/bin/sh\necho "2.1.329 (Claude Code)"\n');
  rig.addProgram("codex", '#!/bin/sh\necho "codex-cli 0.150.0"\n');
  const init = rig.startOnTerminal("init");
  await init.says("which agent works here? claude, codex [claude]");
  init.child.stdin!.write("codex\n");
  await init.says("check work with npm run lint and npm test?");
  init.child.stdin!.write("sh check.sh\n");
  const ran = await init.ended;
  expect(ran.code).toBe(0);
  expect(ran.stdout).toContain("approved sh check.sh");
  expect(read(rig, ".worktreerc")).toContain('\nverify = ["sh check.sh"]\n');
  expect(read(rig, ".worktreerc")).toContain('\ndefault = "codex"\n');
});

const CLAUDE = '#!/bin/sh\necho "2.1.329 (Claude Code)"\n';
const COMMANDS = ["worktree", "wt-cleanup", "wt-create", "wt-list", "wt-status"].map(
  (name) => `.claude/commands/${name}.md`,
);

test("where Claude Code is installed it gets its commands, and with --claude the hooks; what is there stays", async () => {
  const mine = '{\n  // mine\n  "permissions": {}\n}\n';
  await using rig = Rig.create({ ".claude/commands/wt-list.md": "my own\n" });
  rig.addProgram("claude", CLAUDE);
  const first = await rig.json<Answer>("init", "--yes");
  expect(first.wrote.filter((path) => path.startsWith(".claude"))).toEqual(
    COMMANDS.filter((path) => !path.endsWith("wt-list.md")),
  );
  expect(first.notes.join("\n")).toMatch(/wt-list\.md is there and stays as it is.*\ncommit \.claude/);
  expect(read(rig, ".claude/commands/wt-list.md")).toBe("my own\n");
  expect((await rig.json<Answer>("init", "--no-claude")).wrote).toEqual([]);

  // Settings of a shape that it does not know stay; others get the hooks behind what is there.
  rig.write({ ".claude/settings.json": mine });
  const said = await rig.owt("init", "--claude", "--json");
  expect(said.code).toBe(1);
  const strange = (JSON.parse(said.stdout) as { data: Answer }).data;
  expect([strange.wrote, read(rig, ".claude/settings.json")]).toEqual([[".claude/hooks/owt.sh"], mine]);
  expect(strange.notes.join()).toContain("settings.json is not what owt can read as settings");
  rig.write({ ".claude/settings.json": '{ "permissions": { "allow": ["Bash(ls)"] } }\n' });
  expect((await rig.owt("init", "--claude", "--dry-run")).stdout).toContain("would change .claude/settings.json, to:");
  expect((await rig.json<Answer>("init", "--claude")).wrote).toEqual([".claude/settings.json"]);
  expect(JSON.parse(read(rig, ".claude/settings.json"))).toMatchObject({ permissions: { allow: ["Bash(ls)"] } });
  expect(read(rig, ".claude/settings.json")).toContain(".claude/hooks/owt.sh; [ ! -f");
  expect((await rig.json<Answer>("init", "--claude")).wrote).toEqual([]);
});

test("on a terminal Claude Code is one question, asked until it is set up, and never a third one", async () => {
  await using rig = Rig.create({ "package.json": scripts });
  rig.addProgram("claude", CLAUDE);
  const file = join(rig.env["HOME"]!, ".claude.json");
  const before = `{"projects": {"/elsewhere": {"hasTrustDialogAccepted": false}}}`;
  writeFileSync(file, before);
  const init = rig.startOnTerminal("init");
  await init.says("check work with npm run lint and npm test?");
  init.child.stdin!.write("\n");
  await init.says(/t:\s+that,\s+and\s+it\s+may\s+trust/);
  init.child.stdin!.write("c\n");
  expect((await init.ended).code).toBe(0);
  expect(existsSync(join(rig.root, COMMANDS[0]!))).toBe(true);
  expect(existsSync(join(rig.root, ".claude/hooks/owt.sh"))).toBe(false);
  expect(readFileSync(file, "utf8")).toBe(before);

  const again = rig.startOnTerminal("init");
  await again.says(/t:\s+that,\s+and\s+it\s+may\s+trust/);
  again.child.stdin!.write("t\n");
  const ran = await again.ended;
  expect([ran.code, ran.stdout]).toEqual([
    0,
    expect.stringContaining("Claude Code trusts this repository's worktrees"),
  ]);
  expect(existsSync(join(rig.root, ".claude/hooks/owt.sh"))).toBe(true);
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
    projects: { "/elsewhere": { hasTrustDialogAccepted: false }, [rig.root]: { hasTrustDialogAccepted: true } },
  });
  // Everything is there: nothing is asked any more.
  const third = await rig.startOnTerminal("init").ended;
  expect([third.code, third.stdout]).toEqual([0, expect.not.stringContaining("Enter:")]);
});

test("trust is given with an explicit word only, remembered, renewed for sessions of ours, and taken back", async () => {
  await using rig = Rig.create({});
  rig.addProgram("claude", CLAUDE);
  const file = join(rig.env["HOME"]!, ".claude.json");
  type Trusting = Answer & { trust: boolean | null; trusted: boolean };
  const missing = await rig.json<Trusting>("init", "--yes", "--trust-claude");
  expect(missing).toMatchObject({ trust: true, trusted: false });
  expect(missing.notes.join()).toContain("start claude once");
  expect(existsSync(file)).toBe(false);
  writeFileSync(file, "{}");
  expect(await rig.json<Trusting>("init", "--yes")).toMatchObject({ trust: null, trusted: false });
  expect(readFileSync(file, "utf8")).toBe("{}");
  // Consent was given above; a session of ours needs it.
  rig.ok("tmux", "create", "--panes", "1");
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
    projects: { [rig.root]: { hasTrustDialogAccepted: true } },
  });
  expect(await rig.json<Trusting>("init", "--no-trust-claude")).toMatchObject({ trust: false, trusted: false });
  writeFileSync(file, "{}");
  rig.ok("tmux", "kill", "main", "--yes");
  rig.ok("tmux", "create", "--panes", "1");
  expect(readFileSync(file, "utf8")).toBe("{}");
});

test("a check whose program is not there is told", async () => {
  await using rig = Rig.create({ "go.mod": "module shop\n" });
  rig.env["PATH"] = `${rig.path("bin")}:/usr/bin:/bin`;
  writeFileSync(join(rig.root, "mix.exs"), "");
  const { notes, verify } = await rig.json<Answer>("init", "--dry-run");
  expect(verify).toEqual(["go test ./...", "mix test"]);
  expect(notes.join()).toContain("mix is not installed here");
});
