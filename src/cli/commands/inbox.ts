/** `owt inbox`: what waits for a person. */
import type { Command } from "commander";
import { msBetween } from "../../core/attempt.ts";
import { renderAnswer } from "../../core/task-answer.ts";
import { nameOf } from "../../core/worktree.ts";
import { answerNow } from "../../engine/answer.ts";
import { suspendedCarrier } from "../../engine/holder.ts";
import { readRoomWait } from "../../engine/disk-users.ts";
import { readAstrayRuns, readInbox, readNearBudgets, readRefusedBatches } from "../../engine/inbox.ts";
import { readStayingOutages } from "../../engine/outage.ts";
import { answerOf, type Ask, readAllAsks } from "../../engine/worktrees/asks.ts";
import { renderDuration } from "../../lib/duration.ts";
import { answer, type Io, withEngine } from "../io.ts";
import { count } from "../preview.ts";
import { continueLine, localTimes, printable } from "../text.ts";
import { moreWords } from "../waiting-words.ts";

export function inboxCommand(program: Command, io: Io): void {
  program
    .command("inbox")
    .description("what waits for a person, oldest first, with the command that answers it")
    .option("--json", "print the answer as JSON")
    .action((options: { json?: boolean }) =>
      withEngine(io, async (engine) => {
        const items = readInbox(engine).map(async ({ run, view, since, more }) => ({
          run,
          task: view.task.key,
          more,
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
        const outages = readStayingOutages(engine).map((each) => ({
          ...each,
          since: new Date(each.since).toISOString(),
          until: new Date(each.until).toISOString(),
        }));
        const disk = readRoomWait(engine);
        const room = disk && { ...disk, since: new Date(disk.since).toISOString() };
        const astray = readAstrayRuns(engine).map((each) => ({ ...each, since: new Date(each.since).toISOString() }));
        const batches = readRefusedBatches(engine).map((each) => ({
          ...each,
          since: new Date(each.since).toISOString(),
        }));
        const open = await readAllAsks(engine);
        const asks = open.map(toJson);
        const suspended = suspendedCarrier(engine);
        const stopped = `owt (pid ${suspended}), which carries the runs, is suspended: nothing of them goes on`;
        const lines = [
          ...(suspended === null ? [] : [{ since: null, text: stopped, answer: continueLine(suspended) }]),
          ...(room === null ? [] : [{ since: room.since, text: `the runs: ${room.why}`, answer: renderAnswer(room) }]),
          ...astray.map((each) => ({
            since: each.since,
            text: `${each.run} waits: ${each.why}`,
            answer: renderAnswer(each),
          })),
          ...waiting.map((item) => ({
            since: item.since,
            text: `${item.task}${moreWords(item.more)} (${item.run}) ${item.why}`,
            answer: renderAnswer(item),
          })),
          ...budgets.map(({ run, why, since, until, command }) => ({
            since,
            text: `${run} ${why}; it goes on ${until === null ? "to that" : `at ${until}`}`,
            answer: renderAnswer({ command, note: `to raise it; to begin nothing more: owt pause ${run}` }),
          })),
          ...outages.map((each) => ({ since: each.since, text: each.why, answer: renderAnswer(each) })),
          ...batches.map((each) => ({
            since: each.since,
            text: `the batch ${each.batch} ${each.why}`,
            answer: renderAnswer(each),
          })),
          ...open.map((ask) => ({
            since: new Date(ask.since).toISOString(),
            text: wordsOf(ask),
            answer: answerOf(ask),
          })),
        ].toSorted((a, b) => timeOf(a.since) - timeOf(b.since));
        const ageOf = (since: string | null) =>
          since === null ? "" : ` · for ${renderDuration(msBetween(Date.parse(since), engine.now()))}`;
        const told = lines.map(
          ({ since, text, answer }) => `${printable(localTimes(text, engine.now()))}${ageOf(since)}\n  ↳ ${answer}`,
        );
        const head = `${count(lines.length, "thing")} ${lines.length === 1 ? "waits" : "wait"} for a person`;
        const text = lines.length === 0 ? "nothing waits for a person" : `${head}\n\n${told.join("\n")}`;
        answer(io, options, { waiting, astray, budgets, outages, batches, asks, room, suspended_pid: suspended }, text);
      }),
    );
}

/** What nobody knows since when stands first. */
function timeOf(since: string | null): number {
  return since === null ? 0 : Date.parse(since);
}

function toJson(ask: Ask) {
  const { worktree, id, tool, detail, since } = ask;
  const told = { tool, detail, since: new Date(since).toISOString(), command: answerOf(ask) };
  return { name: nameOf(worktree), path: worktree.path, id, ...told };
}

function wordsOf({ worktree, tool, detail, questions }: Ask): string {
  return questions === null
    ? `${nameOf(worktree)} asks leave: ${tool} ${detail}`
    : `${nameOf(worktree)} asks: ${detail}`;
}
