/** The tip of a run's branch, and the promise that everything which was integrated is in it. */
import { join } from "node:path";
import type { Astray } from "../core/astray.ts";
import { OwtError } from "../core/errors.ts";
import type { Run } from "../core/run.ts";
import { checkedOutThere, createBranch, isAncestor, readRef } from "../git/branch.ts";
import { fastForwardCheckout } from "../git/fast-forward.ts";
import { dropEmptied, findRefFault, holdsCommit, type RefFault } from "../git/ref-fault.ts";
import { shellWord } from "../lib/printable.ts";
import { appendEvent } from "../store/events.ts";
import { lastIntegrated } from "../store/tasks.ts";
import type { Engine } from "./engine.ts";
import { describeStay, lookAgain, moveBack } from "./stays.ts";

/** The tip. A branch that somebody deleted or moved back comes forward again to the last integrated work. Throws `needs-person` where it
 *  was moved somewhere else: two histories are a person's to join. */
export async function runTip(engine: Engine, run: Run): Promise<string> {
  const found = await findTip(engine, run);
  if (!("astray" in found)) return found.tip;
  const { why, command, note } = found.astray;
  throw new OwtError("needs-person", why, { hint: note === null ? command : `${command}  (${note})` });
}

/** The same, or why the run's work cannot be joined with what the branch holds. */
export async function findTip(engine: Engine, run: Run): Promise<{ tip: string } | { astray: Astray }> {
  const ref = `refs/heads/${run.branch}`;
  const fault = await findRefFault(engine.repo, run.branch);
  if (fault !== null) return { astray: describeFault(engine, run, fault) };
  const last = lastIntegrated(engine.store, run.id);
  const tip = await readRef(engine.repo, ref);
  if (tip === null) return makeAnew(engine, run, last ?? run.base);
  if (last === null) {
    if (await isAncestor(engine.repo, run.base, tip)) return { tip };
    const why = `${run.branch} is at ${tip.slice(0, 10)}, which ${run.id} did not start from`;
    return { astray: { why, ...(await putBack(engine, run, run.base)) } };
  }
  if (tip === last || (await isAncestor(engine.repo, last, tip))) return { tip };
  if (await isAncestor(engine.repo, tip, last)) return comeForward(engine, run, tip, last);
  const why = `${run.branch} was moved to ${tip.slice(0, 10)}, which lacks integrated work`;
  return { astray: { why, ...(await putBack(engine, run, last)) } };
}

/** A branch that is gone, or whose file a power cut emptied, is made anew: where git's own log of it says that it was, as far as that holds the run's work. */
async function makeAnew(engine: Engine, run: Run, known: string): Promise<{ tip: string } | { astray: Astray }> {
  const { repo } = engine;
  const emptied = dropEmptied(repo, run.branch);
  const last = emptied === false ? null : emptied.last;
  const to = last !== null && (await holdsCommit(repo, last, known)) ? last : known;
  // Another step may have been quicker.
  const found = (await createBranch(repo, run.branch, to)) === "created" ? { tip: to } : await findTip(engine, run);
  if (emptied !== false && "tip" in found) {
    const text = `the file of ${run.branch} held no commit any more; the branch is at ${found.tip.slice(0, 10)} again`;
    appendEvent(engine.store, engine.now(), { run: run.id }, { kind: "note", text });
  }
  return found;
}

/** Why a run waits for its ref, and the line that puts it right. */
export function describeFault({ repo }: Engine, { id, branch }: Run, fault: RefFault): Astray {
  const goOn = `owt resume ${id}`;
  switch (fault.kind) {
    case "symbolic": {
      const why = `${branch} is no branch but another name of ${fault.to}, which is not moved for it`;
      return {
        why,
        command: `git symbolic-ref -d refs/heads/${branch} && ${goOn}`,
        note: `${fault.to} stays as it is`,
      };
    }
    case "beneath": {
      const why = `${branch} cannot be there beside a branch named ${fault.branch}`;
      return { why, command: `${renameBranch(fault.branch, `${fault.branch}-mine`)} && ${goOn}`, note: null };
    }
    case "folder": {
      const [first] = fault.branches;
      const named = first ?? `the folder ${fault.path}`;
      const why = `${branch} cannot be there beside ${first === undefined ? "" : "a branch named "}${named}`;
      const aside = `${join(repo.commonDir, "owt")}/${id}-refs`;
      const moves = fault.branches.map((each) => renameBranch(each, `${id}-moved-${each.slice(branch.length + 1)}`));
      if (moves.length === 0) moves.push(`mv ${shellWord(fault.path)} ${shellWord(aside)}`);
      return {
        why,
        command: `${moves.join(" && ")} && ${goOn}`,
        note: "keeps what is there now under a name of its own",
      };
    }
    default: {
      const never: never = fault;
      return never;
    }
  }
}

/** Why a run waits while its ref is locked. */
export function describeLocked({ branch }: Run, lock: string): string {
  return `${branch} cannot be moved: ${lock} is there, of another git or left by one that was killed`;
}

function renameBranch(from: string, to: string): string {
  return `git branch -m ${shellWord(from)} ${shellWord(to)}`;
}

/** Where the run's work is: its branch, or what was integrated last where that was moved away from it. */
export async function trunkOf(engine: Engine, run: Run): Promise<string> {
  const found = await findTip(engine, run);
  return "tip" in found ? found.tip : (lastIntegrated(engine.store, run.id) ?? run.base);
}

/** What the branch holds now stays under a name of its own. */
async function putBack({ repo }: Engine, { id, branch }: Run, to: string): Promise<Pick<Astray, "command" | "note">> {
  const checkout = await checkedOutThere(repo, branch);
  const back = moveBack(checkout, branch, { to, keeps: `${id}-moved-${to.slice(0, 7)}` });
  return { command: `${back} && owt resume ${id}`, note: "keeps what is there now under a name of its own" };
}

/** Whoever has the branch checked out comes along with their files, but for where they have changes there. */
async function comeForward(
  engine: Engine,
  run: Run,
  from: string,
  to: string,
): Promise<{ tip: string } | { astray: Astray }> {
  const { id, branch } = run;
  const forward = await fastForwardCheckout(engine.repo, branch, from, to);
  if (forward.moved) {
    const text = `${branch} had been moved back to ${from.slice(0, 10)}; it is at ${to.slice(0, 10)} again, where the integrated work is`;
    appendEvent(engine.store, engine.now(), { run: id }, { kind: "note", text });
    return { tip: to };
  }
  // It stands elsewhere by now.
  if (!("path" in forward)) return findTip(engine, run);
  const why = `${branch} was moved back to ${from.slice(0, 10)}, and cannot come forward to the integrated work at ${to.slice(0, 10)}: ${describeStay(forward)}`;
  const git = `git -C ${shellWord(forward.path)}`;
  const look = forward.reason === "overlooked" ? `${lookAgain(forward)} && ` : "";
  return { astray: { why, command: `${look}${git} stash && owt resume ${id}`, note: `or commit what is there` } };
}
