/** What was taken out of a target's history (amended, rebased, reset away) since a run began there: landing the run would bring it back. */
import { OwtError } from "../core/errors.ts";
import type { Run } from "../core/run.ts";
import { checkedOutWhere, isAncestor, pastTips, readParents, readRef } from "../git/branch.ts";
import { commitsWithout, mergesOn } from "../git/changes.ts";
import type { Oid } from "../git/git.ts";
import { printable } from "../lib/printable.ts";
import { MapPer } from "../lib/map-per.ts";
import { appendEvent } from "../store/events.ts";
import { readRewritten, readTakenIn } from "../store/run-words.ts";
import { readRuns } from "../store/runs.ts";
import type { Engine } from "./engine.ts";
import { moveBack } from "./stays.ts";

/** So many of them are named. */
const NAMED = 5;

/** Throws `needs-person` where landing the run, which stands at `work`, would bring back commits that the target (at `tip`) had when the run began, or when somebody
 *  brought the two together, and has no more. */
export async function refuseTakenOut(
  engine: Engine,
  run: Run,
  { work, tip }: Record<"work" | "tip", Oid>,
): Promise<void> {
  const met = await findMet(engine, run, work, tip);
  if (met !== null) throw await refuseMet(engine, run, { work, tip, ...met });
  const found = await findTakenOut(engine, run, tip);
  if (found === null) return;
  throw new OwtError("needs-person", describeTakenOut(run, found), {
    hint: `leave them out: git switch -c ${run.id}-work ${run.branch} && git rebase --rebase-merges --onto ${run.target} ${found.base}, and merge that; bring them back all the same: git switch ${run.target} && git merge ${run.branch}`,
  });
}

/** Where somebody merged what the target was then into the run's branch (a person who resolved the two), and it is that no more. */
type Met = { merge: Oid; before: Oid; dropped: Oid };

async function findMet({ repo }: Engine, { target }: Run, work: Oid, tip: Oid): Promise<Met | null> {
  const merges = await mergesOn(repo, work, tip);
  const past = merges.length > 0 ? await pastTips(repo, target) : new Set<Oid>();
  for (const { merge, parents } of merges)
    for (const dropped of parents.slice(1))
      if (past.has(dropped) && !(await isAncestor(repo, dropped, tip))) return { merge, before: parents[0]!, dropped };
  return null;
}

async function refuseMet(
  { repo }: Engine,
  { id, branch, target }: Run,
  { work, tip, merge, before, dropped }: Met & Record<"work" | "tip", Oid>,
): Promise<OwtError> {
  const checkout = await checkedOutWhere(repo, branch);
  const back = moveBack(checkout, branch, { to: before, keeps: `${id}-moved-${merge.slice(0, 7)}` });
  const without =
    work === merge
      ? `bring them together anew: ${back} && owt land ${id}`
      : `leave it out: git switch -c ${id}-work ${branch} && git rebase --rebase-merges --onto ${target} ${dropped}, and merge that`;
  const named = nameCommits(await commitsWithout(repo, dropped, [before, tip]));
  return new OwtError(
    "needs-person",
    `${branch} was brought together with ${named}, which ${target} does not hold any more; landing would bring that back`,
    { hint: `${without}; bring it back all the same: git switch ${target} && git merge ${branch}` },
  );
}

function describeTakenOut(run: Run, { base, isTakenIn, commits }: TakenOut): string {
  const how = isTakenIn ? "took in" : "began at";
  return `${run.id} ${how} ${base.slice(0, 10)}, which ${run.target} does not hold any more; landing would bring back ${nameCommits(commits)}`;
}

/** By name and first line, with no more of them than one reads. */
export function nameCommits(commits: TakenOut["commits"]): string {
  const more = commits.length > NAMED ? ` and ${commits.length - NAMED} more` : "";
  return `${commits
    .slice(0, NAMED)
    .map(({ oid, subject }) => `${oid.slice(0, 10)} (${printable(subject)})`)
    .join(", ")}${more}`;
}

const seen = new MapPer<Engine, string, Oid>();

/** Writes it down for all who look as soon as the target of an open run is seen to lack what the run began with, or to have it again. */
export async function noteTakenOut(engine: Engine, run: Run): Promise<void> {
  const tips = seen.of(engine);
  const tip = await readRef(engine.repo, `refs/heads/${run.target}`);
  if (tip === null || tips.get(run.id) === tip) return;
  tips.set(run.id, tip);
  const found = await findTakenOut(engine, run, tip);
  const why = found === null ? null : `${run.target} was rewritten: ${describeTakenOut(run, found)}`;
  if (why === readRewritten(engine.store, run.id)) return;
  appendEvent(engine.store, engine.now(), { run: run.id }, { kind: "target-rewritten", why });
}

/** Whether the target, which stands at `tip`, lacks what a run began with that builds on no other. */
export async function isTakenOut(engine: Engine, run: Run, tip: Oid): Promise<boolean> {
  return run.buildsOn === null && (await findTakenOut(engine, run, tip)) !== null;
}

/** `isTakenIn`: the run did not begin with it, but came forward to it later. */
type TakenOut = { base: Oid; isTakenIn: boolean; commits: { oid: Oid; subject: string }[] };

/** Of the run, or of one that it builds on. */
async function findTakenOut(engine: Engine, run: Run, tip: Oid, seen = new Set([run.id])): Promise<TakenOut | null> {
  const parents = await readParents(engine.repo, run.base);
  const below = await runsBelow(engine, run, parents);
  const works = below.flatMap(({ work }) => work ?? []);
  const began = targetAtStart(run, parents);
  for (const base of [...readTakenIn(engine.store, run.id), began]) {
    if ((await isAncestor(engine.repo, base, tip)) || (await isAhead(engine, run, base, tip))) continue;
    const commits = await commitsWithout(engine.repo, base, [tip, ...works]);
    if (commits.length > 0) return { base, isTakenIn: base !== began, commits };
  }
  for (const each of below) {
    if (seen.has(each.run.id)) continue;
    seen.add(each.run.id);
    const found = await findTakenOut(engine, each.run, tip, seen);
    if (found !== null) return found;
  }
  return null;
}

/** The runs that one builds on, and where their work is: that which it goes on from, and those that were joined with it as it began. */
async function runsBelow(
  { repo, store }: Engine,
  { id, target, buildsOn }: Run,
  parents: readonly Oid[],
): Promise<{ run: Run; work: Oid | null }[]> {
  if (buildsOn === null) return [];
  const below: { run: Run; work: Oid | null }[] = [];
  for (const run of readRuns(store)) {
    if (run.id === id || run.target !== target) continue;
    const work = await readRef(repo, `refs/heads/${run.branch}`);
    if (run.id === buildsOn || (work !== null && parents.length > 1 && parents.includes(work)))
      below.push({ run, work });
  }
  return below;
}

/** Where the target stood: a run that builds on others may begin with a merge of it and them. */
function targetAtStart({ base, buildsOn }: Run, parents: readonly Oid[]): Oid {
  return buildsOn !== null && parents.length > 1 ? parents[0]! : base;
}

/** Whether the target is merely behind its remote, whose newest commit the run began with. */
async function isAhead({ repo }: Engine, { target }: Run, base: Oid, tip: Oid): Promise<boolean> {
  const remote = await readRef(repo, `refs/remotes/origin/${target}`);
  return remote !== null && (await isAncestor(repo, base, remote)) && (await isAncestor(repo, tip, base));
}
