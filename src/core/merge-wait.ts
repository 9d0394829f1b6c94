/** What those that are being merged, or wait for it, are told of it. Pure. */

/** Why each task stands where it does, by row number. `merging`: all whose turn it is or will be, the first to come first. `checked`: those that were taken
 *  up last to be checked together; who is not among the merging any more is through. */
export function describeMerges(merging: readonly number[], checked: readonly number[]): Map<number, string> {
  const inHand = merging.filter((task) => checked.includes(task));
  const words = new Map<number, string>();
  const others = inHand.length - 1;
  const together = others > 0 ? ` together with ${others} other${others === 1 ? "" : "s"}` : "";
  for (const task of inHand) words.set(task, `merged and checked${together}`);
  const waiting = merging.filter((task) => !checked.includes(task));
  waiting.forEach((task, index) => {
    const before = inHand.length + index;
    if (before > 0) words.set(task, `waits for the merge queue: ${before} before it`);
  });
  return words;
}
