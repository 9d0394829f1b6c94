/** An agent that speaks as Claude Code does, `scripted.mjs NOTES FLOOD_MB …`, and does what is held here under the name of its task. How the real one tells
 *  limits, overloads, refused keys and errors inside a success was measured with it (2.1.329). */
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

const [notes, floodMb, ...args] = process.argv.slice(2);
const name = process.env.OWT_TASK.split("/")[0];
const session = args[args.findIndex((each) => each === "--session-id" || each === "--resume") + 1];
const deeds = join(notes, "misdeeds", name);
/** How often it went wrong as it was to. What else may happen to it (another one fills the disk) does not count. */
const times = existsSync(deeds) ? readFileSync(deeds, "utf8").length : 0;

function misdeed() {
  mkdirSync(dirname(deeds), { recursive: true });
  appendFileSync(deeds, ".");
}

/** Lines can be longer than a pipe takes at once. */
function tell(value) {
  const bytes = Buffer.from(`${JSON.stringify(value)}\n`);
  for (let at = 0; at < bytes.length;) at += writeSync(1, bytes, at);
}

function init() {
  const config = process.env.CLAUDE_CONFIG_DIR ?? join(process.env.HOME, ".claude");
  const folder = join(config, "projects", process.cwd().replaceAll(/[^A-Za-z0-9]/g, "-"));
  mkdirSync(folder, { recursive: true });
  appendFileSync(join(folder, `${session}.jsonl`), "");
  tell({
    type: "system",
    subtype: "init",
    session_id: session,
    cwd: process.cwd(),
    tools: ["Bash", "Write"],
    model: "claude-opus-5-5",
  });
}

let answers = 0;
function say(text) {
  const usage = { input_tokens: 3, output_tokens: 1 };
  const message = {
    id: `m${process.pid}-${answers++}`,
    model: "claude-opus-5-5",
    usage,
    content: [{ type: "text", text }],
  };
  tell({ type: "assistant", session_id: session, message });
}

const used = {
  "claude-opus-5-5": {
    inputTokens: 10,
    outputTokens: 20,
    cacheReadInputTokens: 0,
    cacheCreationInputTokens: 0,
    costUSD: 0.01,
  },
};

function result(more = {}) {
  tell({
    type: "result",
    subtype: "success",
    is_error: false,
    num_turns: 2,
    session_id: session,
    result: "Done.",
    permission_denials: [],
    total_cost_usd: 0.01,
    modelUsage: used,
    model_usage_since_last_result: used,
    terminal_reason: "completed",
    ...more,
  });
}

/** An API error ends with the subtype "success". */
function fail(status, error, text) {
  misdeed();
  const message = { id: `e${process.pid}`, model: "<synthetic>", content: [{ type: "text", text }] };
  tell({
    type: "assistant",
    session_id: session,
    error,
    is_api_error_message: true,
    api_error_status: status,
    message,
  });
  result({
    is_error: true,
    api_error_status: status,
    result: text,
    terminal_reason: "api_error",
    total_cost_usd: 0,
    modelUsage: {},
    model_usage_since_last_result: {},
  });
  process.exit(1);
}

function run(program, ...words) {
  const ran = spawnSync(program, words, { encoding: "utf8" });
  if (ran.status !== 0)
    throw new Error(`${program} ${words.join(" ")}: ${ran.stderr || ran.error?.message || ran.status}`);
}

const put = (path, ...lines) => run("put", path, ...lines);
const right = (path) => put(path, "sum 6", "1", "2", "3");

function commit() {
  run("git", "add", "-A");
  run("git", "-c", "user.name=Claude", "-c", "user.email=claude@localhost", "commit", "-q", "-m", `Work on ${name}`);
}

/** The whole of its work, told as one does. */
function work() {
  say("I begin.");
  right(`parts/${name}.txt`);
  commit();
}

const forEver = () => new Promise(() => setInterval(() => {}, 60_000));

