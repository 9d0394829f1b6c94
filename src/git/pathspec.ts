/** git's pathspecs, as far as `submodule.active` uses them (gitglossary(7), "pathspec"): paths, folders, wildcards, and what begins with `:!`. */

/** Whether a path is among what these say. */
export function matchesPathspecs(path: string, specs: readonly string[]): boolean {
  const isExcluded = specs.some((spec) => EXCLUDES.test(spec) && matches(path, spec.replace(EXCLUDES, "")));
  const included = specs.filter((spec) => !EXCLUDES.test(spec));
  return !isExcluded && (included.length === 0 || included.some((spec) => matches(path, spec)));
}

const EXCLUDES = /^:(?:[!^]|\(exclude\))/;
const FROM_TOP = /^:(?:\/|\((?:top|glob|)\))/;

function matches(path: string, spec: string): boolean {
  const bare = spec.replace(FROM_TOP, "").replace(/^\.\//, "").replace(/\/+$/, "");
  if (bare === "" || bare === ".") return true;
  if (path === bare || path.startsWith(`${bare}/`)) return true;
  // A wildcard also stands for `/`.
  const pattern = bare
    .replaceAll(/[.+^${}()|\\]/g, String.raw`\$&`)
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return asPattern(`^${pattern}(?:/.*)?$`)?.test(path) ?? false;
}

function asPattern(source: string): RegExp | null {
  try {
    return new RegExp(source, "s");
  } catch {
    return null;
  }
}
