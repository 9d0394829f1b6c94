/** Commands that the repository brings run only after the user approved them, once, by their content.
 *  What was approved is remembered outside the repository, so that no commit can approve itself. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import * as v from "valibot";
import { WIDE_MODES } from "../agents/registry.ts";
import { isWideRule } from "../agents/rules.ts";
import type { AgentChoices } from "../core/choices.ts";
import { commandList, type Layer } from "../core/config.ts";
import { OwtError } from "../core/errors.ts";
import { addressesIn, withoutSecret } from "../core/notification.ts";
import type { PlannedTask, PlanSettings } from "../core/plan.ts";
import { shellWord } from "../lib/printable.ts";
import { userStateDir, wantedProfile } from "../system/config-files.ts";
import { ensureNamedFolder, readTextIfThere, writeFileAtomically } from "../system/files.ts";
import type { Engine } from "./engine.ts";

/** Something the repository wants to have run or allowed: where it stands and what it says, which is what is approved. `shown` is the same in words that
 *  one could paste, where it is not what it says. */
export type Grant = { where: string; what: string; shown?: string };

/** What is said of a grant: of an address only where it leads, for who has the rest can post there. */
export function shownGrant({ where, what, shown = what }: Grant): Grant {
  return { where, what: what.startsWith(TELLS) ? TELLS + withoutSecret(what.slice(TELLS.length)) : shown };
}

/** The same in a line. */
export function describeGrant(grant: Grant): string {
  const { where, what } = shownGrant(grant);
  return `${where}: ${what}`;
}

/** What it is, for what others may read: a value of a variable can be a secret. */
export function nameGrant(grant: Grant): string {
  return / env\.\w+$/.test(grant.where) ? grant.where : shownGrant(grant).what;
}

const TELLS = "notifications to ";

/** Whether the user let owt send notifications to an address that the repository names. */
export function mayTell(engine: Approver): (address: string) => boolean {
  let approved: Set<string> | null = null;
  return (address) => {
    approved ??= new Set(readApprovals(engine)[engine.repo.commonDir]);
    return approved.has(hashOf({ where: "", what: TELLS + address }));
  };
}

/** Whose approvals are meant. */
type Approver = Pick<Engine, "env"> & { repo: Pick<Engine["repo"], "commonDir"> };

/** Everything of the configuration, the plan's settings and these tasks that needs an approval. */
export function grantsNeeded(engine: Engine, tasks: readonly PlannedTask[], settings: PlanSettings): Grant[] {
  const grants: Grant[] = [];
  const add = (where: string, what: string | undefined) => what?.trim() && grants.push({ where, what });
  for (const layer of engine.layers.filter((each) => each.origin === "repository")) {
    const { run, conflicts, environment, agent, hooks } = layer.values;
    for (const command of commandList(run?.verify)) add(`${layer.name} [run] verify`, command);
    for (const commands of Object.values(conflicts?.regenerate ?? {}))
      for (const command of commandList(commands)) add(`${layer.name} [conflicts] regenerate`, command);
    for (const command of commandList(environment?.install_command))
      add(`${layer.name} [environment] install_command`, command);
    for (const hook of ["post_create", "pre_remove"] as const)
      for (const command of commandList(hooks?.[hook])) add(`${layer.name} [hooks] ${hook}`, command);
    for (const name of Object.keys(agent?.named ?? {})) grants.push(...agentGrants(layer, name));
    for (const { key, address } of addressesIn(layer)) add(`${layer.name} [notifications] ${key}`, TELLS + address);
  }
  const addChoices = (where: string, choices: AgentChoices | undefined) => {
    add(`${where} extra_args`, commandLine(choices?.extraArgs ?? []));
    grants.push(...wideGrants(where, choices?.permissionMode, choices?.allowedTools));
  };
  addChoices("plan", settings.choices);
  for (const task of tasks) {
    for (const command of task.verify) add(`${task.source.file} verify`, command);
    addChoices(task.source.file, task.choices);
  }
  return unique(grants);
}

/** What a repository says of an agent that needs an approval. */
function agentGrants(layer: Layer, name: string): Grant[] {
  const values = layer.values.agent?.named[name] ?? {};
  const where = `${layer.name} [agent.${name}]`;
  const words = (key: string, what: string) => (what.trim() === "" ? [] : [{ where: `${where} ${key}`, what }]);
  return [
    ...words("command", commandLine(commandList(values.command))),
    ...words("extra_args", commandLine(values.extra_args ?? [])),
    // A variable can have a program load whatever it likes.
    ...Object.entries(values.env ?? {}).map(([variable, value]) => ({
      where: `${where} env.${variable}`,
      what: `${variable}=${value}`,
      shown: `${variable}=${shellWord(value)}`,
    })),
    ...wideGrants(where, values.permission_mode, values.allowed_tools),
  ];
}

