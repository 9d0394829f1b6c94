/** Conflicts that are resolved by throwing a side away: the agent is asked once whether that is meant, and what is lost is told. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { demoConfig, Rig, startTwoBehindOne, task } from "../rig/rig.ts";

type Shown = { task: { attempts: { folder: string; outcome: string; session: string; worktree: string }[] } };
type Report = { report: { tasks: { id: string; lost: { path: string; of: string[]; is_own: boolean }[] }[] } };

/** Both change the middle line of a file, and the second resolves that with these steps. The first brings a file of its own, too. */
async function resolvedWith(steps: string, { front = {}, code = 0, one = "", two = "" } = {}): Promise<Rig> {
  const rig = Rig.create({ ".worktreerc": demoConfig, "shared.txt": "top\nmiddle\nend\n" });
  rig.write({
    "docs/plans/one/epic-01-a.md": task(
      {},
      `write shared.txt "top\\nword of one\\nend\\n"\nwrite one.txt "one"\n${one}`,
    ),
    "docs/plans/two/epic-01-b.md": task(
      front,
      `touch ${rig.path("two-runs")}\nwait ${rig.path("gate")}\nwrite shared.txt "top\\nword of two\\nend\\n"\n${two}\non conflict:\n${steps}`,
    ),
  });
  rig.commit("plan");
  expect((await (await startTwoBehindOne(rig)).ended).code).toBe(code);
  return rig;
}

async function attemptsOfTwo(rig: Rig): Promise<Shown["task"]["attempts"]> {
  return (await rig.json<Shown>("task", "show", "two/E01")).task.attempts;
}

async function lostOfTwo(rig: Rig): Promise<unknown> {
  return (await rig.json<Report>("report")).report.tasks.find(({ id }) => id === "two/E01")!.lost;
}

test.each([
  ["git checkout --ours shared.txt && git commit -qam ours", ["shared.txt"]],
  ["git merge --abort && git merge -qs ours -m ours owt/runs/r1", ["one.txt", "shared.txt"]],
])("who resolves with %s is asked once, and what stays lost is told", async (command, files) => {
  await using rig = await resolvedWith(`run "sh" "-c" "${command}"`);
  const attempts = await attemptsOfTwo(rig);
  expect(attempts.map(({ outcome }) => outcome.split(":", 1)[0])).toEqual([
    "conflicts in shared.txt",
    "resolved a conflict by throwing a side away",
    "done",
  ]);
  expect(new Set(attempts.map(({ session }) => session)).size).toBe(1);
  const asked = readFileSync(`${attempts[2]!.folder}/prompt`, "utf8");
  expect(asked).toContain("nothing of one/E01's change in shared.txt is left; it had added:\n      word of one\n");
  expect(await lostOfTwo(rig)).toEqual(files.map((path) => ({ path, of: ["one/E01"], is_own: false })));
  const told = "nothing of one/E01's change in shared.txt is left";
  expect(rig.ok("report").replaceAll(/\s+/g, " ")).toContain(told);
  expect(rig.ok("report", "--markdown")).toContain(told);
  expect(rig.ok("status")).toContain(told);
});

test("of a file that is no text one side goes always: whoever resolves that is asked nothing, and what went is told", async () => {
  const made = (word: string) => `run "sh" "-c" "head -c 4 /dev/zero > p.bin; echo ${word} >> p.bin"`;
  const text = 'write shared.txt "top\\nword of one\\nword of two\\nend\\n"';
  const resolved = `${text}\nrun "sh" "-c" "git checkout --theirs p.bin && git add -A && git commit -qm both"`;
  await using rig = await resolvedWith(resolved, { one: made("one"), two: made("two") });
  expect((await attemptsOfTwo(rig)).map(({ outcome }) => outcome)).toEqual(["conflicts in p.bin, shared.txt", "done"]);
  expect(await lostOfTwo(rig)).toEqual([{ path: "p.bin", of: [], is_own: true, is_binary: true }]);
  const told = "p.bin is no text, and its own change to it was not taken";
  expect(rig.ok("report").replaceAll(/\s+/g, " ")).toContain(told);
  expect(rig.ok("status")).toContain(told);
});

