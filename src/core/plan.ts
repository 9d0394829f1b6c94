/** A plan as data, whichever files it came from, and the rules that join its tasks into one graph. */
import type { AgentChoices } from "./choices.ts";
import { cyclesIn } from "./dag.ts";
import { checkBranchName, nearest } from "./names.ts";

/** How early a ready task starts. The seeds' `medium` is `normal`; numbers (feature lists): 1 or less is high, 2 normal, more is low. */
export type Priority = "high" | "normal" | "low";

/** A unit of agent work as its plan states it. */
export type PlannedTask = {
  /** Unique in its plan: `technical/E05`, or the id of a feature. */
  id: string;
  title: string;
  /** Null in feature lists and ad-hoc tasks. */
  module: string | null;
  /** What the agent is asked to do: the whole body of the file, line ends as LF. */
  content: string;
  /** README of the module, or the project's context file; may be "". */
  context: string;
  /** Where the task is defined, path from the repository's root. For a feature list that is the list, not the prompt file. */
  source: { file: string; line: number };
  /** Full ids that the plan names. */
  dependsOn: string[];
  /** Full ids that follow from the order inside the module and are not named as well. */
  implied: string[];
  priority: Priority;
  /** What the plan claims. `complete` is believed: the task is done and satisfies those that wait for it. */
  status: "not_started" | "in_progress" | "complete";
  needsReview: boolean;
  /** Commands that must succeed in its worktree. They need the user's approval before they run. */
  verify: string[];
  /** Path patterns it is expected to change. */
  touches: string[];
  /** Agent, model and branch that the plan asks for; null leaves the choice to the configuration. */
  agent: string | null;
  model: string | null;
  branch: string | null;
  /** What else the plan asks of the agent for this task. */
  choices: AgentChoices;
  tags: string[];
  /** Names of things it brings into being, and of things it builds upon, in the plan's own words. */
  creates: string[];
  uses: string[];
  estimatedTokens: number | null;
  /** First paragraph. */
  description: string;
  /** Where keys stand that can only be checked where the plan is to run; a task that comes from no file has none. */
  lines?: { agent: number; branch: number };
};

/** Something in a plan that a person has to look at. `line` counts from 1; `file` is a path from the repository's root. */
export type Problem = { file: string; line: number; code: string; message: string; hint: string };

/** What a feature list says about the run as a whole; a key is absent where the list does not have it. */
export type PlanSettings = {
  name?: string;
  baseBranch?: string;
  maxParallel?: number;
  /** Per task, milliseconds. */
  timeoutMs?: number;
  /** How its agents are to be run. */
  choices?: AgentChoices;
  /** As written; it was checked to mean this repository. */
  repoPath?: string;
  /** Path of the file whose text is part of every task's `context`. */
  contextFile?: string;
};

export type Plan = {
  kind: "markdown" | "feature-list" | "ad-hoc";
  /** Path from the repository's root. */
  path: string;
  /** In plan order. */
  tasks: PlannedTask[];
  /** Files that lie in the plan's folder and are no tasks of it, each with the reason in words. */
  ignored: { file: string; reason: string }[];
  /** Worth a look, but the plan can run. */
  warnings: Problem[];
  settings: PlanSettings;
};

/** A plan that can run, or everything that keeps it from running. */
export type PlanResult =
  | { plan: Plan }
  | {
      problems: Problem[];
      /** Those found until then. */
      warnings: Problem[];
      /** Those that could be read all the same: what else is wrong with them can be told along. */
      tasks: PlannedTask[];
    };

/** A task with the lines that its graph problems are reported at. */
export type DraftTask = {
  task: PlannedTask;
  /** The line of each entry of `task.dependsOn`, in its order; a missing one stands for the task's own line. */
  needLines: readonly number[];
  branchLine: number;
};

export type PlanDraft = Omit<Plan, "tasks"> & { tasks: readonly DraftTask[] };

/** Joins parsed tasks into a plan, or reports every problem at once: those `found` while parsing, and here duplicate ids, unknown and
 *  self dependencies, cycles, branch names that are refused or clash, and a plan without tasks. Sorted by file and line. */
export function checkPlan(draft: PlanDraft, found: readonly Problem[] = []): PlanResult {
  const { tasks, ...rest } = draft;
  const graph = [
    ...duplicateProblems(tasks),
    ...dependencyProblems(tasks),
    ...cycleProblems(tasks),
    ...branchProblems(tasks),
  ];
  const problems = [...found, ...graph];
  // Where parsing found problems, "no tasks" would only be their echo.
  if (tasks.length === 0 && problems.length === 0) problems.push(emptyProblem(draft));
  const warnings = draft.warnings.toSorted(byPlace);
  const read = tasks.map(({ task }) => withoutRepeats(task));
  if (problems.length > 0) return { problems: problems.toSorted(byPlace), warnings, tasks: read };
  return { plan: { ...rest, warnings, tasks: read } };
}

function withoutRepeats(task: PlannedTask): PlannedTask {
  const dependsOn = [...new Set(task.dependsOn)];
  return { ...task, dependsOn, implied: task.implied.filter((id) => !dependsOn.includes(id)) };
}

