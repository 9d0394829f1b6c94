/** Agents of sessions that are not well: hung ones told from busy ones, stopped ones, and dead ones that come back. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Rig } from "../rig/rig.ts";

const AGENT = new URL("../rig/talking-agent.mjs", import.meta.url).pathname;
const PATIENCE = { timeout: 30_000 };

type Told = { id: string; text?: string; started?: string };
type Listed = { name: string; state: string; state_since: string; help: string | null };

function prepare(tmux: string): Rig {
  const rig = Rig.create({});
  rig.userFile("config.toml", `[agent.claude]\ncommand = ["${process.execPath}", "${AGENT}"]\n[tmux]\n${tmux}\n`);
  return rig;
}

function told(rig: Rig): Told[] {
  const file = join(rig.env["HOME"]!, "told");
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Told);
}

const stateOf = async (rig: Rig, name: string) => {
  const { worktrees } = await rig.json<{ worktrees: Listed[] }>("list");
  return worktrees.find((each) => each.name === name)!;
};
const paneOf = (rig: Rig, name: string) => {
  const line = rig.tmux("list-panes", "-t", `=owt-shop-${name}:`, "-F", "#{pane_id} #{pane_pid}").split("\n")[0]!;
  const [id = "", pid = ""] = line.split(" ");
  return { id, pid: Number(pid) };
};

test("an agent that says nothing and does nothing is hung, and is started again in its conversation; a busy one is not", async () => {
  await using rig = prepare('hung_after = "1s"');
  const [never, tool] = [rig.path("never"), rig.path("tool")];
  rig.ok("create", "stuck", "busy", "idle");
  for (const name of ["stuck", "busy", "idle"]) rig.ok("wait", name, "--for", "idle");
  rig.ok("send", "busy", `tool ${tool}`);
  rig.ok("send", "stuck", `hold ${never}`);
  expect(await rig.json("wait", "stuck", "--for", "hung", "--timeout", "60s")).toMatchObject({ state: "hung" });
  // Silent for as long, but what it has started goes on.
  await expect
    .poll(async () => Date.now() - Date.parse((await stateOf(rig, "busy")).state_since), PATIENCE)
    .toBeGreaterThan(2_000);
  expect(await stateOf(rig, "busy")).toMatchObject({ state: "working", help: null });
  expect(await stateOf(rig, "idle")).toMatchObject({ state: "idle" });
  expect(await stateOf(rig, "stuck")).toMatchObject({ state: "hung", help: "owt switch stuck --restart" });
  for (const words of [["list"], ["status", "stuck"], ["status"]])
    expect((await rig.owt(...words)).stdout).toMatch(
      /stuck: claude has not answered for [\d.]+[sm]\n +↳ owt switch stuck --restart/,
    );
  const refused = await rig.owt("delete", "stuck", "--yes");
  expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining("claude is at work") as string });

  const { id } = told(rig).find(({ text }) => text === `hold ${never}`)!;
  const { pid } = paneOf(rig, "stuck");
  await rig.owt("switch", "stuck", "--restart");
  expect(await rig.json("wait", "stuck", "--for", "cut-off,waiting")).toMatchObject({ state: "cut-off" });
  expect(told(rig).at(-1)).toMatchObject({ id, started: "resumed" });
  expect(paneOf(rig, "stuck").pid).not.toBe(pid);
  expect(rig.tmux("list-panes", "-t", "=owt-shop-stuck:").split("\n")).toHaveLength(2);
  writeFileSync(tool, "");
  rig.ok("wait", "busy", "--for", "waiting");
});

test("one that died while it asked for leave asks nothing any more, and is in nobody's way", async () => {
  await using rig = prepare("");
  const command = `command = ["${process.execPath}", "${AGENT}"]`;
  rig.userFile("config.toml", `[agent.claude]\n${command}\n[agent.claude.env]\nCLAUDE_CODE_ENTRYPOINT = "cli"\n`);
  rig.ok("create", "x");
  rig.ok("wait", "x", "--for", "idle", "--timeout", "30s");
  rig.ok("send", "x", "ask");
  const asks = async () => (await rig.json<{ asks: { name: string }[] }>("inbox")).asks;
  await expect.poll(asks, PATIENCE).toMatchObject([{ name: "x" }]);
  process.kill(paneOf(rig, "x").pid, "SIGKILL");
  rig.ok("wait", "x", "--for", "ended", "--timeout", "30s");
  expect(await asks()).toEqual([]);
  expect(await rig.owt("task", "approve", "x")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("no agent asks for anything there") as string,
  });
  rig.ok("delete", "x", "--yes");
  await expect.poll(() => rig.processes(), PATIENCE).toEqual([]);
});

test("one that was stopped by a signal is told apart, with what lets it go on", async () => {
  await using rig = prepare("");
  // tmux lets the first process of a pane go on by itself; one behind a script of the user's stays as it is.
  rig.addProgram("wrapped", `#!/bin/sh\n"${process.execPath}" "${AGENT}" "$@"\nexit $?\n`);
  rig.userFile("config.toml", '[agent.claude]\ncommand = ["wrapped"]\n');
  rig.ok("create", "x");
  rig.ok("wait", "x", "--for", "idle", "--timeout", "30s");
  const pid = rig
    .processes()
    .find((each) => readFileSync(`/proc/${each}/cmdline`, "utf8").startsWith(process.execPath));
  process.kill(pid!, "SIGSTOP");
  expect(await rig.owt("wait", "x", "--timeout", "30s")).toEqual({
    code: 4,
    stdout: "suspended\n",
    stderr: `  ↳ kill -CONT ${pid}\n`,
  });
  expect(await stateOf(rig, "x")).toMatchObject({ help: `kill -CONT ${pid}` });
  expect((await rig.owt("list")).stdout).toContain(`x: claude is stopped\n  ↳ kill -CONT ${pid}`);
  process.kill(pid!, "SIGCONT");
  expect(await rig.json("wait", "x", "--for", "idle", "--timeout", "30s")).toMatchObject({ state: "idle" });
});

test("where it is configured, one that was killed comes back by itself in its conversation, but not for ever", async () => {
  await using rig = prepare('bring_back = "always"');
  rig.ok("create", "x");
  rig.ok("wait", "x", "--for", "idle", "--timeout", "30s");
  const [{ id }] = told(rig) as [Told];
  for (let times = 1; times <= 3; times++) {
    process.kill(paneOf(rig, "x").pid, "SIGKILL");
    // tmux itself brings it back. 3.3a forgets an end at times until another child of its ends: it is told to look.
    const server = Number(rig.tmux("display-message", "-p", "#{pid}"));
    const back = () =>
      process.kill(server, "SIGCHLD") && told(rig).filter(({ started }) => started === "resumed").length;
    await expect.poll(back, PATIENCE).toBe(times);
    rig.ok("wait", "x", "--for", "waiting", "--timeout", "30s");
  }
  expect(new Set(told(rig).map((each) => each.id))).toEqual(new Set([id]));
  const { id: pane, pid } = paneOf(rig, "x");
  process.kill(pid, "SIGKILL");
  rig.ok("wait", "x", "--for", "ended", "--timeout", "30s");
  // What tmux does by itself, once more: when it is over, nothing was started.
  rig.ok("hook", "agent-ended", pane);
  expect(await stateOf(rig, "x")).toMatchObject({ state: "ended", help: "owt switch x" });
  expect((await rig.owt("list")).stdout).toContain("claude has ended again, brought back 3 times");
  // A person may all the same.
  await rig.owt("switch", "x");
  await expect.poll(() => told(rig).filter(({ started }) => started === "resumed").length, PATIENCE).toBe(4);
});

test("brought back, one that died in the middle of its turn is not one whose turn is over", async () => {
  await using rig = prepare('bring_back = "always"');
  const never = rig.path("never");
  rig.ok("create", "x");
  rig.ok("wait", "x", "--for", "idle", "--timeout", "30s");
  const cutOff = { code: 4, stdout: "cut-off\n", stderr: '  ↳ owt send x "go on"\n' };
  const die = [
    () => process.kill(paneOf(rig, "x").pid, "SIGKILL"),
    async () => {
      rig.tmux("kill-server");
      await rig.owt("switch", "x");
    },
    () => rig.owt("switch", "x", "--restart"),
    async () => {
      rig.ok("tmux", "kill", "x", "--yes");
      rig.ok("create", "x");
    },
  ];
  for (const [at, deed] of die.entries()) {
    rig.ok("send", "x", `hold ${never}`);
    rig.ok("wait", "x", "--for", "working");
    await deed();
    const back = async () =>
      (await stateOf(rig, "x")) && told(rig).filter(({ started }) => started === "resumed").length;
    await expect.poll(back, PATIENCE).toBe(at + 1);
    rig.ok("wait", "x", "--for", "cut-off,waiting", "--timeout", "30s");
    expect(await rig.owt("wait", "x")).toEqual(cutOff);
  }
  expect(await stateOf(rig, "x")).toMatchObject({ state: "cut-off", help: 'owt send x "go on"' });
  expect((await rig.owt("list")).stdout).toContain('x: claude was cut off in its turn\n  ↳ owt send x "go on"');
  rig.ok("send", "--waiting", "go on");
  expect(told(rig).at(-1)?.text).toBe("go on");
  expect(await rig.owt("wait", "x")).toEqual({ code: 0, stdout: "waiting\n", stderr: "" });
});

test("whoever looks brings back what tmux forgot", async () => {
  await using rig = prepare('bring_back = "always"');
  rig.ok("create", "x");
  rig.ok("wait", "x", "--for", "idle", "--timeout", "30s");
  const { id: pane, pid } = paneOf(rig, "x");
  rig.tmux("set-hook", "-p", "-u", "-t", pane, "pane-died");
  process.kill(pid, "SIGKILL");
  const looked = async () => (await rig.owt("list")).code === 0 && told(rig).at(-1)?.started;
  await expect.poll(looked, PATIENCE).toBe("resumed");
});

test("one that a person left stays away, and so does any where nobody configured it", async () => {
  await using rig = prepare('bring_back = "always"');
  rig.ok("create", "x");
  rig.ok("wait", "x", "--for", "idle", "--timeout", "30s");
  rig.ok("send", "x", "leave");
  rig.ok("wait", "x", "--for", "ended", "--timeout", "30s");
  rig.ok("hook", "agent-ended", paneOf(rig, "x").id);
  expect(await stateOf(rig, "x")).toMatchObject({ state: "ended" });
  await rig.owt("switch", "x");
  rig.ok("wait", "x", "--for", "waiting");
  rig.userFile("config.toml", `[agent.claude]\ncommand = ["${process.execPath}", "${AGENT}"]\n`);
  process.kill(paneOf(rig, "x").pid, "SIGKILL");
  rig.ok("wait", "x", "--for", "ended", "--timeout", "30s");
  rig.ok("hook", "agent-ended", paneOf(rig, "x").id);
  expect(await stateOf(rig, "x")).toMatchObject({ state: "ended", help: "owt switch x" });
  expect(told(rig).filter(({ started }) => started === "resumed")).toHaveLength(1);
});

test("an agent whose pane a person has closed is told, and comes back in its conversation by switch, create and --restart", async () => {
  await using rig = prepare("pane_count = 2");
  rig.ok("create", "x");
  rig.ok("wait", "x", "--for", "idle");
  rig.ok("send", "x", "hello");
  rig.ok("wait", "x");
  const { id } = told(rig).at(-1)!;
  const ways = [
    ["switch", "x"],
    ["create", "x"],
    ["switch", "x", "--restart"],
  ];
  for (const way of ways) {
    rig.tmux("kill-pane", "-t", paneWithAgent(rig));
    expect(await stateOf(rig, "x")).toMatchObject({ state: "ended", agent: "claude", help: "owt switch x" });
    for (const words of [["list"], ["status", "x"], ["status"]])
      expect((await rig.owt(...words)).stdout).toMatch(/x: claude has ended, its pane is closed\n +↳ owt switch x/);
    const wait = await rig.owt("wait", "x");
    expect(wait).toMatchObject({ code: 4, stderr: expect.stringContaining("owt switch x") as string });
    const sent = await rig.owt("send", "x", "are you there?");
    expect(sent.stderr).toMatch(/the pane of x's claude is closed\n.*owt switch x/);
    await rig.owt("switch", "x", "--no-agent");
    expect(paneWithAgent(rig)).toBe("");
    // Several at once make one.
    await Promise.all([rig.owt(...way), rig.owt(...way)]);
    expect(rig.tmux("list-panes", "-t", "=owt-shop-x:").split("\n")).toHaveLength(2);
    expect(await rig.json("wait", "x")).toMatchObject({ state: "waiting" });
    expect(told(rig).at(-1)).toMatchObject({ id, started: "resumed" });
    rig.ok("send", "x", "and on");
    rig.ok("wait", "x");
    expect(told(rig).at(-1)).toMatchObject({ id, text: "and on" });
  }
});

const paneWithAgent = (rig: Rig) =>
  rig.tmux("list-panes", "-a", "-F", "#{?@owt_agent,#{pane_id},}").split("\n").filter(Boolean).join(" ");
