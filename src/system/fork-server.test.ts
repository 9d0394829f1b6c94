import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { closeForkServer, openForkServer, startThroughServer } from "./fork-server.ts";
import type { LiveOptions } from "./live-child.ts";
import { readIdentity } from "./identity.ts";
import { LiveEnded, LiveProcess } from "./live-process.ts";
import { openNameless, takeAll } from "./nameless.ts";
import { findSetsid } from "./shell-words.ts";

/** Answers each line with its own pid, its parent and the line; says on standard error what begins with "!", and dies of "die". */
const ECHO = `while IFS= read -r line; do
  case $line in
    die) echo "I die" >&2; exit 3 ;;
    append) echo appended >&3; echo "and here" >&4; echo done ;;
    signals) grep SigIgn /proc/self/status ;;
    env) env | tr '\\n' ' '; echo ;;
    folder) pwd ;;
    *) echo "$$ $PPID $line" ;;
  esac
done
`;
const TEXTS = [ECHO, "a text\nof two lines", "3", "4"] as const;

const folder = realpathSync(mkdtempSync(join(tmpdir(), "owt-forks-")));
const echo: LiveOptions = {
  file: "/bin/sh",
  args: ["-c", ECHO],
  cwd: folder,
  env: { PATH: process.env["PATH"] ?? "", KEPT: "as it is; $HOME" },
};
const line = (bytes: Buffer) => (bytes.includes(10) ? { answer: bytes.toString("utf8", 0, bytes.indexOf(10)) } : null);
const pidOf = (answer: string) => Number(answer.split(" ")[0]);
/** One that has ended and was not collected yet is not there. */
const isThere = (pid: number) => readIdentity(pid) !== undefined;

describe.skipIf(findSetsid() === null)("programs started by the server", () => {
  beforeEach(() => {
    // The folder of the pipes is one of these, and nothing else is.
    vi.stubEnv("TMPDIR", folder);
    openForkServer(TEXTS);
  });
  afterEach(async () => {
    await closeForkServer();
    const left = readdirSync(folder);
    vi.unstubAllEnvs();
    if (left.length > 0) throw new Error(`left behind: ${left.join(", ")}`);
  });

  test("answer, in the folder and with the environment that they were to have, and end when they are closed", async () => {
    const live = new LiveProcess("echo", () => echo);
    const first = await live.request("one\n", line);
    expect(first).toMatch(/^\d+ \d+ one$/);
    // It is nobody's child of ours: we did not fork.
    expect(Number(first.split(" ")[1])).not.toBe(process.pid);
    expect(await live.request("a  b 'c' $HOME\n", line)).toBe(`${pidOf(first)} ${first.split(" ")[1]} a  b 'c' $HOME`);
    expect(await live.request("folder\n", line)).toBe(folder);
    const env = (await live.request("env\n", line)).split(" ");
    expect(env).toContain("KEPT=as");
    expect(env.filter((each) => /^(HOME|OLDPWD|owt_)/.test(each))).toEqual([]);
    await live.close();
    await vi.waitUntil(() => !isThere(pidOf(first)));
  });

  test("have the signals as we have them: an agent that they start can be interrupted", async () => {
    const live = new LiveProcess("echo", () => echo);
    const ignored = BigInt(`0x${(await live.request("signals\n", line)).split(/\s+/)[1]}`);
    expect(ignored & 0b111n).toBe(0n);
    await live.close();
  });

  test("append to the files that they were given", async () => {
    const files = [openNameless(), openNameless()];
    const live = new LiveProcess("echo", () => ({ ...echo, appendsTo: files }));
    expect(await live.request("append\n", line)).toBe("done");
    expect(files.map(takeAll)).toEqual(["appended\n", "and here\n"]);
    await live.close();
  });

  test("take a megabyte, and words that are texts, numbers or look like settings", async () => {
    const args = [
      "-c",
      'IFS= read -r x; printf "%s|" "$@"; echo; cat | wc -c',
      "sh",
      TEXTS[1]!.replace("\n", " "),
      "1",
      "=",
      "+3",
      "A=b",
      "--",
    ];
    const live = new LiveProcess("words", () => ({ ...echo, args }));
    expect(await live.request("go\n", line)).toBe("a text of two lines|1|=|+3|A=b|--|");
    await live.close();
    const wide = new LiveProcess("wide", () => ({ ...echo, args: ["-c", "head -c 1000000 | wc -c"] }));
    expect((await wide.request("x".repeat(1_000_000), line)).trim()).toBe("1000000");
    await wide.close();
  });

  test("one that dies tells its last words, and the next request starts another", async () => {
    const live = new LiveProcess("echo", () => echo);
    const first = pidOf(await live.request("one\n", line));
    await expect(live.request("die\n", line)).rejects.toThrow(new LiveEnded("echo", "I die").message);
    expect(pidOf(await live.request("two\n", line))).not.toBe(first);
    await live.close();
  });

  test("one that does not exist is told, and so is a folder that is gone", async () => {
    const missing = new LiveProcess("nothing", () => ({ ...echo, file: "owt-no-such-program" }));
    await expect(missing.request("x\n", line)).rejects.toThrow(/nothing ended: .*owt-no-such-program/);
    const nowhere = new LiveProcess("nowhere", () => ({ ...echo, cwd: join(folder, "gone") }));
    await expect(nowhere.request("x\n", line)).rejects.toThrow("nowhere ended");
  });

  test("what no line can carry is spawned; so is what comes after the last pair of pipes", async () => {
    const listener = { onBytes: () => {}, onEnd: () => {} };
    expect(await startThroughServer({ ...echo, args: ["-c", "two\nlines"] }, listener)).toBeNull();
    const all = Array.from({ length: 40 }, () => new LiveProcess("echo", () => echo));
    const parents = await Promise.all(all.map(async (live) => (await live.request("x\n", line)).split(" ")[1]));
    expect(parents.filter((parent) => parent === String(process.pid))).toHaveLength(8);
    await Promise.all(all.map((live) => live.close()));
  });
});

