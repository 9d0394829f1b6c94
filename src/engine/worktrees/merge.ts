/** Brings the branch of one worktree into another branch. That one only ever moves to a commit that was checked, and nothing of anybody's
 *  checkout is cleaned, stashed or switched for it. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { OWN_FILES } from "../../agents/registry.ts";
import { commandList } from "../../core/config.ts";
import { OwtError } from "../../core/errors.ts";
import { nearestHint, slug } from "../../core/names.ts";
import { nameOf } from "../../core/worktree.ts";
import { parseDuration } from "../../lib/duration.ts";
import { checkedOutThere, defaultBranch, isAncestor, listRefs, readRef } from "../../git/branch.ts";
import { readTree, writeCommit } from "../../git/commit.ts";
import { fastForwardCheckout } from "../../git/fast-forward.ts";
import { git, type Oid } from "../../git/git.ts";
import { isKnown } from "../../git/known.ts";
import { mergeTrees } from "../../git/merge.ts";
import { isOwnerAlive, ownerMark } from "../../git/owner.ts";
import { findPlace, inProgress, placeAt } from "../../git/place.ts";
import { listRemotes } from "../../git/start-point.ts";
import { readStatus } from "../../git/status.ts";
import {
  changedLinks,
  findDirtySubmodules,
  keepLinks,
  type Unpublished,
  unpublishedLinks,
} from "../../git/submodules.ts";
import { readRunPlaces } from "../../store/attempts.ts";
import { forgetWorktree, readWorktrees, recordMaking } from "../../store/worktrees.ts";
import { grantsNeeded } from "../approvals.ts";
import { type Asker, checkCommit } from "../check-commit.ts";
import { findComingMarkers } from "../coming-markers.ts";
import { type Engine, integrationWorktree } from "../engine.ts";
import { broughtFiles } from "../environment-files.ts";
import { MARKERS_MEANT } from "../gate.ts";
import { standAt } from "../integration-worktree.ts";
import { describeStay, endOf, endOfStay } from "../stays.ts";
import { allEmptied, leaveHome, removeCheckWorktree } from "../tidy.ts";
import { type Checkout, refuseMain } from "./place.ts";
import { setupDir } from "./ready.ts";
import { printableNames, shellWord } from "../../lib/printable.ts";

export type MergeWish = {
  /** The branch that it is brought into. Default: the one it began from. */
  into: string | null;
  /** Check what comes out of it. */
  verify: boolean;
  /** As one commit. */
  squash: boolean;
};

export type MergePlan = {
  path: string;
  branch: string;
  tip: Oid;
  target: string;
  from: Oid;
  /** How many commits the target lacks; none where it holds the work already. */
  commits: number;
  /** What it is checked with. */
  commands: string[];
  squash: boolean;
};

export type MergedByHand = {
  commit: Oid;
  /** The target held it already. */
  already: boolean;
  checked: boolean;
  fastForward: boolean;
  /** Commits of submodules that no remote has: kept in this repository, to be pushed by a person. */
  unpublished: Unpublished[];
  /** The target's checkout, where submodules in it are not at their new commits yet: those are left to whoever works there. */
  behind: string | null;
};

/** What is to be done. Refuses what cannot be: uncommitted work, an open merge, the worktree of a run that goes on, a target that is no branch
 *  here or whose checkout is not clean. */
export async function planMerge(engine: Engine, worktree: Checkout, wish: MergeWish): Promise<MergePlan> {
  const { repo } = engine;
  const { path, branch } = worktree;
  refuseMain(engine, worktree, "brought into another");
  if (branch === null)
    throw new OwtError("wrong-state", `${path} is on no branch`, {
      hint: `give it one: git -C ${shellWord(path)} switch -c <branch>`,
    });
  const run = readRunPlaces(engine.store).get(path);
  if (run?.isOpen === true)
    throw new OwtError("wrong-state", `${path} belongs to ${run.run}, which brings its work home itself`, {
      hint: `see: owt status ${run.key}`,
    });
  await refuseUnfinished(engine, worktree);
  const target = await findTarget(engine, worktree, wish.into);
  const [tip, from] = await Promise.all([readRef(repo, branch), readRef(repo, target)]);
  if (tip === null || from === null)
    throw new OwtError("wrong-state", `${tip === null ? branch : target} has no commit`, {
      hint: "see: git branch --all",
    });
  await refuseDirtyTarget(engine, target, branch);
  const { stdout } = await git(repo, ["rev-list", "--count", `${from}..${tip}`, "--"]);
  const commands = wish.verify ? commandList(engine.config.run.verify) : [];
  return { path, branch, tip, target, from, commits: Number(stdout.trim()), commands, squash: wish.squash };
}

