/** Whether two tasks touch the same files, as far as that is known before they begin: by the paths and patterns that they name, or that like tasks
 *  changed. Pure. */
import { type DagNode, downstreamOf, upstreamOf } from "./dag.ts";
import { expandBraces, plainPath } from "./touches.ts";

/** What two tasks both touch, in the words of one of them (the narrower where that can be told); null where they touch nothing in common, or nothing is
 *  known of one. Paths and patterns are read as `touches` reads them: a path stands for a file, or for a folder with all in it. */
export function findOverlap(one: readonly string[], other: readonly string[]): string | null {
  for (const a of one) for (const b of other) if (meet(a, b)) return a.length >= b.length ? a : b;
  return null;
}

/** A task (its id in the store) that lets others go first while `behind` (a key) is at work: both touch `path`. */
export type HeldApart = { task: number; behind: string; path: string };

/** Two tasks of a plan (their ids) that touch the same files. */
export type Overlap = { tasks: string[]; path: string };

/** The pairs of a plan that could run side by side (neither needs the other) and touch the same files, in the order of the plan; at most `most`. */
export function overlapsIn(tasks: readonly (DagNode & { touches: readonly string[] })[], most: number): Overlap[] {
  const overlaps: Overlap[] = [];
  const touching = tasks.filter(({ touches }) => touches.length > 0);
  for (const [at, one] of touching.entries()) {
    let related: Set<string> | null = null;
    for (const other of touching.slice(at + 1)) {
      const path = findOverlap(one.touches, other.touches);
      if (path === null) continue;
      related ??= upstreamOf(tasks, [one.id]).union(downstreamOf(tasks, [one.id]));
      if (related.has(other.id)) continue;
      overlaps.push({ tasks: [one.id, other.id], path });
      if (overlaps.length === most) return overlaps;
    }
  }
  return overlaps;
}

/** Fewer tasks say nothing of what is usual. */
const ENOUGH = 3;

/** The paths that at least half of some tasks changed; none where they are too few. */
export function usualPaths(changed: readonly (readonly string[])[]): string[] {
  if (changed.length < ENOUGH) return [];
  const counts = new Map<string, number>();
  for (const paths of changed) for (const path of new Set(paths)) counts.set(path, (counts.get(path) ?? 0) + 1);
  return [...counts].filter(([, count]) => count * 2 >= changed.length).map(([path]) => path);
}

function meet(one: string, other: string): boolean {
  return variants(one).some((a) =>
    variants(other).some((b) => couldMeet(a, b) && intersect(a, b, isAnywhere(a) || isAnywhere(b))),
  );
}

/** `isFile`: its last name has an ending, as those of files have, and folders hardly ever. */
type Pattern = { text: string; steps: Step[]; isFile: boolean };

/** Names such as `a.ts` and `*.md`; `.github` is none. */
const WITH_ENDING = /[^/]\.[A-Za-z0-9]+$/;

/** Whether it begins with any folder at all: such a pattern goes on below every file too, were that a folder. */
function isAnywhere({ text }: Pattern): boolean {
  return text.startsWith("**/");
}

/** One step of a pattern: a letter; any letter of a name; any number of these; any number of any letters; folders, or none. */
type Step = { kind: "letter"; letter: string } | { kind: "one" | "name" | "any" | "folders" };

const known = new Map<string, Pattern[]>();
/** Plans have thousands of patterns at most; a process that lives for days may see more. */
const MOST_KNOWN = 20_000;

function variants(text: string): Pattern[] {
  let found = known.get(text);
  if (found === undefined) {
    if (known.size >= MOST_KNOWN) known.clear();
    // Nothing at all is the whole repository.
    found = expandBraces(plainPath(text) || "**").map((each) => ({
      text: each,
      steps: toSteps(each),
      isFile: WITH_ENDING.test(each),
    }));
    known.set(text, found);
  }
  return found;
}

function toSteps(text: string): Step[] {
  return [...text.matchAll(/\*\*\/|\*\*|\*|\?|[^]/g)].map(([token]): Step => {
    if (token === "**/") return { kind: "folders" };
    if (token === "**") return { kind: "any" };
    if (token === "*") return { kind: "name" };
    if (token === "?") return { kind: "one" };
    return { kind: "letter", letter: token };
  });
}

/** A quick look at what stands before the first wildcard. */
function couldMeet({ text: a }: Pattern, { text: b }: Pattern): boolean {
  const [short, long] = [fixedPart(a), fixedPart(b)].toSorted((x, y) => x.length - y.length) as [string, string];
  return long.startsWith(short);
}

function fixedPart(text: string): string {
  return /^[^*?]*/.exec(text)![0];
}

/** Both patterns are gone through at once, letter by letter, over every pair of places that a common text leads to. `filesAreFiles`: below
 *  what is called like a file there is nothing. */
function intersect(one: Pattern, other: Pattern, filesAreFiles: boolean): boolean {
  const [{ steps: a }, { steps: b }] = [one, other];
  const moves = (pattern: Pattern, at: number) =>
    filesAreFiles && pattern.isFile && at === pattern.steps.length ? [] : movesOf(pattern.steps, at);
  const width = b.length + 2;
  const seen = new Set<number>();
  const open: [number, number][] = [];
  const reach = (i: number, j: number) => {
    const key = i * width + j;
    if (seen.has(key)) return;
    seen.add(key);
    open.push([i, j]);
  };
  reach(0, 0);
  for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
    const [i, j] = pair;
    if (isEnd(a, i) && isEnd(b, j)) return true;
    for (const next of skips(a, i)) reach(next, j);
    for (const next of skips(b, j)) reach(i, next);
    for (const x of moves(one, i)) for (const y of moves(other, j)) if (agree(x.on, y.on)) reach(x.to, y.to);
  }
  return false;
}

/** At the end of a pattern, or below the folder that it names: one place further. */
function isEnd(steps: readonly Step[], at: number): boolean {
  return at >= steps.length;
}

/** Where a place leads to without a letter. */
function skips(steps: readonly Step[], at: number): number[] {
  const kind = steps[at]?.kind;
  return kind === "name" || kind === "any" || kind === "folders" ? [at + 1] : [];
}

/** "/" or another letter, any letter but "/", or any at all. */
type On = { letter: string } | "name" | "any";

function movesOf(steps: readonly Step[], at: number): { on: On; to: number }[] {
  // What is in a folder is touched with it.
  if (at === steps.length) return [{ on: { letter: "/" }, to: at + 1 }];
  if (at > steps.length) return [{ on: "any", to: at }];
  const step = steps[at]!;
  switch (step.kind) {
    case "letter":
      return [{ on: { letter: step.letter }, to: at + 1 }];
    case "one":
      return [{ on: "name", to: at + 1 }];
    case "name":
      return [{ on: "name", to: at }];
    case "any":
      return [{ on: "any", to: at }];
    case "folders":
      return [
        { on: "any", to: at },
        { on: { letter: "/" }, to: at + 1 },
      ];
  }
}

function agree(one: On, other: On): boolean {
  if (one === "any" || other === "any") return true;
  if (one === "name") return other === "name" || other.letter !== "/";
  return other === "name" ? one.letter !== "/" : one.letter === other.letter;
}
