/** Two owts want to carry one run; whoever does is stopped, continued and killed. Who owns is told by the kernel's own list of locks and by the
 *  store's event log; nothing of `src/` is asked.
 *
 *    npm run owners -- [--rounds 100] [--seed N]     exits with 1 on any defect */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Dice, dice } from "../crash/dice.ts";

export type Ownership = { rounds: number; looks: number; takeoverMs: { p50: number; max: number }; defects: string[] };

const OWT = new URL("../../bin/owt.js", import.meta.url).pathname;
/** So long a takeover may take before it counts as none. */
const NEVER_MS = 20_000;

/** Plays so many rounds in one repository, whose agent waits until all is over. */
export async function contend(options: { rounds: number; seed: number }): Promise<Ownership> {
  const home = realpathSync(mkdtempSync(join(tmpdir(), "owt-owners-")));
  const play = new Play(home, dice(options.seed));
  try {
    return await play.rounds(options.rounds);
  } finally {
    await play.end();
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

class Play {
  readonly #home: string;
  readonly #repo: string;
  readonly #dice: Dice;
  readonly #env: NodeJS.ProcessEnv;
  readonly #defects: string[] = [];
  #owts: ChildProcess[] = [];
  #looks = 0;

  constructor(home: string, chance: Dice) {
    this.#home = home;
    this.#repo = join(home, "repo");
    this.#dice = chance;
    this.#env = {
      PATH: process.env["PATH"],
      HOME: home,
      XDG_STATE_HOME: join(home, "state"),
      XDG_CONFIG_HOME: join(home, "config"),
      XDG_CACHE_HOME: join(home, "cache"),
    };
    mkdirSync(join(this.#repo, "docs/plans/a"), { recursive: true });
    const git = (...args: string[]) => execFileSync("git", args, { cwd: this.#repo, env: this.#env, stdio: "pipe" });
    git("init", "-q", "-b", "main");
    git("config", "user.name", "Ann User");
    git("config", "user.email", "ann@example.com");
    writeFileSync(join(this.#repo, ".worktreerc"), '[agent]\ndefault = "demo"\n');
    const steps = `touch ${join(home, "begun")}\nwait ${join(home, "gate")}\nwrite a.txt "a"`;
    writeFileSync(join(this.#repo, "docs/plans/a/epic-01-a.md"), `# a\n\n\`\`\`demo\n${steps}\n\`\`\`\n`);
    git("add", "--all", "--", ".");
    git("commit", "-q", "-m", "A plan");
    execFileSync(process.execPath, [OWT, "config", "approve", "--yes"], {
      cwd: this.#repo,
      env: this.#env,
      stdio: "pipe",
    });
  }

  async rounds(most: number): Promise<Ownership> {
    const times: number[] = [];
    this.#start();
    let owner = await this.#nextOwner(0);
    for (let round = 0; round < most && owner !== null; round++) {
      if (this.#owts.length < 2) this.#start();
      // A rival that has only just been started cannot take over yet; and one that is stopped while it writes holds up who wants to start.
      await this.#isCandidate(owner);
      owner.kill("SIGSTOP");
      await this.#watch(owner, this.#dice.between(20, 600), "stopped");
      if (this.#dice.chance(0.5)) {
        owner.kill("SIGCONT");
        await this.#watch(owner, this.#dice.between(0, 200), "continued");
      }
      const gone = once(owner, "exit");
      owner.kill("SIGKILL");
      const began = performance.now();
      await gone;
      this.#owts = this.#owts.filter((each) => each !== owner);
      owner = await this.#nextOwner(began);
      if (owner === null) this.#defects.push(`round ${round}: nobody took over`);
      else times.push(performance.now() - began);
    }
    const carried = this.#carriedBy();
    if (new Set(carried).size !== carried.length)
      this.#defects.push(`one process took the run up twice: ${carried.join(" ")}`);
    if (carried.length !== times.length + 1)
      this.#defects.push(`${carried.length} took the run up in ${times.length} takeovers`);
    const sorted = times.toSorted((a, b) => a - b);
    const [p50, max] = [sorted[Math.floor(sorted.length / 2)] ?? NaN, sorted.at(-1) ?? NaN];
    return {
      rounds: times.length,
      looks: this.#looks,
      takeoverMs: { p50: Math.round(p50), max: Math.round(max) },
      defects: this.#defects,
    };
  }

  async end(): Promise<void> {
    writeFileSync(join(this.#home, "gate"), "");
    for (const owt of this.#owts) {
      owt.kill("SIGCONT");
      const inTime = await Promise.race([once(owt, "exit").then(() => true), sleep(NEVER_MS, false, { ref: false })]);
      if (!inTime) owt.kill("SIGKILL");
    }
  }

  #start(): void {
    const child = spawn(process.execPath, [OWT, "run", "--yes"], {
      cwd: this.#repo,
      env: this.#env,
      stdio: ["ignore", "ignore", "pipe"],
    });
    child.stderr.on("data", (chunk: Buffer) => appendFileSync(join(this.#home, "owt.log"), chunk));
    this.#owts.push(child);
  }

  /** Nobody but `owner` owns for so long. */
  async #watch(owner: ChildProcess, ms: number, how: string): Promise<void> {
    for (const ends = performance.now() + ms; performance.now() < ends; await sleep(5)) {
      const owners = this.#owners();
      if (owners.some((pid) => pid !== owner.pid) || owners.length !== 1)
        this.#defects.push(`${owner.pid} was ${how}, and the owners were ${owners.join(" and ") || "nobody"}`);
    }
  }

  async #nextOwner(since: number): Promise<ChildProcess | null> {
    for (const ends = Math.max(since, performance.now()) + NEVER_MS; performance.now() < ends; await sleep(2)) {
      const owners = this.#owners();
      if (owners.length > 1) this.#defects.push(`two owners: ${owners.join(" and ")}`);
      const found = this.#owts.find(({ pid }) => owners.includes(pid!));
      // It owns once it has written down that it carries the run.
      if (found && this.#carriedBy().at(-1) === found.pid) return found;
    }
    return null;
  }

  /** Whether another process has the lease's file open. */
  async #isCandidate(owner: ChildProcess): Promise<void> {
    const others = () => this.#owts.filter((each) => each !== owner && opens(each.pid!, "lease.db"));
    while (others().length === 0) await sleep(5);
  }

  /** Who holds an exclusive lock on all of SQLite's shared bytes, as the kernel says: that is what a transaction "exclusive" is
   *  (https://sqlite.org/src/file/src/os_unix.c: SHARED_FIRST is 0x40000002, 510 bytes). */
  #owners(): number[] {
    this.#looks++;
    const inode = String(statSync(join(this.#repo, ".git/owt/lease.db"), { throwIfNoEntry: false })?.ino ?? "");
    if (inode === "") return [];
    const held = readFileSync("/proc/locks", "utf8")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter(
        ([, , , mode, , file, from]) => mode === "WRITE" && file?.endsWith(`:${inode}`) && Number(from) <= 0x40000002,
      )
      .filter(([, , , , , , , to]) => to === "EOF" || Number(to) >= 0x40000002 + 509)
      .map(([, , , , pid]) => Number(pid));
    // The kernel hands the list out in pieces: a lock can be in two of them while others come and go.
    return [...new Set(held)];
  }

  #carriedBy(): number[] {
    const db = new DatabaseSync(join(this.#repo, ".git/owt/state.db"), { readOnly: true, timeout: 1_000 });
    try {
      const sql = "select json_extract(data, '$.pid') as pid from event where kind = 'run-carried' order by seq";
      return db
        .prepare(sql)
        .all()
        .map((row) => Number(row["pid"]));
    } catch {
      return [];
    } finally {
      db.close();
    }
  }
}

function opens(pid: number, name: string): boolean {
  try {
    return execFileSync("ls", ["-l", `/proc/${pid}/fd`], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).includes(name);
  } catch {
    return false;
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "100" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
    },
  });
  const result = await contend({ rounds: Number(values.rounds), seed: Number(values.seed) });
  console.log(JSON.stringify({ seed: Number(values.seed), ...result }, null, 2));
  process.exitCode = result.defects.length > 0 || result.takeoverMs.max >= 1_000 ? 1 : 0;
}
