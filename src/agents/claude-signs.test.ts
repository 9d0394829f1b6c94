import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { lastSign } from "./claude-signs.ts";

const folder = mkdtempSync(join(tmpdir(), "owt-signs-"));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const call = (id: string) => ({ type: "assistant", message: { content: [{ type: "tool_use", id, name: "Bash" }] } });
const result = (id: string) => ({ type: "user", message: { content: [{ type: "tool_result", tool_use_id: id }] } });
const said = { type: "user", message: { content: [{ type: "text", text: "go on" }] } };

test("the time of its record, and a tool that has not answered", () => {
  const path = join(folder, "c.jsonl");
  const payload = `{"owt_pid":1,"transcript_path":${JSON.stringify(path)},"hook_event_name":"Stop"}`;
  const after = (...rows: object[]) => {
    writeFileSync(path, `cut off"}\n${rows.map((row) => JSON.stringify(row)).join("\n")}\n`);
    utimesSync(path, 1_000, 2_000);
    return lastSign(payload);
  };
  expect(after(said, call("a"))).toEqual({ at: 2_000_000, hasOpenTool: true });
  expect(after(said, call("a"), call("b"), result("a"))).toMatchObject({ hasOpenTool: true });
  expect(after(said, call("a"), result("a"))).toMatchObject({ hasOpenTool: false });
  expect(after(said, call("a"), said)).toMatchObject({ hasOpenTool: false });
  expect(lastSign('{"hook_event_name":"Stop"}')).toBeNull();
  expect(lastSign('{"transcript_path":"/nowhere/x.jsonl"}')).toBeNull();
});