const ACTS = {
  "claims-success": () => {
    init();
    if (times > 0) return void (work(), result());
    say("I begin.");
    right(`parts/${name}-half.txt`);
    fail(500, "server_error", "API Error: 500 Internal server error");
  },
  "claims-for-ever": () => {
    init();
    right(`parts/${name}-${times}.txt`);
    fail(400, "invalid_request", "API Error: 400 messages: roles must alternate");
  },
  limited: () => {
    init();
    if (times > 0) return void (work(), result());
    say("I begin.");
    right(`parts/${name}-half.txt`);
    const resetsAt = Math.ceil(Date.now() / 1_000) + 4;
    tell({ type: "rate_limit_event", rate_limit_info: { status: "rejected", resetsAt, rateLimitType: "five_hour" } });
    fail(429, "rate_limit", "You've hit your 5-hour limit · resets soon (UTC)");
  },
  overloaded: () => {
    init();
    if (times > 1) return void (work(), result());
    right(`parts/${name}-${times}.txt`);
    for (const attempt of [1, 2])
      tell({
        type: "system",
        subtype: "api_retry",
        attempt,
        max_retries: 2,
        retry_delay_ms: 500,
        error_status: 529,
        error: "overloaded",
        session_id: session,
      });
    fail(529, "overloaded", "API Error: 529 Overloaded");
  },
  expired: () => (init(), fail(401, "authentication_failed", "Invalid API key · Fix external API key")),
  "expired-too": () => (init(), fail(401, "authentication_failed", "Invalid API key · Fix external API key")),
  denied: () => {
    init();
    say("I cannot deploy.");
    const denial = { tool_name: "Bash", tool_use_id: "t1", tool_input: { command: "make deploy" } };
    tell({ type: "system", subtype: "permission_denied", ...denial });
    result({ permission_denials: [denial], result: "I was not allowed to deploy." });
  },
  hangs: () => {
    init();
    if (times > 0) return void (work(), result());
    right(`parts/${name}-half.txt`);
    misdeed();
    return forEver();
  },
  "hangs-after": () => {
    init();
    work();
    result();
    return forEver();
  },
  /** Whoever looks for it finds it by this, and kills it. */
  killed: () => {
    init();
    if (times > 0) return void (work(), result());
    right(`parts/${name}-half.txt`);
    misdeed();
    writeFileSync(join(notes, "to-be-killed"), "");
    // It is at work: nobody is to take it for hung.
    return new Promise(() => setInterval(() => say("Still here."), 500));
  },
  "wrong-branch": () => {
    init();
    say("I begin.");
    if (times === 0) run("git", "switch", "-q", "-C", "elsewhere");
    work();
    misdeed();
    result();
  },
  "others-branch": () => {
    init();
    say("I begin.");
    if (times === 0) run("git", "switch", "-q", "develop");
    work();
    misdeed();
    result();
  },
  outside: () => {
    init();
    const home = dirname(process.cwd());
    const others = readdirSync(home).filter((each) => each !== basename(process.cwd()));
    writeFileSync(join(notes, "outside.txt"), "written outside\n");
    writeFileSync(join(readFileSync(join(notes, "checkout"), "utf8"), "outside.txt"), "written outside\n");
    // What a check of other work would stumble over, in the run's own worktree; and a file that is nobody's, in a sibling's.
    if (others.includes("r1"))
      spawnSync("sh", ["-c", 'mkdir -p "$0/parts" && echo "sum 99" >"$0/parts/outside-red.txt"', join(home, "r1")]);
    const sibling = others.find((each) => each !== "r1" && existsSync(join(home, each, ".git")));
    if (sibling) writeFileSync(join(home, sibling, "outside.txt"), "written outside\n");
    work();
    result();
  },
  floods: () => {
    init();
    const filler = {
      type: "user",
      session_id: session,
      message: { content: [{ type: "tool_result", content: "z".repeat(100_000) }] },
    };
    for (let kb = 0; kb < Number(floodMb) * 1_000; kb += 100) tell(filler);
    work();
    result();
  },
  /** It cleans up on its way out: what it left there nobody could take away, for it may be work and cannot be saved on a full disk. */
  "fills-disk": async () => {
    init();
    if (times > 0) return void (work(), result());
    right(`parts/${name}-half.txt`);
    const path = join(process.cwd(), "ballast");
    const file = openSync(path, "w");
    for (const piece of [Buffer.alloc(2 ** 20, 1), Buffer.alloc(4_096, 1)]) {
      try {
        while (writeSync(file, piece) === piece.length);
      } catch (error) {
        if (error.code !== "ENOSPC") throw error;
      }
    }
    misdeed();
    await new Promise((done) => setTimeout(done, 1_500));
    closeSync(file);
    rmSync(path);
    process.stderr.write("ENOSPC: no space left on device, write\n");
    process.exit(1);
  },
};

await ACTS[name]();
