/** `owt carry`: the process that `--detach` leaves behind. Not for people: it has no screen and no questions. */
import type { Command } from "commander";
import { beBackground } from "../../engine/background.ts";
import { settleFirings } from "../../engine/firings.ts";
import { sendOutbox } from "../../engine/notify.ts";
import { findRun } from "../../engine/find-run.ts";
import { followRun } from "../follow.ts";
import { type Io, withEngine } from "../io.ts";

export function carryCommand(program: Command, io: Io): void {
  program
    .command("carry <run>", { hidden: true })
    .description("carry a run in the background, as run --detach and resume --detach start it")
    .option("--config <file>", "a configuration file")
    .action((id: string, options: { config?: string }) =>
      withEngine(
        io,
        async (engine) => {
          const run = findRun(engine, id);
          beBackground(engine, run.id);
          try {
            await followRun(io, engine, run.id, { plain: true });
          } finally {
            // Whoever is to be told of the end of a batch's run need not wait for the next look of whoever watches.
            settleFirings(engine);
            await sendOutbox(engine, io.hurry);
          }
        },
        options.config === undefined ? {} : { configFile: options.config },
      ),
    );
}
