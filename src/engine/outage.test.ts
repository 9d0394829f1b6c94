/** What counts as an outage of an API, and who tries whether it is over. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { newAttempt, sampleRun, sampleSpec } from "../../test/rig/samples.ts";
import type { Attempt } from "../core/attempt.ts";
import { mergeConfig } from "../core/config.ts";
import type { UsageLimit } from "../core/limit.ts";
import { endAttempt, openAttempt } from "../store/attempts.ts";
import { openStore } from "../store/database.ts";
import { createRun } from "../store/runs.ts";
import { changeTask, readTask, readTasks } from "../store/tasks.ts";
import type { Engine } from "./engine.ts";
import { hear, noteOutage } from "./outage.ts";

const OVERLOADED = { kind: "transient", reason: "529" } as const;
const SECOND = 1_000;

/** A run of tasks with one login, whose clock is set by `at`. */
function running(names: string[]) {
  const place = mkdtempSync(join(tmpdir(), "owt-outage-"));
  const store = openStore(place);
  onTestFinished(() => {
    store.close();
    rmSync(place, { recursive: true, force: true });
  });
  let now = 1_000_000;
  const config = mergeConfig([]);
  const engine = {
    repo: { commonDir: place, mainRoot: place },
    store,
    config,
    layers: [],
    env: { HOME: place },
    now: () => now,
    chance: () => 0,
  } as unknown as Engine;
  const { options } = sampleRun();
  createRun(
    store,
    now,
    { planKind: "markdown", planPath: "p", target: "main", base: "b0", buildsOn: null, options },
    names.map((id) => ({ spec: sampleSpec(id), hash: "h", needs: [] })),
  );
  const taskOf = (name: string) => readTasks(store, "r1").find(({ key }) => key === name)!;
  const begin = (name: string): Attempt => openAttempt(store, now, newAttempt(taskOf(name).id, { agent: "claude" }));
  const end = (attempt: Attempt): UsageLimit | null => {
    endAttempt(store, now, attempt, OVERLOADED);
    const outage = noteOutage(engine, attempt, OVERLOADED);
    if (outage === null) {
      const { failures } = readTask(store, attempt.task)!;
      changeTask(store, attempt.task, { failures: failures + 1 });
      return null;
    }
    const { credential, until } = outage;
    const park = { for: "limit", agent: "claude", credential: `${credential} (outage)`, until, isGuess: true } as const;
    changeTask(store, attempt.task, { park, notBefore: until });
    return outage;
  };
  return {
    engine,
    begin,
    end,
    later: (ms: number) => (now += ms),
    notBefore: (name: string) => taskOf(name).notBefore,
  };
}

test("whoever met an outage alone leaves every second try to those that did not", () => {
  const { begin, end, later, notBefore, engine } = running(["a", "b"]);
  const first = end(begin("a"))!;
  expect(first.until).toBe(engine.now() + 30 * SECOND);
  later(30 * SECOND);
  const second = end(begin("a"))!;
  expect([second.guesses, notBefore("a")]).toEqual([2, engine.now() + 80 * SECOND]);
  later(60 * SECOND);
  // The other one tries it, and meets it as well: from now on nobody is left who has not.
  end(begin("b"));
  expect(notBefore("a")).toBe(notBefore("b"));
});

test("those that are cut off together are not each the cause of it, however often", () => {
  const { engine, begin, end, later } = running(["a", "b"]);
  for (let wave = 0; wave < 6; wave++) {
    const both = [begin("a"), begin("b")];
    for (const attempt of both) hear(engine, attempt, "failure");
    for (const attempt of both) expect(end(attempt)).not.toBeNull();
    later(3_600 * SECOND);
  }
});

test("what failed while others were answered is its own affair also when it is alone", () => {
  let elapsed = 0;
  vi.spyOn(performance, "now").mockImplementation(() => (elapsed += SECOND));
  onTestFinished(() => void vi.restoreAllMocks());
  const { engine, begin, end } = running(["a", "b"]);
  const other = begin("b");
  for (let times = 0; times < 2; times++) {
    const attempt = begin("a");
    hear(engine, attempt, "failure");
    elapsed += 100 * SECOND;
    hear(engine, other, "answer");
    expect(end(attempt)).toBeNull();
  }
  endAttempt(engine.store, engine.now(), other, { kind: "ok" });
  elapsed += 3_600 * SECOND;
  expect(end(begin("a"))).toBeNull();
});
