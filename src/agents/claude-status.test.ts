import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { putBackSince, readOwnStatus } from "./claude-status.ts";

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
    answers: (at: number) =>
      writeFileSync(path, JSON.stringify({ type: "assistant", timestamp: new Date(at).toISOString() })),
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
  const told = 4;
  records("[Request interrupted by user]", "hello");
  says("busy");
  expect(putBackSince(prompt, told)).toBeNull();
  says("idle");
  expect(putBackSince(prompt, told)).toBe(5);
  expect(putBackSince([...prompt, line("Notification"), ""], 99)).toBe(5);
  expect(putBackSince([...prompt, line("Stop")], told)).toBeNull();
  records("hello", "[Request interrupted by user]");
  expect(putBackSince(prompt, told)).toBeNull();
  expect(putBackSince([], told)).toBeNull();
});

test("no prompt is back in the input of which the rest before it is told still, or that was answered", () => {
  const { line, says, records, answers } = prepare();
  const prompt = [line("Stop"), line("UserPromptSubmit")];
  records("hello");
  says("idle");
  expect(putBackSince(prompt, 5)).toBeNull();
  expect(putBackSince(prompt, 6)).toBeNull();
  answers(3);
  expect(putBackSince(prompt, 4)).toBe(5);
  answers(4);
  expect(putBackSince(prompt, 4)).toBeNull();
});
