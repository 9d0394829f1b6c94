/** How plan files are numbered, and what a number written elsewhere (front matter, `depends_on`) means. */

/** The number of a task inside its module. `prefix` is "" where none was written; `levels` of `1.2` are [1, 2]. */
export type EpicNumber = { prefix: string; levels: readonly number[] };

const NUMBER = String.raw`(\d{1,6}(?:\.\d{1,6})*)`;
const AFTER_EPIC = new RegExp(String.raw`^epic(?:[-_ ]([a-z]+))?[-_ ]?${NUMBER}(?:[-_ .].*)?$`, "i");
const BEFORE_EPIC = new RegExp(String.raw`^${NUMBER}[-_ ]epic(?:[-_ .].*)?$`, "i");
const WORD = new RegExp(String.raw`^([a-z]*)[-_ ]?${NUMBER}$`, "i");

/** The number in a file's name, or null when it is not named like a task: `epic-01-x.md`, `01-epic-x.md`, `epic-cli-02-x.md` (a
 *  sequence of its own), `epic-1.2-x.md`. */
export function epicOfFileName(name: string): EpicNumber | null {
  const stem = name.replace(/\.md$/i, "");
  const after = AFTER_EPIC.exec(stem);
  if (after !== null) return epicNumber(after[1] ?? "", after[2]!);
  const before = BEFORE_EPIC.exec(stem);
  return before === null ? null : epicNumber("", before[1]!);
}

/** The number in a word: `5`, `05`, `1.2`, `E5`, `CLI02`, or a task's file name. Null for anything else. */
export function epicOfWord(word: string): EpicNumber | null {
  const plain = WORD.exec(word);
  if (plain === null) return epicOfFileName(word);
  return epicNumber(/^epic$/i.test(plain[1]!) ? "" : plain[1]!, plain[2]!);
}

/** `E05`, `CLI02`; with all levels `E1.2`. */
export function epicLabel(epic: EpicNumber, allLevels: boolean): string {
  const prefix = epic.prefix === "" ? "E" : epic.prefix;
  if (allLevels && epic.levels.length > 1) return prefix + epic.levels.join(".");
  return prefix + String(lastLevel(epic)).padStart(2, "0");
}

/** Whether the numbers of one sequence need all their levels. `epic-1.1` and `epic-1.2` in the folder of phase 1 are E01 and E02: the
 *  first level only repeats the folder. Where it differs (1.1 beside 2.1), or the last one alone would say the same twice, it counts. */
export function needsAllLevels(epics: readonly EpicNumber[]): boolean {
  const leads = new Set<string>();
  const byLast = new Map<number, string>();
  for (const epic of epics) {
    if (epic.levels.length > 1) leads.add(epic.levels.slice(0, -1).join("."));
    const all = epic.levels.join(".");
    if ((byLast.get(lastLevel(epic)) ?? all) !== all) return true;
    byLast.set(lastLevel(epic), all);
  }
  return leads.size > 1;
}

/** Order inside a sequence: by all levels, or by the last one where that is the number. */
export function compareEpics(a: EpicNumber, b: EpicNumber, allLevels: boolean): number {
  if (!allLevels) return lastLevel(a) - lastLevel(b);
  const length = Math.max(a.levels.length, b.levels.length);
  for (let at = 0; at < length; at++) {
    const difference = (a.levels[at] ?? -1) - (b.levels[at] ?? -1);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Whether `written` (a number someone wrote) can mean `epic`: all levels are equal, or it names the last one only. */
export function meansEpic(written: EpicNumber, epic: EpicNumber): boolean {
  if (written.levels.length === 1) return written.levels[0] === lastLevel(epic);
  return written.levels.join(".") === epic.levels.join(".");
}

/** The last level: 2 of `1.2`. */
function lastLevel(epic: EpicNumber): number {
  return epic.levels.at(-1) ?? 0;
}

function epicNumber(prefix: string, levels: string): EpicNumber {
  const upper = prefix.toUpperCase();
  // E05 is the plain sequence, written out.
  return { prefix: upper === "E" ? "" : upper, levels: levels.split(".").map(Number) };
}
