/** `owt status` and `owt status --json`, which people and their prompts call all day long, without a parser for command lines: loading and
 *  filling that takes as long as what is asked for. With any other word the command is called in the ordinary way. */
import { runStatus } from "../cli/commands/status.ts";
import { openIo } from "./streams.ts";

export async function main(argv: string[], binPath: string): Promise<void> {
  process.exitCode = await runStatus(openIo(binPath), { json: argv.includes("--json") });
}
