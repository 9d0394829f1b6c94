/** Where what sessions tell lies; by itself, so that who only asks whether there ever was one loads nothing else. */
import { join } from "node:path";
import type { Engine } from "./engine.ts";

/** The folder in which all spools lie, to be watched; not there before the first session. */
export function spoolFolder({ repo }: Pick<Engine, "repo">): string {
  return join(repo.commonDir, "owt", "sessions");
}
