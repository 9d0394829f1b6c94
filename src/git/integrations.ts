/** What git itself tells of a run: the merges on its branch, each with the trailers of the task that it brought. */
import { entryAt } from "./changed-paths.ts";
import { fieldsOf, git, type Oid } from "./git.ts";
import { latin1Of } from "./quoted-names.ts";
import type { Repo } from "./repo.ts";
import { isSame } from "./tree.ts";

/** `commit` is where the run's branch stood once it held the task: its merge, or the merge around those of several tasks. `attempt` is 0 where the merge
 *  does not name one. */
export type Integration = { commit: Oid; run: string; task: string; attempt: number; verified: boolean };

/** The integrations on the first-parent line of `tip` that `base` does not have, oldest first. */
export async function readIntegrations(repo: Repo, base: Oid, tip: Oid): Promise<Integration[]> {
  const found: Integration[] = [];
  for (const merge of await readMerges(repo, base, tip)) {
    const [before = "", last = ""] = merge.parents;
    // Merges of single tasks, one upon the other, lie behind the second parent of the merge around them.
    const merges = merge.isGroup ? await readMerges(repo, before, last) : [merge];
    for (const { run, task, attempt, verified } of merges)
      if (run !== "" && task !== "") found.push({ commit: merge.commit, run, task, attempt, verified });
  }
  return found;
}

type Merge = Integration & { parents: Oid[]; isGroup: boolean };

async function readMerges(repo: Repo, base: Oid, tip: Oid): Promise<Merge[]> {
  const trailer = (key: string) => `%(trailers:key=${key},valueonly,separator=%x2C)`;
  const trailers = ["Owt-Run", "Owt-Task", "Owt-Attempt", "Owt-Verified", "Owt-Group"].map(trailer);
  const format = ["%H", "%P", ...trailers].join("%x09");
  const args = ["log", "-z", "--first-parent", "--merges", "--reverse", `--format=${format}`, `${base}..${tip}`, "--"];
  const { stdout } = await git(repo, args);
  return fieldsOf(stdout).map((line) => {
    const [commit = "", parents = "", run = "", task = "", attempt = "", verified = "", group = ""] = line
      .replace(/^\n/, "")
      .split("\t");
    return {
      commit,
      parents: parents.split(" "),
      run,
      task,
      attempt: Number(attempt) || 0,
      verified: verified === "yes",
      isGroup: group !== "" && task === "",
    };
  });
}

/** The tasks whose merges, among the commits of `tip` that `base` does not have, changed a path, the oldest first. */
export async function tasksThatChanged(repo: Repo, base: Oid, tip: Oid, path: string): Promise<string[]> {
  const trailer = "%(trailers:key=Owt-Task,valueonly,separator=%x2C)";
  const args = ["log", "-z", "--merges", "--reverse", `--format=%H%x09%P%x09${trailer}`, `${base}..${tip}`, "--"];
  const name = latin1Of(path);
  const tasks: string[] = [];
  for (const line of fieldsOf((await git(repo, args)).stdout)) {
    const [commit = "", parents = "", task = ""] = line.replace(/^\n/, "").split("\t");
    if (task === "") continue;
    const before = await entryAt(repo, parents.split(" ")[0]!, name);
    if (!isSame(before, await entryAt(repo, commit, name))) tasks.push(task.trim());
  }
  return [...new Set(tasks)];
}
