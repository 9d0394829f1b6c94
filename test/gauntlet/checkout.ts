/** The user, who works in their own checkout all night, and whether anybody else does. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Every file of a checkout and what git keeps of it, by path: mode and content as a hash. */
type Snapshot = Map<string, string>;

/** What makes a checkout the user's own: not their objects and other people's refs. */
const OF_GIT = [
  "HEAD",
  "index",
  "config",
  "ORIG_HEAD",
  "MERGE_HEAD",
  "refs/stash",
  "refs/heads/main",
  "logs/HEAD",
  "info/exclude",
];

/** How many things the user does in a night. */
export const USER_ACTS = 6;

export class Checkout {
  readonly #repo: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #strays: readonly string[];
  #last: Snapshot;
  #acts = 0;
  /** What changed in it that was not the user's doing. */
  readonly touched: string[] = [];

  /** `strays`: files that an agent leaves there, which nobody of ours may take away or bring in. */
  constructor(repo: string, env: NodeJS.ProcessEnv, strays: readonly string[]) {
    this.#repo = repo;
    this.#env = env;
    this.#strays = strays;
    this.#last = this.#look();
  }

  /** The next thing that the user does, one after the other: commits to the target, changes, adds and stages. What a full disk kept them from they do
   *  again. Gives how much is done, of {@link USER_ACTS}. */
  act(): number {
    const write = (name: string, text: string) => writeFileSync(join(this.#repo, name), text);
    const acts = [
      () => this.#commit("user-1.txt"),
      () => write("README.md", "# For the gauntlet\nnot committed\n"),
      () => write("untracked.txt", "mine\n"),
      () => this.#stage("staged.txt"),
      () => this.#commit("user-2.txt"),
      () => write("user.txt", "changed by hand\n"),
    ];
    this.compare();
    try {
      acts[this.#acts]?.();
      this.#acts++;
    } catch (error) {
      if (!/ENOSPC|No space left|Out of diskspace/.test(String(error))) throw error;
    }
    this.#last = this.#look();
    return this.#acts;
  }

  /** Notes what is not as it was when the user last did something. */
  compare(): void {
    const now = this.#look();
    for (const path of new Set([...this.#last.keys(), ...now.keys()])) {
      if (this.#last.get(path) === now.get(path)) continue;
      const how = !now.has(path) ? "is gone" : !this.#last.has(path) ? "is new" : "was changed";
      this.touched.push(`${path} ${how}`);
    }
    this.#last = now;
  }

  /** Without touching what is staged. */
  #commit(name: string): void {
    this.#stage(name);
    if (this.#git("log", "-1", "--format=%s").includes(name)) return;
    this.#git("commit", "-q", "-m", `The user adds ${name}`, "--", name);
  }

  #stage(name: string): void {
    writeFileSync(join(this.#repo, name), `${name}\n`);
    this.#git("add", "--", name);
  }

  #git(...args: string[]): string {
    return execFileSync("git", args, { cwd: this.#repo, env: this.#env, encoding: "utf8", stdio: "pipe" });
  }

  #look(): Snapshot {
    const files = listFiles(this.#repo, "").filter((path) => !this.#strays.includes(path));
    const ofGit = OF_GIT.map((name) => `.git/${name}`).filter((path) => existsSync(join(this.#repo, path)));
    return new Map([...files, ...ofGit].map((path) => [path, hashOf(join(this.#repo, path))]));
  }
}

function listFiles(root: string, below: string): string[] {
  return readdirSync(join(root, below), { withFileTypes: true }).flatMap((entry) => {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (path === ".git") return [];
    return entry.isDirectory() ? listFiles(root, path) : [path];
  });
}

function hashOf(path: string): string {
  const { mode } = lstatSync(path);
  const content = (mode & 0o170000) === 0o120000 ? readlinkSync(path) : readFileSync(path);
  return `${mode.toString(8)} ${createHash("sha256").update(content).digest("hex")}`;
}
