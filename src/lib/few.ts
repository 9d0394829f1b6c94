/** Lists that may be long: the first of them are named, and the rest is counted. */

/** So many are named: beside other things in a line; in a sentence of their own; one below the other. */
export const IN_A_LINE = 3;
export const IN_A_SENTENCE = 12;
export const IN_A_LIST = 50;

/** The first `most`, and how many more there are. One alone is not left out: to say so takes as much room as its name. */
export function firstOf<T>(all: readonly T[], most: number): { shown: readonly T[]; left: number } {
  return all.length <= most + 1 ? { shown: all, left: 0 } : { shown: all.slice(0, most), left: all.length - most };
}

/** `a, b and 3 more`. `parted` stands between them. */
export function few(all: readonly string[], most = IN_A_SENTENCE, parted = ", "): string {
  const { shown, left } = firstOf(all, most);
  return `${shown.join(parted)}${left > 0 ? ` and ${left} more` : ""}`;
}

/** Those that stand one below the other, and behind them how many more there are; `whole`: the command that names all. */
export function fewInAList(all: readonly string[], whole?: string): string[] {
  const { shown, left } = firstOf(all, IN_A_LIST);
  return left === 0 ? [...shown] : [...shown, `… and ${left} more${whole === undefined ? "" : `: ${whole}`}`];
}
