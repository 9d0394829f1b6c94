/** The options that say what is to be done; `plan` and `run` share them. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "commander";
import { permissionModes } from "../agents/registry.ts";
import { type AgentChoices, stated } from "../core/choices.ts";
import { OwtError } from "../core/errors.ts";
import { nearestHint } from "../core/names.ts";
import { isFeatureList } from "../core/plan-features.ts";
import { parseSaidDuration } from "../lib/duration.ts";
import { nearestPlans } from "../engine/near-paths.ts";
import type { WorkRequest } from "../engine/asked-plan.ts";
import { shellWord } from "../lib/printable.ts";
import type { Io } from "./io.ts";

export type WorkOptions = {
  config?: string;
  module?: string;
  count?: number;
  withUpstreams?: boolean;
  again?: boolean;
  fromTarget?: boolean;
  agent?: string;
  model?: string;
  permissionMode?: string;
  allowedTools?: string[];
  maxTokens?: number;
  agentArgs?: string[];
  parallel?: number;
  sequential?: boolean;
  rivals?: number;
  agents?: string[];
  json?: boolean;
};

export function addWorkOptions(command: Command): Command {
  return command
    .option("--config <file>", "a feature list or a configuration file; told apart by content")
    .option("--module <name>", "only the tasks of this module")
    .addOption(new Option("--count <n>", "at most so many tasks, first ready ones first").argParser(positiveInteger))
    .option("--with-upstreams", "also what the named tasks depend on")
    .option("--again", "repeat what is done already")
    .option("--from-target", "start from the target alone, without earlier work that has not landed")
    .option("--agent <name>", "claude, codex, demo, or one from the configuration")
    .option("--model <name>", "the model the agent is to use")
    .option("--permission-mode <mode>", "the permission mode, in the agent's own word")
    .option("--allowed-tools <rules...>", "what the agent may use without asking, in place of what is configured")
    .addOption(new Option("--max-tokens <n>", "the most tokens of one answer").argParser(positiveInteger))
    .option("--agent-args <words...>", "further arguments of the agent's program")
    .addOption(new Option("--parallel <n>", "agents at a time").argParser(positiveInteger))
    .option("--sequential", "one agent at a time")
    .addOption(
      new Option("--rivals <n>", "have so many agents do each task, and keep the better work").argParser(
        positiveInteger,
      ),
    )
    .addOption(
      new Option("--agents <names>", "the rivals, separated by commas: agents, or agent:model").argParser(commaList),
    )
    .option("--json", "print the answer as JSON");
}

/** Tells plans, tasks and texts apart: an existing path is a plan, a text with a space is a task in words, the rest are ids. */
export function toRequest(
  io: Io,
  words: string[],
  options: WorkOptions,
): { request: WorkRequest; configFile?: string } {
  const plans: string[] = [];
  const tasks: string[] = [];
  const texts: string[] = [];
  for (const word of words) {
    // As a path it would be the folder one is in.
    if (word.trim() === "")
      throw new OwtError("usage", "an empty word names nothing to run", { hint: "what there is: owt plan" });
    if (existsSync(resolve(io.cwd, word))) plans.push(resolve(io.cwd, word));
    else if (/\s/.test(word.trim())) texts.push(word);
    else tasks.push(word);
  }
  const config = options.config === undefined ? {} : readConfigOption(io, options.config, plans);
  if (plans.length > 1)
    throw new OwtError("usage", `one plan at a time, not ${plans.length}`, { hint: "run them one after the other" });
  const request = {
    from: io.cwd,
    plan: plans[0] ?? null,
    tasks,
    texts,
    module: options.module ?? null,
    count: options.count ?? null,
    withUpstreams: options.withUpstreams ?? false,
    again: options.again ?? false,
    agent: options.agent ?? null,
    choices: chosenOnTheLine(options),
    rivals: { count: options.rivals ?? null, names: options.agents ?? null },
  };
  return { request, ...config };
}

function readConfigOption(io: Io, name: string, plans: string[]): { configFile?: string } {
  const path = resolve(io.cwd, name);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new OwtError("usage", `--config ${name} cannot be read`, {
      hint: existsSync(path)
        ? `a plan's folder is named without --config: owt plan ${shellWord(name)}`
        : nearPlanHint(io, name),
      cause,
    });
  }
  if (isFeatureList(text) || path.endsWith(".json")) {
    plans.push(path);
    return {};
  }
  return { configFile: path };
}

function nearPlanHint(io: Io, name: string): string {
  const near = nearestPlans(io.cwd, name).slice(0, 3);
  return near.length > 0
    ? `did you mean ${near.join(" or ")}? or go by what is here: owt plan`
    : "name a feature list or a configuration file; or go by what is here: owt plan";
}

/** How the command line wants agents to be run. */
export function chosenOnTheLine(options: WorkOptions): AgentChoices {
  const { model, permissionMode, allowedTools, maxTokens, agentArgs } = options;
  const modes = permissionModes() ?? [];
  if (permissionMode !== undefined && !modes.includes(permissionMode)) {
    throw new OwtError("usage", `there is no permission mode ${permissionMode}`, {
      hint: nearestHint(permissionMode, modes, `there are ${modes.join(", ")}; see: owt run --help`),
    });
  }
  return stated({ model, permissionMode, allowedTools, maxTokens, extraArgs: agentArgs });
}

/** Agents at a time as the command line wants it. */
export function wantedParallel(options: WorkOptions): number | undefined {
  if (options.sequential && options.parallel !== undefined && options.parallel !== 1) {
    throw new OwtError("usage", "--sequential and --parallel contradict each other", { hint: "leave one of them out" });
  }
  return options.sequential ? 1 : options.parallel;
}

/** Dollars, with or without their sign. */
export function positiveUsd(text: string): number {
  const figures = text.replace(/^\$/, "");
  const value = Number(figures);
  if (!/^[\d.]+$/.test(figures) || !Number.isFinite(value) || value <= 0)
    throw new InvalidArgumentError("expected dollars, such as 5 or 2.50");
  return value;
}

function commaList(text: string): string[] {
  return text
    .split(",")
    .map((each) => each.trim())
    .filter(Boolean);
}

/** `--max-duration 8h`, in milliseconds. */
export function maxDurationOption(): Option {
  return new Option(
    "--max-duration <time>",
    "how long it may start work, such as 8h; what runs then comes home",
  ).argParser((text) => {
    const ms = parseSaidDuration(text);
    if (ms === null || ms <= 0) throw new InvalidArgumentError("expected a time, such as 8h, 90m or 1h30m");
    return ms;
  });
}

export function positiveInteger(text: string): number {
  const value = wholeAboveZero(text);
  if (value === null) throw new InvalidArgumentError("expected a whole number above 0");
  return value;
}

/** Plain figures only; null for everything else. */
export function wholeAboveZero(text: string): number | null {
  const value = Number(text);
  return /^\d+$/.test(text) && Number.isInteger(value) && value >= 1 ? value : null;
}
