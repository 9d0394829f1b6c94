/** Feature lists: one JSON file (comments and trailing commas allowed) that names features, what they need and where their prompts lie. */
import { parseTree, printParseErrorCode } from "jsonc-parser";
import type { Node, ParseError } from "jsonc-parser";
import { upstreamOf } from "./dag.ts";
import { stated } from "./choices.ts";
import {
  addProblem,
  addWarning,
  readAmount,
  readChoices,
  readMap,
  readProgramWord,
  readTaskKeys,
  readText,
  readTexts,
} from "./plan-fields.ts";
import type { Fields, Located, LocatedText } from "./plan-fields.ts";
import { firstParagraph } from "./plan-text.ts";
import { checkPlan } from "./plan.ts";
import type { DraftTask, PlanResult, PlanSettings, Problem } from "./plan.ts";

/** What a name in a feature list leads to: a file, or the reason why not and the places that were tried. `refused` marks a file that
 *  exists but must not be read; its problem is told even where a missing file would be no matter. */
export type FoundFile =
  | { path: string; text: string }
  | { problem: string; tried: readonly string[]; refused?: boolean };

/** Whether a text is a feature list of ours: it has `features`, and one of them has `depends_on` or `prompt_file`. Other tools keep
 *  lists of the same name with another shape (category, steps, passes). */
export function isFeatureList(text: string): boolean {
  const { root } = parseJson(text);
  const features = root?.kind === "map" ? root.entries.get("features") : undefined;
  return features?.kind === "list" && features.items.some(isFeature);
}

/** Reads a feature list. `lookUp` finds a prompt or context file by the name that the list gives it; `refuseRepoPath` says why a
 *  `repo_path` does not mean this repository, or null when it does. What a feature asks for is its `prompt_file`, else `<id>.md` where
 *  that exists, else its description, name or id. */
export function parseFeatureList(
  path: string,
  text: string,
  lookUp: (promptFile: string) => FoundFile,
  refuseRepoPath: (repoPath: string) => string | null = () => null,
): PlanResult {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const { root, errors } = parseJson(text);
  for (const { line, message } of errors) {
    problems.push({
      file: path,
      line,
      code: "json",
      message: `not JSON: ${message}`,
      hint: "mend the line, or the one before it",
    });
  }
  if (root?.kind !== "map") {
    if (problems.length === 0) problems.push(notOurs(path, 1, root?.kind === "list" ? root.items : []));
    return { problems, warnings, tasks: [] };
  }
  const fields: Fields = { file: path, line: root.line, entries: root.entries, problems, warnings };
  const { settings, context } = readSettings(fields, lookUp, refuseRepoPath);
  const tasks = readFeatures(fields, context, lookUp);
  warnOfUses(tasks, warnings);
  return checkPlan({ kind: "feature-list", path, tasks, ignored: [], warnings, settings }, problems);
}

/** What the list says of the run as a whole, and what every task is told: its system prompt, the context file, the rules. */
function readSettings(
  fields: Fields,
  lookUp: (file: string) => FoundFile,
  refuseRepoPath: (repoPath: string) => string | null,
): { settings: PlanSettings; context: string } {
  const settings: PlanSettings = {};
  const context: string[] = [];
  const project = readMap(fields, "project");
  if (project !== null) {
    assign(settings, "name", readText(project, "name")?.text);
    assign(settings, "baseBranch", readText(project, "base_branch")?.text);
    assign(settings, "maxParallel", readAmount(project, "max_parallel", 1));
    const seconds = readAmount(project, "timeout_seconds", 1, false);
    assign(settings, "timeoutMs", seconds === null ? null : Math.round(seconds * 1000));
    const repoPath = readText(project, "repo_path");
    assign(settings, "repoPath", repoPath?.text);
    const refused = repoPath === null ? null : refuseRepoPath(repoPath.text);
    if (repoPath !== null && refused !== null) {
      const hint = "write the path from the list's folder to the repository, or leave repo_path out";
      addProblem(project, repoPath.line, "repo-path", `repo_path ${repoPath.text} ${refused}`, hint);
    }
  }
  const claude = readMap(fields, "claude");
  if (claude !== null) {
    settings.choices = { ...readChoices(claude), ...stated({ model: readProgramWord(claude, "model") }) };
    context.push(readText(claude, "append_system_prompt")?.text ?? "");
  }
  const prompts = readMap(fields, "prompts");
  if (prompts !== null) {
    const contextFile = readText(prompts, "context_file");
    const found = contextFile === null ? null : lookUp(contextFile.text);
    if (found !== null && "text" in found) {
      settings.contextFile = found.path;
      context.push(plainText(found.text));
    } else if (found !== null) reportContext(prompts, contextFile!, found);
    const rules = readTexts(prompts, "quality_rules");
    context.push(rules.length === 0 ? "" : `Rules:\n\n${rules.map(({ text }) => `- ${text}`).join("\n")}\n`);
  }
  return { settings, context: context.filter(Boolean).join("\n\n") };
}

