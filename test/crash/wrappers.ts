/** Kills what a reboot would take along: the git processes of owt, and the wrappers that own the process trees of agents and checks. */
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Kills every living wrapper of a repository and returns the attempts whose agent went with it. */
export function killWrappers(repo: string): number[] {
  const folder = join(repo, ".git", "owt", "attempts");
  if (!existsSync(folder)) return [];
  const claims = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.name === "claim",
  );
  return claims.flatMap((entry) => {
    const [, pid = "0", , start = ""] = readClaim(join(entry.parentPath, entry.name)).split(" ");
    // A number that was given out again is a stranger's.
    if (Number(pid) <= 1 || startOf(pid) !== start) return [];
    kill(Number(pid));
    return dirname(entry.parentPath) === folder ? [Number(basename(entry.parentPath))] : [];
  });
}

/** A line of a file, or where a link leads. */
function readClaim(path: string): string {
  return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : readFileSync(path, "utf8").trimEnd();
}

type Known = { pid: string; start: string };

/** The children of a process, and theirs, but for the wrappers, which lead sessions of their own. */
export function descendantsOf(root: number): Known[] {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => ({ pid, fields: fieldsOf(pid) }));
  const found: Known[] = [];
  for (const parents = [String(root)]; parents.length > 0;) {
    const parent = parents.pop();
    for (const { pid, fields } of all) {
      if (fields[1] !== parent || fields[3] === pid) continue;
      found.push({ pid, start: fields[19]! });
      parents.push(pid);
    }
  }
  return found;
}

export function killAll(processes: Known[]): void {
  for (const { pid, start } of processes) if (startOf(pid) === start) kill(Number(pid));
}

/** One that has just gone is dead enough. */
function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    return;
  }
}

/** What /proc says of a process after its name: state, parent, group, session, …; nothing when it has gone. */
function fieldsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ");
  } catch {
    return [];
  }
}

function startOf(pid: string): string | undefined {
  const fields = fieldsOf(pid);
  return fields[0] === "Z" ? undefined : fields[19];
}
