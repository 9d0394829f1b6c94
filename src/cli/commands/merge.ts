/** `owt merge`: the work of one worktree into the branch that it began from. */
import type { Command } from "commander";
import { OwtError } from "../../core/errors.ts";
import { wordOf } from "../../core/worktree.ts";
import type { Engine } from "../../engine/engine.ts";
import { orRefuseDamaged } from "../../engine/worktrees/damaged.ts";
import {
  carryOutMerge,
  mergeGrants,
  type MergedByHand,
  type MergePlan,
  planMerge,
} from "../../engine/worktrees/merge.ts";
import { findWorktree } from "../../engine/worktrees/place.ts";
import { approve } from "../approve.ts";
import { answer, canAsk, confirm, type Io, whoAsks, withEngine } from "../io.ts";
import { count } from "../preview.ts";
import { renderUnpublished } from "../submodule-text.ts";
import { helpText } from "../help-text.ts";
import { repeatWith } from "../repeat.ts";
import { painter, printable } from "../text.ts";
import { shellWord } from "../../lib/printable.ts";

type Options = { into?: string; yes?: boolean; verify: boolean; squash?: boolean; json?: boolean };

export function mergeCommand(program: Command, io: Io): void {
  program
    .command("merge <worktree>")
    .description(
      "bring the work of a worktree into the branch that it began from: merged, checked with the verify commands, and only then the branch moves",
    )
    .option("--into <branch>", "another branch than the one it began from")
    .option("--squash", "as one commit")
    .option("--no-verify", "without checking what comes out of it")
    .option("-y, --yes", "do not ask")
    .option("--json", "print the answer as JSON")
    .addHelpText(
      "after",
      helpText(
        "Refused with uncommitted work, in the worktree or in a checkout of that branch. A conflict or a red check moves nothing. Nothing is pushed.",
        `Examples:
  owt merge login
  owt merge login --squash --yes`,
      ),
    )
    .action((name: string, options: Options) => withEngine(io, (engine) => merge(io, engine, name, options)));
}

async function merge(io: Io, engine: Engine, name: string, options: Options): Promise<void> {
  const wish = { into: options.into ?? null, verify: options.verify, squash: options.squash === true };
  const worktree = await findWorktree(engine, name);
  const plan = await orRefuseDamaged(engine, worktree, `owt merge ${wordOf(worktree)}`, () =>
    planMerge(engine, worktree, wish),
  );
  if (plan.commits > 0) {
    await approve(io, engine, mergeGrants(engine, plan));
    if (!options.yes) await ask(io, plan);
  }
  const merged = await carryOutMerge(engine, plan, whoAsks(io));
  const { branch, target, commits, squash } = plan;
  const data = {
    branch,
    target,
    commit: merged.commit,
    commits,
    already: merged.already,
    checked: merged.checked,
    fast_forward: merged.fastForward,
    squashed: squash && !merged.already,
    unpublished: merged.unpublished,
  };
  const paint = painter(io, io.stdout);
  const mark = merged.already ? paint("dim", "○") : paint("green", "✓");
  answer(
    io,
    options,
    data,
    `${mark} ${printable(describe(plan, merged))}\n  ${paint("dim", "↳")} take it away: owt delete ${branch}${renderLinks(merged)}`,
  );
}

async function ask(io: Io, { branch, target, commits, commands }: MergePlan): Promise<void> {
  if (!canAsk(io))
    throw new OwtError("usage", "bringing a branch into another off a terminal needs --yes", {
      hint: repeatWith(io, "--yes"),
    });
  const checked = commands.length > 0 ? `checked with ${commands.join(", ")}` : "unchecked";
  if (!(await confirm(io, printable(`bring ${branch} (${count(commits, "commit")}) into ${target}, ${checked}?`))))
    throw new OwtError("interrupted", "nothing was moved");
}

function renderLinks({ unpublished, behind }: MergedByHand): string {
  const update =
    behind === null ? "" : `\n  its submodules there: git -C ${shellWord(behind)} submodule update --recursive`;
  return unpublished.map(renderUnpublished).join("") + update;
}

/** What was done, and nothing that was not. */
function describe({ branch, target, commits, squash }: MergePlan, merged: MergedByHand): string {
  if (merged.already) return `${target} holds the work of ${branch} already`;
  const how = squash ? "squashed into one commit" : merged.fastForward ? "fast-forwarded" : "merged";
  const checked = merged.checked ? "checked" : "not checked";
  return `${branch} is in ${target}: ${count(commits, "commit")}, ${how}, ${checked} (${merged.commit.slice(0, 10)})`;
}
