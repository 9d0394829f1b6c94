import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { forgetAtPrompt, readAtPrompt, recordAtPrompt } from "./at-prompt.ts";
import { openStore } from "./database.ts";

test("each process says of itself what it asks, and takes back its own word only", () => {
  const place = realpathSync(mkdtempSync(join(tmpdir(), "owt-at-prompt-")));
  onTestFinished(() => rmSync(place, { recursive: true, force: true }));
  const store = openStore(place);
  onTestFinished(() => store.close());
  const asking = (pid: number, task: string) => ({ pid, bootId: "b", startTime: "1", run: "r1", task });
  recordAtPrompt(store, asking(7, "a/E01"));
  recordAtPrompt(store, asking(8, "a/E01"));
  recordAtPrompt(store, asking(7, "b/E01"));
  expect(readAtPrompt(store)).toEqual([asking(7, "b/E01"), asking(8, "a/E01")]);
  forgetAtPrompt(store, 7);
  expect(readAtPrompt(store)).toEqual([asking(8, "a/E01")]);
});
