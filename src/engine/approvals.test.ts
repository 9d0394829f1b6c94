import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { sampleSpec } from "../../test/rig/samples.ts";
import { checkConfig, type Layer } from "../core/config.ts";
import { approveGrants, grantsMissing, grantsNeeded, requireApproval } from "./approvals.ts";
import type { Engine } from "./engine.ts";
import { adHocTask } from "./asked-plan.ts";

function layer(origin: Layer["origin"], raw: unknown): Layer {
  const checked = checkConfig(raw);
  if ("problems" in checked) throw new Error(JSON.stringify(checked.problems));
  return { origin, name: ".worktreerc", values: checked.values };
}

/** What approvals look at of an engine; the rest would need a repository. */
function engineWith(layers: Layer[], commonDir = "/repo/.git", stateDir = newDir()): Engine {
  return { layers, repo: { commonDir }, env: { XDG_STATE_HOME: stateDir } } as unknown as Engine;
}

function newDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "owt-approvals-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const needed = (raw: unknown, origin: Layer["origin"] = "repository") =>
  grantsNeeded(engineWith([layer(origin, raw)]), [], {}).map(({ where, what }) => `${where}: ${what}`);

test("words are told as one could paste them, and what is one word is not approved as two", () => {
  const raw = (args: string[]) => ({ agent: { x: { command: ["sh", "-c", "echo a; b"], extra_args: args } } });
  expect(needed(raw(["--name", "it's mine", ""]))).toEqual([
    ".worktreerc [agent.x] command: sh -c 'echo a; b'",
    `.worktreerc [agent.x] extra_args: --name 'it'\\''s mine' ''`,
  ]);
  const engine = engineWith([layer("repository", raw(["a b"]))]);
  approveGrants(engine, grantsNeeded(engine, [], {}));
  const other = { ...engine, layers: [layer("repository", raw(["a", "b"]))] } as Engine;
  expect(grantsMissing(other, grantsNeeded(other, [], {})).map(({ what }) => what)).toEqual(["a b"]);
});

describe("what a repository brings needs an approval", () => {
  test.each<[object, string[]]>([
    [{ run: { verify: "npm test" } }, [".worktreerc [run] verify: npm test"]],
    [{ run: { verify: ["a", "b"] } }, [".worktreerc [run] verify: a", ".worktreerc [run] verify: b"]],
    [{ run: { verify: ["a", " a "] } }, [".worktreerc [run] verify:  a "]],
    [{ run: { verify: "", retries: 1 } }, []],
    [{ environment: { install_command: "make" } }, [".worktreerc [environment] install_command: make"]],
    [
      { agent: { x: { command: ["sh", "-c", "y"], extra_args: ["--z"], env: { LD_PRELOAD: "./z.so" } } } },
      [
        ".worktreerc [agent.x] command: sh -c y",
        ".worktreerc [agent.x] extra_args: --z",
        ".worktreerc [agent.x] env.LD_PRELOAD: LD_PRELOAD=./z.so",
      ],
    ],
    [
      { agent: { claude: { permission_mode: "bypassPermissions" } } },
      [".worktreerc [agent.claude] permission_mode: bypassPermissions"],
    ],
    [{ agent: { claude: { permission_mode: "auto" } } }, [".worktreerc [agent.claude] permission_mode: auto"]],
    [
      { agent: { codex: { permission_mode: "danger-full-access" } } },
      [".worktreerc [agent.codex] permission_mode: danger-full-access"],
    ],
    [{ agent: { claude: { permission_mode: "acceptEdits", model: "opus" } } }, []],
  ])("%j", (raw, grants) => {
    expect(needed(raw)).toEqual(grants);
    expect(needed(raw, "user")).toEqual([]);
    expect(needed(raw, "flag")).toEqual([]);
  });

  test.each([
    "Bash",
    "Bash()",
    "Bash(*)",
    "Bash(:*)",
    "Bash(*:*)",
    "Bash( * )",
    " Bash ",
    "Bash(sh:*)",
    "Bash(bash -c *)",
    "Bash(/usr/bin/env *)",
    "Bash(python3.12:*)",
  ])("%j allows every command, and so it does", (tool) => {
    expect(needed({ agent: { claude: { allowed_tools: [tool] } } })).toHaveLength(1);
    const plan = grantsNeeded(engineWith([]), [], {
      choices: { allowedTools: [tool], permissionMode: "auto" },
    });
    expect(plan.map(({ where }) => where)).toEqual(["plan permission_mode", "plan allowed_tools"]);
  });

  test.each([
    "Bash(npm test)",
    "Bash(sh check.sh)",
    "Bash(shellcheck:*)",
    "Bash(git add:*)",
    "Edit",
    "Write",
    "BashOutput",
  ])("%j does not", (tool) => {
    expect(needed({ agent: { claude: { allowed_tools: [tool] } } })).toEqual([]);
  });

  test("the checks of its tasks, each content once", () => {
    const tasks = [sampleSpec("a", { verify: ["npm test", "make"] }), sampleSpec("b", { verify: ["npm test"] })];
    expect(grantsNeeded(engineWith([]), tasks, {})).toEqual([
      { where: "docs/plans/plan.md verify", what: "npm test" },
      { where: "docs/plans/plan.md verify", what: "make" },
    ]);
  });
});

