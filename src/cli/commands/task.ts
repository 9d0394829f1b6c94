/** `owt task …`: one task at a time. */
import { type Command, Option } from "commander";
import { OwtError } from "../../core/errors.ts";
import type { Engine } from "../../engine/engine.ts";
import { findAtPrompt } from "../../engine/at-prompt.ts";
import type { AtPrompt } from "../../store/at-prompt.ts";
import {
  answerTask,
  approveTask,
  cancelTask,
  createTask,
  type NewTaskOptions,
  findCancelled,
  findRetries,
  retryTasks,
  waitsForAnswer,
  waitsForApproval,
} from "../../engine/tasks.ts";
import { refuseUnfit } from "../../engine/hand-back.ts";
import { refreshRun } from "../../engine/refresh.ts";
import { goesOnByItself, settleLost } from "../../engine/uncarried.ts";
import type { Ask } from "../../engine/worktrees/asks.ts";
import { findRun } from "../../engine/find-run.ts";
import { findTask, rivalsFor } from "../../engine/find-task.ts";
import { suspendedCarrier } from "../../engine/holder.ts";
import { leaveByHand, YES_OPTION, type YesOption } from "../hand.ts";
import { answer, ask, canAsk, type Io, readInput, tell, withEngine } from "../io.ts";
import { asksOf, giveLeave, type LeaveOptions, orIdleWorktree, replyAsked } from "../worktrees/leave.ts";
import { few } from "../../lib/few.ts";
import { editCommand } from "./task-edit.ts";
import { printable, suspendedWords } from "../text.ts";
import { listCommand } from "./task-list.ts";
import { type PickOption, RUN_OPTION } from "./task-pick.ts";
import { showCommand } from "./task-show.ts";

type JsonOption = { json?: boolean };

