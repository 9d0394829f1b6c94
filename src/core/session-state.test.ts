import { expect, test } from "vitest";
import {
  endedAtLimit,
  hasStopped,
  howFarTold,
  isAboutToWork,
  isStarting,
  startLine,
  NEEDS_SOMEBODY,
  SESSION_STATES,
  type SessionState,
  stateOf,
  whyInVain,
} from "./session-state.ts";

const event = (name: string, more: object = {}) => JSON.stringify({ session_id: "x", hook_event_name: name, ...more });
const alive = { isDead: false, tells: true };
const state = (...names: string[]) =>
  stateOf(
    true,
    alive,
    names.map((name) => event(name)),
  );

test("what its hooks tell", () => {
  expect(state()).toBe("starting");
  expect(state("SessionStart")).toBe("idle");
  expect(state("SessionStart", "UserPromptSubmit")).toBe("working");
  expect(state("SessionStart", "UserPromptSubmit", "PermissionRequest")).toBe("blocked");
  expect(state("UserPromptSubmit", "PermissionRequest", "PostToolUse")).toBe("working");
  expect(state("UserPromptSubmit", "Stop")).toBe("waiting");
  expect(state("UserPromptSubmit", "StopFailure")).toBe("waiting");
  // Condensed in the middle of its work, it begins anew in the agent's eyes only.
  const started = (source: string) =>
    stateOf(true, alive, [event("UserPromptSubmit"), event("SessionStart", { source })]);
  expect(["compact", "resume", "startup", "clear"].map(started)).toEqual(["working", "waiting", "idle", "idle"]);
  // Its turn is over when those that it has sent out are through, too.
  const sentOut = [event("UserPromptSubmit"), event("Stop", { owt_background: true })];
  expect(stateOf(true, alive, sentOut)).toBe("working");
  expect(stateOf(true, alive, [...sentOut, event("UserPromptSubmit"), event("Stop")])).toBe("waiting");
  expect(state("UserPromptSubmit", "Stop", "SessionEnd")).toBe("ended");
  expect(state("SessionEnd", "SessionStart")).toBe("idle");
});

test("what an earlier program left behind says nothing of one that starts", () => {
  expect(state("UserPromptSubmit", "SessionEnd", "OwtStart")).toBe("starting");
  expect(state("UserPromptSubmit", "Stop", "OwtStart", "SessionStart")).toBe("idle");
  // Its last word may come late, when tmux was killed with it and brought back at once.
  expect(state("UserPromptSubmit", "OwtStart", "SessionEnd")).toBe("starting");
  expect(state("OwtStart", "SessionEnd", "SessionStart", "SessionEnd")).toBe("ended");
});

test("a turn that ended with its program is cut off until the next word, however often and however it begins again", () => {
  const back = (source: string, ...before: string[]) =>
    stateOf(true, alive, [...before.map((name) => event(name)), event("SessionStart", { source })]);
  for (const last of ["UserPromptSubmit", "PreToolUse", "PostToolUse", "PermissionRequest"])
    for (const source of ["resume", "startup"]) {
      const begun = ["UserPromptSubmit", last];
      expect(back(source, ...begun, "OwtStart")).toBe("cut-off");
      // tmux was killed, and the agent had a last word, in time or late.
      expect(back(source, ...begun, "SessionEnd", "OwtStart")).toBe("cut-off");
      expect(back(source, ...begun, "OwtStart", "SessionEnd")).toBe("cut-off");
      expect(back(source, ...begun, "OwtStart", "SessionStart", "OwtStart")).toBe("cut-off");
    }
  expect(back("resume", "UserPromptSubmit", "Stop", "OwtStart")).toBe("waiting");
  expect(back("resume", "UserPromptSubmit", "StopFailure", "SessionEnd", "OwtStart")).toBe("waiting");
  // In one program a person begins another conversation.
  expect(back("clear", "UserPromptSubmit", "SessionEnd")).toBe("idle");
  const cut = ["UserPromptSubmit", "OwtStart", "SessionStart"];
  expect(state(...cut, "Notification")).toBe("cut-off");
  expect(state(...cut, "UserPromptSubmit")).toBe("working");
  expect(state(...cut, "UserPromptSubmit", "Stop")).toBe("waiting");
  expect(NEEDS_SOMEBODY.has("cut-off")).toBe(true);
  // Told something with its start, it goes on by that; a command of its program's is no word of which it would tell.
  const told = (prompt: string | null) =>
    stateOf(true, alive, [
      event("UserPromptSubmit"),
      startLine("1", prompt === null ? null : { id: "2", text: prompt }),
      event("SessionStart", { source: "resume" }),
    ]);
  expect([told("go on"), told(null), told("/compact")]).toEqual(["working", "cut-off", "cut-off"]);
});

