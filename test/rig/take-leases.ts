/** A process that takes leases when it is told to: `take-leases.ts REPOSITORY WORKTREE…` says `ready`, waits for a line, takes one after the
 *  other and prints them as JSON, by worktree. */
import { once } from "node:events";
import { closeEngine, openEngine } from "../../src/engine/engine.ts";
import { ensureLease } from "../../src/engine/worktree-lease.ts";

const [root, ...worktrees] = process.argv.slice(2);
const engine = await openEngine({ cwd: root!, env: process.env, owtCommand: ["owt"] });
process.stdout.write("ready\n");
await once(process.stdin, "data");
const leases = worktrees.map((worktree) => [worktree, ensureLease(engine, worktree)]);
process.stdout.write(`${JSON.stringify(leases)}\n`);
await closeEngine(engine);
process.stdin.destroy();
