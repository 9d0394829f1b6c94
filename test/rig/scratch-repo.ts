/** A real repository in a directory of its own, for tests of `src/git`. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { openRepo, type Repo } from "../../src/git/repo.ts";

export type Scratch = AsyncDisposable & {
  /** The directory that holds everything. */
  top: string;
  /** The main checkout, on `main`, with one commit. */
  root: string;
  repo: Repo;
  /** Plain git, as a user or agent calls it. */
  git(cwd: string, ...args: string[]): string;
  write(cwd: string, files: Record<string, string | Buffer>): void;
  /** Writes and commits; gives the commit. */
  commit(cwd: string, files: Record<string, string>, message?: string): string;
};

export async function scratchRepo(name = "repo"): Promise<Scratch> {
  const top = realpathSync(mkdtempSync(join(tmpdir(), "owt-git-")));
  const root = join(top, name);
  mkdirSync(root);
  runGit(root, "init", "-q", "-b", "main");
  runGit(root, "config", "user.name", "Ann User");
  runGit(root, "config", "user.email", "ann@example.com");
  const write: Scratch["write"] = (cwd, files) => {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(cwd, path)), { recursive: true });
      writeFileSync(join(cwd, path), content);
    }
  };
  const commit: Scratch["commit"] = (cwd, files, message = "work") => {
    write(cwd, files);
    runGit(cwd, "add", "-A");
    runGit(cwd, "commit", "-q", "-m", message);
    return runGit(cwd, "rev-parse", "HEAD");
  };
  commit(root, { "a.txt": "one\ntwo\nthree\n", "dir/b.txt": "b\n", ".gitignore": "ignored/\n*.log\n" }, "start");
  const repo = await openRepo(root);
  const dispose = async (): Promise<void> => {
    await repo.close();
    rmSync(top, { recursive: true, force: true });
  };
  return { top, root, repo, git: runGit, write, commit, [Symbol.asyncDispose]: dispose };
}

/** Plain git without the variables of whoever runs the tests. Gives what it printed, without the last line break. */
export function runGit(cwd: string, ...args: string[]): string {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_")));
  return execFileSync("git", args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).replace(
    /\n$/,
    "",
  );
}