test("started with something to do it works from then on, until it tells otherwise", () => {
  const after = (...names: string[]) => {
    const lines = [startLine("1", { id: "2", text: "go" }), ...names.map((name) => event(name))];
    return [stateOf(true, alive, lines), isStarting(lines), isAboutToWork(lines)];
  };
  expect(after()).toEqual(["working", true, false]);
  // The last word of the one before it.
  expect(after("SessionEnd")).toEqual(["working", true, false]);
  expect(after("SessionStart")).toEqual(["working", false, true]);
  expect(after("SessionStart", "UserPromptSubmit")).toEqual(["working", false, false]);
  expect(after("SessionStart", "UserPromptSubmit", "Stop")).toEqual(["waiting", false, false]);
  expect(after("SessionStart", "SessionEnd")[0]).toBe("ended");
  expect(after("SessionStart", "OwtStart", "SessionStart")).toEqual(["cut-off", false, false]);
});

test("how far the words of a start came, by what was heard behind it last", () => {
  const words = { id: "w", text: "go" };
  const after = (...names: string[]) =>
    howFarTold([event("UserPromptSubmit"), startLine("1", words), ...names.map((name) => event(name))], words);
  expect(howFarTold([event("UserPromptSubmit")], words)).toBe("untold");
  expect(after()).toBe("untold");
  expect(after("SessionStart", "Notification", "SessionEnd")).toBe("untold");
  expect(after("SessionStart", "UserPromptSubmit", "SessionEnd")).toBe("begun");
  expect(after("SessionStart", "UserPromptSubmit", "PreToolUse")).toBe("taken");
  expect(after("SessionStart", "UserPromptSubmit", "Stop")).toBe("taken");
  const again = [startLine("1", words), event("UserPromptSubmit"), startLine("2", words), event("SessionStart")];
  expect(howFarTold(again, words)).toBe("untold");
  // No hook is told of a command of the program's own.
  const command = { id: "w", text: "/compact" };
  expect(howFarTold([startLine("1", command)], command)).toBe("untold");
  expect(howFarTold([startLine("1", command), event("SessionStart")], command)).toBe("taken");
});

test("whether a turn ended last or a program began", () => {
  expect(hasStopped([event("SessionStart"), event("Stop"), event("Notification"), ""])).toBe(true);
  expect(hasStopped([event("Stop"), event("SessionStart", { source: "resume" })])).toBe(false);
});

test("a notification counts where it is about a permission", () => {
  const lines = (kind: string) => [event("UserPromptSubmit"), event("Notification", { notification_type: kind })];
  expect(stateOf(true, alive, lines("permission_prompt"))).toBe("blocked");
  expect(stateOf(true, alive, lines("idle_prompt"))).toBe("working");
});

test("a line that was cut off, or is none of ours, changes nothing", () => {
  expect(stateOf(true, alive, [event("UserPromptSubmit"), '{"hook_ev', "", "junk"])).toBe("working");
});

test("what its process says goes first", () => {
  expect(stateOf(false, null, [event("Stop")])).toBe("none");
  expect(stateOf(true, null, [])).toBe("unknown");
  expect(stateOf(true, { isDead: true, tells: true }, [event("UserPromptSubmit")])).toBe("ended");
  expect(stateOf(true, { isDead: false, tells: false }, [event("Stop")])).toBe("unknown");
  expect(NEEDS_SOMEBODY.has("working")).toBe(false);
});

test("what never comes is not waited for: whatever the state, and whatever is waited for", () => {
  const waitedFor = (state: SessionState, isBroughtBack: boolean) => {
    const now = { state, isDead: state === "ended", isBroughtBack };
    return SESSION_STATES.filter((want) => whyInVain(new Set([want]), now) === null);
  };
  const alwaysAll = SESSION_STATES.filter((state) => !["none", "unknown", "ended"].includes(state));
  for (const state of alwaysAll) expect([state, waitedFor(state, false)]).toEqual([state, [...SESSION_STATES]]);
  expect(waitedFor("none", true)).toEqual(["none"]);
  expect(waitedFor("unknown", true)).toEqual(["none", "unknown"]);
  expect(waitedFor("ended", false)).toEqual(["none", "ended"]);
  expect(waitedFor("ended", true)).toEqual([...SESSION_STATES]);
  // Between two conversations its hooks say that one has ended, and its program is there.
  expect(whyInVain(new Set(["idle"]), { state: "ended", isDead: false, isBroughtBack: false })).toBe(null);
  expect(whyInVain(NEEDS_SOMEBODY, { state: "unknown", isDead: false, isBroughtBack: false })).toBe("no-agent");
});

test("a turn that ended at a usage limit is one as long as nothing more was heard", () => {
  const line = (event: string, more = {}) => JSON.stringify({ owt_pid: 1, hook_event_name: event, ...more });
  const limited = line("StopFailure", { error: "rate_limit" });
  expect(endedAtLimit([line("UserPromptSubmit"), limited, ""])).toBe(true);
  expect(endedAtLimit([limited, line("UserPromptSubmit")])).toBe(false);
  expect(endedAtLimit([line("StopFailure", { error: "server_error" })])).toBe(false);
  expect(endedAtLimit([line("Stop", { error: "rate_limit" })])).toBe(false);
  expect(endedAtLimit([])).toBe(false);
});
