/** man/owt.1, told by the program itself. */
import { ERROR_CODES, EXIT_MEANINGS } from "../src/core/errors.ts";
import type { Described } from "./program.ts";

export function renderManPage(commands: readonly Described[]): string {
  const [program, ...others] = commands as [Described, ...Described[]];
  return `${[
    '.\\" Written by npm run reference from the program itself; do not edit.',
    '.TH OWT 1 "" "Open Orchestrator" "User Commands"',
    ".SH NAME",
    "owt \\- run many coding agents in git worktrees and bring their work home",
    ".SH SYNOPSIS",
    ".B owt",
    '.RI [ options ] " " command " " [ arguments ]',
    ".SH DESCRIPTION",
    roff(program.description),
    ".SH OPTIONS",
    ...options(program),
    ".SH COMMANDS",
    ...others.filter(({ acts }) => acts).flatMap(renderCommand),
    ".SH EXIT STATUS",
    ...Object.entries(EXIT_MEANINGS).flatMap(([exit, meaning]) => [".TP", `.B ${exit}`, roff(meaning)]),
    ".SH ENVIRONMENT",
    ...VARIABLES.flatMap(([name, meaning]) => [".TP", `.B ${name}`, roff(meaning)]),
    ".SH FILES",
    ...FILES.flatMap(([name, meaning]) => [".TP", `.I ${roff(name)}`, roff(meaning)]),
    ".SH NOTES",
    roff(
      `With --json every answer is one JSON document, {"schema": 1, "data": …}; a refusal has "error" in place of "data", with one of the codes ${ERROR_CODES.join(", ")}.`,
    ),
  ].join("\n")}\n`;
}

const VARIABLES: readonly (readonly [name: string, meaning: string])[] = [
  ["NO_COLOR", "no colours, whatever the value, unless it is empty"],
  ["CLICOLOR_FORCE", "colours also where the output is no terminal; 0 is as unset"],
  ["TERM", "dumb: no colours and no live table"],
  ["OWT_SECTION_KEY", "a key of the configuration: OWT_RUN_MAX_PARALLEL=5"],
  ["OWT_PROFILE", "the profile of the configuration"],
  ["OWT_LAUNCH_MODE", "the best way to own processes that is tried: namespace, user-namespace, cgroup, group"],
];

const FILES: readonly (readonly [name: string, meaning: string])[] = [
  [".worktreerc", "configuration of a repository"],
  ["~/.config/open-orchestrator/config.toml", "configuration of a user"],
  [".git/owt/", "runs, tasks and what agents said, in the main checkout"],
];

function renderCommand(command: Described): string[] {
  return [
    `.SS ${roff(`${command.name} ${command.usage}`.trim())}`,
    roff(`${command.description}.`),
    ...options(command),
  ];
}

function options(command: Described): string[] {
  return command.options
    .filter(({ flags }) => !flags.includes("--help"))
    .flatMap(({ flags, description }) => [".TP", `.B ${roff(flags)}`, roff(description)]);
}

/** A text as roff has it: no line of it is a request, a dash is one that can be copied. */
function roff(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("-", "\\-").replaceAll("…", "...").replace(/^[.']/, "\\&$&");
}