/** A program of its own, which can be killed. */
const PROGRAM = `
import { openForkServer } from ${JSON.stringify(join(import.meta.dirname, "fork-server.ts"))};
import { LiveProcess } from ${JSON.stringify(join(import.meta.dirname, "live-process.ts"))};
const [echo, texts] = JSON.parse(process.argv[1]);
openForkServer(texts);
const take = (bytes) => (bytes.includes(10) ? { answer: String(bytes) } : null);
const live = new LiveProcess("echo", () => echo);
console.log((await live.request("x\\n", take)).trim());
process.stdin.once("data", async () => console.log((await new LiveProcess("echo", () => echo).request("y\\n", take)).trim()));
`;

function startProgram() {
  const place = mkdtempSync(join(tmpdir(), "owt-forks-"));
  onTestFinished(() => rmSync(place, { recursive: true, force: true }));
  const args = ["--input-type=module", "-e", PROGRAM, JSON.stringify([echo, TEXTS])];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, TMPDIR: place },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const nextLine = async () => String((await once(child.stdout, "data"))[0]).trim();
  const server = () => {
    const children = execFileSync("pgrep", ["-P", String(child.pid), "-f", "owt-fork-server"], { encoding: "utf8" });
    return Number(children.split("\n")[0]);
  };
  return { child, place, nextLine, server };
}

describe.skipIf(findSetsid() === null)("a kill", () => {
  test("of us leaves no process and no file", async () => {
    const { child, place, nextLine, server } = startProgram();
    const live = pidOf(await nextLine());
    const shell = server();
    expect(readFileSync(`/proc/${shell}/cmdline`, "utf8")).toContain("owt-fork-server");
    child.kill("SIGKILL");
    await vi.waitUntil(() => !isThere(live) && !isThere(shell));
    expect(readdirSync(place)).toEqual([]);
  });

  test("of the server is nobody's trouble: what it started goes on, and what comes next is spawned", async () => {
    const { child, nextLine, server } = startProgram();
    const live = pidOf(await nextLine());
    const shell = server();
    process.kill(shell, "SIGKILL");
    await vi.waitUntil(() => !isThere(shell));
    expect(isThere(live)).toBe(true);
    child.stdin.write("go");
    expect((await nextLine()).split(" ")[1]).toBe(String(child.pid));
    child.kill("SIGKILL");
    await vi.waitUntil(() => !isThere(live));
  });
});
