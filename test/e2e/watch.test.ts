/** A run on a real terminal: a live table that fits every size, and a terminal that is afterwards as it was. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { Rig, task } from "../rig/rig.ts";
import { Tmux } from "../rig/tmux.ts";

const OWT = `${process.execPath} ${new URL("../../bin/owt.js", import.meta.url).pathname}`;
const CONFIG = `[agent]\ndefault = "demo"\n[run]\nmax_parallel = 4\n`;

type Files = Record<string, string>;

/** A repository whose plan may name places of the test's own. */
function createWith(plan: (place: (name: string) => string) => Files): Rig {
  const rig = Rig.create({ ".worktreerc": CONFIG }, { approve: false });
  rig.write(plan((name) => rig.path(name)));
  rig.commit("the plan");
  return rig;
}

/** Five modules of six tasks each, every one of which waits until it is released. */
function thirtyTasks(place: (name: string) => string): Files {
  const files: Files = {};
  for (let module = 1; module <= 5; module++)
    for (let n = 1; n <= 6; n++) {
      const name = `m${module}-${n}`;
      const steps = `say "looks at part ${n}"\nwait ${place(name)}\nwrite ${name}.txt "done"\ncommit "done"`;
      files[`docs/plans/module-${module}/epic-0${n}-part.md`] = task({ title: `Part ${n} of module ${module}` }, steps);
    }
  return files;
}

const seen = (look: () => void) => vi.waitFor(look, { interval: 50, timeout: 60_000 });

function expectSound(terminal: Tmux): string[] {
  const lines = terminal.screen();
  const { columns, rows } = terminal.size();
  expect(terminal.wrapped()).toEqual([]);
  for (const line of lines) expect([...line].length).toBeLessThan(columns);
  expect(lines.length).toBeLessThanOrEqual(rows);
  // One table, no pieces of earlier ones: its last line once, each task once.
  expect(lines.filter((line) => line.startsWith("r1 · "))).toHaveLength(1);
  const rowsOf = lines.flatMap((line) => /^[◎○✓?] (module-\d\/E\d+)/.exec(line)?.[1] ?? []);
  expect(new Set(rowsOf).size).toBe(rowsOf.length);
  return lines;
}

/** With OWT_KEEP_FRAMES=docs/screens the screens that the guide shows are written anew, but for the line that was typed. */
function keepFrame(name: string, terminal: Tmux): void {
  const folder = process.env["OWT_KEEP_FRAMES"];
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  const lines = terminal.screen().filter((line) => !line.includes(OWT));
  writeFileSync(join(folder, `run-${name}.txt`), `${lines.join("\n")}\n`);
}

test.each([
  { columns: 80, rows: 24 },
  { columns: 200, rows: 50 },
])("30 tasks at $columns×$rows, resized while they run: no line wraps, nothing is left over", async (size) => {
  await using rig = createWith(thirtyTasks);
  using terminal = new Tmux(rig, size);
  const modes = terminal.modes();
  terminal.type(`stty -g > ../before; echo the line before; ${OWT} run --yes; echo over`);
  await seen(() => expect(terminal.screen().join("\n")).toContain("looks at part 1"));
  expect(terminal.screen().at(-1)).toMatch(/^r1 · 4 working · 26 to come/);
  keepFrame(`${size.columns}x${size.rows}`, terminal);
  for (const [columns, rows] of [
    [50, 24],
    [120, 30],
    [80, 10],
    [size.columns, size.rows],
  ] as const) {
    terminal.resize(columns, rows);
    await seen(() => {
      const lines = expectSound(terminal);
      expect(lines.at(-1)).toContain("4 working");
      expect(lines.length).toBeGreaterThan(Math.min(rows, 30) - 3);
    });
  }
  for (let module = 1; module <= 5; module++) for (let n = 1; n <= 6; n++) rig.release(`m${module}-${n}`);
  await seen(() => expect(terminal.screen()).toContain("over"));
  expect(terminal.screen().join("\n")).toContain("owt land r1");
  keepFrame(`${size.columns}x${size.rows}-end`, terminal);
  terminal.type("stty -g > ../after; echo the line after");
  await seen(() => expect(terminal.screen()).toContain("the line after"));
  expect(readFileSync(rig.path("after"), "utf8")).toBe(readFileSync(rig.path("before"), "utf8"));
  expect(terminal.modes()).toBe(modes);
  const history = terminal.history();
  expect(history.filter((line) => line === "the line before")).toHaveLength(1);
  // Every event once, and no table among them.
  expect(history.filter((line) => /✓ module-\d\/E\d+ integrated/.test(line))).toHaveLength(30);
  expect(history.filter((line) => line.startsWith("r1 · "))).toEqual([]);
});

