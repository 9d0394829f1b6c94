/** `owt plan`: every kind of plan, and every problem at once. */
import { cpSync, existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { demoConfig, Rig, task } from "../rig/rig.ts";

const REAL_PLAN = new URL("../../../shared/data/bo4e-rust", import.meta.url).pathname;

type Preview = {
  tasks: { id: string; title: string; needs: string[]; state: string }[];
  ignored: { file: string }[];
  waves: string[][];
  critical_path: string[];
};

test("steps that the demo agent cannot play are named with their lines, all at once, where it is to play them", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/shop/epic-01-a.md": task({}, 'write a.txt "a"\ndance\n# dance\nwork fast\ndance'),
    "docs/plans/shop/epic-02-b.md": task({ agent: "codex" }, "dance"),
    "docs/plans/shop/epic-03-c.md": `${task({}, 'write c.txt "c"')}\n\`\`\`demo\ntouch d.txt\n`,
    "docs/features.json": JSON.stringify(
      { features: [{ id: "one", name: "One", depends_on: [], description: "Do it\n```demo\nsay\n```\n" }] },
      null,
      2,
    ),
  });
  rig.commit("plan");
  const lines = (text: string) => text.split("\n").filter((line) => /^\S+\.(md|json):\d+ /.test(line));
  const faulty = [
    expect.stringMatching(
      /^docs\/plans\/shop\/epic-01-a\.md:10 shop\/E01: demo step "dance": unknown verb; known: write, /,
    ),
    'docs/plans/shop/epic-01-a.md:12 shop/E01: demo step "work fast": no duration',
    expect.stringContaining("docs/plans/shop/epic-01-a.md:13 shop/E01: "),
    "docs/plans/shop/epic-03-c.md:12 shop/E03: a demo block that nothing ends",
  ];
  for (const words of [["plan"], ["run", "--yes"]]) {
    const { code, stderr } = await rig.owt(...words);
    expect([words, code, lines(stderr)]).toEqual([words, 3, faulty]);
  }
  expect((await rig.owt("plan", "--agent", "claude")).code).toBe(0);
  expect(lines((await rig.owt("plan", "--agent", "demo")).stderr)).toHaveLength(5);
  expect(lines((await rig.owt("plan", "docs/features.json")).stderr)).toEqual([
    expect.stringMatching(/^docs\/features\.json:\d+ one: demo step "say": say takes 1 argument$/),
  ]);
});

describe("the seeds' own examples, as they stand", () => {
  test("the epic of the plan orchestrator, with the two it depends on", async () => {
    await using rig = Rig.create({
      "docs/plans/technical/epic-05-input-validators.md": SEED_EPIC,
      "docs/plans/technical/epic-04-forms.md": "# Epic 04: Forms\n\nForms.\n",
      "docs/plans/billing/epic-00-setup.md": "# Epic 00: Setup\n\nSetup.\n",
    });
    const plan = await rig.json<Preview>("plan");
    expect(plan.tasks.find((each) => each.id === "technical/E05")).toMatchObject({
      title: "Input Validators",
      needs: ["technical/E04", "billing/E00"],
      priority: "high",
    });
    expect((await rig.owt("run", "--yes", "--agent", "demo")).code).toBe(0);
    expect(rig.integrations("owt/runs/r1").at(-1)).toBe("technical/E05");
    // Defect 7 of the seed: the prompt carried only the first paragraph.
    const { task: shown } = await rig.json<{ task: { attempts: { folder: string }[] } }>(
      "task",
      "show",
      "technical/E05",
    );
    const prompt = readFileSync(`${shown.attempts[0]!.folder}/prompt`, "utf8");
    expect(prompt).toContain("- [ ] Required field validation");
    expect(prompt).toContain("technical/E04, billing/E00");
  });

  test("the minimal feature list", async () => {
    await using rig = Rig.create({
      "orchestrator/config/feature_list.json": SEED_MINIMAL,
      "orchestrator/prompts/auth.md": "Write the login.\n",
      "orchestrator/prompts/api.md": "Write the API.\n",
    });
    expect((await rig.owt("run", "--yes", "--agent", "demo")).code).toBe(0);
    expect(rig.integrations("owt/runs/r1")).toEqual(["auth", "api"]);
  });

  test("the same with its advanced, commented keys merged in", async () => {
    const advanced = SEED_MINIMAL.replace(
      '"base_branch": "main"',
      '"base_branch": "main",\n    "max_parallel": 3,        // Max 3 features at once\n    "timeout_seconds": 1800   // 30 min per feature',
    ).replace(
      '  "features": [',
      '  "claude": {\n    "permission_mode": "acceptEdits",\n    "allowed_tools": [\n      "Read", "Write", "Edit",\n      "Bash(npm test)"\n    ]\n  },\n  "features": [',
    );
    await using rig = Rig.create({
      "config/feature_list.json": advanced,
      "prompts/auth.md": "a",
      "prompts/api.md": "b",
    });
    const ran = await rig.owt("run", "--config", "config/feature_list.json", "--yes", "--agent", "demo");
    expect(ran.stderr + ran.stdout).toContain("2 of 2");
    expect(ran.code).toBe(0);
  });

  test.each([
    [
      "rails",
      '{"features": [{"id": "auth-gtin", "depends_on": []},{"id": "api-lookup", "depends_on": ["auth-gtin"]},{"id": "batch-import", "depends_on": ["auth-gtin"]},{"id": "dashboard", "depends_on": ["api-lookup", "batch-import"]}]}',
    ],
    [
      "node",
      '{"features": [{"id": "setup-vite", "depends_on": []},{"id": "header", "depends_on": ["setup-vite"]},{"id": "sidebar", "depends_on": ["setup-vite"]},{"id": "main-view", "depends_on": ["header", "sidebar"]}]}',
    ],
    [
      "diamond",
      '{"features": [{"id": "A", "depends_on": []},{"id": "B", "depends_on": ["A"]},{"id": "C", "depends_on": ["A"]},{"id": "D", "depends_on": ["B", "C"]}]}',
    ],
  ])("the four features of %s", async (_, list) => {
    await using rig = Rig.create({ "feature_list.json": list });
    const plan = await rig.json<Preview>("plan");
    expect(plan.waves.map((wave) => wave.length)).toEqual([1, 2, 1]);
    expect(plan.critical_path).toHaveLength(3);
    expect((await rig.owt("run", "--yes", "--agent", "demo")).code).toBe(0);
    const order = rig.integrations("owt/runs/r1");
    expect([order[0], order[3]]).toEqual([plan.waves[0]![0], plan.waves[2]![0]]);
  });
});

