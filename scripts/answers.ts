/** The shape of every `--json` answer, one entry for each command: `npm run reference` writes them to docs/schemas as JSON Schema.
 *  They cannot drift from the program: where an answer has a type of its own, `agree` compares the two when this file is compiled, and
 *  every answer that any end-to-end test reads is validated against its schema, in which an unknown property is an error. */
import { toJsonSchema } from "@valibot/to-json-schema";
import * as v from "valibot";
import type { Preview } from "../src/cli/preview.ts";
import { ERROR_CODES } from "../src/core/errors.ts";
import { MOMENTS } from "../src/core/moments.ts";
import type { Notice } from "../src/core/notification.ts";
import type { RunReport } from "../src/core/report.ts";
import { SESSION_STATES } from "../src/core/session-state.ts";
import type { HistoryReport } from "../src/core/history.ts";
import type { ShownConfig } from "../src/engine/configuration.ts";
import type { Finding } from "../src/engine/examine-machine.ts";
import type { Landed } from "../src/engine/land.ts";
import type { Rescue } from "../src/git/rescue.ts";

const text = v.string();
const texts = v.array(text);

const NOT_FILES = {
  not_files: v.pipe(
    v.array(v.strictObject({ path: text, kind: v.picklist(["named pipe", "socket", "device"]) })),
    v.description("what is in it, or went with it, and nothing can keep"),
  ),
};

/** What a worktree that was taken away lost for good. */
const LOST = {
  discarded: v.pipe(
    texts,
    v.description("ignored folders that went with it and are kept nowhere: what tools make again"),
  ),
  left_out: v.pipe(texts, v.description("those of them that were to be kept, but are too large, or hold a repository")),
  ...NOT_FILES,
};
const flag = v.boolean();
const whole = v.pipe(v.number(), v.integer());
const told = (schema: v.GenericSchema<string>, meaning: string) => v.pipe(schema, v.description(meaning));
const orNull = v.nullable;
const maybe = v.exactOptional;
const of = v.strictObject;

const moment = v.pipe(v.string(), v.isoTimestamp());
const epochMs = v.pipe(whole, v.description("milliseconds since 1970"));
const count = v.pipe(whole, v.minValue(0));
const ms = v.pipe(v.number(), v.description("milliseconds"));
const counts = v.pipe(v.record(text, count), v.description("how many tasks are in each state"));

const taskState = v.picklist([
  "pending",
  "running",
  "verifying",
  "contest",
  "review",
  "integrating",
  "done",
  "failed",
  "skipped",
  "cancelled",
]);
const standing = v.picklist([
  "ready",
  "blocked",
  "waits-for-person",
  "waits-for-time",
  "waits-for-budget",
  "waits-for-room",
  "working",
  "done",
  "failed",
  "skipped",
  "cancelled",
]);
const sessionState = v.picklist(SESSION_STATES);
const priority = v.picklist(["high", "normal", "low"]);
const runState = v.picklist(["open", "ended"]);

const command = v.pipe(text, v.description("the command that answers it"));
const answerOf = { command, note: v.pipe(orNull(text), v.description("what there is to know or do beside it")) };

const mayPass = v.exactOptional(
  v.pipe(v.literal(true), v.description("it may be over by itself in a moment, as a lock is")),
);

const mayHalt = v.exactOptional(
  v.pipe(v.literal(true), v.description("git can write nothing: every step but agents' own turns waits")),
);

const roomWait = v.pipe(
  orNull(
    of({
      why: text,
      since: moment,
      users: v.pipe(
        v.array(of({ run: text, task: text, path: text, bytes: count })),
        v.description("tasks that take much of it, the largest first: their worktrees, and what their agents printed"),
      ),
      ...answerOf,
    }),
  ),
  v.description("a full disk that open runs wait for"),
);

const usdKnown = v.pipe(
  orNull(v.number()),
  v.description("the sum of what is known, in dollars; null is unknown, never zero"),
);
const basis = v.pipe(
  orNull(v.picklist(["reported", "list", "mixed", "unknown"])),
  v.description("who says so: the agent, a list of prices, both, nobody; null where no agent has run"),
);
const costAtLeast = v.pipe(flag, v.description("true when something is not in the sum"));
const tokens = orNull(count);

const modelCost = {
  cost_usd: usdKnown,
  cost_at_least: costAtLeast,
  cost_basis: basis,
  input_tokens: v.pipe(tokens, v.description("all tokens of the prompts, those from and to a cache included")),
  output_tokens: tokens,
  cache_read_tokens: tokens,
  cache_write_tokens: tokens,
};
const cost = { ...modelCost, cost_missing: v.pipe(texts, v.description("what is not in the sum")) };
const models = v.array(of({ model: orNull(text), ...modelCost }));

const budget = v.array(
  of({
    scope: v.picklist(["run", "day", "task"]),
    unit: v.pipe(
      v.picklist(["usd", "tokens", "tasks", "ms"]),
      v.description("of what; ms is the time of agents at work"),
    ),
    limit: v.number(),
    used: v.number(),
    reserved: v.pipe(v.number(), v.description("kept for what runs")),
    at_least: flag,
  }),
);

