/** Looks whether the branch of a run that is carried is where its work is, and can be moved, and lets the run wait where not: the other runs go on. */
import type { Astray } from "../core/astray.ts";
import type { Run } from "../core/run.ts";
import { readRef } from "../git/branch.ts";
import { clearOldLocks } from "../git/locks.ts";
import { findRefLock, refText } from "../git/ref-fault.ts";
import { findUnwritable, type Unwritable } from "../git/unwritable.ts";
import { MapPer } from "../lib/map-per.ts";
import { shellWord } from "../lib/printable.ts";
import { readAstray, writeAstray } from "../store/astray.ts";
import { lastIntegrated } from "../store/tasks.ts";
import type { Engine } from "./engine.ts";
import { describeLocked, findTip } from "./run-tip.ts";

/** What the ref of a run said, and what was integrated, when nothing was amiss. */
const fine = new MapPer<Engine, string, string>();

/** What keeps the run waiting; null where nothing does. Written down for all who look as soon as that changes. `failed`: something of the run has just gone wrong. */
export async function noteAstray(
  engine: Engine,
  run: Run,
  { failed = false }: { failed?: boolean } = {},
): Promise<Astray | null> {
  const known = fine.of(engine);
  const before = readAstray(engine.store, run.id);
  const unwritable = findUnwritable(engine.repo, { all: failed || before !== null });
  if (unwritable !== null) {
    known.delete(run.id);
    return note(engine, run, before, describeUnwritable(run, unwritable));
  }
  const locked = await findLeftLock(engine, run, failed || before !== null);
  const stands = await standingOf(engine, run);
  if (locked === null && !failed && known.get(run.id) === stands) return null;
  const astray = locked ?? (await findAstray(engine, run));
  if (astray === null) known.set(run.id, await standingOf(engine, run));
  else known.delete(run.id);
  return note(engine, run, before, astray);
}

function note(engine: Engine, { id }: Run, before: Astray | null, astray: Astray | null): Astray | null {
  if (astray?.why !== before?.why) writeAstray(engine.store, engine.now(), id, astray);
  return astray;
}

function describeUnwritable({ id }: Run, { why, command }: Unwritable): Astray {
  return { why, command: `${command} && owt resume ${id}`, note: null, passes: true, halts: true };
}

async function standingOf({ repo, store }: Engine, { id, branch }: Run): Promise<string> {
  return [await readRef(repo, `refs/heads/${branch}`), refText(repo, branch), lastIntegrated(store, id)].join(" ");
}

async function findAstray(engine: Engine, run: Run): Promise<Astray | null> {
  const found = await findTip(engine, run);
  return "astray" in found ? found.astray : null;
}

/** A ref is locked for milliseconds. */
const LONG_LOCKED_MS = 1_000;

/** The lock that was seen on the branch of a run, and since when (`performance.now()`): what its file says of its age goes by clocks that may have been set. */
const locks = new MapPer<Engine, string, { identity: string; since: number }>();

/** A lock on the branch that a git which was killed may have left. One that is old is taken away; `isInTheWay`: it counts however young it is. */
async function findLeftLock(engine: Engine, run: Run, isInTheWay: boolean): Promise<Astray | null> {
  const { id, branch } = run;
  const found = findRefLock(engine.repo, branch);
  const seen = locks.of(engine);
  if (found === null) {
    seen.delete(branch);
    return null;
  }
  const now = performance.now();
  const before = seen.get(branch);
  const since = before?.identity === found.identity ? before.since : now;
  seen.set(branch, { identity: found.identity, since });
  const isLong = now - since >= LONG_LOCKED_MS;
  if (!isLong && !isInTheWay) return null;
  if (isLong && (await clearOldLocks(engine.repo, [branch])).length > 0) return null;
  return {
    why: describeLocked(run, found.path),
    command: `rm ${shellWord(found.path)} && owt resume ${id}`,
    note: "where no git is at work; one that is left so is taken away after a minute",
    passes: true,
  };
}
