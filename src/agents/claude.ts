/** Claude Code, headless: `claude -p`, stream-json, the prompt by standard input, our own session id. What it says is read in `claude-stream.ts`, what its
 *  turn came to in `claude-outcome.ts`. Measured on 2.1.197 and 2.1.329. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import {
  type About,
  type Adapter,
  type Invocation,
  type Login,
  type Setup,
  SPOOL_VARIABLE,
  type Start,
  type Talk,
  type Turn,
} from "./agent.ts";
import { findRecords, findRecordsWithin, openClaudeBooks } from "./claude-books.ts";
import { readJson, record, type Json, text } from "./json.ts";
import { judge } from "./claude-outcome.ts";
import { parseLine } from "./claude-stream.ts";

const ABOUT: About = {
  install: "npm install -g @anthropic-ai/claude-code",
  versionArgs: ["--version"],
  unsound: [
    {
      below: "2.1.197",
      reason: "older than every version that was tried: its events may have other shapes",
      since: "2026-11-21",
    },
  ],
  capabilities: [
    "commit",
    "resume",
    "preset-id",
    "cost",
    "tokens",
    "rate-reset",
    "budget",
    "max-turns",
    "questions",
    "permissions",
  ],
  // Of CLAUDE_CODE_* by name only: the others are how a surrounding session talks to its own children.
  variables: [
    "ANTHROPIC_*",
    "CLAUDE_CONFIG_DIR",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_API_KEY_HELPER_TTL_MS",
    "CLAUDE_CODE_CLIENT_CERT",
    "CLAUDE_CODE_CLIENT_KEY",
    "CLAUDE_CODE_CLIENT_KEY_PASSPHRASE",
    "CLAUDE_CODE_USE_*",
    "CLAUDE_CODE_SKIP_BEDROCK_AUTH",
    "CLAUDE_CODE_SKIP_VERTEX_AUTH",
    "AWS_*",
    "GOOGLE_*",
    "CLOUDSDK_*",
    "CLOUD_ML_*",
    "VERTEX_*",
    "CLAUDE_CODE_MAX_RETRIES",
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
    "CLAUDE_CODE_SUBAGENT_MODEL",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    "DISABLE_TELEMETRY",
    "DISABLE_ERROR_REPORTING",
    "API_TIMEOUT_MS",
    "MAX_THINKING_TOKENS",
    "BASH_DEFAULT_TIMEOUT_MS",
    "BASH_MAX_TIMEOUT_MS",
  ],
  // 2.1.197 says default where 2.1.329 says manual.
  modes: ["acceptEdits", "auto", "bypassPermissions", "default", "manual", "dontAsk", "plan"],
  wideModes: ["bypassPermissions", "auto"],
  ownFiles: [".claude/settings.local.json"],
};

export const claude: Adapter = {
  about: ABOUT,
  make: (setup) => {
    const projects = join(configDir(setup.env), "projects");
    return {
      name: setup.name,
      about: ABOUT,
      doubtsAboutCost: null,
      login: findLogin,
      account: findAccount,
      hasConversation: (session) => findRecords(projects, session).length > 0,
      recordsOf: (session) => findRecordsWithin(projects, session),
      invoke: (turn) => invoke(setup, turn),
      talk: (talk) => talkTo(setup, talk),
      parse: parseLine,
      judge,
      openBooks: (turn) => openClaudeBooks(projects, turn),
    };
  },
};

/** Where Claude Code keeps everything; with the variable set, nothing is written to the home directory. */
function configDir(env: NodeJS.ProcessEnv): string {
  return env["CLAUDE_CONFIG_DIR"] ? resolve(env["CLAUDE_CONFIG_DIR"]) : join(env["HOME"] || homedir(), ".claude");
}