const outcomeKind = v.picklist([
  "ok",
  "asked",
  "nothing_done",
  "denied",
  "limit",
  "transient",
  "auth",
  "billing",
  "budget",
  "turns",
  "timed_out",
  "hung",
  "verify_failed",
  "conflict",
  "stopped",
  "aborted",
  "lost",
  "disk_full",
  "failed",
]);

const peakMemory = v.pipe(
  orNull(count),
  v.description("the most that its agent or a check of it took; null where it was not measured"),
);

const attemptReport = of({
  number: count,
  agent: text,
  outcome: told(text, "in words"),
  outcome_kind: v.pipe(orNull(outcomeKind), v.description("null while it is open")),
  duration_ms: orNull(ms),
  peak_memory_bytes: peakMemory,
  ...cost,
  models,
});

const waits = v.pipe(
  of({
    upstream: ms,
    place: ms,
    person: ms,
    limit: ms,
    outage: ms,
    budget: ms,
    memory: ms,
    disk: ms,
    worktrees: ms,
    retry: ms,
    overlap: ms,
    rivals: ms,
    check: ms,
    integration: ms,
    stopped: ms,
  }),
  v.description("how long it waited, and for what; side by side tasks wait longer than the run takes"),
);
const parkedFor = v.picklist([
  "answer",
  "conflict",
  "red",
  "permission",
  "hand",
  "login",
  "agent",
  "git",
  "limit",
  "retry",
  "budget",
]);

const taskReport = of({
  id: text,
  title: text,
  state: taskState,
  why: maybe(told(text, "why it stands there")),
  agent: orNull(text),
  attempts: v.array(attemptReport),
  duration_ms: v.pipe(orNull(v.number()), v.description("from its first start to its end, waiting included")),
  work_ms: v.pipe(v.number(), v.description("time in which it was worked on, without checks and what it waited for")),
  lost: v.pipe(
    v.array(
      of({
        path: text,
        of: texts,
        is_own: flag,
        is_deletion: maybe(v.pipe(flag, v.description("what is undone is that it had deleted the file"))),
        is_mode: maybe(v.pipe(flag, v.description("what is undone is a change of the mode alone"))),
        is_binary: maybe(v.pipe(flag, v.description("it is no text, and one of the two changes had to go"))),
      }),
    ),
    v.description("files in which a conflict that it resolved left nothing of other tasks' change, or of its own"),
  ),
  checks_ms: v.pipe(
    v.number(),
    v.description("time in which its work was checked and merged, without waiting for that"),
  ),
  waiting_ms: waits,
  ...cost,
  commit: orNull(text),
  verified: flag,
  flaky: v.pipe(count, v.description("checks of its work that were red and then green on the same tree")),
});

const takenOut = v.pipe(flag, v.description("it was landed, and its target holds its work no more"));

const report = of({
  run: text,
  state: runState,
  plan: text,
  target: text,
  branch: text,
  builds_on: orNull(text),
  started_at: moment,
  ended_at: orNull(moment),
  landed_at: orNull(moment),
  taken_out: takenOut,
  duration_ms: ms,
  sequential_ms: v.pipe(v.number(), v.description("what its tasks would have taken one after the other")),
  speedup: orNull(v.number()),
  counts,
  ...cost,
  models,
  budget,
  unverified: v.pipe(texts, v.description("done without any verify command")),
  waiting_ms: waits,
  parked: v.array(
    of({ task: text, for: parkedFor, why: text, at: moment, until: orNull(moment), waited_ms: ms, times: count }),
  ),
  flaky: v.pipe(
    v.array(of({ command: text, times: count, tasks: texts })),
    v.description("checks that were red and then green on the same tree"),
  ),
  settled: v.pipe(
    v.array(of({ file: text, by: v.picklist(["ours", "union", "regenerate"]), commands: texts, tasks: texts })),
    v.description("files whose conflicts rules of the configuration settled, and in whose merges"),
  ),
  contests: v.pipe(
    v.array(
      of({
        task: text,
        winner: orNull(text),
        why: orNull(text),
        rivals: v.array(
          of({
            id: text,
            agent: text,
            state: taskState,
            lines: orNull(count),
            files: orNull(count),
            why: orNull(text),
          }),
        ),
      }),
    ),
    v.description("tasks that several agents did: who won, and why; null while that is open"),
  ),
  wins: v.pipe(
    v.array(of({ agent: text, won: count, of: count })),
    v.description("how often each rival won, of the decided tasks that it did"),
  ),
  tasks: v.array(taskReport),
});

const range = of({
  p50: v.pipe(v.number(), v.description("half of the cases stay below")),
  p90: v.pipe(v.number(), v.description("nine of ten stay below")),
});

