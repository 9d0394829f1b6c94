/** Notifications: told once, to those who are to be told and nobody else, without secrets, and without holding anything up. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test, vi } from "vitest";
import { demoConfig, Rig, task } from "../rig/rig.ts";
import { Receiver } from "../rig/receiver.ts";

const seen = <T>(look: () => T | Promise<T>) => vi.waitFor(look, { interval: 50, timeout: 60_000 });

/** A part of an address that must not be seen anywhere. */
const SECRET = "T0SECRET0path";

/** A repository with these tasks, and a user's configuration of these lines. */
function create(tasks: Record<string, string>, user: string, config = demoConfig): Rig {
  const rig = Rig.create({ ".worktreerc": config });
  rig.userFile("config.toml", user);
  for (const [name, text] of Object.entries(tasks)) rig.write({ [`docs/plans/${name}/epic-01-${name}.md`]: text });
  rig.commit("the plan");
  return rig;
}

test("an address in a variable that is not set: validate, doctor, the start of a run and a try each name the variable, its key and file", async () => {
  const rig = create({ a: task({}, 'write a.txt "a"') }, '[notifications]\nslack_webhook = "env:NOSUCHHOOK"\n');
  await using _ = rig;
  const where = /config\.toml:2:\d+ notifications\.slack_webhook: the variable NOSUCHHOOK is not set/;
  const validated = await rig.owt("config", "validate");
  expect([validated.code, validated.stdout]).toEqual([3, expect.stringMatching(where)]);
  expect((await rig.owt("doctor")).stdout).toMatch(where);
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(0);
  expect(ran.stderr.match(new RegExp(where, "g"))).toHaveLength(1);
  expect((await rig.owt("notify")).stdout).toContain("slack (env:NOSUCHHOOK): the variable NOSUCHHOOK is not set");
  rig.env["NOSUCHHOOK"] = "https://127.0.0.1:1/x";
  expect((await rig.owt("config", "validate")).code).toBe(0);
});

/** The outbox, as it stands on disk. */
function outboxOf(rig: Rig): { key: string; state: string; reached: string }[] {
  const db = new DatabaseSync(join(rig.root, ".git/owt/state.db"), { readOnly: true, timeout: 5_000 });
  try {
    return db.prepare("select key, state, reached from outbox order by id").all() as never;
  } finally {
    db.close();
  }
}

test("whatever begins to wait for a person, and the end of the run, is told once, to each in its own form, with the command that answers", async () => {
  await using receiver = await Receiver.start();
  await using rig = create(
    {
      ask: task(
        { title: "Ask <me> & more" },
        'ask "Which colour? my password is hunter2"\non answer:\nwrite ask.txt "x"',
      ),
      look: task({ title: "Look", needs_review: true }, 'write look.txt "x"'),
      fail: task({ title: "Fail with ghp_0123456789abcdef" }, 'fail "no way"'),
      fine: task({ title: "Fine" }, 'write fine.txt "x"'),
    },
    `[run]\nretries = 0\n[notifications]\nslack_webhook = "${receiver.url}/slack/${SECRET}"\ndiscord_webhook = "env:MY_DISCORD"\n` +
      `[[notifications.webhook]]\nurl = "file:~/hook"\n[[notifications.webhook]]\nurl = "${receiver.url}/ends"\nevents = ["run-ended"]\n`,
  );
  rig.env["MY_DISCORD"] = `${receiver.url}/discord/${SECRET}`;
  writeFileSync(join(rig.home, "home", "hook"), `${receiver.url}/hook/${SECRET}\n`);
  expect((await rig.owt("run", "--yes")).code).toBe(1);

  const told = receiver.notices(`/hook/${SECRET}`);
  const waiting = (name: string, title: string, says: string, command: string) => ({
    event: "waiting",
    project: "shop",
    run: "r1",
    task: `${name}/E01`,
    title: `${name}/E01 (${title}) ${says}`,
    command,
  });
  expect(told.toSorted((a, b) => (a.task! < b.task! ? -1 : 1))).toMatchObject([
    waiting("ask", "Ask <me> & more", "asks a question", 'owt task answer ask/E01 "…"'),
    waiting("fail", "Fail with (hidden)", "failed", "owt task retry fail/E01"),
    waiting("look", "Look", "waits for approval", "owt task approve look/E01"),
  ]);
  const of = (path: string) =>
    receiver.posts.filter((post) => post.path === `/${path}/${SECRET}`).map(({ body }) => body);
  expect(of("slack")).toContainEqual({
    text: '*shop*: ask/E01 (Ask &lt;me&gt; &amp; more) asks a question\n`owt task answer ask/E01 "…"`',
  });
  expect(of("discord")).toContainEqual({
    content: "**shop**: look/E01 (Look) waits for approval\n`owt task approve look/E01`",
    allowed_mentions: { parse: [] },
  });
  // No words of agents go out.
  expect(JSON.stringify(receiver.posts)).not.toMatch(/hunter2|Which colour|no way/);
  expect(receiver.posts.filter(({ path }) => path === "/ends")).toEqual([]);

  // Nothing is told again, and what is answered leads to the end of the run.
  const before = receiver.posts.length;
  await rig.owt("resume", "r1");
  expect(receiver.posts).toHaveLength(before);
  rig.ok("task", "cancel", "fail/E01");
  rig.ok("task", "approve", "look/E01");
  rig.ok("task", "answer", "ask/E01", "blue");
  await rig.owt("resume", "r1");
  expect(receiver.notices("/ends")).toMatchObject([
    { event: "run-ended", title: "r1 ended: 3 done, 1 cancelled", command: "owt land r1", task: null },
  ]);
  expect(new Set(receiver.notices(`/hook/${SECRET}`).map(({ id }) => id)).size).toBe(4);
  expect(outboxOf(rig).map(({ state }) => state)).toEqual(["sent", "sent", "sent", "sent"]);
});