test("the question to start 30 tasks stands on one screen with the time, the cost and the steps", async () => {
  await using rig = createWith(thirtyTasks);
  using terminal = new Tmux(rig, { columns: 80, rows: 24 });
  terminal.type(`clear; ${OWT} run`);
  await seen(() => expect(terminal.screen().at(-1)).toMatch(/^run 30 tasks\? expected .+, cost .+ \[y\/N\]$/));
  const screen = terminal.screen().join("\n");
  expect(terminal.wrapped()).toEqual([]);
  expect(screen).toMatch(
    /^30 tasks in docs\/plans: 30 to run;[^]*\n {2}time {2}.*\n[^]*\n {2}cost {2}[^]*\nstep 1, 5 tasks: /,
  );
  expect(screen).toContain("\neach task with its time and cost: owt plan");
  terminal.type("n");
  await seen(() => expect(terminal.screen().join("\n")).toContain("nothing was started"));
});

test("killed in the middle it leaves a terminal that is as it was, also while it asks a question", async () => {
  await using rig = createWith((place) => ({
    "docs/plans/a/epic-01-a.md": task({ title: "A" }, `say "begins"\nwait ${place("go")}`),
    "docs/plans/b/epic-01-b.md": task({ title: "B" }, 'ask "Which colour?"\non answer:\nwrite b.txt "b"\ncommit "b"'),
  }));
  using terminal = new Tmux(rig, { columns: 80, rows: 24 });
  const modes = terminal.modes();
  terminal.type(`stty -g > ../before; ${OWT} run --yes`);
  await seen(() => expect(terminal.screen().join("\n")).toContain("❯ Enter: answer b/E01 here"));
  terminal.key("Enter");
  await seen(() => expect(terminal.screen().at(-1)).toBe("❯"));
  process.kill(pidOf(rig), "SIGKILL");
  await seen(() => expect(terminal.screen().join("\n")).toContain("Killed"));
  terminal.type("stty -g > ../after; echo the line after");
  await seen(() => expect(terminal.screen()).toContain("the line after"));
  expect(readFileSync(rig.path("after"), "utf8")).toBe(readFileSync(rig.path("before"), "utf8"));
  expect(terminal.modes()).toBe(modes);

  terminal.type(`clear; ${OWT} task answer b/E01 blue; ${OWT} resume`);
  await seen(() => expect(terminal.screen().at(-1)).toMatch(/^r1 · 1 done · 1 working/));
  process.kill(pidOf(rig), "SIGKILL");
  await seen(() => expect(terminal.screen().join("\n")).toContain("Killed"));
  terminal.type("stty -g > ../after; echo another line");
  await seen(() => expect(terminal.screen()).toContain("another line"));
  expect(readFileSync(rig.path("after"), "utf8")).toBe(readFileSync(rig.path("before"), "utf8"));
  expect(terminal.modes()).toBe(modes);
});

test("while a question stands at its prompt others are told who asks it, and that its answer is taken up", async () => {
  const asks = 'ask "Which?"\non answer:\nwrite {name}.txt "{answer}"\ncommit "x"';
  await using rig = createWith(() => ({
    "docs/plans/a/epic-01-a.md": task({ title: "A" }, asks.replace("{name}", "a")),
    "docs/plans/b/epic-01-b.md": task({ title: "B" }, asks.replace("{name}", "b")),
  }));
  using terminal = new Tmux(rig, { columns: 80, rows: 24 });
  terminal.type(`${OWT} run --yes; echo over`);
  type Status = { carried_by: number | null; asking: { pid: number; run: string; task: string } | null };
  const asking = () =>
    vi.waitFor(
      async () => {
        const status = await rig.json<Status>("status");
        expect(status).toMatchObject({ carried_by: null, asking: { run: "r1" } });
        return status.asking!;
      },
      { timeout: 30_000 },
    );
  const { pid, task: first } = await asking();
  const other = first === "a/E01" ? "b/E01" : "a/E01";
  expect(rig.ok("status")).toContain(`owt (pid ${pid}) asks for the answer to ${first} in its terminal`);
  const later = `answered; r1 goes on behind the answer to ${first}, which owt (pid ${pid}) asks for`;
  expect(rig.ok("task", "answer", other, "red")).toContain(later);
  expect(rig.ok("task", "answer", first, "blue")).toContain("answered; r1 goes on with it by itself");
  await seen(() => expect(terminal.screen()).toContain("over"));
  expect(rig.show("owt/runs/r1", "a.txt")).toBe(first === "a/E01" ? "blue" : "red");
});

