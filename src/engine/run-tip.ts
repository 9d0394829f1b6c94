/** The tip of a run's branch, and the promise that everything which was integrated is in it. */
import { OwtError } from "../core/errors.ts";
import type { Run } from "../core/run.ts";
import { createBranch, isAncestor, readRef } from "../git/branch.ts";
import { fastForwardCheckout } from "../git/fast-forward.ts";
import { shellWord } from "../lib/printable.ts";
import { appendEvent } from "../store/events.ts";
import { lastIntegrated } from "../store/tasks.ts";
import type { Engine } from "./engine.ts";
import { describeStay } from "./stays.ts";

/** The tip. A branch that somebody deleted or moved back comes forward again to the last integrated work. Throws `needs-person` where it
 *  was moved somewhere else: two histories are a person's to join. */
export async function runTip(engine: Engine, run: Run): Promise<string> {
  const ref = `refs/heads/${run.branch}`;
  const last = lastIntegrated(engine.store, run.id);
  const tip = await readRef(engine.repo, ref);
  if (tip === null) {
    await createBranch(engine.repo, run.branch, last ?? run.base);
    return last ?? run.base;
  }
  if (last === null && !(await isAncestor(engine.repo, run.base, tip)))
    throw new OwtError("needs-person", `${run.branch} is at ${tip.slice(0, 10)}, which ${run.id} did not start from`, {
      hint: `keep what is there under another name, then: git branch -f ${run.branch} ${run.base}`,
    });
  if (last === null || tip === last || (await isAncestor(engine.repo, last, tip))) return tip;
  if ((await isAncestor(engine.repo, tip, last)) && (await comeForward(engine, run, tip, last))) {
    const text = `${run.branch} had been moved back to ${tip.slice(0, 10)}; it is at ${last.slice(0, 10)} again, where the integrated work is`;
    appendEvent(engine.store, engine.now(), { run: run.id }, { kind: "note", text });
    return last;
  }
  throw new OwtError("needs-person", `${run.branch} was moved to ${tip.slice(0, 10)}, which lacks integrated work`, {
    hint: `keep what is there under another name, then: git branch -f ${run.branch} ${last}`,
  });
}

/** Whoever has the branch checked out comes along with their files; throws `needs-person` where they have changes there. False where the branch stands elsewhere by now. */
async function comeForward({ repo }: Engine, { branch }: Run, from: string, to: string): Promise<boolean> {
  const forward = await fastForwardCheckout(repo, branch, from, to);
  if (forward.moved) return true;
  if (!("path" in forward)) return false;
  throw new OwtError(
    "needs-person",
    `${branch} was moved back to ${from.slice(0, 10)}, and cannot come forward to the integrated work at ${to.slice(0, 10)}: ${describeStay(forward)}`,
    { hint: `commit or stash what is there: git -C ${shellWord(forward.path)} stash; then: owt resume` },
  );
}
