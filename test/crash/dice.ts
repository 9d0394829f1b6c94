/** Chance that a seed repeats (mulberry32). */
export type Dice = {
  /** A number in [0, 1). */
  roll(): number;
  chance(of: number): boolean;
  /** A whole number, both ends included. */
  between(least: number, most: number): number;
};

export function dice(seed: number): Dice {
  let state = seed >>> 0;
  const roll = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    roll,
    chance: (of) => roll() < of,
    between: (least, most) => least + Math.floor(roll() * (most - least + 1)),
  };
}
