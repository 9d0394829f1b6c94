/** Makes the git directory of a submodule of one worktree from the one that the main checkout has, as git itself would lay it out. Objects are
 *  hard-linked, as `git clone --local` does: nothing is copied, nothing is fetched, and what is cleaned up there later stays here. Of the
 *  settings only those come along that say what the repository is, and its filters, without which its files are not its files; hooks do not. */
import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { copyFile, link } from "node:fs/promises";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { fieldsOf, git, type Place } from "./git.ts";
import { ownerMark } from "./owner.ts";
import { filesBelow, readText } from "./place.ts";
import { deleteTree } from "./trash.ts";
import { hasCode } from "../lib/has-code.ts";

export type Seed = {
  /** The git directory to make. Nothing is done where there is one. */
  gitDir: string;
  /** Top of its working files. */
  root: string;
  /** What it is taken from; null where nobody here has it. */
  source: string | null;
  /** Where it is fetched from. */
  url: string | null;
  sha256: boolean;
};

/** A HEAD on no commit yet. */
const UNBORN = "refs/heads/owt-unborn";

/** Repeatable; one that was cut off is begun anew. */
export async function seedModule(place: Place, seed: Seed): Promise<void> {
  if (existsSync(join(seed.gitDir, "HEAD"))) return;
  const stage = join(place.gitDir, `owt-module-${ownerMark()}`);
  const settings = seed.source === null ? [] : await readSettings(place, seed.source);
  try {
    for (const folder of ["objects/info", "objects/pack", "refs/heads", "refs/tags", "info"])
      mkdirSync(join(stage, folder), { recursive: true });
    writeFileSync(join(stage, "config"), renderSettings([...ownSettings(seed, settings), ...settings]));
    if (seed.source !== null) await take(seed.source, stage);
    writeFileSync(join(stage, "HEAD"), `ref: ${UNBORN}\n`);
    mkdirSync(dirname(seed.gitDir), { recursive: true });
    renameSync(stage, seed.gitDir);
  } catch (error) {
    await deleteTree(stage);
    // Somebody else was faster.
    if (!hasCode(error, "ENOTEMPTY") && !hasCode(error, "EEXIST")) throw error;
  }
}

/** Whether a folder is a git directory that can be taken over by its files. */
export function isSeed(gitDir: string): boolean {
  return (
    ["HEAD", "config", "objects"].every((name) => existsSync(join(gitDir, name))) &&
    !existsSync(join(gitDir, "reftable"))
  );
}

type Setting = readonly [key: string, value: string];

const TAKEN =
  /^(core\.(repositoryformatversion|filemode|symlinks|ignorecase|precomposeunicode|autocrlf|eol|longpaths)|extensions\..*|user\.(name|email)|remote\..*\.(url|pushurl|fetch|tagopt|promisor|partialclonefilter)|submodule\..*|lfs\..*|filter\..*)$/;

async function readSettings(place: Place, source: string): Promise<Setting[]> {
  const args = ["config", "--no-includes", "--file", join(source, "config"), "-z", "--list"];
  const { stdout } = await git(place, args);
  return fieldsOf(stdout)
    .map((field): Setting => {
      const end = field.indexOf("\n");
      return end === -1 ? [field, "true"] : [field.slice(0, end), field.slice(end + 1)];
    })
    .filter(([key, value]) => TAKEN.test(key) && key !== "extensions.worktreeconfig" && !isCommand(key, value));
}

/** `submodule.<name>.update = !command`. */
function isCommand(key: string, value: string): boolean {
  return key.startsWith("submodule.") && value.startsWith("!");
}

function ownSettings({ gitDir, root, url, sha256 }: Seed, taken: readonly Setting[]): Setting[] {
  const has = (name: string) => taken.some(([key]) => key === name);
  return [
    ...(has("core.repositoryformatversion") ? [] : [["core.repositoryformatversion", sha256 ? "1" : "0"] as const]),
    ...(sha256 && !has("extensions.objectformat") ? [["extensions.objectformat", "sha256"] as const] : []),
    ["core.bare", "false"],
    ["core.logallrefupdates", "true"],
    ["core.worktree", relative(gitDir, root)],
    ...(url === null || has("remote.origin.url")
      ? []
      : [["remote.origin.url", url] as const, ["remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"] as const]),
  ];
}

