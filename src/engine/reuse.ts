/** Finds another checkout of the repository whose dependencies may serve a worktree, and what proves it. Only what is proven is reused: the same
 *  lockfile, manifests, settings and Node, and nothing that anybody touched since it was installed. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, rmSync, type Stats, statSync } from "node:fs";
import { setImmediate as breathe } from "node:timers/promises";
import { join } from "node:path";
import type { WantedInstall } from "../core/project-folders.ts";
import {
  compareNpmLocks,
  INSTALL_SETTINGS,
  type Installed,
  lifecycleScripts,
  manifestFacts,
  settingsFacts,
} from "../core/reuse.ts";
import { adminIds, findPlace, recordedRoot } from "../git/place.ts";
import { MapPer } from "../lib/map-per.ts";
import { exec } from "../system/exec.ts";
import { installEnvironment } from "../system/environment.ts";
import { lstatIfThere, readTextIfThere, writeFileAtomically } from "../system/files.ts";
import { libcFamily } from "../system/libc.ts";
import type { Engine } from "./engine.ts";

/** A checkout that has what a worktree needs. `isStill` says whether nothing happened there since it was looked at. */
export type Source = { root: string; folders: readonly string[]; isStill: () => boolean };

/** Looks for a source for the dependencies of one project of a worktree: the main checkout, then the other worktrees. Else says why there is
 *  none, for people. */
export async function findSource(
  engine: Engine,
  worktree: string,
  wanted: WantedInstall,
): Promise<{ source: Source } | { none: string }> {
  const facts = readFacts(worktree, wanted);
  const reasons: string[] = [];
  for (const { root, stamp } of candidates(engine, worktree, wanted.folder)) {
    if (!isFolder(join(root, wanted.folder, "node_modules"))) continue;
    if (readFacts(root, wanted) !== facts) {
      reasons.push(`${root} was made from something else`);
      continue;
    }
    const folders = ["", ...wanted.members].map((member) => join(wanted.folder, member, "node_modules"));
    const present = folders.filter((folder) => isFolder(join(root, folder)));
    const before = marksOf(root, wanted, present);
    const doubt =
      stamp === null
        ? await doubtForeign(engine, root, wanted)
        : await doubtOwn(engine, worktree, wanted, { root, facts, stamp, folders: present });
    if (doubt !== null) reasons.push(`${root} ${doubt}`);
    else return { source: { root, folders: present, isStill: () => marksOf(root, wanted, present) === before } };
  }
  return { none: reasons[0] ?? "no other checkout has them" };
}

/** Why a project's dependencies are not copied whatever there is: scripts that nobody but its package manager should run. */
export function findObstacle(worktree: string, { folder, install, members }: WantedInstall): string | null {
  const manifestOf = (member: string) => readTextIfThere(join(worktree, folder, member, "package.json")) ?? "";
  if (existsSync(join(worktree, folder, "binding.gyp"))) return "the project itself is built by its install";
  const scripted = members.find((member) => lifecycleScripts(manifestOf(member)).length > 0);
  if (scripted !== undefined) return `${join(folder, scripted)} has scripts of its own for an install`;
  if (install.kind !== "npm" && lifecycleScripts(manifestOf("")).length > 0)
    return "its package.json has scripts for an install";
  return existsSync(join(worktree, folder, "node_modules")) ? "there are some already" : null;
}

/** Remembers what the dependencies of a project in a worktree were made from; as old as they are, so that a later change shows. */
export async function stampInstalled(engine: Engine, worktree: string, wanted: WantedInstall): Promise<void> {
  const file = stampFile(engine, worktree, wanted.folder);
  if (file === null) return;
  const node = await nodeOf(engine, join(worktree, wanted.folder));
  if (node === null) return;
  writeFileAtomically(file, stampText(readFacts(worktree, wanted), node));
}

/** Before anything changes there: whoever looks meanwhile finds nothing that is proven. */
export function unstamp(engine: Engine, worktree: string, folder: string): void {
  const file = stampFile(engine, worktree, folder);
  if (file !== null) rmSync(file, { force: true });
}

function stampFile(engine: Engine, worktree: string, folder: string): string | null {
  const place = findPlace(engine.repo, worktree);
  return place === null ? null : stampIn(place.gitDir, folder);
}

/** In a worktree's own git directory, so that it goes with it. No folder's name is as long as all of a path, or leads elsewhere. */
function stampIn(gitDir: string, folder: string): string {
  return join(gitDir, "owt-installs", createHash("sha256").update(folder).digest("hex"));
}