function readFeatures(fields: Fields, context: string, lookUp: (file: string) => FoundFile): DraftTask[] {
  const list = fields.entries.get("features");
  if (list?.kind !== "list") {
    const hint = 'write "features": [{ "id": "auth", "depends_on": [] }]';
    addProblem(fields, list?.line ?? fields.line, "wrong-type", "features must be a list", hint);
    return [];
  }
  // An empty list is a plan without tasks, which is told as that.
  if (list.items.length > 0 && !list.items.some(isFeature)) {
    fields.problems.push(notOurs(fields.file, list.line, list.items));
    return [];
  }
  return list.items.flatMap((item): DraftTask[] => {
    if (item.kind !== "map") {
      addProblem(
        fields,
        item.line,
        "wrong-type",
        "each feature must be an object",
        'write { "id": "auth", "depends_on": [] }',
      );
      return [];
    }
    const feature = { ...fields, line: item.line, entries: item.entries };
    const task = readFeature(feature, context, lookUp);
    return task === null ? [] : [task];
  });
}

function readFeature(fields: Fields, context: string, lookUp: (file: string) => FoundFile): DraftTask | null {
  const id = readText(fields, "id");
  const { needs, branchLine, ...keys } = readTaskKeys(fields);
  const name = readText(fields, "name")?.text ?? null;
  const description = readText(fields, "description")?.text ?? null;
  if (id === null || !isTaskId(id.text)) {
    const message = id === null ? "a feature has no id" : `${JSON.stringify(id.text)} cannot be the id of a feature`;
    addProblem(fields, id?.line ?? fields.line, "feature-id", message, "use letters, digits, and . _ - / between them");
    return null;
  }
  const prompt = readPrompt(fields, id.text, lookUp);
  const content = prompt ?? description ?? name ?? id.text;
  return {
    task: {
      ...keys,
      id: id.text,
      title: name ?? description?.split("\n")[0] ?? id.text,
      module: null,
      content,
      context,
      source: { file: fields.file, line: fields.line },
      dependsOn: needs.map(({ text }) => text),
      implied: [],
      description: description ?? firstParagraph(content),
    },
    needLines: needs.map(({ line }) => line),
    branchLine,
  };
}

/** The text of the named prompt file (missing or empty is a problem), else of `<id>.md` where that says something. */
function readPrompt(fields: Fields, id: string, lookUp: (file: string) => FoundFile): string | null {
  const named = readText(fields, "prompt_file");
  const found = lookUp(named?.text ?? `${id}.md`);
  if ("text" in found) {
    const text = plainText(found.text);
    if (text !== "") return text;
    if (named !== null)
      addProblem(fields, named.line, "empty-prompt", `prompt_file ${found.path} is empty`, "say there what to do");
    return null;
  }
  if (named !== null) reportMissing(fields, named.line, `prompt_file ${named.text}`, found);
  else if (found.refused === true) reportMissing(fields, fields.line, `the prompt ${id}.md`, found);
  return null;
}

function reportMissing(fields: Fields, line: number, what: string, found: Exclude<FoundFile, { text: string }>): void {
  const hint = found.tried.length > 0 ? `looked for ${found.tried.join(", ")}` : "name a file inside the repository";
  addProblem(fields, line, "prompt-file", `${what}: ${found.problem}`, hint);
}

/** The seed never read its context file, so lists that name one which is gone are out there and still run. */
function reportContext(fields: Fields, contextFile: LocatedText, found: Exclude<FoundFile, { text: string }>): void {
  const what = `context_file ${contextFile.text}`;
  if (found.refused === true) return reportMissing(fields, contextFile.line, what, found);
  const hint = `looked for ${found.tried.join(", ")}`;
  addWarning(fields, contextFile.line, "context-file", `${what}: ${found.problem}`, hint);
}

