/** The configuration: one schema for every section, layers laid over each other, every problem found at once.
 *  The shape is the file's own (`[run] max_parallel`), so that a message can name the key as the user wrote it. */
import * as z from "zod";
import { parseDuration } from "../lib/duration.ts";
import { nearest } from "./names.ts";

const DURATION = 'expected a duration such as "30m", "8h" or a number of seconds';
const duration = z
  .union([z.string(), z.number()], DURATION)
  .refine((value) => parseDuration(value) !== null, { message: DURATION });
const commands = z.union([z.string(), z.array(z.string())], "expected a command or a list of commands");
const count = z.int().min(1);

const agentSettings = z.strictObject({
  kind: z.string().optional(),
  command: commands.optional(),
  model: z.string().optional(),
  max_tokens: z.int().min(1).optional(),
  permission_mode: z.string().optional(),
  allowed_tools: z.array(z.string()).optional(),
  extra_args: z.array(z.string()).optional(),
});

/** `[agent.NAME]`: how one agent is started. */
export type AgentSettings = z.infer<typeof agentSettings>;

const SECTIONS = {
  worktree: z.strictObject({
    base_directory: z.string().optional(),
    naming_pattern: z.string().optional(),
    auto_cleanup_days: z.number().min(0).optional(),
    keep: z.enum(["none", "failed", "all"]).optional(),
    reserve: z.int().min(0).optional(),
  }),
  tmux: z.looseObject({
    default_layout: z.string().optional(),
    auto_start_claude: z.boolean().optional(),
    pane_count: count.optional(),
    session_prefix: z.string().optional(),
  }),
  environment: z.strictObject({
    auto_install_deps: z.boolean().optional(),
    copy_env_file: z.boolean().optional(),
    adjust_env_paths: z.boolean().optional(),
    env_files: z.array(z.string()).optional(),
    install_command: commands.optional(),
    dependencies: z.enum(["auto", "install", "copy", "clone", "hardlink"]).optional(),
    ports: z.int().min(0).optional(),
    pass: z.array(z.string()).optional(),
  }),
  sync: z.strictObject({
    default_strategy: z.enum(["merge", "rebase"]).optional(),
    auto_stash: z.boolean().optional(),
    prune_remote: z.boolean().optional(),
  }),
  cleanup: z.strictObject({ protect_uncommitted: z.boolean().optional(), protect_unpushed: z.boolean().optional() }),
  run: z.strictObject({
    plan: z.string().optional(),
    target: z.string().optional(),
    max_parallel: count.optional(),
    timeout: duration.optional(),
    grace: duration.optional(),
    result_grace: duration.optional(),
    log_head_mb: count.optional(),
    log_tail_mb: count.optional(),
    verify: commands.optional(),
    verify_attempts: z.int().min(0).optional(),
    retries: z.int().min(0).optional(),
    fetch: z.boolean().optional(),
    integrate: z.enum(["branch", "pull-request", "none"]).optional(),
    worktree_directory: z.string().optional(),
  }),
  budget: z.strictObject({
    run_usd: z.number().positive().optional(),
    task_usd: z.number().positive().optional(),
    day_usd: z.number().positive().optional(),
    tokens: count.optional(),
    warn_at: z.number().min(0).max(1).optional(),
  }),
  agent: z.object({ default: z.string().optional() }),
  sandbox: z.looseObject({}),
  web: z.looseObject({}),
  notifications: z.looseObject({}),
  prompts: z.strictObject({ override_dir: z.string().optional() }),
  forge: z.looseObject({}),
  tracker: z.looseObject({}),
  review: z.looseObject({}),
  build_pool: z.looseObject({}),
  hooks: z.looseObject({}),
  profile: z.looseObject({}),
  project: z.looseObject({}),
} as const;

/** `[agent]` holds one key of its own beside the tables `[agent.NAME]`. */
const agentSection = z
  .object({ default: z.string().optional() })
  .catchall(agentSettings)
  .transform(({ default: chosen, ...named }) => ({
    ...(chosen === undefined ? {} : { default: chosen }),
    named: named as Record<string, AgentSettings>,
  }));

const FILE = z.strictObject({
  ...(Object.fromEntries(Object.entries(SECTIONS).map(([name, section]) => [name, section.optional()])) as {
    [K in Exclude<keyof typeof SECTIONS, "agent">]: z.ZodOptional<(typeof SECTIONS)[K]>;
  }),
  agent: agentSection.optional(),
});

/** One file's or one flag set's contribution. */
export type ConfigValues = z.infer<typeof FILE>;

/** Words of the seed tools for keys of ours. */
const ALIASES: Record<string, string> = {
  "run.max_parallel_agents": "run.max_parallel",
  "run.max_instances": "run.max_parallel",
  "run.timeout_seconds": "run.timeout",
  "run.worktree_dir": "run.worktree_directory",
  "tmux.auto_start_ai": "tmux.auto_start_claude",
  "environment.additional_config_files": "environment.env_files",
};

const DEFAULTS = {
  worktree: { keep: "failed" as "none" | "failed" | "all" },
  environment: {
    auto_install_deps: true,
    copy_env_file: true,
    adjust_env_paths: true,
    env_files: [] as string[],
    pass: [] as string[],
  },
  run: {
    max_parallel: 3,
    timeout: "30m" as string | number,
    grace: "10s" as string | number,
    result_grace: "30s" as string | number,
    log_head_mb: 16,
    log_tail_mb: 48,
    verify: [] as string | string[],
    verify_attempts: 3,
    retries: 2,
    fetch: false,
  },
  budget: { warn_at: 0.8 },
  agent: { default: "claude", named: {} as Record<string, AgentSettings> },
} satisfies ConfigValues;

