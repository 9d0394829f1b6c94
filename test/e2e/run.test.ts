/** `owt run`: a plan comes home. */
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { demoConfig, fileAppears, processesBelow, Rig, startTwoBehindOne, task } from "../rig/rig.ts";

test("a task starts from the integrated work of everything it depends on", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/shop/epic-01-schema.md": task({}, 'write schema.sql "create table a;"\ncommit "schema"'),
    "docs/plans/shop/epic-02-api.md": task({}, 'run "test" "-f" "schema.sql"\nwrite api.txt "api"\ncommit "api"'),
    "docs/plans/web/epic-01-page.md": task(
      { depends_on: ["shop/E02"] },
      'run "test" "-f" "api.txt"\nwrite page.txt "page"\ncommit "page"',
    ),
  });
  const ran = await rig.owt("run", "--yes");
  expect(ran.stderr + ran.stdout).toContain("3 of 3 tasks integrated");
  expect(ran.code).toBe(0);
  expect(rig.integrations("owt/runs/r1")).toEqual(["shop/E01", "shop/E02", "web/E01"]);
  expect(rig.show("owt/runs/r1", "page.txt")).toBe("page");
});

test("nothing is left behind, and the user's checkout is as it was", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/shop/epic-01-a.md": task({}, "") });
  const before = rig.git("rev-parse", "HEAD");
  await rig.owt("run", "--yes");
  expect(rig.git("worktree", "list").split("\n")).toHaveLength(1);
  expect(rig.git("branch", "--format=%(refname:short)").split("\n")).toEqual(["main", "owt/runs/r1"]);
  expect(existsSync(rig.path("shop-owt"))).toBe(false);
  expect(rig.git("status", "--porcelain")).toBe("");
  expect(rig.git("rev-parse", "HEAD")).toBe(before);
  expect(processesBelow(rig.home)).toEqual([]);
});

test("a task without steps writes and commits one file; the default agent can be chosen by flag", async () => {
  await using rig = Rig.create({ "docs/plans/shop/epic-01-a.md": "# A task\n\nDo it.\n" });
  expect((await rig.owt("run", "--yes", "--agent", "demo")).code).toBe(0);
  expect(rig.show("owt/runs/r1", "demo/shop+E01.md")).toContain("shop/E01");
});

test("a failure stops only what depends on it, and the end names the command that retries it", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nretries = 0\n`,
    "docs/plans/shop/epic-01-bad.md": task({}, 'fail "the sky fell"'),
    "docs/plans/shop/epic-02-after.md": task({}, ""),
    "docs/plans/shop/epic-03-after.md": task({}, ""),
    "docs/plans/web/epic-01-free.md": task({}, ""),
  });
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(1);
  expect(ran.stdout).toContain("the sky fell");
  expect(ran.stdout).toContain("owt task retry shop/E01");
  expect(rig.integrations("owt/runs/r1")).toEqual(["web/E01"]);
  const { tasks } = await rig.json<{ tasks: { id: string; state: string; why: string }[] }>("task", "list");
  expect(tasks.map((each) => [each.id, each.state])).toEqual([
    ["shop/E01", "failed"],
    ["shop/E02", "skipped"],
    ["shop/E03", "skipped"],
    ["web/E01", "done"],
  ]);
});

test("a retried task takes up what was skipped because of it", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nretries = 0\n`,
    "docs/plans/shop/epic-01-bad.md": task({}, 'run "test" "-f" "/nonexistent"\nwrite a.txt "a"'),
    "docs/plans/shop/epic-02-after.md": task({}, ""),
  });
  rig.write({ "docs/plans/shop/epic-01-bad.md": task({}, `run "test" "-f" "${rig.path("mended")}"\nwrite a.txt "a"`) });
  rig.commit("plan");
  expect((await rig.owt("run", "--yes")).code).toBe(1);
  rig.release("mended");
  const retried = await rig.json<{ tasks: string[] }>("task", "retry", "--failed");
  expect(retried.tasks).toEqual(["shop/E01", "shop/E02"]);
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1")).toEqual(["shop/E01", "shop/E02"]);
});

