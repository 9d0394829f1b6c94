import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OwtError } from "../core/errors.ts";
import type { Plan, PlanResult, Problem } from "../core/plan.ts";
import { findPlan, readPlan } from "./read-plan.ts";

let base: string;
let root: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "owt-plan-"));
  root = join(base, "repo");
  mkdirSync(root);
});

afterEach(() => rmSync(base, { recursive: true, force: true }));

function write(path: string, text: string | Uint8Array = "# T\n\nText."): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

const LIST = JSON.stringify({ features: [{ id: "a", depends_on: [] }] });

function planOf(result: PlanResult): Plan {
  if (!("plan" in result)) throw new Error(`no plan: ${JSON.stringify(result.problems)}`);
  return result.plan;
}

function problemsOf(result: PlanResult): Problem[] {
  if ("plan" in result) throw new Error("a plan, where problems were expected");
  return result.problems;
}

async function failure(promise: Promise<unknown>): Promise<OwtError> {
  const error = await promise.then(
    () => new Error("it succeeded"),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof OwtError)) throw error;
  return error;
}

describe("findPlan", () => {
  test("the argument wins over the configuration, and that over the usual places", async () => {
    write("docs/plans/m/epic-01-x.md");
    write("one.json", LIST);
    write("two.json", LIST);
    expect(await findPlan(root, "one.json", "two.json")).toBe("one.json");
    expect(await findPlan(root, join(root, "one.json"))).toBe("one.json");
    expect(await findPlan(root, undefined, "./two.json")).toBe("two.json");
    expect(await findPlan(root)).toBe("docs/plans");
  });

  test.each(["feature_list.json", "config/feature_list.json", "orchestrator/config/feature_list.json"])(
    "%s is found",
    async (path) => {
      write(path, LIST);
      expect(await findPlan(root)).toBe(path);
    },
  );

  test("two plans are an error that names both", async () => {
    write("docs/plans/m/epic-01-x.md");
    write("config/feature_list.json", LIST);
    const error = await failure(findPlan(root));
    expect(error.code).toBe("plan");
    expect(error.message).toContain("docs/plans and config/feature_list.json");
    expect(error.hint).toContain("owt run docs/plans");
  });

  test("design notes and lists of other tools are no second plan, but the best answer alone", async () => {
    write("docs/plans/2026-01-20-design.md");
    expect(await findPlan(root)).toBe("docs/plans");
    write("feature_list.json", JSON.stringify({ features: [{ category: "ui", steps: [], passes: false }] }));
    write("config/feature_list.json", LIST);
    expect(await findPlan(root)).toBe("config/feature_list.json");
  });

  test("no plan, a name that leads nowhere, and one that leads out are errors with a hint", async () => {
    expect(await failure(findPlan(root))).toMatchObject({
      code: "plan",
      hint: expect.stringContaining("owt run PLAN"),
    });
    expect((await failure(findPlan(root, "gone"))).message).toBe("the plan gone does not exist");
    expect(await failure(findPlan(root, undefined, "gone"))).toMatchObject({
      hint: expect.stringContaining(".worktreerc"),
    });
    expect((await failure(findPlan(root, ".."))).message).toContain("out of the repository");
    symlinkSync(base, join(root, "link"));
    expect((await failure(findPlan(root, "link"))).message).toContain("out of the repository");
  });
});