test("so is who throws the own work away", async () => {
  const command =
    "git checkout --theirs shared.txt && git add -A && echo x > x.txt && git add -A && git commit -qm theirs";
  await using rig = await resolvedWith(`run "sh" "-c" "${command}"`);
  expect(await lostOfTwo(rig)).toEqual([{ path: "shared.txt", of: [], is_own: true }]);
  expect(rig.ok("report").replaceAll(/\s+/g, " ")).toContain("nothing of its own change in shared.txt is left");
});

test.each([
  ["removes the file", "git rm -qf shared.txt"],
  ["empties it", ": > shared.txt && git add -A"],
  ["overwrites it", "echo nothing like it > shared.txt && git add -A"],
])("so is who throws both away: %s", async (_, command) => {
  await using rig = await resolvedWith(`run "sh" "-c" "${command} && git commit -qm gone"`);
  expect((await attemptsOfTwo(rig)).map(({ outcome }) => outcome)).toEqual([
    "conflicts in shared.txt",
    "resolved a conflict by throwing a side away: nothing of its own change in shared.txt is left; nothing of one/E01's change in shared.txt is left",
    "done",
  ]);
  expect(await lostOfTwo(rig)).toEqual([
    { path: "shared.txt", of: [], is_own: true },
    { path: "shared.txt", of: ["one/E01"], is_own: false },
  ]);
});

const OUTSIDE = "o=$(cat $(git rev-parse --git-path MERGE_HEAD)); git merge --abort; ";

test.each([
  ["the file as the others have it", "git checkout -q $o -- shared.txt; git commit -qm take"],
  ["all as the others have it", "git checkout -q $o -- .; git commit -qm take"],
  ["its own work taken back", "git revert --no-edit HEAD >/dev/null; echo x > x.txt; git add -A; git commit -qm x"],
])("who gives the merge up and commits %s is asked once, and what stays lost is told", async (_, command) => {
  await using rig = await resolvedWith(`run "sh" "-c" ${JSON.stringify(`${OUTSIDE}${command}`)}`);
  expect((await attemptsOfTwo(rig)).map(({ outcome }) => outcome)).toEqual([
    "conflicts in shared.txt",
    "resolved a conflict by throwing a side away: nothing of its own change in shared.txt is left",
    "done",
  ]);
  expect(await lostOfTwo(rig)).toEqual([{ path: "shared.txt", of: [], is_own: true }]);
});

test("who gives the merge up and brings both together is asked nothing", async () => {
  const both = "git checkout -q $o -- shared.txt; echo word of two >> shared.txt; git commit -qam both";
  await using rig = await resolvedWith(`run "sh" "-c" ${JSON.stringify(`${OUTSIDE}${both}`)}`);
  expect((await attemptsOfTwo(rig)).map(({ outcome }) => outcome)[0]).toBe("conflicts in shared.txt");
  expect(await lostOfTwo(rig)).toEqual([]);
});

/** Both change a line of a file, the second brings one of its own, too, resolves the conflict as it should, and does this beside it. */
async function besideConflict(command: string): Promise<Rig> {
  const rig = Rig.create({ ".worktreerc": demoConfig, "shared.txt": "top\nmiddle\nend\n", "old.txt": "old\n" });
  const word = (of: string) => `write shared.txt "top\\nword of ${of}\\nend\\n"`;
  const both = "printf 'top\\nword of one\\nword of two\\nend\\n' > shared.txt";
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, word("one")),
    "docs/plans/two/epic-01-b.md": task(
      {},
      `touch ${rig.path("two-runs")}\nwait ${rig.path("gate")}\n${word("two")}\nwrite own.txt "its own line\\n"\nwrite old.txt "new"\non conflict:\nrun "sh" "-c" ${JSON.stringify(`${both}; git add -A; git commit -qm both; ${command}`)}`,
    ),
  });
  rig.commit("plan");
  expect((await (await startTwoBehindOne(rig)).ended).code).toBe(0);
  return rig;
}

