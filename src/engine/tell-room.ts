/** Lets people know that runs wait for room which only they can make. */
import type { Shortage } from "../core/room.ts";
import type { Run } from "../core/run.ts";
import { appendEvent } from "../store/events.ts";
import { readRoomWait } from "./disk-users.ts";
import type { Engine } from "./engine.ts";
import { readKept } from "./room.ts";

const told = new WeakMap<Engine, string | null>();

/** Says so once each time that it comes to that. Looks at the disk only where there is something to say. */
export function tellRoomWait(engine: Engine, runs: readonly Run[], short: Shortage | null): void {
  const about = short === null || !needsPerson(engine, short) ? null : short.of;
  if (about === (told.get(engine) ?? null)) return;
  const wait = about === null ? null : readRoomWait(engine);
  if (wait !== null && runs.length > 0)
    appendEvent(
      engine.store,
      engine.now(),
      { run: runs[0]!.id },
      { kind: "room-needed", why: wait.why, since: wait.since },
    );
  told.set(engine, about);
}

/** Memory comes back with the end of what takes it, and so do most worktrees. */
function needsPerson(engine: Engine, { of }: Shortage): boolean {
  return of === "disk" || (of === "worktrees" && readKept(engine) !== null);
}
