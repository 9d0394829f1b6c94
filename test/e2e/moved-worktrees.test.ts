/** Worktrees that a person moved, with an agent in them, and others that take their places: each agent stays that of its own worktree. */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isAlive, Rig } from "../rig/rig.ts";

const AGENT = new URL("../rig/talking-agent.mjs", import.meta.url).pathname;
const PATIENCE = { timeout: 30_000 };

type Told = { id: string; cwd: string; text?: string; started?: string };

function prepare(tmux = ""): Rig {
  const rig = Rig.create({});
  const env = '[agent.claude.env]\nCLAUDE_CODE_ENTRYPOINT = "cli"\n';
  rig.userFile("config.toml", `[agent.claude]\ncommand = ["${process.execPath}", "${AGENT}"]\n${env}[tmux]\n${tmux}\n`);
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

const begin = (rig: Rig, ...names: string[]) => {
  rig.ok("create", ...names);
  for (const name of names) rig.ok("wait", name, "--for", "idle", "--timeout", "30s");
};
const stateOf = async (rig: Rig, name: string) =>
  (await rig.json<{ worktrees: { name: string; state: string }[] }>("list")).worktrees.find(
    (each) => each.name === name,
  )!.state;
const agentOf = (rig: Rig, place: string) => {
  const panes = rig.tmux("list-panes", "-a", "-F", "#{@owt_worktree}|#{@owt_agent}|#{pane_pid}").split("\n");
  const of = `${rig.path(place)}|claude|`;
  return Number(panes.find((each) => each.startsWith(of))!.slice(of.length));
};
const swap = (rig: Rig, a: string, b: string) => {
  for (const [from, to] of [
    [a, "aside"],
    [b, a],
    ["aside", b],
  ] as const)
    rig.git("worktree", "move", rig.path(from), rig.path(to));
};

test("an agent that is started again begins in its own worktree, whatever stands where it was", async () => {
  await using rig = prepare('bring_back = "always"');
  begin(rig, "a");
  const now = rig.path("a #{pane_id} #[x] ;");
  rig.git("worktree", "move", rig.path("shop-a"), now);
  rig.ok("create", "t", "--no-tmux", "--path", rig.path("shop-a"));
  await rig.owt("switch", "a", "--restart");
  await expect.poll(() => told(rig).at(-1), PATIENCE).toMatchObject({ started: "resumed", cwd: now });
  const third = rig.path("third");
  const agent = agentOf(rig, "a #{pane_id} #[x] ;");
  rig.git("worktree", "move", now, third);
  rig.git("worktree", "remove", rig.path("shop-a"));
  process.kill(agent, "SIGKILL");
  // tmux itself brings it back, which forgets an end at times until another child of its ends: it is told to look.
  const server = Number(rig.tmux("display-message", "-p", "#{pid}"));
  const back = () => process.kill(server, "SIGCHLD") && told(rig).slice(2);
  await expect.poll(back, PATIENCE).toMatchObject([{ started: "resumed", cwd: third }]);
  rig.tmux("kill-pane", "-t", "=owt-shop-a:.0");
  await rig.owt("switch", "a");
  await expect.poll(() => told(rig).slice(3), PATIENCE).toMatchObject([{ started: "resumed", cwd: third }]);
});

test("what hooks tell is told of the worktree whose agent it is, not of another one in its old place", async () => {
  await using rig = prepare();
  begin(rig, "a");
  rig.git("worktree", "move", rig.path("shop-a"), rig.path("elsewhere"));
  rig.ok("create", "new", "--path", rig.path("shop-a"));
  rig.ok("wait", "new", "--for", "idle", "--timeout", "30s");
  const [held, asked] = [rig.path("held"), rig.path("asked")];
  rig.ok("send", "new", `hold ${held}`);
  expect(await stateOf(rig, "new")).toBe("working");
  rig.ok("send", "a", "hi");
  rig.ok("wait", "a");
  expect([await stateOf(rig, "a"), await stateOf(rig, "new")]).toEqual(["waiting", "working"]);
  writeFileSync(held, "");
  rig.ok("wait", "new");
  // What is ended with one of them leaves the other's alone.
  const [a, other] = [agentOf(rig, "elsewhere"), agentOf(rig, "shop-a")];
  rig.ok("tmux", "kill", "new", "--yes");
  expect([isAlive(a), isAlive(other)]).toEqual([true, false]);
  rig.ok("delete", "new", "--yes");
  rig.ok("send", "a", `hold ${asked}`);
  expect(await rig.owt("delete", "a", "--yes")).toMatchObject({
    code: 4,
    stderr: expect.stringContaining("claude is at work") as string,
  });
  writeFileSync(asked, "");
  rig.ok("wait", "a");
  // Called from within it.
  rig.env["OWT_SESSION_KEY"] = rig.tmux("show-options", "-v", "-t", "=owt-shop-a:", "@owt_key");
  expect((await rig.owt("delete", "a", "--yes")).stderr).toContain("you are in its session");
  delete rig.env["OWT_SESSION_KEY"];
  rig.ok("delete", "a", "--yes");
  expect(isAlive(a)).toBe(false);
});

test("two agents whose worktrees changed places each stay with their own", async () => {
  await using rig = prepare();
  begin(rig, "a", "b");
  swap(rig, "shop-a", "shop-b");
  const held = rig.path("held");
  rig.ok("send", "b", `hold ${held}`);
  rig.ok("send", "a", "hi");
  rig.ok("wait", "a");
  expect([await stateOf(rig, "a"), await stateOf(rig, "b")]).toEqual(["waiting", "working"]);
  writeFileSync(held, "");
  rig.ok("wait", "b");
  await rig.owt("switch", "b", "--restart");
  await expect.poll(() => told(rig).at(-1), PATIENCE).toMatchObject({ started: "resumed", cwd: rig.path("shop-a") });
  rig.ok("wait", "b", "--for", "waiting", "--timeout", "30s");
  expect(await stateOf(rig, "a")).toBe("waiting");
  rig.ok("send", "b", "ho");
  rig.ok("wait", "b");
  const [a, b] = [agentOf(rig, "shop-b"), agentOf(rig, "shop-a")];
  rig.ok("delete", "b", "--yes");
  expect([isAlive(a), isAlive(b)]).toEqual([true, false]);
});

test("an agent whose worktree was moved is answered from elsewhere", async () => {
  await using rig = prepare();
  begin(rig, "a");
  rig.git("worktree", "move", rig.path("shop-a"), rig.path("n1"));
  rig.ok("send", "a", "ask");
  rig.ok("wait", "a", "--for", "blocked");
  await expect.poll(async () => (await rig.owt("inbox")).stdout, PATIENCE).toContain("owt task approve a");
  expect(await rig.owt("task", "answer", "a", "yes")).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /asks leave, which words do not give: Bash.*\n {2}↳ owt task approve a --ask \d+/,
    ) as string,
  });
  expect((await rig.owt("tmux", "list")).stdout).toContain("claude asks leave");
  rig.ok("task", "approve", "a");
  expect((await rig.owt("inbox")).stdout).not.toContain("owt task approve a");
});