test("two tasks that end without a change are nothing_done: failed with a reason, what depends on them is skipped, nothing stays pending", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/shop/epic-01-idle.md": task({}, 'say "all is well already"'),
    "docs/plans/web/epic-01-idle.md": task({}, 'say "nothing to do here"'),
    "docs/plans/end/epic-01-after.md": task({ depends_on: ["shop/E01", "web/E01"] }, ""),
  });
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(1);
  const { tasks } = await rig.json<{ tasks: { id: string; state: string; why: string }[] }>("task", "list");
  expect(tasks.map((each) => each.state).toSorted()).toEqual(["failed", "failed", "skipped"]);
  expect(tasks.find((each) => each.id === "shop/E01")?.why).toContain("all is well already");
});

test("an agent's leftovers are committed by us, but never the env files that we brought", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/shop/epic-01-a.md": task(
      {},
      'run "test" "-f" ".env"\nwrite left.txt "left over"\nwrite .claude/settings.local.json "{}"',
    ),
  });
  writeFileSync(`${rig.root}/.env`, `ROOT=${rig.root}/data\nOTHER=${rig.root}-data\n`);
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(0);
  expect(rig.show("owt/runs/r1", "left.txt")).toBe("left over");
  expect(rig.show("owt/runs/r1", ".env")).toBeNull();
  expect(rig.show("owt/runs/r1", ".claude/settings.local.json")).toBeNull();
});

test("env files come along private, with their paths adjusted, into task and integration worktree alike; setup runs in both", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[environment]\ninstall_command = "pwd >> ../../setup.log && cp .env ../../env-$(basename $PWD)"\n[run]\nverify = "test -f .env"\n`,
    ".gitignore": ".env\n",
    "docs/plans/shop/epic-01-a.md": task({}, 'write a.txt "a"'),
    "docs/plans/web/epic-01-b.md": task({}, 'write b.txt "b"'),
  });
  writeFileSync(`${rig.root}/.env`, `ROOT=${rig.root}/data\nOTHER=${rig.root}-data\n`, { mode: 0o644 });
  const ran = await rig.owt("run", "--yes");
  expect(ran.stdout + ran.stderr).toContain("2 of 2");
  const places = readFileSync(rig.path("setup.log"), "utf8").trim().split("\n");
  expect(places.some((place) => place.endsWith("/r1"))).toBe(true);
  expect(places.some((place) => /shop-e01-\d+$/.test(place))).toBe(true);
  const integration = readFileSync(rig.path("env-r1"), "utf8");
  expect(integration).toBe(`ROOT=${rig.path("shop-owt")}/r1/data\nOTHER=${rig.root}-data\n`);
  expect(statSync(rig.path("env-r1")).mode & 0o077).toBe(0);
});

test("commands of the repository run only after an approval, and --yes is none", async () => {
  await using rig = Rig.create(
    {
      ".worktreerc": `${demoConfig}[run]\nverify = "touch ../ran"\n`,
      "docs/plans/shop/epic-01-a.md": task({ verify: "true" }, ""),
    },
    { approve: false },
  );
  const refused = await rig.owt("run", "--yes");
  expect(refused.code).toBe(4);
  expect(refused.stderr).toContain("touch ../ran");
  expect(refused.stderr).toContain("owt config approve");
  expect(existsSync(rig.path("ran"))).toBe(false);
  expect((await rig.owt("config", "approve", "--yes")).code).toBe(0);
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  // Bound to their content: a changed command asks again.
  rig.write({ ".worktreerc": `${demoConfig}[run]\nverify = "touch ../other"\n` });
  expect((await rig.owt("run", "--yes", "--again")).code).toBe(4);
});

test("off a terminal a run needs --yes", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/shop/epic-01-a.md": task({}, "") });
  const ran = await rig.owt("run");
  expect(ran.code).toBe(2);
  expect(ran.stderr).toContain("owt run --yes");
});

test("a failing verify goes back to the same conversation, up to the limit", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = "grep -q good state.txt || { echo state is bad; exit 3; }"\nverify_attempts = 1\n`,
    "state.txt": "good\n",
    "docs/plans/shop/epic-01-mends.md": task(
      {},
      'write state.txt "bad"\non repair:\nwrite state.txt "good"\nwrite turn.txt "{turn}"',
    ),
    "docs/plans/web/epic-01-stubborn.md": task(
      {},
      'write other.txt "x"\nwrite state.txt "bad too"\non repair:\nwrite other.txt "still {turn}"',
    ),
  });
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(1);
  expect(rig.integrations("owt/runs/r1")).toEqual(["shop/E01"]);
  expect(rig.show("owt/runs/r1", "turn.txt")).toBe("2");
  const { task: stubborn } = await rig.json<{ task: { attempts: { outcome: string; session: string }[] } }>(
    "task",
    "show",
    "web/E01",
  );
  expect(stubborn.attempts.map((each) => each.outcome)).toEqual([
    expect.stringContaining("verify failed"),
    expect.stringContaining("verify failed"),
  ]);
  expect(new Set(stubborn.attempts.map((each) => each.session)).size).toBe(1);
});

