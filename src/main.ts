/** The only file that touches argv, the standard streams, signals and the exit. */
import { runApp } from "./cli/app.ts";

/** Set by the build; a checkout that runs from source has no version of its own. */
declare const OWT_VERSION: string | undefined;

export async function main(argv: string[], binPath: string): Promise<void> {
  const leave = new AbortController();
  const hurry = new AbortController();
  const onSignal = () => (leave.signal.aborted ? hurry.abort() : leave.abort());
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  // A reader that went away (owt logs | head) ends the answer; the narration alone is no reason to leave the agents.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  process.stderr.on("error", () => {});
  process.exitCode = await runApp(
    {
      cwd: process.cwd(),
      env: process.env,
      owtCommand: [process.execPath, binPath],
      stdin: process.stdin,
      stdout: process.stdout,
      stderr: process.stderr,
      signal: leave.signal,
      hurry: hurry.signal,
    },
    argv,
    typeof OWT_VERSION === "undefined" ? "0.0.0-source" : OWT_VERSION,
  );
}
