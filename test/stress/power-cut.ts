/** The power fails at some moment of a run: of what the disk holds then, nothing that owt has said is missing, store and git agree, and the run comes home.
 *
 *  A run is recorded with `strace`, as all it does to files; each cut takes the disk as it was at a moment of it (`disk-log.ts`), lays it down where the
 *  repository was, looks at it, and has owt go on. Nothing of `src/` is asked.
 *
 *    npm run power-cuts -- [--cuts 200] [--seed N] [--keep]     exits with 1 on any defect */
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  closeSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, uptime } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import { dice } from "../crash/dice.ts";
import { diskAfter, type Happening, readDiskLog, TRACED, writeImage } from "./disk-log.ts";

export type PowerCuts = { cuts: number; happenings: number; said: number; defects: string[] };

const OWT = new URL("../../bin/owt.js", import.meta.url).pathname;
/** What was written before the power failed is older than the start of the machine. */
const BEFORE_BOOT = new Date(Date.now() - uptime() * 1_000 - 60_000);
/** Another start of the machine than this one: the recorded run sees it, what comes behind the cut does not. */
const EARLIER_BOOT = "0b00f00d-0000-4000-8000-000000000001";
const BOOT_ID = "/proc/sys/kernel/random/boot_id";
/** What each task writes: more than a sector. */
const LONG = Object.fromEntries(["a", "b", "c", "d"].map((name) => [name, name.repeat(1_500)]));
const TASKS = ["a/E01", "b/E01", "c/E01", "d/E01"];

/** Why this cannot be tried here; null where it can. */
export function whyNoPowerCuts(): string | null {
  const { status } = spawnSync("strace", ["-f", "-o", "/dev/null", "true"], { stdio: "ignore" });
  if (status !== 0) return "strace is not there, or may not trace (apt-get install strace)";
  const [program = "", ...args] = inEarlierBoot(BOOT_ID, ["true"]);
  return spawnSync(program, args, { stdio: "ignore" }).status === 0
    ? null
    : "no mount namespace of one's own to be had";
}

/** The words that run a command where the machine seems to have been started another time; `file` says which. */
function inEarlierBoot(file: string, command: readonly string[]): string[] {
  const own = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  const script = `mount --bind "$1" ${BOOT_ID} && shift && exec "$@"`;
  return ["unshare", ...own, "--mount", "--", "sh", "-c", script, "sh", file, ...command];
}

/** Records one run and fails the power at so many moments of it, drawn by chance: half of them with all that was not synced lost, half with parts of it. */
export function cutPower(options: { cuts: number; seed: number; keep?: boolean }): PowerCuts {
  const home = realpathSync(mkdtempSync(join(tmpdir(), "owt-power-")));
  try {
    return new Place(home, options.keep === true).play(options.cuts, options.seed);
  } finally {
    if (options.keep !== true) rmSync(home, { recursive: true, force: true, maxRetries: 5 });
    else console.log(`kept: ${home}`);
  }
}

class Place {
  readonly #root: string;
  readonly #repo: string;
  readonly #before: string;
  readonly #said: string;
  readonly #log: string;
  readonly #boot: string;
  readonly #laid: string;
  readonly #isKept: boolean;
  readonly #env: NodeJS.ProcessEnv;

  /** Each disk as it was laid down is kept where something was wrong with it, and what became of it beside it. */
  constructor(home: string, isKept: boolean) {
    this.#isKept = isKept;
    this.#laid = join(home, "laid");
    this.#boot = join(home, "boot-id");
    this.#root = join(home, "place");
    this.#repo = join(this.#root, "repo");
    this.#before = join(home, "before");
    this.#said = join(home, "said");
    this.#log = join(home, "calls");
    const user = join(home, "user");
    mkdirSync(this.#repo, { recursive: true });
    mkdirSync(user);
    writeFileSync(join(user, "gitconfig"), "[user]\nname = P\nemail = p@localhost\n[init]\ndefaultBranch = main\n");
    this.#env = {
      PATH: process.env["PATH"],
      HOME: user,
      XDG_STATE_HOME: join(user, "state"),
      XDG_CONFIG_HOME: join(user, "config"),
      XDG_CACHE_HOME: join(user, "cache"),
      GIT_CONFIG_GLOBAL: join(user, "gitconfig"),
      GIT_CONFIG_NOSYSTEM: "1",
      OWT_RUN_RESTART_PAUSE: "1s",
    };
  }

