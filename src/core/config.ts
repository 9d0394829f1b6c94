/** The configuration: one schema for every section, layers laid over each other, every problem found at once.
 *  The shape is the file's own (`[run] max_parallel`), so that a message can name the key as the user wrote it. */
import * as v from "valibot";
import { parseDuration } from "../lib/duration.ts";
import { parseSize } from "../lib/size.ts";
import { describeIssue, isTable, keyOf, openTable, table, tableOf } from "./form.ts";
import { BUILT_IN_LAYOUTS, layoutProblems } from "./layout.ts";
import { MOMENTS } from "./moments.ts";
import { nearest } from "./names.ts";
import { SESSION_PREFIX } from "./session-name.ts";
import { plainPath } from "./touches.ts";
import { NAME_PARTS, strangePart } from "./worktree.ts";

const text = v.string();
const flag = v.boolean();
const command = v.pipe(text, v.regex(/\S/, "expected a command"));
const texts = v.array(text);
const whole = v.pipe(v.number(), v.integer());
const count = v.pipe(whole, v.minValue(1));
const countOrNone = v.pipe(whole, v.minValue(0));
const dollars = v.pipe(v.number(), v.gtValue(0));
const DURATION = 'expected a duration such as "30m", "8h" or a number of seconds';
const duration = v.pipe(
  v.union([v.string(), v.number()], DURATION),
  v.check((value) => parseDuration(value) !== null, DURATION),
);
/** None at all would let nothing begin. */
const someTime = v.pipe(
  duration,
  v.check((value) => parseDuration(value) !== 0, "expected more than no time; without the setting there is no limit"),
);
const SIZE = 'expected a size such as "512MB", "2 GiB" or a number of bytes';
const size = v.pipe(
  v.union([v.string(), v.number()], SIZE),
  v.check((value) => parseSize(value) !== null, SIZE),
);
/** A path or pattern from the top of the repository, as `touches` has them. */
const place = v.pipe(
  text,
  v.check((value) => plainPath(value) !== "", "expected a path or pattern; for all files: **"),
  v.check((value) => !value.split("/").includes(".."), "expected a path inside the repository, from its top"),
);
/** A command that a conflict is settled by: one that begins with a dash is a word of the one before. */
const file = v.pipe(
  text,
  v.check(
    (value) => !/^[~/]/.test(value) && !value.split("/").includes(".."),
    "expected a file inside the repository, from its top",
  ),
);
const wholeCommand = v.pipe(
  command,
  v.check((value) => !value.trim().startsWith("-"), 'expected whole commands: ["npm install --ignore-scripts"]'),
);
const commands = v.union([text, texts], "expected a command or a list of commands");

/** The keys of `[agent.NAME]`. */
export const AGENT_KEYS = {
  kind: v.optional(text),
  command: v.optional(commands),
  model: v.optional(text),
  max_tokens: v.optional(count),
  permission_mode: v.optional(text),
  allowed_tools: v.optional(texts),
  extra_args: v.optional(texts),
  fall_over: v.optional(text),
  env: v.optional(
    v.record(
      v.pipe(
        text,
        v.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "expected the name of a variable"),
        v.check(
          (name) => !/(KEY|TOKEN|SECRET|PASSWORD)S?$/i.test(name),
          "a secret has no place in a file: export it, and name it in [environment] pass",
        ),
      ),
      v.string("expected a text"),
    ),
  ),
  max_memory: v.optional(size),
  max_cpus: v.optional(v.pipe(v.number(), v.gtValue(0))),
  hung_after: v.optional(duration),
};
const agentSettings = table(AGENT_KEYS);

/** `[agent.NAME]`: how one agent is started. */
export type AgentSettings = v.InferOutput<typeof agentSettings>;

/** The keys of a pane in `[tmux.layouts.NAME] panes`. */
const PANE_KEYS = {
  split: v.optional(v.picklist(["right", "below"])),
  of: v.optional(count),
  size: v.optional(v.pipe(text, v.regex(/^[1-9]\d?%$/, 'expected a share such as "40%"'))),
  command: v.optional(v.pipe(v.array(text, "expected a list of words, as for no shell"), v.minLength(1))),
};

/** The keys of `[tmux.layouts.NAME]`. */
const LAYOUT_KEYS = {
  layout: v.optional(v.picklist(BUILT_IN_LAYOUTS)),
  panes: v.pipe(v.array(table(PANE_KEYS)), v.minLength(1)),
};