test("work outside what its task may touch goes back to the same conversation, and never comes in", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify_attempts = 1\n`,
    "shared.txt": "as it was\n",
    "docs/plans/shop/epic-01-strays.md": task(
      { touches: ["shop"] },
      'write shop/a.txt "a"\nwrite shared.txt "changed"\ncommit "both"\non repair:\nwrite shared.txt "as it was\\n"',
    ),
    "docs/plans/web/epic-01-stubborn.md": task(
      { touches: ["web", "docs/*.md"] },
      'write web/b.txt "b"\nwrite docs/b.md "b"\nwrite other.txt "x"\non repair:\nwrite web/c.txt "c"',
    ),
    "docs/plans/open/epic-01-free.md": task({}, 'write other/free.txt "x"'),
  });
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(1);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(["open/E01", "shop/E01"]);
  expect(rig.show("owt/runs/r1", "shared.txt")).toBe("as it was\n");
  expect(ran.stderr).toContain("web/E01 failed: verify failed: something outside what the task touches was changed");
  expect(ran.stderr).toContain("shop/E01 changed what it may not touch: shared.txt");
  const why = (await rig.owt("logs", "web/E01")).stdout;
  expect(why).toContain("This task may change nothing but: web, docs/*.md\n");
  expect(why).toMatch(/It changed also:\n\s+other\.txt\n/);
  const { task: strays } = await rig.json<{ task: { attempts: { session: string }[] } }>("task", "show", "shop/E01");
  expect(new Set(strays.attempts.map((each) => each.session)).size).toBe(1);
});

test("conflict markers that an agent commits go back to its conversation with file and line, also where there is no check", async () => {
  // Whichever comes second.
  const clash = (text: string) =>
    `conflict shared.txt\non conflict:\nwrite shared.txt "${text}"\ncommit "as it is"\non repair:\nwrite shared.txt "both\\n"`;
  const markers = "<<<<<<< mine\\na\\n=======\\nb\\n>>>>>>> theirs\\n";
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify_attempts = 1\n`,
    "docs/plans/shop/epic-01-mends.md": task(
      {},
      `write shop.txt "one\\n${markers}"\ncommit "both"\non repair:\nwrite shop.txt "a and b\\n"`,
    ),
    "docs/plans/web/epic-01-stubborn.md": task({}, `write web.txt "${markers}"\non repair:\nwrite other.txt "x"`),
    "docs/plans/one/epic-01-a.md": task({}, clash(markers)),
    "docs/plans/two/epic-01-b.md": task({}, clash(markers)),
  });
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).not.toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(["one/E01", "shop/E01", "two/E01"]);
  expect(rig.show("owt/runs/r1", "shop.txt")).toBe("a and b\n");
  expect(rig.show("owt/runs/r1", "shared.txt")).toBe("both\n");
  expect(ran.stderr).toContain("shop/E01 left conflict markers: shop.txt:2, shop.txt:4, shop.txt:6");
  expect((await rig.owt("logs", "web/E01")).stdout).toMatch(/still holds conflict markers:\n\s+web\.txt:1\n/);
  const { task: mends } = await rig.json<{ task: { attempts: { session: string }[] } }>("task", "show", "shop/E01");
  expect(new Set(mends.attempts.map((each) => each.session)).size).toBe(1);
});

