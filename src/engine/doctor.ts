/** Looks at a repository: its store, what dead processes left, who its commits are by, its checks and its configuration, with the line that
 *  mends what is wrong. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { commandList } from "../core/config.ts";
import { OwtError } from "../core/errors.ts";
import { readIdentity } from "../git/commit.ts";
import { listCheckouts } from "../git/list-worktrees.ts";
import { findPlace } from "../git/place.ts";
import { sweepTrash } from "../git/remove.ts";
import type { Repo } from "../git/repo.ts";
import { restoreStore, type Restored } from "../store/backups.ts";
import { setMisplacedAside } from "../store/misplaced.ts";
import { findDamage } from "../store/store-damage.ts";
import { storeFile } from "../store/store-file.ts";
import { MEND } from "../store/stored-json.ts";
import { prepareLock } from "../system/lock.ts";
import { renderProblem } from "../system/config-files.ts";
import { findProgram } from "../system/programs.ts";
import { examineCaps } from "./caps.ts";
import { floorOf } from "./disk-watch.ts";
import { grantsMissing, grantsNeeded, nameGrant } from "./approvals.ts";
import { validateConfig } from "./configuration.ts";
import { catchUp, describeBooked } from "./catch-up.ts";
import { type Engine, worktreeHome } from "./engine.ts";
import { isCarried, leaseFile } from "./holder.ts";
import { examineDisk, type Finding } from "./examine-machine.ts";
import { examineMemory } from "./room.ts";
import { examineRefs } from "./run-refs.ts";
import { describeLostAgents, endLostAgents, findLostAgents } from "./lost-agents.ts";
import { knownFiles } from "./workspace.ts";
import { type Damaged, findAllDamaged, mendWorktree } from "./worktrees/damaged.ts";
import { strangerAt } from "./worktrees/stranger.ts";

/** What a run in this repository would meet. With `fix`, what dead processes left is cleared, as a run would do it. */
export async function examineRepository(engine: Engine, fix: boolean): Promise<Finding[]> {
  return [
    { check: "repository", state: "pass", detail: engine.repo.root },
    ...examineStore(engine),
    ...(fix ? await catchUpStore(engine) : []),
    ...(await examineLostAgents(engine, fix)),
    ...(fix ? await clearLeftovers(engine) : []),
    ...(await examineRefs(engine, fix)),
    ...(await examineWorktrees(engine, fix)),
    await examineIdentity(engine),
    examineDisk(worktreeHome(engine), floorOf(engine)),
    examineMemory(engine),
    examineCaps(engine),
    examineConfiguration(engine),
    ...examineChecks(engine),
  ];
}

async function clearLeftovers(engine: Engine): Promise<Finding[]> {
  const cleared = await sweepTrash(engine.repo, (path) => knownFiles(engine, path));
  if (cleared === 0) return [];
  return [{ check: "leftovers", state: "pass", detail: `cleared ${cleared} that killed processes left half-made` }];
}

/** Worktrees that git cannot read, mended where that is asked for, and those at whose place something else stands; the others need no line. */
async function examineWorktrees(engine: Engine, fix: boolean): Promise<Finding[]> {
  const strangers = (await listCheckouts(engine.repo)).flatMap((each): Finding[] => {
    const said = strangerAt(engine, each);
    if (said === null) return [];
    return [{ check: "worktree", state: "fail", detail: said.message, ...(said.hint && { hint: said.hint }) }];
  });
  return [...strangers, ...(await examineDamaged(engine, fix))];
}

async function examineDamaged(engine: Engine, fix: boolean): Promise<Finding[]> {
  const findings = (await findAllDamaged(engine)).map(async (damaged): Promise<Finding> => {
    const { path, said } = damaged;
    const check = "worktree";
    if (fix && (await mendWorktree(engine, damaged).catch(() => false))) {
      const staged =
        damaged.part !== null && STAGING_STAYS.has(damaged.part) ? "" : "; what was staged is to be staged again";
      const detail = `git can read ${path} again, whose files are as they were${staged}`;
      return { check, state: "pass", detail };
    }
    return { check, state: "fail", detail: `git cannot read ${path}: ${said}`, hint: mendingOf(engine, damaged, fix) };
  });
  return Promise.all(findings);
}

/** What is mended without the index. */
const STAGING_STAYS: ReadonlySet<string> = new Set(["HEAD", "link", "branch"]);

/** The files of the worktree stay as they are with each of these. */
function mendingOf({ repo }: Engine, { part, path, branch }: Damaged, isTried: boolean): string {
  if (!isTried) return "owt doctor --fix";
  const place = findPlace(repo, path);
  if (place === null) return `its files are whole: move those that you want to another worktree, and delete ${path}`;
  if (part === "index")
    return `rm '${join(place.gitDir, "index")}' && git -C '${path}' reset; what was staged is to be staged again`;
  if (part === "HEAD")
    return `say which branch it is on: echo 'ref: refs/heads/${branch ?? "<branch>"}' > '${join(place.gitDir, "HEAD")}'`;
  if (part === "branch" && branch !== null)
    return `find its commit: git fsck --lost-found; then: rm '${join(repo.commonDir, "refs/heads", branch)}' && git branch '${branch}' <commit>`;
  return `look: git -C '${path}' status`;
}

async function examineIdentity({ repo }: Engine): Promise<Finding> {
  const { name, email, isDefault } = await readIdentity(repo);
  if (!isDefault) return { check: "identity", state: "pass", detail: `${name} <${email}>` };
  const detail = `git does not know who you are: what owt commits is by ${name} <${email}>`;
  const hint = 'git config --global user.name "…" && git config --global user.email "…"';
  return { check: "identity", state: "warn", detail, hint };
}

