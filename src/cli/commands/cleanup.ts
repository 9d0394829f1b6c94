/** `owt cleanup`: takes away worktrees that nobody needs any more. Without --yes it says which, and does nothing. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { OwtError } from "../../core/errors.ts";
import type { Engine } from "../../engine/engine.ts";
import {
  carryOutCleanup,
  type Considered,
  measureFolders,
  planCleanup,
  wishOf,
} from "../../engine/worktrees/cleanup.ts";
import { clearUnmade } from "../../engine/worktrees/unmade.ts";
import { setupGrants } from "../../engine/worktrees/ready.ts";
import type { Gone, Stays } from "../../engine/worktrees/remove.ts";
import { approve } from "../approve.ts";
import { answer, type Io, tell, tellers, withEngine } from "../io.ts";
import { count } from "../preview.ts";
import { painter, printable } from "../text.ts";
import { bytesWords, describeDecision, renderPreview, type SeenAt } from "../worktrees/cleanup-text.ts";
import { describeGone, describeLost } from "../worktrees/gone-text.ts";
import { helpText } from "../help-text.ts";
import { describeReason } from "../worktrees/reasons.ts";

type Options = { days?: number; merged?: boolean; all?: boolean; dryRun?: boolean; yes?: boolean; json?: boolean };

export function cleanupCommand(program: Command, io: Io): void {
  program
    .command("cleanup")
    .description(
      "take away worktrees that nobody needs any more: those not used for long, and those whose work came home; without --yes, only say which",
    )
    .addOption(new Option("--days <n>", "stale is what was not used for so many days").argParser(wholeDays))
    .option("--merged", "only those whose work came home: merged, rebased or squashed")
    .option("--all", "all that hold nothing which is protected")
    .option("--dry-run", "do nothing, even with --yes")
    .option("-y, --yes", "do it")
    .option("--json", "print the answer as JSON")
    .addHelpText(
      "after",
      helpText(
        "Never taken: the main checkout, the worktree you are in, locked ones, those in which a program works, and those of a run that goes on. What is uncommitted, and commits that nothing else has, are protected ([cleanup] protect_uncommitted, protect_unpushed); without a protection they are saved first, and come back with owt restore. A branch goes only where its work has come home. Ignored folders that tools make again protect nothing, and the answer names those that went: owt delete --help lists them.",
        `Examples:
  owt cleanup                          what would go, and why
  owt cleanup --merged --yes           take away what is done
  owt cleanup --days 30 --yes`,
      ),
    )
    .action((options: Options) =>
      withEngine(io, async (engine) => {
        if (options.merged && options.all)
          throw new OwtError("usage", "--merged and --all say different things", {
            hint: "one of them: owt cleanup --merged",
          });
        await cleanUp(io, engine, options);
      }),
    );
}

function wholeDays(word: string): number {
  if (/^\d{1,6}$/.test(word)) return Number(word);
  throw new InvalidArgumentError("It is a number of days, from 0.");
}

async function cleanUp(io: Io, engine: Engine, options: Options): Promise<void> {
  const isDone = options.yes === true && options.dryRun !== true;
  if (isDone) await approve(io, engine, setupGrants(engine));
  const wish = wishOf(engine, options.merged ? "merged" : options.all ? "all" : "usual", options.days ?? null);
  for (const line of await clearUnmade(engine)) tell(io, line);
  const considered = await planCleanup(engine, wish);
  const go = considered.filter(({ decision }) => decision.take);
  const sizes = await measureFolders(go.map(({ path }) => path));
  const at = { now: engine.now(), wish };
  const ends = isDone ? await carryOutCleanup(engine, considered, { signal: io.signal, ...tellers(io) }) : null;
  const data = {
    done: isDone,
    worktrees: considered.map((each) => toJson(each, sizes, ends?.get(each.path) ?? null, at)),
  };
  const text =
    ends === null ? renderPreview(considered, sizes, at, painter(io, io.stdout)) : renderEnds(io, ends, sizes);
  answer(io, options, data, text);
  if (ends !== null && !options.json) tellDamaged(io, considered, at);
  if (!options.json) tellNext(io, options, go.length, sizes, isDone);
  if (ends === null || ![...ends.values()].some((end) => "reasons" in end)) return;
  const refusal = new OwtError("would-lose-work", "what changed meanwhile stays", { hint: "look: owt cleanup" });
  // Its answer as JSON says it already.
  if (!options.json) throw refusal;
  process.exitCode = refusal.exitCode;
}

function toJson(each: Considered, sizes: ReadonlyMap<string, number | null>, end: Gone | Stays | null, at: SeenAt) {
  const { path, name, branch, decision, usedAt, unpushed } = each;
  const gone = end !== null && "rescue" in end ? end : null;
  return {
    name,
    path,
    branch,
    action: !decision.take ? "keep" : end === null ? "remove" : gone === null ? "kept" : "removed",
    why: decision.why,
    text: end !== null && "reasons" in end ? end.reasons.map(describeReason).join("; ") : describeDecision(each, at),
    saves: decision.take ? decision.saves : [],
    used_at: usedAt === null ? null : new Date(usedAt).toISOString(),
    unpushed,
    bytes: sizes.get(path) ?? null,
    branch_deleted: gone?.came != null,
    rescue: gone?.rescue ?? null,
    environment: gone?.environment ?? [],
    discarded: gone?.discarded ?? [],
    left_out: gone?.leftOut ?? [],
    not_files: gone?.notFiles ?? each.notFiles,
  };
}

function renderEnds(
  io: Io,
  ends: ReadonlyMap<string, Gone | Stays>,
  sizes: ReadonlyMap<string, number | null>,
): string {
  const paint = painter(io, io.stdout);
  const lines = [...ends].map(([path, end]) => {
    if ("reasons" in end)
      return `${paint("yellow", "▲")} ${printable(`${end.branch ?? path} stays: ${end.reasons.map(describeReason).join("; ")}`)}`;
    const bytes = sizes.get(path) ?? null;
    const gone = `${paint("green", "✓")} ${printable(describeGone(end))}${bytes === null ? "" : ` (${bytesWords(bytes)})`}`;
    return [gone, ...describeLost(end).map((line) => `  ${printable(line)}`)].join("\n");
  });
  return lines.join("\n");
}

/** What was left out because nobody can say what it holds, or where it is; a preview names it anyway. */
function tellDamaged(io: Io, considered: readonly Considered[], at: SeenAt): void {
  for (const each of considered)
    if (each.decision.why === "unreadable" || each.decision.why === "moved")
      tell(io, printable(`${each.name} stays: ${describeDecision(each, at)}`));
}

/** What to do next. */
function tellNext(
  io: Io,
  options: Options,
  going: number,
  sizes: ReadonlyMap<string, number | null>,
  isDone: boolean,
): void {
  const paint = painter(io, io.stderr);
  if (going === 0) {
    tell(io, "nothing is to be taken away");
    return;
  }
  if (isDone) return;
  const words = ["owt cleanup"];
  if (options.days !== undefined) words.push(`--days ${options.days}`);
  if (options.merged) words.push("--merged");
  if (options.all) words.push("--all");
  const bytes = [...sizes.values()].reduce<number>((sum, each) => sum + (each ?? 0), 0);
  tell(io, `nothing was done; ${count(going, "worktree")} would go, ${bytesWords(bytes)}`);
  tell(io, `  ${paint("dim", "↳")} to do it: ${words.join(" ")} --yes`);
}