test("what was typed for a question that went away is never taken for the answer to the next", async () => {
  const asks = 'ask "Delete {task}?"\non answer:\nwrite {task}.txt "{answer}"\ncommit "x"';
  await using rig = createWith(() => ({
    "docs/plans/a/epic-01-a.md": task({ title: "A" }, asks.replaceAll("{task}.txt", "a.txt")),
    "docs/plans/b/epic-01-b.md": task({ title: "B" }, asks.replaceAll("{task}.txt", "b.txt")),
  }));
  using terminal = new Tmux(rig, { columns: 80, rows: 24 });
  terminal.type(`${OWT} run --yes; echo over`);
  const onScreen = () => terminal.history().join("\n");
  // Not the line that tells of it: its prompt.
  await seen(() => expect(onScreen()).toMatch(/^(a|b)\/E01 asks: Delete/m));
  const first = /^(a|b)\/E01 asks: Delete/m.exec(onScreen())![1]!;
  const other = first === "a" ? "b" : "a";
  // Both wait before the first is answered elsewhere.
  await vi.waitFor(async () => {
    const { waiting } = await rig.json<{ waiting: unknown[] }>("inbox");
    expect(waiting).toHaveLength(2);
  });
  terminal.text("yes delete");
  await rig.owt("task", "answer", `${first}/E01`, "no");
  await seen(() => expect(onScreen()).toMatch(new RegExp(`^${other}/E01 asks: Delete`, "m")));
  terminal.key("Enter");
  await seen(() => expect(onScreen()).toContain(`is "yes delete" the answer to ${other}/E01? [y/N]`));
  terminal.type("n");
  await seen(() =>
    expect(terminal.screen().filter((line) => line.includes(`${other}/E01 asks`)).length).toBeGreaterThan(1),
  );
  terminal.type("keep it");
  await seen(() => expect(terminal.screen()).toContain("over"));
  expect(rig.show("owt/runs/r1", `${other}.txt`)).toBe("keep it");
  expect(rig.show("owt/runs/r1", `${first}.txt`)).toBe("no");
});

test("while a question waits the table goes on; Enter asks it, and what is typed otherwise leaves nothing behind", async () => {
  await using rig = createWith((place) => ({
    "docs/plans/a/epic-01-a.md": task({ title: "A" }, `say "begins"\nwait ${place("a")}\nwrite a.txt "a"`),
    "docs/plans/b/epic-01-b.md": task({ title: "B" }, 'ask "Which colour?"\non answer:\nwrite b.txt "{answer}"'),
    "docs/plans/c/epic-01-c.md": task({ title: "C" }, `say "begins"\nwait ${place("c")}\nwrite c.txt "c"`),
  }));
  using terminal = new Tmux(rig, { columns: 80, rows: 24 });
  terminal.type(`stty -g > ../before; ${OWT} run --yes; echo over`);
  await seen(() => expect(terminal.screen().at(-2)).toBe("❯ Enter: answer b/E01 here"));
  rig.release("c");
  await seen(() => {
    expect(terminal.screen().join("\n")).toMatch(/✓ c\/E01 integrated/);
    expect(terminal.screen().at(-1)).toMatch(/^r1 · 1 done · 1 working · 1 waiting for a person/);
  });
  terminal.key("Enter");
  await seen(() => expect(terminal.screen().at(-1)).toBe("❯"));
  expect(terminal.screen().filter((line) => line.startsWith("r1 · "))).toEqual([]);
  terminal.type("blue");
  await seen(() => expect(terminal.screen().at(-1)).toMatch(/^r1 · 2 done · 1 working/));
  // Nothing is asked any more.
  for (const text of ["", "", "some words", ""]) terminal.type(text);
  terminal.text("echo carried out");
  await rig.json("pause");
  await seen(() => expect(terminal.screen().at(-1)).toMatch(/^r1 · pausing/));
  expectSound(terminal);
  expect(terminal.screen().join("\n")).not.toContain("some words");
  rig.release("a");
  await seen(() => expect(terminal.screen()).toContain("over"));
  terminal.type("stty -g > ../after; echo the line after");
  await seen(() => expect(terminal.screen()).toContain("the line after"));
  expect(readFileSync(rig.path("after"), "utf8")).toBe(readFileSync(rig.path("before"), "utf8"));
  const history = terminal.history();
  expect(history.filter((line) => line === "carried out")).toEqual([]);
  expect(history.filter((line) => line.startsWith("r1 · "))).toEqual([]);
  expect(rig.show("owt/runs/r1", "b.txt")).toBe("blue");
});

