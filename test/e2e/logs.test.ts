/** `owt logs`: several tasks at once, search, levels and times; what is foreign stays harmless, and what is huge stays bounded. */
import { execFileSync } from "node:child_process";
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";

const OWT = new URL("../../bin/owt.js", import.meta.url).pathname;

type Line = { task: string; attempt: number; level: string; text: string };

const PLAN = {
  ".worktreerc": `${demoConfig}[run]\nretries = 0\n`,
  "docs/plans/a/epic-01-a.md": task({}, 'say "Looks at the Door"\nwrite a.txt "a"'),
  "docs/plans/bb/epic-01-b.md": task({}, 'say "opens a door"\nfail "the key is gone"'),
};

test("what a program of one's own said of its failure is an error, and so is the failure", async () => {
  const script = 'cat >/dev/null; echo working; [ "$OWT_TASK" = b/E01 ] || echo "fatal: boom" >&2; exit 3';
  await using rig = Rig.create({
    ".worktreerc": `[run]\nretries = 0\n[agent.mine]\nkind = "command"\ncommand = ["sh", "-c", '${script}']\n`,
    "docs/plans/a/epic-01-a.md": task({}, "fails"),
    "docs/plans/b/epic-01-b.md": task({}, "says nothing"),
  });
  await rig.owt("run", "--yes", "--agent", "mine");
  expect(rig.ok("logs", "a/E01")).toBe("working\nfatal: boom\n✗ exit 3: fatal: boom\n");
  expect(rig.ok("logs", "a/E01", "--level", "error")).toBe("fatal: boom\n✗ exit 3: fatal: boom\n");
  expect(rig.ok("logs", "--all", "--grep", "boom")).toBe("a/E01 | fatal: boom\na/E01 | ✗ exit 3: fatal: boom\n");
  expect(rig.ok("logs", "b/E01", "--level", "error")).toMatch(/^✗ exit 3/);
});

test("several tasks: each line with its task; levels, search, JSON", async () => {
  await using rig = Rig.create(PLAN);
  await rig.owt("run", "--yes");
  expect(rig.ok("logs", "a/E01", "bb/E01").split("\n").slice(0, 2)).toEqual([
    "a/E01  | Looks at the Door",
    "a/E01  | → write  a.txt",
  ]);
  expect(rig.ok("logs", "--all", "--grep", "door")).toBe("bb/E01 | opens a door\n");
  expect(rig.ok("logs", "--all", "--grep", "^[LO].*DOOR$", "-i")).toBe(
    "a/E01  | Looks at the Door\nbb/E01 | opens a door\n",
  );
  expect(rig.ok("logs", "a/E01", "--level", "tool")).toBe("→ write  a.txt\n");
  expect(rig.ok("logs", "a/E01", "--level", "error")).toBe("");
  const errors = rig.ok("logs", "bb/E01", "--level", "error");
  expect(errors).toContain("the key is gone");
  expect(errors).not.toContain("opens a door");
  const said = rig.ok("logs", "bb/E01", "--level", "said");
  expect(said).toMatch(/opens a door[\s\S]*the key is gone/);
  expect(said).not.toContain("→");

  const { tasks, lines } = await rig.json<{ tasks: string[]; lines: Line[] }>("logs", "--all", "--level", "tool");
  expect(tasks).toEqual(["a/E01", "bb/E01"]);
  expect(lines[0]).toEqual({ task: "a/E01", attempt: 1, level: "tool", text: "→ write  a.txt" });
  const one = await rig.json<{ task: string; attempt: number; lines: string[] }>("logs", "a/E01", "--grep", "^Looks");
  expect(one).toEqual({ task: "a/E01", attempt: 1, lines: ["Looks at the Door"] });
  expect((await rig.json<{ lines: string[] }>("logs", "a/E01", "--grep", "nothing")).lines).toEqual([]);
});

test("-f --all follows what works at once and what starts later, and ends with the run", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  const waits = (name: string) =>
    `say "begins {task}"\ntouch ${rig.path(`begun-${name}`)}\nwait ${rig.path(name)}\nsay "ends {task}"\nwrite ${name}.txt "x"`;
  rig.write({
    "docs/plans/a/epic-01-a.md": task({}, waits("a")),
    "docs/plans/b/epic-01-b.md": task({}, waits("b")),
    "docs/plans/c/epic-01-c.md": task({ depends_on: ["a/E01"] }, 'say "later {task}"\nwrite c.txt "c"'),
  });
  rig.commit("the plan");
  const run = rig.start("run", "--yes");
  await Promise.all([fileAppears(rig.path("begun-a")), fileAppears(rig.path("begun-b"))]);
  const logs = rig.start("logs", "-f", "--all");
  let seen = "";
  logs.child.stdout!.on("data", (chunk: Buffer) => (seen += chunk.toString()));
  const two = rig.start("logs", "-f", "c/E01", "b/E01");
  rig.release("a");
  // Told while b still works.
  await vi.waitFor(() => expect(seen).toContain("c/E01 | later c/E01"), { interval: 20, timeout: 60_000 });
  rig.release("b");
  expect((await run.ended).code).toBe(0);
  const told = (await logs.ended).stdout.split("\n");
  for (const line of [
    "a/E01 | begins a/E01",
    "b/E01 | begins b/E01",
    "a/E01 | ends a/E01",
    "c/E01 | later c/E01",
    "b/E01 | ends b/E01",
  ])
    expect(told.filter((each) => each === line)).toHaveLength(1);
  const others = (await two.ended).stdout;
  expect(others).toContain("c/E01 | later c/E01");
  expect(others).not.toContain("a/E01 |");
});

