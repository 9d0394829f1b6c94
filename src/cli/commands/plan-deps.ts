import type { Command } from "commander";
import { type DependencyWish, findPlanned } from "../../core/dependencies.ts";
import { OwtError } from "../../core/errors.ts";
import type { Plan } from "../../core/plan.ts";
import type { Engine } from "../../engine/engine.ts";
import { readBacklog } from "../../store/backlog.ts";
import { changeDependencies, type DependencyChange, readOnlyPlan, writeChange } from "../../engine/plan-deps.ts";
import { listDependencies, renderChange, renderDependencies, shownChange } from "../dependencies-text.ts";
import { answer, ask, canAsk, confirm, type Io, tell, screenWidth, withEngine } from "../io.ts";
import { nearestPlans } from "../../engine/near-paths.ts";
import { relativePlan } from "../plan-path.ts";
import { count } from "../preview.ts";
import { repeatWith } from "../repeat.ts";
import { painter, printable } from "../text.ts";
import { toRequest, type WorkOptions } from "../work-options.ts";

type DepsOptions = Pick<WorkOptions, "config" | "json"> & { add: string[]; remove: string[]; yes?: boolean };

/** The options of `owt plan` stand above this command, and commander gives the ones that both know to that one. */
export function planDepsCommand(plan: Command, io: Io): void {
  plan
    .command("deps [plan-or-task...]")
    .description("list what waits for what, and change it in the plan's own files")
    .option("--add <id>", "let the task wait for this one, too (may be repeated)", collect)
    .option("--remove <id>", "let the task no longer wait for this one (may be repeated)", collect)
    .option("-y, --yes", "write the change without asking")
    .option("--config <file>", "a feature list or a configuration file; told apart by content")
    .option("--json", "print the answer as JSON")
    .action(async (words: string[], _: unknown, command: Command) => {
      refuseOthers(plan);
      const given = command.optsWithGlobals<Partial<DepsOptions>>();
      const options = { ...given, add: given.add ?? [], remove: given.remove ?? [] };
      const { request, configFile } = toRequest(io, words, options);
      if (request.texts.length > 0)
        throw new OwtError("usage", `${JSON.stringify(request.texts[0])} is no id of a task`, {
          hint: "list them with: owt plan deps",
        });
      await withEngine(
        io,
        async (engine) => {
          const seen = await readOnlyPlan(engine, relativePlan(engine, request).plan);
          await showOrChange(io, engine, seen, request.tasks, options);
        },
        configFile ? { configFile } : {},
      );
    });
}

/** What chooses among the tasks of a run chooses nothing here, and must not seem to. */
function refuseOthers(plan: Command): void {
  const known = new Set(["config", "json"]);
  const other = plan.options.find((option) => {
    const name = option.attributeName();
    return !known.has(name) && plan.getOptionValue(name) !== undefined;
  });
  if (other === undefined) return;
  throw new OwtError("usage", `owt plan deps has no ${other.long}`, { hint: "see: owt plan deps --help" });
}

function collect(id: string, before: string[] = []): string[] {
  return [...before, ...id.split(",").filter(Boolean)];
}

async function showOrChange(
  io: Io,
  engine: Engine,
  plan: Plan,
  tasks: readonly string[],
  options: DepsOptions,
): Promise<void> {
  refuseWrittenDown(engine, plan, [...tasks, ...options.add, ...options.remove]);
  refusePaths(io, plan, tasks);
  const isChange = options.add.length > 0 || options.remove.length > 0;
  if (isChange && tasks.length !== 1)
    throw new OwtError("usage", `--add and --remove change one task, and ${tasks.length} are named`, {
      hint: "owt plan deps TASK --add ID --remove ID",
    });
  if (!isChange && tasks.length === 0 && wouldAsk(io, options)) {
    await walkThrough(io, engine, plan);
    return;
  }
  if (!isChange) {
    const shown = listDependencies(
      plan,
      tasks.length === 0 ? plan.tasks : tasks.map((id) => findPlanned(plan.tasks, id)),
    );
    answer(io, options, shown, renderDependencies(shown, screenWidth(io)));
    return;
  }
  const wish = { task: tasks[0]!, add: options.add, remove: options.remove };
  const change = await changeDependencies(engine, plan, [wish]);
  const isWritten = await writeIfWanted(io, engine, change, options);
  const command = repeatWith(io, "--yes");
  answer(
    io,
    options,
    { plan: plan.path, change: shownChange(change), written: isWritten },
    tellEnd(io, change, { isWritten, wasAsked: wouldAsk(io, options), command }),
  );
  if (isWritten || change.files.length === 0 || wouldAsk(io, options)) return;
  // What was asked for is not done: whoever calls this from a script is to notice.
  if (options.json) tell(io, `nothing was written; to write it:\n  ↳ ${command}`);
  process.exitCode = 4;
}

