/** The configuration: layers laid over each other, every problem found at once. Its keys: config-keys.ts. */
import * as v from "valibot";
import {
  AGENT_KEYS,
  type AgentSettings,
  type ConfigValues,
  FILE,
  KEYS,
  LAYOUT_KEYS,
  PANE_KEYS,
  WEBHOOK_KEYS,
} from "./config-keys.ts";
import { describeIssue, isTable, keyOf } from "./form.ts";
import { layoutProblems } from "./layout.ts";
import { nearest } from "./names.ts";
import { NAME_PARTS, strangePart } from "./worktree.ts";

/** Words of the seed tools for keys of ours. */
export const ALIASES: Record<string, string> = {
  "run.max_parallel_agents": "run.max_parallel",
  "run.max_instances": "run.max_parallel",
  "run.timeout_seconds": "run.timeout",
  "run.worktree_dir": "run.worktree_directory",
  "budget.run_tokens": "budget.tokens",
  "tmux.auto_start_ai": "tmux.auto_start_claude",
  "environment.additional_config_files": "environment.env_files",
};

export const DEFAULTS = {
  worktree: { auto_cleanup_days: 14, keep: "failed" as "none" | "failed" | "all" },
  tmux: {
    default_layout: "main-vertical",
    auto_start_claude: true,
    pane_count: 2,
    session_prefix: "owt",
    bring_back: "never" as "never" | "always",
    hung_after: "10m" as string | number,
  },
  environment: {
    auto_install_deps: true,
    copy_env_file: true,
    adjust_env_paths: true,
    env_files: [] as string[],
    submodules: true,
    ports: 10,
    dependencies: "auto" as "auto" | "install" | "copy" | "clone" | "hardlink",
    pass: [] as string[],
  },
  sync: { default_strategy: "merge" as "merge" | "rebase", auto_stash: true, prune_remote: true },
  cleanup: { protect_uncommitted: true, protect_unpushed: true },
  run: {
    max_parallel: 3,
    timeout: "30m" as string | number,
    hung_after: "10m" as string | number,
    grace: "10s" as string | number,
    result_grace: "30s" as string | number,
    log_head_mb: 16,
    log_tail_mb: 48,
    verify: [] as string | string[],
    verify_attempts: 3,
    flaky_reruns: 1,
    merge_group: 8,
    retries: 2,
    restart_pause: "30s" as string | number,
    fetch: false,
  },
  budget: { warn_at: 0.8 },
  notifications: { desktop: true },
  resources: { spare_memory: "256 MiB" as string | number },
  hooks: { post_create: [] as string | string[], pre_remove: [] as string | string[] },
  agent: { default: "claude", named: {} as Record<string, AgentSettings> },
} satisfies ConfigValues;

/** The configuration in force: defaults filled in, the rest optional as in the file. */
export type Config = ConfigValues & {
  worktree: NonNullable<ConfigValues["worktree"]> & typeof DEFAULTS.worktree;
  tmux: NonNullable<ConfigValues["tmux"]> & typeof DEFAULTS.tmux;
  environment: NonNullable<ConfigValues["environment"]> & typeof DEFAULTS.environment;
  sync: NonNullable<ConfigValues["sync"]> & typeof DEFAULTS.sync;
  cleanup: NonNullable<ConfigValues["cleanup"]> & typeof DEFAULTS.cleanup;
  run: NonNullable<ConfigValues["run"]> & typeof DEFAULTS.run;
  budget: NonNullable<ConfigValues["budget"]> & typeof DEFAULTS.budget;
  notifications: NonNullable<ConfigValues["notifications"]> & typeof DEFAULTS.notifications;
  resources: NonNullable<ConfigValues["resources"]> & typeof DEFAULTS.resources;
  hooks: NonNullable<ConfigValues["hooks"]> & typeof DEFAULTS.hooks;
  agent: typeof DEFAULTS.agent;
};

