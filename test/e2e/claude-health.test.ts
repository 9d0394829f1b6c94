/** The real Claude Code in a session, behind a fake API: a long tool is no hang, a silent API is one; killed, it comes back in its conversation. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { sessionOf, whyNoClaude } from "../rig/claude-plan.ts";
import { claudeRig } from "../rig/claude-rig.ts";
import { makeGate, startFakeApi } from "../rig/fake-api.ts";

beforeEach((context) => {
  const why = whyNoClaude();
  if (why !== null) context.skip(why);
});

type Listed = { name: string; state: string; state_since: string };
const PATIENCE = { timeout: 60_000, interval: 200 };

test("hung and busy are told apart; ended first where a person wants it, or killed, it goes on in its conversation; left, it stays away", async () => {
  const gate = makeGate();
  const command = 'until [ -e "$HOME/tool" ]; do sleep 0.1; done';
  const tool = { name: "Bash", input: { command, description: "Wait" } };
  const api = await startFakeApi({
    "": {
      task: [
        { say: "I wait.", use: [tool] },
        { say: "x", gate },
      ],
    },
  });
  await using rig = await claudeRig({ api, files: { "README.md": "# Shop\n" } });
  const settled = {
    hasCompletedOnboarding: true,
    customApiKeyResponses: { approved: ["sk-ant-dummy"], rejected: [] },
    projects: { [rig.root]: { hasTrustDialogAccepted: true } },
  };
  writeFileSync(join(rig.home, ".claude.json"), JSON.stringify(settled));
  const config = join(rig.home, "config", "open-orchestrator", "config.toml");
  mkdirSync(dirname(config), { recursive: true });
  writeFileSync(config, '[agent.claude]\nallowed_tools = ["Bash"]\n[tmux]\nhung_after = "3s"\nbring_back = "always"\n');
  const x = async () => (await rig.ask<{ worktrees: Listed[] }>("list")).worktrees.find(({ name }) => name === "x")!;
  const wait = (state: string) => rig.ask("wait", "x", "--for", state, "--timeout", "60s");

  await rig.ask("create", "x", "--prompt", "wait for the tool");
  await wait("working");
  await expect
    .poll(() => rig.processes().some((line) => line.includes('until [ -e "$HOME/tool"')), PATIENCE)
    .toBe(true);
  await expect.poll(async () => Date.now() - Date.parse((await x()).state_since), PATIENCE).toBeGreaterThan(5_000);
  expect(await x()).toMatchObject({ state: "working" });
  writeFileSync(join(rig.home, "tool"), "");
  await gate.reached;
  await wait("hung");

  const restarting = rig.owt("switch", "x", "--restart");
  await restarting.exits(4);
  await wait("cut-off");
  const conversation = sessionOf(rig.starts()[0]!);
  expect(rig.starts()).toEqual([
    expect.stringContaining(`--session-id ${conversation}`),
    expect.stringContaining(`--resume ${conversation}`),
  ]);
  const [pid] = rig.claudes();
  process.kill(pid!, "SIGKILL");
  await expect.poll(async () => (await x()) && rig.starts().length, PATIENCE).toBe(3);
  await wait("cut-off");
  expect(rig.starts()[2]).toContain(`--resume ${conversation}`);

  await rig.ask("send", "x", "/exit");
  await wait("ended");
  expect(await x()).toMatchObject({ state: "ended" });
  expect(rig.starts()).toHaveLength(3);
});
