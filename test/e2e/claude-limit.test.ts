/** One usage limit, met by five agents at once: it is waited for together, tried by one, and nobody begins anew. With the real Claude Code. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { credentials, usageLimit } from "../rig/claude-login.ts";
import { approvedRig, CONFIG, integrated, sessionOf, whyNoClaude, works } from "../rig/claude-plan.ts";
import { makeGate } from "../rig/fake-api.ts";

beforeEach((context) => {
  const why = whyNoClaude();
  if (why !== null) context.skip(why);
});

const NAMES = ["a", "b", "c", "d", "e"];

describe.each(["", ", also where owt is killed while it waits"])("five tasks meet one limit%s", (kill) => {
  test("one goes first at the reset, and then all go on in their own conversations", async () => {
    const begun = NAMES.map(() => makeGate());
    const probe = makeGate();
    const script = Object.fromEntries(
      NAMES.map((name, at) => {
        const [write, commit] = works(name, { gate: begun[at]! }).task;
        return [`${name}/E01`, { task: [write!, commit!], resume: [{ say: "It is done.", gate: probe }] }];
      }),
    );
    const plan = Object.fromEntries(
      NAMES.map((name) => [`docs/plans/${name}/epic-01-page.md`, `# Page ${name}\n\nWrite ${name}.txt.\n`]),
    );
    let resetsAt = 0;
    const refuse = () => (Date.now() < resetsAt * 1_000 ? usageLimit(resetsAt) : null);
    const env = { ANTHROPIC_API_KEY: undefined, CLAUDE_CODE_OAUTH_TOKEN: "sk-ant-oat01-dummy" };
    await using rig = await approvedRig(plan, script, { refuse, env });
    let run = rig.owt("run", "--yes", "--parallel", "5");
    await run.brings(Promise.all(begun.map((gate) => gate.reached)));
    resetsAt = Math.ceil(Date.now() / 1_000) + 25;
    for (const gate of begun) gate.release();

    type Status = { runs: { tasks: { id: string; standing: string; why: string }[] }[] };
    const standings = async () => (await rig.ask<Status>("status")).runs[0]!.tasks;
    const allWait = async () => (await standings()).every(({ standing }) => standing === "waits-for-time");
    await run.brings(vi.waitUntil(allWait, { timeout: 60_000, interval: 200 }));
    expect(Date.now()).toBeLessThan(resetsAt * 1_000);
    expect(rig.claudes()).toEqual([]);
    if (kill !== "") {
      run.kill();
      await run.exits("SIGKILL");
      // No person, who would have it tried at once.
      run = rig.owt("resume", "--unattended");
    }

    await run.brings(probe.reached);
    expect(Date.now()).toBeGreaterThanOrEqual(resetsAt * 1_000);
    const seen = await standings();
    const [first, ...more] = seen.filter(({ standing }) => standing === "working");
    expect(more).toEqual([]);
    expect(rig.claudes()).toHaveLength(1);
    const others = seen.filter(({ id }) => id !== first!.id);
    expect(new Set(others.map(({ why }) => why))).toEqual(
      new Set([`waits for ${first!.id}, which tries whether the usage limit of claude is over`]),
    );
    expect(rig.starts()).toHaveLength(6);
    probe.release();
    await run.exits(0);

    expect(integrated(rig).toSorted()).toEqual(NAMES.map((name) => `${name}/E01 yes`));
    const starts = rig.starts();
    expect(starts).toHaveLength(10);
    // Each prompt was given once; each conversation was taken up once.
    for (const option of ["--session-id", "--resume"]) {
      const sessions = starts.filter((start) => start.includes(`${option} `)).map(sessionOf);
      expect(sessions.toSorted()).toEqual([...new Set(starts.map(sessionOf))].toSorted());
    }
    expect(run.err()).toMatch(/the usage limit of claude is over; what waited goes on: (?:\w\/E01(?:, )?){4}/);
    expect(rig.processes()).toEqual([]);
  });
});

test("while a limit holds its login, a Claude with another one takes the task over, in its worktree", async () => {
  const work = mkdtempSync(join(tmpdir(), "owt-work-"));
  onTestFinished(() => rmSync(work, { recursive: true, force: true }));
  const [write, commit] = works("a").task;
  const script = { "a/E01": { task: [write!, commit!], resume: [{ say: "It is done." }] } };
  const isFirst = (login: string | undefined) => login === "Bearer sk-ant-oat01-first";
  let calls = 0;
  const resetsAt = Math.ceil(Date.now() / 1_000) + 3_600;
  // Its second word is refused: the file is written then, and not committed.
  const refuse = ({ authorization }: { authorization?: string | undefined }) =>
    isFirst(authorization) && ++calls > 1 ? usageLimit(resetsAt) : null;
  const other = `fall_over = "work"\n[agent.work]\nkind = "claude"\nenv = { CLAUDE_CONFIG_DIR = ${JSON.stringify(work)} }\n`;
  const plan = { "docs/plans/a/epic-01-page.md": "# Page a\n\nWrite a.txt.\n" };
  const env = { ANTHROPIC_API_KEY: undefined };
  await using rig = await approvedRig(plan, script, { refuse, env, config: `${CONFIG.trimEnd()}\n${other}` });
  const logins = { [join(rig.home, ".claude")]: "first", [work]: "second" };
  for (const [folder, login] of Object.entries(logins)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, ".credentials.json"), credentials(`sk-ant-oat01-${login}`), { mode: 0o600 });
  }
  const run = rig.owt("run", "--yes");
  await run.exits(0);
  expect(run.err()).toContain("claude waits for a usage limit: work takes its place");
  const [first, second] = rig.starts().map(sessionOf);
  expect(second).not.toBe(first);
  expect(readdirSync(join(work, "projects"), { recursive: true }).map(String).join()).toContain(`${second}.jsonl`);
  expect(integrated(rig)).toEqual(["a/E01 yes"]);
  expect(rig.git("show", "owt/runs/r1:a.txt")).toBe("a");
});
