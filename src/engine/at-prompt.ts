/** Who asks a person something and waits for the answer, before it goes on with the runs. Nobody holds the lease then, and yet they are in good hands. */
import { type AtPrompt, forgetAtPrompt, readAtPrompt, recordAtPrompt } from "../store/at-prompt.ts";
import { isAlive, isSuspended, thisProcess } from "../system/identity.ts";
import type { Engine } from "./engine.ts";

/** Says that this process asks the question of a task; null: that it asks nothing any more. What cannot be written now (a full disk) is only not said. */
export function noteAtPrompt(engine: Engine, about: Pick<AtPrompt, "run" | "task"> | null): void {
  try {
    if (about === null) forgetAtPrompt(engine.store, process.pid);
    else
      engine.store.transaction(() => {
        // One that was killed at its prompt took nothing back.
        for (const other of readAtPrompt(engine.store)) if (!isAlive(other)) forgetAtPrompt(engine.store, other.pid);
        recordAtPrompt(engine.store, { ...thisProcess(), ...about });
      });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
}

/** A living process that asks for an answer and then goes on with the runs; null where there is none. One that was suspended does not. */
export function findAtPrompt(engine: Engine): AtPrompt | null {
  return readAtPrompt(engine.store).find((asking) => isAlive(asking) && !isSuspended(asking)) ?? null;
}