test("a run in the background of its shell is not stopped by what is typed there", async () => {
  await using rig = createWith((place) => ({
    "docs/plans/a/epic-01-a.md": task({ title: "A" }, `say "begins"\nwait ${place("go")}\nwrite a.txt "a"`),
  }));
  using terminal = new Tmux(rig, { columns: 80, rows: 24 });
  terminal.type("set -m");
  terminal.type(`${OWT} run --yes 2>/dev/tty &`);
  await seen(() => expect(terminal.screen().join("\n")).toContain("a/E01  begins"));
  for (const word of ["one", "two", "three"]) terminal.type(`echo ${word} > ../${word}`);
  await seen(() => expect(existsSync(rig.path("three"))).toBe(true));
  rig.release("go");
  await seen(() => expect(terminal.history().join("\n")).toContain("1 of 1 task integrated"));
});

test("stopped by Ctrl-Z it leaves the terminal to the shell, and goes on below what was written there", async () => {
  const modules = ["a", "b", "c", "d"];
  await using rig = createWith((place) =>
    Object.fromEntries(
      modules.map((name) => [
        `docs/plans/${name}/epic-01-a.md`,
        task({ title: "A" }, `say "begins"\nwait ${place("go")}\nwrite ${name}.txt "a"`),
      ]),
    ),
  );
  using terminal = new Tmux(rig, { columns: 80, rows: 60 });
  terminal.type("set -m");
  terminal.type(`${OWT} run --yes`);
  const tables = () => terminal.screen().filter((line) => line.includes("d/E01  begins")).length;
  await seen(() => expect(tables()).toBe(1));
  for (const round of [1, 2]) {
    terminal.key("C-z");
    await seen(() => expect(terminal.screen().filter((line) => /Stopped|Suspended/.test(line))).toHaveLength(round));
    for (const n of [1, 2]) terminal.type(`echo said-${round}-${n}`);
    // Meanwhile all came due that it was about to draw.
    terminal.type(`sleep 1; echo said-${round}-3`);
    await seen(() => expect(terminal.screen()).toContain(`said-${round}-3`));
    const shown = terminal.screen();
    terminal.type("fg");
    await seen(() => expect(tables()).toBe(round + 1));
    // All that stood there stands there still, and in its place.
    expect(terminal.screen().slice(0, shown.length - 1)).toEqual(shown.slice(0, -1));
    expect(terminal.screen()[shown.length - 1]).toBe("$ fg");
  }
  rig.release("go");
  await seen(() => expect(terminal.history().join("\n")).toContain("4 of 4 tasks integrated"));
});

test("on 80 columns nothing is broken inside a word: not what is told, nor what is asked, nor the end", async () => {
  const question =
    "Shall the backoffice reporting keep its own cache of customer names, or ask the customer service each time?";
  await using rig = createWith(() => ({
    "docs/plans/admin-backoffice-reporting/epic-01-a.md": task({ title: "A" }, 'write a.txt "a"'),
    "docs/plans/customer-notifications/epic-01-b.md": task(
      { title: "B" },
      `ask "${question}"\non answer:\nwrite b.txt "b"`,
    ),
    "docs/plans/warehouse-stock-levels/epic-01-c.md": task({ title: "C" }, `fail "${question}"`),
  }));
  using terminal = new Tmux(rig, { columns: 80, rows: 24 });
  terminal.type(`clear; alias owt="${OWT}"; clear`);
  terminal.type("owt plan deps");
  await seen(() => expect(terminal.screen().join("\n")).toContain("change?"));
  terminal.type("q");
  terminal.type("owt run --yes; echo over");
  await seen(() => expect(terminal.screen().at(-1)).toBe("❯"));
  terminal.type("each time");
  await seen(() => expect(terminal.screen()).toContain("over"));
  for (const words of ["status", "inbox", "task list", "task show customer-notifications/E01", "init"]) {
    terminal.type(`owt ${words}; echo over ${words.slice(0, 9)}`);
    await seen(() => expect(terminal.screen()).toContain(`over ${words.slice(0, 9)}`));
  }
  const texts = terminal.history().filter((line) => [...line].length > 80);
  // What has no blank where it could be broken: a path.
  expect(texts.filter((line) => line.trim().includes(" "))).toEqual([]);
});

