/** The real Claude Code in a session, behind a fake API: text arrives as it was written, and its conversation goes on after its end. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { capturePane, sendText } from "../../src/tmux/pane.ts";
import { tmuxServer } from "../../src/tmux/tmux.ts";
import { CLAUDE_VERSIONS } from "../rig/claude-binary.ts";
import { whyNoClaude } from "../rig/claude-plan.ts";
import { type ClaudeRig, claudeRig } from "../rig/claude-rig.ts";
import { makeGate, startFakeApi, textOf } from "../rig/fake-api.ts";

beforeEach((context) => {
  const why = whyNoClaude();
  if (why !== null) context.skip(why);
});

type List = { sessions: { panes: { id: string; state: string; conversation: string }[] }[] };

/** Questions of a first start, answered as a person would have long ago. */
function settleIn(rig: ClaudeRig): void {
  const settled = {
    hasCompletedOnboarding: true,
    customApiKeyResponses: { approved: ["sk-ant-dummy"], rejected: [] },
    projects: { [rig.root]: { hasTrustDialogAccepted: true } },
  };
  writeFileSync(join(rig.home, ".claude.json"), JSON.stringify(settled));
}

const NASTY = [
  "Please look at this:\n\n\tindented; `id` $(id) $HOME \"quoted\" 'too' \\ #{pane_id}\n\n- Enter\n- C-c\nand that is all;",
  "--help",
  "ünïcödé 日本語 🎉 and a second line\n  with blanks in front",
];

/** Claude Code's own input box keeps no tabs (2.1.329); all else is kept. */
const kept = (text: string) => text.replaceAll("\t", "    ");