  play(cuts: number, seed: number): PowerCuts {
    this.#plan();
    const happenings = this.#record();
    const said = happenings.flatMap((each, at) =>
      each.do === "write" && each.path === this.#said ? saidIn(each.data, at) : [],
    );
    const defects: string[] = [];
    if (said.length !== TASKS.length) defects.push(`the recorded run said ${said.length} of ${TASKS.length} tasks`);
    for (let cut = 0; cut < cuts && defects.length < 20; cut++) {
      const chance = dice(seed * 1_009 + cut);
      const count = chance.between(1, happenings.length);
      const isTorn = cut % 2 === 1;
      const promised = said.filter(({ at }) => at < count).map(({ task }) => task);
      // The repository's own folder stays: by that owt knows its store.
      clear(this.#root, "repo");
      clear(this.#repo, ".git");
      clear(join(this.#repo, ".git"));
      const disk = diskAfter(happenings, count, { root: this.#root, before: this.#before }, isTorn ? chance : null);
      writeImage(disk, BEFORE_BOOT);
      if (this.#isKept) cpSync(this.#root, this.#laid, { recursive: true, verbatimSymlinks: true });
      const found = this.#judge(promised);
      for (const defect of found) {
        defects.push(`cut ${cut} at ${count} of ${happenings.length}${isTorn ? ", torn" : ""}: ${defect}`);
        if (this.#isKept) console.log(defects.at(-1));
      }
      if (found.length > 0 && this.#isKept) {
        renameSync(this.#laid, `${this.#laid}-${cut}`);
        cpSync(this.#root, `${this.#laid}-${cut}-behind`, { recursive: true, verbatimSymlinks: true });
      }
      rmSync(this.#laid, { recursive: true, force: true });
    }
    return { cuts, happenings: happenings.length, said: said.length, defects };
  }

  /** Four tasks, one behind two that lie behind a first one; some commit themselves, others leave that to owt. */
  #plan(): void {
    const write = (path: string, text: string) => {
      mkdirSync(join(this.#repo, path, ".."), { recursive: true });
      writeFileSync(join(this.#repo, path), text);
    };
    write(".worktreerc", '[agent]\ndefault = "demo"\n[run]\nverify = "grep -q end big.txt"\n');
    // More than a sector, so that it can come in pieces.
    write("big.txt", `${"line\n".repeat(1_000)}end\n`);
    const needs: Record<string, string> = { b: "a/E01", c: "a/E01", d: "b/E01, c/E01" };
    for (const name of ["a", "b", "c", "d"]) {
      const commits = name === "a" || name === "c" ? `commit "${name}"\n` : "";
      const front = needs[name] === undefined ? "" : `---\ndepends_on: [${needs[name]}]\n---\n`;
      write(
        `docs/plans/${name}/epic-01-${name}.md`,
        `${front}# ${name}\n\n\`\`\`demo\nwrite ${name}.txt "${LONG[name]}"\n${commits}\`\`\`\n`,
      );
    }
    for (const args of [
      ["init", "-q"],
      ["add", "-A"],
      ["commit", "-q", "-m", "start"],
    ])
      this.#git(...args);
    this.#owt("config", "approve", "--yes");
    cpSync(this.#root, this.#before, { recursive: true, verbatimSymlinks: true });
  }

  #record(): Happening[] {
    const said = openSync(this.#said, "a");
    const strace = [
      "-f",
      "-y",
      "-xx",
      "-s",
      "16000000",
      "--seccomp-bpf",
      "-e",
      `trace=${TRACED}`,
      "-e",
      "signal=none",
      "-o",
      this.#log,
    ];
    writeFileSync(this.#boot, `${EARLIER_BOOT}\n`);
    const words = ["strace", ...strace, process.execPath, OWT, "run", "--yes", "--plain"];
    const [program = "", ...args] = inEarlierBoot(this.#boot, words);
    const { status } = spawnSync(program, args, {
      cwd: this.#repo,
      env: this.#env,
      stdio: ["ignore", said, said],
    });
    closeSync(said);
    if (status !== 0) throw new Error(`the recorded run ended with ${status}: ${this.#said}`);
    const isMeant = (path: string | null | undefined) =>
      path == null || path === this.#said || path.startsWith(`${this.#root}/`);
    return readDiskLog(this.#log).filter(
      (each) => ("path" in each && isMeant(each.path)) || ("to" in each && (isMeant(each.to) || isMeant(each.from))),
    );
  }

  /** What is wrong with what stands there now, and behind a run that goes on from it. */
  #judge(promised: readonly string[]): string[] {
    const defects: string[] = [];
    const merged = this.#merged();
    for (const task of promised)
      if (!merged.includes(task)) defects.push(`${task} was said to be integrated, and git does not have it`);
    for (const task of this.#done())
      if (!merged.includes(task)) defects.push(`${task} is done for the store, and git does not have it`);
    const { status, stderr } = this.#owt("run", "--yes", "--plain");
    if (status !== 0)
      return [...defects, `owt ended with ${status}: ${stderr.trim().split("\n").slice(-12).join(" | ")}`];
    const home = this.#merged();
    for (const task of TASKS) {
      const times = home.filter((each) => each === task).length;
      if (times !== 1) defects.push(`${task} was integrated ${times} times`);
    }
    for (const task of promised)
      if (!this.#done().includes(task)) defects.push(`${task} is not done for the store in the end`);
    for (const [name, text] of Object.entries(LONG))
      if (this.#git("show", `owt/runs/r1:${name}.txt`) !== text) defects.push(`${name}.txt is another`);
    const changed = this.#git("diff", "--name-only", "main", "owt/runs/r1").trim().split("\n");
    if (changed.length !== 4) defects.push(`what no task wrote was changed: ${changed.join(", ")}`);
    if (this.#git("status", "--porcelain") !== "") defects.push("the main checkout is not clean");
    const fsck = spawnSync("git", ["rev-list", "--objects", "--quiet", "--all"], {
      cwd: this.#repo,
      env: this.#env,
      encoding: "utf8",
    });
    if (fsck.status !== 0) defects.push(`git does not have all that its branches need: ${fsck.stderr.trim()}`);
    return defects;
  }

  /** The tasks on the run's branch, as git has them; each object of it is read. */
  #merged(): string[] {
    const format = "%(trailers:key=Owt-Task,valueonly,separator=)";
    const told = spawnSync(
      "git",
      ["log", "--diff-merges=first-parent", "--merges", `--format=${format}`, "-p", "main..owt/runs/r1", "--"],
      { cwd: this.#repo, env: this.#env, encoding: "utf8" },
    );
    return told.status === 0 ? told.stdout.split("\n").filter((line) => TASKS.includes(line)) : [];
  }

  /** The tasks that the store says are done; none where there is no store. */
  #done(): string[] {
    const file = join(this.#repo, ".git/owt/state.db");
    if (!existsSync(file)) return [];
    const db = new DatabaseSync(file);
    try {
      if (db.prepare("select 1 from sqlite_master where name = 'task'").get() === undefined) return [];
      return db
        .prepare("select key from task where state = 'done'")
        .all()
        .map((row) => String(row["key"]));
    } finally {
      db.close();
    }
  }

  #owt(...args: string[]): { status: number | null; stderr: string } {
    return spawnSync(process.execPath, [OWT, ...args], { cwd: this.#repo, env: this.#env, encoding: "utf8" });
  }

  #git(...args: string[]): string {
    return execFileSync("git", args, { cwd: this.#repo, env: this.#env, encoding: "utf8" });
  }
}

function clear(folder: string, but?: string): void {
  for (const name of readdirSync(folder))
    if (name !== but) rmSync(join(folder, name), { recursive: true, force: true });
}

function saidIn(data: Buffer, at: number): { task: string; at: number }[] {
  return [...data.toString("utf8").matchAll(/(\S+\/E01) integrated as/g)].map((match) => ({ task: match[1]!, at }));
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      cuts: { type: "string", default: "200" },
      seed: { type: "string", default: String(Date.now() % 1e6) },
      keep: { type: "boolean", default: false },
    },
  });
  const why = whyNoPowerCuts();
  if (why !== null) throw new Error(why);
  const result = cutPower({ cuts: Number(values.cuts), seed: Number(values.seed), keep: values.keep });
  console.log(
    `${result.cuts} power cuts (seed ${values.seed}) within ${result.happenings} happenings: ${result.defects.length} defects`,
  );
  for (const defect of result.defects) console.log(`  ${defect}`);
  process.exitCode = result.defects.length === 0 ? 0 : 1;
}
