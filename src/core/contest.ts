/** Which of several rivals has done its task best, and when that can be told. Pure. */
import { isDue } from "./retry.ts";
import { isUndecided, nameOfRival, type Rival, type WorkSize } from "./rival.ts";
import type { Task } from "./task.ts";

/** Where a rival stands: green with its work, red only as the branch was where it began, able to go on by itself, held by a person or a limit or money, or at its end
 *  without green work. */
export type RivalStand = { rival: Rival; stand: "green" | "as-began" | "at-work" | "held" | "out"; why: string };

/** `why` says of the winner why it won, and of each of the others why not. */
export type Contest<T> = { do: "wait" } | { do: "decide"; winner: T; why: string; losers: { of: T; why: string }[] };

/** Decides once nobody can still become green by itself; never as long as nobody has work to take. Green beats what is not, and red as where it began what is
 *  without work; then fewer changed lines, fewer files, the order in
 *  which they were named. */
export function decideContest<T extends RivalStand>(rivals: readonly T[]): Contest<T> {
  const best = rivals.some(({ stand }) => stand === "green") ? "green" : "as-began";
  const [winner, second] = rivals.filter(({ stand }) => stand === best).toSorted(byWork);
  if (winner === undefined || rivals.some(({ stand }) => stand === "at-work")) return { do: "wait" };
  const name = nameOfRival(winner.rival);
  const losers = rivals
    .filter((each) => each !== winner)
    .map((each) => {
      const because = each.stand === best ? against(each.rival, winner.rival) : each.why;
      return { of: each, why: `lost to ${name}: ${because}` };
    });
  const others = rivals.filter((each) => each !== winner && each.stand !== best);
  const worse = others.map(({ rival, why }) => `${nameOfRival(rival)}: ${why}`);
  const why = second === undefined ? ONLY[best] : `${against(winner.rival, second.rival)}${EQUAL[best]}`;
  return { do: "decide", winner, why: [why, ...worse].join("; "), losers };
}

const ONLY = { green: "the only one that is green", "as-began": "the only one that is red only as where it began" };
const EQUAL = { green: "", "as-began": ", red only as where they began" };

function byWork(one: RivalStand, other: RivalStand): number {
  const [a, b] = [sizeOf(one.rival), sizeOf(other.rival)];
  return a.lines - b.lines || a.files - b.files || one.rival.place - other.rival.place;
}

/** Work of which nobody knows the size is the largest. */
function sizeOf({ size }: Rival): WorkSize {
  return size ?? { lines: Infinity, files: Infinity };
}

function against(one: Rival, other: Rival): string {
  const [a, b] = [sizeOf(one), sizeOf(other)];
  if (a.lines !== b.lines) return `${words(a.lines, "changed line")} against ${b.lines}`;
  if (a.files !== b.files)
    return `${words(a.lines, "changed line")} each, in ${words(a.files, "file")} against ${b.files}`;
  return `${words(a.lines, "changed line")} in ${words(a.files, "file")} each, named ${one.place < other.place ? "before" : "behind"} ${nameOfRival(other)}`;
}

function words(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

type Viewed = {
  task: Pick<Task, "state" | "park" | "notBefore" | "next" | "cancelWish">;
  standing: string;
  why: string;
};

/** Where a rival stands at `now` (epoch ms), told from its view. `isBusy`: an attempt of it is under way, or coming to its end. `isGreen`: its checks are, where its work is done. `hasRoom`: what it may want of room
 *  will come, because something is under way that makes some. */
export function standOf(
  { task, standing, why }: Viewed,
  { isBusy, isGreen, hasRoom, now }: { isBusy: boolean; isGreen: boolean; hasRoom: boolean; now: number },
): Omit<RivalStand, "rival"> {
  if (task.cancelWish || isBusy) return { stand: "at-work", why };
  if (task.state === "contest") return isGreen ? { stand: "green", why } : { stand: "as-began", why: RED_AS_BEGAN };
  switch (standing) {
    case "waits-for-person":
      // A person is at work on it.
      return { stand: task.park?.for === "hand" ? "at-work" : "held", why };
    case "waits-for-room":
      return { stand: hasRoom ? "at-work" : "held", why };
    case "waits-for-budget":
    case "blocked":
      return { stand: "held", why };
    case "waits-for-time": {
      const isPause = !isDue(task, now) && (task.park === null || task.park.for === "retry");
      return { stand: isPause ? "at-work" : "held", why };
    }
    case "failed":
    case "skipped":
    case "cancelled":
      return { stand: "out", why: `${standing}${why === "" || why === standing ? "" : `: ${why.split("\n", 1)[0]}`}` };
    default:
      return { stand: "at-work", why };
  }
}

/** How work ended that is red only as the branch was where it began. */
export const RED_AS_BEGAN = "red as where it began";

/** What an attempt whose own checks are done does next. */
export function phaseAfterChecks(
  task: Pick<Task, "key" | "rival" | "approved" | "spec">,
): "contest" | "review" | "merge" {
  if (isUndecided(task)) return "contest";
  return task.spec.needsReview && !task.approved ? "review" : "merge";
}
