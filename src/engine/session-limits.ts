/** Usage limits that agents of sessions by hand have met, as their hooks tell: what works with the same login in a run waits for them too. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { keyOf, meetLimit } from "../core/limit.ts";
import { endedAtLimit } from "../core/session-state.ts";
import { readTail } from "../lib/tail.ts";
import { appendEvent } from "../store/events.ts";
import { readLimit, writeLimit } from "../store/limits.ts";
import { readRuns } from "../store/runs.ts";
import { readWorktrees } from "../store/worktrees.ts";
import { credentialOf } from "./credentials.ts";
import { type Engine, knownAgents } from "./engine.ts";
import { HAND_SPOOL, spoolFile } from "./spool.ts";
import { spoolFolder } from "./spool-folder.ts";

/** A spool, and whose agent writes it. */
type Told = { file: string; agent: string };

/** One by hand may be anybody's; the plugin's hooks are those of Claude Code. */
const BY_HAND = "claude";
/** A few looks at folders. */
const LOOK_MS = 1_000;
const TAIL_BYTES = 8 * 1024;

/** Takes in what is told, from now on, for a process that carries runs; what goes wrong is told. */
export function watchSessionLimits(engine: Engine, fail: (error: unknown) => void): NodeJS.Timeout {
  const taken = new Map<string, number>();
  const look = () => {
    try {
      takeSessionLimits(engine, taken);
    } catch (error) {
      fail(error);
    }
  };
  look();
  return setInterval(look, LOOK_MS).unref();
}

/** `taken`: when a spool that was looked at was written to. When a limit is over nobody says: the first task that tries it finds the true reset. */
function takeSessionLimits(engine: Engine, taken: Map<string, number>): void {
  for (const { file, agent } of spoolsOf(engine)) {
    const at = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (taken.get(file) === at) continue;
    // What is so old that it would have been tried since says nothing any more.
    if (engine.now() - at < FRESH_MS && endedAtLimit(readTail(file, TAIL_BYTES).split("\n")))
      noteSessionLimit(engine, agent, at);
    taken.set(file, at);
  }
}

/** As long as the first guess. */
const FRESH_MS = 60_000;

function noteSessionLimit(engine: Engine, agent: string, at: number): void {
  if (!knownAgents(engine.config).includes(agent)) return;
  const by = { credential: credentialOf(engine, agent), agent };
  engine.store.transaction(() => {
    const before = readLimit(engine.store, keyOf(by));
    // Somebody knows already, and maybe better.
    if (before !== null && before.until > engine.now()) return;
    writeLimit(engine.store, meetLimit(before, by, null, Math.round(at), engine.chance()));
    const text = `a session of ${agent} met a usage limit: what works with the same login waits`;
    for (const { id } of readRuns(engine.store, "open"))
      appendEvent(engine.store, engine.now(), { run: id }, { kind: "note", text });
  });
}

/** Those of sessions of ours, and of Claude Codes that somebody started by hand, of whatever worktree. */
function spoolsOf(engine: Engine): Told[] {
  const ours = namesIn(spoolFolder(engine)).filter((name) => !name.includes("+"));
  const records = ours.length === 0 ? [] : [...readWorktrees(engine.store).values()];
  const agents = new Map(records.map(({ path, agent }) => [spoolFile(engine, path), agent]));
  const { commonDir } = engine.repo;
  const linked = namesIn(join(commonDir, "worktrees")).map((name) => join(commonDir, "worktrees", name));
  const byHand = [commonDir, ...linked].map((gitDir) => join(gitDir, HAND_SPOOL)).filter((file) => existsSync(file));
  return [
    ...ours
      .map((name) => join(spoolFolder(engine), name))
      .map((file) => ({ file, agent: agents.get(file) ?? BY_HAND })),
    ...byHand.map((file) => ({ file, agent: BY_HAND })),
  ];
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
