/** Rivals: several agents that do one task at once, of whose work the better is kept. What a row of the store says of one, and which rows belong together. Pure. */
import { describeOutcome, type Outcome } from "./outcome.ts";
import type { PlannedTask } from "./plan.ts";

/** An agent, and its model where that is said, that is to do each task beside others. */
export type RivalChoice = { agent: string; model: string | null };

/** How large a change is. */
export type WorkSize = { lines: number; files: number };

export type Rival = RivalChoice & {
  /** The plan's id of the task. */
  of: string;
  /** Its place among those that were named, from 0. */
  place: number;
  /** Of the work with which it waits for the others; null before. */
  size: WorkSize | null;
  /** How it ended, in words; null while that is open. The winner goes by the task's own name from then on. */
  end: { isWinner: boolean; why: string } | null;
};

type Named = { key: string; rival: Rival | null };

/** `claude`, `claude:opus`. */
export function nameOfRival({ agent, model }: RivalChoice): string {
  return model === null ? agent : `${agent}:${model}`;
}

/** The key of a rival until it has won, for a task of this id: `shop/E01@claude`. */
export function rivalKey(id: string, choice: RivalChoice): string {
  return `${id}@${nameOfRival(choice)}`;
}

/** Whether it is one of several of whom nobody has won yet. */
export function isUndecided({ rival }: Pick<Named, "rival">): boolean {
  return rival !== null && rival.end === null;
}

/** Whether another one was better: it is no task of its run any more. */
export function hasLost({ rival }: Pick<Named, "rival">): boolean {
  return rival?.end?.isWinner === false;
}

/** How an attempt at a task ended, in words. What was green of a rival that lost is in no branch. */
export function describeEnd(task: Pick<Named, "rival">, outcome: Outcome): string {
  return outcome.kind === "ok" && hasLost(task) ? "green" : describeOutcome(outcome);
}

/** The name that the plan has for the task of a row. */
export function planKeyOf({ key, rival }: Named): string {
  return rival?.of ?? key;
}

/** Those that are still rivals, by the id of their task, in the order in which they were named. */
export function contestsIn<T extends Named>(tasks: readonly T[]): ReadonlyMap<string, T[]> {
  const contests = Map.groupBy(tasks.filter(isUndecided), planKeyOf);
  for (const rivals of contests.values()) rivals.sort((a, b) => a.rival!.place - b.rival!.place);
  return contests;
}

/** Needs by the keys of rows: who waits for a task that has rivals waits for all of them. */
export function rowNeeds<T extends Named>(tasks: readonly T[]): (needs: readonly string[]) => readonly string[] {
  const contests = contestsIn(tasks);
  if (contests.size === 0) return (needs) => needs;
  return (needs) => needs.flatMap((need) => contests.get(need)?.map(({ key }) => key) ?? [need]);
}

/** The rows that tell how a run stands: without those that lost, and without a rival at its end as long as another one may still do the task. */
export function standingRows<T>(rows: readonly T[], taskOf: (row: T) => Named & { state: string }): readonly T[] {
  const contests = contestsIn(rows.map(taskOf));
  const isOver = (task: Named & { state: string }) =>
    ENDED.has(task.state) && contests.get(planKeyOf(task))!.some((each) => !ENDED.has(each.state));
  return rows.filter((row) => !hasLost(taskOf(row)) && !(isUndecided(taskOf(row)) && isOver(taskOf(row))));
}

/** A row for each task: those that lost are left out, and of an undecided task the one that tells how it stands is taken: one that is not at its end, else one
 *  that failed, else the first. */
export function onePerTask<T>(rows: readonly T[], taskOf: (row: T) => Named & { state: string }): readonly T[] {
  if (!rows.some((row) => taskOf(row).rival !== null)) return rows;
  const byKey = new Map(rows.map((row) => [taskOf(row).key, row]));
  const tell = new Set<T>();
  for (const rivals of contestsIn(rows.map(taskOf)).values()) {
    const open = rivals.find(({ state }) => !ENDED.has(state));
    tell.add(byKey.get((open ?? rivals.find(({ state }) => state === "failed") ?? rivals[0]!).key)!);
  }
  return rows.filter((row) => (isUndecided(taskOf(row)) ? tell.has(row) : !hasLost(taskOf(row))));
}

const ENDED = new Set(["failed", "skipped", "cancelled"]);

/** What a rival is asked: the task's text, given to its agent. `isOwnKind`: what the plan chose for the task is meant for agents of this kind, too. */
export function specForRival(spec: PlannedTask, { agent, model }: RivalChoice, isOwnKind: boolean): PlannedTask {
  return isOwnKind ? { ...spec, agent, model: model ?? spec.model } : { ...spec, agent, model, choices: {} };
}

/** What is wrong with the rivals that the command line asks for, with what to do about it; null where nothing is. `names` is `--agents`, taken apart at its
 *  commas; `known` are the agents that there are, those first that are meant first. */
export function checkRivals(
  rivals: number | undefined,
  names: readonly string[] | undefined,
  known: readonly string[],
): { message: string; hint: string } | null {
  const exampleOf = (agents: readonly string[]) => `owt run --rivals ${agents.length} --agents ${agents.join(",")}`;
  const example = exampleOf(known.slice(0, 2));
  if (rivals === undefined) {
    if (names === undefined) return null;
    return { message: "--agents names rivals: how many?", hint: names.length < 2 ? example : exampleOf(names) };
  }
  if (rivals < 2) return { message: "one is no rival: --rivals begins at 2", hint: example };
  if (names === undefined || names.length < 2)
    return { message: `--rivals ${rivals} needs ${rivals} agents, separated by commas`, hint: example };
  if (names.length !== rivals)
    return {
      message: `--rivals ${rivals} needs ${rivals} agents, and --agents names ${names.length}`,
      hint: exampleOf(names),
    };
  // A colon with nothing behind it names no model.
  const meant = names.map((name) => name.replace(/:$/, ""));
  const twice = meant.find((name, at) => meant.indexOf(name) !== at);
  if (twice !== undefined)
    return { message: `--agents names ${twice} twice`, hint: `tell them apart by their models: ${twice}:MODEL` };
  return null;
}

/** `claude` or `claude:opus`: the whole word where that is an agent, else what stands before its first colon. */
export function parseRival(name: string, isAgent: (name: string) => boolean): RivalChoice {
  const colon = name.indexOf(":");
  if (colon === -1 || isAgent(name)) return { agent: name, model: null };
  return { agent: name.slice(0, colon), model: name.slice(colon + 1) || null };
}
