#!/usr/bin/env node
// Stands for an interactive Claude Code: it runs the hooks of its settings, takes pasted text as a person's words, and keeps a record of
// its conversation. What it is told goes to $TOLD, one JSON line each. Words that begin with "hold FILE" keep it at work until FILE is there, "tool FILE" keeps a
// program at work that it has started, and "leave" ends it as a person does, of which no hook is told as of a word. While $HOME/slow is there it does not begin; $HOME/lost-enter is an Enter that it
// loses.
import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

const argv = process.argv.slice(2);
const after = (flag) => (argv.includes(flag) ? argv[argv.indexOf(flag) + 1] : undefined);
const id = after("--resume") ?? after("--session-id") ?? "none";
const settings = after("--settings");
const hooks = settings === undefined ? {} : JSON.parse(readFileSync(settings, "utf8")).hooks;
const records = join(process.env.HOME, ".claude", "projects", "here");

function fire(event, more = {}) {
  const input = JSON.stringify({ session_id: id, hook_event_name: event, cwd: process.cwd(), ...more });
  for (const { hooks: each } of hooks[event] ?? [])
    for (const { command } of each) execFileSync("/bin/sh", ["-c", command], { input });
}

function note(what) {
  appendFileSync(
    process.env.TOLD ?? join(process.env.HOME, "told"),
    `${JSON.stringify({ id, cwd: process.cwd(), ...what })}\n`,
  );
}

async function hear(text) {
  note({ text });
  if (text === "leave") {
    fire("SessionEnd", { reason: "prompt_input_exit" });
    process.exit(0);
  }
  fire("UserPromptSubmit", { prompt: text });
  const file = /^hold (\S+)/.exec(text)?.[1];
  while (file !== undefined && !existsSync(file)) await new Promise((done) => setTimeout(done, 20));
  const tool = /^tool (\S+)/.exec(text)?.[1];
  const script = 'until [ -e "$1" ]; do sleep 0.05; done';
  if (tool !== undefined) await new Promise((done) => spawn("sh", ["-c", script, "sh", tool]).once("close", done));
  if (text.startsWith("ask")) return fire("PermissionRequest", { tool_name: "Bash" });
  fire("Stop");
}

mkdirSync(records, { recursive: true });
appendFileSync(join(records, `${id}.jsonl`), `${JSON.stringify({ type: "user", sessionId: id })}\n`);
note({
  started: argv.includes("--resume") ? "resumed" : "new",
  lead: process.env.OWT_LEAD ?? null,
  port: process.env.OWT_PORT ?? null,
});
const [slow, lost] = ["slow", "lost-enter"].map((name) => join(process.env.HOME, name));
while (existsSync(slow)) await new Promise((done) => setTimeout(done, 20));
process.stdout.write("\x1b[?2004h");
process.stdin.setRawMode?.(true);
fire("SessionStart", { source: argv.includes("--resume") ? "resume" : "startup" });
const split = argv.indexOf("--");
if (split !== -1) await hear(argv.slice(split + 1).join(" "));
let typed = "";
process.stdin.setEncoding("utf8");
for await (const chunk of process.stdin) {
  typed += chunk;
  for (;;) {
    const begin = typed.indexOf("\x1b[200~");
    const end = typed.indexOf("\x1b[201~");
    // A paste is one piece, whatever line ends it holds; what comes behind it presses Enter.
    const enter = typed.indexOf("\r", begin === -1 ? 0 : Math.max(begin, end));
    if (enter === -1 || (begin !== -1 && end === -1)) break;
    if (existsSync(lost)) {
      rmSync(lost);
      typed = typed.slice(0, enter) + typed.slice(enter + 1);
      continue;
    }
    const line = typed.slice(0, enter).replaceAll("\x1b[200~", "").replaceAll("\x1b[201~", "");
    typed = typed.slice(enter + 1);
    await hear(line);
  }
}
