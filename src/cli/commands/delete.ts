/** `owt delete`: takes worktrees away. */
import type { Command } from "commander";
import { OwtError } from "../../core/errors.ts";
import { nameOf, wordOf } from "../../core/worktree.ts";
import { outlastDeadGit } from "../../git/dead-git.ts";
import { isSavable } from "../../git/remove.ts";
import { findDamageOf, refuseDamaged } from "../../engine/worktrees/damaged.ts";
import { type Gone, removeByHand, type Stays } from "../../engine/worktrees/remove.ts";
import { setupGrants } from "../../engine/worktrees/ready.ts";
import type { Engine } from "../../engine/engine.ts";
import { taskAt } from "../../engine/task-at.ts";
import { type Checkout, findWorktree, refuseMain } from "../../engine/worktrees/place.ts";
import { approve } from "../approve.ts";
import { answer, canAsk, confirm, type Io, tellers, withEngine } from "../io.ts";
import { repeatWith } from "../repeat.ts";
import { shellWord } from "../../lib/printable.ts";
import { painter, printable } from "../text.ts";
import { describeGone, describeLost, describeUnkeepable } from "../worktrees/gone-text.ts";
import { helpText } from "../help-text.ts";
import { describeReason } from "../worktrees/reasons.ts";

/** What goes without being asked for. */
const DISPOSABLE_HELP =
  "Ignored folders that tools make again keep no worktree, and the answer names those that went: wherever they are node_modules, .venv and venv (with a pyvenv.cfg), vendor/bundle, __pycache__, and caches with a CACHEDIR.TAG; at the top target, dist, build, coverage, .next, .turbo, .cache, .pytest_cache, .mypy_cache, .ruff_cache and .gradle. What is in these last ones is saved wherever something is, up to 64 MiB each: owt delete --save keeps it.";

type Options = { yes?: boolean; save?: boolean; json?: boolean };

export function deleteCommand(program: Command, io: Io): void {
  program
    .command("delete <worktree...>")
    .description(
      "take worktrees away; what would be lost with one is named and keeps it, and its branch goes only where its work has come home",
    )
    .option("-y, --yes", "do not ask")
    .option("--save", "save what would be lost, and then take the worktree away; owt restore brings it back")
    .option("--json", "print the answer as JSON")
    .addHelpText("after", helpText(DISPOSABLE_HELP))
    .action((names: string[], options: Options) =>
      withEngine(io, async (engine) => {
        // All names are looked up before anything is touched.
        await approve(io, engine, setupGrants(engine));
        const wanted = await Promise.all([...new Set(names)].map((name) => findWorktree(engine, name)));
        for (const each of wanted) {
          refuseMain(engine, each, "taken away");
          refuseByHand(engine, each);
          const damaged = await findDamageOf(engine, each);
          if (damaged !== null) throw refuseDamaged(damaged, `owt delete ${wordOf(damaged)}`);
        }
        if (!options.yes) await ask(io, wanted);
        // That of a killed one that took the same away would look like somebody at work.
        await outlastDeadGit(engine.repo, { leave: io.signal });
        const gone: Gone[] = [];
        const stay: Stays[] = [];
        try {
          for (const each of new Set(wanted)) {
            refuseInterrupted(io, each);
            const end = await removeByHand(engine, each, { save: options.save ?? false, ...tellers(io) });
            if ("reasons" in end) stay.push(end);
            else gone.push(end);
          }
        } catch (error) {
          // What is gone already is told all the same.
          if (gone.length > 0) tellEnds(io, options, gone, []);
          throw error;
        }
        tellEnds(io, options, gone, stay);
      }),
    );
}

function refuseInterrupted(io: Io, next: Checkout): void {
  if (!io.signal.aborted) return;
  throw new OwtError("interrupted", `interrupted; ${nameOf(next)} was not touched`, {
    hint: `again: owt delete ${wordOf(next)}`,
  });
}

/** Its task would go on without what was done there. */
function refuseByHand(engine: Engine, worktree: Checkout): void {
  const task = taskAt(engine, worktree.path);
  if (task?.park?.for !== "hand") return;
  throw new OwtError("wrong-state", `${nameOf(worktree)} is where you took ${task.key} (${task.run}) over`, {
    hint: `give it back: owt task approve ${task.key} (or retry); or give it up: owt task cancel ${task.key}`,
  });
}

async function ask(io: Io, wanted: readonly Checkout[]): Promise<void> {
  if (!canAsk(io))
    throw new OwtError("usage", "taking a worktree away off a terminal needs --yes", {
      hint: repeatWith(io, "--yes"),
    });
  if (!(await confirm(io, `take away ${wanted.map(nameOf).join(", ")}?`)))
    throw new OwtError("interrupted", "nothing was taken away");
}

function tellEnds(io: Io, options: Options, gone: Gone[], stay: Stays[]): void {
  const paint = painter(io, io.stdout);
  const data = {
    removed: gone.map(({ path, branch, came, rescue, environment, discarded, leftOut, notFiles }) => ({
      path,
      branch,
      branch_deleted: came !== null,
      rescue,
      environment,
      discarded,
      left_out: leftOut,
      not_files: notFiles,
    })),
    kept: stay.map(({ path, branch, reasons, notFiles }) => ({
      path,
      branch,
      reasons: reasons.map((each) => ({ reason: each.reason, what: each.what, text: describeReason(each) })),
      not_files: notFiles,
    })),
  };
  const lines = gone.flatMap((each) => [
    `${paint("green", "✓")} ${printable(describeGone(each))}`,
    ...describeLost(each).map((line) => `  ${printable(line)}`),
  ]);
  answer(io, options, data, lines.join("\n"));
  if (stay.length === 0) return;
  const told = stay.map(
    (each) =>
      `${nameOf(each)} stays: ${each.reasons.map(describeReason).join("; ")}${describeUnkeepable(each.notFiles)}`,
  );
  const isAllSavable = stay.every(({ reasons }) => reasons.every(isSavable));
  const nameless = stay.find(({ reasons }) => reasons.some(({ reason }) => reason === "unreadable-name"));
  const hint = isAllSavable
    ? `save that, and then take it away (owt restore brings it back): owt delete ${stay.map(wordOf).join(" ")} --save`
    : stay.some(({ reasons }) => reasons.some(({ reason }) => reason === "in-use"))
      ? `leave it, or end what works there, and once more: owt delete ${stay.map(wordOf).join(" ")}`
      : nameless !== undefined
        ? `commit it under that name, or rename it: git -C ${shellWord(nameless.path)} status; then: owt delete ${wordOf(nameless)}`
        : "see: owt list";
  const refusal = new OwtError("would-lose-work", told.join("\n"), { hint });
  // Its answer as JSON says it already.
  if (!options.json) throw refusal;
  process.exitCode = refusal.exitCode;
}
