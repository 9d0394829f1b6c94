import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { ConfigValues } from "../core/config.ts";
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
    expect.stringMatching(`^${files.userFile}:3 run\\.retires: unknown key \\(did you mean retries`) as string,
    expect.stringMatching(/^\.worktreerc:2 worktree\.keep: /) as string,
    expect.stringMatching(/^\.worktreerc:6 run\.max_parallel: /) as string,
    expect.stringMatching(/^environment run\.timeout: expected a duration/) as string,
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
    expect(message.split("\n").map((line) => Number(/^\.worktreerc:(\d+) /.exec(line)?.[1]))).toEqual(lines);
  });
});

test("a file that is no TOML is a problem with line and column, and does not hide the others", () => {
  const { message } = refusalOf(() => load({ user: "[run]\nretries = -1\n", repository: "[run]\nretries = = 1\n" }));
  const lines = message.split("\n");
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/config\.toml:2 run\.retries/);
  expect(lines[1]).toMatch(/^\.worktreerc:2:\d+ /);
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
