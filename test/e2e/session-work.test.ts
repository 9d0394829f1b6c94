/** What works in the session of a worktree keeps that, whoever wants to take it away; idle shells and an agent that waits go with it. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { isAlive, Rig } from "../rig/rig.ts";

const AGENT = new URL("../rig/talking-agent.mjs", import.meta.url).pathname;

function prepare(): Rig {
  const rig = Rig.create({});
  rig.userFile(
    "config.toml",
    `[agent.claude]\ncommand = ["${process.execPath}", "${AGENT}"]\n[tmux]\npane_count = 2\n`,
  );
  return rig;
}

const panes = (rig: Rig) =>
  rig
    .tmux("list-panes", "-a", "-F", "#{pane_id} #{@owt_agent}")
    .trim()
    .split("\n")
    .map((line) => line.split(" "));

/** Types into the pane beside the agent. */
function type(rig: Rig, line: string): void {
  const [shell] = panes(rig).find(([, agent]) => !agent)!;
  rig.tmux("send-keys", "-t", shell!, "-l", "--", line);
  rig.tmux("send-keys", "-t", shell!, "Enter");
}

const pidIn = (file: string) =>
  vi
    .waitFor(() => expect(readFileSync(file, "utf8")).toMatch(/^\d+\n/), { timeout: 20_000 })
    .then(() => Number(readFileSync(file, "utf8")));

const prepared = async (rig: Rig) => {
  rig.ok("create", "x");
  rig.ok("wait", "x", "--for", "idle");
};

test.each([
  ["in front", "sh -c 'echo $$ >../pid; exec sleep 1000'", "sleep"],
  ["in the background", "sh -c 'echo $$ >../pid; exec sleep 1000' &", "sleep"],
  ["as a script", "sh ../script", "sh"],
  [
    "cut off from the terminal",
    "setsid sh -c 'echo $$ >../pid; exec sleep 1000' </dev/null >/dev/null 2>&1 &",
    "sleep",
  ],
  ["stopped", "sh -c 'echo $$ >../pid; kill -STOP $$'", "sh"],
])("a program that runs %s keeps its worktree, for delete and cleanup alike", async (_, line, command) => {
  await using rig = prepare();
  await prepared(rig);
  writeFileSync(rig.path("script"), "echo $$ >../pid\nwhile :; do sleep 1; done\n");
  type(rig, line);
  const pid = await pidIn(rig.path("pid"));
  const words = `somebody works in it: ${pid} ${command}`;
  const refused = await rig.owt("delete", "x", "--yes", "--save");
  expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining(words) as string });
  const cleaned = await rig.json<{ worktrees: unknown[] }>("cleanup", "--all", "--days", "0", "--yes");
  expect(cleaned.worktrees).toContainEqual(expect.objectContaining({ name: "x", action: "keep", why: "in-use" }));
  expect([existsSync(rig.path("shop-x")), isAlive(pid)]).toEqual([true, true]);
  process.kill(pid, "SIGKILL");
  expect(await rig.owt("delete", "x", "--yes")).toMatchObject({ code: 0 });
  expect(existsSync(rig.path("shop-x"))).toBe(false);
});

test("idle shells, one within another too, and an agent that waits keep nothing", async () => {
  await using rig = prepare();
  await prepared(rig);
  type(rig, "sh");
  type(rig, "echo $$ >../pid");
  await pidIn(rig.path("pid"));
  const seen = await rig.json<{ worktrees: unknown[] }>("cleanup", "--all", "--days", "0");
  expect(seen.worktrees).toContainEqual(expect.objectContaining({ name: "x", action: "remove" }));
  expect(await rig.owt("delete", "x", "--yes")).toMatchObject({ code: 0 });
  expect(await rig.json("tmux", "list")).toEqual({ sessions: [] });
});