/** What of the repository's own commands the check of a merge runs. */
export function mergeGrants(engine: Engine, { commands }: MergePlan) {
  if (commands.length === 0) return [];
  return grantsNeeded(engine, [], {}).filter(({ where }) =>
    /(verify|install_command|post_create|pre_remove)$/.test(where),
  );
}

/** What is not committed would silently not come along. What is on nobody's list of work is left where it is. */
async function refuseUnfinished(engine: Engine, { path, branch }: Checkout): Promise<void> {
  const place = existsSync(path) ? findPlace(engine.repo, path) : null;
  if (place === null) return;
  const what = inProgress(place);
  if (what !== null)
    throw new OwtError("needs-person", `a ${what} is open in ${path}`, {
      hint: `look: git -C ${shellWord(path)} status`,
    });
  const status = await readStatus(place, { links: existsSync(join(path, ".gitmodules")) });
  const own = [...broughtFiles(engine, path), ...OWN_FILES];
  const files = [
    ...status.changes.map((change) => change.path),
    ...status.untracked.filter((file) => !isKnown(path, file, own)),
    ...(await findDirtySubmodules(place)).map((module) => `${module}/`),
  ];
  if (files.length > 0)
    throw new OwtError("needs-person", `${branch} has uncommitted work: ${printableNames(files)}`, {
      hint: `commit it, or put it away: git -C ${shellWord(path)} status; then: owt merge ${branch}`,
    });
}

/** The branch here that it began from, or that follows what it began from; else the project's own. */
async function findTarget(engine: Engine, { path, branch }: Checkout, into: string | null): Promise<string> {
  const { repo } = engine;
  const isBranch = async (name: string | null) =>
    name !== null && (await readRef(repo, `refs/heads/${name}`).catch(() => null)) !== null;
  const hint = `say which: owt merge ${branch} --into <branch>`;
  if (into !== null) {
    if (into === branch) throw new OwtError("usage", `${branch} is what is to be merged`, { hint });
    if (await isBranch(into)) return into;
    const branches = (await listRefs(repo, ["refs/heads/"])).map((ref) => ref.slice("refs/heads/".length));
    throw new OwtError("usage", `there is no branch ${into} here`, { hint: nearestHint(into, branches, hint) });
  }
  const { base = null, ownsBranchAt = null } = readWorktrees(engine.store).get(path) ?? {};
  const remote = (await listRemotes(repo)).find((name) => base?.startsWith(`${name}/`) === true);
  const local = remote === undefined ? null : base!.slice(remote.length + 1);
  for (const name of [base, local]) if (name !== null && name !== branch && (await isBranch(name))) return name;
  const usual = await defaultBranch(repo);
  const isThere = usual !== null && usual !== branch && (await isBranch(usual));
  if (base !== null && ownsBranchAt !== null && !(isThere && (await isAncestor(repo, ownsBranchAt, usual))))
    // Other work than its own would come along, which nobody has said is done.
    throw new OwtError("wrong-state", `${base}, which ${branch} began from, is no branch here (any more)`, { hint });
  if (isThere) return usual;
  throw new OwtError("usage", `nothing says what ${branch} is to be brought into`, { hint });
}

/** Told before anything is checked, which may take long. */
async function refuseDirtyTarget({ repo }: Engine, target: string, branch: string): Promise<void> {
  const path = await checkedOutThere(repo, target);
  if (path === null) return;
  const place = placeAt(repo, path);
  const { changes, unmerged } = await readStatus(place);
  const files = [...changes, ...unmerged].map((each) => each.path);
  const open = inProgress(place);
  if (files.length === 0 && open === null) return;
  const what = open === null ? `has uncommitted changes in ${printableNames(files)}` : `has a ${open} under way`;
  const end = open === null ? "commit or stash what is there" : endOf(open, `git -C ${shellWord(path)}`);
  throw new OwtError("target-dirty", `${target} is checked out at ${path}, which ${what}`, {
    hint: `${end}, then: owt merge ${branch}`,
  });
}

/** Merges in the object store, checks what came out, and only then moves the target. Throws `needs-person` on a conflict or a red check,
 *  `target-dirty` where the target's checkout would lose something, `interrupted`; with the target where it was each time. */
