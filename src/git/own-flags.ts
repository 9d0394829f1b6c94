/** The options with which owt runs git, the same each time. Nothing is imported here: who only tells of a git that was run needs no more. */

/** Settings of every git that we run: what an agent may have planted is not run by it. */
export const HARDENED = [
  "core.fsmonitor=false",
  "core.hooksPath=/dev/null",
  "core.pager=cat",
  "core.editor=false",
  "core.sshCommand=false",
  "core.askPass=",
  "core.alternateRefsCommand=true",
  "gpg.program=false",
  "commit.gpgSign=false",
  "log.showSignature=false",
  "credential.helper=",
  "protocol.ext.allow=never",
  "submodule.recurse=false",
  "diff.ignoreSubmodules=all",
  "core.untrackedCache=false",
  "rerere.enabled=false",
  "merge.verifySignatures=false",
  "pull.twohead=ort",
  "gc.auto=0",
  "maintenance.auto=false",
];

/** What stands before them. */
export const FIRST_FLAGS = ["--no-optional-locks", "--literal-pathspecs"];

/** git's own default is no fsync at all. */
export const FSYNC = "committed,reference";

/** A command line of git without them. */
export function withoutOwnFlags(words: readonly string[]): string[] {
  if (!words.includes("git")) return [...words];
  const settings = new Set([...HARDENED, `core.fsync=${FSYNC}`]);
  const isOwn = (word: string, at: number) =>
    FIRST_FLAGS.includes(word) ||
    (word === "-c" && settings.has(words[at + 1] ?? "")) ||
    (words[at - 1] === "-c" && settings.has(word));
  return words.filter((word, at) => !isOwn(word, at));
}

/** What a person has set for their own merges into a branch (`branch.<name>.mergeOptions`: --squash, --strategy, …) is not for ours: what stands before `merge`. */
export function usualMerge(branch: string): string[] {
  return ["-c", `branch.${branch}.mergeOptions=`];
}
