/** Places for checks in the worktrees of tasks: beside those of agents, and as many, so that slow checks hold no agent up and a machine is not given all of them at once. */
import type { Run } from "../core/run.ts";
import type { Attempt } from "../core/attempt.ts";
import { MapPer } from "../lib/map-per.ts";
import type { Engine } from "./engine.ts";
import { onStop } from "./stops.ts";

type Places = { taken: number; waiting: (() => void)[] };

const places = new MapPer<Engine, string, Places>();

function placesOf(engine: Engine, run: string): Places {
  const runs = places.of(engine);
  const own = runs.get(run) ?? { taken: 0, waiting: [] };
  runs.set(run, own);
  return own;
}

/** Does it once there is a place, whoever came first before the others; `interrupted` where the attempt is told to stop while it waits. */
export async function inCheckPlace<T>(
  engine: Engine,
  { run, attempt }: { run: Run; attempt: Attempt },
  check: () => Promise<T>,
): Promise<T | "interrupted"> {
  const own = placesOf(engine, run.id);
  if (own.taken < run.options.maxParallel) own.taken++;
  else if (!(await waitForPlace(engine, own, attempt))) return "interrupted";
  try {
    return await check();
  } finally {
    leavePlace(own);
  }
}

/** The next one has it at once, so that nobody who comes in between takes it. */
function leavePlace(own: Places): void {
  const next = own.waiting.shift();
  if (next) next();
  else own.taken--;
}

async function waitForPlace(engine: Engine, own: Places, { id }: Attempt): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const go = () => resolve(true);
  own.waiting.push(go);
  const release = onStop(engine, id, () => {
    const at = own.waiting.indexOf(go);
    // Who was given a place in this moment has it, and is stopped there.
    if (at < 0) return;
    own.waiting.splice(at, 1);
    resolve(false);
  });
  try {
    return await promise;
  } finally {
    release();
  }
}
