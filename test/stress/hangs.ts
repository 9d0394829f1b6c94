/** Agents that hang in every way that there is, and agents that are busy without a word: the first are to be told apart and dealt with in time, the others
 *  left alone. What is to be on record of each is held against the store's event log; whether it was so is the verdict of `hang-verdict.ts`, which sees
 *  /proc, what owt printed, and git. Nothing of `src/` is asked.
 *
 *    npm run hangs -- [--limit 3s] [--busy 12s] [--parallel 8] [--only NAME,…]     prints a table, exits with 1 on any defect */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { once } from "node:events";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

/** What is expected of a kind of agent. */
type Kind = {
  /** The adapter that reads it; default: command. */
  as?: "claude" | "demo";
  /** The outcome, and of a hang what it is told to be. */
  outcome: string;
  how?: string;
  /** What is to have been done about it. */
  did?: string[];
  /** From when its time counts: the limit for silence, the grace behind a result, the whole time of a task, or none. */
  within: "limit" | "grace" | "timeout" | "at once" | "never";
  /** What has to be here for it. */
  needs?: string;
};

const hang = (how: string, more: Partial<Kind> = {}): Kind => ({
  outcome: "hung",
  how,
  did: ["ended"],
  within: "limit",
  ...more,
});

/** Ways to hang. */
export const HANGS: Record<string, Kind> = {
  "says-nothing": hang("speechless"),
  "demo-hangs": hang("speechless", { as: "demo" }),
  "says-one-line": hang("silent"),
  "half-a-line": hang("silent"),
  "complains-once": hang("silent"),
  "waits-for-itself": hang("speechless"),
  "deaf-to-term": hang("speechless"),
  "sleeping-tool": hang("waits-for-tool"),
  "sleeping-tool-of-a-tool": hang("waits-for-tool"),
  "tool-writes-where-nobody-reads": hang("waits-for-tool"),
  "forgets-its-children": hang("waits-for-tool", { needs: "perl" }),
  "tool-reads-a-pipe": hang("waits-for-input"),
  "tool-reads-a-terminal": hang("waits-for-input", { needs: "script" }),
  "dead-connection": hang("waits-for-network"),
  "lock-held": hang("waits-for-lock", { needs: "flock" }),
  "held-up-in-the-kernel": hang("uninterruptible", { needs: "perl" }),
  "stops-itself": hang("suspended", { did: ["continued", "ended"] }),
  "stopped-tool": hang("suspended", { did: ["continued", "ended"] }),
  "is-stopped-once": { outcome: "ok", did: ["continued"], within: "limit" },
  "is-killed-under-a-stopped-wrapper": hang("zombie"),
  "loses-its-wrapper": { outcome: "lost", within: "at once" },
  "leaves-without-a-result": { as: "claude", outcome: "lost", within: "at once" },
  "result-and-stays": { as: "claude", outcome: "ok", within: "grace" },
  "result-and-a-tool-stays": { as: "claude", outcome: "ok", within: "grace" },
  "limit-and-stays": { as: "claude", outcome: "limit", did: ["ended"], within: "limit" },
  "heartbeats-only": { outcome: "timed_out", within: "timeout" },
  spins: { outcome: "timed_out", within: "timeout" },
  "asks-again-for-ever": { as: "claude", outcome: "transient", within: "timeout" },
};

/** Ways to be busy without a word. */
export const BUSY: Record<string, Kind> = Object.fromEntries(
  Object.entries({
    computes: {},
    "computes-in-a-grandchild": {},
    "computes-now-and-then": {},
    "reads-and-writes-in-a-tool": {},
    "starts-small-tools": {},
    "writes-its-record-only": { as: "claude" as const },
    "complains-all-the-time": {},
    "is-served-last": { needs: "renice" },
  } satisfies Record<string, Partial<Kind>>).map(([name, more]) => [
    name,
    { outcome: "ok", within: "never" as const, ...more },
  ]),
);

export type Seen = {
  name: string;
  expected: string;
  got: string;
  did: string;
  /** Milliseconds from when its time was over to when something was done about it; null where nothing was to be done. */
  lateMs: number | null;
  defects: string[];
};

const OWT = new URL("../../bin/owt.js", import.meta.url).pathname;
const VERDICT = new URL("./hang-verdict.ts", import.meta.url).pathname;
const AGENT = new URL("../rig/hanging-agent.mjs", import.meta.url).pathname;
/** Behind the limit. */
const MOST_LATE_MS = 5_000;
const GRACE_MS = 2_000;

