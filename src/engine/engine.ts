/** What every use case works with: the repository, its store, the configuration, the agents, the clock. */
import { randomInt } from "node:crypto";
import { basename, dirname, join, resolve } from "node:path";
import type { Agent, Setup } from "../agents/agent.ts";
import { AGENT_KINDS, kindOf, makeAgent, READY_AGENTS } from "../agents/registry.ts";
import { commandList, type Config, type Layer } from "../core/config.ts";
import type { ConfigValues } from "../core/config-keys.ts";
import { OwtError } from "../core/errors.ts";
import { nearest, nearestHint, slug } from "../core/names.ts";
import type { PlannedTask } from "../core/plan.ts";
import type { Prompts } from "../core/prompt.ts";
import type { Attempt, StopCause } from "../core/attempt.ts";
import type { Prices } from "../core/prices.ts";
import { readIdentity } from "../git/commit.ts";
import type { Identity } from "../git/git.ts";
import { limitPatience } from "../git/patience.ts";
import { openRepo, type Repo } from "../git/repo.ts";
import { parseDuration } from "../lib/duration.ts";
import { MapPer } from "../lib/map-per.ts";
import { openStore, type Store } from "../store/database.ts";
import { raiseTakenIds, readTakenIds } from "../store/ids.ts";
import { settleChanges } from "../system/change-files.ts";
import { agentEnvironment } from "../system/environment.ts";
import { loadConfig } from "../system/config-files.ts";
import { closeForkServer } from "../system/fork-server.ts";
import { type LaunchMode, probeLaunchMode, readLaunch } from "../system/launch.ts";
import { findTakenIds } from "./taken-ids.ts";

export type Engine = {
  repo: Repo;
  store: Store;
  config: Config;
  layers: Layer[];
  /** What is wrong with the configuration and was left out of it; see `OpenOptions.tolerant`. */
  configProblems: string[];
  /** What models cost, for agents that do not say. */
  prices: Prices;
  /** How owt calls itself, as an argument array. */
  owtCommand: string[];
  env: NodeJS.ProcessEnv;
  /** How agents are launched here; found out by trying, once. */
  launchMode(): Promise<LaunchMode>;
  /** Aborted by the first Ctrl-C. */
  leave: AbortSignal;
  /** Aborted when there is no time left for a grace: a second Ctrl-C. */
  hurry: AbortSignal;
  now(): number;
  /** A number in [0, 1), for spreading retries. */
  chance(): number;
  /** Ends what an attempt waits for right now; set while its agent or a check of it runs. */
  live: Map<number, (cause: StopCause) => void>;
  /** Who the commits of owt are by: the user as git knows them, else a named default. Asked once. */
  identity(): Promise<Identity>;
  /** Attempts whose worktree was seen to hold nothing beside their commit, and when (`performance.now()`). */
  seenClean: Map<number, { head: string; at: number }>;
  /** Rings the terminal that looks on; null where none does. */
  bell: (() => void) | null;
  /** What is left to do of removals: worktrees are gone when they are gone for git, their files are deleted a moment later. */
  emptying: Set<Promise<void>>;
  /** Merges that were made to be checked, and that came in nowhere (yet). */
  redMerges: Set<string>;
  /** The prompt templates in force, once they were read and checked. */
  prompts: Prompts | null;
  /** One integration at a time in each run. */
  queues: Map<string, Promise<unknown>>;
};

export type OpenOptions = {
  cwd: string;
  env: NodeJS.ProcessEnv;
  owtCommand: string[];
  flags?: ConfigValues;
  configFile?: string;
  leave?: AbortSignal;
  hurry?: AbortSignal;
  /** The command only looks: no store is made where there is none. */
  looks?: boolean;
  /** What it writes beside that is worth nothing to anybody: where the store may not be written, a copy does. */
  reads?: boolean;
  /** The command starts no work: it goes by what is sound of a configuration in which something is wrong. */
  tolerant?: boolean;
};

