/** What the agent of a session does, told from its process and from the events that its hooks left; never from what a screen shows. */

export const SESSION_STATES = [
  "none",
  "ended",
  "starting",
  "idle",
  "working",
  "blocked",
  "waiting",
  "cut-off",
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
  /** It was started again after it had ended in the middle of its turn, and nobody has said anything to it since: what it was told is not done. */
  | "cut-off"
  /** It ought to work, has told nothing for long, and does nothing that could be seen (`session-health.ts`). */
  | "hung"
  /** It was stopped, by a signal or by Ctrl-Z, and does nothing until it is let go on. */
  | "suspended"
  /** There is a session without an agent, or with one that does not tell. */
  | "unknown";

/** States in which somebody should look. */
export const NEEDS_SOMEBODY: ReadonlySet<SessionState> = new Set([
  "blocked",
  "waiting",
  "cut-off",
  "ended",
  "hung",
  "suspended",
]);

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
const STARTED = "OwtStart";

/** The line of that. `start` is its id; `prompt` is what the program is told first, of which the line tells only that there is one. */
export function startLine(start: string, prompt: string | null): string {
  return JSON.stringify({
    hook_event_name: STARTED,
    start,
    ...(prompt !== null && isPrompt(prompt) && { is_told: true }),
  });
}

/** Of commands that the agent's program does itself, and of what its shell mode runs, no hook is told. */
export function isPrompt(text: string): boolean {
  return /^\s*[^\s/!]/.test(text);
}

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
  let heard: Heard = { state: "starting", isOpen: false };
  for (const line of lines) heard = afterEvent(heard, line);
  return heard.state;
}

/** `isOpen`: a turn has begun of which no end was told, be its program there or not. */
type Heard = { state: SessionState; isOpen: boolean };

/** Whether it was a turn that ended last, and no program that began. */
export function hasStopped(lines: readonly string[]): boolean {
  const last = lines.findLast((line) => /"hook_event_name"\s*:\s*"(Stop|StopFailure|SessionStart)"/.test(line)) ?? "";
  return !last.includes('"SessionStart"');
}

/** How long behind the end of a turn an agent may take to begin with what was typed meanwhile: other hooks of that end may hold it up. */
export const TAKES_WITHIN_MS = 10_000;

/** Whether the last thing that hooks told is that a turn ended at a usage limit. */
export function endedAtLimit(lines: readonly string[]): boolean {
  const last = lines.findLast((line) => line.includes('"hook_event_name"')) ?? "";
  return (
    /"hook_event_name"\s*:\s*"StopFailure"/.test(last) && /"error"\s*:\s*"(rate_limit|usage_limit_reached)"/.test(last)
  );
}

/** A conversation that was condensed goes on in the middle of its work; one that was taken up again waits for a word. A program that was started
 *  anew does nothing about a turn that the one before it did not end. */
function afterStart(heard: Heard, source: string | undefined): Heard {
  if (source === "compact") return heard;
  if (heard.state === "starting" && heard.isOpen) return { state: "cut-off", isOpen: true };
  return { state: source === "resume" ? "waiting" : "idle", isOpen: false };
}

function afterEvent(heard: Heard, line: string): Heard {
  const { state } = heard;
  switch (/"hook_event_name"\s*:\s*"([A-Za-z]+)"/.exec(line)?.[1]) {
    case STARTED:
      // One that is told something with its start goes on by that.
      return { state: "starting", isOpen: heard.isOpen && !line.includes('"is_told":true') };
    case "SessionStart":
      return afterStart(heard, /"source"\s*:\s*"([a-z]+)"/.exec(line)?.[1]);
    case "UserPromptSubmit":
    case "PostToolUse":
    case ANSWERED:
      return { state: "working", isOpen: true };
    case "PreToolUse":
      // Beside it another tool may wait for leave.
      return { state: state === "blocked" ? state : "working", isOpen: true };
    case "PermissionRequest":
      return { state: "blocked", isOpen: true };
    case "Notification":
      return /"notification_type"\s*:\s*"permission_prompt"/.test(line) ? { ...heard, state: "blocked" } : heard;
    case "Stop":
    case "StopFailure":
      return { state: "waiting", isOpen: false };
    case "SessionEnd":
      // One that has not begun has nothing to end: it is the last word of the one before it, which came late.
      return { ...heard, state: state === "starting" ? state : "ended" };
    default:
      return heard;
  }
}
