/** The command line: one program, its commands, and one place where errors become exit codes. */
import { Command, CommanderError } from "commander";
import { OwtError } from "../core/errors.ts";
import type { Io } from "./io.ts";
import { refusalOf, tellRefusal } from "./refusal.ts";
import { calledCommand, commandHint, fullName, usageError } from "./usage.ts";
import { takeVerbosity, tellPrograms } from "./verbose.ts";

type Register = (program: Command, io: Io) => void;

/** Where each command lives, in the order of the help. A start loads only the file of the command that is called. */
const COMMANDS: readonly (readonly [names: readonly string[], load: () => Promise<Register>])[] = [
  [["init", "onboard"], async () => (await import("./commands/init.ts")).initCommand],
  [["plan"], async () => (await import("./commands/plan.ts")).planCommand],
  [["run"], async () => (await import("./commands/run.ts")).runCommand],
  [["carry"], async () => (await import("./commands/carry.ts")).carryCommand],
  [["resume", "pause", "stop", "parallel", "land"], async () => (await import("./commands/steer.ts")).steerCommands],
  [["inbox"], async () => (await import("./commands/inbox.ts")).inboxCommand],
  [["notify"], async () => (await import("./commands/notify.ts")).notifyCommand],
  [["task"], async () => (await import("./commands/task.ts")).taskCommands],
  [["create"], async () => (await import("./commands/create.ts")).createCommand],
  [["list"], async () => (await import("./commands/list.ts")).listCommand],
  [["switch"], async () => (await import("./commands/switch.ts")).switchCommand],
  [["send", "wait"], async () => (await import("./commands/send.ts")).sendCommands],
  [["note"], async () => (await import("./commands/note.ts")).noteCommand],
  [["diff"], async () => (await import("./commands/diff.ts")).diffCommand],
  [["sync"], async () => (await import("./commands/sync.ts")).syncCommand],
  [["merge"], async () => (await import("./commands/merge.ts")).mergeCommand],
  [["cleanup"], async () => (await import("./commands/cleanup.ts")).cleanupCommand],
  [["delete"], async () => (await import("./commands/delete.ts")).deleteCommand],
  [["status"], async () => (await import("./commands/status.ts")).statusCommand],
  [["report"], async () => (await import("./commands/report.ts")).reportCommand],
  [["logs"], async () => (await import("./commands/logs.ts")).logsCommand],
  [["tmux"], async () => (await import("./commands/tmux.ts")).tmuxCommands],
  [["prompt"], async () => (await import("./commands/prompt.ts")).promptCommands],
  [["batch"], async () => (await import("./commands/batch.ts")).batchCommands],
  [["restore"], async () => (await import("./commands/restore.ts")).restoreCommand],
  [["config"], async () => (await import("./commands/config.ts")).configCommands],
  [["doctor"], async () => (await import("./commands/doctor.ts")).doctorCommand],
  [["completion"], async () => (await import("./commands/completion.ts")).completionCommand],
  [["hook"], async () => (await import("./commands/hook.ts")).hookCommands],
  [["demo"], async () => (await import("./commands/demo.ts")).demoCommand],
];

/** Commands that change nothing; an agent inside an attempt may use no others. */
const READ_ONLY = new Set(
  "plan status report logs inbox doctor list next diff show render validate schema completion help context plugin".split(
    " ",
  ),
);

/** Commands that have nothing to do where there is no store: they never write one, or need a run that is in it. */
const MAKES_NO_STORE = new Set([
  ...READ_ONLY,
  ..."notify session-end agent-ended deps restore approve answer cancel retry edit pause stop resume parallel land attach kill".split(
    " ",
  ),
]);

/** Commands that look at a run or wish something of it, and start no work: a mistake in the configuration must not lock anybody out of
 *  agents that go on working. */
const STARTS_NOTHING = new Set([
  ..."status,list,diff,note,report,logs,inbox,restore,pause,stop,parallel".split(","),
  ..."task list,task show,task cancel,task approve,task answer,hook context,hook session-end,hook agent-ended".split(
    ",",
  ),
]);

/** Runs one command line and returns its exit code. */
export async function runApp(io: Io, args: string[], version: string): Promise<number> {
  const { words: argv, verbosity } = takeVerbosity(args);
  if (argv[0] === "__complete") {
    const { complete } = await import("./completion/complete.ts");
    await complete(io, await buildProgram(io, version, undefined), argv.slice(1));
    return 0;
  }
  io.words = argv;
  io.verbosity = verbosity;
  const programs = verbosity > 0 ? tellPrograms(io) : [];
  const { exitCode, refusal } = await carryOut(io, argv, version);
  if (verbosity > 1) {
    const { writeBugReport } = await import("./bug-report.ts");
    const program = await buildProgram(io, version, argv[0]);
    await writeBugReport(io, { program, argv, version, exitCode, refusal, programs });
  }
  return exitCode;
}