/** `uses` that another feature `creates`, without waiting for it: the words match exactly, so a dependency was probably forgotten. */
function warnOfUses(drafts: readonly DraftTask[], warnings: Problem[]): void {
  const creators = new Map<string, string>();
  for (const { task } of drafts) for (const thing of task.creates) creators.set(thing, task.id);
  if (creators.size === 0) return;
  const nodes = drafts.map(({ task }) => ({ id: task.id, needs: task.dependsOn }));
  for (const { task } of drafts) {
    const suspects = task.uses.filter((thing) => creators.has(thing) && creators.get(thing) !== task.id);
    if (suspects.length === 0) continue;
    const upstream = upstreamOf(nodes, [task.id]);
    for (const thing of suspects) {
      const creator = creators.get(thing)!;
      if (upstream.has(creator)) continue;
      const message = `${task.id} uses ${JSON.stringify(thing)}, which ${creator} creates, but does not wait for it`;
      warnings.push({ ...task.source, code: "uses", message, hint: `add ${creator} to its depends_on` });
    }
  }
}

function isFeature(item: Located): boolean {
  return item.kind === "map" && (item.entries.has("depends_on") || item.entries.has("prompt_file"));
}

function notOurs(file: string, line: number, items: readonly Located[]): Problem {
  const other = items.some((item) => item.kind === "map" && (item.entries.has("passes") || item.entries.has("steps")));
  return {
    file,
    line,
    code: "not-a-feature-list",
    message: other
      ? "this is a feature list of another kind (category, steps, passes); it does not say what depends on what"
      : "this is not a feature list: no feature has depends_on or prompt_file",
    hint: 'give the features an "id" and a "depends_on" (it may be empty), or name another plan',
  };
}

/** As in markdown plans: one word that no shell, path or screen reads as something else. */
function isTaskId(id: string): boolean {
  return (
    /^[\p{L}\p{N}][\p{L}\p{N}._/-]{0,99}$/u.test(id) && !id.includes("..") && !id.includes("//") && !id.endsWith("/")
  );
}

function plainText(text: string): string {
  return text
    .replace(/^\uFEFF/, "")
    .replace(/\r\n?/g, "\n")
    .trim();
}

/** Leaves the key out where there is no value: settings lie over the configuration, and undefined would hide it. */
function assign<K extends keyof PlanSettings>(settings: PlanSettings, key: K, value: PlanSettings[K] | null): void {
  if (value !== null && value !== undefined) settings[key] = value;
}

type Json = { root: Located | null; errors: { line: number; message: string }[] };

/** JSON with comments and trailing commas, as located values. Goes on after errors, and reports each with its line. */
function parseJson(text: string): Json {
  // A byte order mark is one character; as a blank it moves no line.
  const source = text.replace(/^\uFEFF/, " ");
  const lineAt = lineFinder(source);
  const found: ParseError[] = [];
  const errors: Json["errors"] = [];
  try {
    const tree = parseTree(source, found, { allowTrailingComma: true });
    for (const { error, offset } of found)
      errors.push({ line: lineAt(offset), message: words(printParseErrorCode(error)) });
    return { root: tree === undefined ? null : locate(tree, source, lineAt), errors };
  } catch (error) {
    // The parser recurses: nesting without end overflows the stack, which is the file's fault and not ours.
    if (!(error instanceof RangeError)) throw error;
    return { root: null, errors: [{ line: 1, message: "nested too deeply" }] };
  }
}

function locate(node: Node, source: string, lineAt: (offset: number) => number): Located {
  const line = lineAt(node.offset);
  if (node.type === "array") {
    return { line, kind: "list", items: (node.children ?? []).map((child) => locate(child, source, lineAt)) };
  }
  if (node.type === "object") {
    const entries = new Map<string, Located>();
    for (const { children } of node.children ?? []) {
      const [key, value] = children ?? [];
      if (key !== undefined && value !== undefined) entries.set(String(key.value), locate(value, source, lineAt));
    }
    return { line, kind: "map", entries };
  }
  const written = source.slice(node.offset, node.offset + node.length);
  const value = node.value as string | number | boolean | null;
  return { line, kind: "scalar", value, source: typeof value === "string" ? value : written };
}

/** Line of an offset, counting from 1. */
function lineFinder(text: string): (offset: number) => number {
  const starts = [0, ...[...text.matchAll(/\r\n|\r|\n/g)].map(({ index, 0: end }) => index + end.length)];
  return (offset) => {
    let low = 0;
    for (let high = starts.length; high - low > 1;) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}

/** `CommaExpected` as `comma expected`. */
function words(name: string): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
}
