import { execFileSync } from "node:child_process";
import * as fc from "fast-check";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { Shells } from "./shells.ts";

const ENV = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", KEPT: "kept" };

/** Prints each argument between brackets. */
const ECHO = ["sh", "-c", 'for word; do printf "[%s]" "$word"; done', "echo"];

function newDir(): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "owt-shells-")));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function newShells(size = 2): Shells {
  const shells = new Shells(size, ENV);
  onTestFinished(() => shells.close());
  return shells;
}

function cwdOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return "";
  }
}

const command = (words: readonly string[], cwd = "/", env: Record<string, string> = {}) => ({ cwd, env, words });

test("variables and the folder are those of one request, whatever they are called", async () => {
  const shells = newShells(1);
  const say = ["sh", "-c", 'echo "$KEPT,$GIT_X,$word,${code-},$PATH,$PWD"'];
  const plain = `kept,,,,${ENV.PATH},/\n`;
  const dir = newDir();
  expect((await shells.run(command(say))).stdout).toBe(plain);
  expect((await shells.run(command(say, dir, { GIT_X: "a b", OWT_Y: "" }))).stdout).toBe(
    `kept,a b,,,${ENV.PATH},${dir}\n`,
  );
  expect((await shells.run(command(say))).stdout).toBe(plain);
  const odd = { KEPT: "other", word: "mine", code: "7", PATH: `${ENV.PATH}:/x` };
  expect((await shells.run(command(say, "/", odd))).stdout).toBe(`other,,mine,7,${ENV.PATH}:/x,/\n`);
  expect((await shells.run({ ...command(say, "/", { GIT_X: "1" }), before: ["true"] })).stdout).toBe(
    `kept,1,,,${ENV.PATH},/\n`,
  );
  expect((await shells.run(command(say))).stdout).toBe(plain);
});

test.runIf(process.platform === "linux")("no shell stays in the folder that a program ran in", async () => {
  const shells = newShells(1);
  const dir = newDir();
  await shells.run(command(["true"], dir));
  const folders = readdirSync("/proc").flatMap((pid) => (/^\d+$/.test(pid) ? [cwdOf(pid)] : []));
  expect(folders).not.toContain(dir);
});

describe("arguments arrive as they are", () => {
  test.each([
    "",
    " ",
    "  two  words ",
    "'",
    '"',
    "\\",
    "\\n",
    "a\\",
    "$HOME",
    "$(echo x)",
    "`echo x`",
    "; echo x",
    "| cat",
    "&& echo x",
    "> /tmp/x",
    "*",
    "~",
    "--",
    "-n",
    "NAME=value",
    "#",
    "!",
    "\t",
    "\r",
    "é",
    "😀",
    "日本 語",
    "\u202E",
    "x".repeat(100_000),
  ])("%j", async (word) => {
    const shells = newShells(1);
    const expected = { code: 0, stdout: `[${word}][end]`, stderr: "" };
    expect(await shells.run(command([...ECHO, word, "end"]))).toEqual(expected);
  });

  test("whatever they are, and the next command is not touched by them", async () => {
    const shells = newShells(1);
    const word = fc.string({ unit: "grapheme" }).filter((each) => Shells.carries(command([each])));
    await fc.assert(
      fc.asyncProperty(fc.array(word, { maxLength: 5 }), async (words) => {
        const { stdout } = await shells.run(command([...ECHO, ...words]));
        expect(stdout).toBe(words.map((each) => `[${each}]`).join(""));
      }),
      { numRuns: 50 },
    );
  });

  test.each([
    ["a word with a line break", command(["a\nb"])],
    ["a word with a zero byte", command(["a\0b"])],
    ["a folder with a line break", command(["a"], "/a\nb")],
    ["a variable with a line break", command(["a"], "/", { A: "a\nb" })],
  ])("%s is not carried", (_, refused) => {
    expect(Shells.carries(refused)).toBe(false);
    expect(Shells.carries(command(["a\rb", ""], "/a b", { A: "" }))).toBe(true);
  });
});