/** A look at one takes as long as a look at all of its files. */
const MAX_WORKTREES = 5;

/** Where the dependencies may be: the main checkout, which only npm's own books speak for, and worktrees that we installed into. */
function candidates(engine: Engine, worktree: string, folder: string): { root: string; stamp: string | null }[] {
  const { repo } = engine;
  const stamped = adminIds(repo).flatMap((id) => {
    const gitDir = join(repo.commonDir, "worktrees", id);
    const stamp = stampIn(gitDir, folder);
    if (!existsSync(stamp)) return [];
    const root = recordedRoot(gitDir);
    return root === null || root === worktree || !existsSync(root) ? [] : [{ root, stamp }];
  });
  const newest = stamped.toSorted((a, b) => statSync(b.stamp).mtimeMs - statSync(a.stamp).mtimeMs);
  return [...(worktree === repo.root ? [] : [{ root: repo.root, stamp: null }]), ...newest.slice(0, MAX_WORKTREES)];
}

/** Everything in a checkout that an install depends on, as one hash. */
export function readFacts(root: string, { folder, install, members }: WantedInstall): string {
  const hash = createHash("sha256").update(`${install.command}\0`);
  const add = (name: string, facts: (text: string) => string = (text) => text) => {
    const text = readTextIfThere(join(root, folder, name));
    hash.update(`${name}\0${text === null ? "" : facts(text)}\0`);
  };
  add(install.lockfile);
  for (const member of ["", ...members]) add(join(member, "package.json"), manifestFacts);
  for (const name of INSTALL_SETTINGS) add(name, settingsFacts);
  for (const name of patchesIn(join(root, folder))) add(name);
  return hash.digest("hex");
}

function stampText(facts: string, node: string): string {
  return `${facts} ${node}\n`;
}

/** What patch-package and its like lay over packages. */
function patchesIn(root: string): string[] {
  const folder = join(root, "patches");
  return isFolder(folder)
    ? readdirSync(folder)
        .toSorted()
        .map((name) => join("patches", name))
    : [];
}

/** Version, ABI and platform of the Node that the user's commands run with there; null where there is none. Asked once for each set of files
 *  by which version managers choose. */
export async function nodeOf(engine: Engine, cwd: string): Promise<string | null> {
  const chosen = [".nvmrc", ".node-version", ".tool-versions", "mise.toml"].map((name) =>
    readTextIfThere(join(cwd, name)),
  );
  const asked = nodes.of(engine);
  const key = JSON.stringify(chosen);
  let answer = asked.get(key);
  if (answer === undefined) {
    const env = installEnvironment(engine.env, engine.config.environment.pass);
    const asks =
      "const v = process.versions; [v.node.split('.')[0], v.modules, process.platform, process.arch].join(' ')";
    answer = exec("node", ["-p", asks], { cwd, env }).then(
      ({ stdout }) => stdout.trim(),
      () => null,
    );
    asked.set(key, answer);
  }
  return answer;
}

const nodes = new MapPer<Engine, string, Promise<string | null>>();

/** What changes when somebody installs there. */
function marksOf(root: string, { folder, install }: WantedInstall, folders: readonly string[]): string {
  const files = [join(folder, install.lockfile), join(folder, "node_modules", ".package-lock.json"), ...folders];
  return files.map((name) => markOf(lstatIfThere(join(root, name)))).join(" ");
}

function markOf(stat: Stats | undefined): string {
  return stat === undefined ? "-" : `${stat.ino}:${stat.size}:${stat.mtimeMs}`;
}

/** What is not proven of a worktree that we installed into: the same Node, and no file that is younger than the install. Caches may be. */
async function doubtOwn(
  engine: Engine,
  worktree: string,
  { folder }: WantedInstall,
  { root, facts, stamp, folders }: { root: string; facts: string; stamp: string; folders: readonly string[] },
): Promise<string | null> {
  const node = await nodeOf(engine, join(worktree, folder));
  if (node === null || readTextIfThere(stamp) !== stampText(facts, node)) return "was made from something else";
  const caches = ["(", "-name", ".cache", "-o", "-name", ".vite*", ")", "-prune"];
  const paths = folders.map((folder) => join(root, folder));
  const younger = ["-o", "-type", "f", "-newer", stamp, "-print", "-quit"];
  const { code, stdout } = await exec("find", [...paths, ...caches, ...younger], { ok: [0, 1] });
  return code !== 0 || stdout !== "" ? "was changed since its install" : null;
}

/** How many packages are looked at before others have their turn. */
const PACKAGES_AT_ONCE = 100;

