/** Worktrees that people make by hand: how their folders are named, and which one a word means. */
import { OwtError } from "./errors.ts";
import { nearestHint } from "./names.ts";
import { shellWord } from "../lib/printable.ts";

/** A worktree as far as names go. */
export type Named = { path: string; branch: string | null };

/** What a pattern for names of folders can hold, in braces. */
export const NAME_PARTS = ["project", "branch"] as const;

/** The first placeholder of a pattern that stands for nothing; null where there is none. */
export function strangePart(pattern: string): string | null {
  const parts = pattern.match(/\{[^{}]*\}/g) ?? [];
  return parts.find((part) => !NAME_PARTS.some((name) => part === `{${name}}`)) ?? null;
}

/** The folder of a branch's worktree by the configured pattern: `{project}-{branch}` with slashes as dashes. Throws `config` for a pattern
 *  that would give every branch the same folder, or a path instead of a name. */
export function folderName(pattern: string, project: string, branch: string): string {
  if (!pattern.includes("{branch}"))
    throw new OwtError("config", `worktree.naming_pattern is "${pattern}": without {branch} all worktrees are one`, {
      hint: 'for example: naming_pattern = "{project}-{branch}"',
    });
  const name = pattern.replaceAll("{project}", project).replaceAll("{branch}", branch.replaceAll("/", "-"));
  if (/[/\\]/.test(name) || name === "." || name === "..")
    throw new OwtError("config", `worktree.naming_pattern gives "${name}", which is no name of a folder`, {
      hint: "the folder that it lies in is worktree.base_directory",
    });
  return name;
}

/** What a word on the command line can mean beside a name. */
export type Around = {
  /** Where the command was called. */
  here: string;
  /** The main checkout. */
  main: string;
  /** The worktree that was switched to before the last; null where there was none. */
  previous: string | null;
};

/** The worktree that a word means: `@` the current one, `^` the main one, `-` the one before, `pr:12` or `mr:12` that of a pull or merge request;
 *  else, the first of these that hits exactly one: its branch, the name of its folder, its path, the last part of its branch. Throws
 *  `unknown-name` with the nearest names, and `usage` where a word means several. */
export function findNamed<T extends Named>(word: string, worktrees: readonly T[], around: Around): T {
  const special = specialPath(word, around);
  if (special !== undefined) {
    const found = worktrees.find(({ path }) => path === special);
    if (found) return found;
    throw new OwtError("unknown-name", `${word} is no worktree: ${special ?? "none was switched to before"}`, {
      hint: "see which there are: owt list",
    });
  }
  const bare = word.replace(/\/+$/, "");
  const pull = /^(?:pr|mr):(\d+)$/.exec(word)?.[1];
  const ways: ((each: T) => boolean)[] = [
    ({ branch }) => branch === (pull === undefined ? word : `pr/${pull}`),
    ({ path }) => folderOf(path) === bare,
    ({ path }) => path === bare,
    ({ branch }) => branch?.split("/").at(-1) === word,
  ];
  for (const isMeant of ways) {
    const found = worktrees.filter(isMeant);
    if (found.length === 1) return found[0]!;
    if (found.length > 1)
      throw new OwtError("usage", `${word} may be any of ${found.map(nameOf).join(", ")}`, {
        hint: "name one by its branch or its path",
      });
  }
  const others = () => nearestHint(word, worktrees.flatMap(namesOf), "see which there are: owt list");
  throw new OwtError("unknown-name", `there is no worktree ${word}`, {
    hint: pull === undefined ? others() : `make it: owt create ${word}`,
  });
}

/** Undefined for an ordinary word. */
function specialPath(word: string, { here, main, previous }: Around): string | null | undefined {
  if (word === "@") return here;
  if (word === "^") return main;
  return word === "-" ? previous : undefined;
}

/** What a worktree is called on screen: its branch, or the name of its folder. */
export function nameOf({ path, branch }: Named): string {
  return branch ?? folderOf(path);
}

/** The same as a word of a command line: the folder of one that is on no branch may have any name. */
export function wordOf(worktree: Parameters<typeof nameOf>[0]): string {
  return shellWord(nameOf(worktree));
}

/** All that one can call it by. */
export function namesOf(worktree: Named): string[] {
  return [...new Set([worktree.branch, folderOf(worktree.path)].filter((name) => name !== null))];
}

function folderOf(path: string): string {
  return path.replace(/\/+$/, "").split("/").at(-1) ?? path;
}