const preview = of({
  plan: text,
  kind: text,
  target: text,
  builds_on: v.pipe(texts, v.description("runs that have not landed and whose work it begins with")),
  tasks: v.array(
    of({
      id: text,
      title: text,
      module: orNull(text),
      state: v.picklist(["to-run", "done", "left-out"]),
      why: maybe(told(text, "why it counts as done")),
      needs: texts,
      priority: text,
      wave: orNull(count),
      needs_review: flag,
      verify: texts,
      touches: texts,
      agent: orNull(text),
      model: orNull(text),
      rivals: v.pipe(texts, v.description("agents that are each to do it; none where one does it")),
      branch: orNull(text),
      file: text,
      line: count,
      estimate: orNull(
        of({
          duration_ms: range,
          cost_usd: orNull(range),
          from: v.picklist(["agent, model and kind", "agent and model", "agent", "all", "cold-start"]),
          earlier_tasks: count,
        }),
      ),
    }),
  ),
  waves: v.pipe(v.array(texts), v.description("what could run side by side; never waited for")),
  order: v.pipe(texts, v.description("the order in which one agent at a time starts them")),
  critical_path: texts,
  max_parallel: count,
  overlaps: v.pipe(
    v.array(of({ tasks: texts, path: text })),
    v.description(
      "pairs that touch the same files though neither needs the other, at most 100: not begun side by side while something else of the same priority is ready",
    ),
  ),
  estimate: v.pipe(
    orNull(
      of({
        label: text,
        earlier_tasks: count,
        cold_tasks: count,
        makespan_ms: range,
        sequential_ms: range,
        speedup: v.number(),
        cost_usd: orNull(range),
        cost_unknown_tasks: count,
        critical_path_ms: v.number(),
        parallelism: of({ most: count, average: v.number() }),
      }),
    ),
    v.description("null where nothing runs"),
  ),
  ignored: v.array(of({ file: text, reason: text })),
  warnings: v.array(of({ file: text, line: count, message: text, hint: text })),
});

const unpublished = v.pipe(
  v.array(of({ path: text, commit: text, ref: text })),
  v.description("submodules that point at a commit that no remote has, and where that is kept here"),
);

const landed = of({
  run: text,
  target: text,
  commit: text,
  merged: v.pipe(flag, v.description("the target had moved and was merged in")),
  checked: flag,
  already: v.pipe(flag, v.description("it was in the target before")),
  missing: v.pipe(texts, v.description("tasks that are not in it")),
  unpublished,
});

const underWay = v.picklist(["rebase", "cherry-pick", "revert", "bisect"]);

const rescue = of({
  id: text,
  ref: text,
  commit: text,
  path: text,
  branch: orNull(text),
  head: orNull(text),
  index: orNull(text),
  aside: maybe(text),
  merging: orNull(text),
  underWay: v.pipe(maybe(underWay), v.description("what git was in the middle of, which is not taken up again")),
  folders: v.pipe(maybe(v.array(text)), v.description("folders without a file in them")),
  modules: v.pipe(
    maybe(
      v.array(
        of({
          path: text,
          branch: orNull(text),
          head: orNull(text),
          files: orNull(text),
          tree: orNull(text),
          index: orNull(text),
          aside: maybe(text),
          folders: v.pipe(maybe(v.array(text)), v.description("folders without a file in them")),
          refs: v.pipe(
            maybe(v.array(of({ ref: text, oid: text, says: maybe(text) }))),
            v.description("its other branches, its tags and its stashes (newest first) that have commits of its own"),
          ),
        }),
      ),
    ),
    v.description("submodules of which something was saved; their commits are kept under refs/owt/submodules"),
  ),
  record: v.pipe(
    maybe(of({ base: orNull(text), began: orNull(text), doing: text })),
    v.description("what was on record of the worktree: what it is compared with, where its branch began, its note"),
  ),
  at: epochMs,
  note: text,
});

const finding = of({
  check: text,
  state: v.picklist(["pass", "warn", "fail", "absent"]),
  detail: text,
  hint: maybe(text),
});

const agentSeen = of({
  name: text,
  kind: text,
  default: flag,
  state: v.picklist(["pass", "warn", "absent"]),
  path: orNull(text),
  version: orNull(text),
  login: of({
    state: v.picklist(["found", "missing", "unknown", "not-needed"]),
    detail: text,
    variable: maybe(text),
    hint: maybe(text),
  }),
  capabilities: texts,
  trouble: texts,
  hint: orNull(text),
});

const shownGraph = of({
  dependencies: count,
  waves: v.array(texts),
  critical_path: texts,
  critical_path_ms: v.number(),
});
const dependency = of({ task: text, needs: text });
const dependencies = of({
  plan: text,
  kind: text,
  dependencies: count,
  tasks: v.array(
    of({
      id: text,
      title: text,
      depends_on: v.pipe(texts, v.description("named by the plan")),
      implied: v.pipe(texts, v.description("by the order of its module")),
      needed_by: texts,
      file: text,
      line: count,
    }),
  ),
});
const dependencyChange = of({
  plan: text,
  change: of({
    added: v.array(dependency),
    removed: v.array(dependency),
    kept_by_order: v.array(dependency),
    before: shownGraph,
    after: shownGraph,
    files: texts,
  }),
  written: flag,
});

const wished = (wish: "pause" | "stop") => of({ run: text, wish: v.literal(wish) });

const taskDetail = of({
  id: text,
  run: text,
  title: text,
  state: taskState,
  standing,
  why: text,
  command: maybe(command),
  note: maybe(answerOf.note),
  needs: texts,
  priority,
  verify: texts,
  commit: orNull(text),
  verified: flag,
  source: of({ file: text, line: count }),
  content: text,
  ...cost,
  attempts: v.array(
    of({
      number: count,
      agent: text,
      model: orNull(text),
      phase: text,
      outcome: orNull(text),
      output: maybe(told(text, "the end of what its check printed")),
      branch: text,
      worktree: text,
      session: orNull(text),
      folder: text,
      peak_memory_bytes: peakMemory,
      ...cost,
    }),
  ),
});