export function taskCommands(program: Command, io: Io): void {
  const task = program
    .command("task")
    .description("one task: create, list, show, edit, cancel, retry, approve, answer");
  createCommand(task, io);
  listCommand(task, io);
  editCommand(task, io);
  showCommand(task, io);
  task
    .command("cancel <task>")
    .description("cancel a task; what it made so far is saved")
    .option(...RUN_OPTION)
    .option(...YES_OPTION)
    .option("--json", "print the answer as JSON")
    .action((key: string, options: PickOption & YesOption) =>
      withEngine(io, async (engine) => {
        const rivals = rivalsFor(engine, key, options.run).map((each) => each.key);
        const keys = rivals.length === 0 ? [key] : rivals;
        const tasks = keys.map((each) => findCancelled(engine, each, options.run));
        for (const task of tasks.filter((each) => each !== null))
          await leaveByHand(io, engine, task, { ...options, command: `owt task cancel ${key}` });
        let cancelled = true;
        for (const each of keys) cancelled = (await cancelTask(engine, each, options.run)).cancelled && cancelled;
        const { grace } = engine.config.run;
        const carrier = suspendedCarrier(engine);
        const then =
          carrier === null ? `what runs of it has up to ${grace} to end` : `before that ${suspendedWords(carrier)}`;
        const text = cancelled ? "cancelled" : `is being cancelled; ${then}`;
        answer(io, options, { task: key, wish: "cancel", cancelled }, `${key}: ${text}`);
      }),
    );
  task
    .command("retry [task]")
    .description(
      "try a task again, and what was skipped because of it; one taken over by hand goes on in its agent's conversation",
    )
    .option("--failed", "every failed task of the newest run that has any")
    .option(...RUN_OPTION)
    .option(...YES_OPTION)
    .option("--json", "print the answer as JSON")
    .action((key: string | undefined, options: PickOption & YesOption & { failed?: boolean }) =>
      withEngine(io, async (engine) => {
        if ((key === undefined) !== (options.failed ?? false))
          throw new OwtError("usage", "name a task, or --failed", { hint: "owt task retry --failed" });
        await settleLost(engine);
        const { run, tasks } = findRetries(engine, key, options.run);
        for (const task of tasks)
          await leaveByHand(io, engine, task, { ...options, command: `owt task retry ${task.key}` });
        const { changed, kept } = await refreshRun(engine, run);
        const asking = findAtPrompt(engine);
        const again = { run, tasks: retryTasks(engine, tasks) };
        if (kept) tell(io, printable(kept));
        const newText = changed.length > 0 ? `\nthe plan changed; its new text is taken for ${few(changed)}` : "";
        const text = `to be tried again: ${few(again.tasks)}${newText}\n${goOn(engine, again.run, again.tasks, asking)}`;
        answer(io, options, { ...again, changed }, text);
      }),
    );
  task
    .command("approve <task>")
    .description(
      "let reviewed work be integrated, or say that its conflict was resolved or its work done by hand; of a worktree: give the agent of its session the leave that it asks for, this once",
    )
    .option(...RUN_OPTION)
    .option(
      "--refuse [why]",
      "of a worktree: do not give it, and tell the agent why; a question of its own is left without an answer",
    )
    .option("--ask <id>", "of a worktree: this one of several (owt inbox)")
    .option(...YES_OPTION)
    .option("--json", "print the answer as JSON")
    .action((key: string, options: PickOption & LeaveOptions & YesOption) =>
      withEngine(io, async (engine) => {
        const isLeave = options.refuse !== undefined || options.ask !== undefined;
        const asks = options.run === undefined ? await asksOf(engine, key, isLeave) : [];
        if (asks.length > 0) return giveLeave(io, engine, asks, options);
        if (isLeave) throw new OwtError("wrong-state", `no agent of ${key} asks for leave`, { hint: "owt inbox" });
        const fits = waitsForApproval;
        const task = await orIdleWorktree(engine, key, () => findTask(engine, key, { run: options.run, fits }));
        await refuseUnfit(engine, task);
        await leaveByHand(io, engine, task, { ...options, command: `owt task approve ${key}` });
        const asking = findAtPrompt(engine);
        const run = await approveTask(engine, key, options.run);
        answer(io, options, { task: key, approved: true }, `${key}: approved; ${goOn(engine, run, [key], asking)}`);
      }),
    );
  task
    .command("answer <task> [text]")
    .description(
      "answer the question of a task (- reads standard input); its conversation goes on; of a worktree: that of the agent of its session",
    )
    .option(...RUN_OPTION)
    .option(
      "--ask <id>",
      "of a worktree: this one of several (owt inbox); of a dialog with several questions each takes a line",
    )
    .option(...YES_OPTION)
    .option("--json", "print the answer as JSON")
    .action((key: string, text: string | undefined, options: PickOption & YesOption & LeaveOptions) =>
      withEngine(io, async (engine) => {
        const isAsk = options.ask !== undefined;
        const asks = options.run === undefined ? await asksOf(engine, key, isAsk) : [];
        const isQuestion = ({ questions }: Ask) => questions !== null;
        const hasQuestions = asks.some(isQuestion);
        const asked = asks.filter((each) => (isAsk ? each.id === options.ask : !hasQuestions || isQuestion(each)));
        // Leave is asked for, which no words give: that is said before they are asked for.
        if (asked.length > 0 && !asked.some(isQuestion)) return replyAsked(io, engine, asked, "", options);
        const given = text === "-" ? await readInput(io) : text;
        const words = given ?? (canAsk(io) ? await askFor(io, engine, key, { run: options.run, asked }) : "");
        if (isNoAnswer(words))
          throw new OwtError("usage", "an answer needs a text", {
            hint:
              asked.length > 0 || mayAnswer(engine, key, options.run)
                ? `owt task answer ${key} "…"`
                : `${key} asks nothing; what does: owt inbox`,
          });
        if (asked.length > 0) return replyAsked(io, engine, asked, words, options);
        if (isAsk) throw new OwtError("wrong-state", `no agent of ${key} asks that (any more)`, { hint: "owt inbox" });
        const find = () => findTask(engine, key, { run: options.run, fits: waitsForAnswer });
        const task = await orIdleWorktree(engine, key, find);
        await leaveByHand(io, engine, task, { ...options, command: `owt task answer ${key} "…"` });
        const asking = findAtPrompt(engine);
        const run = answerTask(engine, key, words, options.run);
        answer(io, options, { task: key, answer: words }, `${key}: answered; ${goOn(engine, run, [task.key], asking)}`);
      }),
    );
}

