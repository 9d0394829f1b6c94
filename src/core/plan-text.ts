/** What a person reads first in a markdown text: its heading and its first paragraph. */
import { epicLabel, epicOfWord } from "./plan-epics.ts";
import type { EpicNumber } from "./plan-epics.ts";

/** Longer than any title; the patterns below are never let loose on more. */
const LONGEST_TITLE = 500;

/** The text of the first `# heading` outside code, or null. Cut at 500 characters. */
export function headingOf(body: string): string | null {
  for (const line of linesOutsideCode(body)) {
    const heading = /^ {0,3}#[ \t]+(\S.*)$/.exec(line.slice(0, LONGEST_TITLE));
    if (heading !== null) return heading[1]!.replace(/[ \t]+#+[ \t]*$/, "").trim();
  }
  return null;
}

const NUMBERED = /^(epic[ \t]+)?([A-Za-z]{0,20}[ _-]?\d{1,6}(?:\.\d{1,6})*)[ \t]*[:–—-][ \t]*(\S.*)$/i;

/** The useful part of a heading: `Epic 05: Input Validators` and `E05 - Input Validators` are `Input Validators`. A word that only looks
 *  like a number (`HTTP2: support`) stays, unless it is this task's own. */
export function titleOfHeading(heading: string, epic: EpicNumber | null): string {
  const numbered = NUMBERED.exec(heading);
  if (numbered === null) return heading;
  const [, word, number, rest] = numbered;
  const written = epicOfWord(number!);
  const own = epic !== null && written !== null && epicLabel(written, false) === epicLabel(epic, false);
  return word !== undefined || own ? rest! : heading;
}

/** `epic-05-input-validators.md` is `Input validators`. */
export function titleOfFileName(name: string): string {
  const stem = name.replace(/\.md$/i, "");
  const words = stem
    .replace(/^(epic[-_ ]?([a-z]+[-_ ])?[\d.]+|[\d.]+[-_ ]epic)(?=[-_ .]|$)/i, "")
    .replace(/[-_ .]+/g, " ");
  const title = words.trim() || stem;
  return title.charAt(0).toUpperCase() + title.slice(1);
}

/** The first paragraph of prose: no headings, quotes, tables, lists, rules or code. "" when there is none. */
export function firstParagraph(body: string): string {
  const paragraph: string[] = [];
  for (const line of linesOutsideCode(body)) {
    const prose = line.trim() !== "" && !/^\s*(#|>|\||[-*+][ \t]|\d+[.)][ \t]|([-*_][ \t]*){3,}$|<!--)/.test(line);
    if (prose) paragraph.push(line.trim());
    else if (paragraph.length > 0) break;
  }
  return paragraph.join(" ");
}

/** Lines of prose; a fenced block counts as one empty line. */
function* linesOutsideCode(body: string): Generator<string> {
  let fence: string | null = null;
  for (const line of body.split("\n")) {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence !== null) {
      if (mark !== undefined && mark.startsWith(fence) && line.trim() === mark) fence = null;
    } else if (mark !== undefined) {
      fence = mark;
      yield "";
    } else yield line;
  }
}
