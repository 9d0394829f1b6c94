/** `owt create --no-tmux --no-deps` beside what git and an empty Node take. */
import { join } from "node:path";
import { option, type Place } from "../place.ts";
import { type Figure, figure, manyFiles, owt, run, timed, type Wish } from "./measure.ts";

export async function measureAdd(place: Place, { rounds }: Wish): Promise<Figure[]> {
  const { home, env } = place;
  const root = await manyFiles(place, Number(option("tree", "20000")));
  const byHand: number[] = [];
  const ours: number[] = [];
  // The first of each warms the caches, the compile cache among them.
  for (let round = 0; round <= rounds; round++) {
    const name = `hand-${round}`;
    const hand = await timed(async () => {
      await run("git", ["worktree", "add", "-q", "-b", name, join(home, name)], { cwd: root, env });
      await run(process.execPath, ["-e", "0"], { cwd: root, env });
    });
    const own = await timed(() => owt(root, env, "create", `own-${round}`, "--no-tmux", "--no-deps"));
    if (round === 0) continue;
    byHand.push(hand);
    ours.push(own);
  }
  return [figure("owt create --no-tmux --no-deps", ours, ["git worktree add, node -e 0", byHand], 1.25)];
}
