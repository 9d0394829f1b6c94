/** Finds and reads prompt templates where they lie: beside the repository's plan, in the user's configuration, in this package. */
import { existsSync, readdirSync, readFileSync, realpathSync, type Stats, statSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import type { Layer } from "../core/config.ts";
import { OwtError } from "../core/errors.ts";
import { lstatIfThere, statIfThere } from "./files.ts";
import { userConfigDir, userConfigHome } from "./config-files.ts";

export type PromptOrigin = "environment" | "project" | "user" | "built-in";

/** A folder of templates; `shown` is how a person would name it. */
export type PromptFolder = { origin: PromptOrigin; path: string; shown: string; exists: boolean };

/** A template as it lies on disk. */
export type PromptFile = { origin: PromptOrigin; file: string; text: string };

/** The folders of the plan orchestrator, whose templates work here unchanged. */
const SEED_PROJECT = [".claude-orchestrator"];
const SEED_USER = ["claude-orchestrator", "claude-plan-orchestrator"];

const MAX_BYTES = 1_000_000;

/** Where templates are looked for, the first that has one wins. `[prompts] override_dir` stands in front of the folders of the place
 *  that sets it: the repository's before the repository's own, the user's before the user's. Throws `config` when it is not there. */
export function promptFolders(root: string, layers: readonly Layer[], env: NodeJS.ProcessEnv): PromptFolder[] {
  const configured = (origins: Layer["origin"][], origin: PromptOrigin, base: string) =>
    layers
      .filter((layer) => origins.includes(layer.origin) && layer.values.prompts?.override_dir !== undefined)
      .toReversed()
      .map((layer) => overrideFolder(layer, origin, base, root, env));
  const folder = (origin: PromptOrigin, path: string): PromptFolder => ({
    origin,
    path,
    shown: shownPath(path, root, env),
    exists: existsSync(path),
  });
  return [
    ...configured(["flag", "environment"], "environment", root),
    ...configured(["repository"], "project", root),
    ...[".owt", ...SEED_PROJECT].map((name) => folder("project", join(root, name, "prompts"))),
    ...configured(["user"], "user", userConfigDir(env)),
    folder("user", join(userConfigDir(env), "prompts")),
    ...SEED_USER.map((name) => folder("user", join(userConfigHome(env), name, "prompts"))),
    folder("built-in", builtInFolder()),
  ];
}

function overrideFolder(
  layer: Layer,
  origin: PromptOrigin,
  base: string,
  root: string,
  env: NodeJS.ProcessEnv,
): PromptFolder {
  const written = layer.values.prompts!.override_dir!;
  const path = resolve(base, written.replace(/^~(?=\/|$)/, env["HOME"] ?? homedir()));
  const isFolder = statIfThere(path)?.isDirectory() ?? false;
  if (!isFolder) {
    throw new OwtError("config", `${layer.name} [prompts] override_dir: ${written} is not a folder`, {
      hint: `make it (mkdir -p ${path}), or correct the key`,
    });
  }
  if (layer.origin === "repository" && !isInside(realpathSync(root), realpathSync(path))) {
    throw new OwtError("config", `${layer.name} [prompts] override_dir: ${written} leads out of the repository`, {
      hint: "a repository's templates lie in it; a folder of your own is named in your config.toml or OWT_PROMPTS_OVERRIDE_DIR",
    });
  }
  return { origin, path, shown: shownPath(path, root, env), exists: true };
}

/** The template of that name in a folder, or null. Throws `config` for one that cannot be read, or that leads out of the repository. */
export function readPromptFile(folder: PromptFolder, name: string, root: string): PromptFile | null {
  const path = join(folder.path, name);
  if (!lstatIfThere(path)) return null;
  const file = join(folder.shown, name);
  const refuse = (why: string, hint: string) => new OwtError("config", `${file} ${why}`, { hint });
  const stat = statOf(path);
  if (!stat) throw refuse("is a link that leads nowhere", "correct the link, or remove it");
  // What the repository brings is read only where it is the repository's own.
  if (isInside(root, path) && !isInside(realpathSync(root), realpathSync(path)))
    throw refuse("leads out of the repository", "copy the file into the repository");
  if (!stat.isFile()) throw refuse("is not a file", "a template is a text file");
  if (stat.size > MAX_BYTES) throw refuse("is larger than 1 MB", "a template is a text that an agent can read");
  try {
    return { origin: folder.origin, file, text: new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path)) };
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    if (code === "ERR_ENCODING_INVALID_ENCODED_DATA") throw refuse("is not UTF-8", "save it as UTF-8");
    throw new OwtError("config", `${file} cannot be read (${code})`, { hint: "check its permissions", cause });
  }
}

function statOf(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null;
  }
}

/** The templates that lie in a folder, as names below it: its own files and those one folder down. */
export function listPromptFiles(folder: PromptFolder): string[] {
  if (!folder.exists) return [];
  const markdown = (path: string) =>
    readdirSync(path, { withFileTypes: true }).filter((entry) => entry.name.endsWith(".md") && !entry.isDirectory());
  const folders = readdirSync(folder.path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [
    ...markdown(folder.path).map((entry) => entry.name),
    ...folders.flatMap((each) => markdown(join(folder.path, each.name)).map((entry) => `${each.name}/${entry.name}`)),
  ].sort();
}

/** Beside the bundle, or at the root of a clone that runs from its sources. */
function builtInFolder(): string {
  const here = import.meta.dirname;
  const found = [join(here, "..", "prompts"), join(here, "..", "..", "prompts")].find((path) =>
    existsSync(join(path, "epic", "task.md")),
  );
  if (!found) throw new OwtError("environment", "the built-in prompts are missing", { hint: "install owt again" });
  return found;
}

/** From the repository's root where it lies inside it, with ~ where it lies at home. */
function shownPath(path: string, root: string, env: NodeJS.ProcessEnv): string {
  if (isInside(root, path)) return relative(root, path) || ".";
  const home = env["HOME"] ?? homedir();
  return isAbsolute(home) && isInside(home, path) && path !== home ? join("~", relative(home, path)) : path;
}

function isInside(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
