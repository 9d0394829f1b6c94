import type { Command } from "commander";
import { OwtError } from "../../core/errors.ts";
import { nearest } from "../../core/names.ts";
import {
  carryOutInit,
  type Chosen,
  FOR_REAL,
  hasClaude,
  type InitPlan,
  planInit,
  survey,
  type Surveyed,
  usualChoice,
} from "../../engine/init.ts";
import type { ClaudeWish } from "../../engine/init-claude.ts";
import { answer, answerAsIs, ask, canAsk, type Io, tell } from "../io.ts";
import { painter, printable } from "../text.ts";

type InitOptions = { yes?: boolean; dryRun?: boolean; claude?: boolean; trustClaude?: boolean; json?: boolean };

export function initCommand(program: Command, io: Io): void {
  program
    .command("init")
    .alias("onboard")
    .description(
      "set this repository up: look at what is there, write a .worktreerc, a first plan, and what Claude Code is to know of owt",
    )
    .option("-y, --yes", "ask nothing; take what was found")
    .option(
      "--claude",
      "put slash commands and hooks for Claude Code into .claude (by default, where it is installed, the commands alone)",
    )
    .option("--no-claude", "put nothing there")
    .option(
      "--trust-claude",
      "answer Claude Code's question whether it may trust this repository, in its own file, and remember that you said so",
    )
    .option("--no-trust-claude", "take that back: owt will not answer it again")
    .option("--dry-run", "show what would be written and stop")
    .option("--json", "print the answer as JSON")
    .action((options: InitOptions) => setUp(io, options));
}

async function setUp(io: Io, options: InitOptions): Promise<void> {
  const surveyed = await survey(io.cwd, io.env, io.owtCommand);
  const mayAsk = !options.yes && !options.dryRun && canAsk(io);
  const asked = mayAsk ? await askFor(io, surveyed, options) : usualChoice(surveyed);
  const chosen = { ...asked, claude: { ...asked.claude, ...saidOfClaude(options) } };
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
  const { wrote, isTrusted } = await carryOutInit(surveyed, chosen, plan, io.env);
  const data = { ...toJson(surveyed, chosen, plan), wrote, trusted: isTrusted, dry_run: false };
  answer(io, options, data, render(io, surveyed, plan, { wrote, isTrusted }));
  if (plan.isUnfinished) process.exitCode = 1;
}

/** What the options say, which holds also where something else was answered. */
function saidOfClaude({ claude, trustClaude }: InitOptions): Partial<ClaudeWish> {
  return {
    ...(claude === undefined ? {} : { commands: claude, hooks: claude }),
    ...(trustClaude === undefined ? {} : { trust: trustClaude }),
  };
}

/** Two questions at most: which agent, where there are several; how work is checked; and, where the first two are not both asked, Claude Code. */
async function askFor(io: Io, surveyed: Surveyed, options: InitOptions): Promise<Chosen> {
  const usual = usualChoice(surveyed);
  const isNew = surveyed.configured === null;
  const agent = isNew ? await askForAgent(io, surveyed, usual) : usual.agent;
  const verify = isNew ? await askForChecks(io, usual) : usual.verify;
  const hasAskedTwo = isNew && surveyed.agents.length > 1;
  const isOpen = hasClaude(surveyed) && !surveyed.claude.isSetUp && options.claude === undefined;
  const claude = isOpen && !hasAskedTwo ? await askForClaude(io, surveyed) : usual.claude;
  return { agent, verify, claude };
}

/** One question for all of it. Trust is never what Enter means. */
async function askForClaude(io: Io, { claude }: Surveyed): Promise<ClaudeWish> {
  const trust =
    claude.trust.state === "not-given"
      ? "; t: that, and it may trust this repository's worktrees without asking (written into its own file)"
      : "";
  const said = (
    await ask(io, `slash commands and hooks for Claude Code in .claude? Enter: yes${trust}; c: commands alone; n: no `)
  ).trim();
  const isNo = /^no?$/i.test(said);
  return {
    commands: !isNo,
    hooks: !isNo && !/^c(ommands)?$/i.test(said),
    trust: trust !== "" && /^t(rust)?$/i.test(said) ? true : null,
  };
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
    edits: Object.entries(plan.edits).map(([path, { after }]) => ({ path, text: after })),
    trust: chosen.claude.trust,
    trusted: false,
    wrote: [],
    would_add: plan.wouldAdd,
    approved: plan.approve,
    notes: plan.notes,
    next: plan.next,
  };
}

function render(
  io: Io,
  surveyed: Surveyed,
  plan: InitPlan,
  { wrote, isTrusted }: { wrote: readonly string[]; isTrusted: boolean },
): string {
  const paint = painter(io, io.stdout);
  const found = [
    ...surveyed.stack.map(({ kind, lockfile }) => `${kind} (${lockfile})`),
    ...surveyed.agents.map(({ name, version }) => [name, version].filter(Boolean).join(" ")),
    ...(surveyed.checkout.branch === null ? [] : [`branch ${surveyed.checkout.branch}`]),
  ];
  return [
    ...(found.length > 0 ? [`found ${printable(found.join(", "))}`] : []),
    ...wrote.map((path) => `${paint("green", "✓")} wrote ${path}`),
    ...(isTrusted ? [`${paint("green", "✓")} Claude Code trusts this repository's worktrees from now on`] : []),
    ...keptLines(io, surveyed, plan),
    ...(wrote.includes(".worktreerc") && plan.approve.length > 0
      ? [`${paint("green", "✓")} approved ${plan.approve.map(({ what }) => printable(what)).join(", ")}`]
      : []),
    ...plan.notes.map((note) => `${paint("yellow", "▲")} ${printable(note)}`),
    "",
    "next:",
    ...plan.next.map((line) => `  ↳ ${line === FOR_REAL ? `once it was played, for real: ${line}` : line}`),
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
  const edits = Object.entries(plan.edits).flatMap(([path, { after }]) => [
    paint("bold", `would change ${path}, to:`),
    "",
    after,
  ]);
  const added = plan.wouldAdd === null ? [] : ["would not touch .worktreerc, which does not say:", "", plan.wouldAdd];
  const approve = plan.approve.map(({ what }) => `would approve: ${printable(what)}`);
  const all = [...files, ...edits, ...added, ...approve];
  return all.length > 0 ? all.join("\n") : "nothing would be written: a configuration and a plan are there";
}