test("work that is green alone and red with the others goes back with the others' work merged in", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = "test ! -f a.txt || test ! -f b.txt || test -f both.txt"\n`,
    "docs/plans/one/epic-01-a.md": task(
      {},
      'write a.txt "a"\non repair:\nrun "test" "-f" "b.txt"\nwrite both.txt "both"',
    ),
    "docs/plans/two/epic-01-b.md": task(
      {},
      'write b.txt "b"\non repair:\nrun "test" "-f" "a.txt"\nwrite both.txt "both"',
    ),
  });
  const ran = await rig.owt("run", "--yes");
  expect(ran.stdout).toContain("2 of 2");
  expect(rig.show("owt/runs/r1", "both.txt")).toBe("both");
  expect(ran.stderr).toContain("merged work fails");
});

test("one after the other, each task starts from the one before: no conflict", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/one/epic-01-a.md": task({}, "conflict shared.txt"),
    "docs/plans/two/epic-01-b.md": task({}, "conflict shared.txt"),
  });
  const ran = await rig.owt("run", "--yes", "--sequential");
  expect(ran.code).toBe(0);
  expect(ran.stderr).not.toContain("conflicts");
});

test("a conflict goes back once to the agent, with both sides named and the merge started in its worktree", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, 'write shared.txt "one"'),
    "docs/plans/two/epic-01-b.md": task(
      {},
      `touch ${rig.path("two-runs")}\nwait ${rig.path("gate")}\nwrite shared.txt "two"\non conflict:\nrun "grep" "-q" "<<<<<<<" "shared.txt"\nwrite shared.txt "one, two"`,
    ),
  });
  rig.commit("plan");
  const run = await startTwoBehindOne(rig);
  expect((await run.ended).code).toBe(0);
  expect(rig.show("owt/runs/r1", "shared.txt")).toBe("one, two");
  const { task: two } = await rig.json<{ task: { attempts: { folder: string }[] } }>("task", "show", "two/E01");
  const prompt = readFileSync(`${two.attempts.at(-1)!.folder}/prompt`, "utf8");
  expect(prompt).toContain("Files in conflict: shared.txt");
  expect(prompt).toMatch(/This side: [0-9a-f]{40}/);
  expect(prompt).toMatch(/The other side: [0-9a-f]{40}, with what came in since this task began: one\/E01 \(.+\)\./);
});

test("a conflict that the agent leaves open waits for a person, who resolves it by hand", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/one/epic-01-a.md": task({}, "PLACEHOLDER"),
    "docs/plans/two/epic-01-b.md": task({}, ""),
  });
  const gate = rig.path("gate");
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, 'write shared.txt "one"'),
    "docs/plans/two/epic-01-b.md": task(
      // Its work stays on this branch, so that to begin anew would lead nowhere.
      { branch: "two" },
      `touch ${rig.path("two-runs")}\nwait ${gate}\nwrite shared.txt "two"\non conflict:\nsay "cannot decide"`,
    ),
  });
  rig.commit("plan");
  const run = await startTwoBehindOne(rig);
  const ran = await run.ended;
  expect(ran.code).toBe(4);
  const { waiting } = await rig.json<{ waiting: { task: string; why: string }[] }>("inbox");
  expect(waiting).toEqual([
    expect.objectContaining({ task: "two/E01", why: expect.stringContaining("conflict in shared.txt") }),
  ]);
  const shown = await rig.json<{ task: { attempts: { worktree: string; outcome: string }[] } }>(
    "task",
    "show",
    "two/E01",
  );
  expect(shown.task.attempts.map((each) => each.outcome)).toEqual([
    "conflicts in shared.txt",
    "conflicts in shared.txt",
  ]);
  const early = await rig.owt("task", "approve", "two/E01");
  expect([early.code, early.stderr]).toEqual([4, expect.stringMatching(/not resolved yet in .*: shared\.txt/)]);
  writeFileSync(`${shown.task.attempts.at(-1)!.worktree}/shared.txt`, "one and two");
  expect((await rig.owt("task", "approve", "two/E01")).code).toBe(0);
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.show("owt/runs/r1", "shared.txt")).toBe("one and two");
});

test("a conflict that the agent leaves open is begun anew from what is there, told what the attempt before met; that one's work is kept", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, 'write shared.txt "one"'),
    "docs/plans/two/epic-01-b.md": task(
      {},
      `touch ${rig.path("two-runs")}\nwait ${rig.path("gate")}\nappend shared.txt ", two"\non conflict:\nsay "cannot decide"`,
    ),
  });
  rig.commit("plan");
  const run = await startTwoBehindOne(rig);
  expect((await run.ended).code).toBe(0);
  expect(rig.show("owt/runs/r1", "shared.txt")).toBe("one, two");
  const { task: two } = await rig.json<{ task: { attempts: { folder: string; outcome: string; session: string }[] } }>(
    "task",
    "show",
    "two/E01",
  );
  expect(two.attempts.map((each) => each.outcome)).toEqual([
    "conflicts in shared.txt",
    "conflicts in shared.txt",
    "done",
  ]);
  expect(two.attempts[0]!.session).toBe(two.attempts[1]!.session);
  expect(two.attempts[2]!.session).not.toBe(two.attempts[1]!.session);
  const prompt = readFileSync(`${two.attempts[2]!.folder}/prompt`, "utf8");
  const ours = /did its work \(commit ([0-9a-f]{40})\)/.exec(prompt)![1]!;
  expect(prompt).toContain("Both changed the same places in: shared.txt.");
  expect(rig.show(ours, "shared.txt")).toBe(", two");
  expect((await rig.owt("restore")).stdout).toContain("attempt 2 of two/E01");
});

test("work that stays red with the others is begun anew, and then is a person's, with the merge in the worktree", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nverify = "test ! -f a.txt || test ! -f b.txt || test -f both.txt"\nverify_attempts = 1\n`,
  });
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, 'write a.txt "a"'),
    "docs/plans/two/epic-01-b.md": task(
      {},
      `touch ${rig.path("two-runs")}\nwait ${rig.path("gate")}\nwrite b.txt "b {turn}"\non repair:\nappend b.txt "more"`,
    ),
    "docs/plans/three/epic-01-c.md": task({ depends_on: ["two/E01"] }, ""),
  });
  rig.commit("plan");
  rig.ok("config", "approve", "--yes");
  const run = await startTwoBehindOne(rig);
  expect((await run.ended).code).toBe(4);
  const { task: two } = await rig.json<{
    task: { attempts: { folder: string; worktree: string; outcome_kind: string }[] };
  }>("task", "show", "two/E01");
  // Its own conversation, once more there, then anew: red at once, since the other work is there from the start, and once more.
  expect(two.attempts.length).toBeGreaterThanOrEqual(4);
  const prompts = two.attempts.map(({ folder }) => readFileSync(`${folder}/prompt`, "utf8"));
  const anew = prompts.findIndex((prompt) => prompt.includes("## What an earlier attempt met"));
  expect(anew).toBe(2);
  expect(prompts[anew]).toContain("with both, this check fails: `test ! -f a.txt");
  const { waiting } = await rig.json<{ waiting: { task: string; why: string }[] }>("inbox");
  expect(waiting).toEqual([
    expect.objectContaining({
      task: "two/E01",
      why: expect.stringMatching(/^red with the work of one\/E01: test ! -f/),
    }),
  ]);
  expect(rig.ok("inbox")).toContain("owt task approve two/E01");
  const { worktree } = two.attempts.at(-1)!;
  expect(existsSync(`${worktree}/a.txt`)).toBe(true);
  // Approved as it is, it is red as before, and waits on.
  rig.ok("task", "approve", "two/E01");
  const still = await rig.owt("resume");
  expect(still.code).toBe(4);
  expect(still.stdout).toContain("red with the work of one/E01: test ! -f");
  writeFileSync(`${worktree}/both.txt`, "both");
  rig.ok("task", "approve", "two/E01");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(["one/E01", "three/E01", "two/E01"]);
});
test("a question parks its task only; the answer goes on with the conversation", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/shop/epic-01-asks.md": task(
      {},
      'write before.txt "kept"\nask "Which colour?"\non answer:\nwrite colour.txt "{answer}"',
    ),
    "docs/plans/web/epic-01-free.md": task({}, ""),
  });
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(4);
  expect(rig.integrations("owt/runs/r1")).toEqual(["web/E01"]);
  expect((await rig.owt("inbox")).stdout).toContain("Which colour?");
  expect((await rig.owt("task", "answer", "shop/E01", "dark blue")).code).toBe(0);
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  expect(rig.show("owt/runs/r1", "colour.txt")).toBe("dark blue");
  expect(rig.show("owt/runs/r1", "before.txt")).toBe("kept");
});

