/** What git itself tells of a run: the merges on its branch, each with the trailers of the task that it brought. */
import { fieldsOf, git, type Oid } from "./git.ts";
import type { Repo } from "./repo.ts";

/** `attempt` is 0 where the merge does not name one. */
export type Integration = { commit: Oid; run: string; task: string; attempt: number; verified: boolean };

/** The integrations on the first-parent line of `tip` that `base` does not have, oldest first. */
export async function readIntegrations(repo: Repo, base: Oid, tip: Oid): Promise<Integration[]> {
  const trailer = (key: string) => `%(trailers:key=${key},valueonly,separator=%x2C)`;
  const format = ["%H", ...["Owt-Run", "Owt-Task", "Owt-Attempt", "Owt-Verified"].map(trailer)].join("%x09");
  const { stdout } = await git(repo, [
    "log",
    "-z",
    "--first-parent",
    "--merges",
    "--reverse",
    `--format=${format}`,
    `${base}..${tip}`,
    "--",
  ]);
  return fieldsOf(stdout).flatMap((line) => {
    const [commit = "", run = "", task = "", attempt = "", verified = ""] = line.trim().split("\t");
    return run === "" || task === ""
      ? []
      : [{ commit, run, task, attempt: Number(attempt) || 0, verified: verified === "yes" }];
  });
}
