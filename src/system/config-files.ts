/** Reads the configuration from where it lies: user file, repository file, environment. All problems at once. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { parse, TomlError } from "smol-toml";
import {
  checkConfig,
  type Config,
  configFromEnvironment,
  type ConfigProblem,
  type Layer,
  mergeConfig,
  namedAgents,
  profileNames,
  soundPart,
  variableOf,
  withProfile,
} from "../core/config.ts";
import type { ConfigValues } from "../core/config-keys.ts";
import { OwtError } from "../core/errors.ts";
import { nearest } from "../core/names.ts";
import { type Prices, SHIPPED_PRICES, withUserPrices } from "../core/prices.ts";
import { statIfThere } from "./files.ts";
import { type Place, placeOf, placesOf } from "../core/toml-places.ts";

export type LoadedConfig = {
  config: Config;
  layers: Layer[];
  prices: Prices;
  /** What is wrong and was left out, a line each; only ever there where `tolerant` was asked for. */
  problems: string[];
};

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

/** Something wrong in one of the files, or in a variable. */
export type FileProblem = {
  /** A file, or the name of a variable. */
  file: string;
  /** Both count from 1; null for what is no file. */
  place: Place | null;
  /** The key as it is written there; null where the file as a whole is meant. */
  key: string | null;
  message: string;
  hint: string | null;
};

export type ReadConfig = {
  /** The weakest first, without those of a profile. */
  layers: Layer[];
  prices: Prices;
  problems: FileProblem[];
  /** Where was looked, the weakest first. */
  files: { origin: "user" | "repository"; name: string; path: string; found: boolean }[];
};

export type ConfigOptions = {
  flags?: ConfigValues;
  /** Stands in for `.worktreerc`. */
  file?: string;
  env?: NodeJS.ProcessEnv;
  agentKinds?: readonly string[];
  /** For who only looks at a run or steers it: what is wrong is left out and told instead of refused. A mistake in a file must not lock
   *  anybody out of agents that go on working. */
  tolerant?: boolean;
};

/** The configuration for a checkout (null: outside of one), with the profile that `OWT_PROFILE` names laid over its files. `flags` win over everything.
 *  Unless it is to be tolerant, throws `config` with every problem of every file, `unknown-name` for a profile that no file has. */
export function loadConfig(root: string | null, options: ConfigOptions = {}): LoadedConfig {
  const read = readConfig(root, options);
  const problems = read.problems.map(renderProblem);
  if (problems.length > 0 && !options.tolerant) {
    throw new OwtError("config", problems.join("\n"), {
      hint: "correct what is named, then look again: owt config validate",
    });
  }
  const profile = wantedProfile(options.env ?? process.env);
  const isLost = profile !== null && options.tolerant === true && !profileNames(read.layers).includes(profile);
  if (isLost) problems.push(`there is no profile ${profile}`);
  const layers = chooseProfile(read.layers, isLost ? null : profile);
  return { config: mergeConfig(layers), layers, prices: read.prices, problems };
}

/** The name of the profile that is wanted; null where none is. */
export function wantedProfile(env: NodeJS.ProcessEnv): string | null {
  return env["OWT_PROFILE"] || null;
}

/** The layers with a profile laid over the files. Throws `unknown-name` with the nearest names. */
function chooseProfile(layers: readonly Layer[], name: string | null): Layer[] {
  if (name === null) return [...layers];
  const known = profileNames(layers);
  if (known.includes(name)) return withProfile(layers, name);
  const close = nearest(name, known);
  const which = close.length > 0 ? `did you mean ${close.join(" or ")}?` : `there are ${known.join(", ")};`;
  const hint = `${which} look: owt config show --profile ${close[0] ?? known[0]}`;
  throw new OwtError("unknown-name", `there is no profile ${name}`, {
    hint:
      known.length > 0
        ? hint
        : `write one into .worktreerc: [profile.${name}.run] max_parallel = 2, then: owt config validate`,
  });
}

/** Reads all there is, and says all that is wrong with it. `root` is the top of a checkout, or null outside of one. */
export function readConfig(root: string | null, options: ConfigOptions = {}): ReadConfig {
  const env = options.env ?? process.env;
  const problems: FileProblem[] = [];
  const layers: Layer[] = [];
  const files: ReadConfig["files"] = [];
  const addFile = (origin: "user" | "repository", name: string, path: string, text: string | null) => {
    files.push({ origin, name, path, found: text !== null });
    if (text === null) return;
    const read = checkFile(name, text, options.agentKinds);
    if ("values" in read) layers.push({ origin, name, ...read });
    else {
      problems.push(...read.problems);
      if (options.tolerant) layers.push({ origin, name, ...soundLayer(name, text, options.agentKinds) });
    }
  };
  const userFile = join(userConfigDir(env), "config.toml");
  addFile("user", userFile, userFile, readIfThere(userFile));
  if (options.file !== undefined) addFile("repository", options.file, options.file, readFileSync(options.file, "utf8"));
  else if (root !== null) {
    const path = join(root, ".worktreerc");
    addFile("repository", ".worktreerc", path, readIfThere(path));
  }
  const variables = configFromEnvironment(env, [...(options.agentKinds ?? []), ...namedAgents(layers)]);
  const checked = checkConfig(variables, options.agentKinds);
  if ("problems" in checked) problems.push(...checked.problems.map(ofVariable));
  const values = "values" in checked ? checked.values : soundPart(variables, options.agentKinds);
  layers.push({ origin: "environment", name: "environment", values });
  layers.push({ origin: "flag", name: "flags", values: options.flags ?? {} });
  return { layers, prices: readPrices(join(userConfigDir(env), "prices.json"), problems), problems, files };
}

