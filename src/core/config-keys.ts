/** Every key of the configuration and what it may hold. The shape is the file's own (`[run] max_parallel`), so that a message can name the key as the user
 *  wrote it. */
import * as v from "valibot";
import { parseDuration, parseSaidDuration } from "../lib/duration.ts";
import { parseSize } from "../lib/size.ts";
import { openTable, table, tableOf } from "./form.ts";
import { BUILT_IN_LAYOUTS } from "./layout.ts";
import { MOMENTS } from "./moments.ts";
import { SESSION_PREFIX } from "./session-name.ts";
import { plainPath } from "./touches.ts";

const text = v.string();
const flag = v.boolean();
const command = v.pipe(text, v.regex(/\S/, "expected a command"));
const texts = v.array(text);
const whole = v.pipe(v.number(), v.integer());
const count = v.pipe(whole, v.minValue(1));
const countOrNone = v.pipe(whole, v.minValue(0));
const dollars = v.pipe(v.number(), v.gtValue(0));
const DURATION = 'expected a duration with its unit, such as "30m" or "8h"';
const duration = v.pipe(
  v.union([v.string(), v.number()], DURATION),
  v.check((value) => parseSaidDuration(String(value)) !== null, DURATION),
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
export const PANE_KEYS = {
  split: v.optional(v.picklist(["right", "below"])),
  of: v.optional(count),
  size: v.optional(v.pipe(text, v.regex(/^[1-9]\d?%$/, 'expected a share such as "40%"'))),
  command: v.optional(v.pipe(v.array(text, "expected a list of words, as for no shell"), v.minLength(1))),
};

/** The keys of `[tmux.layouts.NAME]`. */
export const LAYOUT_KEYS = {
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
export const WEBHOOK_KEYS = { url: address, events: v.optional(v.array(v.picklist(MOMENTS))) };

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
    env_files: v.optional(texts),
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
export const FILE = table({ ...SECTIONS, profile: v.optional(tableOf(table(SECTIONS))) });

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
