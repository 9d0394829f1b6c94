/** The real Claude Code with owt's slash commands, hooks and plugin, behind a fake API. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { capturePane, sendText } from "../../src/tmux/pane.ts";
import { runTmux, tmuxServer } from "../../src/tmux/tmux.ts";
import { whyNoClaude } from "../rig/claude-plan.ts";
import { type ClaudeRig, claudeRig } from "../rig/claude-rig.ts";
import { type Script, startFakeApi, textOf } from "../rig/fake-api.ts";

beforeEach((context) => {
  const why = whyNoClaude();
  if (why !== null) context.skip(why);
});

const OWT = new URL("../../bin/owt.js", import.meta.url).pathname;

/** A rig with `owt` on the PATH, whose owner has started Claude Code here before. */
async function prepare(script: Script, options = { isTrusted: true }): Promise<ClaudeRig> {
  const rig = await claudeRig({ api: await startFakeApi(script), files: { "README.md": "# Shop\n" } });
  const program = join(dirname(rig.root), "bin", "owt");
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${OWT}' "$@"\n`);
  chmodSync(program, 0o755);
  const settled = {
    hasCompletedOnboarding: true,
    customApiKeyResponses: { approved: ["sk-ant-dummy"], rejected: [] },
    projects: options.isTrusted ? { [rig.root]: { hasTrustDialogAccepted: true } } : {},
  };
  writeFileSync(join(rig.home, ".claude.json"), JSON.stringify(settled));
  return rig;
}

