/** Kills what a reboot would take along: the wrappers that own the process trees of agents and checks. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Kills every living wrapper of a repository and returns the attempts whose agent went with it. */
export function killWrappers(repo: string): number[] {
  const folder = join(repo, ".git", "owt", "attempts");
  if (!existsSync(folder)) return [];
  const claims = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.name === "claim",
  );
  return claims.flatMap((entry) => {
    const [, pid = "0", , start = ""] = readlinkSync(join(entry.parentPath, entry.name)).split(" ");
    // A number that was given out again is a stranger's.
    if (Number(pid) <= 1 || startOf(pid) !== start) return [];
    process.kill(Number(pid), "SIGKILL");
    return dirname(entry.parentPath) === folder ? [Number(basename(entry.parentPath))] : [];
  });
}

function startOf(pid: string): string | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
