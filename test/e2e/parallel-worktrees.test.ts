/** Worktrees are created beside working agents without either breaking the other. Plain `git worktree add` fails in up to 56 % here, and a
 *  lock around it still broke the agents' git. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readRef } from "../../src/git/branch.ts";
import { removeWorktree } from "../../src/git/remove.ts";
import { createWorktree } from "../../src/git/worktree.ts";
import { runGit, type Scratch, scratchRepo } from "../rig/scratch-repo.ts";

const ROUNDS = 10;
const AT_ONCE = 16;
const AGENTS = 3;
/** `npm run creations` plays twenty. */
const CREATE_ROUNDS = Number(process.env["OWT_CREATE_ROUNDS"] ?? "3");

/** Works like an agent until the file `stop` appears; one line per command: its exit code, the command, and what a failed one said.
 *  One failure is git's own and is tried again, as an agent would: gc takes an empty `objects/xx` away between the moment at which
 *  another command makes it and the one at which that command writes there. Plain git does so without any worktree: `git prune-packed`
 *  in a loop beside `git add -A; git commit; git repack -ad` broke 1 of 479 `git add` (git 2.39.5) with just these words. */
const AGENT = `
n=0
RACE="error: unable to create temporary file: No such file or directory"
say() {
  "$@" >"$OUT.said" 2>&1
  code=$?
  if [ "$code" = 128 ] && [ "$(head -n 1 "$OUT.said")" = "$RACE" ]; then
    "$@" >"$OUT.said" 2>&1
    code=$?
  fi
  if [ "$code" = 0 ]; then echo "0 $*"; else echo "$code $*: $(tr '\\n' ' ' <"$OUT.said")"; fi >>"$OUT"
}
while [ ! -e "$STOP" ]; do
  n=$((n + 1))
  echo $n >work.txt
  say git add -A
  say git commit -q -m "work $n"
  say git fetch -q origin
  say git branch -a
  say git worktree list
  say git worktree prune
  say git status --porcelain
  if [ $((n % 5)) = "$GC" ]; then say git gc -q; else say git gc -q --auto; fi
done
`;

test("16 creations at once, ten rounds, beside three agents that commit, fetch and gc: nobody's command fails", async () => {
  await using at = await scratchRepo();
  const files = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`src/file-${n}.txt`, `${n}\n`.repeat(20)]));
  const base = at.commit(at.root, files);
  runGit(at.top, "clone", "-q", "--bare", at.root, "remote.git");
  runGit(at.root, "remote", "add", "origin", join(at.top, "remote.git"));
  runGit(at.root, "fetch", "-q", "origin");
  // All of them before the first agent works: these are made by plain git, which breaks others.
  const places = Array.from({ length: AGENTS }, (_, n) => makeAgentPlace(at, n));
  const agents = places.map((path, n) => startAgent(at, path, n));

  let created = 0;
  const failed: unknown[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const paths = Array.from({ length: AT_ONCE }, (_, n) => ({
      path: join(at.top, `r${round}-${n}`, "task"),
      branch: `owt/tasks/r${round}-${n}/1`,
    }));
    const made = await Promise.allSettled(paths.map((one) => createWorktree(at.repo, { ...one, base, reason: "e2e" })));
    for (const one of made) {
      if (one.status === "fulfilled" && "isNew" in one.value && one.value.isNew) created++;
      else failed.push(one);
    }
    for (const { path, branch } of paths) {
      if (runGit(path, "status", "--porcelain=v2", "--branch") !== `# branch.oid ${base}\n# branch.head ${branch}`)
        failed.push(path);
    }
    const removed = await Promise.all(
      paths
        .slice(0, AT_ONCE / 2)
        .map(({ path }) => removeWorktree(at.repo, path, { keep: [base], rescue: { id: "never", note: "", at: 0 } })),
    );
    failed.push(...removed.filter((one) => !one.removed || one.rescue !== null));
  }
  writeFileSync(join(at.top, "stop"), "");
  const lines = (await Promise.all(agents)).flat();
  const broken = lines.filter((line) => !line.startsWith("0 "));
  console.log(
    `${created} of ${ROUNDS * AT_ONCE} worktrees created; ${lines.length} agent git commands, ${broken.length} failed`,
  );
  expect(failed).toEqual([]);
  expect(broken).toEqual([]);
  expect(created).toBe(ROUNDS * AT_ONCE);
  expect(lines.length).toBeGreaterThan(AGENTS * 8);
  expect(await readRef(at.repo, "owt/tasks/r0-0/1")).toBe(base);
  runGit(at.root, "fsck", "--strict");
});

