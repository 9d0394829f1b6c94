/** Where a run begins: the target's tip, and the finished work of earlier runs that has not landed on it. */
import { OwtError } from "../core/errors.ts";
import { planKeyOf } from "../core/rival.ts";
import type { Run } from "../core/run.ts";
import { currentBranch, isAncestor, readRef } from "../git/branch.ts";
import { writeCommit } from "../git/commit.ts";
import { fetchOnce } from "../git/fetch.ts";
import type { Oid } from "../git/git.ts";
import { mergeTrees } from "../git/merge.ts";
import { few } from "../lib/few.ts";
import { printableNames } from "../lib/printable.ts";
import { readRuns } from "../store/runs.ts";
import { hasDoneTask, readTasks } from "../store/tasks.ts";
import type { Engine } from "./engine.ts";
import { listed } from "../lib/printable.ts";

/** Where a run begins. `buildsOn`: the run whose work it goes on from, where there is one; `joined`: all whose work it has, that one first. `notes` say aloud what it builds on; `seen` is how the runs stood
 *  when that was worked out. */
export type Base = {
  target: string;
  commit: Oid;
  buildsOn: string | null;
  joined: string[];
  notes: string[];
  seen: string;
};

type Target = { target: string; tip: Oid };

const REMOTE = "origin";

/** The branch that a run lands on, and where it is. Throws where there is none. */
export async function findTarget(engine: Engine, wanted: string | undefined): Promise<Target> {
  const target = wanted ?? engine.config.run.target ?? (await currentBranch(engine.repo));
  if (!target) {
    throw new OwtError("environment", "HEAD is detached, so there is no branch to land on", {
      hint: "switch to a branch, or name one: [run] target in .worktreerc",
    });
  }
  const tip = await readRef(engine.repo, `refs/heads/${target}`);
  if (!tip) {
    throw new OwtError("plan", `the branch ${target}, which the run is to land on, does not exist`, {
      hint: `create it (git branch ${target}), or name another: [run] target in .worktreerc, base_branch in the feature list`,
    });
  }
  return { target, tip };
}

/** The target's tip and, unless `fromTarget`, what is finished and has not landed on it: the newest work that holds tasks of the plan (`keys`), else the newest
 *  there is, and all other work that holds more of them. `seen`: how the runs stood before anything was read. */
export async function findBase(
  engine: Engine,
  at: Target,
  { fromTarget, keys, seen }: { fromTarget: boolean; keys: ReadonlySet<string>; seen: string },
): Promise<Base> {
  const plain = { ...(await newestTarget(engine, at)), seen };
  return fromTarget ? plain : buildOn(engine, plain, await readUnlanded(engine, plain, keys));
}

/** Which runs there are and which of them are open: what a base and the tasks that count as done were worked out from. */
export function standingOfRuns(engine: Engine): string {
  return readRuns(engine.store)
    .map((run) => `${run.id} ${run.state} ${run.landedAt}`)
    .join("\n");
}

/** The target's tip; with `[run] fetch` that of its remote, where the local branch is merely behind. */
async function newestTarget(engine: Engine, { target, tip }: Target): Promise<Omit<Base, "seen">> {
  const local = { target, commit: tip, buildsOn: null, joined: [], notes: [] };
  if (!engine.config.run.fetch) return local;
  const fetched = await fetchOnce(engine.repo, REMOTE);
  if (!fetched.fetched) {
    const note = `${REMOTE} could not be fetched (${fetched.said}); starting from ${target} as it is here`;
    return { ...local, notes: [note] };
  }
  const remote = await readRef(engine.repo, `refs/remotes/${REMOTE}/${target}`);
  if (!remote || remote === tip || !(await isAncestor(engine.repo, tip, remote))) return local;
  return { ...local, commit: remote, notes: [`${target} is behind ${REMOTE}/${target}; the run starts from there`] };
}

/** A finished run that has not landed and that no newer one builds on: which tasks of the plan are done in it and in all that it builds on. */
type Unlanded = { run: Run; tip: Oid; keys: Set<string> };

