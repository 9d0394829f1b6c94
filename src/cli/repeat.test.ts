import { expect, test } from "vitest";
import type { Io } from "./io.ts";
import { repeatWith } from "./repeat.ts";

test.each([
  [["run"], "owt run --yes"],
  [["run", "fix the typo", "--agent", "demo"], "owt run 'fix the typo' --agent demo --yes"],
  [["run", "a/E01", "--again", "--budget", "1"], "owt run a/E01 --again --budget 1 --yes"],
  [["--profile", "night", "run", "it's $HOME"], "owt --profile night run 'it'\\''s $HOME' --yes"],
  [["run", "--", "-v here"], "owt run --yes -- '-v here'"],
  [["run", "--agent-args", "--key", "hunter2-hunter2"], "owt run --agent-args --key (hidden) --yes"],
  [["run", "log in with password=hunter2"], "owt run 'log in with password=(hidden)' --yes"],
])("%j is repeated with --yes", (words, expected) => {
  const io = { words, env: { MY_API_KEY: "hunter2-hunter2" } } as unknown as Io;
  expect(repeatWith(io, "--yes")).toBe(expected);
});
