/** Runs in the background: they outlive the terminal, are watched and steered from another, and leave nothing but their log. */
import { existsSync, readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import type { RunReport } from "../../src/core/report.ts";
import { demoConfig, fileAppears, isAlive, Rig, task } from "../rig/rig.ts";
import { Tmux } from "../rig/tmux.ts";

const OWT = `${process.execPath} ${new URL("../../bin/owt.js", import.meta.url).pathname}`;

const seen = (look: () => unknown) => vi.waitFor(look, { interval: 50, timeout: 60_000 });

/** Tasks of which each says that it has begun, and waits until it is released. */
function createWith(names: readonly string[], config = demoConfig): Rig {
  const rig = Rig.create({ ".worktreerc": config }, { approve: false });
  for (const name of names) {
    const steps = `say "begins"\ntouch ${rig.path(`begun-${name}`)}\nwait ${rig.path(name)}\nwrite ${name}.txt "${name}"`;
    rig.write({ [`docs/plans/${name}/epic-01-${name}.md`]: task({ title: name }, steps) });
  }
  rig.commit("the plan");
  return rig;
}

const ended = async (rig: Rig) => {
  const { report } = await rig.json<{ report: RunReport }>("report");
  expect(report.state).toBe("ended");
};

test("--detach returns at once; the run ends by itself, with its narration in the log it named and no process left", async () => {
  await using rig = createWith(["a"]);
  const answer = await rig.json<{ run: string; pid: number; log: string; already: boolean }>(
    "run",
    "--yes",
    "--detach",
  );
  expect(answer).toMatchObject({ run: "r1", already: false });
  await fileAppears(rig.path("begun-a"));
  expect(isAlive(answer.pid)).toBe(true);
  // A session of its own, with no terminal.
  const fields = readFileSync(`/proc/${answer.pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  expect([Number(fields[3]), Number(fields[4])]).toEqual([answer.pid, 0]);

  const again = await rig.owt("resume", "--detach");
  expect(again.stdout).toBe(
    `r1 is in the background already (pid ${answer.pid})\n  watch it: owt resume r1 (Ctrl-C there closes the view only)\n  park it:  owt stop r1\n  its log:  ${answer.log}\n`,
  );
  rig.release("a");
  await seen(() => expect(isAlive(answer.pid)).toBe(false));
  await ended(rig);
  expect(rig.processes()).toEqual([]);
  const log = readFileSync(answer.log, "utf8");
  expect(log).toMatch(/^\d\d:\d\d:\d\d ◎ a\/E01 started$/m);
  expect(log).toContain("1 of 1 task integrated");
  expect((await rig.owt("resume", "--detach")).stderr).toContain("no run is open");
});

test("it outlives its terminal; another shows it, Ctrl-C there closes the view only, and more agents start at once", async () => {
  await using rig = createWith(["a", "b"], `${demoConfig}[run]\nmax_parallel = 1\n`);
  {
    using first = new Tmux(rig, { columns: 100, rows: 20 });
    first.type(`${OWT} run --yes -d`);
    await seen(() => expect(first.screen().join("\n")).toContain("r1 goes on in the background (pid"));
    await fileAppears(rig.path("begun-a"));
  }
  using second = new Tmux(rig, { columns: 100, rows: 20 });
  second.type(`${OWT} resume`);
  await seen(() => expect(second.screen().at(-1)).toMatch(/^r1 · 1 working · 1 to come/));
  expect(existsSync(rig.path("begun-b"))).toBe(false);
  const more = await rig.json<object>("parallel", "2");
  expect(more).toEqual({ run: "r1", parallel: 2, before: 1 });
  await fileAppears(rig.path("begun-b"));
  await seen(() => expect(second.screen().at(-1)).toMatch(/^r1 · 2 working/));
  expect(second.screen().join("\n")).toContain("up to 2 agents at a time from now on (before: 1)");
  second.key("C-c");
  await seen(() => expect(second.screen().join("\n")).toContain("the view of r1 is closed; the run goes on"));
  rig.release("a");
  rig.release("b");
  await seen(() => ended(rig));
  await seen(() => expect(rig.processes().filter((pid) => !isTmux(pid))).toEqual([]));
});

test("a run of a terminal goes over to the background when the terminal leaves it", async () => {
  await using rig = createWith(["a"]);
  const first = rig.start("run", "--yes");
  await first.says("a/E01 started");
  const { pid } = await rig.json<{ pid: number }>("resume", "--detach", "--parallel", "2");
  first.child.kill("SIGINT");
  expect((await first.ended).code).toBe(130);
  rig.release("a");
  await seen(() => expect(isAlive(pid)).toBe(false));
  await ended(rig);
});

test("beside a run in a terminal it says who carries it, that it stands by, and that the pause is over", async () => {
  await using rig = createWith(["a"]);
  const first = rig.start("run", "--yes");
  await first.says("a/E01 started");
  await rig.owt("pause");
  const ran = await rig.owt("resume", "--detach");
  expect(ran.stderr).toBe("r1 was paused; it goes on\n");
  const said =
    /^r1 is carried by another owt \(pid (\d+)\); one in the background \(pid (\d+)\) stands by, and takes it over when that ends\n {2}watch it: owt resume r1 /.exec(
      ran.stdout,
    );
  expect(said).not.toBeNull();
  expect(Number(said![1])).toBe(first.child.pid);
  expect((await rig.json<{ runs: { wish: string | null }[] }>("status")).runs[0]!.wish).toBeNull();
  const again = await rig.json<object>("resume", "--detach");
  expect(again).toMatchObject({ pid: Number(said![2]), carried_by: first.child.pid, already: true });
  first.child.kill("SIGINT");
  await first.ended;
  await seen(async () =>
    expect(await rig.json<object>("resume", "--detach")).toMatchObject({ carried_by: Number(said![2]) }),
  );
  rig.release("a");
  await seen(() => ended(rig));
});

test("stop parks it, and the same command with other words is told what is wrong", async () => {
  await using rig = createWith(["a"]);
  const { pid } = await rig.json<{ pid: number }>("run", "--yes", "--detach");
  await fileAppears(rig.path("begun-a"));
  await rig.owt("stop");
  await seen(() => expect(isAlive(pid)).toBe(false));
  expect(rig.processes()).toEqual([]);
  const status = await rig.json<{ carried_by: number | null }>("status");
  expect(status.carried_by).toBeNull();
  for (const words of [
    ["parallel", "none"],
    ["parallel", "0"],
    ["resume", "--parallel", "x"],
  ])
    expect((await rig.owt(...words)).code).toBe(2);
  expect((await rig.owt("parallel", "0")).stderr).toContain("owt pause");
});

function isTmux(pid: number): boolean {
  try {
    return /tmux|^sh\0/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
  } catch {
    return true;
  }
}

test("an owt that is suspended is told as that, with what continues it; then it takes up what was asked of it", async () => {
  await using rig = createWith(["a", "b"]);
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("begun-a"));
  await fileAppears(rig.path("begun-b"));
  const { pid } = run.child;
  process.kill(pid!, "SIGSTOP");
  const words = `owt (pid ${pid}) is suspended: fg in its terminal, or kill -CONT ${pid}`;
  // A process that does something in the kernel stops a moment later.
  const status = await vi.waitFor(() => {
    const text = rig.ok("status");
    expect(text).toContain(words);
    return text;
  });
  expect(status).not.toContain("expected to end");
  expect(await rig.json("status")).toMatchObject({ carried_by: pid, carrier_is_suspended: true });
  const view = rig.start("resume");
  await view.says(words);
  expect(rig.ok("inbox")).toBe(
    `1 thing waits for a person\n\nowt (pid ${pid}), which carries the runs, is suspended: nothing of them goes on\n  ↳ fg in its terminal, or kill -CONT ${pid}\n`,
  );
  expect(await rig.json("inbox")).toMatchObject({ suspended_pid: pid, waiting: [] });
  expect(rig.ok("task", "cancel", "b/E01")).toBe(`b/E01: is being cancelled; before that ${words}\n`);
  const standsBy = await rig.owt("resume", "--detach");
  expect(standsBy.stdout).toContain(
    `r1 is carried by another owt (pid ${pid}), which is suspended; one in the background`,
  );
  expect(standsBy.stdout).toContain(`\n  continue that one: fg in its terminal, or kill -CONT ${pid}\n`);
  expect(rig.ok("stop")).toContain(`r1: stop is asked for; before that ${words}`);
  process.kill(pid!, "SIGCONT");
  expect((await run.ended).code).toBe(130);
  await view.ended;
});