describe("an approval", () => {
  const grants = [
    { where: "here", what: "npm test" },
    { where: "here", what: "make" },
  ];

  test("is by content: a moved line asks for nothing new, a changed one does", () => {
    const engine = engineWith([]);
    expect(grantsMissing(engine, grants)).toEqual(grants);
    approveGrants(engine, [grants[0]!]);
    expect(grantsMissing(engine, grants)).toEqual([grants[1]]);
    expect(grantsMissing(engine, [{ where: "elsewhere", what: " npm test\n" }])).toEqual([]);
    expect(grantsMissing(engine, [{ where: "here", what: "npm test --all" }])).toHaveLength(1);
    approveGrants(engine, [grants[1]!]);
    expect(grantsMissing(engine, grants)).toEqual([]);
  });

  test("holds for one repository, outlives the process, and is private", () => {
    const state = newDir();
    approveGrants(engineWith([], "/one/.git", state), grants);
    approveGrants(engineWith([], "/two/.git", state), [grants[0]!]);
    expect(grantsMissing(engineWith([], "/one/.git", state), grants)).toEqual([]);
    expect(grantsMissing(engineWith([], "/two/.git", state), grants)).toEqual([grants[1]]);
    expect(grantsMissing(engineWith([], "/three/.git", state), grants)).toEqual(grants);
    expect(statSync(join(state, "open-orchestrator", "approvals.json")).mode & 0o077).toBe(0);
  });

  test("that is missing is asked for with every command and the line that approves them", () => {
    const engine = engineWith([]);
    expect(() => requireApproval(engine, grants)).toThrow(/\n {2}here: npm test\n {2}here: make$/);
    expect(() => requireApproval(engine, grants)).toThrow(
      expect.objectContaining({
        code: "not-approved",
        exitCode: 4,
        hint: expect.stringContaining("owt config approve") as string,
      }),
    );
    approveGrants(engine, grants);
    expect(() => requireApproval(engine, grants)).not.toThrow();
    expect(() => requireApproval(engine, [])).not.toThrow();
  });
});

test.each([
  ["Add a login page", "add-a-login-page", "Add a login page"],
  ["  Add a login page.\nWith a form.\n", "add-a-login-page", "Add a login page."],
  ["設計 する", "task", "設計 する"],
])("a task from %j has a name, a title and the whole text", (text, id, title) => {
  expect(adHocTask(text, 2)).toMatchObject({ id, title, content: text.trim(), source: { file: "owt run", line: 3 } });
  expect(adHocTask(text, 0, { agent: "demo" }).agent).toBe("demo");
});
