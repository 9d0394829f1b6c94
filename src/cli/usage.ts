/** What is wrong with a command line: one clear error, with the nearest names and the command that helps. */
import type { Command, CommanderError } from "commander";
import { OwtError } from "../core/errors.ts";
import { nearest } from "../core/names.ts";

/** The error in our shape; null for help and version, which are none. */
export function usageError(program: Command, argv: readonly string[], error: CommanderError): OwtError | null {
  if (error.exitCode === 0) return null;
  const called = calledCommand(program, argv);
  const name = fullName(called);
  const help = `see: ${name} --help`;
  const wrong = /'([^']*)'/.exec(error.message)?.[1] ?? "";
  switch (error.code) {
    // A group without one of its commands.
    case "commander.help":
      return new OwtError("usage", `${name} needs one of its commands: ${visibleCommands(called).join(", ")}`, {
        hint: help,
      });
    case "commander.unknownCommand": {
      return new OwtError("usage", `there is no command ${name} ${wrong}`, { hint: commandHint(wrong, called) });
    }
    case "commander.unknownOption": {
      const close = nearest(wrong, optionsOf(called)).map((each) => `${name} ${each}`);
      return new OwtError("usage", `${name} has no option ${wrong}`, { hint: meant(close, help) });
    }
    case "commander.missingArgument":
      return new OwtError("usage", `${name} needs ${usageOf(called)}`, { hint: help });
    case "commander.invalidArgument": {
      const [, word = "", choices = ""] =
        /argument '([^']*)' is invalid\. Allowed choices are (.*)\.$/.exec(error.message) ?? [];
      const close = nearest(word, choices.split(", ")).map((each) => `did you mean ${each}?`);
      const said = error.message.replace(/^error: /, "").split("\n")[0]!;
      return new OwtError("usage", said, { hint: [...close.slice(0, 1), help].join(" ") });
    }
    default:
      return new OwtError("usage", error.message.replace(/^error: /, "").split("\n")[0]!, { hint: help });
  }
}

/** The command that the words lead to, as far as there is one. */
export function calledCommand(program: Command, argv: readonly string[]): Command {
  let called = program;
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at]!;
    const option = called.options.find(({ long, short }) => word === long || word === short);
    if (option?.required) at++;
    if (word.startsWith("-")) continue;
    const next = called.commands.find((each) => each.name() === word || each.aliases().includes(word));
    if (!next) break;
    called = next;
  }
  return called;
}

/** The nearest commands of a group, else its help. */
export function commandHint(wrong: string, group: Command): string {
  const name = fullName(group);
  const close = nearest(wrong, visibleCommands(group)).map((each) => `${name} ${each}`);
  return meant(close, `see: ${name} --help`);
}

/** `owt task show`. */
export function fullName(command: Command): string {
  return command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name();
}

/** Names of the commands that the help shows. */
export function visibleCommands(command: Command): string[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .map((each) => each.name())
    .filter((name) => name !== "help");
}

/** Long names of the options that a command takes. */
function optionsOf(command: Command): string[] {
  const help = command.createHelp();
  return [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)].flatMap(({ long, short }) =>
    long ? [long] : short ? [short] : [],
  );
}

function usageOf(command: Command): string {
  return command.registeredArguments
    .filter((argument) => argument.required)
    .map((argument) => `<${argument.name()}>`)
    .join(" ");
}

function meant(close: readonly string[], help: string): string {
  return close.length > 0 ? `did you mean: ${close.join(", or: ")}` : help;
}
