/** `owt report`: what a run took, cost and brought; and what came of everything that was tried here. */
import type { Command } from "commander";
import { OwtError } from "../../core/errors.ts";
import { readCheckoutChanges } from "../../engine/checkout-changes.ts";
import { findRun } from "../../engine/find-run.ts";
import { isOutAgain } from "../../engine/landed-before.ts";
import { readAllHistory, readReport } from "../../engine/report.ts";
import { readRuns } from "../../store/runs.ts";
import { renderHistory, renderHistoryMarkdown } from "../history-text.ts";
import { answerAsIs, type Io, screenWidth, withEngine } from "../io.ts";
import { renderMarkdown } from "../report-markdown.ts";
import { renderReport } from "../report-text.ts";
import { painter } from "../text.ts";

type Options = { json?: boolean; markdown?: boolean; history?: boolean };

export function reportCommand(program: Command, io: Io): void {
  program
    .command("report [run]")
    .description("what a run took, cost and brought, and what its tasks waited for; by default the newest run")
    .option("--history", "over all runs: success, time and cost by agent, model, kind and day")
    .option("--markdown", "print the answer as markdown")
    .option("--json", "print the answer as JSON")
    .action((id: string | undefined, options: Options) =>
      withEngine(io, async (engine) => {
        if (options.json && options.markdown)
          throw new OwtError("usage", "--json and --markdown contradict each other", {
            hint: "leave one of them out: owt report --json",
          });
        if (options.history && id !== undefined)
          throw new OwtError("usage", "--history is about all runs", { hint: `leave out ${id}, or --history` });
        if (options.history) {
          const history = readAllHistory(engine);
          const text = options.markdown ? renderHistoryMarkdown(history) : renderHistory(history, screenWidth(io));
          answerAsIs(io, options, { history }, text);
          return;
        }
        const run = id ?? readRuns(engine.store).at(-1)?.id;
        if (run === undefined) throw new OwtError("wrong-state", "there is no run yet", { hint: "start one: owt run" });
        const report = readReport(engine, run, { isTakenOut: await isOutAgain(engine, findRun(engine, run)) });
        const changed = await readCheckoutChanges(engine, run);
        const text = options.markdown
          ? renderMarkdown(report, changed)
          : renderReport(report, changed, screenWidth(io), painter(io, io.stdout));
        answerAsIs(io, options, { report, checkout_changes: changed }, text);
      }),
    );
}
