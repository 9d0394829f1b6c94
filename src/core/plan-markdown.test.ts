import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseMarkdownPlan, parseMarkdownTask } from "./plan-markdown.ts";
import type { Plan, PlannedTask, PlanResult, Problem } from "./plan.ts";

/** Files under docs/plans, by their path below it. */
function parse(files: Record<string, string>, path = "docs/plans"): PlanResult {
  return parseMarkdownPlan(
    path,
    Object.entries(files).map(([name, text]) => ({ path: `${path}/${name}`, text })),
  );
}

function planOf(result: PlanResult): Plan {
  if (!("plan" in result)) throw new Error(`no plan: ${JSON.stringify(result.problems)}`);
  return result.plan;
}

function problemsOf(result: PlanResult): Problem[] {
  if ("plan" in result) throw new Error("a plan, where problems were expected");
  return result.problems;
}

const task = (files: Record<string, string>): PlannedTask => planOf(parse(files)).tasks[0]!;
const withKeys = (keys: string, body = "# T\n\nText.") => `---\n${keys}\n---\n${body}`;
const idsOf = (files: Record<string, string>): string[] => planOf(parse(files)).tasks.map(({ id }) => id);

describe("file names", () => {
  test.each([
    ["epic-01-setup.md", "m/E01"],
    ["epic-1-setup.md", "m/E01"],
    ["01-epic-setup.md", "m/E01"],
    ["epic-cli-02-flags.md", "m/CLI02"],
    ["epic-1.2-ci.md", "m/E02"],
    ["Epic_03_x.md", "m/E03"],
    ["epic-04.md", "m/E04"],
    ["epic-00-setup.md", "m/E00"],
    ["epic-120-x.md", "m/E120"],
  ])("%s is %s", (name, id) => {
    expect(idsOf({ [`m/${name}`]: "# T\n\nText." })).toEqual([id]);
  });

  test("what is no task is named with its reason, and a README is context", () => {
    const plan = planOf(
      parse({
        "README.md": "# All",
        "2026-01-20-design.md": "# Design",
        "m/00-overview.md": "# Overview",
        "m/01-notes.md": "# Notes",
        "m/README.md": "# Module\r\n\r\nHow it works.",
        "m/epic-01-x.md": "# X",
        "m/issue-7/epic-00-y.md": "# Y",
      }),
    );
    expect(plan.tasks.map(({ id }) => id)).toEqual(["m/E01"]);
    expect(plan.tasks[0]!.context).toBe("# Module\n\nHow it works.");
    expect(plan.ignored).toEqual([
      { file: "docs/plans/2026-01-20-design.md", reason: "a dated note" },
      { file: "docs/plans/README.md", reason: "a README beside no tasks" },
      { file: "docs/plans/m/00-overview.md", reason: "an overview" },
      { file: "docs/plans/m/01-notes.md", reason: "not named like a task (epic-01-name.md)" },
      { file: "docs/plans/m/issue-7/epic-00-y.md", reason: "lies deeper than <module>/" },
    ]);
    expect(plan.warnings.map(({ code, file }) => [code, file])).toEqual([
      ["epic-elsewhere", "docs/plans/m/issue-7/epic-00-y.md"],
    ]);
  });

  test("a file with a task's front matter and another name is warned about; epic: makes it a task", () => {
    const plan = planOf(
      parse({ "m/epic-01-a.md": "# A", "m/stray.md": withKeys("status: done"), "m/named.md": withKeys("epic: 2") }),
    );
    expect(plan.tasks.map(({ id }) => id)).toEqual(["m/E01", "m/E02"]);
    expect(plan.warnings.map(({ code, file }) => [code, file])).toEqual([["unnumbered", "docs/plans/m/stray.md"]]);
  });

  test("a folder that holds epics itself is one module, named after it", () => {
    const plan = planOf(parse({ "epic-01-x.md": "# X", "README.md": "Context." }, "docs/plans/technical"));
    expect(plan.tasks.map(({ id, module, context }) => ({ id, module, context }))).toEqual([
      { id: "technical/E01", module: "technical", context: "Context." },
    ]);
  });

  test("a folder whose name cannot be part of an id is a problem", () => {
    expect(problemsOf(parse({ "My Module/epic-01-x.md": "# X" }))[0]).toMatchObject({ code: "module-name", line: 1 });
  });
});

