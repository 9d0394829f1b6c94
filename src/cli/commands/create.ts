/** `owt create`: worktrees by hand. */
import type { Command } from "commander";
import { OwtError } from "../../core/errors.ts";
import type { SetupSaid } from "../../core/reuse.ts";
import type { Engine } from "../../engine/engine.ts";
import { type Created, createByHand } from "../../engine/worktrees/create.ts";
import { setupGrants } from "../../engine/worktrees/ready.ts";
import { approve } from "../approve.ts";
import { answer, type Io, tell, withEngine } from "../io.ts";
import { painter, printable } from "../text.ts";
import { tellRefusal } from "../refusal.ts";
import { describeSetup } from "../worktrees/setup-text.ts";

type Options = { base?: string; path?: string; deps: boolean; env: boolean; json?: boolean };

export function createCommand(program: Command, io: Io): void {
  program
    .command("create <branch...>")
    .description("a worktree for each of these branches, ready to work in; one that is there only gets what it lacks")
    .option("-b, --base <branch>", "what a new branch starts from; by default the branch you are on")
    .option("-p, --path <folder>", "where it is to stand; by default worktree.base_directory and naming_pattern say so")
    .option("--no-deps", "without installing dependencies")
    .option("--no-env", "without bringing environment files")
    .option("--json", "print the answer as JSON")
    .addHelpText(
      "after",
      `
A branch can be new, of this repository, of a remote (origin/x, or x where only a remote has it), or a pull or merge request: pr:123.

Examples:
  owt create feature/login             a new branch from the one you are on
  owt create fix/a fix/b --base main   two at once
  owt create pr:42                     what somebody proposes, to look at it`,
    )
    .action((branches: string[], options: Options) =>
      withEngine(io, async (engine) => {
        if (options.path !== undefined && branches.length > 1)
          throw new OwtError("usage", "--path names one folder, and these are several branches", {
            hint: `one after the other: owt create ${branches[0]} --path FOLDER`,
          });
        await approve(io, engine, setupGrants(engine));
        await createAll(io, engine, branches, options);
      }),
    );
}

/** Each is made or refused by itself; where one is, the exit says so. */
async function createAll(io: Io, engine: Engine, branches: readonly string[], options: Options): Promise<void> {
  const wanted = {
    ...options,
    base: options.base ?? null,
    path: options.path ?? null,
    signal: io.signal,
    tell: (said: SetupSaid) => tell(io, printable(describeSetup(said))),
  };
  const made: Created[] = [];
  const refused: { branch: string; error: OwtError }[] = [];
  for (const branch of new Set(branches)) {
    try {
      made.push(await createByHand(engine, branch, wanted));
    } catch (error) {
      if (!(error instanceof OwtError) || error.code === "interrupted") throw error;
      refused.push({ branch, error });
    }
  }
  // Alone, it is refused as any command is.
  if (made.length === 0 && refused.length === 1) throw refused[0]!.error;
  const worktrees = made.map(({ path, branch, isNew, base }) => ({ path, branch, is_new: isNew, base }));
  const failed = refused.map(({ branch, error }) => ({ branch, message: error.message, hint: error.hint ?? null }));
  if (!options.json) for (const { error } of refused) tellRefusal(io, error);
  const paint = painter(io, io.stdout);
  const lines = made.map(
    ({ path, branch, isNew }) => `${paint("green", "✓")} ${branch}  ${path}${isNew ? "" : " (was there)"}`,
  );
  answer(io, options, { worktrees, refused: failed }, lines.join("\n"));
  if (lines.length > 0 && !options.json) tell(io, `${paint("dim", "↳")} go there: cd ${made.at(-1)!.path}`);
  if (refused.length > 0) process.exitCode = Math.max(...refused.map(({ error }) => error.exitCode));
}
