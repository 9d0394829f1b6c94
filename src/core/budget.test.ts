import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sampleAttempt } from "../../test/rig/samples.ts";
import type { Attempt } from "./attempt.ts";
import {
  decideHold,
  decideHolds,
  decideStop,
  decideYields,
  type Expected,
  isUsedUp,
  leftFor,
  levelsOf,
  levelsToWarnOf,
  onTop,
  type RunSpending,
  type Spending,
  taskLevelsToWarnOf,
  wasTooLittle,
} from "./budget.ts";
import { type Budget, budgetFrom, hasLimitOf, NO_BUDGET, saidNow } from "./budget-limits.ts";
import { describeLevel } from "./budget-words.ts";
import { raiseCommand } from "./budget-words.ts";
import { checkConfig, type Layer } from "./config.ts";
import { NO_TOKENS } from "./cost.ts";

const spent = (costUsd: number | null, change: Partial<Attempt> = {}): Attempt =>
  sampleAttempt({
    usage: {
      models: [{ model: "m", tokens: { ...NO_TOKENS, input: 900, output: 100 }, costUsd, basis: "reported" }],
      missing: null,
    },
    outcome: { kind: "ok" },
    phase: "closed",
    ...change,
  });
const runs = (costUsd: number, change: Partial<Attempt> = {}) =>
  spent(costUsd, { outcome: null, phase: "agent", ...change });

const of = (change: Partial<Budget>): Budget => ({ ...NO_BUDGET, ...change });
const spending = (attempts: Attempt[], dayUsd = 0, more: Partial<Spending> = {}): Spending => ({
  attempts,
  workedMs: new Map(),
  day: { usd: dayUsd, tokens: 0, tasks: 0, ms: 0 },
  dayEnds: 86_400_000,
  dearest: { usd: 0, tokens: 0 },
  expected: new Map(),
  besides: [],
  ...more,
});
const expects = (usd: number | null, more: Partial<Expected> = {}): Expected => ({
  usd,
  tokens: null,
  ms: null,
  isGuess: false,
  ...more,
});

test("a repository can lower what its user allows, not raise it; the command line and the environment can", () => {
  const layer = (origin: Layer["origin"], values: Layer["values"]["budget"]): Layer => ({
    origin,
    name: origin,
    values: { budget: values },
  });
  const user = layer("user", { run_usd: 5, day_usd: 20 });
  const greedy = layer("repository", { run_usd: 500, day_usd: 10, task_usd: 1, warn_at: 0.5 });
  const expected = { ...NO_BUDGET, runUsd: 5, dayUsd: 10, taskUsd: 1, warnAt: 0.5 };
  expect(budgetFrom([user, greedy], null)).toEqual(expected);
  expect(budgetFrom([user, greedy], 50).runUsd).toBe(50);
  expect(budgetFrom([user, greedy, layer("environment", { run_usd: 6 })], null).runUsd).toBe(6);
  expect(budgetFrom([], null)).toEqual(NO_BUDGET);
});

