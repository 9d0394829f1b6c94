/** Runs git: the hardened flags, the clean environment, and the explicit directories that every verb of this folder goes through.
 *  Of eleven things that an agent can plant in a repository, plain `git -C worktree` ran eleven; with these flags three are left
 *  (clean/smudge filters, merge drivers, and diff drivers where a diff is asked for without `--no-ext-diff --no-textconv`). */
import { tmpdir } from "node:os";
import { OwtError } from "../core/errors.ts";
import { isFull, readDisk, UNWRITTEN } from "../system/disk.ts";
import { exec, type ExecResult, failed } from "../system/exec.ts";
import { Shells } from "../system/shells.ts";
import { ownerMark } from "./owner.ts";
import { FIRST_FLAGS, FSYNC, HARDENED } from "./own-flags.ts";

/** A full object id, SHA-1 or SHA-256. */
export type Oid = string;

/** A worktree, by directories that were looked up and never guessed: git does not walk up from a broken one into another repository. */
export type Place = {
  /** Its own git directory: the common one for the main worktree, `worktrees/<id>` for a linked one. */
  readonly gitDir: string;
  readonly commonDir: string;
  /** Top of the working files. */
  readonly root: string;
};

/** Who a commit is by. */
export type Identity = { name: string; email: string };

export type GitOptions = {
  /** Bytes for standard input. */
  input?: string | Uint8Array;
  /** Exit codes that are answers. Default: [0]. */
  ok?: readonly number[];
  /** Sync what is written before git ends. git's own default is no fsync at all. */
  durable?: boolean;
  /** Another index file than the worktree's own. */
  index?: string;
  identity?: Identity;
  env?: Record<string, string>;
  signal?: AbortSignal;
  /** Told the process, which is one of its own then. */
  onStart?: (pid: number) => void;
  /** Arguments of a git that runs first, in the same trip; where it fails, the other does not run. */
  before?: readonly string[];
};

/** FIRST_FLAGS, said once for all that a helper shell runs: it reads what it is told byte by byte. */
const FIRST_ENV = { GIT_OPTIONAL_LOCKS: "0", GIT_LITERAL_PATHSPECS: "1" };

/** Enough to keep two cores busy while others wait for the disk. */
const HELPERS = 4;

/** Settings that say where the user's own configuration is. Every other GIT_ variable belongs to whoever started us, not to our work. */
const KEPT = new Set(["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"]);

/** Runs git in a worktree with hardened flags. Throws `tool-failed` on an exit code outside `ok`. */
export async function git(place: Place, args: readonly string[], options: GitOptions = {}): Promise<ExecResult> {
  const words = (list: readonly string[]) => ["git", ...list];
  const before = options.before === undefined ? {} : { before: words(options.before) };
  const command = { cwd: place.root, env: placeOnlyEnv(place, options), words: words(args), ...before };
  if (!isOwnProcess(options) && Shells.carries(command)) {
    const result = await shells().run(command);
    if ((options.ok ?? [0]).includes(result.code)) return result;
    throw nameFullDisk(args) ?? nameCause(failed("git", args, result));
  }
  return spawnGit(place, args, options).catch((error: unknown) => {
    throw nameCause(error);
  });
}

/** Whether a command needs what no helper shell has. */
function isOwnProcess({ input, signal, onStart }: GitOptions): boolean {
  return input !== undefined || signal !== undefined || onStart !== undefined;
}

/** What the helper shells run writes into files of the temporary folder: where that is full, git fails and cannot even say why. */
function nameFullDisk(args: readonly string[]): OwtError | null {
  const room = readDisk(tmpdir());
  if (room === null || !isFull(room)) return null;
  return new OwtError("disk-full", `the disk is full: git ${args[0]} has no room for its answer in ${tmpdir()}`);
}

/** When git has taken back what it began to write there is room again. */
const NO_ROOM = new RegExp(`${UNWRITTEN} `);

/** What lies behind a failure of git that it does not name itself. A filter that the repository's own configuration names is run by every git, ours too; where one
 *  fails, that is the cause, and not git. */
function nameCause(error: unknown): unknown {
  if (!(error instanceof OwtError)) return error;
  if (NO_ROOM.test(`${error.message} `))
    return new OwtError("disk-full", `the disk is full: ${error.message}`, { cause: error });
  // git names the filter, and before that its command.
  const named = /(?:clean|smudge) filter '?([^']+?)'? failed/.exec(error.message);
  const name = named ?? /external filter '([^']+)' failed/.exec(error.message);
  if (!name) return error;
  const message = `the filter ${name[1]} of this repository's git configuration fails, so that git cannot be used here: ${error.message}`;
  return new OwtError("tool-failed", message, {
    hint: "look: git config --show-origin --get-regexp '^filter\\.'; mend it or remove it, then: owt task retry --failed",
    cause: error,
  });
}

