import type { Command } from "commander";
import { relativePlan } from "../plan-path.ts";
import { prepareRun } from "../../engine/prepare.ts";
import { answer, type Io, screenWidth, withEngine } from "../io.ts";
import { planDepsCommand } from "./plan-deps.ts";
import { previewOf } from "../preview.ts";
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
        const preview = previewOf(
          work,
          base,
          wantedParallel(options) ?? work.settings.maxParallel ?? engine.config.run.max_parallel,
        );
        answer(io, options, preview, renderPreview(preview, screenWidth(io)));
      },
      configFile ? { configFile } : {},
    );
  });
}
