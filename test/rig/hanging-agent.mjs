/** An agent on its bad days: `hanging-agent.mjs TYPE HOME BUSY_MS`. It hangs in the way that TYPE names, or is busy for so long without a word and does its
 *  work then. `HOME/began/TYPE` appears in the moment in which it begins; `HOME/peer` holds the port of a server that never answers, `HOME/lock` is held. */
import { spawn, spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";

const [type, home, busyMs] = process.argv.slice(2);
const session = process.argv[process.argv.findIndex((each) => each === "--session-id" || each === "--resume") + 1];
const sleepFor = (ms) => new Promise((done) => setTimeout(done, ms));
const forEver = () => setInterval(() => {}, 60_000);
const tell = (row) => writeSync(1, `${JSON.stringify(row)}\n`);
const quiet = { stdio: "ignore" };

/** From here on nothing happens any more; or it is busy. */
function begin() {
  const file = join(home, "began", type);
  writeFileSync(`${file}.tmp`, String(Date.now()));
  renameSync(`${file}.tmp`, file);
}

function work() {
  writeFileSync(`${type}.txt`, `${type}\n`);
}

/** What Claude Code prints when it begins, and its last word. */
const init = () => tell({ type: "system", subtype: "init", session_id: session });
const result = () =>
  tell({ type: "result", subtype: "success", is_error: false, num_turns: 1, session_id: session, result: "Done." });

/** Until its time is over. */
async function busy(everyMs, step) {
  const ends = performance.now() + Number(busyMs);
  begin();
  for (let round = 0; performance.now() < ends; round++) {
    step(round);
    if (everyMs > 0) await sleepFor(everyMs);
  }
  work();
}

function burn(ms) {
  for (const ends = performance.now() + ms; performance.now() < ends;);
}

/** However long it takes to get so much of a processor. */
function compute(ms) {
  const used = () => process.cpuUsage().user / 1_000;
  for (const ends = used() + ms; used() < ends;);
}

const HANGS = {
  "says-nothing": () => {},
  "says-one-line": () => writeSync(1, "I begin.\n"),
  "half-a-line": () => writeSync(1, "I be"),
  "complains-once": () => writeSync(2, "a warning\n"),
  "sleeping-tool": () => spawn("sleep", ["3600"], quiet),
  "sleeping-tool-of-a-tool": () => spawn("sh", ["-c", "setsid sleep 3600 & wait"], quiet),
  "tool-reads-a-pipe": () => spawn("cat", [], { stdio: ["pipe", "ignore", "ignore"] }),
  "tool-reads-a-terminal": () =>
    spawn("script", ["-qec", "head -n 1", "/dev/null"], { stdio: ["pipe", "ignore", "ignore"] }),
  "tool-writes-where-nobody-reads": () => spawn("yes", [], { stdio: ["ignore", "pipe", "ignore"] }).stdout.pause(),
  "stops-itself": () => {
    begin();
    setInterval(() => process.kill(process.pid, "SIGSTOP"), 50);
  },
  "stopped-tool": () => spawn("sh", ["-c", "while :; do kill -STOP $$; done"], quiet),
  "dead-connection": () => connect(Number(readFileSync(join(home, "peer"), "utf8")), "127.0.0.1").on("error", () => {}),
  "lock-held": () => spawn("flock", [join(home, "lock"), "true"], quiet),
  // A process that has called vfork(2), number 58 on x86-64, waits in state D until its child has gone.
  "held-up-in-the-kernel": () => spawn("perl", ["-e", "sleep 3600 if syscall(58) == 0"], quiet),
  "waits-for-itself": () => {
    begin();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },
  "forgets-its-children": () => spawn("perl", ["-e", "for (1..3) { fork() or exit } sleep 3600"], quiet),
  "deaf-to-term": () => process.on("SIGTERM", () => {}),
  "is-killed-under-a-stopped-wrapper": () => {},
  "loses-its-wrapper": () => {},
  "result-and-stays": () => {
    init();
    work();
    result();
  },
  "result-and-a-tool-stays": () => {
    init();
    work();
    spawn("sleep", ["3600"], quiet);
    result();
  },
  "limit-and-stays": () => {
    init();
    const resetsAt = Math.floor(Date.now() / 1_000) + 7_200;
    tell({ type: "rate_limit_event", rate_limit_info: { status: "rejected", resetsAt } });
  },
};

/** Those that do something for ever, and it leads nowhere. */
const ENDLESS = {
  "heartbeats-only": () => setInterval(() => writeSync(1, ".\n"), 200),
  spins: () => {
    begin();
    for (;;);
  },
  "asks-again-for-ever": () => {
    init();
    const row = { type: "system", subtype: "api_retry", attempt: 1, max_retries: 10, error_status: 529 };
    setInterval(() => tell({ ...row, error: "overloaded" }), 300);
  },
};

const LEAVES = {
  "leaves-without-a-result": () => {
    init();
    spawn("sleep", ["3600"], { ...quiet, detached: true }).unref();
  },
  "is-stopped-once": () => {
    process.kill(process.pid, "SIGSTOP");
    work();
  },
};

const BUSY = {
  computes: () => busy(0, () => burn(100)),
  "computes-in-a-grandchild": async () => {
    const code = `const e=Date.now()+${busyMs};while(Date.now()<e);`;
    spawn("sh", ["-c", 'setsid "$0" -e "$1" & exit 0', process.execPath, code], { ...quiet, detached: true });
    begin();
    await sleepFor(Number(busyMs));
    work();
  },
  "computes-now-and-then": () => busy(1_500, () => compute(200)),
  "reads-and-writes-in-a-tool": async () => {
    begin();
    const code = `const fs=require("fs"),b=Buffer.alloc(20000),e=Date.now()+${busyMs};
      setInterval(()=>{if(Date.now()>e)process.exit();fs.writeFileSync(process.argv[1],b)},400)`;
    const child = spawn(process.execPath, ["-e", code, join(home, "scratch")], quiet);
    await new Promise((done) => child.on("exit", done));
    work();
  },
  "starts-small-tools": () => busy(800, () => spawnSync("true", [], quiet)),
  "writes-its-record-only": async () => {
    init();
    const folder = join(process.env.HOME, ".claude/projects/place");
    mkdirSync(folder, { recursive: true });
    await busy(700, (round) => appendFileSync(join(folder, `${session}.jsonl`), `{"n":${round}}\n`));
    result();
  },
  "complains-all-the-time": () => busy(700, () => writeSync(2, "still here\n")),
  "is-served-last": async () => {
    spawnSync("renice", ["-n", "19", "-p", String(process.pid)], quiet);
    await busy(0, () => burn(100));
  },
};

mkdirSync(join(home, "began"), { recursive: true });
if (type in BUSY) {
  await BUSY[type]();
  process.exit(0);
} else if (type in LEAVES) {
  begin();
  LEAVES[type]();
  process.exit(0);
} else {
  const does = HANGS[type] ?? ENDLESS[type];
  if (!["spins", "waits-for-itself", "stops-itself"].includes(type)) setTimeout(begin, 100);
  does();
  forEver();
}
