/** A repository with a plan, the built `owt`, and the real Claude Code behind a fake API: everything in one temporary folder, with a home
 *  of its own. What still runs is judged from /proc alone, never through `src/`. */
import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { claudeBinary, type ClaudeVersion } from "./claude-binary.ts";
import type { FakeApi } from "./fake-api.ts";
import { runGit } from "./scratch-repo.ts";

const BIN = fileURLToPath(new URL("../../bin/owt.js", import.meta.url));

export type RigOptions = {
  api: FakeApi;
  /** Files of the first commit, the plan and `.worktreerc` among them. */
  files: Record<string, string>;
  /** On top of the environment of every `owt`; undefined takes one away. */
  env?: Record<string, string | undefined>;
  /** Default: the newest that we pin. */
  version?: ClaudeVersion;
};

/** A repository, and `owt` in it. */
export type Place = {
  root: string;
  owt(...args: string[]): Owt;
  /** Runs a command that must succeed, and gives the data of its `--json`. */
  ask<T>(...args: string[]): Promise<T>;
  git(...args: string[]): string;
};

export type ClaudeRig = AsyncDisposable &
  Place & {
    api: FakeApi;
    /** For what tools of the agent leave outside their worktree. */
    home: string;
    /** What every `owt` is started with. */
    env: Record<string, string>;
    /** Another repository of the same user. `env` on top of that of the first. */
    beside(name: string, files: Record<string, string>, env?: Record<string, string>): Place;
    /** How each claude was started, in order: its arguments. */
    starts(): string[];
    /** The real claudes of this rig that run now. */
    claudes(): number[];
    /** Everything of this rig that runs now, `PID command`. */
    processes(): string[];
  };

/** One `owt` as a child. */
type Owt = {
  pid: number;
  out(): string;
  err(): string;
  /** Waits for its end, and fails with its words when that is another one: the exit code, or the signal it died of. */
  exits(expected: number | NodeJS.Signals): Promise<void>;
  /** SIGKILL to this process alone. */
  kill(): void;
  /** What a terminal does: SIGINT to everything that runs in its foreground, the children that owt keeps for itself among it. */
  pressCtrlC(): void;
  /** Ends it as a person would who has seen enough; nothing when it has ended. */
  leave(): Promise<void>;
  /** Waits for something that this `owt` brings about; fails with its words when it ends before. */
  brings<T>(awaited: Promise<T>): Promise<T>;
};