test.each([
  ["removes its own file", "git rm -qf own.txt; git commit -qm drop", ["own.txt"]],
  [
    "takes back what it did to others, too,",
    "git checkout -q owt/runs/r1 -- old.txt; git rm -qf own.txt; git commit -qm back",
    ["old.txt", "own.txt"],
  ],
])(
  "who %s in the turn that resolves a conflict is asked once, and what stays lost is told",
  async (_, command, paths) => {
    await using rig = await besideConflict(command);
    expect((await attemptsOfTwo(rig)).map(({ outcome }) => outcome.split(":", 1)[0])).toEqual([
      "conflicts in shared.txt",
      "resolved a conflict by throwing a side away",
      "done",
    ]);
    expect(await lostOfTwo(rig)).toEqual(paths.map((path) => ({ path, of: [], is_own: true })));
  },
);

test("who moves and changes its own file there is asked nothing", async () => {
  await using rig = await besideConflict("git mv own.txt its.txt; echo more >> its.txt; git commit -qam moved");
  expect((await attemptsOfTwo(rig)).map(({ outcome }) => outcome)).toEqual(["conflicts in shared.txt", "done"]);
  expect(await lostOfTwo(rig)).toEqual([]);
});

test("so is who does that while a rule settles another file", async () => {
  const rig = Rig.create({
    ".worktreerc": `${demoConfig}[conflicts]\nunion = ["CHANGES.md"]\n`,
    "shared.txt": "top\nmiddle\nend\n",
    "CHANGES.md": "start\n",
  });
  await using _ = rig;
  const word = (of: string) => `write shared.txt "top\\nword of ${of}\\nend\\n"\nappend CHANGES.md "${of}\\n"`;
  const taken = `${OUTSIDE}git checkout -q $o -- shared.txt; git commit -qm take`;
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, word("one")),
    "docs/plans/two/epic-01-b.md": task(
      {},
      `touch ${rig.path("two-runs")}\nwait ${rig.path("gate")}\n${word("two")}\non conflict:\nrun "sh" "-c" ${JSON.stringify(taken)}`,
    ),
  });
  rig.commit("plan");
  expect((await (await startTwoBehindOne(rig)).ended).code).toBe(0);
  expect(await lostOfTwo(rig)).toEqual([{ path: "shared.txt", of: [], is_own: true }]);
  expect(rig.show("owt/runs/r1", "CHANGES.md")?.split("\n").toSorted()).toEqual(["", "one", "start", "two"]);
});

test("so is who takes over what others made of the file meanwhile", async () => {
  const rig = Rig.create({ ".worktreerc": demoConfig, "shared.txt": "top\nmiddle\nend\n" });
  await using _ = rig;
  const word = (of: string) => `write shared.txt "top\\nword of ${of}\\nend\\n"`;
  const taken = "git merge --abort; git checkout -q owt/runs/r1 -- shared.txt; git commit -qm take";
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, word("one")),
    "docs/plans/one/epic-02-c.md": task({}, `wait ${rig.path("two-conflicts")}\n${word("three")}`),
    "docs/plans/two/epic-01-b.md": task(
      {},
      `touch ${rig.path("two-runs")}\nwait ${rig.path("gate")}\n${word("two")}\non conflict:\ntouch ${rig.path("two-conflicts")}\nwait ${rig.path("three-is-in")}\nrun "sh" "-c" ${JSON.stringify(taken)}`,
    ),
  });
  rig.commit("plan");
  const run = await startTwoBehindOne(rig);
  await run.says("one/E02 integrated");
  rig.release("three-is-in");
  expect((await run.ended).code).toBe(0);
  expect(await lostOfTwo(rig)).toEqual([{ path: "shared.txt", of: [], is_own: true }]);
});

test("a person who gives the merge up and commits the file as the others have it is asked once", async () => {
  await using rig = await resolvedWith('say "cannot decide"', { front: { branch: "feat/two" }, code: 4 });
  const worktree = (await attemptsOfTwo(rig)).at(-1)!.worktree;
  const command = "git merge --abort; git checkout -q owt/runs/r1 -- shared.txt; git commit -qm taken";
  execFileSync("sh", ["-c", command], { cwd: worktree, env: rig.env, stdio: "pipe" });
  rig.ok("task", "approve", "two/E01");
  expect((await rig.owt("resume")).code).toBe(4);
  await askedOnce(rig, { path: "shared.txt", of: [], is_own: true });
});

