/** Opens a repository: where it is, how it is laid out, and its live processes. */
import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { OwtError } from "../core/errors.ts";
import { shellWord } from "../lib/printable.ts";
import { exec, type ExecResult } from "../system/exec.ts";
import { cleanEnv, closeHelpers, fieldsOf, git, gitFlags, type Place } from "./git.ts";
import { Live } from "./live.ts";
import { type Patience, usualPatience } from "./patience.ts";
import { recogniseRepo } from "./usual-repo.ts";

/** A repository, as the place of its main worktree. Close it to end its live processes. */
export type Repo = Place &
  AsyncDisposable & {
    /** Top of the main worktree. Never cleaned, stashed, reset or switched by us. */
    readonly root: string;
    /** The git directory that all worktrees share, without symbolic links. */
    readonly commonDir: string;
    /** Git directory of the main worktree; the same as `commonDir`. */
    readonly gitDir: string;
    /** Top of the worktree that the repository was opened from. */
    readonly here: string;
    /** The layout is the documented one of files, so that refs, objects and worktrees may be written in it as git would. */
    readonly plainLayout: boolean;
    readonly objectFormat: "sha1" | "sha256";
    readonly live: Live;
    /** For how long programs are waited for that git runs here. */
    readonly patience: Patience;
    close(): Promise<void>;
  };

/** Extensions under which HEAD files, loose objects and `worktrees/<id>` keep their documented form. */
const PLAIN_EXTENSIONS = new Set([
  "objectformat",
  "worktreeconfig",
  "partialclone",
  "preciousobjects",
  "noop",
  "noop-v1",
]);

/** Opens the repository that `cwd` is in, from its main worktree or from a linked one.
 *  Throws `environment` outside a repository, in a bare one, and in one without a commit. */
export async function openRepo(cwd: string): Promise<Repo> {
  refuseUnreadableName(cwd);
  const usual = recogniseRepo(cwd);
  if (usual !== null) return makeRepo({ root: usual.root, commonDir: usual.gitDir, here: usual.root }, new Map());
  const where = (await askAtOnce(cwd)) ?? (await askOneByOne(cwd));
  const commonDir = await realpath(where.common);
  const settings = await readLayout(commonDir);
  const here = await realpath(where.top);
  const isMain = (await realpath(where.own)) === commonDir;
  const root = isMain ? here : await mainRoot(commonDir, settings);
  const repo = makeRepo({ root, commonDir, here }, settings);
  const hasCommit = isMain
    ? (await repo.live.info("HEAD^{commit}")) !== null
    : (await ask(cwd, ["--quiet", "--verify", "HEAD^{commit}"])).code === 0;
  if (!hasCommit) {
    await repo.close();
    throw new OwtError("environment", `${here} has no commit yet`, {
      hint: "make a first commit: git commit --allow-empty -m start",
    });
  }
  return repo;
}

/** Node reads a name that is no UTF-8 as another one, at which nothing is: what is around that may be another repository. */
function refuseUnreadableName(cwd: string): void {
  if (!cwd.includes("\uFFFD") || existsSync(cwd)) return;
  throw new OwtError("environment", `the name of the folder that you are in is no UTF-8: ${cwd}`, {
    hint: "owt cannot work below such a name; go elsewhere: cd ~",
  });
}

