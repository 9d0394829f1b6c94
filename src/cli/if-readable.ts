/** What a screen does by itself, from timers, with a store that may have come to harm. */
import { OwtError } from "../core/errors.ts";

/** Does something that reads the store; null where that cannot be read. From a timer nobody would take in what is wrong: who carries or watches the run meets it, too,
 *  and tells it. */
export function ifReadable<T>(work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    if (error instanceof OwtError && error.code === "store") return null;
    throw error;
  }
}
