/** owt tmux on a real tmux: sessions of worktrees by hand, with a program in the agent's place that says how it was started. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isAlive, Rig } from "../rig/rig.ts";
import { Tmux } from "../rig/tmux.ts";

const OWT = new URL("../../bin/owt.js", import.meta.url).pathname;

type Pane = {
  id: string;
  agent: string | null;
  conversation: string | null;
  state: string;
  command: string;
  pid: number;
};
type Session = {
  name: string;
  worktree: string;
  branch: string | null;
  exists: boolean;
  clients: { read_only: boolean }[];
  panes: Pane[];
};
type List = { sessions: Session[] };

/** Stands in for Claude Code in a terminal: tells its arguments, and ends when it is told to. */
const CLAUDE = `#!/bin/sh
echo "$$ $PWD|$*" >> "$HOME/started"
echo "claude here"
while read -r line; do
  echo "heard $line"
  case "$line" in leave*) exit 3;; esac
done
`;

class Desk implements AsyncDisposable {
  readonly rig: Rig;

  constructor(config = "", options: { approve?: boolean } = {}) {
    this.rig = Rig.create(config === "" ? {} : { ".worktreerc": config }, options);
    this.rig.addProgram("claude", CLAUDE);
    this.rig.addProgram("owt", `#!/bin/sh\nexec '${process.execPath}' '${OWT}' "$@"\n`);
  }

  async sessions(): Promise<Session[]> {
    return (await this.rig.json<List>("tmux", "list")).sessions;
  }