function duplicateProblems(tasks: readonly DraftTask[]): Problem[] {
  const firsts = new Map<string, PlannedTask>();
  const problems: Problem[] = [];
  for (const { task } of tasks) {
    const first = firsts.get(task.id);
    if (first === undefined) {
      firsts.set(task.id, task);
      continue;
    }
    const [one, other] = [first.source, task.source];
    problems.push({
      ...other,
      code: "duplicate-id",
      message: `${task.id} is defined twice: ${one.file}:${one.line} and ${other.file}:${other.line}`,
      hint: "give one of them another number or id, or remove it",
    });
  }
  return problems;
}

function dependencyProblems(tasks: readonly DraftTask[]): Problem[] {
  const ids = new Set(tasks.map(({ task }) => task.id));
  return tasks.flatMap((draft) =>
    draft.task.dependsOn.flatMap((need, at): Problem[] => {
      const place = { file: draft.task.source.file, line: needLine(draft, at) };
      if (need === draft.task.id) {
        const message = `${need} depends on itself`;
        return [{ ...place, code: "self-dependency", message, hint: "remove it from depends_on" }];
      }
      if (ids.has(need)) return [];
      const near = nearest(need, ids.difference(new Set([draft.task.id])));
      const hint = near.length > 0 ? `did you mean ${near.join(" or ")}?` : "no task of this plan has a name like it";
      return [
        {
          ...place,
          code: "unknown-dependency",
          message: `${draft.task.id} depends on ${need}, which is not in the plan`,
          hint,
        },
      ];
    }),
  );
}

function cycleProblems(tasks: readonly DraftTask[]): Problem[] {
  // Two tasks of one id count as one that needs what both need: the cycle is told along with the id, not in the next round.
  const drafts = Map.groupBy(tasks, ({ task }) => task.id);
  const nodes = [...drafts].map(([id, same]) => ({
    id,
    // A task that depends on itself has been reported as that.
    needs: same.flatMap(({ task }) => [...task.dependsOn, ...task.implied]).filter((need) => need !== id),
  }));
  return cyclesIn(nodes).map((cycle) => {
    const named = namedEdge(cycle, drafts);
    const isNamed = (id: string, need: string) => drafts.get(id)!.some(({ task }) => task.dependsOn.includes(need));
    const implied = cycle.slice(0, -1).find((id, at) => !isNamed(id, cycle[at + 1]!));
    return {
      ...named,
      code: "cycle",
      message: `tasks wait for each other: ${cycle.join(" → ")}`,
      hint:
        implied === undefined
          ? "remove one of these dependencies"
          : `${implied} waits for its predecessor by the order of its module; remove a depends_on or number the tasks differently`,
    };
  });
}

/** Where a person can break the cycle: its first dependency that stands in a file. (Implied ones alone never close a cycle.) */
function namedEdge(
  cycle: readonly string[],
  drafts: ReadonlyMap<string, readonly DraftTask[]>,
): { file: string; line: number } {
  for (const [at, id] of cycle.slice(0, -1).entries()) {
    for (const draft of drafts.get(id)!) {
      const entry = draft.task.dependsOn.indexOf(cycle[at + 1]!);
      if (entry >= 0) return { file: draft.task.source.file, line: needLine(draft, entry) };
    }
  }
  return { ...drafts.get(cycle[0]!)![0]!.task.source };
}

function branchProblems(tasks: readonly DraftTask[]): Problem[] {
  // Branches are files: a file system that ignores case makes one of two, and no branch can be the folder of another.
  const owners = new Map<string, PlannedTask>();
  const folders = new Map<string, PlannedTask>();
  const problems: Problem[] = [];
  const named = tasks.flatMap(({ task, branchLine }) =>
    task.branch === null ? [] : [{ task, branchLine, branch: task.branch }],
  );
  for (const { task, branchLine, branch } of named) {
    const place = { file: task.source.file, line: branchLine };
    const refused =
      checkBranchName(branch) ??
      (/^owt(\/|$)/i.test(branch) ? "lies under owt/, which owt keeps for its own branches" : null);
    if (refused !== null) {
      const message = `the branch ${JSON.stringify(branch)} of ${task.id} ${refused}`;
      problems.push({
        ...place,
        code: "branch-name",
        message,
        hint: `use a name such as feat/${task.id.replace(/[^A-Za-z0-9/-]/g, "-")}`,
      });
      continue;
    }
    const key = branch.toLowerCase();
    const above = [...key.matchAll(/\//g)].map(({ index }) => key.slice(0, index));
    const other = [key, ...above].map((name) => owners.get(name)).find(Boolean) ?? folders.get(key);
    if (other === undefined) {
      owners.set(key, task);
      for (const folder of above) folders.set(folder, task);
      continue;
    }
    const message = `the branch ${branch} of ${task.id} cannot stand beside ${other.branch} of ${other.id}`;
    problems.push({
      ...place,
      code: "branch-clash",
      message,
      hint: "give each task a branch of its own, or leave the key out",
    });
  }
  return problems;
}

function emptyProblem(draft: PlanDraft): Problem {
  const seen = draft.ignored.slice(0, 3).map(({ file, reason }) => `${file} (${reason})`);
  return {
    file: draft.path,
    line: 1,
    code: "no-tasks",
    message: `${draft.path} holds no tasks`,
    hint:
      seen.length > 0
        ? `not read as tasks: ${seen.join(", ")}`
        : "a task is a file such as docs/plans/<module>/epic-01-<name>.md",
  };
}

function needLine(draft: DraftTask, at: number): number {
  return draft.needLines[at] ?? draft.task.source.line;
}

function byPlace(a: Problem, b: Problem): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return a.line - b.line;
}
