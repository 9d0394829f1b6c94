import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  checkConfig,
  commandList,
  configFromEnvironment,
  type ConfigProblem,
  type Layer,
  mergeConfig,
} from "./config.ts";
import type { ConfigValues } from "./config-keys.ts";

function valuesOf(raw: unknown): ConfigValues {
  const checked = checkConfig(raw, ["claude", "command"]);
  if ("problems" in checked) throw new Error(JSON.stringify(checked.problems));
  return checked.values;
}

function problemsOf(raw: unknown): ConfigProblem[] {
  const checked = checkConfig(raw, ["claude", "command"]);
  return "problems" in checked ? checked.problems : [];
}

function layer(name: string, raw: unknown): Layer {
  return { origin: "user", name, values: valuesOf(raw) };
}

describe("what the seeds' .worktreerc says is understood", () => {
  const seed = {
    worktree: { base_directory: "../", naming_pattern: "{project}-{branch}", auto_cleanup_days: 14 },
    tmux: { default_layout: "main-vertical", auto_start_claude: true, pane_count: 2 },
    environment: { auto_install_deps: true, copy_env_file: true },
  };
  test("as it stands", () => {
    expect(valuesOf(seed)).toEqual(seed);
  });

  test("and nothing at all is fine, too", () => {
    expect(valuesOf({})).toEqual({});
  });
});

test("rules for conflicts name files inside the repository, and whole commands", () => {
  const regenerate = { "a/../../lock": "npm install", "package-lock.json": ["npm", "--package-lock-only"] };
  const found = problemsOf({ conflicts: { ours: ["../out", " ", "ok/**"], union: ["/from/its/top"], regenerate } });
  expect(found.map(({ key }) => key)).toEqual([
    "conflicts.ours.0",
    "conflicts.ours.1",
    "conflicts.regenerate.a/../../lock",
    "conflicts.regenerate.package-lock.json.1",
  ]);
});

describe("words of the seed tools", () => {
  test.each([
    ["run", "max_parallel_agents", "max_parallel", 5],
    ["run", "max_instances", "max_parallel", 5],
    ["run", "worktree_dir", "worktree_directory", "../w"],
    ["tmux", "auto_start_ai", "auto_start_claude", false],
    ["environment", "additional_config_files", "env_files", [".env.test"]],
  ])("[%s] %s means %s", (section, alias, key, value) => {
    expect(valuesOf({ [section]: { [alias]: value } })).toEqual({ [section]: { [key]: value } });
    const both = { [section]: { [alias]: value, [key]: value } };
    expect(valuesOf(both)).toEqual({ [section]: { [key]: value } });
  });

  test("the one that names its unit says of what its number is", () => {
    expect(valuesOf({ run: { timeout_seconds: 90 } })).toEqual({ run: { timeout: "90s" } });
    expect(valuesOf({ run: { timeout_seconds: "90" } })).toEqual({ run: { timeout: "90s" } });
    expect(problemsOf({ run: { timeout_seconds: "soon" } }).map(({ key }) => key)).toEqual(["run.timeout_seconds"]);
  });

  test("our own word wins over an alias beside it", () => {
    expect(valuesOf({ run: { max_instances: 9, max_parallel: 2 } })).toEqual({ run: { max_parallel: 2 } });
  });

  test("a problem names the key as the user wrote it", () => {
    expect(problemsOf({ run: { max_parallel_agents: 0 } }).map(({ key }) => key)).toEqual(["run.max_parallel_agents"]);
    expect(problemsOf({ run: { max_parallel: 0 } }).map(({ key }) => key)).toEqual(["run.max_parallel"]);
    const list = problemsOf({ environment: { additional_config_files: [1] } });
    expect(list.map(({ key }) => key)).toEqual(["environment.additional_config_files.0"]);
  });
});

describe("an unknown key is a problem that names the nearest known one", () => {
  test.each<[object, string, string]>([
    [{ rnu: {} }, "rnu", "did you mean run?"],
    [{ run: { max_paralel: 3 } }, "run.max_paralel", "did you mean max_parallel?"],
    [{ environment: { copy_env_files: true } }, "environment.copy_env_files", "did you mean copy_env_file?"],
    [{ agent: { claude: { modle: "opus" } } }, "agent.claude.modle", "did you mean model?"],
    [
      { sync: { nothing_like_it: 1 } },
      "sync.nothing_like_it",
      "known here: default_strategy, auto_stash, prune_remote",
    ],
  ])("%j", (raw, key, hint) => {
    expect(problemsOf(raw)).toEqual([{ key, message: "unknown key", hint }]);
  });

  test("all of them at once, with the wrong values beside them", () => {
    const found = problemsOf({ run: { retires: 1, retries: -1, timeout: "soon" }, wrktree: {} });
    expect(found.map(({ key }) => key).toSorted()).toEqual(["run.retires", "run.retries", "run.timeout", "wrktree"]);
  });
});

