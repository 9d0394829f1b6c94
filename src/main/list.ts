/** `owt list` and `owt list --json`. With any other word the command is called in the ordinary way. */
import { runList } from "../cli/commands/list.ts";
import { openIo } from "./streams.ts";

export async function main(argv: string[], binPath: string): Promise<void> {
  process.exitCode = await runList(openIo(binPath), { json: argv.includes("--json") });
}
