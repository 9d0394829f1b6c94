/** What Claude Code asks leave for, as its hook PermissionRequest is told it, and the answer that the hook gives back. Measured on 2.1.329: the dialog
 *  is on the screen meanwhile, and whichever answer comes first holds. */
import { transcriptIn } from "./claude-interrupt.ts";
import { parseJson, record, type Json, text } from "./json.ts";

/** `detail` is what it would do: a command, a file, an address; else the tool's input as JSON. It may be cut, then it ends in `…`. */
export type Asked = { tool: string; detail: string };

/** Reads the payload, of which only the head may be there. */
export function parseAsked(payload: string): Asked {
  const whole = parseJson(payload.trim());
  if (whole !== null)
    return { tool: text(whole["tool_name"]) || "a tool", detail: describe(record(whole["tool_input"])) };
  const cut = /"tool_name"\s*:\s*"([^"]*)"(?:,"tool_input"\s*:\s*(.*))?/s.exec(payload);
  return { tool: cut?.[1] || "a tool", detail: `${cut?.[2] ?? ""}…` };
}

/** The payload as it is written down for whoever is asked: what `parseAsked` reads of it, each text `clean`, and whose record it is of. One line. */
export function renderAsked(payload: string, clean: (text: string) => string): string {
  const { tool, detail } = parseAsked(payload);
  const path = transcriptIn(payload);
  const own = path === null ? {} : { transcript_path: path };
  return JSON.stringify({ ...own, tool_name: tool, tool_input: { command: clean(detail) } });
}

/** What people look at; the whole input where there is none of these. */
function describe(input: Json): string {
  const named = ["command", "file_path", "notebook_path", "url"].map((key) => text(input[key]));
  return named.find((each) => each !== "") ?? JSON.stringify(input);
}

/** The line with which the hook allows it, this once, or refuses it; the agent is told why. */
export function renderLeave(leave: { isGiven: boolean; why: string }): string {
  const decision = leave.isGiven ? { behavior: "allow" } : { behavior: "deny", message: leave.why.slice(0, 1_000) };
  return JSON.stringify({ hookSpecificOutput: { hookEventName: "PermissionRequest", decision } });
}
