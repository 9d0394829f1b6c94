/** In which order tasks that wait to be integrated are merged: as few as can be meet a conflict. Pure. */

/** Two that conflict, by their places in the list. */
export type Clash = readonly [number, number];

/** The most of which the best choice is searched for; among more, who conflicts with the fewest goes first. */
const MOST_SEARCHED = 16;

/** The places 0 … `count` - 1, best rank first, in the order in which they are merged: first as many as can be that do not conflict with each other, and of
 *  several such choices the one that has the better ranks; then the others, which will meet what was merged before them. Those that are `due`, the first of
 *  them first, are chosen before all others: who has just resolved a conflict does not meet the next one because of somebody who never met any. */
export function orderMerges(count: number, clashes: readonly Clash[], due: readonly number[] = []): number[] {
  const all = Array.from({ length: count }, (_, index) => index);
  const met = new Map(all.map((index) => [index, new Set<number>()]));
  for (const [one, other] of clashes) {
    met.get(one)?.add(other);
    met.get(other)?.add(one);
  }
  const torn = all.filter((index) => met.get(index)!.size > 0);
  if (torn.length === 0) return all;
  const before = chooseDue(due, met);
  const free = torn.filter((index) => !before.has(index) && met.get(index)!.isDisjointFrom(before));
  const chosen = before.union(new Set(free.length <= MOST_SEARCHED ? search(free, met) : pick(free, met)));
  const isFirst = (index: number) => met.get(index)!.size === 0 || chosen.has(index);
  return [...all.filter(isFirst), ...all.filter((index) => !isFirst(index))];
}

type Met = ReadonlyMap<number, Set<number>>;

/** Each that stands in the way of none before it. */
function chooseDue(due: readonly number[], met: Met): Set<number> {
  const chosen = new Set<number>();
  for (const index of due) if (met.get(index)!.isDisjointFrom(chosen)) chosen.add(index);
  return chosen;
}

/** The largest choice without a clash; of equal ones the first, in the order of ranks. */
function search(left: readonly number[], met: Met): number[] {
  const [first, ...others] = left;
  if (first === undefined) return [];
  const withFirst = [
    first,
    ...search(
      others.filter((index) => !met.get(first)!.has(index)),
      met,
    ),
  ];
  // Without it nothing is won where it stands in nobody's way, or where as many are left as there are anyway.
  if (withFirst.length >= others.length) return withFirst;
  const without = search(others, met);
  return without.length > withFirst.length ? without : withFirst;
}

/** One after the other the one that stands in the way of the fewest. */
function pick(torn: readonly number[], met: Met): number[] {
  const left = new Set(torn);
  const chosen: number[] = [];
  const inTheWay = (index: number) => [...met.get(index)!].filter((other) => left.has(other)).length;
  while (left.size > 0) {
    const next = [...left].reduce((best, each) => (inTheWay(each) < inTheWay(best) ? each : best));
    chosen.push(next);
    left.delete(next);
    for (const other of met.get(next)!) left.delete(other);
  }
  return chosen;
}