/** What is sound in the text of a configuration file in which something is wrong. */
export function soundLayer(
  file: string,
  text: string,
  agentKinds?: readonly string[],
): Pick<Layer, "values" | "source" | "unread"> {
  const beginning = soundBeginning(text);
  const unread = text.slice(beginning.text.length);
  return { values: soundPart(beginning.raw, agentKinds), source: { file, ...beginning }, unread };
}

/** What a file says above its first mistake of grammar: the longest beginning of whole lines that can be read. */
function soundBeginning(whole: string): { text: string; raw: unknown } {
  const lines = whole.split("\n");
  for (;;) {
    try {
      const text = lines.join("\n");
      return { text, raw: parse(text) };
    } catch (error) {
      if (!(error instanceof TomlError)) throw error;
      // What is never closed is noticed at the end.
      lines.length = Math.min(lines.length, Math.max(1, error.line)) - 1;
    }
  }
}

/** Reads the text of a TOML file and has it checked; what is wrong gets its place in the file, the first one first. */
export function readToml<Checked extends object>(
  file: string,
  text: string,
  check: (raw: unknown) => Checked | Wrong,
): { checked: Exclude<Checked, Wrong>; raw: unknown } | { problems: FileProblem[] } {
  let raw: unknown;
  try {
    raw = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const place = { line: error.line, column: error.column };
    return { problems: [{ file, place, key: null, message: error.message.split("\n")[0]!, hint: null }] };
  }
  const checked = check(raw);
  if (!isWrong(checked)) return { checked: checked as Exclude<Checked, Wrong>, raw };
  const places = placesOf(text);
  const problems = checked.problems.map((problem) => ({ file, place: placeOf(places, problem.key), ...problem }));
  return { problems: problems.toSorted((a, b) => a.place.line - b.place.line || a.place.column - b.place.column) };
}

/** What a check finds wrong, each under its key. */
type Wrong = { problems: readonly { key: string; message: string; hint: string | null }[] };

function isWrong(checked: object): checked is Wrong {
  return "problems" in checked;
}

/** Checks the text of one configuration file. */
export function checkFile(
  name: string,
  text: string,
  agentKinds?: readonly string[],
): { values: ConfigValues; source: { file: string; text: string; raw: unknown } } | { problems: FileProblem[] } {
  const read = readToml(name, text, (raw) => checkConfig(raw, agentKinds));
  if ("problems" in read) return read;
  return { values: read.checked.values, source: { file: name, text, raw: read.raw } };
}

/** `.worktreerc:6:3 run.max_parallel: expected at least 1, received 0 (what each key takes: …)` */
export function renderProblem({ file, place, key, message, hint }: FileProblem): string {
  const where = place === null ? file : `${file}:${place.line}:${place.column}`;
  return `${where}${key === null ? "" : ` ${key}`}: ${message}${hint === null ? "" : ` (${hint})`}`;
}

function ofVariable({ key, message, hint }: ConfigProblem): FileProblem {
  // What stands in a list has no variable of its own.
  const words = key.split(".").slice(0, key.startsWith("agent.") && key !== "agent.default" ? 3 : 2);
  return { file: variableOf(words.join(".")), place: null, key: null, message, hint };
}

/** The user's own prices before ours. A repository brings none: it must not make its own work look cheap. */
function readPrices(path: string, problems: FileProblem[]): Prices {
  const text = readIfThere(path);
  if (text === null) return SHIPPED_PRICES;
  const add = (message: string) => problems.push({ file: path, place: null, key: null, message, hint: null });
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    add(error instanceof Error ? error.message : String(error));
    return SHIPPED_PRICES;
  }
  const read = withUserPrices(raw);
  if ("prices" in read) return read.prices;
  for (const problem of read.problems) add(problem);
  return SHIPPED_PRICES;
}

function readIfThere(path: string): string | null {
  try {
    // Most of them are not there, and an answer costs less than an error.
    if (!statIfThere(path)) return null;
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw new OwtError("config", `${path} cannot be read`, {
      hint: `look: ls -l ${path}; then: owt doctor`,
      cause: error,
    });
  }
}