function invoke(setup: Setup, turn: Turn): Invocation {
  const [file, ...before] = setup.command;
  const args = [
    ...before,
    "-p",
    "--output-format",
    "stream-json",
    "--verbose",
    ...conversationFlags(turn),
    // It keeps to it by the answer: what it spends since this start may pass it by the last one. Both versions know it.
    ...(turn.budgetUsd !== null && !turn.extraArgs.includes(BUDGET_FLAG) ? [BUDGET_FLAG, String(turn.budgetUsd)] : []),
    ...turn.extraArgs,
    ...toolFlags(turn),
  ];
  return {
    file: file ?? "claude",
    args,
    env: {
      // A background task's end comes after the first `result`; unattended work wants one result, the last.
      CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: "1",
      DISABLE_AUTOUPDATER: "1",
      ...placeAndSize(setup, turn),
      // A call of the model's for the title of a terminal that is not there; 2.1.197 makes it, and no record tells of it.
      CLAUDE_CODE_DISABLE_TERMINAL_TITLE: "1",
    },
    stdin: turn.prompt,
  };
}

function talkTo(setup: Setup, talk: Talk): Start {
  const [file, ...before] = setup.command;
  const settings = talk.spool === null ? [] : ["--settings", talk.spool.settings];
  const prompt = talk.prompt === null ? [] : ["--", talk.prompt];
  const args = [...before, ...conversationFlags(talk), ...settings, ...talk.extraArgs, ...toolFlags(talk), ...prompt];
  return {
    file: file ?? "claude",
    args,
    env: { ...placeAndSize(setup, talk), ...(talk.spool && { [SPOOL_VARIABLE]: talk.spool.file }) },
    settings: talk.spool && JSON.stringify({ hooks: stateHooks(talk.spool) }, null, 2),
  };
}

/** What turns and conversations have in common. */
type Spoken = Omit<Turn, "prompt" | "budgetUsd">;

/** Events that say what an interactive session does: it has begun, works, is through with its turn, asks for a permission, has ended. */
const STATE_EVENTS = [
  "SessionStart",
  "UserPromptSubmit",
  "PreToolUse",
  "PostToolUse",
  "PermissionRequest",
  "Notification",
  "Stop",
  "StopFailure",
  "SessionEnd",
];

/** Hooks are commands of a shell: names of files are quoted. They are laid over the user's own settings, which stay in force. One that asks for
 *  leave waits for an answer from elsewhere for an hour (seconds here), beside the dialog on the screen. */
function stateHooks({ file, script }: { file: string; script: string }): Record<string, unknown> {
  const quote = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;
  return Object.fromEntries(
    STATE_EVENTS.map((event) => {
      const command = `exec sh ${quote(script)} ${event} ${quote(file)}`;
      return [event, [{ hooks: [{ type: "command", command, timeout: event === "PermissionRequest" ? 3_700 : 5 }] }]];
    }),
  );
}

function conversationFlags({ permissionMode, model, resume, session }: Spoken): string[] {
  return [
    "--permission-mode",
    // Its own default may be `auto`, which needs a service of the vendor's.
    permissionMode ?? "acceptEdits",
    ...(model ? ["--model", model] : []),
    ...(resume ? ["--resume", session] : ["--session-id", session]),
  ];
}

/** Takes every following argument, so it comes last. */
function toolFlags({ allowedTools }: Spoken): string[] {
  return allowedTools.length > 0 ? ["--allowedTools", ...allowedTools] : [];
}

function placeAndSize(setup: Setup, { maxTokens }: Spoken): Record<string, string> {
  return {
    // It works elsewhere than we do: a relative folder would be another, inside the worktree.
    ...(setup.env["CLAUDE_CONFIG_DIR"] ? { CLAUDE_CONFIG_DIR: configDir(setup.env) } : {}),
    ...(maxTokens === null ? {} : { CLAUDE_CODE_MAX_OUTPUT_TOKENS: String(maxTokens) }),
  };
}

