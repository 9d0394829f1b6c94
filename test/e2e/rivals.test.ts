/** `owt run --rivals 2 --agents a,b`: several agents do each task, and the better work is kept. */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test, vi } from "vitest";
import type { Preview } from "../../src/cli/preview.ts";
import type { RunReport } from "../../src/core/report.ts";
import { Receiver } from "../rig/receiver.ts";
import { fileAppears, Rig, task } from "../rig/rig.ts";

/** Two programs as agents: each says what it is given, and runs its script with the task's name in $OWT_TASK. */
function config(more = ""): string {
  const agent = (name: string) => `[agent.${name}]\nkind = "command"\ncommand = ["sh", "agents/${name}.sh"]\n`;
  return `[run]\nretries = 0\nverify_attempts = 1\n${more}\n[agent]\ndefault = "demo"\n${agent("tidy")}${agent("wordy")}`;
}

/** `shop/E01@tidy` works on `E01.txt`. */
const NAME = 'name="${OWT_TASK#*/}"; name="${name%%@*}"\n';
const SMALL = `${NAME}printf 'small\\n' > "$name.txt"\n`;
const LARGE = `${NAME}printf 'large\\nlarge\\nlarge\\n' > "$name.txt"\nprintf 'notes\\n' > notes.txt\n`;
const BOTH = ["--rivals", "2", "--agents", "tidy,wordy"];
const ONE = { "docs/plans/shop/epic-01-feature.md": task({}, "", "Write E01.txt") };
const TWO = { ...ONE, "docs/plans/shop/epic-02-next.md": task({}, "", "Write E02.txt") };

function rigWith(
  scripts: (path: (name: string) => string) => { tidy: string; wordy: string },
  { more, plan = ONE }: { more?: string; plan?: Record<string, string> } = {},
): Rig {
  const rig = Rig.create({ ".worktreerc": config(more), ...plan });
  const { tidy, wordy } = scripts((name) => rig.path(name));
  rig.write({ "agents/tidy.sh": tidy, "agents/wordy.sh": wordy });
  rig.commit("agents");
  return rig;
}

const holdUntil = (path: string) => `while [ ! -e '${path}' ]; do sleep 0.02; done\n`;

type Rescue = { id: string; note: string };

async function report(rig: Rig): Promise<RunReport> {
  return (await rig.json<{ report: RunReport }>("report")).report;
}

async function rescues(rig: Rig): Promise<Rescue[]> {
  return (await rig.json<{ rescues: Rescue[] }>("restore")).rescues;
}

/** What the store says, read from outside. */
function rows(rig: Rig, sql: string): Record<string, unknown>[] {
  const path = join(rig.root, ".git", "owt", "state.db");
  if (!existsSync(path)) return [];
  const db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  try {
    return db.prepare(sql).all() as Record<string, unknown>[];
  } finally {
    db.close();
  }
}

function phases(rig: Rig): Record<string, string> {
  // Before the first transaction there is no table.
  const isThere = rows(rig, "select 1 from sqlite_master where name = 'attempt'").length > 0;
  const found = isThere ? rows(rig, "select agent, phase from attempt order by id") : [];
  return Object.fromEntries(found.map(({ agent, phase }) => [String(agent), String(phase)]));
}

/** Nothing is left beside the run's branch and the rescues. */
function expectTidy(rig: Rig): void {
  expect(rig.git("worktree", "list", "--porcelain").match(/^worktree /gm)).toHaveLength(1);
  expect(rig.git("for-each-ref", "--format=%(refname)", "refs/heads/owt/tasks")).toBe("");
  expect(existsSync(`${rig.root}-owt`)).toBe(false);
}

