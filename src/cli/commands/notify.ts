/** `owt notify`: whether notifications get through. */
import type { Command } from "commander";
import { OwtError } from "../../core/errors.ts";
import { withoutSecret } from "../../core/notification.ts";
import { notifyAll } from "../../engine/notify.ts";
import { answer, type Io, withEngine } from "../io.ts";
import { tellRefusal } from "../refusal.ts";
import { markOf, painter, printable } from "../text.ts";

export function notifyCommand(program: Command, io: Io): void {
  program
    .command("notify")
    .description(
      "send a notification to everybody who is to be told when something waits, to try whether it gets through",
    )
    .option("--json", "print the answer as JSON")
    .action((options: { json?: boolean }) =>
      withEngine(io, async (engine) => {
        if (io.stderr.isTTY === true) engine.bell = () => void io.stderr.write("\u0007");
        const told = await notifyAll(engine, io.signal);
        const targets = told.map(({ target, came }) => ({
          name: target.name,
          address: target.kind === "desktop" ? null : withoutSecret(target.address),
          state: came.kind,
          reason: came.kind === "sent" ? null : came.reason,
        }));
        const paint = painter(io, io.stdout);
        const lines = targets.map(({ name, address, state, reason }) => {
          const mark =
            state === "sent" ? markOf("done", paint) : state === "none" ? paint("dim", "○") : markOf("failed", paint);
          const where = address === null ? "" : ` (${address})`;
          return `${mark} ${name}${printable(where)}: ${state === "sent" ? "told" : printable(reason!)}`;
        });
        answer(io, options, { targets }, lines.join("\n"));
        const isAnybody = targets.some(({ state }) => state === "sent");
        if (!isAnybody) tellRefusal(io, nobodyTold());
        if (!isAnybody || targets.some(({ state }) => state === "failed")) process.exitCode = 1;
      }),
    );
}

/** What was tried stands in the answer already. */
function nobodyTold(): OwtError {
  return new OwtError("tool-failed", "nobody was told", { hint: "who is to be told: owt config show notifications" });
}
