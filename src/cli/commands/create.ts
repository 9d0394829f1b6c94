/** `owt create`: worktrees by hand. */
import type { Command } from "commander";
import { OwtError } from "../../core/errors.ts";
import { nearestHint, slug } from "../../core/names.ts";
import type { PlannedTask } from "../../core/plan.ts";
import type { Came, SetupSaid } from "../../core/reuse.ts";
import type { Engine } from "../../engine/engine.ts";
import { type Created, createByHand } from "../../engine/worktrees/create.ts";
import { takeUp } from "../../engine/worktrees/taken-up.ts";
import { setupGrants } from "../../engine/worktrees/ready.ts";
import { readLease } from "../../engine/worktree-lease.ts";
import { sessionServer } from "../../engine/session-server.ts";
import { readBacklog } from "../../store/backlog.ts";
import type { Session } from "../../tmux/list.ts";
import type { Tmux } from "../../tmux/tmux.ts";
import { approve } from "../approve.ts";
import { answer, type Io, readInput, tell, withEngine } from "../io.ts";
import { addSessionOptions, show } from "../sessions.ts";
import { painter, printable } from "../text.ts";
import { tellRefusal } from "../refusal.ts";
import { openSessionFor, type SessionFor, type SessionWanted } from "../worktrees/session-for.ts";
import { helpText } from "../help-text.ts";
import { describeSetup } from "../worktrees/setup-text.ts";
import { shellWord } from "../../lib/printable.ts";

type Options = SessionWanted & {
  base?: string;
  path?: string;
  deps: boolean;
  submodules: boolean;
  env: boolean;
  task?: string;
  json?: boolean;
};

export function createCommand(program: Command, io: Io): void {
  addSessionOptions(program.command("create [branch...]"))
    .description("a worktree for each of these branches, ready to work in; one that is there only gets what it lacks")
    .option("-b, --base <branch>", "what a new branch starts from, also pr:123; by default the branch you are on")
    .option("-p, --path <folder>", "where it is to stand; by default worktree.base_directory and naming_pattern say so")
    .option("--no-deps", "without installing dependencies")
    .option("--no-submodules", "without checking submodules out")
    .option("--no-env", "without bringing environment files")
    .option("--tmux", "with a session, also where tmux is not there: then it is refused")
    .option("--no-tmux", "without a session")
    .option("--prompt <text>", "what the session's agent is told first; - reads it from standard input")
    .option("--task <id>", "for a task that was written down: its branch, its note, and its text for the agent")
    .option("-a, --attach", "show the session here at once")
    .option("--json", "print the answer as JSON")
    .addHelpText(
      "after",
      helpText(
        "A branch can be new, of this repository, of a remote (origin/x, or x where only a remote has it), or a pull or merge request: pr:123.",
        `Examples:
  owt create feature/login             a new branch from the one you are on
  owt create fix/a fix/b --base main   two at once
  owt create pr:42                     what somebody proposes, to look at it
  owt create fix/c --prompt "mend the login form" --attach`,
      ),
    )
    .action(async (branches: string[], options: Options) => {
      const shown = await withEngine(io, async (engine) => {
        const task = options.task === undefined ? null : storedTask(engine, options.task);
        const wanted = branches.length === 0 && task ? [task.branch ?? slug(task.id)] : branches;
        refuseContradictions(wanted, options);
        await approve(io, engine, setupGrants(engine));
        const prompt = options.prompt === "-" ? await readInput(io) : options.prompt;
        return await createAll(io, engine, wanted, { ...options, ...(prompt === undefined ? {} : { prompt }) }, task);
      });
      if (options.attach && shown !== null) await show(io, shown, {});
    });
}

function refuseContradictions(branches: readonly string[], options: Options): void {
  const refuse = (message: string, hint: string): never => {
    throw new OwtError("usage", message, { hint });
  };
  if (branches.length === 0)
    refuse("which branch?", "owt create <branch>; for a task that was written down: owt create --task <id>");
  if (options.task !== undefined && branches.length > 1)
    refuse("--task is one task, and these are several branches", `owt create ${branches[0]} --task ${options.task}`);
  if (options.path !== undefined && branches.length > 1)
    refuse("--path names one folder, and these are several branches", `owt create ${branches[0]} --path FOLDER`);
  if (options.attach && branches.length > 1)
    refuse("--attach shows one session, and these are several branches", `owt switch ${branches[0]}`);
  if (options.agent === false && options.prompt !== undefined)
    refuse("without an agent there is nobody to be told", "leave out --no-agent, or --prompt: owt create --help");
  if (options.tmux === false && (options.attach || options.prompt !== undefined))
    refuse(
      "without a session there is nobody to be told, and nothing to show",
      "leave out --no-tmux: owt create --help",
    );
}

