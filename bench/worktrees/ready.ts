/** `owt create` with a large `node_modules`, beside `git worktree add && npm ci` with a warm cache. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { option, type Place } from "../place.ts";
import { type Figure, figure, owt, run, timed, type Wish } from "./measure.ts";

const packages = Number(option("packages", "400"));
const files = Number(option("files", "50"));
const bytes = Number(option("bytes", "4000"));

/** What each way may cost of `npm ci`: in memory or on a file system that clones (quick), and on a plain disk. */
const GOALS = {
  copied: { quick: 0.13, plain: 0.35 },
  cloned: { quick: 0.13, plain: 0.13 },
  "hard-linked": { quick: 0.06, plain: 0.06 },
  pnpm: { quick: 0.13, plain: 0.35 },
} as const;

export async function measureReady(place: Place, { rounds, isQuick }: Wish): Promise<Figure[]> {
  const npm = join(place.home, "shop");
  const pnpm = join(place.home, "shop-by-pnpm");
  await makeRepositories(place, { npm, pnpm });
  const times: Record<string, number[]> = {};
  const add = (way: string, ms: number) => (times[way] ??= []).push(ms);
  const byHand: number[] = [];
  for (let round = 0; round < rounds; round++) {
    byHand.push(await timed(() => readyByHand(place, npm, round)));
    for (const dependencies of ["auto", "hardlink"]) {
      const { ms, way } = await readyByOwt(place, npm, dependencies, round);
      add(way, ms);
    }
    if (hasPnpm()) add("pnpm", (await readyByOwt(place, pnpm, "auto", round)).ms);
  }
  const what = `owt create, ${packages} packages of ${files} files`;
  return Object.entries(times).map(([way, each]) => {
    const goal = GOALS[way as keyof typeof GOALS][isQuick || "cloned" in times ? "quick" : "plain"];
    return figure(`${what}, ${way}`, each, ["git worktree add && npm ci", byHand], goal);
  });
}

async function readyByHand({ home, env }: Place, root: string, round: number): Promise<void> {
  const path = join(home, `hand-${round}`);
  await run("git", ["worktree", "add", "-q", "-b", `hand-${round}`, path], { cwd: root, env });
  await run("npm", ["ci", "--no-audit", "--no-fund"], { cwd: path, env });
}

async function readyByOwt(
  { env }: Place,
  root: string,
  dependencies: string,
  round: number,
): Promise<{ ms: number; way: string }> {
  const wished = { ...env, OWT_ENVIRONMENT_DEPENDENCIES: dependencies };
  let said = "";
  const ms = await timed(async () => {
    said = await owt(root, wished, "create", `${dependencies}-${round}`, "--no-tmux");
  });
  const way = /lock\.(?:json|yaml): (copied|cloned|hard-linked|installed)/.exec(said)?.[1];
  if (way === undefined) throw new Error(`nothing is said of the dependencies: ${said}`);
  return { ms, way };
}

function hasPnpm(): boolean {
  try {
    execFileSync("pnpm", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Main checkouts with their dependencies, installed once from a registry on loopback; after that npm's cache and pnpm's store are warm. */
async function makeRepositories({ home, env }: Place, roots: { npm: string; pnpm: string }): Promise<void> {
  const names = Array.from({ length: packages }, (_, n) => `package-${n}`);
  const tarballs = new Map(names.map((name) => [name, pack(home, name)]));
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
  const registry = `http://127.0.0.1:${port}/`;
  await makeRepository(roots.npm, { names, registry, env, install: ["npm", "install", "--no-audit", "--no-fund"] });
  if (hasPnpm()) await makeRepository(roots.pnpm, { names, registry, env, install: ["pnpm", "install"] });
  server.closeAllConnections();
  server.close();
}

type Making = { names: readonly string[]; registry: string; env: NodeJS.ProcessEnv; install: [string, ...string[]] };

async function makeRepository(root: string, { names, registry, env, install }: Making): Promise<void> {
  mkdirSync(root);
  const dependencies = Object.fromEntries(names.map((name) => [name, "1.0.0"]));
  writeFileSync(join(root, "package.json"), JSON.stringify({ name: "shop", version: "1.0.0", dependencies }));
  writeFileSync(join(root, ".npmrc"), `registry=${registry}\n`);
  writeFileSync(join(root, ".gitignore"), "node_modules\n");
  const [program, ...args] = install;
  await run(program, args, { cwd: root, env });
  for (const args of [
    ["init", "-q"],
    ["add", "-A"],
    ["commit", "-q", "-m", "start"],
  ])
    await run("git", args, { cwd: root, env });
}

function pack(home: string, name: string): Buffer {
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
