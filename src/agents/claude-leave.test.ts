import { expect, test } from "vitest";
import { parseAsked, renderAsked, renderLeave, renderReply } from "./claude-leave.ts";

const payload = (input: object, tool = "Bash") =>
  `${JSON.stringify({ session_id: "s", hook_event_name: "PermissionRequest", tool_name: tool, tool_input: input, permission_suggestions: [] })}\n`;

test("what is asked is told as a person would read it", () => {
  expect(parseAsked(payload({ command: 'sh -c "rm x"', description: "Clean" }))).toEqual({
    tool: "Bash",
    detail: 'sh -c "rm x"',
    questions: null,
  });
  expect(parseAsked(payload({ file_path: "/a/b", content: "x" }, "Write"))).toMatchObject({
    tool: "Write",
    detail: "/a/b",
  });
  expect(parseAsked(payload({ q: 1 }, "mcp__x__y"))).toMatchObject({ tool: "mcp__x__y", detail: '{"q":1}' });
});

test("of a payload that was cut, what there is of it, and that it was cut", () => {
  const cut = payload({ command: "x".repeat(5_000) }).slice(0, 4_000);
  const { tool, detail } = parseAsked(cut);
  expect([tool, detail.slice(0, 16), detail.at(-1)]).toEqual(["Bash", '{"command":"xxxx', "…"]);
  expect(parseAsked("")).toEqual({ tool: "a tool", detail: "…", questions: null });
});

test("a question is one in its own words, also as it is written down; cut, it can only be answered on the screen", () => {
  const ask = (question: string) => ({ question, header: "Q", options: [{ label: "red" }, { label: "sk-blue" }] });
  const asked = payload({ questions: [ask("Which colour?"), ask('Which "door"?')] }, "AskUserQuestion");
  const words = 'Which colour? (red, blue) · Which "door"? (red, blue)';
  const written = renderAsked(asked, (text) => text.replaceAll("sk-", ""));
  expect(parseAsked(written).detail).toBe(words);
  const { questions } = parseAsked(written);
  expect(JSON.parse(renderReply(questions!, ["blue", "the \n left"]))).toMatchObject({
    hookSpecificOutput: {
      decision: { updatedInput: { questions, answers: { "Which colour?": "blue", 'Which "door"?': "the \n left" } } },
    },
  });
  expect(parseAsked(asked.slice(0, -80)).questions).toEqual([]);
  expect(parseAsked(renderAsked(asked.slice(0, -80), (text) => text)).questions).toEqual([]);
});

test("the answer is one line", () => {
  expect(renderLeave({ isGiven: true, why: "" })).toBe(
    '{"hookSpecificOutput":{"hookEventName":"PermissionRequest","decision":{"behavior":"allow"}}}',
  );
  expect(renderLeave({ isGiven: false, why: "not\nnow" })).toContain(
    '"decision":{"behavior":"deny","message":"not\\nnow"}',
  );
});
