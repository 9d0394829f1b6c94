import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { expect, onTestFinished, test } from "vitest";
import { capCommand, findCapPlaces, leaveCaps, readCapped } from "./caps.ts";

const { memory, cpu } = findCapPlaces();

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "owt-caps-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function run([file = "", ...args]: string[]) {
  return spawnSync(file, args, { encoding: "utf8" });
}

test("without a cap a command stays what it is, and nothing is made", () => {
  const dir = folder();
  expect(capCommand(dir, { memoryBytes: null, cpus: null }, ["true", "a b"])).toEqual(["true", "a b"]);
  expect(existsSync(join(dir, "caps"))).toBe(false);
  expect(readCapped(dir)).toBe(0);
});

test.skipIf(memory === null)("the kernel ends what takes more memory than it may, and says so", () => {
  const dir = folder();
  const hog = ["node", "-e", "const all = []; for (;;) all.push(Buffer.alloc(16e6, 1))"];
  const ended = run(capCommand(dir, { memoryBytes: 200e6, cpus: null }, hog));
  expect(ended.signal ?? ended.status).toBe("SIGKILL");
  expect(readCapped(dir)).toBeGreaterThan(0);
  const [made] = readFileSync(join(dir, "caps"), "utf8").split("\n");
  leaveCaps(dir);
  expect(existsSync(made!)).toBe(false);
});

test.skipIf(memory === null)("what keeps within it never hears of it, its words and its code are its own", () => {
  const dir = folder();
  const ended = run(capCommand(dir, { memoryBytes: 500e6, cpus: null }, ["sh", "-c", 'echo "$1"; exit 7', "sh", "--"]));
  expect(ended).toMatchObject({ status: 7, stdout: "--\n" });
  expect(readCapped(dir)).toBe(0);
  leaveCaps(dir);
});

test.skipIf(cpu === null)("a command is in a cgroup with the processors it may have", () => {
  const dir = folder();
  const figure = cpu!.version === 2 ? "cpu.max" : "cpu.cfs_quota_us";
  const command = capCommand(dir, { memoryBytes: null, cpus: 0.5 }, ["cat", "/proc/self/cgroup"]);
  expect(run(command).stdout).toContain("/owt-cap-");
  const [made] = readFileSync(join(dir, "caps"), "utf8").split("\n");
  expect(readFileSync(join(made!, figure), "utf8")).toMatch(/^50000\b/);
  leaveCaps(dir);
});
