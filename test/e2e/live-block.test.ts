/** The block at the foot of a real terminal, whatever its size becomes while lines are told above it. */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { array, assert, asyncProperty, nat, record } from "fast-check";
import { expect, test, vi } from "vitest";
import type { Drawing } from "../rig/live-block.ts";
import { Rig } from "../rig/rig.ts";
import { Tmux } from "../rig/tmux.ts";

const PROGRAM = new URL("../rig/live-block.ts", import.meta.url).pathname;

/** A size of the terminal, how many lines are told at it, and how many the block has, if they fit. */
const step = record({ columns: nat(120), rows: nat(30), told: nat(4), high: nat(25) });

test("nothing told is lost or shown twice, and no pieces of an earlier block are left on the screen", async () => {
  await using rig = Rig.create({});
  const check = asyncProperty(array(step, { minLength: 3, maxLength: 8 }), async (steps) => {
    const socket = rig.path("block.sock");
    using server = Object.assign(createServer().listen(socket), {
      [Symbol.dispose]: () => void server.close(),
    });
    using terminal = new Tmux(rig, { columns: 100, rows: 30 });
    // At the foot of the screen: further up nobody but the terminal knows what a change of its width puts off the top.
    terminal.type(`seq 60; exec ${process.execPath} ${PROGRAM} ${socket}`);
    const [program] = (await once(server, "connection")) as [Socket];
    const told: string[] = [];
    for (const [at, { columns, rows, told: more, high }] of steps.entries()) {
      const size = { columns: columns + 20, rows: rows + 6 };
      const above = Array.from({ length: more }, (_, n) => `told ${told.length + n} `.padEnd(size.columns - 1, "."));
      told.push(...above);
      const lines = Array.from({ length: Math.min(high + 1, size.rows - 2) }, (_, n) =>
        `block ${at}/${n} `.padEnd(n % 3 === 0 ? size.columns - 1 : 0, "-"),
      );
      terminal.resize(size.columns, size.rows);
      const drawing: Drawing = { ...size, above, lines };
      program.write(`${JSON.stringify(drawing)}\n`);
      await once(program, "data");
      const last = lines.at(-1)!.trimEnd();
      await vi.waitFor(() => expect(terminal.screen().at(-1)).toBe(last));
      const screen = terminal.screen();
      expect(screen.filter((line) => /^block |^-+$/.test(line))).toEqual(lines.map((line) => line.trimEnd()));
      const kept = terminal.history().filter((line) => line.startsWith("told "));
      expect(kept.map((line) => line.trimEnd())).toEqual(told);
    }
  });
  await assert(check, { numRuns: 12 });
});