  /** How the agent was started, time by time: pid, folder, arguments. */
  started(): string[] {
    const file = this.rig.path("home/started");
    return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.rig[Symbol.asyncDispose]();
  }
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const ends = Date.now() + 20_000; !(await holds());) {
    if (Date.now() > ends) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe("owt tmux create", () => {
  test("makes the session of the worktree that one stands in, the agent in its first pane with a conversation of our choice", async () => {
    await using desk = new Desk();
    const ran = await desk.rig.owt("tmux", "create");
    expect(ran).toMatchObject({
      code: 0,
      stdout: "owt-shop: made, 2 panes, claude in the first; show it: owt tmux attach main\n",
    });
    const [session] = await desk.sessions();
    expect(session).toMatchObject({
      name: "owt-shop",
      worktree: desk.rig.root,
      branch: "main",
      exists: true,
      clients: [],
    });
    expect(session!.panes.map(({ agent }) => agent)).toEqual(["claude", null]);
    const { conversation } = session!.panes[0]!;
    expect(conversation).toMatch(/^[0-9a-f]{8}-/);
    await until("it started", () => desk.started().length === 1);
    expect(desk.started()[0]).toMatch(
      new RegExp(
        `^\\d+ ${desk.rig.root}\\|--permission-mode acceptEdits --session-id ${conversation} --settings \\S+$`,
      ),
    );
  });

  test("repeating it changes nothing; where the agent has ended it is started again in its place", async () => {
    await using desk = new Desk();
    await desk.rig.owt("tmux", "create");
    const [before] = await desk.sessions();
    expect((await desk.rig.owt("tmux", "create", "--layout", "quad")).stdout).toContain("owt-shop: is there already");
    expect(await desk.sessions()).toMatchObject([{ name: "owt-shop", panes: [{ pid: before!.panes[0]!.pid }, {}] }]);
    desk.rig.tmux("send-keys", "-t", before!.panes[0]!.id, "leave", "Enter");
    await until("it ended", async () => (await desk.sessions())[0]!.panes[0]!.state === "ended");
    // tmux 3.3a forgets the code of some that end.
    expect((await desk.rig.owt("tmux", "list")).stdout).toMatch(
      /^owt-shop +main +claude (?:ended with 3|has ended|ended) +2 panes +nobody looks$/m,
    );
    const again = await desk.rig.json<{ created: boolean; revived: string }>("tmux", "create");
    expect(again).toMatchObject({ created: false, revived: "anew" });
    await until("it started again", () => desk.started().length === 2);
    expect(desk.started()[1]).toContain(`--session-id ${before!.panes[0]!.conversation}`);
    // Had it said a word, Claude Code had kept a record: then the conversation goes on.
    desk.rig.tmux("send-keys", "-t", before!.panes[0]!.id, "leave", "Enter");
    await until("it ended", async () => (await desk.sessions())[0]!.panes[0]!.state === "ended");
    const records = desk.rig.path("home/.claude/projects/-shop");
    mkdirSync(records, { recursive: true });
    writeFileSync(join(records, `${before!.panes[0]!.conversation}.jsonl`), "{}\n");
    const ran = await desk.rig.owt("tmux", "create");
    expect(ran.stdout).toContain("claude had ended and was started again in its conversation");
    await until("it started a third time", () => desk.started().length === 3);
    expect(desk.started()[2]).toContain(`--resume ${before!.panes[0]!.conversation}`);
  });

  test("of any worktree, by name, branch, path or what is left of them; plain git's own, strange names too", async () => {
    await using desk = new Desk();
    const branches = ["feature/login", "fix.1", "fix_1", "ünïcödé/日本", "a'b$c;d#{pane_id}#(id)"];
    for (const [at, branch] of branches.entries())
      desk.rig.git(
        "worktree",
        "add",
        "-q",
        "-b",
        branch,
        `../shop-w${at} ${at === 4 ? branch.replaceAll("/", "-") : ""}`.trim(),
      );
    const words = ["login", "fix.1", desk.rig.path("shop-w2"), "shop-w3", "a'b$c;d#{pane_id}#(id)"];
    for (const word of words) expect((await desk.rig.owt("tmux", "create", "--no-agent", word)).stderr).toBe("");
    expect((await desk.rig.owtIn(desk.rig.path("shop-w0"), "tmux", "create")).stdout).toContain("is there already");
    const made = await desk.sessions();
    expect(made.map(({ branch }) => branch)).toEqual(branches);
    expect(made.map(({ name }) => name)).toEqual([
      "owt-shop-w0",
      "owt-shop-w1",
      "owt-shop-w2",
      "owt-shop-w3",
      expect.stringMatching(/^owt-shop-w4-a-b-c-d-pane_id-id-[0-9a-f]{8}$/) as string,
    ]);
    for (const [at, { worktree, panes }] of made.entries()) {
      expect(worktree).toContain(`shop-w${at}`);
      expect(desk.rig.tmux("display-message", "-p", "-t", panes[0]!.id, "#{pane_current_path}")).toBe(worktree);
    }
    const unknown = await desk.rig.owt("tmux", "create", "logn");
    expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining("there is no worktree logn") as string });
  });

  test("a worktree that took the place of another has no session yet: what runs in the old one is told", async () => {
    await using desk = new Desk();
    const path = desk.rig.path("shop-a");
    desk.rig.git("worktree", "add", "-q", "-b", "a", path);
    await desk.rig.owt("tmux", "create", "a");
    desk.rig.git("worktree", "remove", path);
    desk.rig.git("worktree", "add", "-q", path, "a");
    const refused = await desk.rig.owt("tmux", "create", "a");
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(`owt-shop-a is of an earlier worktree at ${path}`);
    expect((await desk.rig.owt("tmux", "list")).stdout).toContain(`${path} is gone`);
    await desk.rig.owt("tmux", "kill", "owt-shop-a", "--yes");
    expect((await desk.rig.owt("tmux", "create", "a")).stdout).toContain("owt-shop-a: made");
  });

  test("a worktree of the same name in another repository has another session, and is not in this one's list", async () => {
    await using desk = new Desk();
    const other = desk.rig.path("other/shop");
    mkdirSync(desk.rig.path("other"));
    execFileSync("git", ["clone", "-q", desk.rig.root, other], { env: desk.rig.env });
    await desk.rig.owt("tmux", "create", "--no-agent");
    expect((await desk.rig.owtIn(other, "tmux", "create", "--no-agent")).stdout).toMatch(/^owt-shop-[0-9a-f]{8}: made/);
    expect((await desk.sessions()).map(({ worktree }) => worktree)).toEqual([desk.rig.root]);
    expect((await desk.rig.owt("tmux", "kill", "shop", "--yes")).stdout).toBe("owt-shop: ended\n");
    expect(desk.rig.tmux("list-sessions", "-F", "#{session_name}")).toMatch(/^owt-shop-[0-9a-f]{8}$/);
  });

  test("sixteen at once make one", async () => {
    await using desk = new Desk();
    const all = await Promise.all(Array.from({ length: 16 }, () => desk.rig.owt("tmux", "create")));
    expect(all.map(({ code, stderr }) => [code, stderr])).toEqual(all.map(() => [0, ""]));
    expect(all.filter(({ stdout }) => stdout.includes("made, 2 panes"))).toHaveLength(1);
    expect(desk.rig.tmux("list-sessions", "-F", "#{session_name}")).toBe("owt-shop");
    await until("the agent started", () => desk.started().length === 1);
  });

  test("layouts of the configuration run what was approved, and nothing before", async () => {
    const config = `[tmux]
default_layout = "review"
session_prefix = "my"
[tmux.layouts.review]
panes = [{}, { split = "right", size = "30%", command = ["sh", "-c", "echo $0 > ran; cat", "a b"] }]
`;
    await using desk = new Desk(config, { approve: false });
    const refused = await desk.rig.owt("tmux", "create");
    expect(refused.code).toBe(4);
    expect(refused.stderr).toContain(".worktreerc [tmux.layouts.review] command: sh -c 'echo $0 > ran; cat' 'a b'");
    expect(existsSync(join(desk.rig.root, "ran"))).toBe(false);
    // Another layout needs none of it.
    expect((await desk.rig.owt("tmux", "create", "--layout", "quad")).code).toBe(0);
    await desk.rig.owt("tmux", "kill", "shop", "--yes");
    desk.rig.ok("config", "approve", "--yes");
    expect((await desk.rig.owt("tmux", "create")).stdout).toContain("my-shop: made, 2 panes");
    await until(
      "it ran",
      () => existsSync(join(desk.rig.root, "ran")) && readFileSync(join(desk.rig.root, "ran"), "utf8") === "a b\n",
    );
  });

  test("what is wrong is told: layout, panes, agent, a program that is not there", async () => {
    await using desk = new Desk();
    const told = async (...args: string[]) => (await desk.rig.owt("tmux", "create", ...args)).stderr;
    expect(await told("--layout", "quads")).toContain("did you mean quad?");
    expect(await told("--layout", "quad", "--panes", "3")).toContain("the layout quad has 4 panes, not 3");
    expect(await told("--agent", "codex")).toContain("codex works unattended only");
    rmSync(desk.rig.path("bin/claude"));
    expect(await told()).toContain("claude is not installed (owt doctor): the first pane is a shell");
    expect(await told("--agent", "claude")).toMatch(
      /the program of claude is not there: claude\n.*owt tmux create --no-agent/,
    );
    desk.rig.env["PATH"] = desk.rig.path("bin");
    for (const name of ["git", "sh"]) desk.rig.addProgram(name, `#!/bin/sh\nexec /usr/bin/${name} "$@"\n`);
    desk.rig.addProgram("tmux", "#!/bin/sh\necho tmux 2.8\n");
    expect(await told()).toContain("tmux 2.8 is too old: sessions need 3.2");
    expect(desk.started()).toEqual([]);
  });

  test("config validate knows what a layout may say", async () => {
    const config = `[tmux]
default_layout = "reviw"
[tmux.layouts.review]
panes = [{}, { size = "0%" }, { split = "right", comand = ["x"], command = "npm test" }]
[tmux.layouts.quad]
panes = []
[tmux.layouts.wide]
panes = [{}, {}]
`;
    await using desk = new Desk(config, { approve: false });
    const ran = await desk.rig.owt("config", "validate");
    expect(ran.code).toBe(3);
    expect(ran.stdout).toContain('expected a share such as "40%"');
    expect(ran.stdout).toContain("did you mean command");
    expect(ran.stdout).toContain("expected a list of words");
    desk.rig.write({ ".worktreerc": '[tmux]\ndefault_layout = "reviw"\n[tmux.layouts.review]\npanes = [{}, {}]\n' });
    const second = await desk.rig.owt("config", "validate");
    expect(second.stdout).toContain("does not say where it stands");
    desk.rig.write({ ".worktreerc": '[tmux]\ndefault_layout = "reviw"\n[tmux.layouts.review]\npanes = [{}]\n' });
    expect((await desk.rig.owt("config", "validate")).stdout).toMatch(
      /there is no layout reviw[\s\S]*did you mean review\?/,
    );
  });
});

