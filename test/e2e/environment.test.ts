/** What surrounds the real Claude Code when owt starts it, in both pinned versions: the user's own login and settings, nothing of a session
 *  that surrounds owt, and a project that is left as it is. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { CLAUDE_VERSIONS } from "../rig/claude-binary.ts";
import { credentials } from "../rig/claude-login.ts";
import { approvedRig, integrated, sessionOf, SINGLE, whyNoClaude, works } from "../rig/claude-plan.ts";
import type { ClaudeRig } from "../rig/claude-rig.ts";
import type { Answer } from "../rig/fake-api.ts";

/** Prints the environment that a tool of the agent has. */
const TELLS = { "tell.sh": 'env >"$HOME/told"\n' };
const MAY_TELL = '[run]\nverify = "sh check.sh"\n[agent.claude]\nallowed_tools = ["Bash(sh tell.sh)"]\n';
const TELL: Answer = { use: [{ name: "Bash", input: { command: "sh tell.sh", description: "Tell" } }] };
const TELLS_AND_WORKS = { "site/E01": { task: [TELL, ...works("first").task] } };

function toldEnvironment(rig: ClaudeRig): Record<string, string> {
  const lines = readFileSync(join(rig.home, "told"), "utf8").trimEnd().split("\n");
  return Object.fromEntries(lines.map((line) => [line.split("=", 1)[0]!, line.slice(line.indexOf("=") + 1)]));
}

function logins(rig: ClaudeRig): string[] {
  return [...new Set(rig.api.requests.map((request) => request.login))];
}

async function loginSeenByDoctor(rig: ClaudeRig): Promise<unknown> {
  const { agents } = await rig.ask<{ agents: { name: string; login: unknown }[] }>("doctor");
  return agents.find((each) => each.name === "claude")?.login;
}

function claudeFilesIn(home: string): string[] {
  return readdirSync(home).filter((name) => name.startsWith(".claude"));
}