/** Problems would have kept the engine from opening; what is left are keys that do nothing and words that no agent knows. */
function examineConfiguration({ repo, env }: Engine): Finding {
  const { files, remarks } = validateConfig(repo.here, env);
  const check = "configuration";
  if (remarks.length === 0) return { check, state: "pass", detail: files.join(", ") || "no file, defaults alone" };
  const hint = "owt config validate";
  const wrong = remarks.find(({ level }) => level === "problem");
  if (wrong !== undefined)
    return { check, state: "fail", detail: `something in it is wrong: ${renderProblem(wrong)}`, hint };
  return { check, state: "pass", detail: `${files.join(", ")}; some of its keys do nothing yet: ${hint}` };
}

function examineChecks(engine: Engine): Finding[] {
  const check = "checks";
  const commands = commandList(engine.config.run.verify);
  if (commands.length === 0) {
    const detail = "none: work is integrated and marked unverified";
    return [{ check, state: "warn", detail, hint: 'set [run] verify = ["…"] in .worktreerc, or: owt init' }];
  }
  const missing = commands.filter((command) => {
    const program = command.trim().split(/\s+/, 1)[0]!;
    return /^[\w.-]+$/.test(program) && !BUILT_IN.has(program) && findProgram(program, engine.env) === null;
  });
  if (missing.length > 0) {
    const detail = `${missing.join(" and ")}: the program is not here, so it fails unless the setup installs it`;
    return [{ check, state: "warn", detail, hint: "install it, or correct [run] verify: owt config show run.verify" }];
  }
  const waiting = grantsMissing(engine, grantsNeeded(engine, [], {}));
  if (waiting.length > 0) {
    const detail = `not approved yet: ${waiting.map(nameGrant).join(", ")}`;
    return [{ check, state: "warn", detail, hint: "owt config approve" }];
  }
  return [{ check, state: "pass", detail: commands.join(", ") }];
}

/** Words of the shell itself, which are no program. */
const BUILT_IN = new Set("set cd export test true false exit eval exec if for while case until".split(" "));

/** Whether the store of this repository is whole. Nothing to say where there never was one. */
function examineStore({ repo }: Pick<Engine, "repo">): Finding[] {
  const file = storeFile(repo.commonDir);
  const damage = findDamage(repo.commonDir);
  if (damage === null) return existsSync(file) ? [{ check: "store", state: "pass", detail: file }] : [];
  const hint = MEND;
  return [{ check: "store", state: "fail", detail: `${file} is damaged: ${damage}`, hint }];
}

/** Puts aside what lies where something of ours belongs, and mends the store. */
export function mendStore(repo: Pick<Repo, "commonDir">, at: number): Finding[] {
  const aside = setMisplacedAside(repo.commonDir, at);
  const moved = aside.map((detail): Finding => ({ check: "store", state: "pass", detail }));
  return [...moved, ...restoreDamaged(repo, at)];
}

/** Puts a damaged store aside, or finds that it is gone, restores the newest sound backup, and says what may be missing. Throws `wrong-state` while a process carries runs. */
function restoreDamaged(repo: Pick<Repo, "commonDir">, at: number): Finding[] {
  if (findDamage(repo.commonDir) === null) return [];
  const lease = prepareLock(join(repo.commonDir, "owt", "lease.db"));
  try {
    if (!lease.take() && !lease.take())
      throw new OwtError("wrong-state", "another owt carries runs with the damaged store", {
        hint: "end it (Ctrl-C in its terminal), then: owt doctor --fix",
      });
    return [describeRestored(restoreStore(repo.commonDir, at))];
  } finally {
    lease.close();
  }
}

function describeRestored({ aside, from, unsound }: Restored): Finding {
  const check = "store";
  const others = unsound.length > 0 ? `; damaged too: ${unsound.join(", ")}` : "";
  const was = aside === null ? "it was gone" : `it was damaged and is kept as ${aside}`;
  if (from === null) {
    const detail = `${was}${others}; there is no backup, so a run makes a new one, and branches and rescues stay as they are`;
    return { check, state: "warn", detail, hint: "what is not landed: git branch --list 'owt/*'" };
  }
  const detail = `${was}${others}; restored as it was at ${new Date(from.at).toISOString()}. What was integrated or begun since is found again; answers, wishes, notes and written-down tasks since then may be missing`;
  return { check, state: "warn", detail, hint: "look, then go on: owt status; owt resume" };
}

/** Has what happened since the copy that a store was restored from written down, what it cost above all, so that budgets count it. */
async function catchUpStore(engine: Engine): Promise<Finding[]> {
  if (!existsSync(storeFile(engine.repo.commonDir)) || isCarried(engine) !== null) return [];
  const lease = prepareLock(leaseFile(engine));
  try {
    if (!lease.take()) return [];
    const { booked } = await catchUp(engine);
    if (booked.attempts === 0) return [];
    const detail = `booked ${describeBooked(booked)}, which the store did not know: budgets count it`;
    return [{ check: "spending", state: "pass", detail }];
  } finally {
    lease.close();
  }
}

/** Agents that a lost store started and that live on; with `fix` they are ended. */
async function examineLostAgents(engine: Engine, fix: boolean): Promise<Finding[]> {
  const lost = findLostAgents(engine);
  const told = describeLostAgents(lost);
  if (!told) return [];
  if (!fix) return [{ check: "lost agents", state: "warn", detail: told.text, hint: told.hint }];
  await endLostAgents(engine, lost);
  const detail = `${lost.length} ended; what they left is in their worktrees: git worktree list`;
  return [{ check: "lost agents", state: "pass", detail }];
}
