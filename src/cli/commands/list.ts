/** `owt list`: the worktrees of this repository, names at once, the rest as it becomes known. */
import type { Command } from "commander";
import { bringBackDead } from "../../engine/sessions.ts";
import { clearUnmade } from "../../engine/worktrees/unmade.ts";
import { addSessions, listOnRecord, readStandings } from "../../engine/worktrees/list.ts";
import type { Engine } from "../../engine/engine.ts";
import type { BranchStatus } from "../../git/branch-status.ts";
import { runBare } from "../bare.ts";
import { answer, type Io, screenWidth, tell, withEngine } from "../io.ts";
import { LiveBlock, wrapsAgain } from "../live/block.ts";
import { painter } from "../text.ts";
import { helpLines, renderList, unreadLines, worktreeJson } from "../worktrees/list-text.ts";

type Options = { json?: boolean };

/** How often what has become known meanwhile is drawn. */
const FRAME_MS = 100;

export function listCommand(program: Command, io: Io): void {
  program
    .command("list")
    .description(
      "the worktrees of this repository, also those that plain git made: changes, commits, last use, what is done there",
    )
    .option("--json", "print the answer as JSON")
    .action((options: Options) => withEngine(io, (engine) => showList(io, engine, options)));
}

/** The command as it is without any words but `--json`. Gives its exit code. */
export function runList(io: Io, options: { json: boolean }): Promise<number> {
  return runBare(io, options, (engine) => showList(io, engine, options));
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
  const help = [...unreadLines(listed, standings), ...helpLines(listed, engine.now())];
  block?.update([...lines(), ...help], []);
  if (block) return;
  const data = { worktrees: listed.map((each) => worktreeJson(each, standings.get(each.path) ?? null)) };
  answer(io, options, data, [...lines(), ...help].join("\n"));
}
