/** What `owt init` does for Claude Code: slash commands and hooks in the project, and, with the user's consent, the answer to the question of its
 *  first start. Nothing of the user's is overwritten. */
import { basename, dirname, join } from "node:path";
import * as v from "valibot";
import { giveTrust, readTrust, type Trust } from "../agents/claude-trust.ts";
import { addHooks, hasHooks, PROJECT_SCRIPT, projectHooks } from "../core/claude-settings.ts";
import { OwtError } from "../core/errors.ts";
import { userStateDir } from "../system/config-files.ts";
import { ensureNamedFolder, readTextIfThere, writeFileAtomically } from "../system/files.ts";
import { readHooks, readHookScript, readSlashCommands } from "../system/plugin-files.ts";

const SETTINGS = ".claude/settings.json";

/** What is wanted; `trust` is null where nobody said anything about it. */
export type ClaudeWish = { commands: boolean; hooks: boolean; trust: boolean | null };

export type ClaudeFound = {
  /** Its slash commands and hooks are all there. */
  isSetUp: boolean;
  /** The main checkout, by whose path Claude Code remembers trust; null where it cannot be told. */
  main: string | null;
  trust: Trust;
};

export type ClaudePlan = {
  /** New files by their path from the root. */
  files: Record<string, string>;
  /** What existing files become. */
  edits: Record<string, { before: string; after: string }>;
  notes: string[];
  /** Something of what is wanted cannot be done. */
  isUnfinished: boolean;
};

export function surveyClaude(root: string, commonDir: string, env: NodeJS.ProcessEnv): ClaudeFound {
  const main = basename(commonDir) === ".git" ? dirname(commonDir) : null;
  const isThere = (path: string) => readTextIfThere(join(root, path)) !== null;
  const hasCommands = Object.keys(readSlashCommands()).every((name) => isThere(`.claude/commands/${name}`));
  return {
    isSetUp: hasCommands && hasHooks(readTextIfThere(join(root, SETTINGS)) ?? ""),
    main,
    trust:
      main === null ? { state: "unknown", why: "the main checkout is not where it usually is" } : readTrust(env, main),
  };
}

/** Decides what to write. */
export function planClaude(root: string, wish: ClaudeWish, found: ClaudeFound): ClaudePlan {
  const plan: ClaudePlan = { files: {}, edits: {}, notes: [], isUnfinished: false };
  if (wish.commands)
    for (const [name, text] of Object.entries(readSlashCommands()))
      addFile(plan, root, `.claude/commands/${name}`, text);
  if (wish.hooks) addProjectHooks(plan, root);
  if (Object.keys(plan.files).length + Object.keys(plan.edits).length > 0)
    plan.notes.push("commit .claude: worktrees get what is committed");
  if (wish.trust && found.trust.state === "unknown")
    plan.notes.push(`Claude Code's question of its first start is not answered: ${found.trust.why}`);
  return plan;
}

function addFile({ files, notes }: ClaudePlan, root: string, path: string, text: string): void {
  const there = readTextIfThere(join(root, path));
  if (there === null) files[path] = text;
  else if (there !== text) notes.push(`${path} is there and stays as it is; owt's own would differ`);
}

function addProjectHooks(plan: ClaudePlan, root: string): void {
  const before = readTextIfThere(join(root, SETTINGS));
  addFile(plan, root, PROJECT_SCRIPT, readHookScript());
  if (before !== null && hasHooks(before)) return;
  const after = addHooks(before ?? "{}\n", projectHooks(readHooks()));
  if (before === null) plan.files[SETTINGS] = after!;
  else if (after !== null) plan.edits[SETTINGS] = { before, after };
  else {
    plan.isUnfinished = true;
    plan.notes.push(
      `${SETTINGS} is not what owt can read as settings and stays as it is, without owt's hooks; mend it, then: owt init --claude`,
    );
  }
}

/** Whose consent is meant. */
type Consenter = { env: NodeJS.ProcessEnv; commonDir: string };

/** Carries out what was said about trust: consent is remembered, and the answer is written; where it was taken back, only that. */
export async function carryOutTrust(consenter: Consenter, found: ClaudeFound, trust: boolean | null): Promise<boolean> {
  if (trust === null) return false;
  rememberConsent(consenter, trust);
  if (!trust || found.main === null || found.trust.state !== "not-given") return false;
  await giveTrust(consenter.env, found.main);
  return true;
}

/** Before an agent is started in a worktree of ours: the answer that the user consented to, where Claude Code has forgotten it. What goes wrong is
 *  not in the way: then Claude Code asks. */
export async function renewTrust(consenter: Consenter, main: string): Promise<void> {
  if (!hasConsent(consenter) || readTrust(consenter.env, main).state !== "not-given") return;
  await giveTrust(consenter.env, main).catch((error: unknown) => {
    if (!(error instanceof OwtError)) throw error;
  });
}

/** By repository. */
const consentSchema = v.record(v.string(), v.object({ trust_claude: v.boolean() }));

function hasConsent(consenter: Consenter): boolean {
  return readConsents(consenter)[consenter.commonDir]?.trust_claude ?? false;
}

function rememberConsent(consenter: Consenter, isGiven: boolean): void {
  const all = readConsents(consenter);
  if ((all[consenter.commonDir]?.trust_claude ?? false) === isGiven) return;
  ensureNamedFolder(
    userStateDir(consenter.env),
    "what you consented to cannot be kept",
    "name a folder that can be written: XDG_STATE_HOME=FOLDER",
  );
  const after = { ...all, [consenter.commonDir]: { trust_claude: isGiven } };
  writeFileAtomically(consentFile(consenter), `${JSON.stringify(after, null, 2)}\n`);
}

/** A file that cannot be read holds no consent. */
function readConsents(consenter: Consenter): v.InferOutput<typeof consentSchema> {
  try {
    return v.parse(consentSchema, JSON.parse(readTextIfThere(consentFile(consenter)) ?? "{}"));
  } catch {
    return {};
  }
}

function consentFile({ env }: Consenter): string {
  return join(userStateDir(env), "consents.json");
}
