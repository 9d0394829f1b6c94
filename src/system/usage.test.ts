import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { usageOf } from "./usage.ts";

test.skipIf(process.platform !== "linux")("memory and processor time of a process, as they grow", async () => {
  const program = `const held = Buffer.alloc(64 << 20, 1); const ends = process.cpuUsage(); while (process.cpuUsage(ends).user < 200_000); process.send("up"); process.on("message", () => held)`;
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "ignore", "ignore", "ipc"] });
  await once(child, "message");
  const used = usageOf([child.pid!])!;
  expect(used.memoryBytes).toBeGreaterThan(64 << 20);
  expect(used.memoryBytes).toBeLessThan(1 << 30);
  expect(used.cpuMs).toBeGreaterThanOrEqual(200);
  const both = usageOf([child.pid!, process.pid])!;
  expect(both.memoryBytes).toBeGreaterThan(used.memoryBytes);
  child.kill();
  await once(child, "exit");
  expect(usageOf([child.pid!])).toEqual({ memoryBytes: 0, cpuMs: 0 });
});
