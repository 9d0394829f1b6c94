/** A run's task taken over by hand, and given back: nobody else goes to its worktree meanwhile, and nothing is lost on the way. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";

type Shown = {
  task: {
    state: string;
    standing: string;
    why: string;
    command?: string;
    attempts: { worktree: string; outcome: string | null }[];
  };
};
type Switched = { session: string; task: { id: string; run: string; since: string; command: string } };

const show = (rig: Rig, id: string) => rig.json<Shown>("task", "show", id).then((data) => data.task);
const placeOf = async (rig: Rig, id: string) => (await show(rig, id)).attempts.at(-1)!.worktree;

/** `a` works until the gate opens; `b` waits for it. */
function prepare(steps: (rig: Rig) => string, more = ""): Rig {
  const rig = Rig.create({ ".worktreerc": `${demoConfig}${more}` });
  rig.write({
    "docs/plans/shop/epic-01-a.md": task({}, steps(rig)),
    "docs/plans/shop/epic-02-b.md": task({ depends_on: ["shop/E01"] }, 'write b.txt "b"'),
  });
  rig.commit("plan");
  return rig;
}

const working = (rig: Rig) =>
  `log ${rig.path("turns")} "start"\nwrite half.txt "half"\ntokens m 100 20\ntouch ${rig.path("works")}\nwait ${rig.path("gate")}\nwrite a.txt "by the agent"`;
const turns = (rig: Rig) => readFileSync(rig.path("turns"), "utf8").trim().split("\n");

test("a working agent is stopped, a person does its work, and it is checked and integrated with what waits for it", async () => {
  await using rig = prepare(working, '[run]\nverify = ["test -f half.txt"]\n');
  rig.ok("config", "approve", "--yes");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("works"));
  const taken = await rig.json<Switched>("switch", "shop/E01");
  expect(taken).toMatchObject({
    session: expect.stringContaining("owt-shop") as string,
    task: { id: "shop/E01", run: "r1", command: "owt task approve shop/E01" },
  });
  // The run has nothing left to do but to wait for a person.
  const ran = await run.ended;
  expect(ran).toMatchObject({ code: 4, stdout: expect.stringContaining("taken over by hand since") as string });
  expect(ran.stderr).toContain("is being taken over by hand");
  const place = await placeOf(rig, "shop/E01");
  expect(readFileSync(join(place, "half.txt"), "utf8")).toBe("half");
  expect(rig.processes().filter((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("demo-agent"))).toEqual(
    [],
  );
  const deleted = await rig.owt("delete", place, "--yes", "--save");
  expect(deleted).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("where you took shop/E01 (r1) over") as string,
  });
  expect(existsSync(place)).toBe(true);
  // Its agent cannot be talked to: a shell, and above it what that was told.
  expect(rig.tmux("list-panes", "-a", "-F", "#{pane_current_path}").split("\n")).toContain(place);
  await expect.poll(() => rig.tmux("capture-pane", "-p", "-t", `=${taken.session}:.0`)).toContain("demo");

  for (const words of [["status"], ["inbox"], ["task", "show", "shop/E01"], ["status", "shop/E01"]]) {
    const told = (await rig.owt(...words)).stdout;
    expect(told).toMatch(/taken over by hand since \d\d/);
    if (words[0] !== "status" || words.length > 1) expect(told).toContain("↳ owt task approve shop/E01");
  }
  // Whoever comes leaves it alone.
  rig.release("gate");
  expect((await rig.owt("resume")).code).toBe(4);
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  expect(turns(rig)).toEqual(["start"]);
  expect(await show(rig, "shop/E01")).toMatchObject({ state: "pending", standing: "waits-for-person" });
  // Again is the same session.
  expect(await rig.json<Switched>("switch", place)).toMatchObject({
    session: taken.session,
    task: { since: taken.task.since },
  });

  // Its session goes by its name, too.
  rig.ok("send", "shop/E01", "--pane", "0", `touch ${rig.path("heard")}`);
  await fileAppears(rig.path("heard"));
  expect((await rig.json<{ path: string }>("wait", "shop/E01", "--for", "unknown")).path).toBe(place);
  for (const words of [
    ["wait", "shop/E02"],
    ["send", "shop/E02", "hello"],
  ])
    expect((await rig.owt(...words)).stderr).toContain("shop/E02 (r1): nobody has begun it");

  writeFileSync(join(place, "a.txt"), "by hand\n");
  // A program that works in it is not ended without a word.
  rig.tmux("send-keys", "-t", `=${taken.session}:.0`, "exec sleep 1000", "Enter");
  rig.tmux("split-window", "-t", `=${taken.session}:.0`, "-c", place, "sleep 1001 & wait");
  await expect.poll(() => rig.processes().length).toBeGreaterThan(0);
  const refused = await rig.owt("task", "approve", "shop/E01");
  expect(refused).toMatchObject({
    code: 4,
    stderr: expect.stringContaining("owt task approve shop/E01 --yes") as string,
  });
  expect((await rig.owt("task", "approve", "shop/E01", "--yes")).stdout).toContain(
    "approved; go on with: owt resume r1",
  );
  expect(await rig.json("tmux", "list")).toEqual({ sessions: [] });
  const ended = await rig.owt("resume");
  expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining("2 of 2 tasks integrated") as string });
  expect(rig.show("owt/runs/r1", "a.txt")).toBe("by hand\n");
  expect(rig.show("owt/runs/r1", "half.txt")).toBe("half");
  expect(rig.show("owt/runs/r1", "b.txt")).toBe("b");
  expect(turns(rig)).toEqual(["start"]);
  // What the stopped agent used is counted.
  const { report } = await rig.json<{ report: { tasks: { id: string; input_tokens: number }[] } }>("report");
  expect(report.tasks.find(({ id }) => id === "shop/E01")).toMatchObject({ input_tokens: 100 });
});

