import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sampleTask } from "../../test/rig/samples.ts";
import { type Holds, NO_HOLDS } from "./budget.ts";
import type { Park, Task, TaskState } from "./task.ts";
import { countFinal, findSkips, isSettled, viewTasks } from "./view.ts";
import { describePark } from "./park.ts";
import { answerCommand, renderAnswer } from "./task-answer.ts";

const AGENT = (task: Task) => task.spec.agent ?? "claude";

const NOW = Date.parse("2026-11-21T10:00:00Z");
const LATER = Date.parse("2026-11-21T10:05:00Z");

const PERSON: Park = { for: "answer", question: "red or blue?" };

function viewOf(change: Partial<Task>, ...others: Task[]): [standing: string, why: string] {
  const view = viewTasks([sampleTask("it", change), ...others], AGENT, NOW)[0]!;
  return [view.standing, view.why];
}

describe("where a task stands, and why", () => {
  test.each<[string, Partial<Task>, string, string]>([
    ["nothing holds it", {}, "ready", ""],
    ["a time that is over", { notBefore: NOW }, "ready", ""],
    ["a pause between tries", { notBefore: LATER }, "waits-for-time", "tries again at 2026-11-21T10:05:00.000Z"],
    [
      "a limit",
      { notBefore: LATER, park: { for: "limit", until: LATER } },
      "waits-for-time",
      "waits for a usage limit until 2026-11-21T10:05:00.000Z",
    ],
    ["a limit that is over", { notBefore: NOW - 1, park: { for: "limit", until: NOW - 1 } }, "ready", ""],
    ["a retry with a reason", { notBefore: LATER, park: { for: "retry", reason: "529" } }, "waits-for-time", "529"],
    ["a question", { park: PERSON }, "waits-for-person", "asks: red or blue?"],
    ["work", { state: "running" }, "working", "running"],
    ["checks", { state: "verifying" }, "working", "verifying"],
    ["integration", { state: "integrating" }, "working", "integrating"],
    ["review", { state: "review" }, "waits-for-person", "waits for approval"],
    ["approved review", { state: "review", approved: true }, "working", "approved"],
    ["checked work", { state: "done", verified: true }, "done", ""],
    ["unchecked work", { state: "done" }, "done", "unverified"],
    ["a failure", { state: "failed", reason: "exit 1" }, "failed", "exit 1"],
    ["a skip", { state: "skipped", reason: "needs a" }, "skipped", "needs a"],
    ["a cancellation", { state: "cancelled" }, "cancelled", ""],
  ])("%s", (_, change, standing, why) => {
    expect(viewOf(change)).toEqual([standing, why]);
  });

  test("it waits for what it needs until each of them is done, in the order of its needs", () => {
    const needs = ["a", "b", "c"];
    const [a, b, c] = [sampleTask("a"), sampleTask("b", { state: "done" }), sampleTask("c", { state: "review" })];
    expect(viewOf({ needs }, a, b, c)).toEqual(["blocked", "waits for a, c"]);
    const done = needs.map((key) => sampleTask(key, { state: "done" }));
    expect(viewOf({ needs }, ...done)).toEqual(["ready", ""]);
    expect(viewOf({ needs: ["nobody"] })).toEqual(["blocked", "waits for nobody"]);
  });

  test("a person comes before other tasks, and other tasks before a time", () => {
    expect(viewOf({ park: PERSON, needs: ["x"], notBefore: LATER })[0]).toBe("waits-for-person");
    expect(viewOf({ park: { for: "limit", until: LATER }, needs: ["x"], notBefore: LATER })[0]).toBe("blocked");
  });
});

