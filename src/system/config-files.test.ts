import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { ConfigValues } from "../core/config-keys.ts";
import { OwtError } from "../core/errors.ts";
import { loadConfig, userStateDir } from "./config-files.ts";

type Files = { user?: string; repository?: string; env?: Record<string, string>; flags?: ConfigValues };

function place({ user, repository, env = {} }: Files) {
  const dir = mkdtempSync(join(tmpdir(), "owt-config-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const userFile = join(dir, "home", "open-orchestrator", "config.toml");
  mkdirSync(join(dir, "home", "open-orchestrator"), { recursive: true });
  if (user !== undefined) writeFileSync(userFile, user);
  if (repository !== undefined) writeFileSync(join(dir, ".worktreerc"), repository);
  return { dir, userFile, env: { ...env, XDG_CONFIG_HOME: join(dir, "home") } };
}

function load(files: Files) {
  const { dir, env } = place(files);
  return loadConfig(dir, { env, ...(files.flags ? { flags: files.flags } : {}) });
}

function refusalOf(body: () => unknown): OwtError {
  try {
    body();
  } catch (error) {
    if (error instanceof OwtError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

test("without any file there are the defaults", () => {
  expect(load({}).config.run).toMatchObject({ max_parallel: 3, retries: 2 });
});

describe("the later wins: user, repository, environment, flags", () => {
  const user = "[run]\nretries = 11\n";
  const repository = "[run]\nretries = 12\n";
  const env = { OWT_RUN_RETRIES: "13" };
  const flags: ConfigValues = { run: { retries: 14 } };
  test.each<[Files, number]>([
    [{ user }, 11],
    [{ user, repository }, 12],
    [{ user, repository, env }, 13],
    [{ user, repository, env, flags }, 14],
    [{ user, flags }, 14],
    [{ user, env }, 13],
  ])("%j", (files, retries) => {
    expect(load(files).config.run.retries).toBe(retries);
  });

  test("and each layer says where it came from", () => {
    expect(load({ user, repository, env, flags }).layers.map(({ origin, values }) => [origin, values])).toEqual([
      ["user", { run: { retries: 11 } }],
      ["repository", { run: { retries: 12 } }],
      ["environment", { run: { retries: 13 } }],
      ["flag", flags],
    ]);
  });
});

test("a file that is named stands in for .worktreerc, and is no more trusted than it", () => {
  const { dir, env } = place({ repository: "[run]\nretries = 12\n" });
  const file = join(dir, "other.toml");
  writeFileSync(file, "[run]\nmax_parallel = 7\n");
  const { config, layers } = loadConfig(dir, { env, file });
  expect(config.run).toMatchObject({ max_parallel: 7, retries: 2 });
  expect(layers.find(({ values }) => values.run?.max_parallel === 7)).toMatchObject({
    origin: "repository",
    name: file,
  });
});

test("every problem of every file comes at once, each with its file and line", () => {
  const files = place({
    user: "# mine\n[run]\nretires = 1\n",
    repository: '[worktree]\nkeep = "some"\n\n[run] # ours\nplan = "x"\n  max_parallel = 0\n',
    env: { OWT_RUN_TIMEOUT: "soon" },
  });
  const error = refusalOf(() => loadConfig(files.dir, { env: files.env }));
  expect(error).toMatchObject({ code: "config", exitCode: 3 });
  expect(error.message.split("\n")).toEqual([
    expect.stringMatching(`^${files.userFile}:3:1 run\\.retires: unknown key \\(did you mean retries`) as string,
    expect.stringMatching(/^\.worktreerc:2:1 worktree\.keep: /) as string,
    expect.stringMatching(/^\.worktreerc:6:3 run\.max_parallel: /) as string,
    expect.stringMatching(/^OWT_RUN_TIMEOUT: expected a duration/) as string,
  ]);
});

describe("the line of a problem is the one where the key stands", () => {
  test.each([
    ["a table", "\n[rnu]\n", 2],
    ["a second table with the same key", "[sync]\nretries = 1\n[run]\nretries = -1\n", 2, 4],
    ["a key whose beginning is another key", "[run]\nverify_attempts = 1\nverify = 5\n", 3],
    ["a dotted key", "\nrun.retries = -1\n", 2],
    ["an element of a list", '[run]\nretries = 1\nverify = ["a", 5]\n', 3],
    ["a word of the seeds", '[run]\nplan = "x"\nmax_instances = 0\n', 3],
    ["a quoted table", '[agent."my agent"]\nmodle = "x"\n', 2],
    ["an agent's table", '[agent.a]\nmodel = "x"\n[agent.b]\nmodel = 1\n', 4],
    ["an inline table", '[run]\nplan = "x"\n[agent]\nmine = { model = 1 }\n', 4],
    ["CRLF", '[run]\r\nplan = "x"\r\nretries = -1\r\n', 3],
  ])("%s", (_, repository, ...lines) => {
    const { message } = refusalOf(() => load({ repository }));
    expect(message.split("\n").map((line) => Number(/^\.worktreerc:(\d+):\d+ /.exec(line)?.[1]))).toEqual(lines);
  });
});

test("a file that is no TOML is a problem with line and column, and does not hide the others", () => {
  const { message } = refusalOf(() => load({ user: "[run]\nretries = -1\n", repository: "[run]\nretries = = 1\n" }));
  const lines = message.split("\n");
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/config\.toml:2:1 run\.retries/);
  expect(lines[1]).toMatch(/^\.worktreerc:2:\d+: /);
});

describe("a profile", () => {
  const user = "[run]\nretries = 1\n[profile.night.run]\nretries = 5\nmax_instances = 8\n";
  const repository = "[run]\nretries = 2\n[profile.night.run]\nretries = 6\n[profile.calm.run]\nmax_parallel = 1\n";

  test.each<[string, object]>([
    ["", { retries: 2, max_parallel: 3 }],
    ["night", { retries: 6, max_parallel: 8 }],
    ["calm", { retries: 2, max_parallel: 1 }],
  ])("%j lies over what the files say, the repository's over the user's", (name, run) => {
    expect(load({ user, repository, env: { OWT_PROFILE: name } }).config.run).toMatchObject(run);
  });

  test("and below variables and flags", () => {
    const env = { OWT_PROFILE: "night", OWT_RUN_RETRIES: "7" };
    expect(load({ user, repository, env }).config.run.retries).toBe(7);
    expect(load({ user, repository, env, flags: { run: { retries: 8 } } }).config.run.retries).toBe(8);
  });

  test("is no more trusted than the file it stands in", () => {
    const { layers } = load({ repository, env: { OWT_PROFILE: "night" } });
    expect(layers.find(({ profile }) => profile === "night")).toMatchObject({
      origin: "repository",
      name: ".worktreerc [profile.night]",
      values: { run: { retries: 6 } },
    });
  });

  test("that is nowhere is refused with the nearest, or with how one is made", () => {
    expect(refusalOf(() => load({ repository, env: { OWT_PROFILE: "nihgt" } }))).toMatchObject({
      code: "unknown-name",
      hint: "did you mean night? look: owt config show --profile night",
    });
    expect(refusalOf(() => load({ env: { OWT_PROFILE: "night" } })).hint).toContain("[profile.night.run]");
  });

  test("is checked whether it is used or not", () => {
    const { message } = refusalOf(() =>
      load({
        repository:
          "[profile.a.run]\nmax_paralel = 1\nmax_instances = 0\n[profile.a.agent.x]\nkind = 1\n[profile.b]\nprofile = 1\n",
      }),
    );
    expect(message.split("\n")).toEqual([
      expect.stringMatching(
        /^\.worktreerc:2:1 profile\.a\.run\.max_paralel: unknown key \(did you mean max_parallel/,
      ) as string,
      expect.stringMatching(/^\.worktreerc:3:1 profile\.a\.run\.max_instances: expected at least 1/) as string,
      expect.stringMatching(/^\.worktreerc:5:1 profile\.a\.agent\.x\.kind: /) as string,
      expect.stringMatching(/^\.worktreerc:7:1 profile\.b\.profile: unknown key/) as string,
    ]);
  });
});

test("a file that cannot be read is said, not taken for a missing one", () => {
  const { dir, env } = place({});
  mkdirSync(join(dir, ".worktreerc"));
  expect(refusalOf(() => loadConfig(dir, { env }))).toMatchObject({ code: "config" });
});

test("the user's state lies where XDG says", () => {
  expect(userStateDir({ XDG_STATE_HOME: "/s" })).toBe("/s/open-orchestrator");
  expect(userStateDir({ XDG_STATE_HOME: "" })).toMatch(/\/\.local\/state\/open-orchestrator$/);
});

describe("a tolerant reader takes what is sound, and says what is not", () => {
  const look = (files: Files) => {
    const { dir, env } = place(files);
    return loadConfig(dir, { env, agentKinds: ["claude"], tolerant: true });
  };

  test("only what is wrong is left out: a key, a whole list of which one item is wrong, an agent's kind", () => {
    const repository =
      '[run]\nretires = 1\nmax_parallel = 7\nverify = ["true", 1]\n[agent.mine]\nkind = "claud"\nmodel = "m"\n[profile.night.run]\nretries = -1\ntimeout = "5m"\n';
    const { config, problems } = look({ repository, env: { OWT_RUN_RETRIES: "many", OWT_RUN_FETCH: "true" } });
    expect(config.run).toMatchObject({ max_parallel: 7, verify: [], retries: 2, fetch: true });
    expect(config.agent.named).toEqual({ mine: { model: "m" } });
    expect(config.profile).toEqual({ night: { run: { timeout: "5m" } } });
    expect(problems.join("\n")).toContain(".worktreerc:2:1 run.retires: unknown key");
    expect(problems.join("\n")).toContain("OWT_RUN_RETRIES");
  });

  test.each([
    ["at the end", "[run]\nretries = 9\nbad = [\n", 9],
    ["in the middle, noticed later", "[run]\nretries = 9\nbad = [\n[tmux]\npane_count = 2\n", 9],
    ["at once", "= 1\n[run]\nretries = 9\n", 2],
  ])("a file that cannot be read: what stands above the mistake (%s)", (_, repository, retries) => {
    const { config, problems } = look({ user: "[run]\nmax_parallel = 8\n", repository });
    expect(config.run).toMatchObject({ retries, max_parallel: 8 });
    expect(problems).toEqual([expect.stringMatching(/^\.worktreerc:\d+:\d+: /)]);
  });

  test("a profile that the broken file may have had is left out", () => {
    const { config, problems } = look({ repository: "[profile.night", env: { OWT_PROFILE: "night" } });
    expect(config.run.retries).toBe(2);
    expect(problems).toEqual([expect.stringContaining(".worktreerc:1"), "there is no profile night"]);
  });
});

test("keys of agents are variables too, of those that there are and of those that a file names", () => {
  const { dir, env } = place({
    repository: '[profile.night.agent.my-own]\nkind = "claude"\n',
    env: { OWT_AGENT_CLAUDE_MODEL: "sonnet", OWT_AGENT_MY_OWN_ALLOWED_TOOLS: '["Read"]', OWT_AGENT_NOBODY_MODEL: "x" },
  });
  const { config } = loadConfig(dir, { env, agentKinds: ["claude"] });
  expect(config.agent.named).toEqual({ claude: { model: "sonnet" }, "my-own": { allowed_tools: ["Read"] } });
  const wrong = refusalOf(() =>
    loadConfig(dir, { env: { ...env, OWT_AGENT_CLAUDE_MAX_TOKENS: "many" }, agentKinds: ["claude"] }),
  );
  expect(wrong.message).toMatch(/^OWT_AGENT_CLAUDE_MAX_TOKENS: expected /);
});
