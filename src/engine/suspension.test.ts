import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { newAttempt, sampleRun, sampleSpec } from "../../test/rig/samples.ts";
import { openAttempt, readOpenAttempts } from "../store/attempts.ts";
import { openStore } from "../store/database.ts";
import { readStepEvents } from "../store/events.ts";
import { createRun } from "../store/runs.ts";
import { readTasks } from "../store/tasks.ts";
import { attemptDir, type Engine } from "./engine.ts";
import { beat, beginBeat, endBeat } from "./suspension.ts";

const BEGAN = 1_000_000;

/** An open attempt whose agent has ended after a time (ms), and whoever carries it, who looks at the clock so long after its beginning. */
function carrier(endedAfter: number, now: number): Pick<Engine, "repo" | "store" | "now"> {
  const place = mkdtempSync(join(tmpdir(), "owt-suspended-"));
  const store = openStore(place);
  onTestFinished(() => {
    store.close();
    rmSync(place, { recursive: true, force: true });
  });
  const { options } = sampleRun();
  const run = createRun(
    store,
    BEGAN,
    { planKind: "markdown", planPath: "p", target: "main", base: "b0", buildsOn: null, options },
    [{ spec: sampleSpec("a"), hash: "h", needs: [] }],
  );
  const attempt = openAttempt(store, BEGAN, newAttempt(readTasks(store, run.id)[0]!.id));
  const engine = { repo: { commonDir: place } as Engine["repo"], store, now: () => BEGAN + now };
  const folder = attemptDir(engine, attempt.id);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "exit"), "0\n");
  utimesSync(join(folder, "exit"), (BEGAN + endedAfter) / 1_000, (BEGAN + endedAfter) / 1_000);
  return engine;
}

const suspensions = ({ store }: Pick<Engine, "store">) =>
  readStepEvents(store, "r1").flatMap((event) => (event.kind === "run-suspended" ? [event] : []));

test.each([
  ["that ended before it", 1_000, 15_000, 15_000],
  ["that ended in the midst of it", 3_000, 15_000, 14_000],
])("of an attempt %s nothing is work from then on while its owt is suspended", (_, endedAfter, ms, dead) => {
  const engine = carrier(endedAfter, 17_000);
  beginBeat(engine, 0);
  beat(engine, 1_000);
  beat(engine, 1_000 + ms);
  expect(readOpenAttempts(engine.store)[0]!.deadMs).toBe(dead);
  expect(suspensions(engine)).toMatchObject([{ run: "r1", ms, dead: [{ ms: dead }] }]);
  beat(engine, 2_000 + ms);
  expect(suspensions(engine)).toHaveLength(1);
});

test("who carries nothing is not suspended", () => {
  const engine = carrier(1_000, 17_000);
  beat(engine, 0);
  beat(engine, 15_000);
  beginBeat(engine, 15_000);
  endBeat(engine);
  beat(engine, 60_000);
  expect(suspensions(engine)).toEqual([]);
});