describe("order and numbers", () => {
  const waits = (files: Record<string, string>) =>
    Object.fromEntries(planOf(parse(files)).tasks.map(({ id, implied }) => [id, implied]));

  test("a task waits for the highest existing number before it, in its own module and sequence", () => {
    expect(
      waits({
        "m/epic-00-a.md": "",
        "m/epic-03-b.md": "",
        "m/epic-10-c.md": "",
        "m/epic-cli-01-d.md": "",
        "m/epic-cli-02-e.md": "",
        "n/epic-04-f.md": "",
      }),
    ).toEqual({
      "m/E00": [],
      "m/E03": ["m/E00"],
      "m/E10": ["m/E03"],
      "m/CLI01": [],
      "m/CLI02": ["m/CLI01"],
      "n/E04": [],
    });
  });

  test("the first level of 1.1 and 1.2 only repeats the module", () => {
    expect(waits({ "m/epic-1.1-a.md": "", "m/epic-1.2-b.md": "", "m/epic-1.10-c.md": "" })).toEqual({
      "m/E01": [],
      "m/E02": ["m/E01"],
      "m/E10": ["m/E02"],
    });
  });

  test("1.1 and 2.1 in one module are two tasks, in order", () => {
    expect(waits({ "m/epic-2.1-c.md": "", "m/epic-1.1-a.md": "", "m/epic-1.10-b.md": "" })).toEqual({
      "m/E1.1": [],
      "m/E1.10": ["m/E1.1"],
      "m/E2.1": ["m/E1.10"],
    });
    expect(waits({ "m/epic-1-a.md": "", "m/epic-1.1-b.md": "", "m/epic-2-c.md": "" })).toEqual({
      "m/E01": [],
      "m/E1.1": ["m/E01"],
      "m/E02": ["m/E1.1"],
    });
  });

  test("where the first levels differ all of them count, even before two would collide", () => {
    expect(waits({ "m/epic-1.1-a.md": "", "m/epic-2.3-b.md": "" })).toEqual({ "m/E1.1": [], "m/E2.3": ["m/E1.1"] });
  });

  test("two files with one number are a problem that names both", () => {
    const problems = problemsOf(parse({ "m/epic-01-a.md": "", "m/01-epic-b.md": "" }));
    expect(problems).toHaveLength(1);
    expect(problems[0]!.message).toBe(
      "m/E01 is defined twice: docs/plans/m/01-epic-b.md:1 and docs/plans/m/epic-01-a.md:1",
    );
  });

  test("modules come as a person counts them", () => {
    expect(idsOf({ "phase-10/epic-1-a.md": "", "phase-2/epic-1-a.md": "", "phase-2/epic-cli-1-a.md": "" })).toEqual([
      "phase-2/E01",
      "phase-2/CLI01",
      "phase-10/E01",
    ]);
  });
});

