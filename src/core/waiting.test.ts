import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Event, Fact } from "./event.ts";
import type { Park } from "./task.ts";
import { addWaits, noWaits, readWaiting, type WaitReason, type Waits } from "./waiting.ts";

const A = { id: 1, key: "a", needs: [] };
const B = { id: 2, key: "b", needs: ["a"] };
const C = { id: 3, key: "c", needs: [] };

type Line = [at: number, task: number | null, fact: Fact];

function log(lines: Line[]): Event[] {
  return lines.map(([at, task, fact], index) => ({ seq: index + 1, at, run: "r1", task, attempt: task, ...fact }));
}

const moved = (
  from: "pending" | "running" | "verifying" | "contest" | "integrating" | "review" | "failed",
  to: string,
  more = {},
) => ({ kind: "task-moved", from, to, ...more }) as Fact;
const phase = (name: string) => ({ kind: "attempt-phase", phase: name }) as Fact;
const ended: Fact = { kind: "attempt-ended", outcome: { kind: "ok" }, usage: null };
const parked = (park: Park, notBefore: number | null = null): Fact => ({ kind: "task-parked", park, notBefore });
const carried: Fact = { kind: "run-carried", pid: 1 };
const created: Fact = { kind: "run-created", tasks: 2, target: "main", base: "b0", buildsOn: null };

function waits(
  tasks: readonly { id: number; key: string; needs: string[] }[],
  lines: Line[],
  now: number,
  more: Partial<Parameters<typeof readWaiting>[0]> = {},
) {
  const run = { createdAt: 0, endedAt: null, isCarried: true, agentOf: () => "claude", ...more };
  return readWaiting(run, tasks, log(lines), now);
}

const only = (some: Partial<Waits>): Waits => ({ ...noWaits(), ...some });

