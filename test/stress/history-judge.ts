/** Judges how branches were integrated, by git alone: the same branches are merged in the same order with `git merge` in a worktree. Imports nothing of `src/`: what
 *  it judges must not judge itself. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

/** What is said to have happened, in this order: a branch came in, and where the run's branch stood at last; or it met a conflict there. */
export type Told = { head: string; came: "in" } | { head: string; came: "to-conflict" } | { stands: string };

/** Says what is wrong. `folder` has room for a worktree. */
export function judgeHistory(repo: string, folder: string, base: string, told: readonly Told[]): string[] {
  const defects: string[] = [];
  const worktree = join(folder, "judge");
  must(git(repo, "worktree", "add", "-q", "--detach", worktree, base));
  let tip = base;
  const heads: CameIn[] = [];
  for (const each of told) {
    if ("stands" in each) {
      defects.push(...judgeStep(repo, worktree, tip, each.stands));
      tip = each.stands;
      // From the same history on: a branch that took some of it in would else be merged from another base.
      must(git(worktree, "reset", "-q", "--hard", tip));
      continue;
    }
    const wasThere = isIn(repo, each.head, read(worktree, "HEAD"));
    const merged = git(worktree, "merge", "--no-ff", "-q", "-m", `merge ${each.head}`, each.head);
    const isClean = merged.status === 0;
    if (isClean !== (each.came === "in")) defects.push(`git merge ${each.head}: ${merged.stdout}${merged.stderr}`);
    if (each.came === "in") heads.push({ head: each.head, wasThere });
    else {
      git(worktree, "merge", "--abort");
      must(git(worktree, "reset", "-q", "--hard"));
      must(git(worktree, "clean", "-ffdxq"));
    }
  }
  defects.push(...judgeHeads(repo, base, tip, heads, told));
  const fsck = git(repo, "fsck", "--strict", "--no-dangling", "--no-progress");
  if (fsck.status !== 0 || fsck.stderr !== "") defects.push(`git fsck: ${fsck.stdout}${fsck.stderr}`);
  must(git(repo, "worktree", "remove", "--force", worktree));
  return defects;
}

/** The branch moved from one commit to the next, in one step, and has the tree that git's own merges lead to. */
function judgeStep(repo: string, worktree: string, from: string, to: string): string[] {
  const [is, ought] = [read(repo, `${to}^{tree}`), read(worktree, "HEAD^{tree}")];
  const line = git(repo, "rev-list", "--first-parent", `${from}..${to}`).stdout.trim();
  return [
    ...(is === ought ? [] : [`the tree of ${to} is ${is}, and git merge gives ${ought}`]),
    ...(from === to || line === to ? [] : [`between ${from} and ${to} lie others: ${line}`]),
  ];
}

/** Each branch that came in is the second parent of one merge, unless all of it was there already; what did not come in is not there. */
function judgeHeads(
  repo: string,
  base: string,
  tip: string,
  heads: readonly CameIn[],
  told: readonly Told[],
): string[] {
  const merges = must(git(repo, "rev-list", "--merges", "--parents", `${base}..${tip}`)).split("\n");
  const brought = merges.flatMap((row) => row.split(" ").slice(2));
  const tried = new Set(told.flatMap((each) => ("head" in each ? [each.head] : [])));
  const never = [...tried].filter((head) => !heads.some((each) => isIn(repo, head, each.head)));
  return [
    ...heads.filter(({ head }) => !isIn(repo, head, tip)).map(({ head }) => `${head} did not come in`),
    ...heads.flatMap(({ head, wasThere }) => {
      const times = brought.filter((each) => each === head).length;
      return times === 1 || (wasThere && times === 0) ? [] : [`${head} came in ${times} times`];
    }),
    ...never.filter((head) => isIn(repo, head, tip)).map((head) => `${head} is in`),
  ];
}

/** `wasThere`: another branch had brought all of it. */
type CameIn = { head: string; wasThere: boolean };

function isIn(repo: string, head: string, commit: string): boolean {
  return git(repo, "merge-base", "--is-ancestor", head, commit).status === 0;
}

function read(cwd: string, name: string): string {
  return git(cwd, "rev-parse", name).stdout.trim();
}

export function git(cwd: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_")));
  return spawnSync("git", args, { cwd, env: { ...env, GIT_CONFIG_NOSYSTEM: "1" }, encoding: "utf8" });
}

export function must(ran: { status: number | null; stdout: string; stderr: string }): string {
  if (ran.status !== 0) throw new Error(`git: ${ran.stdout}${ran.stderr}`);
  return ran.stdout.trim();
}