test("a person is asked once, too, when they hand it back", async () => {
  await using rig = await resolvedWith('say "cannot decide"', { front: { branch: "feat/two" }, code: 4 });
  const worktree = (await attemptsOfTwo(rig)).at(-1)!.worktree;
  const command = "git checkout --ours shared.txt && git commit -qam ours";
  execFileSync("sh", ["-c", command], { cwd: worktree, env: rig.env, stdio: "pipe" });
  rig.ok("task", "approve", "two/E01");
  expect((await rig.owt("resume")).code).toBe(4);
  const lost = "nothing of one/E01's change in shared.txt is left";
  const { waiting } = await rig.json<{ waiting: { why: string; command: string }[] }>("inbox");
  expect(waiting).toMatchObject([{ why: expect.stringContaining(lost), command: "owt task approve two/E01" }]);
  rig.ok("task", "approve", "two/E01");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(await lostOfTwo(rig)).toEqual([{ path: "shared.txt", of: ["one/E01"], is_own: false }]);
  expect(rig.ok("status")).toContain(lost);
});

type Waiting = { waiting: { task: string; why: string; command: string; note: string }[] };

/** What a person is asked, and what comes of it once they say that it is meant. */
async function askedOnce(rig: Rig, lost: { path: string; of: string[]; is_own: boolean }): Promise<void> {
  const { waiting } = await rig.json<Waiting>("inbox");
  const whose = lost.is_own ? "its own" : `${lost.of.join(" and ")}'s`;
  expect(waiting).toMatchObject([
    {
      task: "two/E01",
      why: expect.stringContaining(`nothing of ${whose} change in ${lost.path} is left`),
      command: "owt task approve two/E01",
      note: "it is meant so, or mended; or start over: owt task retry two/E01",
    },
  ]);
  rig.ok("task", "approve", "two/E01");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(await lostOfTwo(rig)).toEqual([lost]);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(["one/E01", "two/E01"]);
}

const MARKERS = "top\\n<<<<<<< mine\\nword of two\\n=======\\nword of one\\n>>>>>>> theirs\\nend\\n";

test.each([
  ["the other side", "word of two", { path: "shared.txt", of: ["one/E01"], is_own: false }],
  ["its own", "word of one", { path: "shared.txt", of: [], is_own: true }],
])("where the turn that decides conflict markers loses %s, a person is asked once", async (_, word, lost) => {
  const steps = `write shared.txt "${MARKERS}"\ncommit "as it is"\non repair:\nwrite shared.txt "top\\n${word}\\nend\\n"\nwrite x.txt "x"`;
  await using rig = await resolvedWith(steps, { code: 4 });
  expect((await attemptsOfTwo(rig)).map(({ outcome }) => outcome.split(":", 1)[0])).toEqual([
    "conflicts in shared.txt",
    "verify failed",
    "resolved a conflict by throwing a side away",
  ]);
  await askedOnce(rig, lost);
});

test("where that turn brings both together, nobody is asked", async () => {
  const both = "top\\nword of one\\nword of two\\nend\\n";
  const steps = `write shared.txt "${MARKERS}"\ncommit "as it is"\non repair:\nwrite shared.txt "${both}"`;
  await using rig = await resolvedWith(steps);
  expect(await lostOfTwo(rig)).toEqual([]);
});

