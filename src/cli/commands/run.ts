import { type Command, Option } from "commander";
import type { Run } from "../../core/run.ts";
import { nameOfRival } from "../../core/rival.ts";
import { OwtError } from "../../core/errors.ts";
import { describeStuck } from "../../core/firing.ts";
import { grantsNeeded } from "../../engine/approvals.ts";
import { type Engine, expectRun } from "../../engine/engine.ts";
import { isCarried } from "../../engine/holder.ts";
import { findGoing, findOpen, ingest, type RunFlags } from "../../engine/ingest.ts";
import { describeLostAgents, findLostAgents } from "../../engine/lost-agents.ts";
import { prepareRun, refuseTakenUp } from "../../engine/prepare.ts";
import { withRoom } from "../../engine/carry.ts";
import { settleLost } from "../../engine/uncarried.ts";
import { tryAtOnce } from "../../engine/try-at-once.ts";
import type { Work } from "../../engine/work.ts";
import { takenUpError } from "../../engine/worktrees/taken-up.ts";
import { FOR_REAL } from "../../engine/init.ts";
import { kindOf } from "../../agents/registry.ts";
import { readBareTasks } from "../../store/bare-tasks.ts";
import { readFiring } from "../../store/firings.ts";
import { readDoneBy } from "../../store/tasks.ts";
import { readRuns } from "../../store/runs.ts";
import { startEarly } from "../../system/start-early.ts";
import { approve } from "../approve.ts";
import { DETACH, detach } from "../detach.ts";
import { followRun, PLAIN } from "../follow.ts";
import { answer, ask, canAsk, type Io, screenWidth, tell, withEngine } from "../io.ts";
import { relativePlan } from "../plan-path.ts";
import { repeatWith } from "../repeat.ts";
import { count, type Preview, previewOf } from "../preview.ts";
import { renderPreviewToAsk, renderQuestion } from "../preview-brief.ts";
import { renderPreview } from "../preview-text.ts";
import { printable, wishWord } from "../text.ts";
import { tellTried } from "../tried.ts";
import {
  addWorkOptions,
  chosenOnTheLine,
  maxDurationOption,
  positiveInteger,
  positiveUsd,
  toRequest,
  wantedParallel,
  type WorkOptions,
} from "../work-options.ts";
import { few } from "../../lib/few.ts";

type RunCommandOptions = WorkOptions & {
  yes?: boolean;
  dryRun?: boolean;
  budget?: number;
  maxDuration?: number;
  firing?: number;
  plain?: boolean;
  detach?: boolean;
};

