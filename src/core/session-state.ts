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

/** What a program is told with its start; the id stays the same each time that it is told it anew. */
export type FirstWords = { id: string; text: string };

/** The line of that. `start` is its id; of what the program is told first it tells only that there is something. */
export function startLine(start: string, words: FirstWords | null): string {
  return JSON.stringify({
    hook_event_name: STARTED,
    start,
    ...(words !== null && { told: words.id, ...(isPrompt(words.text) && { is_told: true }) }),
  });
}

/** How far the words of the program's start came: nobody has heard of them (`untold`), it told that it has them and nothing more (`begun`), or they are
 *  `taken`, as far as that can be known. */
export function howFarTold(lines: readonly string[], { id, text }: FirstWords): "untold" | "begun" | "taken" {
  const started = lines.findLastIndex((line) => line.includes(`"told":"${id}"`));
  if (started === -1) return "untold";
  const behind = lines.slice(started).flatMap((line) => /"hook_event_name":"([A-Za-z]+)"/.exec(line)?.[1] ?? []);
  // Of its program's own commands no hook is told: they are done as soon as it is there.
  if (!isPrompt(text)) return behind.includes("SessionStart") ? "taken" : "untold";
  const said = behind.filter((event) => !UNSPOKEN.has(event));
  if (said.length === 0) return "untold";
  return said.length === 1 && said[0] === "UserPromptSubmit" ? "begun" : "taken";
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

/** Whether its program was started and has said nothing yet, be it told something or not. */
export function isStarting(lines: readonly string[]): boolean {
  return hear(lines).isStarting;
}

/** Whether it was told something with its start, has begun, and says nothing of that yet. */
export function isAboutToWork(lines: readonly string[]): boolean {
  const { isTold, isStarting: hasNotBegun } = hear(lines);
  return isTold && !hasNotBegun;
}

/** The state of a session. `lines` are those of its spool, oldest first. */
export function stateOf(hasSession: boolean, pane: AgentPane, lines: readonly string[]): SessionState {
  if (!hasSession) return "none";
  if (pane === null) return "unknown";
  if (pane.isDead) return "ended";
  if (!pane.tells) return "unknown";
  return hear(lines).state;
}

function hear(lines: readonly string[]): Heard {
  let heard = UNHEARD;
  for (const line of lines) heard = afterEvent(heard, line);
  return heard;
}

/** `isOpen`: a turn has begun of which no end was told, be its program there or not. `isTold`: it was started with something to do, and has not told
 *  that it has it. */
type Heard = { state: SessionState; isOpen: boolean; isStarting: boolean; isTold: boolean };
const UNHEARD: Heard = { state: "starting", isOpen: false, isStarting: true, isTold: false };

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
  if (heard.isTold && source !== "clear") return { ...heard, isStarting: false };
  const begun = { isStarting: false, isTold: false };
  if (heard.isStarting && heard.isOpen) return { state: "cut-off", isOpen: true, ...begun };
  return { state: source === "resume" ? "waiting" : "idle", isOpen: false, ...begun };
}

const AT_IT = { isOpen: true, isStarting: false, isTold: false };

/** What is told of a program whatever it was told. */
const UNSPOKEN: ReadonlySet<string> = new Set([STARTED, "SessionStart", "SessionEnd", "Notification"]);

function afterEvent(heard: Heard, line: string): Heard {
  const { state } = heard;
  switch (/"hook_event_name"\s*:\s*"([A-Za-z]+)"/.exec(line)?.[1]) {
    case STARTED:
      // One that is told something with its start goes on by that.
      return line.includes('"is_told":true')
        ? { state: "working", isOpen: true, isStarting: true, isTold: true }
        : { state: "starting", isOpen: heard.isOpen, isStarting: true, isTold: false };
    case "SessionStart":
      return afterStart(heard, /"source"\s*:\s*"([a-z]+)"/.exec(line)?.[1]);
    case "UserPromptSubmit":
    case "PostToolUse":
    case ANSWERED:
      return { state: "working", ...AT_IT };
    case "PreToolUse":
      // Beside it another tool may wait for leave.
      return { state: state === "blocked" ? state : "working", ...AT_IT };
    case "PermissionRequest":
      return { state: "blocked", ...AT_IT };
    case "Notification":
      return /"notification_type"\s*:\s*"permission_prompt"/.test(line) ? { ...heard, state: "blocked" } : heard;
    case "Stop":
    case "StopFailure":
      // Agents that it has sent out work on, and it takes up what they bring.
      if (line.includes('"owt_background":true')) return { state: "working", ...AT_IT };
      return { state: "waiting", isOpen: false, isStarting: false, isTold: false };
    case "SessionEnd":
      // One that has not begun has nothing to end: it is the last word of the one before it, which came late.
      return heard.isStarting ? heard : { ...heard, state: "ended" };
    default:
      return heard;
  }
}