test("-f --all begins with what each said already, whole, in the order in which they began", async () => {
  const says = (name: string) => [1, 2, 3].map((n) => `say "${name}${n}"`).join("\n");
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/a/epic-01-a.md": task({ depends_on: ["b/E01"] }, `${says("a")}\nwrite a.txt "a"`),
    "docs/plans/b/epic-01-b.md": task({}, `${says("b")}\nwrite b.txt "b"`),
    "docs/plans/c/epic-01-c.md": task(
      { depends_on: ["a/E01"] },
      `${says("c")}\nwait ${rig.path("go")}\nsay "end"\nwrite c.txt "c"`,
    ),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await run.says("c/E01 started");
  const logs = rig.start("logs", "--all", "-f", "--level", "said");
  let seen = "";
  logs.child.stdout!.on("data", (chunk: Buffer) => (seen += chunk.toString()));
  await vi.waitFor(() => expect(seen).toContain("c3"), { interval: 20, timeout: 20_000 });
  rig.release("go");
  await run.ended;
  const said = (await logs.ended).stdout.split("\n").flatMap((line) => /\| ([abc]\d|end)$/.exec(line)?.[1] ?? []);
  expect(said).toEqual(["b1", "b2", "b3", "a1", "a2", "a3", "c1", "c2", "c3", "end"]);
});

test("-f of one task goes on through its repair", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = "test -f mended"\n`,
    "docs/plans/a/epic-01-a.md": task({}, 'say "first"\nwrite a.txt "a"\non repair:\nsay "second"\nwrite mended ""'),
  });
  const run = rig.start("run", "--yes");
  await run.says("a/E01 started");
  const logs = rig.start("logs", "a/E01", "-f");
  expect((await run.ended).code).toBe(0);
  expect((await logs.ended).stdout).toMatch(/second/);
  expect(rig.ok("logs", "a/E01")).not.toContain("first");
  expect(rig.ok("logs", "a/E01", "--grep", "^(first|second)$")).toBe("first\nsecond\n");
  expect(rig.ok("logs", "a/E01", "--attempt", "2", "--grep", "^(first|second)$")).toBe("second\n");
});

test("--since leaves out what is older, as far as the output was noted while it came", async () => {
  await using rig = Rig.create(PLAN);
  await rig.owt("run", "--yes");
  const folder = join(rig.root, ".git/owt/attempts/1");
  const say = (text: string) => `${JSON.stringify({ kind: "say", text })}\n`;
  const old = say("long ago");
  writeFileSync(join(folder, "out"), old + say("just now"));
  writeFileSync(join(folder, "out.times"), `${Date.now() - 3_600_000} ${Buffer.byteLength(old)}\n`);
  expect(rig.ok("logs", "a/E01", "--since", "10m")).toBe("just now\n");
  expect(rig.ok("logs", "a/E01", "--since", "2h")).toBe("long ago\njust now\n");
  expect(rig.ok("logs", "a/E01", "--since", "2999-01-01")).toBe("");
});

test("--since leaves out what waits for an approval and was said before", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/a/epic-01-a.md": task({ needs_review: true }, 'say "here"\nwrite a.txt "a"'),
  });
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  expect(rig.ok("logs", "a/E01", "--since", "10m")).toContain("here\n");
  expect(rig.ok("logs", "a/E01", "--since", "2999-01-01")).toBe("");
});

test("65 MB through a slow pipe: whole, in bounded memory, without a warning; and bytes that are no text", async () => {
  await using rig = Rig.create(PLAN);
  await rig.owt("run", "--yes");
  const out = join(rig.root, ".git/owt/attempts/1/out");
  const line = `${JSON.stringify({ kind: "say", text: "x".repeat(6_500) })}\n`;
  for (let n = 0; n < 10; n++) appendFileSync(out, line.repeat(1_000));
  appendFileSync(
    out,
    Buffer.concat([Buffer.from([0xff, 0xfe, 0, 0, 0x0a]), Buffer.from('{"kind":"say","text":"\\u001b[31mthe end"}\n')]),
  );
  // Less than what is printed has room.
  rig.env["NODE_OPTIONS"] = "--max-old-space-size=48";
  const words = (args: string) => `"${process.execPath}" "${OWT}" logs a/E01 ${args}`;
  const script = `(${words("")} 2>"$HOME/told") | (sleep 1; wc -c)`;
  const bytes = Number(execFileSync("sh", ["-c", script], { cwd: rig.root, env: rig.env, encoding: "utf8" }));
  expect(bytes).toBeGreaterThan(65_000_000);
  expect(execFileSync("cat", [join(rig.home, "home/told")], { encoding: "utf8" })).toBe("");
  expect(rig.ok("logs", "a/E01", "--grep", "the end")).toBe("the end\n");
  // A reader that leaves ends it.
  const head = execFileSync("sh", ["-c", `${words("--raw")} | head -c 10`], { cwd: rig.root, env: rig.env });
  expect(head).toHaveLength(10);
});

test("mistakes: no task, a level or pattern that is none, contradictions", async () => {
  await using rig = Rig.create(PLAN);
  await rig.owt("run", "--yes");
  for (const [words, hint] of [
    [[], "owt logs --all"],
    [["a/E01", "--all"], "owt logs --all, or: owt logs a/E01"],
    [["a/E01", "bb/E01", "--raw"], "name one task"],
    [["a/E01", "--raw", "--grep", "x"], "or without --raw"],
    [["a/E01", "--grep", "("], "put a \\"],
    [["a/E01", "--since", "yesterdayish"], "--since 10m"],
    [["a/E1"], "did you mean a/E01"],
  ] as const) {
    const ran = await rig.owt("logs", ...words);
    expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining(hint)]);
  }
  expect((await rig.owt("logs", "a/E01", "--level", "loud")).stderr).toContain("error, tool, said, all");
});
