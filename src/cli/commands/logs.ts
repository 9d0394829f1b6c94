import type { Command } from "commander";
import { findAttempt, readLog, renderChecks, renderLine } from "../../engine/logs.ts";
import { answer, type Io, withEngine } from "../io.ts";
import { printable } from "../text.ts";
import { positiveInteger } from "../work-options.ts";

export function logsCommand(program: Command, io: Io): void {
  program
    .command("logs <task>")
    .description("what the agent of a task said and did")
    .option("-f, --follow", "go on until the attempt ends")
    .option("--raw", "the agent's own output, byte for byte")
    .option("--attempt <n>", "of this attempt; by default the last", positiveInteger)
    .option("--run <run>", "of the task of this run; by default the newest")
    .option("--json", "print the answer as JSON")
    .action(
      (key: string, options: { follow?: boolean; raw?: boolean; attempt?: number; json?: boolean; run?: string }) =>
        withEngine(io, async (engine) => {
          const attempt = findAttempt(engine, key, options.attempt ?? null, options.run);
          const lines: string[] = [];
          const onRendered = (line: string) => {
            if (options.json) lines.push(line);
            else io.stdout.write(`${printable(line)}\n`);
          };
          const onLine = (line: string) => {
            const rendered = options.raw ? [line] : renderLine(engine, attempt, line).map(printable);
            for (const each of rendered) onRendered(each);
          };
          await readLog(engine, attempt, onLine, options.follow ?? false, io.signal);
          if (!options.raw) for (const line of renderChecks(engine, attempt)) onRendered(line);
          if (options.json) answer(io, options, { task: key, attempt: attempt.number, lines }, "");
        }),
    );
}