export async function claudeRig({ api, files, env = {}, version }: RigOptions): Promise<ClaudeRig> {
  const top = realpathSync(mkdtempSync(join(tmpdir(), "owt-claude-")));
  const [root, home, bin] = [join(top, "repo"), join(top, "home"), join(top, "bin")];
  for (const folder of [root, home, bin]) mkdirSync(folder);
  const startsFile = join(top, "starts");
  const binary = claudeBinary(version);
  writeProgram(join(bin, "claude"), binary, startsFile);
  const environment = definedOf({ ...environmentFor(api, top, home, bin), ...env });
  const children: ChildProcess[] = [];
  const placeAt = (at: string, files: Record<string, string>, env: Record<string, string>): Place => {
    makeRepository(at, files);
    const owt: Place["owt"] = (...args) => {
      const child = spawn(process.execPath, [BIN, ...args], {
        cwd: at,
        env,
        stdio: ["ignore", "pipe", "pipe"],
        // A group of its own, as a shell gives each command: see pressCtrlC.
        detached: true,
      });
      children.push(child);
      return watchOwt(child, args);
    };
    const ask = async <T>(...args: string[]): Promise<T> => {
      const asked = owt(...args, "--json");
      await asked.exits(0);
      return (JSON.parse(asked.out()) as { data: T }).data;
    };
    return { root: at, owt, ask, git: (...args) => runGit(at, ...args) };
  };
  return {
    ...placeAt(root, files, environment),
    api,
    home,
    env: environment,
    beside: (name, its, more = {}) => {
      mkdirSync(join(top, name));
      return placeAt(join(top, name), its, { ...environment, ...more });
    },
    starts: () => (existsSync(startsFile) ? readFileSync(startsFile, "utf8").trimEnd().split("\n") : []),
    claudes: () => processesIn(top).filter((pid) => linkOf(pid, "exe") === realpathSync(binary)),
    // One without a command line has ended, but for its last moment in the table.
    processes: () =>
      processesIn(top).flatMap((pid) => {
        const line = readProc(pid, "cmdline").replaceAll("\0", " ").trim();
        return line === "" ? [] : [`${pid} ${line}`];
      }),
    [Symbol.asyncDispose]: async () => {
      for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      // A test that failed may leave an agent; the loop is for what forks meanwhile.
      for (let left = processesIn(top); left.length > 0; left = processesIn(top))
        for (const pid of left) killIfThere(pid);
      await api[Symbol.asyncDispose]();
      rmSync(top, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** The binary under its name on PATH, each start written down; `exec` leaves nothing of the shell behind. */
function writeProgram(path: string, binary: string, startsFile: string): void {
  writeFileSync(path, `#!/bin/sh\nprintf '%s\\n' "$*" >>'${startsFile}'\nexec '${binary}' "$@"\n`);
  chmodSync(path, 0o755);
}

function makeRepository(root: string, files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  runGit(root, "init", "-q", "-b", "main");
  runGit(root, "config", "user.name", "Ann User");
  runGit(root, "config", "user.email", "ann@example.com");
  runGit(root, "add", "-A");
  runGit(root, "commit", "-q", "-m", "A plan");
}

/** Nothing of whoever runs the tests but PATH: no login, no configuration, no surrounding session. */
function environmentFor(api: FakeApi, top: string, home: string, bin: string): Record<string, string> {
  return {
    PATH: `${bin}${delimiter}${process.env["PATH"] ?? "/usr/bin:/bin"}`,
    HOME: home,
    XDG_STATE_HOME: join(home, "state"),
    XDG_CONFIG_HOME: join(home, "config"),
    XDG_RUNTIME_DIR: top,
    OWT_TMUX_SOCKET: join(top, "sessions.sock"),
    SHELL: "/bin/sh",
    OWT_RUN_RESTART_PAUSE: "1s",
    LANG: "C.UTF-8",
    IS_SANDBOX: "1",
    ANTHROPIC_BASE_URL: api.url,
    ANTHROPIC_API_KEY: "sk-ant-dummy",
    CLAUDE_CODE_MAX_RETRIES: "1",
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    DISABLE_TELEMETRY: "1",
    DISABLE_ERROR_REPORTING: "1",
  };
}

function watchOwt(child: ChildProcess, args: string[]): Owt {
  let [out, err] = ["", ""];
  child.stdout!.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (err += text));
  const exit = new Promise<number | string>((ended) => {
    child.once("close", (code, signal) => ended(code ?? signal ?? "unknown"));
  });
  const ended = async (): Promise<string> => `owt ${args.join(" ")} ended with ${await exit}:\n${out}\n${err}`;
  return {
    pid: child.pid!,
    out: () => out,
    err: () => err,
    exits: async (expected) => {
      if ((await exit) !== expected) throw new Error(`${await ended()}\nexpected: ${expected}`);
    },
    kill: () => void child.kill("SIGKILL"),
    pressCtrlC: () => void process.kill(-child.pid!, "SIGINT"),
    leave: async () => {
      if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, "SIGINT");
      await exit;
    },
    brings: (awaited) =>
      Promise.race([
        awaited,
        ended().then((words) => {
          throw new Error(words);
        }),
      ]),
  };
}

/** Whatever was started for this folder: by its environment, its arguments or the place it works in. Zombies have none of the three. */
function processesIn(top: string): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids
    .map(Number)
    .filter((pid) =>
      [readProc(pid, "environ"), readProc(pid, "cmdline"), linkOf(pid, "cwd")].some((text) => text.includes(top)),
    );
}

function readProc(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "latin1");
  } catch {
    return "";
  }
}

function linkOf(pid: number, name: string): string {
  try {
    return readlinkSync(`/proc/${pid}/${name}`);
  } catch {
    return "";
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone since the look.
  }
}

function definedOf(env: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
