/** Commands of the repository for a new worktree and one that goes: approved, with what the worktree has to itself. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";

const CONFIG = `${demoConfig}[hooks]
post_create = ["test -f a-file && echo $OWT_WORKTREE $OWT_ROOT $OWT_PORT >> ../../created"]
pre_remove = "echo $OWT_WORKTREE $OWT_PORT $COMPOSE_PROJECT_NAME >> ../../removed"
`;

const plan = { "a-file": "", "docs/plans/one/epic-01-a.md": task({}, 'write a.txt "a"') };

test("they run once in each worktree, and what it had to itself is given back", async () => {
  await using rig = Rig.create({ ".worktreerc": `${CONFIG}[run]\nverify = "true"\n`, ...plan });
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  const lines = (name: string) => readFileSync(rig.path(name), "utf8").trim().split("\n");
  const worktree = rig.path("shop-owt/one-e01-1");
  const port = /\d+$/.exec(lines("created")[0]!)?.[0];
  expect(lines("created")).toEqual([`${worktree} ${rig.root} ${port}`]);
  expect(lines("removed")).toEqual([`${worktree} ${port} shop-one-e01-1`]);
  const db = new DatabaseSync(rig.path("state/open-orchestrator/leases.db"), { readOnly: true });
  expect(db.prepare("select count(*) as n from worktree_lease").get()).toEqual({ n: 0 });
  db.close();
});

test("they run only after an approval; one that fails at the start fails the task, one at the end is told", async () => {
  const failing = CONFIG.replace(/pre_remove.*/, 'pre_remove = "echo gone wrong; exit 3"');
  await using rig = Rig.create({ ".worktreerc": failing, ...plan }, { approve: false });
  const refused = await rig.owt("run", "--yes");
  expect(refused.code).toBe(4);
  expect(refused.stderr).toContain(".worktreerc [hooks] pre_remove: echo gone wrong; exit 3");
  expect(existsSync(rig.path("created"))).toBe(false);
  rig.ok("config", "approve", "--yes");
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(0);
  expect(ran.stderr).toMatch(/\[hooks\] pre_remove ended with exit code 3 in .*: echo gone wrong; exit 3: gone wrong/);
  expect(existsSync(rig.path("shop-owt"))).toBe(false);
  rig.git("rm", "-q", "a-file");
  rig.git("commit", "-q", "-m", "without");
  const stopped = await rig.owt("run", "--yes", "--again", "--from-target");
  expect(stopped.code).toBe(1);
  expect(stopped.stdout + stopped.stderr).toContain(
    "setup failed: [hooks] post_create ended with exit code 1: test -f a-file",
  );
});

describe("before a worktree by hand goes", () => {
  const HANGS = `${demoConfig}[hooks]\npre_remove = "sleep 1000 & echo $$ > ../hangs; wait"\n`;

  test("one that hangs is ended by Ctrl-C with all that it began, and the worktree stays whole", async () => {
    await using rig = Rig.create({ ".worktreerc": HANGS });
    rig.ok("config", "approve", "--yes");
    rig.ok("create", "--no-tmux", "two", "three");
    writeFileSync(rig.path("shop-two/new"), "mine");
    for (const [signal, words] of [
      ["SIGINT", ["delete", "two", "three", "--save", "--yes"]],
      ["SIGTERM", ["delete", "two", "--save", "--yes"]],
      ["SIGHUP", ["cleanup", "--all", "--days", "0", "--yes"]],
    ] as const) {
      rmSync(rig.path("hangs"), { force: true });
      const running = rig.start(...words);
      await fileAppears(rig.path("hangs"));
      running.child.kill(signal);
      const ended = await running.ended;
      expect([signal, ended.code]).toEqual([signal, 130]);
      expect(ended.stderr).toMatch(/interrupted while \[hooks\] pre_remove ran.*stays as it is\n.*↳ again: owt/);
      expect(readFileSync(rig.path("shop-two/new"), "utf8")).toBe("mine");
      expect(existsSync(rig.path("shop-three/README.md"))).toBe(true);
      expect(rig.processes()).toEqual([]);
    }
  });

  test("on a terminal it is said what is waited for", async () => {
    await using rig = Rig.create({ ".worktreerc": HANGS });
    rig.ok("config", "approve", "--yes");
    rig.ok("create", "--no-tmux", "one");
    const running = rig.startOnTerminal("delete", "one", "--yes");
    await running.says("waiting for [hooks] pre_remove");
    running.child.stdin!.write("\u0003");
    await running.ended;
    expect(existsSync(rig.path("shop-one"))).toBe(true);
  });

  test("what it leaves is saved along, and it runs anew the next time", async () => {
    await using rig = Rig.create({
      ".worktreerc": `${demoConfig}[hooks]\npre_remove = "date +%N > dump; echo x >> ../runs"\n`,
    });
    rig.ok("config", "approve", "--yes");
    rig.ok("create", "--no-tmux", "one", "two");
    const refused = await rig.owt("delete", "one", "--yes");
    expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining("new files: dump") as string });
    const saved = await rig.owt("delete", "one", "two", "--save", "--yes");
    expect(saved).toMatchObject({ code: 0 });
    expect(readFileSync(rig.path("runs"), "utf8")).toBe("x\nx\nx\n");
    const { rescues } = await rig.json<{ rescues: { id: string }[] }>("restore");
    expect(rescues.length).toBe(2);
    for (const { id } of rescues) {
      const { path } = await rig.json<{ path: string }>("restore", id);
      expect(existsSync(`${path}/dump`)).toBe(true);
    }
  });
});

test("of one that fails and says much, the beginning and the end are shown, and all of it is kept", async () => {
  const config = `${demoConfig}[hooks]\npost_create = "seq 1 200; exit 3"\n`;
  await using rig = Rig.create({ ".worktreerc": config });
  rig.ok("config", "approve", "--yes");
  const refused = await rig.owt("create", "one", "--no-tmux");
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/: seq 1 200; exit 3\n1\n2\n[^]*\n10\n… 180 lines, all of it: \S+\n191\n[^]*\n200\n/);
  const log = /all of it: (\S+)/.exec(refused.stderr)![1]!;
  expect(readFileSync(log, "utf8")).toContain("\n100\n");
  rig.write({ ".worktreerc": config.replace("exit 3", "exit 0") });
  rig.ok("config", "approve", "--yes");
  rig.ok("create", "one", "--no-tmux");
  expect(existsSync(log)).toBe(false);
});