/** Whether an error says that a filter fails, as one does until somebody mends it. */
export function isBrokenFilter(error: unknown): boolean {
  return error instanceof OwtError && error.message.startsWith("the filter ");
}

let pool: Shells | null = null;

/** The helper shells of this process. Their git gets the hardened settings through the environment, syncs what it writes, and
 *  nothing else of ours; they end with our end of their input. */
function shells(): Shells {
  pool ??= new Shells(HELPERS, {
    ...cleanEnv(),
    ...FIRST_ENV,
    ...configEnv([...HARDENED, `core.fsync=${FSYNC}`]),
  });
  return pool;
}

/** Runs another short program through the helper shells; null for words that cannot travel that way. Any exit code is an answer. */
export async function runShort(...words: string[]): Promise<ExecResult | null> {
  const command = { cwd: "/", env: {}, words };
  return Shells.carries(command) ? shells().run(command) : null;
}

/** Ends the helper shells; a later command starts new ones. */
export async function closeHelpers(): Promise<void> {
  const ending = pool;
  pool = null;
  await ending?.close();
}

/** Settings as git reads them from its environment. */
function configEnv(settings: readonly string[]): Record<string, string> {
  const env: Record<string, string> = { GIT_CONFIG_COUNT: String(settings.length) };
  settings.forEach((setting, index) => {
    const at = setting.indexOf("=");
    env[`GIT_CONFIG_KEY_${index}`] = setting.slice(0, at);
    env[`GIT_CONFIG_VALUE_${index}`] = setting.slice(at + 1);
  });
  return env;
}

async function spawnGit(place: Place, args: readonly string[], options: GitOptions): Promise<ExecResult> {
  const { before, ...others } = options;
  if (before !== undefined) await spawnGit(place, before, { ...others, ok: [0] });
  return exec("git", [...gitFlags(options.durable ?? false), ...args], {
    cwd: place.root,
    env: placeEnv(place, options),
    ok: options.ok ?? [0],
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.onStart === undefined ? {} : { onStart: options.onStart }),
  });
}

/** The flags in front of every command; `without` leaves out what a command needs from the user (fetch: credentials and ssh). */
export function gitFlags(durable: boolean, without: readonly string[] = []): string[] {
  const settings = HARDENED.filter((setting) => !without.includes(setting.slice(0, setting.indexOf("="))));
  if (durable) settings.push(`core.fsync=${FSYNC}`);
  return [...FIRST_FLAGS, ...settings.flatMap((setting) => ["-c", setting])];
}

/** The variable by which a git that outlived us is told from one that somebody waits for. */
export const GIT_OWNER = "OWT_GIT_OWNER";
let owner: string | null = null;

/** Our environment without git's variables; `keep` names those that a command needs from the user's environment. */
export function cleanEnv(keep: (name: string) => boolean = () => false): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value === undefined) continue;
    if (!name.startsWith("GIT_") || KEPT.has(name) || keep(name)) env[name] = value;
  }
  owner ??= ownerMark();
  return { ...env, LC_ALL: "C", GIT_TERMINAL_PROMPT: "0", [GIT_OWNER]: owner };
}

/** What an agent's environment needs so that its own commits survive a power cut too. Never the user's configuration file. */
export function agentGitEnv(): Record<string, string> {
  return { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "core.fsync", GIT_CONFIG_VALUE_0: FSYNC };
}

/** The fields of `-z` output. */
export function fieldsOf(stdout: string): string[] {
  const fields = stdout.split("\0");
  if (fields.at(-1) === "") fields.pop();
  return fields;
}

/** The variables that name a worktree's directories. */
export function placeEnv(place: Place, options: GitOptions = {}): Record<string, string> {
  return { ...cleanEnv(), ...placeOnlyEnv(place, options) };
}

function placeOnlyEnv(place: Place, options: GitOptions): Record<string, string> {
  const env: Record<string, string> = {
    GIT_DIR: place.gitDir,
    GIT_COMMON_DIR: place.commonDir,
    GIT_WORK_TREE: place.root,
  };
  if (options.index !== undefined) env["GIT_INDEX_FILE"] = options.index;
  if (options.identity !== undefined) Object.assign(env, identityEnv(options.identity));
  return Object.assign(env, options.env);
}

/** Author and committer for one command. */
export function identityEnv(identity: Identity): Record<string, string> {
  return {
    GIT_AUTHOR_NAME: identity.name,
    GIT_AUTHOR_EMAIL: identity.email,
    GIT_COMMITTER_NAME: identity.name,
    GIT_COMMITTER_EMAIL: identity.email,
  };
}
