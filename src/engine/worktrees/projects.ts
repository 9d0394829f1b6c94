/** The repositories of this machine in which worktrees of ours stand: those of the registry in which each worktree has its ports and names. */
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { listHolders, openLeases } from "../../store/worktree-leases.ts";
import { userStateDir } from "../../system/config-files.ts";
import { isGone } from "../worktree-lease.ts";

/** A repository by its common git directory, and a checkout of it. */
export type KnownProject = { commonDir: string; checkout: string };

/** Sorted by where they are; none where nothing was ever registered. */
export function knownProjects(env: NodeJS.ProcessEnv): KnownProject[] {
  const path = join(userStateDir(env), "leases.db");
  if (!existsSync(path)) return [];
  const leases = openLeases(path);
  try {
    const found = new Map<string, KnownProject>();
    for (const holder of listHolders(leases)) {
      // `<common git directory>/worktrees/<name>`
      const commonDir = dirname(dirname(holder.gitDir));
      if (found.has(commonDir) || isGone(holder)) continue;
      const main = basename(commonDir) === ".git" ? dirname(commonDir) : null;
      found.set(commonDir, { commonDir, checkout: main !== null && existsSync(main) ? main : holder.path });
    }
    return [...found.values()].toSorted((a, b) => (a.checkout < b.checkout ? -1 : 1));
  } finally {
    leases.close();
  }
}