export async function carryOutMerge(engine: Engine, plan: MergePlan, by: Asker): Promise<MergedByHand> {
  const { repo } = engine;
  const { branch, tip, target, from, commands } = plan;
  const already = { commit: from, already: true, checked: false, fastForward: false, unpublished: [], behind: null };
  if (await isAncestor(repo, tip, from)) return already;
  const merged = await mergeTrees(repo, from, tip, repo.root);
  if (!("tree" in merged))
    throw new OwtError(
      "needs-person",
      `${branch} conflicts with ${target} in ${"files" in merged ? printableNames(merged.files) : "all of its history"}; nothing was moved`,
      { hint: `solve it where it was made: git -C ${shellWord(plan.path)} merge ${target}; then: owt merge ${branch}` },
    );
  if (!merged.fastForward && merged.tree === (await readTree(repo, from))) return already;
  const markers = await findComingMarkers(engine, tip, [from]);
  if (markers !== null)
    throw new OwtError("needs-person", `${branch} holds conflict markers: ${markers}; nothing was moved`, {
      hint: `decide them there (${MARKERS_MEANT}), then: git -C ${shellWord(plan.path)} commit -a && owt merge ${branch}`,
    });
  const isForward = merged.fastForward && !plan.squash;
  const commit = isForward ? tip : await writeMerge(engine, plan, merged.tree);
  // Before its worktree may go, and for the check.
  const links = await changedLinks(repo, from, commit);
  if (existsSync(plan.path)) await keepLinks(repo, plan.path, links);
  if (commands.length > 0) await check(engine, plan, commit, by);
  if (by.leave.aborted) throw interrupted(branch);
  const moved = await fastForwardCheckout(repo, target, from, commit);
  if (!moved.moved)
    throw new OwtError("target-dirty", `${target} was not moved: ${describeStay(moved)}`, {
      hint: `${endOfStay(moved)}, then: owt merge ${branch}`,
    });
  const unpublished = await unpublishedLinks(repo, from, commit);
  return {
    commit,
    already: false,
    checked: commands.length > 0,
    fastForward: isForward,
    unpublished,
    behind: links.length > 0 ? moved.path : null,
  };
}

async function writeMerge(engine: Engine, plan: MergePlan, tree: Oid): Promise<Oid> {
  const { repo } = engine;
  const { branch, tip, target, from, squash, commands } = plan;
  const identity = await engine.identity();
  const trailer = `Owt-Verified: ${commands.length > 0 ? "yes" : "no"}\n`;
  if (!squash) {
    const message = `Merge branch '${branch}' into ${target}\n\n${trailer}`;
    return writeCommit(repo, { tree, parents: [from, tip], message, identity });
  }
  const { stdout } = await git(repo, ["log", "--reverse", "--no-merges", "--format=%s", `${from}..${tip}`, "--"]);
  const subjects = stdout.split("\n").filter(Boolean);
  const title = subjects.length === 1 ? subjects[0]! : branch;
  const list = subjects.length > 1 ? `${subjects.map((subject) => `- ${subject}`).join("\n")}\n\n` : "";
  return writeCommit(repo, { tree, parents: [from], message: `${title}\n\n${list}${trailer}`, identity });
}

/** In a worktree of its own, which is on record as being made: where we are killed, the next command stops what still runs and takes it away. */
async function check(engine: Engine, plan: MergePlan, commit: Oid, by: Asker): Promise<void> {
  const { branch, target, commands } = plan;
  const name = `merge-${slug(nameOf(plan))}-${process.pid}`;
  const path = integrationWorktree(engine, name);
  const fresh = { path, branch: null, base: null, maker: ownerMark(), ownsBranchAt: commit };
  recordMaking(engine.store, engine.now(), fresh, isOwnerAlive);
  try {
    const dir = setupDir(engine, path);
    const timeoutMs = parseDuration(engine.config.run.timeout) ?? 1_800_000;
    const verdict = await checkCommit(engine, { name, commit, commands, dir, timeoutMs, by });
    if (verdict.kind === "interrupted") throw interrupted(branch);
    if (verdict.kind === "red")
      throw new OwtError(
        "needs-person",
        `${branch} brought into ${target} fails: ${verdict.command}\n${verdict.output}`.trimEnd(),
        { hint: `mend it in ${plan.path}, then: owt merge ${branch}` },
      );
  } finally {
    // What the checks left is nobody's.
    if (existsSync(path)) await standAt(engine, name, commit);
    await removeCheckWorktree(engine, name, commit);
    await allEmptied(engine);
    rmSync(setupDir(engine, path), { recursive: true, force: true });
    forgetWorktree(engine.store, path);
    leaveHome(engine);
  }
}

function interrupted(branch: string): OwtError {
  return new OwtError("interrupted", "interrupted; nothing was moved", { hint: `again: owt merge ${branch}` });
}
