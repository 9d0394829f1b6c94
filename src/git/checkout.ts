/** The checkout that a folder is in, also one that `openRepo` refuses: a repository without a commit. */
import { realpath } from "node:fs/promises";
import { exec } from "../system/exec.ts";
import { cleanEnv, gitFlags } from "./git.ts";

export type Checkout = {
  /** Top of the checkout, without symbolic links. */
  root: string;
  commonDir: string;
  /** Null when HEAD is detached. */
  branch: string | null;
  hasCommit: boolean;
};

/** Null outside of a checkout: no repository, a bare one, inside a git directory. */
export async function findCheckout(cwd: string): Promise<Checkout | null> {
  const ask = async (...args: string[]) => {
    const { code, stdout } = await exec("git", [...gitFlags(false), ...args], {
      cwd,
      env: cleanEnv(),
      ok: [0, 1, 128],
    });
    return code === 0 ? stdout.replace(/\n$/, "") : null;
  };
  const [top, common, branch, commit] = await Promise.all([
    ask("rev-parse", "--path-format=absolute", "--show-toplevel"),
    ask("rev-parse", "--path-format=absolute", "--git-common-dir"),
    ask("symbolic-ref", "--quiet", "--short", "HEAD"),
    ask("rev-parse", "--quiet", "--verify", "HEAD^{commit}"),
  ]);
  if (!top || !common) return null;
  return { root: await realpath(top), commonDir: await realpath(common), branch, hasCommit: commit !== null };
}