test("needs_review waits for an approval before anything is integrated", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/shop/epic-01-a.md": task({ needs_review: true }, ""),
    "docs/plans/shop/epic-02-b.md": task({}, ""),
  });
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  expect(rig.integrations("owt/runs/r1")).toEqual([]);
  await rig.owt("task", "approve", "shop/E01");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1")).toEqual(["shop/E01", "shop/E02"]);
});

test("a timeout ends the agent and everything it started", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\ntimeout = "2s"\nretries = 0\ngrace = "1s"\n`,
    "docs/plans/shop/epic-01-hangs.md": task({}, "spawn\nhang"),
  });
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(1);
  expect(ran.stdout).toContain("was stopped after 2 s");
  expect(processesBelow(rig.home)).toEqual([]);
});

test("a cancel from another terminal stops the agent, saves its work, and skips what depends on it", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\ngrace = "1s"\n`,
    "docs/plans/shop/epic-01-hangs.md": task({}, ""),
    "docs/plans/shop/epic-02-after.md": task({}, ""),
  });
  rig.write({
    "docs/plans/shop/epic-01-hangs.md": task({}, `write half.txt "half"\nspawn\ntouch ${rig.path("hangs")}\nhang`),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("hangs"));
  expect((await rig.owt("task", "cancel", "shop/E01")).code).toBe(0);
  const ran = await run.ended;
  expect(ran.code).toBe(1);
  expect(processesBelow(rig.home)).toEqual([]);
  const { rescues } = await rig.json<{ rescues: { id: string }[] }>("restore");
  expect(rescues).toHaveLength(1);
  expect((await rig.owt("restore", rescues[0]!.id, "--path", rig.path("back"))).code).toBe(0);
  expect(readFileSync(rig.path("back/half.txt"), "utf8")).toBe("half");
});

