/** Texts of the store that are JSON. A bit that turned inside of one leaves the file sound for SQLite; what does not read any more is damage all the same. */
import { OwtError } from "../core/errors.ts";

/** Where they stand: every column, and whether it may be null. */
const COLUMNS: Record<string, { always: readonly string[]; perhaps: readonly string[] }> = {
  task: { always: ["spec", "needs", "next", "answers"], perhaps: ["park", "rival"] },
  run: { always: ["options"], perhaps: [] },
  attempt: { always: [], perhaps: ["usage", "outcome"] },
  event: { always: ["data"], perhaps: [] },
  backlog: { always: ["spec"], perhaps: [] },
  outbox: { always: ["moment", "reached"], perhaps: ["owner"] },
};

/** A query for the first table, as `broken`, with a text that is none; no row where all are. */
export const FIND_BROKEN: string = `${Object.entries(COLUMNS)
  .map(([table, { always, perhaps }]) => {
    const broken = [...always, ...perhaps].map((column) => `not json_valid(${column})`);
    return `select '${table}' as broken from ${table} where ${broken.join(" or ")}`;
  })
  .join(" union all ")} limit 1`;

/** What is told of it. */
export function describeBroken(table: string): string {
  return `a text of the table ${table} cannot be read`;
}

/** What helps a damaged store. */
export const MEND = "put it aside and restore its last backup: owt doctor --fix";

/** The value of such a text. Throws `store` where it is none any more. */
export function parseStored(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch (cause) {
    throw new OwtError("store", "the store of this repository is damaged: a text in it cannot be read", {
      hint: MEND,
      cause,
    });
  }
}
