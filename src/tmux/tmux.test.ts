/** Sessions on a real tmux, each test on a server of its own. */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { chooseLayout } from "../core/layout.ts";
import { KEY_VARIABLE, SESSION_VARIABLE, sessionNames } from "../core/session-name.ts";
import { withoutStrays } from "../core/terminal-text.ts";
import { isAlive, readIdentity } from "../system/identity.ts";
import { environmentOf, listProcesses } from "../system/processes.ts";
import { listSessions, type Pane, type Session } from "./list.ts";
import { capturePane, respawnPane, sendText } from "./pane.ts";
import { ensureSession, findSession, killSession, type NewSession } from "./session.ts";
import { requireTmux, type Tmux, tmuxServer, whereWeAre } from "./tmux.ts";

const SLEEPER = ["sleep", "86400"];

class Server implements Disposable {
  readonly home = realpathSync(mkdtempSync(join(tmpdir(), "owt-tmux-")));
  readonly tmux: Tmux;

  constructor(config = "") {
    writeFileSync(join(this.home, ".tmux.conf"), config);
    const { PATH } = process.env;
    // The user's own configuration is read, as it is for users.
    const env = {
      PATH,
      HOME: this.home,
      TERM: "xterm-256color",
      SHELL: "/bin/sh",
      OWT_TMUX_SOCKET: join(this.home, "s"),
    };
    this.tmux = tmuxServer(env);
  }

