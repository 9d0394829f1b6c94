/** A program that behaves at its edge like Claude Code, as it is told: it prints lines of its stream, commits, hangs, leaves. What the real
 *  one does stands in claude.test.ts and its neighbours; this one also does what the real one does only on its bad days. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { Rig } from "./rig.ts";

/** What it does, one after the other. `init`, `say`, `retry` (a status) and `result` are lines of the stream. */
export type Deed =
  /** `elsewhere`: it keeps its record where owt does not look. */
  | { init: true; elsewhere?: true }
  | { say: string }
  | { retry: number }
  /** `error` makes it a failed one, with the status that the API gave; `says` are its last words, `denied` a command that was refused. */
  | { result: { turns: number; usd?: number; error?: string; status?: number; says?: string; denied?: string } }
  | { raw: string }
  /** So many numbered words, with 10 kB of a tool's output behind each. */
  | { words: { from: number; to: number } }
  | { stderr: string }
  /** Writes and commits a file of that name. */
  | { commit: string }
  /** A command in its worktree. */
  | { sh: string }
  /** Says that a test may go on, and waits for it. */
  | { wait: string }
  | { hang: true }
  | { exit: number };

export type Start = { args: string[]; session: string; isResume: boolean };

/** A rig with one task, carried by the program; its n-th start does the n-th list, the last one for all later starts. */
export function scriptedRig(starts: Deed[][], config = ""): Rig {
  const rig = Rig.create({
    ".worktreerc": `[agent.claude]\ncommand = ["scripted-claude"]\n[run]\nretries = 2\n${config}\n`,
    "docs/plans/site/epic-01-a.md": "# A\n\nDo it.\n",
  });
  writeFileSync(rig.path("starts.json"), JSON.stringify(starts));
  rig.addProgram("scripted-claude", `#!${process.execPath}\n${PROGRAM}\nplay(${JSON.stringify(rig.home)});\n`);
  return rig;
}

/** How it was started, each time. */
export function startsOf(rig: Rig): Start[] {
  const file = rig.path("started.jsonl");
  const rows = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
  return rows.map((row) => {
    const args = JSON.parse(row) as string[];
    const isResume = args.includes("--resume");
    return { args, isResume, session: args[args.indexOf(isResume ? "--resume" : "--session-id") + 1]! };
  });
}

const PROGRAM = `
const fs = require("node:fs"), path = require("node:path"), { execFileSync } = require("node:child_process");
const tell = (value) => fs.writeSync(1, JSON.stringify(value) + "\\n");
function play(home) {
  const args = process.argv.slice(2);
  const started = path.join(home, "started.jsonl");
  fs.appendFileSync(started, JSON.stringify(args) + "\\n");
  const number = fs.readFileSync(started, "utf8").trim().split("\\n").length - 1;
  const session = args[args.findIndex((arg) => arg === "--resume" || arg === "--session-id") + 1];
  const all = JSON.parse(fs.readFileSync(path.join(home, "starts.json"), "utf8"));
  const deeds = all[Math.min(number, all.length - 1)];
  let answers = 0;
  (function next(at) {
    for (; at < deeds.length; at++) {
      const deed = deeds[at];
      if (deed.init) {
        const folder = path.join(process.env.HOME, ".claude/projects/place");
        fs.mkdirSync(folder, { recursive: true });
        if (!deed.elsewhere) fs.appendFileSync(path.join(folder, session + ".jsonl"), "");
        tell({ type: "system", subtype: "init", session_id: session, tools: ["Bash"], permissionMode: "acceptEdits" });
      }
      if (deed.say !== undefined) {
        const usage = { input_tokens: 3, output_tokens: 1 };
        const content = [{ type: "text", text: deed.say }];
        const id = "m" + number + "-" + answers++;
        tell({ type: "assistant", session_id: session, message: { id, model: "claude-opus-5-5", usage, content } });
      }
      if (deed.retry) {
        const words = { attempt: ++answers, max_retries: 10, retry_delay_ms: 500, error_status: deed.retry };
        tell({ type: "system", subtype: "api_retry", ...words, error: deed.retry === 401 ? "authentication_failed" : "overloaded" });
      }
      if (deed.result) {
        const { turns, usd = 0, error, status = null, says = "Done.", denied } = deed.result;
        const ending = error ? { subtype: "error_during_execution", is_error: true, errors: [error], api_error_status: status } : { subtype: "success", is_error: false, result: says };
        const denials = denied === undefined ? [] : [{ tool_name: "Bash", tool_input: { command: denied } }];
        const used = { inputTokens: 10, outputTokens: 20, cacheReadInputTokens: 0, cacheCreationInputTokens: 0, costUSD: usd };
        const models = turns === 0 ? {} : { "claude-opus-5-5": used };
        tell({ type: "result", ...ending, num_turns: turns, session_id: session, permission_denials: denials, total_cost_usd: usd, modelUsage: models, model_usage_since_last_result: models });
      }
      if (deed.words) {
        const filler = { type: "user", message: { content: [{ type: "tool_result", content: "z".repeat(10000) }] } };
        for (let word = deed.words.from; word < deed.words.to; word++) {
          tell({ type: "assistant", message: { content: [{ type: "text", text: "word " + word }] } });
          tell(filler);
        }
      }
      if (deed.raw !== undefined) fs.writeSync(1, deed.raw);
      if (deed.stderr) fs.writeSync(2, deed.stderr + "\\n");
      if (deed.commit) {
        fs.writeFileSync(deed.commit, deed.commit + "\\n");
        execFileSync("git", ["add", "-A"]);
        execFileSync("git", ["-c", "user.name=C", "-c", "user.email=c@localhost", "commit", "-q", "-m", "Add " + deed.commit]);
      }
      if (deed.sh) execFileSync("sh", ["-c", deed.sh], { stdio: "ignore" });
      if (deed.wait) {
        fs.writeFileSync(path.join(home, deed.wait + "-reached"), "");
        const timer = setInterval(() => {
          if (!fs.existsSync(path.join(home, deed.wait))) return;
          clearInterval(timer);
          next(at + 1);
        }, 20);
        return;
      }
      if (deed.hang) return void setInterval(() => {}, 60000);
      if (deed.exit !== undefined) process.exit(deed.exit);
    }
  })(0);
}
`;