test("given back, its agent goes on in its conversation and finds what the person did", async () => {
  await using rig = prepare((each) => `write half.txt "half"\ntouch ${each.path("works")}\nwait ${each.path("gate")}`);
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("works"));
  await rig.owt("switch", "shop/E01");
  await run.ended;
  const place = await placeOf(rig, "shop/E01");
  writeFileSync(join(place, "mine.txt"), "mine");
  rig.release("gate");
  // Said in a pane of the very session that ends with it.
  const line = `"${process.execPath}" "${rig.command}" task retry shop/E01 --yes >"${rig.path("said")}" 2>&1`;
  const [session] = rig.tmux("list-sessions", "-F", "#{session_name}").split("\n");
  rig.tmux("split-window", "-t", `=${session}:`, "-c", place, line);
  await expect
    .poll(() => existsSync(rig.path("said")) && readFileSync(rig.path("said"), "utf8"))
    .toContain("owt resume r1");
  expect(await rig.json("tmux", "list")).toEqual({ sessions: [] });
  const ended = await rig.owt("resume");
  expect(ended.code).toBe(0);
  expect(rig.show("owt/runs/r1", "mine.txt")).toBe("mine");
  expect(rig.show("owt/runs/r1", "half.txt")).toBe("half");
  // One conversation, one worktree.
  const { attempts } = await show(rig, "shop/E01");
  expect(new Set(attempts.map(({ worktree }) => worktree)).size).toBe(1);
});

test("over a killed orchestrator: the agent that lived on is stopped by whoever takes its task over", async () => {
  await using rig = prepare(working);
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("works"));
  run.child.kill("SIGKILL");
  await run.ended;
  const taken = await rig.owt("switch", "shop/E01");
  expect(taken).toMatchObject({ code: 4, stderr: expect.stringContaining("shop/E01 is yours") as string });
  rig.release("gate");
  expect((await rig.owt("resume")).code).toBe(4);
  expect(turns(rig)).toEqual(["start"]);
  expect(existsSync(join(await placeOf(rig, "shop/E01"), "a.txt"))).toBe(false);
});

test("a wish that its process did not live to see is kept by the next one", async () => {
  await using rig = prepare(working);
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("works"));
  // Nobody obeys while it is stopped; then both go.
  run.child.kill("SIGSTOP");
  const taking = rig.start("switch", "shop/E01");
  await taking.says("is being stopped");
  taking.child.kill("SIGKILL");
  run.child.kill("SIGKILL");
  await Promise.all([taking.ended, run.ended]);
  expect((await rig.owt("resume")).code).toBe(4);
  expect(await show(rig, "shop/E01")).toMatchObject({ command: "owt task approve shop/E01" });
  expect(turns(rig)).toEqual(["start"]);
});

