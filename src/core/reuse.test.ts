import { describe, expect, test } from "vitest";
import { compareNpmLocks, lifecycleScripts, manifestFacts, settingsFacts } from "./reuse.ts";

const linux = { os: "linux", cpu: "x64", libc: "glibc" };
const lock = (packages: object) => JSON.stringify({ lockfileVersion: 3, packages: { "": { name: "x" }, ...packages } });
const one = { version: "1.0.0", resolved: "r", integrity: "sha512-1" };

describe("npm's books against the lockfile", () => {
  test.each<[name: string, wanted: object, there: object, verdict: string | string[]]>([
    ["the same", { "node_modules/a": one }, { "node_modules/a": one }, ["node_modules/a"]],
    [
      "workspaces are the repository's, what lies in them is not",
      { "packages/w": { version: "1" }, "packages/w/node_modules/a": one },
      { "packages/w/node_modules/a": one },
      ["packages/w/node_modules/a"],
    ],
    [
      "another version",
      { "node_modules/a": one },
      { "node_modules/a": { ...one, version: "2.0.0" } },
      "another version",
    ],
    [
      "another content",
      { "node_modules/a": one },
      { "node_modules/a": { ...one, integrity: "sha512-2" } },
      "another version",
    ],
    [
      "another registry with the same content",
      { "node_modules/a": one },
      { "node_modules/a": { ...one, resolved: "s" } },
      ["node_modules/a"],
    ],
    [
      "a link elsewhere",
      { "node_modules/w": { resolved: "w", link: true } },
      { "node_modules/w": { resolved: "v", link: true } },
      "another version",
    ],
    [
      "one is missing",
      { "node_modules/a": one, "node_modules/b": one },
      { "node_modules/a": one },
      "node_modules/b of the lockfile is not installed",
    ],
    [
      "one without the development ones",
      { "node_modules/b": { ...one, dev: true } },
      {},
      "node_modules/b of the lockfile is not installed",
    ],
    ["one more", {}, { "node_modules/a": one }, "node_modules/a is there beside the lockfile"],
    ["for another platform", { "node_modules/a": { ...one, optional: true, os: ["darwin"] } }, {}, []],
    ["for another processor", { "node_modules/a": { ...one, optional: true, cpu: ["arm64"], os: ["linux"] } }, {}, []],
    ["for another C library", { "node_modules/a": { ...one, optional: true, os: ["linux"], libc: ["musl"] } }, {}, []],
    [
      "for this C library",
      { "node_modules/a": { ...one, optional: true, os: ["linux"], libc: ["glibc"] } },
      {},
      "is not installed",
    ],
    ["not for this platform", { "node_modules/a": { ...one, optional: true, os: ["!linux"] } }, {}, []],
    [
      "for this platform",
      { "node_modules/a": { ...one, optional: true, os: ["linux"], cpu: ["x64"] } },
      {},
      "is not installed",
    ],
    ["needed only by one for another platform", { "node_modules/a": { ...one, optional: true } }, {}, []],
  ])("%s", (_, wanted, there, verdict) => {
    const found = compareNpmLocks(
      lock({ "node_modules/z": one, ...wanted }),
      lock({ "node_modules/z": one, ...there }),
      linux,
    );
    if (typeof verdict === "string") expect(found).toMatchObject({ differs: expect.stringContaining(verdict) });
    else expect("installed" in found && [...found.installed.keys()]).toEqual(["node_modules/z", ...verdict]);
  });
  test("books without packages prove nothing", () => {
    expect(compareNpmLocks(lock({}), "{", linux)).toHaveProperty("differs");
    expect(compareNpmLocks('{"lockfileVersion":1,"dependencies":{}}', lock({}), linux)).toHaveProperty("differs");
  });
});

test("only what an install depends on counts in a manifest and in settings", () => {
  const manifest = (more: object) => manifestFacts(JSON.stringify({ name: "x", dependencies: { a: "1" }, ...more }));
  expect(manifest({ description: "new", scripts: { test: "x" } })).toBe(manifest({}));
  for (const more of [{ dependencies: {} }, { overrides: { a: "2" } }, { scripts: { prepare: "x" } }, { bin: "x" }])
    expect(manifest(more)).not.toBe(manifest({}));
  expect(manifestFacts("{")).toBe("{");
  expect(settingsFacts("# mine\n//registry.example/:_authToken=x\nlegacy-peer-deps=true\r\n")).toBe(
    "legacy-peer-deps=true",
  );
});

test("the scripts that npm runs after an install, those before and after one with it", () => {
  const of = (scripts: object) => lifecycleScripts(JSON.stringify({ scripts }));
  expect(of({ test: "x", postinstall: "x", preinstall: "x", prepare: "x", preprepare: "x" })).toEqual([
    "preinstall",
    "postinstall",
    "prepare",
  ]);
  expect(of({ install: "x", postinstall: "x" })).toEqual(["install"]);
  expect([of({}), lifecycleScripts("{")]).toEqual([[], []]);
});
