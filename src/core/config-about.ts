/** What each key of the configuration is for, and what nothing uses yet: beside the schema, so that what is quick to start need not load it. */
import { ALIASES, applyAliases, DEFAULTS, type Layer, variableOf } from "./config.ts";
import { type AGENT_KEYS, type ConfigValues, KEYS, type KeyName } from "./config-keys.ts";
import { isTable } from "./form.ts";
import { nearest } from "./names.ts";

/** One key: what it does, its default in words where no constant is one, and what it comes with where nothing uses it yet. */
type About = { says: string; otherwise?: string; later?: string };

const WORKTREES = "worktrees by hand (owt create)";
const WEB = "the web dashboard (owt serve)";
const SANDBOX = "the sandbox";

const ABOUT: Record<KeyName, About> = {
  "worktree.base_directory": {
    says: "where worktrees made by hand stand; ~ at its beginning is your home, and nothing else stands for anything",
    otherwise: "../",
  },
  "worktree.naming_pattern": { says: "how they are named", otherwise: "{project}-{branch}" },
  "worktree.auto_cleanup_days": { says: "after how many days without use one counts as stale" },
  "worktree.keep": { says: "which worktrees of a run stay: none, failed, all" },
  "worktree.reserve": { says: "how many are made in advance", otherwise: "0", later: WORKTREES },
  "tmux.default_layout": {
    says: "how panes are laid out: main-vertical, three-pane, quad, even-horizontal, even-vertical, or one of your own",
  },
  "tmux.auto_start_claude": { says: "start the agent in the first pane" },
  "tmux.pane_count": { says: "panes of a session, in layouts that have no number of their own" },
  "tmux.session_prefix": { says: "how names of sessions begin" },
  "tmux.bring_back": {
    says: "always: an agent that crashed or was killed is started again in its conversation, three times within ten minutes at most; never: by owt switch only",
  },
  "tmux.hung_after": {
    says: "after how long without a sign of life an agent that ought to work counts as hung; 0 for never",
  },
  "tmux.layouts": {
    says: "layouts of one's own, by name: `panes`, a list of tables with `command`, placed by `layout` or each by `split`, `of`, `size`",
    otherwise: "none",
  },
  "environment.auto_install_deps": { says: "install dependencies by the lockfile that is there" },
  "environment.copy_env_file": { says: "bring .env and its like into worktrees, private" },
  "environment.adjust_env_paths": { says: "put the worktree's path in place of the checkout's in them" },
  "environment.env_files": { says: "further files to bring" },
  "environment.submodules": { says: "check submodules out in worktrees, those that git counts as active" },
  "environment.install_command": { says: "what to run in a new worktree, in place of the standard install" },
  "environment.dependencies": {
    says: "how node_modules come into a worktree: auto (the fastest safe way), or only by install, copy, clone, hardlink",
  },
  "environment.ports": { says: "ports that each worktree has to itself" },
  "environment.pass": { says: "further variables that agents and checks may see" },
  "sync.default_strategy": { says: "what is done where both sides went on: merge or rebase" },
  "sync.auto_stash": { says: "carry what is uncommitted over; otherwise leave such worktrees alone" },
  "sync.prune_remote": { says: "forget branches that the remote has no more" },
  "cleanup.protect_uncommitted": { says: "leave worktrees with uncommitted work; otherwise it is saved first" },
  "cleanup.protect_unpushed": {
    says: "leave worktrees with commits that nothing else has; otherwise they are saved first",
  },
  "run.plan": { says: "the plan: a folder or a feature list", otherwise: "the one that is found" },
  "run.target": { says: "the branch that runs start from and land on", otherwise: "the branch checked out" },
  "run.max_parallel": { says: "agents at a time, and as many checks of their work" },
  "run.timeout": { says: "how long a task may take" },
  "run.hung_after": {
    says: "how long an agent and all that it started may do nothing (print, compute, read, write, start or end anything) before it is ended as hung; 0 for ever",
  },
  "run.grace": { says: "time between TERM and KILL" },
  "run.result_grace": { says: "how long an agent may stay silent after its last word before it is ended" },
  "run.log_head_mb": { says: "what is kept of the beginning of an agent's output, MiB" },
  "run.log_tail_mb": { says: "what is kept of its end, MiB" },
  "run.verify": { says: "commands that must succeed before work counts as done" },
  "run.verify_attempts": { says: "rounds with the agent after red checks" },
  "run.flaky_reruns": {
    says: "how often a check that was red is run again on the same tree before it counts; green then is flaky, and told; 0: never",
  },
  "run.merge_group": {
    says: "how many tasks that wait to be integrated are merged one upon the other and checked once, at most; 1: each by itself",
  },
  "run.retries": { says: "tries after a failure" },
  "run.restart_pause": {
    says: "time before an agent that died, or that its API alone failed, is started again; twice that after the next death, ten minutes at most",
  },
  "run.fetch": { says: "fetch origin first, and start from there when the target is behind" },
  "run.integrate": { says: "branch, pull-request or none", otherwise: "branch", later: "pull requests" },
  "run.worktree_directory": { says: "where the worktrees of runs stand", otherwise: "../{project}-owt" },
  "conflicts.ours": {
    says: "files of which the run's branch keeps what it has where a merge conflicts in them",
    otherwise: "none",
  },
  "conflicts.union": { says: "files that get the lines of both sides then", otherwise: "none" },
  "conflicts.regenerate": {
    says: "files that are made anew then: a table of files and the command, or commands, for each",
    otherwise: "none",
  },
  "budget.run_usd": { says: "what a run may cost, in dollars", otherwise: "no limit" },
  "budget.task_usd": { says: "what a task may cost", otherwise: "no limit" },
  "budget.day_usd": { says: "what all runs of a day may cost", otherwise: "no limit" },
  "budget.tokens": { says: "tokens that a run may use", otherwise: "no limit" },
  "budget.task_tokens": { says: "tokens that a task may use", otherwise: "no limit" },
  "budget.day_tokens": { says: "tokens that all runs of a day may use", otherwise: "no limit" },
  "budget.run_tasks": { says: "how many tasks a run may begin", otherwise: "no limit" },
  "budget.day_tasks": { says: "how many tasks all runs of a day may begin", otherwise: "no limit" },
  "budget.run_time": {
    says: "for how long agents of a run may work, added up; for its time by the clock there is --max-duration",
    otherwise: "no limit",
  },
  "budget.task_time": { says: "for how long agents may work on a task, all tries added up", otherwise: "no limit" },
  "budget.day_time": { says: "for how long agents of all runs of a day may work, added up", otherwise: "no limit" },
  "budget.warn_at": { says: "part of a limit at which you are warned, and asked whether to raise it" },
  "resources.min_free_disk": {
    says: "what stays free on the disks of the worktrees and of the store: below it nothing new starts",
    otherwise: "2 GB, or 5 % of a smaller disk",
  },
  "resources.max_worktrees": {
    says: "how many worktrees of runs there may be for another task to begin, those that are kept included",
    otherwise: "no limit",
  },
  "resources.attempt_memory": {
    says: "what an attempt is taken to need of memory until enough of them were measured",
    otherwise: "512 MiB",
  },
  "resources.spare_memory": { says: "what attempts leave of the machine's memory" },
  "agent.default": { says: "the agent that works where nothing names another" },
  "sandbox.level": { says: "how much an agent is shut in", later: SANDBOX },
  "sandbox.network": { says: "what an agent reaches", later: SANDBOX },
  "web.host": { says: "the address that is listened on", otherwise: "127.0.0.1", later: WEB },
  "web.port": { says: "and its port", otherwise: "8080", later: WEB },
  "notifications.desktop": {
    says: "tell on the desktop, where there is one: notify-send, on macOS osascript; else the terminal's bell",
  },
  "notifications.slack_webhook": {
    says: "tell in Slack: the address of an incoming webhook, env:NAME or file:PATH",
    otherwise: "none",
  },
  "notifications.discord_webhook": { says: "tell in Discord: the same of its webhook", otherwise: "none" },
  "notifications.webhook": {
    says: "tell other programs: `url`, to which JSON is posted, and `events`, of which (waiting, budget, run-ended, batch-ended; all)",
    otherwise: "none",
  },
  "prompts.override_dir": { says: "a folder of prompt templates", otherwise: "none" },
  "hooks.post_create": { says: "what to run once in a new worktree, after its setup" },
  "hooks.pre_remove": { says: "what to run in a worktree before it is removed" },
  "project.type": { says: "the kind of project; it is detected", later: WORKTREES },
  "project.package_manager": { says: "its package manager; it is detected", later: WORKTREES },
  "project.install_command": { says: "use [environment] install_command", later: WORKTREES },
};

