/** A temporary repository with a plan, and the built command to run in it. Agents are the demo agent, steered by files:
 *  a step `wait PATH` holds it until the test makes the file. Nothing here imports from src/. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  watch,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { expectSound } from "./answers.ts";

const OWT = new URL("../../bin/owt.js", import.meta.url).pathname;

export type Ran = { code: number; stdout: string; stderr: string };

/** An owt that goes on while the test does something else. */
export type Running = { child: ChildProcess; ended: Promise<Ran>; says(text: string | RegExp): Promise<void> };

export class Rig implements AsyncDisposable {
  /** Everything of this test lies below here. */
  readonly home: string;
  /** The repository. */
  readonly root: string;
  readonly env: NodeJS.ProcessEnv;
  /** The built command, for a Node to run. */
  readonly command = OWT;
  readonly #running: Running[] = [];

  private constructor(home: string, env: NodeJS.ProcessEnv) {
    this.home = home;
    this.root = join(home, "shop");
    this.env = env;
  }

  /** Makes the repository on branch main, commits the files, and approves what they bring unless told otherwise. */
  static create(files: Record<string, string>, options: { approve?: boolean; env?: NodeJS.ProcessEnv } = {}): Rig {
    const home = mkdtempSync(join(realpathSync(tmpdir()), "owt-test-"));
    const env: NodeJS.ProcessEnv = {
      PATH: process.env["PATH"],
      HOME: join(home, "home"),
      XDG_STATE_HOME: join(home, "state"),
      XDG_CONFIG_HOME: join(home, "config"),
      XDG_CACHE_HOME: process.env["XDG_CACHE_HOME"] ?? join(process.env["HOME"] ?? home, ".cache"),
      GIT_CONFIG_NOSYSTEM: "1",
      NO_COLOR: "1",
      // Nobody's own tmux.
      OWT_TMUX_SOCKET: join(home, "sessions.sock"),
      SHELL: "/bin/sh",
      // Nobody waits for half a minute behind each agent that dies.
      OWT_RUN_RESTART_PAUSE: "1s",
      ...options.env,
    };
    const rig = new Rig(home, env);
    mkdirSync(rig.root, { recursive: true });
    mkdirSync(join(home, "home"));
    writeFileSync(
      join(home, "home", ".gitconfig"),
      "[user]\nname = Test User\nemail = test@localhost\n[init]\ndefaultBranch = main\n[advice]\ndetachedHead = false\n",
    );
    rig.git("init", "-q");
    rig.write({ "README.md": "# Shop\n", ...files });
    rig.commit("start");
    if (
      options.approve !== false &&
      (files[".worktreerc"] || Object.values(files).some((text) => text.includes("verify")))
    ) {
      rig.ok("config", "approve", "--yes");
    }
    return rig;
  }

