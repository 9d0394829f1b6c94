/** The only file that touches argv, the standard streams, signals and the exit. */
import { runApp } from "./cli/app.ts";
import type { Io } from "./cli/io.ts";

/** Set by the build; a checkout that runs from source has no version of its own. */
declare const OWT_VERSION: string | undefined;

export async function main(argv: string[], binPath: string): Promise<void> {
  const leave = new AbortController();
  const hurry = new AbortController();
  const io: Io = {
    cwd: process.cwd(),
    env: process.env,
    owtCommand: [process.execPath, binPath],
    // Few commands read it, and opening it takes longer than most of them.
    get stdin() {
      return process.stdin;
    },
    stdout: process.stdout,
    get stderr() {
      return toldQuietly();
    },
    signal: leave.signal,
    hurry: hurry.signal,
    outlivesTerminal: false,
    looks: false,
    verbosity: 0,
  };
  const interrupt = (): void => (leave.signal.aborted ? hurry.abort() : leave.abort());
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, interrupt);
  // A terminal that is closed, a connection that breaks: a run goes on without a screen.
  process.on("SIGHUP", () => io.outlivesTerminal || interrupt());
  // A reader that went away (owt logs | head) ends the answer; the narration alone (below) is no reason to leave the agents.
  process.stdout.on("error", () => io.outlivesTerminal || process.exit(0));
  process.exitCode = await runApp(io, argv, typeof OWT_VERSION === "undefined" ? "0.0.0-source" : OWT_VERSION);
}

let told: NodeJS.WriteStream | null = null;

/** Standard error, opened when there is something to tell. */
function toldQuietly(): NodeJS.WriteStream {
  told ??= process.stderr.on("error", () => {});
  return told;
}