/** Those that do not do by themselves what becomes of them. */
const TO_BE_HARMED: ReadonlySet<string> = new Set(["is-killed-under-a-stopped-wrapper", "loses-its-wrapper"]);

type Options = { limitMs: number; busyMs: number; parallel: number; only?: readonly string[] };

/** Plays all of them in one repository, so many at a time. */
export async function playHangs(options: Options): Promise<Seen[]> {
  const home = realpathSync(mkdtempSync(join(tmpdir(), "owt-hangs-")));
  const play = new Play(home, options);
  try {
    return await play.run();
  } finally {
    await play.end();
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

class Play {
  readonly #home: string;
  readonly #repo: string;
  readonly #options: Options & { timeoutMs: number };
  readonly #kinds: [string, Kind][];
  readonly #env: NodeJS.ProcessEnv;
  #server: Server | null = null;
  #locker: ChildProcess | null = null;
  #owt: ChildProcess | null = null;
  #verdict: ChildProcess | null = null;

  constructor(home: string, options: Options) {
    this.#home = home;
    this.#repo = join(home, "repo");
    this.#options = { ...options, timeoutMs: options.busyMs + 2 * options.limitMs + 5_000 };
    this.#kinds = Object.entries({ ...HANGS, ...BUSY }).filter(
      ([name, { needs }]) => (options.only?.includes(name) ?? true) && (needs === undefined || isHere(needs)),
    );
    if (process.arch !== "x64") this.#kinds = this.#kinds.filter(([name]) => name !== "held-up-in-the-kernel");
    this.#env = {
      PATH: process.env["PATH"],
      HOME: join(home, "home"),
      XDG_STATE_HOME: join(home, "state"),
      XDG_CONFIG_HOME: join(home, "config"),
      XDG_CACHE_HOME: process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
      ...(process.env["OWT_LAUNCH_MODE"] ? { OWT_LAUNCH_MODE: process.env["OWT_LAUNCH_MODE"] } : {}),
    };
  }

  async run(): Promise<Seen[]> {
    await this.#prepare();
    const owt = spawn(process.execPath, [OWT, "run", "--yes", "--parallel", String(this.#options.parallel)], {
      cwd: this.#repo,
      env: this.#env,
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#owt = owt;
    const verdict = this.#startVerdict();
    let said = "";
    owt.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const ended = once(owt, "close").then(() => "ended" as const);
    const isSettled = () => this.#rows("select 1 from attempt where phase <> 'closed' or outcome is null").length === 0;
    const isOver = async () => {
      // Those that met a usage limit wait for hours.
      for (;;) {
        await this.#harm();
        const all = this.#rows("select distinct task from attempt where outcome is not null").length;
        if (all >= this.#kinds.length && isSettled()) return;
        await sleep(100);
      }
    };
    await Promise.race([ended, isOver()]);
    writeFileSync(join(this.#home, "said"), said);
    const held = await verdict();
    const seen = this.#kinds.map(([name, kind]) => {
      const judged = this.#judge(name, kind);
      return { ...judged, defects: [...judged.defects, ...(held[name] ?? [])] };
    });
    const left = this.#processes().filter(
      (pid) => pid !== owt.pid && pid !== this.#locker?.pid && pid !== this.#verdict?.pid,
    );
    const leftOver = left.filter((pid) => argumentsOf(pid).includes("hanging-agent"));
    if (leftOver.length > 0)
      seen.push({
        name: "all",
        expected: "nothing runs on",
        got: leftOver.map(argumentsOf).join("; "),
        did: "",
        lateMs: null,
        defects: ["an agent runs on"],
      });
    if (seen.some(({ defects }) => defects.length > 0)) process.stderr.write(said);
    return seen;
  }

  /** Begins to look on. What it gives ends that, and tells what is held against each kind. */
  #startVerdict(): () => Promise<Record<string, string[]>> {
    // Of the demo's own program, and of what is let go on or ends by itself, no process tells anything.
    const told = this.#kinds.filter(
      ([, { as, within, outcome }]) => as !== "demo" && (within !== "limit" || outcome !== "ok"),
    );
    const overs = { limit: this.#options.limitMs, grace: GRACE_MS, timeout: this.#options.timeoutMs, "at once": 0 };
    const kinds = Object.fromEntries(
      told.map(([name, { within, how }]) => [
        name,
        { overMs: within === "never" ? null : overs[within], how: how ?? null, isKilled: TO_BE_HARMED.has(name) },
      ]),
    );
    const words = [VERDICT, this.#home, JSON.stringify({ kinds, busyMs: this.#options.busyMs })];
    const child = spawn(process.execPath, words, { stdio: ["pipe", "pipe", "inherit"] });
    this.#verdict = child;
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
    return async () => {
      child.stdin.end();
      await once(child, "close");
      return JSON.parse(text) as Record<string, string[]>;
    };
  }

  async #prepare(): Promise<void> {
    for (const folder of ["home", "began", "repo/docs/plans"]) mkdirSync(join(this.#home, folder), { recursive: true });
    // A server that accepts and never answers.
    this.#server = createServer(() => {}).listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    writeFileSync(join(this.#home, "peer"), String((this.#server.address() as { port: number }).port));
    if (isHere("flock"))
      this.#locker = spawn("flock", ["--no-fork", join(this.#home, "lock"), "sleep", "86400"], { stdio: "ignore" });
    const seconds = (ms: number) => `${Math.ceil(ms / 1_000)}s`;
    const { limitMs, busyMs, timeoutMs } = this.#options;
    const agents = this.#kinds
      .filter(([, { as }]) => as !== "demo")
      .map(([name, { as = "command" }]) => {
        const command = JSON.stringify([process.execPath, AGENT, name, this.#home, String(busyMs)]);
        return `[agent.${name}]\nkind = "${as}"\ncommand = ${command}\n`;
      });
    const run = `[run]\nretries = 0\nhung_after = "${seconds(limitMs)}"\nresult_grace = "${seconds(GRACE_MS)}"\ngrace = "1s"\ntimeout = "${seconds(timeoutMs)}"\n`;
    writeFileSync(join(this.#repo, ".worktreerc"), `${run}${agents.join("")}`);
    for (const [name, { as }] of this.#kinds) {
      const folder = join(this.#repo, "docs/plans", name);
      mkdirSync(folder);
      const steps =
        as === "demo" ? `\n\`\`\`demo\nlog ${join(this.#home, "began", name)} "x"\nhang\n\`\`\`\n` : "\nDo it.\n";
      // A usage limit holds whatever works with the same login and has not begun.
      const priority = name in BUSY ? "high" : name === "limit-and-stays" ? "low" : "medium";
      const front = `agent: ${as === "demo" ? "demo" : name}\npriority: ${priority}`;
      writeFileSync(join(folder, "epic-01-a.md"), `---\n${front}\n---\n# ${name}\n${steps}`);
    }
    const git = (...args: string[]) => execFileSync("git", args, { cwd: this.#repo, env: this.#env, stdio: "pipe" });
    git("init", "-q", "-b", "main");
    git("config", "user.name", "Ann User");
    git("config", "user.email", "ann@example.com");
    git("add", "--all", "--", ".");
    git("commit", "-q", "-m", "A plan");
    execFileSync(process.execPath, [OWT, "config", "approve", "--yes"], {
      cwd: this.#repo,
      env: this.#env,
      stdio: "pipe",
    });
  }

  readonly #harmed = new Set<string>();

  /** What two of them do not do themselves: their wrapper is stopped and they are killed, or it is killed. */
  async #harm(): Promise<void> {
    for (const name of TO_BE_HARMED) {
      if (this.#harmed.has(name) || !existsSync(join(this.#home, "began", name))) continue;
      const agent = this.#processes().find((pid) => argumentsOf(pid).split("\0").slice(0, 3).includes(name));
      if (agent === undefined) continue;
      this.#harmed.add(name);
      const wrapper = parentOf(agent);
      if (name === "loses-its-wrapper") {
        process.kill(wrapper, "SIGKILL");
        continue;
      }
      process.kill(wrapper, "SIGSTOP");
      while (!/^[Tt]/.test(stateOf(wrapper))) await sleep(1);
      process.kill(agent, "SIGKILL");
    }
  }

  #judge(name: string, kind: Kind): Seen {
    const key = `${name}/E01`;
    const events = this.#rows(
      "select e.at, e.kind, e.data from event e join task t on t.id = e.task where t.key = ? order by e.seq",
      key,
    );
    const told = events.map(({ at, kind: what, data }) => ({
      at: Number(at),
      what: String(what),
      data: JSON.parse(String(data)) as Told,
    }));
    const end = told.find(({ what }) => what === "attempt-ended");
    const acts = told.filter(({ what }) => what === "agent-hung");
    const outcome = end?.data.outcome;
    const began = Number(readFile(join(this.#home, "began", name))) || fileTime(join(this.#home, "began", name));
    const over = {
      limit: this.#options.limitMs,
      grace: GRACE_MS,
      timeout: this.#options.timeoutMs,
      "at once": 0,
      never: null,
    }[kind.within];
    const first = told.find(
      ({ what, data }) =>
        what === "agent-hung" || what === "agent-ended" || (what === "note" && /did not leave/.test(data.text ?? "")),
    );
    const started = told.find(({ what }) => what === "agent-started")?.at ?? 0;
    const since = kind.within === "timeout" ? started : began;
    const lateMs = over === null || first === undefined ? null : first.at - since - over;
    const did = acts.map(({ data }) => data.did ?? "");
    const [expected, got] = [
      `${kind.outcome}${kind.how === undefined ? "" : ` ${kind.how}`}`,
      `${outcome?.kind ?? "nothing"}${outcome?.how === undefined ? "" : ` ${outcome.how}`}`,
    ];
    const defects = [
      ...(got === expected ? [] : [`is ${got}, not ${expected}: ${JSON.stringify(outcome)}`]),
      ...(did.join() === (kind.did ?? []).join()
        ? []
        : [`was ${did.join(", ") || "left alone"}, not ${(kind.did ?? []).join(", ") || "left alone"}`]),
      ...(acts.every(({ data }) => (data.detail ?? "") !== "") ? [] : ["no reason is told"]),
      ...(lateMs !== null && lateMs > MOST_LATE_MS ? [`${lateMs} ms late`] : []),
      ...(lateMs !== null && lateMs < -500 ? [`${-lateMs} ms early`] : []),
    ];
    const detail = outcome?.detail ?? acts[0]?.data.detail ?? "";
    return {
      name,
      expected,
      got,
      did: [did.join(", "), detail].filter((each) => each !== "").join(": "),
      lateMs,
      defects,
    };
  }

  #rows(sql: string, ...values: string[]): Record<string, unknown>[] {
    if (!existsSync(join(this.#repo, ".git/owt/state.db"))) return [];
    const db = new DatabaseSync(join(this.#repo, ".git/owt/state.db"), { readOnly: true, timeout: 1_000 });
    try {
      return db.prepare(sql).all(...values);
    } catch {
      return [];
    } finally {
      db.close();
    }
  }

  async end(): Promise<void> {
    this.#owt?.kill("SIGKILL");
    this.#verdict?.kill("SIGKILL");
    this.#server?.close();
    this.#locker?.kill("SIGKILL");
    for (let tries = 0; tries < 20 && this.#processes().length > 0; tries++) {
      for (const pid of this.#processes()) kill(pid);
      await sleep(100);
    }
  }

  /** What runs for this play. */
  #processes(): number[] {
    const pids = readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
    return pids.filter((pid) => pid !== process.pid && argumentsOf(pid).includes(this.#home));
  }
}

type Told = { text?: string; did?: string; detail?: string; outcome?: { kind: string; how?: string; detail?: string } };

function isHere(program: string): boolean {
  try {
    execFileSync("sh", ["-c", 'command -v "$0"', program], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function readFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function fileTime(path: string): number {
  return existsSync(path) ? Number(execFileSync("stat", ["-c", "%Y", path], { encoding: "utf8" })) * 1_000 : 0;
}

function argumentsOf(pid: number): string {
  return readFile(`/proc/${pid}/cmdline`);
}

function stateOf(pid: number): string {
  return readFile(`/proc/${pid}/stat`).replace(/^.*\) /s, "");
}

function parentOf(pid: number): number {
  return Number(stateOf(pid).split(" ")[1]);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has gone.
  }
}

function secondsOf(text: string): number {
  const [, number = "", unit = "s"] = /^(\d+)(s|m|h)?$/.exec(text) ?? [];
  if (number === "") throw new Error(`${text} is no duration`);
  return Number(number) * { s: 1_000, m: 60_000, h: 3_600_000 }[unit as "s" | "m" | "h"];
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      limit: { type: "string", default: "3s" },
      busy: { type: "string", default: "12s" },
      parallel: { type: "string", default: "8" },
      only: { type: "string" },
    },
  });
  const seen = await playHangs({
    limitMs: secondsOf(values.limit),
    busyMs: secondsOf(values.busy),
    parallel: Number(values.parallel),
    ...(values.only === undefined ? {} : { only: values.only.split(",") }),
  });
  for (const { name, got, lateMs, did, defects } of seen) {
    const late = lateMs === null ? "-" : `${(lateMs / 1_000).toFixed(1)} s`;
    console.log(
      `${defects.length > 0 ? "✗" : "✓"} ${name.padEnd(34)} ${got.padEnd(24)} ${late.padStart(7)}  ${defects.join("; ") || did}`,
    );
  }
  const bad = seen.filter(({ defects }) => defects.length > 0).length;
  console.log(`${seen.length} kinds, ${bad} defects`);
  process.exitCode = bad > 0 ? 1 : 0;
}