describe("a real plan by others", () => {
  test("23 tasks are found, ignored files named, and all come home in order", async (context) => {
    context.skip(!existsSync(REAL_PLAN), "the plans by others (../shared/data) are not there");
    await using rig = Rig.create({ ".worktreerc": demoConfig });
    cpSync(`${REAL_PLAN}/docs`, `${rig.root}/docs`, { recursive: true });
    const plan = await rig.json<Preview>("plan");
    expect(plan.tasks).toHaveLength(23);
    expect(plan.tasks.every((each) => each.state === "done")).toBe(true);
    expect(plan.ignored.map((each) => each.file)).toEqual(
      expect.arrayContaining(["docs/plans/2026-01-20-bo4e-rust-design.md", "docs/plans/README.md"]),
    );
    for (const each of rig
      .git("ls-files", "-o", "docs/plans")
      .split("\n")
      .filter((name) => name.includes("/epic-"))) {
      const text = readFileSync(`${rig.root}/${each}`, "utf8");
      writeFileSync(`${rig.root}/${each}`, text.replace(/^status: complete$/m, "status: not_started"));
    }
    rig.commit("the plan, not started");
    const before = await rig.json<Preview>("plan");
    const ran = await rig.owt("run", "--yes");
    expect(ran.code).toBe(0);
    const order = rig.integrations("owt/runs/r1");
    expect(order).toHaveLength(23);
    for (const each of before.tasks)
      for (const need of each.needs) expect(order.indexOf(need)).toBeLessThan(order.indexOf(each.id));
  });
});

test("the order shown is the order in which the tasks start: in a step, and one after the other", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/a/epic-01-a.md": task({ priority: "low" }, ""),
    "docs/plans/b/epic-01-b.md": task({}, ""),
    "docs/plans/c/epic-01-c.md": task({}, ""),
    "docs/plans/c/epic-02-c.md": task({}, ""),
    "docs/plans/d/epic-01-d.md": task({ priority: "high" }, ""),
  });
  const plan = await rig.json<Preview & { order: string[] }>("plan");
  expect(plan.waves).toEqual([["d/E01", "c/E01", "b/E01", "a/E01"], ["c/E02"]]);
  expect(plan.order).toEqual(["d/E01", "c/E01", "b/E01", "c/E02", "a/E01"]);
  const inText = (text: string) => [...text.matchAll(/^ {2}(\w\/E\d\d) /gm)].map((match) => match[1]);
  expect(inText((await rig.owt("plan")).stdout)).toEqual(plan.waves.flat());
  expect(inText((await rig.owt("plan", "--sequential")).stdout)).toEqual(plan.order);
  const first = await rig.json<Preview>("plan", "--count", "2");
  expect(first.tasks.filter((each) => each.state === "to-run").map((each) => each.id)).toEqual(["c/E01", "d/E01"]);
  expect((await rig.owt("run", "--yes", "--sequential")).code).toBe(0);
  expect(rig.integrations("owt/runs/r1")).toEqual(plan.order);
});