test("what told of a worktree that plain git took away goes, and is not taken for that of the next one in its place", async () => {
  await using rig = prepare();
  const spools = () => readdirSync(join(rig.root, ".git/owt/sessions")).filter((name) => /^[0-9a-f]{8}-/.test(name));
  const add = () => rig.git("worktree", "add", "-q", "-f", "-B", "a", rig.path("shop-a"));
  add();
  rig.ok("tmux", "create", "a");
  rig.ok("wait", "a", "--for", "idle", "--timeout", "30s");
  const old = spools().find((name) => !name.includes("+"));
  rig.tmux("kill-server");
  rig.git("worktree", "remove", "--force", rig.path("shop-a"));
  add();
  rig.ok("tmux", "create", "a");
  rig.ok("wait", "a", "--for", "idle,waiting", "--timeout", "30s");
  expect(spools().filter((name) => name.startsWith(old!))).toEqual([]);
  expect(spools().filter((name) => !name.includes("+"))).toHaveLength(1);
});

test("no agent is ended or begun while nothing is where its worktree stood: the way to mend that is told", async () => {
  await using rig = prepare('bring_back = "always"');
  begin(rig, "a");
  const [place, now] = [rig.path("shop-a"), rig.path("elsewhere")];
  const agent = agentOf(rig, "shop-a");
  renameSync(place, now);
  const refused = {
    code: 2,
    stderr: expect.stringContaining(
      `stands at ${now} now, and git does not know\n  ↳ git worktree repair ${now}`,
    ) as string,
  };
  expect(await rig.owt("switch", "a", "--restart")).toMatchObject(refused);
  expect(isAlive(agent)).toBe(true);
  // One that lives is looked at all the same.
  expect((await rig.owt("switch", "a")).stderr).not.toContain("git does not know");
  process.kill(agent, "SIGKILL");
  await expect.poll(() => stateOf(rig, "a"), PATIENCE).toBe("ended");
  expect(await rig.owt("switch", "a")).toMatchObject(refused);
  expect(told(rig)).toHaveLength(1);
  rig.git("worktree", "repair", now);
  await rig.owt("switch", "a");
  await expect.poll(() => told(rig).at(-1), PATIENCE).toMatchObject({ started: "resumed", cwd: now });
  rig.ok("tmux", "kill", "a", "--yes");
  rmSync(now, { recursive: true });
  expect((await rig.owt("switch", "a")).stderr).toContain("nothing is there\n  ↳ if you moved it: git worktree repair");
});