test.each<[Park, string, string]>([
  [{ for: "answer", question: "why?" }, "asks: why?", 'owt task answer it "…"'],
  [
    { for: "conflict", files: ["a", "b"], ours: "1", theirs: "2", worktree: "/w" },
    "conflict in a, b; to be resolved in /w",
    "owt task approve it  (resolved; or start over: owt task retry it)",
  ],
  [
    {
      for: "conflict",
      files: Array.from({ length: 1_000 }, (_, at) => `f${at}`),
      ours: "1",
      theirs: "2",
      worktree: "/w",
    },
    "conflict in f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11 and 988 more; to be resolved in /w (all of them: git -C /w status)",
    "owt task approve it  (resolved; or start over: owt task retry it)",
  ],
  [
    { for: "permission", agent: "claude", tools: ["Bash", "Write"] },
    "was not allowed to use Bash, Write",
    "owt task retry it",
  ],
  [{ for: "login", agent: "claude", reason: "auth: bad key" }, "auth: bad key", "owt task retry it"],
  [{ for: "agent", agent: "claude", reason: "claude dies" }, "claude dies", "owt task retry it"],
])("%j needs a person, says why, and names the command that helps", (park, why, command) => {
  expect(viewOf({ park })).toEqual(["waits-for-person", why]);
  expect(renderAnswer(answerCommand(sampleTask("it", { park }), true))).toBe(command);
  expect(answerCommand(sampleTask("it", { park, run: "r1" }), false).command).toContain("it --run r1");
});

test("a limit without a reset, and a review, have their words too", () => {
  expect(describePark({ for: "limit", until: null })).toBe("waits for a usage limit");
  expect(answerCommand(sampleTask("it", { state: "review", park: PERSON }), true).command).toBe("owt task approve it");
});

describe("a run is settled", () => {
  const settled = (...tasks: Task[]) => isSettled(viewTasks(tasks, AGENT, NOW));
  const asks = sampleTask("asks", { park: PERSON });

  test("when it holds nothing", () => {
    expect(settled()).toBe(true);
  });

  test.each<[boolean, Partial<Task>]>([
    [true, { state: "done" }],
    [true, { state: "failed" }],
    [true, { state: "skipped" }],
    [true, { state: "cancelled" }],
    [true, { state: "review" }],
    [true, { park: PERSON }],
    [false, {}],
    [false, { state: "running" }],
    [false, { state: "verifying" }],
    [false, { state: "integrating" }],
    [false, { state: "review", approved: true }],
    [false, { notBefore: LATER }],
    [false, { needs: ["elsewhere"] }],
  ])("%s for a task with %j", (expected, change) => {
    expect(settled(sampleTask("it", change))).toBe(expected);
  });

  test("when the rest is blocked through one that waits for a person, however far", () => {
    const chain = [sampleTask("c", { needs: ["b"] }), sampleTask("b", { needs: ["asks"] }), asks];
    expect(settled(...chain)).toBe(true);
    expect(settled(...chain.toReversed())).toBe(true);
  });

  test("not when one that it waits for still works, or what blocks it is nobody's question", () => {
    const both = sampleTask("both", { needs: ["asks", "works"] });
    expect(settled(asks, both, sampleTask("works", { state: "running" }))).toBe(false);
    expect(settled(sampleTask("a", { needs: ["b"] }), sampleTask("b", { state: "failed" }))).toBe(false);
  });

  const states: TaskState[] = ["pending", "running", "verifying", "review", "integrating", "done", "failed", "skipped"];
  test("never while any task is ready or works", () => {
    const anyTasks = fc
      .array(
        fc.record({
          state: fc.constantFrom(...states),
          park: fc.constantFrom(null, PERSON),
          needs: fc.array(fc.nat(9), { maxLength: 3 }),
        }),
        { maxLength: 10 },
      )
      .map((tasks) =>
        tasks.map((task, index) => sampleTask(`t${index}`, { ...task, needs: task.needs.map((at) => `t${at}`) })),
      );
    fc.assert(
      fc.property(anyTasks, (tasks) => {
        const views = viewTasks(tasks, AGENT, NOW);
        const moves = views.some((view) => ["ready", "working", "waits-for-time"].includes(view.standing));
        if (moves) expect(isSettled(views)).toBe(false);
      }),
    );
  });
});

