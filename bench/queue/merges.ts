/** Twenty branches are integrated, each in a merge of its own, and the branch moves over each durably. A quarter of them change a file that others change too. */
import { join } from "node:path";
import { createBranch, moveRef, readRef } from "../../src/git/branch.ts";
import { DEFAULT_IDENTITY } from "../../src/git/commit.ts";
import { mergeOnto } from "../../src/git/merge-chain.ts";
import { openRepo } from "../../src/git/repo.ts";
import { option, type Place } from "../place.ts";
import { type Figure, figure, run, timed } from "../worktrees/measure.ts";
import { type Bench, COUNT, FSYNC, makeBranches } from "./branches.ts";

export async function measureMerges({ rounds, makePlace }: Bench): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const files of option("files", "5000,20000").split(",").map(Number)) {
    using place = makePlace();
    figures.push(await compare(place, files, rounds));
  }
  return figures;
}

async function compare(place: Place, files: number, rounds: number): Promise<Figure> {
  const { root, base, heads } = await makeBranches(place, files, (branch) => branch % 4 === 0);
  const standing = join(place.home, "standing");
  await run("git", ["worktree", "add", "-q", "-b", "standing", standing, base], { cwd: root, env: place.env });
  const own: number[] = [];
  const beside: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await run("git", ["reset", "-q", "--hard", base], { cwd: standing, env: place.env });
    beside.push(await timed(() => inWorktree(place, standing)));
    own.push(await integrate(root, base, heads, `owt/runs/r${round}`));
    await expectSame(place, root, "standing", `owt/runs/r${round}`);
  }
  const what = `${COUNT} branches integrated, ${files} files`;
  const goal = files >= 20_000 ? 0.06 : 0.25;
  return figure(what, own, ["checkout and merge in a worktree that stands by", beside], goal);
}

/** What a script does for each branch. */
async function inWorktree({ env }: Place, cwd: string): Promise<void> {
  for (let branch = 0; branch < COUNT; branch++) {
    await run("git", ["checkout", "-q", "standing"], { cwd, env });
    await run("git", [...FSYNC, "merge", "-q", "--no-ff", "-m", `merge ${branch}`, `task-${branch}`], { cwd, env });
  }
}

/** As the queue does it where nothing has to be checked. Each round knows nothing of the one before. */
async function integrate(root: string, base: string, heads: readonly string[], name: string): Promise<number> {
  const repo = await openRepo(root);
  const spent = await timed(async () => {
    await createBranch(repo, name, base);
    for (const [branch, head] of heads.entries()) {
      const tip = (await readRef(repo, name))!;
      const link = await mergeOnto(repo, tip, { head, worktree: root, message: `merge ${branch}` }, DEFAULT_IDENTITY);
      if (!("commit" in link)) throw new Error(`task-${branch} conflicts`);
      if (!(await moveRef(repo, name, tip, link.commit))) throw new Error(`${name} moved`);
    }
  });
  await repo.close();
  return spent;
}

async function expectSame({ env }: Place, cwd: string, one: string, other: string): Promise<void> {
  const { stdout } = await run("git", ["rev-parse", `${one}^{tree}`, `${other}^{tree}`], { cwd, env });
  const [first, second] = stdout.trim().split("\n");
  if (first !== second) throw new Error(`${one} and ${other} have different trees`);
}
