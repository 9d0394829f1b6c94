/** The plugin for Claude Code as it lies in this package: its folder, the script of its hooks. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
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

function isPlugin(path: string): boolean {
  return existsSync(join(path, HOOK_SCRIPT));
}
