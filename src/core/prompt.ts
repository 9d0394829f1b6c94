/** The texts that agents are given: one template for a new task, one for each way in which a conversation goes on. Pure: the templates
 *  come in as data. */
import { roughDuration } from "../lib/duration.ts";
import { fewInAList } from "../lib/few.ts";
import { nameToType } from "../lib/printable.ts";
import type { Answered } from "./conversation.ts";
import { OwtError } from "./errors.ts";
import type { PlannedTask } from "./plan.ts";
import { isRefusal } from "./red-check.ts";
import type { NextStart } from "./task.ts";
import type { Shape } from "./template/check.ts";
import type { Template, TemplateProblem, Value } from "./template/nodes.ts";
import { checkTemplate, parseTemplate, renderTemplate } from "./template/template.ts";

export type PromptContext = {
  spec: PlannedTask;
  /** Tasks whose integrated work the worktree already holds. */
  completed: string[];
  /** Commands that will be run to check the work. */
  verify: string[];
  branch: string;
  /** The line that ends a turn with a question. */
  questionMarker: string;
  /** Tasks of the run that came in since this one began, each with its title. */
  meanwhile: string[];
  /** What a person answered already. */
  answers: readonly Answered[];
  /** Of a conflict: the submodules in it, each with the commits of both sides. */
  submodules?: readonly string[];
  /** What the attempt before met. */
  met?: Met | undefined;
};

type Met = NonNullable<Extract<NextStart, { kind: "fresh" }>["met"]>;

/** The ways in which an agent is spoken to again. */
export type FollowUp = Exclude<NextStart, { kind: "fresh" | "by-hand" }>;

/** What is said to an agent; each has a template of its own. The last three are sections, put behind a prompt where there is something to say:
 *  a text that changed within a conversation, what a person answered in an earlier one, and what the attempt before could not be brought together with. */
export const OCCASIONS = ["task", "resume", "answer", "repair", "conflict", "changed", "answered", "anew"] as const;
export type Occasion = (typeof OCCASIONS)[number];

/** The name of an occasion's template below a folder of templates: `epic/task.md`, as the seed has it. */
export function promptName(occasion: Occasion): string {
  return `epic/${occasion}.md`;
}

/** A template's text and the file it came from. One that is `known` to be sound comes with the program, whose tests have checked it. */
export type PromptText = { file: string; text: string; known?: boolean };

/** Parsed templates, one for each occasion. One that is known to be sound is parsed when it is first used. */
export type Prompts = Record<Occasion, { file: string; known: boolean; readonly template: Template }>;

/** What is wrong with a template, and where. */
export type PromptProblem = TemplateProblem & { file: string };

const COMMON: Record<string, Shape> = {
  Title: "string",
  EpicFilePath: "string",
  EpicContent: "string",
  EpicBody: "string",
  ModuleContext: "string",
  CompletedDeps: "string",
  ID: "string",
  Module: "string",
  Branch: "string",
  Upstreams: { listOf: "string" },
  Verify: { listOf: "string" },
  Touches: { listOf: "string" },
  Creates: { listOf: "string" },
  Uses: { listOf: "string" },
  QuestionMarker: "string",
  Meanwhile: { listOf: "string" },
};

const OWN: Record<Occasion, Record<string, Shape>> = {
  task: {},
  resume: { Interruption: "string" },
  answer: { Answer: "string" },
  repair: { Command: "string", Refused: "string", Output: "string", Onto: "string", TimedOut: "string" },
  conflict: {
    Files: { listOf: "string" },
    Submodules: { listOf: "string" },
    Ours: "string",
    Theirs: "string",
    Command: "string",
    Output: "string",
  },
  changed: {},
  answered: { Answers: { listOf: { fields: { Question: "string", Answer: "string" } } } },
  anew: { Files: { listOf: "string" }, Command: "string", Output: "string", Ours: "string", TimedOut: "string" },
};

/** The fields that a template may use. */
export function promptFields(occasion: Occasion): string[] {
  return Object.keys({ ...COMMON, ...OWN[occasion] });
}