test("both are green: the smaller change comes in under the task's name, and the other one comes back as it was left", async () => {
  // What is not committed belongs to it, too: a check's leftovers come behind the last commit.
  const wordy = `${LARGE}git add E01.txt && git commit -qm mine\nprintf 'more\\n' >> notes.txt\n`;
  await using rig = rigWith(() => ({ tidy: SMALL, wordy }), { more: 'verify = "date > checked.txt; test -f E01.txt"' });
  const ran = await rig.owt("run", "--yes", "--plain", ...BOTH);
  expect(ran).toMatchObject({ code: 0 });
  expect(ran.stderr).toContain("shop/E01 tidy did it best (1 changed line against 5); over shop/E01@wordy");
  expect(ran.stderr).toContain("r1: 1 task, each done by tidy and wordy, onto main");
  expect(ran.stdout).toContain("r1: 1 of 1 task integrated");
  expect(rig.show("owt/runs/r1", "E01.txt")).toBe("small\n");
  expect(rig.show("owt/runs/r1", "notes.txt")).toBeNull();
  expect(rig.integrations("owt/runs/r1")).toEqual(["shop/E01"]);
  expectTidy(rig);
  const told = await report(rig);
  expect(told.counts).toEqual({ done: 1 });
  expect(told.wins).toEqual([
    { agent: "tidy", won: 1, of: 1 },
    { agent: "wordy", won: 0, of: 1 },
  ]);
  const ends = told.tasks.map(({ id, attempts }) => [id, attempts.map(({ outcome }) => outcome)]);
  expect(Object.fromEntries(ends)).toEqual({ "shop/E01": ["done"], "shop/E01@wordy": ["green"] });
  expect(rig.ok("task", "show", "shop/E01@wordy")).toContain("\nattempt 1 (wordy): green");
  expect(told.contests).toMatchObject([
    {
      task: "shop/E01",
      winner: "tidy",
      why: "1 changed line against 5",
      rivals: [
        { id: "shop/E01", agent: "tidy", state: "done", lines: 1, files: 1 },
        { id: "shop/E01@wordy", agent: "wordy", state: "cancelled", lines: 5, files: 2 },
      ],
    },
  ]);
  expect(rig.ok("report")).toContain(
    "rivals: tidy won 1 of 1, wordy 0 of 1\n  shop/E01  tidy: 1 changed line against 5",
  );
  expect(rig.ok("report", "--markdown")).toContain("| shop/E01 | tidy: 1 changed line against 5 |");
  const saved = await rescues(rig);
  const mine = saved.filter(({ note }) => note.includes("shop/E01@wordy"));
  expect(mine.map(({ id }) => id)).toEqual([expect.stringMatching(/^r1-shop-e01-wordy-\d+$/)]);
  expect(rig.ok("restore")).toContain(mine[0]!.id);
  const back = await rig.json<{ path: string }>("restore", mine[0]!.id);
  expect(readFileSync(join(back.path, "E01.txt"), "utf8")).toBe("large\nlarge\nlarge\n");
  expect(readFileSync(join(back.path, "notes.txt"), "utf8")).toBe("notes\nmore\n");
  expect(existsSync(join(back.path, "checked.txt"))).toBe(true);
  expect(await rig.json<{ missing: string[] }>("land")).toMatchObject({ missing: [] });
});

test("where the run begins red none is to blame: the smaller change waits until the target is mended", async () => {
  await using rig = rigWith(() => ({ tidy: SMALL, wordy: LARGE }), { more: 'verify = "test ! -e broken.txt"' });
  rig.write({ "broken.txt": "red" });
  rig.commit("break it");
  const ran = await rig.owt("run", "--yes", "--plain", ...BOTH);
  expect(ran).toMatchObject({ code: 4 });
  expect(ran.stderr).toContain("shop/E01 tidy did it best (1 changed line against 4, red only as where they began)");
  const { waiting } = await rig.json<{ waiting: { why: string; command: string }[] }>("inbox");
  const why = expect.stringContaining("the check is red without the work of any task");
  expect(waiting).toMatchObject([{ why, command: "owt resume r1" }]);
  const lost = (await report(rig)).tasks.find(({ id }) => id === "shop/E01@wordy")!;
  expect(lost.attempts.at(-1)!.outcome).toBe("red as where it began");
  rig.git("rm", "-q", "broken.txt");
  rig.git("commit", "-qm", "mend it");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.show("owt/runs/r1", "E01.txt")).toBe("small\n");
});

