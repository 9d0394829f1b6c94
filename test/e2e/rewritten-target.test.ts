/** A target whose history was rewritten below a run: landing does not bring back what a person took out of it. */
import { expect, test } from "vitest";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";

/** A run that is through, on a main whose last commit has a file that should not be there. */
async function withSecret(): Promise<Rig> {
  const rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"') });
  rig.write({ "secret.pem": "KEY" });
  rig.commit("with a secret");
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  return rig;
}

test("what was amended away is not brought back by landing, until a person does so", async () => {
  await using rig = await withSecret();
  const old = rig.git("rev-parse", "main");
  rig.git("rm", "-q", "secret.pem");
  rig.write({ "public.pem": "KEY" });
  rig.git("add", "public.pem");
  rig.git("commit", "-q", "--amend", "-m", "without it");
  const amended = rig.git("rev-parse", "main");
  const ran = await rig.owt("land");
  expect([ran.code, ran.stderr]).toEqual([
    4,
    expect.stringContaining(`bring back ${old.slice(0, 10)} (with a secret)`),
  ]);
  expect(rig.git("rev-parse", "main")).toBe(amended);
  expect(ran.stderr).toContain("git switch main && git merge owt/runs/r1");
  rig.git("switch", "-q", "-c", "r1-work", "owt/runs/r1");
  rig.git("rebase", "-q", "--rebase-merges", "--onto", "main", old);
  expect([rig.show("r1-work", "a.txt"), rig.show("r1-work", "secret.pem")]).toEqual(["a", null]);
});

test("what a run took in later, to mend a red base, is not brought back either", async () => {
  const broken = { "broken.txt": "red", "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"') };
  await using rig = Rig.create({ ".worktreerc": `${demoConfig}[run]\nverify = "test ! -e broken.txt"\n`, ...broken });
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  rig.git("rm", "-q", "broken.txt");
  rig.write({ "secret.pem": "KEY" });
  rig.commit("mended, with a secret");
  const old = rig.git("rev-parse", "main");
  const ran = await rig.owt("resume");
  expect([ran.code, ran.stderr]).toEqual([0, expect.stringContaining("takes in what was committed on main meanwhile")]);
  rig.git("rm", "-q", "secret.pem");
  rig.git("commit", "-q", "--amend", "-m", "mended");
  const landed = await rig.owt("land");
  const why = `r1 took in ${old.slice(0, 10)}, which main does not hold any more; landing would bring back ${old.slice(0, 10)} (mended, with a secret)`;
  expect([landed.code, landed.stderr]).toEqual([4, expect.stringContaining(why)]);
  expect(rig.show("main", "secret.pem")).toBeNull();
  rig.git("switch", "-q", "-c", "r1-work", "owt/runs/r1");
  rig.git("rebase", "-q", "--rebase-merges", "--onto", "main", old);
  expect([rig.show("r1-work", "a.txt"), rig.show("r1-work", "secret.pem")]).toEqual(["a", null]);
});

test("a target that was reset to before the run began is not moved forward over what was reset away", async () => {
  await using rig = await withSecret();
  rig.git("reset", "-q", "--hard", "HEAD~1");
  const ran = await rig.owt("land");
  expect([ran.code, ran.stderr]).toEqual([4, expect.stringContaining("(with a secret)")]);
  expect(rig.show("main", "secret.pem")).toBeNull();
});

test("a run upon another one lands with it, where the target only moved on", async () => {
  await using rig = await withSecret();
  rig.write({ "docs/plans/b/epic-01-b.md": task({}, 'write b.txt "b"') });
  rig.commit("one more");
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  rig.commit("and one");
  expect((await rig.owt("land", "r2")).code).toBe(0);
  expect([rig.show("main", "a.txt"), rig.show("main", "b.txt")]).toEqual(["a", "b"]);
});

test("it is said while the run goes on, and taken back where the target has it all again", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/a/epic-01-a.md": task({}, 'write a.txt "a"') });
  const late = (name: string) =>
    task({}, `touch ${rig.path(`${name}-runs`)}\nwait ${rig.path(name)}\nwrite ${name}.txt "x"`);
  rig.write({ "docs/plans/b/epic-01-b.md": late("b"), "docs/plans/c/epic-01-c.md": late("c"), "secret.pem": "KEY" });
  rig.commit("with a secret");
  const old = rig.git("rev-parse", "main");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("b-runs"));
  await fileAppears(rig.path("c-runs"));
  rig.git("reset", "-q", "--hard", "HEAD~1");
  rig.release("b");
  const why = `main was rewritten: r1 began at ${old.slice(0, 10)}, which main does not hold any more`;
  await run.says(why);
  expect(rig.ok("status").replaceAll(/\s+/g, " ")).toContain(why);
  const { runs } = await rig.json<{ runs: { target_rewritten: string | null }[] }>("status");
  expect(runs[0]!.target_rewritten).toContain(why);
  rig.git("reset", "-q", "--hard", old);
  rig.release("c");
  expect((await run.ended).stderr).toContain("the target holds again what the run began with");
  expect(rig.ok("status")).not.toContain("was rewritten");
});
