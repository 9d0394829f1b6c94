/** Markdown plans: `docs/plans/<module>/epic-05-name.md` is the task `<module>/E05`. Front matter beats path and heading. */
import { compareEpics, epicLabel, epicOfFileName, epicOfWord, meansEpic, needsAllLevels } from "./plan-epics.ts";
import type { EpicNumber } from "./plan-epics.ts";
import { addProblem, addWarning, readTaskKeys, readText } from "./plan-fields.ts";
import type { Fields, TaskKeys } from "./plan-fields.ts";
import { parseMarkdown } from "./plan-front-matter.ts";
import type { Markdown } from "./plan-front-matter.ts";
import { firstParagraph, headingOf, titleOfFileName, titleOfHeading } from "./plan-text.ts";
import { checkPlan } from "./plan.ts";
import type { DraftTask, Plan, PlanResult, Problem } from "./plan.ts";
import { slug } from "./names.ts";

/** A file as it was read; `path` from the repository's root, with `/`. */
export type PlanFile = { path: string; text: string };

/** Reads a folder of plan files; `files` are the markdown files in and below it. Each folder that holds epic files
 *  is a module: `folder` itself (named after it), and its direct subfolders. READMEs become the context of their module's tasks; anything
 *  else is named in `ignored`, before it those that `others` names already. A task waits for the highest existing number before it in its module and sequence. */
export function parseMarkdownPlan(
  folder: string,
  files: readonly PlanFile[],
  others: Plan["ignored"] = [],
): PlanResult {
  const path = folder.replace(/(?<=.)\/+$/, "");
  const reading = { ...newReading(), ignored: [...others] };
  const readmes = new Map<string, string>();
  const drafts: Draft[] = [];
  for (const file of files.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    if (isReadme(file.path)) readmes.set(folderOf(file.path), parseMarkdown(file.path, file.text).body);
    else {
      const draft = readDraft(path, file, reading);
      if (draft !== null) drafts.push(draft);
    }
  }
  const folders = new Set(drafts.map(({ file }) => folderOf(file.path)));
  for (const { path: file } of files) {
    if (isReadme(file) && !folders.has(folderOf(file)))
      reading.ignored.push({ file, reason: "a README beside no tasks" });
  }
  const tasks = numberTasks(drafts, (folder) => readmes.get(folder) ?? "");
  return checkPlan({ ...planOf(path, reading), tasks }, reading.problems);
}

/** Reads one markdown file as a plan of one task. Its id is the one it would have in its module where its name (or front matter) says
 *  so, else a short form of its name. What it depends on is not part of such a plan, which is a problem with a hint. */
export function parseMarkdownTask(file: PlanFile, context = ""): PlanResult {
  let reading = newReading();
  const draft = readNumbered(file, nameOf(folderOf(file.path)), reading);
  const named = draft !== null && isModuleName(draft.module);
  // Read again under its other name: what the first reading noted would otherwise be told twice.
  if (!named) reading = newReading();
  const tasks = named ? numberTasks([draft], () => context) : [unnumberedTask(file, context, reading)];
  const result = checkPlan({ ...planOf(file.path, reading), tasks }, reading.problems);
  if ("plan" in result) return result;
  const hint = `run the whole plan and name the task: owt run ${tasks[0]!.task.id}`;
  const problems = result.problems.map((problem) =>
    problem.code === "unknown-dependency" ? { ...problem, hint } : problem,
  );
  return { ...result, problems };
}

/** Whether a file is named like a task of a markdown plan. */
export function isEpicFile(path: string): boolean {
  return epicOfFileName(nameOf(path)) !== null;
}

type Reading = { problems: Problem[]; warnings: Problem[]; ignored: { file: string; reason: string }[] };

function newReading(): Reading {
  return { problems: [], warnings: [], ignored: [] };
}

/** A task before its module's numbers are known as a whole. */
type Draft = {
  file: PlanFile;
  module: string;
  moduleLine: number;
  epic: EpicNumber;
  markdown: Markdown;
  fields: Fields;
  keys: TaskKeys;
};

function planOf(path: string, reading: Reading): Omit<Plan, "tasks"> {
  const ignored = reading.ignored.toSorted((a, b) => (a.file < b.file ? -1 : 1));
  return { kind: "markdown", path, ignored, warnings: reading.warnings, settings: {} };
}

