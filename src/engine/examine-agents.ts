/** What `owt doctor` knows of each agent: where its program is, which version, whether it is logged in, what its adapter can do. */
import { type Agent, type Capability, invokeNothing, type Login } from "../agents/agent.ts";
import { kindOf } from "../agents/registry.ts";
import { findUnsound, versionIn } from "../agents/versions.ts";
import { commandList, mergeConfig } from "../core/config.ts";
import { OwtError } from "../core/errors.ts";
import { exec } from "../system/exec.ts";
import { findProgram } from "../system/programs.ts";
import { grantsMissing } from "./approvals.ts";
import { type AgentSource, type Engine, environmentOf, findAgent, knownAgents } from "./engine.ts";

export type AgentReport = {
  name: string;
  kind: string;
  isDefault: boolean;
  /** `absent`: not installed, and nobody asked for it. */
  state: "pass" | "warn" | "absent";
  path: string | null;
  /** Null where the program has none, does not tell it, or may not be asked. */
  version: string | null;
  login: Login;
  capabilities: readonly Capability[];
  /** What is wrong, in words; empty when nothing is. */
  trouble: string[];
  hint: string | null;
};

type Surroundings = AgentSource & Pick<Engine, "layers">;

/** Outside of a repository: the agents that are there without any configuration. */
export function examineReadyAgents(env: NodeJS.ProcessEnv, owtCommand: string[]): Promise<AgentReport[]> {
  return examineAgents({ config: mergeConfig([]), layers: [], env, owtCommand, repo: { commonDir: "/" } });
}

/** Looks at every agent that `--agent` accepts. Nothing is asked of any service, and no program that the repository brings is started
 *  before the user approved it. */
export function examineAgents(engine: Surroundings): Promise<AgentReport[]> {
  return Promise.all(knownAgents(engine.config).map((name) => examineAgent(engine, name)));
}

async function examineAgent(engine: Surroundings, name: string): Promise<AgentReport> {
  const agent = findAgent(engine, name);
  const { about } = agent;
  const settings = engine.config.agent.named[name];
  const isDefault = engine.config.agent.default === name;
  const env = environmentOf(engine, agent);
  const { file } = invokeNothing(agent);
  const path = findProgram(file, engine.env);
  const base = {
    name,
    kind: kindOf(name, settings ?? {}) ?? name,
    isDefault,
    path,
    login: agent.login(env),
    capabilities: about.capabilities,
  };
  if (path === null) {
    const isWanted = isDefault || settings !== undefined;
    const hint = about.install ?? `install ${file}, or set [agent.${name}] command`;
    return { ...base, state: isWanted ? "warn" : "absent", version: null, trouble: [`${file} is not installed`], hint };
  }
  const { version, trouble } = await askVersion(engine, agent, path, env);
  const unsound = version === null ? null : findUnsound(about.unsound, version);
  if (unsound) trouble.push(`${unsound.reason} (${unsound.since})`);
  if (base.login.state === "missing") trouble.push(`not logged in: ${base.login.detail}`);
  const hint = unsound ? about.install : base.login.state === "missing" ? (base.login.hint ?? null) : null;
  return { ...base, state: trouble.length > 0 ? "warn" : "pass", version, trouble, hint };
}

/** A program that is slow even in saying its version is of no use either. */
const VERSION_TIMEOUT_MS = 8_000;

async function askVersion(
  engine: Surroundings,
  agent: Agent,
  path: string,
  env: Record<string, string>,
): Promise<{ version: string | null; trouble: string[] }> {
  if (agent.about.versionArgs === null) return { version: null, trouble: [] };
  if (!mayStart(engine, agent.name))
    return { version: null, trouble: ["this repository names its command, which is not approved: owt config approve"] };
  // What stands behind the program in the configuration belongs to it: `npx claude`.
  const [, ...before] = commandList(engine.config.agent.named[agent.name]?.command);
  try {
    const { stdout } = await exec(path, [...before, ...agent.about.versionArgs], {
      cwd: engine.repo.commonDir,
      env: { ...env, ...invokeNothing(agent).env },
      timeoutMs: VERSION_TIMEOUT_MS,
    });
    const version = versionIn(stdout);
    return { version, trouble: version === null ? ["it does not tell its version"] : [] };
  } catch (error) {
    if (!(error instanceof OwtError)) throw error;
    return { version: null, trouble: [`it does not run: ${error.message}`] };
  }
}

function mayStart(engine: Surroundings, name: string): boolean {
  const brought = engine.layers.flatMap(({ origin, name: where, values }) => {
    const command = origin === "repository" ? values.agent?.named[name]?.command : undefined;
    return command === undefined ? [] : [{ where, what: commandList(command).join(" ") }];
  });
  return grantsMissing(engine, brought).length === 0;
}