  write(files: Record<string, string>): void {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.root, name)), { recursive: true });
      writeFileSync(join(this.root, name), text);
    }
  }

  /** A file of the user's own, in the folder where owt looks for their configuration. */
  userFile(name: string, text: string): void {
    const folder = join(this.home, "config", "open-orchestrator");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, name), text);
  }

  commit(message: string): void {
    this.git("add", "-A");
    this.git("commit", "-q", "--allow-empty", "-m", message);
  }

  /** A file outside the repository that steps can name: `{file:NAME}` in a plan is not needed, the path is known. */
  path(name: string): string {
    return join(this.home, name);
  }

  git(...args: string[]): string {
    return execFileSync("git", args, {
      cwd: this.root,
      env: this.env,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    }).trim();
  }

  /** Runs owt to its end. */
  owt(...args: string[]): Promise<Ran> {
    return this.start(...args).ended;
  }

  /** Runs owt in another folder. */
  owtIn(folder: string, ...args: string[]): Promise<Ran> {
    return this.#start(folder, args).ended;
  }

  /** A copy of the whole repository, its store included. */
  copyTo(name: string): void {
    cpSync(this.root, this.path(name), { recursive: true });
  }

  /** Runs owt, expects success, and returns the data of its `--json` answer. */
  async json<T = Record<string, never>>(...args: string[]): Promise<T> {
    const ran = await this.owt(...args, "--json");
    const envelope = JSON.parse(ran.stdout) as { schema: number; data: T };
    if (envelope.schema !== 1) throw new Error(`schema ${envelope.schema}`);
    return envelope.data;
  }

  /** Runs owt synchronously and throws unless it succeeds. */
  ok(...args: string[]): string {
    return execFileSync(process.execPath, [OWT, ...args], {
      cwd: this.root,
      env: this.env,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  /** Starts owt and lets it go on. */
  start(...args: string[]): Running {
    return this.#start(this.root, args);
  }

  /** The same as another user, for whom root can be somebody else. */
  startAs(user: number, ...args: string[]): Running {
    const words = [`--reuid=${user}`, `--regid=${user}`, "--clear-groups", "--", process.execPath, OWT, ...args];
    const stdio = ["ignore", "pipe", "pipe"] as const;
    const child = spawn("setpriv", words, { cwd: this.root, env: this.env, stdio: [...stdio] });
    return this.#follow(child, child.stderr, args);
  }

  /** Starts owt on a terminal of its own; what it prints there stands in both streams, and its keys are the child's standard input. */
  startOnTerminal(...args: string[]): Running {
    const words = [process.execPath, OWT, ...args].map((word) => `'${word}'`).join(" ");
    const child = spawn("script", ["--quiet", "--return", "--command", words, "/dev/null"], {
      cwd: this.root,
      env: { ...this.env, TERM: "xterm" },
      stdio: ["pipe", "pipe", "pipe"],
    });
    return this.#follow(child, child.stdout);
  }

  #start(cwd: string, args: string[]): Running {
    const child = spawn(process.execPath, [OWT, ...args], {
      cwd,
      env: this.env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    return this.#follow(child, child.stderr, args);
  }

  /** `args`: of an owt whose answer is its own; with `--json` it has to fit its schema. */
  #follow(child: ChildProcess, narration: Readable, args: readonly string[] = []): Running {
    let stdout = "";
    let stderr = "";
    const listeners = new Set<() => void>();
    child.stdout!.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    narration.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
      for (const listener of listeners) listener();
    });
    const ended = new Promise<Ran>((resolve, reject) =>
      child.on("close", (code) => {
        try {
          // Half an answer of one that was killed fits nothing, and help is for people.
          if (code !== null && args.includes("--json") && !args.includes("--help")) expectSound(args, stdout);
          resolve({ code: code ?? -1, stdout, stderr });
        } catch (error) {
          reject(error as Error);
        }
      }),
    );
    const running: Running = {
      child,
      ended,
      says: (text) =>
        new Promise((resolve, reject) => {
          const look = () => {
            if (typeof text === "string" ? !stderr.includes(text) : !text.test(stderr)) return;
            listeners.delete(look);
            resolve();
          };
          listeners.add(look);
          ended.then((ran) => {
            look();
            reject(new Error(`owt ended with ${ran.code} before it said ${String(text)}:\n${ran.stdout}${ran.stderr}`));
          }, reject);
          look();
        }),
    };
    this.#running.push(running);
    return running;
  }

  /** Kills what {@link processes} tells of. The end of one can be that of others, which are gone then. */
  killProcesses(): void {
    for (const pid of this.processes()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
      }
    }
  }

  /** What runs that was started for this rig. */
  processes(): number[] {
    return processesBelow(this.home);
  }

  /** Makes a file that an agent waits for. */
  release(name: string): void {
    writeFileSync(this.path(name), "");
  }

  /** The text of a file as the run's branch (or another revision) has it; null when it is not there. */
  show(revision: string, file: string): string | null {
    try {
      return execFileSync("git", ["show", `${revision}:${file}`], {
        cwd: this.root,
        env: this.env,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });
    } catch {
      return null;
    }
  }

  /** The tasks that were integrated on a branch, in their order, told by the trailers of their merges. */
  integrations(branch: string): string[] {
    const told = (range: string): string[] => {
      const trailer = (key: string) => `%(trailers:key=${key},valueonly,separator=%x2C)`;
      const format = ["%P", trailer("Owt-Task"), trailer("Owt-Group")].join("%x09");
      const rows = this.git("log", "--first-parent", "--reverse", `--format=${format}`, range).split("\n");
      return rows.flatMap((row) => {
        const [parents = "", task = "", group = ""] = row.split("\t");
        const [before, last] = parents.split(" ");
        return task !== "" ? [task] : group !== "" ? told(`${before}..${last}`) : [];
      });
    };
    return told(branch);
  }

  /** tmux as a person calls it, on the server of this rig's sessions. */
  tmux(...args: string[]): string {
    return execFileSync("tmux", ["-S", this.env["OWT_TMUX_SOCKET"]!, ...args], {
      env: this.env,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    }).trim();
  }

  /** Puts a program on the PATH of everything that this rig starts. */
  addProgram(name: string, script: string): void {
    const folder = join(this.home, "bin");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, name), script);
    chmodSync(join(folder, name), 0o755);
    this.env["PATH"] = `${folder}:${this.env["PATH"]}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child, ended } of this.#running) {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      // What was wrong with it was told where it was waited for.
      await ended.catch(() => {});
    }
    if (existsSync(this.path("sessions.sock"))) {
      try {
        this.tmux("kill-server");
      } catch {
        // Its last session has gone, and it with that.
      }
    }
    for (const pid of processesBelow(this.home)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended by itself.
      }
    }
    rmSync(this.home, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Processes that work below a folder or carry its path in their arguments, as /proc tells. */
export function processesBelow(folder: string): number[] {
  if (!existsSync("/proc/self")) return [];
  return execFileSync("ls", ["/proc"], { encoding: "utf8" })
    .split("\n")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        const place = execFileSync("readlink", [`/proc/${pid}/cwd`], {
          encoding: "utf8",
          stdio: ["ignore", "pipe", "ignore"],
        });
        return place.startsWith(folder) || readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(folder);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Starts a run of one/E01 and two/E01, the second of which touches `two-runs` and waits for `gate`: it goes on only once the first is integrated, so that its
 *  work stands on a tip which has moved. */
export async function startTwoBehindOne(rig: Rig): Promise<Running> {
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("two-runs"));
  await run.says("one/E01 integrated");
  rig.release("gate");
  return run;
}

/** Resolves once a file exists. */
export function fileAppears(path: string): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!existsSync(path)) return;
      watcher.close();
      clearInterval(timer);
      resolve();
    };
    const watcher = watch(dirname(path), look);
    const timer = setInterval(look, 50);
    look();
  });
}

/** A task file: front matter and demo steps. */
export function task(front: Record<string, unknown>, steps: string, text = ""): string {
  const head = Object.entries(front)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
    .join("\n");
  return `---\n${head}\n---\n# ${String(front["title"] ?? "A task")}\n\n${text}\n\n${steps ? `\`\`\`demo\n${steps}\n\`\`\`\n` : ""}`;
}

/** The configuration that most tests want. */
export const demoConfig = `[agent]\ndefault = "demo"\n`;

/** Whether a process still does something. One that has ended stays in the table until whoever took it over asks for its end, which the first
 *  process of a container may do late. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
