import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { lastInterrupt } from "./claude-interrupt.ts";

const said = (role: string, text: string, timestamp: string) =>
  JSON.stringify({ type: role, message: { role, content: [{ type: "text", text }] }, timestamp });

test("the last interruption by a person, and nothing that looks like one", () => {
  const folder = mkdtempSync(join(tmpdir(), 'owt-transcript "x"-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "t.jsonl");
  const payload = JSON.stringify({ session_id: "s", transcript_path: path, hook_event_name: "PermissionRequest" });
  expect(lastInterrupt(payload)).toBe(null);
  const lines = [
    said("user", "[Request interrupted by user]", "2026-11-21T20:00:00.000Z"),
    said("user", "[Request interrupted by user for tool use]", "2026-11-21T20:24:19.882Z"),
    said("assistant", "[Request interrupted by user]", "2026-11-21T21:00:00.000Z"),
    said("user", 'what does "[Request interrupted by user]" mean?', "2026-11-21T22:00:00.000Z"),
    '{"type":"user","text":"[Request interrupted by user',
  ];
  writeFileSync(path, lines.join("\n"));
  expect(lastInterrupt(payload)).toBe(Date.parse("2026-11-21T20:24:19.882Z"));
  writeFileSync(path, lines.slice(2).join("\n"));
  expect(lastInterrupt(payload)).toBe(null);
  expect(lastInterrupt('{"session_id":"s"}')).toBe(null);
});