describe("what may start", () => {
  const held = (budget: Partial<Budget>, attempts: Attempt[], dayUsd = 0) =>
    decideHolds(of(budget), spending(attempts, dayUsd)).all?.scope ?? null;

  test("is everything without a limit, and with one until it is reached", () => {
    expect(held({}, [spent(1_000_000)])).toBeNull();
    expect(held({ runUsd: 1 }, [])).toBeNull();
    expect(held({ runUsd: 1 }, [spent(0.99)])).toBeNull();
    expect(held({ runUsd: 1 }, [spent(0.99), spent(0.01)])).toBe("run");
    // The sum is 0.7999999999999999.
    expect(held({ runUsd: 0.8 }, [spent(0.7), spent(0.1)])).toBe("run");
  });

  test("counts what runs now, and keeps for it what such attempts have cost in this run", () => {
    expect(held({ runUsd: 1 }, [runs(0.6), runs(0.4)])).toBe("run");
    expect(held({ runUsd: 1 }, [runs(0), runs(0)])).toBeNull();
    expect(held({ runUsd: 1 }, [spent(0.4), runs(0.1)])).toBeNull();
    expect(held({ runUsd: 1 }, [spent(0.4), runs(0.1), runs(0.0)])).toBe("run");
    // A check needs no money any more.
    expect(held({ runUsd: 1 }, [spent(0.4), runs(0.1, { phase: "verify" }), runs(0)])).toBeNull();
  });

  test("minds the day of all runs, and the tokens of this one", () => {
    expect(held({ dayUsd: 2 }, [spent(0.5)], 1.9)).toBeNull();
    expect(held({ dayUsd: 2 }, [spent(0.5)], 2)).toBe("day");
    expect(held({ tokens: 2_001 }, [spent(null), spent(null)])).toBeNull();
    expect(held({ tokens: 2_000 }, [spent(null), spent(null)])).toBe("run");
  });

  test("minds the limit of a single task, and no other task's", () => {
    const attempts = [spent(0.5, { task: 1 }), spent(0.5, { task: 1 }), spent(0.9, { task: 2 })];
    expect([...decideHolds(of({ taskUsd: 1 }), spending(attempts)).tasks.keys()]).toEqual([1]);
  });
});

describe("what runs", () => {
  test("is stopped when its task or its run has passed a limit, not for what is only kept, nor when it has just used the last of it", () => {
    const attempts = [spent(0.6, { task: 2 }), runs(0.3, { task: 1 })];
    const stop = (budget: Partial<Budget>) => decideStop(of(budget), spending(attempts), 1)?.scope ?? null;
    expect([stop({ runUsd: 1 }), stop({ runUsd: 0.89 }), stop({ taskUsd: 0.29 }), stop({ taskUsd: 0.4 })]).toEqual([
      null,
      "run",
      "task",
      null,
    ]);
    expect([stop({ runUsd: 0.9 }), stop({ taskUsd: 0.3 })]).toEqual([null, null]);
    const hold = (budget: Partial<Budget>) => decideHold(of(budget), spending(attempts), 1)?.scope ?? null;
    expect([hold({ runUsd: 0.91 }), hold({ runUsd: 0.9 }), hold({ taskUsd: 0.3 })]).toEqual([null, "run", "task"]);
  });

  test("may spend what the narrowest limit leaves", () => {
    const attempts = [spent(0.6, { task: 2 }), spent(0.1, { task: 1 })];
    const left = (budget: Partial<Budget>) => leftFor(of(budget), spending(attempts, 4), 1);
    expect(left({ tokens: 5 })).toBeNull();
    expect(left({ runUsd: 1 })).toBeCloseTo(0.3, 8);
    expect(left({ runUsd: 1, taskUsd: 0.2 })).toBeCloseTo(0.1, 8);
    expect(left({ runUsd: 1, dayUsd: 4.05 })).toBeCloseTo(0.05, 8);
    expect(left({ runUsd: 0.5 })).toBe(0.0001);
    // To the last of it.
    expect(left({ runUsd: 1 })).toBeGreaterThan(0.3);
  });
});

test("what is held stays held when more is spent, and is let go when the limit is raised", () => {
  const usd = fc.integer({ min: 0, max: 100 }).map((cents) => cents / 100);
  const attempts = fc.array(
    fc.tuple(usd, fc.boolean()).map(([cost, ended]) => (ended ? spent(cost) : runs(cost))),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(attempts, usd, usd, (attempts, more, runUsd) => {
      const isHeld = (given: Attempt[], limit: number) =>
        decideHolds(of({ runUsd: limit }), spending(given)).all !== null;
      const sum = attempts.reduce((all, each) => all + each.usage!.models[0]!.costUsd!, 0);
      // Never a start when the limit is gone.
      if (sum >= runUsd) expect(isHeld(attempts, runUsd)).toBe(true);
      if (isHeld(attempts, runUsd)) expect(isHeld([...attempts, runs(more)], runUsd)).toBe(true);
      expect(isHeld(attempts, 1_000)).toBe(false);
      // Nothing is stopped that could have started.
      if (decideStop(of({ runUsd }), spending(attempts), 1)) expect(isHeld(attempts, runUsd)).toBe(true);
    }),
    { numRuns: 10_000 },
  );
});

