/** What is remembered of a run's tasks is always what a connection that remembers nothing reads. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Arbitrary, array, assert, constantFrom, nat, property, record } from "fast-check";
import { expect, test } from "vitest";
import { SAMPLE_OPTIONS, sampleSpec } from "../../test/rig/samples.ts";
import { openStore, type Store } from "./database.ts";
import { addTasks, createRun } from "./runs.ts";
import { changeTask, moveTask, readTask, readTasks, replaceSpec } from "./tasks.ts";

type Op = { do: "move" | "change" | "respec" | "add" | "undo" | "look"; by: 0 | 1; which: number };

const op: Arbitrary<Op> = record({
  do: constantFrom("move", "change", "respec", "add", "undo", "look"),
  by: constantFrom(0, 1),
  which: nat(5),
});

test("whatever two processes write, add and undo", () => {
  assert(
    property(array(op, { maxLength: 30 }), (ops) => {
      const place = realpathSync(mkdtempSync(join(tmpdir(), "owt-known-")));
      const stores = [openStore(place), openStore(place)] as const;
      try {
        const run = { planKind: "markdown", planPath: "p", target: "main", base: "b0", buildsOn: null } as const;
        const tasks = ["a", "b", "c"].map((key) => ({ spec: sampleSpec(key), hash: key, needs: [] }));
        createRun(stores[0], 1, { ...run, options: SAMPLE_OPTIONS }, tasks);
        ops.forEach((each, at) => apply(stores[each.by], each, at));
        expectAllKnown(place, stores);
      } finally {
        for (const store of stores) store.close();
        rmSync(place, { recursive: true, force: true });
      }
    }),
    { numRuns: 60 },
  );
});

function apply(store: Store, { do: what, which }: Op, at: number): void {
  const tasks = readTasks(store, "r1");
  const task = tasks[which % tasks.length]!;
  if (what === "move") moveTask(store, at, task, task.state === "pending" ? "running" : "pending");
  if (what === "change") changeTask(store, task.id, { failures: at });
  if (what === "respec") replaceSpec(store, task, sampleSpec(task.key, { title: `T${at}` }), `h${at}`, []);
  if (what === "add") addTasks(store, at, "r1", [{ spec: sampleSpec(`n${at}`), hash: "h", needs: [] }]);
  if (what !== "undo") return;
  const undone = () =>
    store.transaction(() => {
      changeTask(store, task.id, { failures: 1_000 + at });
      addTasks(store, at, "r1", [{ spec: sampleSpec(`u${at}`), hash: "h", needs: [] }]);
      expect(readTasks(store, "r1").map((each) => each.id)).toContain(task.id);
      expect(readTasks(store, "r1")).toEqual(readTasks(store, "r1").map((each) => readTask(store, each.id)));
      throw new Error("undone");
    });
  expect(undone).toThrow("undone");
}

function expectAllKnown(place: string, stores: readonly Store[]): void {
  const fresh = openStore(place);
  try {
    for (const store of stores) expect(readTasks(store, "r1")).toEqual(readTasks(fresh, "r1"));
  } finally {
    fresh.close();
  }
}