describe("a log made by hand gives these sums", () => {
  test("upstream tasks until they are done, then a free place", () => {
    const { byTask } = waits(
      [A, B],
      [
        [0, null, created],
        [10, 1, moved("pending", "running")],
        [70, 1, moved("running", "integrating")],
        [80, 1, moved("integrating", "done")],
        [95, 2, moved("pending", "running")],
      ],
      200,
    );
    expect(byTask.get(1)).toEqual(only({ place: 10 }));
    expect(byTask.get(2)).toEqual(only({ upstream: 80, place: 15 }));
  });

  test("rivals, from its green checks to the decision; a stop of the run is no waiting for them", () => {
    const { byTask } = waits(
      [A],
      [
        [0, null, created],
        [0, 1, moved("pending", "running")],
        [30, 1, phase("contest")],
        [30, 1, moved("running", "contest")],
        [50, null, { kind: "run-wish", wish: "stop" }],
        [60, null, { kind: "run-wish", wish: null }],
        [90, 1, phase("merge")],
        [90, 1, moved("contest", "integrating")],
        [90, 1, moved("integrating", "done")],
      ],
      200,
    );
    expect(byTask.get(1)).toEqual(only({ rivals: 50, stopped: 10 }));
  });

  test("a person: a question until its answer, an approval, a login of its own agent", () => {
    const login: Park = { for: "login", agent: "claude", reason: "401" };
    const { byTask, parked: set } = waits(
      [A, C],
      [
        [0, 1, moved("pending", "running")],
        [10, 1, moved("running", "pending")],
        [10, 1, parked({ for: "answer", question: "Which?" })],
        [40, 1, { kind: "task-answered", text: "this" }],
        [45, 1, moved("pending", "running")],
        [50, 1, phase("review")],
        [50, 1, moved("running", "review")],
        [80, 1, phase("collect")],
        [90, 1, moved("review", "pending")],
        [90, 1, parked(login)],
        [100, 1, { kind: "task-next", next: { kind: "fresh" } }],
        [100, 1, moved("pending", "running")],
        [100, 3, moved("pending", "running")],
      ],
      200,
    );
    expect(byTask.get(1)).toEqual(only({ person: 30 + 30 + 10, place: 5 }));
    // It waited for a place, but while the other's login was refused for that.
    expect(byTask.get(3)).toEqual(only({ place: 90, person: 10 }));
    expect(set.map(({ at, until }) => [at, until])).toEqual([
      [10, 40],
      [90, 100],
    ]);
    const other = waits([A, C], [[90, 1, parked(login)]], 200, {
      agentOf: ({ id }) => (id === 3 ? "codex" : "claude"),
    });
    expect(other.byTask.get(3)).toEqual(only({ place: 200 }));
  });

  test("a limit and a retry pause end when their time is over", () => {
    const { byTask } = waits(
      [A, C],
      [
        [0, 1, moved("pending", "running")],
        [10, 1, moved("running", "pending")],
        [10, 1, parked({ for: "limit", until: 60 }, 60)],
        [65, 1, moved("pending", "running")],
        [0, 3, moved("pending", "running")],
        [20, 3, moved("running", "pending", { notBefore: 50 })],
        [52, 3, moved("pending", "running")],
      ],
      200,
    );
    expect(byTask.get(1)).toEqual(only({ limit: 50, place: 5 }));
    expect(byTask.get(3)).toEqual(only({ retry: 30, place: 2 }));
  });

  test("an API that cannot be reached is told from a limit, of who met it and of who did not", () => {
    const outage = "the API of demo cannot be reached (529)";
    const { byTask } = waits(
      [A, C],
      [
        [0, 1, moved("pending", "running")],
        [10, 1, moved("running", "pending")],
        [10, 1, parked({ for: "limit", until: 60, outage: { agent: "demo", reason: "529" } }, 60)],
        [10, null, { kind: "run-limited", limits: [{ until: 60, tasks: [1, 3], outage }] }],
        [60, 1, moved("pending", "running")],
        [60, null, { kind: "run-limited", limits: [{ until: null, tasks: [3], outage }] }],
        [80, null, { kind: "run-limited", limits: [] }],
        [80, 3, moved("pending", "running")],
      ],
      200,
    );
    expect(byTask.get(1)).toEqual(only({ outage: 50 }));
    expect(byTask.get(3)).toEqual(only({ outage: 70, place: 10 }));
  });

  test("a limit that another one met, also while nobody carries the run, until its time is over; behind it while one tries it", () => {
    const limited = (until: number | null, ...tasks: number[]): Fact => ({
      kind: "run-limited",
      limits: tasks.length === 0 ? [] : [{ until, tasks }],
    });
    const lines: Line[] = [
      [0, null, created],
      [0, 1, moved("pending", "running")],
      [10, 1, moved("running", "pending")],
      [10, 1, parked({ for: "limit", until: 60 }, 60)],
      [10, null, limited(60, 1, 2, 3)],
      [20, 3, moved("pending", "running")],
      [25, 3, moved("running", "pending", { notBefore: 30 })],
      [70, null, carried],
      [70, 1, moved("pending", "running")],
      [70, null, limited(null, 2, 3)],
      [80, null, limited(null)],
      [90, 3, moved("pending", "running")],
    ];
    const { byTask } = waits([A, B, C], lines, 100);
    expect(byTask.get(1)).toEqual(only({ limit: 50, stopped: 10 }));
    expect(byTask.get(2)).toEqual(only({ upstream: 100 }));
    expect(byTask.get(3)).toEqual(only({ place: 10 + 10, limit: 10 + 30 + 10, retry: 5, stopped: 10 }));
  });

  test("a budget: what reached it, and what it held back beside", () => {
    const { byTask, parked: set } = waits(
      [A, C],
      [
        [0, 1, moved("pending", "running")],
        [10, 1, moved("running", "pending")],
        [10, 1, parked({ for: "budget", reason: "$5 of $5", until: null })],
        [12, null, { kind: "run-held", by: "run", tasks: [] }],
        [80, null, { kind: "run-held", by: null, tasks: [] }],
      ],
      100,
    );
    expect(byTask.get(1)).toEqual(only({ budget: 90 }));
    expect(byTask.get(3)).toEqual(only({ place: 12 + 20, budget: 68 }));
    expect(set).toMatchObject([{ at: 10, until: null, park: { for: "budget" } }]);
  });

  test("the integration queue: one after the other, in the order in which they asked", () => {
    const merge = (task: number, from: number, to: number): Line[] => [
      [from, task, phase("merge")],
      [from, task, moved("running", "integrating")],
      [to - 1, task, phase("advance")],
      [to, task, ended],
      [to, task, moved("integrating", "done")],
    ];
    const lines = [
      [0, 1, moved("pending", "running")],
      [0, 3, moved("pending", "running")],
      ...merge(1, 10, 40),
      ...merge(3, 20, 60),
    ] satisfies Line[];
    const { byTask } = waits(
      [A, C],
      lines.toSorted((a, b) => a[0] - b[0]),
      100,
    );
    expect(byTask.get(1)).toEqual(noWaits());
    expect(byTask.get(3)).toEqual(only({ integration: 20 }));
  });

  test("who is checked together with others waits only until then", () => {
    const { byTask } = waits(
      [A, C],
      [
        [0, null, created],
        [0, 1, moved("pending", "running")],
        [0, 3, moved("pending", "running")],
        [10, 1, moved("running", "integrating")],
        [10, 1, phase("merge")],
        [12, 3, moved("running", "integrating")],
        [12, 3, phase("merge")],
        [15, null, { kind: "merges-checked", tasks: [1, 3] }],
        [90, 1, ended],
        [90, 1, moved("integrating", "done")],
        [90, 3, ended],
        [90, 3, moved("integrating", "done")],
      ],
      200,
    );
    expect(byTask.get(1)).toEqual(only({ integration: 5 }));
    expect(byTask.get(3)).toEqual(only({ integration: 3 }));
  });

  test("a run that was paused, or that nobody carried", () => {
    const lines: Line[] = [
      [0, null, created],
      [2, null, carried],
      [20, null, { kind: "run-wish", wish: "pause" }],
      [50, null, { kind: "run-wish", wish: null }],
      [60, null, { kind: "run-apart", tasks: [] }],
      [90, null, carried],
    ];
    expect(waits([A], lines, 100).byTask.get(1)).toEqual(only({ stopped: 30 + 30, place: 40 }));
    const alone = { isCarried: false };
    expect(waits([A], lines, 150, alone).byTask.get(1)).toEqual(only({ stopped: 30 + 30 + 60, place: 30 }));
  });

  test("what a person steers while nobody carries a run is no sign that somebody does", () => {
    const lines: Line[] = [
      [0, null, created],
      [2, null, carried],
      [60, null, { kind: "run-apart", tasks: [] }],
      [70, null, { kind: "note", text: "up to 2 at a time" }],
      [90, null, carried],
    ];
    expect(waits([A], lines, 100).byTask.get(1)).toEqual(only({ stopped: 30, place: 70 }));
    expect(waits([A], lines.slice(0, 4), 100, { isCarried: false }).byTask.get(1)).toEqual(
      only({ stopped: 40, place: 60 }),
    );
  });

  test("an attempt that was dead while nobody carried it, or its owt was suspended, waited for that", () => {
    const dead = (ms: number) => [{ attempt: 1, task: 1, ms }];
    const { byTask, inChecks, deadInChecks } = waits(
      [A, C],
      [
        [0, null, created],
        [0, null, carried],
        [10, 1, moved("pending", "running")],
        [30, 1, phase("setup")],
        [50, null, { kind: "run-carried", pid: 2, dead: dead(15) }],
        [60, 1, phase("verify")],
        [60, 1, moved("running", "verifying")],
        [65, 1, { kind: "verify-started", command: "c", where: "task" }],
        [90, null, { kind: "run-suspended", ms: 23, dead: dead(20) }],
        [100, 1, ended],
        [100, 1, moved("verifying", "done")],
      ],
      100,
    );
    expect(byTask.get(1)).toEqual(only({ place: 10, check: 5, stopped: 15 + 20 }));
    expect([inChecks.get(1), deadInChecks.get(1)]).toEqual([25, 20]);
    // Nobody gave it a place meanwhile.
    expect(byTask.get(3)).toEqual(only({ stopped: 20 + 23, place: 100 - 43 }));
  });

  const HOUR = 3_600_000;
  const set = (ms: number): Fact => ({ kind: "clock-set", ms });

  test.each([HOUR, -HOUR])("nobody waited for what the clock was set by: %d ms ahead, and back at the end", (ms) => {
    const { byTask, parked: aside } = waits(
      [A, C],
      [
        [0, null, created],
        [10, 1, moved("pending", "running")],
        [20, null, { kind: "run-wish", wish: "pause" }],
        [ms + 30, null, set(ms)],
        [ms + 40, null, { kind: "run-wish", wish: null }],
        [ms + 50, 1, moved("running", "pending")],
        [ms + 50, 1, parked({ for: "answer", question: "Which?" })],
        [80, null, set(-ms)],
        [85, 3, moved("pending", "running")],
        [90, 1, { kind: "task-answered", text: "this" }],
      ],
      100,
    );
    expect(byTask.get(1)).toEqual(only({ place: 10 + 10, person: 40 }));
    expect(byTask.get(3)).toEqual(only({ place: 65, stopped: 20 }));
    expect(aside).toMatchObject([{ at: ms + 50, until: 90, waitedMs: 40 }]);
  });

  test("an outage until a time that the clock is set ahead over, or back from, ends when the clock comes to it", () => {
    const outage = { agent: "demo", reason: "529" };
    const lines = (ms: number): Line[] => [
      [0, 1, moved("pending", "running")],
      [10, 1, moved("running", "pending")],
      [10, 1, parked({ for: "limit", until: 60, outage }, 60)],
      [10, null, { kind: "run-limited", limits: [{ until: 60, tasks: [1, 3], outage: "529" }] }],
      [20 + ms, null, set(ms)],
    ];
    const gone = waits([A, C], [...lines(HOUR), [HOUR + 25, 1, moved("pending", "running")]], HOUR + 30).byTask;
    expect(gone.get(1)).toEqual(only({ outage: 10, place: 5 }));
    expect(gone.get(3)).toEqual(only({ place: 10 + 10, outage: 10 }));
    const stays = waits([A, C], lines(-15), 60).byTask;
    expect(stays.get(1)).toEqual(only({ outage: 65 }));
    expect(stays.get(3)).toEqual(only({ place: 10, outage: 65 }));
  });

  test("what comes between a jump and the look that finds it is no wait of that length", () => {
    const { byTask } = waits(
      [A],
      [
        [0, null, created],
        [HOUR + 10, 1, moved("pending", "running")],
        [HOUR + 12, null, set(HOUR)],
      ],
      HOUR + 20,
    );
    expect(byTask.get(1)).toEqual(only({ place: 12 }));
  });

  test("the clock is set while work is checked and while it is merged: neither is time of the checks", () => {
    const { inChecks, deadInChecks } = waits(
      [A],
      [
        [0, 1, moved("pending", "running")],
        [10, 1, phase("verify")],
        [10, 1, { kind: "verify-started", command: "c", where: "task" }],
        [HOUR + 20, null, set(HOUR)],
        [HOUR + 30, 1, phase("merge")],
        [3 * HOUR + 40, null, set(2 * HOUR)],
        [3 * HOUR + 50, 1, ended],
      ],
      3 * HOUR + 60,
    );
    expect([inChecks.get(1), deadInChecks.get(1)]).toEqual([3 * HOUR, HOUR]);
  });

  test("what joined later, failed, or ended does not wait meanwhile", () => {
    const { byTask } = waits(
      [A, C],
      [
        [0, 1, moved("pending", "running")],
        [10, 1, moved("running", "failed")],
        [30, null, { kind: "tasks-joined", keys: ["c"] }],
        [50, 1, moved("failed", "pending")],
        [55, 1, moved("pending", "running")],
        [70, 3, moved("pending", "cancelled")],
      ],
      200,
      { endedAt: 100 },
    );
    expect(byTask.get(1)).toEqual(only({ place: 5 }));
    expect(byTask.get(3)).toEqual(only({ place: 40 }));
  });
});

