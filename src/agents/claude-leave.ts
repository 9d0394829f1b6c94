/** What Claude Code asks leave for, as its hook PermissionRequest is told it, and the answer that the hook gives back. Measured on 2.1.329: the dialog
 *  is on the screen meanwhile, and whichever answer comes first holds. */
import { transcriptIn } from "./claude-record.ts";
import { type Json, list, parseJson, record, text } from "./json.ts";

/** `detail` is what it would do: a command, a file, an address; else the tool's input as JSON. It may be cut, then it ends in `…`. */
export type Asked = {
  tool: string;
  detail: string;
  /** What it asks the person, as the tool's input has it, where that is no leave but a question; null where it is leave. Empty where its words are not
   *  known whole. */
  questions: Json[] | null;
};

/** Reads the payload, of which only the head may be there. */
export function parseAsked(payload: string): Asked {
  const whole = parseJson(payload.trim());
  if (whole !== null) {
    const tool = text(whole["tool_name"]) || "a tool";
    const input = record(whole["tool_input"]);
    const questions = tool === QUESTION ? list(input["questions"]).map(record) : null;
    const words = (questions ?? []).map(describeQuestion).join(" · ");
    return { tool, detail: words || describe(input), questions };
  }
  const cut = /"tool_name"\s*:\s*"([^"]*)"(?:,"tool_input"\s*:\s*(.*))?/s.exec(payload);
  const tool = cut?.[1] || "a tool";
  return { tool, detail: `${(cut?.[2] ?? "").slice(0, MOST_SHOWN)}…`, questions: tool === QUESTION ? [] : null };
}

/** The tool with which it asks a person something; leave alone does not answer that. */
const QUESTION = "AskUserQuestion";
const MOST_SHOWN = 4_000;

/** `which colour? (red, blue)`. */
function describeQuestion(question: Json): string {
  const options = list(question["options"]).map((each) => text(record(each)["label"]));
  return `${text(question["question"])}${options.length > 0 ? ` (${options.join(", ")})` : ""}`;
}

/** The payload as it is written down for whoever is asked: what `parseAsked` reads of it, each text `clean`, and whose record it is of. One line. */
export function renderAsked(payload: string, clean: (text: string) => string): string {
  const { tool, detail, questions } = parseAsked(payload);
  const path = transcriptIn(payload);
  const own = path === null ? {} : { transcript_path: path };
  const input = questions?.length ? { questions: cleanAll(questions, clean) } : { command: clean(detail) };
  return JSON.stringify({ ...own, tool_name: tool, tool_input: input });
}

function cleanAll(value: unknown, clean: (text: string) => string): unknown {
  if (typeof value === "string") return clean(value);
  if (Array.isArray(value)) return value.map((each) => cleanAll(each, clean));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, cleanAll(each, clean)]));
}

/** The line with which the hook answers its questions, one answer each (2.1.197, 2.1.329). */
export function renderReply(questions: readonly Json[], answers: readonly string[]): string {
  const given = Object.fromEntries(questions.map((each, at) => [text(each["question"]), answers[at] ?? ""]));
  const decision = { behavior: "allow", updatedInput: { questions, answers: given } };
  return JSON.stringify({ hookSpecificOutput: { hookEventName: "PermissionRequest", decision } });
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
