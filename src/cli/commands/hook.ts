/** `owt hook`: what the hooks of agents call. They must never disturb a session: whatever goes wrong, nothing is said, and the exit code is 0. */
import type { Command } from "commander";
import { renderAsked } from "../../agents/claude-leave.ts";
import { redact, secretsIn } from "../../core/redact.ts";
import { contextAnswer, renderContext } from "../../core/hook-context.ts";
import { bringBack } from "../../engine/sessions.ts";
import { readContext } from "../../engine/worktrees/context.ts";
import { syncBehind } from "../../engine/worktrees/session-end.ts";
import { pluginFolder } from "../../system/plugin-files.ts";
import { type Io, readBytes, withEngine } from "../io.ts";

export function hookCommands(program: Command, io: Io): void {
  const hook = program
    .command("hook", { hidden: true })
    .description("for hooks of agents (docs/guide/claude-code.md); silent, and always successful");
  hook
    .command("context")
    .description("print the worktree's context as the hook UserPromptSubmit of Claude Code gives it")
    .action(() =>
      inSilence(io, async (quiet) => {
        const context = await withEngine(quiet, async (engine) => renderContext(await readContext(engine)));
        io.stdout.write(`${contextAnswer(context)}\n`);
      }),
    );
  hook
    .command("session-end")
    .description("bring a linked worktree up to date (owt sync) where it is clean and nobody works there")
    .action(() =>
      inSilence(io, async (quiet) => {
        // The session that it is the end of takes its terminal with it.
        io.outlivesTerminal = true;
        await withEngine(quiet, (engine) => syncBehind(engine, io.signal));
      }),
    );
  hook
    .command("agent-ended <pane>")
    .description(
      "start the agent of a session's pane again, where tmux.bring_back says so and no person left it; for tmux",
    )
    .action((pane: string) =>
      inSilence(io, (quiet) => withEngine(quiet, async (engine) => void (await bringBack(engine, pane)))),
    );
  hook
    .command("asked")
    .description("of a request for leave, read from standard input: the line that the inbox shows, secrets left out")
    .action(async () => {
      const secrets = secretsIn(io.env);
      io.stdout.write(
        `${renderAsked((await readBytes(io)).toString("utf8").trimEnd(), (text) => redact(text, secrets))}\n`,
      );
    });
  hook
    .command("plugin")
    .description("print the folder of the plugin for Claude Code, which is its marketplace too")
    .action(() => void io.stdout.write(`${pluginFolder()}\n`));
}

/** What is wrong with the configuration is not told either: nobody reads it here. */
async function inSilence(io: Io, work: (quiet: Io) => Promise<void>): Promise<void> {
  try {
    await work(Object.create(io, { stderr: { value: { write: () => true } } }) as Io);
  } catch {
    // Outside of a repository, in one without a commit, with a store that is damaged: none of a session's business.
  }
}