  folder(name: string): string {
    const path = join(this.home, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  want(folder: string, more: Partial<NewSession> = {}): NewSession {
    const worktree = this.folder(folder);
    const at = { prefix: "owt", project: "shop", folder: folder.split("/").at(-1)!, path: worktree };
    return {
      names: sessionNames(at),
      worktree,
      repository: join(this.home, ".git"),
      size: { columns: 200, rows: 50 },
      layout: chooseLayout("main-vertical", {}, { panes: 1, usually: 1 }),
      agent: { name: "claude", command: SLEEPER, conversation: null },
      env: {},
      ...more,
    };
  }

  /** tmux as a person calls it. */
  ask(...args: string[]): string {
    return execFileSync("tmux", [...this.tmux.socket, ...args], { env: this.tmux.env, encoding: "utf8" }).trim();
  }

  [Symbol.dispose](): void {
    try {
      execFileSync("tmux", [...this.tmux.socket, "kill-server"], { env: this.tmux.env, stdio: "ignore" });
    } catch {
      // It ended with its last session.
    }
    for (const { pid } of listProcesses()) {
      const mark = environmentOf(pid).find((each) => each.startsWith(`${SESSION_VARIABLE}=${this.home}`));
      if (mark !== undefined) process.kill(pid, "SIGKILL");
    }
    rmSync(this.home, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const ends = Date.now() + 30_000; !(await holds());) {
    if (Date.now() > ends) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const geometry = (panes: readonly Pane[]) =>
  panes.map(({ at: { left, top, columns, rows } }) => `${columns}x${rows}+${left}+${top}`);

describe("the server", () => {
  test("tmux that is missing or too old is told with the line that installs it", async () => {
    using server = new Server();
    expect(await requireTmux(server.tmux)).toMatch(/^\d+\.\d+/);
    const bin = server.folder("bin");
    const none = { ...server.tmux, env: { ...server.tmux.env, PATH: bin } };
    await expect(requireTmux(none)).rejects.toThrow("there is no tmux here");
    for (const [said, answer] of [
      ["tmux 2.9a", "tmux 2.9a is too old: sessions need 3.2"],
      ["tmux 3.1c", "tmux 3.1c is too old"],
      ["tmux 3.2a", null],
      ["tmux next-3.6", null],
      ["tmux 10.0", null],
      ["tmux openbsd-7.4", null],
    ] as const) {
      writeFileSync(join(bin, "tmux"), `#!/bin/sh\necho '${said}'\n`, { mode: 0o755 });
      const asked = requireTmux({ ...server.tmux, env: { ...server.tmux.env, PATH: `${bin}:/usr/bin:/bin` } });
      if (answer === null) expect(await asked).toBeTruthy();
      else
        await expect(asked).rejects.toMatchObject({
          code: "environment",
          message: expect.stringContaining(answer) as string,
        });
    }
  });

  test("where no server runs there are no sessions", async () => {
    using server = new Server();
    expect(await listSessions(server.tmux)).toEqual([]);
    expect(await findSession(server.tmux, server.home)).toBeNull();
  });

  test("a socket is a name, a path, or the one that we are in", async () => {
    expect(tmuxServer({ OWT_TMUX_SOCKET: "work" }).socket).toEqual(["-L", "work"]);
    expect(tmuxServer({ OWT_TMUX_SOCKET: "/run/me/s" }).socket).toEqual(["-S", "/run/me/s"]);
    expect(tmuxServer({ [SESSION_VARIABLE]: "/x", A: "b" })).toEqual({ socket: [], env: { A: "b" } });
    expect(await whereWeAre(tmuxServer({}))).toBe("outside");
    expect(await whereWeAre(tmuxServer({ TMUX: "/tmp/tmux-0/default,1,0" }))).toBe("inside");
    using server = new Server();
    await ensureSession(server.tmux, server.want("a"));
    const at = (socket: string) => ({ ...server.tmux, env: { ...server.tmux.env, TMUX: `${socket},1,0` } });
    expect(await whereWeAre(at(join(server.home, "s")))).toBe("inside");
    expect(await whereWeAre(at("/tmp/tmux-0/default"))).toBe("in-another-server");
  });
});

describe("a session", () => {
  test("is whole: marks, place, environment, the agent by its own words", async () => {
    using server = new Server(
      "set -g destroy-unattached on\nset -g remain-on-exit off\nset -g base-index 3\nset -g pane-base-index 5\n",
    );
    const said = server.folder("said");
    const command = [
      "sh",
      "-c",
      `printf '%s\\n' "$@" > '${said}/words'; env > '${said}/env'; pwd > '${said}/pwd'; sleep 86400`,
    ];
    const words = [
      "x;",
      "\\;",
      ";",
      "a b",
      "#{pane_id}",
      "#(touch pwned)",
      "$HOME",
      "`id`",
      "'",
      '"',
      "-t",
      "ünï 🎉",
      "",
    ];
    const { session, isNew } = await ensureSession(
      server.tmux,
      server.want("shop-strange #{pane_id} #(touch pwned) ünï", {
        agent: { name: "claude", command: [...command, "agent", ...words], conversation: "abc" },
        env: { OWT_PORT: "4000;", EMPTY: "" },
        layout: chooseLayout("main-vertical", {}, { panes: 2, usually: 2 }),
      }),
    );
    expect(isNew).toBe(true);
    await until(
      "the agent wrote",
      () => existsSync(join(said, "pwd")) && readFileSync(join(said, "pwd"), "utf8") !== "",
    );
    expect(readFileSync(join(said, "words"), "utf8")).toBe(words.map((word) => `${word}\n`).join(""));
    expect(readFileSync(join(said, "pwd"), "utf8").trim()).toBe(session.worktree);
    const env = readFileSync(join(said, "env"), "utf8").split("\n");
    expect(env).toEqual(
      expect.arrayContaining(["OWT_PORT=4000;", "EMPTY=", `${SESSION_VARIABLE}=${session.worktree}`]),
    );
    expect(session).toMatchObject({
      name: expect.stringMatching(/^owt-shop-strange-pane_id-touch-pwned-n-[0-9a-f]{8}$/) as string,
      repository: join(server.home, ".git"),
      clients: [],
      viewOf: null,
    });
    // Where a pane stands tmux asks of the process in it, which may just have been forked.
    await vi.waitFor(async () => {
      const { panes } = (await findSession(server.tmux, session.worktree!))!;
      expect(panes.map(({ agent, conversation, isActive, cwd }) => [agent, conversation, isActive, cwd])).toEqual([
        ["claude", "abc", true, session.worktree],
        [null, null, false, session.worktree],
      ]);
    });
    expect(existsSync(join(session.worktree!, "pwned"))).toBe(false);
    // A window that a person opens has the same environment, and starts in the worktree.
    server.ask(
      "new-window",
      "-d",
      "-t",
      `=${session.name}:`,
      "sh",
      "-c",
      `env > '${said}/later'; pwd >> '${said}/later'; echo end >> '${said}/later'`,
    );
    await until(
      "the window wrote",
      () => existsSync(join(said, "later")) && /end/.test(readFileSync(join(said, "later"), "utf8")),
    );
    expect(readFileSync(join(said, "later"), "utf8")).toContain("OWT_PORT=4000;");
  });

  test("a command of one word is no shell line", async () => {
    using server = new Server();
    const path = join(server.folder("bin"), "my agent; touch pwned");
    writeFileSync(path, "#!/bin/sh\necho I am $0\nsleep 86400\n", { mode: 0o755 });
    const { session } = await ensureSession(
      server.tmux,
      server.want("a", { agent: { name: "claude", command: [path], conversation: null } }),
    );
    await until("it speaks", async () =>
      (await capturePane(server.tmux, session.panes[0]!.id, { above: 0 })).includes("I am"),
    );
    expect(existsSync(join(session.worktree!, "pwned"))).toBe(false);
  });

  test("however many ask for it at once, it is one; and a second call gives it back", async () => {
    using server = new Server();
    for (const round of [1, 2, 3]) {
      const want = server.want(`shop-race.${round}`, { layout: chooseLayout("quad", {}, { panes: null, usually: 2 }) });
      const all = await Promise.all(Array.from({ length: 12 }, () => ensureSession(server.tmux, want)));
      expect(new Set(all.map(({ session }) => session.id)).size).toBe(1);
      expect(all.filter(({ isNew }) => isNew)).toHaveLength(1);
      expect(all.every(({ session }) => session.panes.length === 4)).toBe(true);
    }
    expect(await listSessions(server.tmux)).toHaveLength(3);
  });

  test("two worktrees never share one: same folder name, names that tmux would make the same, a session of somebody else's", async () => {
    using server = new Server();
    server.ask("new-session", "-d", "-s", "owt-shop-mine", "sleep", "86400");
    const folders = [
      "x/shop-a",
      "y/shop-a",
      "shop-fix.1",
      "shop-fix_1",
      "shop-fix:1",
      "shop-mine",
      "日本語",
      "日本言",
      "-x",
      "=x",
      "$1",
    ];
    const made = await Promise.all(folders.map((folder) => ensureSession(server.tmux, server.want(folder))));
    const names = made.map(({ session }) => session.name);
    expect(new Set(names).size).toBe(folders.length);
    expect(names.slice(0, 2).toSorted()).toEqual(["owt-shop-a", expect.stringMatching(/^owt-shop-a-[0-9a-f]{8}$/)]);
    for (const [at, { session }] of made.entries())
      expect([session.worktree, session.panes[0]!.cwd]).toEqual(Array(2).fill(server.folder(folders[at]!)));
    expect((await listSessions(server.tmux)).find(({ name }) => name === "owt-shop-mine")).toMatchObject({
      worktree: null,
    });
  });

  test("one that cannot be laid out leaves nothing behind", async () => {
    using server = new Server();
    const layout = {
      name: "torn",
      splits: [{ of: 0, direction: "right" as const, share: 0.5 }],
      commands: [null, null],
    };
    // The status line of this server leaves no room for what was planned.
    server.ask("new-session", "-d", "-s", "mine", "sleep", "86400", ";", "set", "-g", "status", "5");
    const want = server.want("a", { size: { columns: 20, rows: 20 }, layout });
    await expect(ensureSession(server.tmux, want)).rejects.toThrow("does not fit on 20×20");
    await expect(
      ensureSession(server.tmux, { ...server.want("b"), worktree: join(server.home, "nowhere") }),
    ).rejects.toMatchObject({ code: "environment" });
    expect((await listSessions(server.tmux)).map(({ name }) => name)).toEqual(["mine"]);
  });

  test("found by its mark when a person renamed it", async () => {
    using server = new Server();
    const { session } = await ensureSession(server.tmux, server.want("shop-a"));
    server.ask("rename-session", "-t", "=owt-shop-a:", "my own name");
    const again = await ensureSession(server.tmux, server.want("shop-a"));
    expect(again).toMatchObject({ isNew: false, session: { id: session.id, name: "my own name" } });
  });
});

describe("layouts", () => {
  const cases: [name: string, panes: number | null, expected: string[]][] = [
    ["main-vertical", 1, ["200x50+0+0"]],
    ["main-vertical", 2, ["120x50+0+0", "79x50+121+0"]],
    ["main-vertical", 4, ["120x50+0+0", "79x16+121+0", "79x16+121+17", "79x16+121+34"]],
    ["three-pane", null, ["200x25+0+0", "100x24+0+26", "99x24+101+26"]],
    ["quad", null, ["100x25+0+0", "100x24+0+26", "99x25+101+0", "99x24+101+26"]],
    ["even-horizontal", 4, ["50x50+0+0", "49x50+51+0", "49x50+101+0", "49x50+151+0"]],
    ["even-vertical", 2, ["200x25+0+0", "200x24+0+26"]],
  ];
  test.each(cases)("%s with %s panes", async (name, panes, expected) => {
    using server = new Server("set -g pane-base-index 1\nset -g base-index 1\n");
    const layout = chooseLayout(name, {}, { panes, usually: 2 });
    const { session } = await ensureSession(server.tmux, server.want("a", { layout }));
    expect(geometry(session.panes)).toEqual(expected);
    expect(session.panes[0]).toMatchObject({ agent: "claude", isActive: true });
  });

  test("one of the configuration, with commands", async () => {
    using server = new Server();
    const review = {
      panes: [
        {},
        { split: "right" as const, size: "35%", command: ["sleep", "11111"] },
        { split: "below" as const, of: 1, command: ["sleep", "22222"] },
      ],
    };
    const layout = chooseLayout("review", { review }, { panes: null, usually: 2 });
    const { session } = await ensureSession(server.tmux, server.want("a", { layout }));
    expect(geometry(session.panes)).toEqual(["130x25+0+0", "130x24+0+26", "69x50+131+0"]);
    await until("they run", async () =>
      (await findSession(server.tmux, session.worktree!))!.panes.every(({ command }) => command === "sleep"),
    );
    expect(server.ask("list-panes", "-t", `=${session.name}:`, "-F", "#{pane_start_command}")).toContain("22222");
  });
});

test("with task-1 to task-100, none is ever meant by another's name", async () => {
  using server = new Server();
  const numbers = Array.from({ length: 100 }, (_, at) => at + 1);
  const made: Session[] = [];
  for (const number of numbers) {
    const want = server.want(`task-${number}`, {
      names: [`task-${number}`],
      agent: { name: "claude", command: ["cat"], conversation: null },
    });
    made.push((await ensureSession(server.tmux, want)).session);
  }
  expect(new Set(made.map(({ id }) => id)).size).toBe(100);
  for (const number of [1, 10, 2]) {
    const worktree = server.folder(`task-${number}`);
    const session = (await findSession(server.tmux, worktree))!;
    await sendText(server.tmux, session.panes[0]!.id, `for ${number}`, { enter: true });
    await until("it arrived", async () =>
      (await capturePane(server.tmux, session.panes[0]!.id, { above: 0 })).includes(`for ${number}\nfor ${number}`),
    );
  }
  const screens = server
    .ask("list-panes", "-a", "-F", "#{session_name} #{cursor_y}")
    .split("\n")
    .filter((line) => !line.endsWith(" 0"));
  expect(screens.map((line) => line.split(" ")[0]).toSorted()).toEqual(["task-1", "task-10", "task-2"]);
  // Ended, and asked for again and again: the others with its name in theirs stay.
  for (const number of [1, 10, 5]) {
    const session = made[number - 1]!;
    expect(await killSession(server.tmux, session, { graceMs: 2_000 })).toBe(0);
    expect(await findSession(server.tmux, session.worktree!)).toBeNull();
    await killSession(server.tmux, session, { graceMs: 100 });
  }
  const left = (await listSessions(server.tmux)).map(({ name }) => name);
  expect(left).toEqual(numbers.filter((number) => ![1, 10, 5].includes(number)).map((number) => `task-${number}`));
});

describe("panes", () => {
  test("an agent that ended stays to be looked at, and is started again in its place", async () => {
    using server = new Server();
    const want = server.want("a", {
      agent: { name: "claude", command: ["sh", "-c", "echo last words; sleep 0.3; exit 7"], conversation: "c1" },
    });
    const { session } = await ensureSession(server.tmux, want);
    const pane = session.panes[0]!.id;
    const now = async () => (await findSession(server.tmux, session.worktree!))!.panes[0]!;
    await until("it is dead", async () => (await now()).dead !== null);
    // tmux 3.3a shows a pane as dead when its terminal is closed, and at times never collects the program behind it.
    const status = expect.toSatisfy((code) => code === 7 || code === null) as number | null;
    expect(await now()).toMatchObject({ id: pane, agent: "claude", conversation: "c1", dead: { status } });
    expect(await capturePane(server.tmux, pane, { above: 100 })).toContain("last words");
    await expect(sendText(server.tmux, pane, "hello?", { enter: true })).rejects.toThrow(
      `nothing runs in pane ${pane}`,
    );
    expect(await respawnPane(server.tmux, pane, SLEEPER)).toBe(true);
    await until("it runs there", async () => (await now()).cwd === session.worktree);
    expect(await now()).toMatchObject({ id: pane, agent: "claude", dead: null });
    expect(await respawnPane(server.tmux, pane, SLEEPER)).toBe(false);
    await expect(respawnPane(server.tmux, "%99", SLEEPER)).rejects.toThrow("can't find pane");
  });

  test("a shell that is left closes its pane", async () => {
    using server = new Server();
    const layout = chooseLayout("even-vertical", {}, { panes: 2, usually: 2 });
    const { session } = await ensureSession(server.tmux, server.want("a", { layout }));
    await sendText(server.tmux, session.panes[1]!.id, "exit", { enter: true });
    await until("it closed", async () => (await findSession(server.tmux, session.worktree!))!.panes.length === 1);
  });
});

describe("killing a session", () => {
  /** Processes of every kind of descent: a child, one in the background, one that left the terminal, one that hears no signal but KILL. */
  const AGE = 100_000 + process.pid;
  const FAMILY = `
    trap '' HUP TERM
    sleep ${AGE}.1 & 
    (setsid sleep ${AGE}.2 &)
    (setsid sh -c "trap '' HUP TERM; sleep ${AGE}.3; true" &)
    (setsid env -i sh -c 'sleep ${AGE}.4; true' &) 
    nohup sleep ${AGE}.5 >/dev/null 2>&1 &
    echo started; while :; do sleep ${AGE}.6; done`;

  const alive = () =>
    execFileSync("ps", ["-eo", "args"], { encoding: "utf8" })
      .split("\n")
      .filter((line) => line.startsWith(`sleep ${AGE}.`));

  test("leaves no process of its panes, and none of anybody else's is touched", async () => {
    using server = new Server();
    const { session: other } = await ensureSession(server.tmux, server.want("other"));
    const layout = chooseLayout("main-vertical", {}, { panes: 2, usually: 2 });
    const want = server.want("a", {
      layout,
      agent: { name: "claude", command: ["bash", "-c", FAMILY], conversation: null },
    });
    const { session } = await ensureSession(server.tmux, want);
    await until("all started", () => alive().length >= 6);
    // What a person has of their own in a second server, started from the session; and an attempt's process.
    const nested = join(server.home, "nested");
    const marked = {
      ...server.tmux.env,
      [SESSION_VARIABLE]: session.worktree!,
      [KEY_VARIABLE]: session.key!,
    };
    execFileSync("tmux", ["-S", nested, "-f", "/dev/null", "new-session", "-d", "sleep", "88001"], { env: marked });
    const attempt = spawn("sleep", ["88002"], {
      env: { ...marked, OWT_ATTEMPT: "/x" },
      detached: true,
      stdio: "ignore",
    });
    const ours = readIdentity(attempt.pid!)!;
    try {
      expect(await killSession(server.tmux, session, { graceMs: 1_000 })).toBe(0);
      expect(alive().filter((line) => !line.endsWith(".4"))).toEqual([]);
      expect(isAlive(ours)).toBe(true);
      expect(execFileSync("tmux", ["-S", nested, "list-panes", "-a", "-F", "#{pane_dead}"], { encoding: "utf8" })).toBe(
        "0\n",
      );
      expect(isAlive(readIdentity(other.panes[0]!.pid)!)).toBe(true);
      expect((await listSessions(server.tmux)).map(({ name }) => name)).toEqual([other.name]);
    } finally {
      execFileSync("tmux", ["-S", nested, "kill-server"]);
      attempt.kill("SIGKILL");
      for (const stat of listProcesses())
        if (stat.name === "sleep" && readFileSync(`/proc/${stat.pid}/cmdline`, "utf8").includes(`${AGE}.`))
          process.kill(stat.pid, "SIGKILL");
    }
  });
});

/** A program that sets its terminal as agents do and writes down every byte. */
const RECORDER = `
const fs = require("node:fs");
const out = fs.openSync(process.argv[2], "a");
process.stdin.setRawMode(true);
if (process.argv[3] === "bracketed") process.stdout.write("\\x1b[?2004h");
process.stdout.write("ready\\r\\n");
process.stdin.on("data", (bytes) => fs.writeSync(out, bytes));
`;

/** §0.11 of what was measured: what send-keys, shells and formats take for something else. */
const NASTY = [
  "Enter",
  "Escape",
  "Up",
  "C-c",
  "ends with;",
  "\\;",
  ";",
  "-t",
  "-R",
  "--help",
  "two\nlines\n\nand\ttabs\r\nof all kinds",
  "$(touch pwned) `id` $HOME !! ~ *",
  `'single' "double" \\back\\ \\n`,
  "#{pane_id} #(id) #[fg=red] %1 =x @2 {last}",
  "ünïcödé 日本語 🎉 \u202Eabc\u200B\u00A0",
  "  leading and trailing  ",
];

describe("text", () => {
  async function record(server: Server, bracketed: boolean) {
    const file = join(server.home, "bytes");
    const script = join(server.home, "recorder.cjs");
    writeFileSync(script, RECORDER);
    writeFileSync(file, "");
    const command = [process.execPath, script, file, ...(bracketed ? ["bracketed"] : [])];
    const { session } = await ensureSession(
      server.tmux,
      server.want("a", { agent: { name: "claude", command, conversation: null } }),
    );
    const pane = session.panes[0]!.id;
    await until("it is ready", async () => (await capturePane(server.tmux, pane, { above: 0 })).includes("ready"));
    const wrap = (text: string) => (bracketed && text !== "" ? `\u001B[200~${text}\u001B[201~` : text);
    return {
      pane,
      wrap,
      async got(expected: string): Promise<string> {
        const length = Buffer.byteLength(expected);
        await until(`${length} bytes`, () => readFileSync(file).length >= length);
        const bytes = readFileSync(file, "utf8");
        writeFileSync(file, "");
        return bytes;
      },
    };
  }

  test.each([true, false])("arrives byte by byte, 1 MB too (bracketed paste: %s)", async (bracketed) => {
    using server = new Server("set -g synchronize-panes on\n");
    const { pane, wrap, got } = await record(server, bracketed);
    const megabyte = Array.from({ length: 16_384 }, (_, at) => `line ${at} ünï 🎉 ;`.padEnd(60, "x"))
      .join("\n")
      .padEnd(1_048_576, "y");
    for (const text of [...NASTY, megabyte, ""]) {
      await sendText(server.tmux, pane, text, { enter: true });
      const isExact = (await got(`${wrap(text)}\r`)) === `${wrap(text)}\r`;
      expect([text.slice(0, 40), isExact]).toEqual([text.slice(0, 40), true]);
    }
    await sendText(server.tmux, pane, "no key behind it", { enter: false });
    expect(await got(wrap("no key behind it"))).toBe(wrap("no key behind it"));
    // Nothing of it stays in the user's own buffers.
    expect(server.ask("list-buffers")).toBe("");
  });

  test("somebody who has scrolled up does not swallow the key", async () => {
    using server = new Server();
    const { pane, wrap, got } = await record(server, true);
    server.ask("copy-mode", "-t", pane);
    await sendText(server.tmux, pane, "while you read", { enter: true });
    expect(await got(`${wrap("while you read")}\r`)).toBe(`${wrap("while you read")}\r`);
    expect(server.ask("display-message", "-p", "-t", pane, "#{pane_in_mode}")).toBe("0");
  });

  test("of many at once none stands inside another", async () => {
    using server = new Server();
    const { pane, wrap, got } = await record(server, true);
    const texts = Array.from({ length: 24 }, (_, at) => `<${at}>`.padEnd(20_000, String(at % 10)) + `</${at}>`);
    await Promise.all(texts.map((text) => sendText(server.tmux, pane, text, { enter: true })));
    const all = await got(texts.map((text) => `${wrap(text)}\r`).join(""));
    expect(all.split("\r").slice(0, -1).toSorted()).toEqual(texts.map(wrap).toSorted());
  });

  test("what would end the paste or press a key is refused, and can be left out", async () => {
    using server = new Server();
    const { pane, wrap, got } = await record(server, true);
    const evil = "read this\u001B[201~\u0003rm -rf .\r\u009B201~!";
    await expect(sendText(server.tmux, pane, evil, { enter: true })).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining("U+001B in line 1, U+0003 in line 1, U+009B in line 1") as string,
    });
    const harmless = withoutStrays(evil);
    await sendText(server.tmux, pane, harmless, { enter: false });
    expect(await got(wrap(harmless))).toBe(wrap("read thisrm -rf .\r!"));
  });

  test("a pane that hears nothing is told", async () => {
    using server = new Server();
    const { pane } = await record(server, true);
    server.ask("select-pane", "-d", "-t", pane);
    await expect(sendText(server.tmux, pane, "x", { enter: true })).rejects.toThrow(
      `the input of pane ${pane} is switched off`,
    );
    await expect(sendText(server.tmux, "%99", "x", { enter: true })).rejects.toMatchObject({ code: "wrong-state" });
  });
});
