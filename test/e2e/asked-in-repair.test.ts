/** A turn that is to resolve a conflict, or to mend a red check, can end with a question like any other: it goes on with the answer, and is judged as the turn that it is. */
import { expect, test } from "vitest";
import { demoConfig, Rig, startTwoBehindOne, task } from "../rig/rig.ts";

type Shown = { task: { attempts: { outcome: string; session: string }[] } };
type Waiting = { waiting: { task: string; why: string; command: string }[] };
type Report = { report: { tasks: { id: string; lost: { path: string; of: string[]; is_own: boolean }[] }[] } };

async function attemptsOfTwo(rig: Rig): Promise<Shown["task"]["attempts"]> {
  return (await rig.json<Shown>("task", "show", "two/E01")).task.attempts;
}

/** The second asks in its turn that is to bring both together, and does this once it is answered. */
async function askedIn(
  what: "conflict" | "red check",
  steps: string,
): Promise<{ rig: Rig; answer: () => ReturnType<Rig["owt"]> }> {
  const isConflict = what === "conflict";
  const verify = isConflict ? "" : '[run]\nverify = "test ! -f a.txt || test ! -f b.txt || test -f both.txt"\n';
  const rig = Rig.create({ ".worktreerc": `${demoConfig}${verify}`, "shared.txt": "top\nmiddle\nend\n" });
  const word = (of: string) => (isConflict ? `write shared.txt "top\\nword of ${of}\\nend\\n"` : "");
  rig.write({
    "docs/plans/one/epic-01-a.md": task({}, `${word("one")}\nwrite a.txt "word of one"`),
    "docs/plans/two/epic-01-b.md": task(
      {},
      `touch ${rig.path("two-runs")}\nwait ${rig.path("gate")}\n${word("two")}\nwrite b.txt "word of two"\non ${isConflict ? "conflict" : "repair"}:\nask "Which of them?"\non answer:\n${steps}`,
    ),
  });
  rig.commit("plan");
  expect((await (await startTwoBehindOne(rig)).ended).code).toBe(4);
  const { waiting } = await rig.json<Waiting>("inbox");
  expect(waiting).toMatchObject([{ task: "two/E01", why: expect.stringContaining("Which of them?") }]);
  const answer = async () => {
    rig.ok("task", "answer", "two/E01", "both of them");
    return rig.owt("resume");
  };
  return { rig, answer };
}

const BOTH = 'write shared.txt "top\\nword of one\\nword of two\\nend\\n"\ncommit "both"';

test.each([
  ["conflict" as const, BOTH, "conflicts in shared.txt"],
  ["red check" as const, 'write both.txt "{answer}"', expect.stringMatching(/^verify failed/)],
])(
  "a question in the turn of a %s waits for its answer, and the same conversation goes on with it",
  async (what, steps, first) => {
    const { rig, answer } = await askedIn(what, steps);
    await using _ = rig;
    expect((await answer()).code).toBe(0);
    const attempts = await attemptsOfTwo(rig);
    expect(attempts.map(({ outcome }) => outcome)).toEqual([first, expect.stringContaining("Which of them?"), "done"]);
    expect(new Set(attempts.map(({ session }) => session)).size).toBe(1);
    expect(rig.integrations("owt/runs/r1").toSorted()).toEqual(["one/E01", "two/E01"]);
  },
);

test("who leaves the conflict open behind the answer has not resolved it, and has the other ways that there are", async () => {
  const { rig, answer } = await askedIn("conflict", 'say "no"');
  await using _ = rig;
  await answer();
  expect((await attemptsOfTwo(rig)).map(({ outcome }) => outcome)[2]).toBe("conflicts in shared.txt");
});

test.each([
  ["conflict" as const, "git checkout -q --ours shared.txt; git add -A; git commit -qm r", "shared.txt", false],
  [
    "conflict" as const,
    "git checkout -q --theirs shared.txt; git rm -qf b.txt; git add -A; git commit -qm r",
    "b.txt",
    true,
  ],
  ["red check" as const, "git rm -qf a.txt; echo both > both.txt; git add -A; git commit -qm r", "a.txt", false],
  ["red check" as const, "git rm -qf b.txt; echo c > c.txt; git add -A; git commit -qm r", "b.txt", true],
])("what is lost behind an answer is asked about, too: %s, %s", async (what, command, path, isOwn) => {
  const { rig, answer } = await askedIn(what, `run "sh" "-c" "${command}"`);
  await using _ = rig;
  expect((await answer()).code).toBe(0);
  const how = what === "conflict" ? "resolved a conflict by throwing a side away" : "mended a red check by undoing";
  expect((await attemptsOfTwo(rig)).map(({ outcome }) => outcome)[2]).toContain(how);
  const { report } = await rig.json<Report>("report");
  expect(report.tasks.find(({ id }) => id === "two/E01")!.lost).toContainEqual({
    path,
    of: isOwn ? [] : ["one/E01"],
    is_own: isOwn,
  });
});