const AGENT_ABOUT: Record<keyof typeof AGENT_KEYS, string> = {
  kind: "claude, codex, demo, or command: a program that reads its task on standard input",
  command: "the program and its first arguments",
  model: "the model it is to use",
  max_tokens: "the most tokens of one answer",
  permission_mode: "the permission mode, in the agent's own word",
  allowed_tools: "what it may use without asking",
  extra_args: "further arguments",
  env: "variables that it gets, such as the folder of another login",
  fall_over: "the agent that takes its tasks while a usage limit holds it, or its API cannot be reached",
  max_memory: "the most memory that it and what it starts may take together; beyond it the system ends it",
  max_cpus: "the most processors that they may use together, such as 1.5",
  hung_after: "its own `[run] hung_after`",
};

/** Sections whose keys come with what will use them. */
const LATER_SECTIONS: Record<string, string> = {
  forge: "pull requests",
  tracker: "issues",
  review: "pull requests",
  build_pool: "the build pool",
};

export type KeyAbout = {
  key: string;
  says: string;
  /** In the form of the file; null where nothing is set without it. */
  default: unknown;
  /** The default in words where it is no constant. */
  otherwise: string | null;
  /** What it comes with; null for a key that does something. */
  later: string | null;
  aliases: string[];
  variable: string | null;
};

