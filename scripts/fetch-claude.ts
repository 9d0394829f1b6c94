/** Fetches the real Claude Code for the end-to-end tests into the user's cache, and prints where it is. Repeatable and safe to run twice
 *  at once. Whatever goes wrong it says so and ends well: the tests that need it are then skipped, with the reason. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  CLAUDE_VERSIONS,
  type ClaudeVersion,
  claudeBinary,
  claudeFolder,
  claudePackage,
} from "../test/rig/claude-binary.ts";

/** Up to 166 MiB; a line that needs longer than this is as good as none. */
const TIMEOUT_MS = 300_000;

for (const version of CLAUDE_VERSIONS) {
  try {
    if (!existsSync(claudeBinary(version))) fetchClaude(version);
    console.log(claudeBinary(version));
  } catch (error) {
    const why = (error instanceof Error ? error.message : String(error)).trim();
    console.error(`claude ${version} could not be fetched; the tests that drive it will be skipped\n${why}`);
  }
}

/** Unpacked beside its place and renamed into it, so that the folder is whole once it is there. npm checks the integrity. */
function fetchClaude(version: ClaudeVersion): void {
  const folder = claudeFolder(version);
  mkdirSync(dirname(folder), { recursive: true });
  const beside = mkdtempSync(`${folder}.`);
  try {
    const what = `${claudePackage()}@${version}`;
    console.error(`fetching ${what} (once, up to 166 MiB) …`);
    // Offline, npm's own retries would take a minute to say so.
    const patience = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000"];
    run("npm", ["pack", what, "--loglevel=error", ...patience, "--pack-destination", beside], beside);
    const archive = readdirSync(beside).find((name) => name.endsWith(".tgz"));
    if (archive === undefined) throw new Error(`npm pack left no archive of ${what}`);
    run("tar", ["-xzf", archive, "--no-same-owner"], beside);
    const fresh = join(beside, "package");
    chmodSync(claudeBinary(version).replace(folder, fresh), 0o755);
    renameOnto(fresh, folder, version);
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}

/** Somebody who fetched at the same time may have been faster; theirs is as good. */
function renameOnto(fresh: string, folder: string, version: ClaudeVersion): void {
  try {
    renameSync(fresh, folder);
  } catch (error) {
    if (!existsSync(claudeBinary(version))) throw error;
  }
}

function run(file: string, args: string[], cwd: string): void {
  execFileSync(file, args, { cwd, stdio: ["ignore", "ignore", "pipe"], timeout: TIMEOUT_MS });
}