/** Words as a shell takes them: what is one word and what are two makes a difference. */
function commandLine(words: readonly string[]): string {
  return words.map(shellWord).join(" ");
}

/** What a session needs an approval for: its agent, and what its layout has run. */
export function grantsOfSession(engine: Engine, { agent, layout }: { agent: string | null; layout: string }): Grant[] {
  const brought = engine.layers.filter((each) => each.origin === "repository");
  const ofAgent = agent === null ? [] : brought.flatMap((layer) => agentGrants(layer, agent));
  return unique([...ofAgent, ...brought.flatMap((layer) => layoutGrants(layer, layout))]);
}

/** The same of every layout that the repository brings. */
export function grantsOfLayouts(engine: Engine): Grant[] {
  const brought = engine.layers.filter((each) => each.origin === "repository");
  const grants = brought.flatMap((layer) =>
    Object.keys(layer.values.tmux?.layouts ?? {}).flatMap((name) => layoutGrants(layer, name)),
  );
  return unique(grants);
}

function layoutGrants(layer: Layer, name: string): Grant[] {
  const where = `${layer.name} [tmux.layouts.${name}] command`;
  return (layer.values.tmux?.layouts?.[name]?.panes ?? []).flatMap(({ command }) =>
    command === undefined ? [] : [{ where, what: JSON.stringify(command), shown: commandLine(command) }],
  );
}

/** An allow-list for named commands is the plan's business; one through which other commands can be run is the user's. */
function wideGrants(where: string, mode: string | undefined, tools: string[] | undefined): Grant[] {
  const modes = mode !== undefined && WIDE_MODES.has(mode) ? [{ where: `${where} permission_mode`, what: mode }] : [];
  const wide = (tools ?? []).filter(isWideRule);
  return [...modes, ...wide.map((tool) => ({ where: `${where} allowed_tools`, what: tool }))];
}

/** Those of the grants that the user has not approved for this repository. */
export function grantsMissing(engine: Approver, grants: readonly Grant[]): Grant[] {
  const approved = new Set(readApprovals(engine)[engine.repo.commonDir]);
  return grants.filter((grant) => !approved.has(hashOf(grant)));
}

/** Remembers that the user approved these. */
export function approveGrants(engine: Approver, grants: readonly Grant[]): void {
  const all = readApprovals(engine);
  const mine = new Set(all[engine.repo.commonDir]);
  for (const grant of grants) mine.add(hashOf(grant));
  const hint = "name a folder that can be written: XDG_STATE_HOME=FOLDER";
  ensureNamedFolder(userStateDir(engine.env), "approvals cannot be kept", hint);
  writeFileAtomically(
    approvalsFile(engine),
    `${JSON.stringify({ ...all, [engine.repo.commonDir]: [...mine] }, null, 2)}\n`,
  );
}

/** Throws `not-approved`, naming each command and the line that approves them. */
export function requireApproval(engine: Engine, grants: readonly Grant[], hint = approvalLine(engine)): void {
  const missing = grantsMissing(engine, grants);
  if (missing.length === 0) return;
  const lines = missing.map((grant) => `  ${describeGrant(grant)}`);
  throw new OwtError(
    "not-approved",
    `this repository brings commands that are not approved yet:\n${lines.join("\n")}`,
    {
      hint: `read them, then: ${hint}`,
    },
  );
}

/** What a profile brings is approved under that profile. */
function approvalLine({ env }: Approver): string {
  const profile = wantedProfile(env);
  return `owt config approve${profile === null ? "" : ` --profile ${profile}`}`;
}

function readApprovals(engine: Approver): Record<string, string[]> {
  const file = approvalsFile(engine);
  try {
    return v.parse(approvalsSchema, JSON.parse(readTextIfThere(file) ?? "{}"));
  } catch (cause) {
    throw new OwtError("config", `${file} is damaged, so nothing counts as approved`, {
      hint: `move it away and approve again: mv ${file} ${file}.damaged`,
      cause,
    });
  }
}

/** By repository: the hashes of what was approved. */
const approvalsSchema = v.record(v.string(), v.array(v.string()));

function approvalsFile(engine: Approver): string {
  return join(userStateDir(engine.env), "approvals.json");
}

/** The command itself decides, not the place it stands in: moving a line asks for nothing new. */
function hashOf(grant: Grant): string {
  return createHash("sha256").update(grant.what.trim()).digest("hex");
}

function unique(grants: Grant[]): Grant[] {
  return [...new Map(grants.map((grant) => [hashOf(grant), grant])).values()];
}
