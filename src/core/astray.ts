/** A run's branch that somebody moved to where the run's work is not: nothing is merged into it, and nothing begins from it, until a person puts it right. Pure. */

/** Why, in words; the command that puts it right, and what there is to know beside it. `passes`: it may be over by itself in a moment, as a lock is; `halts`: nothing at all can be
 *  written by git, so that every step but an agent's own turn waits. */
export type Astray = { why: string; command: string; note: string | null; passes?: true; halts?: true };

/** Why everything of the run waits. */
export function describeAstray({ why }: Pick<Astray, "why">): string {
  return `${why}; what waits for it goes on once it is put right`;
}
