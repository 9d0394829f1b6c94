import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { COPY_SCRIPT, copyArguments, mendLinks, placeCopies, STAGING } from "./copy-folders.ts";

const top = mkdtempSync(join(tmpdir(), "owt-copy-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));

function checkout(name: string): string {
  const root = join(top, name);
  mkdirSync(join(root, "node_modules/.cache"), { recursive: true });
  mkdirSync(join(root, "node_modules/-odd name\nx"), { recursive: true });
  mkdirSync(join(root, "w/node_modules"), { recursive: true });
  writeFileSync(join(root, "node_modules/-odd name\nx/file"), "content");
  writeFileSync(join(root, "node_modules/.books"), "");
  writeFileSync(join(root, "node_modules/.cache/big"), "x");
  symlinkSync("../w", join(root, "node_modules/w"));
  symlinkSync(join(root, "w"), join(root, "w/node_modules/absolute"));
  symlinkSync("/usr", join(root, "w/node_modules/elsewhere"));
  utimesSync(join(root, "node_modules"), 1_000_000, 1_000_000);
  return root;
}

test("a copy is whole, as old as the original, without caches, and its links lead into the new place", () => {
  const from = checkout("from");
  const to = join(top, "to");
  mkdirSync(to);
  const stage = join(to, STAGING, "1");
  const sources = [join(from, "node_modules"), join(from, "w/node_modules")];
  execFileSync("sh", ["-c", COPY_SCRIPT, "sh", ...copyArguments(stage, "copy", sources)]);
  expect(mendLinks(stage, sources, from, to)).toBeNull();
  placeCopies(stage, [join(to, "node_modules"), join(to, "w/node_modules")]);
  expect(readdirSync(join(to, "node_modules")).toSorted()).toEqual(["-odd name\nx", ".books", "w"]);
  expect(readFileSync(join(to, "node_modules/-odd name\nx/file"), "utf8")).toBe("content");
  expect(statSync(join(to, "node_modules")).mtimeMs).toBe(1_000_000_000);
  expect(readlinkSync(join(to, "node_modules/w"))).toBe("../w");
  expect(readlinkSync(join(to, "w/node_modules/absolute"))).toBe(join(to, "w"));
  expect(readlinkSync(join(to, "w/node_modules/elsewhere"))).toBe("/usr");
  expect(existsSync(stage)).toBe(false);
});

test("a link that leads out of the checkout is named", () => {
  const from = checkout("out");
  symlinkSync("../../beside", join(from, "node_modules/out"));
  const stage = join(top, "stage-out");
  const sources = [join(from, "node_modules")];
  execFileSync("sh", ["-c", COPY_SCRIPT, "sh", ...copyArguments(stage, "copy", sources)]);
  expect(mendLinks(stage, sources, from, join(top, "nowhere"))).toBe("out");
});

test("a copy that fails in the middle says so, and nothing of it stands where it would count; git does not see what is left", () => {
  const from = checkout("broken");
  const to = join(top, "half");
  mkdirSync(join(to, "bin"), { recursive: true });
  execFileSync("git", ["init", "-q", to]);
  // Copies something, and is killed.
  writeFileSync(join(to, "bin/cp"), '#!/bin/sh\nfor last; do :; done; mkdir "$last/part"; kill -9 $$\n', {
    mode: 0o755,
  });
  const stage = join(to, STAGING, "1");
  const args = copyArguments(stage, "copy", [join(from, "node_modules")]);
  const env = { ...process.env, PATH: `${join(to, "bin")}:${process.env["PATH"]}` };
  expect(spawnSync("sh", ["-c", COPY_SCRIPT, "sh", ...args], { env }).status).not.toBe(0);
  expect(existsSync(join(stage, "1/part"))).toBe(true);
  expect(existsSync(join(to, "node_modules"))).toBe(false);
  const seen = execFileSync("git", ["-C", to, "status", "--porcelain"], { encoding: "utf8" });
  expect(seen).toBe("?? bin/\n");
});
