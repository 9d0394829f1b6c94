/** Everything that waits for a person is in the inbox, oldest first, and its command does what it says, typed as it is printed. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";

type Waiting = { run: string; task: string; why: string; since: string; command: string; note: string | null };
type Inbox = { waiting: Waiting[]; budgets: { command: string }[]; asks: unknown[] };

/** `owt` as a person types it, with words of theirs where the line keeps a place for some. */
function typed(rig: Rig, command: string): string {
  rig.addProgram("owt", `#!/bin/sh\nexec "${process.execPath}" "${rig.command}" "$@"\n`);
  try {
    return execFileSync("sh", ["-c", command.replace("…", "blue")], {
      cwd: rig.root,
      env: rig.env,
      encoding: "utf8",
      stdio: "pipe",
    });
  } catch (error) {
    // What comes of the work is the exit code's business; a command that is refused says so in one word.
    const { status, stderr, stdout } = error as { status: number; stderr: string; stdout: string };
    if (status === 2 || status === 3) throw new Error(`${command} is refused: ${stderr}`, { cause: error });
    return stdout;
  }
}

const inboxOf = (rig: Rig) => rig.json<Inbox>("inbox");

test("a question, a refused tool, a refused login, a conflict, an approval, a task taken over, failures, a budget: each with the command that answers it", async () => {
  await using rig = Rig.create({
    "README.md": "",
    ".worktreerc": `${demoConfig}[agent.other]\nkind = "demo"\n[run]\nretries = 0\nmax_parallel = 12\n[budget]\ntask_usd = 0.5\n`,
  });
  const [works, gate] = [rig.path("works"), rig.path("gate")];
  rig.write({
    "docs/plans/ask/epic-01-ask.md": task({}, 'ask "Which colour?"\non answer:\nwrite ask.txt "{answer}"'),
    "docs/plans/deny/epic-01-deny.md": task({}, 'deny "Bash(make)"'),
    "docs/plans/login/epic-01-login.md": task({ agent: "other" }, 'auth "the key is no longer valid"'),
    "docs/plans/look/epic-01-look.md": task({ needs_review: true }, 'write look.txt "x"'),
    "docs/plans/fail/epic-01-fail.md": task({}, 'fail "no way"'),
    "docs/plans/words/epic-01-words.md": task({}, 'say "What shall I do?"\non answer:\nwrite words.txt "{answer}"'),
    "docs/plans/dear/epic-01-dear.md": task({}, `cost 0.6\nwait ${rig.path("paid")}\nwrite dear.txt "x"`),
    "docs/plans/hand/epic-01-hand.md": task(
      {},
      `write half.txt "half"\ntouch ${works}\nwait ${gate}\nwrite hand.txt "x"`,
    ),
    "docs/plans/one/epic-01-one.md": task({}, 'conflict words.md\ncommit "one"'),
    "docs/plans/two/epic-01-two.md": task(
      { branch: "two" },
      `wait ${rig.path("one")}\nconflict words.md\ncommit "two"\non conflict:\nsay "I do not know"`,
    ),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await fileAppears(works);
  await run.says("one/E01 integrated");
  rig.release("one");
  // There is no terminal to show its session on.
  expect((await rig.owt("switch", "hand/E01")).stderr).toContain("hand/E01 is yours");
  await run.ended;

  const { waiting } = await inboxOf(rig);
  const byTask = new Map(waiting.map((each) => [each.task, each]));
  const commands = Object.fromEntries([...byTask].map(([id, { command }]) => [id, command]));
  expect(commands).toEqual({
    "ask/E01": 'owt task answer ask/E01 "…"',
    "deny/E01": "owt task retry deny/E01",
    "login/E01": "owt task retry login/E01",
    "look/E01": "owt task approve look/E01",
    "fail/E01": "owt task retry fail/E01",
    "words/E01": 'owt task answer words/E01 "…"',
    "dear/E01": "OWT_BUDGET_TASK_USD=1 owt resume r1",
    "hand/E01": "owt task approve hand/E01",
    "two/E01": "owt task approve two/E01",
  });
  const ages = waiting.map(({ since }) => Date.parse(since));
  expect(ages).toEqual(ages.toSorted((a, b) => a - b));
  // The text of the inbox, and that of the status, have the same lines in the same order.
  const answers = (text: string) => [...text.matchAll(/^\s*↳ (owt|OWT)\S* .*$/gm)].map(([line]) => line.trim());
  const told = answers(rig.ok("inbox"));
  expect(told.map((line) => line.replace(/^↳ | {2}\(.*$/g, ""))).toEqual(waiting.map(({ command }) => command));
  expect(answers(rig.ok("status"))).toEqual(told.slice(0, 5));

  // Who takes the run up again changes nothing of it.
  await rig.owt("resume", "r1");
  const sinceOf = (all: readonly Waiting[]) => Object.fromEntries(all.map((each) => [each.task, each.since]));
  expect(sinceOf((await inboxOf(rig)).waiting)).toEqual(sinceOf(waiting));

  // A person does what only they can, then types what is printed.
  const { task: shown } = await rig.json<{ task: { attempts: { worktree: string }[] } }>("task", "show", "two/E01");
  const place = shown.attempts.at(-1)!.worktree;
  writeFileSync(join(place, "words.md"), "both\n");
  rig.git("-C", place, "add", "words.md");
  writeFileSync(rig.path("paid"), "");
  writeFileSync(gate, "");
  for (const { task: id, command } of waiting) {
    typed(rig, command);
    const still = (await inboxOf(rig)).waiting.find((each) => each.task === id);
    // What was begun anew by it may have come back by now, with something newer.
    if (still !== undefined) expect(Date.parse(still.since)).toBeGreaterThan(Date.parse(byTask.get(id)!.since));
  }
  await rig.owt("resume", "r1");
  const { task: dear } = await rig.json<{ task: { state: string } }>("task", "show", "dear/E01");
  expect(dear.state).toBe("done");
  const left = (await inboxOf(rig)).waiting.map((each) => each.task).toSorted((a, b) => (a < b ? -1 : 1));
  // These do the same again.
  expect(left).toEqual(["deny/E01", "fail/E01", "login/E01"]);
  for (const name of ["ask", "words"]) expect(rig.git("show", `owt/runs/r1:${name}.txt`)).toBe("blue");
  expect(rig.git("show", "owt/runs/r1:words.md")).toBe("both");
});

test("a run whose time is over, and a store that is damaged, have the command that goes on", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/shop/epic-01-a.md": task({}, 'work 1s\nwrite a.txt "a"'),
    "docs/plans/shop/epic-02-b.md": task({}, 'write b.txt "b"'),
  });
  await rig.owt("run", "--yes", "--max-duration", "500ms");
  const { waiting } = await inboxOf(rig);
  expect(waiting).toMatchObject([{ why: "waits: the run's time is over (500ms)" }]);
  rig.addProgram("owt", `#!/bin/sh\nexec "${process.execPath}" "${rig.command}" "$@"\n`);

  writeFileSync(join(rig.root, ".git/owt/state.db"), "no store at all");
  const damaged = await rig.owt("inbox");
  expect(damaged.code).not.toBe(0);
  expect(damaged.stderr).toContain("owt doctor --fix");
  typed(rig, "owt doctor --fix");
  expect((await rig.owt("inbox")).code).toBe(0);
  const again = (await inboxOf(rig)).waiting;
  for (const { command } of again) typed(rig, command.replace("500ms", "1h"));
  expect(rig.ok("report", "r1")).toContain("shop/E01");
});
