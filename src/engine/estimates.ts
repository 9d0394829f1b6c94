/** What the tasks of a plan or a run are expected to take and to cost here, from the repository's own history. */
import { kindOf } from "../agents/registry.ts";
import { configuredChoices, layChoices, stated } from "../core/choices.ts";
import { type ComingTask, estimateTask, type PastTask, type TaskEstimate, taskKind } from "../core/estimate.ts";
import type { PlannedTask } from "../core/plan.ts";
import type { Run, RunOptions } from "../core/run.ts";
import { MapPer } from "../lib/map-per.ts";
import type { Store } from "../store/database.ts";
import { readHistory } from "../store/history.ts";
import type { Engine } from "./engine.ts";

/** Who is to do the work, as far as it is said for all tasks: the agent that the command line names, the choices of the plan and the line. */
type Asked = Pick<RunOptions, "agent" | "choices">;

type Source = Pick<Engine, "config" | "prices" | "store">;

/** Estimates of tasks. The history is read once, when the first is asked for: what is done meanwhile tells for the next time. */
export class Estimates {
  readonly #engine: Source;
  readonly #asked: Asked;
  #history: { played: PastTask[]; worked: PastTask[] } | null = null;
  readonly #known = new Map<string, TaskEstimate>();
  readonly #bySpec = new WeakMap<PlannedTask, TaskEstimate>();

  constructor(engine: Source, asked: Asked) {
    this.#engine = engine;
    this.#asked = asked;
  }

  /** The same for the same task each time. */
  of(spec: PlannedTask): TaskEstimate {
    const known = this.#bySpec.get(spec);
    if (known) return known;
    const task = this.#coming(spec);
    const key = JSON.stringify([task.agent, task.model, task.kind, task.estimatedTokens]);
    const estimate = this.#known.get(key) ?? estimateTask(task, this.#historyFor(task.agentKind), this.#engine.prices);
    this.#known.set(key, estimate);
    this.#bySpec.set(spec, estimate);
    return estimate;
  }

  /** How many earlier tasks the estimates of these tasks were told from. */
  pastTasks(specs: readonly PlannedTask[]): number {
    const histories = new Set(specs.map((spec) => this.#historyFor(this.#coming(spec).agentKind)));
    return [...histories].reduce((sum, history) => sum + history.length, 0);
  }

  /** The built-in agent only plays: its times say nothing about any other's, nor theirs about it. */
  #historyFor(agentKind: string): readonly PastTask[] {
    if (this.#history === null) {
      const { true: played = [], false: worked = [] } = Object.groupBy(readHistory(this.#engine.store), (past) =>
        String(this.#kindOf(past.agent) === "demo"),
      );
      this.#history = { played, worked };
    }
    return agentKind === "demo" ? this.#history.played : this.#history.worked;
  }

  #coming(spec: PlannedTask): ComingTask {
    const agent = this.#asked.agent ?? spec.agent ?? this.#engine.config.agent.default;
    const own = layChoices(spec.choices, stated({ model: spec.model }));
    const { plan, flags } = this.#asked.choices;
    const { model = null } = layChoices(configuredChoices(this.#engine.config.agent.named[agent]), plan, own, flags);
    return {
      agent,
      agentKind: this.#kindOf(agent),
      model,
      kind: taskKind(spec),
      estimatedTokens: spec.estimatedTokens,
    };
  }

  #kindOf(agent: string): string {
    return kindOf(agent, this.#engine.config.agent.named[agent] ?? {}) ?? "command";
  }
}

const RUNS = new MapPer<Store, string, Estimates>();

/** The estimates of a run's tasks, the same as long as this process carries it. */
export function estimatesOf(engine: Source, { id, options }: Run): Estimates {
  const runs = RUNS.of(engine.store);
  // Going on with a run may give it to another agent.
  const key = JSON.stringify([id, options.agent, options.choices]);
  const estimates = runs.get(key) ?? new Estimates(engine, options);
  runs.set(key, estimates);
  return estimates;
}
