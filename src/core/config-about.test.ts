import { describe, expect, test } from "vitest";
import { configKeys, idleKeys, valuesInForce } from "./config-about.ts";
import { configSchema } from "./config-schema.ts";
import { ALIASES, checkConfig, type Layer } from "./config.ts";

function layer(origin: Layer["origin"], raw: unknown): Layer {
  const checked = checkConfig(raw);
  if ("problems" in checked) throw new Error(JSON.stringify(checked.problems));
  return { origin, name: origin, values: checked.values };
}

describe("keys that do nothing are told", () => {
  test.each<[raw: object, told: string[]]>([
    [{ run: { max_parallel: 3, verify: [] }, agent: { default: "x", x: { model: "m" } } }, []],
    [{ tmux: { pane_count: 2 }, worktree: { keep: "all", reserve: 1 } }, ["worktree.reserve"]],
    [{ tmux: { auto_start_ai: true } }, []],
    [{ run: { max_instances: 4 } }, []],
    [{ run: { max_instances: 4, max_parallel: 2 } }, ["run.max_instances"]],
    [{ tracker: { kind: "jira", url: "x" } }, ["tracker"]],
    [{ profile: { a: { web: { port: 1 }, run: { retries: 1 } } } }, ["profile.a.web.port"]],
  ])("%j", (raw, told) => {
    expect(checkConfig(raw)).toHaveProperty("values");
    expect(idleKeys(raw).map(({ key }) => key)).toEqual(told);
  });

  test("a key that this version does not know, with the nearest", () => {
    expect(idleKeys({ web: { prot: 80 } })).toEqual([
      { key: "web.prot", message: "this version does not know it; did you mean port?" },
    ]);
  });
});

test("each value in force comes from the last layer that has it", () => {
  const values = valuesInForce([
    layer("user", { run: { retries: 1, fetch: true }, agent: { mine: { command: "x", model: "a" } } }),
    layer("repository", { run: { retries: 4 }, agent: { mine: { model: "b" } } }),
    layer("environment", { run: { fetch: false } }),
  ]);
  const of = (key: string) => {
    const { value, layer: from } = values.find((each) => each.key === key)!;
    return [value, from?.origin ?? "default"];
  };
  expect(of("run.retries")).toEqual([4, "repository"]);
  expect(of("run.fetch")).toEqual([false, "environment"]);
  expect(of("run.max_parallel")).toEqual([3, "default"]);
  expect(of("agent.mine.command")).toEqual(["x", "user"]);
  expect(of("agent.mine.model")).toEqual(["b", "repository"]);
});

test("a limit is the lower one of user and repository, whoever sets it", () => {
  const limit = (user: number, repository: number) =>
    valuesInForce([
      layer("user", { budget: { run_usd: user } }),
      layer("repository", { budget: { run_usd: repository } }),
    ]).find(({ key }) => key === "budget.run_usd");
  expect(limit(5, 9)).toMatchObject({ value: 5, layer: { origin: "user" } });
  expect(limit(9, 5)).toMatchObject({ value: 5, layer: { origin: "repository" } });
});

test("every key has its words, and every alias is told beside its key", () => {
  const keys = configKeys();
  expect(keys.filter(({ says }) => says === "")).toEqual([]);
  expect(keys.flatMap(({ key, aliases }) => aliases.map((each) => [each, key])).toSorted()).toEqual(
    Object.entries(ALIASES)
      .map(([alias, key]) => [alias.split(".")[1]!, key])
      .toSorted(),
  );
});

test("the JSON Schema says the same as the check", () => {
  const schema = configSchema() as { properties: Record<string, { properties: Record<string, object> }> };
  const of = (section: string, key: string) => schema.properties[section]!.properties[key];
  expect(schema).toMatchObject({
    $schema: "https://json-schema.org/draft/2020-12/schema",
    additionalProperties: false,
  });
  expect(of("run", "max_parallel")).toEqual({
    description: "agents at a time, and as many checks of their work",
    type: "integer",
    minimum: 1,
    default: 3,
  });
  expect(of("run", "max_instances")).toMatchObject({ type: "integer", minimum: 1, deprecated: true });
  expect(of("run", "verify")).toMatchObject({
    anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }],
  });
  expect(of("budget", "warn_at")).toMatchObject({ minimum: 0, maximum: 1 });
  expect(of("budget", "run_usd")).toMatchObject({ exclusiveMinimum: 0 });
  expect(of("worktree", "keep")).toMatchObject({ enum: ["none", "failed", "all"] });
});
