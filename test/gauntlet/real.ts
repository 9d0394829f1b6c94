/** What only the real Claude Code can show: how it tells a usage limit, overloads and a refused key, and how it goes on after a kill. It asks a fake API on
 *  loopback, which answers by the task that a request is about. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { claudeBinary } from "../rig/claude-binary.ts";
import { credentials, usageLimit } from "../rig/claude-login.ts";
import { type Answer, type FakeApi, type Script, startFakeApi } from "../rig/fake-api.ts";
import type { GauntletTask } from "./tasks.ts";

export type RealClaude = AsyncDisposable & {
  binary: string;
  tasks: GauntletTask[];
  /** What `.worktreerc` holds of it. */
  config: string;
};

/** Logins by the name of their agent. They are in folders of their own, so that a limit or a refused key holds nobody else. */
const LOGINS = ["real", "real-limit", "real-expired"] as const;
const LIMIT_SECONDS = 5;

const TASKS: GauntletTask[] = [
  {
    name: "real-limited",
    does: "the real Claude Code hits a usage limit",
    front: { agent: "real-limit" },
    ending: { is: "integrated" },
    shows: ["limit"],
  },
  {
    name: "real-overloaded",
    does: "the real Claude Code meets two overloads",
    front: { agent: "real" },
    ending: { is: "integrated" },
    shows: ["transient", "transient"],
  },
  {
    name: "real-expired",
    does: "the real Claude Code with an expired key",
    front: { agent: "real-expired" },
    ending: { is: "parked", why: "^auth: ", command: "^owt task retry real-expired/E01$" },
    shows: ["auth"],
  },
  {
    name: "real-killed",
    does: "the real Claude Code is killed in a tool",
    front: { agent: "real", priority: "high" },
    ending: { is: "integrated" },
    shows: ["lost"],
  },
];

/** The pinned Claude Code with an API; null where it was not fetched (`node scripts/fetch-agents.ts`). `home` is for its logins. */
export async function startRealClaude(home: string): Promise<RealClaude | null> {
  const binary = claudeBinary();
  if (!existsSync(binary)) return null;
  const api = await startFakeApi(scriptOf(), limitOf());
  for (const login of LOGINS) putLogin(join(home, login), login);
  return {
    binary,
    tasks: TASKS,
    config: LOGINS.map((login) => configOf(login, join(home, login), binary, api)).join("\n"),
    [Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
  };
}

/** A key in the settings is used up at once; a login of a subscription would be renewed elsewhere first. */
function putLogin(folder: string, login: (typeof LOGINS)[number]): void {
  mkdirSync(folder, { recursive: true });
  if (login === "real-expired")
    writeFileSync(join(folder, "settings.json"), JSON.stringify({ env: { ANTHROPIC_API_KEY: `sk-ant-${login}` } }));
  else writeFileSync(join(folder, ".credentials.json"), credentials(`sk-ant-oat01-${login}`), { mode: 0o600 });
}

function configOf(name: string, folder: string, binary: string, api: FakeApi): string {
  const env = {
    CLAUDE_CONFIG_DIR: folder,
    ANTHROPIC_BASE_URL: api.url,
    CLAUDE_CODE_MAX_RETRIES: "1",
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    DISABLE_TELEMETRY: "1",
    DISABLE_ERROR_REPORTING: "1",
  };
  const pairs = Object.entries(env).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  return `[agent.${name}]
kind = "claude"
command = [${JSON.stringify(binary)}]
allowed_tools = ["Bash(insist:*)", "Bash(sh hold.sh)"]
env = { ${pairs.join(", ")} }
`;
}

/** Refuses the second request of the limited login, and each one until the reset; and every request with the expired key. */
function limitOf(): NonNullable<Parameters<typeof startFakeApi>[1]> {
  let calls = 0;
  let resetsAt: number | null = null;
  return (headers) => {
    if (String(headers["x-api-key"]).includes("real-expired"))
      return { status: 401, type: "authentication_error", message: "invalid x-api-key" };
    if (!String(headers.authorization).includes("real-limit")) return null;
    if (++calls === 2) resetsAt = Math.ceil(Date.now() / 1_000) + LIMIT_SECONDS;
    return resetsAt !== null && Date.now() < resetsAt * 1_000 ? usageLimit(resetsAt) : null;
  };
}

function scriptOf(): Script {
  const overloaded = { error: { status: 529, type: "overloaded_error", message: "Overloaded" } };
  const limited = workOn("real-limited");
  const [half, commit, done] = workOn("real-overloaded");
  // Each start asks twice.
  const late = { ...commit!, first: [overloaded, overloaded, overloaded, overloaded] };
  const killed = workOn("real-killed");
  return {
    "real-limited/E01": { task: limited, resume: limited },
    "real-overloaded/E01": { task: [half!, late, done!], resume: [late, done!] },
    "real-expired/E01": { task: workOn("real-expired") },
    "real-killed/E01": {
      task: [{ say: "I wait.", use: [bash("sh hold.sh")] }, ...killed],
      resume: killed,
    },
  };
}

function workOn(name: string): Answer[] {
  return [
    { say: "I write.", use: [bash(`insist parts/${name}.txt 'sum 6' 1 2 3`)] },
    { use: [bash(`git add -A && git commit -q -m 'Work on ${name}'`)] },
    { say: "It is written." },
  ];
}

function bash(command: string) {
  return { name: "Bash", input: { command, description: "Do it" } };
}