test("of rivals on a red branch the one that turns it green is better than one that leaves it red", async () => {
  const mends = `${LARGE}git rm -q --ignore-unmatch broken.txt\n`;
  await using rig = rigWith(() => ({ tidy: SMALL, wordy: mends }), { more: 'verify = "test ! -e broken.txt"' });
  rig.write({ "broken.txt": "red" });
  rig.commit("break it");
  const ran = await rig.owt("run", "--yes", "--plain", ...BOTH);
  expect(ran).toMatchObject({ code: 0 });
  expect(ran.stderr).toContain("shop/E01 wordy did it best (the only one that is green; tidy: red as where it began)");
});

test("who is red for ever loses against one that is green, however large; what needs the task begins from the winner's work", async () => {
  const seen = `${NAME}if [ "$name" = E02 ]; then cp E01.txt seen.txt; fi\n`;
  const red = `${seen}printf 'red\\n' > "$name.txt"\n`;
  await using rig = rigWith(() => ({ tidy: red, wordy: seen + LARGE }), {
    more: 'verify = "! grep -q red E0*.txt"',
    plan: TWO,
  });
  const ran = await rig.owt("run", "--yes", "--plain", ...BOTH);
  expect(ran).toMatchObject({ code: 0 });
  expect(rig.show("owt/runs/r1", "E01.txt")).toBe("large\nlarge\nlarge\n");
  expect(rig.show("owt/runs/r1", "seen.txt")).toBe("large\nlarge\nlarge\n");
  expect(rig.integrations("owt/runs/r1")).toEqual(["shop/E01", "shop/E02"]);
  const { contests, wins } = await report(rig);
  const why = expect.stringMatching(/^the only one that is green; tidy: failed: .*grep/);
  expect(contests).toMatchObject([
    { task: "shop/E01", winner: "wordy", why },
    { task: "shop/E02", winner: "wordy", why },
  ]);
  expect(wins).toContainEqual({ agent: "wordy", won: 2, of: 2 });
  expectTidy(rig);
});

test("none is green: each has failed with its own reason, what needs the task is skipped, and one command has both try again", async () => {
  const word = (path: (name: string) => string) => `word=red; test ! -e '${path("allowed")}' || word=green\n${NAME}`;
  const write = 'echo "$word" > "$name.txt"\n';
  const scripts = (path: (name: string) => string) => ({
    tidy: word(path) + write,
    wordy: `${word(path)}${write}echo wordy > notes.txt\n`,
  });
  await using rig = rigWith(scripts, { more: 'verify = "! grep -q red E0*.txt"', plan: TWO });
  const ran = await rig.owt("run", "--yes", "--plain", ...BOTH);
  expect(ran.code).toBe(1);
  expect(ran.stdout).toContain("owt task retry shop/E01");
  expect((await report(rig)).counts).toEqual({ failed: 1, skipped: 1 });
  const { waiting } = await rig.json<{ waiting: { task: string; why: string; command: string }[] }>("inbox");
  // Oldest first: whichever failed first.
  expect(waiting.map(({ task, command }) => [task, command]).toSorted()).toEqual([
    ["shop/E01@tidy", "owt task retry shop/E01"],
    ["shop/E01@wordy", "owt task retry shop/E01"],
  ]);
  for (const { why } of waiting) expect(why).toContain("grep -q red");
  // Which of them is meant has to be said where one is looked at.
  const shown = await rig.owt("task", "show", "shop/E01");
  expect(shown.stderr).toContain("shop/E01 is done by 2 rivals");
  expect(shown.stderr).toContain("name one: shop/E01@tidy, shop/E01@wordy");
  rig.release("allowed");
  const again = await rig.json<{ tasks: string[] }>("task", "retry", "shop/E01");
  expect(again.tasks.toSorted()).toEqual(["shop/E01@tidy", "shop/E01@wordy", "shop/E02@tidy", "shop/E02@wordy"]);
  expect((await rig.owt("resume", "--plain")).code).toBe(0);
  const told = await report(rig);
  expect(told.counts).toEqual({ done: 2 });
  expect(told.wins).toContainEqual({ agent: "tidy", won: 2, of: 2 });
  expectTidy(rig);
});

