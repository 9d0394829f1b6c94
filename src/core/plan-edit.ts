/** What both forms of a plan share when a task's dependencies are changed in its own file: what is wanted, and the refusal. */
import { OwtError } from "./errors.ts";

/** Full ids. None of `add` is there, and all of `remove` are. */
export type NeedsEdit = { add: readonly string[]; remove: readonly string[] };

/** A file that cannot be changed without touching more than was asked for is left to a person. */
export function cannotEdit(file: string, why: string): OwtError {
  return new OwtError("plan", `${file} cannot be changed safely: ${why}`, {
    hint: "change its depends_on in an editor, then look: owt plan deps",
  });
}

/** Lower case, without spaces, dashes and underscores, as the keys of a plan are compared. */
export function isNeedsKey(key: string): boolean {
  return key.toLowerCase().replace(/[\s_-]+/g, "") === "dependson";
}