describe("a folder", () => {
  test("dot folders, node_modules and other files are not read", async () => {
    write("docs/plans/m/epic-01-x.md");
    write("docs/plans/.hidden/epic-01-x.md");
    write("docs/plans/node_modules/epic-01-x.md");
    write("docs/plans/m/picture.png", new Uint8Array([255, 0]));
    const plan = planOf(await readPlan(root, "docs/plans"));
    expect(plan.tasks.map(({ id }) => id)).toEqual(["m/E01"]);
    expect(plan.ignored).toEqual([]);
  });

  test("what is named like a task and cannot be one is listed with the reason", async () => {
    for (const path of ["epic-01-a.md", "epic-13-x.markdown", "notes.markdown", "epic-14-y.txt", "picture.png"])
      write(`docs/plans/m/${path}`);
    write("docs/plans/m/epic-09-dir.md/inside.txt");
    write("docs/plans/epic-10-module.md/epic-01-b.md");
    const plan = planOf(await readPlan(root, "docs/plans"));
    expect(plan.tasks.map(({ id }) => id)).toEqual(["epic-10-module.md/E01", "m/E01"]);
    expect(plan.ignored).toEqual([
      { file: "docs/plans/m/epic-09-dir.md", reason: "a folder, not a file" },
      { file: "docs/plans/m/epic-13-x.markdown", reason: "not a .md file" },
      { file: "docs/plans/m/epic-14-y.txt", reason: "not a .md file" },
      { file: "docs/plans/m/notes.markdown", reason: "not a .md file" },
    ]);
  });

  test("a module's own folder is a plan of that module, also through a link to the repository", async () => {
    write("docs/plans/technical/epic-01-x.md");
    expect(planOf(await readPlan(root, "docs/plans/technical")).tasks[0]!.id).toBe("technical/E01");
    symlinkSync(root, join(base, "again"));
    expect(planOf(await readPlan(join(base, "again"), join(base, "again/docs/plans"))).path).toBe("docs/plans");
  });

  test("links that stay inside are followed, in a circle only once; those that leave are problems", async () => {
    write("docs/plans/m/epic-01-x.md");
    write("shared/epic-02-y.md");
    symlinkSync("../../../shared/epic-02-y.md", join(root, "docs/plans/m/epic-02-y.md"));
    symlinkSync("..", join(root, "docs/plans/m/loop"));
    expect(planOf(await readPlan(root, "docs/plans")).tasks.map(({ id }) => id)).toEqual(["m/E01", "m/E02"]);

    writeFileSync(join(base, "secret.md"), "secret");
    symlinkSync(join(base, "secret.md"), join(root, "docs/plans/m/epic-03-z.md"));
    symlinkSync(base, join(root, "docs/plans/out"));
    symlinkSync("nowhere.md", join(root, "docs/plans/m/epic-04-broken.md"));
    symlinkSync(join(base, "secret.md"), join(root, "docs/plans/m/picture.png"));
    const problems = problemsOf(await readPlan(root, "docs/plans"));
    expect(problems.map(({ message }) => message).sort()).toEqual([
      "docs/plans/m/epic-03-z.md leads out of the repository",
      "docs/plans/m/epic-04-broken.md is a link that leads nowhere",
      "docs/plans/out leads out of the repository",
    ]);
    expect(JSON.stringify(problems)).not.toContain('secret"');
  });

  test("problems of reading and of content are told together", async () => {
    write("docs/plans/m/epic-01-x.md", new Uint8Array([0xff, 0xfe, 35, 0]));
    write("docs/plans/m/epic-02-y.md", "---\nstatus: nope\n---\n");
    write("docs/plans/m/epic-03-z.md", "x".repeat(2_000_001));
    expect(problemsOf(await readPlan(root, "docs/plans")).map(({ code, file }) => [code, file])).toEqual([
      ["unreadable", "docs/plans/m/epic-01-x.md"],
      ["unreadable", "docs/plans/m/epic-03-z.md"],
      ["unknown-status", "docs/plans/m/epic-02-y.md"],
    ]);
  });
});

describe("one file", () => {
  test("a markdown file is a plan of one task, with its module's README", async () => {
    write("docs/plans/m/epic-05-x.md");
    write("docs/plans/m/README.md", "Context.");
    expect(planOf(await readPlan(root, "docs/plans/m/epic-05-x.md")).tasks).toMatchObject([
      { id: "m/E05", context: "Context." },
    ]);
  });

  test("anything else is a problem, and a path that leads nowhere an error", async () => {
    write("notes.txt", "hello");
    expect(problemsOf(await readPlan(root, "notes.txt"))).toMatchObject([{ code: "not-a-plan" }]);
    expect((await failure(readPlan(root, "gone.json"))).code).toBe("plan");
  });
});

