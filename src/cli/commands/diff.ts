/** `owt diff`: what a worktree changed since it left its base. */
import type { Writable } from "node:stream";
import type { Command } from "commander";
import type { Engine } from "../../engine/engine.ts";
import { wordOf } from "../../core/worktree.ts";
import { orRefuseDamaged } from "../../engine/worktrees/damaged.ts";
import { type Compared, compareWorktree } from "../../engine/worktrees/diff.ts";
import { findWorktree } from "../../engine/worktrees/place.ts";
import { readChanges, writeChanges } from "../../git/changes.ts";
import { git } from "../../git/git.ts";
import { openPager, pagerWords } from "../../system/pager.ts";
import { answer, type Io, tell, wantsColor, withEngine } from "../io.ts";

type Options = { stat?: boolean; json?: boolean };

export function diffCommand(program: Command, io: Io): void {
  program
    .command("diff [worktree]")
    .description(
      "what a worktree changed since it left what it began from: its commits, uncommitted changes and new files",
    )
    .option("--stat", "only which files, and how much")
    .option("--json", "print the answer as JSON: which files, and how much")
    .action((name: string | undefined, options: Options) =>
      withEngine(io, async (engine) => {
        const worktree = await findWorktree(engine, name);
        await orRefuseDamaged(engine, worktree, `owt diff ${wordOf(worktree)}`, async () => {
          const compared = await compareWorktree(engine, worktree);
          if (options.json) await answerFiles(io, options, compared);
          else await showText(io, engine, options, compared);
        });
      }),
    );
}

async function answerFiles(io: Io, options: Options, { place, name, branch, base }: Compared): Promise<void> {
  const files = await readChanges(place, base.commit);
  answer(io, options, { name, path: place.root, branch, base: base.name, base_commit: base.commit, files }, "");
}

/** Through the user's pager on a terminal; else the bytes as they are, for a file or another program. */
async function showText(io: Io, engine: Engine, { stat }: Options, { place, name, base }: Compared): Promise<void> {
  const words = [...(stat ? ["--stat"] : []), `--color=${wantsColor(io, io.stdout) ? "always" : "never"}`];
  const show = (to: Writable) => writeChanges(place, base.commit, words, to);
  const pager = io.stdout.isTTY ? await openPager(pagerWords(io.env, await configuredPager(engine)), io.env) : null;
  const bytes = await show(pager?.input ?? io.stdout.stream());
  pager?.input.end();
  await pager?.ended;
  if (bytes === 0) tell(io, `${name} changed nothing since ${base.name}`);
}

/** The user's own; what the repository names is not run. */
async function configuredPager({ repo }: Engine): Promise<string> {
  for (const scope of ["--global", "--system"]) {
    const { stdout } = await git(repo, ["config", scope, "--get", "core.pager"], { ok: [0, 1, 128] });
    if (stdout.trim() !== "") return stdout.trim();
  }
  return "";
}
