/** The commands that steer whole runs: resume, pause, stop, parallel, land. */
import { type Command, Option } from "commander";
import { OwtError } from "../../core/errors.ts";
import { describeUsedUp, setBudget } from "../../engine/budget.ts";
import { checkFallOvers, type Engine } from "../../engine/engine.ts";
import { suspendedCarrier } from "../../engine/holder.ts";
import { findRun } from "../../engine/find-run.ts";
import { type Landed, landRun, type Meant } from "../../engine/land.ts";
import { setParallel } from "../../engine/parallel.ts";
import { loadPrompts } from "../../engine/prompts.ts";
import { settleProfile } from "../../engine/run-profile.ts";
import { tryAtOnce } from "../../engine/try-at-once.ts";
import { setTime } from "../../engine/run-time.ts";
import { refreshRun } from "../../engine/refresh.ts";
import { withRoom } from "../../engine/carry.ts";
import { settleLost, stopUncarried } from "../../engine/uncarried.ts";
import { readRuns, setWish } from "../../store/runs.ts";
import { readTasks } from "../../store/tasks.ts";
import { DETACH, detach } from "../detach.ts";
import { followRun, PLAIN } from "../follow.ts";
import { answer, type Io, tell, whoAsks, withEngine } from "../io.ts";
import { count } from "../preview.ts";
import { renderUnpublished } from "../submodule-text.ts";
import { printable, suspendedWords, wishWord } from "../text.ts";
import { tellTried } from "../tried.ts";
import { maxDurationOption, positiveInteger, positiveUsd, wholeAboveZero } from "../work-options.ts";
import { few } from "../../lib/few.ts";

type JsonOption = { json?: boolean };
type ResumeOptions = JsonOption & {
  budget?: number;
  maxDuration?: number;
  parallel?: number;
  detach?: boolean;
  plain?: boolean;
  unattended?: boolean;
};

export function steerCommands(program: Command, io: Io): void {
  program
    .command("resume [run]")
    .description("go on with a run after a crash, a stop or an answer")
    .addOption(new Option("--budget <usd>", "what the whole run may cost, in dollars").argParser(positiveUsd))
    .addOption(maxDurationOption())
    .addOption(new Option("--parallel <n>", "agents at a time, from now on").argParser(positiveInteger))
    .option("-d, --detach", DETACH)
    .option("--plain", PLAIN)
    .addOption(new Option("--unattended", "nobody is there who may know that a limit is over").hideHelp())
    .option("--json", "print the answer as JSON")
    .action(async (id: string | undefined, options: ResumeOptions) => {
      const begun = await withEngine(io, async (engine) => {
        const run = openRun(engine, id);
        const profile = await withRoom(engine, async () => settleProfile(engine, run));
        if (profile !== null && "use" in profile) return { run, profile: profile.use };
        if (profile !== null)
          tell(io, `▲ ${run} was begun with the profile ${profile.lost}, which is there no more: it goes on without`);
        await goOnWith(io, engine, run, options);
        return null;
      });
      if (begun === null) return;
      // What it is read with has to be known before the configuration is.
      io.env = { ...io.env, OWT_PROFILE: begun.profile };
      tell(io, `with the profile ${begun.profile}, as ${begun.run} was begun`);
      await withEngine(io, (engine) => goOnWith(io, engine, begun.run, options));
    });
  wishCommand(program, io, "pause", "start no further task of a run; what runs goes on to its end");
  wishCommand(
    program,
    io,
    "stop",
    "stop the agents of a run; their work, and their conversations where they have one, are kept for: owt resume",
  );
  program
    .command("parallel <n> [run]")
    .description("how many agents work at a time on an open run, from now on")
    .option("--json", "print the answer as JSON")
    .action((word: string, id: string | undefined, options: JsonOption) =>
      withEngine(io, async (engine) => {
        const wanted = parallelOf(word);
        const run = openRun(engine, id);
        const before = setParallel(engine, run, wanted);
        const text = `${run}: ${wanted === 1 ? "one agent" : `up to ${count(wanted, "agent")}`} at a time (before: ${before})`;
        answer(io, options, { run, parallel: wanted, before }, text);
      }),
    );
  program
    .command("land [run]")
    .description("bring a finished run's branch into its target")
    .option("--as-resolved", "also where a side was thrown away as both were brought together by hand")
    .option("--again", "also what was landed, and taken out of the target again")
    .option("--json", "print the answer as JSON")
    .action((id: string | undefined, options: JsonOption & Meant) =>
      withEngine(io, async (engine) => {
        const landed = await landRun(engine, id ?? null, whoAsks(io), options);
        const missing = landed.missing.length > 0 ? `\nnot in it: ${few(landed.missing)}` : "";
        const text = `${renderLanded(landed)} (${landed.commit.slice(0, 10)})${missing}`;
        answer(io, options, landed, text + landed.unpublished.map(renderUnpublished).join(""));
      }),
    );
}