/** The newest first. */
async function readUnlanded(engine: Engine, { target, commit }: Base, keys: ReadonlySet<string>): Promise<Unlanded[]> {
  const found: Unlanded[] = [];
  for (const run of readRuns(engine.store, "ended").toReversed()) {
    if (run.target !== target || run.landedAt !== null || !hasDoneTask(engine.store, run.id)) continue;
    const tip = await readRef(engine.repo, `refs/heads/${run.branch}`);
    if (!tip || (await isAncestor(engine.repo, tip, commit))) continue;
    const done = readTasks(engine.store, run.id).filter(({ state }) => state === "done");
    const own = new Set(done.map(planKeyOf)).intersection(keys);
    const above = await findHolder(engine, found, tip);
    if (above === null) found.push({ run, tip, keys: own });
    else above.keys = above.keys.union(own);
  }
  return found;
}

async function findHolder({ repo }: Engine, works: readonly Unlanded[], tip: Oid): Promise<Unlanded | null> {
  for (const work of works) if (await isAncestor(repo, tip, work.tip)) return work;
  return null;
}

/** A commit that holds the work of runs, and what it was made of; one commit for all of it. */
type Joint = { commit: Oid; parents: Oid[]; runs: string[] };

async function buildOn(engine: Engine, plain: Base, works: readonly Unlanded[]): Promise<Base> {
  const first = works.find(({ keys }) => keys.size > 0) ?? works[0];
  if (first === undefined) return plain;
  const begun = await join(engine, plain.target, { commit: plain.commit, parents: [plain.commit], runs: [] }, first);
  if ("conflicts" in begun) {
    const { id } = first.run;
    throw new OwtError("needs-person", `${plain.target} and the unlanded ${id} conflict in ${begun.conflicts}`, {
      hint: `bring it in first: owt land ${id}; or start without it: --from-target`,
    });
  }
  let joint = begun;
  let held = first.keys;
  const left: { work: Unlanded; conflicts: string }[] = [];
  for (const work of works) {
    if (work.keys.isSubsetOf(held)) continue;
    const joined = await join(engine, plain.target, joint, work);
    if ("conflicts" in joined) {
      left.push({ work, ...joined });
      continue;
    }
    joint = joined;
    held = held.union(work.keys);
  }
  const missing = left.map(({ work, conflicts }) => describeLeft(work, [...work.keys.difference(held)], conflicts));
  const notes = [...plain.notes, describeJoint(joint, plain.target), ...missing.filter((each) => each !== null)];
  return { ...plain, commit: joint.commit, buildsOn: first.run.id, joined: joint.runs, notes };
}

/** Adds the work of a run. What it comes to is parents side by side, so that the first of them tells where the target stood. */
async function join(
  engine: Engine,
  target: string,
  { commit, parents, runs }: Joint,
  { run, tip }: Unlanded,
): Promise<Joint | { conflicts: string }> {
  const all = [...runs, run.id];
  if (await isAncestor(engine.repo, commit, tip)) return { commit: tip, parents: [tip], runs: all };
  const merged = await mergeTrees(engine.repo, commit, tip, engine.repo.root);
  if (!("tree" in merged))
    return { conflicts: "files" in merged ? printableNames(merged.files) : "all of their history" };
  const trailers = all.map((id) => `Owt-Run: ${id}\n`).join("");
  const of = [...parents, tip];
  const message = `Merge ${listed(all)} into ${target}\n\n${trailers}`;
  const identity = await engine.identity();
  return {
    commit: await writeCommit(engine.repo, { tree: merged.tree, parents: of, message, identity }),
    parents: of,
    runs: all,
  };
}

function describeJoint({ runs }: Joint, target: string): string {
  const [have, them] = runs.length === 1 ? ["has", "it"] : ["have", "them"];
  return `builds on ${listed(runs)}, which ${have} not landed on ${target} yet (--from-target starts without ${them})`;
}

/** What is done in a run that could not be joined is not done here; null where other work holds it. */
function describeLeft({ run: { id } }: Unlanded, missing: readonly string[], conflicts: string): string | null {
  if (missing.length === 0) return null;
  return `does not hold what is done in ${id} (${few(missing)}), which conflicts with that in ${conflicts}, and would do it again; to have it: owt land ${id}, then the same again`;
}
