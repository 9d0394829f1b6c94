/** What goes wrong in our own tool: one error class, one table of exit codes. An agent's failure is an outcome, never this. */

/** Why a command could not do its work. Each code has one exit code, below. */
export type ErrorCode =
  /** The command line is wrong. */
  | "usage"
  /** A named task, run, worktree or rescue does not exist. */
  | "unknown-name"
  /** The plan has problems; each stands in the message. */
  | "plan"
  /** The configuration has problems; each stands in the message. */
  | "config"
  /** The place is not one we can work in: no repository, a copied store, a missing program. */
  | "environment"
  /** Commands that the repository brings are not approved. */
  | "not-approved"
  /** A person has to do something first. */
  | "needs-person"
  /** The target cannot be moved: dirty, or checked out elsewhere. */
  | "target-dirty"
  /** The thing exists, but not in a state that allows this. */
  | "wrong-state"
  /** Removing would lose work. */
  | "would-lose-work"
  /** A program that we called failed in a way we do not know. */
  | "tool-failed"
  /** The store is busy, damaged, or newer than this program. */
  | "store"
  /** Nothing more can be written where we work. */
  | "disk-full"
  /** The user interrupted. */
  | "interrupted"
  /** A mistake of ours. */
  | "internal";

const EXIT_CODES: Record<ErrorCode, number> = {
  usage: 2,
  "unknown-name": 2,
  plan: 3,
  config: 3,
  environment: 3,
  "not-approved": 4,
  "needs-person": 4,
  "target-dirty": 4,
  "wrong-state": 2,
  "would-lose-work": 4,
  "tool-failed": 1,
  store: 1,
  "disk-full": 1,
  interrupted: 130,
  internal: 1,
};

/** Every code, in the order of the exit codes. */
export const ERROR_CODES = Object.keys(EXIT_CODES) as ErrorCode[];

/** What each exit code of owt says. Where several apply, the first of 130, 3, 1, 4, 5. */
export const EXIT_MEANINGS: Readonly<Record<number, string>> = {
  0: "done",
  1: "some work failed, or something went wrong",
  2: "the command line is wrong, or what it asks for cannot be done now",
  3: "the plan, the configuration or the place is wrong",
  4: "a person is needed",
  5: "waits for a limit or a budget",
  130: "interrupted",
};

/** The command that helps where an error says nothing better. What a person ended themselves needs none. */
const USUAL_HINTS: Record<ErrorCode, string | undefined> = {
  usage: "see: owt --help",
  "unknown-name": "what there is: owt status",
  plan: "look at it: owt plan",
  config: "what is wrong here: owt doctor",
  environment: "what is missing: owt doctor",
  "not-approved": "read and approve them: owt config approve",
  "needs-person": "what waits for a person: owt inbox",
  "target-dirty": "look: git status",
  "wrong-state": "where things stand: owt status",
  "would-lose-work": "look: git worktree list",
  "tool-failed": "what is wrong here: owt doctor; all about it: the same command with -vv",
  store: "what is wrong here: owt doctor",
  "disk-full": "make room, then: owt resume; where no run is open yet: owt run",
  interrupted: undefined,
  internal: "for a report of it: the same command with -vv (owt --help)",
};

/** Where a command to type begins. */
const BEGINS = String.raw`(?<=^|[\s:(;"'\`$])(?:owt|git|npm|apt-get|apt|brew|sudo|sysctl|unset|export|mkdir|mv|cd|claude|codex|\$\{EDITOR:-vi\}) `;

/** Whether a hint holds a command to type. */
export function namesCommand(hint: string): boolean {
  return new RegExp(`${BEGINS}\\S`).test(hint);
}

/** The commands in a hint, each up to the words that go on behind it. */
export const COMMANDS = new RegExp(String.raw`${BEGINS}(?:(?!; |, (?:or|then|and)\b| \(|\)(?:[;,.]? |$)).)+`, "g");

/** One clear error: what and where in the message, what to do next in the hint. A hint always holds a command: the usual one of the code
 *  where the words given have none. */
export class OwtError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "OwtError";
    this.code = code;
    this.hint = withCommand(options.hint, USUAL_HINTS[code]);
  }

  /** By name: a part of owt with a bundle of its own (`scripts/build.ts`) has this class a second time. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof Error && value.name === "OwtError";
  }

  /** The process exit code that this error ends a command with. */
  get exitCode(): number {
    return EXIT_CODES[this.code];
  }
}

function withCommand(hint: string | undefined, usual: string | undefined): string | undefined {
  if (hint === undefined || hint === "" || usual === undefined) return hint || usual;
  if (namesCommand(hint)) return hint;
  return `${hint}${/[.?!]$/.test(hint) ? "" : ";"} ${usual}`;
}
