/** `owt create` with a large `node_modules`, beside `git worktree add && npm ci` with a warm cache. Ratios of wall time, A B A B …, medians.
 *  Nothing comes from the network: the packages are made here and served on loopback, once.
 *
 *    npm run bench:worktrees -- [--rounds 5] [--packages 400] [--files 50] [--bytes 4000] [--below FOLDER] [--json]
 *
 *  Files lie in memory unless `--below` names a folder of another file system. */
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { flag, makePlace, median, option, OWT } from "./place.ts";

const run = promisify(execFile);

const rounds = Number(option("rounds", "5"));
const packages = Number(option("packages", "400"));
const files = Number(option("files", "50"));
const bytes = Number(option("bytes", "4000"));
const below = option("below", "");
using place = makePlace(below === "" ? {} : { below });
const { home, env } = place;
const root = join(home, "shop");

/** What each way may cost of `npm ci`: in memory or on a file system that clones, and on a plain disk. */
const GOALS = { auto: { quick: 0.13, disk: 0.35 }, hardlink: { quick: 0.06, disk: 0.06 } } as const;

type Way = keyof typeof GOALS;

await makeRepository();
const times: Record<Way | "npm", number[]> = { npm: [], auto: [], hardlink: [] };
let told = "";
for (let round = 0; round < rounds; round++) {
  times.npm.push(await settled(() => byHand(round)));
  for (const way of ["auto", "hardlink"] as const) times[way].push(await settled(() => byOwt(way, round)));
}
report();

function report(): void {
  const base = median(times.npm);
  const results = (["auto", "hardlink"] as const).map((way) => {
    const ms = median(times[way]);
    return { way, ms, ratio: ms / base, goal: GOALS[way][below === "" ? "quick" : "disk"] };
  });
  if (flag("json")) {
    console.log(JSON.stringify({ rounds, packages, files, bytes, npmMs: base, chosen: told, results }, null, 2));
    return;
  }
  console.log(
    `${packages} packages of ${files} files, ${rounds} rounds: git worktree add && npm ci ${base.toFixed(0)} ms`,
  );
  for (const { way, ms, ratio, goal } of results)
    console.log(
      `  ${way}${way === "auto" ? ` (${told})` : ""}: ${ms.toFixed(0)} ms, ratio ${ratio.toFixed(3)} (goal ${goal})`,
    );
}

/** What the one before wrote is on its disk before the next one begins. Nothing is deleted meanwhile: for half a minute ext4 walks around the
 *  inodes of deleted files, one by one, and each new file takes ten times as long. */
async function settled(work: () => Promise<number>): Promise<number> {
  await run("sync");
  return work();
}

async function timed(work: () => Promise<void>): Promise<number> {
  const began = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - began) / 1e6;
}

async function byHand(round: number): Promise<number> {
  const path = join(home, `hand-${round}`);
  const ms = await timed(async () => {
    await run("git", ["worktree", "add", "-q", "-b", `hand-${round}`, path], { cwd: root, env });
    await run("npm", ["ci", "--no-audit", "--no-fund"], { cwd: path, env });
  });
  return ms;
}

async function byOwt(way: Way, round: number): Promise<number> {
  const branch = `${way}-${round}`;
  const wished = { ...env, OWT_ENVIRONMENT_DEPENDENCIES: way };
  let said = "";
  const ms = await timed(async () => {
    said = (await run(process.execPath, [OWT, "create", branch], { cwd: root, env: wished })).stderr;
  });
  const chosen = /package-lock\.json: (copied|cloned|hard-linked)/.exec(said)?.[1];
  if (chosen === undefined) throw new Error(`nothing was copied: ${said}`);
  if (way === "auto") told = chosen;
  return ms;
}

/** The main checkout with its dependencies, installed once from a registry on loopback; after that npm's cache is warm. */
async function makeRepository(): Promise<void> {
  const names = Array.from({ length: packages }, (_, n) => `package-${n}`);
  const tarballs = new Map(names.map((name) => [name, pack(name)]));
  const server = createServer((request, response) => {
    const [name = "", file] = decodeURIComponent(request.url ?? "")
      .slice(1)
      .split("/-/");
    const tarball = tarballs.get(name);
    if (tarball === undefined) response.writeHead(404).end();
    else if (file !== undefined) response.end(tarball);
    else {
      const integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
      const dist = { integrity, tarball: `http://${request.headers.host}/${name}/-/${name}.tgz` };
      const versions = { "1.0.0": { name, version: "1.0.0", dist } };
      response.end(JSON.stringify({ name, "dist-tags": { latest: "1.0.0" }, versions }));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  mkdirSync(root);
  const dependencies = Object.fromEntries(names.map((name) => [name, "1.0.0"]));
  writeFileSync(join(root, "package.json"), JSON.stringify({ name: "shop", version: "1.0.0", dependencies }));
  writeFileSync(join(root, ".npmrc"), `registry=http://127.0.0.1:${port}/\n`);
  writeFileSync(join(root, ".gitignore"), "node_modules\n");
  await run("npm", ["install", "--no-audit", "--no-fund"], { cwd: root, env });
  server.closeAllConnections();
  server.close();
  for (const args of [
    ["init", "-q"],
    ["add", "-A"],
    ["commit", "-q", "-m", "start"],
  ])
    await run("git", args, { cwd: root, env });
}

function pack(name: string): Buffer {
  const folder = join(home, "packing", "package");
  mkdirSync(join(folder, "lib"), { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name, version: "1.0.0" }));
  for (let n = 1; n < files; n++)
    writeFileSync(join(folder, "lib", `file-${n}.js`), `// ${name} ${n}\n`.repeat(bytes / 20));
  const tarball = join(home, "packing.tgz");
  execFileSync("tar", ["-czf", tarball, "-C", join(home, "packing"), "package"]);
  rmSync(join(home, "packing"), { recursive: true });
  return readFileSync(tarball);
}
