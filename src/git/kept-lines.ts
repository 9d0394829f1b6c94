/** Whether lines that somebody added stand in a file still, be it as other lines: with a comma more, another number, a renamed word. Pure. */

type Lines = ReadonlySet<string>;

/** A made line stands for another one where they share so much of their words. */
const LEAST_ALIKE = 0.5;

/** So many lines that were made anew are looked at. */
const MOST_MADE = 200;

/** Whether any of the lines that one side `added` is in `now`, as it is or made into another line: one that neither side has, and that holds a word which only this side brought, or
 *  is more like a line of this side than like what stood `beside` it (the file as it was before, and as the other side has it). */
export function isAnyKept(added: Lines, { beside, now }: { beside: Lines; now: Lines }): boolean {
  if (isAnyThere(added, now)) return true;
  const made = linesBeyond(now, beside).slice(0, MOST_MADE).map(wordsOf);
  const [own, others] = [indexed(added), indexed(beside)];
  const brought = new Set([...own.places.keys()].filter((word) => !others.places.has(word)));
  return made.some((words) => {
    if (!words.isDisjointFrom(brought)) return true;
    const alike = mostAlike(words, own);
    return alike >= LEAST_ALIKE && alike >= mostAlike(words, others);
  });
}

/** Whether one of these lines stands there, with other spaces, quotes, commas and semicolons or not. */
export function isAnyThere(lines: Lines, now: Lines): boolean {
  const there = bareOf(now);
  return [...lines].some((line) => there.has(bare(line)));
}

/** Those that are not beside, with other spaces and signs or not. */
export function linesBeyond(lines: Lines, beside: Lines): string[] {
  const there = bareOf(beside);
  return [...lines].filter((line) => !there.has(bare(line)));
}

function bareOf(lines: Lines): Lines {
  return new Set([...lines].map(bare));
}

/** What a formatter does to a line by itself. */
function bare(line: string): string {
  return line.replaceAll(/[\s,;'"`]+/g, "");
}

type Words = ReadonlySet<string>;

/** Lines by their words, to be found by each of them. */
type Index = { sizes: number[]; places: ReadonlyMap<string, number[]> };

function indexed(lines: Lines): Index {
  const all = [...lines].map(wordsOf);
  const places = new Map<string, number[]>();
  for (const [line, words] of all.entries())
    for (const word of words) {
      const at = places.get(word);
      if (at === undefined) places.set(word, [line]);
      else at.push(line);
    }
  return { sizes: all.map((words) => words.size), places };
}

/** The share of words that the line which is most like this one has in common with it: 1 where they are the same, 0 where no line has one of them. */
function mostAlike(words: Words, { sizes, places }: Index): number {
  const shared = new Map<number, number>();
  for (const word of words) for (const line of places.get(word) ?? []) shared.set(line, (shared.get(line) ?? 0) + 1);
  let most = 0;
  for (const [line, count] of shared) most = Math.max(most, (2 * count) / (words.size + sizes[line]!));
  return most;
}

/** Parts of names count for themselves (`readFile`, `read_file`), and so does each sign of scripts that write no spaces between words. */
function wordsOf(line: string): Words {
  return new Set(
    (line.match(/\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+|\p{N}+|\p{Lo}/gu) ?? []).map((word) => word.toLowerCase()),
  );
}