test("pending tasks whose upstream is lost are skipped, with the ones that are lost, and nothing else is", () => {
  const tasks = [
    sampleTask("f", { state: "failed" }),
    sampleTask("s", { state: "skipped" }),
    sampleTask("c", { state: "cancelled" }),
    sampleTask("d", { state: "done" }),
    sampleTask("all", { needs: ["d", "f", "s", "c"] }),
    sampleTask("fine", { needs: ["d"] }),
    sampleTask("runs", { needs: ["f"], state: "running" }),
    sampleTask("far", { needs: ["all"] }),
  ];
  expect(findSkips(tasks).map(({ task, reason }) => [task.key, reason])).toEqual([["all", "needs f, s, c"]]);
});

test("only what ended is counted", () => {
  const states: TaskState[] = ["done", "done", "failed", "skipped", "cancelled", "running", "pending", "review"];
  const tasks = states.map((state, index) => sampleTask(`t${index}`, { state }));
  expect(countFinal(tasks)).toEqual({ done: 2, failed: 1, skipped: 1, cancelled: 1 });
});

test("a refused login holds every task whose agent works with it, whatever the agent is called, in all runs", () => {
  const park = { for: "login", agent: "claude", credential: "key 1", reason: "auth: bad key" } as const;
  const first = sampleTask("first", { id: 1, run: "r1", park });
  const tasks = ["second", "mended", "codex"].map((key, id) => sampleTask(key, { id: id + 2, run: "r2" }));
  const keys: Record<string, string> = { second: "key 1", mended: "key 2", codex: "key 3" };
  const seen = viewTasks(tasks, (task) => task.key, NOW, {
    logins: { tasks: [first, ...tasks], credentialOf: (agent) => keys[agent]! },
  });
  expect(seen.map((view) => view.standing)).toEqual(["waits-for-person", "ready", "ready"]);
  expect(seen[0]!.why).toBe("waits for the login of claude (see first of r1)");
  expect(isSettled(seen.slice(0, 1))).toBe(true);
});

test("an agent that dies as soon as it is started holds every task of its own, in all runs, and none of another that works with its login", () => {
  const park = { for: "agent", agent: "claude", reason: "claude dies" } as const;
  const [first, second] = [sampleTask("first", { park }), sampleTask("second")];
  const other = sampleTask("other", { spec: { ...second.spec, agent: "mine" } });
  const logins = { tasks: [first, second, other], credentialOf: () => "one key for all" };
  const views = viewTasks([first, second, other], AGENT, NOW, { logins });
  expect(views.map((view) => view.standing)).toEqual(["waits-for-person", "blocked", "ready"]);
  expect(views[1]!.why).toBe("waits for claude to work (see first)");
  expect(isSettled(views.slice(0, 2))).toBe(true);
});

test("who waits behind a death says so until its time has come", () => {
  const park = { for: "retry", reason: "its process disappeared; starts again at …" } as const;
  expect(viewOf({ park, notBefore: NOW + 1 })).toEqual(["waits-for-time", park.reason]);
  expect(viewOf({ park, notBefore: NOW })[0]).toBe("ready");
});

test("a login that was refused holds every task of that agent, and none of another", () => {
  const park = { for: "login", agent: "claude", reason: "auth: bad key" } as const;
  const [first, second] = [sampleTask("first", { park }), sampleTask("second")];
  const other = sampleTask("other", { spec: { ...second.spec, agent: "mine" } });
  const views = viewTasks([first, second, other], AGENT, NOW);
  expect(views.map((view) => view.standing)).toEqual(["waits-for-person", "blocked", "ready"]);
  expect(views[1]!.why).toBe("waits for the login of claude (see first)");
  expect(isSettled(views.slice(0, 2))).toBe(true);
  expect(viewTasks([{ ...first, park: null }, second], AGENT, NOW)[1]!.standing).toBe("ready");
});