test("an address is a secret: it is in no answer, no log and no store", async () => {
  await using receiver = await Receiver.start();
  const url = `${receiver.url}/${SECRET}`;
  await using rig = create(
    { fine: task({ title: "Fine" }, 'write fine.txt "x"') },
    `[notifications]\nslack_webhook = "${url}"\n[[notifications.webhook]]\nurl = "${url}"\n`,
  );
  receiver.answer = 500;
  const outputs = [
    await rig.owt("run", "--yes"),
    await rig.owt("config", "show"),
    await rig.owt("config", "show", "--json"),
    await rig.owt("config", "validate"),
    await rig.owt("notify"),
    await rig.owt("notify", "--json"),
    await rig.owt("report", "--json"),
    await rig.owt("status", "--json"),
    await rig.owt("doctor"),
  ];
  expect(receiver.posts.length).toBeGreaterThan(2);
  for (const { stdout, stderr } of outputs) expect(stdout + stderr).not.toContain(SECRET);
  // 1: no file has it.
  expect(spawnSync("grep", ["-rqa", SECRET, join(rig.root, ".git")]).status).toBe(1);
  expect(outputs[4]).toMatchObject({ code: 1 });
  expect(outputs[4]!.stdout).toContain(`✗ slack (${receiver.url}/…): HTTP 500`);
  const bad = rig.path("bad.toml");
  writeFileSync(bad, `[notifications]\nslack_webhook = "hooks/${SECRET}"\n`);
  const { stdout, code } = await rig.owt("config", "validate", bad);
  expect([code, stdout]).toEqual([3, expect.stringContaining("expected https://…, env:NAME")]);
  expect(stdout).not.toContain(SECRET);
});

