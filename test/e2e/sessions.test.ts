/** Sessions of worktrees by hand: made, told, waited for, brought back, ended. The agent is a program that runs its hooks as Claude Code does. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { Rig } from "../rig/rig.ts";

const AGENT = new URL("../rig/talking-agent.mjs", import.meta.url).pathname;

type Told = { id: string; cwd: string; text?: string; started?: string; lead?: string | null; port?: string | null };

function prepare(more = ""): Rig {
  const rig = Rig.create({ ".gitignore": ".env\n" });
  rig.userFile("config.toml", `[agent.claude]\ncommand = ["${process.execPath}", "${AGENT}"]\n${more}`);
  return rig;
}

function told(rig: Rig): Told[] {
  const file = join(rig.env["HOME"]!, "told");
  return existsSync(file)
    ? readFileSync(file, "utf8")
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Told)
    : [];
}

const stateOf = async (rig: Rig, name: string) => {
  const { worktrees } = await rig.json<{ worktrees: { name: string; state: string; agent: string | null }[] }>("list");
  return worktrees.find((each) => each.name === name)?.state;
};

test("a new worktree's agent is told its prompt, exactly; what it does is told by its hooks, and waited for", async () => {
  await using rig = prepare();
  const go = rig.path("go");
  const prompt = `hold ${go} -- it's "quoted" $HOME \`x\` ; end;`;
  const made = await rig.owt("create", "feature/login", "--prompt", prompt);
  expect(made).toMatchObject({ code: 0, stderr: expect.stringContaining("owt switch feature/login") as string });
  expect(await rig.json("wait", "login", "--for", "working")).toMatchObject({ state: "working" });
  expect(await stateOf(rig, "feature/login")).toBe("working");
  expect((await rig.owt("list")).stdout).toMatch(/feature\/login .*claude works/);
  const late = await rig.owt("wait", "login", "--timeout", "100ms");
  expect(late).toMatchObject({ code: 5, stdout: "still working\n" });

  const waiting = rig.start("wait", "feature/login");
  writeFileSync(go, "");
  expect(await waiting.ended).toMatchObject({ code: 0, stdout: "waiting\n" });
  expect(told(rig).map(({ text }) => text)).toEqual([undefined, prompt]);

  // Somebody typed a token: what is on record does not hold it.
  const words = "Use token=ghp_0123456789abcdefghijABCDEFGHIJ012345 and 'this'\nin two lines; -t =x; Enter";
  await rig.owt("send", "login", words);
  await vi.waitFor(() => expect(told(rig).at(-1)?.text).toBe(words), { timeout: 20_000 });
  const { worktree } = await rig.json<{ worktree: { messages: { text: string }[] } }>("status", "feature/login");
  expect(worktree.messages.map(({ text }) => text)).toEqual([expect.not.stringContaining("ghp_0123")]);
  expect((await rig.owt("status", "login")).stdout).toContain("told: Use");
});

test("words to all, to those that wait, and from a worker to its lead", async () => {
  await using rig = prepare();
  const go = rig.path("go");
  rig.ok("create", "idle", "busy", "stuck");
  for (const name of ["idle", "busy", "stuck"]) rig.ok("wait", name, "--for", "idle");
  rig.ok("send", "busy", `hold ${go}`);
  rig.ok("send", "stuck", "ask");
  rig.ok("wait", "busy", "--for", "working");
  rig.ok("wait", "stuck", "--for", "blocked");
  expect((await rig.owt("send", "--waiting", "go on")).stdout).toBe("sent to stuck\n");
  rig.ok("wait", "stuck", "--for", "waiting");
  expect((await rig.owt("send", "--all", "hello")).stdout).toBe("sent to busy, idle, stuck\n");
  writeFileSync(go, "");
  await vi.waitFor(
    () =>
      expect(
        told(rig)
          .filter(({ text }) => text === "hello")
          .map(({ cwd }) => cwd.split("-").at(-1))
          .toSorted(),
      ).toEqual(["busy", "idle", "stuck"]),
    { timeout: 20_000 },
  );
  // From a pane of the session, as its agent would call it.
  rig.tmux(
    "split-window",
    "-t",
    "=owt-shop-idle:",
    "-c",
    rig.path("shop-idle"),
    process.execPath,
    rig.command,
    "create",
    "worker",
  );
  await vi.waitFor(() => expect(told(rig).at(-1)).toMatchObject({ started: "new", lead: rig.path("shop-idle") }), {
    timeout: 20_000,
  });
  const line = `${process.execPath} ${rig.command} send --lead 'my work is done'`;
  rig.tmux("split-window", "-t", "=owt-shop-worker:", "-c", rig.path("shop-worker"), line);
  await vi.waitFor(
    () => expect(told(rig).at(-1)).toMatchObject({ text: "my work is done", cwd: rig.path("shop-idle") }),
    {
      timeout: 20_000,
    },
  );
  expect((await rig.owt("send", "--lead", "x")).stderr).toContain("this is no session of owt's");
});

test("the script of the guide runs as it stands", async () => {
  await using rig = prepare();
  const guide = readFileSync(new URL("../../docs/guide/tmux.md", import.meta.url), "utf8");
  const script = /```sh\n(# lead\.sh[^]*?)```/.exec(guide)![1]!;
  rig.addProgram("owt", `#!/bin/sh\nexec "${process.execPath}" "${rig.command}" "$@"\n`);
  const ran = execFileSync("sh", ["-c", script], {
    cwd: rig.root,
    env: rig.env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  expect(ran).toMatch(/part\/a +claude waits for you[^]*part\/b +claude waits for you[^]*review +claude waits for you/);
  expect(told(rig).flatMap(({ text }) => text ?? [])).toEqual([
    expect.stringContaining("write the parser"),
    expect.stringContaining("write the printer"),
    expect.stringContaining("look at what part/a"),
  ]);
});

test("a task that was written down is taken up by hand", async () => {
  await using rig = prepare();
  rig.ok("task", "create", "mend the login form", "--branch", "fix/login");
  expect((await rig.owt("create", "--task", "mend-the-login-form")).stdout).toContain("fix/login");
  rig.ok("wait", "login");
  expect(told(rig).at(-1)?.text).toContain("mend the login form");
  const listed = await rig.owt("list");
  expect(listed.stdout).toMatch(
    /fix\/login +claude waits for you +\d+ MB +[\d.]+s .*mend-the-login-form: mend the login form/,
  );
  const { worktrees } = await rig.json<{ worktrees: { memory_bytes: number | null }[] }>("list");
  expect(worktrees[1]!.memory_bytes).toBeGreaterThan(1_000_000);
  expect((await rig.owt("create", "--task", "mend-the-login-fo")).stderr).toContain("did you mean mend-the-login-form");
  expect((await rig.owt("create")).stderr).toContain("which branch?");
});

test("when tmux has died, switch brings the session back, in the agent's own conversation", async () => {
  await using rig = prepare();
  rig.ok("create", "x");
  rig.ok("wait", "x", "--for", "idle");
  const [{ id }] = told(rig) as [Told];
  rig.tmux("kill-server");
  expect(await stateOf(rig, "x")).toBe("none");
  // Off a terminal it says with which line to look at it.
  const back = await rig.owt("switch", "x");
  expect(back).toMatchObject({ code: 4, stdout: expect.stringMatching(/attach-session.*owt-shop-x/) as string });
  await vi.waitFor(() => expect(told(rig).at(-1)).toMatchObject({ id, started: "resumed" }), { timeout: 20_000 });
  expect(rig.tmux("list-panes", "-t", "=owt-shop-x:").trim().split("\n")).toHaveLength(2);
  // An agent alone that was killed comes back in its pane.
  const pid = rig.tmux("list-panes", "-t", "=owt-shop-x:", "-F", "#{pane_pid}").split("\n")[0]!;
  rig.ok("wait", "x", "--for", "waiting");
  process.kill(Number(pid), "SIGKILL");
  rig.ok("wait", "x", "--for", "ended");
  await rig.owt("switch", "x");
  await vi.waitFor(() => expect(told(rig).filter(({ started }) => started === "resumed")).toHaveLength(2), {
    timeout: 20_000,
  });
});

test("where one was before, and the folder alone", async () => {
  await using rig = prepare();
  rig.ok("create", "a", "b", "--no-tmux");
  expect((await rig.owt("switch", "a", "--path")).stdout).toBe(`${rig.path("shop-a")}\n`);
  expect((await rig.owtIn(rig.path("shop-a"), "switch", "b", "--path")).stdout).toBe(`${rig.path("shop-b")}\n`);
  expect((await rig.owtIn(rig.path("shop-b"), "switch", "-", "--path")).stdout).toBe(`${rig.path("shop-a")}\n`);
  expect((await rig.owtIn(rig.path("shop-b"), "switch", "^", "--path")).stdout).toBe(`${rig.root}\n`);
  const unnamed = await rig.owt("switch");
  expect(unnamed).toMatchObject({ code: 2, stderr: expect.stringContaining("one of: main, a, b") as string });
});

test("a worktree goes with its session, but not while its agent works; a failed creation leaves no session", async () => {
  await using rig = prepare();
  const go = rig.path("go");
  rig.ok("create", "x", "--prompt", `hold ${go}`);
  rig.ok("wait", "x", "--for", "working");
  const refused = await rig.owt("delete", "x", "--yes");
  expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining("claude is at work") as string });
  writeFileSync(go, "");
  rig.ok("wait", "x");
  expect((await rig.owt("delete", "x", "--yes")).stdout).toContain("x is gone");
  expect(existsSync(rig.path("shop-x"))).toBe(false);
  expect(await rig.json("tmux", "list")).toEqual({ sessions: [] });

  const before = rig.git("for-each-ref");
  const failed = await rig.owt("create", "y", "--layout", "nope");
  expect(failed).toMatchObject({ code: 2, stderr: expect.stringContaining("nope") as string });
  expect([rig.git("for-each-ref"), existsSync(rig.path("shop-y"))]).toEqual([before, false]);
  expect(await rig.json("tmux", "list")).toEqual({ sessions: [] });
});

test("a creation that is refused because of its folder ends nobody's session", async () => {
  await using rig = prepare();
  rig.ok("create", "col/x", "--prompt", "hello");
  rig.ok("wait", "col/x");
  const refused = await rig.owt("create", "col-x");
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("is there already")]);
  expect(await stateOf(rig, "col/x")).toBe("waiting");
});

test("without the agent's program the first pane is a shell, and that is said; without tmux there is no session", async () => {
  await using rig = Rig.create({});
  const made = await rig.owt("create", "x");
  expect(made.code).toBe(0);
  expect(made.stderr).toContain("claude is not installed");
  const bare = rig.path("bare");
  execFileSync("mkdir", [bare]);
  for (const program of ["git", "sh", "rm", "cat", "ls", "env", "setsid"])
    execFileSync("ln", ["-s", execFileSync("sh", ["-c", `command -v ${program}`], { encoding: "utf8" }).trim(), bare]);
  rig.env["PATH"] = bare;
  const without = await rig.owt("create", "y");
  expect(without).toMatchObject({ code: 0, stderr: expect.stringContaining("cd ") as string });
  expect((await rig.owt("create", "z", "--tmux")).stderr).toContain("there is no tmux here");
  expect((await rig.owt("switch", "y")).stderr).toContain(`cd ${rig.path("shop-y")}`);
});
