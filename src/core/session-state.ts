/** What the agent of a session does, told from its process and from the events that its hooks left; never from what a screen shows. */

export const SESSION_STATES = [
  "none",
  "ended",
  "starting",
  "idle",
  "working",
  "blocked",
  "waiting",
  "hung",
  "suspended",
  "unknown",
] as const;

export type SessionState =
  /** There is no session. */
  | "none"
  /** The agent's program has ended. */
  | "ended"
  /** It was started and has said nothing yet. */
  | "starting"
  /** It is ready, and nobody has asked anything of it. */
  | "idle"
  | "working"
  /** It waits for a permission. */
  | "blocked"
  /** Its turn is over: it waits for what it is told next. */
  | "waiting"
  /** It ought to work, has told nothing for long, and does nothing that could be seen (`session-health.ts`). */
  | "hung"
  /** It was stopped, by a signal or by Ctrl-Z, and does nothing until it is let go on. */
  | "suspended"
  /** There is a session without an agent, or with one that does not tell. */
  | "unknown";

/** States in which somebody should look. */
export const NEEDS_SOMEBODY: ReadonlySet<SessionState> = new Set(["blocked", "waiting", "ended", "hung", "suspended"]);

/** States in which an agent is in the middle of something. */
export const IN_THE_MIDDLE: ReadonlySet<SessionState> = new Set(["working", "blocked", "hung", "suspended"]);

/** Why nobody waits for a session. */
export type InVain = "no-session" | "no-agent" | "ended";

/** Why none of the `wanted` states comes of a session as it is; null where one may come, or is there. `isDead`: the agent's program has gone, which
 *  `isBroughtBack` by itself or is not. The end of the session may come of every one. */
export function whyInVain(
  wanted: ReadonlySet<SessionState>,
  { state, isDead, isBroughtBack }: { state: SessionState; isDead: boolean; isBroughtBack: boolean },
): InVain | null {
  if (wanted.has(state)) return null;
  if (state === "none") return "no-session";
  if (wanted.has("none")) return null;
  if (state === "unknown") return "no-agent";
  return isDead && !isBroughtBack ? "ended" : null;
}

/** Our own event: a program is about to be started. What stands before it is of an earlier one. */
export const STARTED = "OwtStart";

/** An agent that asked for leave was answered from elsewhere; the hook that waited for that says so. */
const ANSWERED = "OwtAnswered";

/** Whether the last that was heard is that a tool is about to begin: within a moment it is known whether leave is asked for it. */
export function hasToolBegun(lines: readonly string[]): boolean {
  return lines.findLast((line) => line !== "")?.includes('"hook_event_name":"PreToolUse"') ?? false;
}

/** The agent's pane: null where the session has none. `tells`: its hooks are set. */
export type AgentPane = { isDead: boolean; tells: boolean } | null;

/** The state of a session. `lines` are those of its spool, oldest first. */
export function stateOf(hasSession: boolean, pane: AgentPane, lines: readonly string[]): SessionState {
  if (!hasSession) return "none";
  if (pane === null) return "unknown";
  if (pane.isDead) return "ended";
  if (!pane.tells) return "unknown";
  let state: SessionState = "starting";
  for (const line of lines) state = afterEvent(state, line);
  return state;
}

/** Whether the last thing that hooks told is that a turn ended at a usage limit. */
export function endedAtLimit(lines: readonly string[]): boolean {
  const last = lines.findLast((line) => line.includes('"hook_event_name"')) ?? "";
  return (
    /"hook_event_name"\s*:\s*"StopFailure"/.test(last) && /"error"\s*:\s*"(rate_limit|usage_limit_reached)"/.test(last)
  );
}

/** A conversation that was condensed goes on in the middle of its work; one that was taken up again waits for a word. */
function afterStart(state: SessionState, source: string | undefined): SessionState {
  if (source === "compact") return state;
  return source === "resume" ? "waiting" : "idle";
}

function afterEvent(state: SessionState, line: string): SessionState {
  switch (/"hook_event_name"\s*:\s*"([A-Za-z]+)"/.exec(line)?.[1]) {
    case STARTED:
      return "starting";
    case "SessionStart":
      return afterStart(state, /"source"\s*:\s*"([a-z]+)"/.exec(line)?.[1]);
    case "UserPromptSubmit":
    case "PostToolUse":
    case ANSWERED:
      return "working";
    case "PreToolUse":
      // Beside it another tool may wait for leave.
      return state === "blocked" ? state : "working";
    case "PermissionRequest":
      return "blocked";
    case "Notification":
      return /"notification_type"\s*:\s*"permission_prompt"/.test(line) ? "blocked" : state;
    case "Stop":
    case "StopFailure":
      return "waiting";
    case "SessionEnd":
      // One that has not begun has nothing to end: it is the last word of the one before it, which came late.
      return state === "starting" ? state : "ended";
    default:
      return state;
  }
}
