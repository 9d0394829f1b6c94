/** `owt config`: what is in force and where from, what is wrong in it, its schema, and the commands that are approved. */
import { type Command, Option } from "commander";
import type { ConfigValues } from "../../core/config-keys.ts";
import { OwtError } from "../../core/errors.ts";
import {
  approveGrants,
  describeGrant,
  grantsMissing,
  grantsNeeded,
  grantsOfLayouts,
  shownGrant,
} from "../../engine/approvals.ts";
import { chooseWork } from "../../engine/prepare.ts";
import { isNoPlan } from "../../engine/read-plan.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Work } from "../../engine/work.ts";
import { configSchema } from "../../core/config-schema.ts";
import {
  chooseValues,
  type Origin,
  type Remark,
  showConfig,
  type ShownConfig,
  type ShownValue,
  validateConfig,
  validateFile,
  type Verdict,
} from "../../engine/configuration.ts";
import { findCheckout } from "../../git/checkout.ts";
import { answer, answerAsIs, canAsk, confirm, type Io, tell, withEngine } from "../io.ts";
import { resolve } from "node:path";
import { renderProblem } from "../../system/config-files.ts";
import { count } from "../preview.ts";
import { positiveInteger, positiveUsd } from "../work-options.ts";
import { type Paint, painter, printable, table } from "../text.ts";

export function configCommands(program: Command, io: Io): void {
  const config = program.command("config").description("what is configured and approved");
  showCommand(config, io);
  validateCommand(config, io);
  schemaCommand(config, io);
  config
    .command("approve")
    .description("show the commands that this repository brings, and let owt run them")
    .option("-y, --yes", "approve without being asked; they are shown all the same")
    .option("--json", "print the answer as JSON")
    .action((options: { yes?: boolean; json?: boolean }) =>
      withEngine(io, async (engine) => {
        const work = await readWorkIfAny(engine);
        const grants = [...grantsNeeded(engine, work?.all ?? [], work?.settings ?? {}), ...grantsOfLayouts(engine)];
        const missing = grantsMissing(engine, grants);
        for (const grant of missing) tell(io, printable(describeGrant(grant)));
        if (missing.length > 0 && !options.yes) {
          if (!canAsk(io))
            throw new OwtError("not-approved", "nothing was approved: nobody can be asked here", {
              hint: "read them, then: owt config approve --yes",
            });
          if (!(await confirm(io, "let owt run them, now and later?")))
            throw new OwtError("not-approved", "nothing was approved", {
              hint: "look at what they do, then: owt config approve",
            });
        }
        approveGrants(engine, missing);
        const shown = missing.map(shownGrant);
        const lines = shown.map((grant) => printable(grant.what));
        const approved = lines.length === 1 ? `approved: ${lines[0]}` : `approved:\n  ${lines.join("\n  ")}`;
        const text = missing.length > 0 ? approved : "nothing was left to approve";
        answer(io, options, { approved: shown, approved_before: grants.length - missing.length }, text);
      }),
    );
}

function showCommand(config: Command, io: Io): void {
  config
    .command("show [key]")
    .description("the values in force, and where each comes from; of one key or section, or all")
    .option("--agent <name>", "as a run with this option would have it")
    .addOption(new Option("--parallel <n>", "as a run with this option would have it").argParser(positiveInteger))
    .addOption(new Option("--budget <usd>", "as a run with this option would have it").argParser(positiveUsd))
    .option("--json", "print the answer as JSON")
    .action(async (key: string | undefined, options: ShowOptions) => {
      const root = (await findCheckout(io.cwd))?.root ?? null;
      const shown = showConfig(root, io.env, flagsOf(options));
      const values = key === undefined ? shown.values : chooseValues(shown, key);
      answer(io, options, { ...shown, values: values.map(withoutSecrets) }, renderValues(io, shown, values, key));
    });
}

type ShowOptions = { json?: boolean; agent?: string; parallel?: number; budget?: number };

