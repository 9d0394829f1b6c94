/** Settles the conflicts of a merge that the configuration has a rule for (`[conflicts]`). */
import { existsSync, lstatSync } from "node:fs";
import { join } from "node:path";
import { type ConflictRule, type FailedRule, ruleFor, type Settled } from "../core/conflict-rules.ts";
import type { Run } from "../core/run.ts";
import { writeCommit } from "../git/commit.ts";
import type { Link } from "../git/merge-chain.ts";
import { findStrayed } from "../git/move.ts";
import { settleConflicts, takeFiles } from "../git/settle-conflicts.ts";
import { few } from "../lib/few.ts";
import { appendEvent } from "../store/events.ts";
import { lstatIfThere } from "../system/files.ts";
import type { Carried } from "./attempt-moves.ts";
import { runCheck } from "./check.ts";
import type { Engine } from "./engine.ts";
import { endEarlierChecks, mergeCheckDir, standAt } from "./integration-worktree.ts";

/** A command that was to make a file anew, and did something else to the worktree it was run in. */
export type Misbehaved = { command: string; misbehaved: string };

/** A merge, and what rules settled in it. */
export type RuledLink = Link & { settled?: Settled[] };

/** The merge with `at`, where a rule settles each of the files in conflict; null where somebody has to decide. */
export async function settleByRule(
  engine: Engine,
  carried: Carried,
  { at, files, message }: { at: string; files: string[]; message: string },
): Promise<RuledLink | FailedRule | Misbehaved | "interrupted" | null> {
  const { run, task, attempt } = carried;
  const about = { run: run.id, task: task.id, attempt: attempt.id };
  return settleMerge(engine, {
    run,
    files,
    message,
    parents: [at, attempt.head!],
    worktree: attempt.worktree,
    attempt: attempt.id,
    dirOf: (merge) => mergeCheckDir(engine, attempt.id, merge),
    tell: (text) => appendEvent(engine.store, engine.now(), about, { kind: "note", text }),
  });
}

/** A merge to settle: `worktree` is where git runs; commands belong to `attempt`, and have their executions in a folder in that of `dirOf`. */
export type ToSettle = {
  run: Run;
  files: readonly string[];
  message: string;
  parents: [ours: string, theirs: string];
  worktree: string;
  attempt: number;
  dirOf: (merge: string) => string;
  tell: (text: string) => void;
};

/** The merge of these parents, where a rule settles each of the files in conflict with what the first has, or both; null where somebody has to decide. */
export async function settleMerge(
  engine: Engine,
  merge: ToSettle,
): Promise<RuledLink | FailedRule | Misbehaved | "interrupted" | null> {
  const { conflicts } = engine.config;
  if (conflicts === undefined) return null;
  const rules = new Map<string, ConflictRule>();
  for (const file of merge.files) {
    const rule = ruleFor(file, conflicts);
    if (rule === null) return null;
    rules.set(file, rule);
  }
  const { parents, message, worktree } = merge;
  // What is made anew begins as the run's branch has it.
  const choose = (path: string) => {
    const rule = rules.get(path);
    return rule ? (rule.by === "union" ? "union" : "ours") : null;
  };
  const settled = await settleConflicts(engine.repo, parents[0], parents[1], worktree, choose);
  if (settled === null) return null;
  const identity = await engine.identity();
  const commitOf = (tree: string) => writeCommit(engine.repo, { tree, parents, message, identity });
  const tree = await regenerate(engine, merge, settled, await commitOf(settled), rules);
  if (typeof tree !== "string" || tree === "interrupted") return tree;
  merge.tell(`settled by rule: ${describeRules(rules)}`);
  return { commit: await commitOf(tree), tree, settled: [...rules].map(settledBy) };
}

/** What is said of a command that was to make a file anew and did more than that. */
export function describeMisbehaved({ command, misbehaved }: Misbehaved): string {
  return `${command}, to make anew what is in conflict, ${misbehaved} in the run's own worktree; it may only write files`;
}

function settledBy([file, rule]: [string, ConflictRule]): Settled {
  return { file, by: rule.by, commands: rule.by === "regenerate" ? rule.commands : [] };
}

function describeRules(rules: ReadonlyMap<string, ConflictRule>): string {
  return few(
    [...rules].map(([file, rule]) => `${file} (${rule.by === "regenerate" ? rule.commands.join("; ") : rule.by})`),
  );
}

/** Runs the commands in the run's own worktree, upon the merge, and takes from it the files that they are for. */
async function regenerate(
  engine: Engine,
  { run, attempt, dirOf, tell }: ToSettle,
  tree: string,
  merge: string,
  rules: ReadonlyMap<string, ConflictRule>,
): Promise<string | FailedRule | Misbehaved> {
  const anew = [...rules].filter(([, { by }]) => by === "regenerate");
  const commands = new Set(anew.flatMap(([, rule]) => (rule.by === "regenerate" ? rule.commands : [])));
  if (commands.size === 0) return tree;
  await endEarlierChecks(engine, run.id);
  const cwd = await standAt(engine, run.id, merge);
  // The worktree stands anew: what was executed before says nothing of it.
  const before = new Map(anew.map(([file]) => [file, stateOf(join(cwd, file))]));
  const dir = join(dirOf(merge), `regenerate-${Date.now().toString(36)}`);
  for (const [index, command] of [...commands].entries()) {
    const check = { attempt, dir: `${dir}-${index}`, command, cwd };
    const result = await runCheck(engine, { ...check, timeoutMs: run.options.timeoutMs });
    const strayed = isGone(cwd) ? "deleted what git needs" : await findStrayed(engine.repo, cwd, merge);
    if (result === "interrupted") return "interrupted";
    if (strayed !== null) return { command, misbehaved: strayed };
    if (result.code === 0) continue;
    tell(`a file in conflict could not be made anew: ${command} ended with ${result.code}`);
    return { command, code: result.code, output: result.output };
  }
  const missing = anew.find(([file]) => !isFileThere(join(cwd, file)));
  if (missing !== undefined) return notMade(tell, missing, "left no file there");
  const untouched = anew.find(([file]) => stateOf(join(cwd, file)) === before.get(file));
  if (untouched !== undefined) return notMade(tell, untouched, "did not write it");
  return takeFiles(
    engine.repo,
    tree,
    cwd,
    anew.map(([file]) => file),
  );
}

/** A command that ended well, and did not make the file that it was to make: what is there is one side of the conflict alone. */
function notMade(tell: ToSettle["tell"], [file, rule]: [string, ConflictRule], how: string): FailedRule {
  const command = rule.by === "regenerate" ? rule.commands.join("; ") : "";
  tell(`${file} could not be made anew: ${command} ${how}`);
  return { command, code: 0, output: `${file}: ${how}` };
}

/** Tells whether a file was written, also with what it held before. */
function stateOf(path: string): string | null {
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? null : `${stat.ino} ${stat.ctimeNs}`;
}

function isFileThere(path: string): boolean {
  return lstatIfThere(path)?.isDirectory() === false;
}

/** Whether a command took its worktree away, or the link by which git knows it. */
function isGone(worktree: string): boolean {
  return !existsSync(join(worktree, ".git"));
}
