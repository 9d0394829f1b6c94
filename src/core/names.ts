/** Names that people and plans give: near misses, safe short forms, and branch names that git and a shell both take. */

/** The candidates that `word` was probably meant to be, nearest first, at most `max`; none when nothing is near. Case is ignored, a
 *  candidate that ends in `/word` or stands below it is near, and otherwise up to a third of the letters may differ (one always may). */
export function nearest(word: string, candidates: Iterable<string>, max = 3): string[] {
  // Nobody mistypes a text of this length; comparing it would only cost time.
  if (word.length > 200) return [];
  const wanted = word.toLowerCase();
  const bound = Math.max(1, Math.floor(wanted.length / 3));
  // What stands below a name comes behind what has it.
  const distanceOf = (part: string, at: number) => editDistance(wanted, part, bound) + at / 2;
  const found: { name: string; distance: number }[] = [];
  for (const name of new Set(candidates)) {
    const other = name.toLowerCase();
    const distance = other.endsWith(`/${wanted}`) ? 0.5 : Math.min(...meant(other).map(distanceOf));
    // Of a word of one letter every other one would be near.
    if (distance <= bound && distance < wanted.length) found.push({ name, distance });
  }
  return found
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, max)
    .map((entry) => entry.name);
}

/** A name, and what it stands below. */
function meant(name: string): string[] {
  const end = name.lastIndexOf("/");
  return end > 0 ? [name, name.slice(0, end)] : [name];
}

/** What to do about a name that there is not: the nearest ones, and the command that lists all. */
export function nearestHint(word: string, candidates: Iterable<string>, list: string): string {
  const close = nearest(word, candidates);
  return close.length > 0 ? `did you mean ${close.join(" or ")}? ${list}` : list;
}

/** A title as the one line that a commit's subject is: git shows what stands there to any terminal, so nothing in it may steer one. */
export function oneLine(text: string): string {
  return text
    .replace(ESCAPES, "")
    .replace(/\s*[\p{Cc}\p{Bidi_Control}\u2028\u2029]+\s*/gu, " ")
    .trim();
}

/** Control sequences of terminals (ECMA-48): CSI, OSC and their like, and the short ones. */
// eslint-disable-next-line no-control-regex
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[ -/]*[0-~])/gu;

const SLUG_LENGTH = 40;

/** A short name for branches, folders and sessions: 1 to 40 of `[a-z0-9-]`, no `-` at either end, safe as a component of a git ref.
 *  Accents fall away; a text without any such letter becomes `task`. Different texts may give one slug: the caller keeps them apart. */
export function slug(text: string): string {
  const plain = text
    .normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .toLowerCase();
  const words = plain.replace(/[^a-z0-9]+/g, "-").replace(/^-/, "");
  return words.slice(0, SLUG_LENGTH).replace(/-$/, "") || "task";
}

const BRANCH_LENGTH = 200;

/** Why this cannot be the name of a branch, or null when it can. Stricter than git: only letters and digits, of any script, and what no shell takes for
 *  something else, so that a screen cannot show it as another, and that no command takes for an option or a revision. */
export function checkBranchName(name: string): string | null {
  if (name === "") return "is empty";
  // Refs and folders are files: no file's name has more than 255 bytes, and git and we write something behind it.
  if (new TextEncoder().encode(name).length > BRANCH_LENGTH) return `is longer than ${BRANCH_LENGTH} bytes`;
  if (/[\p{Cc}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}]/u.test(name))
    return "holds a control character, one that changes the writing direction, or one that nobody sees";
  if (name.startsWith("-")) return "begins with a dash and would be taken for an option";
  if (name.includes("@{")) return "holds @{, which git reads as a revision";
  if (name.includes("..")) return "holds .., which git reads as a range";
  if (!/^[\p{L}\p{N}]/u.test(name)) return "does not begin with a letter or digit";
  if (!/^[\p{L}\p{M}\p{N}_./-]*$/u.test(name)) return "may hold only letters, digits and . _ - /";
  if (name !== name.normalize("NFC")) return "has letters whose accents are written apart from them (it is not NFC)";
  if (name.endsWith("/") || name.includes("//")) return "has an empty part between slashes";
  if (name.endsWith(".") || /(^|\/)\./.test(name)) return "has a part that begins with a dot, or ends in one";
  // Refs are files: on a file system that ignores case, x.LOCK is git's own lock file, too.
  if (/\.lock(\/|$)/i.test(name)) return "has a part that ends in .lock";
  if (/^([a-z]+_)?head$/i.test(name)) return "is a name that git keeps for itself";
  if (/^refs(\/|$)/i.test(name)) return "begins with refs/, which git would read as a full ref";
  if (/^([0-9a-f]{40}|[0-9a-f]{64})$/i.test(name)) return "looks like a commit id";
  return null;
}

/** Levenshtein with swapped neighbours counted as one; anything above `bound` comes back as `bound + 1`, without being worked out. */
function editDistance(a: string, b: string, bound: number): number {
  if (Math.abs(a.length - b.length) > bound) return bound + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) cost = Math.min(cost, beforeLast[j - 2]! + 1);
      row.push(cost);
    }
    if (Math.min(...row) > bound) return bound + 1;
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