describe("depends_on", () => {
  const needs = (written: string, name = "m/epic-09-x.md") => {
    const files = {
      "m/epic-04-a.md": "",
      "m/epic-cli-04-b.md": "",
      "m/epic-cli-05-c.md": "",
      "n/epic-1.2-d.md": "",
      "n/epic-1.10-e.md": "",
    };
    return planOf(parse({ ...files, [name]: withKeys(written) })).tasks.find(({ source }) =>
      source.file.endsWith(name),
    )!.dependsOn;
  };

  test.each([
    ["depends_on: n/E02", ["n/E02"]],
    ["depends_on: [n/E2, m/E4]", ["n/E02", "m/E04"]],
    ["depends_on:\n  - n/E02\n  - E4", ["n/E02", "m/E04"]],
    ["depends_on: 4", ["m/E04"]],
    ['depends_on: ["04"]', ["m/E04"]],
    ["depends_on: CLI05", ["m/CLI05"]],
    ["depends_on: n/1.10", ["n/E10"]],
    ["depends_on: n/epic-1.2-d.md", ["n/E02"]],
    ["depends_on: m/E04, n/E02", ["m/E04", "n/E02"]],
    ["depends-on: m/E04", ["m/E04"]],
    ["dependsOn: [m/E04, m/E4]", ["m/E04"]],
    ["depends_on: []", []],
    ["depends_on:", []],
  ])("%j", (written, ids) => {
    expect(needs(written)).toEqual(ids);
  });

  test("a number without letters is the plain sequence, and the task's own where that has none", () => {
    expect(needs("depends_on: 4", "m/epic-cli-09-x.md")).toEqual(["m/E04"]);
    expect(needs("depends_on: 5", "m/epic-cli-09-x.md")).toEqual(["m/CLI05"]);
  });

  test("1.10 stays 1.10, although YAML reads a number", () => {
    expect(needs("depends_on: 1.10", "n/epic-1.11-x.md")).toEqual(["n/E10"]);
  });

  test("a predecessor that is named is not implied as well", () => {
    const [, second] = planOf(parse({ "m/epic-1-a.md": "", "m/epic-2-b.md": withKeys("depends_on: 1") })).tasks;
    expect(second).toMatchObject({ dependsOn: ["m/E01"], implied: [] });
  });

  test("unknown, self and circular dependencies are told at once, with their lines", () => {
    const problems = problemsOf(
      parse({
        "m/epic-01-a.md": withKeys("status: todo\ndepends_on:\n  - m/E02\n  - mm/E02"),
        "m/epic-02-b.md": withKeys("depends_on: [E2]"),
        "n/epic-01-c.md": withKeys("depends_on: 7"),
      }),
    );
    expect(problems.map(({ file, line, code }) => `${file}:${line} ${code}`)).toEqual([
      "docs/plans/m/epic-01-a.md:4 cycle",
      "docs/plans/m/epic-01-a.md:5 unknown-dependency",
      "docs/plans/m/epic-02-b.md:2 self-dependency",
      "docs/plans/n/epic-01-c.md:2 unknown-dependency",
    ]);
    expect(problems[0]!.message).toContain("m/E01 → m/E02 → m/E01");
    expect(problems[0]!.hint).toContain("m/E02 waits for its predecessor by the order of its module");
    expect(problems[1]!.hint).toBe("did you mean m/E02?");
    expect(problems[3]!.message).toBe("n/E01 depends on n/E07, which is not in the plan");
  });
});