type End = { exitCode: number; refusal: OwtError | null };

async function carryOut(io: Io, words: string[], version: string): Promise<End> {
  const argv = words[0] === "help" ? asHelpOption(words.slice(1)) : words;
  const program = await buildProgram(io, version, argv[0]);
  process.exitCode = 0;
  try {
    refuseUnknownHelp(program, argv);
    await program.parseAsync(argv, { from: "user" });
    return { exitCode: Number(process.exitCode ?? 0), refusal: null };
  } catch (error) {
    const refusal = asRefusal(io, program, argv, error);
    if (refusal === null) return { exitCode: 0, refusal };
    // Without any command the help was told, which says more.
    if (argv.length > 0) tellRefusal(io, refusal, argv.includes("--json"));
    return { exitCode: refusal.exitCode, refusal };
  }
}

/** `help task show` is `task show --help`. */
function asHelpOption(words: readonly string[]): string[] {
  return [...words.filter((word) => !word.startsWith("-")), "--help"];
}

/** Help of a command that there is not: commander would show that of the group above it, as if it were meant. */
function refuseUnknownHelp(program: Command, argv: readonly string[]): void {
  const words = argv.filter((word, at) => !word.startsWith("-") && argv[at - 1] !== "--profile");
  const called = calledCommand(program, argv);
  const wrong = words[fullName(called).split(" ").length - 1];
  const isGroup = called.commands.length > 0 && called.registeredArguments.length === 0;
  if (!isGroup || wrong === undefined || !argv.some((word) => word === "--help" || word === "-h")) return;
  throw new OwtError("usage", `there is no command ${fullName(called)} ${wrong}`, {
    hint: commandHint(wrong, called),
  });
}

/** The program with the command of that name; with all of them where it is none, for help and for the nearest names. */
export async function buildProgram(io: Io, version: string, name: string | undefined): Promise<Command> {
  const program = new Command("owt")
    .description(
      "Runs many coding agents in git worktrees and brings their work home: verified, integrated, one branch.",
    )
    .version(version)
    .option("--profile <name>", "lay [profile.NAME] of the configuration over the rest (also OWT_PROFILE)")
    .option("-v, --verbose", "say which programs are run, and how long each takes; -vv also writes a bug report")
    // On a terminal of 80 columns less room than the usual 40 is left beside the longest command.
    .configureHelp({ showGlobalOptions: true, minWidthToWrap: 24 })
    .showSuggestionAfterError(false)
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      // Mistakes are told by us, in the same words as every other; without any command the help is the answer.
      writeErr: (text) => (name === undefined ? io.stderr.write(text) : undefined),
      outputError() {},
    })
    .exitOverride()
    .hook("preAction", (_, command) => {
      refuseInsideAttempt(io, command);
      const { profile } = program.opts<{ profile?: string }>();
      if (profile !== undefined) io.env = { ...io.env, OWT_PROFILE: profile };
      io.reads = changesNothing(command) || (command.name() === "switch" && command.opts()["path"] === true);
      io.looks = MAKES_NO_STORE.has(command.name()) || command.opts()["dryRun"] === true;
      io.tolerant = STARTS_NOTHING.has(fullName(command).replace(/^owt /, ""));
    });
  const called = COMMANDS.filter(([names]) => name !== undefined && names.includes(name));
  const registers = await Promise.all((called.length > 0 ? called : COMMANDS).map(([, load]) => load()));
  for (const register of registers) register(program, io);
  for (const command of program.commands) overrideExit(command);
  return program;
}

function changesNothing(command: Command): boolean {
  const mends = command.opts()["fix"] === true || command.opts()["adoptStore"] === true;
  return READ_ONLY.has(command.name()) && !mends;
}

function overrideExit(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) overrideExit(child);
}

/** An agent must not steer the run that it is part of. */
function refuseInsideAttempt(io: Io, command: Command): void {
  if (!io.env["OWT_ATTEMPT"] || changesNothing(command)) return;
  throw new OwtError(
    "wrong-state",
    `owt ${command.name()} is refused inside an attempt: an agent does not steer its own run`,
    {
      hint: "end the turn; the orchestrator takes over",
    },
  );
}

/** Whatever was thrown, in our shape; null for help and version, which are no errors. */
function asRefusal(io: Io, program: Command, argv: readonly string[], error: unknown): OwtError | null {
  return error instanceof CommanderError ? usageError(program, argv, error) : refusalOf(io, error);
}