test("whatever the log says, every moment in which a task was pending counts once", () => {
  const facts = fc.oneof(
    fc.constantFrom<Fact>(
      { kind: "run-wish", wish: "pause" },
      { kind: "run-wish", wish: null },
      { kind: "run-held", by: "day", tasks: [] },
      { kind: "run-held", by: null, tasks: [2] },
      { kind: "run-limited", limits: [{ until: 50, tasks: [1, 3] }] },
      { kind: "run-limited", limits: [{ until: null, tasks: [1] }] },
      carried,
      parked({ for: "answer", question: "?" }),
      parked({ for: "limit", until: 30 }, 30),
      parked({ for: "login", agent: "claude", reason: "401" }),
      moved("running", "pending", { notBefore: 40 }),
      { kind: "task-next", next: { kind: "fresh" } },
    ),
  );
  const line = fc.tuple(fc.integer({ min: 0, max: 100 }), fc.constantFrom(1, 2, 3), facts);
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), fc.boolean(), (lines, isCarried) => {
      const sorted = lines.toSorted((a, b) => a[0] - b[0]);
      // All of them are pending from the beginning to the end.
      const { byTask } = waits([A, B, C], sorted, 120, { isCarried });
      for (const each of byTask.values()) expect(Object.values(each).reduce((sum, ms) => sum + ms, 0)).toBe(120);
    }),
  );
});

test("sums are by reason", () => {
  const sum = addWaits([only({ place: 1, person: 2 }), only({ place: 3 })]);
  expect(sum).toEqual(only({ place: 4, person: 2 }) satisfies Record<WaitReason, number>);
});

test("memory, the disk and worktrees that were short are told apart, and a budget comes before them", () => {
  const short = (of: "memory" | "disk" | "worktrees" | null): Fact => ({
    kind: "run-short",
    of,
    why: "",
    isFirst: false,
  });
  const { byTask } = waits(
    [A, B],
    [
      [0, null, created],
      [10, null, short("memory")],
      [30, null, { kind: "run-held", by: "run", tasks: [] }],
      [40, null, { kind: "run-held", by: null, tasks: [] }],
      [50, null, short("disk")],
      [80, null, short("worktrees")],
      [85, null, short(null)],
      [100, 1, moved("pending", "running")],
    ],
    200,
  );
  expect(byTask.get(1)).toEqual(only({ place: 25, memory: 30, budget: 10, disk: 30, worktrees: 5 }));
  expect(byTask.get(2)).toEqual(only({ upstream: 200 }));
});
