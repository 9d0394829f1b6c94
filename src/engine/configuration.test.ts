import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { AGENT_KINDS } from "../agents/registry.ts";
import { loadConfig } from "../system/config-files.ts";
import { validateConfig, type Remark } from "./configuration.ts";
import { knownAgents } from "./engine.ts";

type Files = { repository?: string; user?: string; env?: Record<string, string> };

/** A folder with these files of the configuration. */
function place({ repository, user, env = {} }: Files): { dir: string; env: Record<string, string> } {
  const dir = mkdtempSync(join(tmpdir(), "owt-configuration-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  if (repository !== undefined) writeFileSync(join(dir, ".worktreerc"), repository);
  mkdirSync(join(dir, "open-orchestrator"));
  if (user !== undefined) writeFileSync(join(dir, "open-orchestrator", "config.toml"), user);
  return { dir, env: { ...env, XDG_CONFIG_HOME: dir } };
}

function remarksOn(files: Files): Remark[] {
  const { dir, env } = place(files);
  return validateConfig(dir, env).remarks;
}

const problemsOn = (files: Files) =>
  remarksOn(files).flatMap(({ level, key, message }) => (level === "problem" ? [`${key}: ${message}`] : []));

const HALF = "is no agent: it has neither a kind nor a command, and none of that name is built in";

describe("an agent that is no whole one", () => {
  test.each<[string, Files, string[]]>([
    ["a name mistyped", { repository: '[agent.claud]\nmodel = "opus"\n' }, [`agent.claud: ${HALF}`]],
    ["in a profile", { repository: '[profile.p.agent.x]\nmodel = "m"\n' }, [`profile.p.agent.x: ${HALF}`]],
    [
      "a key of it mistyped: that is said alone",
      { repository: '[agent.mine]\nkommand = ["x"]\n' },
      ["agent.mine.kommand: unknown key"],
    ],
    ["whole over two files", { user: '[agent.x]\nkind = "demo"\n', repository: '[agent.x]\nmodel = "m"\n' }, []],
    ["whole with a profile", { repository: '[agent.x]\nmodel = "m"\n[profile.p.agent.x]\ncommand = ["true"]\n' }, []],
    ["built in", { repository: '[agent.claude]\nmodel = "opus"\n' }, []],
  ])("is named by validate: %s", (_, files, expected) => {
    expect(problemsOn(files)).toEqual(expected);
  });

  test("is none that --agent accepts", () => {
    const { dir, env } = place({ repository: '[agent.claud]\nmodel = "opus"\n[agent.mine]\nkind = "demo"\n' });
    const { config } = loadConfig(dir, { env, agentKinds: AGENT_KINDS });
    expect(knownAgents(config)).toEqual(["claude", "codex", "demo", "mine"]);
  });
});

describe("all that is wrong is said at once", () => {
  test("wrong values, wrong words, and what does nothing", () => {
    const repository =
      '[run]\nretries = -1\n[agent]\ndefault = "clod"\n[agent.mine]\nkind = "nope"\n[tmux]\ndefault_layout = "quadd"\n[web]\nport = 1\n';
    expect(
      remarksOn({ repository, env: { OWT_PROFILE: "nope" } }).map(({ level, key, file }) => `${level} ${key ?? file}`),
    ).toEqual([
      "problem run.retries",
      "problem agent.mine.kind",
      "problem tmux.default_layout",
      "problem agent.default",
      "problem OWT_PROFILE",
      "note web.port",
    ]);
  });

  test("a variable that is wrong hides nothing of a file", () => {
    const found = remarksOn({ repository: '[agent]\ndefault = "clod"\n', env: { OWT_RUN_RETRIES: "many" } });
    expect(found.map(({ key, file }) => key ?? file)).toEqual(["OWT_RUN_RETRIES", "agent.default"]);
  });

  test("what a mistake takes out is no second mistake", () => {
    const repository =
      '[agent]\ndefault = "mine"\n[agent.mine]\ncommand = 5\n[tmux]\ndefault_layout = "own"\n[tmux.layouts.own]\npanes = 3\n';
    expect(problemsOn({ repository }).map((text) => text.split(":")[0])).toEqual([
      "agent.mine.command",
      "tmux.layouts.own.panes",
    ]);
  });

  test("a file that cannot be read to its end is no ground for saying what is missing in it", () => {
    expect(problemsOn({ repository: '[agent]\ndefault = "mine"\n[agent.mine\nkind = "demo"\n' })).toHaveLength(1);
  });
});

test("an address in a variable that is not set is named with its key and place, in whatever profile; one that is set, or stands there itself, is not", () => {
  const user =
    '[notifications]\nslack_webhook = "env:NOSUCHHOOK"\ndiscord_webhook = "env:THERE"\n[[notifications.webhook]]\nurl = "https://ntfy.example/owt"\n';
  const repository =
    '[[notifications.webhook]]\nurl = "env:EMPTY"\n[profile.night.notifications]\nslack_webhook = "env:BY_NIGHT"\n';
  const remarks = remarksOn({ user, repository, env: { THERE: "https://discord.example/x", EMPTY: "" } });
  expect(
    remarks.map(({ level, file, place, key, message }) => [level, file.split("/").at(-1), place?.line, key, message]),
  ).toEqual([
    ["problem", "config.toml", 2, "notifications.slack_webhook", "the variable NOSUCHHOOK is not set"],
    ["problem", ".worktreerc", 1, "notifications.webhook", "the variable EMPTY is not set"],
    ["problem", ".worktreerc", 4, "profile.night.notifications.slack_webhook", "the variable BY_NIGHT is not set"],
  ]);
  expect(remarks[0]!.hint).toBe("where owt runs: export NOSUCHHOOK=https://…");
});
