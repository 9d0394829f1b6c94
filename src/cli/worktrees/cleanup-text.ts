/** What `owt cleanup` would do with each worktree, and why, in words. */
import { type CleanupWish, DAY_MS, type Stay } from "../../core/cleanup.ts";
import type { Considered } from "../../engine/worktrees/cleanup.ts";
import { wordOf } from "../../core/worktree.ts";
import { count } from "../preview.ts";
import { type Paint, printable, table } from "../text.ts";
import { describeUnkeepable, HOW } from "./gone-text.ts";
import { describeReason } from "./reasons.ts";

export type SeenAt = { now: number; wish: CleanupWish };

/** Why it goes or stays: `its work came home squashed, last used 20 days ago, 12 MB`. */
export function describeDecision(considered: Considered, at: SeenAt): string {
  const { decision } = considered;
  if (!decision.take) return describeStay(considered, decision.why, at);
  const used = usedWords(considered.usedAt, at.now);
  switch (decision.why) {
    case "gone":
      return "its files are gone";
    case "merged":
      return HOW[considered.came ?? "merged"];
    case "stale":
      return at.wish.days === 0
        ? `any age was asked for (0 days); ${used}`
        : `not used for ${at.wish.days} days: ${used}`;
    case "all":
      return `all were asked for; ${used}`;
  }
}

function describeStay(considered: Considered, why: Stay, { now, wish }: SeenAt): string {
  switch (why) {
    case "main":
      return "the main checkout";
    case "here":
      return "you are in it";
    case "being-made":
      return "it is being made";
    case "run":
      return `it belongs to ${considered.run}, which has not ended`;
    case "locked":
      return "locked (git worktree unlock)";
    case "moved":
      return `its files are gone from ${considered.path} (moved: git worktree repair NEW-FOLDER; gone for good: owt delete ${wordOf(considered)} --yes)`;
    case "unreadable":
      return `git cannot read it (owt doctor): ${considered.damage}`;
    case "not-merged":
      return "no work of its has come home";
    case "recent":
      return usedWords(considered.usedAt, now);
    case "unpushed":
      return `${count(considered.unpushed ?? 0, "commit")} that nothing else has (cleanup.protect_unpushed)`;
    case "uncommitted":
    case "in-use":
    case "unsavable": {
      const key = why === "uncommitted" && wish.protectUncommitted ? " (cleanup.protect_uncommitted)" : "";
      return `${considered.reasons.map(describeReason).join("; ")}${key}`;
    }
  }
}

/** `last used 3 days ago`. */
function usedWords(usedAt: number | null, now: number): string {
  if (usedAt === null) return "nothing tells when it was used";
  const days = Math.floor((now - usedAt) / DAY_MS);
  if (days < 1) return "used within a day";
  return `last used ${count(days, "day")} ago`;
}

/** The lines of the preview: what would go first, then what stays. */
export function renderPreview(
  considered: readonly Considered[],
  sizes: ReadonlyMap<string, number | null>,
  at: SeenAt,
  paint: Paint,
): string {
  const go = considered.filter(({ decision }) => decision.take);
  const stay = considered.filter(({ decision }) => !decision.take);
  const rows = [
    ...go.map((each) => [paint("yellow", "would go"), printable(each.name), printable(goingWords(each, sizes, at))]),
    ...stay.map((each) => [paint("dim", "stays"), printable(each.name), printable(describeDecision(each, at))]),
  ];
  return table(rows);
}

function goingWords(each: Considered, sizes: ReadonlyMap<string, number | null>, at: SeenAt): string {
  const bytes = sizes.get(each.path) ?? null;
  const saves = each.decision.take && each.decision.saves.length > 0 ? "; what is in it is saved first" : "";
  const size = bytes === null ? "" : `, ${bytesWords(bytes)}`;
  return `${describeDecision(each, at)}${size}${saves}${describeUnkeepable(each.notFiles)}`;
}

/** `1.2 GB`, `34 MB`, `56 kB`. */
export function bytesWords(bytes: number): string {
  const [unit, per] = bytes >= 1e9 ? ["GB", 1e9] : bytes >= 1e6 ? ["MB", 1e6] : ["kB", 1e3];
  const value = bytes / Number(per);
  return `${value < 10 && unit !== "kB" ? value.toFixed(1) : Math.round(value)} ${unit}`;
}