describe("owt tmux attach", () => {
  const PROMPT = /^\$/m;

  /** The screen of a person: a terminal of its own, not in tmux as far as what runs there can tell. */
  async function terminal(desk: Desk): Promise<Tmux> {
    const screen = new Tmux(desk.rig, { columns: 120, rows: 30 });
    await until("a prompt", () => PROMPT.test(screen.screen().join("\n")));
    screen.type("unset TMUX TMUX_PANE");
    return screen;
  }
  const shows = (screen: Tmux, text: string | RegExp) =>
    until(`${String(text)} on the screen`, () => {
      const now = screen.screen().join("\n");
      return typeof text === "string" ? now.includes(text) : text.test(now);
    });

  test("outside of tmux attaches, and gives the terminal back", async () => {
    await using desk = new Desk();
    await desk.rig.owt("tmux", "create");
    using screen = await terminal(desk);
    screen.type("owt tmux attach; echo back $?");
    await shows(screen, "claude here");
    await until("it is attached", async () => (await desk.sessions())[0]!.clients.length === 1);
    // It has the size of the terminal, and is told of changes.
    screen.resize(90, 20);
    await until(
      "the new size",
      () => desk.rig.tmux("display-message", "-p", "-t", "=owt-shop:", "#{window_width}") === "90",
    );
    screen.text("hello");
    screen.key("Enter");
    await shows(screen, "heard hello");
    screen.key("C-b");
    screen.text("d");
    await shows(screen, "back 0");
    expect((await desk.sessions())[0]!.clients).toEqual([]);
  });

  test("read-only looks and does not type; others type on", async () => {
    await using desk = new Desk();
    await desk.rig.owt("tmux", "create");
    using screen = await terminal(desk);
    screen.type("owt tmux attach --read-only; echo back $?");
    await shows(screen, "claude here");
    await until("it is attached", async () => (await desk.sessions())[0]!.clients[0]?.read_only === true);
    screen.text("nobody hears this");
    screen.key("Enter");
    const pane = (await desk.sessions())[0]!.panes[0]!.id;
    desk.rig.tmux("send-keys", "-t", pane, "typed by another", "Enter");
    await shows(screen, "heard typed by another");
    expect(screen.screen().join("\n")).not.toContain("nobody hears this");
    screen.key("C-b");
    screen.text("d");
    await shows(screen, "back 0");
  });

  test("a view of one's own shows the same windows, and goes with its last looker", async () => {
    await using desk = new Desk();
    await desk.rig.owt("tmux", "create");
    using screen = await terminal(desk);
    screen.type("owt tmux attach --own-view; echo back $?");
    await shows(screen, "claude here");
    await until("there are two", () =>
      /^owt-shop~[0-9a-f]{6}$/m.test(desk.rig.tmux("list-sessions", "-F", "#{session_name}")),
    );
    expect((await desk.rig.owt("tmux", "list")).stdout).toMatch(/ 1 attached\n$/);
    // Another window in it is nobody else's business.
    screen.key("C-b");
    screen.text("c");
    await until("two windows", () => desk.rig.tmux("list-windows", "-t", "=owt-shop:").split("\n").length === 2);
    expect(desk.rig.tmux("display-message", "-p", "-t", "=owt-shop:", "#{pane_id}")).toBe(
      (await desk.sessions())[0]!.panes[0]!.id,
    );
    expect((await desk.sessions()).map(({ name }) => name)).toEqual(["owt-shop"]);
    screen.key("C-b");
    screen.text("d");
    await shows(screen, "back 0");
    await until("the view went", () => desk.rig.tmux("list-sessions", "-F", "#{session_name}") === "owt-shop");
  });

  test("a view of one's own can be one to look at only; ended with the session, it goes with it", async () => {
    await using desk = new Desk();
    await desk.rig.owt("tmux", "create");
    using screen = await terminal(desk);
    screen.type("owt tmux attach --own-view --read-only; echo back $?");
    await shows(screen, "claude here");
    await until("it looks", () => desk.rig.tmux("list-clients", "-F", "#{client_readonly}") === "1");
    expect(await desk.rig.owt("tmux", "kill", "shop", "--yes")).toMatchObject({ code: 0, stdout: "owt-shop: ended\n" });
    await shows(screen, /back \d/);
    expect(() => desk.rig.tmux("list-sessions")).toThrow("no server running");
  });

  test("inside tmux switches over", async () => {
    await using desk = new Desk();
    desk.rig.git("worktree", "add", "-q", "-b", "two", "../shop-two");
    await desk.rig.owt("tmux", "create", "--no-agent", "two");
    await desk.rig.owt("tmux", "create");
    using screen = await terminal(desk);
    screen.type("owt tmux attach two");
    await until("it is attached", async () => (await desk.sessions())[0]!.clients.length === 1);
    await shows(screen, "[owt-shop-");
    // The shell of a pane is a login shell, with a PATH of its own.
    screen.type(`${desk.rig.path("bin/owt")} tmux attach shop`);
    await until(
      "it is switched",
      async () => (await desk.sessions()).find(({ name }) => name === "owt-shop")!.clients.length === 1,
    );
    await shows(screen, "claude here");
    expect((await desk.sessions()).find(({ name }) => name === "owt-shop-two")!.clients).toEqual([]);
  });

  test("inside another tmux, and off a terminal, it says what to do", async () => {
    await using desk = new Desk();
    await desk.rig.owt("tmux", "create");
    const line = `tmux -S ${desk.rig.path("sessions.sock")} attach-session -t '=owt-shop:'`;
    expect(await desk.rig.owt("tmux", "attach")).toMatchObject({ code: 4, stdout: `${line}\n`, stderr: "" });
    using screen = new Tmux(desk.rig, { columns: 200, rows: 30 });
    screen.type("owt tmux attach");
    await shows(screen, "inside another tmux server");
    expect(screen.screen().join("\n")).toContain(`TMUX= ${line}`);
  });
});

