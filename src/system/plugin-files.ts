/** The plugin for Claude Code as it lies in this package: its folder, its slash commands, its hooks and their script. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Hooks } from "../core/claude-settings.ts";
import { OwtError } from "../core/errors.ts";

/** The one script of all hooks, by its path in the plugin. */
const HOOK_SCRIPT = "hooks/owt.sh";

/** Throws `environment` where the package is not whole. */
export function pluginFolder(): string {
  const here = import.meta.dirname;
  // Of the bundle, of a bundle of one command, of the source.
  const found = ["..", "../..", "../../.."].map((up) => join(here, up, "plugin")).find((path) => isPlugin(path));
  if (found !== undefined) return found;
  throw new OwtError("environment", "the plugin for Claude Code is missing", { hint: "install owt again" });
}

export function readHookScript(): string {
  return readFileSync(join(pluginFolder(), HOOK_SCRIPT), "utf8");
}

/** The texts of the slash commands by the names of their files. */
export function readSlashCommands(): Record<string, string> {
  const folder = join(pluginFolder(), "commands");
  return Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

/** The plugin's hooks: by event, what Claude Code is to run for it. */
export function readHooks(): Hooks {
  const text = readFileSync(join(pluginFolder(), "hooks", "hooks.json"), "utf8");
  return (JSON.parse(text) as { hooks: Hooks }).hooks;
}

function isPlugin(path: string): boolean {
  return existsSync(join(path, HOOK_SCRIPT));
}
