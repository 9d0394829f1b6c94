/** However much is told, a terminal is drawn ten times a second at most, and nothing is lost. */
import { Writable } from "node:stream";
import { afterEach, expect, test, vi } from "vitest";
import { LiveBlock } from "./block.ts";
import { Frames } from "./frames.ts";

afterEach(() => void vi.useRealTimers());

function open() {
  // A frame is drawn last in a turn of the loop, which is the real one.
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  const writes: string[] = [];
  const out = new Writable({
    write(chunk, _, done) {
      writes.push(String(chunk));
      done();
    },
  });
  const size = { columns: 80, rows: 24 };
  const terminal = Object.assign(out, size, { _refreshSize: () => void Object.assign(terminal, size) });
  const frames = new Frames(new LiveBlock(terminal), () => ["the table"]);
  return { writes, frames, size, wholeText: () => writes.join("") };
}

test("many lines a second travel with ten frames a second", async () => {
  const { writes, frames, wholeText } = open();
  const { length } = writes;
  for (let n = 0; n < 200; n++) {
    frames.print(`line ${n}.`);
    await vi.advanceTimersByTimeAsync(5);
  }
  expect(writes.length - length).toBeLessThanOrEqual(10);
  frames.pause();
  const told = [...wholeText().matchAll(/line (\d+)\./g)].map(([, n]) => Number(n));
  expect(told).toEqual(Array.from({ length: 200 }, (_, n) => n));
});

test("the last state is drawn, also when it came right behind a frame", async () => {
  const { writes, frames } = open();
  frames.soon();
  await vi.advanceTimersByTimeAsync(1);
  expect(writes).toHaveLength(1);
  frames.soon();
  await vi.advanceTimersByTimeAsync(108);
  expect(writes).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(2);
  expect(writes).toHaveLength(2);
});

test("set aside, it shows no block, and what is told is written at once", async () => {
  const { writes, frames } = open();
  frames.print("before");
  frames.pause();
  expect(writes.join("")).toContain("before");
  frames.soon();
  frames.print("meanwhile");
  expect(writes.join("")).toContain("meanwhile");
  await vi.advanceTimersByTimeAsync(1_000);
  expect(writes.join("")).not.toContain("the table");
  frames.resume();
  await vi.advanceTimersByTimeAsync(200);
  expect(writes.at(-1)).toContain("the table");
});

test("nothing is drawn while the terminal changes its size, nor for a size that it has no more", async () => {
  const { writes, frames, size } = open();
  frames.soon();
  await vi.advanceTimersByTimeAsync(1);
  for (let n = 0; n < 5; n++) {
    frames.resized();
    frames.soon();
    await vi.advanceTimersByTimeAsync(200);
  }
  expect(writes).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(100);
  expect(writes).toHaveLength(2);
  // Not told of yet.
  size.columns = 50;
  frames.soon();
  await vi.advanceTimersByTimeAsync(150);
  expect(writes).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(300);
  expect(writes).toHaveLength(3);
});
