/** Completion in the real shells, with what is in the repository just then. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { demoConfig, Rig, task } from "../rig/rig.ts";

const OWT = new URL("../../bin/owt.js", import.meta.url).pathname;

let rig: Rig;

beforeAll(async () => {
  rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nretries = 0\n[agent.mine]\ncommand = ["mine"]\n[profile.night.run]\nmax_parallel = 6\n`,
    ".owt/schedule.toml": '[[batch]]\nname = "nightly"\ncron = "0 3 * * *"\n',
    "docs/plans/shop/epic-01-a.md": task({ title: "The first" }, 'write a.txt "a"'),
    "docs/plans/web/epic-01-asks.md": task({ title: "Colours" }, 'ask "Which colour?"'),
    "docs/plans/api/epic-01-fails.md": task({}, 'fail "cannot"'),
    "docs/plans/doc/epic-01-reviewed.md": task({ needs_review: true }, 'write d.txt "d"'),
  });
  rig.addProgram("owt", `#!/bin/sh\nexec '${process.execPath}' '${OWT}' "$@"\n`);
  await rig.owt("run", "--yes");
});
afterAll(() => rig[Symbol.asyncDispose]());

const words = (text: string) => text.split("\n").flatMap((line) => (line === "" ? [] : [line.split("\t")[0]!]));

async function completed(...line: string[]): Promise<string[]> {
  const ran = await rig.owt("__complete", ...line);
  expect(ran).toMatchObject({ code: 0, stderr: "" });
  return words(ran.stdout);
}

const CASES: [line: string[], words: string[]][] = [
  [["ta"], ["task"]],
  [["st"], ["stop", "status"]],
  [
    ["task", "a"],
    ["approve", "answer"],
  ],
  [["task", "answer", ""], ["web/E01"]],
  [["task", "approve", ""], ["doc/E01"]],
  [
    ["task", "retry", ""],
    ["api/E01", "web/E01"],
  ],
  [["logs", "s"], ["shop/E01"]],
  [["logs", "--run", "r1", "s"], ["shop/E01"]],
  [
    ["logs", "shop/E01", "--r"],
    ["--raw", "--run"],
  ],
  [["report", ""], ["r1"]],
  [["tmux", "attach", "m"], ["main"]],
  [["diff", "m"], ["main"]],
  [
    ["tmux", "create", "--layout", "even"],
    ["even-horizontal", "even-vertical"],
  ],
  [["resume", ""], ["r1"]],
  [["land", "r9"], []],
  [["run", "--agent", "m"], ["mine"]],
  [["run", "--agent=m"], ["--agent=mine"]],
  [["run", "--agent", "=", "m"], ["mine"]],
  [
    ["run", "--module", ""],
    ["api", "doc", "shop", "web"],
  ],
  [["--profile", ""], ["night"]],
  [["--profile", "night", "rep"], ["report"]],
  [["--profile=n"], ["--profile=night"]],
  [["run", "--profile=n"], ["--profile=night"]],
  // As bash cuts words.
  [["--profile", "=", "n"], ["night"]],
  [["--profile", "=", "night", "rep"], ["report"]],
  [["logs", "--run", "=", "r1", "s"], ["shop/E01"]],
  [["help", "sta"], ["status"]],
  [["batch", "run", ""], ["nightly"]],
  [
    ["help", "task", "a"],
    ["approve", "answer"],
  ],
  [["run", "--rivals", "2", "--agents", "demo,m"], ["demo,mine"]],
  [["run", "--agents=demo,m"], ["--agents=demo,mine"]],
  [
    ["run", "--agents", "mine,"],
    ["mine,claude", "mine,codex", "mine,demo"],
  ],
  [
    ["task", "create", "a text", "--priority", ""],
    ["high", "normal", "low"],
  ],
  [["task", "list", "--state", "not"], ["not_started"]],
  [
    ["prompt", "show", "re"],
    ["resume", "repair"],
  ],
  [["config", "show", "run.max"], ["run.max_parallel"]],
  [["completion", "z"], ["zsh"]],
  [
    ["plan", "deps", "web"],
    ["web/E01", ":files"],
  ],
  [["run", "--config", ""], [":files"]],
  [["nix", ""], []],
  [["run", "--", ""], []],
];

test.each(CASES)("%j is completed with %j", async (line, expected) => {
  expect((await completed(...line)).toSorted()).toEqual(expected.toSorted());
});

test("tasks are those of the run that is named, and of every run where none is; what was saved has its id", async () => {
  await using many = Rig.create({ ".worktreerc": demoConfig });
  for (let n = 1; n <= 7; n++) {
    many.write({ [`docs/plans/m${n}/epic-01-a.md`]: task({ title: `The ${n}.` }, `write ${n}.txt "a"`) });
    many.commit("more");
    expect((await many.owt("run", `m${n}/E01`, "--yes")).code).toBe(0);
    many.ok("land");
  }
  const ask = async (...line: string[]) => words((await many.owt("__complete", ...line)).stdout);
  expect((await ask("logs", "")).toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7].map((n) => `m${n}/E01`));
  expect(await ask("logs", "--run", "r2", "")).toEqual(["m2/E01"]);
  expect(await ask("status", "--run=r1", "")).toContain("m1/E01");
  expect(await ask("status", "--run=r1", "")).not.toContain("m2/E01");
  const { worktrees } = await many.json<{ worktrees: { path: string }[] }>("create", "left");
  writeFileSync(join(worktrees[0]!.path, "new.txt"), "mine");
  many.ok("delete", "left", "--yes", "--save");
  const { rescues } = await many.json<{ rescues: { id: string }[] }>("restore");
  expect(await ask("restore", "")).toEqual(rescues.map(({ id }) => id));
});

test("what is completed has its meaning beside it", async () => {
  expect((await rig.owt("__complete", "logs", "shop")).stdout).toBe("shop/E01\tdone: The first\n");
});

test("where nothing can be read nothing is offered, and nothing is said or made", async () => {
  const places = [rig.home, rig.path("home")];
  for (const place of places)
    expect(await rig.owtIn(place, "__complete", "task", "show", "")).toEqual({ code: 0, stdout: "", stderr: "" });
  await using broken = Rig.create({ ".worktreerc": "[run\n" }, { approve: false });
  expect(await broken.owt("__complete", "run", "--agent", "")).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(words((await broken.owt("__complete", "sta")).stdout)).toEqual(["status"]);
  expect(broken.git("status", "--porcelain", "--ignored")).toBe("");
});

test("a name that a shell could read something else into is not offered", async () => {
  await using hostile = Rig.create({
    ".worktreerc": `${demoConfig}[agent."$(touch x)"]\ncommand = ["a"]\n[agent."a b"]\ncommand = ["a"]\n`,
  });
  expect(words((await hostile.owt("__complete", "run", "--agent", "")).stdout)).toEqual(["claude", "codex", "demo"]);
});

const SHELLS: Record<string, { args: string[]; ask: (line: string[]) => string }> = {
  bash: {
    args: ["--norc", "--noprofile", "-c"],
    ask: (line) => `
      source <(owt completion bash)
      complete -p owt >&2
      COMP_WORDS=(owt ${line.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${line.length}
      _owt; printf '%s\\n' "\${COMPREPLY[@]}"`,
  },
  zsh: {
    args: ["-f", "-c"],
    // What zsh would show is handed to _describe.
    ask: (line) => `
      autoload -U compinit && compinit -u -D
      source <(owt completion zsh)
      [[ $_comps[owt] == _owt ]] || exit 9
      _describe() { print -rl -- "\${(@)found%%:*}" }
      _files() { : }
      words=(owt ${line.map((word) => `'${word}'`).join(" ")}); CURRENT=${line.length + 1}
      _owt`,
  },
  fish: {
    args: ["--no-config", "-c"],
    ask: (line) => `owt completion fish | source; complete -C 'owt ${line.join(" ")}'`,
  },
};

const ASKED: [line: string[], words: string[]][] = [
  [["task", "ans"], ["answer"]],
  [["task", "answer", ""], ["web/E01"]],
  [["run", "--agent", "m"], ["mine"]],
  [["prompt", "show", "conf"], ["conflict"]],
  [["help", "sta"], ["status"]],
  [["run", "--agents", "demo,m"], ["demo,mine"]],
  [["report", ""], ["r1"]],
  [["tmux", "attach", "m"], ["main"]],
  [
    ["tmux", "create", "--layout", "even"],
    ["even-horizontal", "even-vertical"],
  ],
];

describe.each(Object.keys(SHELLS))("%s", (shell) => {
  const isThere = ["/bin", "/usr/bin", "/usr/local/bin"].some((folder) => hasProgram(folder, shell));
  const inShell = (line: string[]) =>
    words(
      execFileSync(shell, [...SHELLS[shell]!.args, SHELLS[shell]!.ask(line)], {
        cwd: rig.root,
        env: rig.env,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
      }),
    );

  for (const [line, expected] of ASKED)
    test(`${line.join(" ")}: ${expected.join(" ")}`, ({ skip }) => {
      if (!isThere) skip(`${shell} is not installed`);
      expect(inShell(line)).toEqual(expected);
    });
});

function hasProgram(folder: string, name: string): boolean {
  try {
    execFileSync("test", ["-x", `${folder}/${name}`]);
    return true;
  } catch {
    return false;
  }
}
