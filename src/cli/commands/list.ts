/** `owt list`: the worktrees of this repository, names at once, the rest as it becomes known. */
import { basename } from "node:path";
import type { Command } from "commander";
import { OwtError } from "../../core/errors.ts";
import { bringBackDead } from "../../engine/sessions.ts";
import { clearUnmade } from "../../engine/worktrees/unmade.ts";
import { addSessions, type Listed, listOnRecord, readStandings } from "../../engine/worktrees/list.ts";
import { strangerAt } from "../../engine/worktrees/stranger.ts";
import type { Engine } from "../../engine/engine.ts";
import type { BranchStatus } from "../../git/branch-status.ts";
import { runBare } from "../bare.ts";
import { knownProjects } from "../../engine/worktrees/projects.ts";
import { openRepo } from "../../git/repo.ts";
import { answer, type Io, screenWidth, tell, withEngine } from "../io.ts";
import { LiveBlock, wrapsAgain } from "../live/block.ts";
import { painter, printable } from "../text.ts";
import { helpLines, renderList, unreadLines, worktreeJson } from "../worktrees/list-text.ts";

type Options = { json?: boolean; allProjects?: boolean };

/** How often what has become known meanwhile is drawn. */
const FRAME_MS = 100;

export function listCommand(program: Command, io: Io): void {
  program
    .command("list")
    .description(
      "the worktrees of this repository, also those that plain git made: changes, commits, last use, what is done there",
    )
    .option(
      "--all-projects",
      "of each repository of this machine in which owt create made one that is still there, and of this one; from anywhere",
    )
    .option("--json", "print the answer as JSON")
    .action((options: Options) =>
      options.allProjects ? showAll(io, options) : withEngine(io, (engine) => showList(io, engine, options)),
    );
}

/** The command as it is without any words but `--json`. Gives its exit code. */
export function runList(io: Io, options: { json: boolean }): Promise<number> {
  return runBare(io, options, (engine) => showList(io, engine, options));
}

/** One after the other, and only looked at: nothing is cleared or brought back in a repository that nobody is in. */
async function showAll(io: Io, options: Options): Promise<void> {
  const here = await mainOf(io.cwd);
  const known = knownProjects(io.env);
  const others = known.filter(({ commonDir }) => commonDir !== here?.commonDir);
  const paint = painter(io, io.stdout);
  const width = io.stdout.isTTY ? screenWidth(io) - 1 : null;
  const projects: object[] = [];
  const text: string[] = [];
  for (const { checkout, isHere } of [
    ...(here === null ? [] : [{ checkout: io.cwd, isHere: true }]),
    ...others.map(({ checkout: at }) => ({ checkout: at, isHere: false })),
  ]) {
    const end = await lookAt(io, checkout, isHere);
    const root = isHere ? here!.root : checkout;
    const { listed, standings, problem } = end;
    const worktrees = listed.map((each) => worktreeJson(each, standings.get(each.path) ?? null));
    projects.push({ name: basename(root), root, is_current: isHere, worktrees, problem });
    const lines =
      problem === null ? renderList(listed, standings, { now: Date.now(), width, paint }) : [printable(problem)];
    text.push(`${paint("bold", printable(basename(root)))}  ${paint("dim", printable(root))}`, ...lines, "");
  }
  const none = "no repository is known in which owt create made a worktree that is still there";
  answer(io, options, { projects }, text.length === 0 ? none : text.join("\n").trimEnd());
}

/** The repository around a folder; null outside of one. */
async function mainOf(cwd: string): Promise<{ commonDir: string; root: string } | null> {
  try {
    const repo = await openRepo(cwd);
    await repo.close();
    return repo;
  } catch (error) {
    if (error instanceof OwtError) return null;
    throw error;
  }
}

type Looked = { listed: Listed[]; standings: Map<string, BranchStatus | null>; problem: string | null };

/** A repository that cannot be read keeps no other from being shown. */
async function lookAt(io: Io, cwd: string, isHere: boolean): Promise<Looked> {
  const standings = new Map<string, BranchStatus | null>();
  try {
    return await withEngine({ ...io, cwd, looks: true, reads: true, tolerant: true }, async (engine) => {
      const listed = await addSessions(engine, await listOnRecord(engine));
      await readStandings(engine, listed, (path, standing) => standings.set(path, standing));
      return { listed: listed.map((each) => ({ ...each, isHere: isHere && each.isHere })), standings, problem: null };
    });
  } catch (error) {
    if (!(error instanceof OwtError)) throw error;
    return { listed: [], standings, problem: error.message };
  }
}

async function showList(io: Io, engine: Engine, options: Options): Promise<void> {
  for (const line of await clearUnmade(engine)) tell(io, line);
  let listed = await listOnRecord(engine);
  const standings = new Map<string, BranchStatus | null>();
  const isLive = !options.json && io.stdout.isTTY;
  const lines = () =>
    renderList(listed, standings, {
      now: engine.now(),
      // The last column of a terminal is left free: what fills it wraps on some.
      width: io.stdout.isTTY ? screenWidth(io) - 1 : null,
      paint: painter(io, io.stdout),
    });
  const block = isLive ? new LiveBlock(io.stdout.stream(), wrapsAgain(io.env)) : null;
  const draw = () => block?.update([], lines().slice(0, (io.stdout.rows ?? 24) - 1));
  draw();
  const frames = setInterval(draw, FRAME_MS);
  try {
    const sessions = bringBackDead(engine).then(async () => (listed = await addSessions(engine, listed)));
    await Promise.all([sessions, readStandings(engine, listed, (path, standing) => standings.set(path, standing))]);
  } finally {
    clearInterval(frames);
  }
  // All of it stays, also what did not fit while it changed.
  const help = [
    ...unreadLines(listed, standings, (each) => strangerAt(engine, each)),
    ...helpLines(listed, engine.now()),
  ];
  block?.update([...lines(), ...help], []);
  if (block) return;
  const data = { worktrees: listed.map((each) => worktreeJson(each, standings.get(each.path) ?? null)) };
  answer(io, options, data, [...lines(), ...help].join("\n"));
}