/** Where a layer came from; `repository` layers are not trusted with commands until a person approved them. */
export type Layer = {
  origin: "user" | "repository" | "environment" | "flag";
  name: string;
  values: ConfigValues;
  /** The profile of that file which these values are. */
  profile?: string;
  /** The file, its text and what was read of it, for whoever wants to know where a key stands. */
  source?: { file: string; text: string; raw: unknown };
  /** What stands in that file below a mistake of its grammar. */
  unread?: string;
};

export type ConfigProblem = { key: string; message: string; hint: string };

/** Checks one layer's raw values. All problems at once, unknown keys with the nearest known ones. `agentKinds` are those that there are;
 *  without them any is taken. */
export function checkConfig(raw: unknown, agentKinds?: readonly string[]): Checked {
  if (isTable(raw) && Object.keys(raw).length === 0) return { values: {} };
  const formed = checkForm(raw);
  // What the values say is looked at in what is left: all problems at once.
  const values = "values" in formed ? formed.values : withoutWrong(raw, checkForm);
  const wrong = [
    ...(agentKinds ? inEachProfile(values, (each) => findStrangers(each, agentKinds)) : []),
    ...inEachProfile(values, findTornLayouts),
    ...inEachProfile(values, findStrangeParts),
  ];
  const problems = [...("problems" in formed ? formed.problems : []), ...wrong];
  return problems.length > 0 ? { problems } : { values };
}

type Checked = { values: ConfigValues } | { problems: ConfigProblem[] };

/** Which keys there are, and what each takes. */
function checkForm(raw: unknown): Checked {
  const result = v.safeParse(FILE, applyAliases(raw));
  if (result.success) return { values: result.output };
  const problems = result.issues.map(toProblem);
  return { problems: problems.map((problem) => ({ ...problem, key: asWritten(raw, problem.key) })) };
}

/** What is left of raw values when all that `checkConfig` finds wrong is taken out, as little as can be. */
export function soundPart(raw: unknown, agentKinds?: readonly string[]): ConfigValues {
  return withoutWrong(raw, (rest) => checkConfig(rest, agentKinds));
}

function withoutWrong(raw: unknown, check: (rest: unknown) => Checked): ConfigValues {
  const rest = structuredClone(raw);
  for (;;) {
    const checked = check(rest);
    if ("values" in checked) return checked.values;
    const removed = checked.problems.filter(({ key }) => removeKey(rest, key.split(".")));
    if (removed.length === 0) return {};
  }
}

/** Takes the smallest table entry out that holds this key: of a list that is the list. */
function removeKey(raw: unknown, path: readonly string[]): boolean {
  const [first, ...below] = path;
  if (first === undefined || !isTable(raw) || !(first in raw)) return false;
  return removeKey(raw[first], below) || delete raw[first];
}

/** The names of the profiles that these layers bring. */
export function profileNames(layers: readonly Layer[]): string[] {
  return [...new Set(layers.flatMap(({ values }) => Object.keys(values.profile ?? {})))];
}

/** The layers with those of a profile laid over what the files say; variables and flags still win. */
export function withProfile(layers: readonly Layer[], name: string): Layer[] {
  const profiles = layers.flatMap((layer) => {
    const values = layer.values.profile?.[name];
    return values === undefined ? [] : [{ ...layer, name: `${layer.name} [profile.${name}]`, values, profile: name }];
  });
  const isFile = ({ origin }: Layer) => origin === "user" || origin === "repository";
  return [...layers.filter(isFile), ...profiles, ...layers.filter((layer) => !isFile(layer))];
}

/** Lays the layers over the defaults, later ones win; lists replace, sections merge. */
export function mergeConfig(layers: readonly Layer[]): Config {
  let merged: unknown = structuredClone(DEFAULTS);
  for (const layer of layers) merged = mergeValues(merged, layer.values);
  return merged as Config;
}

/** Reads `OWT_RUN_MAX_PARALLEL=5` and its like, and of these agents `OWT_AGENT_CLAUDE_MODEL=opus`. Unknown OWT_ variables are other people's
 *  business. */