test.each<[object, RegExp]>([
  [{ run: { max_parallel: 0 } }, /at least 1/],
  [{ run: { max_parallel: 1.5 } }, /expected a whole number/],
  [{ run: { max_parallel: "3" } }, /expected number/],
  [{ run: { retries: -1 } }, /at least 0/],
  [{ run: { timeout: "soon" } }, /expected a duration with its unit, such as "30m"/],
  [{ run: { timeout: -1 } }, /expected a duration/],
  [{ run: { timeout: true } }, /expected a duration/],
  [{ run: { verify: 5 } }, /expected a command or a list of commands/],
  [{ run: { integrate: "push" } }, /"branch"\|"pull-request"\|"none"/],
  [{ run: 5 }, /expected object/],
  [{ budget: { run_time: 0 } }, /expected more than no time/],
  [{ budget: { task_time: "0s" } }, /expected more than no time/],
  [{ budget: { day_time: "soon" } }, /^[^;]*expected a duration[^;]*$/],
  [{ agent: { default: 1 } }, /expected string/],
  [{ agent: { model: "opus" } }, /expected object/],
  [{ agent: { mine: { kind: 5 } } }, /expected string/],
  [{ agent: { mine: { kind: "gpt" } } }, /there is no kind of agent gpt/],
])("%j is refused", (raw, says) => {
  expect(problemsOf(raw).map(({ message }) => message)).toEqual([expect.stringMatching(says) as string]);
});

test.each([[90], ["90"], [1_800], ["1.5"]])("%j is no time: nobody can tell of what it is", (timeout) => {
  for (const raw of [{ run: { timeout } }, { budget: { day_time: timeout } }, { run: { hung_after: timeout } }])
    expect(problemsOf(raw)).toMatchObject([{ message: expect.stringContaining("a duration with its unit") as string }]);
});

test.each([["30m"], ["1h30m"], [0], ["0"], ["8 h"]])("%j is a timeout", (timeout) => {
  expect(valuesOf({ run: { timeout } })).toEqual({ run: { timeout } });
});

test.each([null, 5, "run", [], [{}]])("%j is no configuration, and no crash", (raw) => {
  expect(problemsOf(raw).length).toBeGreaterThan(0);
});

describe("[agent] and [agent.NAME]", () => {
  test("the default stands apart from the agents by name", () => {
    const mine = { kind: "command" as const, command: ["my-agent", "--fast"], allowed_tools: ["Bash(npm test)"] };
    const { agent } = valuesOf({ agent: { default: "mine", mine, claude: { model: "opus" } } });
    expect(agent).toEqual({ default: "mine", named: { mine, claude: { model: "opus" } } });
  });

  test("variables of an agent: names that are none, and secrets, are refused", () => {
    expect(valuesOf({ agent: { work: { env: { CLAUDE_CONFIG_DIR: "/x" } } } }).agent?.named).toEqual({
      work: { env: { CLAUDE_CONFIG_DIR: "/x" } },
    });
    for (const name of ["A B", "1A", "ANTHROPIC_API_KEY", "GH_TOKEN"])
      expect(problemsOf({ agent: { work: { env: { [name]: "x" } } } })).toHaveLength(1);
  });

  test("one agent is put together from several layers, and other agents stay as they were", () => {
    const layers = [
      layer("user", { agent: { claude: { model: "opus", extra_args: ["--a"] }, other: { model: "x" } } }),
      layer("repository", { agent: { default: "other", claude: { extra_args: ["--b"], permission_mode: "plan" } } }),
    ];
    expect(mergeConfig(layers).agent).toEqual({
      default: "other",
      named: { claude: { model: "opus", extra_args: ["--b"], permission_mode: "plan" }, other: { model: "x" } },
    });
  });
});

