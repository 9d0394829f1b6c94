import * as fc from "fast-check";
import { expect, test } from "vitest";
import { byDispatch, decideApart, decideStarts, placesTaken, startOrder } from "./schedule.ts";
import type { PlannedStart, ReadyTask } from "./schedule.ts";

const ready = (id: string, order: number, pathBelow = 1, priority: ReadyTask["priority"] = "normal"): ReadyTask => ({
  id,
  order,
  pathBelow,
  priority,
});

test("user priority comes first, then the longest path below, then plan order", () => {
  const tasks = [
    ready("later", 3),
    ready("earlier", 2),
    ready("long", 1, 9),
    ready("low", 0, 99, "low"),
    ready("high", 4, 0, "high"),
  ];
  expect(decideStarts({ ready: tasks, running: 0 }, { maxParallel: 9 })).toEqual([
    "high",
    "long",
    "earlier",
    "later",
    "low",
  ]);
});

test("no more start than there are free places", () => {
  const tasks = [ready("a", 0), ready("b", 1), ready("c", 2)];
  expect(decideStarts({ ready: tasks, running: 1 }, { maxParallel: 3 })).toEqual(["a", "b"]);
  expect(decideStarts({ ready: tasks, running: 3 }, { maxParallel: 3 })).toEqual([]);
  // A limit that was lowered while more were running stops nothing and starts nothing.
  expect(decideStarts({ ready: tasks, running: 5 }, { maxParallel: 3 })).toEqual([]);
});

test("what is ready in a moment keeps its place free when it is better than what is ready, and only then", () => {
  const tasks = [ready("a", 0, 5), ready("b", 1, 1)];
  const decide = (soon: ReadyTask[], running = 0) => decideStarts({ ready: tasks, soon, running }, { maxParallel: 2 });
  expect(decide([ready("next", 2, 9)])).toEqual(["a"]);
  expect(decide([ready("next", 2, 9)], 1)).toEqual([]);
  expect(decide([ready("next", 2, 3)])).toEqual(["a"]);
  expect(decide([ready("next", 2, 3)], 1)).toEqual(["a"]);
  expect(decide([ready("next", 2, 0)])).toEqual(["a", "b"]);
  expect(decide([])).toEqual(["a", "b"]);
});

/** "a-b x-a": those that touch the same files. */
const pairs = (text: string) => (one: string, other: string) =>
  text.split(" ").some((pair) => pair === `${one}-${other}` || pair === `${other}-${one}`);

test("what touches the same files as something at work lets others of its priority go first, and begins where nothing else is ready", () => {
  const tasks = [ready("a", 0, 5), ready("b", 1, 4), ready("c", 2, 3), ready("low", 3, 9, "low")];
  const decide = (maxParallel: number, text: string, atWork: string[] = []) =>
    decideApart({ ready: tasks, running: atWork.length, atWork }, { maxParallel }, pairs(text));
  expect(decide(2, "")).toEqual({ starts: ["a", "b"], heldBack: [] });
  expect(decide(2, "a-b")).toEqual({ starts: ["a", "c"], heldBack: [{ id: "b", behind: "a" }] });
  // Nothing else of its priority is ready: it goes before what is less urgent.
  expect(decide(3, "a-b")).toEqual({ starts: ["a", "c", "b"], heldBack: [] });
  // Of these none passes the others by: they wait for a place.
  expect(decide(2, "x-a x-b x-c", ["x"])).toEqual({ starts: ["a"], heldBack: [] });
  expect(decide(2, "x-a", ["x"])).toEqual({ starts: ["b"], heldBack: [{ id: "a", behind: "x" }] });
  expect(decide(1, "x-a", ["x"])).toEqual({ starts: [], heldBack: [] });
});

test("who touches what comes home in a moment waits for it, also while a place is free; what is less urgent does not", () => {
  const tasks = [ready("a", 0, 3), ready("b", 1, 2), ready("low", 2, 1, "low")];
  const decide = (text: string, comingHome: string[], maxParallel = 4) =>
    decideApart({ ready: tasks, running: 0, atWork: ["x", "y"], comingHome }, { maxParallel }, pairs(text));
  expect(decide("x-a", ["x"])).toEqual({ starts: ["b", "low"], heldBack: [{ id: "a", behind: "x" }] });
  expect(decide("x-a", [])).toEqual({ starts: ["b", "a", "low"], heldBack: [] });
  // It has to wait for one of them in any case, which is the one that is named.
  expect(decide("x-a y-a", ["y"])).toEqual({ starts: ["b", "low"], heldBack: [{ id: "a", behind: "y" }] });
  expect(decide("x-a x-b x-low", ["x"], 2)).toEqual({
    starts: [],
    heldBack: [
      { id: "a", behind: "x" },
      { id: "b", behind: "x" },
    ],
  });
});

