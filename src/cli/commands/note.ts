/** `owt note`: what somebody is doing in a worktree, in their words. */
import type { Command } from "commander";
import { nameOf } from "../../core/worktree.ts";
import { findWorktree } from "../../engine/worktrees/place.ts";
import { noteWorktree, readWorktrees } from "../../store/worktrees.ts";
import { answer, type Io, withEngine } from "../io.ts";
import { printable } from "../text.ts";

export function noteCommand(program: Command, io: Io): void {
  program
    .command("note <worktree> [text...]")
    .description(
      "note what is done in a worktree (owt list shows it); without a text, show the note, and an empty one takes it away; @ is the one you are in",
    )
    .option("--clear", "take the note away")
    .option("--json", "print the answer as JSON")
    .action((name: string, words: string[], options: { clear?: boolean; json?: boolean }) =>
      withEngine(io, async (engine) => {
        const worktree = await findWorktree(engine, name);
        const text = options.clear ? "" : words.join(" ").trim();
        if (options.clear || words.length > 0) noteWorktree(engine.store, engine.now(), worktree, { note: text });
        const note = readWorktrees(engine.store).get(worktree.path)?.note ?? "";
        const said = `${nameOf(worktree)}: ${note === "" ? "no note" : printable(note)}`;
        answer(io, options, { name: nameOf(worktree), path: worktree.path, note }, said);
      }),
    );
}
