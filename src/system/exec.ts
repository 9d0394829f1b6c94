/** The one spawner. Argument arrays only, no shell; a failed command is an OwtError that carries what it said. */
import { type ChildProcess, execFileSync, spawn, type SpawnOptions } from "node:child_process";
import { OwtError } from "../core/errors.ts";
import { traceProgram } from "./trace.ts";

export type ExecOptions = {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Bytes for standard input; nothing means /dev/null. */
  input?: string | Uint8Array;
  /** Exit codes that are answers, not failures. Default: [0]. */
  ok?: readonly number[];
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Told the process, which heads a group of its own. */
  onStart?: (pid: number) => void;
};

export type ExecResult = { code: number; stdout: string; stderr: string };

/** Runs a program to its end and returns what it printed. Throws `tool-failed` on an exit code outside `ok`. */
export async function exec(file: string, args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  const result = await collect(file, args, options);
  if (!(options.ok ?? [0]).includes(result.code)) throw failed(file, args, result);
  return result;
}

/** Starts a program and hands back the child; for programs that live on beside us. It is out of reach of the terminal, which sends its
 *  Ctrl-C to the whole foreground group: that is a word to us, and must not end a git in the middle of its work. */
export function start(file: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  return spawn(file, [...args], { detached: true, ...options, shell: false });
}

/** The output of a small, quick program, read synchronously; for the few places that cannot wait. Throws where it fails. */
export function execSync(file: string, args: readonly string[], env: NodeJS.ProcessEnv): string {
  const ended = traceProgram([file, ...args]);
  const said = execFileSync(file, [...args], { encoding: "utf8", env, stdio: ["ignore", "pipe", "ignore"] });
  ended(0);
  return said;
}

function collect(file: string, args: readonly string[], options: ExecOptions): Promise<ExecResult> {
  const ended = traceProgram([file, ...args]);
  return new Promise((resolve, reject) => {
    const child = start(file, args, {
      cwd: options.cwd,
      env: options.env,
      stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      timeout: options.timeoutMs,
      signal: options.signal,
    });
    if (child.pid !== undefined) options.onStart?.(child.pid);
    // With what it started: git waits for an ssh that does not answer, and would leave that behind.
    const stopAll = () => endGroup(child.pid, "SIGTERM");
    options.signal?.addEventListener("abort", stopAll, { once: true });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr?.on("data", (chunk: Buffer) => stderr.push(chunk));
    // A program that ends without reading its input is its own business: its exit code tells.
    child.stdin?.on("error", () => {});
    child.stdin?.end(options.input);
    child.on("error", (cause) =>
      reject(new OwtError("tool-failed", `could not run ${file}: ${cause.message}`, { cause, ...hintFor(cause) })),
    );
    child.on("close", (code, signal) => {
      ended(code);
      options.signal?.removeEventListener("abort", stopAll);
      resolve({ code: code ?? 128 + signalNumber(signal), stdout: text(stdout), stderr: text(stderr) });
    });
  });
}

/** Ends a program of ours with everything in its group, of which it is the head. */
export function endGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended by itself.
  }
}

/** A program that is not there is the machine's business. */
function hintFor(cause: Error): { hint?: string } {
  return "code" in cause && cause.code === "ENOENT" ? { hint: "see what is missing: owt doctor" } : {};
}

function text(chunks: Buffer[]): string {
  return Buffer.concat(chunks).toString("utf8");
}

function signalNumber(signal: NodeJS.Signals | null): number {
  return signal === "SIGKILL" ? 9 : signal === "SIGINT" ? 2 : 15;
}

/** The error of a program that ended with a code which is no answer. */
export function failed(file: string, args: readonly string[], result: ExecResult): OwtError {
  const said = (result.stderr || result.stdout).trim().split("\n").slice(-5).join("\n");
  return new OwtError("tool-failed", `${file} ${args.join(" ")} ended with ${result.code}${said ? `: ${said}` : ""}`);
}