export function configFromEnvironment(
  env: Record<string, string | undefined>,
  agents: readonly string[] = [],
): unknown {
  const values: Record<string, Record<string, unknown>> = {};
  // As a rule there is none, and an environment is slow to ask.
  if (!Object.keys(env).some((name) => name.startsWith("OWT_"))) return values;
  for (const name of agents) {
    for (const [key, type] of Object.entries<v.GenericSchema>(AGENT_KEYS)) {
      const text = env[variableOf(`agent.${name}.${key}`)];
      if (text === undefined) continue;
      const settings = ((values["agent"] ??= {})[name] ??= {}) as Record<string, unknown>;
      settings[key] = fromText(text, type);
    }
  }
  for (const [section, keys] of Object.entries(KEYS)) {
    for (const [key, type] of Object.entries<v.GenericSchema>(keys)) {
      const text = env[variableOf(`${section}.${key}`)];
      if (text !== undefined) (values[section] ??= {})[key] = fromText(text, type);
    }
  }
  return values;
}

/** The agents that these layers set up, in profiles too. */
export function namedAgents(layers: readonly Layer[]): string[] {
  const sections = layers.flatMap(({ values }) => [values, ...Object.values(values.profile ?? {})]);
  return [...new Set(sections.flatMap(({ agent }) => Object.keys(agent?.named ?? {})))];
}

/** The variable that sets a key: what is neither a letter nor a figure is `_`. */
export function variableOf(key: string): string {
  return `OWT_${key.replaceAll(/[^A-Za-z0-9]/g, "_")}`.toUpperCase();
}

/** What is wrong in the sections themselves, and in those of each profile. */
function inEachProfile(values: ConfigValues, find: (values: ConfigValues) => ConfigProblem[]): ConfigProblem[] {
  const inProfiles = Object.entries(values.profile ?? {}).flatMap(([name, own]) =>
    find(own).map((problem) => ({ ...problem, key: `profile.${name}.${problem.key}` })),
  );
  return [...find(values), ...inProfiles];
}

function findStrangers({ agent }: ConfigValues, kinds: readonly string[]): ConfigProblem[] {
  return Object.entries(agent?.named ?? {}).flatMap(([name, { kind }]) => {
    if (kind === undefined || kinds.includes(kind)) return [];
    const close = nearest(kind, kinds);
    const hint = close.length > 0 ? `did you mean ${close.join(", ")}?` : `known: ${kinds.join(", ")}`;
    return [{ key: `agent.${name}.kind`, message: `there is no kind of agent ${kind}`, hint }];
  });
}

function findStrangeParts({ worktree }: ConfigValues): ConfigProblem[] {
  const { naming_pattern: pattern = "", base_directory: base = "" } = worktree ?? {};
  const known = `known: ${NAME_PARTS.map((name) => `{${name}}`).join(", ")}`;
  const filled = "a path from the main checkout, in which only ~ at its beginning stands for something";
  return [
    ...strangeIn("worktree.naming_pattern", pattern, strangePart(pattern), known),
    ...strangeIn("worktree.base_directory", base, /\{[^{}]*\}|\$\w+/.exec(base)?.[0] ?? null, filled),
  ];
}

function strangeIn(key: string, value: string, part: string | null, hint: string): ConfigProblem[] {
  if (value.includes("\0")) return [{ key, message: "it holds a NUL, which no path can", hint }];
  return part === null ? [] : [{ key, message: `${part} stands for nothing`, hint }];
}

function findTornLayouts({ tmux }: ConfigValues): ConfigProblem[] {
  return layoutProblems(tmux?.layouts ?? {});
}

/** Whether a path from a folder leads out of it, or to the folder itself. */
export function leadsOut(path: string): boolean {
  let depth = 0;
  for (const part of path.split("/").filter((each) => each !== "" && each !== ".")) {
    depth += part === ".." ? -1 : 1;
    if (depth < 0) return true;
  }
  return path.startsWith("/") || depth === 0;
}