/** A plan that is not there would be taken for a task. */
function refusePaths(io: Io, { tasks }: Plan, words: readonly string[]): void {
  for (const word of words) {
    const near = tasks.some(({ id }) => id.toLowerCase() === word.toLowerCase()) ? [] : nearestPlans(io.cwd, word);
    if (near.length === 0) continue;
    throw new OwtError("unknown-name", `there is no task or plan named ${word}`, {
      hint: `did you mean ${near.slice(0, 3).join(" or ")}? see: owt plan deps`,
    });
  }
}

/** What was written down by hand stands in no file of the plan: what it waits for was said when it was created. */
function refuseWrittenDown(engine: Engine, { tasks }: Plan, ids: readonly string[]): void {
  const stored = readBacklog(engine.store).find(({ id }) => ids.includes(id) && !tasks.some((task) => task.id === id));
  if (stored === undefined) return;
  throw new OwtError("wrong-state", `${stored.id} is written down, and in no file of the plan`, {
    hint: `to change what it waits for: owt task cancel ${stored.id}, then owt task create "…" --depends-on ID`,
  });
}

function wouldAsk(io: Io, options: Pick<DepsOptions, "yes" | "json">): boolean {
  return !options.yes && !options.json && canAsk(io);
}

/** Shows the change, then asks where somebody can be asked. */
async function writeIfWanted(
  io: Io,
  engine: Engine,
  change: DependencyChange,
  options: Pick<DepsOptions, "yes" | "json">,
): Promise<boolean> {
  if (change.files.length === 0) return false;
  const asks = wouldAsk(io, options);
  if (asks) tell(io, renderChange(change, screenWidth(io)));
  if (!options.yes && !(asks && (await confirm(io, "write it?")))) return false;
  writeChange(engine, change);
  return true;
}

function tellEnd(
  io: Io,
  change: DependencyChange,
  { isWritten, wasAsked, command }: { isWritten: boolean; wasAsked: boolean; command: string },
): string {
  if (change.files.length === 0) return "nothing to change: the plan says so already\n";
  const files = change.files.map(({ path }) => path).join(", ");
  const end = isWritten ? `written: ${files}` : `nothing was written; to write it into ${files}:\n  ${command}`;
  // Whoever was asked has seen it.
  return wasAsked ? `${end}\n` : `${renderChange(change, screenWidth(io))}\n${end}\n`;
}

/** Task by task in the order of the plan; what is wished is looked at at once and written at the end, as one change. */
async function walkThrough(io: Io, engine: Engine, plan: Plan): Promise<void> {
  tell(io, printable(`${plan.path}: ${count(plan.tasks.length, "task")}. ${KEYS}`));
  const wishes: DependencyWish[] = [];
  let change = await changeDependencies(engine, plan, wishes);
  for (let at = 0; at < plan.tasks.length;) {
    const shown = listDependencies(change.plan, [change.plan.tasks[at]!]);
    tell(io, `\n${renderDependencies(shown, screenWidth(io)).trimEnd()}`);
    const said = (await ask(io, `[${at + 1}/${plan.tasks.length}] change? `)).trim();
    if (/^q(uit)?$/i.test(said)) break;
    if (said === "") {
      at++;
      continue;
    }
    try {
      const next = understand(plan, plan.tasks[at]!.id, said);
      if (typeof next === "number") at = next;
      else {
        change = await changeDependencies(engine, plan, [...wishes, next]);
        wishes.push(next);
      }
    } catch (error) {
      if (!(error instanceof OwtError)) throw error;
      // A slip of the fingers ends nothing: it is told, and the same task is asked about again.
      tell(io, `${painter(io, io.stderr)("red", "✗")} ${printable(error.message)}`);
      if (error.hint) tell(io, `  ↳ ${printable(error.hint)}`);
    }
  }
  const isWritten = await writeIfWanted(io, engine, change, {});
  if (change.files.length === 0) answer(io, {}, {}, "nothing was changed\n");
  else
    answer(
      io,
      {},
      {},
      isWritten ? `written: ${change.files.map(({ path }) => path).join(", ")}\n` : "nothing was written\n",
    );
}

const KEYS = "+ID waits for it, -ID no longer; Enter: next, ID: go to that task, q: end";

/** A wish for this task, or the position of the task to go to. */
function understand(plan: Plan, task: string, said: string): DependencyWish | number {
  const words = said.split(/[\s,]+/).filter(Boolean);
  const named = (sign: string) => words.filter((word) => word.startsWith(sign)).map((word) => word.slice(1));
  const [add, remove] = [named("+"), named("-")];
  if (add.length + remove.length === words.length) return { task, add, remove };
  if (words.length > 1) throw new OwtError("usage", `${said} is not understood`, { hint: KEYS });
  return plan.tasks.indexOf(findPlanned(plan.tasks, said));
}