/** The repository at these places, with the settings that change its layout. Its live processes start when they are needed. */
function makeRepo(at: Pick<Repo, "root" | "commonDir" | "here">, settings: Map<string, string>): Repo {
  const live = new Live(at.commonDir);
  const close = async (): Promise<void> => {
    await live.close();
    await closeHelpers();
  };
  return {
    ...at,
    gitDir: at.commonDir,
    plainLayout: isPlain(settings),
    objectFormat: settings.get("extensions.objectformat") === "sha256" ? "sha256" : "sha1",
    live,
    patience: usualPatience(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

type Where = { common: string; own: string; top: string };

/** All three in one answer; null where something is unusual: an error to be told apart, a path with a line break. */
async function askAtOnce(cwd: string): Promise<Where | null> {
  const asked = ["--path-format=absolute", "--is-bare-repository", "--git-common-dir", "--git-dir", "--show-toplevel"];
  const { code, stdout } = await ask(cwd, asked);
  const [bare, common, own, top, ...more] = stdout.split("\n");
  if (code !== 0 || bare !== "false" || !common || !own || !top || more.length !== 1) return null;
  return { common, own, top };
}

async function askOneByOne(cwd: string): Promise<Where> {
  const [common, own, bare, top] = await Promise.all([
    ask(cwd, ["--path-format=absolute", "--git-common-dir"]),
    ask(cwd, ["--path-format=absolute", "--git-dir"]),
    ask(cwd, ["--is-bare-repository"]),
    ask(cwd, ["--show-toplevel"]),
  ]);
  if (common.code !== 0) throw outside(cwd, common.stderr);
  if (answer(bare) === "true") throw bareRepository(answer(common));
  if (top.code !== 0) {
    throw new OwtError("environment", `${cwd} is inside a git directory, not in a worktree`, {
      hint: "go to the top of the checkout",
    });
  }
  return { common: answer(common), own: answer(own), top: answer(top) };
}

function isPlain(settings: Map<string, string>): boolean {
  for (const name of settings.keys()) {
    if (name.startsWith("extensions.") && !PLAIN_EXTENSIONS.has(name.slice("extensions.".length))) return false;
  }
  return !settings.has("core.sharedrepository");
}

/** The settings that change the layout, by lower-case name. */
async function readLayout(commonDir: string): Promise<Map<string, string>> {
  const place: Place = { gitDir: commonDir, commonDir, root: commonDir };
  const { stdout } = await git(
    place,
    ["config", "-z", "--get-regexp", "^(extensions\\.|core\\.(sharedrepository|worktree|bare)$)"],
    {
      ok: [0, 1],
    },
  );
  return new Map(
    fieldsOf(stdout).map((field) => {
      const end = field.indexOf("\n");
      return end === -1 ? [field, "true"] : [field.slice(0, end), field.slice(end + 1)];
    }),
  );
}

/** The main worktree's top, seen from a linked one: only the layout says where it is. */
async function mainRoot(commonDir: string, settings: Map<string, string>): Promise<string> {
  const configured = settings.get("core.worktree");
  if (configured !== undefined) return realpath(join(configured.startsWith("/") ? "/" : commonDir, configured));
  if (settings.get("core.bare") === "true") throw bareRepository(commonDir);
  if (basename(commonDir) === ".git") return dirname(commonDir);
  throw new OwtError("environment", `cannot tell where the main checkout of ${commonDir} is`, {
    hint: "run owt in the main checkout",
  });
}

function ask(cwd: string, args: readonly string[]): Promise<ExecResult> {
  return exec("git", [...gitFlags(false), "rev-parse", ...args], { cwd, env: cleanEnv(), ok: [0, 1, 128] });
}

/** One printed path or word; a path may itself contain line breaks, so only the last one goes. */
function answer(result: ExecResult): string {
  return result.stdout.replace(/\n$/, "");
}

function outside(cwd: string, said: string): OwtError {
  const words = said.trim().replace(/^fatal: /, "");
  if (words === "" || words.startsWith("not a git repository")) {
    return new OwtError("environment", `${cwd} is not in a git repository`, {
      hint: "git init && git commit --allow-empty -m start",
    });
  }
  // Of somebody else's repository git names the command, below several lines.
  const command = /git config --global --add safe\.directory .+/.exec(words)?.[0];
  return new OwtError("environment", `git cannot open the repository at ${cwd}: ${words.split("\n")[0]}`, {
    hint: command ?? `look: git -C ${shellWord(cwd)} status`,
  });
}

/** Much here goes by the main checkout: its files are brought along, its branch is what is landed on. */
function bareRepository(commonDir: string): OwtError {
  const message = `${commonDir} is a bare repository, also for the worktrees beside it: owt works from a main checkout`;
  return new OwtError("environment", message, { hint: `git clone ${shellWord(commonDir)} FOLDER, and run owt there` });
}
