import { renderAnswer } from "../../core/task-answer.ts";
import { existsSync, mkdtempSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { OwtError } from "../../core/errors.ts";
import { renderDuration } from "../../lib/duration.ts";
import { approveGrants, grantsNeeded } from "../../engine/approvals.ts";
import { carryOrWatch } from "../../engine/carry.ts";
import { DEMO_QUESTION, makeDemoRepository } from "../../engine/demo-repository.ts";
import type { Engine } from "../../engine/engine.ts";
import { ingest } from "../../engine/ingest.ts";
import { landRun } from "../../engine/land.ts";
import { prepareRun } from "../../engine/prepare.ts";
import { readReport } from "../../engine/report.ts";
import { answerFor } from "../../engine/answer.ts";
import { answerTask } from "../../engine/tasks.ts";
import { viewRun } from "../../engine/view.ts";
import { lastSeq } from "../../store/events.ts";
import { readTasks } from "../../store/tasks.ts";
import { exec } from "../../system/exec.ts";
import { ensureNamedFolder } from "../../system/files.ts";
import { answer, ask, canAsk, type Io, screenWidth, tell, whoAsks, withEngine } from "../io.ts";
import { PLAIN } from "../follow.ts";
import { openScreen } from "../live/screen.ts";
import { narrate } from "../narrate.ts";
import { previewOf } from "../preview.ts";
import { renderPreview } from "../preview-text.ts";
import { renderSummary } from "../summary.ts";

export function demoCommand(program: Command, io: Io): void {
  program
    .command("demo")
    .description("watch a small plan come home in a repository of its own; needs no agent, no key, no network")
    .option("--path <folder>", "the folder to make the repository in, as words (default: a new temporary one)")
    .option("--plain", PLAIN)
    .option("--json", "print the answer as JSON")
    .action((options: DemoOptions) => showDemo(io, options));
}

type DemoOptions = { path?: string; json?: boolean; plain?: boolean };

async function showDemo(io: Io, options: DemoOptions): Promise<void> {
  const began = Date.now();
  const home = options.path ? resolve(io.cwd, options.path) : mkdtempSync(join(realpathSync(tmpdir()), "owt-demo-"));
  const root = join(home, "words");
  if (existsSync(root))
    throw new OwtError("environment", `${root} is there already`, {
      hint: "name another folder: owt demo --path FOLDER",
    });
  ensureNamedFolder(root, "the demo's repository cannot be made", "name another folder: owt demo --path FOLDER");
  await makeDemoRepository(root);
  // The demo approves its own commands; that must not leave a trace in the user's approvals.
  const { OWT_PROFILE: _, ...mine } = io.env;
  const own = join(root, ".git", "demo");
  const env = { ...mine, XDG_STATE_HOME: join(own, "state"), XDG_CONFIG_HOME: join(own, "config") };
  await withEngine({ ...io, cwd: root, env }, async (engine) => {
    const { work, base } = await prepareRun(
      engine,
      { plan: null, tasks: [], texts: [], module: null, count: null, withUpstreams: false, again: false },
      false,
    );
    tell(
      io,
      `a repository with a plan: ${root}\n\n$ owt plan\n${renderPreview(await previewOf(engine, work, base, 3), screenWidth(io))}\n$ owt run --yes`,
    );
    approveGrants(engine, grantsNeeded(engine, work.all, work.settings));
    const started = await ingest(engine, work, base, { again: false, choices: {} });
    if (!started || started === "moved") throw new OwtError("internal", "the demo has nothing to do");
    await carryWithAnswers(io, engine, started.run.id, options.plain ?? false);
    const report = readReport(engine, started.run.id);
    const views = viewRun(engine, started.run);
    if (views.some((view) => view.standing !== "done")) {
      answer(
        io,
        options,
        { repository: root, report },
        renderSummary(io, report, views, (task) => renderAnswer(answerFor(engine, task))),
      );
      throw new OwtError("internal", "the demo did not come home", { hint: `look at it: cd ${root}` });
    }
    const landed = await landRun(engine, started.run.id, whoAsks(io));
    const { stdout: log } = await exec("git", ["log", "--graph", "--format=%h %s", landed.target], { cwd: root });
    const text = `${renderSummary(io, readReport(engine, started.run.id), views, (task) => renderAnswer(answerFor(engine, task)))}\n$ owt land\n${landed.run} landed on ${landed.target}\n\n$ git log --graph\n${log}\nfive tasks came home in ${renderDuration(Date.now() - began)}: one failed its check and was mended, one conflict was resolved, one question was answered\nnow with a repository of your own: cd your-repository && owt init\n`;
    answer(io, options, { repository: root, report: readReport(engine, started.run.id), landed }, text);
  });
}

/** Carries the run; its question is asked on a terminal, and answered by this script elsewhere. */
async function carryWithAnswers(io: Io, engine: Engine, run: string, plain: boolean): Promise<void> {
  const screen = openScreen(io, engine, run, plain);
  const seen = narrate(io, engine, run, lastSeq(engine.store) - 1, (line) => screen.print(line));
  try {
    for (;;) {
      await carryOrWatch(engine, run, { role: () => {} }, io.signal);
      seen.flush();
      if (io.signal.aborted) throw new OwtError("interrupted", "interrupted");
      const asking = readTasks(engine.store, run).find(
        (task) => task.state === "pending" && task.park?.for === "answer",
      );
      if (!asking || asking.park?.for !== "answer") return;
      screen.pause();
      const words = canAsk(io) ? (await ask(io, `${asking.key} asks: ${asking.park.question}\n❯ `)).trim() : "";
      screen.resume();
      if (!words) screen.print(`$ owt task answer ${DEMO_QUESTION.task} ${DEMO_QUESTION.answer}`);
      answerTask(engine, asking.key, words || DEMO_QUESTION.answer);
    }
  } finally {
    seen.stop();
    await screen.close();
  }
}