describe("owt tmux kill", () => {
  test("asks on a terminal, says what runs, and takes no for an answer", async () => {
    await using desk = new Desk();
    await desk.rig.owt("tmux", "create", "--panes", "1");
    const asked = desk.rig.startOnTerminal("tmux", "kill", "shop");
    await asked.says(/end owt-shop, with all that runs in it \(.*\)\? \[y\/N\]/);
    asked.child.stdin!.write("n\n");
    expect((await asked.ended).stdout).toContain("nothing was ended");
    expect(await desk.sessions()).toHaveLength(1);
    const again = desk.rig.startOnTerminal("tmux", "kill", "shop");
    await again.says("[y/N]");
    again.child.stdin!.write("y\n");
    expect(await again.ended).toMatchObject({ code: 0, stdout: expect.stringContaining("owt-shop: ended") as string });
    expect(await desk.sessions()).toEqual([]);
  });

  test("ends all that runs in it, the one whose worktree has gone too, and nothing of another", async () => {
    await using desk = new Desk();
    desk.rig.git("worktree", "add", "-q", "-b", "shop1", "../shop-1");
    desk.rig.git("worktree", "add", "-q", "-b", "shop10", "../shop-10");
    for (const name of ["shop-1", "shop-10"]) await desk.rig.owt("tmux", "create", name);
    await until("both started", () => desk.started().length === 2);
    const pids = new Map(desk.started().map((line) => [/ (.*)\|/.exec(line)![1]!, Number.parseInt(line, 10)]));
    desk.rig.git("worktree", "remove", "--force", "../shop-1");
    expect((await desk.rig.owt("tmux", "list")).stdout).toContain(`${desk.rig.path("shop-1")} is gone`);
    expect(await desk.rig.owt("tmux", "kill", "owt-shop-1", "--yes")).toMatchObject({
      code: 0,
      stdout: "owt-shop-1: ended\n",
    });
    expect(isAlive(pids.get(desk.rig.path("shop-1"))!)).toBe(false);
    expect(isAlive(pids.get(desk.rig.path("shop-10"))!)).toBe(true);
    expect(await desk.rig.owt("tmux", "kill", "owt-shop-1", "--yes")).toMatchObject({ code: 2 });
    expect((await desk.sessions()).map(({ name }) => name)).toEqual(["owt-shop-10"]);
  });
});

