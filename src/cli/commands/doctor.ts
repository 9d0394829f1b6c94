import type { Command } from "commander";
import { examineRepository, mendStore } from "../../engine/doctor.ts";
import { type AgentReport, examineAgents, examineReadyAgents } from "../../engine/examine-agents.ts";
import { examineMachine, type Finding, NOT_INSTALLED } from "../../engine/examine-machine.ts";
import { answer, type Io, withEngine } from "../io.ts";
import { OwtError } from "../../core/errors.ts";
import { openRepo } from "../../git/repo.ts";
import { AGENT_KINDS } from "../../agents/registry.ts";
import { loadConfig } from "../../system/config-files.ts";
import { adoptStore } from "../../store/database.ts";
import { localTimes, painter, printable } from "../text.ts";

export function doctorCommand(program: Command, io: Io): void {
  program
    .command("doctor")
    .description("check what owt needs here, with the line that mends what is missing")
    .option(
      "--fix",
      "mend what needs neither root nor risk: put a damaged store aside and restore its last backup, make worktrees readable for git again, end agents that a lost store started, clear what killed processes left",
    )
    .option("--adopt-store", "this repository was moved: bind its store to where it is now")
    .option("--json", "print the answer as JSON")
    .action(async (options: { fix?: boolean; adoptStore?: boolean; json?: boolean }) => {
      const fix = options.fix ?? false;
      const findings = await examineMachine(io.env, fix);
      const hasGit = findings.every(({ check, detail }) => check !== "git" || detail !== NOT_INSTALLED);
      if (hasGit && (options.adoptStore || fix)) findings.push(...(await mend(io, options)));
      const { repository, agents } = hasGit
        ? await lookAtRepository(io, fix)
        : { repository: [], agents: await examineReadyAgents(io.env, io.owtCommand) };
      findings.push(...repository);
      answer(io, options, { findings, agents: agents.map(toJson) }, render(io, findings, agents));
      if (findings.some((each) => each.state === "fail")) process.exitCode = 1;
    });
}

/** Outside of a repository there is no store to mend; the machine is looked at all the same. */
async function mend(io: Io, options: { fix?: boolean; adoptStore?: boolean }): Promise<Finding[]> {
  const repo = await openRepo(io.cwd).catch((error: unknown) => {
    if (!options.adoptStore && error instanceof OwtError) return null;
    throw error;
  });
  if (repo === null) return [];
  try {
    if (options.adoptStore) adoptStore(repo.commonDir);
    return options.fix ? mendStore(repo, Date.now()) : [];
  } finally {
    await repo.close();
  }
}

async function lookAtRepository(io: Io, fix: boolean): Promise<{ repository: Finding[]; agents: AgentReport[] }> {
  try {
    return await withEngine(io, async (engine) => ({
      repository: await examineRepository(engine, fix),
      agents: await examineAgents(engine),
    }));
  } catch (error) {
    if (!(error instanceof OwtError)) throw error;
    const hint = error.hint ? { hint: error.hint } : {};
    const check = error.code === "config" ? "configuration" : "repository";
    return {
      repository: [{ check, state: "fail", detail: error.message, ...hint }],
      agents: error.code === "store" ? await examineConfigured(io) : await examineReadyAgents(io.env, io.owtCommand),
    };
  }
}

/** Where the store cannot be opened the configuration says all the same which agents there are. */
async function examineConfigured({ cwd, env, owtCommand }: Io): Promise<AgentReport[]> {
  const repo = await openRepo(cwd);
  try {
    const { config, layers } = loadConfig(repo.here, { env, agentKinds: AGENT_KINDS, tolerant: true });
    return await examineAgents({ config, layers, env, owtCommand, repo });
  } finally {
    await repo.close();
  }
}

function toJson({ isDefault, ...report }: AgentReport): object {
  return { ...report, default: isDefault };
}

function render(io: Io, findings: readonly Finding[], agents: readonly AgentReport[]): string {
  const paint = painter(io, io.stdout);
  const marks = {
    pass: paint("green", "✓"),
    warn: paint("yellow", "▲"),
    fail: paint("red", "✗"),
    absent: paint("dim", "·"),
  };
  const hintLine = (hint: string | null | undefined) => (hint ? [`  ↳ ${printable(hint)}`] : []);
  const lines = findings.flatMap(({ check, state, detail, hint }) => [
    `${marks[state]} ${check}  ${printable(localTimes(detail, Date.now()))}`,
    ...(state === "pass" ? [] : hintLine(hint)),
  ]);
  const blocks = agents.map((agent) => {
    const what = agent.path === null ? "not installed" : [agent.version, agent.path].filter(Boolean).join("  ");
    const title = `${marks[agent.state]} ${agent.name}${agent.isDefault ? " (default)" : ""}  ${printable(what)}`;
    if (agent.path === null) return [title, ...hintLine(agent.hint)];
    return [
      title,
      ...agent.trouble.map((each) => `    ${printable(each)}`),
      ...(agent.login.state === "missing" ? [] : [`    login: ${printable(agent.login.detail)}`]),
      `    can: ${agent.capabilities.join(", ")}`,
      ...hintLine(agent.hint),
    ];
  });
  return [...lines, ...(agents.length > 0 ? ["", "agents:"] : []), ...blocks.flat()].join("\n");
}
