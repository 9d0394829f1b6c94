import { describe, expect, test } from "vitest";
import { sampleSpec } from "../../test/rig/samples.ts";
import { type FollowUp, type PromptContext, renderFollowUp, renderTaskPrompt } from "./prompt.ts";

const context: PromptContext = {
  spec: sampleSpec("auth/E02", { title: "Log in", content: "\nAdd a login page.\n\nWith a form.\n" }),
  completed: [],
  verify: [],
  branch: "owt/tasks/auth-e02/4",
  questionMarker: "OWT-QUESTION:",
};

describe("the prompt of a new task", () => {
  test("holds the title, the id, the branch and the whole text of the plan, unchanged", () => {
    const prompt = renderTaskPrompt(context);
    expect(prompt).toMatch(/^# Log in\n\nThis is task auth\/E02, .* on branch owt\/tasks\/auth-e02\/4\.\n/);
    expect(prompt).toContain("\n\nAdd a login page.\n\nWith a form.\n\n");
    expect(prompt).toContain("This task depends on no other.");
    expect(prompt.endsWith("\n")).toBe(true);
    expect(prompt).not.toMatch(/\n{3}/);
  });

  test("names what is there already, and brings the module's context", () => {
    const spec = { ...context.spec, context: "The module is about users.\n" };
    const prompt = renderTaskPrompt({ ...context, spec, completed: ["auth/E01", "db/E01"] });
    expect(prompt).toContain("The work of these tasks is in this worktree: auth/E01, db/E01.");
    expect(prompt).not.toContain("depends on no other");
    expect(prompt).toContain("## Context\n\nThe module is about users.\n\n");
    expect(renderTaskPrompt(context)).not.toContain("## Context");
  });

  test("says how the work is checked, where it may change things and how to ask, only where there is something to say", () => {
    const spec = { ...context.spec, touches: ["src/**", "docs/**"] };
    const full = renderTaskPrompt({ ...context, spec, verify: ["npm test", "npm run lint"] });
    expect(full).toContain("succeed: `npm test`, `npm run lint`\n- Change only: src/**, docs/**\n- If a decision");
    expect(full).toContain("end the turn with one line: OWT-QUESTION: the question");
    const bare = renderTaskPrompt(context);
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
    const prompt = renderFollowUp(next, context, true);
    expect(prompt.startsWith(`${pieces[0]}\n`)).toBe(true);
    for (const piece of pieces) expect(prompt).toContain(piece);
    expect(prompt).not.toContain("Add a login page.");
  });

  test.each(all)("$kind repeats the task for an agent that does not remember", (next, pieces) => {
    const prompt = renderFollowUp(next, context, false);
    expect(prompt.startsWith(renderTaskPrompt(context).trimEnd())).toBe(true);
    expect(prompt).toContain(`\n\n${pieces[0]}\n`);
  });
});
