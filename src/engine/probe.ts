/** Which attempt tries whether a limit is over: one in this repository, and one in all repositories of the same user. */
import type { Attempt } from "../core/attempt.ts";
import { holds, type LimitHold, mayTry } from "../core/limit.ts";
import type { Task } from "../core/task.ts";
import { readLimits } from "../store/limits.ts";
import { credentialOf } from "./credentials.ts";
import type { Engine } from "./engine.ts";
import { noteProbe, readHolding } from "./governor.ts";
import { hearLimits, isFirstToTry } from "./shared-limits.ts";

/** Whether an agent with a model is started now, where it would be the one that tries a limit: not while another repository does. `isReady`: nothing but its launch is
 *  left to do. */
export function mayStart(
  engine: Engine,
  { agent, model }: Pick<Attempt, "agent" | "model">,
  { isReady = false } = {},
): boolean {
  const limits = readLimits(engine.store);
  if (limits.length === 0) return true;
  const credential = credentialOf(engine, agent);
  return isFirstToTry(
    engine,
    limits.filter((limit) => holds(limit, credential, model)),
    isReady,
  );
}

/** What keeps the agent of an open attempt from being started, now that it is ready for it; null where nothing does. Where a limit may be tried by
 *  now, it is the one that tries it. */
export function heldAtLast(engine: Engine, attempt: Attempt, task: Task): LimitHold | null {
  hearLimits(engine);
  const readHold = () => readHolding(engine)?.(attempt.agent, () => attempt.model) ?? null;
  const hold = readHold();
  if (hold === null) return null;
  const isOurs = hold.probe === task.key;
  if (!isOurs && (hold.probe !== null || !mayTry(hold, engine.now()))) return hold;
  // Its place may have taken so long that another repository goes first by now.
  if (!mayStart(engine, attempt, { isReady: true })) return readHold();
  if (!isOurs) noteProbe(engine, attempt);
  return null;
}
