/** Worktrees by hand, beside what people would do without owt. Ratios of wall time, A B A B …, medians.
 *  Nothing comes from the network: packages are made here and served on loopback, once.
 *
 *    npm run bench:worktrees -- [--only ready,add,list] [--rounds 5] [--below FOLDER] [--json]
 *
 *  - `ready`: `owt create` with a large `node_modules` beside `git worktree add && npm ci` with a warm cache; also with a pnpm store, where there is a
 *    pnpm. `--packages 400 --files 50 --bytes 4000`
 *  - `add`: `owt create --no-tmux --no-deps` beside `git worktree add` and a bare Node. `--tree 20000`
 *  - `list`: `owt list` beside `xargs -P2 git status` in the same worktrees, and how soon its names are on a terminal. `--tree 20000 --worktrees 50`
 *
 *  Files lie in memory unless `--below` names a folder of another file system, for example a plain disk or an xfs that is mounted from a file. */
import { flag, makePlace, option } from "./place.ts";
import { measureAdd } from "./worktrees/add.ts";
import { measureList } from "./worktrees/list.ts";
import { measureReady } from "./worktrees/ready.ts";
import type { Figure } from "./worktrees/measure.ts";

const PARTS = { ready: measureReady, add: measureAdd, list: measureList };

const only = option("only", "");
const below = option("below", "");
const figures: Figure[] = [];
for (const [name, measure] of Object.entries(PARTS)) {
  if (only !== "" && !only.split(",").includes(name)) continue;
  using place = makePlace(below === "" ? {} : { below });
  const measured = await measure(place, { rounds: Number(option("rounds", "5")), isQuick: below === "" });
  figures.push(...measured);
  if (!flag("json")) for (const figure of measured) console.log(describe(figure));
}
if (flag("json")) console.log(JSON.stringify({ figures }, null, 2));

function describe({ what, beside, ms, besideMs, ratio, goal }: Figure): string {
  const figures = `${ms.toFixed(0)} ms beside ${besideMs.toFixed(0)}`;
  return `${what} / ${beside}: ${ratio.toFixed(3)} (${figures}${goal === null ? "" : `; goal ${goal}`})`;
}
