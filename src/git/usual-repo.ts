/** Recognises the usual repository by its files: the main checkout, in git's default layout. git would need two processes to say the same,
 *  and they are most of what a command that only looks would cost. Whatever is unusual is left to git: null. */
import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { findProgram } from "../system/programs.ts";

/** Both without symbolic links. */
export type UsualRepo = { root: string; gitDir: string };

/** Settings that change where things are or who may look at them. Their words anywhere in a file are enough to ask git: a file that
 *  has none of them sets none of them. */
const UNUSUAL = /\binclude|\bworktree\b|\bextensions\b|\bsharedrepository\b|\bbare\b(?!\s*=\s*false\s*$)/im;

/** The repository whose main checkout `cwd` is in, when everything about it is as `git init` or `git clone` leaves it. */
export function recogniseRepo(cwd: string): UsualRepo | null {
  if (!isUsualGit()) return null;
  try {
    const root = findTop(realpathSync.native(cwd));
    const gitDir = root && join(root, ".git");
    return gitDir && isUsual(gitDir) && !settingFiles(gitDir).some(isUnusual) ? { root, gitDir } : null;
  } catch {
    return null;
  }
}

/** This git reads the system's settings in /etc; another one may read them elsewhere, or hold them in itself. */
function isUsualGit(): boolean {
  return process.platform === "linux" && findProgram("git", process.env) === "/usr/bin/git";
}

/** What was made of files the last time, by the first of them, and how they stood then. */
const made = new Map<string, { stood: string; value: unknown }>();

/** Makes something of small files, which are asked for several times a task, anew only where one of them changed. */
function madeOf<T>(key: string, files: readonly string[], make: () => T): T {
  const stood = [process.env["PATH"], ...files.map(standing)].join("\n");
  const known = made.get(key);
  if (known?.stood === stood) return known.value as T;
  const value = make();
  made.set(key, { stood, value });
  return value;
}

function standing(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? `${file} -` : `${file} ${stat.ino} ${stat.mtimeMs} ${stat.ctimeMs} ${stat.size}`;
}

/** The names of the remotes that the repository's settings tell of, in their order; null where git has to be asked: settings are included, or remotes are
 *  kept as they were before 2005. */
export function remotesOf(commonDir: string): string[] | null {
  if (!isUsualGit()) return null;
  const files = settingFiles(commonDir);
  if (files.some(isUnusual) || ["remotes", "branches"].some((folder) => holdsSomething(join(commonDir, folder))))
    return null;
  // Like git it knows those of the repository alone.
  return remotesIn(textOf(files[0]!) ?? "");
}

/** Whether git puts the bytes of a file into the repository just as they are, and its index is as git makes it by itself: no settings and no attributes
 *  say otherwise, but for those of `.gitattributes` files. False where git has to be asked. */
export function keepsBytes(commonDir: string): boolean {
  const attributes = [
    join(commonDir, "info", "attributes"),
    join(usersFolder(process.env), "attributes"),
    "/etc/gitattributes",
  ];
  const settings = settingFiles(commonDir);
  return madeOf(`bytes ${commonDir}`, [...attributes, ...settings], () => {
    if (!isUsualGit() || attributes.some((file) => existsSync(file))) return false;
    return !settings.some((file) => CONVERTING.test(textOf(file) ?? ""));
  });
}

/** What stands in the ignore files that hold for all worktrees, as latin1; null where the settings name others. */
export function ignoreTexts(commonDir: string): string[] | null {
  const files = [join(commonDir, "info", "exclude"), join(usersFolder(process.env), "ignore")];
  const settings = settingFiles(commonDir);
  return madeOf(`ignores ${commonDir}`, [...files, ...settings], () => {
    if (settings.some((file) => /\binclude|excludesfile/i.test(textOf(file) ?? ""))) return null;
    return files.filter((file) => existsSync(file)).map((file) => readFileSync(file, "latin1"));
  });
}

