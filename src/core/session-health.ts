/** Whether the agent of a session that ought to be at work is: told from when it was last heard of and from its processes, never from a screen. Also
 *  whether one that ended is to be started again. Pure. */
import type { SessionState } from "./session-state.ts";

/** What there is to see of an agent beside what its hooks told. */
export type Signs = {
  /** When it last told or wrote down something; epoch ms. */
  heardAt: number;
  /** It began a tool and has no answer of it yet: that may take as long as it takes. */
  hasOpenTool: boolean;
  /** The kernel lets it do nothing: SIGSTOP, Ctrl-Z. */
  isSuspended: boolean;
  /** It computes, or something that it has started does, or was started since it was last heard of. */
  isBusy: boolean;
};

/** States in which an agent is expected to say something before long. */
const OUGHT_TO_TELL: ReadonlySet<SessionState> = new Set(["working", "starting"]);

/** Whether it has been silent for so long that its processes are worth a look. 0 is never. */
export function isSilent(state: SessionState, heardAt: number, at: { now: number; hungAfterMs: number }): boolean {
  return OUGHT_TO_TELL.has(state) && at.hungAfterMs > 0 && at.now - heardAt >= at.hungAfterMs;
}

/** The state with its health: `hung` for one that ought to tell something and does not, `suspended` for one that cannot. */
export function healthOf(state: SessionState, signs: Signs, at: { now: number; hungAfterMs: number }): SessionState {
  if (state === "none" || state === "ended") return state;
  if (signs.isSuspended) return "suspended";
  const isHung = isSilent(state, signs.heardAt, at) && !signs.hasOpenTool && !signs.isBusy;
  return isHung ? "hung" : state;
}

/** So often an agent is brought back within so long; what ends more often than that ends again. */
const MOST_BACK = 3;
export const BACK_WITHIN_MS = 10 * 60_000;

/** Whether an agent that ended is to be started again: not one that was left on purpose, nor one that keeps ending. `status` is its exit code, null
 *  for one that a signal ended; `before` are the times (epoch ms) at which it was brought back. */
export function mayBringBack(
  { status, lines, before }: { status: number | null; lines: readonly string[]; before: readonly number[] },
  now: number,
): "yes" | "left" | "too-often" {
  if (status === 0 || wasLeft(lines)) return "left";
  return before.filter((at) => now - at < BACK_WITHIN_MS).length < MOST_BACK ? "yes" : "too-often";
}

/** Its last word was that a person left it: an exit code alone does not tell that from a crash. */
function wasLeft(lines: readonly string[]): boolean {
  const last = lines.findLast((line) => line.trim() !== "") ?? "";
  return last.includes('"SessionEnd"') && /"reason"\s*:\s*"(?:prompt_input_exit|logout)"/.test(last);
}
