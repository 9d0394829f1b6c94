/** What every benchmark needs: its options, a place in memory where there is one, and an environment that holds nothing of the machine's. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The built command. */
export const OWT = new URL("../bin/owt.js", import.meta.url).pathname;

/** The word behind `--name`. */
export function option(name: string, fallback: string): string {
  const at = process.argv.indexOf(`--${name}`);
  return at === -1 ? fallback : (process.argv[at + 1] ?? fallback);
}

export function flag(name: string): boolean {
  return process.argv.includes(`--${name}`);
}

export type Place = { home: string; env: NodeJS.ProcessEnv } & Disposable;

/** A folder that is gone afterwards, with a git that knows who commits; in memory where there is some to be had and nothing else is wished. */
export function makePlace(options: { below?: string } = {}): Place {
  const below = options.below ?? (existsSync("/dev/shm") ? "/dev/shm" : tmpdir());
  const home = mkdtempSync(join(below, "owt-bench-"));
  mkdirSync(join(home, "config", "open-orchestrator"), { recursive: true });
  const identity = "[user]\nname = Bench\nemail = bench@localhost\n[init]\ndefaultBranch = main\n";
  writeFileSync(join(home, "gitconfig"), identity);
  // Certificates are read at every start of Node and would hide what is ours.
  const env: NodeJS.ProcessEnv = {
    PATH: process.env["PATH"],
    HOME: home,
    XDG_STATE_HOME: join(home, "state"),
    XDG_CONFIG_HOME: join(home, "config"),
    XDG_CACHE_HOME: join(home, "cache"),
    GIT_CONFIG_GLOBAL: join(home, "gitconfig"),
    GIT_CONFIG_NOSYSTEM: "1",
  };
  return { home, env, [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }) };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
