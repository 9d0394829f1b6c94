/** `owt switch`: to a worktree's session, wherever one is. */
import type { Command } from "commander";
import { OwtError } from "../../core/errors.ts";
import type { Engine } from "../../engine/engine.ts";
import { openSession, sessionServer } from "../../engine/sessions.ts";
import { type Listed, listWorktrees } from "../../engine/worktrees/list.ts";
import { type Checkout, findWorktree } from "../../engine/worktrees/place.ts";
import { clearUnmade } from "../../engine/worktrees/unmade.ts";
import { notePrevious, noteWorktree } from "../../store/worktrees.ts";
import { findProgram } from "../../system/programs.ts";
import { answer, ask, canAsk, type Io, tell, withEngine } from "../io.ts";
import { addSessionOptions, type AttachOptions, type SessionOptions, show, wishOf } from "../sessions.ts";
import { painter } from "../text.ts";
import { renderList } from "../worktrees/list-text.ts";

type Options = SessionOptions & AttachOptions & { path?: boolean; json?: boolean };

export function switchCommand(program: Command, io: Io): void {
  addSessionOptions(program.command("switch [name]"))
    .description(
      "show the session of a worktree here, made or brought back where it is not there; without a name, choose one",
    )
    .option("--read-only", "look, but do not type")
    .option("--own-view", "choose windows for yourself while others look at the same session")
    .option("--path", 'print its folder instead, for: cd "$(owt switch NAME --path)"')
    .option("--json", "print the answer as JSON")
    .addHelpText(
      "after",
      `
A name is a branch, its last part, or a folder; - is where you were before, ^ the main checkout, @ where you are.`,
    )
    .action(async (name: string | undefined, options: Options) => {
      const shown = await withEngine(io, async (engine) => {
        await clearUnmade(engine);
        const worktree = name === undefined ? await choose(io, engine) : await findWorktree(engine, name);
        // A session is left by going to another one: where one is now is where `-` leads back to.
        if (worktree.path !== engine.repo.here) notePrevious(engine.store, engine.repo.here);
        noteWorktree(engine.store, engine.now(), worktree);
        if (options.path) {
          answer(io, options, { path: worktree.path, branch: worktree.branch, session: null }, worktree.path);
          return null;
        }
        if (findProgram("tmux", engine.env) === null)
          throw new OwtError("environment", "there is no tmux here, and sessions need it", {
            hint: `go there without one: cd ${worktree.path}; what installs it: owt doctor`,
          });
        const opened = await openSession(engine, worktree, wishOf(io, options, null));
        if (opened.note !== null) tell(io, opened.note);
        return { tmux: sessionServer(engine), session: opened.session };
      });
      if (shown !== null) await show(io, shown, options);
    });
}

/** A numbered list; a part of a name is as good as a number. */
async function choose(io: Io, engine: Engine): Promise<Checkout> {
  const listed = await listWorktrees(engine);
  if (!canAsk(io))
    throw new OwtError("usage", "which worktree? off a terminal it has to be named", {
      hint: `one of: ${listed.map(({ name }) => name).join(", ")}; for example: owt switch ${listed.at(-1)!.name}`,
    });
  const paint = painter(io, io.stderr);
  const [head = "", ...rows] = renderList(listed, new Map(), {
    now: engine.now(),
    width: (io.stderr.columns ?? 80) - 5,
    paint,
  });
  tell(io, [`    ${head}`, ...rows.map((row, at) => `${String(at + 1).padStart(3)} ${row}`)].join("\n"));
  for (;;) {
    const word = (await ask(io, "to which? ")).trim();
    const found = pick(listed, word);
    if (found) return found;
    if (word === "") throw new OwtError("interrupted", "nothing was chosen");
    tell(io, `${word} is none of these, or several`);
  }
}

function pick(listed: readonly Listed[], word: string): Listed | undefined {
  const byNumber = /^\d+$/.test(word) ? listed[Number(word) - 1] : undefined;
  const byName = listed.find(({ name }) => name === word);
  const byPart = word === "" ? [] : listed.filter(({ name }) => name.includes(word));
  return byNumber ?? byName ?? (byPart.length === 1 ? byPart[0] : undefined);
}
