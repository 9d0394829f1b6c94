/** -v, -vv, and colours as the environment wants them. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { demoConfig, Rig, task } from "../rig/rig.ts";

const plan = {
  ".worktreerc": `${demoConfig}[run]\nverify = "test -d ."\n[notifications]\nslack_webhook = "https://127.0.0.1:9/T0/secret-place"\n`,
  "docs/plans/shop/epic-01-a.md": task(
    { title: "The first" },
    'say "agent words"\nwrite a.txt "a"',
    "Words of the plan.",
  ),
};

test("-v tells every program and its time on standard error, before or behind the command, and changes no answer", async () => {
  await using rig = Rig.create(plan);
  const ran = await rig.owt("run", "--yes", "-v", "--json");
  expect(ran.code).toBe(0);
  expect((JSON.parse(ran.stdout) as { data: { counts: object } }).data.counts).toEqual({ done: 1 });
  expect(ran.stderr).toMatch(/^· +\d+ ms {2}git status --porcelain=v2 /m);
  expect(ran.stderr).toMatch(/^· +starts {2}\S+/m);
  expect(ran.stderr).not.toContain("Words of the plan");
  const plainly = await rig.owt("report");
  for (const args of [
    ["-v", "report"],
    ["report", "--verbose"],
    ["report", "-v"],
  ])
    expect((await rig.owt(...args)).stdout).toBe(plainly.stdout);
  expect(readdirSync(join(rig.home, "state", "open-orchestrator"))).not.toContain("reports");
});

test("-v behind -- is a word, and a failing program is told with its code", async () => {
  await using rig = Rig.create({});
  expect((await rig.owt("task", "create", "--", "-v")).stdout).toContain("written down");
  const refused = await rig.owtIn(rig.home, "status", "-v");
  expect(refused.code).toBe(3);
  expect(refused.stderr).toMatch(/^· +\d+ ms {2}git rev-parse .*→ 128$/m);
  expect(refused.stderr.match(/^· options that owt gives every git .* are left out$/gm)).toHaveLength(1);
});

test("-vv writes a report that can be handed on: what is there, without secrets, prompts and what was said", async () => {
  await using rig = Rig.create(plan, { env: { MY_API_KEY: "hunter2-hunter2", OWT_RUN_PLAN: "docs/plans" } });
  await rig.owt("run", "--yes");
  const ran = await rig.owt("task", "answer", "shop/E01", "my own words hunter2-hunter2", "-vv");
  expect(ran.code).toBe(2);
  const path = /↳ cat (\S+)$/m.exec(ran.stderr)![1]!;
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const report = readFileSync(path, "utf8");
  for (const there of [
    "owt task answer shop/E01 ‹28 characters›",
    "exit code 2",
    "wrong-state: ",
    `node ${process.version}`,
    "pass git: ",
    "agent demo: ",
    'agent.default = "demo"  (.worktreerc:2)',
    "(OWT_RUN_PLAN)",
    "notifications.slack_webhook = (hidden)",
    "attempt-ended outcome=ok",
    "task-moved from=pending to=running",
  ])
    expect(report).toContain(there);
  for (const kept of ["hunter2", "secret-place", "my own words", "agent words", "Words of the plan", "The first"])
    expect(report).not.toContain(kept);
});

test("-vv leaves out what a person wrote in one word, also where it is refused or sent on", async () => {
  await using rig = Rig.create({ ...plan, ".worktreerc": `${plan[".worktreerc"]}[budget]\ntokens = 5000000\n` });
  for (const args of [
    ["task", "answer", "shop/E01", "hunter2"],
    ["task", "approve", "shop/E01", "--refuse=hunter2"],
    ["send", "main", "my", "password", "is", "hunter2"],
    ["logs", "shop/E01", "--grep", "hunter2"],
  ]) {
    const ran = await rig.owt(...args, "-vv");
    const report = readFileSync(/↳ cat (\S+)$/m.exec(ran.stderr)![1]!, "utf8");
    expect(report).toContain(`owt ${args[0]}`);
    expect(report).toContain("‹7 characters›");
    expect(report).not.toContain("hunter2");
    expect(report).toContain("budget.tokens = 5000000");
  }
});

test("-vv reports where there is no repository too, and for a command that starts quickly", async () => {
  await using rig = Rig.create({});
  const ran = await rig.owtIn(rig.home, "status", "-v", "-v");
  expect(ran.code).toBe(3);
  const report = readFileSync(/↳ cat (\S+)$/m.exec(ran.stderr)![1]!, "utf8");
  expect(report).toContain("environment: ");
  expect(report).toContain("pass git: ");
  expect((await rig.owt("status", "-vv")).code).toBe(0);
});

const ESCAPE = "\u001B[";

test("colours: none off a terminal, forced by CLICOLOR_FORCE, never with NO_COLOR", async () => {
  await using rig = Rig.create({}, { env: { NO_COLOR: "" } });
  const coloured = async (env: NodeJS.ProcessEnv, onTerminal = false) => {
    const before = { ...rig.env };
    Object.assign(rig.env, env);
    const run = onTerminal ? rig.startOnTerminal("doctor") : rig.start("doctor");
    Object.assign(rig.env, { CLICOLOR_FORCE: undefined, NO_COLOR: undefined, TERM: undefined }, before);
    return (await run.ended).stdout.includes(ESCAPE);
  };
  expect(await coloured({})).toBe(false);
  expect(await coloured({ CLICOLOR_FORCE: "1" })).toBe(true);
  expect(await coloured({ CLICOLOR_FORCE: "0" })).toBe(false);
  expect(await coloured({ CLICOLOR_FORCE: "1", NO_COLOR: "1" })).toBe(false);
  expect(await coloured({ CLICOLOR_FORCE: "1", TERM: "dumb" })).toBe(true);
  expect(await coloured({}, true)).toBe(true);
  expect(await coloured({ NO_COLOR: "1" }, true)).toBe(false);
});