/** The second leaves markers until it is begun anew, and does this then. */
async function begunAnew(steps: string, { code = 0 } = {}): Promise<Rig> {
  const rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify_attempts = 1\n`,
    "shared.txt": "top\nmiddle\nend\n",
  });
  const script = `grep -q 'word of one' shared.txt && { ${steps}; } || printf 'top\\nword of two\\nend\\n' > shared.txt`;
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, 'write shared.txt "top\\nword of one\\nend\\n"'),
    "docs/plans/two/epic-01-b.md": task(
      {},
      `touch ${rig.path("two-runs")}\nwait ${rig.path("gate")}\nrun "sh" "-c" ${JSON.stringify(script)}\non conflict:\nwrite shared.txt "${MARKERS}"\ncommit "as it is"\non repair:\nappend shared.txt "more"`,
    ),
  });
  rig.commit("plan");
  expect((await (await startTwoBehindOne(rig)).ended).code).toBe(code);
  return rig;
}

test.each([
  ["the other side", "printf 'top\\nword of two\\nend\\n' > shared.txt", ["one/E01"]],
  ["its own", "echo x > x.txt", []],
])("where what is begun anew loses %s, a person is asked once", async (_, steps, of) => {
  await using rig = await begunAnew(steps, { code: 4 });
  const left = "verify failed: conflict markers are left";
  expect((await attemptsOfTwo(rig)).map(({ outcome }) => outcome)).toEqual([
    "conflicts in shared.txt",
    left,
    left,
    expect.stringMatching(/^resolved a conflict by throwing a side away/),
  ]);
  await askedOnce(rig, { path: "shared.txt", of, is_own: of.length === 0 });
});

test.each([
  ["as before", "printf 'word of two\\n' >> shared.txt"],
  ["in another way", "printf 'the word that is wanted\\n' >> shared.txt"],
])("what is begun anew and does its own %s is asked nothing", async (_, steps) => {
  await using rig = await begunAnew(steps);
  expect(await lostOfTwo(rig)).toEqual([]);
});

test.each([
  ["of both sides", "top\\nword of one\\nword of two\\nend\\n"],
  ["made of both", "top\\nword of one and two\\nend\\n"],
])("lines %s are a resolution like any other", async (_, text) => {
  await using rig = await resolvedWith(`write shared.txt "${text}"`);
  expect((await attemptsOfTwo(rig)).map(({ outcome }) => outcome)).toEqual(["conflicts in shared.txt", "done"]);
  expect(await lostOfTwo(rig)).toEqual([]);
});

/** The first brings `a.txt`, the second `b.txt`, each green alone; together they are red until one of them, and what else the first brings, is as `mend` has it. */
async function mendedBy(mend: string, { code = 0, attempts = 2, front = {} } = {}): Promise<Rig> {
  const verify = "test ! -f a.txt || test ! -f b.txt || test -f both.txt";
  const rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = "${verify}"\nverify_attempts = ${attempts}\n`,
  });
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, 'write a.txt "word of one"\nwrite a.md "a"'),
    "docs/plans/two/epic-01-b.md": task(
      front,
      `touch ${rig.path("two-runs")}\nwait ${rig.path("gate")}\nwrite b.txt "word of two"\non repair:\nrun "sh" "-c" "${mend}"`,
    ),
  });
  rig.commit("plan");
  expect((await (await startTwoBehindOne(rig)).ended).code).toBe(code);
  return rig;
}

test.each([
  ["removing", "git rm -qf --ignore-unmatch a.txt a.md && git commit -qm drop"],
  ["reverting", "git revert -m 1 --no-edit HEAD >/dev/null"],
])("who mends a red check by %s the work of others is asked once, and what stays lost is told", async (_, mend) => {
  await using rig = await mendedBy(mend);
  expect((await attemptsOfTwo(rig)).map(({ outcome }) => outcome)).toEqual([
    expect.stringMatching(/^verify failed/),
    "mended a red check by undoing work of others: nothing of one/E01's change in a.md is left; nothing of one/E01's change in a.txt is left",
    "done",
  ]);
  const asked = readFileSync(`${(await attemptsOfTwo(rig))[2]!.folder}/prompt`, "utf8");
  expect(asked).toContain("nothing of one/E01's change in a.txt is left; it had added:\n      word of one\n");
  expect(await lostOfTwo(rig)).toEqual(["a.md", "a.txt"].map((path) => ({ path, of: ["one/E01"], is_own: false })));
  expect(rig.ok("status")).toContain("nothing of one/E01's change in a.txt is left");
});