/** Every key with a name of its own, in the order of the sections; agents' keys as `agent.NAME.model`. */
export function configKeys(): KeyAbout[] {
  return Object.entries(KEYS).flatMap(([section, keys]) => [
    ...Object.keys(keys).map((key) => aboutKey(`${section}.${key}` as KeyName)),
    ...(section === "agent" ? Object.entries(AGENT_ABOUT).map(([key, says]) => aboutAgentKey(key, says)) : []),
  ]);
}

function aboutKey(key: KeyName): KeyAbout {
  const [section, word] = key.split(".") as [string, string];
  const { says, otherwise = null, later = null } = ABOUT[key];
  const defaults = (DEFAULTS as Record<string, Record<string, unknown>>)[section] ?? {};
  const aliases = Object.entries(ALIASES).flatMap(([alias, ours]) => (ours === key ? [alias.split(".")[1]!] : []));
  return { key, says, default: defaults[word] ?? null, otherwise, later, aliases, variable: variableOf(key) };
}

function aboutAgentKey(key: string, says: string): KeyAbout {
  return {
    key: `agent.NAME.${key}`,
    says,
    default: null,
    otherwise: null,
    later: null,
    aliases: [],
    variable: null,
  };
}

/** What is said of a key that does nothing: it is known and comes later, this version does not know it, or it stands beside our own word for it. */
export type IdleKey = { key: string; message: string };

/** The keys of a file that do nothing. A section is told once. */
export function idleKeys(raw: unknown, below = ""): IdleKey[] {
  if (!isTable(raw)) return [];
  const values = applyAliases(raw) as Record<string, unknown>;
  const profiles = isTable(values["profile"]) ? Object.entries(values["profile"]) : [];
  return [
    ...shadowed(raw, below),
    ...Object.entries(values).flatMap(([section, keys]) => idleIn(section, keys, below, raw)),
    ...profiles.flatMap(([name, each]) => idleKeys(each, `${below}profile.${name}.`)),
  ];
}

