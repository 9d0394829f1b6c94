import type { Command } from "commander";
import { findAttempt, readLog, renderLine } from "../../engine/logs.ts";
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
    .option("--json", "print the answer as JSON")
    .action((key: string, options: { follow?: boolean; raw?: boolean; attempt?: number; json?: boolean }) =>
      withEngine(io, async (engine) => {
        const attempt = findAttempt(engine, key, options.attempt ?? null);
        const lines: string[] = [];
        const onLine = (line: string) => {
          const rendered = options.raw ? [line] : renderLine(engine, attempt, line).map(printable);
          if (options.json) lines.push(...rendered);
          else for (const each of rendered) io.stdout.write(`${each}\n`);
        };
        await readLog(engine, attempt, onLine, options.follow ?? false, io.signal);
        if (options.json) answer(io, options, { task: key, attempt: attempt.number, lines }, "");
      }),
    );
}
