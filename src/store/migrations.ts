/** The shape of the store, as numbered steps that only ever go forward. A released step is never edited. */

export const MIGRATIONS: readonly string[] = [
  `
  create table meta (key text primary key, value text not null) strict;

  create table run (
    id text primary key,
    state text not null,
    wish text,
    plan_kind text not null,
    plan_path text not null,
    target text not null,
    base text not null,
    branch text not null,
    builds_on text,
    options text not null,
    created_at integer not null,
    ended_at integer,
    landed_at integer
  ) strict;

  create table task (
    id integer primary key,
    run text not null references run (id),
    key text not null,
    ord integer not null,
    state text not null,
    spec text not null,
    hash text not null,
    needs text not null,
    park text,
    not_before integer,
    next text not null,
    failures integer not null default 0,
    repairs integer not null default 0,
    conflicts integer not null default 0,
    cancel_wish integer not null default 0,
    approved integer not null default 0,
    reason text,
    commit_oid text,
    verified integer not null default 0,
    started_at integer,
    ended_at integer,
    unique (run, key)
  ) strict;

  create table attempt (
    id integer primary key,
    run text not null references run (id),
    task integer not null references task (id),
    number integer not null,
    continues integer,
    phase text not null,
    agent text not null,
    model text,
    session text not null,
    base text not null,
    branch text not null,
    worktree text not null,
    head text,
    verified_tree text,
    candidate text,
    stop text,
    outcome text,
    usage text,
    started_at integer not null,
    ended_at integer,
    unique (task, number)
  ) strict;
  create index attempt_open on attempt (phase) where phase <> 'closed';

  create table event (
    seq integer primary key autoincrement,
    at integer not null,
    run text,
    task integer,
    attempt integer,
    kind text not null,
    data text not null
  ) strict;

  -- Tasks that a person wrote down and that no run has taken up yet.
  create table backlog (
    key text primary key,
    ord integer not null,
    spec text not null,
    created_at integer not null
  ) strict;

  -- Who carries the runs: for messages only; the right itself is a lock that the kernel frees.
  create table lease (one integer primary key check (one = 1), pid integer not null, boot_id text not null, start_time text not null, since integer not null) strict;
  `,
  // The usage of an attempt is kept by model, with the source of each figure. What was not recorded before is missing, not nothing.
  `
  update attempt set usage = json_object(
    'models', json_array(json_object(
      'model', json_extract(usage, '$.model'),
      'tokens', case when json_extract(usage, '$.inputTokens') is null or json_extract(usage, '$.outputTokens') is null then null
        else json_object('input', json_extract(usage, '$.inputTokens'), 'output', json_extract(usage, '$.outputTokens'),
                         'cacheRead', 0, 'cacheWrite5m', 0, 'cacheWrite1h', 0) end,
      'costUsd', json_extract(usage, '$.costUsd'),
      'basis', case when json_extract(usage, '$.costUsd') is null then 'unknown' else 'reported' end)),
    'missing', null)
  where usage is not null;

  update attempt set usage = '{"models":[],"missing":"a turn of which an earlier owt kept no figures"}'
  where usage is null and exists (select 1 from event where event.attempt = attempt.id and event.kind = 'agent-started')
    and phase in ('verify', 'review', 'merge', 'advance', 'tidy', 'closed');
  `,
  // What previews look up in a long history. The time that an attempt waited for an approval is no work; and what is done is known without reading
  // whole documents, behind which a row's later columns lie.
  `
  create index event_phase on event (attempt, seq) where kind = 'attempt-phase';
  create index task_done on task (id, key, hash, commit_oid) where state = 'done' and commit_oid is not null;
  `,
  // What an agent was given of its task, and what a person answered. Which text earlier attempts were given is not known: the one there is.
  `
  alter table attempt add column given text;
  update attempt set given = (select hash from task where task.id = attempt.task)
  where id in (select attempt from event where kind = 'agent-started');
  alter table task add column answers text not null default '[]';
  `,
  // Worktrees that people make by hand, and what is noted of one that plain git made. One that is not made yet names who makes it, so that
  // what a dead maker left can be cleared away.
  `
  create table worktree (
    path text primary key,
    branch text,
    base text,
    maker text,
    owns_branch_at text,
    note text not null default '',
    agent text,
    conversation text,
    created_at integer not null,
    used_at integer not null
  ) strict;

  -- What was sent to agents of sessions, secrets left out. A worktree can be gone since.
  create table message (
    id integer primary key,
    at integer not null,
    sender text not null,
    worktree text not null,
    text text not null
  ) strict;
  `,
  // Usage limits hold a credential, not a task.
  `
  create table usage_limit (
    credential text primary key,
    agent text not null,
    until integer not null,
    is_guess integer not null,
    guesses integer not null,
    since integer not null,
    probe integer
  ) strict;
  `,
  // Runs that begin by the clock. A slot of a batch is fired by whoever writes its row, so that it is fired once: two rows for one slot cannot be.
  `
  create table batch (
    name text primary key,
    spec text not null,
    since integer not null,
    paused_at integer
  ) strict;

  create table firing (
    id integer primary key,
    batch text not null,
    slot integer not null,
    by_hand integer not null,
    state text not null,
    owner text not null,
    run text references run (id),
    reason text,
    notify integer not null,
    at integer not null,
    ended_at integer,
    unique (batch, slot)
  ) strict;
  create index firing_open on firing (batch) where state in ('claimed', 'running');
  `,
  `
  create index task_failed on task (id, key) where state = 'failed';
  `,
  // What a person is to be told of, until it was sent. What happened before is no news.
  `
  create table outbox (
    id integer primary key,
    key text not null unique,
    at integer not null,
    run text,
    task integer,
    moment text not null,
    state text not null default 'waiting',
    reached text not null default '[]',
    tries integer not null default 0,
    not_before integer,
    owner text
  ) strict;
  create index outbox_waiting on outbox (id) where state = 'waiting';
  `,
  // What attempts took of memory at their peak, where it was measured.
  `
  alter table attempt add column peak_bytes integer;
  create index attempt_peak on attempt (agent, id) where peak_bytes is not null;
  `,
  // The task that somebody took up by hand in a worktree.
  `
  alter table worktree add column task text;
  `,
  // Whether an agent took what it was told.
  `
  alter table message add column taken integer not null default 1;
  `,
  // What was wished of the session of a worktree.
  `
  alter table worktree add column layout text;
  alter table worktree add column panes integer;
  alter table worktree add column has_agent integer not null default 1;
  `,
  // A limit can be one of a model's own window; `credential` is its key then, and `login` the credential.
  `
  alter table usage_limit add column login text;
  alter table usage_limit add column model text;
  `,
  // Several agents that do one task, each in a row of its own.
  `
  alter table task add column rival text;
  create index task_rival on task (id) where rival is not null;
  `,
  // What a person can do about a slot that could not start.
  `
  alter table firing add column hint text;
  `,
  // For how long an attempt was dead and carried by nobody.
  `
  alter table attempt add column dead_ms integer not null default 0;
  `,
  // Tasks to which nothing happened since the plan's came into the store, and the others. SQLite answers out of an index alone only where that has
  // every column that is named, also those of its condition.
  `
  create index task_untouched on task (run, ord, key, needs, state, started_at, park, not_before, reason, rival, cancel_wish, approved, verified, next)
    where state = 'pending' and started_at is null and park is null and not_before is null and reason is null and rival is null
      and not cancel_wish and not approved and not verified and next = '{"kind":"fresh"}';
  create index task_touched on task (run)
    where not (state = 'pending' and started_at is null and park is null and not_before is null and reason is null and rival is null
      and not cancel_wish and not approved and not verified and next = '{"kind":"fresh"}');
  `,
  // What attempts used whose runs were lost with an earlier store: it counts for the day.
  `
  create table lost_usage (attempt integer primary key, at integer not null, usage text not null) strict;
  `,
  // What the log says of a run as a whole, and what reports and screens list of it: little beside the steps of its attempts.
  `
  create index event_of_run on event (run, kind)
    where task is null or kind = 'side-lost' or kind = 'verify-flaky' or kind = 'conflicts-settled' or kind = 'budget-warned';
  `,
  // The time of what was lost with an earlier store counts for the day, too, and so do the tasks that were begun with it.
  `
  alter table lost_usage add column worked_ms integer not null default 0;
  alter table lost_usage add column task text;
  `,
  // An API that cannot be reached holds a credential as a limit does.
  `
  alter table usage_limit add column outage text;
  `,
  // When a limit was to be tried that a person has tried at once.
  `
  alter table usage_limit add column due integer;
  `,
];