const taskStatus = of({
  id: text,
  title: text,
  run: text,
  state: taskState,
  standing,
  why: text,
  waits_for: texts,
  command: maybe(command),
  note: maybe(answerOf.note),
  work_ms: orNull(ms),
  left_ms: orNull(ms),
  left_is_rough: v.pipe(flag, v.description("nothing like it was done here yet: it is only a table's guess")),
  late_ms: v.pipe(orNull(ms), v.description("by how much it takes longer than its bad case; null where it does not")),
  ...cost,
  attempt: orNull(
    of({
      number: count,
      agent: text,
      model: orNull(text),
      phase: text,
      outcome: orNull(text),
      branch: text,
      worktree: v.pipe(orNull(text), v.description("null once it was removed")),
      session: orNull(text),
    }),
  ),
  events: v.array(of({ at: moment, mark: text, text })),
  said: texts,
});

const promptOrigin = v.picklist(["environment", "project", "user", "built-in"]);

const checkoutChanges = v.pipe(
  v.array(of({ path: text, at: moment, tasks: texts })),
  v.description(
    "files of the checkout that differ from its last commit and were last changed while these tasks had an agent at work",
  ),
);

const historyRow = {
  tasks: count,
  done: count,
  failed: count,
  cancelled: v.pipe(count, v.description("without having failed before")),
  open: v.pipe(count, v.description("at work or waiting")),
  success: v.pipe(orNull(v.number()), v.description("done of what was done or failed, 0 to 1; null where nothing was")),
  first_try: v.pipe(
    orNull(v.number()),
    v.description(
      "done without a repair or a second try, of the same; what was interrupted by a question, a limit or a person went on with the first",
    ),
  ),
  attempts: count,
  work_ms: ms,
  median_ms: orNull(ms),
  cost_usd: usdKnown,
  cost_per_task_usd: orNull(v.number()),
  cost_unknown: count,
};
const namedRows = v.array(of({ name: orNull(text), ...historyRow }));
const history = of({
  all: of(historyRow),
  by_agent: namedRows,
  by_model: namedRows,
  by_kind: namedRows,
  by_day: namedRows,
});

const refusedBatches = v.pipe(
  v.array(of({ batch: text, why: text, since: moment, ...answerOf })),
  v.description("batches that could not start when it was their time"),
);

const budgetUntil = v.pipe(orNull(moment), v.description("when that of a day begins anew; null: work goes on to it"));

/** What `--detach` says. */
const detached = of({
  run: text,
  pid: v.pipe(orNull(whole), v.description("the process in the background")),
  carried_by: v.pipe(
    orNull(whole),
    v.description("the process that carries the run now: another one where that in the background stands by"),
  ),
  log: text,
  already: v.pipe(flag, v.description("it was in the background already")),
});

const place = { file: text, line: count, column: count };
const shownConfig = of({
  profile: orNull(text),
  profiles: texts,
  values: v.array(
    of({
      key: text,
      value: v.unknown(),
      origin: v.union([
        of({ kind: v.literal("default") }),
        of({ kind: v.picklist(["user", "repository"]), ...place, profile: orNull(text) }),
        of({ kind: v.literal("environment"), variable: text }),
        of({ kind: v.literal("flag") }),
      ]),
      used: flag,
      otherwise: v.pipe(orNull(text), v.description("of a key that is not set: what holds then")),
    }),
  ),
});

const session = of({
  name: text,
  worktree: v.pipe(orNull(text), v.description("the top of its worktree")),
  exists: v.pipe(flag, v.description("whether the worktree that it was made for is still there")),
  branch: orNull(text),
  created_at: moment,
  used_at: v.pipe(moment, v.description("when somebody last typed into it or attached")),
  clients: v.array(of({ terminal: text, read_only: flag })),
  panes: v.array(
    of({
      id: v.pipe(text, v.description("its address in tmux, as %5")),
      agent: v.pipe(orNull(text), v.description("the agent that it was made for")),
      conversation: v.pipe(orNull(text), v.description("the id of that agent's conversation")),
      pid: whole,
      command: v.pipe(text, v.description("the program that runs in it now")),
      cwd: text,
      state: v.picklist(["running", "ended"]),
      exit_status: orNull(whole),
      active_at: v.pipe(moment, v.description("when something last appeared in its window")),
      columns: count,
      rows: count,
    }),
  ),
});

const worktree = {
  name: text,
  path: text,
  branch: orNull(text),
  head: orNull(text),
  is_main: flag,
  is_current: flag,
  is_there: flag,
  is_being_made: flag,
  locked: v.pipe(orNull(text), v.description("the reason, which may be empty; null where it is not locked")),
  task: orNull(of({ key: text, run: text })),
  note: text,
  agent: orNull(text),
  session: orNull(text),
  state: sessionState,
  help: v.pipe(orNull(text), v.description("the command that helps an agent which hangs, is stopped, or has ended")),
  memory_bytes: v.pipe(orNull(count), v.description("of everything in its session")),
  cpu_ms: v.pipe(orNull(count), v.description("since it began")),
  limited_until: v.pipe(
    orNull(moment),
    v.description("when a usage limit of its agent's login, which it or a run met, is tried again"),
  ),
  state_since: orNull(moment),
  base: v.pipe(orNull(text), v.description("what it is compared with where its branch follows nothing")),
  upstream: orNull(text),
  ahead: orNull(count),
  behind: orNull(count),
  changed: orNull(count),
  conflicts: orNull(count),
  untracked: orNull(count),
  used_at: orNull(moment),
};

