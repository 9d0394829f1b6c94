import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { ensureNamedFolder, readTextIfThere, removeHalfWritten, writeFileAtomically } from "./files.ts";
import { findProgram } from "./programs.ts";

function newDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "owt-files-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

describe("writing a file", () => {
  test.each<[string, string | Uint8Array, string]>([
    ["text", "one é\n", "one é\n"],
    ["nothing", "", ""],
    ["bytes", Buffer.from([0x61, 0x0a]), "a\n"],
    ["much", "x".repeat(5_000_000), "x".repeat(5_000_000)],
  ])("puts %s in place of what was there, and leaves nothing beside it", (_, content, text) => {
    const dir = newDir();
    const path = join(dir, "file");
    writeFileSync(path, "old and longer than the new");
    writeFileAtomically(path, content, { durable: true });
    expect(readFileSync(path, "utf8") === text).toBe(true);
    expect(readdirSync(dir)).toEqual(["file"]);
  });

  test("makes the folders, and is private unless it is told otherwise", () => {
    const dir = newDir();
    writeFileAtomically(join(dir, "a", "b", "private"), "x");
    writeFileAtomically(join(dir, "a", "script"), "x", { mode: 0o755 });
    expect(statSync(join(dir, "a", "b", "private")).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir, "a", "script")).mode & 0o700).toBe(0o700);
  });

  test("that fails leaves what was there, and nothing beside it", () => {
    const dir = newDir();
    mkdirSync(join(dir, "file", "inside"), { recursive: true });
    expect(() => writeFileAtomically(join(dir, "file"), "x")).toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
    expect([readdirSync(dir), readdirSync(join(dir, "file"))]).toEqual([["file"], ["inside"]]);
  });
});

test("a file that is not there has no text; one that cannot be read is an error", () => {
  const dir = newDir();
  writeFileSync(join(dir, "file"), "text");
  expect(readTextIfThere(join(dir, "file"))).toBe("text");
  expect(readTextIfThere(join(dir, "none"))).toBeNull();
  expect(readTextIfThere(join(dir, "file", "below"))).toBeNull();
  expect(() => readTextIfThere(dir)).toThrow("EISDIR");
});

test("a folder that a person named is made, or refused in words; also where the system answers as below /proc", () => {
  const dir = newDir();
  ensureNamedFolder(join(dir, "a", "b"), "nothing can be made", "name another");
  expect(existsSync(join(dir, "a", "b"))).toBe(true);
  writeFileSync(join(dir, "file"), "");
  for (const path of [join(dir, "file"), join(dir, "file", "below"), "/proc/owt/below"]) {
    if (path.startsWith("/proc") && !existsSync("/proc/self")) continue;
    const refused = {
      code: "environment",
      message: expect.stringContaining(`nothing can be made in ${path}`),
      hint: "name another; what is missing: owt doctor",
    };
    expect(() => ensureNamedFolder(path, "nothing can be made", "name another")).toThrow(
      expect.objectContaining(refused),
    );
  }
});

describe("a program", () => {
  const place = () => {
    const dir = newDir();
    for (const folder of ["one", "two"]) {
      mkdirSync(join(dir, folder));
      writeFileSync(join(dir, folder, "tool"), "");
    }
    chmodSync(join(dir, "two", "tool"), 0o755);
    return dir;
  };

  test("is the first of its name on the PATH that can be executed", () => {
    const dir = place();
    const env = { PATH: ["", join(dir, "none"), join(dir, "one"), join(dir, "two")].join(":") };
    expect(findProgram("tool", env)).toBe(join(dir, "two", "tool"));
    chmodSync(join(dir, "one", "tool"), 0o755);
    expect(findProgram("tool", env)).toBe(join(dir, "one", "tool"));
    expect(findProgram("other", env)).toBeNull();
    expect(findProgram("tool", {})).toBeNull();
  });

  test("is no folder, and no link to nothing", () => {
    const dir = place();
    mkdirSync(join(dir, "three", "tool"), { recursive: true });
    symlinkSync("/owt/no/such/file", join(dir, "three", "gone"));
    expect([
      findProgram("tool", { PATH: join(dir, "three") }),
      findProgram("gone", { PATH: join(dir, "three") }),
    ]).toEqual([null, null]);
  });

  test("with a slash is a path, whatever the PATH says; the answer is always a full path", () => {
    const dir = place();
    expect(findProgram(join(dir, "two", "tool"), { PATH: "" })).toBe(join(dir, "two", "tool"));
    expect(findProgram("./owt-no-such-tool", { PATH: join(dir, "two") })).toBeNull();
    const folders = process.cwd().split("/").length - 1;
    const relative = `${"../".repeat(folders)}${join(dir, "two").slice(1)}`;
    expect(findProgram("tool", { PATH: relative })).toBe(join(dir, "two", "tool"));
  });
});

test("what a killed writer left goes with the file that it was for, and nothing else does", () => {
  const dir = newDir();
  const names = ["a", "a.12.tmp", "a+lease.7.tmp", "a+lease", "a5+lease.7.tmp", "a.b.7.tmp", "b.12.tmp", "a.12.tmpx"];
  for (const name of names) writeFileSync(join(dir, name), "");
  removeHalfWritten(join(dir, "a"));
  expect(readdirSync(dir).toSorted()).toEqual(
    names.filter((name) => name !== "a.12.tmp" && name !== "a+lease.7.tmp").toSorted(),
  );
  removeHalfWritten(join(dir, "nowhere", "a"));
});