/** Parses and checks the templates. Every problem of every file at once. */
export function parsePrompts(
  texts: Record<Occasion, PromptText>,
): { prompts: Prompts } | { problems: PromptProblem[] } {
  const problems: PromptProblem[] = [];
  const parsed = OCCASIONS.flatMap((occasion) => {
    const { file, text, known = false } = texts[occasion];
    if (known) return [[occasion, parsedWhenUsed(file, text)] as const];
    if (text.trim() === "") {
      const hint = "write it, or remove the file: then the one below it counts";
      problems.push({ file, line: 1, column: 1, message: "the template is empty", hint });
      return [];
    }
    const result = parseTemplate(text);
    if ("problem" in result) {
      problems.push({ file, ...result.problem });
      return [];
    }
    const found = checkTemplate(result.template, { fields: { ...COMMON, ...OWN[occasion] } });
    problems.push(...found.map((problem) => ({ file, ...problem })));
    return [[occasion, { file, known, template: result.template }] as const];
  });
  return problems.length > 0 ? { problems } : { prompts: Object.fromEntries(parsed) as Prompts };
}

function parsedWhenUsed(file: string, text: string): Prompts[Occasion] {
  let template: Template | undefined;
  return {
    file,
    known: true,
    get template() {
      template ??= mustParse(file, text);
      return template;
    },
  };
}

function mustParse(file: string, text: string): Template {
  const result = parseTemplate(text);
  if ("template" in result) return result.template;
  throw new OwtError("internal", `${file}: ${result.problem.message}`, { hint: "install owt again" });
}

/** The problems in one error, each as `file:line:column message` with its hint. */
export function promptError(problems: readonly PromptProblem[], hint: string): OwtError {
  const lines = problems.map(
    ({ file, line, column, message, hint }) => `${file}:${line}:${column} ${message}${hint ? `\n    ${hint}` : ""}`,
  );
  const count = `${problems.length} ${problems.length === 1 ? "problem" : "problems"}`;
  return new OwtError("config", `the prompt templates have ${count}:\n${lines.join("\n")}`, { hint });
}

/** What is wrong with the templates for this very task: what only its data show. The follow-ups are tried with sample data. */
export function tryPrompts(prompts: Prompts, context: PromptContext): PromptProblem[] {
  const tried: [Occasion, Value][] = [
    ["task", dataOf(context)],
    ...SAMPLES.map((next): [Occasion, Value] => [next.kind, dataOf(context, next)]),
    ["changed", dataOf(context)],
    ["answered", answersOf({ ...context, answers: [{ question: "Which?", answer: "this one" }] })],
    ["anew", metData(context, { files: ["a.txt"], command: "npm test", output: "1 failed", ours: "ours" })],
  ];
  return tried.flatMap(([occasion, data]) => {
    // Nothing that a task can be makes a template fail that is known to be sound.
    const { file, known } = prompts[occasion];
    if (known) return [];
    const result = renderTemplate(prompts[occasion].template, data);
    return "problem" in result ? [{ file, ...result.problem }] : [];
  });
}

const SAMPLES: FollowUp[] = [
  { kind: "resume", from: 0, because: "nothing happened for a long time" },
  { kind: "answer", from: 0, text: "yes" },
  { kind: "repair", from: 0, command: "npm test", output: "1 failed", onto: null },
  { kind: "conflict", from: 0, files: ["a.txt"], ours: "ours", theirs: "theirs" },
];

/** The prompt of a task that starts from nothing. Throws `config` where the template fails on these data. */
export function renderTaskPrompt(prompts: Prompts, context: PromptContext): string {
  const text = withQuestionRule(render(prompts, "task", dataOf(context)), context);
  const sections = [
    ...(context.met === undefined ? [] : [render(prompts, "anew", metData(context, context.met))]),
    ...(context.answers.length === 0 ? [] : [render(prompts, "answered", answersOf(context))]),
  ];
  return [text, ...sections].join("\n");
}

/** The prompt with which a conversation goes on. An agent that does not remember gets the task again in front of it, with all answers; one
 *  that may remember another text of the task is told how it reads now (`isStale`).
 *  Each begins with a heading `# owt: <occasion>`, which names the occasion for programs too. */
