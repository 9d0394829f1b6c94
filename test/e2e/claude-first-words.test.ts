/** The real Claude Code in a session, behind a fake API: what it was told with its start is told anew where it ended before it took that up, once. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { CLAUDE_VERSIONS } from "../rig/claude-binary.ts";
import { whyNoClaude } from "../rig/claude-plan.ts";
import { type ClaudeRig, claudeRig } from "../rig/claude-rig.ts";
import { makeGate, startFakeApi, textOf } from "../rig/fake-api.ts";

beforeEach((context) => {
  const why = whyNoClaude();
  if (why !== null) context.skip(why);
});

type Listed = { name: string; state: string };
const PATIENCE = { timeout: 60_000, interval: 200 };
const TOLD = "make the blue door";

/** Questions of a first start are answered; while the file `held` is there, hooks of the user's hold up that event. */
function settleIn(rig: ClaudeRig, event: string): void {
  const settled = {
    hasCompletedOnboarding: true,
    customApiKeyResponses: { approved: ["sk-ant-dummy"], rejected: [] },
    projects: { [rig.root]: { hasTrustDialogAccepted: true } },
  };
  writeFileSync(join(rig.home, ".claude.json"), JSON.stringify(settled));
  const command = 'while [ -e "$HOME/held" ]; do sleep 0.1; done';
  mkdirSync(join(rig.home, ".claude"), { recursive: true });
  const hooks = { [event]: [{ hooks: [{ type: "command", command }] }] };
  writeFileSync(join(rig.home, ".claude", "settings.json"), JSON.stringify({ hooks }));
  writeFileSync(join(rig.home, "held"), "");
}

const killServer = (rig: ClaudeRig) =>
  execFileSync("tmux", ["-S", join(dirname(rig.root), "sessions.sock"), "kill-server"]);
const stateOf = async (rig: ClaudeRig) =>
  (await rig.ask<{ worktrees: Listed[] }>("list")).worktrees.find(({ name }) => name === "x")!.state;

/** What its hooks told. */
function heardOf(rig: ClaudeRig): string {
  const folder = join(rig.root, ".git", "owt", "sessions");
  const file = readdirSync(folder).find((name) => !name.includes("+"))!;
  return readFileSync(join(folder, file), "utf8");
}

async function started(rig: ClaudeRig, times: number): Promise<void> {
  await expect.poll(() => [rig.starts().length, rig.claudes().length], PATIENCE).toEqual([times, 1]);
}

/** How often each conversation's model was told it. */
function timesTold(rig: ClaudeRig): number {
  const talks = new Map(rig.api.requests.map((each) => [each.session, each.messages.map(textOf).join("\n")]));
  return [...talks.values()].reduce((sum, talk) => sum + talk.split(TOLD).length - 1, 0);
}

test.each(CLAUDE_VERSIONS)(
  "ended before it had taken up its prompt, by whatever, it is told it anew, and works from its start (%s)",
  async (version) => {
    const gate = makeGate();
    const api = await startFakeApi({ "": { task: [{ say: "One.", gate }] } });
    await using rig = await claudeRig({ api, version, files: { "README.md": "# Shop\n" } });
    settleIn(rig, "SessionStart");
    await rig.ask("create", "x", "--prompt", TOLD);
    expect(await stateOf(rig)).toBe("working");
    await rig.owt("delete", "x", "--yes").exits(4);
    await started(rig, 1);
    killServer(rig);
    const switching = rig.owt("switch", "x");
    await switching.exits(4);
    expect(switching.err()).toContain(TOLD);
    expect(await stateOf(rig)).toBe("working");
    // Also where it was ended by hand, and where owt itself ends it.
    await started(rig, 2);
    process.kill(rig.claudes()[0]!, "SIGKILL");
    await rig.owt("wait", "x", "--for", "ended", "--timeout", "60s").exits(0);
    await rig.owt("switch", "x").exits(4);
    await started(rig, 3);
    await rig.owt("switch", "x", "--restart").exits(4);
    expect(await stateOf(rig)).toBe("working");
    rmSync(join(rig.home, "held"));
    await gate.reached;
    gate.release();
    expect(await rig.ask("wait", "x", "--timeout", "60s")).toMatchObject({ state: "waiting" });
    expect(timesTold(rig)).toBe(1);
    // Taken: from then on it goes on in its conversation, which a new prompt finds, too.
    killServer(rig);
    await rig.owt("switch", "x").exits(4);
    expect(await rig.ask("wait", "x", "--timeout", "60s")).toMatchObject({ state: "waiting" });
    killServer(rig);
    await rig.ask("create", "x", "--prompt", "and a red one");
    await expect
      .poll(
        () => api.requests.some(({ messages }) => messages.some((each) => textOf(each).includes("and a red one"))),
        PATIENCE,
      )
      .toBe(true);
    expect(timesTold(rig)).toBe(1);
    const ways = rig.starts().map((line) => /--(session-id|resume)/.exec(line)?.[1]);
    expect(ways).toEqual(["session-id", "session-id", "session-id", "session-id", "resume", "resume"]);
  },
);

test.each(["SIGKILL", "--restart"])(
  "ended while it took its prompt up, before anything was on record, it is told it anew (%s)",
  async (how) => {
    const api = await startFakeApi({});
    await using rig = await claudeRig({ api, files: { "README.md": "# Shop\n" } });
    settleIn(rig, "UserPromptSubmit");
    await rig.ask("create", "x", "--prompt", TOLD);
    await expect.poll(() => heardOf(rig), PATIENCE).toContain("UserPromptSubmit");
    if (how === "SIGKILL") {
      process.kill(rig.claudes()[0]!, "SIGKILL");
      await rig.owt("wait", "x", "--for", "ended", "--timeout", "60s").exits(0);
      rmSync(join(rig.home, "held"));
      await rig.owt("switch", "x").exits(4);
    } else {
      await rig.owt("switch", "x", "--restart").exits(4);
      rmSync(join(rig.home, "held"));
    }
    expect(await rig.ask("wait", "x", "--timeout", "60s")).toMatchObject({ state: "waiting" });
    expect(timesTold(rig)).toBe(1);
    const { worktree } = await rig.ask<{ worktree: { messages: { text: string }[] } }>("status", "x");
    expect(worktree.messages.map(({ text }) => text)).toEqual([TOLD]);
  },
);
