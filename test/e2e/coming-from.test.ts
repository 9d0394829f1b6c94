/** Every line that other tools' documentation shows has its counterpart in docs/guide/coming-from.md, and each of those runs. */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { demoConfig, Rig, task } from "../rig/rig.ts";

const DOC = readFileSync(new URL("../../docs/guide/coming-from.md", import.meta.url), "utf8");
const SEEDS = new URL("../../../shared/seeds/", import.meta.url);

type Row = { theirs: string[]; ours: string };

/** The rows of a section's table: code in the first column is theirs, code in the second ours. */
function rowsOf(section: string): Row[] {
  const text = DOC.split("\n## ").find((each) => each.startsWith(section))!;
  const lines = text.split("\n").filter((line) => line.startsWith("| `"));
  return lines.map((line) => {
    const [first, second] = line.slice(2).split(" | ");
    const code = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
    return { theirs: code(first!), ours: code(second!)[0]! };
  });
}

/** The shell lines of the documentation between two headings, without remarks. */
function linesBetween(file: string, from: RegExp, to: RegExp): string[] {
  const text = readFileSync(new URL(file, SEEDS), "utf8");
  const start = text.search(from);
  const section = text.slice(start, start + 1 + text.slice(start + 1).search(to));
  const blocks = [...section.matchAll(/```bash\n(.*?)```/gs)].flatMap((match) => match[1]!.split("\n"));
  const remarks = [...section.matchAll(/^# or: (.*)$/gm)].map((match) => match[1]!);
  const lines = blocks
    .filter((line) => line.trim() && !line.startsWith("#"))
    .map((line) => line.replace(/\s+#.*$/, ""));
  return [...new Set([...lines, ...remarks])];
}

const DOCUMENTED: { tool: string; file: string; sections: [from: RegExp, to: RegExp][] }[] = [
  {
    tool: "RoRchestrator",
    file: "rorchestrator.md",
    sections: [
      [/^## .*Quick Start/m, /^## /m],
      [/^## .*CLI Commands/m, /^## /m],
    ],
  },
  { tool: "Claude Plan Orchestrator", file: "claude-plan-orchestrator.md", sections: [[/^## Usage/m, /^### TUI/m]] },
];

test.for(DOCUMENTED)("no line of $tool's documentation is left out", ({ tool, file, sections }, { skip }) => {
  if (!existsSync(SEEDS)) skip("the documentation of the other tools is not beside this checkout");
  const lines = sections.flatMap(([from, to]) => linesBetween(file, from, to));
  expect(lines.length).toBeGreaterThan(8);
  const answered = new Set(rowsOf(tool).flatMap((row) => row.theirs));
  expect(lines.filter((line) => !answered.has(line))).toEqual([]);
});

test("each counterpart of RoRchestrator's lines runs", async () => {
  const feature = (id: string, depends_on: string[]) => ({ id, name: id, depends_on, prompt_file: `${id}.md` });
  const steps = (id: string) => `Do it.\n\n\`\`\`demo\nappend ${id}.txt "a line"\ncommit "${id}"\n\`\`\`\n`;
  const features = [feature("auth", []), feature("api", ["auth"])];
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "config/feature_list.json": JSON.stringify({
      project: { name: "MyProject", repo_path: "..", base_branch: "main" },
      features,
    }),
    "prompts/auth.md": steps("auth"),
    "prompts/api.md": steps("api"),
  });
  // What a task was asked is known once it was run.
  await rig.owt("run", "--yes", "--count", "1");
  await runEach(rig, rowsOf("RoRchestrator"));
});

test("each counterpart of Claude Plan Orchestrator's lines runs", async () => {
  const files: Record<string, string> = { ".worktreerc": demoConfig };
  for (const module of ["technical", "billing", "web"])
    for (let n = 1; n <= 6; n++) {
      const front = { title: `Part ${n}`, status: module === "billing" && n === 1 ? "complete" : "not_started" };
      files[`docs/plans/${module}/epic-0${n}-part.md`] = task(front, `write ${module}-${n}.txt "x"\ncommit "x"`);
    }
  await using rig = Rig.create(files, { approve: false });
  // The two that are asked for by name need what is before them.
  await rig.owt("run", "--yes", "technical/E04", "--with-upstreams");
  await runEach(rig, rowsOf("Claude Plan Orchestrator"));
});

/** On a terminal where a question is asked, which is answered with yes. */
async function runEach(rig: Rig, rows: Row[]): Promise<void> {
  for (const { ours } of rows) {
    const words = ours.split(" ").slice(1);
    const asks = words[0] === "run" && !words.includes("--yes");
    const running = asks ? rig.startOnTerminal(...words) : rig.start(...words);
    if (asks) {
      await running.says("[y/N]");
      running.child.stdin!.write("y\n");
    }
    const ran = await running.ended;
    expect(`${ours} ended with ${ran.code}: ${ran.code === 0 ? "" : ran.stderr}`).toBe(`${ours} ended with 0: `);
    expect(ran.stdout + ran.stderr).not.toBe("");
  }
}
