/** `owt list` of many worktrees beside `git status` in each, two at a time; and how soon its names stand on a terminal. */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { option, OWT, type Place } from "../place.ts";
import { type Figure, figure, manyFiles, owt, run, timed, type Wish } from "./measure.ts";

export async function measureList(place: Place, { rounds }: Wish): Promise<Figure[]> {
  const { home, env } = place;
  const root = await manyFiles(place, Number(option("tree", "20000")));
  const count = Number(option("worktrees", "50"));
  const names = Array.from({ length: count }, (_, n) => `tree-${n}`);
  for (const name of names)
    await run("git", ["worktree", "add", "-q", "-b", name, join(home, `shop-${name}`)], { cwd: root, env });
  // As where owt is in use: it has a store.
  await owt(root, env, "create", "own", "--no-tmux", "--no-deps");
  const folders = join(home, "folders");
  writeFileSync(folders, names.map((name) => `${join(home, `shop-${name}`)}\n`).join(""));
  const statuses = `xargs -P2 -I{} git -C {} status --porcelain=v2 --branch <'${folders}' >/dev/null`;
  const times = { hand: [] as number[], list: [] as number[], node: [] as number[], names: [] as number[] };
  // The first of each warms the caches, and lets git look at files that were written in the same moment as its index.
  for (let round = 0; round <= rounds; round++) {
    const hand = await timed(() => run("sh", ["-c", statuses], { cwd: root, env }));
    let told = "";
    const list = await timed(async () => (told = await owt(root, env, "list")));
    if (!names.every((name) => told.includes(name))) throw new Error(`not all are in the list: ${told}`);
    const node = await firstWord(`'${process.execPath}' -e 'console.log("first")'`, "first", place);
    const named = await firstWord(`'${process.execPath}' '${OWT}' list`, names[0]!, place);
    if (round === 0) continue;
    times.hand.push(hand);
    times.list.push(list);
    times.node.push(node);
    times.names.push(named);
  }
  return [
    figure(`owt list, ${count} worktrees`, times.list, ["xargs -P2 git status", times.hand], 1.25),
    figure("names of owt list on a terminal", times.names, ["a word of a bare Node there", times.node], 2),
  ];
}

/** How long it takes until a command has written a word to a terminal of its own. Its end is awaited, and not measured. */
async function firstWord(command: string, word: string, { home, env }: Place): Promise<number> {
  let came = 0n;
  const began = process.hrtime.bigint();
  const child = spawn(
    "script",
    ["--quiet", "--return", "--command", `stty cols 200 rows 60; ${command}`, "/dev/null"],
    {
      cwd: join(home, "shop"),
      env: { ...env, TERM: "xterm", NO_COLOR: "1", SHELL: "/bin/sh" },
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
    if (came === 0n && said.includes(word)) came = process.hrtime.bigint();
  });
  await new Promise((resolve) => child.on("close", resolve));
  if (came === 0n) throw new Error(`"${word}" was never said: ${said}`);
  return Number(came - began) / 1e6;
}
