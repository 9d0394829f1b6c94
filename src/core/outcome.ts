/** How an attempt ended. Judged from evidence (events, exit, git), never from exit code or prose alone. */
import { describeFailedRule, type FailedRule } from "./conflict-rules.ts";
import { few } from "../lib/few.ts";
import { roughDuration } from "../lib/duration.ts";
import { describeCheck, type RedCheck } from "./red-check.ts";
import type { HangKind } from "./stall.ts";
import { printableNames } from "../lib/printable.ts";

export type Outcome =
  /** The work is in the run's branch. */
  | { kind: "ok" }
  /** The agent ended its turn with a question; the answer is a resume. */
  | { kind: "asked"; question: string }
  /** The agent ended well and git shows no change. `said` are its last words. */
  | { kind: "nothing_done"; said: string }
  /** The agent was refused tools that it needed, and left nothing. */
  | { kind: "denied"; tools: string[] }
  /** A usage limit; `resetsAt` in epoch milliseconds where the agent said it. `model`: of one model only, by a part of its name (`opus`). */
  | { kind: "limit"; resetsAt: number | null; model?: string }
  /** Overload, network, server error: the same again may work. */
  | { kind: "transient"; reason: string }
  | { kind: "auth"; reason: string }
  | { kind: "billing"; reason: string }
  /** A budget is used up; `until` in epoch milliseconds where it is that of a day. */
  | { kind: "budget"; reason: string; until?: number | null; scope?: "run" | "task" | "day" }
  | { kind: "turns"; reason: string }
  | { kind: "timed_out"; afterMs: number }
  /** Neither it nor anything that it started did anything for so long; `detail` says what held it up. */
  | { kind: "hung"; how: HangKind; detail: string; silentMs: number }
  /** The checks stayed red; `output` is the tail of what they printed. */
  | ({ kind: "verify_failed"; output: string } & RedCheck)
  /** Its work and the run's branch changed the same places. */
  /** `ours`, `theirs`: what could not be brought together. */
  | ({ kind: "conflict"; files: string[]; ours?: string; theirs?: string } & Partial<FailedRule>)
  /** A person or a signal stopped it; it can be resumed. `before`: what came up before its agent was started. `taken`: its conversation, which was to begin, is there
   *  already. */
  | { kind: "stopped"; before?: string; taken?: true }
  /** It was cancelled; it will not be resumed. */
  | { kind: "aborted" }
  /** Its process is gone and left no exit (a reboot, a kill from outside), or it left without a word of how its turn ended: `exit` is its code then. */
  | {
      kind: "lost";
      exit?: number;
      /** It left within seconds, and had not done or said anything. */
      atOnce?: true;
      /** It was killed when it had made something that its branch has. */
      hasMade?: true;
      /** The machine went down under it, or before what it left was committed. */
      rebooted?: true;
    }
  /** It ended badly while nothing more could be written: `reason` is how. What a full disk took is nobody's failure. */
  | { kind: "disk_full"; reason: string }
  /** Anything else, in the agent's words. `final`: another try would end the same; "afresh": so would one that begins afresh, while a conversation
   *  that had gone on may itself be the cause. */
  | {
      kind: "failed";
      reason: string;
      final?: true | "afresh";
      /** What a person has to mend is outside of the task: it waits for that, and goes on where it stopped. */
      waits?: true;
      /** The configuration does not know its agent any more: the task waits until it does, and goes on where it stopped. */
      unknownAgent?: true;
      /** It left within seconds, and had not done anything. */
      atOnce?: true;
      /** What its work lacks, as its agent is told. */
      missing?: string;
      /** Its conversation was to begin, and there is one of that id. */
      taken?: true;
      /** The end of what a program of ours printed. */ output?: string;
    };

const OF_OTHERS = new Set<Outcome["kind"]>([
  "asked",
  "limit",
  "transient",
  "auth",
  "billing",
  "budget",
  "stopped",
  "disk_full",
]);

/** Whether an attempt came to its end through others (a question, a limit, a person who stopped it), so that it says nothing of how well its agent did. */
export function isInterruption(outcome: Outcome): boolean {
  return OF_OTHERS.has(outcome.kind) || (outcome.kind === "lost" && outcome.rebooted === true);
}

/** One line for people: what happened, with the detail that decides. */
export function describeOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case "ok":
      return "done";
    case "asked":
      return `asks: ${firstLine(outcome.question)}`;
    case "nothing_done":
      return outcome.said ? `changed nothing; its last words: ${firstLine(outcome.said)}` : "changed nothing";
    case "denied":
      return describeRefused(outcome.tools);
    case "limit":
      return [
        "met a usage limit",
        outcome.model === undefined ? "" : ` of ${outcome.model}`,
        outcome.resetsAt === null ? "" : ` that resets at ${new Date(outcome.resetsAt).toISOString()}`,
      ].join("");
    case "timed_out":
      return `was stopped after ${Math.round(outcome.afterMs / 1000)} s without an end`;
    case "hung":
      return `hung: ${firstLine(outcome.detail)}; nothing happened for ${roughDuration(outcome.silentMs)}`;
    case "verify_failed":
      return `verify failed: ${describeCheck(outcome)}`;
    case "conflict":
      return `conflicts in ${printableNames(outcome.files)}${describeFailedRule(outcome)}`;
    case "stopped":
      return outcome.before === undefined ? "was stopped" : `was not started: ${outcome.before}`;
    case "aborted":
      return "was cancelled";
    case "lost":
      if (outcome.rebooted === true) return "was cut off when the machine went down";
      return outcome.exit === undefined ? "its process disappeared" : `left without a result (exit ${outcome.exit})`;
    case "disk_full":
      return `the disk was full: ${firstLine(outcome.reason)}`;
    case "transient":
    case "auth":
    case "billing":
    case "budget":
    case "turns":
      return `${outcome.kind}: ${firstLine(outcome.reason)}`;
    case "failed":
      return firstLine(outcome.reason);
    default: {
      const never: never = outcome;
      return never;
    }
  }
}

/** What was refused, each call in a short line. */
export function describeRefused(tools: readonly string[]): string {
  const short = tools.map((tool) => {
    const line = tool.split("\n", 1)[0]!.slice(0, SHOWN_OF_A_CALL);
    return line === tool ? tool : `${line}…${tool.endsWith(")") ? ")" : ""}`;
  });
  return `was not allowed to use ${few([...new Set(short)])}`;
}

const SHOWN_OF_A_CALL = 120;

function firstLine(text: string): string {
  const line = text.trim().split("\n", 1)[0] ?? "";
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
}
