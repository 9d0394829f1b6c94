import * as fc from "fast-check";
import { expect, test } from "vitest";
import { pathsBelow } from "./dag.ts";
import { decideStarts, type PlannedStart } from "./schedule.ts";
import { play, rehearse, total } from "./simulate.ts";

/** The same, step by step with the dispatcher's own decision. */
function carryOut(tasks: readonly PlannedStart[], durations: ReadonlyMap<string, number>, maxParallel: number): number {
  const weights = new Map(tasks.map(({ id, weight }) => [id, weight]));
  const below = pathsBelow(tasks, (id) => weights.get(id)!);
  const done = new Set<string>();
  const running = new Map<string, number>();
  for (let now = 0; ;) {
    const ready = tasks.flatMap(({ id, needs, priority }, order) =>
      !done.has(id) && !running.has(id) && needs.every((need) => done.has(need))
        ? [{ id, priority, pathBelow: below.get(id)!, order }]
        : [],
    );
    for (const id of decideStarts({ ready, running: running.size }, { maxParallel }))
      running.set(id, now + durations.get(id)!);
    if (running.size === 0) return now;
    now = Math.min(...running.values());
    for (const [id, end] of running) if (end === now && running.delete(id)) done.add(id);
  }
}

const anyPlan = fc
  .array(
    fc.record({
      needs: fc.array(fc.nat(30), { maxLength: 3 }),
      priority: fc.constantFrom("high", "normal", "low"),
      weight: fc.nat(9),
      duration: fc.nat(9),
    }),
    { maxLength: 30 },
  )
  .map((rows) =>
    rows.map((row, at) => ({
      ...row,
      id: `t${at}`,
      needs: at === 0 ? [] : [...new Set(row.needs.map((need) => `t${need % at}`))],
    })),
  );

test("a plan played through takes as long as the dispatcher's decisions, step by step", () => {
  fc.assert(
    fc.property(anyPlan, fc.integer({ min: 1, max: 5 }), (tasks, maxParallel) => {
      const durations = new Map(tasks.map(({ id, duration }) => [id, duration]));
      const rehearsal = rehearse(tasks as PlannedStart[]);
      const inOrder = rehearsal.ids.map((id) => durations.get(id)!);
      const played = play(rehearsal, inOrder, maxParallel);
      expect(played.makespan).toBe(carryOut(tasks as PlannedStart[], durations, maxParallel));
      expect(played.widest).toBeLessThanOrEqual(maxParallel);
      if (maxParallel === 1) expect(played.makespan).toBe(total(inOrder));
    }),
    { numRuns: 500 },
  );
});

test("a plan worked out by hand", () => {
  const task = (id: string, weight: number, needs: string[] = []): PlannedStart => ({
    id,
    needs,
    priority: "normal",
    weight,
  });
  const rehearsal = rehearse([task("short", 1), task("head", 2), task("tail", 5, ["head"]), task("other", 4)]);
  expect(rehearsal.ids).toEqual(["head", "tail", "other", "short"]);
  // Two places: head 0–2, other 0–4, tail 2–7, short 4–5.
  expect(play(rehearsal, [2, 5, 4, 1], 2)).toEqual({ makespan: 7, widest: 2 });
  expect(play(rehearsal, [2, 5, 4, 1], 1)).toEqual({ makespan: 12, widest: 1 });
  expect(play(rehearse([]), [], 3)).toEqual({ makespan: 0, widest: 0 });
  expect(play(rehearse([task("a", 1, ["b"]), task("b", 1, ["a"]), task("c", 1)]), [1, 1, 1], 3).makespan).toBe(1);
});