/** What the answer of each command holds as `data`; a command of a group has a `-` in its name. */
const ANSWERS: Readonly<Record<string, v.GenericSchema>> = {
  plan: preview,
  "plan-deps": v.union([dependencies, dependencyChange]),
  run: v.union([
    report,
    preview,
    detached,
    of({
      run: v.null(),
      tasks: v.pipe(v.array(text), v.maxLength(0)),
      stuck: v.pipe(texts, v.description("tasks of an open run that leave a slot of a batch nothing to begin")),
    }),
  ]),
  resume: v.union([report, detached]),
  parallel: of({ run: text, parallel: count, before: count }),
  pause: wished("pause"),
  stop: wished("stop"),
  land: landed,
  inbox: of({
    waiting: v.array(
      of({
        run: text,
        task: text,
        more: v.pipe(count, v.description("other tasks that the same budget holds")),
        why: text,
        since: moment,
        ...answerOf,
      }),
    ),
    astray: v.pipe(
      v.array(of({ run: text, why: text, since: moment, ...answerOf, passes: mayPass, halts: mayHalt })),
      v.description("runs whose branches were moved to where their work is not"),
    ),
    budgets: v.pipe(
      v.array(
        of({
          run: text,
          why: text,
          since: moment,
          until: budgetUntil,
          command,
        }),
      ),
      v.description("limits that are nearly used up while work goes on to them, and those of a day that are"),
    ),
    outages: v.pipe(
      v.array(of({ agent: text, why: text, since: moment, until: moment, ...answerOf })),
      v.description("APIs that several tries could not reach; tasks wait for them"),
    ),
    batches: refusedBatches,
    asks: v.pipe(
      v.array(of({ name: text, path: text, id: text, tool: text, detail: text, since: moment, command: text })),
      v.description("agents of sessions that ask for leave, by their worktree"),
    ),
    room: roomWait,
    suspended_pid: v.pipe(
      v.nullable(count),
      v.description("the process that carries the runs, where it is suspended; null where it is not"),
    ),
  }),
  notify: of({
    targets: v.array(
      of({
        name: text,
        address: v.pipe(orNull(text), v.description("where it leads, without what is secret in it")),
        state: v.pipe(
          v.picklist(["sent", "none", "failed"]),
          v.description("none: nothing here shows notifications on a desktop"),
        ),
        reason: orNull(text),
      }),
    ),
  }),
  create: of({
    worktrees: v.array(
      of({
        path: text,
        branch: text,
        is_new: v.pipe(flag, v.description("false where it was there, and got only what it lacked")),
        base: v.pipe(
          orNull(text),
          v.description("what it is compared with: a branch, or a commit; null where the branch was there"),
        ),
        from: v.pipe(
          orNull(text),
          v.description(
            "what a new branch began from: a branch, here or of a remote, pr:12, or a revision as it was named",
          ),
        ),
        session: v.pipe(orNull(text), v.description("its tmux session")),
        told: v.pipe(
          orNull(flag),
          v.description(
            "whether its agent has the prompt; false has the exit code 4; null where there was none to tell",
          ),
        ),
        ports: v.pipe(
          orNull(of({ first: count, count })),
          v.description("the block of ports that it has to itself on this machine"),
        ),
        database: v.pipe(orNull(text), v.description("a name for a database that nobody else is given")),
        compose_project: v.pipe(orNull(text), v.description("the same for a project of Docker Compose")),
        dependencies: v.pipe(
          v.array(
            of({
              folder: text,
              lockfile: text,
              way: v.picklist(["install", "copy", "clone", "hardlink"]),
              why: text,
              from: v.pipe(orNull(text), v.description("the checkout that they are from")),
              took_ms: count,
            }),
          ),
          v.description("how they came, this time"),
        ),
        submodules: v.pipe(
          v.array(
            of({ path: text, commit: text, from: v.picklist(["here", "checkout", "kept", "worktree", "remote"]) }),
          ),
          v.description("those that were checked out, this time, and where the commit of each was found"),
        ),
        warnings: v.pipe(texts, v.description("what could not be done, and was no reason to refuse it")),
      }),
    ),
    refused: v.array(of({ branch: text, message: text, hint: orNull(text) })),
  }),
  list: v.union([
    of({ worktrees: v.array(of(worktree)) }),
    of({
      projects: v.pipe(
        v.array(
          of({
            name: text,
            root: text,
            is_current: flag,
            worktrees: v.array(of(worktree)),
            problem: v.pipe(orNull(text), v.description("why it could not be read")),
          }),
        ),
        v.description("with --all-projects"),
      ),
    }),
  ]),
  note: of({ name: text, path: text, note: text }),
  delete: of({
    removed: v.array(
      of({
        path: text,
        branch: orNull(text),
        branch_deleted: flag,
        rescue: v.pipe(orNull(text), v.description("the id for owt restore")),
        environment: texts,
        ...LOST,
      }),
    ),
    kept: v.array(
      of({
        path: text,
        branch: orNull(text),
        reasons: v.array(of({ reason: text, what: texts, text })),
        ...NOT_FILES,
      }),
    ),
  }),
  diff: of({
    name: text,
    path: text,
    branch: orNull(text),
    base: v.pipe(text, v.description("what it is compared with")),
    base_commit: v.pipe(text, v.description("where it left that")),
    files: v.array(
      of({
        path: text,
        status: v.pipe(text, v.description("A new, M changed, D deleted, T of another type, U in conflict")),
        added: v.pipe(orNull(count), v.description("lines; null of a binary file")),
        deleted: orNull(count),
      }),
    ),
  }),
  sync: of({
    worktrees: v.array(
      of({
        path: text,
        name: text,
        branch: orNull(text),
        state: v.picklist([
          "up-to-date",
          "updated",
          "ahead",
          "conflicts",
          "dirty",
          "in-the-way",
          "diverged",
          "in-progress",
          "detached",
          "no-base",
          "in-use",
          "unreachable",
          "gone",
          "refused",
        ]),
        with: v.pipe(orNull(text), v.description("what it was compared with")),
        commits: v.pipe(count, v.description("how many came in")),
        files: v.pipe(texts, v.description("those in which it conflicts, or that are in the way")),
        notes: v.pipe(texts, v.description("what there is to say beside it")),
        by_hand: v.pipe(orNull(text), v.description("the command that does what was not done")),
      }),
    ),
  }),
  merge: of({
    branch: text,
    target: text,
    commit: v.pipe(text, v.description("where the target stands now")),
    commits: v.pipe(count, v.description("how many the target lacked")),
    already: v.pipe(flag, v.description("the target held the work before")),
    checked: flag,
    fast_forward: flag,
    squashed: flag,
    unpublished,
  }),
  cleanup: of({
    done: v.pipe(flag, v.description("false where it only says what it would do")),
    worktrees: v.array(
      of({
        name: text,
        path: text,
        branch: orNull(text),
        action: v.pipe(
          v.picklist(["keep", "remove", "removed", "kept"]),
          v.description("kept: it was to go, and could not when it came to it"),
        ),
        why: v.picklist([
          "gone",
          "merged",
          "stale",
          "all",
          "main",
          "here",
          "being-made",
          "run",
          "locked",
          "moved",
          "unreadable",
          "not-merged",
          "recent",
          "in-use",
          "unsavable",
          "uncommitted",
          "unpushed",
        ]),
        text: told(text, "the same in words"),
        saves: v.pipe(v.array(v.picklist(["uncommitted", "unpushed"])), v.description("what is saved before it goes")),
        used_at: orNull(moment),
        unpushed: v.pipe(orNull(count), v.description("commits that nothing else has; null where nobody looked")),
        bytes: v.pipe(orNull(count), v.description("what it takes on disk; measured only of what is to go")),
        branch_deleted: flag,
        rescue: v.pipe(orNull(text), v.description("the id for owt restore")),
        environment: texts,
        ...LOST,
      }),
    ),
  }),
  "task-create": of({ task: text }),
  "task-edit": of({ task: text, changed: flag, where: text, run: orNull(text), others: texts }),
  "task-list": of({
    tasks: v.array(
      of({
        id: text,
        title: text,
        run: orNull(text),
        state: taskState,
        standing: v.picklist([...standing.options, "written-down"]),
        why: text,
        priority,
        module: orNull(text),
        needs: texts,
      }),
    ),
  }),
  "task-show": of({ task: taskDetail }),
  "task-cancel": of({ task: text, wish: v.literal("cancel"), cancelled: flag }),
  "task-retry": of({ run: text, tasks: texts, changed: texts }),
  "task-approve": of({
    task: text,
    approved: v.pipe(flag, v.description("false where it was refused")),
    asked: v.pipe(
      maybe(of({ tool: text, detail: text })),
      v.description("what the agent of a session asked leave for"),
    ),
  }),
  "task-answer": of({ task: text, answer: text }),
  switch: of({
    path: maybe(text),
    branch: maybe(orNull(text)),
    session: orNull(text),
    how: maybe(orNull(text)),
    command: maybe(orNull(text)),
    task: v.pipe(
      maybe(of({ id: text, run: text, since: moment, ...answerOf })),
      v.description("the task of a run that was taken over by hand, and what gives it back"),
    ),
  }),
  send: of({
    sent: v.array(of({ name: text, path: text, pane: text })),
    left_out: v.array(of({ name: text, path: text, why: text })),
  }),
  wait: of({ name: text, path: text, state: orNull(sessionState) }),
  status: v.union([
    of({
      worktree: of({
        ...worktree,
        variables: v.record(text, text),
        messages: v.array(of({ at: moment, sender: orNull(text), text, taken: v.boolean() })),
      }),
    }),
    of({ task: taskStatus }),
    of({
      task: of({
        id: text,
        title: text,
        run: v.null(),
        state: v.literal("pending"),
        standing: v.literal("written-down"),
        command,
      }),
    }),
    of({
      project: text,
      carried_by: v.pipe(orNull(whole), v.description("the process that carries the runs")),
      carrier_is_suspended: v.pipe(
        flag,
        v.description("by Ctrl-Z or SIGSTOP: nothing is carried until it is continued"),
      ),
      asking: v.pipe(
        orNull(of({ pid: whole, run: text, task: text })),
        v.description(
          "where nobody carries them: the process that asks for an answer in its terminal, and then goes on",
        ),
      ),
      room: roomWait,
      batches: refusedBatches,
      runs: v.array(
        of({
          id: text,
          state: runState,
          wish: orNull(v.picklist(["pause", "stop"])),
          target: text,
          branch: text,
          astray: v.pipe(
            v.nullable(
              of({
                why: text,
                ...answerOf,
                passes: mayPass,
                halts: mayHalt,
              }),
            ),
            v.description(
              "its branch was moved to where its work is not: nothing begins or is merged until that is put right",
            ),
          ),
          target_rewritten: v.pipe(
            orNull(text),
            v.description(
              "what the run began with and its target lacks by now, as it was last seen; null where it lacks nothing",
            ),
          ),
          taken_out: takenOut,
          counts,
          cost_usd: usdKnown,
          cost_at_least: costAtLeast,
          cost_basis: basis,
          input_tokens: tokens,
          output_tokens: tokens,
          budget,
          near_budgets: v.pipe(
            v.array(of({ why: text, until: budgetUntil, command })),
            v.description("limits that are nearly used up, and those of a day that are"),
          ),
          limits: v.pipe(
            v.array(
              of({
                until: orNull(moment),
                outage: v.pipe(orNull(text), v.description("it is no limit, but an API that cannot be reached")),
                tasks: texts,
              }),
            ),
            v.description("usage limits that its tasks wait for, and APIs that cannot be reached"),
          ),
          expected_end: v.pipe(
            orNull(moment),
            v.description("in the past: what is at work takes longer than expected since then"),
          ),
          expected_is_rough: v.pipe(
            flag,
            v.description("nothing like it was done here yet: it is only a table's guess"),
          ),
          background_pid: v.pipe(orNull(whole), v.description("the process that --detach left behind")),
          unverified: texts,
          tasks: v.array(
            of({
              id: text,
              state: taskState,
              standing,
              why: text,
              verified: flag,
              command: maybe(command),
              note: maybe(answerOf.note),
            }),
          ),
        }),
      ),
      written_down: texts,
      worktrees: v.array(of({ path: text, branch: orNull(text) })),
      unwell: v.pipe(
        v.array(
          of({
            name: text,
            path: text,
            agent: orNull(text),
            state: sessionState,
            since: orNull(moment),
            help: told(text, "the command that helps"),
          }),
        ),
        v.description("agents of sessions that hang, are stopped, or have ended"),
      ),
      agents: v.array(of({ name: text, path: orNull(text) })),
    }),
  ]),
  "tmux-create": of({
    session,
    created: v.pipe(flag, v.description("false where it was there already")),
    revived: v.pipe(
      orNull(v.picklist(["resumed", "anew"])),
      v.description("an agent that had ended was started again: in its conversation, or without"),
    ),
  }),
  "tmux-attach": of({
    session: text,
    how: v.pipe(
      orNull(v.picklist(["left", "switched"])),
      v.description("null off a terminal, where it cannot be shown"),
    ),
    command: v.pipe(orNull(text), v.description("the line that shows it on a terminal")),
  }),
  "tmux-list": of({ sessions: v.array(session) }),
  "tmux-kill": of({
    session: text,
    worktree: orNull(text),
    ended: v.pipe(flag, v.description("false where a person said no")),
  }),
  report: v.union([of({ report, checkout_changes: checkoutChanges }), of({ history })]),
  logs: v.union([
    of({ task: text, attempt: count, lines: texts }),
    of({
      tasks: texts,
      lines: v.array(of({ task: text, attempt: count, level: v.picklist(["error", "tool", "said", "all"]), text })),
    }),
  ]),
  "prompt-list": of({
    templates: v.array(
      of({
        name: text,
        origin: promptOrigin,
        file: text,
        overrides: v.array(of({ origin: promptOrigin, file: text })),
      }),
    ),
    folders: v.array(of({ origin: promptOrigin, folder: text, exists: flag })),
    unused: v.array(of({ file: text, reason: text })),
  }),
  "prompt-show": of({ name: text, origin: promptOrigin, file: text, fields: texts, text }),
  "prompt-render": of({ task: text, prompt: text }),
  restore: v.union([
    of({ rescues: v.array(rescue), environment: v.array(of({ id: text, files: texts, at: epochMs })) }),
    of({
      id: text,
      path: text,
      branch: orNull(text),
      under_way: v.pipe(
        orNull(underWay),
        v.description("what was under way and is not taken up again; its files are back"),
      ),
      environment: texts,
    }),
  ]),
  "batch-list": of({
    batches: v.array(
      of({
        name: text,
        standing: v.picklist(["waits", "running", "paused", "unusable"]),
        cron: text,
        timezone: text,
        repository: v.pipe(orNull(text), v.description("where it runs; null where that is not known")),
        plan: v.pipe(orNull(text), v.description("null: the one that owt run takes by itself")),
        max_tasks: count,
        max_duration_ms: ms,
        budget_usd: orNull(v.number()),
        budget: v.pipe(
          v.record(text, v.union([v.number(), text])),
          v.description("what its run may use, by the keys of [budget]"),
        ),
        notify_on_complete: flag,
        missed: v.picklist(["skip", "once"]),
        file: told(text, "the schedule that names it"),
        next: v.pipe(orNull(moment), v.description("null while it is paused, or has no repository")),
        last: orNull(
          of({
            slot: moment,
            by_hand: flag,
            state: v.pipe(
              v.picklist(["claimed", "running", "over", "nothing", "refused", "overlap", "missed"]),
              v.description("what became of the newest slot"),
            ),
            run: orNull(text),
            reason: orNull(text),
            hint: v.pipe(orNull(text), v.description("what to do where it could not start")),
          }),
        ),
        problem: orNull(of({ message: text, hint: orNull(text) })),
      }),
    ),
  }),
  "batch-next": of({ slots: v.array(of({ batch: text, at: moment, timezone: text })) }),
  "batch-run": of({
    batch: text,
    slot: moment,
    run: v.pipe(orNull(text), v.description("null where there was nothing to do")),
  }),
  "batch-watch": of({
    fired: v.array(
      of({
        batch: text,
        slot: moment,
        run: orNull(text),
        refused: v.pipe(
          orNull(text),
          v.description("what kept its run from starting; null with no run: nothing to do"),
        ),
      }),
    ),
  }),
  "batch-pause": of({ batch: text, paused: flag, changed: flag }),
  "batch-resume": of({ batch: text, paused: flag, changed: flag }),
  "batch-install": of({ unit: text, file: text, text, installed: flag }),
  "batch-uninstall": of({ unit: text, file: text, removed: flag }),
  "config-approve": of({ approved: v.array(of({ where: text, what: text })), approved_before: count }),
  "config-show": shownConfig,
  "config-validate": of({
    valid: flag,
    files: texts,
    remarks: v.array(
      of({
        level: v.picklist(["problem", "note"]),
        file: text,
        line: orNull(count),
        column: orNull(count),
        key: orNull(text),
        message: text,
        hint: orNull(text),
      }),
    ),
  }),
  "config-schema": of({ json_schema: v.record(text, v.unknown()) }),
  doctor: of({ findings: v.array(finding), agents: v.array(agentSeen) }),
  completion: of({ shell: v.picklist(["bash", "zsh", "fish"]), script: text }),
  init: of({
    repository: text,
    branch: orNull(text),
    default_branch: orNull(text),
    has_commit: flag,
    stack: v.array(of({ kind: text, lockfile: text, command: text })),
    agents: v.array(
      of({
        name: text,
        installed: flag,
        version: orNull(text),
        login: v.picklist(["found", "missing", "unknown", "not-needed"]),
      }),
    ),
    agent: orNull(text),
    verify: texts,
    plan: orNull(text),
    files: v.array(of({ path: text, text })),
    edits: v.pipe(v.array(of({ path: text, text })), v.description("files that are there and get owt's hooks")),
    trust: v.pipe(orNull(flag), v.description("what was said about Claude Code trusting this repository")),
    trusted: v.pipe(flag, v.description("it was written into Claude Code's own file, just now")),
    wrote: texts,
    would_add: orNull(text),
    approved: v.array(of({ where: text, what: text })),
    notes: texts,
    next: texts,
    dry_run: flag,
  }),
  demo: of({ repository: text, report, landed: maybe(landed) }),
};

