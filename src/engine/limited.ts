/** Which tasks of a run wait behind usage limits, written down for whoever looks later: what another one met leaves no trace of their own. */
import { describeOutage, type LimitHold, mayTry } from "../core/limit.ts";
import type { Fact } from "../core/event.ts";
import type { Run } from "../core/run.ts";
import type { Task } from "../core/task.ts";
import { MapPer } from "../lib/map-per.ts";
import type { Store } from "../store/database.ts";
import { appendEvent } from "../store/events.ts";
import { readLimited } from "../store/run-words.ts";
import type { Engine } from "./engine.ts";
import { readHolding } from "./governor.ts";
import { limitOf } from "./view.ts";

const noted = new MapPer<Store, string, string>();

/** Writes down when usage limits begin and cease to keep tasks back: for how long they waited for one is told from that. */
export function noteLimited(engine: Engine, run: Run, tasks: readonly Task[]): void {
  const limits = limitedNow(engine, run, tasks);
  const runs = noted.of(engine.store);
  const before = runs.get(run.id) ?? JSON.stringify(readLimited(engine.store, run.id));
  const now = JSON.stringify(limits);
  runs.set(run.id, now);
  if (now !== before) appendEvent(engine.store, engine.now(), { run: run.id }, { kind: "run-limited", limits });
}

function limitedNow(engine: Engine, run: Run, tasks: readonly Task[]): Limits {
  const holding = readHolding(engine);
  if (holding === null) return [];
  const held = tasks.flatMap((task): Held[] => {
    const limit = task.state === "pending" && task.next.kind !== "by-hand" ? limitOf(engine, run, task, holding) : null;
    if (limit === null) return [];
    const outage = outageOf(limit);
    if (limit.probe !== null) return [{ id: task.id, until: null, ...outage }];
    return mayTry(limit, engine.now()) ? [] : [{ id: task.id, until: limit.until, ...outage }];
  });
  const alike = Map.groupBy(held, ({ until, outage }) => `${until} ${outage}`);
  return [...alike.values()].map((same) => {
    const { id: _, ...what } = same[0]!;
    return { ...what, tasks: same.map(({ id }) => id) };
  });
}

type Limits = Extract<Fact, { kind: "run-limited" }>["limits"];
type Held = { id: number } & Omit<Limits[number], "tasks">;

function outageOf({ agent, outage, awaySince }: LimitHold): Pick<Held, "outage" | "awaySince"> {
  if (outage === undefined) return {};
  const words = describeOutage({ agent, reason: outage }, null);
  return awaySince == null ? { outage: words } : { outage: words, awaySince };
}
