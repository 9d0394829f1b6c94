/** Splits a markdown file into front matter and body. Front matter is YAML and data: nothing in it can execute, tags and other
 *  languages (`---js`) are refused. */
import { isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import type { Node } from "yaml";
import type { Located } from "./plan-fields.ts";
import type { Problem } from "./plan.ts";

export type Markdown = {
  /** Keys in the order of the file; empty without front matter. */
  entries: Map<string, Located>;
  /** Everything after the front matter, line ends as LF, without blank lines around it. */
  body: string;
  problems: Problem[];
};

/** Reads one file; never throws. Accepts a byte order mark and any line ends (LF everywhere afterwards, so that what a task asks for
 *  does not depend on how it was checked out). */
export function parseMarkdown(file: string, text: string): Markdown {
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/);
  const opening = /^---[ \t]*(\S*)[ \t]*$/.exec(lines[0]!);
  if (opening === null) return bodyOnly(lines, 0);
  const language = opening[1]!.toLowerCase();
  const problem = (line: number, message: string, hint: string): Problem => ({
    file,
    line,
    code: "front-matter",
    message,
    hint,
  });

  const end = lines.findIndex((line, at) => at > 0 && /^(---|\.\.\.)[ \t]*$/.test(line));
  if (!["", "yaml", "yml"].includes(language)) {
    // "----" and the like are rules, not languages.
    if (!/^[a-z]\w*$/.test(language)) return bodyOnly(lines, 0);
    const refused = problem(1, `front matter in ${language} is not read`, "write it in YAML, between two lines of ---");
    return { ...bodyOnly(lines, end < 0 ? lines.length : end + 1), problems: [refused] };
  }
  if (end < 0) {
    // A file may simply begin with a horizontal rule; keys right below it mean that the closing line was forgotten.
    if (!/^[A-Za-z_][\w-]*:(\s|$)/.test(lines[1] ?? "")) return bodyOnly(lines, 0);
    const open = problem(1, "the front matter is not closed", "end it with a line of ---");
    return { ...bodyOnly(lines, 0), problems: [open] };
  }
  const source = lines.slice(1, end).join("\n");
  if (source.length > LONGEST_FRONT_MATTER) {
    const long = problem(1, "the front matter is longer than 64 KB", "the text of the task belongs below it");
    return { ...bodyOnly(lines, end + 1), problems: [long] };
  }
  const { entries, problems } = parseYaml(file, source, 2);
  return { ...bodyOnly(lines, end + 1), entries, problems };
}

/** A page of keys is short; the YAML parser needs seconds for a megabyte of nested brackets. */
const LONGEST_FRONT_MATTER = 64 * 1024;

function bodyOnly(lines: readonly string[], from: number): Markdown {
  let first = from;
  while (first < lines.length && lines[first]!.trim() === "") first++;
  const body = lines.slice(first).join("\n").trimEnd();
  return { entries: new Map(), body, problems: [] };
}

/** One map of YAML 1.2. `firstLine` is the line of the file that it begins on. */
function parseYaml(
  file: string,
  source: string,
  firstLine: number,
): { entries: Map<string, Located>; problems: Problem[] } {
  const problems: Problem[] = [];
  const entries = new Map<string, Located>();
  const report = (line: number, message: string, hint: string): void => {
    problems.push({ file, line, code: "front-matter", message, hint });
  };
  const lines = new LineCounter();
  const lineAt = (offset: number | undefined): number => firstLine - 1 + Math.max(1, lines.linePos(offset ?? 0).line);
  try {
    const document = parseDocument(source, {
      lineCounter: lines,
      prettyErrors: false,
      schema: "core",
      logLevel: "silent",
    });
    // One mistake often breeds several messages; the first is the one to mend.
    const [error] = document.errors;
    if (error !== undefined && /call stack/i.test(error.message)) throw new RangeError(error.message);
    if (error !== undefined) {
      const hint = /colon|implicit|mapping|block/i.test(error.message)
        ? 'put quotes around a value that holds ": " or begins with a special character, and indent lists evenly'
        : "see https://yaml.org, or put the value in quotes";
      report(lineAt(error.pos[0]), `the front matter is not YAML: ${error.message}`, hint);
    } else if (isMap(document.contents)) {
      for (const pair of document.contents.items) {
        const key = pair.key as Node | null;
        if (!isScalar(key)) {
          report(lineAt(key?.range?.[0]), "a key of the front matter is not a plain word", "write key: value");
          continue;
        }
        entries.set(String(key.value), locate(pair.value as Node | null, lineAt, lineAt(key.range?.[0])));
      }
    } else if (document.contents !== null && !(isScalar(document.contents) && document.contents.value === null)) {
      report(
        firstLine,
        "the front matter is not a list of keys",
        "write key: value lines, or use *** for a horizontal rule",
      );
    }
  } catch (error) {
    // The parser and `locate` recurse: nesting without end overflows the stack, which is the file's fault and not ours.
    if (!(error instanceof RangeError)) throw error;
    report(firstLine, "the front matter is nested too deeply", "use plain keys and lists");
  }
  return { entries, problems };
}

/** An alias or a nested map comes out as a map without keys: no key that we know takes one, so its reader names the place. */
function locate(node: Node | null, lineAt: (offset: number | undefined) => number, keyLine: number): Located {
  if (node === null) return { line: keyLine, kind: "scalar", value: null, source: "" };
  const line = node.range ? lineAt(node.range[0]) : keyLine;
  if (isSeq(node)) {
    return { line, kind: "list", items: node.items.map((item) => locate(item as Node | null, lineAt, line)) };
  }
  if (!isScalar(node)) return { line, kind: "map", entries: new Map() };
  const value = plainOf(node.value);
  return { line, kind: "scalar", value, source: node.source ?? String(value ?? "") };
}

function plainOf(value: unknown): string | number | boolean | null {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null;
}
