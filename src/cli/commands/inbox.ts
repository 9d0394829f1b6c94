/** `owt inbox`: what waits for a person. */
import type { Command } from "commander";
import { renderAnswer } from "../../core/view.ts";
import { nameOf } from "../../core/worktree.ts";
import { answerFor } from "../../engine/answer.ts";
import { readInbox } from "../../engine/inbox.ts";
import { type Ask, readAllAsks } from "../../engine/worktrees/asks.ts";
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
        const asks = (await readAllAsks(engine)).map(toJson);
        const ageOf = (since: string) => renderDuration(engine.now() - Date.parse(since));
        const lines = [
          ...waiting.map(
            (item) =>
              `${item.task} (${item.run}) ${printable(localTimes(item.why, engine.now()))} · for ${ageOf(item.since)}\n  ↳ ${renderAnswer(item)}`,
          ),
          ...asks.map(
            ({ name, tool, detail, since, command }) =>
              `${name} asks leave: ${printable(`${tool} ${detail}`)} · for ${ageOf(since)}\n  ↳ ${command}`,
          ),
        ];
        const head = `${count(lines.length, "thing")} ${lines.length === 1 ? "waits" : "wait"} for a person`;
        answer(
          io,
          options,
          { waiting, asks },
          lines.length === 0 ? "nothing waits for a person" : `${head}\n\n${lines.join("\n")}`,
        );
      }),
    );
}

function toJson({ worktree, id, tool, detail, since }: Ask) {
  const name = nameOf(worktree);
  const command = `owt task approve ${name} --ask ${id}`;
  return { name, path: worktree.path, id, tool, detail, since: new Date(since).toISOString(), command };
}
