/** What an agent's session is told of the worktree that it is in. */
import type { Lease } from "./worktree-lease.ts";

export type HookContext = {
  /** The folder's name. */
  worktree: string;
  isMain: boolean;
  /** Null when HEAD is detached. */
  branch: string | null;
  lease: Lease | null;
  note: string;
};

/** A note that is longer is cut. */
const NOTE_LENGTH = 300;

/** `[Worktree: shop-login | Branch: feature/login | Ports: 20000-20009 | Database: shop_login | Note: the form first]`, one line. */
export function renderContext({ worktree, isMain, branch, lease, note }: HookContext): string {
  const parts = [
    `Worktree: ${worktree}${isMain ? " (main checkout)" : ""}`,
    `Branch: ${branch ?? "none, HEAD is detached"}`,
    ...(lease?.firstPort == null ? [] : [`Ports: ${lease.firstPort}-${lease.firstPort + lease.ports - 1}`]),
    ...(lease === null ? [] : [`Database: ${lease.database}`]),
    ...(note.trim() === "" ? [] : [`Note: ${short(note)}`]),
  ];
  return `[${parts.map((part) => part.replaceAll(/[\p{Cc}\s]+/gu, " ")).join(" | ")}]`;
}

/** As the hook UserPromptSubmit gives it to Claude Code. */
export function contextAnswer(context: string): string {
  return JSON.stringify({ hookSpecificOutput: { hookEventName: "UserPromptSubmit", additionalContext: context } });
}

function short(note: string): string {
  const letters = [...note.trim()];
  return letters.length > NOTE_LENGTH ? `${letters.slice(0, NOTE_LENGTH).join("")}…` : note.trim();
}
