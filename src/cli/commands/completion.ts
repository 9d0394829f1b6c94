/** `owt completion`: the script that completes commands, options and names in a shell. */
import type { Command } from "commander";
import { OwtError } from "../../core/errors.ts";
import { nearestHint } from "../../core/names.ts";
import { COMPLETION_SCRIPTS } from "../completion/scripts.ts";
import { answerAsIs, type Io } from "../io.ts";

export function completionCommand(program: Command, io: Io): void {
  program
    .command("completion <shell>")
    .description("the script that completes commands, options and names in bash, zsh or fish")
    .option("--json", "print the answer as JSON")
    .action((shell: string, options: { json?: boolean }) => {
      const script = COMPLETION_SCRIPTS[shell];
      if (script === undefined)
        throw new OwtError("usage", `there is no completion for ${shell}`, {
          hint: nearestHint(shell, Object.keys(COMPLETION_SCRIPTS), "for bash: source <(owt completion bash)"),
        });
      answerAsIs(io, options, { shell, script }, script);
    });
}
