import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { capCommand, findCapPlaces, leaveCaps } from "./caps.ts";
import { probeLaunchMode, launch, stopTree } from "./launch.ts";
import { availableMemory, memoryOf } from "./memory.ts";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "owt-memory-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test("what is available is what the machine says", () => {
  const bytes = availableMemory();
  expect(bytes).toBeGreaterThan(1e6);
  expect(bytes).toBeLessThan(1e15);
});

test.skipIf(findCapPlaces().memory === null)("in a cgroup with a limit it is no more than that leaves", () => {
  const dir = folder();
  const program = `import { availableMemory } from ${JSON.stringify(join(import.meta.dirname, "memory.ts"))}; console.log(availableMemory())`;
  const words = [process.execPath, "--input-type=module", "-e", program];
  const [file = "", ...args] = capCommand(dir, { memoryBytes: 400e6, cpus: null }, words);
  const told = Number(execFileSync(file, args, { encoding: "utf8" }));
  leaveCaps(dir);
  expect(told).toBeGreaterThan(100e6);
  expect(told).toBeLessThan(400e6);
});

test.skipIf(process.platform !== "linux")(
  "a launch is measured with all that it started, and not when it is over",
  async () => {
    const dir = folder();
    expect(memoryOf(dir)).toBe(null);
    // Two processes of 100 MB each, one below the other, started from another thread than the first.
    const child = "const all = Buffer.alloc(1e8, 1); process.stdout.write('child'); setInterval(() => all.length, 1e3)";
    const parent = `const all = Buffer.alloc(1e8, 1); new (require("node:worker_threads").Worker)(
    'require("node:child_process").spawn(process.execPath, ["-e", ' + JSON.stringify(${JSON.stringify(child)}) + '], { stdio: "inherit" })', { eval: true });
    setInterval(() => all.length, 1e3)`;
    const out = join(dir, "out");
    const env = { PATH: process.env["PATH"] ?? "" };
    const mode = await probeLaunchMode();
    launch({
      dir,
      file: process.execPath,
      args: ["-e", parent],
      cwd: dir,
      env,
      outFile: out,
      errFile: join(dir, "err"),
      mode,
    });
    onTestFinished(() => stopTree(dir, { graceMs: 0 }));
    const seen = spawn("sh", ["-c", 'until grep -q child "$1" 2>/dev/null; do sleep 0.05; done', "sh", out]);
    await once(seen, "exit");
    const bytes = memoryOf(dir)!;
    expect(bytes).toBeGreaterThan(200e6);
    expect(bytes).toBeLessThan(450e6);
    await stopTree(dir, { graceMs: 0 });
    expect(memoryOf(dir)).toBe(null);
  },
);