/** The file in which Claude Code keeps what it remembers of its user and their projects. */
export function claudeStateFile(env: NodeJS.ProcessEnv): string {
  const folder = configDir(env);
  return env["CLAUDE_CONFIG_DIR"] ? join(folder, ".claude.json") : `${folder}.json`;
}

const BUDGET_FLAG = "--max-budget-usd";

/** In the order in which Claude Code prefers them (2.1.329). */
function findLogin(env: NodeJS.ProcessEnv): Login {
  const cloud = ["BEDROCK", "VERTEX", "FOUNDRY"].find((name) => env[`CLAUDE_CODE_USE_${name}`]);
  if (cloud !== undefined) return { state: "unknown", detail: `by the cloud (CLAUDE_CODE_USE_${cloud})` };
  const variable = ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"].find((name) => env[name]);
  if (variable !== undefined) return { state: "found", detail: `the variable ${variable}`, variable };
  const folder = configDir(env);
  const settings = join(folder, "settings.json");
  if (holdsLogin(readJson(settings))) return { state: "found", detail: settings };
  const credentials = join(folder, ".credentials.json");
  // A login that ended is left behind with empty tokens.
  if (text(record(readJson(credentials)["claudeAiOauth"])["accessToken"]))
    return { state: "found", detail: credentials };
  const state = claudeStateFile(env);
  if (text(readJson(state)["primaryApiKey"])) return { state: "found", detail: state };
  const hint = "log in: claude, then /login; or set ANTHROPIC_API_KEY";
  return process.platform === "darwin"
    ? { state: "unknown", detail: "perhaps in the keychain, where only Claude Code looks", hint }
    : { state: "missing", detail: `no variable, ${whyNoLogin(credentials)}`, hint };
}

/** Of a login by `/login` its file tells no account, and holds another secret every few hours: whose it is stands beside what Claude Code remembers. Null
 *  also where settings may bring another login or another API than is seen here. */
function findAccount(env: NodeJS.ProcessEnv, root: string): string | null {
  const { state, variable } = findLogin(env);
  const own = ["settings.json", "settings.local.json"].map((name) => join(root, ".claude", name));
  const settings = [join(configDir(env), "settings.json"), ...own];
  if (state !== "found" || settings.some((file) => bringsLogin(readJson(file)))) return null;
  const whose = variable === undefined ? loggedIn(env) : text(env[variable]);
  return whose === "" ? null : JSON.stringify([whose, env["ANTHROPIC_BASE_URL"], env["ANTHROPIC_CUSTOM_HEADERS"]]);
}

/** The account that was logged in to; empty where that is not known. */
function loggedIn(env: NodeJS.ProcessEnv): string {
  const state = readJson(claudeStateFile(env));
  const { accountUuid, organizationUuid } = record(state["oauthAccount"]);
  return text(accountUuid) === "" ? "" : `${text(accountUuid)} ${text(organizationUuid)}`;
}

function bringsLogin(settings: Json): boolean {
  const names = Object.keys(record(settings["env"]));
  return text(settings["apiKeyHelper"]) !== "" || names.some((name) => BRINGS_LOGIN.test(name));
}

const BRINGS_LOGIN = /^(ANTHROPIC_(AUTH_TOKEN|API_KEY|BASE_URL|CUSTOM_HEADERS)|CLAUDE_CODE_(OAUTH_TOKEN|USE_.*))$/;

/** What is there and holds nothing is not "not there": it is damaged, or of a login that ended. */
function whyNoLogin(credentials: string): string {
  if (!existsSync(credentials)) return `no ${credentials}`;
  const isRead = Object.keys(readJson(credentials)).length > 0;
  return `and ${credentials} ${isRead ? "holds no login" : "cannot be read: it is damaged or not ours to read"}`;
}

function holdsLogin(settings: Json): boolean {
  const env = record(settings["env"]);
  return (
    text(settings["apiKeyHelper"]) !== "" ||
    ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"].some((name) => text(env[name]))
  );
}