test("what the repository names is told nothing before the user approved it, and takes nothing of the user's away", async () => {
  await using receiver = await Receiver.start();
  const [mine, theirs] = [`${receiver.url}/mine`, `${receiver.url}/theirs/${SECRET}`];
  await using rig = Rig.create(
    {
      ".worktreerc": `${demoConfig}[[notifications.webhook]]\nurl = "${theirs}"\n`,
      "docs/plans/shop/epic-01-a.md": task({ title: "A" }, 'write a.txt "a"'),
    },
    { approve: false },
  );
  rig.userFile("config.toml", `[[notifications.webhook]]\nurl = "${mine}"\n`);
  const refused = await rig.owt("run", "--yes");
  expect(refused.code).toBe(4);
  expect(refused.stderr).toContain(`.worktreerc [notifications] webhook: notifications to ${receiver.url}/…`);
  expect((await rig.json<{ targets: { name: string }[] }>("notify")).targets.map(({ name }) => name)).not.toContain(
    "webhook 2",
  );
  expect(receiver.posts.map(({ path }) => path)).toEqual(["/mine"]);

  const { approved } = await rig.json<{ approved: { what: string }[] }>("config", "approve", "--yes");
  expect(approved.map(({ what }) => what)).toEqual([`notifications to ${receiver.url}/…`]);
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  const ends = (path: string) => receiver.notices(path).filter(({ event }) => event === "run-ended").length;
  expect([ends("/mine"), ends(`/theirs/${SECRET}`)]).toEqual([1, 1]);
});

test("owt notify fails where nobody was told, and says where it stands who is to be", async () => {
  await using receiver = await Receiver.start();
  receiver.answer = 500;
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  const try_ = async (user: string) => {
    rig.userFile("config.toml", user);
    return rig.owt("notify");
  };
  const refusal = "✗ nobody was told\n  ↳ who is to be told: owt config show notifications\n";
  expect(await try_("")).toEqual({
    code: 1,
    stdout: "○ desktop: no desktop, and no terminal, is here\n",
    stderr: refusal,
  });
  expect(await try_("[notifications]\ndesktop = false\n")).toEqual({ code: 1, stdout: "", stderr: refusal });
  const failed = await try_(`[notifications]\nslack_webhook = "${receiver.url}/slack"\n`);
  expect(failed).toMatchObject({ code: 1, stderr: refusal, stdout: expect.stringContaining("✗ slack") });
  const { code, stdout } = await rig.owt("notify", "--json");
  expect([code, JSON.parse(stdout)]).toMatchObject([
    1,
    { data: { targets: [{ state: "none" }, { state: "failed" }] } },
  ]);

  // One of two is not nobody.
  receiver.answer = 200;
  expect(await rig.owt("notify")).toMatchObject({ code: 0, stderr: "" });
});

test("who does not take it is tried again, told of once, and holds nothing up", async () => {
  await using receiver = await Receiver.start();
  await using deaf = await Receiver.start();
  [receiver.answer, deaf.answer] = [503, "hold"];
  await using rig = create(
    {
      fail: task({ title: "Fail" }, 'fail "no"'),
    },
    `[run]\nretries = 0\n[[notifications.webhook]]\nurl = "${receiver.url}/busy"\n[[notifications.webhook]]\nurl = "${deaf.url}/deaf"\n`,
  );
  const go = rig.path("go");
  rig.write({ "docs/plans/wait/epic-01-wait.md": task({ title: "Wait" }, `wait ${go}\nwrite w.txt "x"`) });
  rig.commit("the plan");
  const run = rig.start("run", "--yes");
  await seen(() => expect(deaf.posts.length).toBeGreaterThan(0));
  await seen(() => expect(receiver.posts.length).toBe(1));
  writeFileSync(go, "");
  // It ends although one of them has not answered yet.
  expect((await run.ended).code).toBe(1);
  const { stderr } = await run.ended;
  expect(stderr.match(/notifications do not get through to webhook 1/g) ?? []).toHaveLength(0);
  expect(outboxOf(rig)).toMatchObject([{ state: "waiting" }, { state: "waiting" }]);

  // The next process tells who can be told by then; who had it is not told again.
  receiver.answer = 200;
  deaf.answer = 200;
  const before = { busy: receiver.notices("/busy").length, deaf: deaf.notices("/deaf").length };
  rig.write({ "docs/plans/more/epic-01-more.md": task({ title: "More" }, 'write m.txt "x"') });
  rig.commit("more");
  await rig.owt("run", "--yes", "more/E01");
  const told = (all: { id: string }[]) => new Set(all.map(({ id }) => id)).size;
  expect(told(receiver.notices("/busy").slice(before.busy))).toBe(3);
  expect(told(deaf.notices("/deaf").slice(before.deaf))).toBe(3);
  expect(outboxOf(rig).map(({ state }) => state)).toEqual(["sent", "sent", "sent"]);
});

