import { expect, test } from "vitest";
import { checkPlan } from "./plan.ts";
import type { DraftTask, PlanDraft, PlannedTask } from "./plan.ts";

const task = (id: string, dependsOn: string[] = [], rest: Partial<PlannedTask> = {}): DraftTask => ({
  task: {
    id,
    title: id,
    module: null,
    content: id,
    context: "",
    source: { file: "plan.json", line: 1 },
    dependsOn,
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
    description: "",
    ...rest,
  },
  needLines: dependsOn.map((_, at) => at + 10),
  branchLine: 5,
});

const draft = (...tasks: DraftTask[]): PlanDraft => ({
  kind: "ad-hoc",
  path: "plan.json",
  tasks,
  ignored: [],
  warnings: [],
  settings: {},
});

test("a sound plan keeps its order; a dependency named twice counts once, and none is both named and implied", () => {
  const result = checkPlan(draft(task("b", ["a", "a"], { implied: ["a"] }), task("a")));
  if (!("plan" in result)) throw new Error("problems");
  expect(result.plan.tasks.map(({ id, dependsOn, implied }) => ({ id, dependsOn, implied }))).toEqual([
    { id: "b", dependsOn: ["a"], implied: [] },
    { id: "a", dependsOn: [], implied: [] },
  ]);
});

test("a cycle through the second of two tasks with one id is told along with the id, at its own line", () => {
  const result = checkPlan(
    draft(task("a"), task("b", ["a"]), task("a", ["c", "b"], { source: { file: "z.json", line: 3 } }), task("c")),
  );
  if ("plan" in result) throw new Error("no problems");
  expect(result.problems.map(({ code, message }) => `${code}: ${message}`)).toEqual([
    expect.stringContaining("duplicate-id: a is defined twice"),
    expect.stringContaining("cycle: tasks wait for each other: a → b → a"),
  ]);
  expect(result.problems.find(({ code }) => code === "cycle")).toMatchObject({ file: "z.json", line: 11 });
  expect(result.tasks.map(({ id }) => id)).toEqual(["a", "b", "a", "c"]);
});

test("every cycle is told once, with its way and the line of a dependency in it", () => {
  const result = checkPlan(
    draft(
      task("a", ["b"]),
      task("b", ["c", "a"]),
      task("c"),
      task("d", ["c", "e"]),
      task("e", ["f"]),
      task("f", ["d"]),
    ),
  );
  expect("problems" in result && result.problems.map(({ message, line }) => [line, message])).toEqual([
    [10, "tasks wait for each other: a → b → a"],
    [11, "tasks wait for each other: d → e → f → d"],
  ]);
});

test("problems of parsing come with those of the graph, sorted by place, and none of the warnings is lost", () => {
  const found = { file: "plan.json", line: 7, code: "json", message: "comma expected", hint: "mend it" };
  const warning = { ...found, code: "uses" };
  const result = checkPlan({ ...draft(task("a", ["ghost"])), warnings: [warning] }, [found]);
  expect("problems" in result && result.problems.map(({ code }) => code)).toEqual(["json", "unknown-dependency"]);
  expect("problems" in result && result.warnings).toEqual([warning]);
});

test("a plan without tasks is a problem, but no echo of another one", () => {
  const found = { file: "plan.json", line: 7, code: "json", message: "comma expected", hint: "mend it" };
  const codes = (problems: (typeof found)[]) => {
    const result = checkPlan(draft(), problems);
    return "problems" in result && result.problems.map(({ code }) => code);
  };
  expect(codes([])).toEqual(["no-tasks"]);
  expect(codes([found])).toEqual(["json"]);
});

test("10,000 tasks with branches are checked", () => {
  const tasks = Array.from({ length: 10_000 }, (_, at) =>
    task(`t${at}`, at > 0 ? [`t${at - 1}`] : [], { branch: `feat/x/${at}` }),
  );
  expect("plan" in checkPlan(draft(...tasks))).toBe(true);
});
