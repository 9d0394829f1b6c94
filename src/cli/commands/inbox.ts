/** `owt inbox`: what waits for a person. */
import type { Command } from "commander";
import { renderAnswer } from "../../core/view.ts";
import { answerFor } from "../../engine/answer.ts";
import { readInbox } from "../../engine/inbox.ts";
import { renderDuration } from "../../lib/duration.ts";
import { answer, type Io, withEngine } from "../io.ts";
import { count } from "../preview.ts";
import { localTimes, printable } from "../text.ts";

export function inboxCommand(program: Command, io: Io): void {
  program
    .command("inbox")
    .description("what waits for a person, oldest first, with the command that answers it")
    .option("--json", "print the answer as JSON")
    .action((options: { json?: boolean }) =>
      withEngine(io, async (engine) => {
        const waiting = readInbox(engine).map(({ run, view, since }) => ({
          run,
          task: view.task.key,
          why: view.why,
          since: new Date(since).toISOString(),
          ...answerFor(engine, view.task),
        }));
        const lines = waiting.map((item) => {
          const age = renderDuration(engine.now() - Date.parse(item.since));
          return `${item.task} (${item.run}) ${printable(localTimes(item.why, engine.now()))} · for ${age}\n  ↳ ${renderAnswer(item)}`;
        });
        const head = `${count(waiting.length, "thing")} ${waiting.length === 1 ? "waits" : "wait"} for a person`;
        answer(
          io,
          options,
          { waiting },
          lines.length === 0 ? "nothing waits for a person" : `${head}\n\n${lines.join("\n")}`,
        );
      }),
    );
}
