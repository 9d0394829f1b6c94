import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { sampleSpec } from "../../test/rig/samples.ts";
import {
  type FollowUp,
  type Occasion,
  OCCASIONS,
  parsePrompts,
  type PromptContext,
  promptError,
  promptName,
  type Prompts,
  renderFollowUp,
  renderTaskPrompt,
  tryPrompts,
} from "./prompt.ts";

const folder = new URL("../../prompts/", import.meta.url);

/** The built-in templates, some of them replaced. */
function textsWith(own: Partial<Record<Occasion, string>>) {
  const entries = OCCASIONS.map((occasion) => {
    const file = promptName(occasion);
    return [occasion, { file, text: own[occasion] ?? readFileSync(new URL(file, folder), "utf8") }] as const;
  });
  return Object.fromEntries(entries) as Parameters<typeof parsePrompts>[0];
}

function promptsWith(own: Partial<Record<Occasion, string>>): Prompts {
  const parsed = parsePrompts(textsWith(own));
  if ("problems" in parsed) throw promptError(parsed.problems, "");
  return parsed.prompts;
}

const builtIn = promptsWith({});

const context: PromptContext = {
  spec: sampleSpec("auth/E02", { title: "Log in", content: "\nAdd a login page.\n\nWith a form.\n" }),
  completed: [],
  verify: [],
  branch: "owt/tasks/auth-e02/4",
  questionMarker: "OWT-QUESTION:",
  meanwhile: [],
  answers: [],
};