test("killed while one waits for the other, and while the loser's worktree goes: decided once, kept once, and nothing runs twice", async () => {
  const scripts = (path: (name: string) => string) => ({
    tidy: `echo tidy >> '${path("starts.log")}'\n${SMALL}`,
    wordy: `echo wordy >> '${path("starts.log")}'\n${holdUntil(path("go"))}${LARGE}`,
  });
  const more = 'verify = "test -f E01.txt"\n[hooks]\npre_remove = "sh hold.sh"';
  await using rig = rigWith(scripts, { more });
  rig.write({ "hold.sh": `touch '${rig.path("removing")}'\n${holdUntil(rig.path("remove"))}` });
  rig.commit("hold");
  const first = rig.start("run", "--yes", "--plain", ...BOTH);
  await vi.waitUntil(() => phases(rig)["tidy"] === "contest" && phases(rig)["wordy"] === "agent", { timeout: 60_000 });
  const status = await rig.json<{ runs: { tasks: { id: string; state: string; why: string }[] }[] }>("status");
  expect(status.runs[0]!.tasks).toMatchObject([
    { id: "shop/E01@tidy", state: "contest", why: "waits for its rivals" },
    { id: "shop/E01@wordy", state: "running" },
  ]);
  first.child.kill("SIGKILL");
  await first.ended;
  rig.release("go");
  const second = rig.start("resume", "--plain");
  // It is decided, and what the loser has is about to be saved and taken away.
  await fileAppears(rig.path("removing"));
  second.child.kill("SIGKILL");
  await second.ended;
  rig.release("remove");
  expect((await rig.owt("resume", "--plain")).code).toBe(0);
  expect(rig.show("owt/runs/r1", "E01.txt")).toBe("small\n");
  expect(readFileSync(rig.path("starts.log"), "utf8").split("\n").toSorted()).toEqual(["", "tidy", "wordy"]);
  expect(rows(rig, "select * from event where kind = 'contest-decided'")).toHaveLength(1);
  expect(await rescues(rig)).toHaveLength(1);
  expect(rig.integrations("owt/runs/r1")).toEqual(["shop/E01"]);
  expectTidy(rig);
  expect(rig.processes()).toEqual([]);
});

test("a store that is older than the decision does not have it made again: the branch says who won", async () => {
  const scripts = (path: (name: string) => string) => ({ tidy: SMALL, wordy: holdUntil(path("go")) + LARGE });
  await using rig = rigWith(scripts, {
    more: 'verify = "test -f E01.txt"',
    plan: { ...ONE, "docs/plans/web/epic-01-ask.md": task({ branch: "feat/ask" }, 'ask "when?"') },
  });
  const first = rig.start("run", "--yes", "--plain", ...BOTH);
  await vi.waitUntil(() => phases(rig)["tidy"] === "contest" && phases(rig)["wordy"] === "agent", { timeout: 60_000 });
  first.child.kill("SIGKILL");
  await first.ended;
  const files = readdirSync(join(rig.root, ".git", "owt")).filter((name) => name.startsWith("state.db"));
  for (const name of files) cpSync(join(rig.root, ".git", "owt", name), rig.path(`old-${name}`));
  rig.release("go");
  // The run waits for a person, and is open still.
  expect((await rig.owt("resume", "--plain")).code).toBe(4);
  const tip = rig.git("rev-parse", "owt/runs/r1");
  // Of a store that ends before its newest copy everybody is warned; the copies are gone with the rest.
  for (const name of ["state.db", "state.db-wal", "state.db-shm", "backups"])
    rmSync(join(rig.root, ".git", "owt", name), { force: true, recursive: true });
  for (const name of files) cpSync(rig.path(`old-${name}`), join(rig.root, ".git", "owt", name));
  expect(await rig.owt("resume", "--plain")).toMatchObject({ code: 4 });
  expect(rig.git("rev-parse", "owt/runs/r1")).toBe(tip);
  expect((await report(rig)).contests).toMatchObject([
    { winner: "tidy", why: "its work is on the run's branch", rivals: [{ state: "done" }, { state: "cancelled" }] },
  ]);
  expect(rig.integrations("owt/runs/r1")).toEqual(["shop/E01"]);
  expect((await rescues(rig)).filter(({ note }) => note.includes("shop/E01@wordy"))).toHaveLength(1);
});

