/** What became of a slot of a batch. */

export type FiringState =
  /** Somebody is about to start its run. */
  | "claimed"
  /** Its run is under way. */
  | "running"
  /** Its run has ended, or waits for a person. */
  | "over"
  /** There was nothing to do. */
  | "nothing"
  /** Its run could not be started. */
  | "refused"
  /** The run of an earlier slot was still under way. */
  | "overlap"
  /** Nobody watched at the time. */
  | "missed";

export type Firing = {
  id: number;
  batch: string;
  /** In epoch milliseconds. */
  slot: number;
  /** Started by hand: the slot is the moment at which that was asked for. */
  byHand: boolean;
  state: FiringState;
  run: string | null;
  /** In words; null where the state says all. */
  reason: string | null;
  /** What a person can do about it, where its run could not be started. */
  hint: string | null;
  /** Whether somebody wants to be told of its end. */
  notify: boolean;
  at: number;
  endedAt: number | null;
};

/** What lets a batch go on whose slot could not start. */
export function startCommand(batch: string): string {
  return `owt batch run ${batch}`;
}

/** The command in a hint that asks for approval; null for none. */
export function findApproval(hint: string | null): string | null {
  return hint === null ? null : (/owt config approve(?: --profile \S+)?/.exec(hint)?.[0] ?? null);
}

/** States in which the next slot of the batch has to be passed over. */
export const FIRING_OPEN: ReadonlySet<FiringState> = new Set(["claimed", "running"]);

/** Why a slot has nothing to begin: what its run is left with waits for a person. */
export function describeStuck(stuck: readonly string[]): string {
  const [first, ...others] = stuck;
  const what = others.length === 0 ? `${first} waits` : `${first} and ${others.length} more wait`;
  return `nothing can begin: ${what} for a person`;
}