/** Opens the repository at `cwd` with its store and configuration. */
export async function openEngine(options: OpenOptions): Promise<Engine> {
  const repo = await openRepo(options.cwd);
  settlePlan(repo);
  const { config, layers, prices, problems } = loadConfig(repo.here, {
    env: options.env,
    agentKinds: AGENT_KINDS,
    tolerant: options.tolerant ?? false,
    ...(options.flags ? { flags: options.flags } : {}),
    ...(options.configFile ? { file: resolve(options.cwd, options.configFile) } : {}),
  });
  const engine: Engine = {
    repo,
    store: openStore(repo.commonDir, { looks: options.looks ?? false, reads: options.reads ?? false }),
    config,
    layers,
    configProblems: problems,
    prices,
    owtCommand: options.owtCommand,
    // Reading a variable of Node's own `process.env` is a call of the system's, and each turn reads all of them.
    env: { ...options.env },
    launchMode: once(() => probeLaunchMode(options.env["OWT_LAUNCH_MODE"])),
    leave: options.leave ?? new AbortController().signal,
    hurry: options.hurry ?? new AbortController().signal,
    now: Date.now,
    chance: () => randomInt(2 ** 32) / 2 ** 32,
    identity: once(() => readIdentity(repo)),
    live: new Map(),
    seenClean: new Map(),
    bell: null,
    emptying: new Set(),
    redMerges: new Set(),
    prompts: null,
    queues: new Map(),
  };
  limitPatience(repo.patience, parseDuration(config.run.timeout));
  repo.patience.leave = engine.leave;
  if (readTakenIds(engine.store) === null) raiseTakenIds(engine.store, await findTakenIds(repo, worktreeHome(engine)));
  return engine;
}

/** Half a change of a plan is nobody's plan. Where it cannot be put back now, whoever comes next tries. */
function settlePlan(repo: Repo): void {
  try {
    settleChanges(planJournals(repo));
  } catch {
    // A file that may not be written is said by whoever writes it.
  }
}

/** Where a change of several files of a plan is written down until it is whole. */
export function planJournals({ commonDir }: Pick<Repo, "commonDir">): string {
  return join(commonDir, "owt", "plan-changes");
}

/** Has the answers that a run needs looked for, and git's long-lived processes started, while something else is done. To be awaited before the run is begun. */
export function expectRun(engine: Engine): Promise<unknown> {
  engine.repo.live.expect();
  const answers = Promise.all([engine.launchMode(), engine.identity()]);
  // Should something else be refused before they are awaited, their failure is nobody's news.
  answers.catch(() => {});
  return answers;
}

/** A command that only looks needs few of the answers, and each costs a process. What failed is asked again: the disk may have been full. */
function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | null = null;
  return () => {
    asked ??= ask().catch((error: unknown) => {
      asked = null;
      throw error;
    });
    return asked;
  };
}

/** Ends the live git processes and closes the store. */
export async function closeEngine(engine: Engine): Promise<void> {
  await engine.repo.close();
  await closeForkServer();
  engine.store.close();
}

/** The folder of an attempt: prompt, output, claim and exit. */
export function attemptDir(engine: Pick<Engine, "repo">, attempt: number): string {
  return join(engine.repo.commonDir, "owt", "attempts", String(attempt));
}

/** Whether the agent of an attempt was killed, and nobody has taken that in yet. */
export function isLost(engine: Engine, attempt: Attempt): boolean {
  return attempt.phase === "agent" && readLaunch(attemptDir(engine, attempt.id)).kind === "lost";
}

/** Where the worktrees of runs stand: beside the repository unless configured. */
export function worktreeHome(engine: Pick<Engine, "repo" | "config" | "env">): string {
  const { root } = engine.repo;
  const configured = engine.config.run.worktree_directory;
  return configured
    ? resolve(root, configured.replace(/^~(?=\/)/, engine.env["HOME"] ?? "~"))
    : join(dirname(root), `${basename(root)}-owt`);
}

/** The branch of a task's attempt. A plan's own name is used as it is; ours are unique. */
export function taskBranch(spec: PlannedTask, attempt: number, key: string = spec.id): string {
  return spec.branch ?? `owt/tasks/${slug(key)}/${attempt}`;
}

