/** The step language of the demo agent, read from a fenced block marked `demo` in the task's text.
 *
 *    write PATH "text"      append PATH "text"      delete PATH        commit "message"
 *    say "text"             ask "question"          fail "reason"      exit CODE
 *    work 200ms             hang                    wait PATH          touch PATH
 *    spawn                  (leaves a detached process behind)
 *    conflict PATH          (writes one line that differs from task to task, so that parallel tasks collide)
 *    limit 60s [opus]       (a usage limit, of one model)
 *    transient "text"        auth "text"        deny "tool"       cost 0.25
 *    tokens MODEL IN OUT    (uses tokens of a model, whose price we are to know)
 *    log PATH "text"        (appends a line outside the worktree; for harnesses)
 *    run "program" "arg" …  (a failing program fails the agent)
 *
 *  Steps before the first section are the first turn. A section is played when the conversation goes on:
 *    on answer:   on repair:   on conflict:
 *  In texts, {task}, {answer}, {turn} and {pid} are filled in. Text is a JSON string; a line that starts with # is a remark. */
import { parseDuration } from "../lib/duration.ts";

export type Occasion = "start" | "answer" | "repair" | "conflict";

export type Step = { verb: string; args: string[] };

export type DemoScript = Record<Occasion, Step[]>;

const BLOCKS = /^```demo[ \t]*\r?\n([\s\S]*?)^```[ \t]*$/gm;
const FENCE = /^```demo[ \t]*\r?$/m;
const SECTION = /^on (answer|repair|conflict):$/;

const ARGUMENTS: Record<string, number | "many"> = {
  write: 2,
  append: 2,
  delete: 1,
  commit: 1,
  say: 1,
  ask: 1,
  fail: 1,
  exit: 1,
  work: 1,
  hang: 0,
  wait: 1,
  touch: 1,
  spawn: 0,
  conflict: 1,
  limit: 1,
  transient: 1,
  auth: 1,
  deny: 1,
  cost: 1,
  tokens: 3,
  log: 2,
  run: "many",
};

/** The script in a task's text, or null when it brings none. Throws an Error that names the line at fault. */
export function parseDemoScript(text: string): DemoScript | null {
  const lines = linesOf(text);
  if (lines === null) return null;
  const script: DemoScript = { start: [], answer: [], repair: [], conflict: [] };
  let occasion: Occasion = "start";
  for (const trimmed of lines) {
    const section = SECTION.exec(trimmed);
    if (section) occasion = section[1] as Occasion;
    else script[occasion].push(parseStep(trimmed));
  }
  return script;
}

/** What is wrong with the steps that a text brings, one after the other: the line at fault, and why. A block that nothing ends is no block. */
export function findDemoFaults(text: string): { step: string; why: string }[] {
  const faults = (linesOf(text) ?? []).flatMap((step) => {
    try {
      if (!SECTION.test(step)) parseStep(step);
      return [];
    } catch (error) {
      return [{ step, why: (error as Error).message }];
    }
  });
  const open = FENCE.exec(text.replaceAll(BLOCKS, ""))?.[0];
  return open === undefined ? faults : [...faults, { step: open.trim(), why: "a demo block that nothing ends" }];
}

/** What is neither empty nor a remark; null without any block. */
function linesOf(text: string): string[] | null {
  const blocks = [...text.matchAll(BLOCKS)].map((match) => match[1]!);
  if (blocks.length === 0) return null;
  const lines = blocks.join("\n").split(/\r?\n/);
  return lines.map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
}

function parseStep(line: string): Step {
  const words = [...line.matchAll(/"(?:[^"\\]|\\.)*"|\S+/g)].map((match) => match[0]);
  const [verb = "", ...rest] = words;
  const wanted = Object.hasOwn(ARGUMENTS, verb) ? ARGUMENTS[verb] : undefined;
  if (wanted === undefined)
    throw new Error(`demo step "${line}": unknown verb; known: ${Object.keys(ARGUMENTS).join(", ")}`);
  const most = verb === "limit" ? 2 : wanted;
  if (wanted === "many" ? rest.length === 0 : rest.length < wanted || rest.length > Number(most))
    throw new Error(
      `demo step "${line}": ${verb} takes ${wanted === "many" ? "at least 1 argument" : `${wanted} argument${wanted === 1 ? "" : "s"}`}`,
    );
  const args = rest.map((word) => (word.startsWith('"') ? parseText(word, line) : word));
  const numbers = verb === "exit" || verb === "cost" ? args : verb === "tokens" ? args.slice(1) : [];
  if (numbers.some((each) => !/^\d+(\.\d+)?$/.test(each))) throw new Error(`demo step "${line}": no number`);
  if ((verb === "work" || verb === "limit") && parseDuration(args[0]!) === null)
    throw new Error(`demo step "${line}": no duration`);
  return { verb, args };
}

function parseText(word: string, line: string): string {
  try {
    return JSON.parse(word) as string;
  } catch (cause) {
    throw new Error(`demo step "${line}": ${word} is no JSON string`, { cause });
  }
}