test("each text is one prompt, exactly; ended and started again, the conversation goes on", async () => {
  const api = await startFakeApi({});
  await using rig = await claudeRig({ api, files: { "README.md": "# Shop\n" } });
  settleIn(rig);
  await rig.ask("tmux", "create", "--panes", "1");
  const tmux = tmuxServer({ ...process.env, OWT_TMUX_SOCKET: join(dirname(rig.root), "sessions.sock") });
  const pane = async () => (await rig.ask<List>("tmux", "list")).sessions[0]!.panes[0]!;
  const { id, conversation } = await pane();
  const screen = () => capturePane(tmux, id, { above: 0 });
  const until = async (what: string, holds: () => boolean | Promise<boolean>) => {
    for (const ends = Date.now() + 60_000; !(await holds());) {
      if (Date.now() > ends) throw new Error(`never: ${what}\n${await screen()}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  const prompts = () =>
    api.requests
      .filter(({ session }) => session === conversation)
      .flatMap(({ messages }) => messages.filter(({ role }) => role === "user").map(textOf));
  const isReady = async () => /^❯/m.test(await screen());
  await until("it is ready", isReady);
  for (const text of NASTY) {
    await sendText(tmux, id, text, { enter: true });
    await until(`the API heard ${text.slice(0, 20)}`, () => prompts().some((each) => each.includes(kept(text))));
    await until("it is ready again", isReady);
  }
  await sendText(tmux, id, "/exit", { enter: true });
  await until("it ended", async () => (await pane()).state === "ended");
  expect(await rig.ask("tmux", "create")).toMatchObject({ created: false, revived: "resumed" });
  await until("it is ready", isReady);
  const before = api.requests.length;
  await sendText(tmux, id, "what did I say first?", { enter: true });
  await until("it asks", () =>
    api.requests.slice(before).some((each) => JSON.stringify(each.messages).includes("what did I say first?")),
  );
  const asked = api.requests
    .slice(before)
    .find((each) => JSON.stringify(each.messages).includes("what did I say first?"))!;
  expect([asked.session, asked.messages.map(textOf).join("\n")]).toEqual([
    conversation,
    expect.stringContaining(kept(NASTY[0]!)),
  ]);
  expect(rig.starts()).toEqual([
    expect.stringContaining(`--session-id ${conversation}`),
    expect.stringContaining(`--resume ${conversation}`),
  ]);
});

test("a new worktree's agent is told its prompt; what it does is told by its hooks, also after tmux has died", async () => {
  const api = await startFakeApi({});
  await using rig = await claudeRig({ api, files: { "README.md": "# Shop\n" } });
  settleIn(rig);
  const prompt = "--say 'hello', please";
  await rig.ask("create", "feature/x", "--prompt", prompt);
  const wait = async () => (await rig.ask<{ state: string }>("wait", "feature/x", "--timeout", "60s")).state;
  expect(await wait()).toBe("waiting");
  const heard = () =>
    api.requests.flatMap(({ messages }) => messages.filter(({ role }) => role === "user").map(textOf));
  expect(heard().some((text) => text.includes(prompt))).toBe(true);
  await rig.ask("send", "feature/x", "and now this");
  await rig.ask("wait", "feature/x", "--for", "working", "--timeout", "20s").catch(() => {});
  expect(await wait()).toBe("waiting");
  execFileSync("tmux", ["-S", join(dirname(rig.root), "sessions.sock"), "kill-server"]);
  await rig.ask("tmux", "create", "feature/x");
  expect(await wait()).toBe("waiting");
  expect(rig.starts().at(-1)).toContain("--resume");
});

test("sent to one that starts, or that starts again, a text is one prompt, and nothing of it is left over", async () => {
  const api = await startFakeApi({});
  await using rig = await claudeRig({ api, files: { "README.md": "# Shop\n" } });
  settleIn(rig);
  const last = () =>
    api.requests.map(({ messages }) => textOf(messages.findLast(({ role }) => role === "user")!)).at(-1) ?? "";
  await rig.ask("create", "x");
  for (const text of ["first\nand its second line", "second; it's\n\nall"]) {
    await rig.ask("send", "x", text);
    await rig.ask("wait", "x", "--timeout", "60s");
    await expect.poll(last, { timeout: 30_000 }).toContain(text);
    expect(last()).toMatch(new RegExp(`(^|\n)${text}$`));
    execFileSync("tmux", ["-S", join(dirname(rig.root), "sessions.sock"), "kill-server"]);
    await rig.owt("switch", "x").exits(4);
  }
});

test("what eight send at once are eight messages, and interrupts nobody", async () => {
  const api = await startFakeApi({});
  await using rig = await claudeRig({ api, files: { "README.md": "# Shop\n" } });
  settleIn(rig);
  await rig.ask("create", "x");
  const texts = Array.from({ length: 8 }, (_, n) => `from the sender ${n}`);
  await Promise.all(texts.map((text) => rig.ask("send", "x", text)));
  await rig.owt("wait", "x", "--timeout", "60s").exits(0);
  const heard = () =>
    api.requests
      .at(-1)!
      .messages.filter(({ role }) => role === "user")
      .flatMap((message) => textOf(message).split("\n"));
  await expect
    .poll(
      () =>
        heard()
          .filter((line) => line.startsWith("from"))
          .sort(),
      { timeout: 30_000 },
    )
    .toEqual(texts);
  expect(heard().filter((line) => line.includes("interrupted"))).toEqual([]);
});

const STOPPED = '"hook_event_name":"Stop"';

/** What the hooks of its one session told. */
function heardOf(rig: ClaudeRig): string {
  const spool = join(rig.root, ".git", "owt", "sessions");
  return readFileSync(
    join(
      spool,
      readdirSync(spool).find((name) => !name.includes("+"))!,
    ),
    "utf8",
  );
}

test("sent while it works, a text counts as work until it is done, also between the two turns", async () => {
  const [one, two] = [makeGate(), makeGate()];
  const task = [
    { say: "One.", gate: one },
    { say: "Two.", gate: two },
  ];
  const api = await startFakeApi({ "": { task } });
  await using rig = await claudeRig({ api, files: { "README.md": "# Shop\n" } });
  settleIn(rig);
  // Between the turns a hook of the user's holds it up.
  const command = 'until [ -e "$HOME/on" ]; do sleep 0.1; done';
  mkdirSync(join(rig.home, ".claude"), { recursive: true });
  writeFileSync(
    join(rig.home, ".claude", "settings.json"),
    JSON.stringify({ hooks: { Stop: [{ hooks: [{ type: "command", command }] }] } }),
  );
  const state = async () =>
    (await rig.ask<{ worktrees: { name: string; state: string }[] }>("list")).worktrees.find(({ name }) => name === "x")
      ?.state;
  await rig.ask("create", "x", "--prompt", "the first");
  await one.reached;
  await rig.ask("send", "x", "and the second");
  const waiting = rig.owt("wait", "x");
  one.release();
  await expect.poll(() => heardOf(rig), { timeout: 60_000 }).toContain(STOPPED);
  expect(await state()).toBe("working");
  writeFileSync(join(rig.home, "on"), "");
  await waiting.brings(two.reached);
  expect(await state()).toBe("working");
  await rig.owt("delete", "x", "--yes").exits(4);
  two.release();
  await waiting.exits(0);
  expect(api.requests.at(-1)!.messages.map(textOf).join("\n")).toContain("and the second");
});

test.each(CLAUDE_VERSIONS)(
  "interrupted before its first output it waits, and what is sent is nothing but that, by whomever (%s)",
  async (version) => {
    const gate = makeGate();
    const api = await startFakeApi({ "": { task: [{ say: "One.", gate }] } });
    await using rig = await claudeRig({ api, version, files: { "README.md": "# Shop\n" } });
    settleIn(rig);
    await rig.ask("create", "x", "--prompt", "the first\nwith a second line");
    await gate.reached;
    const { id } = (await rig.ask<List>("tmux", "list")).sessions[0]!.panes[0]!;
    await rig.owt("wait", "x", "--for", "working", "--timeout", "20s").exits(0);
    execFileSync("tmux", ["-S", join(dirname(rig.root), "sessions.sock"), "send-keys", "-t", id, "Escape"]);
    expect(await rig.ask("wait", "x", "--timeout", "60s")).toMatchObject({ state: "waiting" });
    gate.release();
    await Promise.all(["another", "one more"].map((text) => rig.ask("send", "x", text)));
    const prompts = () =>
      api.requests.at(-1)!.messages.flatMap((each) => (each.role === "user" ? textOf(each).split("\n") : []));
    const texts = new Set(["with a second line", "another", "one more"]);
    const told = () => prompts().filter((line) => [...texts].some((text) => line.includes(text)));
    await expect.poll(() => told().toSorted(), { timeout: 30_000 }).toEqual(["another", "one more"]);
  },
);

test("what is queued goes on behind an interruption, and counts as work until it is done, whoever asks and when", async () => {
  const [one, two] = [makeGate(), makeGate()];
  const script = { task: [{ say: "One.", gate: one }], queued: [{ say: "Two.", gate: two }] };
  const api = await startFakeApi({ "": script });
  await using rig = await claudeRig({ api, files: { "README.md": "# Shop\n" } });
  settleIn(rig);
  await rig.ask("create", "x", "--prompt", "the first");
  await one.reached;
  await rig.ask("send", "x", "# owt: queued\nand the second");
  const { id } = (await rig.ask<List>("tmux", "list")).sessions[0]!.panes[0]!;
  const before = rig.owt("wait", "x");
  execFileSync("tmux", ["-S", join(dirname(rig.root), "sessions.sock"), "send-keys", "-t", id, "Escape"]);
  const behind = [1, 2, 3].map(() => rig.owt("wait", "x"));
  await before.brings(two.reached);
  const late = rig.owt("wait", "x");
  await rig.owt("delete", "x", "--yes").exits(4);
  const waiting = [before, ...behind, late];
  expect(waiting.map((each) => each.out())).toEqual(waiting.map(() => ""));
  one.release();
  two.release();
  for (const each of waiting) await each.exits(0);
  expect(api.requests.at(-1)!.messages.map(textOf).join("\n")).toContain("and the second");
});

test.each(CLAUDE_VERSIONS)(
  "a turn is over when the agents that it has sent out are through, too, and it has heard of them (%s)",
  async (version) => {
    const gate = makeGate();
    const input = { description: "Look", prompt: "This is task sub, to be done.", subagent_type: "general-purpose" };
    const task = [{ say: "I send one out.", use: [{ name: "Task", input }] }, { say: "It is on its way." }];
    const api = await startFakeApi({ "": { task }, sub: { task: [{ say: "Looked.", gate }] } });
    await using rig = await claudeRig({ api, version, files: { "README.md": "# Shop\n" } });
    settleIn(rig);
    await rig.ask("create", "x", "--prompt", "go");
    await gate.reached;
    const waiting = rig.owt("wait", "x");
    const spoken = () => api.requests.filter(({ task: of }) => of === "").length;
    // The newer one goes on in the background, and its turn ends.
    if (version === CLAUDE_VERSIONS[0]) await expect.poll(() => heardOf(rig), { timeout: 60_000 }).toContain(STOPPED);
    await rig.owt("delete", "x", "--yes").exits(4);
    expect(waiting.out()).toBe("");
    const before = spoken();
    gate.release();
    await waiting.exits(0);
    expect(spoken()).toBeGreaterThan(before);
  },
);

test("while its dialog asks leave, no word of anybody's gives it", async () => {
  const made = "sh -c 'echo made > made'";
  const use = [{ name: "Bash", input: { command: made, description: "As told" } }];
  const api = await startFakeApi({ "": { task: [{ use }, { say: "Made." }] } });
  await using rig = await claudeRig({ api, files: { "README.md": "# Shop\n" } });
  settleIn(rig);
  await rig.ask("create", "x", "--prompt", "go");
  await rig.owt("wait", "x", "--timeout", "60s").exits(4);
  const tmux = tmuxServer({ ...process.env, OWT_TMUX_SOCKET: join(dirname(rig.root), "sessions.sock") });
  const pane = async () => (await rig.ask<List>("tmux", "list")).sessions[0]!.panes[0]!;
  const { id } = await pane();
  const screen = () => capturePane(tmux, id, { above: 0 });
  await expect.poll(screen, { timeout: 30_000 }).toContain("Do you want to proceed?");
  await rig.owt("send", "x", "1").exits(4);
  await rig.owt("send", "x", "--pane", "0", "").exits(4);
  for (const option of ["--all", "--waiting"])
    expect(await rig.ask("send", option, "go on")).toMatchObject({ sent: [], left_out: [{ name: "x" }] });
  expect(await screen()).toMatch(/Do you want to proceed\?\s+❯ 1\. Yes/);
  expect(await rig.ask("wait", "x", "--for", "blocked,working,waiting")).toMatchObject({ state: "blocked" });
  expect(existsSync(join(dirname(rig.root), "repo-x", "made"))).toBe(false);
  await rig.ask("task", "approve", "x");
  await rig.ask("wait", "x", "--timeout", "60s");
  expect(existsSync(join(dirname(rig.root), "repo-x", "made"))).toBe(true);
});

test.each(CLAUDE_VERSIONS)(
  "a question of its own is told in its words and answered from elsewhere, in anybody's; leave is no answer to it (%s)",
  async (version) => {
    const options = ["red", "blue"].map((label) => ({ label, description: `The ${label} one` }));
    const ask = (...asked: string[]) => ({
      name: "AskUserQuestion",
      input: { questions: asked.map((question) => ({ question, header: "Q", multiSelect: false, options })) },
    });
    const gate = makeGate();
    const last = { say: "Thank you.", gate };
    const task = [
      { use: [ask("Which colour?")] },
      { use: [ask("Left?", "Right?")] },
      { use: [ask("Up?")] },
      { use: [ask("Down?")] },
      last,
    ];
    const api = await startFakeApi({ "": { task } });
    await using rig = await claudeRig({ api, version, files: { "README.md": "# Shop\n" } });
    settleIn(rig);
    type Inbox = { asks: { detail: string; command: string }[] };
    const asked = async () => (await rig.ask<Inbox>("inbox")).asks.map(({ detail }) => detail);
    await rig.ask("create", "x", "--prompt", "go");
    await expect.poll(asked, { timeout: 60_000 }).toEqual(["Which colour? (red, blue)"]);
    const [{ command }] = (await rig.ask<Inbox>("inbox")).asks as [Inbox["asks"][0]];
    expect(command).toMatch(/^owt task answer x "…" --ask \d+$/);
    for (const args of [
      ["task", "approve", "x"],
      ["send", "x", "blue"],
      ["wait", "x"],
    ]) {
      const refused = rig.owt(...args);
      await refused.exits(args[0] === "task" ? 2 : 4);
      expect(refused.err()).toContain(command);
    }
    const listing = rig.owt("list");
    await listing.exits(0);
    expect(listing.out() + listing.err()).toContain("x: claude asks: Which colour? (red, blue)");
    await rig.ask("task", "answer", "x", 'a deep "blue"');
    await expect.poll(asked, { timeout: 60_000 }).toEqual(["Left? (red, blue) · Right? (red, blue)"]);
    await rig.owt("task", "answer", "x", "red").exits(2);
    await rig.ask("task", "answer", "x", "red\nnone");
    // Answered on the screen, it is over here, too, though the turn goes on.
    await expect.poll(asked, { timeout: 60_000 }).toEqual(["Up? (red, blue)"]);
    const { id } = (await rig.ask<List>("tmux", "list")).sessions[0]!.panes[0]!;
    const tmux = tmuxServer({ ...process.env, OWT_TMUX_SOCKET: join(dirname(rig.root), "sessions.sock") });
    await expect.poll(() => capturePane(tmux, id, { above: 0 }), { timeout: 60_000 }).toMatch(/Up\?\s+❯ 1\. red/);
    execFileSync("tmux", ["-S", join(dirname(rig.root), "sessions.sock"), "send-keys", "-t", id, "Enter"]);
    // Leave that is refused is no answer: the agent is told to do without one.
    await expect.poll(asked, { timeout: 60_000 }).toEqual(["Down? (red, blue)"]);
    const left = rig.owt("task", "approve", "x", "--refuse");
    await left.exits(0);
    expect(left.out()).toBe("x: not answered: Down? (red, blue); its agent is told to go on without\n");
    await gate.reached;
    await expect.poll(asked, { timeout: 60_000 }).toEqual([]);
    gate.release();
    expect(await rig.ask("wait", "x", "--timeout", "60s")).toMatchObject({ state: "waiting" });
    const heard = JSON.stringify(api.requests.at(-1)!.messages.filter(({ role }) => role === "user"));
    for (const words of ["a deep", "none", "It was not answered. Go on without an answer."])
      expect(heard).toContain(words);
    await rig.owt("task", "answer", "x", "more").exits(2);
  },
);

test("what an overlay swallows was not taken: the answer says so, and so does the record", async () => {
  const api = await startFakeApi({});
  await using rig = await claudeRig({ api, files: { "README.md": "# Shop\n" } });
  settleIn(rig);
  await rig.ask("create", "x");
  await rig.ask("wait", "x", "--for", "idle", "--timeout", "60s");
  await rig.ask("send", "x", "/help");
  await rig.owt("send", "x", "# A heading, and no command").exits(4);
  type Shown = { worktree: { messages: { text: string; taken: boolean }[] } };
  const { worktree } = await rig.ask<Shown>("status", "x");
  expect(worktree.messages.map(({ text, taken }) => [text, taken])).toEqual([
    ["/help", true],
    ["# A heading, and no command", false],
  ]);
});

test("in a worktree that a person moved, the agent goes on, and its conversation behind the death of tmux", async () => {
  const api = await startFakeApi({});
  await using rig = await claudeRig({ api, files: { "README.md": "# Shop\n" } });
  settleIn(rig);
  const last = () => api.requests.map(({ messages }) => messages.map((each) => textOf(each)).join("\n")).at(-1) ?? "";
  const wait = async () => (await rig.ask<{ state: string }>("wait", "x", "--timeout", "60s")).state;
  await rig.ask("create", "x", "--prompt", "the first words");
  expect(await wait()).toBe("waiting");
  const tree = `${rig.root}-x`;
  execFileSync("git", ["worktree", "move", tree, `${tree}-moved`], { cwd: rig.root });
  await rig.ask("send", "x", "the second words");
  expect(await wait()).toBe("waiting");
  await expect.poll(last, { timeout: 30_000 }).toMatch(/the first words[^]*the second words/);
  execFileSync("tmux", ["-S", join(dirname(rig.root), "sessions.sock"), "kill-server"]);
  await rig.ask("tmux", "create", "x");
  await rig.ask("send", "x", "the third words");
  expect(await wait()).toBe("waiting");
  await expect.poll(last, { timeout: 30_000 }).toMatch(/the first words[^]*the second words[^]*the third words/);
  expect(rig.starts().at(-1)).toContain("--resume");
});
