/** The real Claude Code that the end-to-end tests drive: two pinned versions, kept in the user's cache, never in the repository (its licence
 *  forbids to hand it on). `scripts/fetch-agents.ts` puts it there. */
import { homedir } from "node:os";
import { join } from "node:path";

/** Pinned: their event shapes are what `src/agents/claude.ts` was measured on, and releases come daily. The older one counts its cost
 *  otherwise over a resume, and says other words. */
export const CLAUDE_VERSIONS = ["2.1.329", "2.1.197"] as const;
export type ClaudeVersion = (typeof CLAUDE_VERSIONS)[number];

/** The package that is nothing but the binary. The well-known `@anthropic-ai/claude-code` has an install script; this has none. */
export function claudePackage(): string {
  const musl = process.platform === "linux" && !isGlibc() ? "-musl" : "";
  return `@anthropic-ai/claude-code-${process.platform}-${process.arch}${musl}`;
}

/** The folder with one version, which appears whole or not at all. */
export function claudeFolder(version: ClaudeVersion): string {
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return join(cache, "open-orchestrator", "test-tools", `claude-${version}`);
}

/** Where the binary is, or would be. */
export function claudeBinary(version: ClaudeVersion = CLAUDE_VERSIONS[0]): string {
  return join(claudeFolder(version), process.platform === "win32" ? "claude.exe" : "claude");
}

function isGlibc(): boolean {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime !== undefined;
}
