/** The real Claude Code that the end-to-end tests drive: one version, kept in the user's cache, never in the repository (its licence
 *  forbids to hand it on). `scripts/fetch-claude.ts` puts it there. */
import { homedir } from "node:os";
import { join } from "node:path";

/** Pinned: its event shapes are what `src/agents/claude.ts` was measured on, and its releases come daily. */
export const CLAUDE_VERSION = "2.1.329";

/** The package that is nothing but the binary. The well-known `@anthropic-ai/claude-code` has an install script; this has none. */
export function claudePackage(): string {
  const musl = process.platform === "linux" && !isGlibc() ? "-musl" : "";
  return `@anthropic-ai/claude-code-${process.platform}-${process.arch}${musl}`;
}

/** The folder with one version, which appears whole or not at all. */
export function claudeFolder(): string {
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return join(cache, "open-orchestrator", "test-tools", `claude-${CLAUDE_VERSION}`);
}

/** Where the binary is, or would be. */
export function claudeBinary(): string {
  return join(claudeFolder(), process.platform === "win32" ? "claude.exe" : "claude");
}

function isGlibc(): boolean {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime !== undefined;
}