/** A single command or several, always as a list. */
export function commandList(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : typeof value === "string" ? (value.trim() ? [value] : []) : value;
}

/** A branch may be called 2024 and a check `true`: what reads as a number but may only be a text stays one. */
function fromText(text: string, type: v.GenericSchema): unknown {
  const value = valueOf(text);
  return !v.is(type, value) && v.is(type, text) ? text : value;
}

function valueOf(text: string): unknown {
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (text === "true" || text === "false") return text === "true";
  if (text.startsWith("[")) {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return text;
    }
  }
  return text;
}

function mergeValues(below: unknown, above: unknown): unknown {
  if (!isTable(below) || !isTable(above)) return above ?? below;
  const merged = { ...below };
  for (const [key, value] of Object.entries(above)) merged[key] = mergeValues(below[key], value);
  return merged;
}

/** What a file says in our own words. */
export function applyAliases(raw: unknown): unknown {
  if (!isTable(raw)) return raw;
  const renamed = structuredClone(raw);
  if (isTable(renamed["profile"])) {
    for (const [name, values] of Object.entries(renamed["profile"])) renamed["profile"][name] = applyAliases(values);
  }
  for (const [alias, name] of Object.entries(ALIASES)) {
    const [section, key] = alias.split(".") as [string, string];
    const table = renamed[section];
    if (!isTable(table) || !(key in table)) continue;
    table[name.split(".")[1]!] ??= key.endsWith("_seconds") ? inSeconds(table[key]) : table[key];
    delete table[key];
  }
  return renamed;
}

/** A number behind a word that names its unit. */
function inSeconds(value: unknown): unknown {
  return /^[\d.]+$/.test(String(value)) ? `${String(value)}s` : value;
}

/** The name of a key in the user's own words. */
export function asWritten(raw: unknown, key: string): string {
  const profiles = isTable(raw) && isTable(raw["profile"]) ? Object.entries(raw["profile"]) : [];
  for (const [name, values] of profiles) {
    const prefix = `profile.${name}.`;
    if (key.startsWith(prefix)) return prefix + asWritten(values, key.slice(prefix.length));
  }
  for (const [alias, name] of Object.entries(ALIASES)) {
    const [section, word] = alias.split(".") as [string, string];
    const [, ours] = name.split(".") as [string, string];
    const table = isTable(raw) ? raw[section] : undefined;
    const isMeant = key === name || key.startsWith(`${name}.`);
    if (isMeant && isTable(table) && word in table && !(ours in table)) return alias + key.slice(name.length);
  }
  return key;
}

function toProblem(issue: v.BaseIssue<unknown>): ConfigProblem {
  const path = keyOf(issue);
  const message = describeIssue(issue);
  if (issue.type !== "never") return { key: path.join("."), message, hint: "what each key takes: owt config schema" };
  const known = knownKeys(path.slice(0, -1));
  const close = nearest(path.at(-1)!, known);
  const hint = close.length > 0 ? `did you mean ${close.join(", ")}?` : `known here: ${known.join(", ")}`;
  return { key: path.join("."), message, hint };
}

/** The keys that may stand in a table; no path is the file itself. */
function knownKeys([section, name, ...below]: string[]): string[] {
  if (section === undefined) return [...Object.keys(KEYS), "profile"];
  if (section === "profile") {
    return name === undefined ? [] : below.length === 0 ? Object.keys(KEYS) : knownKeys(below);
  }
  if (section === "notifications" && name === "webhook") return Object.keys(WEBHOOK_KEYS);
  if (section === "tmux" && name === "layouts") return Object.keys(below.length > 1 ? PANE_KEYS : LAYOUT_KEYS);
  return Object.keys(
    section === "agent" && name !== undefined ? AGENT_KEYS : (KEYS[section as keyof typeof KEYS] ?? {}),
  );
}
