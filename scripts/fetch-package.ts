/** Fetches a package from npm into a folder, without installing it: no script of it runs. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

/** A line that needs longer than this is as good as none. */
const TIMEOUT_MS = 300_000;

/** Unpacked beside its place and renamed into it, so that the folder is whole once it is there. npm checks the integrity.
 *  `what` is a package with its version. `isThere` tells whether somebody who fetched at the same time was faster; theirs is as good. */
export function fetchPackage(what: string, folder: string, isThere: () => boolean): void {
  mkdirSync(dirname(folder), { recursive: true });
  const beside = mkdtempSync(`${folder}.`);
  try {
    console.error(`fetching ${what} (once, up to 166 MiB) …`);
    // Offline, npm's own retries would take a minute to say so.
    const patience = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000"];
    run("npm", ["pack", what, "--loglevel=error", ...patience, "--pack-destination", beside], beside);
    const archive = readdirSync(beside).find((name) => name.endsWith(".tgz"));
    if (archive === undefined) throw new Error(`npm pack left no archive of ${what}`);
    run("tar", ["-xzf", archive, "--no-same-owner"], beside);
    try {
      renameSync(join(beside, "package"), folder);
    } catch (error) {
      if (!isThere()) throw error;
    }
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}

function run(file: string, args: string[], cwd: string): void {
  execFileSync(file, args, { cwd, stdio: ["ignore", "ignore", "pipe"], timeout: TIMEOUT_MS });
}