/** A task, or null for a file that is none; then `ignored` says why, and a warning where it looks as if it were meant as one. */
function readDraft(path: string, file: PlanFile, reading: Reading): Draft | null {
  const folder = folderOf(file.path);
  const inside = path === "." || path === "" ? file.path : file.path.slice(path.length + 1);
  if (inside.split("/").length > 2) {
    reading.ignored.push({ file: file.path, reason: "lies deeper than <module>/" });
    if (isEpicFile(file.path)) {
      const message = `${file.path} is named like a task but lies too deep to be read`;
      const hint = `move it to ${path}/<module>/`;
      reading.warnings.push({ file: file.path, line: 1, code: "epic-elsewhere", message, hint });
    }
    return null;
  }
  const draft = readNumbered(file, nameOf(folder) || nameOf(path), reading);
  if (draft === null) {
    ignore(file, reading);
    return null;
  }
  if (isModuleName(draft.module)) return draft;
  const message = `${JSON.stringify(draft.module)} cannot be the name of a module`;
  const hint = "rename the folder to letters, digits and dashes, or write module: <name> in the front matter";
  addProblem(draft.fields, draft.moduleLine, "module-name", message, hint);
  return null;
}

function ignore(file: PlanFile, reading: Reading): void {
  const name = nameOf(file.path);
  const reason = /^\d{4}-\d{2}-\d{2}/.test(name)
    ? "a dated note"
    : /overview/i.test(name)
      ? "an overview"
      : "not named like a task (epic-01-name.md)";
  reading.ignored.push({ file: file.path, reason });
  const { entries } = parseMarkdown(file.path, file.text);
  if (!entries.has("depends_on") && !entries.has("status")) return;
  const message = `${file.path} has the front matter of a task but not the name of one`;
  const hint = "name it epic-<number>-<name>.md, or write epic: <number> in its front matter";
  reading.warnings.push({ file: file.path, line: 1, code: "unnumbered", message, hint });
}

/** Reads a file whose name or front matter gives it a number; null for any other, without a trace in `reading`. */
function readNumbered(file: PlanFile, folderName: string, reading: Reading): Draft | null {
  const inName = epicOfFileName(nameOf(file.path));
  const markdown = parseMarkdown(file.path, file.text);
  if (inName === null && !markdown.entries.has("epic")) return null;
  const fields = fieldsOf(file, markdown, reading);
  // In a file that is not named like a task, a key "epic" of another kind is nobody's mistake.
  const epic = readEpic(inName === null ? { ...fields, problems: [] } : fields, inName);
  if (epic === null) return null;
  reading.problems.push(...markdown.problems);
  const module = readText(fields, "module");
  if (module !== null && module.text !== folderName) {
    const message = `the front matter says module ${module.text}, the folder ${folderName}; the front matter counts`;
    addWarning(fields, module.line, "module-mismatch", message, "make them agree");
  }
  return {
    file,
    module: module?.text ?? folderName,
    moduleLine: module?.line ?? 1,
    epic,
    markdown,
    fields,
    keys: readTaskKeys(fields),
  };
}

function fieldsOf(file: PlanFile, markdown: Markdown, reading: Reading): Fields {
  const { problems, warnings } = reading;
  return { file: file.path, line: 1, entries: markdown.entries, problems, warnings };
}

/** The number from front matter (`epic: 5`, `E05`, `CLI02`), else from the file's name. */
function readEpic(fields: Fields, inName: EpicNumber | null): EpicNumber | null {
  const written = readText(fields, "epic");
  if (written === null) return inName;
  const epic = epicOfWord(written.text);
  if (epic === null) {
    addProblem(fields, written.line, "epic-number", `epic ${written.text} is not a number`, "write epic: 5");
    return inName;
  }
  if (inName === null) return epic;
  const samePrefix = epic.prefix === "" || epic.prefix === inName.prefix;
  if (samePrefix && meansEpic(epic, inName)) return inName;
  const message = `the front matter says epic ${written.text}, the file name ${epicLabel(inName, true)}; the front matter counts`;
  addWarning(fields, written.line, "epic-mismatch", message, "make them agree");
  return { prefix: epic.prefix || inName.prefix, levels: epic.levels };
}

/** Gives every draft its id, its place in the order and what it waits for. */
function numberTasks(drafts: readonly Draft[], contextOf: (folder: string) => string): DraftTask[] {
  const sequences = Map.groupBy(drafts, ({ module, epic }) => sequenceKey(module, epic.prefix));
  const ids = new Map<Draft, string>();
  const implied = new Map<Draft, string[]>();
  for (const members of sequences.values()) {
    const all = needsAllLevels(members.map(({ epic }) => epic));
    members.sort((a, b) => compareEpics(a.epic, b.epic, all));
    for (const [at, member] of members.entries()) {
      const before = members[at - 1];
      ids.set(member, `${member.module}/${epicLabel(member.epic, all)}`);
      implied.set(member, before === undefined ? [] : [ids.get(before)!]);
    }
  }
  const ordered = [...sequences.values()].sort(([a], [b]) => compareSequences(a!, b!)).flat();
  const known = new Set(ids.values());
  return ordered.map((draft) => {
    const needs = draft.keys.needs.flatMap(({ text, line }) =>
      text
        .split(/[\s,]+/)
        .flatMap((word) => (word === "" ? [] : [{ id: resolve(word, draft, sequences, ids, known), line }])),
    );
    return taskOf(draft, {
      id: ids.get(draft)!,
      implied: implied.get(draft)!,
      needs,
      context: contextOf(folderOf(draft.file.path)),
    });
  });
}