test("it is time to warn when the part is used up that was asked for", () => {
  const warns = (used: number, warnAt: number) =>
    levelsToWarnOf(of({ runUsd: 1, warnAt }), spending([spent(used)])).length > 0;
  expect([warns(0.79, 0.8), warns(0.8, 0.8), warns(0.5, 0.5), warns(0.99, 1)]).toEqual([false, true, true, false]);
});

test("on top of what a run has used its limits are those of a new one", () => {
  const budget = of({ runUsd: 1, runTasks: 2, dayUsd: 5, taskUsd: 3 });
  expect(onTop(budget, spending([spent(0.7), runs(0.2)]))).toEqual({ runUsd: expect.closeTo(1.9), runTasks: 3 });
});

test("a limit is told in words, with the one command that raises it", () => {
  const level = { scope: "run" as const, unit: "usd" as const, limit: 5, used: 5.02, taken: 5.02, isAtLeast: false };
  expect(describeLevel(level)).toBe("$5.02 of $5.00 for the run");
  expect(describeLevel({ ...level, used: 4, isAtLeast: true })).toBe(
    "at least $4.00 (and $1.02 kept for what runs) of $5.00 for the run",
  );
  expect(raiseCommand("r1", level)).toBe("owt resume r1 --budget 10");
  expect(raiseCommand("r1", { ...level, used: 8 })).toBe("owt resume r1 --budget 12");
  expect(raiseCommand("r1", { ...level, scope: "task" })).toBe("OWT_BUDGET_TASK_USD=10 owt resume r1");
  const tokens = { ...level, unit: "tokens" as const, limit: 1_000, used: 1_001, taken: 1_001 };
  expect([describeLevel(tokens), raiseCommand("r1", tokens)]).toEqual([
    "1001 of 1000 tokens for the run",
    "OWT_BUDGET_TOKENS=2000 owt resume r1",
  ]);
  const time = {
    ...level,
    scope: "day" as const,
    unit: "ms" as const,
    limit: 7_200_000,
    used: 7_200_400,
    taken: 7_200_400,
  };
  expect([describeLevel(time), raiseCommand("r1", time)]).toEqual([
    "2h of 2h of agents' time for the day",
    "OWT_BUDGET_DAY_TIME=4h owt resume r1",
  ]);
  const tasks = { ...level, unit: "tasks" as const, limit: 1, used: 1, taken: 1 };
  expect([describeLevel(tasks), raiseCommand("r1", tasks)]).toEqual([
    "1 of 1 task for the run",
    "OWT_BUDGET_RUN_TASKS=2 owt resume r1",
  ]);
});

test("what a variable says now is told apart from what is configured", () => {
  const layer = (origin: Layer["origin"], budget: Layer["values"]["budget"]): Layer => ({
    origin,
    name: origin,
    values: { budget },
  });
  const layers = [layer("user", { day_usd: 5 }), layer("environment", { task_usd: 2, run_time: "2h", run_usd: 3 })];
  expect(saidNow(layers)).toEqual({ taskUsd: 2, runTimeMs: 7_200_000 });
  expect(saidNow(layers.slice(0, 1))).toEqual({});
});

