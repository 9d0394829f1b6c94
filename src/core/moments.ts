/** What a person can be told of. */
export const MOMENTS = ["waiting", "budget", "run-ended", "batch-ended"] as const;

export type MomentName = (typeof MOMENTS)[number];
