/** What the agent of a conversation was told of its task, and what a person told it: a task's text can change, and a conversation can break
 *  off, between any two turns. Pure. */
import type { Attempt } from "./attempt.ts";
import type { Outcome } from "./outcome.ts";
import type { Resolved } from "./resolved.ts";
import { fewInAList } from "../lib/few.ts";
import { nameToType } from "../lib/printable.ts";

/** What a person answered to a question of a task, or to the words with which it ended without work. */
export type Answered = { question: string; answer: string };

type Turn = Pick<Attempt, "id" | "continues" | "given" | "outcome">;

/** Ends of a turn that only an agent which had read its prompt can come to. Any other may have cut it off before. */
const HEARD = new Set<Outcome["kind"]>(["ok", "asked", "nothing_done", "denied", "verify_failed", "conflict", "turns"]);

/** The attempts of one conversation up to this one, the newest first. */
function turnsUpTo<T extends Turn>(attempts: readonly T[], last: number | null): T[] {
  const turns: T[] = [];
  for (let id = last; id !== null;) {
    const turn = attempts.find((each) => each.id === id);
    if (!turn) break;
    turns.push(turn);
    id = turn.continues;
  }
  return turns;
}

/** Whether a turn of the conversation before attempt `last` was ended by us already, because it took too long or did nothing any more. */
export function endedByUsBefore(attempts: readonly Turn[], last: number): boolean {
  return turnsUpTo(attempts, last).some(
    ({ id, outcome }) => id !== last && (outcome?.kind === "timed_out" || outcome?.kind === "hung"),
  );
}

/** Whether the conversation died already in a turn before attempt `last`, or fell to a full disk. A limit, a stop, a budget or a machine that went down only cut it off. */
export function diedBefore(attempts: readonly Turn[], last: number): boolean {
  return turnsUpTo(attempts, last).some(({ id, outcome }) => id !== last && outcome !== null && isDeath(outcome));
}

function isDeath(outcome: Outcome): boolean {
  return outcome.kind === "disk_full" || (outcome.kind === "lost" && outcome.rebooted !== true);
}

/** How many turns of a conversation before attempt `last` ended with a conflict. */
export function conflictsBefore(attempts: readonly Turn[], last: number): number {
  return conflictsOf(attempts, last).length;
}

/** The last of them; null where there was none. */
export function conflictBefore(attempts: readonly Turn[], last: number): ConflictOutcome | null {
  return conflictsOf(attempts, last)[0] ?? null;
}

type ConflictOutcome = Extract<Outcome, { kind: "conflict" }>;

function conflictsOf(attempts: readonly Turn[], last: number): ConflictOutcome[] {
  return turnsUpTo(attempts, last).flatMap(({ id, outcome }) =>
    id !== last && outcome?.kind === "conflict" ? [outcome] : [],
  );
}

/** All that the conversation before attempt `last` had to bring together, as one merge: its work before the first conflict, and what was there at the last. Null where there
 *  was none. */
export function broughtTogetherBefore(attempts: readonly Done[], last: number): Resolved | null {
  return mergeOf(conflictsOf(attempts, last));
}

/** The same of work that is done anew, in the conversation of attempt `last`: with what the work before could not be brought together with that it began from. */
export function begunAnewWith(attempts: readonly Done[], last: number): Resolved | null {
  const begun = turnsUpTo(attempts, last).at(-1)?.id;
  const first = attempts.find(({ id }) => id === begun);
  const before = attempts.findLast(({ id, outcome }) => id < (first?.id ?? 0) && isClash(outcome));
  if (first === undefined || before === undefined) return null;
  const turns = turnsUpTo(attempts, before.id);
  const met = mergeOf(turns.flatMap(({ outcome }) => (outcome?.kind === "conflict" ? [outcome] : [])));
  const heads = attempts.flatMap(({ id, head }) =>
    head !== null && turns.some((turn) => turn.id === id) ? [head] : [],
  );
  const ours = met?.ours ?? heads[0];
  return ours === undefined ? null : { files: met?.files ?? [], ours, theirs: first.base, isAnew: true };
}

type Done = Turn & Pick<Attempt, "base" | "head">;

/** What the turns of a conversation before attempt `last` had come to whose checks were red, the newest first. */
export function redHeadsBefore(attempts: readonly Done[], last: number): string[] {
  return turnsUpTo(attempts, last).flatMap(({ id, outcome, head }) =>
    id !== last && outcome?.kind === "verify_failed" && head !== null ? [head] : [],
  );
}

function isClash(outcome: Outcome | null): boolean {
  return outcome?.kind === "conflict" || outcome?.kind === "verify_failed";
}

/** Of conflicts of one conversation, the newest first. */
function mergeOf(conflicts: readonly ConflictOutcome[]): Resolved | null {
  const [ours, theirs] = [conflicts.at(-1)?.ours, conflicts[0]?.theirs];
  if (ours === undefined || theirs === undefined) return null;
  return { files: [...new Set(conflicts.flatMap(({ files }) => files))], ours, theirs };
}

/** Whether the conversation that attempt `last` ended with may hold another text of the task than the one with this hash: then the next
 *  prompt tells it. To hear it twice does no harm. */
export function mayHoldOtherText(attempts: readonly Turn[], last: number | null, hash: string): boolean {
  for (const { given, outcome } of turnsUpTo(attempts, last)) {
    if (given === null) continue;
    if (given !== hash) return true;
    if (outcome !== null && HEARD.has(outcome.kind)) return false;
  }
  return false;
}

/** The hash of the text that the work of attempt `last` was done for: what its own agent was given, else (a person worked on in its place)
 *  what its conversation was given before. Null where no agent was given any. */
export function textWorkedOn(attempts: readonly Turn[], last: number): string | null {
  const given = turnsUpTo(attempts, last).filter((turn) => turn.given !== null);
  const heard = given.find(({ id, outcome }) => id === last || (outcome !== null && HEARD.has(outcome.kind)));
  return (heard ?? given.at(-1))?.given ?? null;
}

/** What an agent had not committed when the machine went down: the ref that keeps it, null where there was nothing, and which files it is. */
export type Aside = { ref: string | null; paths: readonly string[] };

/** What an agent is told of that, behind what its turn begins with. The heading tells it to programs too. */
export function renderAside({ ref, paths }: Aside): string {
  const list = fewInAList(paths.map(nameToType), `git show --stat ${ref}`).map((each) => `- ${each}`);
  return `## The machine went down

The machine went down before your work was committed (a power cut, or somebody restarted it). What was not committed may have come to harm on the disk: files can be empty, old, or in pieces. So it was put aside as it was found, in the commit ${ref}, and this worktree is as your last commit has it. It is:

${list.join("\n")}

Look at each of them (\`git show ${ref}:PATH\`, \`git diff HEAD ${ref}\`), take back what is whole and yours, and do the rest again.
`;
}
