/** The program behind the demo agent. Started as `owt __demo-agent STATE_DIR SESSION start|resume` in a task's worktree.
 *  It keeps its conversation in STATE_DIR, so that a resume goes on where the last turn stopped. */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync, renameSync, rmSync, watch, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { text as readAll } from "node:stream/consumers";
import { parseDuration } from "../lib/duration.ts";
import { ensureFolder } from "../system/files.ts";
import { type DemoScript, type Occasion, parseDemoScript, type Step } from "./demo-steps.ts";

type Conversation = {
  script: DemoScript;
  occasion: Occasion;
  done: number;
  turn: number;
  answer: string;
};

/** How a turn ends early: with a result that the adapter reads. */
class TurnEnd extends Error {
  readonly result: Record<string, unknown>;
  readonly code: number;
  constructor(result: Record<string, unknown>, code = 0) {
    super("turn ended");
    this.result = result;
    this.code = code;
  }
}

/** The closing statement of a turn that ends well. */
let lastSaid = "done";

/** Plays one turn and returns the exit code. */
export async function playTurn(stateDir: string, session: string, resume: boolean): Promise<number> {
  const prompt = await readAll(process.stdin);
  const file = join(stateDir, `${session}.json`);
  const talk = resume ? goOn(readConversation(file), prompt) : begin(prompt);
  try {
    saveConversation(file, talk);
    for (const steps = talk.script[talk.occasion]; talk.done < steps.length;) {
      await play(steps[talk.done]!, talk, () => {
        talk.done++;
        saveConversation(file, talk);
      });
    }
    tell({ kind: "result", text: lastSaid });
    return 0;
  } catch (error) {
    if (!(error instanceof TurnEnd)) throw error;
    tell({ kind: "result", ...error.result });
    return error.code;
  }
}

function begin(prompt: string): Conversation {
  const script = parseDemoScript(prompt) ?? defaultScript();
  return { script, occasion: "start", done: 0, turn: 1, answer: "" };
}

/** A task without steps gets one file, written and committed. */
function defaultScript(): DemoScript {
  const file = demoFile(taskKey());
  const start: Step[] = [
    { verb: "write", args: [file, `# ${taskKey()}\n\nWritten by the demo agent.\n`] },
    { verb: "commit", args: [`${taskKey()}: write ${file}`] },
  ];
  return { start, answer: [], repair: [], conflict: [] };
}

/** A file for each id, and no two for one: tasks side by side must not collide. Ids hold no `+`, so that `x/y` and `x-y` stay apart;
 *  one that is too long for a file's name is told by its hash. */
export function demoFile(id: string): string {
  const name = id.replaceAll(/[^\p{L}\p{N}._-]/gu, (sign) => (sign === "/" ? "+" : encodeURIComponent(sign)));
  const short = Buffer.byteLength(name) <= LONGEST_NAME;
  return `demo/${short ? name : `${[...name].slice(0, 40).join("")}+${createHash("sha256").update(id).digest("hex").slice(0, 16)}`}.md`;
}

/** Bytes; file systems end at 255. */
const LONGEST_NAME = 240;