test("a refusal is in the log once, and the run's work is done all the same", async () => {
  await using receiver = await Receiver.start();
  receiver.answer = 404;
  await using rig = create(
    {
      a: task({ title: "A" }, 'fail "a"'),
      b: task({ title: "B" }, 'fail "b"'),
      c: task({ title: "C" }, 'write c.txt "c"'),
    },
    `[run]\nretries = 0\n[notifications]\ndiscord_webhook = "${receiver.url}/${SECRET}"\n`,
  );
  const run = await rig.owt("run", "--yes");
  expect(run.code).toBe(1);
  expect(
    run.stderr.match(
      /notifications do not get through to discord \(http:\/\/127\.0\.0\.1:\d+\/…\): HTTP 404; try it: owt notify/g,
    ),
  ).toHaveLength(1);
  expect(rig.integrations("owt/runs/r1")).toEqual(["c/E01"]);
});

test("killed between sending and the note of it, a notice goes out once more, under the same id, and never again", async () => {
  await using receiver = await Receiver.start();
  receiver.answer = "hold";
  await using rig = create(
    { ask: task({ title: "Ask" }, 'ask "Which?"\non answer:\nwrite a.txt "x"') },
    `[[notifications.webhook]]\nurl = "${receiver.url}/hook"\n`,
  );
  const run = rig.start("run", "--yes");
  await seen(() => expect(receiver.posts).toHaveLength(1));
  run.child.kill("SIGKILL");
  await run.ended;
  receiver.answer = 200;
  for (let times = 0; times < 3; times++) await rig.owt("resume", "r1");
  const ids = receiver.notices("/hook").map(({ id }) => id);
  expect(ids).toHaveLength(2);
  expect(new Set(ids).size).toBe(1);
});

test("killed again and again while it tells, every moment is told, and no more often than it was killed beside", async () => {
  await using receiver = await Receiver.start();
  const names = ["a", "b", "c", "d", "e", "f", "g", "h"];
  const asks = (name: string) => task({ title: name }, `ask "Which ${name}?"\non answer:\nwrite ${name}.txt "x"`);
  await using rig = create(
    Object.fromEntries(names.map((name) => [name, asks(name)])),
    `[[notifications.webhook]]\nurl = "${receiver.url}/hook"\n`,
  );
  let kills = 0;
  for (const least of [1, 2, 4, 5, 7]) {
    const run = rig.start("run", "--yes", "--parallel", "2");
    const isOver = await Promise.race([
      run.ended.then(() => true),
      seen(() => expect(receiver.posts.length).toBeGreaterThanOrEqual(least)).then(() => false),
    ]);
    if (isOver) break;
    run.child.kill("SIGKILL");
    await run.ended;
    kills++;
  }
  expect((await rig.owt("resume", "r1")).code).toBe(4);
  const told = receiver.notices("/hook");
  const ids = new Set(told.map(({ id }) => id));
  expect(kills).toBeGreaterThan(2);
  expect([...new Set(told.map((each) => each.task))].toSorted()).toEqual(names.map((name) => `${name}/E01`));
  expect(ids.size).toBe(outboxOf(rig).length);
  // One agent's end can be taken in by a process that is killed with two notices on their way.
  expect(told.length - ids.size).toBeLessThanOrEqual(2 * kills);
  expect(new Set(outboxOf(rig).map(({ state }) => state))).toEqual(new Set(["sent"]));
});

test("a webhook that does not answer does not keep the end of a run: that is in its log, and the next owt tells it", async () => {
  await using receiver = await Receiver.start();
  await using rig = create(
    { a: task({ title: "A" }, 'write a.txt "a"') },
    `[[notifications.webhook]]\nurl = "${receiver.url}/hook"\n`,
  );
  receiver.answer = "hold";
  const ran = await rig.owt("run", "--yes");
  expect([ran.code, ran.stderr]).toEqual([0, expect.stringContaining("no answer when the run ended; whoever carries")]);
  expect(outboxOf(rig)).toMatchObject([{ key: "r1 ended", state: "waiting" }]);
  receiver.answer = 200;
  rig.write({ "docs/plans/more/epic-01-more.md": task({ title: "More" }, 'write m.txt "x"') });
  rig.commit("more");
  expect((await rig.owt("run", "--yes", "more/E01")).code).toBe(0);
  expect(outboxOf(rig)).toMatchObject([
    { key: "r1 ended", state: "sent" },
    { key: "r2 ended", state: "sent" },
  ]);
});

