/** The real Codex that the end-to-end tests drive: one pinned version, in the user's cache. `scripts/fetch-agents.ts` puts it there. */
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Pinned: its events and its words are what `src/agents/codex.ts` was measured on. */
const CODEX_VERSION = "0.169.0";

/** The package that is nothing but the binary and what it brings along, as npm asks for it. */
export function codexPackage(): string {
  return `@openai/codex@${CODEX_VERSION}-${process.platform}-${process.arch}`;
}

/** The folder of the version, which appears whole or not at all. */
export function codexFolder(): string {
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return join(cache, "open-orchestrator", "test-tools", `codex-${CODEX_VERSION}`);
}

/** Where the binary is; a path that does not exist where it was not fetched. */
export function codexBinary(): string {
  const vendor = join(codexFolder(), "vendor");
  const [target = "none"] = existsSync(vendor) ? readdirSync(vendor) : [];
  return join(vendor, target, "bin", process.platform === "win32" ? "codex.exe" : "codex");
}