test("one that asks, one that waits for a review and one that failed can be taken over", async () => {
  await using rig = Rig.create({ ".worktreerc": `${demoConfig}[run]\nretries = 0\n` });
  rig.write({
    "docs/plans/ask/epic-01-a.md": task(
      {},
      'write ask.txt "kept"\nask "Which?"\non answer:\nwrite answer.txt "{answer}"',
    ),
    "docs/plans/look/epic-01-a.md": task({ needs_review: true }, 'write look.txt "x"'),
    "docs/plans/bad/epic-01-a.md": task({}, 'write bad.txt "half"\ncommit "half"\nfail "no"'),
    "docs/plans/bad/epic-02-b.md": task({}, 'write after.txt "after"'),
  });
  rig.commit("plan");
  expect((await rig.owt("run", "--yes")).code).toBe(1);
  for (const id of ["ask/E01", "look/E01", "bad/E01"]) expect((await rig.owt("switch", id)).code).toBe(4);
  const { waiting } = await rig.json<{ waiting: { task: string; why: string }[] }>("inbox");
  expect(waiting.map(({ task: id, why }) => [id, why.slice(0, 18)]).toSorted()).toEqual(
    ["ask/E01", "bad/E01", "look/E01"].map((id) => [id, "taken over by hand"]),
  );
  // Nothing was done yet that could be taken in.
  writeFileSync(join(await placeOf(rig, "bad/E01"), "bad.txt"), "whole");
  writeFileSync(join(await placeOf(rig, "look/E01"), "look.txt"), "looked at");
  for (const id of ["look/E01", "bad/E01"]) expect((await rig.owt("task", "approve", id)).code).toBe(0);
  expect((await rig.owt("task", "answer", "ask/E01", "this one")).code).toBe(0);
  const ended = await rig.owt("resume");
  expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining("4 of 4") as string });
  const file = (name: string) => rig.show("owt/runs/r1", name);
  expect([file("bad.txt"), file("look.txt"), file("ask.txt"), file("answer.txt"), file("after.txt")]).toEqual([
    "whole",
    "looked at",
    "kept",
    "this one",
    "after",
  ]);
});

test("cancelled while a person has it, its work is kept; what cannot be taken over says why", async () => {
  await using rig = prepare((each) => `touch ${each.path("works")}\nwait ${each.path("gate")}`);
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("works"));
  const early = await rig.owt("switch", "shop/E02");
  expect(early).toMatchObject({ code: 2, stderr: expect.stringContaining("nobody has begun it") as string });
  const look = await rig.owt("switch", "shop/E01", "--read-only");
  expect(look).toMatchObject({ code: 2, stderr: expect.stringContaining("owt logs shop/E01 -f") as string });
  const place = await placeOf(rig, "shop/E01");
  // Nor is a second agent put beside it.
  rig.addProgram("claude", "#!/bin/sh\nexec sleep 1000\n");
  const second = await rig.owt("tmux", "create", place, "--agent", "claude");
  expect(second).toMatchObject({ code: 2, stderr: expect.stringContaining("owt switch shop/E01") as string });
  await rig.owt("switch", "shop/E01");
  await run.ended;
  expect((await rig.owt("list")).stdout).toContain("shop/E01 (r1)");
  const nothing = await rig.owt("task", "approve", "shop/E01");
  expect(nothing).toMatchObject({ code: 4, stderr: expect.stringContaining("nothing was changed") as string });
  execFileSync("git", ["switch", "-q", "-c", "elsewhere"], { cwd: place, env: rig.env });
  writeFileSync(join(place, "mine.txt"), "mine");
  const elsewhere = await rig.owt("task", "approve", "shop/E01");
  expect(elsewhere).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(/git -C \S+ switch owt\/tasks\//) as string,
  });
  expect((await rig.owt("task", "cancel", "shop/E01")).stdout).toContain("cancelled");
  expect(existsSync(place)).toBe(false);
  const { rescues } = await rig.json<{ rescues: { id: string }[] }>("restore");
  await rig.owt("restore", rescues[0]!.id);
  const kept = rig.git("log", "--all", "--format=%H", "--", "mine.txt");
  expect(kept).not.toBe("");
});

