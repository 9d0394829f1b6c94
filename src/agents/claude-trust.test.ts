import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { giveTrust, readTrust } from "./claude-trust.ts";

let home: string;
let file: string;
const ROOT = "/home/ann/my shop";

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "owt-trust-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  file = join(home, ".claude.json");
});

const env = () => ({ HOME: home });

test("only the one entry changes: everything else stays byte for byte, and what was there is kept", async () => {
  const text = `{\n\t"numStartups": 12345678901234567890, "x": "\\u00e9",\n  "projects": {\n  "/other": {"hasTrustDialogAccepted": false,  "cost": 1.50},\n  "${ROOT}": { "lastCost": 2.0 }}\n}\n`;
  writeFileSync(file, text, { mode: 0o640 });
  expect(readTrust(env(), ROOT)).toEqual({ state: "not-given" });
  await giveTrust(env(), ROOT);
  const after = readFileSync(file, "utf8");
  expect(readTrust(env(), ROOT)).toEqual({ state: "given" });
  expect(readTrust(env(), "/other")).toEqual({ state: "not-given" });
  // Take our words away, and it is as before; blanks may stand elsewhere within this one entry.
  const before = text.indexOf('{ "lastCost');
  expect(after.slice(0, before)).toBe(text.slice(0, before));
  const bare = (words: string) => words.replaceAll(/\s+/g, "");
  expect(bare(after.replace(/,?\s*"hasTrustDialogAccepted": true/, ""))).toBe(bare(text));
  expect(after).toContain("12345678901234567890");
  expect(statSync(file).mode & 0o777).toBe(0o640);
  expect(readFileSync(`${file}.before-owt`, "utf8")).toBe(text);
  expect(existsSync(`${file}.lock`)).toBe(false);
  writeFileSync(`${file}.before-owt`, "");
  await giveTrust(env(), ROOT);
  expect([readFileSync(file, "utf8"), readFileSync(`${file}.before-owt`, "utf8")]).toEqual([after, ""]);
});

test("a project that it does not know yet, and a file that is a link", async () => {
  writeFileSync(join(home, "kept.json"), "{}");
  symlinkSync(join(home, "kept.json"), file);
  await giveTrust(env(), ROOT);
  expect(JSON.parse(readFileSync(join(home, "kept.json"), "utf8"))).toEqual({
    projects: { [ROOT]: { hasTrustDialogAccepted: true } },
  });
});

test.each([
  ["", "damaged"],
  ["[]", "a list"],
  ['{"projects": []}', "projects as a list"],
  ['{"projects": {"/a": 1}}', "a project that is a number"],
  [`{"projects": {"${ROOT}": {"hasTrustDialogAccepted": "yes"}}}`, "an answer in words"],
  ['{"projects": {}} trailing', "trailing words"],
])("a shape that is not known is left alone: %s", async (text) => {
  writeFileSync(file, text);
  expect(readTrust(env(), ROOT)).toMatchObject({ state: "unknown", why: expect.stringContaining("shape") as string });
  await expect(giveTrust(env(), ROOT)).rejects.toMatchObject({ code: "environment" });
  expect(readFileSync(file, "utf8")).toBe(text);
});

test("where Claude Code was never started there is nothing to answer in; one that writes is waited for", async () => {
  await expect(giveTrust(env(), ROOT)).rejects.toThrow("start claude once");
  expect(existsSync(file)).toBe(false);
  writeFileSync(file, "{}");
  mkdirSync(`${file}.lock`);
  const given = giveTrust(env(), ROOT);
  rmSync(`${file}.lock`, { recursive: true });
  await given;
  mkdirSync(`${file}.lock`);
  await expect(giveTrust(env(), "/another")).rejects.toThrow("is being written");
  expect(existsSync(`${file}.lock`)).toBe(true);
});
