/** From what the command line asks for to a checked piece of work and the commit it would start from. Changes nothing
 *  but, where an unlanded run and a moved target have to be joined, adds a commit that nothing points to yet. */
import { type Base, findBase, findTarget, standingOfRuns } from "./base.ts";
import { checkFallOvers, type Engine, findAgent } from "./engine.ts";
import { checkPrompts } from "./prompts.ts";
import { checkHere } from "./ingest.ts";
import { hasRivals, rivalChoices } from "./rivals.ts";
import { takenUpError } from "./worktrees/taken-up.ts";
import { refuseBranchAbove, refuseUnwritable } from "./run-refs.ts";
import { readWork, type Work } from "./work.ts";
import { readAsked, type WorkRequest } from "./asked-plan.ts";

/** Throws `plan` with every problem at once: those of the plan, and those that it has only here. */
async function prepareWork(
  engine: Engine,
  request: WorkRequest,
  fromTarget: boolean,
): Promise<{ work: Work; base: Base }> {
  const prepared = await chooseWork(engine, request, fromTarget);
  await checkHere(engine, prepared.work, prepared.base, request);
  return prepared;
}

/** The same for work that is about to start: the agent that it is given to is one, and its prompts can be made, too. */
export async function prepareRun(
  engine: Engine,
  request: WorkRequest,
  fromTarget: boolean,
): Promise<{ work: Work; base: Base }> {
  refuseUnwritable(engine);
  await refuseBranchAbove(engine);
  if (request.agent !== null && request.agent !== undefined) findAgent(engine, request.agent);
  checkFallOvers(engine);
  const rivals = rivalChoices(engine, request);
  const { work, base } = await prepareWork(engine, request, fromTarget);
  const isLeftOpen = work.chosen.some((task) => task.spec.agent === null && !hasRivals(task, rivals));
  if (request.agent == null && isLeftOpen) findAgent(engine, engine.config.agent.default);
  return { work: { ...work, rivals, warnings: [...work.warnings, ...checkPrompts(engine, work)] }, base };
}

/** Throws `needs-person` where what was asked for by name is in somebody's hands; what is left of a whole plan or module can begin without it. */
export function refuseTakenUp({ held }: Work, request: WorkRequest): void {
  if (request.tasks.length === 0 && request.texts.length === 0) return;
  const first = [...held].find(([id]) => request.tasks.includes(id)) ?? [...held][0];
  if (first !== undefined) throw takenUpError(...first);
}

/** The same without looking whether the work could begin. */
export async function chooseWork(
  engine: Engine,
  request: WorkRequest,
  fromTarget: boolean,
): Promise<{ work: Work; base: Base }> {
  // Before anything else is read, so that whatever happens while it is read is noticed.
  const seen = standingOfRuns(engine);
  const usual = await findTarget(engine, undefined);
  const plan = await readAsked(engine, request);
  const { baseBranch } = plan.settings;
  // A feature list may name its target; the configuration's word weighs more.
  const isNamed = baseBranch && engine.config.run.target === undefined && baseBranch !== usual.target;
  const target = isNamed ? await findTarget(engine, baseBranch) : usual;
  const keys = new Set(plan.tasks.map(({ id }) => id));
  const base = await findBase(engine, target, { fromTarget, keys, seen });
  return { work: await readWork(engine, request, base.commit, plan), base };
}