/** The follow-up prompts of owt begin with a heading that names the occasion. */
function goOn(talk: Conversation, prompt: string): Conversation {
  const heading = /^# owt: (answer|repair|conflict|resume)\b/m.exec(prompt)?.[1];
  talk.turn++;
  // Its work was put aside: it is done again.
  if (/^## The machine went down$/m.test(prompt)) talk.done = 0;
  if (heading === undefined || heading === "resume") return talk;
  talk.occasion = heading as Occasion;
  talk.done = 0;
  if (heading === "answer") talk.answer = /<answer>\n?([\s\S]*?)\n?<\/answer>/.exec(prompt)?.[1] ?? "";
  return talk;
}

function readConversation(file: string): Conversation {
  return JSON.parse(readFileSync(file, "utf8")) as Conversation;
}

function saveConversation(file: string, talk: Conversation): void {
  ensureFolder(dirname(file));
  writeFileSync(`${file}.tmp`, JSON.stringify(talk));
  renameSync(`${file}.tmp`, file);
}

/** Plays one step. `passed` marks it as done; steps that end the turn mark it before they do. */
async function play(step: Step, talk: Conversation, passed: () => void): Promise<void> {
  const [first = "", second = ""] = step.args.map((arg) => fill(arg, talk));
  switch (step.verb) {
    case "say":
      lastSaid = first;
      tell({ kind: "say", text: first });
      break;
    case "write":
      put(first, () => writeFileSync(first, second));
      break;
    case "append":
      put(first, () => appendFileSync(first, second));
      break;
    case "touch":
      put(first, () => appendFileSync(first, ""));
      break;
    case "log":
      appendFileSync(first, `${second}\n`);
      break;
    case "conflict":
      put(first, () => writeFileSync(first, `${taskKey()}\n`));
      break;
    case "delete":
      rmSync(first, { recursive: true, force: true });
      break;
    case "commit":
      commit(first);
      break;
    case "run":
      run(step.args.map((arg) => fill(arg, talk)));
      break;
    case "cost":
      tell({ kind: "used", costUsd: Number(first) });
      break;
    case "tokens":
      tell({ kind: "used", model: first, input: Number(second), output: Number(step.args[2]) });
      break;
    case "work":
      await new Promise((resolve) => setTimeout(resolve, parseDuration(first) ?? 0));
      break;
    case "wait":
      await fileAppears(first);
      break;
    case "hang":
      await new Promise(() => setInterval(() => {}, 60_000));
      break;
    case "spawn":
      spawn("sleep", ["3600"], { detached: true, stdio: "ignore" }).unref();
      break;
    case "deny":
      tell({ kind: "deny", tool: first });
      break;
    default:
      passed();
      throw ending(step.verb, first, step.args[1]);
  }
  passed();
}

function ending(verb: string, said: string, model?: string): TurnEnd {
  switch (verb) {
    case "ask":
      return new TurnEnd({ subtype: "asked", text: said });
    case "fail":
      return new TurnEnd({ isError: true, text: said }, 1);
    case "exit":
      return new TurnEnd({ isError: true, text: `left with ${said}` }, Number(said));
    case "limit":
      tell({ kind: "limit", resetsAt: Date.now() + (parseDuration(said) ?? 0), model });
      return new TurnEnd({ isError: true, text: "usage limit" }, 1);
    case "transient":
    case "auth":
      return new TurnEnd({ isError: true, subtype: verb, text: said }, 1);
    default:
      throw new Error(`demo step ${verb} has no meaning`);
  }
}

function put(path: string, write: () => void): void {
  ensureFolder(dirname(path));
  write();
  tell({ kind: "do", name: "write", detail: path });
}

function commit(message: string): void {
  run(["git", "add", "-A"]);
  // Nothing to commit is no failure: a resumed turn may repeat the step.
  if (spawnSync("git", ["diff", "--cached", "--quiet"]).status === 0 && !existsSync(gitPath("MERGE_HEAD"))) return;
  run(["git", "-c", "user.name=Demo Agent", "-c", "user.email=demo@localhost", "commit", "-q", "-m", message]);
  tell({ kind: "do", name: "commit", detail: message });
}

function gitPath(name: string): string {
  return spawnSync("git", ["rev-parse", "--git-path", name], { encoding: "utf8" }).stdout.trim();
}

function run([program = "", ...args]: string[]): void {
  const result = spawnSync(program, args, { encoding: "utf8" });
  if (result.status !== 0) {
    throw new TurnEnd(
      {
        isError: true,
        text: `${program} ${args.join(" ")}: ${result.stderr || result.error?.message || result.status}`,
      },
      1,
    );
  }
}

function fileAppears(path: string): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!existsSync(path)) return;
      watcher?.close();
      clearInterval(timer);
      resolve();
    };
    // The folder may not exist yet, and a watch can miss a rename over a mount: look now and then as well.
    const watcher = existsSync(dirname(path)) ? watch(dirname(path), look) : null;
    const timer = setInterval(look, 100);
    look();
  });
}

function fill(text: string, talk: Conversation): string {
  const values: Record<string, string> = {
    task: taskKey(),
    answer: talk.answer,
    turn: String(talk.turn),
    pid: String(process.pid),
  };
  return text.replaceAll(/\{(task|answer|turn|pid)\}/g, (_, name: string) => values[name]!);
}

function taskKey(): string {
  return process.env["OWT_TASK"] ?? "task";
}

function tell(event: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}
