/** `owt inbox`: what waits for a person. */
import type { Command } from "commander";
import { renderAnswer } from "../../core/view.ts";
import { nameOf } from "../../core/worktree.ts";
import { answerNow } from "../../engine/answer.ts";
import { readRoomWait } from "../../engine/disk-users.ts";
import { readInbox, readNearBudgets, readRefusedBatches } from "../../engine/inbox.ts";
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
        const items = readInbox(engine).map(async ({ run, view, since }) => ({
          run,
          task: view.task.key,
          why: view.why,
          since: new Date(since).toISOString(),
          ...(await answerNow(engine, view.task)),
        }));
        const waiting = await Promise.all(items);
        const budgets = readNearBudgets(engine).map((near) => ({
          ...near,
          since: new Date(near.since).toISOString(),
          until: near.until === null ? null : new Date(near.until).toISOString(),
        }));
        const disk = readRoomWait(engine);
        const room = disk && { ...disk, since: new Date(disk.since).toISOString() };
        const batches = readRefusedBatches(engine).map((each) => ({
          ...each,
          since: new Date(each.since).toISOString(),
        }));
        const asks = (await readAllAsks(engine)).map(toJson);
        const lines = [
          ...(room === null ? [] : [{ since: room.since, text: `the runs: ${room.why}`, answer: renderAnswer(room) }]),
          ...waiting.map((item) => ({
            since: item.since,
            text: `${item.task} (${item.run}) ${localTimes(item.why, engine.now())}`,
            answer: renderAnswer(item),
          })),
          ...budgets.map(({ run, why, since, until, command }) => ({
            since,
            text: `${run} ${why}; it goes on ${until === null ? "to that" : `at ${localTimes(until, engine.now())}`}`,
            answer: renderAnswer({ command, note: `to raise it; to begin nothing more: owt pause ${run}` }),
          })),
          ...batches.map((each) => ({
            since: each.since,
            text: `the batch ${each.batch} ${each.why}`,
            answer: renderAnswer(each),
          })),
          ...asks.map(({ name, tool, detail, since, command }) => ({
            since,
            text: `${name} asks leave: ${tool} ${detail}`,
            answer: command,
          })),
        ].toSorted((a, b) => Date.parse(a.since) - Date.parse(b.since));
        const ageOf = (since: string) => renderDuration(engine.now() - Date.parse(since));
        const told = lines.map(({ since, text, answer }) => `${printable(text)} · for ${ageOf(since)}\n  ↳ ${answer}`);
        const head = `${count(lines.length, "thing")} ${lines.length === 1 ? "waits" : "wait"} for a person`;
        const text = lines.length === 0 ? "nothing waits for a person" : `${head}\n\n${told.join("\n")}`;
        answer(io, options, { waiting, budgets, batches, asks, room }, text);
      }),
    );
}

function toJson({ worktree, id, tool, detail, since }: Ask) {
  const name = nameOf(worktree);
  const command = `owt task approve ${name} --ask ${id}`;
  return { name, path: worktree.path, id, tool, detail, since: new Date(since).toISOString(), command };
}
