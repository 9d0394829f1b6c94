/** What a worktree has to itself on this machine, and how it learns of it. The registry of all repositories is the truth; a copy beside the
 *  repository's store answers without opening it. */
import { existsSync, lstatSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { commandList } from "../core/config.ts";
import type { SetupSaid } from "../core/reuse.ts";
import { OwtError } from "../core/errors.ts";
import { type Lease, leaseVariables } from "../core/worktree-lease.ts";
import { findPlace, recordedRoot } from "../git/place.ts";
import type { Store } from "../store/database.ts";
import { type Leaseholder, moveLease, openLeases, releaseLease, takeLease } from "../store/worktree-leases.ts";
import { userStateDir } from "../system/config-files.ts";
import { readTextIfThere, writeFileAtomically } from "../system/files.ts";
import { portsInUse } from "../system/ports.ts";
import type { Engine } from "./engine.ts";
import { fileNameFor } from "../system/file-name.ts";

/** The lease of a worktree, taken where it has none. Repeatable: it stays the same as long as the worktree is there. Null for what is no
 *  linked worktree of this repository. Throws `store` where the registry cannot be used. */
export function ensureLease(engine: Engine, worktree: string): Lease | null {
  const place = findPlace(engine.repo, worktree);
  if (place === null || place.gitDir === place.commonDir) return null;
  const inode = inodeOf(place.gitDir);
  if (inode === null) return null;
  const wish = {
    gitDir: place.gitDir,
    inode,
    path: place.root,
    project: basename(engine.repo.root),
    name: basename(place.root),
    ports: engine.config.environment.ports,
    before: readLease(engine, worktree),
  };
  const around = { busy: portsInUse, isGone, now: engine.now() };
  const lease = inRegistry(engine, (leases) => takeLease(leases, wish, around));
  if (JSON.stringify(lease) !== JSON.stringify(wish.before))
    writeFileAtomically(leaseFile(engine, worktree), JSON.stringify(lease));
  return lease;
}

/** The same where a task must not fail for it: what is wrong is told, and there is none. */
export function leaseOrTell(engine: Engine, worktree: string, tell?: (said: SetupSaid) => void): Lease | null {
  const warn = (text: string) => tell?.({ level: "warning", about: "lease", text });
  try {
    const lease = ensureLease(engine, worktree);
    const { ports } = engine.config.environment;
    if (lease !== null && lease.firstPort === null && ports > 0)
      warn(`there is no block of ${ports} free ports any more`);
    return lease;
  } catch (error) {
    if (!(error instanceof OwtError) || error.code !== "store") throw error;
    warn(`${error.message} (${error.hint})`);
    return null;
  }
}

const COMPOSE_FILES = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

/** Whether something in a worktree is likely to ask for its ports and names, beside dependencies and environment files, which tell by
 *  themselves. What nobody asks for costs nothing. */
export function isLeaseUseful(engine: Engine, worktree: string): boolean {
  const { layers, config } = engine;
  return (
    layers.some(({ values }) => values.environment?.ports !== undefined) ||
    commandList(config.hooks.post_create).length + commandList(config.hooks.pre_remove).length > 0 ||
    COMPOSE_FILES.some((name) => existsSync(join(worktree, name)))
  );
}

/** The lease that a worktree has; null where it has none. */
export function readLease(engine: Engine, worktree: string): Lease | null {
  const text = readTextIfThere(leaseFile(engine, worktree));
  return text === null ? null : (JSON.parse(text) as Lease);
}

/** The variables of a worktree's lease, for whatever runs there; none where it has none. */
export function leaseEnvironment(engine: Engine, worktree: string): Record<string, string> {
  const lease = readLease(engine, worktree);
  return lease === null ? {} : leaseVariables(lease);
}

/** Gives back what a worktree had, when it is gone. Nothing happens where it had nothing. */
export function forgetLease(engine: Engine, worktree: string): void {
  const file = leaseFile(engine, worktree);
  if (!existsSync(file)) return;
  inRegistry(engine, (leases) => releaseLease(leases, worktree));
  rmSync(file, { force: true });
}

/** What a worktree has goes with it to where it stands now. Its copy beside the store was moved already. */
export function followLease(engine: Engine, { gitDir, to }: { gitDir: string; to: string }): void {
  if (existsSync(leaseFile(engine, to))) inRegistry(engine, (leases) => moveLease(leases, gitDir, to));
}

/** No encoded path has a `+`. */
function leaseFile(engine: Engine, worktree: string): string {
  return join(engine.repo.commonDir, "owt", "setup", `${fileNameFor(worktree)}+lease`);
}

/** A worktree whose git directory is another one, or none, or whose files are gone. */
export function isGone({ gitDir, inode }: Leaseholder): boolean {
  if (inodeOf(gitDir) !== inode) return true;
  const root = recordedRoot(gitDir);
  return root === null || !existsSync(root);
}

function inodeOf(path: string): string | null {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false })?.ino.toString() ?? null;
}

/** Opened once; it closes with the process. */
const registries = new WeakMap<Engine, Store>();

function inRegistry<T>(engine: Engine, work: (leases: Store) => T): T {
  const path = join(userStateDir(engine.env), "leases.db");
  try {
    const open = registries.get(engine) ?? openLeases(path);
    registries.set(engine, open);
    return work(open);
  } catch (cause) {
    if (!(cause instanceof OwtError)) throw cause;
    const hint = `it can be made anew, and each worktree then asks again: mv ${path} ${path}.aside`;
    throw new OwtError(cause.code, `ports and names for ${engine.repo.root}: ${cause.message}`, { hint, cause });
  }
}
