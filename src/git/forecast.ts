/** Foretells which branches conflict with each other: pairwise, by git's own merge, in one process for all pairs. Nothing is merged by it. */
import { LiveEnded, LiveProcess, type Take } from "../system/live-process.ts";
import { findProgram } from "../system/programs.ts";
import { areDisjoint, changedPaths } from "./changed-paths.ts";
import { fieldsOf, git, gitFlags, type Oid, placeEnv } from "./git.ts";
import type { Repo } from "./repo.ts";

/** A branch that is under way: where it was cut, and where it is. */
export type InFlight = { base: Oid; head: Oid };

/** What the names of two commits fix is remembered, for so many pairs. */
const MOST_KNOWN = 10_000;

const MERGE_TREE = ["merge-tree", "--stdin", "--name-only", "--no-messages"];

/** Two commits, as a line that merge-tree takes. */
type Pair = string;

export class Forecast {
  readonly #repo: Repo;
  readonly #stdbuf: string | null;
  #live: Promise<LiveProcess | null> | null = null;
  readonly #paths = new Map<Pair, Promise<string[]>>();
  readonly #isClean = new Map<Pair, boolean>();

  /** `stdbuf` is the path of coreutils' program of that name. Without it git would keep its answers back until it ends, and is started anew for each look. */
  constructor(repo: Repo, stdbuf: string | null = findProgram("stdbuf", process.env)) {
    this.#repo = repo;
    this.#stdbuf = stdbuf;
  }

  /** The pairs that conflict, by their places in the list: git finds a conflict between the two, or can say nothing of them. Branches that changed different
   *  paths are not asked about. */
  async clashes(branches: readonly InFlight[]): Promise<[number, number][]> {
    const paths = await Promise.all(branches.map((branch) => this.#pathsOf(branch)));
    const near: [number, number][] = [];
    for (let other = 1; other < branches.length; other++)
      for (let one = 0; one < other; one++) if (!areDisjoint(paths[one]!, paths[other]!)) near.push([one, other]);
    const pairOf = ([one, other]: [number, number]): Pair => `${branches[one]!.head} ${branches[other]!.head}`;
    await this.#find(near.map(pairOf));
    return near.filter((each) => this.#isClean.get(pairOf(each)) !== true);
  }

  async close(): Promise<void> {
    await (await this.#live)?.close();
  }

  async #start(stdbuf: string): Promise<LiveProcess> {
    const { root: cwd } = this.#repo;
    const args = ["-o0", "git", ...gitFlags(false), ...(await withoutDrivers(this.#repo)), ...MERGE_TREE];
    return new LiveProcess("git merge-tree", () => ({ file: stdbuf, args, cwd, env: placeEnv(this.#repo) }));
  }

  #pathsOf({ base, head }: InFlight): Promise<string[]> {
    const branch = `${base} ${head}`;
    const known = this.#paths.get(branch);
    if (known !== undefined) return known;
    if (this.#paths.size >= MOST_KNOWN) this.#paths.clear();
    const found = changedPaths(this.#repo, base, head);
    this.#paths.set(branch, found);
    return found;
  }

  async #find(pairs: readonly Pair[]): Promise<void> {
    const wanted = pairs.filter((pair) => !this.#isClean.has(pair));
    if (this.#isClean.size + wanted.length > MOST_KNOWN) this.#isClean.clear();
    const live = this.#stdbuf === null ? null : await (this.#live ??= this.#start(this.#stdbuf));
    const answers = live === null ? await this.#askAtOnce(wanted) : wanted.map((pair) => askLive(live, pair));
    await Promise.all(answers.map(async (answer, index) => this.#isClean.set(wanted[index]!, await answer)));
  }

  /** All in one process that ends behind them. It ends before, too, at a pair that it can make nothing of: those behind it stay unanswered. */
  async #askAtOnce(pairs: readonly Pair[]): Promise<boolean[]> {
    if (pairs.length === 0) return [];
    const args = [...(await withoutDrivers(this.#repo)), ...MERGE_TREE];
    const { stdout } = await git(this.#repo, args, { input: `${pairs.join("\n")}\n`, ok: [0, 1, 128] });
    let left = Buffer.from(stdout, "latin1");
    const answers: boolean[] = [];
    for (let record = findRecord(left); record !== null; record = findRecord(left)) {
      answers.push(record.isClean);
      left = left.subarray(record.end);
    }
    return answers;
  }
}

/** A forecast runs no program of the user's, which may never end: what a driver merges it is taken to merge well. */
async function withoutDrivers(repo: Repo): Promise<string[]> {
  const { stdout } = await git(repo, ["config", "-z", "--name-only", "--get-regexp", "^merge\\..*\\.driver$"], {
    ok: [0, 1],
  });
  const settings = [...new Set(fieldsOf(stdout))].map((key) => `${key}=true`);
  return [...settings, "merge.renormalize=false"].flatMap((setting) => ["-c", setting]);
}

/** A pair at which it ends (the two share no history, or one is gone) is no clean one; the next request starts another. */
function askLive(live: LiveProcess, pair: Pair): Promise<boolean> {
  return live.request(`${pair}\n`, takeRecord).catch((error: unknown) => {
    if (error instanceof LiveEnded) return false;
    throw error;
  });
}

const takeRecord: Take<boolean> = (bytes) => {
  const record = findRecord(bytes);
  return record === null ? null : { answer: record.isClean };
};

/** The first record: `1 NUL tree NUL NUL`, or `0 NUL tree NUL` with the names of the files in conflict, a NUL behind each, and one NUL more. */
function findRecord(bytes: Buffer): { isClean: boolean; end: number } | null {
  const status = bytes.indexOf(0);
  const tree = status === -1 ? -1 : bytes.indexOf(0, status + 1);
  const end = tree === -1 ? -1 : bytes.indexOf("\0\0", tree, "latin1");
  return end === -1 ? null : { isClean: bytes.toString("latin1", 0, status) === "1", end: end + 2 };
}