/** The agent's pane of a session, or any pane by its target. */
function paneOf(rig: ClaudeRig, id: string) {
  const tmux = tmuxServer({ ...process.env, OWT_TMUX_SOCKET: join(dirname(rig.root), "sessions.sock") });
  const screen = () => capturePane(tmux, id, { above: 0 });
  const until = async (what: string, holds: () => boolean | Promise<boolean>) => {
    for (const ends = Date.now() + 60_000; !(await holds());) {
      if (Date.now() > ends) throw new Error(`never: ${what}\n${await screen().catch(() => "")}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  return {
    until,
    shows: (text: string | RegExp) =>
      until(`the screen shows ${String(text)}`, async () => (await screen()).search(text) >= 0),
    presses: (key: string) => runTmux(tmux, [["send-keys", "-t", id, key]]),
    types: (text: string) => sendText(tmux, id, text, { enter: true }),
  };
}

type Sessions = { sessions: { panes: { id: string }[] }[] };
type Inbox = { asks: { name: string; tool: string; detail: string }[] };

/** What people, commands and hooks have told the model. */
const heard = (rig: ClaudeRig) =>
  rig.api.requests
    .flatMap(({ messages }) => messages.filter(({ role }) => role !== "assistant").map(textOf))
    .join("\n");

const bash = (command: string) => ({ use: [{ name: "Bash", input: { command, description: "As told" } }] });

test("/worktree create x, typed into Claude Code, makes the worktree x", async () => {
  // What the text of the command tells the model to do.
  await using rig = await prepare({ "": { task: [bash("owt create x --no-tmux"), { say: "x is there." }] } });
  await rig.ask("init", "--yes", "--claude");
  await rig.ask("tmux", "create", "--panes", "1");
  const pane = paneOf(rig, (await rig.ask<Sessions>("tmux", "list")).sessions[0]!.panes[0]!.id);
  await pane.shows(/^❯/m);
  await pane.types("/worktree create x");
  // Nobody was asked: the command brings its own leave.
  await pane.shows("x is there.");
  expect(rig.git("worktree", "list")).toMatch(/repo-x .*\[x\]/);
  const told = heard(rig);
  expect(told).toContain("What is wanted: create x\n");
  expect(told).toContain("- Branch here: main\n");
  expect(told).toContain("[Worktree: repo (main checkout) | Branch: main]");
});

test("each command reaches the model as it is written, whatever words stand behind it", async () => {
  const typed = [
    ["/wt-create feature/plg add the form", "feature/plg add the form"],
    ["/wt-create feature/y", "feature/y"],
    ["/wt-status inst", "inst"],
    ["/wt-status", ""],
    ["/wt-cleanup --merged --days 3", "--merged --days 3"],
    ["/wt-list", ""],
    ["/worktree note x a word or two", "note x a word or two"],
  ] as const;
  const told = typed.map((_, at) => ({ say: `heard number ${at}.` }));
  await using rig = await prepare({ "": { task: told } });
  await rig.ask("init", "--yes", "--claude");
  await rig.ask("tmux", "create", "--panes", "1");
  const pane = paneOf(rig, (await rig.ask<Sessions>("tmux", "list")).sessions[0]!.panes[0]!.id);
  await pane.shows(/^❯/m);
  for (const [at, [line, words]] of typed.entries()) {
    await pane.types(line);
    await pane.shows(`heard number ${at}.`);
    const name = /^\/([\w-]+)/.exec(line)![1]!;
    const text = readFileSync(new URL(`../../plugin/commands/${name}.md`, import.meta.url), "utf8");
    // What it asks a program first stands there in place of its line.
    const lines = text
      .replace(/^---\n[^]*?\n---\n/, "")
      .replaceAll("$ARGUMENTS", words)
      .split("\n");
    const all = heard(rig);
    for (const each of lines.filter((part) => part.trim() !== "" && !part.includes("!`"))) expect(all).toContain(each);
    expect(all).not.toMatch(/\$(?:\d|ARGUMENTS)/);
  }
});

test("a dialog that is refused on the screen is no question any more, and its agent waits", async () => {
  await using rig = await prepare({ "": { task: [bash("sh -c 'echo made > one'"), { say: "I go on." }] } });
  await rig.ask("create", "x", "--prompt", "go");
  const pane = paneOf(rig, (await rig.ask<Sessions>("tmux", "list")).sessions[0]!.panes[0]!.id);
  await rig.ask("wait", "x", "--for", "blocked", "--timeout", "60s");
  await pane.shows("Do you want to proceed?");
  expect((await rig.ask<Inbox>("inbox")).asks).toHaveLength(1);
  await pane.presses("Escape");
  expect(await rig.ask("wait", "x", "--for", "waiting", "--timeout", "60s")).toMatchObject({ state: "waiting" });
  expect((await rig.ask<Inbox>("inbox")).asks).toEqual([]);
  // What comes next lets the hook go.
  await rig.ask("send", "x", "something else");
  await pane.until("nobody waits", () => !rig.processes().some((each) => each.includes("PermissionRequest")));
});

test("an agent's request for leave is answered by owt task approve, with the dialog on its screen", async () => {
  const [first, second, third] = ["one", "two", "three"].map((name) => bash(`sh -c 'echo made > ${name}'`));
  await using rig = await prepare({ "": { task: [first!, second!, third!, { say: "All is said." }] } });
  await rig.ask("create", "x", "--prompt", "go");
  const at = join(dirname(rig.root), "repo-x");
  const pane = paneOf(rig, (await rig.ask<Sessions>("tmux", "list")).sessions[0]!.panes[0]!.id);
  const asked = async (name: string) => {
    await pane.until(`it asks for ${name}`, async () =>
      (await rig.ask<Inbox>("inbox")).asks.some(({ detail }) => detail.includes(`> ${name}'`)),
    );
    await pane.shows("Do you want to proceed?");
  };
  await asked("one");
  expect(await rig.ask("wait", "x", "--for", "blocked")).toMatchObject({ state: "blocked" });
  await rig.ask("task", "approve", "x");
  await asked("two");
  expect(existsSync(join(at, "one"))).toBe(true);
  await rig.ask("task", "approve", "x", "--refuse", "two is not wanted");
  await asked("three");
  expect([existsSync(join(at, "two")), JSON.stringify(rig.api.requests.at(-1)!.messages)]).toEqual([
    false,
    expect.stringContaining("two is not wanted"),
  ]);
  // On the screen, as ever: then nothing is left to approve.
  await pane.types("");
  await pane.shows("All is said.");
  expect(existsSync(join(at, "three"))).toBe(true);
  expect(await rig.ask("wait", "x")).toMatchObject({ state: "waiting" });
  expect((await rig.ask<Inbox>("inbox")).asks).toEqual([]);
});

test("the plugin from its local marketplace: commands under its name, context, state, a sync behind it; taken out again, nothing is left", async () => {
  await using rig = await prepare({ "": { task: [{ say: "I have seen it." }] } });
  await rig.ask("create", "x", "--no-tmux");
  const at = join(dirname(rig.root), "repo-x");
  const top = dirname(rig.root);
  const env = {
    PATH: `${join(top, "bin")}:${process.env["PATH"]}`,
    HOME: rig.home,
    XDG_STATE_HOME: join(rig.home, "state"),
    XDG_CONFIG_HOME: join(rig.home, "config"),
    OWT_TMUX_SOCKET: join(top, "sessions.sock"),
    IS_SANDBOX: "1",
    LANG: "C.UTF-8",
    TERM: "xterm-256color",
    ANTHROPIC_BASE_URL: rig.api.url,
    ANTHROPIC_API_KEY: "sk-ant-dummy",
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
  };
  const claude = (...args: string[]) =>
    execFileSync(join(top, "bin", "claude"), args, { cwd: at, env, encoding: "utf8" });
  claude(
    "plugin",
    "marketplace",
    "add",
    execFileSync(join(top, "bin", "owt"), ["hook", "plugin"], { env, encoding: "utf8" }).trim(),
  );
  claude("plugin", "install", "owt@open-orchestrator");
  // By hand, in a tmux of one's own.
  const started = ["new-session", "-d", "-P", "-F", "#{pane_id}", "-x", "120", "-y", "40", "-c", at, "claude"];
  const id = execFileSync("tmux", ["-S", env.OWT_TMUX_SOCKET, ...started], { env, cwd: at, encoding: "utf8" }).trim();
  const pane = paneOf(rig, id);
  await pane.shows(/^❯/m);
  await pane.types("/owt:wt-list");
  await pane.shows("I have seen it.");
  const told = heard(rig);
  expect(told).toMatch(/Worktrees:.*\n.*main/);
  expect(told).toContain("[Worktree: repo-x | Branch: x");
  type List = { worktrees: { name: string; state: string; agent: string | null }[] };
  const listed = async () => (await rig.ask<List>("list")).worktrees.find(({ name }) => name === "x");
  await pane.until("owt sees it", async () => (await listed())?.state === "waiting");
  expect(await listed()).toMatchObject({ agent: "claude" });
  writeFileSync(join(rig.root, "new.txt"), "from main\n");
  rig.git("add", "new.txt");
  rig.git("commit", "-q", "-m", "Something new");
  await pane.types("/exit");
  await pane.until("it ended", () => rig.claudes().length === 0);
  expect(await listed()).toMatchObject({ state: "none" });
  await pane.until("what is new has come", () => existsSync(join(at, "new.txt")));
  claude("plugin", "uninstall", "owt@open-orchestrator");
  claude("plugin", "marketplace", "remove", "open-orchestrator");
  expect(readFileSync(join(rig.home, ".claude", "settings.json"), "utf8")).not.toContain("owt@open-orchestrator");
});

test("its question at the first start is asked, and not where owt init was told so", async () => {
  await using rig = await prepare({ "": { task: [{ say: "Here I am." }] } }, { isTrusted: false });
  await rig.ask("create", "x");
  const panes = async () => (await rig.ask<Sessions>("tmux", "list")).sessions.map(({ panes: [pane] }) => pane!.id);
  await paneOf(rig, (await panes())[0]!).shows(/trust this folder|do you trust/i);
  await rig.ask("tmux", "kill", "x", "--yes");
  expect(await rig.ask("init", "--yes", "--trust-claude")).toMatchObject({ trusted: true });
  await rig.ask("create", "y", "--prompt", "where are you?");
  await paneOf(rig, (await panes())[0]!).shows("Here I am.");
});
