/** Which of several tasks of one key a command is about. */

/** Where several runs have a task of one key. */
export type PickOption = { json?: boolean; run?: string };

export const RUN_OPTION = [
  "--run <run>",
  "the task of this run; by default the one that waits, else the newest",
] as const;
