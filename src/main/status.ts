/** `owt status` and `owt status --json`. With any other word the command is called in the ordinary way. */
import { runStatus } from "../cli/commands/status.ts";
import { leave, openIo } from "./streams.ts";

export async function main(argv: string[], binPath: string): Promise<void> {
  leave(await runStatus(openIo(binPath), { json: argv.includes("--json") }));
}
