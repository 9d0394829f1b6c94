import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { runGit, type Scratch, scratchRepo } from "../../test/rig/scratch-repo.ts";
import type { Lease } from "../core/worktree-lease.ts";
import { closeEngine, type Engine, openEngine } from "./engine.ts";
import { ensureLease, forgetLease, leaseEnvironment, readLease } from "./worktree-lease.ts";

const state = mkdtempSync(join(tmpdir(), "owt-leases-"));
afterAll(() => rmSync(state, { recursive: true, force: true }));

const envFor = (name: string): NodeJS.ProcessEnv => ({
  PATH: process.env["PATH"],
  HOME: join(state, name),
  XDG_STATE_HOME: join(state, name),
});

function addWorktree(at: Scratch, name: string): string {
  const path = join(at.top, name);
  runGit(at.root, "worktree", "add", "-q", "--detach", "--no-checkout", path);
  return path;
}

async function engineOf(at: Scratch, env: NodeJS.ProcessEnv): Promise<Engine & AsyncDisposable> {
  const engine = await openEngine({ cwd: at.root, env, owtCommand: ["owt"] });
  return Object.assign(engine, { [Symbol.asyncDispose]: () => closeEngine(engine) });
}

const portsOf = ({ firstPort, ports }: Lease): number[] => Array.from({ length: ports }, (_, at) => firstPort! + at);

/** Starts a process that waits for the word to take leases. */
async function prepare(root: string, worktrees: readonly string[], env: NodeJS.ProcessEnv) {
  const program = new URL("../../test/rig/take-leases.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [program, root, ...worktrees], { env, stdio: ["pipe", "pipe", "inherit"] });
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, "close");
  while (!said.startsWith("ready\n")) await once(child.stdout, "data");
  return async (): Promise<[string, Lease][]> => {
    child.stdin.end("go\n");
    await ended;
    return JSON.parse(said.slice("ready\n".length)) as [string, Lease][];
  };
}

test("200 starts of two repositories at once: no port, database or compose name is given twice", async () => {
  const env = envFor("many");
  // Both are called the same, and so are their worktrees: only the registry tells them apart.
  await using one = await scratchRepo("shop");
  await using other = await scratchRepo("shop");
  const PROCESSES = 20;
  const EACH = 10;
  const waiting = await Promise.all(
    Array.from({ length: PROCESSES }, (_, n) => {
      const at = n % 2 === 0 ? one : other;
      const mine = Array.from({ length: EACH }, (_, w) => addWorktree(at, `w${Math.floor(n / 2)}-${w}`));
      return prepare(at.root, mine, env);
    }),
  );
  const taken = (await Promise.all(waiting.map((go) => go()))).flat();
  const leases = taken.map(([, lease]) => lease);
  expect(leases).toHaveLength(PROCESSES * EACH);
  const ports = leases.flatMap(portsOf);
  expect(ports).toHaveLength(PROCESSES * EACH * 10);
  expect(new Set(ports).size).toBe(ports.length);
  expect(new Set(leases.map(({ database }) => database)).size).toBe(leases.length);
  expect(new Set(leases.map(({ compose }) => compose)).size).toBe(leases.length);
  expect(statSync(join(state, "many/open-orchestrator/leases.db")).mode & 0o777).toBe(0o600);
  // Asked again, each has what it had.
  await using engine = await engineOf(one, env);
  for (const [worktree, lease] of taken.filter(([path]) => path.startsWith(one.top)))
    expect(ensureLease(engine, worktree)).toEqual(lease);
}, 240_000);

test("two processes that ask for one worktree at once get one lease", async () => {
  const env = envFor("one");
  await using at = await scratchRepo();
  const worktree = addWorktree(at, "w");
  const waiting = await Promise.all([1, 2, 3].map(() => prepare(at.root, [worktree], env)));
  const leases = (await Promise.all(waiting.map((go) => go()))).flat().map(([, lease]) => lease);
  expect(new Set(leases.map((lease) => JSON.stringify(lease))).size).toBe(1);
});

test("a lease stays with its worktree where that is moved, is given back with it, and is free again where it is gone", async () => {
  const env = envFor("life");
  await using at = await scratchRepo();
  await using engine = await engineOf(at, env);
  const [a, b] = [addWorktree(at, "a"), addWorktree(at, "b")];
  const [first, second] = [ensureLease(engine, a)!, ensureLease(engine, b)!];
  expect(second.firstPort).toBeGreaterThan(first.firstPort!);
  expect(leaseEnvironment(engine, a)).toMatchObject({
    OWT_PORT: String(first.firstPort),
    OWT_DATABASE: first.database,
  });
  expect([ensureLease(engine, at.root), leaseEnvironment(engine, at.root)]).toEqual([null, {}]);

  runGit(at.root, "worktree", "move", a, join(at.top, "moved"));
  expect(ensureLease(engine, join(at.top, "moved"))).toEqual(first);
  expect(ensureLease(engine, addWorktree(at, "c"))!.firstPort).not.toBe(first.firstPort);

  runGit(at.root, "worktree", "remove", "--force", join(at.top, "moved"));
  expect(ensureLease(engine, addWorktree(at, "d"))!.firstPort).toBe(first.firstPort);

  rmSync(b, { recursive: true });
  expect(ensureLease(engine, addWorktree(at, "e"))!.firstPort).toBe(second.firstPort);

  const d = join(at.top, "d");
  forgetLease(engine, d);
  expect(readLease(engine, d)).toBeNull();
  expect(ensureLease(engine, addWorktree(at, "f"))!.firstPort).toBe(first.firstPort);
});

test("a worktree whose lease nobody knows any more keeps it, unless somebody else got it meanwhile", async () => {
  const env = envFor("lost");
  await using at = await scratchRepo();
  const [a, b] = [addWorktree(at, "a"), addWorktree(at, "b")];
  let had: Lease;
  {
    await using engine = await engineOf(at, env);
    ensureLease(engine, a);
    had = ensureLease(engine, b)!;
  }
  rmSync(join(state, "lost/open-orchestrator"), { recursive: true });
  await using engine = await engineOf(at, env);
  expect(ensureLease(engine, b)).toEqual(had);
  rmSync(join(state, "lost/open-orchestrator"), { recursive: true });
  await using later = await engineOf(at, env);
  const c = addWorktree(at, "c");
  const [ofC, ofA] = [ensureLease(later, c)!, ensureLease(later, a)!];
  expect(portsOf(ofA).filter((port) => portsOf(ofC).includes(port))).toEqual([]);
  expect(existsSync(join(state, "lost/open-orchestrator/leases.db"))).toBe(true);
});

test("a port on which somebody listens is not given out", async () => {
  await using at = await scratchRepo();
  await using engine = await engineOf(at, envFor("busy"));
  const expected = ensureLease(engine, addWorktree(at, "a"))!;
  const next = expected.firstPort! + expected.ports;
  const server = createServer();
  server.listen(next + 3, "127.0.0.1");
  await once(server, "listening");
  const ports = portsOf(ensureLease(engine, addWorktree(at, "b"))!);
  server.close();
  expect(ports).not.toContain(next + 3);
  expect(ports).toHaveLength(10);
});
