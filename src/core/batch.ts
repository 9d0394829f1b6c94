/** Batches: runs that begin by the clock, as `schedule.toml` names them. What it may say, and what is wrong with it, all at once. Pure. */
import * as v from "valibot";
import { isTimezone, parseCron } from "../lib/cron.ts";
import { parseDuration, parseSaidDuration } from "../lib/duration.ts";
import { RUN_BUDGET } from "./config-keys.ts";
import { describeIssue, keyOf, table } from "./form.ts";
import { nearest } from "./names.ts";

export type RunBudget = { [Key in keyof typeof RUN_BUDGET]?: number | string };

/** What becomes of a slot at which nobody watched: nothing, or the newest such slot is fired once somebody does. */
export type MissedPolicy = "skip" | "once";

export type Batch = {
  name: string;
  cron: string;
  timezone: string;
  /** As it is written; null: the repository that the schedule is looked at from. */
  repository: string | null;
  /** Path from the top of the repository; null: the one that `owt run` takes by itself. */
  plan: string | null;
  maxTasks: number;
  maxDurationMs: number;
  /** What its run may use, by the keys of `[budget]`; what is missing is as the configuration has it. */
  budget: RunBudget;
  notify: boolean;
  missed: MissedPolicy;
};

/** What holds where nothing, or 0, is written. */
const USUAL_TASKS = 10;
const USUAL_DURATION_MS = 4 * 3_600_000;

/** `key` is the dotted path (`batch.0.cron`). */
export type ScheduleProblem = { key: string; message: string; hint: string | null };

/** Whose schedule it is: a repository's own names no repository. */
export type ScheduleOrigin = "user" | "repository";

const name = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9][\w.-]*$/, "expected letters, digits, dots, dashes and underscores"),
);
const cron = v.pipe(
  v.string(),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const read = parseCron(dataset.value, "UTC");
    if ("problem" in read) addIssue({ message: read.problem });
  }),
);
const timezone = v.pipe(
  v.string(),
  v.check(isTimezone, "there is no such time zone; expected a name such as Europe/Berlin"),
);
const duration = v.pipe(
  v.union([v.string(), v.number()], "expected a time, such as 8h, 90m or 1h30m"),
  v.check((value) => parseSaidDuration(String(value)) !== null, "expected a time, such as 8h, 90m or 1h30m"),
);
const path = (origin: ScheduleOrigin) =>
  v.pipe(
    v.string(),
    v.check((value) => value.trim() !== "" && !/[\n\0]/.test(value), "expected a path"),
    v.check(
      (value) => origin === "user" || !(value.startsWith("/") || value.split("/").includes("..")),
      "expected a path inside the repository",
    ),
  );

function formOf(origin: ScheduleOrigin) {
  const repository = v.pipe(
    v.string(),
    v.check((value) => /^(~?\/|~$)/.test(value), "expected a path that begins with / or ~"),
    v.check(() => origin === "user", "a repository's own schedule fires in that repository; leave this line out"),
  );
  return table({
    batch: v.exactOptional(
      v.array(
        table({
          name,
          cron,
          timezone: v.exactOptional(timezone),
          repository: v.exactOptional(repository),
          plan: v.exactOptional(path(origin)),
          max_tasks: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(0))),
          max_duration: v.exactOptional(duration),
          budget_usd: v.exactOptional(v.pipe(v.number(), v.gtValue(0))),
          budget: v.exactOptional(table(RUN_BUDGET)),
          notify_on_complete: v.exactOptional(v.boolean()),
          missed: v.exactOptional(v.picklist(["skip", "once"])),
        }),
        "each batch begins with [[batch]], in two brackets",
      ),
    ),
  });
}

/** The keys of a batch, for suggestions. */
const KEYS =
  "name cron timezone repository plan max_tasks max_duration budget_usd budget notify_on_complete missed".split(" ");
const BUDGET_KEYS = Object.keys(RUN_BUDGET);

/** Checks what a schedule says. `zone` is the time zone of batches that name none. */
export function checkSchedule(
  raw: unknown,
  origin: ScheduleOrigin,
  zone: string,
): { batches: Batch[] } | { problems: ScheduleProblem[] } {
  const read = v.safeParse(formOf(origin), raw);
  const problems = (read.issues ?? []).map((issue): ScheduleProblem => {
    const key = keyOf(issue);
    return {
      key: key.join("."),
      message: issue.received === "undefined" ? "is missing" : describeIssue(issue),
      hint: hintFor(issue.message, key),
    };
  });
  problems.push(...twiceNamed(raw), ...twiceLimited(raw));
  if (problems.length > 0 || !read.success) return { problems };
  return { batches: (read.output.batch ?? []).map((each) => toBatch(each, zone)) };
}

function hintFor(message: string, key: readonly string[]): string | null {
  if (message !== "unknown key") return null;
  const known = key.length === 1 ? ["batch"] : key.length === 3 ? KEYS : BUDGET_KEYS;
  const [close] = nearest(key.at(-1)!, known, 1);
  return close === undefined ? `known: ${known.join(", ")}` : `did you mean ${close}?`;
}

function twiceNamed(raw: unknown): ScheduleProblem[] {
  const list = (raw as { batch?: unknown } | null)?.batch;
  if (!Array.isArray(list)) return [];
  const names = list.map((each: unknown) => (each as { name?: unknown } | null)?.name);
  return names.flatMap((each, at) =>
    typeof each === "string" && names.indexOf(each) < at
      ? [{ key: `batch.${at}.name`, message: `there are two batches named ${each}`, hint: null }]
      : [],
  );
}

/** The dollars of a run, in either notation. */
function twiceLimited(raw: unknown): ScheduleProblem[] {
  const list = (raw as { batch?: unknown } | null)?.batch;
  if (!Array.isArray(list)) return [];
  return list.flatMap((each: unknown, at) => {
    const { budget_usd: short, budget } = (each ?? {}) as { budget_usd?: unknown; budget?: { run_usd?: unknown } };
    const isTwice = short !== undefined && budget?.run_usd !== undefined;
    return isTwice ? [{ key: `batch.${at}.budget_usd`, message: "is the same as budget.run_usd", hint: null }] : [];
  });
}

type Written = NonNullable<v.InferOutput<ReturnType<typeof formOf>>["batch"]>[number];

function toBatch(written: Written, zone: string): Batch {
  const duration = parseDuration(written.max_duration ?? 0) ?? 0;
  return {
    name: written.name,
    cron: written.cron,
    timezone: written.timezone ?? zone,
    repository: written.repository ?? null,
    plan: written.plan ?? null,
    maxTasks: written.max_tasks || USUAL_TASKS,
    maxDurationMs: duration || USUAL_DURATION_MS,
    budget: { ...(written.budget_usd === undefined ? {} : { run_usd: written.budget_usd }), ...written.budget },
    notify: written.notify_on_complete ?? false,
    missed: written.missed ?? "skip",
  };
}
