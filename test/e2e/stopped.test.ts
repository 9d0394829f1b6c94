/** What was stopped or cancelled shows what it is, whoever carries the runs, and while it goes on. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";

const OWT = new URL("../../bin/owt.js", import.meta.url).pathname;

type Status = { runs: { id: string; state: string; tasks: { id: string; state: string; why: string }[] }[] };

const at = (rig: Rig, name: string, then: string) => task({}, `touch ${rig.path(`${name}-works`)}\n${then}`);

test("a task that is cancelled while nobody carries it is cancelled, and its run over", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/b/epic-01-b.md": task({}, 'write b.txt "b"') });
  rig.write({ "docs/plans/a/epic-01-a.md": at(rig, "a", `hang`) });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await run.says("integrated as");
  await fileAppears(rig.path("a-works"));
  run.child.kill("SIGKILL");
  await run.ended;
  const ran = await rig.owt("task", "cancel", "a/E01");
  expect([ran.code, ran.stdout]).toEqual([0, "a/E01: cancelled\n"]);
  expect(rig.processes()).toEqual([]);
  const { runs } = await rig.json<Status>("status");
  expect(runs[0]).toMatchObject({ state: "ended" });
  expect(runs[0]!.tasks.find(({ id }) => id === "a/E01")).toMatchObject({ state: "cancelled" });
  expect((await rig.owt("land")).code).toBe(0);
  expect((await rig.owt("task", "retry", "a/E01")).code).toBe(0);
});

test("a run that is stopped while nobody carries it has nothing at work, and goes on from there", async () => {
  await using rig = Rig.create({});
  rig.write({
    "docs/plans/a/epic-01-a.md": at(rig, "a", `wait ${rig.path("gate")}\nwrite a.txt "a"`),
    "docs/plans/b/epic-01-b.md": at(rig, "b", `write b.txt "b"`),
  });
  rig.write({
    ".worktreerc": `${demoConfig}[run]\nverify = "test -f ${rig.path("gate")} || { touch ${rig.path("b-checked")}; sleep 600; }"\n`,
  });
  rig.commit("plan");
  rig.ok("config", "approve", "--yes");
  const run = rig.start("run", "--yes");
  await Promise.all(["a-works", "b-checked"].map((name) => fileAppears(rig.path(name))));
  run.child.kill("SIGKILL");
  await run.ended;
  expect((await rig.owt("stop")).stdout).toContain("r1 is stopped; go on with: owt resume r1");
  expect(rig.processes()).toEqual([]);
  const { runs } = await rig.json<Status>("status");
  expect(runs[0]!.tasks).toMatchObject([
    { id: "a/E01", state: "pending", why: "goes on where it stopped; the run is stopped: owt resume r1" },
    { id: "b/E01", state: "verifying", why: "stopped; goes on with: owt resume r1" },
  ]);
  rig.release("gate");
  const ran = await rig.owt("resume");
  expect([ran.code, ran.stdout]).toEqual([0, expect.stringContaining("2 of 2")]);
});

test("a cancel and a stop that are under way are shown as such", async () => {
  await using rig = Rig.create({
    ".worktreerc": '[agent]\ndefault = "deaf"\n[agent.deaf]\ncommand = ["deaf"]\n[run]\ngrace = "5m"\n',
    "docs/plans/a/epic-01-a.md": "# A\n",
    "docs/plans/b/epic-01-b.md": "# B\n",
  });
  rig.addProgram(
    "deaf",
    `#!/bin/sh\ntrap '' TERM INT HUP\ntouch "${rig.path("")}/\${OWT_TASK%%/*}-works"\nwhile :; do sleep 1; done\n`,
  );
  const run = rig.start("run", "--yes");
  await Promise.all(["a", "b"].map((name) => fileAppears(rig.path(`${name}-works`))));
  expect((await rig.owt("task", "cancel", "a/E01")).stdout).toBe(
    "a/E01: is being cancelled; what runs of it has up to 5m to end\n",
  );
  expect((await rig.owt("status")).stdout).toMatch(/a\/E01 +running +is being cancelled/);
  expect((await rig.owt("task", "list")).stdout).toMatch(/a\/E01.*is being cancelled/);
  await rig.owt("stop");
  expect((await rig.owt("status")).stdout).toMatch(/b\/E01 +running +stopping/);
  run.child.kill("SIGINT");
  await run.says("once more to stop them at once");
  run.child.kill("SIGINT");
  await run.ended;
});

test.each(["stop", "Ctrl-C"])(
  "before its agent begins, %s leaves a task pending, and no agent begins any more",
  async (how) => {
    await using rig = Rig.create({
      ".worktreerc": `[agent]\ndefault = "demo"\n[environment]\ninstall_command = "waiting-install"\n`,
      "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"'),
    });
    rig.addProgram("waiting-install", `#!/bin/sh\ntouch "${rig.path("installs")}"\nexec sleep 1000\n`);
    const run = rig.start("run", "--yes");
    await fileAppears(rig.path("installs"));
    if (how === "stop") await rig.owt("stop");
    else run.child.kill("SIGINT");
    const { code, stderr } = await run.ended;
    expect(code).toBe(130);
    expect(stderr).not.toContain("a/E01 started");
    expect(rig.processes()).toEqual([]);
    const { runs } = await rig.json<Status>("status");
    const why = how === "stop" ? "the run is stopped: owt resume r1" : "nobody carries it: owt resume";
    expect(runs[0]!.tasks).toMatchObject([{ id: "a/E01", state: "pending", why: `goes on where it stopped; ${why}` }]);
    rig.addProgram("waiting-install", "#!/bin/sh\nexit 0\n");
    expect((await rig.owt("resume")).code).toBe(0);
    expect(rig.show("owt/runs/r1", "a.txt")).toBe("a");
  },
);

test("a run that another terminal stopped needs no person: it was interrupted, and says by what and how it goes on", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({ "docs/plans/a/epic-01-a.md": at(rig, "a", `wait ${rig.path("gate")}\nwrite a.txt "a"`) });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("a-works"));
  await rig.owt("stop");
  const { code, stdout } = await run.ended;
  expect(code).toBe(130);
  expect(stdout).toMatch(
    /^stopped at \d\d:\d\d by: owt stop; what was done is kept, go on with it:\n {2}↳ owt resume r1$/m,
  );
  expect((await rig.json<{ waiting: unknown[] }>("inbox")).waiting).toEqual([]);
  rig.release("gate");
  const ran = await rig.owt("resume");
  expect([ran.code, ran.stdout]).toEqual([0, expect.not.stringContaining("owt stop")]);
});

test("a run that is stopped while all that is left waits for the day's budget was interrupted, too", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[budget]\nday_usd = 0.5\n`,
    "docs/plans/a/epic-01-one.md": task({}, 'cost 0.6\nwrite a.txt "a"'),
    "docs/plans/a/epic-02-two.md": task({}, 'write b.txt "b"'),
  });
  const run = rig.start("run", "--yes", "--sequential");
  await run.says("integrated as");
  await rig.owt("stop");
  const { code, stdout } = await run.ended;
  expect([code, stdout]).toEqual([130, expect.stringMatching(/^stopped at \d\d:\d\d by: owt stop;/m)]);
});

test("a run that is left tells of conversations only where an agent has one", async () => {
  await using rig = Rig.create({
    ".worktreerc": '[agent]\ndefault = "script"\n[agent.script]\ncommand = ["script-of-ours"]\n',
    "docs/plans/a/epic-01-a.md": "# A\n",
  });
  rig.addProgram("script-of-ours", `#!/bin/sh\ntouch "${rig.path("a-works")}"\nexec sleep 1000\n`);
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("a-works"));
  run.child.kill("SIGINT");
  const { code, stderr } = await run.ended;
  expect([code, stderr]).toEqual([
    130,
    expect.stringContaining("■ r1 is parked: the work of its agents is kept\n  ↳ go on with: owt resume r1\n"),
  ]);
});

test("who asks from inside an attempt is not told that nobody carries it", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/a/epic-01-a.md": task(
      {},
      `run "sh" "-c" "${process.execPath} ${OWT} status > ${rig.path("seen")}"\nwrite a.txt "a"`,
    ),
  });
  rig.commit("plan");
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  const seen = readFileSync(rig.path("seen"), "utf8");
  expect(seen).toMatch(/owt \(pid \d+\) carries the runs/);
  expect(seen).not.toContain("nobody");
});