export function renderFollowUp(
  prompts: Prompts,
  next: FollowUp,
  context: PromptContext,
  { remembers, isStale = false }: { remembers: boolean; isStale?: boolean },
): string {
  const rendered = withHeading(render(prompts, next.kind, dataOf(context, next)), next.kind);
  const text = next.kind === "resume" ? withQuestionRule(rendered, context) : rendered;
  if (!remembers) return `${renderTaskPrompt(prompts, context)}\n${text}`;
  return isStale ? `${text}\n${render(prompts, "changed", dataOf(context))}` : text;
}

function render(prompts: Prompts, occasion: Occasion, data: Value): string {
  const { file, template } = prompts[occasion];
  const result = renderTemplate(template, data);
  if ("text" in result) return `${result.text.trimEnd()}\n`;
  const { line, column, message } = result.problem;
  throw new OwtError("config", `the prompt cannot be made: ${file}:${line}:${column} ${message}`, {
    hint: "correct the template",
  });
}

/** A template that says nothing of questions leaves the agent able to ask all the same. */
function withQuestionRule(text: string, { questionMarker }: PromptContext): string {
  if (text.includes(questionMarker)) return text;
  return `${text}\nIf a decision of a person is needed, end the turn with one line: ${questionMarker} the question\n`;
}

function withHeading(text: string, occasion: Occasion): string {
  return new RegExp(`^# owt: ${occasion}\\b`, "m").test(text) ? text : `# owt: ${occasion}\n\n${text}`;
}

/** What a template is given. The first five are the seed's, and mean what they mean there. */
function dataOf(context: PromptContext, next?: FollowUp): Value {
  const { spec, completed, verify, branch, questionMarker, meanwhile, submodules = [] } = context;
  return {
    Title: spec.title,
    // A task that no file holds names the command that it came from.
    EpicFilePath: spec.source.file.startsWith("owt ") ? "" : spec.source.file,
    EpicContent: spec.content.trim(),
    EpicBody: bodyOf(spec),
    ModuleContext: spec.context.trim(),
    CompletedDeps: completed.join(", ") || "None",
    ID: spec.id,
    Module: spec.module ?? "",
    Branch: branch,
    Upstreams: completed,
    Verify: verify,
    Touches: spec.touches,
    Creates: spec.creates,
    Uses: spec.uses,
    QuestionMarker: questionMarker,
    Meanwhile: fewInAList(meanwhile, "git log"),
    ...(next?.kind === "conflict" ? { Submodules: fewInAList(submodules, "git status") } : {}),
    ...(next ? occasionData(next) : {}),
  };
}

function metData(context: PromptContext, { files, command, output, ours, timedOutMs }: Met): Value {
  const own = {
    Files: fewInAList(files.map(nameToType)),
    Command: command,
    Output: output,
    Ours: ours,
    TimedOut: timeWords(timedOutMs),
  };
  return { ...(dataOf(context) as Record<string, Value>), ...own };
}

/** Files in conflict, as the merge that is under way tells them all. */
const ALL_OPEN = "git diff --name-only --diff-filter=U";

/** Of a check that did not end: after how long it was stopped. */
function timeWords(ms: number | undefined): string {
  return ms === undefined ? "" : roughDuration(ms);
}

function answersOf(context: PromptContext): Value {
  const answers = context.answers.map(({ question, answer }) => ({ Question: question.trim(), Answer: answer.trim() }));
  return { ...(dataOf(context) as Record<string, Value>), Answers: answers };
}

/** The text without the heading that says the title once more. */
function bodyOf({ title, content }: PlannedTask): string {
  const text = content.trim();
  const heading = /^#+[ \t]+(.*?)[ \t#]*(?:\n|$)/.exec(text);
  return heading?.[1] === title.trim() ? text.slice(heading[0].length).trim() : text;
}

function occasionData(next: FollowUp): Record<string, Value> {
  switch (next.kind) {
    case "resume":
      return { Interruption: next.because ?? "" };
    case "answer":
      return { Answer: next.text };
    case "repair":
      return {
        Command: next.command,
        Refused: isRefusal(next) ? next.command : "",
        Output: next.output,
        Onto: next.onto ?? "",
        TimedOut: timeWords(next.timedOutMs),
      };
    case "conflict":
      return {
        Files: fewInAList(next.files.map(nameToType), ALL_OPEN),
        Ours: next.ours,
        Theirs: next.theirs,
        Command: next.command ?? "",
        Output: next.output ?? "",
      };
    default: {
      const never: never = next;
      return never;
    }
  }
}
