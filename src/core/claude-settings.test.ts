import { expect, test } from "vitest";
import { addHooks, hasHooks, projectHooks } from "./claude-settings.ts";

const hooks = projectHooks({
  Stop: [{ hooks: [{ type: "command", command: "plugin", timeout: 5 }] }],
  SessionEnd: [{ hooks: [{ type: "command", command: "plugin", timeout: 5 }] }],
});

test("hooks come behind those that are there, and the rest stays", () => {
  const settings =
    '{\n  "permissions": { "allow": ["Bash(ls)"] },\n  "hooks": { "Stop": [{ "hooks": [{ "type": "command", "command": "mine" }] }] }\n}\n';
  const after = addHooks(settings, hooks)!;
  expect(after).toContain('"permissions": { "allow": ["Bash(ls)"] },');
  const { hooks: all } = JSON.parse(after) as { hooks: Record<string, { hooks: { command: string }[] }[]> };
  expect(all["Stop"]!.map((each) => each.hooks[0]!.command)).toEqual([
    "mine",
    expect.stringContaining("owt.sh") as string,
  ]);
  expect(all["SessionEnd"]![0]!.hooks[0]!.command).toMatch(/ SessionEnd$/);
  expect([hasHooks(settings), hasHooks(after)]).toEqual([false, true]);
  expect(JSON.parse(addHooks("{}", hooks)!)).toEqual({ hooks });
});

test.each(["", "[]", "{,}", '{"hooks": []}', '{"hooks": {"Stop": {}}}', "// a comment\n{}"])(
  "a shape that is not known: %s",
  (text) => {
    expect(addHooks(text, hooks)).toBe(null);
  },
);
