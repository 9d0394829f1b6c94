/** Sets a repository up: looks at what is there, writes a configuration and, where there is no plan, a sample one. Nothing that exists is ever
 *  changed. Reads everything first, so that it can be shown before anything is written. */
import { existsSync, readdirSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { commandList } from "../core/config.ts";
import type { ConfigValues } from "../core/config-keys.ts";
import { OwtError } from "../core/errors.ts";
import { describeInstall, detectChecks, detectInstalls, type Install } from "../core/project.ts";
import { samplePlan, starterConfig, starterKeys } from "../core/starter.ts";
import { defaultBranch } from "../git/branch.ts";
import { type Checkout, findCheckout } from "../git/checkout.ts";
import { openRepo } from "../git/repo.ts";
import { checkFile } from "../system/config-files.ts";
import { ensureFolder, readTextIfThere, statIfThere, writeFileAtomically } from "../system/files.ts";
import { findProgram } from "../system/programs.ts";
import { approveGrants, type Grant, grantsMissing } from "./approvals.ts";
import { type AgentReport, examineReadyAgents } from "./examine-agents.ts";
import {
  carryOutTrust,
  type ClaudeFound,
  type ClaudePlan,
  type ClaudeWish,
  planClaude,
  surveyClaude,
} from "./init-claude.ts";
import { shellWord } from "../lib/printable.ts";
import { findPlan, isNoPlan, readPlan } from "./read-plan.ts";

const CONFIG = ".worktreerc";

/** Where a plan lies that nobody named. */
const PLANS = "docs/plans";

/** What was found. */
export type Surveyed = {
  checkout: Checkout;
  defaultBranch: string | null;
  stack: Install[];
  /** Commands that the project defines. */
  checks: string[];
  /** Those that are installed; the built-in one is left out. */
  agents: AgentReport[];
  /** How the others are installed. */
  absent: AgentReport[];
  /** What the configuration says that is there: null where there is none, `broken` where it has problems. */
  configured: ConfigValues | "broken" | null;
  /** The plan that is there; null where there is none. */
  plan: string | null;
  /** Why the plan that is there cannot be run as it stands. */
  planTrouble: string | null;
  claude: ClaudeFound;
};

export type Chosen = { verify: string[]; agent: string | null; claude: ClaudeWish };

/** What is to be done. */
export type InitPlan = {
  /** Texts by their path from the root; none of them exists. */
  files: Record<string, string>;
  /** What files that are there become; only such as somebody asked for. */
  edits: ClaudePlan["edits"];
  /** What the configuration that is there does not say; null where nothing is missing or none is there. */
  wouldAdd: string | null;
  /** Commands that the written configuration brings and that are not approved yet. */
  approve: Grant[];
  notes: string[];
  /** Something of what is wanted cannot be done; the notes say what. */
  isUnfinished: boolean;
  next: string[];
};

/** Looks at the repository. Throws `environment` outside of one. */
export async function survey(cwd: string, env: NodeJS.ProcessEnv, owtCommand: string[]): Promise<Surveyed> {
  const checkout = await findCheckout(cwd);
  if (checkout === null) {
    // It says why this is no place to work in.
    await (await openRepo(cwd)).close();
    throw new OwtError("environment", `${cwd} is in no checkout`, { hint: "git init && owt init" });
  }
  const names = new Set(readdirSync(checkout.root));
  const read = (name: string) => (names.has(name) ? readTextIfThere(join(checkout.root, name)) : null);
  const agents = (await examineReadyAgents(env, owtCommand)).filter(({ kind }) => kind !== "demo");
  const configured = readConfigured(checkout.root);
  return {
    checkout,
    defaultBranch: await branchOf(cwd, checkout),
    stack: detectInstalls(names, read).map(describeInstall),
    checks: detectChecks(names, read),
    agents: agents.filter(({ path }) => path !== null),
    absent: agents.filter(({ path }) => path === null),
    configured,
    claude: surveyClaude(checkout.root, checkout.commonDir, env),
    ...(await lookForPlan(checkout.root, configured)),
  };
}

async function branchOf(cwd: string, checkout: Checkout): Promise<string | null> {
  if (!checkout.hasCommit) return checkout.branch;
  await using repo = await openRepo(cwd);
  // Awaited here: with the return the repository is closed.
  return await defaultBranch(repo);
}

function readConfigured(root: string): Surveyed["configured"] {
  const text = readTextIfThere(join(root, CONFIG));
  if (text === null) return null;
  const read = checkFile(CONFIG, text);
  return "values" in read ? read.values : "broken";
}

async function lookForPlan(
  root: string,
  configured: Surveyed["configured"],
): Promise<Pick<Surveyed, "plan" | "planTrouble">> {
  const named = configured === null || configured === "broken" ? undefined : configured.run?.plan;
  try {
    const plan = await findPlan(root, undefined, named);
    const read = await readPlan(root, plan);
    if ("plan" in read) return { plan, planTrouble: null };
    // Design notes in docs/plans are no plan, and one beside them is none of their business.
    const isEmpty = read.problems.every(({ code }) => code === "no-tasks");
    return isEmpty ? { plan: null, planTrouble: null } : { plan, planTrouble: `${plan} has problems` };
  } catch (error) {
    if (isNoPlan(error)) return { plan: null, planTrouble: fileAbove(root, PLANS) };
    if (!(error instanceof OwtError) || error.code !== "plan") throw error;
    return { plan: named ?? "", planTrouble: error.message };
  }
}

/** The file that stands where a folder of this path would, in words; null where none does. */
function fileAbove(root: string, path: string): string | null {
  const folders = path.split("/").map((_, at, parts) => parts.slice(0, at + 1).join("/"));
  const file = folders.find((folder) => statIfThere(join(root, folder))?.isDirectory() === false);
  return file === undefined
    ? null
    : `${file} is a file, so no sample plan was written; say where yours lies, [run] plan in ${CONFIG}`;
}

/** What is chosen when nobody is asked: the checks that were found, and the first agent that is installed, those with a login before others; slash
 *  commands where Claude Code is installed, since they run nothing by themselves. */
export function usualChoice({ agents, checks }: Surveyed): Chosen {
  const agent = agents.find(({ login }) => login.state !== "missing") ?? agents[0];
  const claude = { commands: hasClaude({ agents }), hooks: false, trust: null };
  return { verify: checks, agent: agent?.name ?? null, claude };
}

/** Whether Claude Code is installed. */
export function hasClaude({ agents }: Pick<Surveyed, "agents">): boolean {
  return agents.some(({ kind }) => kind === "claude");
}

/** Decides what to write. Changes nothing. */
export function planInit(surveyed: Surveyed, chosen: Chosen, env: NodeJS.ProcessEnv): InitPlan {
  const { checkout, configured, plan } = surveyed;
  const files: Record<string, string> = {};
  if (configured === null) files[CONFIG] = starterConfig({ ...chosen, defaultBranch: surveyed.defaultBranch });
  if (plan === null && surveyed.planTrouble === null) {
    for (const [path, text] of Object.entries(samplePlan()))
      if (readTextIfThere(join(checkout.root, path)) === null) files[path] = text;
  }
  const brought = configured === null ? chosen.verify.map((what) => ({ where: `${CONFIG} [run] verify`, what })) : [];
  const approver = { env, repo: { commonDir: checkout.commonDir } };
  const claude = planClaude(checkout.root, chosen.claude, surveyed.claude);
  return {
    files: { ...files, ...claude.files },
    edits: claude.edits,
    wouldAdd: configured === null || configured === "broken" ? null : missingIn(configured, chosen),
    approve: grantsMissing(approver, brought),
    notes: [...notesOn(surveyed, chosen, env), ...claude.notes],
    isUnfinished: claude.isUnfinished,
    next: nextLines(surveyed, [...Object.keys({ ...files, ...claude.files }), ...Object.keys(claude.edits)]),
  };
}

function missingIn(configured: ConfigValues, { verify, agent }: Chosen): string | null {
  const keys = {
    verify: commandList(configured.run?.verify).length > 0 ? [] : verify,
    agent: configured.agent?.default === undefined && agent !== "claude" ? agent : null,
  };
  return starterKeys(keys) || null;
}

function notesOn(
  { checkout, configured, planTrouble, agents, absent }: Surveyed,
  chosen: Chosen,
  env: NodeJS.ProcessEnv,
) {
  const missing = chosen.verify
    .map((command) => command.split(/\s+/, 1)[0]!)
    .filter((program) => /^[\w.-]+$/.test(program) && findProgram(program, env) === null);
  return [
    ...(configured === "broken" ? [`${CONFIG} has problems: owt config validate`] : []),
    ...(planTrouble === null ? [] : [`${planTrouble}: owt plan`]),
    ...[...new Set(missing)].map((program) => `${program} is not installed here, and the checks need it`),
    ...(agents.length > 0 ? [] : [`no agent is installed: ${absent.map(({ hint }) => hint).join(", or ")}`]),
    ...agents.flatMap(({ name, login }) => (login.state === "missing" ? [`${name} is not logged in: owt doctor`] : [])),
    ...(checkout.hasCommit ? [] : ["a run starts from a commit: add what of your own belongs to it (git status)"]),
    ...(checkout.branch === null ? ["no branch is checked out here: a run starts from one"] : []),
  ];
}

const PLAY = "owt run --agent demo";

/** What was played counts as done, and later runs build on it, until it is asked for once more from the target alone. */
export const FOR_REAL = "owt run --again --from-target";

/** The commands that go on from here. */
function nextLines({ checkout, plan, agents, planTrouble }: Surveyed, written: readonly string[]): string[] {
  // A run starts from a commit. What else lies here, such as a `.env`, is the user's to choose.
  const ours = [CONFIG, plan || PLANS, ...written.filter((path) => path !== CONFIG && !path.startsWith(`${PLANS}/`))];
  const first = checkout.hasCommit ? [] : [`git add ${ours.map(shellWord).join(" ")} && git commit -m start`];
  if (planTrouble !== null) return [...first, "owt plan"];
  const run = agents.length > 0 ? "owt run" : PLAY;
  return [...first, "owt plan", ...(plan === null ? [PLAY, ...(agents.length > 0 ? [FOR_REAL] : [])] : [run])];
}

/** Writes what was decided; a file that has come into being or was changed meanwhile is left alone. Returns the paths that were written, and whether
 *  Claude Code's question was answered. */
export async function carryOutInit(
  { checkout, claude }: Surveyed,
  chosen: Chosen,
  { files, edits, approve }: InitPlan,
  env: NodeJS.ProcessEnv,
): Promise<{ wrote: string[]; isTrusted: boolean }> {
  for (const path of [...Object.keys(files), ...Object.keys(edits)]) refuseOutside(checkout.root, path);
  const written = Object.entries(files).flatMap(([path, text]) => (writeNew(checkout.root, path, text) ? [path] : []));
  for (const [path, { before, after }] of Object.entries(edits)) {
    const file = join(checkout.root, path);
    if (readTextIfThere(file) !== before) continue;
    writeFileAtomically(file, after, { mode: statSync(file).mode & 0o777 });
    written.push(path);
  }
  if (written.includes(CONFIG) && approve.length > 0)
    approveGrants({ env, repo: { commonDir: checkout.commonDir } }, approve);
  const isTrusted = await carryOutTrust({ env, commonDir: checkout.commonDir }, claude, chosen.claude.trust);
  return { wrote: written, isTrusted };
}

/** docs may be a link: nothing is written outside of the repository. */
function refuseOutside(root: string, path: string): void {
  let there = dirname(join(root, path));
  while (!existsSync(there)) there = dirname(there);
  if (`${realpathSync(there)}/`.startsWith(`${realpathSync(root)}/`)) return;
  throw new OwtError("environment", `${dirname(path)} leads out of the repository, so nothing was written`, {
    hint: "make docs a folder of this repository, then: owt init",
  });
}

function writeNew(root: string, path: string, text: string): boolean {
  ensureFolder(dirname(join(root, path)));
  try {
    writeFileSync(join(root, path), text, { flag: "wx" });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}