describe.each(CLAUDE_VERSIONS)("claude %s", (version) => {
  beforeEach((context) => {
    const why = whyNoClaude(version);
    if (why !== null) context.skip(why);
  });

  test("with an API key in the environment, and a home in which it never was", async () => {
    await using rig = await approvedRig(SINGLE, { "site/E01": works("first") }, { version });
    expect(claudeFilesIn(rig.home)).toEqual([]);
    expect(await loginSeenByDoctor(rig)).toEqual({
      state: "found",
      detail: "the variable ANTHROPIC_API_KEY",
      variable: "ANTHROPIC_API_KEY",
    });
    await rig.owt("run", "--yes").exits(0);
    expect(logins(rig)).toEqual(["x-api-key: sk-ant-dummy"]);
    expect(integrated(rig)).toEqual(["site/E01 yes"]);
  });

  test("with the user's own login in a file, and the user's settings and hooks", async () => {
    const env = { ANTHROPIC_API_KEY: undefined };
    await using rig = await approvedRig({ ...SINGLE, ...TELLS }, TELLS_AND_WORKS, { version, env, config: MAY_TELL });
    expect(await loginSeenByDoctor(rig)).toMatchObject({ state: "missing" });
    const config = join(rig.home, ".claude");
    mkdirSync(config);
    writeFileSync(join(config, ".credentials.json"), credentials("sk-ant-oat01-in-a-file"), { mode: 0o600 });
    const hook = { type: "command", command: 'echo started >>"$HOME/hook-ran"' };
    const settings = JSON.stringify({ env: { FROM_SETTINGS: "yes" }, hooks: { SessionStart: [{ hooks: [hook] }] } });
    writeFileSync(join(config, "settings.json"), settings);
    expect(await loginSeenByDoctor(rig)).toEqual({ state: "found", detail: join(config, ".credentials.json") });

    await rig.owt("run", "--yes").exits(0);
    expect(logins(rig)).toEqual(["authorization: Bearer sk-ant-oat01-in-a-file"]);
    expect(existsSync(join(rig.home, "hook-ran"))).toBe(true);
    expect(toldEnvironment(rig)["FROM_SETTINGS"]).toBe("yes");
    expect(readFileSync(join(config, "settings.json"), "utf8")).toBe(settings);
  });

  test("with its folder elsewhere: conversations are kept and found there, and nothing lands in the home", async () => {
    const elsewhere = realpathSync(mkdtempSync(join(tmpdir(), "owt-config-")));
    onTestFinished(() => rmSync(elsewhere, { recursive: true, force: true }));
    writeFileSync(join(elsewhere, ".credentials.json"), credentials("sk-ant-oat01-elsewhere"), { mode: 0o600 });
    const env = { ANTHROPIC_API_KEY: undefined, CLAUDE_CONFIG_DIR: elsewhere };
    const script = { "site/E01": { task: works("first", { text: "TODO" }).task, repair: works("first").task } };
    await using rig = await approvedRig(SINGLE, script, { version, env });
    await rig.owt("run", "--yes").exits(0);

    const [start, resume] = rig.starts();
    const session = sessionOf(start!);
    expect(resume).toContain(`--resume ${session}`);
    const kept = readdirSync(join(elsewhere, "projects"), { recursive: true }).map(String);
    expect(kept.filter((path) => path.endsWith(`${session}.jsonl`))).toHaveLength(1);
    expect(logins(rig)).toEqual(["authorization: Bearer sk-ant-oat01-elsewhere"]);
    expect(claudeFilesIn(rig.home)).toEqual([]);
    expect(integrated(rig)).toEqual(["site/E01 yes"]);
  });

  test("nothing of a session that surrounds owt reaches the agent; its own settings and what is passed do", async () => {
    const surrounding = {
      CLAUDECODE: "surrounding",
      CLAUDE_CODE_SESSION_ID: "11111111-2222-4333-8444-surrounding",
      CLAUDE_CODE_CHILD_SESSION: "surrounding",
      CLAUDE_CODE_ENTRYPOINT: "surrounding",
      CLAUDE_CODE_EXECPATH: "/surrounding",
      CLAUDE_CODE_SSE_PORT: "surrounding",
      CLAUDE_CODE_MESSAGING_SOCKET: "/surrounding/socket",
      CLAUDE_CODE_MESSAGING_TOKEN: "surrounding",
      CLAUDE_CODE_REMOTE: "surrounding",
      CLAUDE_ENV_FILE: "/surrounding/env",
      CLAUDE_PROJECT_DIR: "/surrounding/project",
      CLAUDE_PLUGIN_ROOT: "/surrounding/plugin",
      CODEX_THREAD_ID: "surrounding",
      CODEX_SANDBOX: "surrounding",
      npm_config_registry: "http://surrounding",
      SOME_SECRET: "surrounding",
    };
    const env = { ...surrounding, BASH_MAX_TIMEOUT_MS: "123456", PASSED: "passed on" };
    const config = `[environment]\npass = ["PASSED"]\n${MAY_TELL}`;
    await using rig = await approvedRig({ ...SINGLE, ...TELLS }, TELLS_AND_WORKS, { version, env, config });
    await rig.owt("run", "--yes").exits(0);
    const told = toldEnvironment(rig);
    expect(Object.entries(told).filter(([, value]) => value.includes("surrounding"))).toEqual([]);
    const ours = { OWT_RUN: "r1", OWT_TASK: "site/E01" };
    expect(told).toMatchObject({ ...ours, PASSED: "passed on", BASH_MAX_TIMEOUT_MS: "123456" });
    expect(logins(rig)).toEqual(["x-api-key: sk-ant-dummy"]);
  });
});

test("the project's own CLAUDE.md is read, not written, and no file of ours is in the worktree or in the commit", async (context) => {
  const why = whyNoClaude();
  if (why !== null) context.skip(why);
  const [write, ...rest] = works("first").task;
  const list: Answer = { use: [{ name: "Bash", input: { command: "sh list.sh", description: "List" } }] };
  const files = {
    ...SINGLE,
    "CLAUDE.md": "# Ours\n\nSay please.\n",
    "list.sh": 'git status --porcelain --ignored --untracked-files=all >"$HOME/listed"\n',
  };
  const config = '[run]\nverify = "sh check.sh"\n[agent.claude]\nallowed_tools = ["Bash(sh list.sh)"]\n';
  await using rig = await approvedRig(files, { "site/E01": { task: [write!, list, ...rest] } }, { config });
  await rig.owt("run", "--yes").exits(0);
  expect(readFileSync(join(rig.home, "listed"), "utf8")).toBe("?? first.txt\n");
  expect(rig.git("diff", "--name-only", "main", "owt/runs/r1")).toBe("first.txt");
  expect(rig.git("show", "owt/runs/r1:CLAUDE.md")).toBe(files["CLAUDE.md"].trim());
  expect(rig.git("status", "--porcelain", "--ignored")).toBe("");
  expect(JSON.stringify(rig.api.requests[0]!.messages)).toContain("Say please.");
});