describe("problems", () => {
  test("every problem of a plan is reported at once with file:line and a hint, and nothing runs", async () => {
    await using rig = Rig.create(
      {
        ".worktreerc": demoConfig,
        "docs/plans/a/epic-01-x.md": task({ depends_on: ["b/E01"] }, ""),
        "docs/plans/b/epic-01-x.md": task({ depends_on: ["a/E01"] }, ""),
        "docs/plans/c/epic-01-x.md": task({ depends_on: ["c/E07", "nowhere/E01"] }, ""),
        "docs/plans/d/epic-01-x.md": task({}, ""),
        "docs/plans/d/01-epic-y.md": task({}, ""),
        "docs/plans/e/epic-01-x.md": "---\npriority: [high\n---\n# E\n",
      },
      { approve: false },
    );
    for (const command of [["plan"], ["run", "--yes"]]) {
      const ran = await rig.owt(...command);
      expect(ran.code).toBe(3);
      expect(ran.stderr).toMatch(/a\/E01 → b\/E01 → a\/E01|b\/E01 → a\/E01 → b\/E01/);
      expect(ran.stderr).toMatch(/docs\/plans\/c\/epic-01-x\.md:\d+ .*nowhere\/E01/);
      expect(ran.stderr).toMatch(/d\/E01 is defined twice/);
      expect(ran.stderr).toMatch(/docs\/plans\/e\/epic-01-x\.md:\d+/);
    }
    expect(rig.git("branch", "--list", "owt/*")).toBe("");
  });

  test("front matter is data: it can never execute", async () => {
    await using rig = Rig.create({ ".worktreerc": demoConfig });
    rig.write({
      "docs/plans/a/epic-01-x.md": `---js\nrequire("fs").writeFileSync(${JSON.stringify(rig.path("ran"))}, "")\n---\n# X\n`,
    });
    rig.write({
      "docs/plans/a/epic-02-x.md": `---\nx: !!js/function "function(){ require('fs').writeFileSync('${rig.path("ran")}','') }"\n---\n# X\n`,
    });
    rig.commit("plan");
    await rig.owt("plan");
    await rig.owt("run", "--yes");
    expect(existsSync(rig.path("ran"))).toBe(false);
  });

  test("files outside the repository are not read", async () => {
    await using rig = Rig.create({
      "feature_list.json":
        '{"features":[{"id":"a","prompt_file":"../secret.md","depends_on":[]},{"id":"b","prompt_file":"link.md","depends_on":[]},{"id":"c","prompt_file":"gone.md","depends_on":[]}]}',
    });
    writeFileSync(rig.path("secret.md"), "secret");
    symlinkSync(rig.path("secret.md"), `${rig.root}/link.md`);
    const ran = await rig.owt("plan");
    expect(ran.code).toBe(3);
    for (const name of ["../secret.md", "link.md", "gone.md"]) expect(ran.stderr).toContain(name);
    expect(ran.stdout).toBe("");
  });

  test("a repository of another path in the list, and a prompt under prompts/ twice (the seed's shipped example)", async () => {
    await using rig = Rig.create({
      "config/feature_list.json":
        '{"project":{"name":"x","repo_path":"/Users/nobody/project"},"features":[{"id":"a","depends_on":[],"prompt_file":"prompts/a.md"}]}',
      "prompts/a.md": "do a",
    });
    const ran = await rig.owt("plan");
    expect(ran.code).toBe(3);
    expect(ran.stderr).toContain("/Users/nobody/project");
    rig.write({
      "config/feature_list.json":
        '{"project":{"name":"x","repo_path":".."},"features":[{"id":"a","depends_on":[],"prompt_file":"prompts/a.md"}]}',
    });
    expect((await rig.json<Preview>("plan")).tasks.map((each) => each.id)).toEqual(["a"]);
  });

  test("two plans: an error that names both; none: an error that names the way in", async () => {
    await using rig = Rig.create({
      "docs/plans/a/epic-01-x.md": "# X\n",
      "feature_list.json": '{"features":[{"id":"a","depends_on":[]}]}',
    });
    const both = await rig.owt("plan");
    expect(both.code).toBe(3);
    expect(both.stderr).toMatch(/docs\/plans.*feature_list\.json/s);
    expect((await rig.json<Preview>("plan", "feature_list.json")).tasks).toHaveLength(1);
    await using empty = Rig.create({});
    const none = await empty.owt("plan");
    expect(none.code).toBe(3);
    expect(none.stderr).toContain("docs/plans/<module>");
  });

  test("bad configuration: all errors at once, with the nearest key", async () => {
    await using rig = Rig.create(
      {
        ".worktreerc": '[run]\nmax_paralel = 3\ntimeout = "soon"\n\n[agnet]\ndefault = "demo"\n',
        "docs/plans/a/epic-01-x.md": "# X\n",
      },
      { approve: false },
    );
    const ran = await rig.owt("plan");
    expect(ran.code).toBe(3);
    expect(ran.stderr).toContain("did you mean max_parallel");
    expect(ran.stderr).toContain("run.timeout");
    expect(ran.stderr).toContain("did you mean agent");
    expect(ran.stderr).toContain(".worktreerc:2");
  });

  test("outside a repository, and in one without a commit, the error names the way in", async () => {
    await using rig = Rig.create({});
    const outside = await rig.owtIn(rig.home, "status");
    expect(outside.code).toBe(3);
    expect(outside.stderr).toMatch(/git init|repository/);
  });
});

