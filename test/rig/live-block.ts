/** A program on a terminal that shows a live block, and draws it when it is told to: `node live-block.ts SOCKET`, a JSON document a line. */
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { LiveBlock, type Terminal, wrapsAgain } from "../../src/cli/live/block.ts";

/** One drawing: in a terminal of that size, lines that stay, and those of the block. */
export type Drawing = { columns: number; rows: number; above: string[]; lines: string[] };

if (import.meta.main) {
  const terminal: Terminal = process.stdout;
  const block = new LiveBlock(terminal, wrapsAgain(process.env));
  const socket = connect(process.argv[2]!);
  await once(socket, "connect");
  for await (const line of createInterface({ input: socket })) {
    const { columns, rows, above, lines } = JSON.parse(line) as Drawing;
    while (terminal.columns !== columns || terminal.rows !== rows) {
      terminal._refreshSize?.();
      await delay(2);
    }
    block.update(above, lines);
    socket.write("drawn\n");
  }
}