/** An address is a secret: a message of what is wrong with it does not hold it. */
const ADDRESS = "expected https://…, env:NAME (a variable that holds the address) or file:PATH (a file that does)";
const isAddress = (value: string) => /^(https?:\/\/[^\s]+|env:[A-Za-z_]\w*|file:.+)$/.test(value);
const address = v.pipe(v.string(ADDRESS), v.check(isAddress, ADDRESS));
/** An empty text is none, as a seed's own example has it. */
const addressOrNone = v.pipe(
  v.string(ADDRESS),
  v.check((value) => value === "" || isAddress(value), ADDRESS),
);

/** The keys of `[[notifications.webhook]]`. */
const WEBHOOK_KEYS = { url: address, events: v.optional(v.array(v.picklist(MOMENTS))) };

/** The keys that each section knows. What they are for, and which of them nothing uses yet, `config-about.ts` says. */
export const KEYS = {
  worktree: {
    base_directory: v.optional(text),
    naming_pattern: v.optional(text),
    auto_cleanup_days: v.optional(v.pipe(v.number(), v.minValue(0))),
    keep: v.optional(v.picklist(["none", "failed", "all"])),
    reserve: v.optional(countOrNone),
  },
  tmux: {
    default_layout: v.optional(text),
    auto_start_claude: v.optional(flag),
    pane_count: v.optional(count),
    session_prefix: v.optional(
      v.pipe(text, v.regex(SESSION_PREFIX, "expected letters, digits, - and _, beginning with a letter or digit")),
    ),
    bring_back: v.optional(v.picklist(["never", "always"])),
    hung_after: v.optional(duration),
    layouts: v.optional(tableOf(table(LAYOUT_KEYS))),
  },
  environment: {
    auto_install_deps: v.optional(flag),
    copy_env_file: v.optional(flag),
    adjust_env_paths: v.optional(flag),
    env_files: v.optional(v.array(file)),
    submodules: v.optional(flag),
    install_command: v.optional(commands),
    dependencies: v.optional(v.picklist(["auto", "install", "copy", "clone", "hardlink"])),
    ports: v.optional(v.pipe(countOrNone, v.maxValue(1_000))),
    pass: v.optional(texts),
  },
  sync: {
    default_strategy: v.optional(v.picklist(["merge", "rebase"])),
    auto_stash: v.optional(flag),
    prune_remote: v.optional(flag),
  },
  cleanup: { protect_uncommitted: v.optional(flag), protect_unpushed: v.optional(flag) },
  run: {
    plan: v.optional(text),
    target: v.optional(text),
    max_parallel: v.optional(count),
    timeout: v.optional(duration),
    hung_after: v.optional(duration),
    grace: v.optional(duration),
    result_grace: v.optional(duration),
    log_head_mb: v.optional(count),
    log_tail_mb: v.optional(count),
    verify: v.optional(commands),
    verify_attempts: v.optional(countOrNone),
    flaky_reruns: v.optional(countOrNone),
    merge_group: v.optional(count),
    retries: v.optional(countOrNone),
    restart_pause: v.optional(duration),
    fetch: v.optional(flag),
    integrate: v.optional(v.picklist(["branch", "pull-request", "none"])),
    worktree_directory: v.optional(text),
  },
  conflicts: {
    ours: v.optional(v.array(place)),
    union: v.optional(v.array(place)),
    regenerate: v.optional(tableOf(v.union([wholeCommand, v.pipe(v.array(wholeCommand), v.minLength(1))]), place)),
  },
  budget: {
    run_usd: v.optional(dollars),
    task_usd: v.optional(dollars),
    day_usd: v.optional(dollars),
    tokens: v.optional(count),
    task_tokens: v.optional(count),
    day_tokens: v.optional(count),
    run_tasks: v.optional(count),
    day_tasks: v.optional(count),
    run_time: v.optional(someTime),
    task_time: v.optional(someTime),
    day_time: v.optional(someTime),
    warn_at: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1))),
  },
  resources: {
    min_free_disk: v.optional(size),
    max_worktrees: v.optional(count),
    attempt_memory: v.optional(size),
    spare_memory: v.optional(size),
  },
  agent: { default: v.optional(text) },
  sandbox: { level: v.optional(v.unknown()), network: v.optional(v.unknown()) },
  web: { host: v.optional(text), port: v.optional(count) },
  notifications: {
    desktop: v.optional(flag),
    slack_webhook: v.optional(addressOrNone),
    discord_webhook: v.optional(addressOrNone),
    webhook: v.optional(v.array(table(WEBHOOK_KEYS), "expected tables: [[notifications.webhook]]")),
  },
  prompts: { override_dir: v.optional(text) },
  forge: {},
  tracker: {},
  review: {},
  build_pool: {},
  hooks: { post_create: v.optional(commands), pre_remove: v.optional(commands) },
  project: { type: v.optional(text), package_manager: v.optional(text), install_command: v.optional(text) },
} as const;