const SEED_EPIC = `---
module: technical
epic: 5
title: Input Validators
priority: high
depends_on:
  - technical/E04
  - billing/E00
---

# Epic 05: Input Validators

Implement input validation for all user-facing forms.

## Acceptance Criteria

- [ ] Email validation
- [ ] Phone number validation
- [ ] Required field validation
`;

const SEED_MINIMAL = `{
  "project": {
    "name": "MyProject",
    "repo_path": "..",
    "base_branch": "main"
  },
  "features": [
    {
      "id": "auth",
      "name": "User Authentication",
      "depends_on": [],
      "prompt_file": "auth.md"
    },
    {
      "id": "api",
      "name": "REST API",
      "depends_on": ["auth"],
      "prompt_file": "api.md"
    }
  ]
}
`;

type Range = { p50: number; p90: number };
type Expected = Omit<Preview, "tasks"> & {
  order: string[];
  max_parallel: number;
  tasks: { id: string; estimate: { duration_ms: Range; cost_usd: Range | null; from: string } | null }[];
  estimate: {
    label: string;
    earlier_tasks: number;
    makespan_ms: Range;
    sequential_ms: Range;
    speedup: number;
    cost_usd: Range | null;
    critical_path_ms: number;
    parallelism: { most: number; average: number };
  };
};

