/** Twenty branches that all change one file: which of them conflict with each other. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Forecast } from "../../src/git/forecast.ts";
import { openRepo } from "../../src/git/repo.ts";
import { type Figure, figure, run, timed } from "../worktrees/measure.ts";
import { type Bench, COUNT, makeBranches } from "./branches.ts";

const FILES = 5_000;

export async function measureForecasts({ rounds, makePlace }: Bench): Promise<Figure[]> {
  using place = makePlace();
  const { root, base, heads } = await makeBranches(place, FILES, () => true);
  const pairs = heads.flatMap((one, index) => heads.slice(0, index).map((other) => `${other} ${one}`));
  writeFileSync(join(place.home, "pairs"), `${pairs.join("\n")}\n`);
  // A shell, since Node takes longer to start a program.
  const each = `while read -r one other; do git merge-tree --write-tree --name-only --no-messages "$one" "$other" || :; done`;
  const own: number[] = [];
  const beside: number[] = [];
  for (let round = 0; round < rounds; round++) {
    beside.push(
      await timed(() =>
        run("sh", ["-c", `${each} <"$1" >/dev/null`, "sh", join(place.home, "pairs")], { cwd: root, env: place.env }),
      ),
    );
    const repo = await openRepo(root);
    const forecast = new Forecast(repo);
    own.push(
      await timed(async () => {
        const clashes = await forecast.clashes(heads.map((head) => ({ base, head })));
        if (clashes.length > 0) throw new Error("these do not conflict");
      }),
    );
    await forecast.close();
    await repo.close();
  }
  const what = `${pairs.length} forecasts of ${COUNT} branches, ${FILES} files`;
  return [figure(what, own, ["a git merge-tree each", beside], 0.4)];
}
