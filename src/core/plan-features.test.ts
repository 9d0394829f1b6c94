import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isFeatureList, parseFeatureList } from "./plan-features.ts";
import type { FoundFile } from "./plan-features.ts";
import type { Plan, PlanResult, Problem } from "./plan.ts";

/** Looks names up among `files`, as the engine does on disk. */
const lookUpIn =
  (files: Record<string, string> = {}) =>
  (name: string): FoundFile =>
    Object.hasOwn(files, name)
      ? { path: `prompts/${name}`, text: files[name]! }
      : { problem: "not found", tried: [`prompts/${name}`] };

const parse = (list: unknown, files?: Record<string, string>): PlanResult =>
  parseFeatureList(
    "config/feature_list.json",
    typeof list === "string" ? list : JSON.stringify(list, null, 2),
    lookUpIn(files),
  );

function planOf(result: PlanResult): Plan {
  if (!("plan" in result)) throw new Error(`no plan: ${JSON.stringify(result.problems)}`);
  return result.plan;
}

function problemsOf(result: PlanResult): Problem[] {
  if ("plan" in result) throw new Error("a plan, where problems were expected");
  return result.problems;
}

describe("the seed's lists", () => {
  test("the minimal one", () => {
    const minimal = {
      project: { name: "MyProject", repo_path: "..", base_branch: "main" },
      features: [
        { id: "auth", name: "User Authentication", depends_on: [], prompt_file: "auth.md" },
        { id: "api", name: "REST API", depends_on: ["auth"], prompt_file: "api.md" },
      ],
    };
    const plan = planOf(parse(minimal, { "auth.md": "# Auth\r\n\r\nDo it.\r\n", "api.md": "Build the API." }));
    expect(plan).toMatchObject({ kind: "feature-list", path: "config/feature_list.json", ignored: [], warnings: [] });
    expect(plan.settings).toEqual({ name: "MyProject", repoPath: "..", baseBranch: "main" });
    expect(plan.tasks).toEqual([
      {
        id: "auth",
        title: "User Authentication",
        module: null,
        content: "# Auth\n\nDo it.",
        context: "",
        source: { file: "config/feature_list.json", line: 8 },
        lines: { agent: 8, branch: 8 },
        dependsOn: [],
        implied: [],
        priority: "normal",
        status: "not_started",
        needsReview: false,
        verify: [],
        touches: [],
        agent: null,
        model: null,
        branch: null,
        choices: {},
        tags: [],
        creates: [],
        uses: [],
        estimatedTokens: null,
        description: "Do it.",
      },
      expect.objectContaining({ id: "api", dependsOn: ["auth"], content: "Build the API." }),
    ]);
  });

  test("the advanced one, with comments and trailing commas", () => {
    const text = `\uFEFF{
  // what is built
  "project": {
    "max_parallel": 3,        // Max 3 features at once
    "timeout_seconds": 1800,  /* 30 min per feature */
  },
  "claude": { "permission_mode": "acceptEdits", "allowed_tools": ["Read", "Bash(npm test)",], "append_system_prompt": "Be brief." },
  "prompts": { "context_file": "_context.md", "quality_rules": ["Tests required"] },
  "features": [{ "id": "a", "depends_on": [], "description": "Do a.", },],
}`;
    const plan = planOf(parse(text, { "_context.md": "The project.\n" }));
    expect(plan.settings).toEqual({
      maxParallel: 3,
      timeoutMs: 1_800_000,
      choices: { permissionMode: "acceptEdits", allowedTools: ["Read", "Bash(npm test)"] },
      contextFile: "prompts/_context.md",
    });
    const context = "Be brief.\n\nThe project.\n\nRules:\n\n- Tests required\n";
    expect(plan.tasks[0]).toMatchObject({ content: "Do a.", context, source: { line: 9 } });
  });

  test("four bare features", () => {
    const list = {
      features: [
        { id: "setup-vite", depends_on: [] },
        { id: "header", depends_on: ["setup-vite"] },
        { id: "sidebar", depends_on: ["setup-vite"] },
        { id: "main-view", depends_on: ["header", "sidebar"] },
      ],
    };
    expect(planOf(parse(list)).tasks.map(({ id, content, dependsOn }) => [id, content, dependsOn])).toEqual([
      ["setup-vite", "setup-vite", []],
      ["header", "header", ["setup-vite"]],
      ["sidebar", "sidebar", ["setup-vite"]],
      ["main-view", "main-view", ["header", "sidebar"]],
    ]);
  });

  test("all keys of a feature", () => {
    const feature = {
      id: "a",
      depends_on: [],
      priority: 1,
      tags: ["core"],
      creates: ["A class"],
      uses: ["B"],
      estimated_tokens: 50000,
    };
    expect(planOf(parse({ features: [{ ...feature, colour: "red" }] })).tasks[0]).toMatchObject({
      priority: "high",
      tags: ["core"],
      creates: ["A class"],
      uses: ["B"],
      estimatedTokens: 50000,
    });
  });
});

