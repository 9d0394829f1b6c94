/** `owt sync`: worktrees up to date with what they follow, or with what they began from. */
import { type Command, Option } from "commander";
import { OwtError } from "../../core/errors.ts";
import type { Engine } from "../../engine/engine.ts";
import { listWorktrees } from "../../engine/worktrees/list.ts";
import { type Checkout, findWorktree } from "../../engine/worktrees/place.ts";
import { type Synced, syncWorktrees } from "../../engine/worktrees/sync.ts";
import { answer, type Io, withEngine } from "../io.ts";
import { painter } from "../text.ts";
import { helpText } from "../help-text.ts";
import { needsPerson, renderSynced } from "../worktrees/sync-text.ts";

type Options = { all?: boolean; strategy?: "merge" | "rebase"; stash: boolean; json?: boolean };

export function syncCommand(program: Command, io: Io): void {
  program
    .command("sync [worktree...]")
    .description(
      "bring worktrees up to date with what they follow, or with what they began from; without a name, the one you are in",
    )
    .option("-a, --all", "all worktrees but the main checkout")
    .addOption(
      new Option("--strategy <way>", "what is done where both sides went on; by default sync.default_strategy").choices(
        ["merge", "rebase"],
      ),
    )
    .option("--no-stash", "leave worktrees with uncommitted work alone, instead of carrying it over")
    .option("--json", "print the answer as JSON")
    .addHelpText(
      "after",
      helpText(
        "Each remote is asked once. Nothing is pushed. A conflict leaves a worktree exactly as it was.",
        `Examples:
  owt sync                      the worktree you are in
  owt sync login --strategy rebase
  owt sync --all                all of them but the main checkout`,
      ),
    )
    .action((names: string[], options: Options) =>
      withEngine(io, async (engine) => {
        const wanted = await findWanted(engine, names, options.all === true);
        const { sync } = engine.config;
        const synced = await syncWorktrees(engine, wanted, {
          strategy: options.strategy ?? sync.default_strategy,
          stash: options.stash && sync.auto_stash,
          prune: sync.prune_remote,
          signal: io.signal,
        });
        tellSynced(io, options, synced);
      }),
    );
}

async function findWanted(engine: Engine, names: readonly string[], isAll: boolean): Promise<Checkout[]> {
  if (isAll && names.length > 0)
    throw new OwtError("usage", "--all and a name say different things", { hint: `owt sync ${names.join(" ")}` });
  if (isAll) return (await listWorktrees(engine)).filter(({ isMain, isBeingMade }) => !isMain && !isBeingMade);
  const words = names.length === 0 ? [undefined] : [...new Set(names)];
  const found = await Promise.all(words.map((name) => findWorktree(engine, name)));
  return [...new Map(found.map((each) => [each.path, each])).values()];
}

function tellSynced(io: Io, options: Options, synced: readonly Synced[]): void {
  const worktrees = synced.map(({ byHand, ...each }) => ({ ...each, by_hand: byHand }));
  const text =
    synced.length === 0 ? "there is no worktree but the main checkout" : renderSynced(synced, painter(io, io.stdout));
  answer(io, options, { worktrees }, text);
  if (synced.some(({ state }) => state === "unreachable" || state === "refused")) process.exitCode = 1;
  else if (synced.some(needsPerson)) process.exitCode = 4;
}
