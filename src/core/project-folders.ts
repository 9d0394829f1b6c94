/** Which folders of a repository are projects of their own, and which belong to the workspace of one above them. Pure: who calls has looked
 *  into the folders. */
import { detectInstalls, type FoundInstall, tableIn } from "./project.ts";

/** A folder with something telling in it: its path from the top ("" is the top itself), the telling names, and the manifests' texts. */
export type ToldFolder = { path: string; names: ReadonlySet<string>; texts: Readonly<Record<string, string>> };

/** A folder that is installed by itself. `members` are the folders that its install covers, as workspaces do. */
export type Project = { folder: string; installs: FoundInstall[]; members: string[] };

/** One install in one folder of a worktree ("" is its top). `members` are folders that it covers; `missing`: the program is not there. */
export type WantedInstall = { folder: string; install: FoundInstall; members: readonly string[]; missing: boolean };

/** How far a search goes: folders below the top, folders looked into, projects installed. */
export const SEARCH = { depth: 3, folders: 2_000, projects: 20 } as const;

/** What nobody's own dependencies are in: those of others, what was built, and what only stands for a project in a test. */
const NEVER_SEARCHED = new Set([
  "node_modules",
  "vendor",
  "third_party",
  "target",
  "dist",
  "build",
  "out",
  "coverage",
  "venv",
  "test",
  "tests",
  "__tests__",
  "fixtures",
  "__fixtures__",
  "testdata",
  "example",
  "examples",
  "sample",
  "samples",
  "template",
  "templates",
]);

/** Whether a folder of this name is searched for projects. */
export function isSearched(name: string): boolean {
  return !name.startsWith(".") && !NEVER_SEARCHED.has(name.toLowerCase());
}

/** The projects among these folders, the top first. At the top a manifest is enough; below it only a lockfile tells of a project, or a
 *  manifest in a language that nothing above it installs. `cut`: there are more than are taken. */
export function detectProjects(folders: readonly ToldFolder[]): { projects: Project[]; cut: boolean } {
  const projects: Project[] = [];
  const byPath = new Map(folders.map((each) => [each.path, each]));
  let cut = false;
  for (const folder of folders.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    const above = projects.filter((each) => isBelow(folder.path, each.folder));
    const installs = detectInstalls(folder.names, (name) => folder.texts[name] ?? (folder.names.has(name) ? "" : null));
    const own = installs.filter(({ isLocked, language }) => isLocked || !installsAbove(above, language));
    for (const project of above) {
      const covers = project.installs.some((each) => isMember(byPath.get(project.folder)!, each, folder));
      if (covers && !own.some(({ language }) => language === "node" || language === "python"))
        project.members.push(folder.path);
    }
    if (own.length === 0) continue;
    if (projects.length >= SEARCH.projects) cut = true;
    else projects.push({ folder: folder.path, installs: own, members: [] });
  }
  return { projects, cut };
}

function isBelow(path: string, folder: string): boolean {
  return path !== folder && (folder === "" || path.startsWith(`${folder}/`));
}

function installsAbove(above: readonly Project[], language: string): boolean {
  return above.some(({ installs }) => installs.some((each) => each.language === language));
}

/** Whether the workspace that stands above says that a folder is part of it. */
function isMember(of: ToldFolder, { language, kind }: FoundInstall, { path, names }: ToldFolder): boolean {
  if (language === "python" && names.has("pyproject.toml"))
    return kind === "uv" && /^\s*\[tool\.uv\.workspace\]/m.test(of.texts["pyproject.toml"] ?? "");
  if (language !== "node" || !names.has("package.json")) return false;
  if (kind === "pnpm") return of.names.has("pnpm-workspace.yaml");
  const below = of.path === "" ? path : path.slice(of.path.length + 1);
  const patterns = workspacePatterns(of.texts["package.json"] ?? null);
  return (
    patterns.some((pattern) => !pattern.startsWith("!") && matches(pattern, below)) &&
    !patterns.some((pattern) => pattern.startsWith("!") && matches(pattern.slice(1), below))
  );
}

/** `workspaces` is a list, or in yarn's long form a table with the list under `packages`. */
function workspacePatterns(text: string | null): string[] {
  const workspaces = tableIn(text, "workspaces");
  const list = Array.isArray(workspaces) ? (workspaces as unknown[]) : workspaces["packages"];
  return Array.isArray(list) ? list.filter((each): each is string => typeof each === "string") : [];
}

function matches(pattern: string, path: string): boolean {
  const bare = pattern.replace(/^\.\//, "").replace(/\/+$/, "");
  const expression = bare
    .split(/(\*\*\/|\*\*|\*)/)
    .map((part) =>
      part === "**/"
        ? "(?:[^/]+/)*"
        : part === "**"
          ? ".*"
          : part === "*"
            ? "[^/]*"
            : part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`),
    )
    .join("");
  return new RegExp(`^${expression}$`).test(path);
}
