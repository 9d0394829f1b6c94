/** The script of the hooks, as a shell runs it: quick, silent, and never in the way. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Rig } from "../rig/rig.ts";

const SCRIPT = new URL("../../plugin/hooks/owt.sh", import.meta.url).pathname;

let rig: Rig;
beforeEach(() => {
  rig = Rig.create({ ".gitignore": "node_modules\n" });
  // The real one, which tells that it was called.
  rig.addProgram(
    "owt",
    `#!/bin/sh\necho "$*" >>'${rig.path("called")}'\nexec '${process.execPath}' '${rig.command}' "$@"\n`,
  );
});
afterEach(() => rig[Symbol.asyncDispose]());

const payload = (event: string, more = {}) =>
  JSON.stringify({ session_id: "s1", cwd: rig.root, hook_event_name: event, ...more });

function hook(event: string, more: { input?: object; at?: string; spool?: string; env?: NodeJS.ProcessEnv } = {}) {
  const { status, stdout, stderr } = spawnSync("sh", [SCRIPT, event, ...(more.spool ? [more.spool] : [])], {
    input: payload(event, more.input),
    cwd: more.at ?? rig.root,
    env: { ...rig.env, CLAUDE_PROJECT_DIR: more.at ?? rig.root, ...more.env },
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

const SILENT = { status: 0, stdout: "", stderr: "" };
const called = () => (existsSync(rig.path("called")) ? readFileSync(rig.path("called"), "utf8") : "");
const stateOf = async (name: string) =>
  (await rig.json<{ worktrees: { name: string; state: string; agent: string | null }[] }>("list")).worktrees.find(
    (each) => each.name === name,
  );

test("a Claude Code that was started by hand is seen by owt, and no event of its state starts owt", async () => {
  rig.ok("create", "x", "--no-tmux");
  const at = rig.path("shop-x");
  // Whoever runs the hook stands for Claude Code.
  for (const [event, state] of [
    ["SessionStart", "idle"],
    ["UserPromptSubmit", "working"],
    ["PermissionRequest", "blocked"],
    ["PostToolUse", "working"],
    ["Stop", "waiting"],
  ] as const) {
    const env = event === "UserPromptSubmit" ? { PATH: "/usr/bin:/bin" } : {};
    expect(hook(event, { at, env, input: { source: "startup" } })).toEqual(SILENT);
    expect(await stateOf("x")).toMatchObject({ state, agent: "claude" });
  }
  expect(await rig.json("wait", "x")).toMatchObject({ state: "waiting" });
  expect(await stateOf("main")).toMatchObject({ state: "none" });
  expect(called()).toBe("");
  hook("SessionEnd", { at, input: { reason: "clear" } });
  expect(await stateOf("x")).toMatchObject({ state: "none" });
  expect(called()).toBe("");
  expect(rig.git("-C", at, "status", "--porcelain")).toBe("");
  // What the hooks left goes with the worktree.
  const own = rig.git("-C", at, "rev-parse", "--absolute-git-dir");
  expect(existsSync(join(own, "owt-spool"))).toBe(true);
  rig.ok("delete", "x", "--yes");
  expect([existsSync(at), existsSync(own)]).toEqual([false, false]);
});

test("the context: worktree, branch, ports and note; nothing outside of a repository, within a run, or where owt is not installed", async () => {
  rig.ok("create", "feature/x", "--no-tmux");
  rig.ok("note", "feature/x", "the", "form", "first");
  const at = rig.path("shop-feature-x");
  const told = JSON.parse(hook("UserPromptSubmit", { at }).stdout) as { hookSpecificOutput: object };
  expect(told.hookSpecificOutput).toEqual({
    hookEventName: "UserPromptSubmit",
    additionalContext: expect.stringMatching(
      /^\[Worktree: shop-feature-x \| Branch: feature\/x(?: \| Ports: \d+-\d+)?(?: \| Database: \w+)? \| Note: the form first\]$/,
    ) as string,
  });
  expect(hook("UserPromptSubmit", { at, env: { OWT_ATTEMPT: "1" } })).toEqual(SILENT);
  expect(hook("UserPromptSubmit", { at, env: { PATH: "/usr/bin:/bin" } })).toEqual(SILENT);
  expect(hook("UserPromptSubmit", { at: rig.home })).toEqual(SILENT);
  expect(await rig.owtIn(rig.home, "hook", "context")).toEqual({ code: 0, stdout: "", stderr: "" });
  rig.write({ ".worktreerc": "[[[" });
  expect(hook("UserPromptSubmit", { at: rig.root }).stdout).toContain("Worktree: shop (main checkout)");
});

test("installed twice, one speaks; a session that owt watches is left to its own hooks", () => {
  const env = { CLAUDE_PLUGIN_ROOT: "/plugin" };
  rig.write({ ".claude/settings.json": '{"hooks": "sh .claude/hooks/owt.sh"}' });
  expect(hook("UserPromptSubmit", { env })).toEqual(SILENT);
  expect(hook("UserPromptSubmit").stdout).toContain("Worktree: shop");
  const spool = join(rig.root, ".git/owt-spool");
  const before = readFileSync(spool, "utf8");
  hook("Stop", { env: { OWT_SPOOL: "elsewhere" } });
  expect(readFileSync(spool, "utf8")).toBe(before);
});

test("a session's end brings a clean linked worktree up to date, behind it; a dirty one, the main checkout and a mere /clear stay", async () => {
  for (const name of ["clean", "dirty", "cleared"]) rig.ok("create", name, "--no-tmux");
  rig.write({ "new.txt": "from main" });
  rig.commit("Something new");
  writeFileSync(join(rig.path("shop-dirty"), "README.md"), "mine");
  const end = (name: string, reason: string) => hook("SessionEnd", { at: rig.path(`shop-${name}`), input: { reason } });
  expect(end("cleared", "clear")).toEqual(SILENT);
  expect(end("dirty", "prompt_input_exit")).toEqual(SILENT);
  expect(hook("SessionEnd", { input: { reason: "other" } })).toEqual(SILENT);
  expect(end("clean", "prompt_input_exit")).toEqual(SILENT);
  await vi.waitFor(() => expect(existsSync(join(rig.path("shop-clean"), "new.txt"))).toBe(true), { timeout: 30_000 });
  // The main checkout has nothing to ask owt for, nor has one that goes on.
  expect(called().trim().split("\n")).toEqual(["hook session-end", "hook session-end"]);
  await vi.waitFor(() => expect(rig.processes()).toEqual([]), { timeout: 30_000 });
  expect(readFileSync(join(rig.path("shop-dirty"), "README.md"), "utf8")).toBe("mine");
  expect(["dirty", "cleared"].map((name) => existsSync(join(rig.path(`shop-${name}`), "new.txt")))).toEqual([
    false,
    false,
  ]);
  expect((await rig.owtIn(rig.root, "hook", "session-end")).code).toBe(0);
});

/** A hook that waits, as long as its dialog is on the screen. */
function asks(spool: string, input: object) {
  const child = spawn("sh", [SCRIPT, "PermissionRequest", spool], {
    env: { ...rig.env, CLAUDE_CODE_ENTRYPOINT: "cli" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.end(payload("PermissionRequest", { ...input, permission_suggestions: [] }));
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
  return { child, ended: new Promise<string>((resolve) => child.on("close", () => resolve(said))) };
}

const bash = (command: string) => ({ tool_name: "Bash", tool_input: { command } });

test("leave that is asked for is seen in the inbox and given or refused from there, once", async () => {
  rig.ok("create", "x", "--no-tmux");
  const own = rig.git("-C", rig.path("shop-x"), "rev-parse", "--absolute-git-dir");
  const spool = join(own, "owt-spool");
  const inbox = async () =>
    (await rig.json<{ asks: { name: string; tool: string; detail: string; command: string }[] }>("inbox")).asks;
  const first = asks(spool, bash("rm -r build"));
  const second = asks(spool, { tool_name: "Write", tool_input: { file_path: "/etc/x", content: "y" } });
  await vi.waitFor(async () => expect(await inbox()).toHaveLength(2), { timeout: 20_000 });
  expect((await rig.owt("inbox")).stdout).toMatch(
    /x asks leave: Bash rm -r build .*\n {2}↳ owt task approve x --ask \d+/,
  );

  const unclear = await rig.owt("task", "approve", "x");
  expect(unclear).toMatchObject({ code: 2, stderr: expect.stringMatching(/asks 2 things:\n {2}\d+: /) as string });
  const agent = rig.env["CLAUDECODE"];
  rig.env["CLAUDECODE"] = "1";
  const ids = (await inbox()).map(({ command }) => command.split(" ").at(-1)!);
  expect((await rig.owt("task", "approve", "x", "--ask", ids[0]!)).stderr).toContain("an agent gives no leave");
  rig.env["CLAUDECODE"] = agent;

  const write = (await inbox()).find(({ tool }) => tool === "Write");
  const refused = await rig.json(
    "task",
    "approve",
    "x",
    "--ask",
    write!.command.split(" ").at(-1)!,
    "--refuse",
    "not there",
  );
  expect(refused).toEqual({ task: "x", approved: false, asked: { tool: "Write", detail: "/etc/x" } });
  expect(await second.ended).toContain('"decision":{"behavior":"deny","message":"not there"}');
  expect((await rig.owt("task", "approve", "x")).stdout).toBe("x: allowed, this once: Bash rm -r build\n");
  expect(await first.ended).toContain('"decision":{"behavior":"allow"}');
  expect(await inbox()).toEqual([]);
  expect((await rig.owt("task", "approve", "x", "--refuse")).stderr).toContain("no agent of x asks for leave");
  // Nothing is left of it: no pipe, no process.
  expect(readdirSync(own).filter((name) => name.includes("+ask"))).toEqual([]);
  await vi.waitFor(() => expect(rig.processes()).toEqual([]), { timeout: 20_000 });
});

test("a dialog that is answered on the screen lets its hook go, and no other", async () => {
  const spool = rig.path("spool");
  const asked = () => readdirSync(rig.home).filter((name) => /\+ask\.\d+\.text$/.test(name));
  // One is longer than what is read of it.
  const long = bash(`a ${"x".repeat(9_000)}`);
  const [one, other] = [asks(spool, long), asks(spool, bash("b"))];
  await vi.waitFor(() => expect(asked()).toHaveLength(2), { timeout: 20_000 });
  hook("PostToolUse", { spool, input: { ...long, tool_response: {} } });
  expect(await one.ended).toBe("");
  expect(other.child.exitCode).toBe(null);
  hook("Stop", { spool, input: { session_id: "another" } });
  expect(other.child.exitCode).toBe(null);
  hook("Stop", { spool });
  expect(await other.ended).toBe("");
  // One that Claude Code ends leaves nothing behind either. What is counted is its own.
  await vi.waitFor(() => expect(readdirSync(rig.home).filter((name) => name.includes("+ask"))).toEqual([]));
  const third = asks(spool, bash("c"));
  await vi.waitFor(() => expect(asked()).toHaveLength(1), { timeout: 20_000 });
  third.child.kill("SIGTERM");
  await third.ended;
  expect(readdirSync(rig.home).filter((name) => name.includes("+ask"))).toEqual([]);
});

test("without a terminal nobody waits, and where no pipe can be made neither", () => {
  const spool = rig.path("spool");
  expect(hook("PermissionRequest", { spool, env: { CLAUDE_CODE_ENTRYPOINT: "sdk-cli" } })).toEqual(SILENT);
  writeFileSync(rig.path("file"), "");
  const env = { CLAUDE_CODE_ENTRYPOINT: "cli" };
  expect(hook("PermissionRequest", { spool: rig.path("file/spool"), env })).toEqual(SILENT);
});

test("what is said, asked and answered is written down nowhere by the hooks, and what leave is asked for without its secrets", async () => {
  rig.ok("create", "x", "--no-tmux");
  const at = rig.path("shop-x");
  const own = rig.git("-C", at, "rev-parse", "--absolute-git-dir");
  const token = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
  const record = { transcript_path: rig.path("record.jsonl") };
  const said = {
    SessionStart: { source: "startup" },
    UserPromptSubmit: { prompt: `use ${token}, which is "mine"` },
    PreToolUse: bash(`curl -H "Authorization: Bearer ${token}"`),
    PostToolUse: { ...bash(`echo ${token}`), tool_response: { stdout: token } },
    Notification: { message: `may I show ${token}?`, notification_type: "permission_prompt" },
    Stop: { last_assistant_message: token },
    SessionEnd: { reason: "clear" },
  };
  for (const [event, input] of Object.entries(said)) hook(event, { at, input: { ...record, ...input } });
  const lines = readFileSync(join(own, "owt-spool"), "utf8").trim().split("\n");
  expect(lines.map((line) => JSON.parse(line) as object)).toEqual(
    Object.keys(said).map((event) => ({
      owt_pid: expect.any(Number) as number,
      hook_event_name: event,
      session_id: "s1",
      ...record,
      ...(event === "SessionStart" && { source: "startup" }),
      ...(event === "Notification" && { notification_type: "permission_prompt" }),
      ...(event === "SessionEnd" && { reason: "clear" }),
    })),
  );
  const asking = asks(join(own, "owt-spool"), bash(`git push https://me:${token}@example.com`));
  type Inbox = { asks: { detail: string }[] };
  await vi.waitFor(async () => expect((await rig.json<Inbox>("inbox")).asks).toHaveLength(1), { timeout: 20_000 });
  expect((await rig.json<Inbox>("inbox")).asks[0]!.detail).toBe("git push https://(hidden)@example.com");
  const files = readdirSync(own).filter((name) => name.startsWith("owt-spool") && !/\d$/.test(name));
  expect(files.toSorted()).toEqual(["owt-spool", expect.stringMatching(/\.of$/), expect.stringMatching(/\.text$/)]);
  for (const name of files) expect(readFileSync(join(own, name), "utf8")).not.toContain(token.slice(0, 12));
  rig.ok("task", "approve", "x");
  expect(await asking.ended).toContain('"behavior":"allow"');
});

test("where owt cannot be called, leave is asked for by the tool's name alone", async () => {
  rig.ok("create", "x", "--no-tmux");
  const own = rig.git("-C", rig.path("shop-x"), "rev-parse", "--absolute-git-dir");
  rig.addProgram("owt", "#!/bin/sh\nexit 127\n");
  const asking = asks(join(own, "owt-spool"), bash("rm -r secret"));
  type Inbox = { asks: { tool: string; detail: string }[] };
  await vi.waitFor(async () => expect((await rig.json<Inbox>("inbox")).asks).toHaveLength(1), { timeout: 20_000 });
  expect((await rig.json<Inbox>("inbox")).asks).toMatchObject([{ tool: "Bash", detail: "…" }]);
  rig.ok("task", "approve", "x", "--refuse");
  expect(await asking.ended).toContain('"behavior":"deny"');
});
