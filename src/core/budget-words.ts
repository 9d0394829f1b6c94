/** Budgets in words, and the command that raises one. Pure. */
import { type BudgetUnit, DUST, type Level, LIMITS } from "./budget-limits.ts";
import { renderUsd } from "./cost.ts";
import { renderLimit } from "./run-time.ts";

/** A level in words: `$5.02 of $5.00 for the run`. */
export function describeLevel({ scope, unit, limit, used, taken, isAtLeast, isGuess, needs }: Level): string {
  const amount = (count: number) => renderAmount(unit, count);
  const guess = isGuess === true ? ", a guess" : "";
  const kept = taken - used > DUST ? ` (and ${amount(taken - used)} kept for what runs${guess})` : "";
  const more = needs === undefined ? "" : `; it may need ${amount(needs)}`;
  return `${isAtLeast ? "at least " : ""}${renderBare(unit, used)}${kept} of ${describeLimit({ scope, unit, limit })}${more}`;
}

/** A limit itself in words: `$5.00 for the run`. */
export function describeLimit({ scope, unit, limit }: Pick<Level, "scope" | "unit" | "limit">): string {
  return `${renderAmount(unit, limit)} for the ${scope}`;
}

function renderAmount(unit: BudgetUnit, count: number): string {
  const bare = renderBare(unit, count);
  switch (unit) {
    case "usd":
      return bare;
    case "tokens":
      return `${bare} tokens`;
    case "tasks":
      return `${bare} ${count === 1 ? "task" : "tasks"}`;
    case "ms":
      return `${bare} of agents' time`;
    default: {
      const never: never = unit;
      return never;
    }
  }
}

/** Before the limit, which says what it is of. */
function renderBare(unit: BudgetUnit, count: number): string {
  switch (unit) {
    case "usd":
      return renderUsd(count);
    case "tokens":
      return String(Math.round(count));
    case "tasks":
      return String(count);
    case "ms":
      return count < 9_950 ? `${Math.round(count / 100) / 10}s` : renderLimit(Math.round(count / 1_000) * 1_000);
    default: {
      const never: never = unit;
      return never;
    }
  }
}

/** The command that raises a limit and goes on. What is proposed is twice as much, but at least half as much again as was used. */
export function raiseCommand(run: string, { scope, unit, limit, used }: Level): string {
  const more = Math.max(2 * limit, 1.5 * used);
  const value =
    unit === "usd"
      ? Math.ceil(more * 100 - DUST) / 100
      : unit === "ms"
        ? renderLimit(Math.ceil(more / 1_000) * 1_000)
        : Math.ceil(more);
  if (scope === "run" && unit === "usd") return `owt resume ${run} --budget ${value}`;
  const { key } = LIMITS.find((each) => each.scope === scope && each.unit === unit)!;
  return `OWT_BUDGET_${key.toUpperCase()}=${value} owt resume ${run}`;
}