/** What is not proven of a checkout that somebody else installed. */
async function doubtForeign(engine: Engine, root: string, wanted: WantedInstall): Promise<string | null> {
  return (await doubtNpm(root, wanted)) ?? doubtBuilt(engine, root, wanted);
}

/** What npm's own books do not prove of a checkout. The rule is npm's (arborist, `assertNoNewer`): a package whose
 *  folder is younger than the books, one that is not in them, or one of them that is not there, and they count for nothing. */
export async function doubtNpm(root: string, { folder, install, members }: WantedInstall): Promise<string | null> {
  if (install.kind !== "npm") return `was installed by ${install.kind}, which says nothing of it`;
  const top = join(root, folder);
  const at = lstatIfThere(join(top, BOOKS))?.mtimeMs;
  const compared = compareBooks(top, install.lockfile);
  if (at === undefined || compared === null) return "has no books of npm's";
  if ("differs" in compared) return `is not as its lockfile says: ${compared.differs}`;
  const packages = [...compared.installed];
  for (const [index, [path, { isLink }]] of packages.entries()) {
    if (index % PACKAGES_AT_ONCE === 0) await breathe();
    const stat = lstatIfThere(join(top, path));
    if (stat === undefined || stat.isSymbolicLink() !== isLink) return `lacks ${path}`;
    if (!isLink && stat.mtimeMs > at) return `was changed since its install: ${path}`;
  }
  const holders = ["", ...members]
    .map((member) => join(member, "node_modules"))
    .filter((path) => isFolder(join(top, path)));
  return findStranger(top, holders, compared.installed);
}

function compareBooks(top: string, lockfile: string): ReturnType<typeof compareNpmLocks> | null {
  const lock = readTextIfThere(join(top, lockfile));
  const hidden = readTextIfThere(join(top, BOOKS));
  if (lock === null || hidden === null) return null;
  return compareNpmLocks(lock, hidden, { os: process.platform, cpu: process.arch, libc: libcFamily() });
}

const BOOKS = join("node_modules", ".package-lock.json");

/** A folder that the books do not know: one more package, or what an install that is under way or was killed keeps beside it. */
async function findStranger(top: string, tops: readonly string[], installed: Installed): Promise<string | null> {
  const holders = new Set(tops);
  for (const path of installed.keys())
    holders.add(path.slice(0, path.lastIndexOf("node_modules") + "node_modules".length));
  let seen = 0;
  for (const holder of holders) {
    if (seen++ % PACKAGES_AT_ONCE === 0) await breathe();
    for (const path of packagesBelow(top, holder))
      if (!installed.has(path)) return `holds ${path}, which its lockfile has not`;
  }
  return null;
}

function packagesBelow(top: string, holder: string): string[] {
  return readdirSync(join(top, holder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${holder}/${entry.name}`;
    // `.name-1a2B3c4D` is where npm puts a package that it is replacing.
    if (entry.name.startsWith(".")) return /^\..+-[A-Za-z0-9]{8}$/.test(entry.name) ? [path] : [];
    if (entry.isFile()) return [];
    if (!entry.name.startsWith("@")) return [path];
    return readdirSync(join(top, path)).map((name) => `${path}/${name}`);
  });
}

/** A binary that an install built or fetched works with one ABI of Node. node-gyp writes down with which. */
async function doubtBuilt(engine: Engine, root: string, { folder, install }: WantedInstall): Promise<string | null> {
  const top = join(root, folder);
  const compared = compareBooks(top, install.lockfile);
  if (compared === null || "differs" in compared) return "has no books of npm's";
  const abi = (await nodeOf(engine, top))?.split(" ")[1];
  for (const [path, { hasScript }] of compared.installed) {
    if (!hasScript || !hasBinary(join(top, path))) continue;
    const config = readTextIfThere(join(top, path, "build", "config.gypi")) ?? "";
    if (/"node_module_version": (\d+)/.exec(config)?.[1] !== abi)
      return `holds ${path}, which may be built for another Node`;
  }
  return null;
}

/** Whether a package holds an addon that did not come with it as a prebuilt one for several platforms. */
function hasBinary(folder: string): boolean {
  return readdirSync(folder, { withFileTypes: true }).some((entry) =>
    entry.isDirectory()
      ? entry.name !== "node_modules" && entry.name !== "prebuilds" && hasBinary(join(folder, entry.name))
      : entry.name.endsWith(".node"),
  );
}

function isFolder(path: string): boolean {
  return lstatIfThere(path)?.isDirectory() ?? false;
}
