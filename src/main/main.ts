/** `owt`: from argv to the exit code. */
import { runApp } from "../cli/app.ts";
import { openIo } from "./streams.ts";

/** Set by the build; a checkout that runs from source has no version of its own. */
declare const OWT_VERSION: string | undefined;

export async function main(argv: string[], binPath: string): Promise<void> {
  const version = typeof OWT_VERSION === "undefined" ? "0.0.0-source" : OWT_VERSION;
  process.exitCode = await runApp(openIo(binPath), argv, version);
}
