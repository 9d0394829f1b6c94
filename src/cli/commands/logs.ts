import { once } from "node:events";
import type { Command } from "commander";
import { findAttempt, readLog, renderChecks, renderLog } from "../../engine/logs.ts";
import { gapLine } from "../../system/capped-file.ts";
import { answer, type Io, withEngine } from "../io.ts";
import { printable } from "../text.ts";
import { positiveInteger } from "../work-options.ts";

type Options = { follow?: boolean; raw?: boolean; attempt?: number; json?: boolean; run?: string };

export function logsCommand(program: Command, io: Io): void {
  program
    .command("logs <task>")
    .description("what the agent of a task said and did")
    .option("-f, --follow", "go on until the attempt ends")
    .option("--raw", "the agent's own output, byte for byte")
    .option("--attempt <n>", "of this attempt; by default the last", positiveInteger)
    .option("--run <run>", "of the task of this run; by default the newest")
    .option("--json", "print the answer as JSON")
    .action((key: string, options: Options) =>
      withEngine(io, async (engine) => {
        const attempt = findAttempt(engine, key, options.attempt ?? null, options.run);
        const follow = options.follow ?? false;
        if (options.raw && !options.json) {
          for await (const piece of readLog(engine, attempt, follow, io.signal))
            await write(io, piece.kind === "bytes" ? piece.bytes : Buffer.from(gapLine(piece.to - piece.from)));
          return;
        }
        const lines: string[] = [];
        const onLines = async (rendered: string[]) => {
          const clean = options.raw ? rendered : rendered.map(printable);
          if (options.json) lines.push(...clean);
          else for (const line of clean) await write(io, `${line}\n`);
        };
        for await (const rendered of renderLog(engine, attempt, follow, io.signal, options.raw))
          await onLines(rendered);
        if (!options.raw) await onLines(renderChecks(engine, attempt));
        if (options.json) answer(io, options, { task: key, attempt: attempt.number, lines }, "");
      }),
    );
}

/** A terminal gets no control character of a foreign program; a file or a pipe gets every byte. Waits for who reads slowly. */
async function write(io: Io, content: string | Buffer): Promise<void> {
  // Copied: a stream may hold it for longer than its place is valid.
  const isShown = typeof content !== "string" && io.stdout.isTTY;
  const copy =
    typeof content === "string" ? content : isShown ? printable(content.toString("utf8")) : Buffer.from(content);
  if (io.stdout.write(copy)) return;
  const over = new AbortController();
  const ends = ["drain", "close"].map((name) => once(io.stdout, name, { signal: over.signal }));
  // The one that does not come must not be waited for by ever more listeners.
  await Promise.race(ends).finally(() => over.abort());
}