test("taken over while its checks run, they are ended, and run again once it is given back", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = ['echo . >> "$OWT_CHECKS"; touch "$OWT_CHECKING"; until [ -e "$OWT_GATE" ]; do sleep 0.1; done']\n[environment]\npass = ["OWT_CHECKS", "OWT_CHECKING", "OWT_GATE"]\n`,
    "docs/plans/shop/epic-01-a.md": task({}, 'write a.txt "a"'),
  });
  rig.env["OWT_CHECKS"] = rig.path("checks");
  rig.env["OWT_CHECKING"] = rig.path("checking");
  rig.env["OWT_GATE"] = rig.path("gate");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("checking"));
  await rig.owt("switch", "shop/E01");
  expect((await run.ended).code).toBe(4);
  expect(rig.processes().filter((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("until ["))).toEqual([]);
  rig.release("gate");
  expect((await rig.owt("task", "approve", "shop/E01")).code).toBe(0);
  expect(await rig.owt("resume")).toMatchObject({ code: 0, stdout: expect.stringContaining("1 of 1 task") as string });
  expect(readFileSync(rig.path("checks"), "utf8")).toBe(".\n.\n");
});

test("work in a worktree that git cannot read is not taken in: what is damaged is said, and once it is mended it is", async () => {
  await using rig = prepare(working);
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("works"));
  rig.ok("switch", "shop/E01", "--path");
  expect((await rig.owt("switch", "shop/E01")).code).toBe(4);
  await run.ended;
  const place = await placeOf(rig, "shop/E01");
  const gitDir = readFileSync(join(place, ".git"), "utf8").replace(/^gitdir: |\n$/g, "");
  writeFileSync(join(gitDir, "index"), "");
  const torn = await rig.owt("task", "approve", "shop/E01", "--yes");
  expect([torn.code, torn.stderr]).toEqual([
    2,
    expect.stringMatching(/its index is damaged: .*\n.*owt doctor --fix; then: owt task approve shop\/E01/),
  ]);
  await rig.owt("doctor", "--fix");
  rig.ok("task", "approve", "shop/E01", "--yes");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.show("owt/runs/r1", "half.txt")).toBe("half");
});

test("of a task that somebody has, every command that is printed can be typed as things are: with nothing done, with something at work in its session, and done", async () => {
  await using rig = prepare((at) => `touch ${at.path("works")}\nwait ${at.path("gate")}\nwrite a.txt "x"`);
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("works"));
  const { session } = await rig.json<Switched>("switch", "shop/E01");
  const ended = await run.ended;
  const place = await placeOf(rig, "shop/E01");
  const printed = async () => {
    const texts = await Promise.all(
      [["status"], ["status", "shop/E01"], ["inbox"], ["task", "show", "shop/E01"]].map(
        async (words) => (await rig.owt(...words)).stdout,
      ),
    );
    return texts.map((text) => /↳ (owt .*)$/m.exec(text)![1]!);
  };
  const typed = (line: string) =>
    rig.owt(
      ...line
        .replace(/ {2}\(.*$/, "")
        .split(" ")
        .slice(1),
    );
  const nothing = "owt switch shop/E01  (nothing was changed in";
  expect(ended.stdout).toContain(nothing);
  for (const line of await printed()) {
    expect(line).toContain(nothing);
    // Off a terminal it prints what shows the session.
    expect(await typed(line)).toMatchObject({ code: 4, stdout: expect.stringContaining("attach") as string });
  }
  const { runs } = await rig.json<{ runs: { tasks: { command?: string }[] }[] }>("status");
  expect(runs[0]!.tasks[0]!.command).toBe("owt switch shop/E01");

  writeFileSync(join(place, "a.txt"), "by hand");
  rig.tmux("send-keys", "-t", `=${session}:.0`, `touch ${rig.path("busy")}; cat`, "Enter");
  await fileAppears(rig.path("busy"));
  for (const line of await printed())
    expect(line).toMatch(
      /^owt switch shop\/E01 {2}\(something still runs \(.*\) there; then: owt task approve shop\/E01\)$/,
    );

  rig.tmux("kill-session", "-t", `=${session}`);
  const lines = await printed();
  for (const line of lines) expect(line).toMatch(/^owt task approve shop\/E01 {2}/);
  expect((await typed(lines[0]!)).code).toBe(0);
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.show("owt/runs/r1", "a.txt")).toBe("by hand");
});

test("given back, the session of a task whose worktree was moved is ended, too", async () => {
  await using rig = prepare(working);
  rig.ok("config", "approve", "--yes");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("works"));
  await rig.json<Switched>("switch", "shop/E01");
  await run.ended;
  const place = await placeOf(rig, "shop/E01");
  execFileSync("git", ["commit", "-q", "--allow-empty", "-m", "by hand"], { cwd: place, env: rig.env });
  rig.git("worktree", "move", "-f", "-f", place, rig.path("elsewhere"));
  expect(await rig.json("tmux", "list")).toMatchObject({ sessions: [{ worktree: rig.path("elsewhere") }] });
  rig.ok("task", "approve", "shop/E01", "--yes");
  expect(await rig.json("tmux", "list")).toEqual({ sessions: [] });
  await expect.poll(() => rig.processes()).toEqual([]);
});
