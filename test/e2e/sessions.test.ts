/** Sessions of worktrees by hand: made, told, waited for, brought back, ended. The agent is a program that runs its hooks as Claude Code does. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
  expect(worktree.messages.map(({ text }) => text)).toEqual([prompt, expect.not.stringContaining("ghp_0123")]);
  expect((await rig.owt("status", "login")).stdout).toContain("told: Use");

  // A list of what was said is no place for all of a long text.
  rig.ok("wait", "login");
  rig.ok("send", "login", "long ".repeat(1_000));
  const lines = (await rig.owt("status", "login")).stdout.split("\n");
  expect(lines.find((line) => line.includes("told: long"))).toMatch(/^.{100,200}…$/);
  const seen = await rig.json<{ worktree: { messages: { text: string }[] } }>("status", "login");
  expect(seen.worktree.messages.at(-1)!.text).toHaveLength(5_000);
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
  rig.ok("create", "done", "--prompt", "hm");
  rig.ok("wait", "done");
  const asks = "left out: the agent of stuck asks leave, and Enter would give it: nothing was sent";
  expect(await rig.owt("send", "--waiting", "go on")).toMatchObject({
    code: 0,
    stdout: "sent to done\n",
    stderr: expect.stringContaining(asks) as string,
  });
  const all = await rig.json<{ sent: { name: string }[]; left_out: { name: string; why: string }[] }>(
    "send",
    "--all",
    "hello",
  );
  expect(all.sent.map(({ name }) => name)).toEqual(["busy", "done", "idle"]);
  expect(all.left_out).toMatchObject([{ name: "stuck", why: asks.slice(10) }]);
  writeFileSync(go, "");
  await vi.waitFor(
    () =>
      expect(
        told(rig)
          .filter(({ text }) => text === "hello")
          .map(({ cwd }) => cwd.split("-").at(-1))
          .toSorted(),
      ).toEqual(["busy", "done", "idle"]),
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

test("an agent that asks leave is sent no text and no Enter, by whichever name of its pane; what waits for it says that a person is needed", async () => {
  await using rig = prepare();
  rig.ok("create", "x", "--prompt", "ask for it");
  expect(await rig.owt("wait", "x")).toEqual({ code: 4, stdout: "blocked\n", stderr: "  ↳ owt task approve x\n" });
  expect(await rig.json("wait", "x", "--for", "blocked,waiting")).toMatchObject({ state: "blocked" });
  for (const more of [[], ["--pane", "0"], ["--no-enter"]]) {
    const refused = await rig.owt("send", ...more, "x", "yes");
    expect(refused).toMatchObject({ code: 4, stdout: "" });
    expect(refused.stderr).toMatch(/the agent of x asks leave[^]*owt task approve x/);
  }
  // Another pane has no dialog.
  rig.ok("send", "x", "--pane", "1", "touch ../touched");
  await vi.waitFor(() => expect(existsSync(rig.path("touched"))).toBe(true), { timeout: 20_000 });
  expect(told(rig).map(({ text }) => text)).toEqual([undefined, "ask for it"]);
  expect(rig.tmux("capture-pane", "-p", "-t", "=owt-shop-x:.0")).not.toContain("yes");
});

test("an agent that starts is waited for, also where another was there before; in vain, nothing is sent", async () => {
  await using rig = prepare();
  const slow = join(rig.env["HOME"]!, "slow");
  writeFileSync(slow, "");
  rig.ok("create", "x");
  const early = await rig.owt("send", "x", "--timeout", "200ms", "too early");
  expect(early).toMatchObject({ code: 4, stderr: expect.stringContaining("has not begun yet: nothing was sent") });
  const all = await rig.owt("send", "--all", "--timeout", "200ms", "too early");
  expect(all).toMatchObject({ code: 4, stdout: "nobody was there to be told\n" });
  const sending = rig.start("send", "x", "in two\nlines");
  rmSync(slow);
  expect(await sending.ended).toMatchObject({ code: 0, stdout: "sent to x\n" });
  expect(told(rig).map(({ text }) => text)).toEqual([undefined, "in two\nlines"]);
  rig.ok("wait", "x");
  rig.tmux("kill-server");
  writeFileSync(slow, "");
  await rig.owt("switch", "x");
  const again = rig.start("send", "x", "again");
  rmSync(slow);
  expect(await again.ended).toMatchObject({ code: 0 });
  expect(told(rig).slice(2)).toEqual([
    expect.objectContaining({ started: "resumed" }),
    expect.objectContaining({ text: "again" }),
  ]);
});

test("an Enter that was lost is pressed again: when send is done, the agent has the text", async () => {
  await using rig = prepare();
  rig.ok("create", "x");
  rig.ok("wait", "x", "--for", "idle");
  writeFileSync(join(rig.env["HOME"]!, "lost-enter"), "");
  rig.ok("send", "x", "once");
  expect(told(rig).map(({ text }) => text)).toEqual([undefined, "once"]);
  rig.ok("wait", "x");
  rig.ok("send", "x", "twice");
  expect(told(rig).at(-1)?.text).toBe("twice");
});

test("where no agent is, nothing is typed into the shell unless its pane is named", async () => {
  await using rig = prepare();
  rig.ok("create", "x", "--no-agent");
  const refused = await rig.owt("send", "x", "touch ../typed");
  expect(refused).toMatchObject({ code: 2, stdout: "" });
  expect(refused.stderr).toMatch(/no agent of owt's is in the session of x[^]*owt send x --pane 0/);
  expect((await rig.owt("send", "--all", "x")).stdout).toBe("nobody was there to be told\n");
  rig.ok("send", "x", "--pane", "0", "touch ../named");
  await vi.waitFor(() => expect(existsSync(rig.path("named"))).toBe(true), { timeout: 20_000 });
  expect(existsSync(rig.path("typed"))).toBe(false);
});

test("a prompt has its agent where none comes by itself", async () => {
  await using rig = prepare("[tmux]\nauto_start_claude = false\n");
  const made = await rig.json<{ worktrees: { told: boolean | null }[] }>("create", "x", "--prompt", "hello");
  expect(made.worktrees.map(({ told: isTold }) => isTold)).toEqual([true]);
  rig.ok("wait", "x");
  expect(told(rig).at(-1)?.text).toBe("hello");
  const bare = await rig.json<{ worktrees: { told: boolean | null }[] }>("create", "y");
  expect(bare.worktrees.map(({ told: isTold }) => isTold)).toEqual([null]);
});

test("waiting ends with 0 only when the turn is over, and does not outlive the session", async () => {
  await using rig = prepare();
  rig.ok("create", "x", "y");
  rig.ok("wait", "x", "--for", "idle");
  for (const states of ["working", "working,waiting"]) {
    const waiting = rig.start("wait", "y", "--for", states);
    if (states === "working") rig.ok("tmux", "kill", "y", "--yes");
    else rig.tmux("kill-server");
    expect(await waiting.ended).toMatchObject({ code: 2, stderr: expect.stringMatching(/y (is gone|has no session)/) });
    await rig.owt("switch", "y");
  }
  await rig.owt("switch", "x");
  rig.ok("wait", "x", "--for", "waiting");
  rig.ok("send", "x", "leave");
  rig.ok("wait", "x", "--for", "ended");
  expect(await rig.owt("wait", "x")).toEqual({ code: 4, stdout: "ended\n", stderr: "  ↳ owt switch x\n" });
  const inVain = await rig.owt("wait", "x", "--for", "idle");
  expect(inVain).toMatchObject({ code: 2, stderr: expect.stringMatching(/agent of x has ended\n.*owt switch x/) });
  // A session without an agent is none to wait for, but for its end.
  rig.ok("create", "bare", "--no-agent");
  for (const more of [[], ["--for", "idle"], ["--for", "ended,waiting"]]) {
    const refused = await rig.owt("wait", "bare", ...more);
    const why = expect.stringMatching(/no agent is in the session of bare to wait for\n.*--agent/) as string;
    expect(refused).toMatchObject({ code: 2, stdout: "", stderr: why });
  }
  expect(await rig.json("wait", "bare", "--for", "unknown")).toMatchObject({ state: "unknown" });
  const gone = rig.start("wait", "bare", "--for", "none");
  rig.ok("tmux", "kill", "bare", "--yes");
  expect(await gone.ended).toMatchObject({ code: 0, stdout: "none\n" });
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

test("what somebody took up by hand is begun by no run, neither is what needs it, until its worktree is gone", async () => {
  await using rig = prepare('[agent]\ndefault = "demo"\n');
  rig.ok("task", "create", "one");
  rig.ok("task", "create", "two", "--depends-on", "one");
  rig.ok("task", "create", "three");
  rig.ok("create", "--task", "one", "--no-tmux");
  const hint = /↳ .*owt task cancel one.*owt delete one/;
  const refused = await rig.owt("run", "one", "--yes");
  expect([refused.code, refused.stderr]).toEqual([4, expect.stringMatching(hint)]);
  expect(refused.stderr).toContain(`somebody has one by hand, in ${rig.path("shop-one")}`);
  const needs = await rig.owt("run", "two", "--with-upstreams", "--yes");
  expect([needs.code, needs.stderr]).toEqual([
    4,
    expect.stringContaining("two needs one, and somebody has one by hand"),
  ]);
  expect((await rig.json<{ runs: unknown[] }>("status")).runs).toEqual([]);
  const all = await rig.owt("run", "--yes");
  expect(all.stderr).toMatch(/left out: somebody has one by hand[^]*left out: two needs one[^]*r1: 1 task/);
  expect((await rig.json<{ written_down: string[] }>("status")).written_down).toEqual(["one", "two"]);
  rig.ok("delete", "one", "--yes");
  expect((await rig.owt("run", "--yes")).stderr).toContain("r2: 2 tasks");
});

test("a task that somebody has by hand gets no second agent in another worktree", async () => {
  await using rig = prepare();
  rig.ok("task", "create", "mend the login form");
  rig.ok("create", "--task", "mend-the-login-form", "first", "--no-tmux");
  rig.ok("create", "there", "--no-tmux");
  for (const name of ["second", "there"]) {
    const refused = await rig.owt("create", "--task", "mend-the-login-form", name);
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringMatching(/somebody has mend-the-login-form by hand already, in .*shop-first\n.*owt switch first/),
    ]);
  }
  expect([existsSync(rig.path("shop-second")), rig.git("branch", "--list", "second")]).toEqual([false, ""]);
  expect((await rig.owt("list")).stdout.match(/mend-the-login-form/g)).toHaveLength(1);
  expect(told(rig)).toEqual([]);
  // The same once more is a way back to it.
  rig.ok("create", "--task", "mend-the-login-form", "first", "--no-tmux");
  rig.ok("delete", "first", "--yes");
  rig.ok("create", "--task", "mend-the-login-form", "second", "--no-tmux");
});

test("a session that is there is told the prompt of a repeated create, also where its agent had been killed; what is not done is said", async () => {
  await using rig = prepare('[tmux]\nbring_back = "never"\n');
  rig.ok("task", "create", "mend the login form");
  rig.ok("create", "x", "--prompt", "first");
  rig.ok("wait", "x");
  const texts = () => told(rig).flatMap(({ text }) => text ?? []);
  const again = await rig.owt("create", "x", "--prompt", "again?", "--layout", "quad");
  expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining("(was there)") as string });
  expect(again.stderr).toContain("sent to x");
  expect(again.stderr).toContain("stays as it is, without --layout quad");
  expect(texts()).toEqual(["first", "again?"]);
  rig.ok("wait", "x");
  const [pane] = rig.tmux("list-panes", "-t", "=owt-shop-x:", "-F", "#{pane_pid}").split("\n");
  process.kill(Number(pane), "SIGKILL");
  rig.ok("wait", "x", "--for", "ended");
  expect(await rig.owt("create", "x", "--prompt", "third")).toMatchObject({ code: 0 });
  expect(texts()).toEqual(["first", "again?", "third"]);
  rig.ok("wait", "x");

  // The text of a task, once.
  for (let time = 0; time < 2; time++) rig.ok("create", "x", "--task", "mend-the-login-form");
  expect(texts().slice(3)).toEqual([expect.stringContaining("mend the login form")]);
  rig.ok("wait", "x");

  rig.ok("send", "x", "ask");
  rig.ok("wait", "x", "--for", "blocked");
  const refused = await rig.owt("create", "x", "--prompt", "fourth");
  expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining("nothing was sent") as string });
  expect(texts().at(-1)).toBe("ask");
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

test("a session that is left of an earlier worktree at the place is named, and what runs in it goes on", async () => {
  await using rig = prepare();
  rig.ok("create", "x", "--no-agent");
  rig.tmux("send-keys", "-t", "=owt-shop-x:.0", `touch ${rig.path("begun")}; cat`, "Enter");
  await vi.waitFor(() => expect(existsSync(rig.path("begun"))).toBe(true), { timeout: 20_000 });
  // tmux tells the time of a session in whole seconds.
  const second = () => Math.floor(Date.now() / 1_000);
  const made = second();
  await vi.waitUntil(() => second() > made + 1, { timeout: 20_000 });
  rmSync(rig.path("shop-x"), { recursive: true });
  rig.git("worktree", "prune");
  const refused = await rig.owt("create", "x");
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringMatching(/owt-shop-x is of an earlier worktree[^]*owt tmux kill owt-shop-x/),
  ]);
  expect(rig.tmux("list-panes", "-t", "=owt-shop-x:", "-F", "#{pane_current_command}")).toContain("cat");
  expect(existsSync(rig.path("shop-x"))).toBe(false);
  rig.ok("tmux", "kill", "owt-shop-x", "--yes");
  rig.ok("create", "x");
});

test("without the agent's program the first pane is a shell, and that is said; without tmux there is no session", async () => {
  await using rig = Rig.create({});
  const made = await rig.owt("create", "x");
  expect(made.code).toBe(0);
  expect(made.stderr).toContain("claude is not installed");
  // A prompt that nobody has is no success.
  const untold = await rig.owt("create", "w", "--prompt", "hello", "--json");
  expect([untold.code, untold.stderr]).toEqual([4, expect.stringMatching(/told to nobody\n.*owt tmux kill --yes w/)]);
  expect(JSON.parse(untold.stdout)).toMatchObject({ data: { worktrees: [{ branch: "w", told: false }] } });
  expect(existsSync(rig.path("shop-w/README.md"))).toBe(true);
  expect((await rig.owt("create", "v", "--no-agent", "--prompt", "hello")).code).toBe(2);
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
