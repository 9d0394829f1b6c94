/** Whether the dependencies of one checkout may serve another: what an install depends on, and what proves that a folder was installed by a
 *  lockfile. Pure. */
import { tableIn } from "./project.ts";

/** How dependencies come into a worktree. */
export type Way = "install" | "copy" | "clone" | "hardlink";

/** How the dependencies of one folder came: `why` for people, `from` the checkout that they are copied from. */
export type Came = {
  level: "done";
  folder: string;
  lockfile: string;
  way: Way;
  why: string;
  from: string | null;
  tookMs: number;
};

/** Submodules that were checked out, and where the commit of each was found. */
export type CameSubmodules = {
  level: "submodules";
  done: readonly { path: string; commit: string; from: "here" | "checkout" | "kept" | "worktree" | "remote" }[];
  tookMs: number;
};

/** What a setup tells: how dependencies came, and what people have to know. What is `about` the same thing need be said once in a run. */
export type SetupSaid = Came | CameSubmodules | { level: "warning"; about: string; text: string };

/** Why the dependencies of a kind of project are never taken from another checkout; null where they may be. */
export const NOT_REUSED: Record<string, string | null> = {
  npm: null,
  yarn: null,
  bun: null,
  pnpm: "pnpm links from its own store, and its folder names the place where it stands",
  uv: "a virtual environment names the place where it stands",
  poetry: "a virtual environment names the place where it stands",
  pipenv: "a virtual environment names the place where it stands",
  pip: "a virtual environment names the place where it stands",
  composer: "its autoloader may hold classes of the project itself, and its scripts have to run",
  bundler: "gems are kept once for the user, and built for one Ruby",
  go: "modules are kept once for the user",
  cargo: "crates are kept once for the user, and target is a result of building, told by its place",
};

/** Fields of a package.json that an install depends on; the rest may differ. */
const INSTALL_FIELDS = [
  "name",
  "version",
  "dependencies",
  "devDependencies",
  "optionalDependencies",
  "peerDependencies",
  "peerDependenciesMeta",
  "bundleDependencies",
  "bundledDependencies",
  "dependenciesMeta",
  "overrides",
  "resolutions",
  "patchedDependencies",
  "trustedDependencies",
  "workspaces",
  "bin",
  "directories",
  "engines",
  "os",
  "cpu",
  "packageManager",
  "volta",
  "installConfig",
] as const;

/** Scripts that a package manager runs when it installs. */
const LIFECYCLE = [
  "preinstall",
  "install",
  "postinstall",
  "prepublish",
  "preprepare",
  "prepare",
  "postprepare",
] as const;

/** Files beside a manifest that change what an install makes, or with which Node. */
export const INSTALL_SETTINGS = [
  ".npmrc",
  ".yarnrc",
  ".yarnrc.yml",
  "bunfig.toml",
  ".nvmrc",
  ".node-version",
  ".tool-versions",
  "mise.toml",
] as const;

/** What of a package.json an install depends on, as a text to compare. */
export function manifestFacts(text: string): string {
  let manifest: Record<string, unknown>;
  try {
    manifest = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return text;
  }
  const scripts = tableIn(text, "scripts");
  return JSON.stringify([
    INSTALL_FIELDS.map((field) => manifest[field] ?? null),
    LIFECYCLE.map((name) => scripts[name] ?? null),
  ]);
}

/** What of a settings file an install depends on: a login and a remark change nothing. */
export function settingsFacts(text: string): string {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  return lines.filter((line) => line !== "" && !/^([#;]|\/\/[^=]*:_|_auth)/.test(line)).join("\n");
}

/** The scripts of a package.json that its package manager runs after an install, in its order; what goes before and after one is run with it. */
export function lifecycleScripts(text: string): string[] {
  const scripts = tableIn(text, "scripts");
  const has = (name: string) => typeof scripts[name] === "string";
  const installs = has("install") ? ["install"] : ["preinstall", "postinstall"].filter(has);
  return [...installs, ...["prepublish", "prepare"].filter(has)];
}

type Entry = {
  version?: string;
  resolved?: string;
  integrity?: string;
  link?: boolean;
  optional?: boolean;
  devOptional?: boolean;
  hasInstallScript?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
};

/** What a package may be for; `libc` as in `system/libc.ts`. */
export type Platform = { os: string; cpu: string; libc: string | null };

/** What npm has written down of what is in `node_modules`: a package's folder to what is there. */
export type Installed = ReadonlyMap<string, { isLink: boolean; hasScript: boolean }>;

/** Reads `node_modules/.package-lock.json`, in which npm writes what it installed (docs.npmjs.com/cli/configuring-npm/package-lock-json,
 *  "Hidden Lockfiles"), against the lockfile. Returns the packages by their folder, or why the two do not agree. A package that is not for
 *  this platform may be missing. */
export function compareNpmLocks(
  lock: string,
  hidden: string,
  platform: Platform,
): { installed: Installed } | { differs: string } {
  const wanted = packagesIn(lock);
  const there = packagesIn(hidden);
  if (wanted === null || there === null) return { differs: "a lockfile of an npm before 7" };
  const installed = new Map<string, { isLink: boolean; hasScript: boolean }>();
  for (const [path, entry] of wanted) {
    const found = there.get(path);
    if (found === undefined) {
      if (mayBeMissing(entry, platform)) continue;
      return { differs: `${path} of the lockfile is not installed there` };
    }
    if (!isSamePackage(entry, found)) return { differs: `${path} is installed there in another version` };
    installed.set(path, { isLink: entry.link === true, hasScript: entry.hasInstallScript === true });
  }
  for (const path of there.keys()) if (!wanted.has(path)) return { differs: `${path} is there beside the lockfile` };
  return { installed };
}

/** The packages in folders `node_modules`; workspaces themselves are the repository's. */
function packagesIn(text: string): Map<string, Entry> | null {
  const packages = Object.entries(tableIn(text, "packages")) as [string, Entry][];
  if (packages.length === 0) return null;
  return new Map(packages.filter(([path]) => path.split("/").includes("node_modules")));
}

function isSamePackage(a: Entry, b: Entry): boolean {
  if (a.link === true || b.link === true) return a.link === b.link && a.resolved === b.resolved;
  if (a.version !== b.version) return false;
  return a.integrity !== undefined && b.integrity !== undefined
    ? a.integrity === b.integrity
    : a.resolved === b.resolved;
}

function mayBeMissing({ optional, devOptional, os, cpu, libc }: Entry, platform: Platform): boolean {
  if (os === undefined && cpu === undefined && libc === undefined) return optional === true;
  if (optional !== true && devOptional !== true) return false;
  const hasLibc = libc === undefined || (platform.libc !== null && isFor(libc, platform.libc));
  return !isFor(os, platform.os) || !isFor(cpu, platform.cpu) || !hasLibc;
}

/** A list of names that are meant, or with `!` of those that are not. */
function isFor(list: string[] | undefined, name: string): boolean {
  if (list === undefined || list.length === 0) return true;
  if (list.includes(`!${name}`)) return false;
  return list.every((each) => each.startsWith("!")) || list.includes(name) || list.includes("any");
}