test("a worktree that a person moved keeps what is on record of it, its ports, and its session, also where two changed places", async () => {
  await using desk = new Desk("[environment]\nports = 4\n");
  const { rig } = desk;
  type Made = { path: string; ports: { first: number } | null; is_new: boolean };
  const create = async (...args: string[]) =>
    (await rig.json<{ worktrees: Made[] }>("create", ...args)).worktrees.map(({ path, ports }) => [path, ports?.first]);
  type Seen = { name: string; path: string; note: string; base: string | null };
  const list = async () =>
    (await rig.json<{ worktrees: Seen[] }>("list")).worktrees
      .slice(1)
      .map(({ name, path, note, base }) => [name, path, note, base])
      .toSorted();
  rig.git("branch", "rel");
  const [x] = await create("x", "--base", "rel");
  const [y] = await create("y", "--no-tmux");
  rig.git("worktree", "add", "-q", "-b", "plain", rig.path("plain"));
  for (const name of ["x", "y", "plain"]) rig.ok("note", name, `of ${name}`);
  const [before] = await desk.sessions();
  await until("it started", () => desk.started().length === 1);

  const places = [rig.path("shop-x"), rig.path("shop-y"), rig.path("third place")];
  rig.git("worktree", "move", places[0]!, places[2]!);
  rig.git("worktree", "move", rig.path("plain"), rig.path("plain-2"));
  expect(await list()).toEqual([
    ["plain", rig.path("plain-2"), "of plain", null],
    ["x", places[2], "of x", "rel"],
    ["y", places[1], "of y", "main"],
  ]);
  expect(await desk.sessions()).toMatchObject([
    { worktree: places[2], exists: true, panes: [{ pid: before!.panes[0]!.pid }, {}] },
  ]);
  expect(await create("x")).toEqual([[places[2], x![1]]]);
  // Another one in its old place has nothing of it.
  const [z] = await create("z", "--no-tmux", "--path", places[0]!);
  expect([x![1], y![1]]).not.toContain(z![1]);
  rig.git("worktree", "move", places[1]!, rig.path("aside"));
  rig.git("worktree", "move", places[2]!, places[1]!);
  rig.git("worktree", "move", rig.path("aside"), places[2]!);
  rig.ok("note", "x", "moved again");
  expect((await list()).slice(1)).toEqual([
    ["x", places[1], "moved again", "rel"],
    ["y", places[2], "of y", "main"],
    ["z", places[0], "", "main"],
  ]);
  expect([await create("x"), await create("y", "--no-tmux")]).toEqual([[[places[1], x![1]]], [[places[2], y![1]]]]);
  expect((await desk.sessions()).map(({ worktree, panes }) => [worktree, panes[0]!.pid])).toEqual([
    [places[1], before!.panes[0]!.pid],
  ]);
  rig.ok("delete", "x", "--yes");
  expect(await desk.sessions()).toEqual([]);
});