describe("front matter", () => {
  test("all keys are read, unknown ones left alone", () => {
    const keys = [
      "module: billing",
      "epic: 5",
      "title: Input Validators",
      "status: In-Progress",
      "priority: HIGH",
      "needs_review: yes",
      "verify: npm test",
      "touches: [src/a/**, b.ts]",
      "agent: codex",
      "model: opus[1m]",
      "branch: feat/validators",
      "github_issue: 12",
      "crate: null",
      "nested: { a: [1, { b: 2 }] }",
    ];
    expect(
      task({ "billing/epic-05-x.md": withKeys(keys.join("\n"), "# Epic 05: Input Validators\n\nCheck input.") }),
    ).toEqual({
      choices: {},
      id: "billing/E05",
      title: "Input Validators",
      module: "billing",
      content: "# Epic 05: Input Validators\n\nCheck input.",
      context: "",
      source: { file: "docs/plans/billing/epic-05-x.md", line: 1 },
      lines: { agent: 10, branch: 12 },
      dependsOn: [],
      implied: [],
      priority: "high",
      status: "in_progress",
      needsReview: true,
      verify: ["npm test"],
      touches: ["src/a/**", "b.ts"],
      agent: "codex",
      model: "opus[1m]",
      branch: "feat/validators",
      tags: [],
      creates: [],
      uses: [],
      estimatedTokens: null,
      description: "Check input.",
    });
  });

  test("module, epic and title beat path and heading, with a warning each", () => {
    const plan = planOf(
      parse({ "tech/epic-01-x.md": withKeys("module: technical\nepic: 5\ntitle: New", "# Epic 1: Old") }),
    );
    expect(plan.tasks[0]).toMatchObject({ id: "technical/E05", module: "technical", title: "New" });
    expect(plan.warnings.map(({ code, line }) => [code, line])).toEqual([
      ["module-mismatch", 2],
      ["epic-mismatch", 3],
      ["title-mismatch", 4],
    ]);
    const agreed = parse({
      "technical/epic-1.5-x.md": withKeys("module: technical\nepic: 5\ntitle: new", "# Epic 1.5: New"),
    });
    expect(planOf(agreed).warnings).toEqual([]);
  });

  test.each([
    ["not_started", "not_started"],
    ["todo", "not_started"],
    ["in_progress", "in_progress"],
    ["inprogress", "in_progress"],
    ["in-progress", "in_progress"],
    ["running", "in_progress"],
    ["complete", "complete"],
    ["Completed", "complete"],
    ["done", "complete"],
    ["", "not_started"],
  ])("status %s", (written, status) => {
    expect(task({ "m/epic-1-x.md": withKeys(`status: ${written}`) }).status).toBe(status);
  });

  test.each([
    ["high", "high"],
    ["medium", "normal"],
    ["normal", "normal"],
    ["low", "low"],
    ["1", "high"],
    ["2", "normal"],
    ["3", "low"],
    ["P0", "high"],
  ])("priority %s", (written, priority) => {
    expect(task({ "m/epic-1-x.md": withKeys(`priority: ${written}`) }).priority).toBe(priority);
  });

  test.each([
    ["status: compelte", 2, "did you mean complete?"],
    ["module: m\npriority: hihg", 3, "did you mean high?"],
    ["needs_review: maybe", 2, "true"],
    ["status: done\npriority: urgent", 3, "known: high, normal, medium, low"],
    ["verify: 3", 2, "list of texts"],
    ["verify:\n  - npm test\n  - 3", 4, "list of texts"],
    ["touches: 5", 2, "list of texts"],
    ['touches: [src, "../outside"]', 2, "from the repository's top"],
    ["verify: { run: npm test }", 2, "list of texts"],
    ["verify:\n  - npm test\n  - [a]", 4, "list of texts"],
    ["depends_on: { a: b }", 2, "list of texts"],
    ["title: [a]", 2, "title"],
    ["title: Fix: the parser", 2, "quotes"],
    ["title: a\ntitle: b", 3, "quotes"],
    ["status: done\n\tx: 1", 3, ""],
    ["epic: five", 2, "epic: 5"],
    ["agent: --yolo", 2, "claude"],
    ["model: a b", 2, "opus"],
    ["branch: -x", 2, "feat/m/E01"],
    ["branch: owt/tasks/x", 2, "feat/m/E01"],
    ["module: a b", 2, "folder"],
    ["depends_on: *anchor", 2, ""],
    ["just text", 2, "key: value"],
  ])("%j is a problem at its line, with a hint", (keys, line, hint) => {
    const [problem] = problemsOf(parse({ "m/epic-1-x.md": withKeys(keys) }));
    expect(problem).toMatchObject({ file: "docs/plans/m/epic-1-x.md", line });
    expect(problem!.hint).toContain(hint);
  });

  test("a number where a name may stand is a text, and so is one in quotes", () => {
    const read = task({ "m/epic-1-x.md": withKeys('branch: 7\nverify: "3"\ntouches: ["5"]') });
    expect(read).toMatchObject({ branch: "7", verify: ["3"], touches: ["5"] });
  });

  test("a language other than YAML is refused, never executed", () => {
    const [problem] = problemsOf(parse({ "m/epic-1-x.md": "---js\nmodule.exports = process.exit(7)\n---\n# X" }));
    expect(problem).toMatchObject({ line: 1, code: "front-matter", message: "front matter in js is not read" });
  });

  test("a front matter that never ends is a problem; a rule at the top is not one", () => {
    expect(problemsOf(parse({ "m/epic-1-x.md": "---\nstatus: done\n\n# X" }))[0]).toMatchObject({
      message: "the front matter is not closed",
    });
    expect(task({ "m/epic-1-x.md": "---\n\n# X\n\nText." })).toMatchObject({ title: "X", description: "Text." });
    expect(task({ "m/epic-1-x.md": "-----\n# X" }).title).toBe("X");
  });

  test("CRLF, a byte order mark and rules inside the body are read as they are meant", () => {
    const text =
      "\uFEFF---\r\nstatus: done\r\ndepends_on: [m/E02]\r\n---\r\n\r\n# X\r\n\r\nOne\r\ntwo.\r\n\r\n---\r\n\r\nstatus: todo\r\n";
    const plan = planOf(parse({ "m/epic-3-x.md": text, "m/epic-2-a.md": "" }));
    expect(plan.tasks[1]).toMatchObject({
      status: "complete",
      dependsOn: ["m/E02"],
      content: "# X\n\nOne\ntwo.\n\n---\n\nstatus: todo",
      description: "One two.",
    });
  });

  test("numbers are numbers, and an empty value is as good as none", () => {
    const read = task({ "m/epic-1-x.md": withKeys("estimated_tokens: 4000\nverify: ~\nbranch: null\npriority:") });
    expect(read).toMatchObject({ estimatedTokens: 4000, verify: [], branch: null, priority: "normal" });
  });

  test("an empty file is a task with a warning", () => {
    const plan = planOf(parse({ "m/epic-02-input-validators.md": "" }));
    expect(plan.tasks[0]).toMatchObject({ title: "Input validators", content: "", description: "" });
    expect(plan.warnings.map(({ code }) => code)).toEqual(["empty-task"]);
  });

  test("another word for depends_on is warned about", () => {
    const plan = planOf(parse({ "m/epic-1-x.md": withKeys("dependencies: [n/E01]") }));
    expect(plan.warnings).toMatchObject([{ code: "unread-key", line: 2 }]);
  });

  test("branches that cannot stand side by side are a problem", () => {
    const clash = (one: string, other: string) =>
      problemsOf(
        parse({ "m/epic-1-x.md": withKeys(`branch: ${one}`), "m/epic-2-x.md": withKeys(`branch: ${other}`) }),
      ).map(({ code }) => code);
    expect(clash("a", "a")).toEqual(["branch-clash"]);
    expect(clash("feat", "feat/a")).toEqual(["branch-clash"]);
    expect(clash("feat/a", "feat")).toEqual(["branch-clash"]);
    expect(clash("Feat/a", "feat/A")).toEqual(["branch-clash"]);
    expect(
      planOf(parse({ "m/epic-1-x.md": withKeys("branch: feat/a"), "m/epic-2-x.md": withKeys("branch: feat/b") })).tasks,
    ).toHaveLength(2);
  });
});

