/** The report that `-vv` writes: what one needs to understand a mistake of owt, without secrets, prompts, answers, or what agents said. */
import { mkdirSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import type { Command } from "commander";
import { join } from "node:path";
import type { OwtError } from "../core/errors.ts";
import type { Event } from "../core/event.ts";
import { isSecretKey, redact, secretsIn } from "../core/redact.ts";
import { showConfig } from "../engine/configuration.ts";
import { examineRepository } from "../engine/doctor.ts";
import { examineAgents } from "../engine/examine-agents.ts";
import { examineMachine, type Finding } from "../engine/examine-machine.ts";
import type { Engine } from "../engine/engine.ts";
import { findCheckout } from "../git/checkout.ts";
import { eventsAfter, lastSeq } from "../store/events.ts";
import { userStateDir } from "../system/config-files.ts";
import { type Io, tell, withEngine } from "./io.ts";
import { without, wordsToTell } from "./told-words.ts";

const EVENTS = 60;

export type Ended = {
  program: Command;
  argv: readonly string[];
  version: string;
  exitCode: number;
  refusal: OwtError | null;
  programs: readonly string[];
};

/** Writes the report and says where. Whatever cannot be found out stands in it as such; it never fails a command. */
export async function writeBugReport(io: Io, ended: Ended): Promise<void> {
  try {
    const text = redact(await render(io, ended), secretsIn(io.env));
    const folder = join(userStateDir(io.env), "reports");
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, `${new Date().toISOString().replaceAll(":", "-").slice(0, 19)}-${process.pid}.md`);
    writeFileSync(path, text, { mode: 0o600 });
    tell(io, `a bug report, without prompts and what agents said, to be read before it is handed on:\n  ↳ cat ${path}`);
  } catch (error) {
    tell(io, `no bug report could be written: ${String(error)}`);
  }
}

async function render(io: Io, { program, argv, version, exitCode, refusal, programs }: Ended): Promise<string> {
  const { told: words, hidden } = wordsToTell(program, argv);
  const clean = (line: string) => without(line, hidden);
  const sections: [title: string, lines: string[]][] = [
    ["Command", [`owt ${words.join(" ")}`, `exit code ${exitCode}`]],
    ["Refusal", refusal ? [`${refusal.code}: ${clean(refusal.message)}`, clean(refusal.hint ?? "")] : []],
    ["Versions", [`owt ${version}`, `node ${process.version}`, `${process.platform} ${release()} ${process.arch}`]],
    ["Doctor", await tried(() => doctorLines(io))],
    ["Configuration", await tried(() => configLines(io))],
    ["Last events", await tried(() => withEngine({ ...io, looks: true }, async (engine) => eventLines(engine)))],
    ["Programs", programs.map(clean)],
  ];
  const told = sections.filter(([, lines]) => lines.some(Boolean));
  return `# owt bug report\n\n${told.map(([title, lines]) => `## ${title}\n\n\`\`\`text\n${lines.filter(Boolean).join("\n")}\n\`\`\`\n`).join("\n")}`;
}

async function tried(look: () => Promise<string[]>): Promise<string[]> {
  try {
    return await look();
  } catch (error) {
    return [`not to be found out: ${error instanceof Error ? error.message : String(error)}`];
  }
}

async function doctorLines(io: Io): Promise<string[]> {
  const line = ({ check, state, detail }: Finding) => `${state} ${check}: ${detail}`;
  const here = await tried(() =>
    withEngine({ ...io, looks: true }, async (engine) => [
      ...(await examineRepository(engine, false)).map(line),
      ...(await examineAgents(engine)).map(
        ({ name, state, version, login, trouble }) =>
          `${state} agent ${name}: ${version ?? "no version"}, login ${login.state}${trouble.length > 0 ? `, ${trouble.join("; ")}` : ""}`,
      ),
    ]),
  );
  return [...(await examineMachine(io.env, false)).map(line), ...here];
}

async function configLines(io: Io): Promise<string[]> {
  const { profile, values } = showConfig((await findCheckout(io.cwd))?.root ?? null, io.env, {});
  const lines = values.map(({ key, value, origin }) => {
    const where =
      "file" in origin ? `${origin.file}:${origin.line}` : "variable" in origin ? origin.variable : origin.kind;
    return `${key} = ${isSecretKey(key) ? "(hidden)" : JSON.stringify(value)}  (${where})`;
  });
  return [...(profile === null ? [] : [`profile ${profile}`]), ...lines];
}

/** Fields that are words of ours, never of a plan, a person or an agent. */
const SAFE = [
  "phase",
  "from",
  "to",
  "wish",
  "number",
  "agent",
  "code",
  "where",
  "adopted",
  "verified",
  "done",
  "failed",
];

function eventLines({ store }: Engine): string[] {
  return eventsAfter(store, Math.max(0, lastSeq(store) - EVENTS)).map((event) => {
    const fields = SAFE.flatMap((name) => (name in event ? [`${name}=${String(event[name as keyof Event])}`] : []));
    const outcome = "outcome" in event ? [`outcome=${event.outcome.kind}`] : [];
    const about = [event.run, event.task, event.attempt].map((each) => each ?? "-").join("/");
    return [new Date(event.at).toISOString(), about, event.kind, ...fields, ...outcome].join(" ");
  });
}