const anyTasks = fc
  .array(fc.record({ pathBelow: fc.nat(5), priority: fc.constantFrom("high", "normal", "low") }), { maxLength: 20 })
  .map((tasks) => tasks.map((task, order): ReadyTask => ({ ...task, order, id: `t${order}` })));

test("the choice does not depend on the order of the input, leaves no place free, and never prefers the worse", () => {
  const rank = { high: 0, normal: 1, low: 2 };
  fc.assert(
    fc.property(anyTasks, fc.nat(6), fc.nat(8), fc.gen(), (tasks, running, maxParallel, gen) => {
      const starts = decideStarts({ ready: tasks, running }, { maxParallel });
      const shuffled = gen(fc.shuffledSubarray, tasks, { minLength: tasks.length });
      expect(decideStarts({ ready: shuffled, running }, { maxParallel })).toEqual(starts);
      expect(starts.length).toBe(Math.min(tasks.length, Math.max(0, maxParallel - running)));
      expect(new Set(starts).size).toBe(starts.length);
      const chosen = tasks.filter(({ id }) => starts.includes(id));
      const left = tasks.filter(({ id }) => !starts.includes(id));
      for (const task of chosen) {
        for (const other of left) {
          const difference = rank[task.priority] - rank[other.priority] || other.pathBelow - task.pathBelow;
          expect(difference).toBeLessThanOrEqual(0);
        }
      }
    }),
  );
});

const planned = fc
  .array(
    fc.record({ needs: fc.array(fc.nat(19)), priority: fc.constantFrom("high", "normal", "low"), weight: fc.nat(9) }),
    {
      maxLength: 20,
    },
  )
  .map((rows) =>
    // Each needs earlier ones only: no cycle.
    rows.map((row, at): PlannedStart => ({
      ...row,
      id: `t${at}`,
      needs: [...row.needs.filter((need) => need < at).map((need) => `t${need}`), "elsewhere"],
      priority: row.priority as PlannedStart["priority"],
    })),
  );

test("one at a time, each start is the one that dispatch would choose among what is ready", () => {
  fc.assert(
    fc.property(planned, (tasks) => {
      const rank = byDispatch(tasks);
      const started = new Set<string>();
      for (const id of startOrder(tasks)) {
        const isReady = (task: PlannedStart) =>
          !started.has(task.id) && task.needs.every((need) => need === "elsewhere" || started.has(need));
        const ready = new Set(tasks.filter(isReady).map((task) => task.id));
        expect(id).toBe(rank.find((each) => ready.has(each)));
        started.add(id);
      }
      expect(started.size).toBe(tasks.length);
    }),
  );
});

test("the order of dispatch counts the way below a task, also through what is not ready yet", () => {
  const task = (id: string, needs: string[], more: Partial<PlannedStart> = {}): PlannedStart => ({
    id,
    needs,
    priority: "normal",
    weight: 1,
    ...more,
  });
  const tasks = [
    task("single", []),
    task("head", []),
    task("tail", ["head"]),
    task("last", ["tail"], { priority: "high" }),
    task("urgent", [], { priority: "high" }),
    task("heavy", [], { weight: 9 }),
  ];
  expect(byDispatch(tasks)).toEqual(["last", "urgent", "heavy", "head", "tail", "single"]);
  expect(startOrder(tasks)).toEqual(["urgent", "heavy", "head", "tail", "last", "single"]);
  expect(startOrder([task("a", ["b"]), task("b", ["a"]), task("c", [])])).toEqual(["c"]);
});

test("checks take no place of an agent, however many they are; one at a time means one at a time", () => {
  expect(placesTaken(["running", "verifying", "verifying", "verifying", "integrating", "pending"], 3)).toBe(1);
  expect(placesTaken(["verifying", "verifying", "verifying", "verifying", "running"], 3)).toBe(1);
  expect(placesTaken(["integrating", "done"], 3)).toBe(0);
  expect(placesTaken(["verifying"], 1)).toBe(1);
  expect(placesTaken(["integrating"], 1)).toBe(1);
});
