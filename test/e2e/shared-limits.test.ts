/** Two repositories of one user, with one login: what one meets holds the other, one of both tries whether it is over, and both go on. With the real
 *  Claude Code; see claude-limit.test.ts for one repository. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test, vi } from "vitest";
import { usageLimit } from "../rig/claude-login.ts";
import { approvedBeside, approvedRig, integrated, whyNoClaude, works } from "../rig/claude-plan.ts";
import type { Place } from "../rig/claude-rig.ts";
import { type Gate, makeGate } from "../rig/fake-api.ts";

beforeEach((context) => {
  const why = whyNoClaude();
  if (why !== null) context.skip(why);
});

const TOKEN = "sk-ant-oat01-first";
const LOGIN = { ANTHROPIC_API_KEY: undefined, CLAUDE_CODE_OAUTH_TOKEN: TOKEN };

const plan = (...names: string[]) =>
  Object.fromEntries(names.map((name) => [`docs/plans/${name}/epic-01-page.md`, `# Page\n\nWrite ${name}.txt.\n`]));

/** A task that is held at its second word, and once more where it goes on or begins behind a limit. */
function scripted(name: string, begun: Gate, probe: Gate) {
  const [write, commit] = works(name, { gate: begun }).task;
  return [`${name}/E01`, { task: [write!, commit!], resume: [{ say: "It is done.", gate: probe }] }] as const;
}

/** The same of one that has not begun when the limit is met. */
function late(name: string, probe: Gate) {
  const [write, ...more] = works(name).task;
  const words = [{ ...write!, gate: probe }, ...more];
  return [`${name}/E01`, { task: words, resume: words }] as const;
}

type Standing = { id: string; standing: string; why: string };

async function standings(...places: Place[]): Promise<Standing[]> {
  const all = await Promise.all(places.map((place) => place.ask<{ runs: { tasks: Standing[] }[] }>("status")));
  return all.flatMap(({ runs }) => runs[0]?.tasks ?? []);
}

const waits = async (...places: Place[]) => {
  const seen = await standings(...places);
  return seen.length > 0 && seen.every(({ standing }) => standing === "waits-for-time");
};

const LOOKS = { timeout: 60_000, interval: 200 };

/** Two tasks of the first repository have met a limit of some seconds; the second one begins when they wait. */
async function twoBehindOne(seconds: number) {
  const [begun, probe] = [[makeGate(), makeGate()], makeGate()];
  const script = Object.fromEntries([
    ...["a", "b"].map((name, at) => scripted(name, begun[at]!, probe)),
    ...["c", "d"].map((name) => late(name, probe)),
  ]);
  const limit = { resetsAt: 0 };
  const refuse = () => (Date.now() < limit.resetsAt * 1_000 ? usageLimit(limit.resetsAt) : null);
  const rig = await approvedRig(plan("a", "b"), script, { refuse, env: LOGIN });
  const other = await approvedBeside(rig, "other", plan("c", "d"));
  const first = rig.owt("run", "--yes", "--parallel", "2");
  await first.brings(Promise.all(begun.map((gate) => gate.reached)));
  limit.resetsAt = Math.ceil(Date.now() / 1_000) + seconds;
  for (const gate of begun) gate.release();
  await first.brings(vi.waitUntil(() => waits(rig), LOOKS));
  const second = other.owt("run", "--yes", "--parallel", "2");
  return { rig, other, first, second, probe, limit };
}

test("what one repository met holds the other; one of both tries it, and then both go on", async () => {
  const { rig: scene, other, first, second, probe, limit } = await twoBehindOne(25);
  await using rig = scene;
  await second.brings(vi.waitUntil(() => waits(other), LOOKS));
  for (const { why } of await standings(other)) expect(why).toMatch(/^waits for a usage limit of claude until \d{4}-/);
  expect(second.err()).toContain("another repository met a usage limit of claude");
  // It was not asked again to find that out.
  expect(rig.starts()).toHaveLength(2);
  expect(Date.now()).toBeLessThan(limit.resetsAt * 1_000);

  await probe.reached;
  expect(Date.now()).toBeGreaterThanOrEqual(limit.resetsAt * 1_000);
  const isElsewhere = ({ why }: Standing) => why.includes("waits for another repository, which tries whether");
  await vi.waitUntil(async () => (await standings(rig, other)).filter(isElsewhere).length === 2, LOOKS);
  const seen = await standings(rig, other);
  expect(seen.filter(({ standing }) => standing === "working")).toHaveLength(1);
  expect(rig.claudes()).toHaveLength(1);
  expect(rig.starts()).toHaveLength(3);
  probe.release();
  await Promise.all([first.exits(0), second.exits(0)]);

  expect([...integrated(rig), ...integrated(other)].toSorted()).toEqual(
    ["a", "b", "c", "d"].map((name) => `${name}/E01 yes`),
  );
  expect(rig.starts()).toHaveLength(6);
  expect(`${first.err()}${second.err()}`).toContain("the usage limit of claude is over, as another repository found");
  // Nobody else reads it, and it holds no secret.
  const file = join(rig.env["XDG_STATE_HOME"]!, "open-orchestrator", "limits.db");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file).includes(TOKEN)).toBe(false);
});