describe("titles and descriptions", () => {
  test.each([
    ["# Epic 05: Input Validators", "Input Validators"],
    ["# Epic 5 - Input Validators ##", "Input Validators"],
    ["# E05: Input Validators", "Input Validators"],
    ["# HTTP2: support", "HTTP2: support"],
    ["# Epic 05", "Epic 05"],
    ["```sh\n# not this\n```\n# This", "This"],
    ["no heading", "The name"],
  ])("%j", (body, title) => {
    expect(task({ "m/epic-5-the-name.md": body }).title).toBe(title);
  });

  test("the description is the first paragraph of prose; the content is everything", () => {
    const body = "# T\n\n> A quote.\n\n```\ncode\n```\n\n- list\n\n**Goal:** one\ntwo\n\n## Next\n\nlast";
    expect(task({ "m/epic-5-x.md": body })).toMatchObject({ description: "**Goal:** one two", content: body });
  });
});

test("the seed's example is read as it stands", () => {
  const text =
    "---\nmodule: technical\nepic: 5\ntitle: Input Validators\npriority: high\ndepends_on:\n  - technical/E04\n  - billing/E00\n---\n\n# Epic 05: Input Validators\n\nImplement input validation for all user-facing forms.\n";
  const plan = planOf(
    parse({ "technical/epic-05-validators.md": text, "technical/epic-04-x.md": "# X", "billing/epic-00-y.md": "# Y" }),
  );
  expect(plan.warnings).toEqual([]);
  expect(plan.tasks.find(({ id }) => id === "technical/E05")).toMatchObject({
    title: "Input Validators",
    priority: "high",
    dependsOn: ["technical/E04", "billing/E00"],
    implied: [],
  });
});