/** The full id that a word of `depends_on` means: a full id in any spelling (`technical/E4`), or a number of the same module. A number
 *  without letters means the plain sequence (E), and where that has no such number, the asking task's own. */
function resolve(
  word: string,
  from: Draft,
  sequences: ReadonlyMap<string, readonly Draft[]>,
  ids: ReadonlyMap<Draft, string>,
  known: ReadonlySet<string>,
): string {
  if (known.has(word)) return word;
  const slash = word.lastIndexOf("/");
  const written = epicOfWord(word.slice(slash + 1));
  if (written === null) return word;
  const module = slash < 0 ? from.module : word.slice(0, slash);
  const bare = slash < 0 && /^[\d.]+$/.test(word);
  for (const prefix of bare ? ["", from.epic.prefix] : [written.prefix]) {
    const members = sequences.get(sequenceKey(module, prefix)) ?? [];
    const exact = members.filter(({ epic }) => epic.levels.join(".") === written.levels.join("."));
    const candidates = exact.length > 0 ? exact : members.filter(({ epic }) => meansEpic(written, epic));
    const meant = new Set(candidates.map((draft) => ids.get(draft)!));
    // Two candidates are no answer: what was written is then reported as unknown.
    if (meant.size === 1) return [...meant][0]!;
  }
  return bare ? `${module}/${epicLabel(written, true)}` : word;
}

function taskOf(
  draft: Draft,
  joined: { id: string; implied: string[]; needs: readonly { id: string; line: number }[]; context: string },
): DraftTask {
  const { needs: _written, branchLine, ...keys } = draft.keys;
  return {
    task: {
      ...keys,
      id: joined.id,
      module: draft.module,
      ...textsOf(draft.file, draft.markdown, draft.fields, draft.epic),
      context: joined.context,
      source: { file: draft.file.path, line: 1 },
      dependsOn: joined.needs.map(({ id }) => id),
      implied: joined.implied,
    },
    needLines: joined.needs.map(({ line }) => line),
    branchLine,
  };
}

function unnumberedTask(file: PlanFile, context: string, reading: Reading): DraftTask {
  const markdown = parseMarkdown(file.path, file.text);
  const fields = fieldsOf(file, markdown, reading);
  reading.problems.push(...markdown.problems);
  const { needs, branchLine, ...keys } = readTaskKeys(fields);
  return {
    task: {
      ...keys,
      id: slug(nameOf(file.path).replace(/\.md$/i, "")),
      module: null,
      ...textsOf(file, markdown, fields, null),
      context,
      source: { file: file.path, line: 1 },
      dependsOn: needs.map(({ text }) => text),
      implied: [],
    },
    needLines: needs.map(({ line }) => line),
    branchLine,
  };
}

function textsOf(file: PlanFile, markdown: Markdown, fields: Fields, epic: EpicNumber | null) {
  const written = readText(fields, "title");
  const heading = headingOf(markdown.body);
  const inHeading = heading === null ? null : titleOfHeading(heading, epic);
  if (written !== null && inHeading !== null && plain(written.text) !== plain(inHeading)) {
    const message = `the front matter says ${JSON.stringify(written.text)}, the heading ${JSON.stringify(inHeading)}; the front matter counts`;
    addWarning(fields, written.line, "title-mismatch", message, "make them agree");
  }
  if (markdown.body === "") {
    addWarning(
      fields,
      1,
      "empty-task",
      `${file.path} has no text: an agent would get its title only`,
      "describe the task below the front matter",
    );
  }
  const title = written?.text ?? inHeading ?? titleOfFileName(nameOf(file.path));
  return { title, content: markdown.body, description: firstParagraph(markdown.body) };
}

function plain(title: string): string {
  return title.toLowerCase().replace(/\s+/g, " ").trim();
}

function sequenceKey(module: string, prefix: string): string {
  return `${module}\n${prefix}`;
}

/** Modules as a person counts them (phase-2 before phase-10), in each the plain sequence first. */
function compareSequences(a: Draft, b: Draft): number {
  const byModule = compareNaturally(a.module, b.module);
  if (byModule !== 0) return byModule;
  if (a.module !== b.module) return a.module < b.module ? -1 : 1;
  return a.epic.prefix < b.epic.prefix ? -1 : 1;
}

let natural: Intl.Collator | null = null;

/** Loading the rules of a language takes 7 ms: done for plans that have something to sort. */
function compareNaturally(one: string, other: string): number {
  natural ??= new Intl.Collator("en", { numeric: true });
  return natural.compare(one, other);
}

/** Ids stand in command lines, branch names and file names: no spaces, nothing that a shell or a path would read differently. */
function isModuleName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/.test(name) && !name.includes("..");
}

function isReadme(path: string): boolean {
  return /^readme\.md$/i.test(nameOf(path));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : path.slice(0, slash);
}