describe("what a feature asks for", () => {
  const content = (feature: object, files?: Record<string, string>) =>
    planOf(parse({ features: [{ id: "a", depends_on: [], ...feature }] }, files)).tasks[0]!.content;

  test("is its prompt file, else <id>.md, else description, name, id", () => {
    const all = { name: "Name", description: "Description." };
    expect(content({ ...all, prompt_file: "p.md" }, { "p.md": "P", "a.md": "A" })).toBe("P");
    expect(content(all, { "a.md": "A" })).toBe("A");
    expect(content(all, { "a.md": "\n" })).toBe("Description.");
    expect(content(all)).toBe("Description.");
    expect(content({ name: "Name" })).toBe("Name");
    expect(content({})).toBe("a");
  });

  test("a named file that is missing or empty is a problem; the hint says where it was looked for", () => {
    const list = {
      features: [
        { id: "a", prompt_file: "gone.md" },
        { id: "b", prompt_file: "empty.md" },
      ],
    };
    expect(problemsOf(parse(list, { "empty.md": " " }))).toEqual([
      {
        file: "config/feature_list.json",
        line: 5,
        code: "prompt-file",
        message: "prompt_file gone.md: not found",
        hint: "looked for prompts/gone.md",
      },
      expect.objectContaining({ line: 9, code: "empty-prompt" }),
    ]);
  });

  test("a refused file is a problem even where it was only tried", () => {
    const refused = () => ({ problem: "leads out of the repository", tried: [], refused: true });
    const text = '{"features": [{"id": "a", "depends_on": []}]}';
    expect(problemsOf(parseFeatureList("f.json", text, refused))).toMatchObject([{ code: "prompt-file", line: 1 }]);
  });

  test("a context file that is gone is only a warning", () => {
    const plan = planOf(parse({ prompts: { context_file: "gone.md" }, features: [{ id: "a", depends_on: [] }] }));
    expect(plan.warnings).toMatchObject([{ code: "context-file", line: 3 }]);
  });
});

describe("problems", () => {
  test("everything that is wrong is told at once, at its line", () => {
    const text = `{
  "project": { "max_parallel": 0, "timeout_seconds": "30", "repo_path": "/elsewhere",
    "name": ["x"] },
  "claude": [],
  "features": [
    { "depends_on": [] },
    { "id": "a b", "depends_on": [] },
    { "id": "a", "depends_on": ["c", "b"], "priority": "soon" },
    { "id": "b", "depends_on": "a", "estimated_tokens": -1 },
    { "id": "a", "depends_on": {} },
    "c"
  ]
}`;
    const result = parseFeatureList("f.json", text, lookUpIn(), (path) => `${path} is not this repository`);
    expect(problemsOf(result).map(({ line, code }) => `${line} ${code}`)).toEqual([
      "2 wrong-type",
      "2 wrong-type",
      "2 repo-path",
      "3 wrong-type",
      "4 wrong-type",
      "6 feature-id",
      "7 feature-id",
      "8 unknown-priority",
      "8 unknown-dependency",
      "8 cycle",
      "9 wrong-type",
      "10 wrong-type",
      "10 duplicate-id",
      "11 wrong-type",
    ]);
  });

  test.each([
    ['{\n"features": [\n{"id": "a" "depends_on": []}]}', 3],
    ['{"features": [{"id": "a", "depends_on": []}]', 1],
    ["", 1],
    ["hello", 1],
    ["[".repeat(100_000), 1],
  ])("text that is not JSON is a problem at its line", (text, line) => {
    expect(problemsOf(parse(text))[0]).toMatchObject({ code: "json", line });
  });

  test("lists of another kind are told apart and named", () => {
    const anthropic = { features: [{ category: "functional", description: "New chat", steps: ["a"], passes: false }] };
    expect(isFeatureList(JSON.stringify(anthropic))).toBe(false);
    expect(problemsOf(parse(anthropic))).toMatchObject([{ code: "not-a-feature-list", line: 2 }]);
    expect(problemsOf(parse(anthropic.features))[0]!.message).toContain("of another kind");
    expect(problemsOf(parse({ features: [{ id: "a" }] }))[0]!.hint).toContain("depends_on");
    expect(problemsOf(parse({ features: [] }))).toMatchObject([{ code: "no-tasks" }]);
    expect(problemsOf(parse({}))).toMatchObject([{ code: "wrong-type" }]);
    expect(isFeatureList('{"features": [{"prompt_file": "a.md"},], /* c */}')).toBe(true);
    expect(isFeatureList('{"features": [{"id": "a", "depends_on": []}]}')).toBe(true);
    expect(isFeatureList("[run]\nmax_parallel = 3\n")).toBe(false);
  });
});

test("using what another feature creates without waiting for it is a warning", () => {
  const list = {
    features: [
      { id: "a", depends_on: [], creates: ["Validator"] },
      { id: "b", depends_on: ["a"], uses: ["Validator"] },
      { id: "c", depends_on: ["b"], uses: ["Validator", "something else"] },
      { id: "d", depends_on: [], uses: ["Validator"] },
    ],
  };
  expect(planOf(parse(list)).warnings.map(({ code, message }) => [code, message])).toEqual([
    ["uses", 'd uses "Validator", which a creates, but does not wait for it'],
  ]);
});

test("any text and any JSON is read without an error", () => {
  const keys = fc.constantFrom(
    "features",
    "id",
    "depends_on",
    "prompt_file",
    "project",
    "repo_path",
    "claude",
    "priority",
    "verify",
    "__proto__",
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom("a", "b", 1, -1, null, true, ""),
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.dictionary(keys, tie("tree")),
    ),
  }));
  const list = fc.record({ features: fc.array(fc.dictionary(keys, tree), { maxLength: 4 }), project: tree });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: "binary" }),
        list.map((value) => JSON.stringify(value)),
      ),
      (text) => {
        const result = parse(text);
        const sound = "plan" in result ? isFeatureList(text) : result.problems.length > 0;
        expect(sound).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});
