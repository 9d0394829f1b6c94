/** How work comes home, beside what people would do without owt. Ratios of wall time, A B A B …, medians.
 *
 *    npm run bench:queue -- [--only merges,forecasts,checks] [--rounds 5] [--json]
 *
 *  - `merges`: twenty branches integrated by our git verbs, beside checkout and merge in a worktree that stands by. `--files 5000,20000`
 *  - `forecasts`: which of twenty branches conflict, 190 pairs, beside a `git merge-tree` for each
 *  - `checks`: twenty tasks of a run that wait at once for merged work to be checked, beside the time that the checks themselves need; and one by one.
 *    `--check 1000` is what a check takes, in milliseconds; real ones take half a minute, and what owt adds to each of them weighs less */
import { flag, makePlace, option } from "./place.ts";
import { measureChecks } from "./queue/checks.ts";
import { measureForecasts } from "./queue/forecasts.ts";
import { measureMerges } from "./queue/merges.ts";
import type { Figure } from "./worktrees/measure.ts";

const PARTS = { merges: measureMerges, forecasts: measureForecasts, checks: measureChecks };

const only = option("only", "");
const figures: Figure[] = [];
for (const [name, measure] of Object.entries(PARTS)) {
  if (only !== "" && !only.split(",").includes(name)) continue;
  const measured = await measure({ rounds: Number(option("rounds", "5")), makePlace });
  figures.push(...measured);
  if (!flag("json")) for (const figure of measured) console.log(describe(figure));
}
if (flag("json")) console.log(JSON.stringify({ figures }, null, 2));

function describe({ what, beside, ms, besideMs, ratio, goal }: Figure): string {
  const figures = `${ms.toFixed(0)} ms beside ${besideMs.toFixed(0)}`;
  return `${what} / ${beside}: ${ratio.toFixed(3)} (${figures}${goal === null ? "" : `; goal ${goal}`})`;
}