test("who asks a person loses against one that is green; as long as nobody is, the answer goes to the one that asks", async () => {
  const asks = 'echo "OWT-QUESTION: which colour?"\n';
  const scripts = (path: (name: string) => string) => ({
    tidy: `if [ -e '${path("asked")}' ]; then ${SMALL.replaceAll("\n", ";")} else touch '${path("asked")}'; ${asks.trim()}; fi\n`,
    wordy: `${holdUntil(path("go"))}${LARGE}`,
  });
  await using rig = rigWith(scripts, { more: 'verify = "test -f E01.txt"' });
  const run = rig.start("run", "--yes", "--plain", ...BOTH);
  await run.says("which colour?");
  const { waiting } = await rig.json<{ waiting: { task: string; command: string }[] }>("inbox");
  expect(waiting).toMatchObject([{ task: "shop/E01@tidy", command: 'owt task answer shop/E01@tidy "…"' }]);
  rig.release("go");
  expect((await run.ended).code).toBe(0);
  const { contests } = await report(rig);
  expect(contests[0]).toMatchObject({
    winner: "wordy",
    why: "the only one that is green; tidy: asks: which colour?",
  });
  const late = await rig.owt("task", "answer", "shop/E01@tidy", "blue");
  expect(late.code).not.toBe(0);
  const retry = await rig.owt("task", "retry", "shop/E01@tidy");
  expect(retry.stderr).toContain("lost to wordy: asks: which colour?");
  expectTidy(rig);
});

