import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { SAMPLE_OPTIONS, sampleSpec } from "../../test/rig/samples.ts";
import type { BareTask, Task } from "../core/task.ts";
import { BARE_TASKS, readBareTasks } from "./bare-tasks.ts";
import { openStore, type Store } from "./database.ts";
import { addTasks, createRun, type NewTask } from "./runs.ts";
import { changeTask, moveTask, readTasks, type TaskChange } from "./tasks.ts";

const newTask = (key: string): NewTask => ({ spec: sampleSpec(key), hash: key, needs: key === "a" ? [] : ["a"] });

function storeWith(...keys: string[]): Store {
  const place = mkdtempSync(join(tmpdir(), "owt-bare-"));
  const store = openStore(place);
  onTestFinished(() => {
    store.close();
    rmSync(place, { recursive: true, force: true });
  });
  const run = { planKind: "markdown", planPath: "docs", target: "main", base: "b0", buildsOn: null } as const;
  createRun(store, 1, { ...run, options: SAMPLE_OPTIONS }, keys.map(newTask));
  return store;
}

function bareOf(task: Task): BareTask {
  const {
    id,
    run,
    key,
    state,
    needs,
    park,
    notBefore,
    next,
    reason,
    cancelWish,
    approved,
    verified,
    startedAt,
    rival,
  } = task;
  return {
    id,
    run,
    key,
    state,
    needs,
    park,
    notBefore,
    next,
    reason,
    cancelWish,
    approved,
    verified,
    startedAt,
    rival,
  };
}

const CHANGES: TaskChange[] = [
  {},
  { park: { for: "answer", question: "which?" } },
  { notBefore: 5 },
  { next: { kind: "resume", from: 3 } },
  { next: { kind: "fresh", met: { files: ["f"], command: "", output: "", ours: "o" } } },
  { cancelWish: true },
  { approved: true },
  { reason: "because" },
  { verified: true },
  { startedAt: 7 },
];

test.each(CHANGES)("are what the whole tasks say, in plan order, where one of them has %j", (change) => {
  const store = storeWith("c", "a", "b");
  const rival = { of: "d", agent: "x", model: null, place: 0, size: null, end: null };
  addTasks(store, 2, "r1", [{ ...newTask("d"), rival }]);
  const [, second] = readTasks(store, "r1");
  changeTask(store, second!.id, change);
  expect(readBareTasks(store, "r1")).toEqual(readTasks(store, "r1").map(bareOf));
});

test("are what the whole tasks say once one runs", () => {
  const store = storeWith("a", "b");
  const [first] = readTasks(store, "r1");
  moveTask(store, 3, first!, "running", { startedAt: 3 });
  expect(readBareTasks(store, "r1")).toEqual(readTasks(store, "r1").map(bareOf));
});

test("of those that nothing happened to come out of the index, and the table is not read", () => {
  const store = storeWith("a");
  const steps = store.all(`explain query plan ${BARE_TASKS}`, "r1", "r1").map(({ detail }) => String(detail));
  expect(steps).toContainEqual(expect.stringContaining("USING COVERING INDEX task_untouched"));
  expect(steps).toContainEqual(expect.stringContaining("USING INDEX task_touched"));
});
