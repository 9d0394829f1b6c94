import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { hasPutBack, readOwnStatus } from "./claude-status.ts";

function prepare() {
  const folder = mkdtempSync(join(tmpdir(), "owt-claude-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ["sessions", "projects/here"]) mkdirSync(join(folder, name), { recursive: true });
  const path = join(folder, "projects", "here", "c.jsonl");
  return {
    line: (event: string) => JSON.stringify({ owt_pid: 7, hook_event_name: event, transcript_path: path }),
    says: (status: string, pid = 7) =>
      writeFileSync(join(folder, "sessions", "7.json"), JSON.stringify({ pid, status, statusUpdatedAt: 5 })),
    records: (...texts: string[]) =>
      writeFileSync(
        path,
        texts
          .map((text) => JSON.stringify({ type: "user", message: { content: [{ type: "text", text }] } }))
          .join("\n"),
      ),
  };
}

test("what a program says of itself, and nothing where it says nothing", () => {
  const { line, says } = prepare();
  const own = () => readOwnStatus(line("Stop"));
  expect(own()).toBe(null);
  says("busy");
  expect(own()).toEqual({ isBusy: true, isIdle: false, at: 5 });
  says("idle");
  expect(own()).toEqual({ isBusy: false, isIdle: true, at: 5 });
  says("waiting");
  expect(own()).toEqual({ isBusy: false, isIdle: false, at: 5 });
  says("idle", 8);
  expect(own()).toBe(null);
  expect(readOwnStatus('{"owt_pid":7}')).toBe(null);
});

test("a prompt is back in the input where its turn rests and nobody is on record as having interrupted it", () => {
  const { line, says, records } = prepare();
  const prompt = [line("Stop"), line("UserPromptSubmit")];
  records("[Request interrupted by user]", "hello");
  says("busy");
  expect(hasPutBack(prompt)).toBe(false);
  says("idle");
  expect(hasPutBack(prompt)).toBe(true);
  expect(hasPutBack([...prompt, line("Notification"), ""])).toBe(true);
  expect(hasPutBack([...prompt, line("Stop")])).toBe(false);
  records("hello", "[Request interrupted by user]");
  expect(hasPutBack(prompt)).toBe(false);
  expect(hasPutBack([])).toBe(false);
});
