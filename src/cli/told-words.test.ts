import { expect, test } from "vitest";
import { buildProgram } from "./app.ts";
import type { Io } from "./io.ts";
import { wordsToTell, without } from "./told-words.ts";

test.each([
  ["task answer a/E01 hunter2", "task answer a/E01 ‹7 characters›"],
  ["task answer a/E01 --run r1 hunter2 --json", "task answer a/E01 --run r1 ‹7 characters› --json"],
  [
    "send wt my password is --pane 2 hunter2",
    "send wt ‹2 characters› ‹8 characters› ‹2 characters› --pane 2 ‹7 characters›",
  ],
  ["send hunter2 --all", "send ‹7 characters› --all"],
  ["send wt -- --hunter2", "send wt -- ‹9 characters›"],
  ["task approve a/E01 --refuse hunter2", "task approve a/E01 --refuse ‹7 characters›"],
  ["task approve a/E01 --refuse=hunter2", "task approve a/E01 --refuse=‹7 characters›"],
  ["run a/E01 --agent-args --key=hunter2 -y", "run a/E01 --agent-args ‹13 characters› -y"],
  ["run --agent-args hunter2 hunter3 --agent demo", "run --agent-args ‹7 characters› ‹7 characters› --agent demo"],
  ["logs a/E01 --grep hunter2 --level error", "logs a/E01 --grep ‹7 characters› --level error"],
  ["task create hunter2 --tag", "task create ‹7 characters› --tag"],
  ["note wt hunter2", "note wt ‹7 characters›"],
  ["--profile night plan deps a/E01 --config x.json", "--profile night plan deps a/E01 --config x.json"],
  ["plan --module shop deps --add b", "plan --module shop deps --add b"],
  // What there is not may be a text that went astray.
  ["task anwser a/E01 hunter2", "task anwser ‹5 characters› ‹7 characters›"],
  ["status r1 hunter2", "status r1 ‹7 characters›"],
  ["logs --grepp=hunter2", "logs --grepp=‹7 characters›"],
])("of owt %s the report tells %s", async (line, expected) => {
  const words = line.split(" ");
  const program = await buildProgram({} as unknown as Io, "", words[0]);
  expect(wordsToTell(program, words).told.join(" ")).toBe(expected);
});

test("what is left out of the command line is left out of other lines, as a word", () => {
  expect(without("say my own (words).", ["my own", "(words)."])).toBe("say ‹6 characters› ‹8 characters›");
  expect(without("tmux send-keys -l hunter2; hunter22 (hunter2)", ["hunter2", "send"])).toBe(
    "tmux ‹4 characters›-keys -l ‹7 characters›; hunter22 (‹7 characters›)",
  );
});