export function runCommand(program: Command, io: Io): void {
  const command = program
    .command("run [plan-or-task-or-text...]")
    .description("run a plan, a task or a text, and bring the work home");
  addWorkOptions(command)
    .option("-y, --yes", "do not ask before starting (never approves commands)")
    .addOption(new Option("--budget <usd>", "what the run may cost, in dollars; then it waits").argParser(positiveUsd))
    .addOption(maxDurationOption())
    .addOption(new Option("--firing <id>", "the firing of a batch that this is").argParser(positiveInteger).hideHelp())
    .option("--dry-run", "show what would run and stop")
    .option("--plain", PLAIN)
    .option("-d, --detach", DETACH)
    .action(async (words: string[], options: RunCommandOptions) => {
      const { request, configFile } = toRequest(io, words, options);
      if (!options.dryRun) startEarly();
      await withEngine(
        io,
        async (engine) => {
          const expected = options.dryRun ? null : expectRun(engine);
          if (!options.dryRun) await withRoom(engine, () => settleLost(engine));
          const prepare = async () => {
            const slot = options.firing !== undefined;
            const wanted = { ...relativePlan(engine, request), slot };
            const prepared = await prepareRun(engine, wanted, options.fromTarget ?? false);
            if (!options.dryRun) refuseTakenUp(prepared.work, request);
            return prepared;
          };
          let { work, base } = await prepare();
          const flags = toFlags(options);
          const maxParallel = flags.maxParallel ?? work.settings.maxParallel ?? engine.config.run.max_parallel;
          const preview = () => previewOf(engine, work, base, maxParallel);
          if (options.dryRun) {
            const seen = await preview();
            answer(io, options, seen, renderPreview(seen, screenWidth(io)));
            return;
          }
          await expected;
          for (const note of base.notes) tell(io, printable(note));
          tellHeld(io, work);
          tellLeftOut(io, work);
          await approve(io, engine, grantsOf(engine, work));
          const goesOn = findGoing(engine, work, base, flags.again) !== undefined;
          if (!options.yes && !goesOn && work.chosen.length > 0) await askToStart(io, preview);
          let started = await ingest(engine, work, base, flags);
          while (started === "moved") {
            ({ work, base } = await prepare());
            started = await ingest(engine, work, base, flags);
          }
          if (!started) {
            tellOpen(io, engine, findOpen(engine, work, base));
            answer(io, options, { run: null, tasks: [], stuck: work.stuck }, nothingToDo(engine, work));
            return;
          }
          tell(
            io,
            started.isNew
              ? `${started.run.id}: ${count(work.chosen.length, "task")}${rivalWords(work)} onto ${base.target}`
              : goesOnWith(started),
          );
          if (!started.isNew) tellIgnored(io, options, started.run);
          const { run, isNew } = started;
          if (!isNew && isByHand(engine, options))
            tellTried(io, run.id, await withRoom(engine, async () => tryAtOnce(engine, run.id)));
          tellOthers(io, engine, started.run.id);
          tellLost(io, engine);
          if (options.detach) await detach(io, engine, started.run.id, options, configFile ?? null);
          else await followRun(io, engine, started.run.id, options);
        },
        configFile ? { configFile } : {},
      );
    });
}

/** What a schedule fires knows nothing of a limit. */
function isByHand({ store }: Engine, { firing }: RunCommandOptions): boolean {
  return firing === undefined || readFiring(store, firing)?.byHand === true;
}

function rivalWords({ rivals }: Work): string {
  return rivals.length === 0 ? "" : `, each done by ${rivals.map(nameOfRival).join(" and ")},`;
}

function goesOnWith({ run, changed }: { run: Run; changed: string[] }): string {
  const news = changed.length > 0 ? `; new or changed in the plan: ${changed.join(", ")}` : "";
  return `going on with ${run.id}${run.wish === null ? "" : `, which was ${wishWord(run.wish, false)}`}${news}`;
}

/** What a run leaves to those who have it by hand. */
function tellHeld(io: Io, { held }: Work): void {
  for (const [id, by] of held) {
    const { message, hint } = takenUpError(id, by);
    tell(io, printable(`left out: ${message}\n  ↳ ${hint}`));
  }
}

/** What is not wanted any more. */
function tellLeftOut(io: Io, { leftOut }: Work): void {
  const cancelled = [...leftOut].filter(([, why]) => why === "was cancelled").map(([id]) => id);
  if (cancelled.length === 0) return;
  const below = leftOut.size - cancelled.length;
  const behind = below === 0 ? "" : `, and ${count(below, "task")} that ${below === 1 ? "needs" : "need"} what was`;
  tell(
    io,
    printable(
      `left out: ${few(cancelled)} ${cancelled.length === 1 ? "was" : "were"} cancelled${behind}\n  ↳ to do it after all: owt run ${cancelled.join(" ")}`,
    ),
  );
}

