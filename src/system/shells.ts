/** Runs short programs through a few long-lived shells. Node forks itself for every program it starts, which blocks its main thread
 *  for a millisecond at 54 MB of memory and for 28 at 1 GB; a shell that was started early forks in a fraction of that.
 *  The shells read a constant program. What varies arrives as lines that become positional parameters: nothing is ever parsed. */
import { closeSync } from "node:fs";
import type { ExecResult } from "./exec.ts";
import { traceProgram } from "./trace.ts";
import { LiveProcess } from "./live-process.ts";
import { openNameless, takeAll } from "./nameless.ts";
import { areLines } from "./shell-words.ts";

/** Requests: folder, how many programs one after the other, and for each a count and so many words: `NAME=value` for the environment,
 *  `--`, the program and its arguments. The first that fails is the last.
 *  Output goes to the files behind descriptors 3 and 4, which have no name that a kill could leave behind. */
export const HELPER_PROGRAM = `
while IFS= read -r folder && IFS= read -r programs; do
  code=0
  while [ "$programs" -gt 0 ]; do
    programs=$((programs - 1))
    IFS= read -r count || exit
    set --
    while [ "$count" -gt 0 ]; do
      # Whoever asked is gone: half a request is none.
      IFS= read -r word || exit
      set -- "$@" "$word"
      count=$((count - 1))
    done
    [ "$code" = 0 ] || continue
    # No subshell: a program that the shell itself starts costs it no copy of itself.
    names=
    while [ "$1" != -- ]; do export "$1"; names="$names \${1%%=*}"; shift; done
    shift
    if cd -- "$folder" 2>&4; then
      "$@" </dev/null >&3 2>&4 3>&- 4>&-
      code=$?
    else
      code=126
    fi
    # shellcheck disable=SC2086
    unset $names
  done
  # Nobody is to find us in a folder that goes.
  cd /
  echo "$code"
done
`;

export type ShellCommand = {
  cwd: string;
  /** Added to the environment that the shells were started with. */
  env: Record<string, string>;
  words: readonly string[];
  /** A program that runs first; where it fails, the other does not run, and its code is the answer. */
  before?: readonly string[];
};

type Shell = { process: LiveProcess; out: number; err: number };

export class Shells {
  readonly #env: Record<string, string>;
  readonly #size: number;
  readonly #all: Shell[] = [];
  readonly #idle: Shell[] = [];
  readonly #waiting: ((shell: Shell) => void)[] = [];

  /** At most `size` programs run at once. `env` is the whole environment of the shells. */
  constructor(size: number, env: Record<string, string>) {
    this.#size = size;
    this.#env = env;
  }

  /** Whether a command can travel this way: a word with a line break cannot. */
  static carries(command: ShellCommand): boolean {
    const words = [command.cwd, ...Object.values(command.env), ...command.words, ...(command.before ?? [])];
    return areLines(words);
  }

  /** Runs a program to its end; any exit code is an answer. */
  async run(command: ShellCommand): Promise<ExecResult> {
    const ended = traceProgram(command.words);
    const shell = await this.#take();
    try {
      const { assignments, prefix } = this.#environmentFor(command);
      const programs = [command.before, command.words].flatMap((words) => (words ? [[...prefix, ...words]] : []));
      const lines = programs.flatMap((words) => [
        assignments.length + 1 + words.length,
        ...assignments,
        "--",
        ...words,
      ]);
      const request = [command.cwd, programs.length, ...lines].join("\n");
      const code = await shell.process.request(`${request}\n`, takeLine);
      ended(Number(code));
      return { code: Number(code), stdout: takeAll(shell.out), stderr: takeAll(shell.err) };
    } catch (error) {
      this.#discard(shell);
      throw error;
    } finally {
      this.#give(shell);
    }
  }

  /** Ends the shells after what is under way; the next command would start new ones. */
  async close(): Promise<void> {
    this.#idle.length = 0;
    for (const { process, out, err } of this.#all.splice(0)) {
      await process.close();
      closeSync(out);
      closeSync(err);
    }
  }

  /** The shell takes variables away again behind the program: those that it has itself are for `env` to set. */
  #environmentFor({ env }: ShellCommand): { assignments: string[]; prefix: string[] } {
    const all = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const isShared = Object.keys(env).some((name) => name in this.#env || !isFree(name));
    return isShared ? { assignments: [], prefix: ["env", ...all] } : { assignments: all, prefix: [] };
  }

  #take(): Promise<Shell> {
    const idle = this.#idle.pop();
    if (idle) return Promise.resolve(idle);
    if (this.#all.length < this.#size) return Promise.resolve(this.#startOne());
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #give(shell: Shell): void {
    const next = this.#waiting.shift();
    // One that was closed meanwhile is not given on.
    const usable = this.#all.includes(shell);
    if (next) next(usable ? shell : this.#startOne());
    else if (usable) this.#idle.push(shell);
  }

  /** A shell that died may leave its program behind, which still writes into the files: nobody else may get those. */
  #discard(shell: Shell): void {
    const at = this.#all.indexOf(shell);
    if (at === -1) return;
    this.#all.splice(at, 1);
    closeSync(shell.out);
    closeSync(shell.err);
  }

  #startOne(): Shell {
    const [out, err] = [openNameless(), openNameless()];
    const options = {
      file: "/bin/sh",
      args: ["-c", HELPER_PROGRAM, "owt-shell"],
      cwd: "/",
      env: this.#env,
      appendsTo: [out, err],
    };
    const shell = { process: new LiveProcess("a helper shell", () => options), out, err };
    this.#all.push(shell);
    return shell;
  }
}

function takeLine(bytes: Buffer): { answer: string } | null {
  const end = bytes.indexOf(10);
  return end === -1 ? null : { answer: bytes.subarray(0, end).toString("utf8") };
}

/** Whether no shell has a variable of this name for itself; the program above has its own in lower case. */
function isFree(name: string): boolean {
  return /^(?:GIT|OWT)_[A-Z0-9_]+$/.test(name);
}
