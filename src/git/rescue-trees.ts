/** The trees of a rescue: a worktree's own bytes, its index, and what neither of them can hold. Each is written through an index of its own. */
import { readlinkSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { OwtError } from "../core/errors.ts";
import { DEFAULT_IDENTITY, type NewCommit } from "./commit.ts";
import { fieldsOf, git, type Oid, type Place } from "./git.ts";
import type { ModuleHoldings } from "./inspect.ts";
import { lstatInside } from "./place.ts";
import { findCheckout, readModuleHead } from "./submodules.ts";

/** A worktree, or a submodule in it. */
export type FileHoldings = Omit<ModuleHoldings, "path" | "commits" | "inProgress">;

/** In the tree of `aside`: the entries of open conflicts lie below `1/`, `2/` and `3/`, by their stage; the file `modes` has, each with a NUL behind it, an
 *  octal mode and a path, of files and folders whose mode git's trees do not hold. */
export const MODES = "modes";

/** HEAD's tree with the worktree's own bytes laid over it. */
export async function saveTree(held: FileHoldings, paths: readonly string[], bin: string): Promise<Oid> {
  const { place, head } = held;
  const index = join(bin, "index");
  const at = held.gone ? { ...place, root: bin } : place;
  const entries = await writeBlobs(place, paths, bin, "0".repeat(head.oid?.length ?? 40));
  return writeTree(at, index, head.oid, entries);
}

/** The tree of these index lines, laid over another tree where there is one; `index` is a file of our own. */
async function writeTree(at: Place, index: string, over: Oid | null, entries: readonly string[]): Promise<Oid> {
  await git(at, ["read-tree", over ?? "--empty"], { index });
  const input = entries.map((line) => `${line}\0`).join("");
  if (input !== "") await git(at, ["update-index", "-z", "--index-info"], { index, input });
  return (await git(at, ["write-tree"], { index, durable: true })).stdout.trim();
}

/** Index lines, deletions first, so that a file may take a directory's place. */
async function writeBlobs(place: Place, paths: readonly string[], bin: string, noOid: string): Promise<string[]> {
  const gone: string[] = [];
  const links: string[] = [];
  const kept: { path: string; mode: string; source: string }[] = [];
  for (const path of paths) {
    const full = join(place.root, path);
    const stat = lstatInside(place.root, path);
    if (stat?.isSymbolicLink() === true) {
      const source = join(bin, `link-${kept.length}`);
      await writeFile(source, readlinkSync(full, { encoding: "buffer" }));
      kept.push({ path, mode: "120000", source });
    } else if (stat?.isFile() === true) {
      kept.push({ path, mode: (stat.mode & 0o100) === 0 ? "100644" : "100755", source: full });
    } else if (stat === null || stat.isDirectory()) {
      const module = stat === null ? null : findCheckout(place.root, path);
      const at = module === null ? null : (await readModuleHead(module)).oid;
      if (at === null) gone.push(path);
      else links.push(`160000 ${at}\t${path}`);
    }
  }
  const deletions = [...gone.map((path) => `0 ${noOid}\t${path}`), ...links];
  if (kept.length === 0) return deletions;
  const input = `${kept.map(({ source }) => quote(source)).join("\n")}\n`;
  const hashed = await git(place, ["hash-object", "-w", "--no-filters", "--stdin-paths"], { input, durable: true });
  const oids = hashed.stdout.trim().split("\n");
  if (oids.length !== kept.length) throw new OwtError("internal", `${kept.length} files to save, ${oids.length} saved`);
  return [...deletions, ...kept.map(({ path, mode }, at) => `${mode} ${oids[at]!}\t${path}`)];
}

/** What `--stdin-paths` reads as one path whatever is in it. */
function quote(path: string): string {
  return `"${path.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}

/** The index as a commit: staged content can differ from both HEAD and the file. Entries of open conflicts are kept aside. */
export async function saveIndex(
  { place, head }: FileHoldings,
  bin: string,
  write: (commit: NewCommit) => Promise<Oid>,
): Promise<Oid> {
  const at = { ...place, root: bin };
  const listed = await git(at, ["ls-files", "-s", "-z"]);
  const settled = fieldsOf(listed.stdout).filter((line) => /^\d+ [0-9a-f]+ 0\t/.test(line));
  const tree = await writeTree(at, join(bin, "index-staged"), null, settled);
  const parents = head.oid === null ? [] : [head.oid];
  return write({ tree, parents, message: "index of a rescued worktree", identity: DEFAULT_IDENTITY });
}

/** The index's entries of open conflicts, and modes that a checkout would not give; null where there are none. */
export async function writeAside(
  { place, staged, gone }: FileHoldings,
  paths: readonly string[],
  bin: string,
  write: (commit: NewCommit) => Promise<Oid>,
): Promise<Oid | null> {
  const at = { ...place, root: bin };
  const tracked = gone ? [] : fieldsOf((await git(at, ["ls-files", "-z"])).stdout);
  const unmerged = staged ? fieldsOf((await git(at, ["ls-files", "-u", "-z"])).stdout) : [];
  const entries = unmerged.map((line) => line.replace(/^(\d+ [0-9a-f]+) ([123])\t/, "$1\t$2/"));
  const modes = oddModes(place.root, [...new Set([...tracked, ...paths])]);
  if (modes.length > 0) {
    const source = join(bin, MODES);
    await writeFile(source, modes.map((line) => `${line}\0`).join(""));
    const args = ["hash-object", "-w", "--no-filters", "--", source];
    entries.push(`100644 ${(await git(at, args, { durable: true })).stdout.trim()}\t${MODES}`);
  }
  if (entries.length === 0) return null;
  const tree = await writeTree(at, join(bin, "index-aside"), null, entries);
  const message = "what the trees of a rescued worktree cannot hold";
  return write({ tree, parents: [], message, identity: DEFAULT_IDENTITY });
}

/** Of these files, and of the folders that they are in: those that a checkout would make with another mode. */
function oddModes(root: string, paths: readonly string[]): string[] {
  const folders = new Set<string>();
  for (const path of paths)
    for (let at = dirname(path); at !== "." && !folders.has(at); at = dirname(at)) folders.add(at);
  const mask = 0o777 & ~process.umask();
  return [...folders, ...paths].flatMap((path) => {
    const stat = lstatInside(root, path);
    if (stat === null || !(stat.isFile() || stat.isDirectory())) return [];
    const mode = stat.mode & 0o7777;
    const usual = (stat.isFile() && (mode & 0o100) === 0 ? 0o666 : 0o777) & mask;
    return mode === usual ? [] : [`${mode.toString(8)} ${path}`];
  });
}