test("every limit is read from its key, times as durations, and one of tokens by its other name", () => {
  const keys = { task_tokens: 1, day_tokens: 2, run_tasks: 3, day_tasks: 4, tokens: 5 };
  const times = { run_time: "8h", task_time: 90, day_time: "1h30m" };
  const layer: Layer = { origin: "user", name: "user", values: { budget: { ...keys, ...times } } };
  const lower: Layer = { origin: "repository", name: "here", values: { budget: { run_time: "2h", task_time: "1h" } } };
  expect(budgetFrom([layer, lower], null)).toEqual({
    ...NO_BUDGET,
    taskTokens: 1,
    dayTokens: 2,
    runTasks: 3,
    dayTasks: 4,
    tokens: 5,
    runTimeMs: 7_200_000,
    taskTimeMs: 90_000,
    dayTimeMs: 5_400_000,
  });
  const checked = checkConfig({ budget: { run_tokens: 7 } });
  expect(checked).toEqual({ values: { budget: { tokens: 7 } } });
  expect(hasLimitOf(of({ dayTasks: 1 }), { scope: "day" })).toBe(true);
  expect(hasLimitOf(of({ dayTasks: 1 }), { scope: "day", unit: "usd" })).toBe(false);
});

describe("what is kept for running attempts", () => {
  const two = [runs(0.5, { id: 1, task: 1 }), runs(0, { id: 2, task: 2, usage: null })];

  test("is what nine of ten such tasks stayed below, less what they have used, and comes free with their end", () => {
    const expected = new Map([
      [1, expects(2)],
      [2, expects(1)],
    ]);
    const { all } = decideHolds(of({ runUsd: 3 }), spending(two, 0, { expected }));
    expect(all).toMatchObject({ used: 0.5, taken: 3 });
    expect(isUsedUp(all!)).toBe(false);
    const ended = [spent(0.6, { id: 1, task: 1 }), two[1]!];
    expect(decideHolds(of({ runUsd: 3 }), spending(ended, 0, { expected })).all).toBeNull();
    // Who used more than that has nothing left to come.
    const over = [runs(2.5, { id: 1, task: 1 })];
    expect(decideHolds(of({ runUsd: 3 }), spending(over, 0, { expected })).all).toBeNull();
  });

  test("keeps back a task that needs more than is left beside it, and nothing where nothing runs", () => {
    const expected = new Map([
      [1, expects(2)],
      [7, expects(1.5)],
      [8, expects(0.9)],
      [9, expects(null)],
    ]);
    const holds = decideHolds(of({ runUsd: 3 }), spending([two[0]!], 0, { expected }));
    expect([holds.all, [...holds.tasks.keys()]]).toEqual([null, [7]]);
    expect(describeLevel(holds.tasks.get(7)!)).toBe(
      "$0.50 (and $1.50 kept for what runs) of $3.00 for the run; it may need $1.50",
    );
    const alone = decideHolds(of({ runUsd: 1 }), spending([], 0, { expected }));
    expect([alone.all, alone.tasks.size]).toEqual([null, 0]);
  });

  test("where it proved too little those behind the first give way, but none that could not go on, and wait until the first is through", () => {
    const three = [1, 2, 3].map((id) => runs(0.1, { id, task: id }));
    const limits = of({ runUsd: 1 });
    const yields = (more: Partial<Spending>, attempts = three, canGoOn: (each: Attempt) => boolean = () => true) =>
      decideYields(limits, spending(attempts, 0, more), canGoOn).map(({ attempt }) => attempt);
    expect(yields({})).toEqual([]);
    expect(yields({ dearest: { usd: 0.1, tokens: 0 } })).toEqual([]);
    expect(yields({ dearest: { usd: 0.15, tokens: 0 } })).toEqual([3, 2]);
    expect(yields({ dearest: { usd: 5, tokens: 0 } }, three, ({ id }) => id !== 3)).toEqual([2]);
    const leaving = three.map((each) => (each.id === 1 ? each : { ...each, stop: "stopped" as const }));
    expect(yields({ dearest: { usd: 5, tokens: 0 } }, leaving)).toEqual([]);

    const expected = new Map([1, 2, 3].map((id) => [id, expects(0.05)]));
    const stopped = three.map((each) => (each.id === 1 ? each : spent(0.1, { ...each, outcome: { kind: "stopped" } })));
    const dearest = { usd: 0.05, tokens: 0 };
    const holds = decideHolds(limits, spending(stopped, 0, { expected, dearest }));
    expect([holds.all, [...holds.tasks.keys()]]).toEqual([null, [2, 3]]);
    // Nothing that has not begun passes them by.
    const fourth = new Map([...expected, [4, expects(0.05)]]);
    expect([...decideHolds(limits, spending(stopped, 0, { expected: fourth, dearest })).tasks.keys()]).toEqual([
      2, 3, 4,
    ]);
    const through = stopped.map((each) => (each.id === 1 ? spent(0.1, { id: 1, task: 1 }) : each));
    expect(decideHolds(limits, spending(through, 0, { expected, dearest })).tasks.size).toBe(0);
  });

  test("where it proved too little nothing begins that would give way at its first turn, once those at work have made one more", () => {
    const expected = new Map([1, 2].map((id) => [id, expects(0.05)]));
    const dearest = { usd: 0.1, tokens: 0 };
    const held = (runUsd: number) =>
      decideHolds(of({ runUsd }), spending([runs(0.3, { id: 1, task: 1 })], 0, { expected, dearest })).tasks.get(2);
    // A turn may take $0.20: two of who is at work, one of its own.
    expect(describeLevel(held(0.85)!)).toBe(
      "$0.30 (and $0.40 kept for what runs) of $0.85 for the run; it may need $0.20",
    );
    expect(held(0.95)).toBeUndefined();
  });

  test("of a day is kept for what other runs have at work, too, and they give way together; the limit of a run knows nothing of them", () => {
    const expected = (id: number) => new Map([[id, expects(1)]]);
    const other = (more: Partial<RunSpending> = {}): RunSpending => ({
      ...spending([runs(0.25, { id: 1, task: 1 })], 0, { expected: expected(1) }),
      ...more,
    });
    const own = (besides: RunSpending[], attempts: Attempt[] = []) =>
      spending(attempts, 0.25, { expected: expected(2), besides });
    const level = decideHolds(of({ dayUsd: 1.5 }), own([other()])).tasks.get(2)!;
    expect(describeLevel(level)).toBe("$0.25 (and $0.75 kept for what runs) of $1.50 for the day; it may need $1.00");
    expect(decideHolds(of({ dayUsd: 2 }), own([other()])).tasks.size).toBe(0);
    expect(decideHolds(of({ runUsd: 0.5 }), own([other()])).tasks.size).toBe(0);
    expect(decideHolds(of({ dayUsd: 0.5 }), own([])).tasks.size).toBe(0);
    const [time] = levelsOf(
      of({ dayTimeMs: 9_000 }),
      own([other({ expected: new Map([[1, expects(1, { ms: 4_000 })]]) })]),
    );
    expect(time).toMatchObject({ used: 0, taken: 4_000 });

    const late = own([other({ dearest: { usd: 0.5, tokens: 0 } })], [runs(0, { id: 2, task: 2 })]);
    expect(decideYields(of({ dayUsd: 2 }), late, () => true)).toMatchObject([{ attempt: 2 }]);
    expect(decideYields(of({ runUsd: 2 }), late, () => true)).toEqual([]);
  });

  test("is kept until the books of an agent that ended are closed: several that begin together each see it", () => {
    const expected = new Map([1, 2, 7].map((id) => [id, expects(6)]));
    const collects = [1, 2].map((id) => runs(0.5, { id, task: id, phase: "collect" }));
    const waiting = decideHolds(of({ runUsd: 20 }), spending(collects, 0, { expected }));
    expect([waiting.all, [...waiting.tasks.keys()]]).toEqual([null, []]);
    const holds = decideHolds(of({ runUsd: 14 }), spending(collects, 0, { expected }));
    expect([holds.all, [...holds.tasks.keys()]]).toEqual([null, [7]]);
    // Nothing more is to come of it, however dear turns are.
    const dear = decideHolds(of({ runUsd: 20 }), spending(collects, 0, { expected, dearest: { usd: 4, tokens: 0 } }));
    expect(dear.all).toBeNull();
  });

  test("was too little once a task used more than that", () => {
    const reserved = new Map([[1, expects(0.3)]]);
    expect(wasTooLittle("usd", [runs(0.1), runs(0.2)], reserved)).toBe(false);
    expect(wasTooLittle("usd", [runs(0.1), runs(0.21)], reserved)).toBe(true);
    expect(wasTooLittle("tokens", [runs(0.1)], reserved)).toBe(true);
    expect(wasTooLittle("usd", [runs(9, { task: 2 })], reserved)).toBe(false);
  });

  test("says of a guess that it is one", () => {
    const expected = new Map([[1, expects(3, { isGuess: true })]]);
    const { all } = decideHolds(of({ runUsd: 3 }), spending([two[0]!], 0, { expected }));
    expect(describeLevel(all!)).toBe("$0.50 (and $2.50 kept for what runs, a guess) of $3.00 for the run");
  });
});

