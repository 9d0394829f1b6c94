import type { Command } from "commander";
import { OwtError } from "../../core/errors.ts";
import { nearest } from "../../core/names.ts";
import {
  carryOutInit,
  type Chosen,
  type InitPlan,
  planInit,
  survey,
  type Surveyed,
  usualChoice,
} from "../../engine/init.ts";
import { answer, answerAsIs, ask, canAsk, type Io, tell } from "../io.ts";
import { painter, printable } from "../text.ts";

type InitOptions = { yes?: boolean; dryRun?: boolean; json?: boolean };

export function initCommand(program: Command, io: Io): void {
  program
    .command("init")
    .alias("onboard")
    .description("set this repository up: look at what is there, write a .worktreerc and a first plan")
    .option("-y, --yes", "ask nothing; take what was found")
    .option("--dry-run", "show what would be written and stop")
    .option("--json", "print the answer as JSON")
    .action((options: InitOptions) => setUp(io, options));
}

async function setUp(io: Io, options: InitOptions): Promise<void> {
  const surveyed = await survey(io.cwd, io.env, io.owtCommand);
  const mayAsk = !options.yes && !options.dryRun && surveyed.configured === null && canAsk(io);
  const chosen = mayAsk ? await askFor(io, surveyed) : usualChoice(surveyed);
  const plan = planInit(surveyed, chosen, io.env);
  if (options.dryRun) {
    answerAsIs(io, options, { ...toJson(surveyed, chosen, plan), dry_run: true }, renderDryRun(io, plan));
    return;
  }
  const willWrite = Object.keys(plan.files).includes(".worktreerc");
  if (willWrite && plan.approve.length > 0) {
    const commands = plan.approve.map(({ what }) => printable(what)).join(", ");
    tell(io, `.worktreerc will name these checks, and owt may run them here from now on: ${commands}`);
  }
  const wrote = carryOutInit(surveyed, plan, io.env);
  answer(io, options, { ...toJson(surveyed, chosen, plan), wrote, dry_run: false }, render(io, surveyed, plan, wrote));
}

/** Two questions at most: which agent, where there are several, and how work is checked. */
async function askFor(io: Io, surveyed: Surveyed): Promise<Chosen> {
  const usual = usualChoice(surveyed);
  return { agent: await askForAgent(io, surveyed, usual), verify: await askForChecks(io, usual) };
}

async function askForAgent(io: Io, { agents }: Surveyed, { agent }: Chosen): Promise<string | null> {
  if (agents.length < 2) return agent;
  const names = agents.map(({ name }) => name);
  const said = (await ask(io, `which agent works here? ${names.join(", ")} [${agent}] `)).trim();
  if (said === "") return agent;
  const meant = names.find((name) => name === said) ?? nearest(said, names, 1)[0];
  if (meant === undefined)
    throw new OwtError("usage", `there is no agent ${said} here`, { hint: `there are ${names.join(", ")}: owt init` });
  return meant;
}

async function askForChecks(io: Io, { verify }: Chosen): Promise<string[]> {
  const question =
    verify.length > 0
      ? `check work with ${verify.map(printable).join(" and ")}? Enter: yes, n: no, or another command `
      : "which command checks work here? Enter: none ";
  const said = (await ask(io, question)).trim();
  if (said === "" || /^y(es)?$/i.test(said)) return verify;
  return /^no?(ne)?$/i.test(said) ? [] : [said];
}

function toJson(surveyed: Surveyed, chosen: Chosen, plan: InitPlan): object {
  const { checkout, stack, agents, absent } = surveyed;
  return {
    repository: checkout.root,
    branch: checkout.branch,
    default_branch: surveyed.defaultBranch,
    has_commit: checkout.hasCommit,
    stack,
    agents: [...agents, ...absent].map(({ name, path, version, login }) => ({
      name,
      installed: path !== null,
      version,
      login: login.state,
    })),
    agent: chosen.agent,
    verify: chosen.verify,
    plan: surveyed.plan,
    files: Object.entries(plan.files).map(([path, text]) => ({ path, text })),
    wrote: [],
    would_add: plan.wouldAdd,
    approved: plan.approve,
    notes: plan.notes,
    next: plan.next,
  };
}

function render(io: Io, surveyed: Surveyed, plan: InitPlan, wrote: readonly string[]): string {
  const paint = painter(io, io.stdout);
  const found = [
    ...surveyed.stack.map(({ kind, lockfile }) => `${kind} (${lockfile})`),
    ...surveyed.agents.map(({ name, version }) => [name, version].filter(Boolean).join(" ")),
    ...(surveyed.checkout.branch === null ? [] : [`branch ${surveyed.checkout.branch}`]),
  ];
  return [
    ...(found.length > 0 ? [`found ${printable(found.join(", "))}`] : []),
    ...wrote.map((path) => `${paint("green", "✓")} wrote ${path}`),
    ...keptLines(io, surveyed, plan),
    ...(wrote.includes(".worktreerc") && plan.approve.length > 0
      ? [`${paint("green", "✓")} approved ${plan.approve.map(({ what }) => printable(what)).join(", ")}`]
      : []),
    ...plan.notes.map((note) => `${paint("yellow", "▲")} ${printable(note)}`),
    "",
    "next:",
    ...plan.next.map((line) => `  ↳ ${line}`),
    ...(wrote.length > 0 && surveyed.checkout.hasCommit
      ? [`what was written counts as it lies here; commit it with the rest of your work when you like`]
      : []),
  ].join("\n");
}

/** What is there already stays; what would have been written into it is shown. */
function keptLines(io: Io, { configured, plan: path }: Surveyed, { wouldAdd }: InitPlan): string[] {
  const paint = painter(io, io.stdout);
  const config =
    configured === null
      ? []
      : [
          `${paint("dim", "·")} .worktreerc is there and stays as it is${wouldAdd === null ? "" : "; this could be added:"}`,
        ];
  const added =
    wouldAdd === null
      ? []
      : [
          "",
          ...wouldAdd
            .trimEnd()
            .split("\n")
            .map((line) => `    ${line}`),
          "",
        ];
  return [
    ...config,
    ...added,
    ...(path === null ? [] : [`${paint("dim", "·")} the plan is there: ${printable(path)}`]),
  ];
}

function renderDryRun(io: Io, plan: InitPlan): string {
  const paint = painter(io, io.stdout);
  const files = Object.entries(plan.files).flatMap(([path, text]) => [paint("bold", `would write ${path}:`), "", text]);
  const added = plan.wouldAdd === null ? [] : ["would not touch .worktreerc, which does not say:", "", plan.wouldAdd];
  const approve = plan.approve.map(({ what }) => `would approve: ${printable(what)}`);
  const all = [...files, ...added, ...approve];
  return all.length > 0 ? all.join("\n") : "nothing would be written: a configuration and a plan are there";
}