/** What chooses among the tasks of a new run has nothing to choose in one that goes on. */
function tellIgnored(io: Io, options: RunCommandOptions, run: Run): void {
  const given = {
    module: options.module,
    count: options.count,
    "from-target": options.fromTarget,
    rivals: options.rivals,
    agent: run.options.rivals === undefined ? undefined : options.agent,
  };
  const ignored = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`]));
  if (ignored.length > 0) tell(io, `it goes on as a whole (${ignored.join(", ")}: for new runs only)`);
}

/** Whoever carries one run carries all that are open. */
function tellOthers(io: Io, engine: Engine, run: string): void {
  const others = readRuns(engine.store, "open").filter((each) => each.id !== run && each.wish === null);
  if (others.length === 0 || isCarried(engine) !== null) return;
  const names = others.map((each) => each.id).join(", ");
  tell(io, `also open, and carried along: ${names} (to leave one parked: owt stop ${others[0]!.id})`);
}

/** Agents that nobody will ever collect, where a store was lost. */
function tellLost(io: Io, engine: Engine): void {
  const lost = describeLostAgents(findLostAgents(engine));
  if (lost) tell(io, `${printable(lost.text)}\n  ↳ ${lost.hint}`);
}

function toFlags(options: RunCommandOptions): RunFlags {
  const maxParallel = wantedParallel(options);
  return {
    ...(options.agent === undefined ? {} : { agent: options.agent }),
    choices: chosenOnTheLine(options),
    ...(maxParallel === undefined ? {} : { maxParallel }),
    ...(options.budget === undefined ? {} : { budgetUsd: options.budget }),
    ...(options.firing === undefined ? {} : { firing: options.firing }),
    ...(options.maxDuration === undefined ? {} : { maxDurationMs: options.maxDuration }),
    again: options.again ?? false,
  };
}

function grantsOf(engine: Engine, { chosen, settings }: Work) {
  const specs = chosen.map((task) => task.spec);
  return grantsNeeded(engine, specs, settings);
}

async function askToStart(io: Io, preview: () => Promise<Preview>): Promise<void> {
  if (!canAsk(io))
    throw new OwtError("usage", "starting a run off a terminal needs --yes", {
      hint: `look first: ${repeatWith(io, "--dry-run")}; then: ${repeatWith(io, "--yes")}`,
    });
  const seen = await preview();
  // A terminal may say 0 where it does not know.
  const columns = io.stderr.columns || 80;
  const rows = io.stderr.rows || 24;
  tell(io, renderPreviewToAsk(seen, { columns, rows }).trimEnd());
  if (!/^\s*y(es)?\s*$/i.test(await ask(io, renderQuestion(seen, columns))))
    throw new OwtError("interrupted", "nothing was started");
}

/** What repeats what is done may be under way, or wait for a person. */
function tellOpen(io: Io, { store }: Engine, runs: readonly Run[]): void {
  for (const { id } of runs) {
    const tasks = readBareTasks(store, id);
    const done = tasks.filter(({ state }) => state === "done").length;
    tell(io, `${id} is open with this plan, ${done} of its ${count(tasks.length, "task")} done\n  ↳ owt resume ${id}`);
  }
}

function nothingToDo(engine: Engine, work: Work): string {
  if (work.stuck.length > 0) return describeStuck(work.stuck);
  if (work.leftOut.size > 0 && work.held.size === 0)
    return `nothing to do: ${count(work.done.size, "task")} done, ${work.leftOut.size} left out (see above)`;
  if (work.held.size > 0) return "nothing to do beside what somebody has by hand";
  if (work.done.size === 0) return "nothing to do";
  const done = `nothing to do: ${work.done.size === 1 ? "the one task is" : `all ${work.done.size} tasks`} done`;
  return wasPlayed(engine, work) ? `${done} by the demo agent; for real: ${FOR_REAL}` : `${done} (repeat with --again)`;
}

/** Whether the demo agent did some of it, and is not whom this repository works with. */
function wasPlayed({ store, config }: Engine, { done }: Work): boolean {
  const isDemo = (agent: string) => kindOf(agent, config.agent.named[agent] ?? {}) === "demo";
  if (isDemo(config.agent.default)) return false;
  const by = readDoneBy(store);
  return [...done.keys()].some((key) => isDemo(by.get(key) ?? ""));
}
