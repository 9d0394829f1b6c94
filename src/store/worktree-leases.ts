/** Which worktree of this machine has which ports and names: one small database of the user's for all repositories, so that no two of them get the
 *  same. A transaction is the only arbiter. */
import { chooseNames, choosePorts, type Lease } from "../core/worktree-lease.ts";
import { openSmall, type Row, type Store } from "./database.ts";

const SHAPE = `
  create table worktree_lease (
    git_dir text primary key,
    inode text not null,
    path text not null,
    first_port integer,
    ports integer not null,
    database text not null unique,
    compose text not null unique,
    at integer not null
  ) strict;
`;

/** A worktree by its own git directory: it stays the same when the worktree is moved, and its inode tells it from a later one of that name. */
export type Leaseholder = { gitDir: string; inode: string; path: string };

/** What a worktree wishes. `before`: what it had, should nobody know of it any more. */
export type LeaseWish = Leaseholder & { project: string; name: string; ports: number; before: Lease | null };

/** Opens the registry at `path`; made where it is missing. */
export function openLeases(path: string): Store {
  return openSmall(path, SHAPE);
}

/** The lease of a worktree: the one that it has, else a new one. What worktrees had that are `isGone` is free again. `busy` are ports that
 *  somebody listens on. */
export function takeLease(
  leases: Store,
  wish: LeaseWish,
  around: { busy: () => ReadonlySet<number>; isGone: (holder: Leaseholder) => boolean; now: number },
): Lease {
  const known = leases.get(
    "select * from worktree_lease where git_dir = ? and inode = ? and path = ?",
    wish.gitDir,
    wish.inode,
    wish.path,
  );
  if (known) return toLease(known);
  // Looked at first: whoever else wants one waits while we have the registry.
  const gone = listHolders(leases).filter(around.isGone);
  const busy = around.busy();
  return leases.transaction(() => {
    for (const { gitDir, inode } of gone)
      leases.run("delete from worktree_lease where git_dir = ? and inode = ?", gitDir, inode);
    leases.run("delete from worktree_lease where git_dir = ? and inode <> ?", wish.gitDir, wish.inode);
    const mine = leases.get("select * from worktree_lease where git_dir = ?", wish.gitDir);
    if (mine) {
      leases.run("update worktree_lease set path = ? where git_dir = ?", wish.path, wish.gitDir);
      return toLease(mine);
    }
    const others = leases.all("select * from worktree_lease");
    const lease = isFree(wish.before, others) ? wish.before : choose(wish, others, busy);
    const { firstPort, ports, database, compose } = lease;
    leases.run(
      "insert into worktree_lease (git_dir, inode, path, first_port, ports, database, compose, at) values (?, ?, ?, ?, ?, ?, ?, ?)",
      wish.gitDir,
      wish.inode,
      wish.path,
      firstPort,
      ports,
      database,
      compose,
      around.now,
    );
    return lease;
  });
}

/** All that have something, also those that are gone by now. */
export function listHolders(leases: Store): Leaseholder[] {
  return leases.all("select git_dir, inode, path from worktree_lease").map(toHolder);
}

/** A worktree stands elsewhere now, and keeps what it has. */
export function moveLease(leases: Store, gitDir: string, path: string): void {
  leases.run("update worktree_lease set path = ? where git_dir = ?", path, gitDir);
}

/** Gives back what the worktrees at a path had. */
export function releaseLease(leases: Store, path: string): void {
  leases.run("delete from worktree_lease where path = ?", path);
}

function choose({ project, name, ports }: LeaseWish, others: readonly Row[], busy: ReadonlySet<number>): Lease {
  const taken = new Set(others.flatMap((row) => [String(row["database"]), String(row["compose"])]));
  const names = chooseNames(project, name, ({ database, compose }) => taken.has(database) || taken.has(compose));
  const firstPort = choosePorts(ports, others.flatMap(blockOf), busy);
  return { firstPort, ports: firstPort === null ? 0 : ports, ...names };
}

function isFree(lease: Lease | null, others: readonly Row[]): lease is Lease {
  if (lease === null) return false;
  const { firstPort, ports, database, compose } = lease;
  return others.every((row) => {
    const [block] = blockOf(row);
    const isApart =
      block === undefined ||
      firstPort === null ||
      firstPort + ports <= block.first ||
      block.first + block.count <= firstPort;
    return isApart && row["database"] !== database && row["compose"] !== compose;
  });
}

function blockOf(row: Row): { first: number; count: number }[] {
  return row["first_port"] === null ? [] : [{ first: Number(row["first_port"]), count: Number(row["ports"]) }];
}

function toHolder(row: Row): Leaseholder {
  return { gitDir: String(row["git_dir"]), inode: String(row["inode"]), path: String(row["path"]) };
}

function toLease(row: Row): Lease {
  return {
    firstPort: row["first_port"] === null ? null : Number(row["first_port"]),
    ports: Number(row["ports"]),
    database: String(row["database"]),
    compose: String(row["compose"]),
  };
}
