/** `owt switch`: to a worktree's session, wherever one is; of a run's task, into its worktree and conversation, which are a person's then. */
import type { Command } from "commander";
import { OwtError } from "../../core/errors.ts";
import type { Task } from "../../core/task.ts";
import { renderAnswer } from "../../core/task-answer.ts";
import { answerFor } from "../../engine/answer.ts";
import { type Engine, isAgent } from "../../engine/engine.ts";
import { sessionServer } from "../../engine/session-server.ts";
import { canTalk } from "../../engine/session-agent.ts";
import { openSession } from "../../engine/sessions.ts";
import { takeOver, writeTold } from "../../engine/take-over.ts";
import { taskAt } from "../../engine/task-at.ts";
import { type Listed, listWorktrees } from "../../engine/worktrees/list.ts";
import type { Checkout } from "../../engine/worktrees/place.ts";
import { findPlaceOf } from "../../engine/worktrees/task-place.ts";
import { clearUnmade } from "../../engine/worktrees/unmade.ts";
import { readTask } from "../../store/tasks.ts";
import { notePrevious, noteWorktree } from "../../store/worktrees.ts";
import { findProgram } from "../../system/programs.ts";
import { requireTmux } from "../../tmux/tmux.ts";
import { answer, ask, canAsk, type Io, tell, withEngine } from "../io.ts";
import {
  addSessionOptions,
  type AttachOptions,
  type SessionOptions,
  show,
  type Shown,
  tellIgnored,
  wishOf,
} from "../sessions.ts";
import { painter } from "../text.ts";
import { helpText } from "../help-text.ts";
import { renderList } from "../worktrees/list-text.ts";
import { shellWord } from "../../lib/printable.ts";

type Options = SessionOptions & AttachOptions & { path?: boolean; restart?: boolean; run?: string; json?: boolean };

export function switchCommand(program: Command, io: Io): void {
  addSessionOptions(program.command("switch [name]"))
    .description(
      "show the session of a worktree here, made or brought back where it is not there; of a run's task: take it over by hand; without a name, choose one",
    )
    .option("--read-only", "look, but do not type")
    .option("--own-view", "choose windows for yourself while others look at the same session")
    .option("--path", 'print its folder instead, for: cd "$(owt switch NAME --path)"')
    .option("--restart", "end its agent first where one is there, and start it again in its conversation")
    .option("--run <run>", "the task of this run")
    .option("--json", "print the answer as JSON")
    .addHelpText(
      "after",
      helpText(
        "A name is a branch, its last part, a folder, or pr:12 for what owt create made of that pull request; - is where you were before, ^ the main checkout, @ where you are. It is also a task of a run, or its worktree: its agent is stopped, and you go on in its conversation. No run touches the task until you give it back: owt task approve TASK (your work is done: it is checked and integrated), owt task retry TASK (its agent goes on by itself).",
      ),
    )
    .action(async (name: string | undefined, options: Options) => {
      const shown = await withEngine(io, async (engine) => {
        for (const line of await clearUnmade(engine)) tell(io, line);
        const place = name === undefined ? null : await findPlaceOf(engine, name, options.run);
        const { worktree, task } = place ?? { worktree: await choose(io, engine), task: null };
        // A session is left by going to another one: where one is now is where `-` leads back to.
        if (worktree.path !== engine.repo.here) notePrevious(engine.store, engine.repo.here);
        if (options.path) {
          noteWorktree(engine.store, engine.now(), worktree);
          answer(io, options, { path: worktree.path, branch: worktree.branch, session: null }, worktree.path);
          return null;
        }
        if (findProgram("tmux", engine.env) === null)
          throw new OwtError("environment", "there is no tmux here, and sessions need it", {
            hint: `go there without one: cd ${shellWord(worktree.path)}; what installs it: owt doctor`,
          });
        const mine = task ?? taskAt(engine, worktree.path);
        return mine === null ? openAt(io, engine, worktree, options) : openTask(io, engine, mine, options);
      });
      if (shown !== null) await show(io, shown, options);
    });
}

async function openAt(io: Io, engine: Engine, worktree: Checkout, options: Options): Promise<Shown> {
  noteWorktree(engine.store, engine.now(), worktree);
  const wish = { ...wishOf(io, options, null), restart: options.restart === true };
  const opened = await openSession(engine, worktree, wish);
  tellIgnored(io, worktree, opened, options);
  if (opened.note !== null) tell(io, opened.note);
  return { tmux: sessionServer(engine), session: opened.session };
}

async function openTask(io: Io, engine: Engine, task: Task, options: Options): Promise<Shown> {
  if (options.readOnly && task.park?.for !== "hand")
    throw new OwtError("usage", `to look at ${task.key} without taking it over there is its log`, {
      hint: `owt logs ${task.key} -f`,
    });
  await requireTmux(sessionServer(engine));
  const attempt = await takeOver(engine, task, {
    signal: io.signal,
    onWait: () => tell(io, `what runs of ${task.key} is being stopped, within ${engine.config.run.grace}`),
  });
  const wish = { ...wishOf(io, options, null), restart: options.restart === true };
  // The conversation is its own agent's; one that has none leaves a shell, with what it was told above it.
  const isKnown = isAgent(engine, attempt.agent);
  const speaks = isKnown && canTalk(engine, attempt.agent);
  const own = speaks ? attempt.agent : (false as const);
  const place = { path: attempt.worktree, branch: attempt.branch };
  const shown = writeTold(engine, attempt, task);
  const opened = await openSession(engine, place, { ...wish, agent: wish.agent ?? own, shown });
  tellIgnored(io, place, opened, options);
  const why = isKnown ? `${attempt.agent} works unattended only` : `there is no agent named ${attempt.agent} any more`;
  if (!speaks && wish.agent === null) tell(io, `${why}: the first pane is a shell`);
  const held = readTask(engine.store, task.id)!;
  const given = answerFor(engine, held);
  tell(io, `${task.key} is yours; give it back: ${renderAnswer(given)}`);
  const since = new Date(held.park?.for === "hand" ? held.park.since : engine.now()).toISOString();
  const told = { task: { id: task.key, run: task.run, since, ...given } };
  return { tmux: sessionServer(engine), session: opened.session, told };
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