test("the desktop is told by arguments, never by a command line, and a program that hangs holds nothing up", async () => {
  await using rig = create(
    { fail: task({ title: "$(touch pwned) <b>`id`" }, 'fail "no"'), fine: task({ title: "Fine" }, 'write f.txt "x"') },
    "[run]\nretries = 0\n",
  );
  rig.env["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/nowhere";
  const log = rig.path("shown");
  rig.addProgram(
    "notify-send",
    `#!/bin/sh\nfor word in "$@"; do printf '%s\\n' "$word" >>"${log}"; done\nexec tail -f /dev/null\n`,
  );
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(1);
  const words = readFileSync(log, "utf8");
  expect(words).toContain(
    "--app-name=owt\n--\nowt: shop\nfail/E01 ($(touch pwned) &lt;b&gt;`id`) failed\nowt task retry fail/E01\n",
  );
  expect(existsSync(join(rig.root, "pwned"))).toBe(false);
  const trouble = "notifications do not get through to desktop: the desktop did not take it; try it: owt notify";
  expect(ran.stderr.split(trouble)).toHaveLength(2);
  rig.userFile("config.toml", "[notifications]\ndesktop = false\n");
  writeFileSync(log, "");
  rig.write({ "docs/plans/more/epic-01-more.md": task({ title: "More" }, 'write m.txt "x"') });
  rig.commit("more");
  await rig.owt("run", "--yes", "more/E01");
  expect(readFileSync(log, "utf8")).toBe("");
});

test("a budget that is nearly used up, and one that is, are told of; so is the end of a batch, where it is wished", async () => {
  await using receiver = await Receiver.start();
  await using rig = create(
    {
      a: task({ title: "A" }, 'cost 0.9\nwrite a.txt "a"'),
      b: task({ title: "B" }, 'cost 0.2\nwrite b.txt "b"'),
      c: task({ title: "C" }, 'write c.txt "c"'),
    },
    `[[notifications.webhook]]\nurl = "${receiver.url}/hook"\n`,
  );
  expect((await rig.owt("run", "--yes", "--sequential", "--budget", "1")).code).toBe(5);
  expect(receiver.notices("/hook")).toMatchObject([
    {
      event: "budget",
      title: "r1 used of the budget: $0.90 of $1.00 for the run",
      command: "owt resume r1 --budget 2",
    },
    { event: "budget", title: "r1 waits: $1.00 for the run is used up", command: "owt resume r1 --budget 2" },
  ]);
  expect((await rig.owt("resume", "r1", "--budget", "5")).code).toBe(0);

  rig.write({
    "docs/plans/d/epic-01-d.md": task({ title: "D" }, 'write d.txt "d"'),
    ".owt/schedule.toml": '[[batch]]\nname = "night"\ncron = "0 3 1 1 *"\nnotify_on_complete = true\n',
  });
  rig.commit("a batch");
  rig.ok("batch", "run", "night");
  await seen(() =>
    expect(receiver.notices("/hook").at(-1)).toMatchObject({
      event: "batch-ended",
      batch: "night",
      run: "r2",
      title: "night is over: 1 done",
    }),
  );
  expect(receiver.notices("/hook").filter(({ event }) => event === "batch-ended")).toHaveLength(1);

  // One that cannot be started has nobody who carries it: who watches tells of it.
  rig.write({
    ".owt/schedule.toml":
      '[[batch]]\nname = "lost"\ncron = "* * * * * *"\nplan = "nowhere"\nnotify_on_complete = true\n',
  });
  await rig.owt("batch", "watch", "--once");
  await seen(async () => {
    await rig.owt("batch", "watch", "--once");
    const lost = receiver.notices("/hook").find(({ batch }) => batch === "lost");
    expect(lost).toMatchObject({
      run: null,
      title: expect.stringMatching(/^lost was not started: there is no plan/),
      command: "owt batch run lost",
    });
  });
});
