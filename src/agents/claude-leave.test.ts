import { expect, test } from "vitest";
import { parseAsked, renderLeave } from "./claude-leave.ts";

const payload = (input: object, tool = "Bash") =>
  `${JSON.stringify({ session_id: "s", hook_event_name: "PermissionRequest", tool_name: tool, tool_input: input, permission_suggestions: [] })}\n`;

test("what is asked is told as a person would read it", () => {
  expect(parseAsked(payload({ command: 'sh -c "rm x"', description: "Clean" }))).toEqual({
    tool: "Bash",
    detail: 'sh -c "rm x"',
  });
  expect(parseAsked(payload({ file_path: "/a/b", content: "x" }, "Write"))).toEqual({ tool: "Write", detail: "/a/b" });
  expect(parseAsked(payload({ q: 1 }, "mcp__x__y"))).toEqual({ tool: "mcp__x__y", detail: '{"q":1}' });
});

test("of a payload that was cut, what there is of it, and that it was cut", () => {
  const cut = payload({ command: "x".repeat(5_000) }).slice(0, 4_000);
  const { tool, detail } = parseAsked(cut);
  expect([tool, detail.slice(0, 16), detail.at(-1)]).toEqual(["Bash", '{"command":"xxxx', "…"]);
  expect(parseAsked("")).toEqual({ tool: "a tool", detail: "…" });
});

test("the answer is one line", () => {
  expect(renderLeave({ isGiven: true, why: "" })).toBe(
    '{"hookSpecificOutput":{"hookEventName":"PermissionRequest","decision":{"behavior":"allow"}}}',
  );
  expect(renderLeave({ isGiven: false, why: "not\nnow" })).toContain(
    '"decision":{"behavior":"deny","message":"not\\nnow"}',
  );
});