describe("a command", () => {
  test("runs in its folder, whatever that is called", async () => {
    const folder = join(newDir(), "-a $b `c` é");
    mkdirSync(folder);
    expect((await newShells().run(command(["pwd"], folder))).stdout).toBe(`${folder}\n`);
  });

  test("gets its variables beside those of the shells, and leaves none of them to the next", async () => {
    const shells = newShells(1);
    const print = ["sh", "-c", 'printf "%s|%s" "$KEPT" "$OWN"'];
    const own = "a b;$HOME='x'";
    expect((await shells.run(command(print, "/", { OWN: own }))).stdout).toBe(`kept|${own}`);
    expect((await shells.run(command(print))).stdout).toBe("kept|");
  });

  test("answers with any exit code, and with both of its outputs apart", async () => {
    const shells = newShells(1);
    for (const code of [0, 1, 7, 127, 255]) {
      const program = ["sh", "-c", `echo out; echo err >&2; exit ${code}`];
      expect(await shells.run(command(program))).toEqual({ code, stdout: "out\n", stderr: "err\n" });
    }
    expect((await shells.run(command(["sh", "-c", "kill -9 $$"]))).code).toBe(137);
  });

  test("runs behind another one, and not where that one fails", async () => {
    const shells = newShells(1);
    const both = {
      ...command(["sh", "-c", "echo $OWN"], "/", { OWN: "second" }),
      before: ["sh", "-c", "echo first $OWN"],
    };
    expect(await shells.run(both)).toEqual({ code: 0, stdout: "first second\nsecond\n", stderr: "" });
    const failing = { ...command(["echo", "never"]), before: ["sh", "-c", "echo first; echo err >&2; exit 3"] };
    expect(await shells.run(failing)).toEqual({ code: 3, stdout: "first\n", stderr: "err\n" });
    expect(await shells.run(command(["echo", "fine"]))).toEqual({ code: 0, stdout: "fine\n", stderr: "" });
  });

  test("that does not exist, or whose folder does not, is an answer as well, with its reason", async () => {
    const shells = newShells(1);
    const missing = await shells.run(command(["owt-no-such-program"]));
    expect(missing.code).toBe(127);
    expect(missing.stderr).toContain("not found");
    const nowhere = await shells.run(command(["pwd"], "/owt/no/such/folder"));
    expect(nowhere.code).toBe(126);
    expect(nowhere.stderr).toContain("/owt/no/such/folder");
    expect(await shells.run(command(["echo", "fine"]))).toEqual({ code: 0, stdout: "fine\n", stderr: "" });
  });

  test("may print more than a pipe holds, on both outputs, and the next one starts with empty ones", async () => {
    const shells = newShells(1);
    const much = ["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' é; head -c 200000 /dev/zero | tr '\\0' y >&2"];
    const { code, stdout, stderr } = await shells.run(command(much));
    expect([code, Buffer.byteLength(stdout) > 0, stderr.length]).toEqual([0, true, 200_000]);
    expect((await shells.run(command(["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x"]))).stdout.length).toBe(
      3_000_000,
    );
    expect(await shells.run(command(["true"]))).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  test("has an empty standard input, so that it cannot eat the next request", async () => {
    const shells = newShells(1);
    const both = [shells.run(command(["cat"])), shells.run(command(["echo", "next"]))];
    expect((await Promise.all(both)).map(({ stdout }) => stdout)).toEqual(["", "next\n"]);
  });
});

describe("many at once", () => {
  test("each gets its own answer, up to the size of the pool and far beyond", async () => {
    const shells = newShells(3);
    const numbers = Array.from({ length: 40 }, (_, index) => index);
    const answers = await Promise.all(numbers.map((n) => shells.run(command([...ECHO, String(n)]))));
    expect(answers.map(({ stdout }) => stdout)).toEqual(numbers.map((n) => `[${n}]`));
  });

  test("as many run side by side as the pool is large, and no more", async () => {
    const dir = newDir();
    const shells = newShells(2);
    const waits = (name: string) =>
      shells.run(command(["sh", "-c", `: >${name}.up; while [ ! -e go ]; do sleep 0.01; done`], dir));
    const all = ["a", "b", "c"].map(waits);
    await vi.waitUntil(() => ["a", "b"].every((name) => existsSync(join(dir, `${name}.up`))));
    expect(existsSync(join(dir, "c.up"))).toBe(false);
    writeFileSync(join(dir, "go"), "");
    await Promise.all(all);
    expect(existsSync(join(dir, "c.up"))).toBe(true);
  });
});

describe("a shell that is killed", () => {
  test("fails its command, is replaced, and what its program still prints reaches nobody else", async () => {
    const dir = newDir();
    const shells = newShells(1);
    const stays =
      "echo stale; echo $PPID >ppid.tmp; mv ppid.tmp ppid; while [ ! -e go ]; do sleep 0.01; done; echo late; : >over";
    const dying = shells.run(command(["sh", "-c", stays], dir)).catch(String);
    await vi.waitUntil(() => existsSync(join(dir, "ppid")));
    // The program waits in the place of the subshell: its parent is the helper shell.
    process.kill(Number(execFileSync("cat", [join(dir, "ppid")], { encoding: "utf8" })), "SIGKILL");
    const next = shells.run(command(["sh", "-c", ": >go; while [ ! -e over ]; do sleep 0.01; done; echo fresh"], dir));
    writeFileSync(join(dir, "go"), "");
    expect(await dying).toContain("a helper shell ended");
    expect(await next).toEqual({ code: 0, stdout: "fresh\n", stderr: "" });
  });
});

describe("closing", () => {
  test("lets what is under way end with its answer, and those that wait are served all the same", async () => {
    const dir = newDir();
    const shells = newShells(1);
    const first = shells.run(command(["sh", "-c", "while [ ! -e go ]; do sleep 0.01; done; echo first"], dir));
    const second = shells.run(command(["echo", "second"]));
    const closed = shells.close();
    writeFileSync(join(dir, "go"), "");
    expect((await first).stdout).toBe("first\n");
    expect((await second).stdout).toBe("second\n");
    await closed;
    await shells.close();
    expect((await shells.run(command(["echo", "third"]))).stdout).toBe("third\n");
  });
});