test("a second terminal sees the same table, and what is steered there shows in the first", async () => {
  await using rig = createWith((place) => ({
    "docs/plans/a/epic-01-a.md": task(
      { title: "A" },
      `say "begins"\nwait ${place("go")}\nwrite a.txt "done"\ncommit "done"`,
    ),
    "docs/plans/b/epic-01-b.md": task({ title: "B", depends_on: ["a/E01"] }, 'write b.txt "done"\ncommit "done"'),
  }));
  const first = rig.start("run", "--yes");
  await first.says("a/E01 started");
  using terminal = new Tmux(rig, { columns: 100, rows: 20 });
  terminal.type(`${OWT} resume`);
  await seen(() => {
    const lines = terminal.screen();
    expect(lines.find((line) => line.includes("a/E01  begins"))).toMatch(/^◎/);
    expect(lines.find((line) => line.includes("b/E01"))).toBe("○ b/E01  waits for a/E01");
    expect(lines.at(-1)).toMatch(/^r1 · 1 working · 1 to come( · about .* left, a first guess)?$/);
  });
  await rig.owt("task", "cancel", "b/E01");
  await seen(() => expect(terminal.screen().at(-1)).toMatch(/^r1 · 1 working · 1 cancelled/));
  rig.release("go");
  expect((await first.ended).code).toBe(0);
  await seen(() => expect(terminal.screen().join("\n")).toContain("1 of 2 tasks integrated"));
});

test("what is being cancelled or stopped says so, though its agent still works", async () => {
  await using rig = createWith(() => ({
    "docs/plans/a/epic-01-a.md": task({ title: "A" }, ""),
    "docs/plans/b/epic-01-b.md": task({ title: "B" }, ""),
  }));
  const stubborn = [
    "sh",
    "-c",
    `trap "" TERM; touch ${rig.home}/begun-$(basename "$OWT_ATTEMPT"); while :; do sleep 1; done`,
  ];
  rig.write({
    ".worktreerc": `[agent]\ndefault = "stubborn"\n[agent.stubborn]\ncommand = ${JSON.stringify(stubborn)}\n[run]\ngrace = "60s"\n`,
  });
  rig.ok("config", "approve", "--yes");
  using terminal = new Tmux(rig, { columns: 80, rows: 24 });
  terminal.type(`${OWT} run --yes`);
  await seen(() => expect(readdirSync(rig.home).filter((name) => name.startsWith("begun-"))).toHaveLength(2));
  await seen(() => expect(terminal.screen().join("\n")).toContain("b/E01  its agent works"));
  await rig.owt("task", "cancel", "a/E01");
  await seen(() => expect(terminal.screen().join("\n")).toContain("a/E01  is being cancelled"));
  terminal.key("C-c");
  await seen(() => {
    const lines = terminal.screen();
    expect(lines.join("\n")).toContain("b/E01  stopping");
    expect(lines.at(-1)).not.toContain("left");
  });
});

test("--plain, a dumb terminal and a pipe get lines with a time, and no escape but colour", async () => {
  const steps = 'append a.txt "{task}"\ncommit "a line"';
  await using rig = createWith(() => ({ "docs/plans/a/epic-01-a.md": task({ title: "A" }, steps) }));
  const piped = await rig.owt("run", "--yes");
  expect(piped.stderr).toMatch(/^\d\d:\d\d:\d\d ◎ a\/E01 started$/m);
  expect(piped.stderr).not.toContain("\u001B");
  using terminal = new Tmux(rig, { columns: 80, rows: 24 });
  terminal.type(`clear; ${OWT} run --yes --again --plain; echo over`);
  await seen(() => expect(terminal.screen().join("\n")).toMatch(/\d\d:\d\d:\d\d ◎ a\/E01 started/));
  await seen(() => expect(terminal.screen()).toContain("over"));
  expect(terminal.history().filter((line) => line.startsWith("r2 · "))).toEqual([]);
});

/** The owt that runs on the terminal. */
function pidOf(rig: Rig): number {
  const holder = rig.processes().filter((pid) => {
    const words = readFileSync(join("/proc", String(pid), "cmdline"), "utf8").split("\0");
    return words[1]?.endsWith("bin/owt.js") && (words[2] === "run" || words[2] === "resume");
  });
  expect(holder).toHaveLength(1);
  return holder[0]!;
}
