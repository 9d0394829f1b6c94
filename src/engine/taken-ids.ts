/** Finds the names that an earlier store of this repository gave, so that a new one gives none of them again. */
import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { listRefs } from "../git/branch.ts";
import type { Repo } from "../git/repo.ts";
import { listCheckouts } from "../git/list-worktrees.ts";
import type { TakenIds } from "../store/ids.ts";

/** The highest numbers of runs and attempts that a branch, a rescue, a worktree below `home` or an attempt's folder bears. */
export async function findTakenIds(repo: Repo, home: string): Promise<TakenIds> {
  const refs = await listRefs(repo, ["refs/heads/owt/", "refs/owt/rescue/"]);
  const folders = (await listCheckouts(repo)).map(({ path }) => path).filter((path) => dirname(path) === home);
  const names = [...refs, ...folders.map((path) => basename(path))];
  return {
    runs: highest(names, RUN_NAMES),
    attempts: Math.max(highest(names, ATTEMPT_NAMES), highest(listFolders(attemptsFolder(repo)), [/^(\d+)$/])),
  };
}

/** Where the folders of attempts lie. */
export function attemptsFolder(repo: Pick<Repo, "commonDir">): string {
  return join(repo.commonDir, "owt", "attempts");
}

/** The numbers of the attempts that have a folder. */
export function listAttemptFolders(repo: Pick<Repo, "commonDir">): number[] {
  return listFolders(attemptsFolder(repo)).flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}

/** The folders in a folder, which need not exist. */
function listFolders(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return [];
  }
}

const RUN_NAMES = [/^refs\/heads\/owt\/runs\/r(\d+)$/, /^refs\/owt\/rescue\/r(\d+)-/, /^r(\d+)$/];
const ATTEMPT_NAMES = [
  /^refs\/heads\/owt\/tasks\/.+\/(\d+)$/,
  /^refs\/owt\/rescue\/r\d+-.+-(\d+)(?:-[a-z]+)?$/,
  /^(?!refs\/).+-(\d+)$/,
];

function highest(names: readonly string[], patterns: readonly RegExp[]): number {
  const numbers = names.flatMap((name) => patterns.map((pattern) => Number(pattern.exec(name)?.[1] ?? 0)));
  return Math.max(0, ...numbers.filter((number) => Number.isSafeInteger(number)));
}