test.each([
  ["brings something of its own", "echo both > both.txt"],
  ["changes what they have", "echo and more >> a.txt && echo both > both.txt"],
  ["moves its own work to another file", "git rm -qf b.txt && printf 'more\\nword of two\\n' > c.txt"],
])("who mends it and %s is not asked", async (_, mend) => {
  await using rig = await mendedBy(`${mend} && git add -A && git commit -qm mend`);
  expect((await attemptsOfTwo(rig)).map(({ outcome }) => outcome)).toEqual([
    expect.stringMatching(/^verify failed/),
    "done",
  ]);
  expect(await lostOfTwo(rig)).toEqual([]);
});

test("who mends it by undoing a part of its own work is asked once, and what stays lost is told", async () => {
  await using rig = await mendedBy("git rm -qf b.txt && echo c > c.txt && git add -A && git commit -qm mend");
  const lost = "nothing of its own change in b.txt is left";
  expect((await attemptsOfTwo(rig)).map(({ outcome }) => outcome)).toEqual([
    expect.stringMatching(/^verify failed/),
    `mended a red check by undoing its own work: ${lost}`,
    "done",
  ]);
  const asked = readFileSync(`${(await attemptsOfTwo(rig))[2]!.folder}/prompt`, "utf8");
  expect(asked).toContain("nothing of this task's change in b.txt is left; it had added:\n      word of two\n");
  expect(await lostOfTwo(rig)).toEqual([{ path: "b.txt", of: [], is_own: true }]);
  expect(rig.ok("status")).toContain(lost);
});

test.each([
  ["removes it", "git rm -qf b.txt && git commit -qm drop"],
  ["reverts it", "git revert -m 2 --no-edit HEAD >/dev/null"],
  ["resets it away", "git reset -q --hard owt/runs/r1"],
])("who mends it with nothing of its own work left has not mended it: %s", async (_, mend) => {
  await using rig = await mendedBy(mend, { attempts: 1, front: { branch: "feat/two" }, code: 4 });
  expect((await attemptsOfTwo(rig)).map(({ outcome }) => outcome.split(":", 1)[0])).toEqual([
    "verify failed",
    "verify failed",
  ]);
  expect(rig.integrations("owt/runs/r1")).toEqual(["one/E01"]);
  const { waiting } = await rig.json<Waiting>("inbox");
  expect(waiting).toMatchObject([{ task: "two/E01", why: expect.stringContaining("one/E01") }]);
  expect(rig.ok("logs", "two/E01")).toContain(
    "threw its work away instead of mending what is red with the work of others",
  );
  expect(rig.git("show", "feat/two:b.txt")).toBe("word of two");
});

test("a person who mends it by undoing the task's own work is asked once", async () => {
  await using rig = await mendedBy("true", { code: 4, attempts: 0, front: { branch: "feat/two" } });
  const worktree = (await attemptsOfTwo(rig)).at(-1)!.worktree;
  execFileSync("sh", ["-c", "git rm -qf b.txt && git commit -qm drop"], { cwd: worktree, env: rig.env, stdio: "pipe" });
  rig.ok("task", "approve", "two/E01");
  expect((await rig.owt("resume")).code).toBe(4);
  await askedOnce(rig, { path: "b.txt", of: [], is_own: true });
});

test("a person who mends it by undoing the work of others is asked once", async () => {
  await using rig = await mendedBy("true", { code: 4, attempts: 0, front: { branch: "feat/two" } });
  const worktree = (await attemptsOfTwo(rig)).at(-1)!.worktree;
  const command = "git rm -qf a.txt a.md && git commit -qm drop";
  execFileSync("sh", ["-c", command], { cwd: worktree, env: rig.env, stdio: "pipe" });
  rig.ok("task", "approve", "two/E01");
  expect((await rig.owt("resume")).code).toBe(4);
  const lost = "its red check was mended by undoing work of others: nothing of one/E01's change in a.md is left";
  const { waiting } = await rig.json<{ waiting: { why: string; command: string }[] }>("inbox");
  expect(waiting).toMatchObject([{ why: expect.stringContaining(lost), command: "owt task approve two/E01" }]);
  rig.ok("task", "approve", "two/E01");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(await lostOfTwo(rig)).toEqual(["a.md", "a.txt"].map((path) => ({ path, of: ["one/E01"], is_own: false })));
});
