/** The keys of a task, read with their types and lines from either format: front matter (YAML) or a feature (JSON).
 *  Nothing is guessed: a value of the wrong type is a problem that names the place. */
import { type AgentChoices, stated } from "./choices.ts";
import { nearest } from "./names.ts";
import type { PlannedTask, Priority, Problem } from "./plan.ts";

/** A parsed value that knows its line. `source` is a scalar as it was written, because YAML turns `1.10` into 1.1. */
export type Located = { line: number } & (
  | { kind: "scalar"; value: string | number | boolean | null; source: string }
  | { kind: "list"; items: readonly Located[] }
  | { kind: "map"; entries: ReadonlyMap<string, Located> }
);

/** The keys of one map, and where what is wrong with them is told. */
export type Fields = {
  file: string;
  line: number;
  entries: ReadonlyMap<string, Located>;
  problems: Problem[];
  warnings: Problem[];
};

/** A text and the line it stands on. */
export type LocatedText = { text: string; line: number };

/** What both formats say about a task in the same words. */
export type TaskKeys = Pick<
  PlannedTask,
  | "priority"
  | "status"
  | "needsReview"
  | "verify"
  | "touches"
  | "agent"
  | "model"
  | "branch"
  | "choices"
  | "tags"
  | "creates"
  | "uses"
  | "estimatedTokens"
> & { needs: LocatedText[]; branchLine: number; lines: { agent: number; branch: number } };

/** The keys that both formats share. Unknown keys are left alone, but for those that people write for `depends_on`. */
export function readTaskKeys(fields: Fields): TaskKeys {
  warnOfOtherWords(fields);
  const branch = readText(fields, "branch");
  return {
    needs: readTexts(fields, "depends_on"),
    priority: readPriority(fields),
    status: readStatus(fields),
    needsReview: readFlag(fields, "needs_review"),
    verify: readWords(fields, "verify"),
    touches: readTouches(fields),
    agent: readProgramWord(fields, "agent"),
    model: readProgramWord(fields, "model"),
    choices: readChoices(fields),
    branch: branch?.text ?? null,
    branchLine: branch?.line ?? fields.line,
    lines: { agent: valueOf(fields, "agent")?.line ?? fields.line, branch: branch?.line ?? fields.line },
    tags: readTexts(fields, "tags").map(({ text }) => text),
    creates: readTexts(fields, "creates").map(({ text }) => text),
    uses: readTexts(fields, "uses").map(({ text }) => text),
    estimatedTokens: readAmount(fields, "estimated_tokens"),
  };
}

/** A text; a number is taken as it was written. Null when the key is absent, empty or (a problem) something else. */
export function readText(fields: Fields, key: string): LocatedText | null {
  const value = valueOf(fields, key);
  if (value === undefined) return null;
  const text = textOf(value);
  if (text === null) addProblem(fields, value.line, "wrong-type", `${key} must be a text`, `write ${key}: some text`);
  return text === null || text === "" ? null : { text, line: value.line };
}

/** Texts of which none can be meant as a number: commands, paths. */
function readWords(fields: Fields, key: string): string[] {
  return readTexts(fields, key, false).map(({ text }) => text);
}

/** No path in a repository has `..` in it, and what is outside no task may change. */
function readTouches(fields: Fields): string[] {
  const all = readTexts(fields, "touches", false);
  const isInside = ({ text }: LocatedText) => !text.split("/").includes("..");
  for (const { text, line } of all.filter((each) => !isInside(each)))
    addProblem(
      fields,
      line,
      "wrong-value",
      `touches: ${text} names nothing in the repository`,
      "write paths and patterns from the repository's top: touches: [src/web]",
    );
  return all.filter(isInside).map(({ text }) => text);
}

/** A list of texts; a single text is a list of one. Empty entries are a problem. Numbers are taken as they were written, unless told
 *  otherwise. */
export function readTexts(fields: Fields, key: string, numbers = true): LocatedText[] {
  const value = valueOf(fields, key);
  if (value === undefined) return [];
  if (value.kind === "scalar" && value.source.trim() === "") return [];
  const items = value.kind === "list" ? value.items : [value];
  return items.flatMap((item): LocatedText[] => {
    const isNumber = item.kind === "scalar" && typeof item.value === "number";
    const text = isNumber && !numbers ? null : textOf(item);
    if (text !== null && text !== "") return [{ text, line: item.line }];
    addProblem(
      fields,
      item.line,
      "wrong-type",
      `each entry of ${key} must be a text`,
      `write ${key} as a list of texts`,
    );
    return [];
  });
}

/** A map below a key, with the same places for problems; null when the key is absent or (a problem) no map. */
export function readMap(fields: Fields, key: string): Fields | null {
  const value = valueOf(fields, key);
  if (value === undefined) return null;
  if (value.kind === "map") return { ...fields, line: value.line, entries: value.entries };
  addProblem(fields, value.line, "wrong-type", `${key} must be an object`, `write "${key}": { … }`);
  return null;
}

/** A number of at least `least`; null when absent or (a problem) anything else. `whole` refuses fractions. */
export function readAmount(fields: Fields, key: string, least = 0, whole = true): number | null {
  const value = valueOf(fields, key);
  if (value === undefined) return null;
  const amount = value.kind === "scalar" && typeof value.value === "number" ? value.value : Number.NaN;
  if (Number.isFinite(amount) && amount >= least && (!whole || Number.isSafeInteger(amount))) return amount;
  const kind = whole ? "a whole number" : "a number";
  addProblem(
    fields,
    value.line,
    "wrong-type",
    `${key} must be ${kind} of at least ${least}`,
    `write ${key} without quotes`,
  );
  return null;
}

