/** Which files a task may change: the paths and patterns of its `touches`. Pure. */

/** Those of `paths` that none of `touches` allows. A path without a wildcard is a file, or a folder with all in it; `*` and `?` stand for part of a
 *  name, `**` for folders too, `{a,b}` for either. Square brackets stand for themselves: some frameworks name folders so. */
export function outsideOf(paths: readonly string[], touches: readonly string[]): string[] {
  const patterns = touches.map(toPattern);
  return paths.filter((path) => !patterns.some((pattern) => pattern.test(path)));
}

function toPattern(text: string): RegExp {
  const bare = text
    .trim()
    .replace(/^(?:\.?\/)+/, "")
    .replace(/\/+$/, "");
  if (bare === "" || bare === ".") return /(?:)/;
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