describe("the prompt of a new task", () => {
  test("holds the title, the id, the branch and the whole text of the plan, unchanged", () => {
    const prompt = renderTaskPrompt(builtIn, context);
    expect(prompt).toMatch(/^# Log in\n\nThis is task auth\/E02, .* on branch owt\/tasks\/auth-e02\/4\.\n/);
    expect(prompt).toContain("\n\nAdd a login page.\n\nWith a form.\n\n");
    expect(prompt).toContain("This task depends on no other.");
    expect(prompt.endsWith("\n")).toBe(true);
    expect(prompt).not.toMatch(/\n{3}/);
  });

  test("names what is there already, and brings the module's context", () => {
    const spec = { ...context.spec, context: "The module is about users.\n" };
    const prompt = renderTaskPrompt(builtIn, { ...context, spec, completed: ["auth/E01", "db/E01"] });
    expect(prompt).toContain("The work of these tasks is in this worktree: auth/E01, db/E01.");
    expect(prompt).not.toContain("depends on no other");
    expect(prompt).toContain("## Context\n\nThe module is about users.\n\n");
    expect(renderTaskPrompt(builtIn, context)).not.toContain("## Context");
  });

  test("says how the work is checked, where it may change things and how to ask, only where there is something to say", () => {
    const spec = { ...context.spec, touches: ["src/**", "docs/**"] };
    const full = renderTaskPrompt(builtIn, { ...context, spec, verify: ["npm test", "npm run lint"] });
    expect(full).toContain("succeed: `npm test`, `npm run lint`\n- Change only: src/**, docs/**\n- If a decision");
    expect(full).toContain("end the turn with one line: OWT-QUESTION: the question");
    const bare = renderTaskPrompt(builtIn, context);
    expect(bare).not.toMatch(/succeed|Change only/);
    expect(bare).toMatch(/Commit the work.*\n- If a decision/);
  });
});

describe("the prompt with which a conversation goes on", () => {
  const conflict: FollowUp = { kind: "conflict", from: 1, files: ["a.ts", "b.ts"], ours: "ours", theirs: "theirs" };
  const all: [FollowUp, string[]][] = [
    [{ kind: "resume", from: 1 }, ["# owt: resume", "finish the task", "OWT-QUESTION:"]],
    [{ kind: "answer", from: 1, text: "blue,\nplease" }, ["# owt: answer", "<answer>\nblue,\nplease\n</answer>"]],
    [
      { kind: "repair", from: 1, command: "npm test", output: "1 red", onto: null },
      ["# owt: repair", "`npm test`", "<output>\n1 red\n</output>"],
    ],
    [conflict, ["# owt: conflict", "a.ts, b.ts", "This side: ours", "The other side: theirs"]],
  ];

  test.each(all)("$kind begins with its occasion and holds everything there is to know", (next, pieces) => {
    const prompt = renderFollowUp(builtIn, next, context, { remembers: true });
    expect(prompt.startsWith(`${pieces[0]}\n`)).toBe(true);
    for (const piece of pieces) expect(prompt).toContain(piece);
    expect(prompt).not.toContain("Add a login page.");
  });

  test("what work was refused for before any command checked it is told in words, and is no command", () => {
    const outside = "something outside what the task touches was changed";
    const next = { kind: "repair" as const, from: 1, command: outside, output: "x.txt", onto: null };
    const prompt = renderFollowUp(builtIn, next, context, { remembers: true });
    expect(prompt).toContain(
      `The work was not taken: ${outside}. This is what was found:\n\n<output>\nx.txt\n</output>`,
    );
    expect(prompt).not.toMatch(/`something|checked with|the check/);
  });

  test("a file whose name has more than one line is named in one", () => {
    const next = { ...conflict, files: ["a b.ts", "two\nlines"] };
    const prompt = renderFollowUp(builtIn, next, context, { remembers: true });
    expect(prompt).toContain('Files in conflict: a b.ts, "two\\nlines"\n');
  });

  test("names that end or hold what a list is made of are told apart", () => {
    const next = { ...conflict, files: ["a", " b", "c ", "d, e", "`f`", '"g"'] };
    const prompt = renderFollowUp(builtIn, next, context, { remembers: true });
    expect(prompt).toContain('Files in conflict: a, " b", "c ", "d, e", "`f`", "\\"g\\""\n');
  });

  test("of very many files, tasks and submodules the first are named, with the command that names all", () => {
    const many = (name: string) => Array.from({ length: 1_000 }, (_, at) => `${name}${at}`);
    const next = { ...conflict, files: many("f") };
    const around = { ...context, meanwhile: many("t"), submodules: many("m") };
    const prompt = renderFollowUp(builtIn, next, around, { remembers: true });
    expect(prompt).toContain("f49, … and 950 more: git diff --name-only --diff-filter=U\n");
    expect(prompt).toContain("t49; … and 950 more: git log.");
    expect(prompt).toContain("m49; … and 950 more: git status.");
    const met = { files: many("f"), command: "", output: "", ours: "ours" };
    const anew = renderTaskPrompt(builtIn, { ...context, met });
    expect(anew).toContain("f49, … and 950 more.");
    for (const text of [prompt, anew]) expect(text.length).toBeLessThan(8_000);
  });

  test.each(all)("$kind repeats the task for an agent that does not remember", (next, pieces) => {
    const prompt = renderFollowUp(builtIn, next, context, { remembers: false });
    expect(prompt.startsWith(renderTaskPrompt(builtIn, context).trimEnd())).toBe(true);
    expect(prompt).toContain(`\n\n${pieces[0]}\n`);
  });
});

describe("what is put behind a prompt", () => {
  const resume: FollowUp = { kind: "resume", from: 1 };

  test("a text that changed within the conversation, as it reads now, under any follow-up", () => {
    const spec = { ...context.spec, touches: ["src/**"] };
    for (const next of [resume, { kind: "answer", from: 1, text: "blue" } as FollowUp]) {
      const told = { remembers: true, isStale: true };
      const prompt = renderFollowUp(builtIn, next, { ...context, spec, verify: ["npm test"] }, told);
      expect(prompt.startsWith(`# owt: ${next.kind}\n`)).toBe(true);
      expect(prompt).toContain("<task>\n# Log in\n\nAdd a login page.\n\nWith a form.\n</task>\n");
      expect(prompt).toContain("succeed: `npm test`\n\nChange only: src/**\n");
      expect(prompt.match(/^# owt: /gm)).toHaveLength(1);
    }
    expect(renderFollowUp(builtIn, resume, context, { remembers: true })).not.toContain("<task>");
  });

  test("everything a person answered, where the agent begins afresh or does not remember, and only there", () => {
    const answers = [
      { question: "Which colour?", answer: "purple,\nplease" },
      { question: "", answer: "the new one" },
    ];
    const asked = { ...context, answers };
    const said = "Question: Which colour?\n\nAnswer: purple,\nplease\n\nAnswer: the new one\n";
    expect(renderTaskPrompt(builtIn, asked)).toContain(said);
    expect(renderTaskPrompt(promptsWith({ task: "Do {{.Title}}." }), asked)).toContain(said);
    expect(renderFollowUp(builtIn, resume, asked, { remembers: false })).toContain(said);
    expect(renderFollowUp(builtIn, resume, asked, { remembers: true })).not.toContain("purple");
    expect(renderTaskPrompt(builtIn, context)).not.toContain("decided");
  });

  test("a heading that says the title once more is left out of the body, and stays in the content", () => {
    const titled = { ...context, spec: { ...context.spec, content: "# Log in\n\nAdd a page.\n" } };
    const prompt = renderTaskPrompt(builtIn, titled);
    expect(prompt.match(/^# Log in$/gm)).toHaveLength(1);
    expect(prompt).toContain("\n\nAdd a page.\n");
    expect(renderTaskPrompt(promptsWith({ task: "{{.EpicContent}}" }), titled)).toMatch(/^# Log in\n\nAdd a page\.\n/);
    const other = { ...context, spec: { ...context.spec, content: "# Background\n\nText.\n" } };
    expect(renderTaskPrompt(builtIn, other)).toContain("# Background");
  });
});

describe("templates of one's own", () => {
  const render = (text: string, change: Partial<PromptContext> = {}) =>
    renderTaskPrompt(promptsWith({ task: text }), { ...context, ...change });

  test("the seed's own example works as it stands", () => {
    const seed =
      "You are implementing: {{.Title}}\n\nEpic file: {{.EpicFilePath}}\n\n{{.EpicContent}}\n{{if .ModuleContext}}\nModule context:\n{{.ModuleContext}}\n{{end}}\nDependencies completed: {{.CompletedDeps}}\n\n# Your custom instructions here...\n";
    const spec = { ...context.spec, context: "Users.\n" };
    expect(render(seed, { spec, completed: ["auth/E01", "db/E01"] })).toBe(
      "You are implementing: Log in\n\nEpic file: docs/plans/plan.md\n\nAdd a login page.\n\nWith a form.\n\nModule context:\nUsers.\n\nDependencies completed: auth/E01, db/E01\n\n# Your custom instructions here...\n\nIf a decision of a person is needed, end the turn with one line: OWT-QUESTION: the question\n",
    );
    expect(render(seed)).toContain("Dependencies completed: None\n");
  });

  test("all fields there are", () => {
    const spec = { ...context.spec, module: "auth", touches: ["src/**"] };
    const text = render(
      "{{.ID}}|{{.Module}}|{{.Branch}}|{{.Upstreams}}|{{.Verify}}|{{.Touches}}|{{.QuestionMarker}}|{{len .Upstreams}}",
      { spec, completed: ["a", "b"], verify: ["npm test"] },
    );
    expect(text).toBe("auth/E02|auth|owt/tasks/auth-e02/4|[a b]|[npm test]|[src/**]|OWT-QUESTION:|2\n");
  });

  test("a task without a file has no file path", () => {
    const spec = { ...context.spec, source: { file: "owt run", line: 1 } };
    expect(render("[{{.EpicFilePath}}] {{.QuestionMarker}}", { spec })).toBe("[] OWT-QUESTION:\n");
  });

  test("an agent can always ask, and programs always see the occasion", () => {
    const own = promptsWith({ task: "Do {{.Title}}.", resume: "Go on.", repair: "Mend {{.Command}}." });
    const rule = "end the turn with one line: OWT-QUESTION: the question";
    expect(renderTaskPrompt(own, context)).toContain(rule);
    const resumed = renderFollowUp(own, { kind: "resume", from: 1 }, context, { remembers: true });
    expect(resumed).toMatch(/^# owt: resume\n\nGo on\.\n/);
    expect(resumed).toContain(rule);
    const repair: FollowUp = { kind: "repair", from: 1, command: "npm test", output: "", onto: null };
    expect(renderFollowUp(own, repair, context, { remembers: true })).toBe("# owt: repair\n\nMend npm test.\n");
  });

  test("every problem of every file at once, and fields of another occasion are none", () => {
    const parsed = parsePrompts(
      textsWith({ task: "{{.Titel}}\n {{.Answer}}", answer: "{{if .Answer}}", repair: "{{.Output}}" }),
    );
    if (!("problems" in parsed)) throw new Error("no problems");
    const error = promptError(parsed.problems, "correct them");
    expect(error.exitCode).toBe(3);
    expect(error.message).toContain(
      "have 3 problems:\nepic/task.md:1:3 there is no field .Titel\n    did you mean .Title?",
    );
    expect(error.message).toContain("\nepic/task.md:2:4 there is no field .Answer\n");
    expect(error.message).toContain("\nepic/answer.md:1:15 unexpected EOF\n    the {{if}} on line 1 has no {{end}}");
  });

  test("what only the data show is found by a trial, and an error of the rendering", () => {
    const prompts = promptsWith({ task: "{{index .Upstreams 0}}", conflict: "{{index .Files 1}}" });
    expect(tryPrompts(prompts, context).map(({ file, column }) => [file, column])).toEqual([
      ["epic/task.md", 3],
      ["epic/conflict.md", 3],
    ]);
    expect(tryPrompts(builtIn, context)).toEqual([]);
    expect(() => renderTaskPrompt(prompts, context)).toThrow(/epic\/task\.md:1:3 .*index out of range/);
  });
});

test("an empty template is a problem: an agent would be told nothing", () => {
  expect(parsePrompts(textsWith({ task: " \n", repair: "" }))).toMatchObject({
    problems: [
      { file: promptName("task"), line: 1, column: 1, message: "the template is empty" },
      { file: promptName("repair"), message: "the template is empty" },
    ],
  });
});
