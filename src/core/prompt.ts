/** The texts that agents are given: one for a new task, one for each way in which a conversation goes on. Pure. */
import type { NextStart } from "./task.ts";
import type { PlannedTask } from "./plan.ts";

export type PromptContext = {
  spec: PlannedTask;
  /** Tasks whose integrated work the worktree already holds. */
  completed: string[];
  /** Commands that will be run to check the work. */
  verify: string[];
  branch: string;
  /** The line that ends a turn with a question. */
  questionMarker: string;
};

/** The ways in which an agent is spoken to again. */
export type FollowUp = Exclude<NextStart, { kind: "fresh" | "by-hand" }>;

/** The prompt of a task that starts from nothing. */
export function renderTaskPrompt(context: PromptContext): string {
  const { spec } = context;
  return parts([
    `# ${spec.title}`,
    `This is task ${spec.id}, to be done in this git worktree on branch ${context.branch}.`,
    spec.content.trim(),
    spec.context.trim() ? `## Context\n\n${spec.context.trim()}` : "",
    `## What is already there\n\n${
      context.completed.length > 0
        ? `The work of these tasks is in this worktree: ${context.completed.join(", ")}.`
        : "This task depends on no other."
    }`,
    renderRules(context),
  ]);
}

function renderRules(context: PromptContext): string {
  const checks = context.verify.map((command) => `\`${command}\``).join(", ");
  return parts([
    "## How to work",
    [
      "- Stay inside this worktree. Do not push, do not switch branches, do not touch other worktrees.",
      "- Commit the work in small steps with clear messages; what is left uncommitted is committed afterwards.",
      context.verify.length > 0 ? `- The work counts as done when these commands succeed: ${checks}` : "",
      context.spec.touches.length > 0 ? `- Change only: ${context.spec.touches.join(", ")}` : "",
      `- If a decision of a person is needed, end the turn with one line: ${context.questionMarker} the question`,
    ]
      .filter(Boolean)
      .join("\n"),
  ]);
}

/** The prompt with which a conversation goes on. An agent that does not remember gets the task again in front of it.
 *  Each begins with a heading `# owt: <occasion>`, which names the occasion for programs too. */
export function renderFollowUp(next: FollowUp, context: PromptContext, remembers: boolean): string {
  const text = followUp(next, context);
  return remembers ? text : parts([renderTaskPrompt(context), text]);
}

function followUp(next: FollowUp, context: PromptContext): string {
  switch (next.kind) {
    case "resume":
      return parts([
        "# owt: resume",
        "The work on this task was interrupted. Look at the state of this worktree (`git status`, `git log`) and finish the task.",
        `If a decision of a person is needed, end the turn with one line: ${context.questionMarker} the question`,
      ]);
    case "answer":
      return parts([
        "# owt: answer",
        "The question was answered:",
        `<answer>\n${next.text}\n</answer>`,
        "Go on with the task and finish it.",
      ]);
    case "repair":
      return parts([
        "# owt: repair",
        `The work was checked with \`${next.command}\`, and the check failed. ${next.output.trim() === "" ? "It printed nothing." : "This is the end of its output:"}`,
        next.output.trim() === "" ? "" : `<output>\n${next.output}\n</output>`,
        "Find the cause and mend it in this worktree, then commit. Do not weaken the check.",
      ]);
    case "conflict":
      return parts([
        "# owt: conflict",
        `While this task was worked on, other work was integrated that changes the same places. The merge has been started in this worktree, and the conflict markers are in the files.`,
        `Files in conflict: ${next.files.join(", ")}`,
        `This side: ${next.ours}`,
        `The other side: ${next.theirs}`,
        "Keep what both sides mean, remove every conflict marker, and commit.",
      ]);
    default: {
      const never: never = next;
      return never;
    }
  }
}

function parts(texts: string[]): string {
  return `${texts.filter((text) => text.trim()).join("\n\n")}\n`;
}