test("what was cancelled, and what is left out for it, is no failure beside work that was done", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
  });
  rig.write({
    "docs/plans/shop/epic-01-hangs.md": task({}, `touch ${rig.path("hangs")}\nhang`),
    "docs/plans/shop/epic-02-after.md": task({}, 'write b.txt "b"'),
    "docs/plans/web/epic-01-works.md": task({}, 'write c.txt "c"'),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("hangs"));
  rig.ok("task", "cancel", "shop/E01");
  const ran = await run.ended;
  expect(ran.stdout).toMatch(/shop\/E02 +skipped/);
  expect(ran.code).toBe(0);
});

test("Ctrl-C parks the agents with their conversations; the same command goes on", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\ngrace = "1s"\n`,
    "docs/plans/shop/epic-01-a.md": task({}, ""),
  });
  rig.write({
    "docs/plans/shop/epic-01-a.md": task(
      {},
      `write half.txt "half"\nlog ${rig.path("turns")} "turn {turn}"\ntouch ${rig.path("works")}\nwait ${rig.path("gate")}\nwrite whole.txt "whole"`,
    ),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("works"));
  run.child.kill("SIGINT");
  const stopped = await run.ended;
  expect(stopped.code).toBe(130);
  expect(stopped.stderr).toContain("owt resume");
  expect(processesBelow(rig.home)).toEqual([]);
  rig.release("gate");
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  expect(rig.show("owt/runs/r1", "whole.txt")).toBe("whole");
  // The conversation went on behind the steps it had played, in its own worktree.
  expect(readFileSync(rig.path("turns"), "utf8")).toBe("turn 1\n");
});

test("kill -9: the agent lives on and is adopted, not started again", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/shop/epic-01-a.md": task({}, "") });
  rig.write({
    "docs/plans/shop/epic-01-a.md": task(
      {},
      `log ${rig.path("starts")} "{pid}"\nwait ${rig.path("gate")}\nwrite a.txt "a"\ncommit "a"`,
    ),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("starts"));
  run.child.kill("SIGKILL");
  await run.ended;
  const next = rig.start("run", "--yes");
  await next.says("going on with r1");
  rig.release("gate");
  expect((await next.ended).code).toBe(0);
  expect(readFileSync(rig.path("starts"), "utf8").trim().split("\n")).toHaveLength(1);
  expect(rig.integrations("owt/runs/r1")).toEqual(["shop/E01"]);
});

test("a second owt run is a viewer with a clear line, and takes over when the first one dies", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/shop/epic-01-a.md": task({}, "") });
  rig.write({
    "docs/plans/shop/epic-01-a.md": task(
      {},
      `log ${rig.path("starts")} "x"\nwait ${rig.path("gate")}\nwrite a.txt "a"`,
    ),
  });
  rig.commit("plan");
  const first = rig.start("run", "--yes");
  await fileAppears(rig.path("starts"));
  const second = rig.start("run", "--yes");
  await second.says(`another owt (pid ${first.child.pid})`);
  first.child.kill("SIGKILL");
  await first.ended;
  rig.release("gate");
  expect((await second.ended).code).toBe(0);
  expect(readFileSync(rig.path("starts"), "utf8")).toBe("x\n");
});

test("Ctrl-C in a viewer closes the view only", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/shop/epic-01-a.md": task({}, `touch ${rig.path("works")}\nwait ${rig.path("gate")}\nwrite a.txt "a"`),
  });
  rig.commit("plan");
  const first = rig.start("run", "--yes");
  await fileAppears(rig.path("works"));
  const second = rig.start("run", "--yes");
  await second.says("another owt");
  second.child.kill("SIGINT");
  const closed = await second.ended;
  expect(closed.code).toBe(130);
  expect(closed.stderr).toContain("the run goes on");
  rig.release("gate");
  expect((await first.ended).code).toBe(0);
});

test("Ctrl-C before anybody carries the run does not say that it goes on", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({ "docs/plans/shop/epic-01-a.md": task({}, `wait ${rig.path("gate")}\nwrite a.txt "a"`) });
  rig.commit("plan");
  const said: string[] = [];
  for (const words of [["run", "--yes"], ["resume"], ["resume"], ["resume"]]) {
    const owt = rig.start(...words);
    await owt.says("r1");
    owt.child.kill("SIGINT");
    const { code, stderr } = await owt.ended;
    expect(code).toBe(130);
    said.push(stderr);
  }
  for (const each of said) {
    expect(each).toMatch(/r1 is (?:parked|open, and nobody carries it now): .* kept\n {2}↳ go on with: owt resume r1/);
    expect(each).not.toContain("goes on");
  }
  rig.release("gate");
  expect((await rig.owt("resume")).code).toBe(0);
});

test("a plan run again skips what is done, told by its content; --again repeats; a changed task runs", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/shop/epic-01-a.md": task({}, 'append a.txt "1\\n"'),
    "docs/plans/web/epic-01-b.md": task({}, ""),
  });
  await rig.owt("run", "--yes");
  expect((await rig.owt("run", "--yes")).stdout).toContain("nothing to do");
  rig.write({ "docs/plans/shop/epic-01-a.md": task({}, 'append a.txt "2\\n"') });
  rig.commit("changed");
  const second = await rig.owt("run", "--yes");
  expect(second.stderr).toContain("builds on r1");
  expect(rig.integrations("main..owt/runs/r2")).toContain("shop/E01");
  expect(rig.show("owt/runs/r2", "a.txt")).toBe("1\n2\n");
  const fromTarget = await rig.owt("run", "--yes", "--from-target");
  expect(fromTarget.code).toBe(0);
  expect(rig.show("owt/runs/r3", "a.txt")).toBe("2\n");
});

test("naming a task whose upstreams are not done is refused with their names", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/shop/epic-01-a.md": task({}, ""),
    "docs/plans/shop/epic-02-b.md": task({}, ""),
  });
  const ran = await rig.owt("run", "--yes", "shop/E02");
  expect(ran.code).toBe(2);
  expect(ran.stderr).toContain("shop/E01");
  expect((await rig.owt("run", "--yes", "shop/E02", "--with-upstreams")).code).toBe(0);
  expect((await rig.owt("run", "--yes", "shop/E09")).stderr).toContain("did you mean shop/E0");
});

test("a text is a task; written-down tasks wait for the next run, with branch and dependencies", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  expect((await rig.owt("run", "--yes", "add a login page")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1")).toEqual(["add-a-login-page"]);
  const first = await rig.json<{ task: string }>("task", "create", "draw the logo", "--branch", "feat/logo");
  await rig.json("task", "create", "print the logo", "--depends-on", first.task);
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1..owt/runs/r2")).toEqual(["draw-the-logo", "print-the-logo"]);
  expect(rig.git("branch", "--list", "feat/logo")).toContain("feat/logo");
});

test("any program can be the agent", async () => {
  await using rig = Rig.create({
    ".worktreerc": '[agent]\ndefault = "mine"\n[agent.mine]\ncommand = ["my-agent", "--fast"]\n',
    "docs/plans/shop/epic-01-a.md": "# Make a file\n\nPlease.\n",
  });
  rig.addProgram("my-agent", '#!/bin/sh\ncat > prompt.txt\necho "$1 $OWT_TASK" > made.txt\n');
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  expect(rig.show("owt/runs/r1", "made.txt")).toBe("--fast shop/E01\n");
  expect(rig.show("owt/runs/r1", "prompt.txt")).toContain("Please.");
});

test("an agent's environment is allow-listed", async () => {
  await using rig = Rig.create(
    {
      ".worktreerc": '[agent]\ndefault = "mine"\n[agent.mine]\ncommand = ["my-agent"]\n',
      "docs/plans/shop/epic-01-a.md": "# A\n",
    },
    { env: { SECRET_TOKEN: "s3cret", npm_config_x: "1", CLAUDECODE: "1", ANTHROPIC_API_KEY: "key" } },
  );
  rig.addProgram("my-agent", "#!/bin/sh\nenv > env.txt\n");
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  const env = rig.show("owt/runs/r1", "env.txt")!;
  expect(env).not.toMatch(/SECRET_TOKEN|npm_config|CLAUDECODE=/);
  expect(env).toMatch(/^ANTHROPIC_API_KEY=key$/m);
  expect(env).not.toMatch(/node_modules\/\.bin/);
});

test("continuous dispatch: a finished task's downstream starts while a slow neighbour still runs; priorities first", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/a/epic-01-a.md": task({}, "") });
  rig.write({
    "docs/plans/slow/epic-01-slow.md": task({}, `wait ${rig.path("gate")}\nwrite slow.txt "s"`),
    "docs/plans/a/epic-01-a.md": task({}, ""),
    "docs/plans/a/epic-02-b.md": task({}, `touch ${rig.path("second-ran")}\nwrite b.txt "b"`),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes", "--parallel", "2");
  await fileAppears(rig.path("second-ran"));
  rig.release("gate");
  expect((await run.ended).code).toBe(0);
});

test("--dry-run and --json: the answer is on stdout, the narration on stderr", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/shop/epic-01-a.md": task({ priority: "high" }, ""),
  });
  const dry = await rig.json<{ tasks: { id: string }[] }>("run", "--dry-run");
  expect(dry.tasks.map((each) => each.id)).toEqual(["shop/E01"]);
  expect(rig.git("branch", "--list", "owt/*")).toBe("");
  const data = await rig.json<{ run: string; counts: Record<string, number> }>("run", "--yes");
  expect(data).toMatchObject({ run: "r1", counts: { done: 1 } });
});

test("with [run] fetch a target that is behind its remote is no stale base", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nfetch = true\n`,
    "docs/plans/shop/epic-01-a.md": task({}, 'run "test" "-f" "newer.txt"\nwrite a.txt "a"'),
  });
  rig.git("clone", "-q", "--bare", rig.root, rig.path("remote.git"));
  rig.git("remote", "add", "origin", rig.path("remote.git"));
  rig.git("clone", "-q", rig.path("remote.git"), rig.path("other"));
  writeFileSync(rig.path("other/newer.txt"), "n");
  rig.git("-C", rig.path("other"), "add", "-A");
  rig.git("-C", rig.path("other"), "commit", "-qm", "newer");
  rig.git("-C", rig.path("other"), "push", "-q", "origin", "main");
  const ran = await rig.owt("run", "--yes");
  expect(ran.stderr).toContain("main is behind origin/main");
  expect(ran.code).toBe(0);
  expect((await rig.owt("land")).code).toBe(0);
});

