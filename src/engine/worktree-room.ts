/** Worktrees that are made side by side are not to fill the disk together: what each takes is reckoned before it is begun. */
import { existsSync } from "node:fs";
import { OwtError } from "../core/errors.ts";
import { describeNoFit, fitsBeside, type Shortage } from "../core/room.ts";
import { checkoutBytes } from "../git/checkout-bytes.ts";
import type { Oid } from "../git/git.ts";
import { dropSpares } from "../git/spare.ts";
import { roomForWorktrees } from "./disk-watch.ts";
import type { Engine } from "./engine.ts";

/** Said of something that is not begun: what it takes is more than there is. Nothing has gone wrong. */
export class NoRoomYet extends OwtError {
  readonly shortage: Shortage;

  constructor(shortage: Shortage) {
    super("disk-full", shortage.why);
    this.shortage = shortage;
  }

  /** Not by the name that all of them share. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof Error && "shortage" in value;
  }
}

/** Paths of what is being made right now. */
const making = new WeakMap<Engine, Set<string>>();

/** Makes a worktree of a commit, once there is room for it beside those that are being made. Throws {@link NoRoomYet} where there is not. One that brings work home
 *  (`isLast`) may take of what is to stay free: others go when it is done. */
export async function inRoomFor<T>(
  engine: Engine,
  { path, commit, isLast = false }: { path: string; commit: Oid; isLast?: boolean },
  make: () => Promise<T>,
): Promise<T> {
  if (existsSync(path)) return make();
  const bytes = await worktreeBytes(engine, commit);
  const others = making.get(engine) ?? new Set<string>();
  making.set(engine, others);
  const short = shortForWorktree(engine, { bytes, others: others.size, isLast });
  if (short !== null) throw new NoRoomYet(short);
  others.add(path);
  try {
    return await make();
  } finally {
    others.delete(path);
  }
}

/** Why there is no room for one more worktree of so many bytes beside so many that are being made; null where there is. */
export function shortForWorktree(
  engine: Engine,
  { bytes, others, isLast = false }: { bytes: number; others: number; isLast?: boolean },
): Shortage | null {
  const found = roomForWorktrees(engine);
  const room = found !== null && isLast ? { ...found, keptBytes: 0 } : found;
  if (room === null || fitsBeside(room, { bytes, others })) return null;
  // What is spared for the next one takes as much.
  dropSpares(engine.repo);
  return { of: "disk", why: describeNoFit(room.folder, room, { bytes, others }) };
}

const known = new WeakMap<Engine, { commit: Oid; bytes: number }>();

/** Where so much more is free, it does not matter by how much a tree has grown since it was measured. */
const AMPLE_BYTES = 2 ** 30;
const AMPLE_TREES = 16;

/** What a worktree of a commit takes. Measured once, and anew for another commit where room is scarce. */
export async function worktreeBytes(engine: Engine, commit: Oid): Promise<number> {
  const before = known.get(engine);
  if (before !== undefined && (before.commit === commit || isAmple(engine, before.bytes))) return before.bytes;
  const bytes = await checkoutBytes(engine.repo, commit);
  known.set(engine, { commit, bytes });
  return bytes;
}

function isAmple(engine: Engine, bytes: number): boolean {
  const room = roomForWorktrees(engine);
  return room === null || room.freeBytes - room.keptBytes > AMPLE_BYTES + AMPLE_TREES * bytes;
}