/** Words of settings that change what is stored of a file, or how an index is written. */
const CONVERTING =
  /\binclude|\bextensions\b|autocrlf|\beol\b|safecrlf|attributesfile|filemode(?!\s*=\s*true\s*$)|symlinks|ignorecase|precompose|checkstat|trustctime|splitindex|skiphash|manyfiles|\[\s*index\b|sparse|bigfilethreshold|fsmonitor|sharedrepository/im;

/** Where git looks for the user's attributes and ignores, and for settings too. */
function usersFolder({ HOME = "/", XDG_CONFIG_HOME }: NodeJS.ProcessEnv): string {
  return join(XDG_CONFIG_HOME || join(HOME, ".config"), "git");
}

const REMOTE = /^[ \t]*\[[ \t]*remote[ \t]+"((?:[^"\\\n]|\\.)+)"[ \t]*\]\s*(?=(?:url|fetch|pushurl)\s*=)/gim;

/** Null where a section is not as git itself writes it. */
function remotesIn(text: string): string[] | null {
  const found = [...text.matchAll(REMOTE)].map(([, name]) => name!.replaceAll(/\\(.)/g, "$1"));
  return found.length === [...text.matchAll(/\[\s*remote\b/gi)].length ? found : null;
}

function holdsSomething(folder: string): boolean {
  return existsSync(folder) && readdirSync(folder).length > 0;
}

/** The nearest folder with a `.git`, where that is a folder. Like git it does not leave the file system, and trusts only what is the user's. */
function findTop(start: string): string | null {
  const { dev } = lstatSync(start);
  for (let folder = start; ; folder = dirname(folder)) {
    const here = lstatSync(folder);
    if (here.dev !== dev || looksBare(folder)) return null;
    const entry = lstatSync(join(folder, ".git"), { throwIfNoEntry: false });
    const user = process.geteuid?.();
    if (entry) return entry.isDirectory() && entry.uid === user && here.uid === user ? folder : null;
    if (folder === dirname(folder)) return null;
  }
}

/** Inside a git directory, of a bare repository or of this one, git answers otherwise. */
function looksBare(folder: string): boolean {
  return isFolder(join(folder, "objects")) && isFolder(join(folder, "refs"));
}

function isUsual(gitDir: string): boolean {
  const config = textOf(join(gitDir, "config")) ?? "";
  const isPlain =
    /^\s*repositoryformatversion\s*=\s*0\s*$/im.test(config) && textOf(join(gitDir, "commondir")) === null;
  return isPlain && looksBare(gitDir) && hasCommit(gitDir);
}

/** Whether HEAD leads to a commit by the files of refs. git would also look whether the commit is there. */
function hasCommit(gitDir: string): boolean {
  const head = textOf(join(gitDir, "HEAD")) ?? "";
  const branch = /^ref: (refs\/heads\/[^\s]+)\n?$/.exec(head)?.[1];
  if (branch === undefined) return OID.test(head);
  if (OID.test(textOf(join(gitDir, branch)) ?? "")) return true;
  const packed = textOf(join(gitDir, "packed-refs")) ?? "";
  return packed.split("\n").some((line) => line.endsWith(` ${branch}`) && OID.test(line.split(" ")[0]!));
}

const OID = /^[0-9a-f]{40}\n?$/;

/** Where git looks for settings: the repository's, the user's, the system's. */
function settingFiles(gitDir: string): string[] {
  const { GIT_CONFIG_GLOBAL, GIT_CONFIG_SYSTEM, HOME = "/" } = process.env;
  const users = [join(HOME, ".gitconfig"), join(usersFolder(process.env), "config")];
  return [
    join(gitDir, "config"),
    ...(GIT_CONFIG_GLOBAL === undefined ? users : [GIT_CONFIG_GLOBAL]),
    GIT_CONFIG_SYSTEM ?? "/etc/gitconfig",
  ];
}

function isUnusual(file: string): boolean {
  return UNUSUAL.test(textOf(file) ?? "");
}

function textOf(path: string): string | null {
  return existsSync(path) ? readFileSync(path, "utf8") : null;
}

function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