type Keys = typeof KEYS;

/** Every key that has a name of its own: `run.max_parallel`. */
export type KeyName = {
  [Section in keyof Keys]: `${Section}.${Extract<keyof Keys[Section], string>}`;
}[keyof Keys];

/** A section of which other versions may know more keys than we do. */
const open = openTable({}, v.unknown());

const SECTIONS = {
  worktree: v.optional(table(KEYS.worktree)),
  tmux: v.optional(openTable(KEYS.tmux, v.unknown())),
  environment: v.optional(table(KEYS.environment)),
  sync: v.optional(table(KEYS.sync)),
  cleanup: v.optional(table(KEYS.cleanup)),
  run: v.optional(table(KEYS.run)),
  conflicts: v.optional(table(KEYS.conflicts)),
  budget: v.optional(table(KEYS.budget)),
  resources: v.optional(table(KEYS.resources)),
  // It holds a key of its own beside the tables `[agent.NAME]`.
  agent: v.optional(
    v.pipe(
      openTable(KEYS.agent, agentSettings),
      v.transform(({ default: chosen, ...named }) => ({
        ...(chosen === undefined ? {} : { default: chosen }),
        named: named as Record<string, AgentSettings>,
      })),
    ),
  ),
  sandbox: v.optional(openTable(KEYS.sandbox, v.unknown())),
  web: v.optional(openTable(KEYS.web, v.unknown())),
  notifications: v.optional(openTable(KEYS.notifications, v.unknown())),
  prompts: v.optional(table(KEYS.prompts)),
  forge: v.optional(open),
  tracker: v.optional(open),
  review: v.optional(open),
  build_pool: v.optional(open),
  hooks: v.optional(openTable(KEYS.hooks, v.unknown())),
  project: v.optional(openTable(KEYS.project, v.unknown())),
};

/** `[profile.NAME]` holds sections as a file does, but no profiles of its own. */
const FILE = table({ ...SECTIONS, profile: v.optional(tableOf(table(SECTIONS))) });

/** What a budget may say of one run and its tasks, also outside of the configuration. */
export const RUN_BUDGET = {
  run_usd: v.exactOptional(dollars),
  tokens: v.exactOptional(count),
  run_tasks: v.exactOptional(count),
  run_time: v.exactOptional(someTime),
  task_usd: v.exactOptional(dollars),
  task_tokens: v.exactOptional(count),
  task_time: v.exactOptional(someTime),
};

/** One file's or one flag set's contribution. */
export type ConfigValues = v.InferOutput<typeof FILE>;

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
};

export type ConfigProblem = { key: string; message: string; hint: string };

/** Checks one layer's raw values. All problems at once, unknown keys with the nearest known ones. `agentKinds` are those that there are;
 *  without them any is taken. */
export function checkConfig(
  raw: unknown,
  agentKinds?: readonly string[],
): { values: ConfigValues } | { problems: ConfigProblem[] } {
  if (isTable(raw) && Object.keys(raw).length === 0) return { values: {} };
  const result = v.safeParse(FILE, applyAliases(raw));
  if (result.success) {
    const { output } = result;
    const wrong = [
      ...(agentKinds ? inEachProfile(output, (values) => findStrangers(values, agentKinds)) : []),
      ...inEachProfile(output, findTornLayouts),
      ...inEachProfile(output, findStrangeParts),
    ];
    return wrong.length > 0 ? { problems: wrong } : { values: result.output };
  }
  const problems = result.issues.map(toProblem);
  return { problems: problems.map((problem) => ({ ...problem, key: asWritten(raw, problem.key) })) };
}

/** What is left of raw values when all that `checkConfig` finds wrong is taken out, as little as can be. */
export function soundPart(raw: unknown, agentKinds?: readonly string[]): ConfigValues {
  const rest = structuredClone(raw);
  for (;;) {
    const checked = checkConfig(rest, agentKinds);
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
  const part = strangePart(worktree?.naming_pattern ?? "");
  if (part === null) return [];
  const hint = `known: ${NAME_PARTS.map((name) => `{${name}}`).join(", ")}`;
  return [{ key: "worktree.naming_pattern", message: `${part} stands for nothing`, hint }];
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
    table[name.split(".")[1]!] ??= table[key];
    delete table[key];
  }
  return renamed;
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