test("the place of a task that ends goes to what follows on the longest path, not to whatever was ready meanwhile", async () => {
  const steps = (body: string) => `\`\`\`demo\n${body}\n\`\`\`\n`;
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "feature_list.json": JSON.stringify({
      features: [
        { id: "head", depends_on: [], estimated_tokens: 9000 },
        { id: "long", depends_on: [], estimated_tokens: 90_000 },
        { id: "brief", depends_on: [], estimated_tokens: 10 },
        { id: "tail", depends_on: ["head"], estimated_tokens: 90_000 },
      ],
    }),
  });
  const gate = rig.path("gate");
  rig.write({
    "head.md": steps('write head.txt "x"'),
    "long.md": steps(`wait ${gate}\nwrite long.txt "x"`),
    "brief.md": steps('write brief.txt "x"'),
    "tail.md": steps('write tail.txt "x"'),
  });
  rig.commit("prompts");
  const run = rig.start("run", "--yes", "--parallel", "2");
  await run.says("brief integrated");
  writeFileSync(gate, "");
  const { code, stderr } = await run.ended;
  expect(code).toBe(0);
  const starts = [...stderr.matchAll(/◎ (\w+) started/g)].map((match) => match[1]);
  expect(starts.slice(0, 2).toSorted()).toEqual(["head", "long"]);
  expect(starts.slice(2)).toEqual(["tail", "brief"]);
});
