/** Books over what an agent says of itself: its results, and what it tells as it goes. */
import { byModel, type ModelUsage, type Usage } from "../core/cost.ts";
import { listUsage, type Prices } from "../core/prices.ts";
import type { AgentEvent, AgentResult, Books } from "./agent.ts";

/** What a turn's results say was used; null when none of them says. Where they count from one to the next they are added up,
 *  else the last one holds them all. */
export function usageOf(results: readonly AgentResult[]): ModelUsage[] | null {
  const telling = results.filter((result) => result.usage !== null);
  const last = telling.at(-1);
  if (!last) return null;
  return byModel((last.usageSinceLast ? telling.filter((result) => result.usageSinceLast) : [last]).flatMap(modelsOf));
}

function modelsOf(result: AgentResult): ModelUsage[] {
  return result.usage ?? [];
}

/** Books for an agent whose word is all there is: its results where there are any, else what it told on the way.
 *  `silence` says what is missing when it told nothing at all; null for an agent that then used nothing. */
export function reportedBooks(prices: Prices, silence: string | null): Books {
  const results: AgentResult[] = [];
  const told: ModelUsage[] = [];
  let isUnreadable = false;
  return {
    take(event: AgentEvent): void {
      if (event.kind === "result") results.push(event.result);
      if (event.kind !== "used") return;
      if (event.usage.costUsd === null && event.usage.tokens === null) isUnreadable = true;
      else told.push(priced(prices, event.usage));
    },
    read(isOver: boolean): Usage {
      const reported = usageOf(results);
      const isSilent = isOver && reported === null && told.length === 0;
      const missing = isUnreadable ? UNREADABLE : isSilent ? silence : null;
      return { models: reported ?? byModel(told), missing };
    },
  };
}

const UNREADABLE = "what it told of its use in a way that cannot be read";

/** An agent that tells tokens but no dollars is priced from our list. */
function priced(prices: Prices, usage: ModelUsage): ModelUsage {
  if (usage.costUsd !== null || usage.tokens === null) return usage;
  return listUsage(prices, [{ model: usage.model, tokens: usage.tokens }])[0]!;
}