/** The configuration in force: defaults filled in, the rest optional as in the file. */
export type Config = ConfigValues & {
  worktree: NonNullable<ConfigValues["worktree"]> & typeof DEFAULTS.worktree;
  environment: NonNullable<ConfigValues["environment"]> & typeof DEFAULTS.environment;
  run: NonNullable<ConfigValues["run"]> & typeof DEFAULTS.run;
  budget: NonNullable<ConfigValues["budget"]> & typeof DEFAULTS.budget;
  agent: typeof DEFAULTS.agent;
};

/** Where a layer came from; `repository` layers are not trusted with commands until a person approved them. */
export type Layer = { origin: "user" | "repository" | "environment" | "flag"; name: string; values: ConfigValues };

export type ConfigProblem = { key: string; message: string; hint: string };

/** Compiling a schema takes longer than it saves on the few files of one command. */
const PARSED_ONCE = { jitless: true };

/** Checks one layer's raw values. All problems at once, unknown keys with the nearest known ones. `agentKinds` are those that there are;
 *  without them any is taken. */
export function checkConfig(
  raw: unknown,
  agentKinds?: readonly string[],
): { values: ConfigValues } | { problems: ConfigProblem[] } {
  const result = FILE.safeParse(applyAliases(raw), PARSED_ONCE);
  if (result.success) {
    const strangers = agentKinds ? findStrangers(result.data, agentKinds) : [];
    return strangers.length > 0 ? { problems: strangers } : { values: result.data };
  }
  const problems = result.error.issues.flatMap((issue) => toProblems(issue));
  return { problems: problems.map((problem) => ({ ...problem, key: asWritten(raw, problem.key) })) };
}

/** Lays the layers over the defaults, later ones win; lists replace, sections merge. */
export function mergeConfig(layers: readonly Layer[]): Config {
  let merged: unknown = structuredClone(DEFAULTS);
  for (const layer of layers) merged = mergeValues(merged, layer.values);
  return merged as Config;
}

/** Reads `OWT_RUN_MAX_PARALLEL=5` and its like. Unknown OWT_ variables are other people's business. */
export function configFromEnvironment(env: Record<string, string | undefined>): unknown {
  const values: Record<string, Record<string, unknown>> = {};
  for (const [section, schema] of Object.entries(SECTIONS)) {
    for (const [key, type] of Object.entries<z.ZodType>(schema.shape)) {
      const text = env[`OWT_${section}_${key}`.toUpperCase()];
      if (text !== undefined) (values[section] ??= {})[key] = fromText(text, type);
    }
  }
  return values;
}

function findStrangers({ agent }: ConfigValues, kinds: readonly string[]): ConfigProblem[] {
  return Object.entries(agent?.named ?? {}).flatMap(([name, { kind }]) => {
    if (kind === undefined || kinds.includes(kind)) return [];
    const close = nearest(kind, kinds);
    const hint = close.length > 0 ? `did you mean ${close.join(", ")}?` : `known: ${kinds.join(", ")}`;
    return [{ key: `agent.${name}.kind`, message: `there is no kind of agent ${kind}`, hint }];
  });
}

/** A single command or several, always as a list. */
export function commandList(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : typeof value === "string" ? (value.trim() ? [value] : []) : value;
}

/** A branch may be called 2024 and a check `true`: what reads as a number but may only be a text stays one. */
function fromText(text: string, type: z.ZodType): unknown {
  const value = valueOf(text);
  return !type.safeParse(value).success && type.safeParse(text).success ? text : value;
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

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function mergeValues(below: unknown, above: unknown): unknown {
  if (!isTable(below) || !isTable(above)) return above ?? below;
  const merged = { ...below };
  for (const [key, value] of Object.entries(above)) merged[key] = mergeValues(below[key], value);
  return merged;
}

function applyAliases(raw: unknown): unknown {
  if (!isTable(raw)) return raw;
  const renamed = structuredClone(raw);
  for (const [alias, name] of Object.entries(ALIASES)) {
    const [section, key] = alias.split(".") as [string, string];
    const table = renamed[section];
    if (!isTable(table) || !(key in table)) continue;
    table[name.split(".")[1]!] ??= table[key];
    delete table[key];
  }
  return renamed;
}

/** The name of a key in the user's own words. */
function asWritten(raw: unknown, key: string): string {
  for (const [alias, name] of Object.entries(ALIASES)) {
    const [section, word] = alias.split(".") as [string, string];
    const [, ours] = name.split(".") as [string, string];
    const table = isTable(raw) ? raw[section] : undefined;
    const isMeant = key === name || key.startsWith(`${name}.`);
    if (isMeant && isTable(table) && word in table && !(ours in table)) return alias + key.slice(name.length);
  }
  return key;
}

function toProblems(issue: z.core.$ZodIssue): ConfigProblem[] {
  const path = issue.path.map(String);
  if (issue.code !== "unrecognized_keys") {
    return [{ key: path.join("."), message: issue.message, hint: "see the table of keys in docs/guide.md" }];
  }
  const known = knownKeys(path);
  return issue.keys.map((key) => {
    const close = nearest(key, known);
    return {
      key: [...path, key].join("."),
      message: "unknown key",
      hint: close.length > 0 ? `did you mean ${close.join(", ")}?` : `known here: ${known.join(", ")}`,
    };
  });
}

/** The keys that may stand in a table; no path is the file itself. */
function knownKeys([section, table]: string[]): string[] {
  if (section === undefined) return Object.keys(SECTIONS);
  const schema =
    section === "agent" && table !== undefined ? agentSettings : SECTIONS[section as keyof typeof SECTIONS];
  return Object.keys(schema?.shape ?? {});
}