/** A task that waits for somebody to take it up; by hand is a way as good as a run. */
function storedTask(engine: Engine, id: string): PlannedTask {
  const stored = readBacklog(engine.store);
  const task = stored.find((each) => each.id === id);
  if (task) return task;
  const ids = stored.map((each) => each.id);
  throw new OwtError("unknown-name", `no task ${id} is written down`, {
    hint: nearestHint(id, ids, 'write one down: owt task create "…"; see: owt task list'),
  });
}

type Shown = { tmux: Tmux; session: Session };

/** Each is made or refused by itself; where one is, the exit says so. Gives the session that was made last. */
async function createAll(
  io: Io,
  engine: Engine,
  branches: readonly string[],
  options: Options,
  task: PlannedTask | null,
): Promise<Shown | null> {
  const sessions = new Map<string, SessionFor>();
  let said: SetupSaid[] = [];
  const wanted = {
    ...options,
    base: options.base ?? null,
    path: options.path ?? null,
    signal: io.signal,
    last: async (worktree: { path: string; branch: string }) => {
      const opened =
        task === null
          ? await openSessionFor(io, engine, worktree, options)
          : await takeUp(engine, worktree, task, (isKnown) =>
              openSessionFor(io, engine, worktree, {
                prompt: task.content,
                ...options,
                isTold: isKnown && options.prompt === undefined,
              }),
            );
      sessions.set(worktree.path, opened);
    },
    tell: (each: SetupSaid) => {
      said.push(each);
      tell(io, printable(describeSetup(each)));
    },
  };
  const made: (Created & { said: SetupSaid[] })[] = [];
  const refused: { branch: string; error: OwtError }[] = [];
  for (const branch of new Set(branches)) {
    try {
      said = [];
      made.push({ ...(await createByHand(engine, branch, wanted)), said });
    } catch (error) {
      if (!(error instanceof OwtError) || error.code === "interrupted") throw error;
      refused.push({ branch, error });
    }
  }
  // Alone, it is refused as any command is.
  if (made.length === 0 && refused.length === 1) throw refused[0]!.error;
  const worktrees = made.map((each) => ({
    path: each.path,
    branch: each.branch,
    is_new: each.isNew,
    base: each.base,
    from: each.from,
    session: sessions.get(each.path)?.session?.name ?? null,
    told: sessions.get(each.path)?.told ?? null,
    ...renderReady(engine, each),
  }));
  const failed = refused.map(({ branch, error }) => ({ branch, message: error.message, hint: error.hint ?? null }));
  if (!options.json) for (const { error } of refused) tellRefusal(io, error);
  const paint = painter(io, io.stdout);
  const lines = made.map(
    (each) => `${paint("green", "✓")} ${printable(`${each.branch}  ${each.path}${beginningOf(each)}`)}`,
  );
  answer(io, options, { worktrees, refused: failed }, lines.join("\n"));
  const last = made.at(-1);
  const session = last && sessions.get(last.path)?.session;
  if (last && !options.json && !options.attach)
    tell(io, `${paint("dim", "↳")} go there: ${session ? `owt switch ${last.branch}` : `cd ${shellWord(last.path)}`}`);
  // Who takes a task up by hand can read it themselves.
  const isUntold = options.prompt !== undefined && [...sessions.values()].some(({ told }) => told === false);
  const codes = [...refused.map(({ error }) => error.exitCode), ...(isUntold ? [4] : [])];
  if (codes.length > 0) process.exitCode = Math.max(...codes);
  return session ? { tmux: sessionServer(engine), session } : null;
}

/** Where its branch is from: a new one where one of a remote was meant is seen at once. */
function beginningOf({ isNew, from, isOfRemote }: Created): string {
  if (!isNew) return " (was there)";
  if (from === null) return "";
  return isOfRemote ? `  of ${from}` : `  from ${from}`;
}

/** What it has to itself, and how what it needs came. */
function renderReady(engine: Engine, { path, said }: { path: string; said: readonly SetupSaid[] }) {
  const lease = readLease(engine, path);
  const { firstPort = null, ports = 0 } = lease ?? {};
  return {
    ports: firstPort === null ? null : { first: firstPort, count: ports },
    database: lease?.database ?? null,
    compose_project: lease?.compose ?? null,
    dependencies: said.filter((each): each is Came => each.level === "done").map(renderCame),
    submodules: said.flatMap((each) => (each.level === "submodules" ? each.done : [])),
    warnings: said.flatMap((each) => (each.level === "warning" ? [each.text] : [])),
  };
}

function renderCame({ folder, lockfile, way, why, from, tookMs }: Came) {
  return { folder, lockfile, way, why, from, took_ms: Math.round(tookMs) };
}