/** Nothing, or the place that our own hints keep for the words: they were pasted as they stand. */
function isNoAnswer(words: string): boolean {
  return /^[\s…]*$/.test(words);
}

/** Whether an answer to that task would not be refused, as far as is known here. */
function mayAnswer(engine: Engine, key: string, run: string | undefined): boolean {
  const { state, answers, park } = findTask(engine, key, { run, fits: waitsForAnswer });
  return waitsForAnswer({ park }) || state === "failed" || answers.length > 0;
}

/** What becomes of a decision about these tasks: the process that carries the run takes it up, one that asks for an answer does so behind that (`asking`:
 *  who did before the decision, which may have been that answer), or somebody has to begin. */
function goOn(engine: Engine, run: string, tasks: readonly string[], asking: AtPrompt | null): string {
  const isAsked = asking !== null && asking.run === run && tasks.includes(asking.task);
  const carrier = suspendedCarrier(engine);
  if (carrier !== null) return `${suspendedWords(carrier)}; ${run} goes on with it then`;
  if (goesOnByItself(engine, run, isAsked)) return `${run} goes on with it by itself; watch it: owt resume ${run}`;
  if (asking === null || findRun(engine, run).wish !== null) return `go on with: owt resume ${run}`;
  return `${run} goes on behind the answer to ${asking.task}, which owt (pid ${asking.pid}) asks for in its terminal; now: owt resume ${run}`;
}

type Question = { run: string | undefined; asked: readonly Ask[] };

async function askFor(io: Io, engine: Engine, key: string, { run, asked }: Question): Promise<string> {
  const park = asked.length > 0 ? null : findTask(engine, key, { run, fits: waitsForAnswer }).park;
  const own = park?.for === "answer" ? park.question : park?.for === "hand" ? park.asked : undefined;
  const question = asked[0]?.detail ?? own;
  return ask(io, `${question === undefined ? key : printable(question)}\n❯ `);
}

type CreateOptions = JsonOption & {
  branch?: string;
  dependsOn?: string[];
  verify?: string[];
  agent?: string;
  model?: string;
  priority?: "high" | "normal" | "low";
  needsReview?: boolean;
};

function createCommand(task: Command, io: Io): void {
  const collect = (value: string, before: string[] = []) => [
    ...before,
    ...value
      .split(",")
      .map((each) => each.trim())
      .filter(Boolean),
  ];
  task
    .command("create <text>")
    .description("write a task down; the next owt run takes it up")
    .option("--branch <name>", "the branch it works on")
    .option("--depends-on <ids>", "tasks that must be done first (repeat, or separate by commas)", collect)
    .option(
      "--verify <command>",
      "a command that must succeed (may be repeated)",
      (value: string, before: string[] = []) => [...before, value],
    )
    .option("--agent <name>", "the agent for it")
    .option("--model <name>", "the model for it")
    .addOption(new Option("--priority <priority>", "how early it starts").choices(["high", "normal", "low"]))
    .option("--needs-review", "a person approves the work before it is integrated")
    .option("--json", "print the answer as JSON")
    .action((text: string, options: CreateOptions) =>
      withEngine(io, async (engine) => {
        const { json: _, dependsOn = [], verify = [], ...rest } = options;
        const id = await createTask(engine, text, { dependsOn, verify, ...rest } as NewTaskOptions);
        answer(io, options, { task: id }, `${id}: written down; start it with: owt run ${id}`);
      }),
    );
}