describe("a usage limit that another task met", () => {
  const hold = { agent: "claude", until: NOW + 60_000, isGuess: false, probe: null };
  const seen = (limit: object, change: Partial<Task> = {}) => {
    const none = { tasks: [], credentialOf: (agent: string) => agent };
    const views = viewTasks([sampleTask("it", change)], AGENT, NOW, {
      logins: none,
      limitOf: () => ({ ...hold, ...limit }),
    });
    return { standing: views[0]!.standing, why: views[0]!.why, isSettled: isSettled(views) };
  };

  test("keeps back until its reset, and behind that until the one that tries it has got through", () => {
    const until = new Date(hold.until).toISOString();
    const waits = { standing: "waits-for-time", isSettled: false };
    expect(seen({})).toEqual({ ...waits, why: `waits for a usage limit of claude until ${until}` });
    expect(seen({ isGuess: true }).why).toBe(`waits for a usage limit of claude; no reset known; next try at ${until}`);
    const why = "waits for other, which tries whether the usage limit of claude is over";
    expect(seen({ until: NOW - 1, probe: "other" })).toEqual({ ...waits, why });
    expect(seen({ until: NOW - 1 }).standing).toBe("ready");
  });

  test("that is none, but an API out of reach, is told as that", () => {
    const outage = "529 Overloaded";
    const until = new Date(hold.until).toISOString();
    const away = "the API of claude cannot be reached (529 Overloaded)";
    expect(seen({ isGuess: true, outage })).toMatchObject({ why: `${away}; next try at ${until}`, isSettled: false });
    const why = "waits for other, which tries whether the API of claude can be reached again";
    expect(seen({ until: NOW - 1, probe: "other", outage }).why).toBe(why);
    expect(seen({ until: NOW - 1, outage }).standing).toBe("ready");
    const park = { for: "limit" as const, until: hold.until, outage: { agent: "claude", reason: outage } };
    expect(describePark(park)).toBe(`${away}; next try at ${until}`);
  });

  test("is told with the time at which it goes on, as that of a day's budget is, and no time where nobody knows one", () => {
    const none = { tasks: [], credentialOf: (agent: string) => agent };
    const until = (holds: Holds, limit: object | null) => {
      const limitOf = limit && (() => ({ ...hold, ...limit }));
      return viewTasks([sampleTask("it")], AGENT, NOW, { holds, logins: none, limitOf })[0]!.until;
    };
    expect([until(NO_HOLDS, {}), until(NO_HOLDS, { probe: "other" })]).toEqual([hold.until, undefined]);
    const day = { scope: "day" as const, unit: "usd" as const, limit: 5, used: 5, taken: 5, isAtLeast: false };
    expect(until({ ...NO_HOLDS, all: day, dayEnds: LATER }, null)).toBe(LATER);
    expect(until({ ...NO_HOLDS, all: { ...day, used: 4 }, dayEnds: LATER }, null)).toBeUndefined();
  });

  test("does not keep back a task that it had parked, once another agent takes that", () => {
    const parked = sampleTask("it", { notBefore: LATER, park: { for: "limit", until: LATER, credential: "claude" } });
    const none = { tasks: [], credentialOf: (agent: string) => agent };
    const limitOf = (agent: string) => (agent === "claude" ? { ...hold, until: LATER } : null);
    const standing = (agent: string) => viewTasks([parked], () => agent, NOW, { logins: none, limitOf })[0]!.standing;
    expect([standing("claude"), standing("codex")]).toEqual(["waits-for-time", "ready"]);
  });

  test("does not keep back what a person has done", () => {
    expect(seen({}, { next: { kind: "by-hand", from: 1 } }).standing).toBe("ready");
  });
});