test("where the one that tries it is killed, the other tries it, and both come home", async () => {
  const { rig: scene, other, first, second, probe } = await twoBehindOne(20);
  await using rig = scene;
  await probe.reached;
  const owner = async () =>
    (await standings(rig)).some(({ standing }) => standing === "working") ? "first" : "second";
  const [killed, stays, at] = (await owner()) === "first" ? [first, second, rig] : [second, first, other];
  expect(rig.starts()).toHaveLength(3);
  killed.kill();
  await killed.exits("SIGKILL");
  await stays.brings(vi.waitUntil(() => rig.starts().length === 4, LOOKS));
  probe.release();
  await stays.exits(0);
  await at.owt("resume").exits(0);
  expect([...integrated(rig), ...integrated(other)]).toHaveLength(4);
});

test("where what is shared cannot be read, each goes by its own, and says so", async () => {
  const probe = makeGate();
  const begun = makeGate();
  const script = Object.fromEntries([scripted("a", begun, probe), late("c", probe)]);
  let resetsAt = 0;
  const refuse = () => (Date.now() < resetsAt * 1_000 ? usageLimit(resetsAt) : null);
  await using rig = await approvedRig(plan("a"), script, { refuse, env: LOGIN });
  const other = await approvedBeside(rig, "other", plan("c"));
  const folder = join(rig.env["XDG_STATE_HOME"]!, "open-orchestrator");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "limits.db"), "no database at all ".repeat(1_000));
  const first = rig.owt("run", "--yes");
  await first.brings(begun.reached);
  resetsAt = Math.ceil(Date.now() / 1_000) + 20;
  begun.release();
  await first.brings(vi.waitUntil(() => waits(rig), LOOKS));
  probe.release();
  const second = other.owt("run", "--yes");
  await Promise.all([first.exits(0), second.exits(0)]);
  // Each met it, and each tried it.
  expect(rig.starts()).toHaveLength(4);
  for (const run of [first, second])
    expect(run.err().match(/usage limits are not shared with other repositories: .*damaged/g)).toHaveLength(1);
});

test("an API that one repository cannot reach is not asked by the other; both go on when it answers", async () => {
  const [begun, probe] = [makeGate(), makeGate()];
  probe.release();
  const script = Object.fromEntries([scripted("a", begun, probe), late("c", probe)]);
  let isAway = false;
  const refuse = () => (isAway ? { status: 529, type: "overloaded_error", message: "Overloaded" } : null);
  await using rig = await approvedRig(plan("a"), script, { refuse, env: LOGIN });
  const other = await approvedBeside(rig, "other", plan("c"));
  const first = rig.owt("run", "--yes");
  await first.brings(begun.reached);
  isAway = true;
  begun.release();
  await first.brings(vi.waitUntil(() => waits(rig), LOOKS));
  const second = other.owt("run", "--yes");
  await second.brings(vi.waitUntil(() => waits(other), LOOKS));
  expect((await standings(other))[0]!.why).toMatch(
    /^the API of claude cannot be reached \(as another repository met it\); next try at/,
  );
  expect(rig.starts()).toHaveLength(1);
  isAway = false;
  await Promise.all([first.exits(0), second.exits(0)]);
  // Nobody was refused once more.
  expect(rig.starts()).toHaveLength(3);
});

test("a repository with another login is not held", async () => {
  const [begun, probe] = [makeGate(), makeGate()];
  probe.release();
  const script = Object.fromEntries([scripted("a", begun, probe), late("c", probe)]);
  let isLimited = false;
  const resetsAt = Math.ceil(Date.now() / 1_000) + 3_600;
  const refuse = ({ authorization }: { authorization?: string | undefined }) =>
    isLimited && authorization === `Bearer ${TOKEN}` ? usageLimit(resetsAt) : null;
  await using rig = await approvedRig(plan("a"), script, { refuse, env: LOGIN });
  const login = { CLAUDE_CODE_OAUTH_TOKEN: "sk-ant-oat01-second" };
  const other = await approvedBeside(rig, "other", plan("c"), login);
  const first = rig.owt("run", "--yes");
  await first.brings(begun.reached);
  isLimited = true;
  begun.release();
  await first.brings(vi.waitUntil(() => waits(rig), LOOKS));
  await other.owt("run", "--yes").exits(0);
  expect(integrated(other)).toEqual(["c/E01 yes"]);
  expect(await waits(rig)).toBe(true);
});
