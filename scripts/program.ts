/** The command line as the program itself knows it, as data. */
import { PassThrough } from "node:stream";
import type { Command } from "commander";
import { buildProgram } from "../src/cli/app.ts";
import { fullName } from "../src/cli/usage.ts";

export type Described = {
  /** `owt task show`. */
  name: string;
  /** What stands behind the name: `[options] <task>`. */
  usage: string;
  description: string;
  options: { flags: string; description: string }[];
  /** It does something itself, and is not a group alone. */
  acts: boolean;
};

/** The program itself first, then every command that the help shows, and those for programs, groups before their members. */
export async function describeProgram(): Promise<Described[]> {
  const silent = new PassThrough();
  const never = new AbortController().signal;
  const outlet = { write() {}, isTTY: false, columns: undefined, rows: undefined, stream: () => silent };
  const streams = { stdin: silent, stdout: outlet, stderr: silent, signal: never, hurry: never };
  const io = {
    ...streams,
    cwd: "/",
    env: {},
    words: [],
    owtCommand: [],
    onContinue: () => () => {},
    outlivesTerminal: false,
    looks: true,
    reads: true,
    tolerant: false,
    verbosity: 0,
  } as const;
  return describe(await buildProgram({ ...io, owtCommand: [] }, "", undefined));
}

/** What people do not call is not in the help, but whoever writes a hook looks it up. */
const FOR_PROGRAMS = new Set(["hook"]);

function describe(command: Command): Described[] {
  const help = command.createHelp();
  const hidden = command.commands.filter((each) => FOR_PROGRAMS.has(each.name()));
  const below = [...help.visibleCommands(command), ...hidden].filter((each) => each.name() !== "help");
  const options = help
    .visibleOptions(command)
    .map((option) => ({ flags: help.optionTerm(option), description: help.optionDescription(option) }));
  const acts = command.parent !== null && (below.length === 0 || command.registeredArguments.length > 0);
  const own = { name: fullName(command), usage: command.usage(), description: command.description(), options, acts };
  return [own, ...below.flatMap(describe)];
}