describe("a budget that is used up", () => {
  const level = { scope: "run" as const, unit: "usd" as const, limit: 5, used: 5.5, taken: 5.5, isAtLeast: false };
  const none = { ...NO_HOLDS, dayEnds: LATER };
  const standing = (change: Partial<Task>, holds: Holds) => {
    const [view] = viewTasks([sampleTask("it", change)], AGENT, NOW, { holds });
    return [view!.standing, view!.why];
  };
  const words = "waits for the budget: $5.50 of $5.00 for the run";

  test("keeps back what could start, of the run or of the one task, and nothing that costs nothing", () => {
    expect(standing({}, { ...none, all: level })).toEqual(["waits-for-budget", words]);
    expect(standing({ id: 7 }, { ...none, tasks: new Map([[7, level]]) })).toEqual(["waits-for-budget", words]);
    expect(standing({ id: 8 }, { ...none, tasks: new Map([[7, level]]) })).toEqual(["ready", ""]);
    expect(standing({ needs: ["gone"] }, { ...none, all: level })).toEqual(["blocked", "waits for gone"]);
    expect(standing({ next: { kind: "by-hand", from: 1 } }, { ...none, all: level })[0]).toBe("ready");
    expect(standing({ state: "running" }, { ...none, all: level })[0]).toBe("working");
  });

  test("lets go by itself of what is only kept for running attempts; a number of tasks keeps back those that have not begun", () => {
    const kept = { ...level, used: 3, taken: 5.5 };
    const why = "waits for the budget: $3.00 (and $2.50 kept for what runs) of $5.00 for the run";
    expect(standing({}, { ...none, all: kept })).toEqual(["waits-for-time", why]);
    const ten = { ...level, unit: "tasks" as const, limit: 10, used: 10, taken: 10 };
    const words = "waits for the budget: 10 of 10 tasks for the run";
    expect(standing({}, { ...none, unbegun: ten })).toEqual(["waits-for-budget", words]);
    expect(standing({ startedAt: NOW }, { ...none, unbegun: ten })[0]).toBe("ready");
  });

  test("is waited for until it is raised, that of a day until the day is over", () => {
    const park = (until: number | null): Park => ({ for: "budget", reason: "$5.50 of $5.00", until });
    const why = "waits for the budget: $5.50 of $5.00";
    expect(standing({ park: park(null) }, none)).toEqual(["waits-for-budget", why]);
    expect(standing({ park: park(LATER), notBefore: LATER }, none)).toEqual(["waits-for-time", why]);
    expect(standing({ park: park(NOW), notBefore: NOW }, none)[0]).toBe("ready");
    expect(standing({}, { ...none, all: { ...level, scope: "day" } })[0]).toBe("waits-for-time");
  });

  test("leaves nothing to happen, also to what depends on the tasks it keeps back", () => {
    const tasks = [sampleTask("it"), sampleTask("below", { id: 2, needs: ["it"] })];
    expect(isSettled(viewTasks(tasks, AGENT, NOW, { holds: { ...none, all: level } }))).toBe(true);
    expect(isSettled(viewTasks(tasks, AGENT, NOW, { holds: { ...none, all: { ...level, scope: "day" } } }))).toBe(
      false,
    );
  });
});

test("what could start waits for room, says for what, and goes on by itself", () => {
  const seen = (of: "memory" | "disk" | "worktrees", change: Parameters<typeof sampleTask>[1] = {}) => {
    const shortage = { of, why: `waits for ${of}` };
    const tasks = [sampleTask("it", change), sampleTask("below", { needs: ["it"] })];
    const none = { tasks: [], credentialOf: () => "" };
    const views = viewTasks(tasks, AGENT, NOW, { logins: none, limitOf: () => null, shortage });
    expect(isSettled(views)).toBe(false);
    expect(views[1]!.standing).toBe("blocked");
    return [views[0]!.standing, views[0]!.why];
  };
  expect(seen("memory")).toEqual(["waits-for-room", "waits for memory"]);
  expect(seen("worktrees", { next: { kind: "resume", from: 1 }, startedAt: 1 })[0]).toBe("ready");
  expect(seen("memory", { next: { kind: "by-hand", from: 1 }, startedAt: 1 })[0]).toBe("ready");
  expect(seen("disk", { next: { kind: "by-hand", from: 1 }, startedAt: 1 })[0]).toBe("waits-for-room");
  expect(seen("disk", { state: "running" })[0]).toBe("working");
});
