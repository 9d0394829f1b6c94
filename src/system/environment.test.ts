import { delimiter, dirname } from "node:path";
import { expect, test } from "vitest";
import { agentEnvironment, commandEnvironment, installEnvironment, terminalEnvironment } from "./environment.ts";

const root = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

test("what npm run put in front of the PATH is gone, what the user put there stays", () => {
  const PATH = [
    `${root}/node_modules/.bin`,
    `${dirname(root)}/node_modules/.bin`,
    "/node_modules/.bin",
    dirname(process.execPath),
    "/elsewhere/node_modules/.bin",
    "/usr/bin",
  ].join(delimiter);
  expect(commandEnvironment({ PATH }, [])["PATH"]).toBe(["/elsewhere/node_modules/.bin", "/usr/bin"].join(delimiter));
});

test("an agent gets its login, a check does not; nobody gets what is not named", () => {
  const env = {
    ANTHROPIC_API_KEY: "key",
    CLAUDE_CONFIG_DIR: "/c",
    CLAUDECODE: "1",
    CLAUDE_CODE_SESSION_ID: "s",
    GIT_DIR: "/x",
    SECRET: "s",
    LC_ALL: "C",
    MINE: "1",
  };
  expect(commandEnvironment(env, ["MINE"])).toEqual({ LC_ALL: "C", MINE: "1" });
  expect(agentEnvironment(env, [], ["ANTHROPIC_*", "CLAUDE_CONFIG_DIR", "CLAUDE"])).toEqual({
    LC_ALL: "C",
    ANTHROPIC_API_KEY: "key",
    CLAUDE_CONFIG_DIR: "/c",
  });
});

test("an install does not go into the environment that somebody has active", () => {
  const PATH = ["/mine/venv/bin", "/conda/bin", "/usr/bin"].join(delimiter);
  const env = { PATH, VIRTUAL_ENV: "/mine/venv/", CONDA_PREFIX: "/conda", POETRY_ACTIVE: "1", MINE: "1" };
  expect(installEnvironment(env, ["VIRTUAL_ENV", "POETRY_ACTIVE", "MINE"])).toEqual({ PATH: "/usr/bin", MINE: "1" });
  expect(commandEnvironment(env, ["VIRTUAL_ENV"])).toEqual({ PATH, VIRTUAL_ENV: "/mine/venv/" });
});

test("a person's terminals get everything but what surrounds owt just now", () => {
  const env = { EDITOR: "vi", SECRET: "s", CLAUDE_CONFIG_DIR: "/c", CLAUDE_CODE_USE_VERTEX: "1", CODEX_HOME: "/x" };
  const around = {
    npm_lifecycle_event: "test",
    INIT_CWD: "/x",
    GIT_DIR: "/x/.git",
    GIT_INDEX_FILE: "/x/.git/index",
    CLAUDECODE: "1",
    CLAUDE_CODE_SESSION_ID: "s",
    CODEX_SANDBOX: "1",
    OWT_ATTEMPT: "/a",
  };
  expect(terminalEnvironment({ ...env, ...around }, ["CLAUDE_CODE_USE_*", "CODEX_HOME"])).toEqual(env);
});
