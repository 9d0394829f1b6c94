/** The walls of the house, as a function over files: which imports are allowed, who may spawn, who may speak SQL, what is dead. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path/posix";

/** Lower floors first; folders on one floor do not see each other. */
const FLOORS: readonly (readonly string[])[] = [
  ["lib"],
  ["core"],
  ["system"],
  ["store"],
  ["git", "tmux", "agents", "integrations"],
  ["pool"],
  ["engine"],
  ["server", "tui", "mcp"],
  ["cli"],
  ["main"],
];

/** Programs at the process edge and the spawner itself; everything else asks `system/exec.ts`. */
const MAY_SPAWN = new Set(["src/system/exec.ts", "src/agents/demo-program.ts"]);
const MAY_SPEAK_SQL = /^src\/(store\/|system\/lock\.ts)/;
/** Entered by the build, not by an import. */
const ENTRIES = new Set(["src/main/main.ts", "src/main/status.ts", "src/main/list.ts", "src/agents/demo-program.ts"]);
/** Random and clock in the pure floor would make its rules untestable. */
const IMPURE = /\bDate\.now\(|\bMath\.random\(|\bnew Date\(\)|\basync\b|\bPromise\b|\bprocess\./;

export type Files = ReadonlyMap<string, string>;

/** Every source file of the house, tests excluded: path from the root to text. */
export function readHouse(root: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const entry of readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith(".ts") || entry.name.endsWith(".test.ts")) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(path.slice(root.length + 1), readFileSync(path, "utf8"));
  }
  return files;
}

/** Everything that stands where it must not, one line each; empty means the house is in order. */
export function findViolations(files: Files): string[] {
  const imports = new Map([...files].map(([path, text]) => [path, importsOf(path, text)]));
  return [
    ...[...files].flatMap(([path, text]) => violationsIn(path, text, imports.get(path)!)),
    ...findCycles(imports),
    ...findDead(files, imports),
  ];
}

function violationsIn(path: string, text: string, imports: string[]): string[] {
  const found: string[] = [];
  const floor = floorOf(path);
  if (floor === -1) found.push(`${path}: stands on no floor`);
  for (const target of imports.filter((each) => each.startsWith("src/"))) {
    const below = floorOf(target);
    if (folderOf(target) !== folderOf(path) && below >= floor)
      found.push(`${path}: imports ${target}, which is not below it`);
  }
  const code = withoutComments(text);
  if (folderOf(path) === "core") {
    if (imports.some((each) => each.startsWith("node:"))) found.push(`${path}: core imports no node: module`);
    if (IMPURE.test(code)) found.push(`${path}: core has no clock, no chance, no promise`);
  }
  if (/^import (?!type\b).*"node:child_process"/m.test(code) && !MAY_SPAWN.has(path))
    found.push(`${path}: only system/exec.ts spawns`);
  if (
    /\bselect\b[^;]*\bfrom\b|\binsert (or \w+ )?into\b|\bdelete from\b|\bupdate \w+ set\b/i.test(stringsOf(code)) &&
    !MAY_SPEAK_SQL.test(path)
  ) {
    found.push(`${path}: only store/ speaks SQL`);
  }
  if (/\bconsole\./.test(code)) found.push(`${path}: nobody prints but through the streams it was given`);
  if (/\bshell:\s*true/.test(code)) found.push(`${path}: no shell`);
  return found;
}

function folderOf(path: string): string {
  return path.split("/")[1]!;
}

function floorOf(path: string): number {
  return FLOORS.findIndex((folders) => folders.includes(folderOf(path)));
}

/** All imports, also of types and dynamic ones; own files as paths from the root. */
function importsOf(path: string, text: string): string[] {
  const specifiers = [...withoutComments(text).matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)"([^"]+)"/g)].map(
    (match) => match[1]!,
  );
  return specifiers.map((each) => (each.startsWith(".") ? normalize(join(dirname(path), each)) : each));
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "");
}

function stringsOf(code: string): string {
  return [...code.matchAll(/"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g)].map((match) => match[0]).join("\n");
}

function findCycles(imports: ReadonlyMap<string, string[]>): string[] {
  const state = new Map<string, "open" | "done">();
  const cycles: string[] = [];
  const visit = (path: string, trail: string[]) => {
    if (state.get(path) === "done") return;
    if (state.get(path) === "open") {
      cycles.push(`cycle: ${[...trail.slice(trail.indexOf(path)), path].join(" → ")}`);
      return;
    }
    state.set(path, "open");
    for (const next of imports.get(path) ?? []) if (imports.has(next)) visit(next, [...trail, path]);
    state.set(path, "done");
  };
  for (const path of imports.keys()) visit(path, []);
  return cycles;
}

function findDead(files: Files, imports: ReadonlyMap<string, string[]>): string[] {
  const used = new Set([...imports.values()].flat());
  return [...files.keys()]
    .filter((path) => !ENTRIES.has(path) && !used.has(path))
    .map((path) => `${path}: nobody imports it`);
}