async function goOnWith(io: Io, engine: Engine, run: string, options: ResumeOptions): Promise<void> {
  loadPrompts(engine);
  checkFallOvers(engine);
  const { wish } = findRun(engine, run);
  const { changed, kept, tried } = await withRoom(engine, async () => {
    await settleLost(engine);
    const refreshed = await refreshRun(engine, run);
    setBudget(engine, run, options.budget ?? null);
    setTime(engine, run, options.maxDuration ?? null);
    if (options.parallel !== undefined) setParallel(engine, run, options.parallel);
    setWish(engine.store, engine.now(), run, null);
    return { ...refreshed, tried: options.unattended ? [] : tryAtOnce(engine, run) };
  });
  if (changed.length > 0) tell(io, `the plan changed; its new text is taken for ${changed.join(", ")}`);
  if (kept) tell(io, printable(kept));
  tellUsedUp(io, engine, run);
  const was = wish === null ? "" : `was ${wishWord(wish, false)}`;
  if (options.detach) {
    if (was !== "") tell(io, `${run} ${was}; it goes on`);
    tellTried(io, run, tried);
    await detach(io, engine, run, options, null);
    return;
  }
  tell(io, `going on with ${run}${was === "" ? "" : `, which ${was}`}`);
  tellTried(io, run, tried);
  await followRun(io, engine, run, options);
}

/** A budget below what was used already lets nothing start, nor does a time that is over. */
function tellUsedUp(io: Io, engine: Engine, run: string): void {
  const usedUp = describeUsedUp(engine, findRun(engine, run));
  if (usedUp)
    tell(
      io,
      `${usedUp.isTime ? "" : "the budget is used up, so that "}nothing starts: ${usedUp.text}\n  ↳ ${usedUp.command}`,
    );
}

function parallelOf(word: string): number {
  const value = wholeAboveZero(word);
  if (value !== null) return value;
  throw new OwtError("usage", `${word} is no number of agents`, {
    hint: "a whole number above 0; to start nothing further: owt pause",
  });
}

/** What was done, and nothing that was not. */
function renderLanded({ run, target, already, merged, checked }: Landed): string {
  if (already) return `${run} is already in ${target}`;
  if (merged && checked) return `${run} was merged with ${target} and checked, and landed on ${target}`;
  if (merged)
    return `${run} was merged with ${target}, with nothing to check it with for want of a verify command, and landed on ${target}`;
  return checked ? `${run} was checked and landed on ${target}` : `${run} landed on ${target}`;
}

function wishCommand(program: Command, io: Io, wish: "pause" | "stop", description: string): void {
  program
    .command(`${wish} [run]`)
    .description(description)
    .option("--json", "print the answer as JSON")
    .action((id: string | undefined, options: JsonOption) =>
      withEngine(io, async (engine) => {
        const run = openRun(engine, id);
        if (wish === "pause" && findRun(engine, run).wish === "stop")
          throw new OwtError("wrong-state", `${run} is stopped already, so nothing of it starts`, {
            hint: `go on with: owt resume ${run}`,
          });
        setWish(engine.store, engine.now(), run, wish);
        const isDone = wish === "stop" && (await stopUncarried(engine, "stopped", (attempt) => attempt.run === run));
        const how = isDone ? `${run} is stopped` : `${run}: ${wish} is asked for`;
        const carrier = suspendedCarrier(engine);
        const then = carrier === null ? `go on with: owt resume ${run}` : `before that ${suspendedWords(carrier)}`;
        answer(io, options, { run, wish }, `${how}; ${then}`);
      }),
    );
}

/** The open run named, or the newest one. */
function openRun(engine: Engine, id: string | undefined): string {
  if (id !== undefined) {
    const run = findRun(engine, id);
    if (run.state === "open") return run.id;
    throw new OwtError("wrong-state", `${id} has ended`, { hint: `see: owt report ${id}` });
  }
  const open = readRuns(engine.store, "open").at(-1);
  if (open) return open.id;
  const last = readRuns(engine.store).at(-1);
  const hasFailed = last !== undefined && readTasks(engine.store, last.id).some(({ state }) => state === "failed");
  throw new OwtError("wrong-state", "no run is open", {
    hint: hasFailed ? `what failed in ${last.id}: owt task retry --failed; another run: owt run` : "start one: owt run",
  });
}