/** Records something that keeps the plan from running. */
export function addProblem(fields: Fields, line: number, code: string, message: string, hint: string): void {
  fields.problems.push({ file: fields.file, line, code, message, hint });
}

/** Records something worth a look. */
export function addWarning(fields: Fields, line: number, code: string, message: string, hint: string): void {
  fields.warnings.push({ file: fields.file, line, code, message, hint });
}

/** The value of a key, however its words are joined (`depends_on`, `depends-on`, `dependsOn`); absent and null are the same. */
function valueOf(fields: Fields, key: string): Located | undefined {
  const wanted = squash(key);
  const exact = fields.entries.get(key);
  const value = exact ?? [...fields.entries].find(([name]) => squash(name) === wanted)?.[1];
  return value?.kind === "scalar" && value.value === null ? undefined : value;
}

function textOf(value: Located): string | null {
  if (value.kind !== "scalar" || value.value === null || typeof value.value === "boolean") return null;
  return (typeof value.value === "number" ? value.source : value.value).trim();
}

function readFlag(fields: Fields, key: string): boolean {
  const value = valueOf(fields, key);
  if (value === undefined) return false;
  // YAML 1.2 reads yes and no as texts; people still write them.
  const word = value.kind === "scalar" ? squash(String(value.value)) : "";
  if (word === "true" || word === "yes") return true;
  if (word !== "false" && word !== "no") {
    addProblem(fields, value.line, "wrong-type", `${key} must be true or false`, `write ${key}: true`);
  }
  return false;
}

const STATUS_WORDS: Record<string, PlannedTask["status"]> = {
  notstarted: "not_started",
  todo: "not_started",
  open: "not_started",
  pending: "not_started",
  planned: "not_started",
  ready: "not_started",
  "🔴": "not_started",
  inprogress: "in_progress",
  running: "in_progress",
  started: "in_progress",
  "🟡": "in_progress",
  complete: "complete",
  completed: "complete",
  done: "complete",
  finished: "complete",
  "🟢": "complete",
};

function readStatus(fields: Fields): PlannedTask["status"] {
  const status = readText(fields, "status");
  if (status === null) return "not_started";
  const known = ownValue(STATUS_WORDS, squash(status.text));
  // Not guessed: a misspelt "complete" would silently do the work again.
  if (known === undefined) reportWord(fields, status, "status", ["not_started", "in_progress", "complete"]);
  return known ?? "not_started";
}

const PRIORITY_WORDS: Record<string, Priority> = {
  high: "high",
  medium: "normal",
  normal: "normal",
  low: "low",
};

function readPriority(fields: Fields): Priority {
  const priority = readText(fields, "priority");
  if (priority === null) return "normal";
  const word = squash(priority.text);
  // Numbers rank: 1 (or P1) is first. The seed's own lists use 1, 2 and 3.
  const rank = /^p?(\d+)$/.exec(word)?.[1];
  if (rank !== undefined) return Number(rank) <= 1 ? "high" : Number(rank) === 2 ? "normal" : "low";
  const known = ownValue(PRIORITY_WORDS, word);
  if (known === undefined) reportWord(fields, priority, "priority", ["high", "normal", "medium", "low"]);
  return known ?? "normal";
}

function reportWord(fields: Fields, word: LocatedText, key: string, allowed: readonly string[]): void {
  const near = nearest(word.text, allowed, 1);
  const known = `known: ${allowed.join(", ")}`;
  const hint = near.length > 0 ? `did you mean ${near.join("")}? ${known}` : known;
  addProblem(fields, word.line, `unknown-${key}`, `${key} ${JSON.stringify(word.text)} is not known`, hint);
}

/** How the agent is to be run; the same keys stand in a task and in a feature list's `claude`. */
export function readChoices(fields: Fields): AgentChoices {
  const texts = (key: string) => (fields.entries.has(key) ? readTexts(fields, key).map(({ text }) => text) : null);
  return stated({
    maxTokens: readAmount(fields, "max_tokens", 1),
    permissionMode: readProgramWord(fields, "permission_mode"),
    allowedTools: texts("allowed_tools"),
    extraArgs: texts("extra_args"),
  });
}

/** Agent and model become arguments of a program: one word, and never something that could be read as an option. */
export function readProgramWord(fields: Fields, key: "agent" | "model" | "permission_mode"): string | null {
  const word = readText(fields, key);
  if (word === null) return null;
  if (/^[A-Za-z0-9][\w.:/@[\]+-]{0,99}$/.test(word.text)) return word.text;
  addProblem(
    fields,
    word.line,
    "wrong-type",
    `${key} must be one plain word`,
    `write ${key}: ${key === "agent" ? "claude" : "opus"}`,
  );
  return null;
}

const OTHER_WORDS = new Set([
  "depends",
  "dependencies",
  "dependency",
  "deps",
  "blockedby",
  "needs",
  "requires",
  "after",
]);

function warnOfOtherWords(fields: Fields): void {
  if (valueOf(fields, "depends_on") !== undefined) return;
  for (const [key, value] of fields.entries) {
    if (!OTHER_WORDS.has(squash(key))) continue;
    addWarning(
      fields,
      value.line,
      "unread-key",
      `${key} is not read as a dependency`,
      "write depends_on if it is meant as one",
    );
  }
}

/** Lower case, without spaces, dashes and underscores: `In-Progress` is `inprogress`. */
function squash(word: string): string {
  return word.toLowerCase().replace(/[\s_-]+/g, "");
}

function ownValue<T>(table: Record<string, T>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