describe("time and numbers of tasks", () => {
  test("time is that of agents at work: it holds the run, stops its task, and is no other task's", () => {
    const attempts = [runs(0, { id: 1, task: 1 }), runs(0, { id: 2, task: 2 })];
    const workedMs = new Map([
      [1, 60_000],
      [2, 30_000],
    ]);
    const about = spending(attempts, 0, { workedMs, day: { usd: 0, tokens: 0, tasks: 0, ms: 100_000 } });
    expect(decideStop(of({ taskTimeMs: 59_999 }), about, 1)).toMatchObject({ scope: "task", unit: "ms", used: 60_000 });
    expect(decideStop(of({ taskTimeMs: 60_000 }), about, 2)).toBeNull();
    expect(decideStop(of({ runTimeMs: 89_999 }), about, 2)).toMatchObject({ scope: "run", used: 90_000 });
    expect(decideStop(of({ dayTimeMs: 99_999 }), about, 2)).toMatchObject({ scope: "day" });
    expect(leftFor(of({ runTimeMs: 90_000 }), about, 1)).toBeNull();
  });

  test.each([
    [3_171, 3_000, "3.2s of 3s"],
    [420, 1_500, "0.4s of 1.5s"],
    [9_971, 12_000, "10s of 12s"],
    [12_300, 90_000, "12s of 1m30s"],
  ])("%i ms of %i are told as %s", (used, limit, words) => {
    const level = { scope: "task", unit: "ms", limit, used, taken: used, isAtLeast: false } as const;
    expect(describeLevel(level)).toBe(`${words} of agents' time for the task`);
  });

  test("of tasks only so many begin; those that have go on, and none is stopped", () => {
    const attempts = [runs(0, { id: 1, task: 1 }), spent(0, { id: 2, task: 1 }), spent(0, { id: 3, task: 2 })];
    const holds = decideHolds(of({ runTasks: 2 }), spending(attempts));
    expect([holds.all, holds.unbegun?.used]).toEqual([null, 2]);
    expect(decideHolds(of({ runTasks: 3 }), spending(attempts)).unbegun).toBeNull();
    expect(decideStop(of({ runTasks: 1 }), spending(attempts), 1)).toBeNull();
    const day = { usd: 0, tokens: 0, tasks: 4, ms: 0 };
    expect(decideHolds(of({ dayTasks: 4 }), spending([], 0, { day })).unbegun).toMatchObject({ scope: "day" });
  });

  test("a task's own limits are warned of, too", () => {
    const attempts = [runs(0.85, { task: 1 })];
    expect(taskLevelsToWarnOf(of({ taskUsd: 1 }), spending(attempts), 1)).toMatchObject([
      { scope: "task", used: 0.85 },
    ]);
    expect(taskLevelsToWarnOf(of({ taskUsd: 2, runUsd: 1 }), spending(attempts), 1)).toEqual([]);
  });
});