test("a plan without tasks says what it saw", () => {
  expect(problemsOf(parse({ "2026-01-20-design.md": "# D" }))).toMatchObject([
    { code: "no-tasks", hint: "not read as tasks: docs/plans/2026-01-20-design.md (a dated note)" },
  ]);
});

describe("one file as a plan", () => {
  test("is one task, under its module's id where its name says so", () => {
    expect(
      planOf(parseMarkdownTask({ path: "docs/plans/m/epic-05-x.md", text: "# X" }, "Context.")).tasks,
    ).toMatchObject([{ id: "m/E05", context: "Context." }]);
    expect(planOf(parseMarkdownTask({ path: "TODO list.md", text: withKeys("verify: make") })).tasks).toMatchObject([
      { id: "todo-list", module: null, verify: ["make"] },
    ]);
    expect(planOf(parseMarkdownTask({ path: "epic-05-x.md", text: "# X" })).tasks).toMatchObject([
      { id: "epic-05-x", module: null },
    ]);
  });

  test("cannot wait for what is not in it, and each mistake is told once", () => {
    const problems = problemsOf(
      parseMarkdownTask({ path: "epic-05-x.md", text: withKeys("depends_on: m/E01\nstatus: nope") }),
    );
    expect(problems.map(({ code, line }) => [code, line])).toEqual([
      ["unknown-dependency", 2],
      ["unknown-status", 3],
    ]);
    expect(problems[0]!.hint).toContain("run the whole plan");
  });
});

describe("any text", () => {
  const words = fc.constantFrom(
    "---",
    "---js",
    "status:",
    "depends_on:",
    "- ",
    "[",
    "{",
    "&a",
    "*a",
    "!!x",
    "# ",
    "epic: 1",
    "\n",
    "\r\n",
    "\uFEFF",
    ": ",
    "'",
    '"',
    "|",
    "```",
    "1.2",
    "\t",
  );
  const anyText = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(fc.oneof(words, fc.string({ maxLength: 4 })), { maxLength: 40 }).map((parts) => parts.join("")),
  );
  const anyName = fc.oneof(
    fc.constantFrom("epic-1-x.md", "1-epic.md", "epic-a-1.2.md", "README.md", "x.md"),
    fc.string({ maxLength: 12 }),
  );

  test("is read without an error, and every problem names a line that exists", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyName, anyText), { maxLength: 5 }), (files) => {
        const named = files.map(([name, text]) => ({ path: `p/m/${name}`, text }));
        const result = parseMarkdownPlan("p", named);
        const places = "plan" in result ? result.plan.warnings : [...result.problems, ...result.warnings];
        for (const { file, line, message, hint } of places) {
          expect(message).not.toBe("");
          expect(hint).not.toBe("");
          const lengths = named.filter(({ path }) => path === file).map(({ text }) => text.split(/\r\n|\r|\n/).length);
          expect(line).toBeGreaterThanOrEqual(1);
          expect(line).toBeLessThanOrEqual(Math.max(1, ...lengths));
        }
      }),
      { numRuns: 500 },
    );
  });

  test("nesting without end is a problem, not a crash", () => {
    const [problem] = problemsOf(parse({ "m/epic-1-x.md": withKeys(`verify: ${"[".repeat(50_000)}`) }));
    expect(problem).toMatchObject({ code: "front-matter" });
  });
});