/** As git-config(1) reads it. */
function renderSettings(settings: readonly Setting[]): string {
  return settings.map(([key, value]) => renderSetting(key, value)).join("");
}

function renderSetting(key: string, value: string): string {
  const [, section = "", name, last = ""] = /^([^.]+)(?:\.([^]*))?\.([^.]+)$/.exec(key) ?? [];
  const head = name === undefined ? `[${section}]` : `[${section} "${name.replaceAll(/["\\]/g, String.raw`\$&`)}"]`;
  return `${head}\n\t${last} = "${value.replaceAll(/["\\]/g, String.raw`\$&`).replaceAll("\n", String.raw`\n`)}"\n`;
}

/** Refs first, so that what they name is there. Of objects the loose ones first: what a `git gc` beside us packs meanwhile is in the packs,
 *  which are looked at last. */
async function take(source: string, stage: string): Promise<void> {
  await takeRefs(source, stage);
  const objects = join(source, "objects");
  const names = readdirSync(objects);
  for (const name of names)
    if (/^[0-9a-f]{2}$/.test(name)) await linkFiles(join(objects, name), join(stage, "objects", name));
  for (
    let tries = 1;
    !(await linkFiles(join(objects, "pack"), join(stage, "objects", "pack"))) && tries < PACK_TRIES;
    tries++
  );
  takeAlternates(objects, stage);
  await Promise.all(["shallow", "info/exclude"].map((name) => copyIfThere(join(source, name), join(stage, name))));
}

/** How often the packs are listed anew when one goes while it is taken. */
const PACK_TRIES = 5;

/** Links every file of one folder; false where one went meanwhile. Symbolic links are nobody's objects and are left out. */
async function linkFiles(from: string, to: string): Promise<boolean> {
  let names: string[];
  try {
    names = readdirSync(from);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return true;
    throw error;
  }
  mkdirSync(to, { recursive: true });
  const files = names.filter((name) => !name.startsWith("tmp_") && !name.endsWith(".lock"));
  const taken = await Promise.all(files.map((name) => linkFile(join(from, name), join(to, name))));
  return taken.every(Boolean);
}

async function linkFile(from: string, to: string): Promise<boolean> {
  try {
    if (!lstatSync(from).isFile()) return true;
    await link(from, to);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    if (hasCode(error, "EEXIST")) return true;
    // Another file system, or one without hard links.
    await copyFile(from, to);
  }
  return true;
}

/** Objects that the source itself only borrows are borrowed from the same place. */
function takeAlternates(objects: string, stage: string): void {
  const lines = (readText(join(objects, "info", "alternates")) ?? "").split("\n").filter((line) => line !== "");
  if (lines.length === 0) return;
  const paths = lines.map((line) => (isAbsolute(line) || line.startsWith('"') ? line : resolve(objects, line)));
  writeFileSync(join(stage, "objects", "info", "alternates"), `${paths.join("\n")}\n`);
}

const KEPT_REFS = /^refs\/(remotes|tags)\//;

/** What its remotes had when they were last asked, and tags. Branches are its own. */
async function takeRefs(source: string, stage: string): Promise<void> {
  const packed: string[] = [];
  let isKept = false;
  for (const line of (readText(join(source, "packed-refs")) ?? "").split("\n")) {
    if (line.startsWith("#")) packed.push(line);
    // The line after a tag says what it points at.
    else if (line.startsWith("^") ? isKept : (isKept = KEPT_REFS.test(line.slice(line.indexOf(" ") + 1))))
      packed.push(line);
  }
  if (packed.length > 0) writeFileSync(join(stage, "packed-refs"), `${packed.join("\n")}\n`);
  for (const folder of ["refs/remotes", "refs/tags"]) {
    for (const file of filesBelow(join(source, folder))) {
      if (file.endsWith(".lock")) continue;
      const to = join(stage, relative(source, file));
      mkdirSync(dirname(to), { recursive: true });
      await copyIfThere(file, to);
    }
  }
}

async function copyIfThere(from: string, to: string): Promise<void> {
  if (!existsSync(from)) return;
  await copyFile(from, to).catch((error: unknown) => {
    if (!hasCode(error, "ENOENT")) throw error;
  });
}
