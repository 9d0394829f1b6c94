/** The command line: one program, its commands, and one place where errors become exit codes. */
import { Command, CommanderError } from "commander";
import { OwtError } from "../core/errors.ts";
import type { Io } from "./io.ts";
import { painter, printable } from "./text.ts";

type Register = (program: Command, io: Io) => void;

/** Where each command lives, in the order of the help. A start loads only the file of the command that is called. */
const COMMANDS: readonly (readonly [names: readonly string[], load: () => Promise<Register>])[] = [
  [["init", "onboard"], async () => (await import("./commands/init.ts")).initCommand],
  [["plan"], async () => (await import("./commands/plan.ts")).planCommand],
  [["run"], async () => (await import("./commands/run.ts")).runCommand],
  [["resume", "pause", "stop", "land", "inbox"], async () => (await import("./commands/steer.ts")).steerCommands],
  [["task"], async () => (await import("./commands/task.ts")).taskCommands],
  [["status", "report"], async () => (await import("./commands/status.ts")).statusCommands],
  [["logs"], async () => (await import("./commands/logs.ts")).logsCommand],
  [["prompt"], async () => (await import("./commands/prompt.ts")).promptCommands],
  [["restore"], async () => (await import("./commands/restore.ts")).restoreCommand],
  [["config"], async () => (await import("./commands/config.ts")).configCommands],
  [["doctor"], async () => (await import("./commands/doctor.ts")).doctorCommand],
  [["demo"], async () => (await import("./commands/demo.ts")).demoCommand],
];

/** Commands that change nothing; an agent inside an attempt may use no others. */
const READ_ONLY = new Set("plan status report logs inbox doctor list show render validate schema help".split(" "));

/** Commands that never write the store. */
const MAKES_NO_STORE = new Set([...READ_ONLY, "restore", "approve"]);

/** Runs one command line and returns its exit code. */
export async function runApp(io: Io, argv: string[], version: string): Promise<number> {
  const program = await buildProgram(io, version, argv[0]);
  process.exitCode = 0;
  try {
    await program.parseAsync(argv, { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    const told = wasInterrupted(io, error) ? new OwtError("interrupted", "interrupted") : error;
    if (argv.includes("--json")) answerError(io, told);
    return report(io, told);
  }
}

/** A Ctrl-C also ends a program that we start in that very moment: until it has a session of its own, it is in the terminal's group. */
function wasInterrupted(io: Io, error: unknown): boolean {
  return io.signal.aborted && error instanceof OwtError && error.code === "tool-failed";
}

/** The program with the command of that name; with all of them where it is none, for help and for the nearest names. */
async function buildProgram(io: Io, version: string, name: string | undefined): Promise<Command> {
  const program = new Command("owt")
    .description(
      "Runs many coding agents in git worktrees and brings their work home: verified, integrated, one branch.",
    )
    .version(version)
    .option("--profile <name>", "lay [profile.NAME] of the configuration over the rest (also OWT_PROFILE)")
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) })
    .exitOverride()
    .hook("preAction", (_, command) => {
      refuseInsideAttempt(io, command);
      const { profile } = program.opts<{ profile?: string }>();
      if (profile !== undefined) io.env = { ...io.env, OWT_PROFILE: profile };
      io.looks = MAKES_NO_STORE.has(command.name()) || command.opts()["dryRun"] === true;
    });
  const called = COMMANDS.filter(([names]) => name !== undefined && names.includes(name));
  const registers = await Promise.all((called.length > 0 ? called : COMMANDS).map(([, load]) => load()));
  for (const register of registers) register(program, io);
  for (const command of program.commands) overrideExit(command);
  return program;
}

function overrideExit(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) overrideExit(child);
}

/** An agent must not steer the run that it is part of. */
function refuseInsideAttempt(io: Io, command: Command): void {
  const mends = command.opts()["fix"] === true || command.opts()["adoptStore"] === true;
  if (!io.env["OWT_ATTEMPT"] || (READ_ONLY.has(command.name()) && !mends)) return;
  throw new OwtError(
    "wrong-state",
    `owt ${command.name()} is refused inside an attempt: an agent does not steer its own run`,
    {
      hint: "end the turn; the orchestrator takes over",
    },
  );
}

/** For programs: the refusal in the envelope that the answer would have come in. People read it on standard error. */
function answerError(io: Io, error: unknown): void {
  const refusal = error instanceof CommanderError ? usageError(error) : error;
  if (!(refusal instanceof OwtError)) return;
  const { code, message, hint = null, exitCode } = refusal;
  io.stdout.write(`${JSON.stringify({ schema: 1, error: { code, message, hint, exit_code: exitCode } }, null, 2)}\n`);
}

/** What commander found wrong with the command line, in our shape; null for help and version, which are no errors. */
function usageError(error: CommanderError): OwtError | null {
  if (error.exitCode === 0) return null;
  // A group without one of its commands: commander shows the help instead of saying anything.
  if (error.code === "commander.help")
    return new OwtError("usage", "a command is missing", { hint: "see: owt --help" });
  const [message = "", ...more] = error.message.replace(/^error: /, "").split("\n");
  const suggestion = more
    .join(" ")
    .trim()
    .replace(/^\((.*)\)$/s, "$1");
  return new OwtError("usage", message, { hint: suggestion || "see: owt --help" });
}

function report(io: Io, error: unknown): number {
  const paint = painter(io, io.stderr);
  if (error instanceof CommanderError) {
    // Commander has printed its own message; help and version are no errors.
    return error.exitCode === 0 ? 0 : 2;
  }
  if (error instanceof OwtError) {
    // What a person asked for with Ctrl-C is no failure.
    const mark = error.code === "interrupted" ? paint("yellow", "■") : paint("red", "✗");
    io.stderr.write(`${mark} ${printable(error.message)}\n`);
    if (error.hint) io.stderr.write(`  ${paint("dim", "↳")} ${printable(error.hint)}\n`);
    return error.exitCode;
  }
  if (error instanceof Error && "code" in error && error.code === "ENOSPC")
    return report(
      io,
      new OwtError("environment", `the disk is full: ${error.message}`, { hint: "make room, then: owt resume" }),
    );
  io.stderr.write(
    `${paint("red", "✗")} a mistake of owt: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return 1;
}