test(`16 owt create at once, eight from each of two shells, ${CREATE_ROUNDS} rounds, beside three agents: nobody's command fails`, async () => {
  await using at = await scratchRepo("shop");
  const files = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`src/file-${n}.txt`, `${n}\n`.repeat(20)]));
  const base = at.commit(at.root, files);
  runGit(at.top, "clone", "-q", "--bare", at.root, "remote.git");
  runGit(at.root, "remote", "add", "origin", join(at.top, "remote.git"));
  runGit(at.root, "fetch", "-q", "origin");
  const agents = Array.from({ length: AGENTS }, (_, n) => startAgent(at, makeAgentPlace(at, n), n));
  const failed: string[] = [];
  for (let round = 0; round < CREATE_ROUNDS; round++) {
    const said = await Promise.all([0, 1].map((shell) => createEight(at, `r${round}-${shell}`)));
    failed.push(...said.filter((text) => text !== ""));
    for (const name of [0, 1].flatMap((shell) => Array.from({ length: 8 }, (_, n) => `r${round}-${shell}-${n}`))) {
      const stands = runGit(join(at.top, `shop-${name}`), "status", "--porcelain=v2", "--branch");
      if (stands !== `# branch.oid ${base}\n# branch.head ${name}`) failed.push(`${name}: ${stands}`);
    }
  }
  writeFileSync(join(at.top, "stop"), "");
  const lines = (await Promise.all(agents)).flat();
  const broken = lines.filter((line) => !line.startsWith("0 "));
  console.log(`${CREATE_ROUNDS * 16} created by owt; ${lines.length} agent git commands, ${broken.length} failed`);
  expect(failed).toEqual([]);
  expect(broken).toEqual([]);
  runGit(at.root, "fsck", "--strict");
});

/** A shell that starts eight of them and waits; what any of them that failed said. */
async function createEight(at: Scratch, name: string): Promise<string> {
  const script = `for n in 0 1 2 3 4 5 6 7; do { "$NODE" "$OWT" create "$NAME-$n" --no-tmux >"$OUT-$n" 2>&1 || cat "$OUT-$n" >>"$OUT"; } & done; wait`;
  const out = join(at.top, `${name}.out`);
  const env = {
    PATH: process.env["PATH"],
    HOME: at.top,
    NODE: process.execPath,
    OWT: new URL("../../bin/owt.js", import.meta.url).pathname,
    NAME: name,
    OUT: out,
    XDG_CACHE_HOME: process.env["XDG_CACHE_HOME"] ?? join(process.env["HOME"] ?? at.top, ".cache"),
    GIT_CONFIG_NOSYSTEM: "1",
  };
  await once(spawn("sh", ["-c", script], { cwd: at.root, env, stdio: "ignore" }), "close");
  return existsSync(out) ? readFileSync(out, "utf8") : "";
}

function makeAgentPlace(at: Scratch, n: number): string {
  const path = join(at.top, `agent-${n}`);
  mkdirSync(at.top, { recursive: true });
  runGit(at.root, "worktree", "add", "-q", "--no-track", "-b", `agent-${n}`, path);
  return path;
}

async function startAgent(at: Scratch, path: string, n: number): Promise<string[]> {
  const out = join(at.top, `agent-${n}.out`);
  const env = {
    ...process.env,
    OUT: out,
    STOP: join(at.top, "stop"),
    GC: n === 0 ? "2" : "none",
    GIT_CONFIG_NOSYSTEM: "1",
  };
  const child = spawn("sh", ["-c", AGENT], { cwd: path, env, stdio: "ignore" });
  await once(child, "close");
  return readFileSync(out, "utf8").trim().split("\n");
}
