/** When a Claude Code last wrote something down, and whether it waits for a tool, as its own record of the conversation tells. */
import { statSync } from "node:fs";
import { lastRecords, transcriptIn } from "./claude-record.ts";
import { list, parseJson, record, text } from "./json.ts";

/** Of the conversation that this payload of a hook is of; `at` is epoch ms. Null where it has no record. */
export function lastSign(payload: string): { at: number; hasOpenTool: boolean } | null {
  const path = transcriptIn(payload);
  const at = path === null ? undefined : statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  return at === undefined ? null : { at, hasOpenTool: hasOpenTool(lastRecords(payload)) };
}

/** A tool that was called and has not answered. What a person says next closes those that they interrupted. */
function hasOpenTool(records: readonly string[]): boolean {
  const open = new Set<string>();
  for (const line of records) {
    if (!line.includes('"tool_use') && !line.includes('"type":"user"')) continue;
    const row = parseJson(line);
    const blocks = list(record(row?.["message"])["content"]).map(record);
    const answered = blocks.filter((block) => block["type"] === "tool_result");
    if (row?.["type"] === "user" && answered.length === 0) open.clear();
    for (const block of answered) open.delete(text(block["tool_use_id"]));
    for (const block of blocks) if (block["type"] === "tool_use") open.add(text(block["id"]));
  }
  return open.size > 0;
}
