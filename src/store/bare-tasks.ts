/** Tasks as they stand, read in one go: what status, queues and schedules need of each, without what the plan says of it. */
import { type BareTask, FRESH, type NextStart, type Park, type TaskState } from "../core/task.ts";
import type { Rival } from "../core/rival.ts";
import type { Store } from "./database.ts";
import { parseStored } from "./stored-json.ts";

/** The tasks of a run in plan order. SQLite writes them as texts: for 1,000 tasks that takes a fifth of the time in which Node makes objects of
 *  their rows. Of a large run most tasks are as the plan's came into the store: an index holds all that there is to say of these, and no plan's
 *  text has to be read from the disk for them. */
export function readBareTasks(store: Store, run: string): BareTask[] {
  const texts = store.get(BARE_TASKS, run, run);
  const touched = parseStored(texts?.["touched"]) as TouchedRow[];
  const untouched = parseStored(texts?.["untouched"]) as UntouchedRow[];
  const inPlanOrder = [...touched, ...untouched].sort((a, b) => a[0] - b[0]);
  return inPlanOrder.map((row) => (row.length === 4 ? untouchedTask(run, row) : touchedTask(run, row)));
}

/** Word for word the condition of `task_untouched` and `task_touched`, or SQLite does not see that they hold the answer. */
const UNTOUCHED = `state = 'pending' and started_at is null and park is null and not_before is null and reason is null and rival is null
      and not cancel_wish and not approved and not verified and next = '${JSON.stringify(FRESH)}'`;

/** Asks for both parts of a run. */
export const BARE_TASKS: string = `select
  (select json_group_array(json_array(ord, id, key, state, json(needs), json(park), not_before, json(next), reason, cancel_wish, approved,
      verified, started_at, json(rival)) order by ord)
    from task where run = ? and not (${UNTOUCHED})) as touched,
  (select json_group_array(json_array(ord, id, key, json(needs)))
    from (select ord, id, key, needs from task where run = ? and ${UNTOUCHED} order by ord)) as untouched`;

type TouchedRow = [
  order: number,
  id: number,
  key: string,
  state: TaskState,
  needs: string[],
  park: Park | null,
  notBefore: number | null,
  next: NextStart,
  reason: string | null,
  cancelWish: number,
  approved: number,
  verified: number,
  startedAt: number | null,
  rival: Rival | null,
];

type UntouchedRow = [order: number, id: number, key: string, needs: string[]];

/** By index: taking an array apart by name costs three times as much, and there can be thousands. */
function touchedTask(run: string, row: TouchedRow): BareTask {
  return {
    id: row[1],
    run,
    key: row[2],
    state: row[3],
    needs: row[4],
    park: row[5],
    notBefore: row[6],
    next: row[7],
    reason: row[8],
    cancelWish: row[9] === 1,
    approved: row[10] === 1,
    verified: row[11] === 1,
    startedAt: row[12],
    rival: row[13],
  };
}

function untouchedTask(run: string, row: UntouchedRow): BareTask {
  return {
    id: row[1],
    run,
    key: row[2],
    state: "pending",
    needs: row[3],
    park: null,
    notBefore: null,
    next: FRESH,
    reason: null,
    cancelWish: false,
    approved: false,
    verified: false,
    startedAt: null,
    rival: null,
  };
}
