import { expect, test } from "vitest";
import { parse } from "smol-toml";
import { checkSchedule, type ScheduleOrigin } from "./batch.ts";

const check = (text: string, origin: ScheduleOrigin = "user") => checkSchedule(parse(text), origin, "Europe/Berlin");

test("the schedule that the seed shows is read as it stands", () => {
  const text = `
[[batch]]
name = "overnight"
cron = "0 22 * * *"  # 10 PM daily
max_tasks = 10
max_duration = "8h"
notify_on_complete = true

[[batch]]
name = "weekday-noon"
cron = "0 12 * * 1-5"  # Noon on weekdays
max_tasks = 5
max_duration = "4h"
`;
  const usual = { timezone: "Europe/Berlin", repository: null, plan: null, budget: {}, missed: "skip" };
  expect(check(text)).toEqual({
    batches: [
      { ...usual, name: "overnight", cron: "0 22 * * *", maxTasks: 10, maxDurationMs: 8 * 3_600_000, notify: true },
      {
        ...usual,
        name: "weekday-noon",
        cron: "0 12 * * 1-5",
        maxTasks: 5,
        maxDurationMs: 4 * 3_600_000,
        notify: false,
      },
    ],
  });
});

test("nothing, and 0, mean ten tasks and four hours, as in the seed", () => {
  for (const limits of ["", 'max_tasks = 0\nmax_duration = "0s"']) {
    const read = check(`[[batch]]\nname = "a"\ncron = "@daily"\n${limits}`);
    expect("batches" in read && read.batches[0]).toMatchObject({ maxTasks: 10, maxDurationMs: 4 * 3_600_000 });
  }
  expect(check("")).toEqual({ batches: [] });
});

test("a budget has the units and the words of the configuration's", () => {
  const batch = (more: string) => check(`[[batch]]\nname = "a"\ncron = "@daily"\n${more}`);
  const all = `[batch.budget]\nrun_usd = 3\ntokens = 5000\nrun_tasks = 2\nrun_time = "90m"\ntask_usd = 1\ntask_tokens = 100\ntask_time = "60s"`;
  expect(batch(all)).toMatchObject({
    batches: [
      {
        budget: {
          run_usd: 3,
          tokens: 5000,
          run_tasks: 2,
          run_time: "90m",
          task_usd: 1,
          task_tokens: 100,
          task_time: "60s",
        },
      },
    ],
  });
  expect(batch("budget_usd = 3")).toMatchObject({ batches: [{ budget: { run_usd: 3 } }] });
  const wrong = batch('budget_usd = 3\n[batch.budget]\nrun_usd = 3\ntoken = 1\nrun_time = "soon"\nrun_tasks = 0');
  expect("problems" in wrong && wrong.problems.map(({ key, hint }) => [key, hint])).toEqual([
    ["batch.0.budget.run_tasks", null],
    ["batch.0.budget.run_time", null],
    ["batch.0.budget.token", "did you mean tokens?"],
    ["batch.0.budget_usd", null],
  ]);
});

test("every mistake is told at once, each by its key", () => {
  const text = `
[[batch]]
name = "a b"
cron = "61 22 * * *"
timezone = "Mars/Olympus"
max_duration = "soon"
[[batch]]
name = "x"
cron = "0 22"
max_task = 3
repository = "work/shop"
[[batch]]
name = "x"
cron = "0 0 31 2 *"
missed = "twice"
budget_usd = 0
`;
  const read = check(text);
  const told = "problems" in read ? read.problems.map(({ key, message, hint }) => [key, message, hint]) : [];
  expect(told.toSorted()).toEqual([
    ["batch.0.cron", "invalid value for minute: 61", null],
    ["batch.0.max_duration", "expected a time, such as 8h, 90m or 1h30m", null],
    ["batch.0.name", "expected letters, digits, dots, dashes and underscores", null],
    ["batch.0.timezone", "there is no such time zone; expected a name such as Europe/Berlin", null],
    [
      "batch.1.cron",
      "expected five fields (minute hour day month weekday), six with seconds in front, or @daily",
      null,
    ],
    ["batch.1.max_task", "unknown key", "did you mean max_tasks?"],
    ["batch.1.repository", "expected a path that begins with / or ~", null],
    ["batch.2.budget_usd", "expected more than 0, received 0", null],
    ["batch.2.cron", "names a day that never comes", null],
    ["batch.2.missed", expect.stringContaining("skip"), null],
    ["batch.2.name", "there are two batches named x", null],
  ]);
});

test("a repository's own schedule fires in that repository, with plans that lie in it", () => {
  const batch = (more: string) => `[[batch]]\nname = "a"\ncron = "@daily"\n${more}`;
  const wrong = check(batch('repository = "/srv/other"\nplan = "../other/plans"'), "repository");
  expect("problems" in wrong && wrong.problems.map(({ key }) => key)).toEqual(["batch.0.repository", "batch.0.plan"]);
  expect(check(batch('plan = "docs/plans"'), "repository")).toHaveProperty("batches");
  expect(check(batch('repository = "~/shop"\nplan = "/plans/night.json"'), "user")).toHaveProperty("batches");
});

test.for(["? 22 * * *", "0 22 * * * 2027 1", "2027-01-01T00:00:00", "@reboot", "", "0 0 0 * * * 2027"])(
  "%j is no time that comes again",
  (cron) => {
    expect(check(`[[batch]]\nname = "a"\ncron = "${cron}"`)).toHaveProperty("problems");
  },
);

test("a time without a unit is told: eight seconds are hardly meant", () => {
  const read = (max_duration: unknown) =>
    checkSchedule({ batch: [{ name: "night", cron: "@daily", max_duration }] }, "user", "UTC");
  for (const bare of [8, "8"])
    expect(read(bare)).toMatchObject({
      problems: [{ key: "batch.0.max_duration", message: expect.stringContaining("8h") }],
    });
  expect(read(0)).toHaveProperty("batches");
});