function idleIn(section: string, keys: unknown, below: string, raw: Record<string, unknown>): IdleKey[] {
  const later = LATER_SECTIONS[section];
  if (later !== undefined) return [{ key: below + section, message: comesWith(later) }];
  if (!isTable(keys) || section === "agent" || section === "profile") return [];
  return Object.keys(keys).flatMap((word) => {
    const key = `${section}.${word}`;
    const about = (ABOUT as Record<string, About | undefined>)[key];
    const written = isTable(raw[section]) && !(word in raw[section]) ? (aliasIn(raw[section], key) ?? key) : key;
    if (about === undefined) return [{ key: below + key, message: unknownHere(section, word) }];
    return about.later === undefined ? [] : [{ key: below + written, message: comesWith(about.later) }];
  });
}

function comesWith(later: string): string {
  return `known, but nothing uses it yet: it comes with ${later}`;
}

function unknownHere(section: string, word: string): string {
  const close = nearest(word, Object.keys(KEYS[section as keyof typeof KEYS] ?? {}));
  return `this version does not know it${close.length > 0 ? `; did you mean ${close.join(", ")}?` : ""}`;
}

function aliasIn(table: Record<string, unknown>, key: string): string | undefined {
  return Object.entries(ALIASES).find(
    ([alias, ours]) => ours === key && Object.hasOwn(table, alias.split(".")[1]!),
  )?.[0];
}

/** A word of the seed tools beside our own for the same: ours counts. */
function shadowed(raw: Record<string, unknown>, below: string): IdleKey[] {
  return Object.entries(ALIASES).flatMap(([alias, ours]) => {
    const [section, word] = alias.split(".") as [string, string];
    const table = raw[section];
    const name = ours.split(".")[1]!;
    if (!isTable(table) || !(word in table) || !(name in table)) return [];
    return [{ key: below + alias, message: `does nothing beside ${name}, which means the same` }];
  });
}

/** One value in force: which key, what it is, and the layer that it comes from; null is the default. */
export type SetValue = { key: string; value: unknown; layer: Layer | null; isIdle: boolean };

/** Every value in force, section by section. `layers` are those that count, the weakest first. */
export function valuesInForce(layers: readonly Layer[]): SetValue[] {
  const found = new Map<string, { value: unknown; layer: Layer | null }>();
  for (const [key, value] of leaves(DEFAULTS)) found.set(key, { value, layer: null });
  for (const layer of layers) {
    for (const [key, value] of leaves(layer.values)) {
      const before = found.get(key);
      if (before?.layer && isLowerLimit(key, before as { value: unknown; layer: Layer }, { value, layer })) continue;
      found.set(key, { value, layer });
    }
  }
  const order = Object.keys(KEYS);
  const section = ({ key }: SetValue) => order.indexOf(key.split(".", 1)[0]!);
  return [...found]
    .map(([key, { value, layer }]) => ({ key, value, layer, isIdle: isIdle(key) }))
    .toSorted((a, b) => section(a) - section(b));
}

/** A repository can lower the limits that its user sets, not raise them (`budgetFrom`). */
function isLowerLimit(
  key: string,
  before: { value: unknown; layer: Layer },
  next: { value: unknown; layer: Layer },
): boolean {
  return (
    /^budget\.(run_usd|task_usd|day_usd|tokens)$/.test(key) &&
    before.layer.origin === "user" &&
    next.layer.origin === "repository" &&
    Number(before.value) < Number(next.value)
  );
}

function isIdle(key: string): boolean {
  const [section = "", word] = key.split(".");
  if (section === "agent") return false;
  const about = (ABOUT as Record<string, About | undefined>)[`${section}.${word}`];
  return about === undefined || about.later !== undefined;
}

/** Every value by its dotted key, in the file's own form: agents by their names, profiles left out. */
function leaves(values: ConfigValues): [key: string, value: unknown][] {
  const { agent, profile: _, ...sections } = values;
  const { named = {}, ...chosen } = agent ?? {};
  const walk = (value: unknown, path: string): [string, unknown][] =>
    isTable(value)
      ? Object.entries(value).flatMap(([key, each]) => walk(each, path === "" ? key : `${path}.${key}`))
      : [[path, value]];
  return [...walk(sections, ""), ...walk({ ...chosen, ...named }, "agent")];
}
