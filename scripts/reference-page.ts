/** docs/reference.md: commands, exit codes and configuration, told by the program itself. */
import { ERROR_CODES, EXIT_MEANINGS, OwtError } from "../src/core/errors.ts";
import type { Described } from "./program.ts";

/** `schemas` are the names of the schemas that there are. */
export function renderReference(commands: readonly Described[], schemas: ReadonlySet<string>): string {
  const [program, ...others] = commands as [Described, ...Described[]];
  return `${[
    "# Reference",
    "",
    "<!-- Written by `npm run reference` from the program itself; do not edit. -->",
    "",
    "The same is in `owt --help`, `owt COMMAND --help` and `man owt`. How things go together is told by [the guide](guide.md).",
    "",
    "- [Commands](#commands)",
    "- [Answers as JSON](#answers-as-json)",
    "- [Exit codes](#exit-codes)",
    "- [Configuration](#configuration)",
    "",
    "## Commands",
    "",
    "For all of them, before or behind the name of the command:",
    "",
    ...optionTable(program),
    "",
    ...others.flatMap((command) => renderCommand(command, schemas)),
    ...renderJson(),
    ...renderExitCodes(),
    "## Configuration",
    "",
    "[Every key](reference/configuration.md), what it takes, its default and its variable.",
  ].join("\n")}\n`;
}

function renderCommand(command: Described, schemas: ReadonlySet<string>): string[] {
  if (!command.acts) return [`### ${command.name}`, "", sentence(command.description), ""];
  const schema = command.name.replace(/^owt /, "").replaceAll(" ", "-");
  return [
    `### ${command.name}`,
    "",
    "```text",
    `${command.name} ${command.usage}`,
    "```",
    "",
    sentence(command.description),
    "",
    ...optionTable(command),
    "",
    ...(schemas.has(schema) ? [`\`--json\`: [schemas/${schema}.json](schemas/${schema}.json)`, ""] : []),
  ];
}

function optionTable({ options }: Described): string[] {
  const rows = options
    .filter(({ flags }) => !flags.includes("--help"))
    .map(({ flags, description }) => `| \`${flags}\` | ${cell(description)} |`);
  return rows.length === 0 ? [] : ["| option | |", "|---|---|", ...rows];
}

function renderJson(): string[] {
  return [
    "## Answers as JSON",
    "",
    'With `--json` a command prints `{"schema": 1, "data": {…}}` on standard output, or, where it is refused, `{"schema": 1, "error": {…}}`',
    "([schemas/error.json](schemas/error.json)). What is said on the way stands on standard error. `null` is what is not known or not there; a property that",
    "may be missing is not among the `required` ones of its schema. New properties can come with any version; one that changes its meaning or goes",
    "away makes it schema 2. The same goes for what is posted to a webhook: [schemas/notification.json](schemas/notification.json).",
    "",
  ];
}

function renderExitCodes(): string[] {
  const codes = Map.groupBy(ERROR_CODES, (code) => new OwtError(code, "").exitCode);
  const rows = Object.entries(EXIT_MEANINGS).map(
    ([exit, meaning]) =>
      `| ${exit} | ${meaning} | ${(codes.get(Number(exit)) ?? []).map((code) => `\`${code}\``).join(", ")} |`,
  );
  return ["## Exit codes", "", "| exit code | | `error.code` of a refusal |", "|---|---|---|", ...rows, ""];
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
