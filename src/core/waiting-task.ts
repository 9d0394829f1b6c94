/** What a run's log says of the times of one task. Pure. */
import type { Event } from "./event.ts";
import { FINAL_STATES, type Park, type Task } from "./task.ts";
import type { Span } from "./waiting-spans.ts";

export type Waiter = Pick<Task, "id" | "key" | "needs">;

/** A time in which a task was set aside; `until` is null while it still is. */
export type Parking = { task: number; park: Park; at: number; until: number | null };

/** A time in which a task stood still: why, as far as it was said of the task itself. */
export type Rest = Span & { park: Park | null; notBefore: number | null };

/** `taken`: when its merged work was taken up to be checked, where it was. */
export type Merge = Span & { taken: number | null };

/** What the log says of one task. */
export class TaskLog {
  readonly task: Waiter;
  readonly rests: Rest[] = [];
  readonly reviews: Span[] = [];
  /** Green, until it was decided who of its rivals comes in. */
  readonly contests: Span[] = [];
  /** From the wish to be merged to its end. */
  readonly merges: Merge[] = [];
  /** Green or not, before its check began. */
  readonly checks: Span[] = [];
  /** Its work was to be checked or merged, or was being so. */
  readonly checked: Span[] = [];
  /** Its attempt was open, nobody carried it and nothing of it was alive. */
  readonly dead: Span[] = [];
  readonly parked: Parking[] = [];
  doneAt = Infinity;
  #rest: Omit<Rest, "to"> | null;
  #reviewSince: number | null = null;
  #contestSince: number | null = null;
  #mergeSince: number | null = null;
  #checkSince: number | null = null;
  #checkedSince: number | null = null;
  #takenAt: number | null = null;

  constructor(task: Waiter, createdAt: number) {
    this.task = task;
    this.#rest = { from: createdAt, park: null, notBefore: null };
  }

  /** It came into the run after the others. */
  joined(at: number): void {
    if (this.#rest && this.rests.length === 0) this.#rest = { ...this.#rest, from: at };
  }

  take(event: Event): void {
    switch (event.kind) {
      case "task-moved":
        this.#endRest(event.at);
        if (event.to === "pending") this.#rest = { from: event.at, park: null, notBefore: event.notBefore ?? null };
        if (event.to === "done") this.doneAt = event.at;
        if (FINAL_STATES.has(event.to)) this.#leavePhase(event.at);
        return;
      case "task-parked":
        this.#endRest(event.at);
        this.#rest = { from: event.at, park: event.park, notBefore: event.notBefore };
        this.parked.push({ task: this.task.id, park: event.park, at: event.at, until: null });
        return;
      case "task-answered":
      case "task-next":
        if (!this.#rest) return;
        this.#endRest(event.at);
        this.#rest = { from: event.at, park: null, notBefore: null };
        return;
      case "attempt-phase":
        // What becomes of a merge belongs to it; asked for again, it is another one.
        if (event.phase === "advance") return;
        this.#leavePhase(event.at);
        if (event.phase === "review") this.#reviewSince = event.at;
        if (event.phase === "contest") this.#contestSince = event.at;
        if (event.phase === "merge") this.#mergeSince = event.at;
        if (event.phase === "verify") this.#checkSince = event.at;
        if (event.phase === "verify" || event.phase === "merge") this.#checkedSince = event.at;
        return;
      case "verify-started":
        if (event.where === "task") this.#beginCheck(event.at);
        return;
      case "attempt-ended":
        this.#leavePhase(event.at);
        return;
      default:
    }
  }

  /** Its merged work is being checked, alone or with that of others. */
  takenUp(at: number): void {
    if (this.#mergeSince !== null) this.#takenAt ??= at;
  }

  close(end: number): void {
    const isParked = this.#rest?.park != null;
    this.#endRest(end);
    if (isParked) this.parked.at(-1)!.until = null;
    this.#leavePhase(end);
  }

  #endRest(at: number): void {
    if (!this.#rest) return;
    if (this.#rest.park) this.parked.at(-1)!.until = at;
    this.rests.push({ ...this.#rest, to: at });
    this.#rest = null;
  }

  #beginCheck(at: number): void {
    if (this.#checkSince !== null) this.checks.push({ from: this.#checkSince, to: at });
    this.#checkSince = null;
  }

  #leavePhase(at: number): void {
    this.#beginCheck(at);
    if (this.#reviewSince !== null) this.reviews.push({ from: this.#reviewSince, to: at });
    if (this.#contestSince !== null) this.contests.push({ from: this.#contestSince, to: at });
    if (this.#mergeSince !== null) this.merges.push({ from: this.#mergeSince, to: at, taken: this.#takenAt });
    if (this.#checkedSince !== null) this.checked.push({ from: this.#checkedSince, to: at });
    this.#reviewSince = null;
    this.#contestSince = null;
    this.#mergeSince = null;
    this.#checkedSince = null;
    this.#takenAt = null;
  }
}
