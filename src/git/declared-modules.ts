/** Which submodules a commit has, and which of them somebody wants checked out here: `.gitmodules` as the commit has it, and git's own rule for
 *  what is active (gitsubmodules(7), "Active submodules"). Nothing is read from files that somebody may be changing. */
import { sep } from "node:path";
import { fieldsOf, git, type Oid, type Place } from "./git.ts";
import { matchesPathspecs } from "./pathspec.ts";

export type Declared = {
  name: string;
  path: string;
  /** The commit that it is to stand at. */
  commit: Oid;
  /** Where the repository's own configuration says that it is; null before `git submodule init`. Never what `.gitmodules` says, which anybody
   *  who commits may change. */
  url: string | null;
  /** "unknown" where nothing is configured about it. */
  wanted: "yes" | "no" | "unknown";
  /** Only its newest commit is fetched. */
  shallow: boolean;
  /** How `git submodule update` treats it when it is checked out already. */
  update: string;
};

/** The submodules of a commit, in the order of their paths. Those that could lead out of the checkout's folders are left out. */
export async function readDeclared(place: Place, commit: Oid): Promise<Declared[]> {
  const args = ["config", "--no-includes", "--blob", `${commit}:.gitmodules`, "-z", "--list"];
  const out = await git(place, args, { ok: [0, 1, 128, 255] });
  const named = out.code === 0 ? group(fieldsOf(out.stdout)).byName : new Map<string, Map<string, string>>();
  const sound = [...named].filter(([name, keys]) => isInside(name) && isInside(keys.get("path") ?? ".."));
  if (sound.length === 0) return [];
  const paths = sound.map(([, keys]) => keys.get("path")!);
  const [links, configured] = await Promise.all([readLinks(place, commit, paths), readConfigured(place)]);
  const declared = sound.flatMap(([name, keys]): Declared[] => {
    const path = keys.get("path")!;
    const at = links.get(path);
    if (at === undefined) return [];
    const own = configured.byName.get(name) ?? new Map<string, string>();
    const update = own.get("update") ?? keys.get("update") ?? "checkout";
    const wanted = update === "none" ? "no" : judgeActive(path, own, configured.active);
    const shallow = keys.get("shallow") === "true";
    return [{ name, path, commit: at, url: own.get("url") ?? null, wanted, shallow, update }];
  });
  return declared.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** git takes a name as part of a path below `modules/`, and so do we. */
function isInside(path: string): boolean {
  return path !== "" && !path.startsWith(sep) && !path.split("/").some((part) => part === ".." || part === ".git");
}

function judgeActive(path: string, own: ReadonlyMap<string, string>, active: readonly string[]): Declared["wanted"] {
  const said = own.get("active");
  if (said !== undefined) return isTrue(said) ? "yes" : "no";
  if (active.length > 0) return matchesPathspecs(path, active) ? "yes" : "no";
  return own.has("url") ? "yes" : "unknown";
}

function isTrue(value: string): boolean {
  return !/^(false|no|off|0|)$/i.test(value);
}

type Grouped = { active: string[]; byName: Map<string, Map<string, string>> };

/** `submodule.*` by name and key, the last value of each. */
function group(fields: readonly string[]): Grouped {
  const grouped: Grouped = { active: [], byName: new Map() };
  for (const field of fields) {
    // A key without `=` is a flag that is set.
    const [, key = "", value = "true"] = /^([^\n]*)(?:\n([^]*))?$/.exec(field) ?? [];
    if (key === "submodule.active") grouped.active.push(value);
    const [, name, last] = /^submodule\.(.+)\.([^.]+)$/s.exec(key) ?? [];
    if (name === undefined) continue;
    const keys = grouped.byName.get(name) ?? new Map<string, string>();
    grouped.byName.set(name, keys.set(last!, value));
  }
  return grouped;
}

async function readConfigured(place: Place): Promise<Grouped> {
  const { stdout } = await git(place, ["config", "-z", "--get-regexp", "^submodule\\."], { ok: [0, 1] });
  return group(fieldsOf(stdout));
}

/** Where a commit has links to other repositories; a path that is something else has none. */
async function readLinks(place: Place, commit: Oid, paths: readonly string[]): Promise<Map<string, Oid>> {
  const { stdout } = await git(place, ["ls-tree", "-z", "--full-tree", commit, "--", ...paths]);
  const links = new Map<string, Oid>();
  for (const field of fieldsOf(stdout)) {
    const [, oid, path] = /^160000 commit ([0-9a-f]+)\t([^]*)$/.exec(field) ?? [];
    if (oid !== undefined) links.set(path!, oid);
  }
  return links;
}
