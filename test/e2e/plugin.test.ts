/** The plugin, as the real Claude Code sees it. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { claudeBinary } from "../rig/claude-binary.ts";
import { whyNoClaude } from "../rig/claude-plan.ts";

const PLUGIN = new URL("../../plugin", import.meta.url).pathname;
const why = whyNoClaude();

test("its own strict validation passes it, and the commands alone, here and in this repository's own settings", (context) => {
  if (why !== null) context.skip(why);
  const home = mkdtempSync(join(tmpdir(), "owt-plugin-"));
  const own = join(PLUGIN, "../.claude/commands");
  try {
    for (const path of [PLUGIN, join(PLUGIN, ".claude-plugin/plugin.json"), join(PLUGIN, "commands"), own]) {
      const said = execFileSync(claudeBinary(), ["plugin", "validate", "--strict", path], {
        env: { PATH: process.env["PATH"], HOME: home, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1" },
        encoding: "utf8",
      });
      expect(said).toContain("Validation passed");
    }
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});

test("each hook is one call of the script, for its own event", () => {
  const { hooks } = JSON.parse(readFileSync(join(PLUGIN, "hooks/hooks.json"), "utf8")) as {
    hooks: Record<string, { hooks: { command: string }[] }[]>;
  };
  for (const [event, entries] of Object.entries(hooks))
    expect(entries.flatMap((entry) => entry.hooks.map(({ command }) => command))).toEqual([
      `exec sh "\${CLAUDE_PLUGIN_ROOT}"/hooks/owt.sh ${event}`,
    ]);
});

test("commands say what they may do; what a person typed never stands in a line that is run beforehand", () => {
  const names = readdirSync(join(PLUGIN, "commands"));
  expect(names).toEqual(["worktree.md", "wt-cleanup.md", "wt-create.md", "wt-list.md", "wt-status.md"]);
  for (const name of names) {
    const text = readFileSync(join(PLUGIN, "commands", name), "utf8");
    expect(text).toMatch(/^---\ndescription: .+\n(argument-hint: .+\n)?allowed-tools: .+\n---\n# /);
    const allowed = /^allowed-tools: (.*)$/m.exec(text)![1]!;
    expect(allowed).not.toMatch(/Bash\b(?!\()|Bash\(owt:|delete|--yes/);
    // What Claude Code runs before the model sees the text: allowed word by word, and without anybody's words in it.
    for (const [, command] of text.matchAll(/!`([^`]*)`/g)) {
      expect(command).not.toContain("$");
      expect(allowed).toMatch(new RegExp(`Bash\\(${command!}(:\\*)?\\)`));
    }
  }
});