describe("layers", () => {
  test("without any layer the defaults are in force", () => {
    expect(mergeConfig([])).toMatchObject({
      worktree: { keep: "failed" },
      run: { max_parallel: 3, timeout: "30m", grace: "10s", verify: [], verify_attempts: 3, retries: 2, fetch: false },
      agent: { default: "claude", named: {} },
    });
  });

  test("lists and single commands replace each other, sections merge", () => {
    const merged = mergeConfig([
      layer("user", { run: { verify: ["a", "b"], retries: 0 } }),
      layer("repository", { run: { verify: "c" } }),
    ]);
    expect(merged.run).toMatchObject({ verify: "c", retries: 0, max_parallel: 3 });
  });

  test("merging one configuration leaves no trace in the next", () => {
    mergeConfig([layer("user", { agent: { mine: { model: "x" } } })]).environment.env_files.push("x");
    expect(mergeConfig([]).agent.named).toEqual({});
    expect(mergeConfig([]).environment.env_files).toEqual([]);
  });

  const anyRun = fc.record(
    {
      max_parallel: fc.integer({ min: 1, max: 9 }),
      retries: fc.nat(9),
      timeout: fc.constantFrom("1m", "2h", "30s"),
      verify: fc.oneof(fc.constantFrom("a", "b"), fc.array(fc.constantFrom("a", "b"))),
      fetch: fc.boolean(),
      target: fc.constantFrom("main", "next"),
    },
    { requiredKeys: [] },
  );
  test("for each key the last layer that has it decides, and keys that no layer has stay at their defaults", () => {
    fc.assert(
      fc.property(fc.array(anyRun, { maxLength: 4 }), (runs) => {
        const merged = mergeConfig(runs.map((run, index) => layer(String(index), { run })));
        const expected = Object.assign({}, mergeConfig([]).run, ...runs) as object;
        expect(merged.run).toEqual(expected);
      }),
    );
  });
});

describe("environment variables", () => {
  test.each<[Record<string, string>, object]>([
    [{ OWT_RUN_MAX_PARALLEL: "5" }, { run: { max_parallel: 5 } }],
    [{ OWT_RUN_FETCH: "true", OWT_RUN_RETRIES: "0" }, { run: { fetch: true, retries: 0 } }],
    [{ OWT_RUN_TIMEOUT: "2h" }, { run: { timeout: "2h" } }],
    [{ OWT_RUN_TIMEOUT: "90s" }, { run: { timeout: "90s" } }],
    [{ OWT_RUN_VERIFY: '["a", "b"]' }, { run: { verify: ["a", "b"] } }],
    [{ OWT_RUN_VERIFY: "[ -f x ]" }, { run: { verify: "[ -f x ]" } }],
    [{ OWT_AGENT_DEFAULT: "demo" }, { agent: { default: "demo" } }],
    [{ OWT_ENVIRONMENT_ENV_FILES: '[".env"]' }, { environment: { env_files: [".env"] } }],
    [{ OWT_WORKTREE_KEEP: "all", PATH: "/bin" }, { worktree: { keep: "all" } }],
    [{ OWT_SESSION: "x", OWT_TASK: "y", OWT_RUN: "z", RUN_RETRIES: "1" }, {}],
  ])("%j", (env, values) => {
    expect(configFromEnvironment(env)).toEqual(values);
  });

  test.each([
    ["OWT_RUN_TARGET", "2024", { run: { target: "2024" } }],
    ["OWT_RUN_VERIFY", "true", { run: { verify: "true" } }],
    ["OWT_RUN_PLAN", "[draft]", { run: { plan: "[draft]" } }],
  ])("%s=%s stays a text, because only a text fits", (name, text, values) => {
    expect(configFromEnvironment({ [name]: text })).toEqual(values);
  });

  test("what does not fit is a problem, not a silent default", () => {
    for (const text of ["many", "0", "-1", ""]) {
      const raw = configFromEnvironment({ OWT_RUN_MAX_PARALLEL: text });
      expect(problemsOf(raw).map(({ key }) => key)).toEqual(["run.max_parallel"]);
    }
  });
});

test.each<[string | string[] | undefined, string[]]>([
  [undefined, []],
  ["", []],
  ["  ", []],
  ["npm test", ["npm test"]],
  [
    ["a", "b"],
    ["a", "b"],
  ],
])("the commands in %j are %j", (value, list) => {
  expect(commandList(value)).toEqual(list);
});

test.each([
  ["base_directory", "../{project}-wt", "{project} stands for nothing"],
  ["base_directory", "$HOME/x", "$HOME stands for nothing"],
  ["base_directory", "a\0b", "it holds a NUL"],
  ["naming_pattern", "{branch}\0", "it holds a NUL"],
])("%s takes no %j as it stands: nobody's folder is called so", (key, value, says) => {
  expect(problemsOf({ worktree: { [key]: value } })).toMatchObject([
    { key: `worktree.${key}`, message: expect.stringContaining(says) as string },
  ]);
});