const errorCode = v.picklist(ERROR_CODES);

const refusal = of({
  code: errorCode,
  message: text,
  hint: v.pipe(orNull(text), v.description("what to do next, mostly a command")),
  exit_code: whole,
});

const notice = of({
  id: told(text, "the same for each try: who gets it twice can tell"),
  event: v.picklist([...MOMENTS, "test"]),
  at: moment,
  project: told(text, "the name of the repository's folder"),
  run: orNull(text),
  task: orNull(text),
  batch: orNull(text),
  title: told(text, "one line"),
  command: v.pipe(orNull(text), v.description("what answers it; null where there is nothing to answer")),
});

const PLACE = "https://raw.githubusercontent.com/open-orchestrator/open-orchestrator/main/docs/schemas";

/** Every schema file by its name, without `.json`. */
export function answerSchemas(): Map<string, object> {
  const answers = Object.entries(ANSWERS).map(
    ([name, data]) => [name, envelope(name, `owt ${name.replace("-", " ")} --json`, { data })] as const,
  );
  return new Map([
    ...answers,
    ["notification", envelope("notification", "what is posted to a [[notifications.webhook]]", { data: notice })],
    ["error", envelope("error", "what any command with --json prints when it is refused", { error: refusal })],
  ]);
}

function envelope(name: string, title: string, content: v.ObjectEntries): object {
  const { $schema: _, ...schema } = toJsonSchema(of({ schema: v.literal(1), ...content }), { target: "draft-2020-12" });
  return { $schema: "https://json-schema.org/draft/2020-12/schema", $id: `${PLACE}/${name}.json`, title, ...schema };
}

/** Does not compile unless both types fit each other. */
function agree<A, B>(...fits: [A, B] extends [B, A] ? [] : [never]): void {
  void fits;
}

agree<v.InferOutput<typeof report>, RunReport>();
agree<v.InferOutput<typeof preview>, Preview>();
agree<v.InferOutput<typeof landed>, Landed>();
agree<v.InferOutput<typeof notice>, Notice>();
agree<v.InferOutput<typeof finding>, Finding>();
agree<keyof v.InferOutput<typeof rescue>, keyof Rescue>();
agree<v.InferOutput<typeof history>, HistoryReport>();
agree<v.InferOutput<typeof shownConfig>, ShownConfig>();
