/** Reads the configuration from where it lies: user file, repository file, environment. All problems at once. */
import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { parse, TomlError } from "smol-toml";
import {
  checkConfig,
  type Config,
  configFromEnvironment,
  type ConfigProblem,
  type ConfigValues,
  type Layer,
  mergeConfig,
} from "../core/config.ts";
import { OwtError } from "../core/errors.ts";
import { type Prices, SHIPPED_PRICES, withUserPrices } from "../core/prices.ts";

export type LoadedConfig = { config: Config; layers: Layer[]; prices: Prices };

/** `$XDG_CONFIG_HOME/open-orchestrator`, by default `~/.config/open-orchestrator`. */
export function userConfigDir(env: NodeJS.ProcessEnv = process.env): string {
  return join(userConfigHome(env), "open-orchestrator");
}

/** `$XDG_CONFIG_HOME`, by default `~/.config`. */
export function userConfigHome(env: NodeJS.ProcessEnv = process.env): string {
  return env["XDG_CONFIG_HOME"] || join(home(env), ".config");
}

/** `$XDG_STATE_HOME/open-orchestrator`, by default `~/.local/state/open-orchestrator`. */
export function userStateDir(env: NodeJS.ProcessEnv = process.env): string {
  return join(env["XDG_STATE_HOME"] || join(home(env), ".local", "state"), "open-orchestrator");
}

/** What `node:os` would say, without loading it: 3 ms of each start. */
function home(env: NodeJS.ProcessEnv): string {
  return env["HOME"] || homedir();
}

/** The configuration for a repository. `flags` win over everything; `file` stands in for `.worktreerc`.
 *  Throws `config` with every problem of every file. */
export function loadConfig(
  root: string,
  options: { flags?: ConfigValues; file?: string; env?: NodeJS.ProcessEnv; agentKinds?: readonly string[] } = {},
): LoadedConfig {
  const env = options.env ?? process.env;
  const problems: string[] = [];
  const layers: Layer[] = [];
  const add = (origin: Layer["origin"], name: string, text: string | null, raw?: unknown) => {
    if (text === null && raw === undefined) return;
    const checked =
      text === null ? checkConfig(raw, options.agentKinds) : checkFile(name, text, problems, options.agentKinds);
    if (!checked) return;
    if ("values" in checked) layers.push({ origin, name, values: checked.values });
    else problems.push(...checked.problems.map((problem) => renderProblem(name, text, problem)));
  };
  const userFile = join(userConfigDir(env), "config.toml");
  add("user", userFile, readIfThere(userFile));
  if (options.file === undefined) add("repository", ".worktreerc", readIfThere(join(root, ".worktreerc")));
  else add("repository", options.file, readFileSync(options.file, "utf8"));
  add("environment", "environment", null, configFromEnvironment(env));
  add("flag", "flags", null, options.flags ?? {});
  const prices = readPrices(join(userConfigDir(env), "prices.json"), problems);
  if (problems.length > 0) {
    throw new OwtError("config", problems.join("\n"), { hint: "correct the file and run the command again" });
  }
  return { config: mergeConfig(layers), layers, prices };
}

/** The user's own prices before ours. A repository brings none: it must not make its own work look cheap. */
function readPrices(path: string, problems: string[]): Prices {
  const text = readIfThere(path);
  if (text === null) return SHIPPED_PRICES;
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    problems.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
    return SHIPPED_PRICES;
  }
  const read = withUserPrices(raw);
  if ("prices" in read) return read.prices;
  problems.push(...read.problems.map((problem) => `${path} ${problem}`));
  return SHIPPED_PRICES;
}

function checkFile(name: string, text: string, problems: string[], agentKinds?: readonly string[]) {
  try {
    return checkConfig(parse(text), agentKinds);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    problems.push(`${name}:${error.line}:${error.column} ${error.message.split("\n")[0]}`);
    return null;
  }
}

function renderProblem(name: string, text: string | null, problem: ConfigProblem): string {
  const line = text === null ? "" : `:${lineOf(text, problem.key)}`;
  return `${name}${line} ${problem.key}: ${problem.message} (${problem.hint})`;
}

/** The line on which a key stands, or the nearest table around it; the file's first line when it cannot be told. */
function lineOf(text: string, key: string): number {
  let table = "";
  let best = { line: 1, length: 0 };
  for (const [index, line] of text.split("\n").entries()) {
    const header = /^\s*\[\[?([^\]]+)\]/.exec(line)?.[1];
    if (header !== undefined) table = plainKey(header);
    const name = header === undefined ? /^([^=#]+)=/.exec(line)?.[1] : "";
    if (name === undefined) continue;
    const path = [table, plainKey(name)].filter(Boolean).join(".");
    if (path.length > best.length && `${key}.`.startsWith(`${path}.`)) best = { line: index + 1, length: path.length };
  }
  return best.line;
}

/** `agent . "my agent"` as `agent.my agent`. */
function plainKey(text: string): string {
  return text
    .split(".")
    .map((part) => part.trim().replaceAll(/^["']|["']$/g, ""))
    .join(".");
}

function readIfThere(path: string): string | null {
  try {
    // Most of them are not there, and an answer costs less than an error.
    if (!statSync(path, { throwIfNoEntry: false })) return null;
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw new OwtError("config", `${path} cannot be read`, { cause: error });
  }
}