describe("a feature list", () => {
  const contentOf = async (list: string, feature: object, project: object = {}) => {
    write(list, JSON.stringify({ project, features: [{ id: "a", depends_on: [], ...feature }] }));
    const [first] = planOf(await readPlan(root, list)).tasks;
    return first!.content;
  };

  test.each([
    ["config/feature_list.json", "auth.md", "prompts/auth.md"],
    ["config/feature_list.json", "prompts/auth.md", "prompts/auth.md"],
    ["config/feature_list.json", "./prompts/auth.md", "prompts/auth.md"],
    ["config/feature_list.json", "sub/auth.md", "prompts/sub/auth.md"],
    ["config/feature_list.json", "auth.md", "config/auth.md"],
    ["config/feature_list.json", "docs/auth.md", "docs/auth.md"],
    ["orchestrator/config/feature_list.json", "prompts/auth.md", "orchestrator/prompts/auth.md"],
    ["feature_list.json", "auth.md", "prompts/auth.md"],
    ["feature_list.json", "auth.md", "auth.md"],
  ])("%s: %s is found at %s", async (list, name, place) => {
    write(place, `at ${place}`);
    expect(await contentOf(list, { prompt_file: name })).toBe(`at ${place}`);
  });

  test("<id>.md is found without being named, and the first place wins", async () => {
    write("prompts/a.md", "first");
    write("config/a.md", "second");
    expect(await contentOf("config/feature_list.json", {})).toBe("first");
  });

  test("a missing prompt names the places; one outside is refused, however it is reached", async () => {
    const problem = async (name: string) => {
      write("config/f.json", JSON.stringify({ features: [{ id: "a", prompt_file: name }] }));
      return problemsOf(await readPlan(root, "config/f.json"))[0]!;
    };
    writeFileSync(join(base, "secret.md"), "secret");
    symlinkSync(join(base, "secret.md"), join(root, "link.md"));
    expect((await problem("gone.md")).hint).toBe(
      "looked for prompts/gone.md, config/prompts/gone.md, config/gone.md, gone.md",
    );
    expect((await problem("../../../secret.md")).message).toContain("outside the repository");
    expect((await problem(join(base, "secret.md"))).message).toContain("outside the repository");
    expect((await problem("link.md")).message).toContain("leads out of the repository");
  });

  test("repo_path may be any way to this repository, from the list's folder or the one above", async () => {
    symlinkSync(root, join(base, "alias"));
    for (const path of ["..", ".", root, join(base, "alias"), "../../repo"]) {
      expect(await contentOf("config/feature_list.json", {}, { repo_path: path })).toBe("a");
    }
    expect(await contentOf("orchestrator/config/feature_list.json", {}, { repo_path: ".." })).toBe("a");
  });

  test("a repo_path that is another place is a problem at its line", async () => {
    write(
      "config/f.json",
      '{\n"project": {\n"repo_path": "/Users/somebody/Projekt" },\n"features": [{ "id": "a", "depends_on": [] }] }',
    );
    expect(problemsOf(await readPlan(root, "config/f.json"))).toMatchObject([
      { code: "repo-path", line: 3, message: "repo_path /Users/somebody/Projekt is not this repository" },
    ]);
  });
});

const BO4E = fileURLToPath(new URL("../../../shared/data/bo4e-rust", import.meta.url));

describe("a real plan by others", () => {
  test("has 23 tasks in seven modules, all complete, each behind its predecessor", async (context) => {
    context.skip(!existsSync(BO4E), "the plans by others (../shared/data) are not there");
    expect(await findPlan(BO4E)).toBe("docs/plans");
    const plan = planOf(await readPlan(BO4E, "docs/plans"));
    expect(plan.tasks).toHaveLength(23);
    expect(new Set(plan.tasks.map(({ module }) => module)).size).toBe(7);
    expect(plan.tasks.every(({ status }) => status === "complete")).toBe(true);
    expect(plan.tasks.flatMap(({ implied }) => implied)).toHaveLength(16);
    expect(plan.warnings).toEqual([]);
    const task = plan.tasks.find(({ id }) => id === "phase-1-foundation/E02")!;
    expect(task).toMatchObject({
      title: "CI/CD Pipeline",
      implied: ["phase-1-foundation/E01"],
      source: { file: "docs/plans/phase-1-foundation/epic-1.2-ci-cd-pipeline.md" },
    });
    expect(task.description).toMatch(/^\*\*Goal:\*\* Set up GitHub Actions/);
    expect(task.context).toMatch(/^# Phase 1: Foundation/);
  });

  test("gives the ids under which its tasks were really run", async (context) => {
    context.skip(!existsSync(BO4E), "the plans by others (../shared/data) are not there");
    const { default: trace } = (await import(join(BO4E, "trace.json"), { with: { type: "json" } })) as {
      default: Record<string, { file: string }>;
    };
    const plan = planOf(await readPlan(BO4E, "docs/plans"));
    expect(Object.fromEntries(plan.tasks.map(({ id, source }) => [id, source.file]))).toEqual(
      Object.fromEntries(Object.entries(trace).map(([id, { file }]) => [id, file])),
    );
  });

  test("names the files that are no tasks", async (context) => {
    context.skip(!existsSync(BO4E), "the plans by others (../shared/data) are not there");
    expect(planOf(await readPlan(BO4E, "docs/plans")).ignored).toEqual([
      { file: "docs/plans/2026-01-20-bo4e-rust-design.md", reason: "a dated note" },
      { file: "docs/plans/2026-01-20-drift-detection-design.md", reason: "a dated note" },
      { file: "docs/plans/README.md", reason: "a README beside no tasks" },
    ]);
  });
});
