/** Finds the plan and reads its files. Nothing outside the repository is ever read: every path is followed to its real end first.
 *  Reading is synchronous inside: a plan is a few small files, and core's parsers ask for them one by one as plain functions. */
import { readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import type { Dirent } from "node:fs";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { OwtError } from "../core/errors.ts";
import { isFeatureList, parseFeatureList } from "../core/plan-features.ts";
import type { FoundFile } from "../core/plan-features.ts";
import { isEpicFile, parseMarkdownPlan, parseMarkdownTask } from "../core/plan-markdown.ts";
import type { PlanFile } from "../core/plan-markdown.ts";
import { lstatIfThere, statIfThere } from "../system/files.ts";
import type { Plan, PlanResult, Problem } from "../core/plan.ts";

/** Where a plan is looked for when neither the command nor the configuration names one. */
const PLAN_FOLDER = "docs/plans";
const PLAN_LISTS = ["feature_list.json", "config/feature_list.json", "orchestrator/config/feature_list.json"];

/** The plan to read, as a path from the repository's root: the one `named` on the command line, else the `configured` one, else the one
 *  that exists in a usual place (a folder without epic files and a list of another tool's shape do not count beside another). Relative
 *  names are taken from `root`. Throws `plan` when there is none, when a name leads nowhere or outside, or when two were found. */
export async function findPlan(root: string, named?: string, configured?: string): Promise<string> {
  return choosePlan(root, named, configured);
}

/** The plan that is taken where none is named, as {@link findPlan} finds it; null where there is none to take. */
export function usualPlan(root: string, configured?: string): string | null {
  try {
    return choosePlan(root, undefined, configured);
  } catch (error) {
    if (error instanceof OwtError) return null;
    throw error;
  }
}

function choosePlan(root: string, named?: string, configured?: string): string {
  const repo = realpathSync.native(root);
  const wanted = named ?? configured;
  if (wanted !== undefined) {
    const place = locate(repo, wanted);
    if ("path" in place) return place.path;
    const there = plansThere(repo)[0];
    const isThere = there === undefined ? "" : ` (${there} is there)`;
    const hint =
      named === undefined
        ? `correct plan under [run] in .worktreerc${isThere}; where it is set: owt config show`
        : `name a folder of epics, a feature list or a markdown file: ${there === undefined ? "owt plan PLAN" : `owt plan ${there}`}`;
    throw new OwtError("plan", `the plan ${wanted} ${place.problem}`, { hint });
  }
  const present = plansThere(repo);
  const found = present.length > 1 ? thoseWithTasks(repo, present) : present;
  const [plan, ...others] = found;
  if (plan === undefined) {
    const hint = `owt init writes a small one; or write ${PLAN_FOLDER}/<module>/epic-01-<name>.md, or name the plan: owt run PLAN`;
    throw new OwtError("plan", `${NO_PLAN}: neither ${PLAN_FOLDER}/ nor ${PLAN_LISTS.join(", ")} exists`, { hint });
  }
  if (others.length > 0) {
    const hint = `name one: owt run ${plan}, or set plan under [run] in .worktreerc`;
    throw new OwtError("plan", `there are ${found.length} plans: ${found.join(" and ")}`, { hint });
  }
  return plan;
}

/** The usual places of a plan at which something lies. */
function plansThere(repo: string): string[] {
  return [PLAN_FOLDER, ...PLAN_LISTS].filter((path) => "path" in locate(repo, path));
}

/** One that is empty or of another shape is still the best answer when there is no other: reading it says what is wrong. */
function thoseWithTasks(repo: string, present: string[]): string[] {
  const real = present.filter((path) => (path === PLAN_FOLDER ? holdsTasks(repo, path) : holdsFeatures(repo, path)));
  return real.length > 0 ? real : present.slice(0, 1);
}

/** Whether {@link findPlan} threw because there is no plan at all, which some callers can do without. */
export function isNoPlan(error: unknown): boolean {
  return error instanceof OwtError && error.code === "plan" && error.message.startsWith(NO_PLAN);
}

const NO_PLAN = "no plan";

/** Nothing. */
const AS_THEY_ARE: ReadonlyMap<string, string> = new Map();

/** Reads and checks a plan: a folder of epics, a feature list (`.json`), or one markdown file as a plan of one task. What is wrong in the
 *  files is in the answer, all of it at once. `instead` are texts that plan files shall have, by their path from the root: a change is looked at
 *  before it is written. Throws `plan` only when the path itself leads nowhere or outside the repository. */
export async function readPlan(root: string, planPath: string, instead = AS_THEY_ARE): Promise<PlanResult> {
  const repo = realpathSync.native(root);
  const place = locate(repo, planPath);
  if (!("path" in place)) {
    throw new OwtError("plan", `the plan ${planPath} ${place.problem}`, {
      hint: "name a plan inside the repository: owt plan PLAN",
    });
  }
  if (place.isFolder) return readFolder(repo, place.path, instead);
  const file = withText(readInside(repo, place.path), instead);
  if ("code" in file) return { problems: [file], warnings: [], tasks: [] };
  if (/\.(md|markdown)$/i.test(file.path)) return parseMarkdownTask(file, readmeBeside(repo, file.path));
  if (/\.jsonc?$/i.test(file.path) || isFeatureList(file.text)) return readFeatureList(repo, file);
  const hint = "a plan is a folder of epics, a feature list (.json) or a markdown file";
  return {
    problems: [{ file: file.path, line: 1, code: "not-a-plan", message: `${file.path} is not a plan`, hint }],
    warnings: [],
    tasks: [],
  };
}

/** The text of one file of a plan, as {@link readPlan} reads it. Throws `plan` when it cannot be read. */
export function readPlanText(root: string, path: string): string {
  const file = readInside(realpathSync(root), path);
  if ("text" in file) return file.text;
  throw new OwtError("plan", file.message, { hint: file.hint });
}

/** The file that holds the prompt of a feature, found as {@link readPlan} finds it; null where none says anything. */
export function findPromptFile(root: string, list: string, name: string): PlanFile | null {
  const repo = realpathSync.native(root);
  const found = findPrompt(repo, resolve(repo, list, ".."), name);
  return "text" in found && found.text.trim() !== "" ? found : null;
}

function withText(file: PlanFile | Problem, instead: ReadonlyMap<string, string>): PlanFile | Problem {
  const text = "text" in file ? instead.get(file.path) : undefined;
  return "text" in file && text !== undefined ? { ...file, text } : file;
}

function readFolder(repo: string, folder: string, instead = AS_THEY_ARE): PlanResult {
  const walked = walk(repo, folder);
  const files: PlanFile[] = [];
  const problems = [...walked.problems];
  for (const path of walked.paths) {
    const file = withText(readInside(repo, path), instead);
    if ("code" in file) problems.push(file);
    else files.push(file);
  }
  // A folder named like a task may still be a module: then its tasks speak for it.
  const others = walked.others.filter(({ file }) => !walked.paths.some((path) => path.startsWith(`${file}/`)));
  return withProblems(parseMarkdownPlan(folder, files, others), problems);
}

/** Problems of reading come before those of what was read: a missing file may be the reason of the others. */
function withProblems(result: PlanResult, problems: readonly Problem[]): PlanResult {
  if (problems.length === 0) return result;
  if ("plan" in result) {
    const { warnings, tasks } = result.plan;
    return { problems: [...problems], warnings, tasks };
  }
  return { ...result, problems: [...problems, ...result.problems] };
}

function readmeBeside(repo: string, path: string): string {
  const readme = join(path, "..", "README.md");
  const file = "path" in locate(repo, readme) ? readInside(repo, readme) : null;
  return file !== null && "text" in file && isEpicFile(path) ? file.text : "";
}

function readFeatureList(repo: string, list: PlanFile): PlanResult {
  const folder = resolve(repo, list.path, "..");
  return parseFeatureList(
    list.path,
    list.text,
    (name) => findPrompt(repo, folder, name),
    (repoPath) => refuseRepoPath(repo, folder, repoPath),
  );
}

/** Prompts lie in `prompts/` beside the list's folder or in it, beside the list, or at the root. Lists name them from any of these, so
 *  a leading `prompts/` is tried with and without. */
function findPrompt(repo: string, folder: string, name: string): FoundFile {
  const bare = name.replace(/^(\.\/)*prompts\//, "");
  const folders = [join(folder, "..", "prompts"), join(folder, "prompts"), folder, repo];
  const candidates = isAbsolute(name)
    ? [name]
    : folders.flatMap((place) => (bare === name ? [join(place, name)] : [join(place, name), join(place, bare)]));
  const inside = [...new Set(candidates)].filter((path) => isInside(repo, path));
  if (inside.length === 0) return { problem: "lies outside the repository", tried: [], refused: true };
  for (const path of inside) {
    // Most are not there, and finding that out by an error is dear.
    if (lstatIfThere(path) === undefined) continue;
    const place = locate(repo, path);
    if ("path" in place && place.isFolder) continue;
    if (!("path" in place)) {
      if (place.exists) return { problem: place.problem, tried: [], refused: true };
      continue;
    }
    const file = readInside(repo, path);
    return "code" in file ? { problem: file.message, tried: [], refused: true } : file;
  }
  return { problem: "not found", tried: inside.map((path) => toSlashes(relative(repo, path))) };
}

/** Lists are written from their own folder or from the one above it (`orchestrator/config/`), and some name the repository in full. */
function refuseRepoPath(repo: string, folder: string, repoPath: string): string | null {
  const places = [resolve(folder, repoPath), resolve(folder, "..", repoPath)];
  if (places.some((place) => realPathOf(place) === repo)) return null;
  return "is not this repository";
}

const MAX_FILES = 5000;
const MAX_ENTRIES = 100_000;
const MAX_FILE_BYTES = 2_000_000;

/** Modules lie one level below the plan's folder. Two more are looked at, so that an epic put too deep can be named. */
const MAX_DEPTH = 3;

/** All markdown files below a folder, without dot folders and node_modules. A link that leads out of the repository is a problem; one
 *  that stays inside is followed, but no folder is entered twice. */
function walk(repo: string, top: string): { paths: string[]; problems: Problem[]; others: Plan["ignored"] } {
  const paths: string[] = [];
  const others: Plan["ignored"] = [];
  const problems: Problem[] = [];
  const seen = new Set<string>();
  let entries = 0;
  const queue = [{ folder: top, depth: 0 }];
  for (const { folder, depth } of queue) {
    const real = realPathOf(join(repo, folder));
    if (real === null || seen.has(real)) continue;
    seen.add(real);
    for (const entry of listFolder(real)) {
      if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
      entries += 1;
      const path = toSlashes(join(folder, entry.name));
      const isMarkdown = /\.md$/i.test(entry.name);
      const reason = whyNoTask(entry, isMarkdown);
      if (reason !== null) others.push({ file: path, reason });
      if (!entry.isDirectory() && !entry.isSymbolicLink() && !isMarkdown) continue;
      const place = locate(repo, path);
      // A broken or outward link matters only where it would have been read.
      if (!("path" in place)) {
        const linked = isMarkdown || leadsToFolder(join(repo, path));
        if (linked)
          problems.push({
            file: path,
            line: 1,
            code: "outside",
            message: `${path} ${place.problem}`,
            hint: "copy the file into the repository, or remove the link",
          });
      } else if (place.isFolder) {
        if (depth < MAX_DEPTH) queue.push({ folder: path, depth: depth + 1 });
      } else if (isMarkdown) paths.push(path);
    }
    if (paths.length > MAX_FILES || entries > MAX_ENTRIES) {
      const hint = "name the folder that holds the plan";
      problems.push({
        file: top,
        line: 1,
        code: "too-large",
        message: `${top} holds more than a plan: too many files`,
        hint,
      });
      break;
    }
  }
  return { paths, problems, others };
}

/** Why something that looks like a task by its name is none; null for what is read, and for what nobody would take for one. */
function whyNoTask(entry: Dirent, isMarkdown: boolean): string | null {
  if (entry.isDirectory()) return isMarkdown ? "a folder, not a file" : null;
  if (isMarkdown || entry.isSymbolicLink()) return null;
  return /\.markdown$/i.test(entry.name) || isEpicFile(entry.name) ? "not a .md file" : null;
}

function listFolder(folder: string): Dirent[] {
  return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function leadsToFolder(path: string): boolean {
  return statIfThere(path)?.isDirectory() ?? false;
}

/** Whether a folder says anything about tasks; many repositories keep only design notes in docs/plans. */
function holdsTasks(repo: string, folder: string): boolean {
  const result = readFolder(repo, folder);
  return "plan" in result || result.problems.some(({ code }) => code !== "no-tasks");
}

function holdsFeatures(repo: string, path: string): boolean {
  const file = readInside(repo, path);
  return "text" in file && isFeatureList(file.text);
}

/** The real place of a path in the repository, as the path to show (links kept, from the root), or why it may not be read. */
function locate(
  repo: string,
  path: string,
): { path: string; real: string; isFolder: boolean } | { problem: string; exists: boolean } {
  const full = resolve(repo, path);
  const real = realPathOf(full);
  if (real === null) {
    const isLink = lstatIfThere(full)?.isSymbolicLink() ?? false;
    return isLink
      ? { problem: "is a link that leads nowhere", exists: true }
      : { problem: "does not exist", exists: false };
  }
  if (!isInside(repo, real)) return { problem: "leads out of the repository", exists: true };
  // Shown as it was reached; where it was reached from outside (a link to the repository), by its real place.
  const shown = isInside(repo, full) ? full : real;
  return { path: toSlashes(relative(repo, shown)) || ".", real, isFolder: statSync(real).isDirectory() };
}

/** The text of a file of the repository, or the problem that keeps it from being read. */
function readInside(repo: string, path: string): PlanFile | Problem {
  const shown = toSlashes(relative(repo, resolve(repo, path)));
  const problem = (message: string, hint: string): Problem => ({
    file: shown,
    line: 1,
    code: "unreadable",
    message: `${shown} ${message}`,
    hint,
  });
  const place = locate(repo, path);
  if (!("path" in place)) return problem(place.problem, "copy the file into the repository");
  const stat = statSync(place.real);
  // A named pipe or a device would never end.
  if (!stat.isFile()) return problem("is not a file", "name a file");
  if (stat.size > MAX_FILE_BYTES) return problem("is larger than 2 MB", "a task is a text that an agent can read");
  try {
    return {
      path: place.path,
      text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(readFileSync(place.real)),
    };
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code;
    return reason === "ERR_ENCODING_INVALID_ENCODED_DATA"
      ? problem("is not UTF-8", "save it as UTF-8")
      : problem(`cannot be read (${reason ?? String(error)})`, "check its permissions");
  }
}

function realPathOf(path: string): string | null {
  try {
    return realpathSync.native(path);
  } catch {
    return null;
  }
}

function isInside(repo: string, path: string): boolean {
  return path === repo || path.startsWith(repo.endsWith(sep) ? repo : repo + sep);
}

function toSlashes(path: string): string {
  return sep === "/" ? path : path.split(sep).join("/");
}
