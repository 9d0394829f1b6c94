/** Tells which paths no pattern of ignore files can mean, without knowing how git matches them: what is left of a pattern without its wildcards
 *  would have to stand somewhere in the path. */

/** Patterns that may ignore something, each as the words that a path must hold for it. */
export type MayIgnore = readonly RegExp[];

/** Reads an ignore file (gitignore(5)), whose bytes are given as latin1. What takes back an exclusion ignores nothing by itself. */
export function readPatterns(text: string): MayIgnore {
  const lines = text.replace(/^\u00ef\u00bb\u00bf/, "").split("\n");
  return lines.filter((line) => !/^[#!]/.test(line) && line.trim() !== "").map((line) => loosen(line.trim()));
}

/** Whether a path, or a folder that it lies in, may be ignored. One that none of the patterns means is not, whichever folder they are of. */
export function mayIgnore(patterns: MayIgnore, path: string): boolean {
  return patterns.some((pattern) => pattern.test(path));
}

/** Wildcards stand for anything, also for nothing and for slashes. What follows a bracket is left out: only git knows where that ends. */
function loosen(pattern: string): RegExp {
  const words = pattern.replace(/\[.*$/s, "*").replaceAll(/\\(.?)/gs, "$1");
  const parts = words.split(/\/*[*?][/*?]*|^\/|\/$/);
  return new RegExp(parts.map((part) => part.replaceAll(/[$()*+.?[\\\]^{|}]/g, "\\$&")).join(".*"), "is");
}
