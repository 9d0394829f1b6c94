/** Which files a task may change: the paths and patterns of its `touches`. Pure. */

/** Those of `paths` that none of `touches` allows. A path without a wildcard is a file, or a folder with all in it; `*` and `?` stand for part of a
 *  name, `**` for folders too, `{a,b}` for either. Square brackets stand for themselves: some frameworks name folders so. */
export function outsideOf(paths: readonly string[], touches: readonly string[]): string[] {
  const patterns = touches.map(toPattern);
  return paths.filter((path) => !patterns.some((pattern) => pattern.test(path)));
}

function toPattern(text: string): RegExp {
  const bare = plainPath(text);
  if (bare === "") return /(?:)/;
  let open = 0;
  const source = bare.replaceAll(/\*\*\/|\*\*|\*|\?|[{},]|[.+^$()|\\[\]]/g, (token) => {
    switch (token) {
      case "**/":
        return "(?:.*/)?";
      case "**":
        return ".*";
      case "*":
        return "[^/]*";
      case "?":
        return "[^/]";
      case "{":
        open++;
        return "(?:";
      case "}":
        if (open === 0) return String.raw`\}`;
        open--;
        return ")";
      case ",":
        return open > 0 ? "|" : ",";
      default:
        return `\\${token}`;
    }
  });
  return new RegExp(`^${source}${")".repeat(open)}(?:/.*)?$`, "s");
}

/** A path or pattern without what does not count: blanks, `./` and `/` at its begin, `/` at its end. The whole repository is "". */
export function plainPath(text: string): string {
  const bare = text
    .trim()
    .replace(/^(?:\.?\/)+/, "")
    .replace(/\/+$/, "");
  return bare === "." ? "" : bare;
}

/** So many patterns one with braces is taken for; with more it stands for whatever begins as it does. */
const MOST_ALTERNATIVES = 64;

/** The patterns without braces that one with `{a,b}` stands for, as {@link outsideOf} reads it: a brace that is not closed ends with the text, one that
 *  was not opened stands for itself. */
export function expandBraces(text: string): string[] {
  const open = text.indexOf("{");
  if (open === -1) return [text];
  const { alternatives, end } = readAlternatives(text, open + 1);
  const rests = expandBraces(text.slice(end));
  const heads = alternatives.flatMap(expandBraces);
  if (heads.length * rests.length > MOST_ALTERNATIVES) return [`${text.slice(0, open)}**`];
  return heads.flatMap((head) => rests.map((rest) => text.slice(0, open) + head + rest));
}

/** What stands between the commas from here to the brace that closes, and where it goes on behind that. */
function readAlternatives(text: string, from: number): { alternatives: string[]; end: number } {
  const alternatives = [""];
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const letter = text[at]!;
    if (letter === "}" && depth === 0) return { alternatives, end: at + 1 };
    if (letter === "{") depth++;
    if (letter === "}") depth--;
    if (letter === "," && depth === 0) alternatives.push("");
    else alternatives[alternatives.length - 1] += letter;
  }
  return { alternatives, end: text.length };
}
