import type { Command } from "commander";
import { relativePlan } from "../plan-path.ts";
import { prepareRun } from "../../engine/prepare.ts";
import { findGoing } from "../../engine/ingest.ts";
import type { Run } from "../../core/run.ts";
import type { Task } from "../../core/task.ts";
import { readTasks } from "../../store/tasks.ts";
import { answer, type Io, screenWidth, tell, withEngine } from "../io.ts";
import { planDepsCommand } from "./plan-deps.ts";
import { count, previewOf } from "../preview.ts";
import { renderPreview } from "../preview-text.ts";
import { addWorkOptions, toRequest, wantedParallel, type WorkOptions } from "../work-options.ts";

export function planCommand(program: Command, io: Io): void {
  const command = program
    .command("plan [plan-or-task...]")
    .description(
      "check a plan and show what would run, in which order, what it may take and cost, and what was ignored",
    );
  planDepsCommand(command, io);
  addWorkOptions(command).action(async (words: string[], options: WorkOptions) => {
    const { request, configFile } = toRequest(io, words, options);
    await withEngine(
      io,
      async (engine) => {
        const { work, base } = await prepareRun(engine, relativePlan(engine, request), options.fromTarget ?? false);
        const preview = await previewOf(
          engine,
          work,
          base,
          wantedParallel(options) ?? work.settings.maxParallel ?? engine.config.run.max_parallel,
        );
        const going = findGoing(engine, work, base, options.again ?? false);
        if (going) tell(io, goesOnWords(going, readTasks(engine.store, going.id)));
        answer(io, options, preview, renderPreview(preview, screenWidth(io)));
      },
      configFile ? { configFile } : {},
    );
  });
}

/** What is open with this plan already is not begun anew. */
function goesOnWords({ id }: Run, tasks: readonly Task[]): string {
  const done = tasks.filter((task) => task.state === "done").length;
  return `${id} is open with this plan, ${done} of its ${count(tasks.length, "task")} done: owt run goes on with it; see: owt status ${id}`;
}