describe("time and cost", () => {
  const list = (extra = "") =>
    `{"features": [{"id": "auth", "depends_on": [], "estimated_tokens": 30000},
      {"id": "api", "depends_on": ["auth"], "estimated_tokens": 40000${extra}}, {"id": "docs", "depends_on": []}]}`;

  test("a cold start is called one, goes by estimated tokens and the price list, and else by a table", async () => {
    await using rig = Rig.create({ "feature_list.json": list() });
    const plan = await rig.json<Expected>("plan");
    const [auth, api, docs] = plan.tasks;
    // 6 seconds and 1,200 output tokens at $20 a million for 1,000 estimated ones; P90 is 2.25 times P50.
    expect(auth!.estimate).toMatchObject({ duration_ms: { p50: 180_000, p90: 405_000 }, from: "cold-start" });
    expect(auth!.estimate!.cost_usd).toEqual({ p50: 0.72, p90: 1.62 });
    expect(api!.estimate!.duration_ms.p50).toBe(240_000);
    expect(docs!.estimate!.duration_ms.p50).toBe(540_000);
    expect(plan.estimate).toMatchObject({ label: "cold start: no history yet", earlier_tasks: 0 });
    expect(plan.critical_path).toEqual(["docs"]);
    expect(plan.estimate.critical_path_ms).toBe(540_000);
    expect(plan.estimate.parallelism.most).toBe(2);
    expect(plan.estimate.makespan_ms.p90).toBeGreaterThan(plan.estimate.makespan_ms.p50);
    expect(plan.estimate.sequential_ms.p50).toBeGreaterThan(plan.estimate.makespan_ms.p50);
    // The same plan has the same forecast.
    expect((await rig.json<Expected>("plan")).estimate).toEqual(plan.estimate);
    const alone = await rig.json<Expected>("plan", "--parallel", "1");
    expect(alone.estimate).toMatchObject({ speedup: 1, parallelism: { most: 1, average: 1 } });
    const text = (await rig.owt("plan")).stdout;
    expect(text).toContain("cold start: no history yet");
    expect(text).toMatch(/^ {2}auth {2}3m–6\.8m {2}\$0\.72–\$1\.62/m);
    expect(text).toContain("critical path, 9m: docs");
    expect(text).toMatch(/one after the other: speed-up 1\.\d/);
  });

  test("a model that no list knows costs an unknown amount, never nothing", async () => {
    await using rig = Rig.create({ "feature_list.json": list(', "model": "somebody-elses"') });
    const plan = await rig.json<Expected & { estimate: { cost_unknown_tasks: number } }>("plan");
    expect(plan.tasks.map(({ estimate }) => estimate!.cost_usd === null)).toEqual([false, true, false]);
    expect(plan.estimate.cost_unknown_tasks).toBe(1);
    expect((await rig.owt("plan")).stdout).toContain("and 1 task of unknown cost");
    expect((await rig.owt("plan", "--model", "somebody-elses")).stdout).toContain("cost  unknown");
  });

  test("from this repository's own history, by which the longest expected path is begun first", async () => {
    const numbers = ["01", "02", "03", "04", "05"];
    const files = (module: string, steps: string) =>
      numbers.map(
        (n) => [`docs/plans/${module}/epic-${n}-x.md`, task({}, `write ${module}${n} "x"\n${steps}`)] as const,
      );
    await using rig = Rig.create({
      ".worktreerc": demoConfig,
      ...Object.fromEntries([...files("brief", "cost 0.5"), ...files("slow", "cost 2\nwork 400ms")]),
    });
    const before = await rig.json<Expected>("plan");
    expect(before.estimate.label).toBe("cold start: no history yet");
    expect(before.order[0]).toBe("brief/E01");
    expect((await rig.owt("run", "--yes")).code).toBe(0);
    const after = await rig.json<Expected>("plan", "--again", "--from-target");
    expect(after.estimate).toMatchObject({ label: "from 10 earlier tasks", earlier_tasks: 10 });
    const [brief, slow] = ["brief/E01", "slow/E01"].map((id) => after.tasks.find((each) => each.id === id)!.estimate!);
    expect(brief).toMatchObject({ cost_usd: { p50: 0.5, p90: 0.5 }, from: "agent, model and kind", earlier_tasks: 5 });
    expect(slow).toMatchObject({ cost_usd: { p50: 2, p90: 2 }, from: "agent, model and kind" });
    expect(slow!.duration_ms.p50).toBeGreaterThan(brief!.duration_ms.p50);
    expect(after.estimate.cost_usd!.p50).toBeCloseTo(12.5, 3);
    expect(after.order[0]).toBe("slow/E01");
    expect((await rig.owt("run", "--yes", "--again", "--from-target", "--sequential")).code).toBe(0);
    expect(rig.integrations("owt/runs/r2")).toEqual(after.order);
    // What only plays tells nothing about an agent that works.
    const real = await rig.json<Expected>("plan", "--agent", "claude", "--again");
    expect(real.estimate.label).toBe("cold start: no history yet");
  });

  test("the text stays within 80 columns, whatever the names", async () => {
    const long = "A very long title that says in many words what is to be done here and why it is so".repeat(2);
    await using rig = Rig.create({
      "docs/plans/a-module-with-a-rather-long-name/epic-01-x.md": `# ${long}\n\nDo it.\n`,
      "docs/plans/a-module-with-a-rather-long-name/epic-02-x.md": `---\nneeds_review: true\npriority: high\n---\n# ${long}\n\nDo it.\n`,
      "docs/plans/b/epic-01-x.md": "---\ndepends_on: [a-module-with-a-rather-long-name/E01]\n---\n# B\n\nDo it.\n",
    });
    for (const args of [[], ["--sequential"]]) {
      const ran = await rig.owt("plan", ...args);
      expect(ran.code).toBe(0);
      expect(ran.stdout.split("\n").filter((line) => [...line].length > 80)).toEqual([]);
      expect(ran.stdout).toContain("needs review");
    }
  });

  test("a number of agents that is none is refused with what is expected", async () => {
    await using rig = Rig.create({ "feature_list.json": list() });
    const ran = await rig.owt("plan", "--parallel", "none");
    expect([ran.code, ran.stdout]).toEqual([2, ""]);
    expect(ran.stderr).toContain("expected a whole number above 0");
  });
});