/** The integration worktree of a run. */
export function integrationWorktree(engine: Engine, run: string): string {
  return join(worktreeHome(engine), run);
}

/** Where a person brings a run's branch and its target together, which went on and conflicts with it. */
export function landingWorktree(engine: Engine, run: string): string {
  return join(worktreeHome(engine), `${run}-land`);
}

/** As much of an engine as agents are made of. */
export type AgentSource = Pick<Engine, "config" | "owtCommand" | "env"> & { repo: Pick<Repo, "commonDir"> };

/** The agent of that name, as configured. Throws `unknown-name` with the nearest names. */
export function findAgent(engine: AgentSource, name: string): Agent {
  const made = agents.of(engine);
  const agent = made.get(name) ?? makeNamed(engine, name);
  made.set(name, agent);
  return agent;
}

/** Each is asked for several times a turn, and the configuration stays as it is. */
const agents = new MapPer<AgentSource, string, Agent>();

function makeNamed(engine: AgentSource, name: string): Agent {
  const settings = engine.config.agent.named[name] ?? {};
  const kind = kindOf(name, settings);
  const agent = kind === null ? null : makeAgent(kind, setupFor(engine, name));
  if (agent) return agent;
  const known = knownAgents(engine.config);
  if (Object.hasOwn(engine.config.agent.named, name))
    throw new OwtError("unknown-name", `[agent.${name}] is no agent: it has neither a kind nor a command`, {
      hint: nearestHint(name, known, "what is wrong: owt config validate"),
    });
  throw new OwtError("unknown-name", `there is no agent named ${name}`, {
    hint: nearestHint(
      name,
      known,
      `known: ${known.join(", ")} (owt doctor); others are set up in .worktreerc: [agent.${name}] command = ["…"]`,
    ),
  });
}

function setupFor(engine: AgentSource, name: string): Setup {
  const command = commandList(engine.config.agent.named[name]?.command);
  const stateDir = join(engine.repo.commonDir, "owt");
  const env = { ...engine.env, ...engine.config.agent.named[name]?.env };
  return { name, command, env, owtCommand: engine.owtCommand, stateDir };
}

/** The environment that an agent works in, but for what the task adds: the allow-list, and what `[agent.NAME] env` says. */
export function environmentOf(
  engine: AgentSource,
  { name, about }: Pick<Agent, "name" | "about">,
): Record<string, string> {
  const { agent, environment } = engine.config;
  return { ...agentEnvironment(engine.env, environment.pass, about.variables), ...agent.named[name]?.env };
}

/** Whether there is (still) an agent of that name: what a task was begun with may have been renamed or removed since. */
export function isAgent(engine: AgentSource, name: string): boolean {
  return kindOf(name, engine.config.agent.named[name] ?? {}) !== null;
}

/** Throws `unknown-name` where an agent is to fall over to one that there is not: that would show only at a usage limit, in the night. */
export function checkFallOvers(engine: AgentSource): void {
  const [stray] = strayFallOvers(engine);
  if (stray === undefined) return;
  const near = nearest(stray.to, knownAgents(engine.config));
  throw new OwtError("unknown-name", `[agent.${stray.agent}] fall_over: there is no agent named ${stray.to}`, {
    hint: `${near.length > 0 ? `did you mean ${near.join(" or ")}? ` : ""}where it is set: owt config validate`,
  });
}

/** Each `fall_over` that names no agent. */
export function strayFallOvers(engine: AgentSource): { agent: string; to: string }[] {
  return Object.entries(engine.config.agent.named).flatMap(([agent, { fall_over: to }]) =>
    to === undefined || isAgent(engine, to) ? [] : [{ agent, to }],
  );
}

/** Names that `--agent` accepts. A section that says of no program is no agent: `owt config validate` names it. */
export function knownAgents({ agent }: Pick<Config, "agent">): string[] {
  const setUp = Object.entries(agent.named).filter(([name, settings]) => kindOf(name, settings) !== null);
  return [...new Set([...READY_AGENTS, ...setUp.map(([name]) => name)])];
}
