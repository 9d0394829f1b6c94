import { expect, test } from "vitest";
import { runGit, type Scratch, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { moveRef, readRef } from "./branch.ts";
import { DEFAULT_IDENTITY } from "./commit.ts";
import { readIntegrations } from "./integrations.ts";
import { closeChain, mergeOnto } from "./merge-chain.ts";

async function branch(at: Scratch, name: string, files: Record<string, string>): Promise<string> {
  runGit(at.root, "checkout", "-q", "-b", name, "main");
  const head = at.commit(at.root, files, name);
  runGit(at.root, "checkout", "-q", "main");
  return head;
}

const trailersOf = (task: string) =>
  `Task ${task}\n\nOwt-Task: ${task}\nOwt-Run: r1\nOwt-Attempt: 7\nOwt-Verified: yes\n`;

/** Merges branches one upon the other; gives the last merge. */
async function chain(at: Scratch, tip: string, heads: Record<string, string>): Promise<string> {
  let last = tip;
  for (const [name, head] of Object.entries(heads)) {
    const merge = { head, worktree: at.root, message: trailersOf(name) };
    const link = await mergeOnto(at.repo, last, merge, DEFAULT_IDENTITY);
    if (!("commit" in link)) throw new Error(`${name} cannot be merged`);
    last = link.commit;
  }
  return last;
}

const GROUP = { message: "Bring in 2\n\nOwt-Run: r1\nOwt-Group: 2\nOwt-Verified: yes\n", identity: DEFAULT_IDENTITY };

test("a branch moves over several merges in one step, and each of them stays", async () => {
  await using at = await scratchRepo();
  const tip = (await readRef(at.repo, "main"))!;
  const heads = { one: await branch(at, "one", { x: "1" }), two: await branch(at, "two", { y: "2" }) };
  const last = await chain(at, tip, heads);
  const closed = await closeChain(at.repo, tip, last, GROUP);
  expect(runGit(at.root, "rev-parse", `${closed}^{tree}`)).toBe(runGit(at.root, "rev-parse", `${last}^{tree}`));
  expect(runGit(at.root, "rev-list", "--first-parent", `${tip}..${closed}`)).toBe(closed);
  await moveRef(at.repo, "refs/heads/main", tip, closed);
  const integrations = await readIntegrations(at.repo, tip, closed);
  const common = { commit: closed, run: "r1", attempt: 7, verified: true };
  expect(integrations).toEqual([
    { ...common, task: "one" },
    { ...common, task: "two" },
  ]);
  expect(runGit(at.root, "fsck", "--strict", "--no-dangling")).toBe("");
});

test("one merge needs none around it, and what is there already none at all", async () => {
  await using at = await scratchRepo();
  const tip = (await readRef(at.repo, "main"))!;
  const one = await branch(at, "one", { x: "1" });
  const last = await chain(at, tip, { one });
  expect(await closeChain(at.repo, tip, last, GROUP)).toBe(last);
  expect(await readIntegrations(at.repo, tip, last)).toEqual([
    { commit: last, run: "r1", task: "one", attempt: 7, verified: true },
  ]);
  expect(await chain(at, last, { one })).toBe(last);
  expect(await closeChain(at.repo, last, last, GROUP)).toBe(last);
});

test("who conflicts with one before it is told so", async () => {
  await using at = await scratchRepo();
  const tip = (await readRef(at.repo, "main"))!;
  const last = await chain(at, tip, { one: await branch(at, "one", { "a.txt": "one\n" }) });
  const head = await branch(at, "two", { "a.txt": "two\n" });
  const link = await mergeOnto(at.repo, last, { head, worktree: at.root, message: "two" }, DEFAULT_IDENTITY);
  expect(link).toEqual({ files: ["a.txt"] });
});