function flagsOf({ agent, parallel, budget }: ShowOptions): ConfigValues {
  return {
    ...(parallel === undefined ? {} : { run: { max_parallel: parallel } }),
    ...(budget === undefined ? {} : { budget: { run_usd: budget } }),
    ...(agent === undefined ? {} : { agent: { default: agent, named: {} } }),
  };
}

function renderValues(io: Io, shown: ShownConfig, values: readonly ShownValue[], key: string | undefined): string {
  const paint = painter(io, io.stdout);
  if (values.length === 0) return `${key} is not set`;
  const rows = values.map(withoutSecrets).map(({ key: name, value, origin, used, otherwise }) => {
    const where = originWords(origin) + (used ? "" : " (not used yet)");
    return [
      name,
      otherwise === null ? printable(JSON.stringify(value)) : paint("dim", otherwise),
      origin.kind === "default" ? paint("dim", where) : printable(where),
    ];
  });
  const profile = shown.profile === null ? [] : [`profile ${shown.profile}`];
  return [...profile, table(rows)].join("\n");
}

function originWords(origin: Origin): string {
  switch (origin.kind) {
    case "default":
      return "default";
    case "flag":
      return "flag";
    case "environment":
      return origin.variable;
    default: {
      const place = `${origin.file}:${origin.line}:${origin.column}`;
      return origin.profile === null ? place : `${place} [profile.${origin.profile}]`;
    }
  }
}

/** Addresses that let anybody post are kept off the screen. */
function withoutSecrets(shown: ShownValue): ShownValue {
  return /webhook|token$|secret|password/i.test(shown.key) ? { ...shown, value: "(hidden)" } : shown;
}

function validateCommand(config: Command, io: Io): void {
  config
    .command("validate [file]")
    .description("everything that is wrong in the configuration, and what in it does nothing yet")
    .option("--json", "print the answer as JSON")
    .action(async (file: string | undefined, options: { json?: boolean }) => {
      const root = (await findCheckout(io.cwd))?.root ?? null;
      const verdict = file === undefined ? validateConfig(root, io.env) : validateFile(resolve(io.cwd, file), file);
      const isValid = verdict.remarks.every(({ level }) => level === "note");
      const remarks = verdict.remarks.map(({ place, ...remark }) => ({
        ...remark,
        line: place?.line ?? null,
        column: place?.column ?? null,
      }));
      answer(io, options, { valid: isValid, files: verdict.files, remarks }, renderVerdict(io, verdict));
      if (!isValid) process.exitCode = 3;
    });
}

function renderVerdict(io: Io, { files, remarks }: Verdict): string {
  const paint = painter(io, io.stdout);
  const problems = remarks.filter(({ level }) => level === "problem").length;
  const where = files.length > 0 ? files.join(", ") : "no file, defaults alone";
  const end =
    problems > 0
      ? `${paint("red", "✗")} ${count(problems, "problem")}`
      : `${paint("green", "✓")} nothing is wrong (${printable(where)})`;
  return [...remarks.map((remark) => renderRemark(paint, remark)), end].join("\n");
}

function renderRemark(paint: Paint, { level, ...remark }: Remark): string {
  const mark = level === "problem" ? paint("red", "✗") : paint("yellow", "▲");
  return `${mark} ${printable(renderProblem(remark))}`;
}

function schemaCommand(config: Command, io: Io): void {
  config
    .command("schema")
    .description("a JSON Schema of .worktreerc, for editors")
    .option("--json", "print it in the envelope of all answers")
    .action((options: { json?: boolean }) => {
      const schema = configSchema();
      answerAsIs(io, options, { json_schema: schema }, JSON.stringify(schema, null, 2));
    });
}

/** Plans bring commands too; a repository without a plan may still have a configuration. */
async function readWorkIfAny(engine: Engine): Promise<Work | null> {
  const request = { plan: null, tasks: [], texts: [], module: null, count: null, withUpstreams: true, again: true };
  try {
    return (await chooseWork(engine, request, false)).work;
  } catch (error) {
    if (isNoPlan(error)) return null;
    throw error;
  }
}