test("who waits for a usage limit loses against one that is green, and falls over to nobody", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${config('verify = "test -f E01.txt"')}[agent.limited]\nkind = "demo"\nfall_over = "tidy"\n`,
    "agents/tidy.sh": SMALL,
    "agents/wordy.sh": LARGE,
    "docs/plans/shop/epic-01-feature.md": task({}, "limit 3600s"),
  });
  const ran = await rig.owt("run", "--yes", "--plain", "--rivals", "2", "--agents", "limited,wordy");
  expect(ran.code).toBe(0);
  expect((await report(rig)).contests).toMatchObject([
    {
      winner: "wordy",
      why: expect.stringMatching(/^the only one that is green; limited: waits for a usage limit/),
      rivals: [{ agent: "limited", state: "cancelled" }, { agent: "wordy" }],
    },
  ]);
  expect(ran.stderr).not.toContain("takes its place");
  expectTidy(rig);
});

test("the winner is reviewed, and what then does not go together goes back to its own conversation", async () => {
  // Its second turn is told of the conflict, and settles it.
  const settle = "printf 'both\\n' > shared.txt; git add shared.txt";
  const scripts = () => ({
    tidy: `${NAME}if [ -n "$(git ls-files -u)" ]; then ${settle}; exit; fi\necho "$name" > shared.txt\n`,
    wordy: `${NAME}echo "$name" > shared.txt\necho notes > notes.txt\n`,
  });
  const plan = {
    "docs/plans/a/epic-01-one.md": task({}, "", "One"),
    "docs/plans/b/epic-02-two.md": task({ needs_review: true }, "", "Two"),
  };
  await using rig = rigWith(scripts, { more: 'verify = "test -f shared.txt"', plan });
  expect((await rig.owt("run", "--yes", "--plain", ...BOTH)).code).toBe(4);
  const { waiting } = await rig.json<{ waiting: { task: string; command: string }[] }>("inbox");
  expect(waiting).toMatchObject([{ task: "b/E02", command: "owt task approve b/E02" }]);
  await rig.json("task", "approve", "b/E02");
  // Reviewed work that comes back as something else is reviewed again.
  expect((await rig.owt("resume", "--plain")).code).toBe(4);
  await rig.json("task", "approve", "b/E02");
  expect((await rig.owt("resume", "--plain")).code).toBe(0);
  expect(rig.show("owt/runs/r1", "shared.txt")).toBe("both\n");
  const told = await report(rig);
  const attempts = told.tasks.find(({ id }) => id === "b/E02")!.attempts;
  expect(attempts.map(({ agent, outcome_kind }) => [agent, outcome_kind])).toEqual([
    ["tidy", "conflict"],
    ["tidy", "ok"],
  ]);
  expect(told.wins).toContainEqual({ agent: "tidy", won: 2, of: 2 });
  expectTidy(rig);
});

test("with one agent at a time, and with one worktree, nobody waits for ever", async () => {
  await using rig = rigWith(() => ({ tidy: LARGE, wordy: SMALL }), { more: 'verify = "ls E0*.txt"', plan: TWO });
  expect((await rig.owt("run", "--yes", "--plain", "--sequential", ...BOTH)).code).toBe(0);
  expect((await report(rig)).wins).toContainEqual({ agent: "wordy", won: 2, of: 2 });

  await using narrow = rigWith(() => ({ tidy: LARGE, wordy: SMALL }), {
    more: 'verify = "ls E0*.txt"\n[resources]\nmax_worktrees = 1',
    plan: TWO,
  });
  expect((await narrow.owt("run", "--yes", "--plain", ...BOTH)).code).toBe(0);
  const why = expect.stringMatching(/^the only one that is green; wordy: waits for a worktree/);
  expect((await report(narrow)).contests).toMatchObject([
    { winner: "tidy", why },
    { winner: "tidy", why },
  ]);
  expectTidy(narrow);
});

test("one that a person took over is waited for, and takes part with what they did", async () => {
  const scripts = (path: (name: string) => string) => ({ tidy: LARGE, wordy: holdUntil(path("never")) });
  await using rig = rigWith(scripts, { more: 'verify = "test -f E01.txt"' });
  const run = rig.start("run", "--yes", "--plain", ...BOTH);
  await vi.waitUntil(() => phases(rig)["tidy"] === "contest" && phases(rig)["wordy"] === "agent", { timeout: 60_000 });
  await rig.json("switch", "shop/E01@wordy");
  expect((await run.ended).code).toBe(4);
  const { runs } = await rig.json<{ runs: { tasks: { id: string; why: string }[] }[] }>("status");
  expect(runs[0]!.tasks.find(({ id }) => id === "shop/E01@tidy")!.why).toContain(
    "waits for shop/E01@wordy, taken over by hand",
  );
  const [place] = rows(rig, "select worktree from attempt where agent = 'wordy'").map((row) => String(row["worktree"]));
  writeFileSync(join(place!, "E01.txt"), "by hand\n");
  await rig.json("task", "approve", "shop/E01", "--yes");
  expect((await rig.owt("resume", "--plain")).code).toBe(0);
  expect(rig.show("owt/runs/r1", "E01.txt")).toBe("by hand\n");
  expect((await report(rig)).contests).toMatchObject([{ winner: "wordy", why: "1 changed line against 4" }]);
  expectTidy(rig);
});

test("that one of several failed is no news as long as another one may still do the task", async () => {
  await using receiver = await Receiver.start();
  const scripts = (path: (name: string) => string) => ({ tidy: "exit 3\n", wordy: holdUntil(path("go")) + LARGE });
  await using rig = rigWith(scripts, { more: 'verify = "test -f E01.txt"' });
  rig.userFile("config.toml", `[[notifications.webhook]]\nurl = "${receiver.url}/hook"\n`);
  const run = rig.start("run", "--yes", "--plain", ...BOTH);
  await run.says("failed: ");
  const isTold = () => rows(rig, "select * from outbox where state = 'waiting'").length === 0;
  await vi.waitUntil(isTold, { timeout: 60_000 });
  rig.release("go");
  expect((await run.ended).code).toBe(0);
  expect(receiver.notices("/hook").map(({ event }) => event)).toEqual(["run-ended"]);
});

test("an answer by the task's name reaches the one that asks; a task that several do is cancelled as one; logs show all of them", async () => {
  const asks = (path: string) =>
    `if [ -e '${path}' ]; then ${SMALL.replaceAll("\n", ";")} else touch '${path}'; echo "OWT-QUESTION: which colour?"; fi\n`;
  const scripts = (path: (name: string) => string) => ({
    tidy: asks(path("asked")),
    wordy: "echo no idea\nexit 3\n",
  });
  await using rig = rigWith(scripts, { more: 'verify = "test -f E01.txt"' });
  expect((await rig.owt("run", "--yes", "--plain", ...BOTH)).code).toBe(4);
  const logs = rig.ok("logs", "shop/E01");
  expect(logs).toContain("shop/E01@tidy  | ");
  expect(logs).toContain("shop/E01@wordy | ");
  expect((await rig.json<{ answer: string }>("task", "answer", "shop/E01", "blue")).answer).toBe("blue");
  expect((await rig.owt("resume", "--plain")).code).toBe(0);
  expect((await report(rig)).contests[0]).toMatchObject({ winner: "tidy" });

  const other = rigWith((path) => ({ tidy: holdUntil(path("never")), wordy: holdUntil(path("never")) }));
  await using held = other;
  const run = held.start("run", "--yes", "--plain", ...BOTH);
  await vi.waitUntil(() => Object.values(phases(held)).filter((phase) => phase === "agent").length === 2, {
    timeout: 60_000,
  });
  await held.json("task", "cancel", "shop/E01");
  expect((await run.ended).code).toBe(1);
  expect((await report(held)).counts).toEqual({ cancelled: 1 });
  expectTidy(held);
  // Cancelled it stays, as any task.
  const again = await held.owt("run", "--yes", "--plain", ...BOTH);
  expect(`${again.stdout}${again.stderr}`).toContain("cancelled");
  expect(rows(held, "select 1 from attempt")).toHaveLength(2);
});

test("the same run again, while it is open, lets those who lost rest", async () => {
  const slow = (path: string) => `case $OWT_TASK in *E02*) ${holdUntil(path).trim()}; ;; esac\n${SMALL}`;
  await using rig = rigWith((path) => ({ tidy: slow(path("go")), wordy: LARGE }), { plan: TWO });
  const run = rig.start("run", "--yes", "--plain", ...BOTH);
  const isBegun = () => Object.keys(phases(rig)).length > 0;
  const isDone = () =>
    isBegun() && rows(rig, "select 1 from task where key = 'shop/E01' and state = 'done'").length === 1;
  await vi.waitUntil(isDone, { timeout: 60_000 });
  expect((await rig.owt("stop")).code).toBe(0);
  await run.ended;
  rig.release("go");
  expect((await rig.owt("run", "--yes", "--plain", ...BOTH)).code).toBe(0);
  const attempts =
    "select count(*) as n from attempt a join task t on t.id = a.task where t.rival ->> '$.of' = 'shop/E01'";
  expect(rows(rig, attempts)).toEqual([{ n: 2 }]);
  expect((await report(rig)).contests).toHaveLength(2);
  expectTidy(rig);
});

test("the plan says that tasks are done twice, and what that costs", async () => {
  await using rig = rigWith(() => ({ tidy: SMALL, wordy: LARGE }), {
    plan: { ...TWO, "docs/plans/shop/epic-03-named.md": task({ branch: "feat/named" }, "", "Named") },
  });
  const once = await rig.json<Preview>("plan");
  const twice = await rig.json<Preview>("plan", ...BOTH);
  expect(twice.tasks.map(({ id, rivals }) => [id, rivals])).toEqual([
    ["shop/E01", ["tidy", "wordy"]],
    ["shop/E02", ["tidy", "wordy"]],
    ["shop/E03", []],
  ]);
  expect(twice.order).toEqual(once.order);
  expect(twice.critical_path).toEqual(["shop/E01", "shop/E02", "shop/E03"]);
  expect(twice.estimate!.sequential_ms.p50).toBeGreaterThan(once.estimate!.sequential_ms.p50 * 1.3);
  const told = rig.ok("run", "--dry-run", ...BOTH);
  expect(told).toContain("each task is done 2 times, and the better work kept: tidy, wordy");
  expect(told).toContain("done once, since the plan names the branch: shop/E03");
});

test("what cannot be is one clear error before anything starts", async () => {
  await using rig = rigWith(() => ({ tidy: SMALL, wordy: LARGE }));
  const refused = async (...args: string[]) => {
    const ran = await rig.owt("run", "--yes", ...args);
    expect(ran.stdout).toBe("");
    return `${ran.code} ${ran.stderr}`;
  };
  // The hint names those that there are.
  expect(await refused("--rivals", "2")).toMatch(
    /^2 .*--rivals 2 needs 2 agents[^]*owt run --rivals 2 --agents demo,tidy\n/,
  );
  expect(await refused("--rivals", "2", "--agents", "tidy")).toMatch(/^2 .*--rivals 2 needs 2 agents/);
  expect(await refused("--rivals", "3", "--agents", "tidy,wordy")).toMatch(/^2 .*needs 3 agents, and --agents names 2/);
  expect(await refused("--rivals", "1", "--agents", "tidy")).toMatch(/^2 .*begins at 2/);
  expect(await refused("--agents", "tidy,wordy")).toMatch(/^2 .*how many\?/);
  expect(await refused("--rivals", "2", "--agents", "tidy,tidy")).toMatch(/^2 .*names tidy twice/);
  expect(await refused("--rivals", "2", "--agents", "tidy,worby")).toMatch(
    /no agent named worby[^]*did you mean wordy\?/,
  );
  expect(await refused(...BOTH, "--agent", "demo")).toMatch(/^2 .*--agent and --agents contradict/);
  rig.write({ ".worktreerc": `${config()}[agent.gone]\nkind = "command"\ncommand = ["no-such-program"]\n` });
  rig.commit("gone");
  rig.ok("config", "approve", "--yes");
  expect(await refused("--rivals", "2", "--agents", "tidy,gone")).toMatch(/needs the program no-such-program/);
  expect(rows(rig, "select * from run")).toEqual([]);
});

test("a run keeps its rivals: the same command without them goes on with them, and a task that joins has them, too", async () => {
  const scripts = (path: (name: string) => string) => ({ tidy: holdUntil(path("go")) + SMALL, wordy: LARGE });
  await using rig = rigWith(scripts, { more: 'verify = "test -f E01.txt"' });
  const first = rig.start("run", "--yes", "--plain", ...BOTH);
  await vi.waitUntil(() => phases(rig)["wordy"] === "contest", { timeout: 60_000 });
  first.child.kill("SIGKILL");
  await first.ended;
  rig.write(TWO);
  rig.commit("another task");
  rig.release("go");
  const ran = await rig.owt("run", "--yes", "--plain", "--agent", "wordy");
  expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining("going on with r1") });
  expect(ran.stderr).toContain("it goes on as a whole (--agent: for new runs only)");
  const { contests, counts } = await report(rig);
  expect(counts).toEqual({ done: 2 });
  expect(contests.map(({ task, winner }) => [task, winner])).toEqual([
    ["shop/E01", "tidy"],
    ["shop/E02", "tidy"],
  ]);
  expectTidy(rig);
});

test("while one of them asks, a failed one is tried again by itself: the other's question stays", async () => {
  await using rig = rigWith(() => ({ tidy: "echo 'OWT-QUESTION: Which colour?'\n", wordy: "exit 3\n" }));
  expect((await rig.owt("run", "--yes", ...BOTH)).code).toBe(4);
  type Inbox = { waiting: { task: string; command: string; note: string | null }[] };
  const { waiting } = await rig.json<Inbox>("inbox");
  const told = waiting.map(({ task: id, command, note }) => [id, command, note]);
  expect(told.toSorted()).toEqual([
    ["shop/E01@tidy", 'owt task answer shop/E01@tidy "…"', null],
    ["shop/E01@wordy", "owt task retry shop/E01@wordy", null],
  ]);
});
